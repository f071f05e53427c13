/* SPDX-License-Identifier: MIT */
#include "machine/sim/ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more hole. */
static bool reserve(struct ol_ranges *ranges)
{
    if (ranges->count < ranges->capacity) return true;
    const uint32_t capacity = ranges->capacity ? 2 * ranges->capacity : 16;
    struct ol_range *const holes = realloc(ranges->holes, capacity * sizeof *holes);
    if (!holes) return false;
    ranges->holes = holes;
    ranges->capacity = capacity;
    return true;
}

static void insert(struct ol_ranges *ranges, uint32_t index, uint64_t at, uint64_t count)
{
    struct ol_range *const hole = &ranges->holes[index];
    memmove(hole + 1, hole, (ranges->count - index) * sizeof *hole);
    *hole = (struct ol_range){.at = at, .count = count};
    ranges->count++;
}

static void remove_hole(struct ol_ranges *ranges, uint32_t index)
{
    struct ol_range *const hole = &ranges->holes[index];
    ranges->count--;
    memmove(hole, hole + 1, (ranges->count - index) * sizeof *hole);
}

enum ol_status ol_ranges_create(struct ol_ranges *ranges, uint64_t size)
{
    *ranges = (struct ol_ranges){.size = size};
    if (!reserve(ranges)) return OL_E_NO_META;
    if (size > 0) insert(ranges, 0, 0, size);
    return OL_OK;
}

void ol_ranges_destroy(struct ol_ranges *ranges)
{
    free(ranges->holes);
    *ranges = (struct ol_ranges){0};
}

/* Where in a hole `count` units can begin, if they can. */
static bool fits(const struct ol_range *hole, uint64_t count, uint64_t align, uint64_t end, uint64_t *at)
{
    const uint64_t hole_end = hole->at + hole->count, stop = hole_end < end ? hole_end : end;
    *at = hole->at % align == 0 ? hole->at : hole->at + (align - hole->at % align);
    return *at < stop && stop - *at >= count;
}

/* Takes units out of the hole in which they lie. */
static enum ol_status cut(struct ol_ranges *ranges, uint32_t index, uint64_t at, uint64_t count)
{
    if (!reserve(ranges)) return OL_E_NO_META;
    struct ol_range *const hole = &ranges->holes[index];
    const uint64_t before = at - hole->at, after = hole->count - before - count;
    hole->count = before;
    if (after > 0) insert(ranges, index + 1, at + count, after);
    if (before == 0) remove_hole(ranges, index);
    return OL_OK;
}

enum ol_status ol_ranges_take(struct ol_ranges *ranges, uint64_t count, uint64_t align, uint64_t end,
                              enum ol_placement placement, uint64_t *at)
{
    uint32_t best = ranges->count;
    uint64_t place = 0, candidate;
    assert(count > 0 && align > 0);
    for (uint32_t i = 0; i < ranges->count; i++) {
        if (!fits(&ranges->holes[i], count, align, end, &candidate)) continue;
        const bool better = best == ranges->count ||
                            (placement == OL_BEST_FIT && ranges->holes[i].count < ranges->holes[best].count) ||
                            (placement == OL_WORST_FIT && ranges->holes[i].count > ranges->holes[best].count);
        if (better) best = i, place = candidate;
        if (placement == OL_FIRST_FIT && better) break;
    }
    if (best == ranges->count) return OL_E_NO_ROOM;
    const enum ol_status status = cut(ranges, best, place, count);
    if (status == OL_OK) *at = place;
    return status;
}

enum ol_status ol_ranges_take_at(struct ol_ranges *ranges, uint64_t at, uint64_t count)
{
    assert(count > 0);
    for (uint32_t i = 0; i < ranges->count; i++) {
        const struct ol_range *const hole = &ranges->holes[i];
        if (at >= hole->at && at - hole->at < hole->count && count <= hole->count - (at - hole->at))
            return cut(ranges, i, at, count);
    }
    return OL_E_OVERLAP;
}

enum ol_status ol_ranges_give(struct ol_ranges *ranges, uint64_t at, uint64_t count)
{
    uint32_t i = 0;
    assert(count > 0 && at < ranges->size && count <= ranges->size - at);
    if (!reserve(ranges)) return OL_E_NO_META;
    while (i < ranges->count && ranges->holes[i].at < at) i++;
    struct ol_range *const below = i > 0 ? &ranges->holes[i - 1] : NULL;
    if ((below && below->at + below->count > at) || (i < ranges->count && at + count > ranges->holes[i].at))
        return OL_E_OVERLAP;
    const bool joins_above = i < ranges->count && at + count == ranges->holes[i].at;
    if (below && below->at + below->count == at) {
        below->count += count;
        if (!joins_above) return OL_OK;
        below->count += ranges->holes[i].count;
        remove_hole(ranges, i);
    } else if (joins_above) {
        ranges->holes[i].at = at;
        ranges->holes[i].count += count;
    } else {
        insert(ranges, i, at, count);
    }
    return OL_OK;
}

uint64_t ol_ranges_free(const struct ol_ranges *ranges)
{
    uint64_t free = 0;
    for (uint32_t i = 0; i < ranges->count; i++) free += ranges->holes[i].count;
    return free;
}

uint64_t ol_ranges_largest(const struct ol_ranges *ranges)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < ranges->count; i++)
        if (ranges->holes[i].count > largest) largest = ranges->holes[i].count;
    return largest;
}
