/* SPDX-License-Identifier: MIT */
/*
 * The running process as a machine.
 *
 * A frame is memory that is either in some slot of an arena or where the program sees it (in a window of the process's
 * address space for each pmap). Entering a page moves it from the slot to the window, removing moves it to a slot
 * again, atomically; mechanism.h says how, and how faults come. Neighbours move together. So a frame's memory is at one
 * place at a time:
 *
 *      nowhere   untouched or discarded
 *      zeros     nowhere, but the contents are zeros (made when they are entered or looked at)
 *      arena     in a slot: the core's alone
 *      window    mapped: the program's
 *
 * There is no referenced and no modified bit, and a frame cannot be mapped twice; the core emulates what it needs.
 * All functions of the pmap interface are async-signal-safe.
 */
#ifndef OL_LINUX_MACHINE_H
#define OL_LINUX_MACHINE_H

#include <sys/types.h>

#include "machine/linux/arena.h"
#include "machine/linux/uffd.h"
#include "onelevel/onelevel.h"
#include "pager/lock.h"

struct ol_mechanism;

struct ol_linux_options {
    uint32_t frames_max;
    enum ol_faults faults;
    uint32_t
        islands_max; /* with protection faults: stretches of the windows that may be shown; 0: as the kernel allows */
    bool no_move;    /* as if UFFDIO_MOVE did not exist */
    bool dont_fork;  /* a forked child does not have the windows: touching them there is an error, not wrong data */
};

/* Where a frame's memory is; see above. */
enum ol_linux_place { OL_PLACE_NOWHERE, OL_PLACE_ZEROS, OL_PLACE_ARENA, OL_PLACE_WINDOW };

struct ol_linux_frame {
    uint64_t address : 48; /* s: in the process, if OL_PLACE_ARENA or OL_PLACE_WINDOW */
    uint64_t place : 2;    /* s: enum ol_linux_place */
    uint64_t rights : 3;   /* s: of the mapping */
    uint64_t wired : 1;    /* s: the mapping is not forgotten */
    uint64_t
        is_place : 1; /* s: protection faults: shown by giving rights to the place itself, not by moving memory there */
    uint64_t is_first : 1; /* s: protection faults: an island begins here */
};

/* What protection faults need; see mechanism_protection.c. */
struct ol_protection {
    char *stage;          /* c: a page between two others, for making memory read-only unseen */
    char *ballast;        /* s: mappings to be given up when the kernel allows no more; NULL: they were */
    uint32_t islands;     /* s: stretches of pages that are shown; the kernel has at most two mappings for each */
    uint32_t islands_max; /* s: more are not shown */
    uint32_t islands_cap; /* c: islands_max never becomes more than this */
    ol_frame_no hand;     /* s: where forgetting goes on */
    ol_frame_no seen;     /* s: frames from here on were never shown */
};

struct ol_linux {
    const struct ol_mechanism *mechanism; /* c: */
    struct ol_uffd uffd;                  /* c: with userfaultfd */
    struct ol_protection protection;      /* with protection faults */
    struct ol_arena arena;                /* s: a slot for each frame */
    struct ol_linux_frame *frames;        /* c: frames_max, lazily backed */
    uint32_t frames_max;                  /* c: */
    bool dont_fork;                       /* c: */
    struct ol_pmap *pmaps;                /* s: list of all */
    struct ol_futex_mutex lock;           /* the core's, see ol_linux_port */
    uint64_t tables_bytes;                /* s: parts of the pmaps' tables that were ever used */
    pid_t pid;                            /* c: of this process; changed after a fork */
    /* c: finds the first part of the windows at or above an address that something else is mapped over; false: there is
       none. NULL: nobody maps anything there. Called after a fork alone. */
    bool (*next_hole)(uint64_t from, uint64_t *first, uint64_t *end);
};

/* OL_OK; OL_E_UNSUPPORTED (*error names the mend); OL_E_NO_META. */
enum ol_status ol_linux_create(const struct ol_linux_options *options, struct ol_linux **out, const char **error);
/* Every pmap is destroyed. */
void ol_linux_destroy(struct ol_linux *machine);

extern const struct ol_pmap_ops ol_linux_pmap_ops;
extern const struct ol_capabilities ol_linux_capabilities;

/* Metadata from lazily backed memory, a futex lock, CLOCK_MONOTONIC; messages and panics to standard error. */
void ol_linux_port(struct ol_linux *machine, struct ol_port *out);

/* Where the program sees va of the pmap. A pmap's window is at its own first address if that place was free. */
void *ol_linux_address(const struct ol_pmap *pmap, ol_va va);
/* The other way round; false if address is in no window of this pmap. */
bool ol_linux_va(const struct ol_pmap *pmap, const void *address, ol_va *va);

/* The first part of [va, end) in which pages were ever entered: at most 2 MiB, perhaps not all of it. False: none. */
bool ol_linux_used(const struct ol_pmap *pmap, ol_va va, ol_va end, ol_va *first, ol_va *last);

/* A place of that size in the process's address space where nothing is, for ol_space_create; 0 if there is none. */
ol_va ol_linux_find_window(uint64_t bytes);

/* How faults come: OL_FAULTS_USERFAULTFD (SIGBUS) or OL_FAULTS_PROTECTION (SIGSEGV). */
enum ol_faults ol_linux_faults(const struct ol_linux *machine);
/* The signal of a fault in a window. */
int ol_linux_signal(const struct ol_linux *machine);

/* False in a forked child that does not have the windows (dont_fork). */
bool ol_linux_is_here(const struct ol_linux *machine);

/* Something else was mapped over a part of a window, and shall be no longer. */
bool ol_linux_restore_window(struct ol_linux *machine, void *address, size_t bytes);

/* In a forked child, between ol_system_fork_prepare and ol_system_fork_done: the windows lost their registration. */
enum ol_status ol_linux_forked(struct ol_linux *machine, const char **error);

/* Bytes of the machine's tables that were ever used. */
uint64_t ol_linux_metadata_bytes(const struct ol_linux *machine, uint32_t frames_used);

#endif
