/* SPDX-License-Identifier: MIT */
/*
 * The TLBs and page-walk caches of one processor, any number of levels of them, and what empties them.
 *
 *     a reference --> look-aside --> level 1 --> level 2 … --> walk, which the page-walk caches shorten
 *                     (the host's)   data, code
 *
 * A walk fills all levels of its class; a hit in a lower level fills those above it; what is replaced in one level
 * stays in the others. These observe: what comes out of a reference is the same without them, as long as whoever
 * changes tables invalidates what the architecture says. Page-walk caches only count which table words need not be
 * read, as the walk itself is a pure function (walk.h); an entry of theirs that the tables no longer agree with is
 * counted, too.
 *
 * The look-aside stands for no hardware. It says where in level 1 a page of the current space is, so that a hit costs
 * the host little, whatever the geometry of level 1. It is emptied when the space changes.
 *
 * Conditions that hold for all functions:
 * - `tag` is below 2^OL_TLB_TAG_BITS. Global translations serve all tags and have none.
 * - `now` goes on from each use to the next and starts above 0.
 * - One thread at a time; a struct ol_tlbs stays where it was created.
 */
#ifndef OL_SIM_TLBS_H
#define OL_SIM_TLBS_H

#include "machine/sim/format.h"
#include "machine/sim/numa.h"
#include "machine/sim/tlb_spec.h"

/* A page of the current space that level 1 holds. */
struct ol_tlb_slot {
    uint64_t page;                    /* all bits of its number; OL_TLB_NO_PAGE: an empty slot */
    uint64_t *used;                   /* where the time of a use is noted */
    const struct ol_tlb_entry *entry; /* of level 1, that serves it */
    ol_frame_no frame;                /* of this very page */
    uint8_t rights;                   /* as the entry's */
    uint8_t node;                     /* of the frame */
};

#define OL_TLB_NO_PAGE UINT64_MAX

struct ol_tlb_aside {
    struct ol_tlb_slot *slots; /* page p can only be in slot p & mask */
    uint64_t mask;             /* c: */
};

/* Exact counts since creation. References that the look-aside served are not among them: those hit in level 1. */
struct ol_tlb_counters {
    uint64_t hits[OL_TLB_LEVELS_MAX]; /* lookups that this level served; [0] is level 1 */
    uint64_t words_saved;             /* table words that walks did not read, thanks to page-walk caches */
    uint64_t stale;                   /* entries of page-walk caches that were wrong when they were asked for */
};

struct ol_tlbs {
    struct ol_tlb_aside aside[2];         /* for data, for code; the same slots if level 1 has no array for one alone */
    const struct ol_sim_format *format;   /* c: */
    const struct ol_numa *numa;           /* c: the machine's nodes, which share so many frames … */
    uint32_t frames;                      /* c: */
    uint32_t tag;                         /* of the current space */
    uint8_t levels, parts, walk_caches;   /* c: */
    uint8_t tag_bits;                     /* c: that there are; 0: one space at a time */
    uint8_t sizes;                        /* c: of pages */
    uint8_t page_shift[OL_TLB_SIZES_MAX]; /* c: log2 of them, from the smallest */
    bool has_global;                      /* a global translation may be among them */
    struct ol_tlb_part {
        struct ol_tlb tlb;
        uint8_t level;  /* c: from 1; they ascend */
        uint8_t holds;  /* c: enum ol_tlb_class */
        uint8_t sizes;  /* c: bit n: pages of the size page_shift[n] */
        uint8_t seen;   /* … of which it may have some now */
        bool has_piece; /* it may have pieces of larger pages now */
    } part[OL_TLB_ARRAYS_MAX];
    struct ol_walk_cache {
        struct ol_tlb tlb; /* keys: the level of an entry - 1 as the size, and what it covers as the page; no rights */
        uint8_t level;     /* c: of the entries; 0: all */
    } walk[OL_WALK_CACHES_MAX];
    uint64_t unused; /* where uses are noted that nobody asks for */
    struct ol_tlb_counters count;
};

/* OL_OK; OL_E_INVALID if they are not possible, or page-walk caches are asked for where walks do not go from level to
 * level; OL_E_NO_META. `numa` is kept; `frames` are
 * those for pages. */
enum ol_status ol_tlbs_create(struct ol_tlbs *tlbs, const struct ol_tlb_spec *spec, const struct ol_sim_format *format,
                              const struct ol_numa *numa, uint32_t frames);
void ol_tlbs_destroy(struct ol_tlbs *tlbs);

/* References are to the space of that tag from now on. */
void ol_tlbs_switch(struct ol_tlbs *tlbs, uint32_t tag);

/* Looks in all levels. True if they allow the access, with the frame of va's page. */
bool ol_tlbs_lookup(struct ol_tlbs *tlbs, ol_va va, unsigned access, uint64_t now, ol_frame_no *frame);

/* What they know of va in the current space, without a use being noted. False: nothing. */
struct ol_tlb_view {
    unsigned level, rights; /* of the first level that knows it */
    ol_frame_no frame;      /* of va's page */
};
bool ol_tlbs_peek(const struct ol_tlbs *tlbs, ol_va va, unsigned access, struct ol_tlb_view *out);

/* Notes a walk of the current space for that access: what it found, if it found something, and which table words a
 * processor would have read. Returns how many of walk->words_read it would not. */
unsigned ol_tlbs_note_walk(struct ol_tlbs *tlbs, ol_va va, unsigned access, const struct ol_walk *walk, uint64_t now);

/* --- what empties them ------------------------------------------------------------------------------------------- */

enum ol_tlb_scope {
    OL_TLB_GLOBAL_TOO = 1, /* global translations, too */
    OL_TLB_ALL_TABLES = 2, /* all that page-walk caches have of the space, not only what leads to the page */
};

/* Forgets the translations that contain va in the space of that tag, whatever the size of the page. */
void ol_tlbs_invalidate(struct ol_tlbs *tlbs, uint32_t tag, ol_va va, unsigned scope);
/* Forgets all of a space. */
void ol_tlbs_empty_tag(struct ol_tlbs *tlbs, uint32_t tag, bool global_too);
/* Forgets all of all spaces. */
void ol_tlbs_empty(struct ol_tlbs *tlbs, bool global_too);

/* --- the quick way ------------------------------------------------------------------------------------------------ */

/* The slot for a page of the current space if level 1 is known to allow the access; it counts as used. Else NULL, which
 * says nothing. */
static inline const struct ol_tlb_slot *ol_tlbs_hit(const struct ol_tlbs *tlbs, uint64_t page, unsigned access,
                                                    uint64_t now)
{
    const struct ol_tlb_aside *const aside = &tlbs->aside[access / OL_EXEC];
    const struct ol_tlb_slot *const slot = &aside->slots[page & aside->mask];
    if (slot->page != page || !(slot->rights & access)) return NULL;
    *slot->used = now;
    return slot;
}

#endif
