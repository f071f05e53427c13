/* SPDX-License-Identifier: MIT */
/*
 * What `onelevel run` and the runtime it loads into the program tell each other: one page-aligned struct in a memfd.
 * The command writes the options before the program starts; the runtime writes the rest. Both are of one build.
 */
#ifndef OL_RUN_SHARED_H
#define OL_RUN_SHARED_H

#include "onelevel/onelevel.h"

/* Environment of the program until the runtime has read it; then it is as the user had it. */
#define OL_RUN_ENV_FD      "ONELEVEL_RUN_FD"      /* number of the memfd */
#define OL_RUN_ENV_PRELOAD "ONELEVEL_RUN_PRELOAD" /* the user's own LD_PRELOAD, if there was one */

enum { OL_RUN_TEXT_BYTES = 4096 };

/* Anonymous private mappings smaller than this stay with the kernel: they are many, and small in sum. The C library's
 * allocator maps only what is 128 KiB or more. */
#define OL_RUN_THRESHOLD_BYTES (64U << 10)

struct ol_run_shared {
    /* The command's. */
    struct ol_memory_options options; /* its pointers are not used: */
    char policy[OL_RUN_TEXT_BYTES];   /* "": default */
    char swap[OL_RUN_TEXT_BYTES];     /* "": default */
    unsigned long personality;        /* the user's, to be restored */

    /* The runtime's. */
    int attached; /* 1 once the program's memory is managed */
    int replaced; /* 1: it executed another program in its place, which runs without a budget */
    struct ol_memory_statistics
        statistics;                      /* of the program's first process, renewed every few faults and at its end */
    uint64_t unmanaged_executable_bytes; /* managed memory that was made executable, and stays resident for it */
    uint64_t refused_io;                 /* calls to asynchronous I/O interfaces that were refused */
};

#endif
