/* SPDX-License-Identifier: MIT */
/*
 * The page fault, in steps over one context:
 *
 *      lookup --> region, rights --> overlay --+-- nothing there ------> zero fill --.
 *         ^                                    +-- zeros, no frame ----> zero fill --+
 *         |                                    +-- at the pager -------> read in     |   (lock dropped: again)
 *         |                                    +-- on its way out -----> rescue -----+
 *         |                                    +-- in a transfer ------> wait        |   (lock dropped: again)
 *         |                                    '-- in use -------------- + ----------+
 *         |                                                                          v
 *         '---- again, whenever the lock was dropped -------    shared and written? promote (copy-on-write)
 *                                                                                    v
 *                                                                      enter in the pmap, wire
 *
 * The lock is held from lookup to enter, except where a step says that it was dropped; then everything is looked up
 * again, because everything may have changed. A frame that was obtained meanwhile is kept for the next round. A page
 * to be copied has both its frames obtained before it is brought in: else, where frames are few, obtaining the second
 * would evict what the first was for, for ever.
 *
 * Rejected: version numbers per space, which save the second lookup (under 100 ns) only when nothing changed.
 */
#include "core/internal.h"

/* What resolved a fault; a later step only raises it. */
enum fault_kind { FAULT_NONE, FAULT_SOFT, FAULT_RESCUED, FAULT_ZERO, FAULT_COPIED, FAULT_MAJOR };

struct fault {
    struct ol_system *system;
    struct ol_space *space;
    uint64_t page;
    unsigned access;
    bool wire;
    bool expected;        /* the policy knows that the page is wanted */
    bool again;           /* the lock was dropped: begin again */
    uint32_t spares;      /* how many frames were obtained and not yet used */
    ol_frame_no spare[2]; /* … which */
    enum fault_kind kind;
    /* Of this round: */
    const struct ol_region *region;
    uint64_t index; /* in the region's overlay */
    uint32_t anon;  /* OL_NIL: none yet */
    bool shared;    /* anon must not be written in place */
};

static void fault_becomes(struct fault *fault, enum fault_kind kind)
{
    if (kind > fault->kind) fault->kind = kind;
}

static enum ol_status fault_lookup(struct fault *fault)
{
    const uint32_t number = ol_region_lookup(fault->space, fault->page);
    if (number == OL_NIL) return OL_E_NO_REGION;
    fault->region = ol_region_at(fault->system, number);
    if (fault->access & ~(unsigned)fault->region->rights) return OL_E_RIGHTS;
    fault->index = fault->region->offset + (fault->page - fault->region->first);
    fault->anon = ol_overlay_lookup(fault->system, fault->region->overlay, fault->index, &fault->shared);
    return OL_OK;
}

/* At least n spare frames for this fault; may set again. */
static enum ol_status fault_frames(struct fault *fault, uint32_t n)
{
    enum ol_status status = OL_OK;
    while (fault->spares < n && status == OL_OK) {
        status = ol_frame_obtain(fault->system, &fault->spare[fault->spares], &fault->again);
        if (status == OL_OK) fault->spares++;
    }
    return status;
}

/* Frames for a page that is to be brought in, and for its copy if it will be copied. */
static enum ol_status fault_frames_in(struct fault *fault)
{
    const struct ol_policy *policy = &fault->system->policy;
    if (policy->ops->expect && !fault->expected) {
        fault->expected = true;
        ol_policy_update(fault->system);
        policy->ops->expect(&fault->system->policy, ol_ghost_find(fault->system, fault->anon));
    }
    const bool copied = fault->anon != OL_NIL && fault->shared && fault->access & OL_WRITE;
    return fault_frames(fault, copied ? 2 : 1);
}

/* Makes a spare frame the anon's. */
static ol_frame_no fault_bind(struct fault *fault, uint32_t number)
{
    const ol_frame_no frame = fault->spare[--fault->spares];
    struct ol_anon *anon = ol_anon_at(fault->system, number);
    anon->state = OL_ANON_RESIDENT;
    anon->where = frame;
    fault->system->frame[frame].anon = number;
    fault->system->frame[frame].page = fault->page;
    return frame;
}

static enum ol_status fault_zero_fill(struct fault *fault)
{
    struct ol_system *system = fault->system;
    const enum ol_status status = fault_frames_in(fault);
    if (status != OL_OK || fault->again) return status;
    if (fault->anon == OL_NIL) {
        uint32_t *place = ol_overlay_place(system, fault->region->overlay, fault->index);
        if (!place) return OL_E_NO_META;
        fault->anon = ol_anon_new(system);
        if (fault->anon == OL_NIL) return OL_E_NO_META;
        *place = fault->anon;
        ol_overlay_count(system, fault->region->overlay, fault->index);
        fault->shared = false;
    }
    const ol_frame_no frame = fault_bind(fault, fault->anon);
    system->pmap->frame_zero(system->machine, frame);
    /* A machine that cannot tell a write is not asked to keep these zeros apart from what follows. */
    if (!system->is.has_modified) system->frame[frame].flags |= OL_FRAME_DIRTY;
    ol_frame_activate(system, frame);
    fault_becomes(fault, FAULT_ZERO);
    return OL_OK;
}

/* The read failed: the page stays at the pager. */
static void fault_unbind(struct ol_system *system, ol_frame_no number, ol_slot slot)
{
    struct ol_frame *frame = &system->frame[number];
    struct ol_anon *anon = ol_anon_at(system, frame->anon);
    anon->state = OL_ANON_SWAPPED;
    anon->where = slot;
    system->count.pages_swapped++;
    system->count.read_errors++;
    if (anon->refs == 0) ol_anon_free(system, frame->anon);
    frame->anon = OL_NIL;
    frame->slot = OL_NO_SLOT;
    ol_frame_release(system, number);
}

static enum ol_status fault_read_in(struct fault *fault)
{
    struct ol_system *system = fault->system;
    enum ol_status status = fault_frames_in(fault);
    if (status != OL_OK || fault->again) return status;
    const ol_slot slot = ol_anon_at(system, fault->anon)->where;
    const ol_frame_no number = fault_bind(fault, fault->anon);
    struct ol_frame *frame = &system->frame[number];
    frame->slot = slot;
    system->count.pages_swapped--;
    fault->again = true;
    ol_swap_transfer(system, OL_IO_READ, &number, &slot, 1, &status);
    if (status != OL_OK) {
        fault_unbind(system, number, slot);
        return OL_E_IO;
    }
    if (ol_anon_at(system, frame->anon)->refs == 0) { /* unmapped meanwhile */
        ol_anon_free(system, frame->anon);
        return OL_OK;
    }
    if (!system->pager->ops->keep(system->pager, slot)) {
        ol_swap_release(system, slot);
        frame->slot = OL_NO_SLOT;
        frame->flags |= OL_FRAME_DIRTY;
    }
    ol_frame_activate(system, number);
    fault_becomes(fault, FAULT_MAJOR);
    return OL_OK;
}

/* Makes the page resident. */
static enum ol_status fault_bring_in(struct fault *fault)
{
    struct ol_system *system = fault->system;
    if (fault->anon == OL_NIL) return fault_zero_fill(fault);
    const struct ol_anon *anon = ol_anon_at(system, fault->anon);
    if (anon->state == OL_ANON_ZERO) return fault_zero_fill(fault);
    if (anon->state == OL_ANON_SWAPPED) return fault_read_in(fault);
    switch (system->frame[anon->where].state) {
    case OL_FRAME_BUSY:
    case OL_FRAME_CLEANING:
        ol_swap_wait(system);
        fault->again = true;
        break;
    case OL_FRAME_STANDBY:
    case OL_FRAME_MODIFIED:
        ol_frame_activate(system, anon->where);
        fault_becomes(fault, FAULT_RESCUED);
        break;
    default: break;
    }
    return OL_OK;
}

/* A shared page is about to be written: the space gets a copy of its own. */
static enum ol_status fault_promote(struct fault *fault)
{
    struct ol_system *system = fault->system;
    const enum ol_status status = fault_frames(fault, 1);
    if (status != OL_OK || fault->again) return status;
    uint32_t *place = ol_overlay_place(system, fault->region->overlay, fault->index);
    if (!place) return OL_E_NO_META;
    const uint32_t copy = ol_anon_new(system), original = *place;
    if (copy == OL_NIL) return OL_E_NO_META;
    const ol_frame_no frame = fault_bind(fault, copy);
    /* The original may be mapped here. It must not stay so if the copy cannot be entered: others will write it. */
    system->pmap->remove(system->machine, fault->space->pmap, fault->page << system->is.page_shift, 1);
    system->pmap->sync(system->machine);
    system->pmap->frame_copy(system->machine, frame, ol_anon_at(system, original)->where);
    system->frame[frame].flags |= OL_FRAME_DIRTY;
    *place = fault->anon = copy;
    fault->shared = false;
    ol_anon_unref(system, original);
    ol_frame_activate(system, frame);
    fault_becomes(fault, FAULT_COPIED);
    return OL_OK;
}

/* The rights with which the page may be mapped now. On a machine that cannot tell modified, a page whose copy is still
 * good is entered without OL_WRITE until it is written; from then on it counts as modified. */
static unsigned fault_rights(struct fault *fault, struct ol_frame *frame)
{
    unsigned rights = fault->region->rights;
    if (fault->shared) rights &= ~(unsigned)OL_WRITE;
    if (fault->system->is.has_modified || !(rights & OL_WRITE)) return rights;
    if (!(fault->access & OL_WRITE) && !(frame->flags & OL_FRAME_DIRTY)) return rights & ~(unsigned)OL_WRITE;
    frame->flags |= OL_FRAME_DIRTY;
    if (frame->slot != OL_NO_SLOT) ol_swap_release(fault->system, frame->slot);
    frame->slot = OL_NO_SLOT;
    return rights;
}

static void fault_touch(struct ol_system *system, ol_frame_no frame)
{
    if (!system->policy.ops->touch) return;
    ol_policy_update(system);
    system->policy.ops->touch(&system->policy, &frame, 1);
}

static enum ol_status fault_enter(struct fault *fault)
{
    struct ol_system *system = fault->system;
    const ol_frame_no number = ol_anon_at(system, fault->anon)->where;
    struct ol_frame *frame = &system->frame[number];
    const ol_va va = fault->page << system->is.page_shift;
    struct ol_mapping mapping;
    if (frame->flags & OL_FRAME_MAPPED && system->pmap->query(system->machine, fault->space->pmap, va, &mapping) &&
        mapping.frame == number && !(fault->access & ~mapping.rights))
        return OL_OK; /* another thread was faster, or it is to be wired only */
    const unsigned rights = fault_rights(fault, frame);
    const enum ol_status status =
        system->pmap->enter(system->machine, fault->space->pmap, va, &number, 1, rights, fault->access);
    if (status != OL_OK) return status;
    /* Where referenced bits are emulated, this sets one that was cleared. */
    if (fault->kind == FAULT_NONE && !(frame->flags & OL_FRAME_MAPPED) && !system->is.has_referenced && !frame->wires)
        fault_touch(system, number);
    frame->flags |= OL_FRAME_MAPPED;
    frame->page = fault->page;
    fault_becomes(fault, FAULT_SOFT);
    return OL_OK;
}

/* A fault may go beyond the budget rather than lose a page, but wires alone may not. */
static enum ol_status fault_wire(struct fault *fault)
{
    struct ol_system *system = fault->system;
    const ol_frame_no number = ol_anon_at(system, fault->anon)->where;
    if (!system->frame[number].wires) {
        if (system->count.frames_wired >= system->budget) return OL_E_NO_FRAMES;
        system->policy.ops->remove(&system->policy, number);
        system->count.frames_wired++;
    }
    system->frame[number].wires++;
    return OL_OK;
}

/* One round; fault->again asks for another. */
static enum ol_status fault_round(struct fault *fault)
{
    const struct ol_system *system = fault->system;
    fault->again = false;
    enum ol_status status = fault_lookup(fault);
    if (status == OL_OK) status = fault_bring_in(fault);
    if (status != OL_OK || fault->again) return status;
    const struct ol_frame *frame = &system->frame[ol_anon_at(system, fault->anon)->where];
    const bool written = fault->access & OL_WRITE;
    /* Where frames cannot be mapped twice, a wired page that another space holds cannot be had by moving it. */
    if (fault->shared && (written || (frame->wires && !system->is.can_alias))) status = fault_promote(fault);
    if (status != OL_OK || fault->again) return status;
    status = fault_enter(fault);
    return status == OL_OK && fault->wire ? fault_wire(fault) : status;
}

static void fault_count(struct ol_system *system, enum fault_kind kind)
{
    switch (kind) {
    case FAULT_NONE: return; /* a page was wired that was mapped already, or another thread resolved the fault */
    case FAULT_SOFT: system->count.faults_soft++; break;
    case FAULT_RESCUED: system->count.faults_rescued++; break;
    case FAULT_ZERO: system->count.faults_zero++; break;
    case FAULT_COPIED: system->count.faults_copied++; break;
    case FAULT_MAJOR: system->count.faults_major++; break;
    }
    system->count.faults++;
}

static enum ol_status fault_locked(struct ol_space *space, uint64_t page, unsigned access, bool wire)
{
    struct ol_system *system = space->system;
    struct fault fault = {.system = system, .space = space, .page = page, .access = access, .wire = wire};
    enum ol_status status;
    do status = fault_round(&fault);
    while (status == OL_OK && fault.again);
    while (fault.spares) ol_frame_release(system, fault.spare[--fault.spares]);
    if (status == OL_OK) fault_count(system, fault.kind);
    else system->count.faults_refused++;
    return status;
}

enum ol_status ol_fault(struct ol_space *space, ol_va va, unsigned access)
{
    ol_lock(space->system);
    const enum ol_status status = fault_locked(space, va >> space->system->is.page_shift, access, false);
    ol_unlock(space->system);
    return status;
}

void ol_touch(struct ol_system *system, ol_frame_no frame)
{
    ol_lock(system);
    if (system->frame[frame].state == OL_FRAME_ACTIVE && !system->frame[frame].wires) fault_touch(system, frame);
    ol_unlock(system);
}

/* --- wiring ------------------------------------------------------------------------------------------------------ */

/* The page's anon, or OL_NIL. */
static uint32_t anon_of(struct ol_space *space, uint64_t page)
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
    const uint32_t anon = anon_of(space, page);
    if (anon == OL_NIL || ol_anon_at(space->system, anon)->state != OL_ANON_RESIDENT) return OL_NO_FRAME;
    return ol_anon_at(space->system, anon)->where;
}

static void unwire_locked(struct ol_space *space, uint64_t first, uint64_t pages)
{
    struct ol_system *system = space->system;
    for (uint64_t page = first; page < first + pages; page++) {
        const ol_frame_no number = resident_frame(space, page);
        if (number == OL_NO_FRAME || !system->frame[number].wires) continue; /* unmapped meanwhile */
        if (--system->frame[number].wires) continue;
        system->count.frames_wired--;
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
    while (done < pages && (status = fault_locked(space, first + done, access, true)) == OL_OK) done++;
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
    const uint32_t anon = anon_of(space, va >> system->is.page_shift);
    if (anon != OL_NIL && ol_anon_at(system, anon)->state == OL_ANON_RESIDENT) residence = OL_RESIDENT;
    if (anon != OL_NIL && ol_anon_at(system, anon)->state == OL_ANON_SWAPPED) residence = OL_SWAPPED;
    ol_unlock(system);
    return residence;
}

ol_slot ol_page_slot(struct ol_space *space, ol_va va)
{
    struct ol_system *system = space->system;
    ol_slot slot = OL_NO_SLOT;
    ol_lock(system);
    const uint32_t anon = anon_of(space, va >> system->is.page_shift);
    if (anon != OL_NIL && ol_anon_at(system, anon)->state == OL_ANON_SWAPPED) slot = ol_anon_at(system, anon)->where;
    ol_unlock(system);
    return slot;
}
