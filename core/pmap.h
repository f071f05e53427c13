/* SPDX-License-Identifier: MIT */
/*
 * The pmap interface: the machine's own form of a space's translations, and its physical memory.
 *
 * Conditions that hold for all functions:
 * - `machine` is the pointer given to ol_system_create. The core holds its lock.
 * - Addresses are page aligned; ranges are given as first address and number of pages, and lie inside the range
 *   the pmap was created with.
 * - Mappings are only a cache: the machine may forget any unwired mapping at any time, and a fault enters it again.
 * - Referenced and modified belong to the frame, not to a mapping; they survive unmapping until test_clear.
 *   Modified is exact, referenced is best effort. A machine without such a bit says so in its capabilities;
 *   then the core emulates it (referenced: by unmapping; modified: by entering clean pages without OL_WRITE).
 * - A large mapping is one of each of its pages. Who changes a part of it splits it; a machine that has no room for the
 *   table which that takes may forget the rest, so no wired page is mapped large. What hardware notes in a large entry
 *   holds for all its frames: after a write all are modified, after any access all are referenced.
 * - Work on TLBs may be deferred until sync().
 */
#ifndef OL_CORE_PMAP_H
#define OL_CORE_PMAP_H

#include "core/types.h"

enum { OL_LARGE_SIZES_MAX = 2 };

/* Filled once by the machine, never changed. */
struct ol_capabilities {
    const char *name;
    ol_va first_va;     /* lowest address a space may use; page aligned */
    ol_va last_va;      /* highest address a space may use, inclusive; page aligned + page_bytes - 1 */
    uint8_t page_shift; /* log2 of the page size in bytes */
    uint8_t large_shifts[OL_LARGE_SIZES_MAX]; /* log2 of the sizes of large pages, ascending; 0: no more */
    bool has_referenced;                      /* test_clear(OL_REFERENCED) works */
    bool has_modified;                        /* test_clear(OL_MODIFIED) works */
    bool has_execute; /* OL_EXEC is a right of its own; if not, what may be read may be executed, and query tells no
                         OL_EXEC */
    bool no_write_protection; /* what may be read may be written: no region has rights without OL_WRITE; no forks */
    bool can_alias;           /* a frame may be mapped at several places; if not, enter() moves it */
    bool exact_references;    /* the machine calls ol_touch for every reference */
    uint64_t tick_units; /* a clock tick, in units of the port's now_ns(): policies look at pages so often; 0: 10,000 */
};

enum ol_attributes { OL_REFERENCED = 1, OL_MODIFIED = 2 };

struct ol_pmap; /* the machine's */

struct ol_mapping {
    ol_frame_no frame; /* of the page that was asked for */
    unsigned rights;
    uint8_t shift; /* log2 of the bytes that are mapped as one */
};

struct ol_pmap_ops {
    /* An empty pmap for addresses first_va .. last_va. OL_OK or OL_E_NO_META. */
    enum ol_status (*create)(void *machine, ol_va first_va, ol_va last_va, struct ol_pmap **out);
    /* Every mapping has been removed before. */
    void (*destroy)(void *machine, struct ol_pmap *pmap);

    /* Maps frames[0..n) at va onward with `rights`, replacing what is mapped there; the frames hold their contents.
     * `access` is what the program is about to do: it seeds referenced and modified. All or nothing:
     * OL_OK, or OL_E_NO_META / OL_E_NO_FRAMES with nothing changed. */
    enum ol_status (*enter)(void *machine, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                            unsigned rights, unsigned access);
    /* Only where there are large pages. Maps the frames from `first` on at va onward as a large page of 1 << shift
     * bytes, of which both are multiples, replacing what is mapped there. No attribute is seeded.
     * OL_OK, or OL_E_NO_META with nothing changed. */
    enum ol_status (*enter_large)(void *machine, struct ol_pmap *pmap, ol_va va, ol_frame_no first, uint8_t shift,
                                  unsigned rights);
    /* Forgets the mappings of pages va onward; pages without one are passed over. The contents are afterwards in the
     * frames. Cannot fail for unwired pages. */
    void (*remove)(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages);
    /* Takes away all rights but `rights` of the mappings of pages va onward; may remove them instead. */
    void (*protect)(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights);
    /* True if va has a mapping, which is then described. */
    bool (*query)(void *machine, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out);
    /* Lowers every mapping of frames[0..n) to `rights`; OL_NONE removes them, and the contents are then in the frames.
     * Returns for how many leading frames this was done; fewer than n only if the machine is using frames[result]. */
    uint32_t (*frame_protect)(void *machine, const ol_frame_no *frames, uint32_t n, unsigned rights);
    /* The frame is wired from now on, or no longer is. NULL: the machine forgets no mapping of its own accord. */
    void (*wire)(void *machine, ol_frame_no frame, bool wired);
    /* Which of `attributes` the frame has; clears them. With OL_REFERENCED cleared, the next access sets it again. */
    unsigned (*test_clear)(void *machine, ol_frame_no frame, unsigned attributes);
    /* Completes deferred work; afterwards no processor uses a mapping that was removed or lowered. */
    void (*sync)(void *machine);

    /* Physical memory. */
    void (*frame_zero)(void *machine, ol_frame_no frame);
    void (*frame_copy)(void *machine, ol_frame_no to, ol_frame_no from);
    /* The contents of an unmapped frame, addressable until frame_unmap. Never NULL. */
    void *(*frame_map)(void *machine, ol_frame_no frame);
    void (*frame_unmap)(void *machine, ol_frame_no frame);
    /* The frame is lent away (ol_frames_lend): the machine may give its memory back to whom it has it from. */
    void (*frame_discard)(void *machine, ol_frame_no frame);
    /* The node on which memory for the page at va had best be. NULL: OL_ANY_NODE. */
    uint32_t (*node_for)(void *machine, const struct ol_pmap *pmap, ol_va va);
    /* Puts unmapped frames into the order in which it is cheapest to enter them at neighbouring pages. NULL: any is. */
    void (*frame_arrange)(void *machine, ol_frame_no *frames, uint32_t n);
};

#endif
