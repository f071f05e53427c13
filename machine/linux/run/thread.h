/* SPDX-License-Identifier: MIT */
/*
 * The threads of the program, each with a stack of the runtime's: handlers of the runtime run there, so that the
 * program's own stacks may lie in managed memory, and be evicted, or be of a few kilobytes. A thread's record lies at
 * the end of its stack, so nothing thread-local of the program's is needed to find it.
 *
 * The stacks lie in one reservation:   | guard | stack ... record | guard | stack ... record | ...
 *
 * All functions are called with signals blocked (SIGBUS and SIGSEGV excepted), and are async-signal-safe.
 */
#ifndef OL_RUN_THREAD_H
#define OL_RUN_THREAD_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <ucontext.h>

/* Room for three nested handlers with the largest frames there are (AMX: 11 KiB), and what they call. */
enum { OL_STACK_BYTES = 128 << 10, OL_STACKS_MAX = 32768 };

/* The signals that are never really blocked, and whose action is always ours: what faults and trapped calls raise. */
enum { OL_OURS = 3 };
#define OL_OURS_MASK (1UL << (SIGBUS - 1) | 1UL << (SIGSYS - 1) | 1UL << (SIGSEGV - 1))
/* What is blocked while handlers of the runtime run: all but the faults that they may meet themselves. */
#define OL_HANDLER_MASK (~(1UL << (SIGBUS - 1) | 1UL << (SIGSEGV - 1)))

/* A signal of ours that was sent while the program had it blocked. */
struct ol_pending {
    atomic_uint state; /* a: enum in deliver.c */
    siginfo_t info;    /* of whoever changed the state */
};

/* Lock letters: t: its thread's alone; a: atomic; c: constant while the thread lives. */
struct ol_thread {
    stack_t alternate;                  /* t: the program's own alternate stack, as the kernel would keep it */
    atomic_ulong blocked;               /* a: which of ours the program has blocked here; written by its thread */
    atomic_ulong waits_for;             /* a: which of ours a sigtimedwait of its is waiting for */
    const unsigned long *wait_mask;     /* t: the mask that the call under way waits under, or NULL: the thread's */
    struct ol_pending pending[OL_OURS]; /* sent to this thread */
    int deferred;                       /* t: a signal that came while a trapped call was made, or 0 */
    siginfo_t deferred_info;            /* t: */
    unsigned long deferred_mask;        /* t: the program's mask where it came */
    int error;                          /* t: the runtime's errno */
    pid_t traced;                       /* t: its vfork child that is to be traced from its exec on, or 0 */
    atomic_int tid;                     /* a: 0 until the thread runs */
    unsigned long tls;                  /* c: pages wired for what the kernel writes there at any time */
    uint32_t tls_pages;                 /* c: 0: the thread's own data is not managed memory */
    unsigned long clear_tid;            /* c: the word that is cleared at the end, if tls_pages */
};

extern char *ol_stacks; /* c: the reservation, NULL before ol_threads_init */

/* The record of the thread that runs. Without a stack of ours (a thread that was made behind the runtime's back, or one
 * that set an alternate stack there) a spare one. */
struct ol_thread *ol_thread_self(void);
/* The record of the first thread. */
struct ol_thread *ol_thread_first(void);
/* True if this stack pointer is on the stack of ours that the caller runs on. */
bool ol_thread_is_inside(unsigned long stack_pointer);
/* False: the caller does not run on a stack of ours. */
bool ol_thread_has_stack(void);

/* The reservation, and the first thread's stack. False: no memory. */
bool ol_threads_init(void);
/* clone() of a thread, with the trapped call's context: the kernel's answer for the parent. */
long ol_thread_clone(const long argument[6], const ucontext_t *context);
/* Ends the calling thread, or with exit_group the process that it is. Frees the stack. Does not return. */
_Noreturn void ol_thread_end(long number, long status);
/* In a forked child: the other threads are gone; the wires of this one are taken again. */
void ol_threads_forked(void);
/* Calls visit for each other thread's record until one gives true, and returns that, or NULL. */
struct ol_thread *ol_thread_find(bool (*visit)(struct ol_thread *thread, unsigned long wanted), unsigned long wanted);

#endif
