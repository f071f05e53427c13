/* SPDX-License-Identifier: MIT */
/*
 * Where the memory of frames is that no program sees: a range of page-sized slots. A slot belongs to at most one frame,
 * and only while that frame's memory is there; so slots are given out in runs, and pages that travel together lie
 * together, whichever frames they have.
 *
 * Everything here is async-signal-safe. The caller holds the core's lock.
 */
#ifndef OL_LINUX_ARENA_H
#define OL_LINUX_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ol_arena {
    char *memory;        /* c: slots pages */
    uint64_t *taken;     /* s: one bit a slot; lazily backed */
    uint32_t slots;      /* c: */
    uint32_t first_room; /* s: words of `taken` below it are full */
    uint32_t high_water; /* s: words below it were used at least once */
};

/* False without address space. */
bool ol_arena_open(struct ol_arena *arena, uint32_t slots);
void ol_arena_close(struct ol_arena *arena);

/* A run of 1 to `want` neighbouring slots, as long as can be found nearby; *length is how many. There is one: never are
 * more than `slots` wanted in all. */
char *ol_arena_take(struct ol_arena *arena, uint32_t want, uint32_t *length);
/* One slot, empty again. */
void ol_arena_give(struct ol_arena *arena, const char *slot);

size_t ol_arena_bytes(const struct ol_arena *arena);
/* Of the table, as far as it was ever used. */
uint64_t ol_arena_metadata_bytes(const struct ol_arena *arena);

#endif
