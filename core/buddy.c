/* SPDX-License-Identifier: MIT */
/*
 * Free physical memory in blocks of 2^order frames, each at a multiple of its size: the buddy system (Knowlton, CACM
 * 8(10), 1965; Knuth, The Art of Computer Programming 1, 2.5). A block that becomes free joins its buddy, the other
 * half of the block twice as large, if that is free and whole:
 *
 *      order 2     [ 0  1  2  3 ]           take(0) ->   0 is used, 1 and [2 3] are free blocks
 *      order 1     [ 0  1 ][ 2  3 ]         give(0) ->   0 joins 1, and [0 1] joins [2 3]
 *      order 0     [0] [1] [2] [3]
 *
 * Zones lie one behind the other and never share a block. A free block is known by its first frame: it is on its zone's
 * list for its order, and has order + 1 in ol_frame.block; every other frame has 0 there.
 *
 * Rejected: best fit over a tree of runs, which keeps no alignment; a bitmap per order, which wants a search.
 */
#include "core/internal.h"

static uint64_t zone_end(const struct ol_physical_zone *zone)
{
    return (uint64_t)zone->first + zone->frames;
}

static struct ol_physical_zone *zone_of(struct ol_physical *memory, ol_frame_no number)
{
    struct ol_physical_zone *zone = memory->zone;
    while (number >= zone_end(zone)) zone++;
    return zone;
}

static void block_push(struct ol_system *system, struct ol_physical_zone *zone, ol_frame_no first, unsigned order)
{
    system->frame[first].block = (uint8_t)(order + 1);
    ol_frame_list_push(system, &zone->block[order], first);
}

static void block_remove(struct ol_system *system, struct ol_physical_zone *zone, ol_frame_no first, unsigned order)
{
    OL_ASSERT(system, system->frame[first].block == order + 1 && system->frame[first].state == OL_FRAME_FREE, "I12");
    ol_frame_list_remove(system, &zone->block[order], first);
    system->frame[first].block = 0;
}

void ol_buddy_init(struct ol_system *system)
{
    struct ol_physical *memory = system->physical;
    for (struct ol_physical_zone *zone = memory->zone; zone < memory->zone + memory->zones; zone++) {
        for (unsigned order = 0; order < OL_BLOCK_ORDERS; order++) ol_frame_list_init(&zone->block[order]);
        for (uint64_t at = zone->first; at < zone_end(zone);) {
            unsigned order = OL_BLOCK_ORDERS - 1;
            while (at & ((1ULL << order) - 1) || at + (1ULL << order) > zone_end(zone)) order--;
            block_push(system, zone, (ol_frame_no)at, order);
            at += 1ULL << order;
        }
    }
}

/* The smallest free block of the zone that is large enough, whole; OL_NO_FRAME if there is none. */
static ol_frame_no zone_take(struct ol_system *system, struct ol_physical_zone *zone, unsigned order)
{
    unsigned found = order;
    while (found < OL_BLOCK_ORDERS && !zone->block[found].count) found++;
    if (found == OL_BLOCK_ORDERS) return OL_NO_FRAME;
    const ol_frame_no first = zone->block[found].tail;
    block_remove(system, zone, first, found);
    while (found-- > order) block_push(system, zone, first + (1U << found), found);
    return first;
}

ol_frame_no ol_buddy_take(struct ol_system *system, unsigned order, uint32_t node, ol_frame_no limit)
{
    struct ol_physical *memory = system->physical;
    for (int others = 0; others < 2; others++) {
        for (struct ol_physical_zone *zone = memory->zone; zone < memory->zone + memory->zones; zone++) {
            if (zone_end(zone) > limit || (zone->node == node) == (others != 0)) continue;
            const ol_frame_no first = zone_take(system, zone, order);
            if (first != OL_NO_FRAME) return first;
        }
    }
    return OL_NO_FRAME;
}

bool ol_buddy_has(const struct ol_physical *memory, unsigned order)
{
    for (const struct ol_physical_zone *zone = memory->zone; zone < memory->zone + memory->zones; zone++)
        for (unsigned at = order; at < OL_BLOCK_ORDERS; at++)
            if (zone->block[at].count) return true;
    return false;
}

void ol_buddy_give(struct ol_system *system, ol_frame_no first, unsigned order)
{
    struct ol_physical_zone *zone = zone_of(system->physical, first);
    for (; order + 1 < OL_BLOCK_ORDERS; order++) {
        const ol_frame_no buddy = first ^ 1U << order;
        if (buddy < zone->first || (uint64_t)buddy + (1U << order) > zone_end(zone)) break;
        if (system->frame[buddy].block != order + 1) break;
        block_remove(system, zone, buddy, order);
        first &= ~(1U << order);
    }
    block_push(system, zone, first, order);
}

uint32_t ol_physical_unusable(const struct ol_physical_info *info, unsigned order)
{
    uint32_t frames = 0;
    for (unsigned at = 0; at < order && at < OL_BLOCK_ORDERS; at++) frames += info->blocks[at] << at;
    return frames;
}
