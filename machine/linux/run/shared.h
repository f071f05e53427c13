/* SPDX-License-Identifier: MIT */
/*
 * What `onelevel run` and the runtimes it has loaded tell each other: one struct in a memfd, which the command, every
 * managed process of its tree, and `onelevel limit` map. All are of one build. tree.h works on it.
 */
#ifndef OL_RUN_SHARED_H
#define OL_RUN_SHARED_H

#include <stdatomic.h>
#include <sys/types.h>

#include "onelevel/onelevel.h"

/* Environment of a program until the runtime has read it; then it is as the user had it. */
#define OL_RUN_ENV         "ONELEVEL_RUN"         /* numbers; see struct ol_run_start */
#define OL_RUN_ENV_PRELOAD "ONELEVEL_RUN_PRELOAD" /* the user's own LD_PRELOAD, if there was one */

/* Of the memfd, as it stands in /proc/PID/fd. */
#define OL_RUN_MEMFD "onelevel-run"

enum { OL_RUN_TEXT_BYTES = 4096, OL_RUN_PROCESSES_MAX = 4096 };

/* Anonymous private mappings smaller than this stay with the kernel: they are many, and small in sum. The C library's
 * allocator maps only what is 128 KiB or more. */
#define OL_RUN_THRESHOLD_BYTES (64U << 10)

/* So does the heap's beginning: most programs have the buffers there through which they read and write all that they
 * do, and the kernel can use those without a trap. Less than 4 GiB. */
#define OL_RUN_HEAP_FOREIGN_BYTES (256U << 10)

/* A managed process, or none. It is alive as long as it holds a lock (fcntl) on the byte of the memfd that is its place
 * in the table: the kernel takes that away when it ends, however it ends. Bytes; written by the process alone, but for
 * what is done with the dead. */
struct ol_run_process {
    _Atomic pid_t pid;                      /* 0: none; in its own namespace */
    atomic_ullong need_bytes;               /* what it could use: all its pages, and tables */
    atomic_ullong used_bytes;               /* what it uses: resident pages, compressed store, tables */
    atomic_ullong warm_bytes;               /* memory of free frames: the budget's, though nothing is in it */
    atomic_ullong granted_bytes;            /* its part of the budget */
    atomic_ullong pages_bytes;              /* all its pages, wherever they are */
    atomic_ullong enter_address;            /* code that starts the runtime's thread, and ends in a trap; cli/poke.h */
    atomic_ullong enter_stack;              /* a stack for it */
    atomic_bool is_watching;                /* the thread runs */
    struct ol_memory_statistics statistics; /* renewed every few faults and at its end */
};

/* Sampled; the most that all processes together ever had, in bytes. */
struct ol_run_peaks {
    atomic_ullong pages_bytes;     /* managed pages, wherever they are */
    atomic_ullong used_bytes;      /* as ol_run_process.used_bytes */
    atomic_ullong anonymous_bytes; /* what the budget does not cover: stacks, small mappings, data of libraries */
    atomic_ullong file_bytes;      /* … files that are mapped, programs and libraries among them */
    atomic_ullong shared_bytes;    /* … shared memory */
    atomic_ullong unmanaged_bytes; /* … programs that are not managed, all of theirs */
};

struct ol_run_shared {
    /* The command's. */
    struct ol_memory_options options; /* its pointers are not used: */
    char policy[OL_RUN_TEXT_BYTES];   /* "": default */
    char swap[OL_RUN_TEXT_BYTES];     /* "": default */
    char runtime[OL_RUN_TEXT_BYTES];  /* the library's file */
    unsigned long personality;        /* the user's, to be restored */
    pid_t command;                    /* process of the command */
    bool children;                    /* programs that are executed are managed, too */

    /* The budget of the tree. */
    atomic_ullong budget_bytes;   /* the command's and `onelevel limit`'s */
    atomic_ullong granted_bytes;  /* sum of what processes have; at most the budget, but see tree.h */
    atomic_bool follows_pressure; /* the command's: --ram auto */
    atomic_bool watched;          /* processes look at the budget also while they do not fault */
    atomic_uint change;           /* a futex: woken when the budget changed, or somebody lacks memory */
    atomic_ullong lacking_ns;     /* when somebody lacked memory last (CLOCK_MONOTONIC) */
    atomic_ullong woken_ns;       /* when all were told so last */

    /* The runtimes'. */
    atomic_uint attached;                  /* processes that ever were managed */
    atomic_uint replaced;                  /* 1: the first executed another program in its place, without a budget */
    atomic_uint unmanaged;                 /* programs executed without a budget, while such are to be managed */
    atomic_ullong executable_bytes;        /* managed memory that was made executable, and stays resident for it */
    atomic_ullong refused_io;              /* calls to asynchronous I/O interfaces that were refused */
    atomic_ullong pages_bytes, used_bytes; /* sums over the processes, now */
    struct ol_run_peaks peak;
    struct ol_memory_statistics finished; /* sums of those that ended; under the lock of byte OL_RUN_PROCESSES_MAX */
    atomic_uint places;                   /* of the table that were ever used */
    struct ol_run_process process[OL_RUN_PROCESSES_MAX];
};

#endif
