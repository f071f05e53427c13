/* SPDX-License-Identifier: MIT */
/*
 * What TLBs and page-walk caches a processor has, as data; and as text:
 *
 *     SPEC   none | ENTRIES[:WAYS] | NAME of a preset | PART,PART,…
 *     PART   l1=ARRAY  l1d=ARRAY  l1i=ARRAY  l2=…   levels 1 to 4: for everything, for data, for instructions
 *            walk=ARRAY                             a page-walk cache for the entries of all levels of tables
 *            walk1=ARRAY  walk2=ARRAY  …            … of that level alone; 1 are those that name the lowest tables
 *            tags=BITS                              of the tags that tell spaces apart (PCID, ASID); 0: none
 *     ARRAY  ENTRIES[:WAYS][:lru|plru|fifo|random][@SIZE+SIZE+…]
 *
 * ENTRIES alone has four ways, or as many as entries; an ARRAY without WAYS is fully associative. Without sizes it
 * holds pages of all sizes; a level may have several arrays, for different sizes. A page that is too large for all
 * arrays of a level is held in pieces of the largest size that there is. Without tags= the machine says how many bits
 * there are.
 */
#ifndef OL_SIM_TLB_SPEC_H
#define OL_SIM_TLB_SPEC_H

#include "machine/sim/tlb.h"

enum { OL_TLB_LEVELS_MAX = 4, OL_TLB_ARRAYS_MAX = 16, OL_WALK_CACHES_MAX = 4, OL_TLB_TAGS_OF_FORMAT = 255 };

/* What an array holds translations for. */
enum ol_tlb_class { OL_TLB_DATA = 1, OL_TLB_CODE = 2 };

struct ol_tlb_array_spec {
    uint32_t entries, ways;
    uint8_t replacement; /* enum ol_tlb_replacement */
    uint8_t level;       /* from 1; of a page-walk cache: of the entries that it holds, as format.h counts; 0: all */
    uint8_t holds;       /* enum ol_tlb_class, or both */
    uint64_t sizes;      /* bit n: pages of 2^n bytes; 0: all */
};

struct ol_tlb_spec {
    uint8_t arrays, walk_caches;
    uint8_t tag_bits; /* 0: a switch of spaces empties all; OL_TLB_TAGS_OF_FORMAT */
    struct ol_tlb_array_spec array[OL_TLB_ARRAYS_MAX];
    struct ol_tlb_array_spec walk[OL_WALK_CACHES_MAX];
};

/* TLBs of processors that there are, or were; ends with a NULL name. */
struct ol_tlb_preset {
    const char *name, *text;
    const char *summary; /* one line for people */
};
extern const struct ol_tlb_preset ol_tlb_presets[];

/* One level for everything, least recently used; `entries` 0: no TLB. */
struct ol_tlb_spec ol_tlb_spec_simple(uint32_t entries, uint32_t ways);

/* Understands a text. False if it makes no sense; then `message` (cut to message_bytes) says what was expected. */
bool ol_tlb_spec_parse(const char *text, struct ol_tlb_spec *out, char *message, size_t message_bytes);

/* Can a processor have these TLBs? */
bool ol_tlb_spec_is_possible(const struct ol_tlb_spec *spec);

#endif
