/* SPDX-License-Identifier: MIT */
/* What machine.c, pmap.c and the mechanisms share. Lock letters: c: constant; s: the core's lock. */
#ifndef OL_LINUX_INTERNAL_H
#define OL_LINUX_INTERNAL_H

#include "machine/linux/machine.h"

/* Pages of 4 KiB: the only base page of the processors this machine runs on. Leaves of 512 pages (2 MiB) and trunks
 * of 512 leaves (1 GiB) are counted, so that what is empty is passed over. */
enum {
    OL_LINUX_PAGE_SHIFT = 12,
    OL_LINUX_PAGE_BYTES = 1 << OL_LINUX_PAGE_SHIFT,
    OL_LEAF_SHIFT = 9,
    OL_TRUNK_SHIFT = 18
};

/* in_leaf: bits beside the count tell that pages of the leaf were ever mapped, and that its part of frame_of has
 * memory: half a page of it. Where nothing is mapped, pages may be swapped, but the table is not wanted. */
enum {
    OL_LEAF_USED = 0x8000,
    OL_LEAF_HELD = 0x4000,
    OL_LEAF_COUNT = 0x3fff,
    OL_LEAF_BYTES = (1 << OL_LEAF_SHIFT) * (int)sizeof(uint32_t)
};

struct ol_pmap {
    struct ol_linux *machine; /* c: */
    struct ol_pmap *next;     /* s: */
    ol_va first_va;           /* c: */
    char *window;             /* c: first_va is here */
    uint64_t bytes;           /* c: of the window */
    uint32_t *frame_of;       /* s: per page: frame + 1, or 0; lazily backed */
    uint16_t *in_leaf;        /* s: mapped pages per leaf, OL_LEAF_USED and OL_LEAF_HELD */
    uint32_t *in_trunk;       /* s: mapped pages per trunk */
    size_t table_bytes;       /* c: of the three tables, one mapping that begins at frame_of */
};

static inline size_t ol_linux_bytes(uint32_t pages)
{
    return (size_t)pages * OL_LINUX_PAGE_BYTES;
}

static inline uint64_t ol_linux_page_index(const struct ol_pmap *pmap, const void *address)
{
    return (uint64_t)((const char *)address - pmap->window) / OL_LINUX_PAGE_BYTES;
}

static inline char *ol_linux_frame_address(const struct ol_linux_frame *frame)
{
    return (char *)(uintptr_t)frame->address;
}

enum ol_status ol_linux_pmap_create(void *machine, ol_va first_va, ol_va last_va, struct ol_pmap **out);
void ol_linux_pmap_destroy(void *machine, struct ol_pmap *pmap);

/* The first mapped page in [page, end), or end. */
uint64_t ol_linux_next_mapped(const struct ol_pmap *pmap, uint64_t page, uint64_t end);

/* The first part of [*at, end) that nothing else is mapped over becomes [*at, *part_end); false: there is none. */
bool ol_linux_next_part(const struct ol_linux *machine, uint64_t *at, uint64_t end, uint64_t *part_end);

#endif
