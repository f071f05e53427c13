/* SPDX-License-Identifier: MIT */
/*
 * The pager that keeps pages in a nameless file that only its owner could open, the page of slot s at s pages from its
 * start. Consecutive slots of a request are one transfer.
 *
 * Conditions that hold for all functions, and for those of the pager:
 * - Those of core/pager.h. The pager is synchronous: it completes before submit returns.
 * - Async-signal-safe but for create and close. errno may be changed.
 */
#ifndef OL_PAGER_SWAPFILE_H
#define OL_PAGER_SWAPFILE_H

#include "core/pager.h"

struct ol_swapfile_options {
    uint32_t page_bytes;   /* a power of two from 512 to 1 MiB */
    uint32_t capacity;     /* slots */
    const char *directory; /* where the file is made */
};

struct ol_swapfile_statistics {
    uint64_t pages_read;
    uint64_t pages_written;  /* by the core: copies made by freeze are not counted */
    uint64_t file_bytes;     /* now: size of the files, with what is sparse in them */
    uint64_t metadata_bytes; /* now: tables, up to the highest slot that was written */
};

/* OL_OK; OL_E_INVALID (capacity 0 or a bad page size); OL_E_NO_META; OL_E_IO or OL_E_NO_SWAP: no file can be made
 * there; *error, if error is not NULL, is then a static sentence that names the mend. */
enum ol_status ol_swapfile_create(const struct ol_swapfile_options *options, struct ol_pager **out, const char **error);

/* To be called in both processes right after a fork, by their only thread that may use the pager, no call being under
 * way at the fork: what the files hold is shared with the other process from then on and is not written any more.
 * Each process writes to a new file of its own, which is made at its first write.
 * OL_OK; OL_E_NO_SWAP, OL_E_IO: old files were to be merged, for they are many, and could not be. Nothing is lost;
 * but after further forks writes may be refused with OL_E_NO_SWAP, until discards have emptied a file. */
enum ol_status ol_swapfile_freeze(struct ol_pager *pager);

void ol_swapfile_statistics(struct ol_pager *pager, struct ol_swapfile_statistics *out);

#endif
