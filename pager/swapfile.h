/* SPDX-License-Identifier: MIT */
/*
 * The pager that keeps pages in a nameless file that only its owner could open, the page of slot s at s pages from its
 * start. Consecutive slots of a request are one transfer, and transfers of one read are under way together where the
 * kernel allows it. They pass the page cache if the file system and the addresses of the pages do. Each page has a seal
 * in memory (pager/seal.h): one that comes back other than it went is OL_E_IO, never wrong data.
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
    bool encrypted;        /* what is in the file can be read by this process and its children alone */
};

struct ol_swapfile_statistics {
    uint64_t pages_read;
    uint64_t pages_written;       /* by the core: copies made by freeze are not counted */
    uint64_t file_bytes;          /* now: size of the files, with what is sparse in them */
    uint64_t pages_read_together; /* … in transfers of which several were under way at a time (pager/ring.h) */
    bool buffered;                /* now: the page cache is in between, because the file system wants it */
    uint64_t pages_damaged;       /* reads of pages whose seal was wrong */
    uint64_t metadata_bytes;      /* now: tables, up to the highest slot that was written */
};

/* OL_OK; OL_E_INVALID (capacity 0 or a bad page size); OL_E_NO_META; OL_E_UNSUPPORTED (as ol_seals_create); OL_E_IO or
 * OL_E_NO_SWAP: no file can be made there. *error, if error is not NULL, is then a static sentence that names the mend.
 */
enum ol_status ol_swapfile_create(const struct ol_swapfile_options *options, struct ol_pager **out, const char **error);

/* To be called in both processes right after a fork, by their only thread that may use the pager, no call being under
 * way at the fork: what the files hold is shared with the other process from then on and is not written any more.
 * Each process writes to a new file of its own, which is made at its first write.
 * OL_OK; OL_E_NO_SWAP, OL_E_IO: old files were to be merged, for they are many, and could not be. Nothing is lost;
 * but after further forks writes may be refused with OL_E_NO_SWAP, until discards have emptied a file. */
enum ol_status ol_swapfile_freeze(struct ol_pager *pager);

/* Why a slot could last not be read. */
struct ol_swapfile_failure {
    int error;             /* an errno, or enum ol_swap_error (swapfile_io.h) */
    uint64_t offset_bytes; /* where in the file */
    int fd;                /* the file */
};

/* False if it is not among the last four requests' worth of pages that could not be read. */
bool ol_swapfile_failure(struct ol_pager *pager, ol_slot slot, struct ol_swapfile_failure *out);

void ol_swapfile_statistics(struct ol_pager *pager, struct ol_swapfile_statistics *out);

#endif
