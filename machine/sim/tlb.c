/* SPDX-License-Identifier: MIT */
#include "machine/sim/tlb.h"

#include <stdlib.h>

static bool is_power_of_two(uint32_t number)
{
    return number > 0 && (number & (number - 1)) == 0;
}

bool ol_tlb_is_possible(uint32_t entries, uint32_t ways, enum ol_tlb_replacement replacement)
{
    if (entries == 0) return true;
    if (entries > OL_TLB_ENTRIES_MAX || ways == 0 || entries % ways != 0) return false;
    return is_power_of_two(entries / ways) && (replacement != OL_TLB_PLRU || is_power_of_two(ways));
}

enum ol_status ol_tlb_create(struct ol_tlb *tlb, uint32_t entries, uint32_t ways, enum ol_tlb_replacement replacement)
{
    if (!ol_tlb_is_possible(entries, ways, replacement)) return OL_E_INVALID;
    const size_t room = entries > 0 ? entries : 1;
    *tlb = (struct ol_tlb){
        .entries = calloc(room, sizeof *tlb->entries),
        .used = calloc(room, sizeof *tlb->used),
        .ways = entries > 0 ? ways : 0,
        .set_mask = entries > 0 ? entries / ways - 1 : 0,
        .random = 1,
        .replacement = replacement,
    };
    if (tlb->entries && tlb->used) return OL_OK;
    ol_tlb_destroy(tlb);
    return OL_E_NO_META;
}

void ol_tlb_destroy(struct ol_tlb *tlb)
{
    free(tlb->entries);
    free(tlb->used);
    *tlb = (struct ol_tlb){0};
}

/* The first entry of key's set. */
static size_t first_of_set(const struct ol_tlb *tlb, uint64_t key)
{
    return (size_t)(key & tlb->set_mask) * tlb->ways;
}

struct ol_tlb_entry *ol_tlb_find(const struct ol_tlb *tlb, uint64_t key)
{
    struct ol_tlb_entry *const set = &tlb->entries[first_of_set(tlb, key)];
    for (uint32_t way = 0; way < tlb->ways; way++)
        if (set[way].key == key) return &set[way];
    return NULL;
}

/* --- replacement ------------------------------------------------------------------------------------------------- */

static uint32_t oldest(const uint64_t *used, uint32_t ways)
{
    uint32_t found = 0;
    for (uint32_t way = 1; way < ways; way++)
        if (used[way] < used[found]) found = way;
    return found;
}

static uint64_t newest_use(const uint64_t *used, uint32_t ways)
{
    uint64_t newest = 0;
    for (uint32_t way = 0; way < ways; way++)
        if (used[way] > newest) newest = used[way];
    return newest;
}

/* A node of the tree has one bit, and each use sets it to point away from the half used: so it points to the half whose
 * last use is older. */
static uint32_t tree_oldest(const uint64_t *used, uint32_t ways)
{
    uint32_t first = 0;
    for (uint32_t half = ways / 2; half > 0; half /= 2)
        if (newest_use(&used[first + half], half) < newest_use(&used[first], half)) first += half;
    return first;
}

/* A linear congruential generator modulo 2^32; its upper bits are the better ones. */
static uint32_t any_way(struct ol_tlb *tlb)
{
    tlb->random = tlb->random * 1664525U + 1013904223U;
    return (uint32_t)((uint64_t)tlb->random * tlb->ways >> 32);
}

static uint32_t victim(struct ol_tlb *tlb, const uint64_t *used)
{
    switch (tlb->replacement) {
    case OL_TLB_PLRU: return tree_oldest(used, tlb->ways);
    case OL_TLB_RANDOM: return any_way(tlb);
    default: return oldest(used, tlb->ways);
    }
}

struct ol_tlb_entry *ol_tlb_place(struct ol_tlb *tlb, uint64_t key)
{
    if (tlb->ways == 0) return NULL;
    const size_t first = first_of_set(tlb, key);
    struct ol_tlb_entry *const set = &tlb->entries[first], *empty = NULL;
    for (uint32_t way = 0; way < tlb->ways; way++) {
        if (set[way].key == key) return &set[way];
        if (set[way].key == 0 && !empty) empty = &set[way];
    }
    return empty ? empty : &set[victim(tlb, &tlb->used[first])];
}

void ol_tlb_store(struct ol_tlb *tlb, struct ol_tlb_entry *place, const struct ol_tlb_entry *entry, uint64_t now)
{
    assert(entry->key != 0 && now != 0);
    const bool is_new = place->key != entry->key;
    *place = *entry;
    if (is_new || tlb->replacement != OL_TLB_FIFO) tlb->used[place - tlb->entries] = now;
}
