/* SPDX-License-Identifier: MIT */
/*
 * A memory: the linux machine, the core, and the homes of pages, put together from ol_memory_options.
 * What libonelevel (onelevel.h) and the runtime of `onelevel run` share.
 *
 * A fault must not happen while this thread holds the core's lock, so whoever calls the core directly does it with all
 * signals blocked and touches no managed memory meanwhile; the functions of onelevel.h see to that themselves.
 */
#ifndef OL_LINUX_MEMORY_H
#define OL_LINUX_MEMORY_H

#include <signal.h>
#include <stdatomic.h>

#include "machine/linux/machine.h"
#include "onelevel/onelevel.h"

struct ol_memory {
    struct ol_linux *machine;              /* c: */
    struct ol_system *system;              /* c: */
    struct ol_space *space;                /* c: */
    struct ol_pager *pager;                /* c: what the core sees; NULL: no swap */
    struct ol_pager *compressed;           /* c: part of pager, or NULL */
    struct ol_pager *file;                 /* c: part of pager, or NULL */
    bool is_whole;                         /* c: one bound for all; else resident pages alone */
    _Atomic uint32_t pages;                /* a: that bound, in pages */
    uint32_t stock_target;                 /* c: frames kept ready for the compressed store */
    atomic_uint stock;                     /* a: frames lent and not yet taken by the store */
    atomic_uint lent;                      /* a: frames lent, the stock included */
    atomic_uint store_part;                /* a: that part, in 32nds, where there is a file, too */
    struct ol_statistics weighed;          /* t: what was counted when the part was last changed */
    atomic_flag weighing;                  /* a: who holds it may use what is marked t */
    atomic_uint faults_untended;           /* a: since the last ol_memory_tend */
    atomic_ullong fault_ns;                /* a: */
    struct ol_memory_statistics inherited; /* c: what was counted before this process was forked */
};

/* As ol_memory_open, with a window of window_bytes at window_va (0: anywhere) instead of the largest to be had;
 * no signal handler is installed. for_fork: forked children keep the window, and call ol_memory_forked. */
enum ol_status ol_memory_open_at(const struct ol_memory_options *options, ol_va window_va, uint64_t window_bytes,
                                 bool for_fork, struct ol_memory **out, const char **error);

/* ol_memory_close without the signal handler. */
void ol_memory_close_at(struct ol_memory *memory);

/* Resolves the fault of an access to `address`, which lies in the memory's window. As ol_fault. Counts the time. */
enum ol_status ol_memory_fault(struct ol_memory *memory, void *address, unsigned access);

/* Bookkeeping between faults: memory for the compressed store and for tables is taken out of the frames. Cheap. */
void ol_memory_tend(struct ol_memory *memory);

/* ol_memory_get_statistics, with signals blocked already. */
void ol_memory_count(struct ol_memory *memory, struct ol_memory_statistics *out);

/* Changes what ram_bytes or resident_bytes said, to at least ol_memory_minimum_bytes(). What is over it is reclaimed
 * before this returns, as far as it can be written out; a compressed store without a file behind it stays. */
void ol_memory_set_budget(struct ol_memory *memory, uint64_t bytes);

/* True if address lies in the memory's window. */
bool ol_memory_contains(const struct ol_memory *memory, const void *address);

/* Around a fork: no other thread is in the core, the child makes the memory its own. OL_E_UNSUPPORTED, OL_E_NO_META,
 * OL_E_NO_SWAP, OL_E_IO: the child cannot be given correct data and must not go on. */
void ol_memory_fork_prepare(struct ol_memory *memory);
enum ol_status ol_memory_fork_done(struct ol_memory *memory, bool forked, const char **error);

/* --- signals (fault.c)
 * ------------------------------------------------------------------------------------------------ */

/* What kind of access a fault signal's context tells of. */
unsigned ol_fault_access(const void *context);

/* Lets the interrupted instruction end in a signal with this code and address, as if the processor had raised it. To be
 * called from a handler that returns right after; the signal must not be one of whose handler this is. */
void ol_fault_raise(void *context, int signal, int code, void *address);

/* Hands a signal to what was installed before: a handler, the default action, or nothing. */
void ol_fault_chain(const struct sigaction *previous, int signal, siginfo_t *info, void *context);

/* Once in a process, a line on standard error: faults come as protection faults because nothing better is to be had. */
void ol_fault_say_slow(void);

/* A line on standard error: why the page at address cannot be had. */
void ol_fault_explain(const struct ol_memory *memory, enum ol_status status, const void *address);

/* Tells the program of a fault that could not be resolved: SIGSEGV for its own errors, SIGBUS (with a line on standard
 * error) for ours. `previous` is for the signal of `info`, and gets it if it is the right one. */
void ol_fault_refuse(const struct ol_memory *memory, enum ol_status status, const struct sigaction *previous,
                     siginfo_t *info, void *context);

#endif
