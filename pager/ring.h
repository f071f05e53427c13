/* SPDX-License-Identifier: MIT */
/*
 * Several reads at a time from files, by io_uring (liburing, if it was there at build time and the kernel allows it).
 * Writes do not come this way: those that make a file longer the kernel would hand to threads, which would become
 * threads of the program's.
 *
 * Conditions that hold for all functions:
 * - Async-signal-safe. errno may be changed.
 * - A zeroed ring is one that was not used yet. Opening is tried at the first read, once.
 */
#ifndef OL_PAGER_RING_H
#define OL_PAGER_RING_H

#include "pager/lock.h"
#include "pager/swapfile_io.h"

#ifdef OL_HAVE_URING
#include <liburing.h>
#endif

enum ol_ring_state { OL_RING_UNUSED, OL_RING_OPEN, OL_RING_REFUSED };

struct ol_ring {
    struct ol_futex_mutex lock; /* protects all below; who finds it held reads without */
    enum ol_ring_state state;
    pid_t process;            /* whose it is, while open */
    struct ol_swap_file file; /* its descriptor */
#ifdef OL_HAVE_URING
    struct io_uring uring;
#endif
};

/* Reads `count` runs, 2 to OL_IO_PAGES_MAX; run r is of slots[r.at] and r.count - 1 slots after it, into
 * pages[r.at] and so on. Returns the runs that were
 * read whole, as a set of bits; the others are to be read otherwise, nothing is said about their pages. */
uint64_t ol_ring_read(struct ol_ring *ring, const struct ol_swap_run *runs, uint32_t count, const ol_slot *slots,
                      void *const *pages, uint32_t page_bytes);

/* In a forked process, where no read is under way: its parent's ring is none of its own. */
void ol_ring_forked(struct ol_ring *ring);

void ol_ring_close(struct ol_ring *ring);

#endif
