/* SPDX-License-Identifier: MIT */
/*
 * The managed processes of one `onelevel run`, and how they divide its budget.
 *
 * Each has a part granted to it, and the parts never exceed the budget together, except that each process may always
 * have ol_memory_minimum_bytes(). Who needs more takes it from what is left; if too little is left, all give back what
 * they have above their due. That is max-min fair: who needs less than an equal part has what it needs, and the others
 * divide the rest equally.
 *
 * Conditions that hold for all functions: async-signal-safe; any number of processes at once, but of one process one
 * thread at a time. `fd` is the memfd.
 */
#ifndef OL_RUN_TREE_H
#define OL_RUN_TREE_H

#include "machine/linux/run/shared.h"

/* A place for this process, or NULL if all are taken. */
struct ol_run_process *ol_tree_join(struct ol_run_shared *shared, int fd, pid_t pid);

/* Adds those that ended to the sums of the finished, and gives back what they had. Returns how many there are that
 * live; their process ids, in the caller's namespace, in pids unless that is NULL, and their places. `self` (or NULL)
 * lives. */
struct ol_run_living {
    pid_t pid;
    unsigned place;
};
unsigned ol_tree_reap(struct ol_run_shared *shared, int fd, const struct ol_run_process *self,
                      struct ol_run_living living[OL_RUN_PROCESSES_MAX]);

/* Notes the process's figures, and what follows from them for all. counts_pages: its pages are not another's, too. */
void ol_tree_note(struct ol_run_shared *shared, struct ol_run_process *self,
                  const struct ol_memory_statistics *statistics, bool counts_pages);

/* What the process is due, in bytes, if there are so many `alike`: 1, or 2 for one that is about to fork. */
uint64_t ol_tree_due(struct ol_run_shared *shared, const struct ol_run_process *self, unsigned alike);

/* Takes up to `bytes` more of what is left, or gives back. Returns what was taken. */
uint64_t ol_tree_take(struct ol_run_shared *shared, struct ol_run_process *self, uint64_t bytes);
void ol_tree_give(struct ol_run_shared *shared, struct ol_run_process *self, uint64_t bytes);

/* Wakes all that watch, because the budget changed or because this process lacks memory. */
void ol_tree_wake(struct ol_run_shared *shared);
/* Did anybody lack memory in the last second? */
bool ol_tree_lacks(struct ol_run_shared *shared);
void ol_tree_lack(struct ol_run_shared *shared);

/* Sums of all processes, those that ended included. Peaks and what is "now" are sums, too. */
void ol_tree_statistics(struct ol_run_shared *shared, struct ol_memory_statistics *out);

/* What a process has in memory, in bytes, as the kernel counts it (proc(5), status): private, of files, shared. */
struct ol_run_memory {
    uint64_t anonymous_bytes, file_bytes, shared_bytes;
};
/* `pid` 0: of this process. False if it is gone. */
bool ol_tree_memory(pid_t pid, struct ol_run_memory *out);

/* CLOCK_MONOTONIC. */
uint64_t ol_tree_now_ns(void);

/* Raises a peak. */
void ol_tree_peak(atomic_ullong *peak, uint64_t bytes);

#endif
