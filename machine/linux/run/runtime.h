/* SPDX-License-Identifier: MIT */
/*
 * The runtime that `onelevel run` loads into a program.
 *
 * It reserves a window of the address space, answers the program's requests for anonymous memory from it, and resolves
 * the faults there. To see those requests it has a seccomp filter trap system calls that are made from the C library's
 * text and either manage memory or signals, or name an address of the window: the kernel could not bring in evicted
 * pages itself (userfaultfd gives ordinary users no faults of the kernel's), so the pages a call names are wired while
 * it runs.
 *
 * Everything below runs in signal handlers (fault_signal for faults, SIGSYS for trapped calls) on a stack of the
 * runtime's (thread.h) with all signals blocked, except SIGBUS and SIGSEGV in the handler of SIGSYS, so that it may
 * touch the program's memory (user.h), though never while it is in the core. Results of calls are the kernel's: a value
 * or a negative errno.
 */
#ifndef OL_RUN_RUNTIME_H
#define OL_RUN_RUNTIME_H

#include <signal.h>
#include <sys/types.h>
#include <ucontext.h>

#include "machine/linux/memory.h"
#include "machine/linux/run/raw.h"
#include "machine/linux/run/shared.h"

/* The window: above every program, heap and legacy mapping area, below the stacks. Both ends are multiples of 4 GiB, so
 * that a filter tells its addresses by their upper 32 bits. The heap (brk) lies at its beginning; below OL_HEAP_MANAGED
 * nothing is ever managed. */
#define OL_WINDOW_FIRST 0x600000000000ULL
#define OL_WINDOW_BYTES 0x100000000000ULL
#define OL_HEAP_BYTES   0x10000000000ULL
#define OL_HEAP_MANAGED (OL_WINDOW_FIRST + OL_RUN_HEAP_FOREIGN_BYTES)

enum { OL_RUN_PAGE_BYTES = 4096 };

struct ol_runtime {
    struct ol_memory *memory;         /* c: */
    struct ol_run_shared *shared;     /* c: the tree's */
    pid_t pid;                        /* c: of this process; a vfork child shares this struct and has another */
    int fault_signal;                 /* c: SIGBUS, or SIGSEGV with protection faults */
    bool is_first;                    /* c: the process that the command started */
    unsigned generation;              /* c: 1, or how many programs were executed to come to this one; exec.h */
    _Atomic uint32_t pin_limit_bytes; /* a: how much one call may have wired at a time; share.c */
    struct ol_futex_mutex lock;       /* l: the heap, foreign memory, signal actions; taken before the core's */
    atomic_ullong break_end;          /* l: the program's break */
};

extern struct ol_runtime ol_runtime;

/* A trapped call: its number and arguments, and the context it was made in. */
struct ol_call {
    long number;
    long argument[6];
    ucontext_t *context;
    bool uninterruptible; /* no signal may end it: the kernel would not let it, were it made at once */
};

static inline bool ol_in_window(unsigned long address)
{
    return address - OL_WINDOW_FIRST < OL_WINDOW_BYTES;
}

static inline long ol_call_raw(const struct ol_call *call)
{
    const long *a = call->argument;
    return ol_raw(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* What our filter's traps are marked with, to tell them from those of a filter of the program's (si_errno). */
enum { OL_FILTER_MARK = 0x1e7e };

/* runtime.c: the handler of fault_signal. */
void ol_on_fault(int signal, siginfo_t *info, void *context);

/* filter.c: installs the filter; NULL, or a sentence that says what failed. */
const char *ol_filter_install(void);

/* trap.c */
void ol_on_sigsys(int signal, siginfo_t *info, void *context);
/* Makes the call with the program's own signal mask. A signal ends it: -EINTR, or OL_RESTART (trap.h), which goes on to
 * be the result of the trapped call, once that has given up what it holds. */
long ol_call_interruptible(const struct ol_call *call);
/* Makes the call with the mask that the program believes to have: a program that is executed inherits it. */
long ol_call_exec(const struct ol_call *call);

/* memory_calls.c: false if the call is none of memory's; then nothing was done. */
bool ol_memory_call(struct ol_call *call, long *result);
/* The first break, at the beginning of the window. */
void ol_heap_init(void);

/* signal_calls.c */
bool ol_signal_call(struct ol_call *call, long *result);
void ol_signals_init(void);
/* What this thread believes to have blocked where the context was interrupted. */
unsigned long ol_mask_of_program(const ucontext_t *context);

/* process_calls.c */
bool ol_process_call(struct ol_call *call, long *result);

/* descriptor_calls.c */
bool ol_descriptor_call(const struct ol_call *call, long *result);

/* wire_calls.c: any other call: what it names is wired while it runs. */
long ol_wire_call(struct ol_call *call);

#endif
