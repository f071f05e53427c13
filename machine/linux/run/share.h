/* SPDX-License-Identifier: MIT */
/*
 * This process's part of the budget. It is looked at every few faults, and several times a second by a thread of the
 * runtime's own in processes that have more than the minimum, once there is somebody to divide with or the budget may
 * change: a process that waits in a system call could not give anything back otherwise.
 *
 * The thread is nobody else's business: all signals are blocked in it, it has its own thread-local storage, and it is
 * ended before calls that need a process to have one thread, or that act on all threads but do not know this one.
 * Async-signal-safe, with signals blocked.
 */
#ifndef OL_RUN_SHARE_H
#define OL_RUN_SHARE_H

#include <stdbool.h>
#include <sys/types.h>

/* The process joins the tree, whose memfd is `fd`: at its beginning, and in a forked child. */
void ol_share_join(int fd);

/* Of a program that begins: takes what is due, for which it waits a moment if others have to give it back first. */
void ol_share_begin(void);

/* Publishes the figures, takes what is due and gives back what is not. */
void ol_share_look(void);

/* Publishes the figures for the last time, and what the process has that the budget does not cover. */
void ol_share_leave(void);

/* Around a fork. Before it, this process makes two equal parts of what it has and what is left, and does with one of
 * them; after it, whose result is `pid`, parent and child have one each. So together they stay within the budget from
 * the first moment, whatever they write. `works`: the process has its memory; a child without is about to end. */
void ol_share_fork(void);
void ol_share_forked(pid_t pid, bool works);

/* Ends the thread, if there is one. True: there was one, and ol_share_watch is to be called again. */
bool ol_share_unwatch(void);
void ol_share_watch(void);

/* The memfd, in this process. */
int ol_share_descriptor(void);

#endif
