/* SPDX-License-Identifier: MIT */
/* Wiring, and where a page is. */
#include "core/internal.h"

/* The page's anon or bare slot, or OL_NIL. */
static uint32_t child_of(struct ol_space *space, uint64_t page)
{
    const uint32_t number = ol_region_lookup(space, page);
    if (number == OL_NIL) return OL_NIL;
    const struct ol_region *region = ol_region_at(space->system, number);
    bool shared;
    return ol_overlay_lookup(space->system, region->overlay, region->offset + (page - region->first), &shared);
}

/* The frame of a resident page, or OL_NO_FRAME. */
static ol_frame_no resident_frame(struct ol_space *space, uint64_t page)
{
    const uint32_t child = child_of(space, page);
    if (child == OL_NIL || ol_child_state(space->system, child) != OL_ANON_RESIDENT) return OL_NO_FRAME;
    return ol_child_where(space->system, child);
}

static void unwire_locked(struct ol_space *space, uint64_t first, uint64_t pages)
{
    struct ol_system *system = space->system;
    for (uint64_t page = first; page < first + pages; page++) {
        const ol_frame_no number = resident_frame(space, page);
        if (number == OL_NO_FRAME || !system->frame[number].wires) continue; /* unmapped meanwhile */
        if (--system->frame[number].wires) continue;
        ol_frame_wired(system, number, false);
        system->policy.ops->insert(&system->policy, number);
    }
}

enum ol_status ol_space_wire(struct ol_space *space, ol_va va, uint64_t pages, unsigned access)
{
    struct ol_system *system = space->system;
    const uint64_t first = va >> system->is.page_shift;
    enum ol_status status = OL_OK;
    uint64_t done = 0;
    ol_lock(system);
    while (done < pages && (status = ol_fault_locked(space, first + done, access, true)) == OL_OK) done++;
    if (status != OL_OK) unwire_locked(space, first, done);
    ol_unlock(system);
    return status;
}

void ol_space_unwire(struct ol_space *space, ol_va va, uint64_t pages)
{
    ol_lock(space->system);
    unwire_locked(space, va >> space->system->is.page_shift, pages);
    ol_unlock(space->system);
}

enum ol_residence ol_page_residence(struct ol_space *space, ol_va va)
{
    struct ol_system *system = space->system;
    enum ol_residence residence = OL_ABSENT;
    ol_lock(system);
    const uint32_t child = child_of(space, va >> system->is.page_shift);
    if (child != OL_NIL && ol_child_state(system, child) == OL_ANON_RESIDENT) residence = OL_RESIDENT;
    if (child != OL_NIL && ol_child_state(system, child) == OL_ANON_SWAPPED) residence = OL_SWAPPED;
    ol_unlock(system);
    return residence;
}

ol_slot ol_page_slot(struct ol_space *space, ol_va va)
{
    struct ol_system *system = space->system;
    ol_slot slot = OL_NO_SLOT;
    ol_lock(system);
    const uint32_t child = child_of(space, va >> system->is.page_shift);
    if (child != OL_NIL && ol_child_state(system, child) == OL_ANON_SWAPPED) slot = ol_child_where(system, child);
    ol_unlock(system);
    return slot;
}
