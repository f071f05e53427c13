/* SPDX-License-Identifier: MIT */
/*
 * Large pages: one entry of the machine's tables, and of its TLB, for an aligned stretch of pages whose frames lie side
 * by side in an aligned block of memory.
 *
 * A large page is a property of the mapping alone. Frames, anons, swap slots and what policies see stay pages of the
 * smallest size, so eviction, copy-on-write, forks and transfers know nothing of it: where they take away or lower the
 * mapping of one page, the machine splits the large entry (core/pmap.h). A fault that finds a stretch complete maps it
 * large again; physical.c sees to it that the frames are where they should be.
 *
 *      each page of the stretch:  in use, not wired, not a sample of prefetch.c; in the frame at its own place;
 *                                 shared with another space like all the others, or like none of them
 *
 * The price: hardware notes accesses and writes for all pages of the entry at once. A page may so be taken for used, or
 * modified, that is not; never the other way round.
 *
 * Rejected: frames of several sizes, which would make each list, the policies' words and the swap slots know sizes; and
 * promotion of a stretch in which some page was never touched, unless the region asked for that (OL_MAP_LARGE): it
 * costs memory that nobody asked for.
 */
#include "core/internal.h"

/* Can pages [first, first + pages) be mapped to the frames from `base` on by one entry? *shared: without OL_WRITE. */
static bool is_uniform(const struct ol_system *system, const struct ol_region *region, uint64_t first, uint32_t pages,
                       ol_frame_no base, bool *shared)
{
    const uint64_t index = region->offset + (first - region->first);
    for (uint32_t i = 0; i < pages; i++) {
        const struct ol_frame *frame = &system->frame[base + i];
        bool page_shared;
        const uint32_t anon = ol_overlay_lookup(system, region->overlay, index + i, &page_shared);
        if (anon == OL_NIL || frame->anon != anon) return false;
        if (frame->state != OL_FRAME_ACTIVE || frame->wires || frame->flags & OL_FRAME_SAMPLE) return false;
        if (i == 0) *shared = page_shared;
        if (page_shared != *shared) return false;
    }
    return true;
}

void ol_large_promote(const struct ol_space *space, const struct ol_region *region, uint64_t page, ol_frame_no number)
{
    struct ol_system *system = space->system;
    const struct ol_physical *memory = system->physical;
    uint8_t order = 0;
    bool shared = false, all_shared = false;
    for (const struct ol_large_size *size = memory->size; size < memory->size + memory->sizes; size++) {
        const uint32_t pages = 1U << size->order, block = number >> size->order;
        const uint64_t first = page & ~(uint64_t)(pages - 1);
        if (block >= size->blocks || size->used[block] != pages || (page ^ number) & (pages - 1)) break;
        if (first < region->first || first + pages - 1 > region->last) break;
        if (!is_uniform(system, region, first, pages, block << size->order, &shared)) break;
        order = size->order;
        all_shared = shared;
    }
    if (!order) return;
    const uint64_t first = page >> order << order;
    const ol_frame_no base = number >> order << order;
    const uint8_t shift = (uint8_t)(system->is.page_shift + order);
    const unsigned rights = region->rights & ~(all_shared ? (unsigned)OL_WRITE : 0);
    if (system->pmap->enter_large(system->machine, space->pmap, first << system->is.page_shift, base, shift, rights) !=
        OL_OK)
        return; /* the small mappings serve as well */
    system->pmap->sync(system->machine);
    system->count.promotions++;
    for (uint32_t i = 0; i < 1U << order; i++) {
        system->frame[base + i].flags |= OL_FRAME_MAPPED;
        ol_frame_set_page(&system->frame[base + i], first + i);
    }
}

void ol_large_fill(struct ol_space *space, const struct ol_region *region, uint64_t page)
{
    struct ol_system *system = space->system;
    bool shared;
    if (!system->physical) return;
    const uint64_t index = region->offset + (page - region->first);
    const uint32_t filled = ol_overlay_lookup(system, region->overlay, index, &shared);
    uint32_t used;
    const uint32_t pages = ol_physical_reserved(system->physical, ol_anon_at(system, filled)->where, &used);
    const uint64_t first = page & ~(uint64_t)(pages - 1);
    if (ol_frames_free(system) < pages - used || first < region->first || first + pages - 1 > region->last) return;
    for (uint64_t at = first; at < first + pages; at++) {
        uint32_t anon = ol_overlay_lookup(system, region->overlay, region->offset + (at - region->first), &shared);
        if (anon != OL_NIL) continue;
        ol_frame_no number = ol_frame_take(system);
        if (number == OL_NO_FRAME) return;
        if (ol_page_zeros(space, region, at, &anon, &number) != OL_OK) {
            ol_frame_release(system, number);
            return;
        }
        system->count.prefetched++;
    }
}
