/* SPDX-License-Identifier: MIT */
/*
 * The pager interface: a pager moves pages between memory and their home.
 *
 * Conditions that hold for all functions:
 * - The core chooses the slots (core/swap.c clusters them); a pager stores the page of slot s and gives it back.
 *   Slots are numbered from 0 to capacity - 1. A slot that was never written, or was discarded, is not read.
 * - submit and flush are called without the core's lock held, discard and keep with it. Several threads may call at
 *   once, but never two for the same slot. A pager must not touch managed memory other than the pages it is given,
 *   and calls nothing of the core but ol_frames_return.
 * - A page is page_bytes long; the page pointers belong to the core and stay valid until the transfer is complete.
 * - A pager may wrap another one and pass requests on.
 */
#ifndef OL_CORE_PAGER_H
#define OL_CORE_PAGER_H

#include "core/types.h"

enum { OL_IO_PAGES_MAX = 64 };

enum ol_io_op { OL_IO_READ, OL_IO_WRITE };

/* One transfer of 1 to OL_IO_PAGES_MAX pages; page i belongs to slots[i]. Slots of a write ascend. */
struct ol_io {
    enum ol_io_op op;
    uint32_t count;
    const ol_slot *slots;
    void *const *pages; /* for OL_IO_WRITE they are only read */
    /* Filled by the pager, one per page: OL_OK, OL_E_IO, or for a write OL_E_NO_SWAP (no room: the page has no home).
     */
    enum ol_status status[OL_IO_PAGES_MAX];
    /* Called by the pager exactly once, from any thread, possibly before submit() returns; then io is the caller's. */
    void (*complete)(struct ol_io *io);
    void *context; /* the caller's */
};

struct ol_pager;

struct ol_pager_ops {
    const char *name;

    /* Starts the transfer; its result is told by io->complete alone. A write of a page replaces what the slot held;
     * a failed write leaves the slot without contents. Synchronous pagers complete before they return. */
    void (*submit)(struct ol_pager *pager, struct ol_io *io);

    /* The slot's contents are no longer needed. May be called for a slot without contents. Cannot fail. */
    void (*discard)(struct ol_pager *pager, ol_slot slot);

    /* True if the copy in slot is worth keeping while the page is resident (a file), false if it had better be
     * discarded because it costs memory (a compressed store). */
    bool (*keep)(struct ol_pager *pager, ol_slot slot);

    /* Completes deferred writes. OL_OK or OL_E_IO. */
    enum ol_status (*flush)(struct ol_pager *pager);

    /* Releases everything; no transfer may be under way. A wrapping pager closes what it wraps. */
    void (*close)(struct ol_pager *pager);
};

/* The head of every pager; concrete pagers put it first in their own struct. */
struct ol_pager {
    const struct ol_pager_ops *ops; /* c: */
    uint32_t page_bytes;            /* c: */
    uint32_t capacity;              /* c: number of slots */
};

#endif
