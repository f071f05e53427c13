/* SPDX-License-Identifier: MIT */
/*
 * Memory given out in pieces of any length, each in one place: what segments and the buffers of devices want, and what
 * pages were invented to do without. Knows holes only; who takes a range remembers it.
 *
 * Conditions that hold for all functions:
 * - Units are whatever the caller likes: bytes, frames.
 * - Holes are ordered by address, apart, and never adjacent.
 * - One thread at a time.
 */
#ifndef OL_SIM_RANGES_H
#define OL_SIM_RANGES_H

#include "core/types.h"

enum ol_placement {
    OL_FIRST_FIT, /* the lowest hole that is large enough */
    OL_BEST_FIT,  /* the smallest such hole, of these the lowest */
    OL_WORST_FIT, /* the largest hole, of these the lowest */
};

struct ol_range {
    uint64_t at, count;
};

struct ol_ranges {
    struct ol_range *holes;
    uint32_t count, capacity;
    uint64_t size; /* c: ranges lie in 0 .. size-1 */
};

/* All of it one hole (none if size is 0). OL_OK or OL_E_NO_META. */
enum ol_status ol_ranges_create(struct ol_ranges *ranges, uint64_t size);
void ol_ranges_destroy(struct ol_ranges *ranges);

/* Takes `count` units, more than 0, at a multiple of `align`, more than 0, from the hole that `placement` says, none of
 * them at `end` or above. OL_OK; OL_E_NO_ROOM: no hole is large enough; OL_E_NO_META. */
enum ol_status ol_ranges_take(struct ol_ranges *ranges, uint64_t count, uint64_t align, uint64_t end,
                              enum ol_placement placement, uint64_t *at);
/* Takes exactly these units. OL_E_OVERLAP if one of them is taken; OL_E_NO_META. */
enum ol_status ol_ranges_take_at(struct ol_ranges *ranges, uint64_t at, uint64_t count);
/* Gives back units below `size`. OL_OK; OL_E_OVERLAP: some of them are not taken; OL_E_NO_META: they stay taken. */
enum ol_status ol_ranges_give(struct ol_ranges *ranges, uint64_t at, uint64_t count);

uint64_t ol_ranges_free(const struct ol_ranges *ranges);
uint64_t ol_ranges_largest(const struct ol_ranges *ranges);

#endif
