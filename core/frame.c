/* SPDX-License-Identifier: MIT */
/* Frames and their states; the diagram is in internal.h. */
#include "core/internal.h"

void ol_frame_list_init(struct ol_frame_list *list)
{
    list->head = list->tail = OL_NO_FRAME;
    list->count = 0;
}

void ol_frame_list_push(struct ol_system *system, struct ol_frame_list *list, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    frame->prev = list->tail;
    frame->next = OL_NO_FRAME;
    if (list->tail == OL_NO_FRAME) list->head = number;
    else system->frame[list->tail].next = number;
    list->tail = number;
    list->count++;
}

void ol_frame_list_remove(struct ol_system *system, struct ol_frame_list *list, ol_frame_no number)
{
    const struct ol_frame *frame = &system->frame[number];
    if (frame->prev == OL_NO_FRAME) list->head = frame->next;
    else system->frame[frame->prev].next = frame->next;
    if (frame->next == OL_NO_FRAME) list->tail = frame->prev;
    else system->frame[frame->next].prev = frame->prev;
    list->count--;
}

uint32_t ol_frames_free(struct ol_system *system)
{
    if (atomic_load_explicit(&system->returned, memory_order_relaxed))
        system->lent -= atomic_exchange(&system->returned, 0);
    const uint32_t taken = system->in_use + system->lent;
    return taken < system->budget ? system->budget - taken : 0;
}

/* Off the lists, any frame that is FREE: with memory first, the one used last because its memory is warm. */
static ol_frame_no take_free(struct ol_system *system)
{
    ol_frame_no number;
    if (system->physical) {
        number = ol_physical_take(system);
    } else if (system->free.count) {
        number = system->free.tail;
        ol_frame_list_remove(system, &system->free, number);
    } else if (system->cold.count) {
        number = system->cold.tail;
        ol_frame_list_remove(system, &system->cold, number);
    } else if (system->frames_fresh < system->frames_max) {
        number = system->frames_fresh++;
    } else {
        number = OL_NO_FRAME;
    }
    return number;
}

void ol_frame_begin(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    OL_ASSERT(system, frame->state == OL_FRAME_FREE && !frame->block, "I1");
    frame->state = OL_FRAME_BUSY;
    frame->flags = 0;
    frame->anon = OL_NIL;
    frame->slot = OL_NO_SLOT;
    frame->wires = 0;
    /* What the frame's last page left behind. */
    if (system->is.has_referenced || system->is.has_modified)
        (void)system->pmap->test_clear(system->machine, number, OL_REFERENCED | OL_MODIFIED);
    if (++system->in_use > system->count.frames_in_use_peak) system->count.frames_in_use_peak = system->in_use;
}

static ol_frame_no take_any(struct ol_system *system)
{
    const ol_frame_no number = take_free(system);
    if (number != OL_NO_FRAME) ol_frame_begin(system, number);
    return number;
}

ol_frame_no ol_frame_take(struct ol_system *system)
{
    return ol_frames_free(system) ? take_any(system) : OL_NO_FRAME;
}

ol_frame_no ol_frame_take_over_budget(struct ol_system *system)
{
    const ol_frame_no number = take_any(system);
    if (number != OL_NO_FRAME && !system->warned_over_budget) {
        system->warned_over_budget = true;
        system->port.log(system->port.context, OL_LOG_WARNING,
                         "pages cannot be written out, so they stay in memory beyond the budget");
    }
    return number;
}

void ol_frame_release(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    if (frame->state == OL_FRAME_ACTIVE) ol_frame_withdraw(system, number);
    else if (frame->state == OL_FRAME_MODIFIED) ol_frame_list_remove(system, &system->modified, number);
    else if (frame->state == OL_FRAME_STANDBY) ol_frame_list_remove(system, &system->standby, number);
    else OL_ASSERT(system, frame->state == OL_FRAME_BUSY, "I1");
    OL_ASSERT(system, !(frame->flags & OL_FRAME_MAPPED), "I3");
    frame->state = OL_FRAME_FREE;
    frame->anon = OL_NIL;
    system->in_use--;
    if (system->physical) {
        ol_physical_give(system, number);
        return;
    }
    ol_frame_list_push(system, &system->free, number);
    ol_frames_trim(system);
}

void ol_frames_trim(struct ol_system *system)
{
    while (system->free.count > ol_frames_free(system)) {
        const ol_frame_no number = system->free.head;
        ol_frame_list_remove(system, &system->free, number);
        system->pmap->frame_discard(system->machine, number);
        system->frame[number].flags = OL_FRAME_COLD;
        ol_frame_list_push(system, &system->cold, number);
    }
}

/* BUSY, CLEANING, MODIFIED or STANDBY -> ACTIVE, not yet known to the policy. */
static void activate(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    if (frame->state == OL_FRAME_MODIFIED) ol_frame_list_remove(system, &system->modified, number);
    else if (frame->state == OL_FRAME_STANDBY) ol_frame_list_remove(system, &system->standby, number);
    else OL_ASSERT(system, frame->state == OL_FRAME_BUSY || frame->state == OL_FRAME_CLEANING, "I1");
    OL_ASSERT(system, frame->anon != OL_NIL, "I2");
    frame->state = OL_FRAME_ACTIVE;
    ol_policy_update(system);
}

void ol_frame_activate(struct ol_system *system, ol_frame_no number, uint32_t left_ago)
{
    activate(system, number);
    if (system->frame[number].wires) return;
    system->left_ago = left_ago;
    system->policy.ops->insert(&system->policy, number);
    system->left_ago = OL_NEVER_LEFT;
}

void ol_frame_spare(struct ol_system *system, ol_frame_no number)
{
    activate(system, number);
    if (!system->frame[number].wires) ol_policy_spare(system, number);
}

ol_frame_no ol_frame_bind(const struct ol_space *space, const struct ol_region *region, uint64_t page, uint32_t number,
                          ol_frame_no frame)
{
    struct ol_system *system = space->system;
    struct ol_anon *anon = ol_anon_at(system, number);
    frame = ol_frame_place(system, space, region, page, frame);
    anon->state = OL_ANON_RESIDENT;
    anon->where = frame;
    system->frame[frame].anon = number;
    ol_frame_set_page(&system->frame[frame], page);
    return frame;
}

enum ol_status ol_page_zeros(const struct ol_space *space, const struct ol_region *region, uint64_t page,
                             uint32_t *anon, ol_frame_no *frame)
{
    struct ol_system *system = space->system;
    if (*anon == OL_NIL) {
        const uint64_t index = region->offset + (page - region->first);
        uint32_t *place = ol_overlay_place(system, region->overlay, index);
        if (!place) return OL_E_NO_META;
        *anon = ol_anon_new(system);
        if (*anon == OL_NIL) return OL_E_NO_META;
        *place = *anon;
        ol_overlay_count(system, region->overlay, index);
    }
    *frame = ol_frame_bind(space, region, page, *anon, *frame);
    system->pmap->frame_zero(system->machine, *frame);
    /* A machine that cannot tell a write is not asked to keep these zeros apart from what follows. */
    if (!system->is.has_modified) system->frame[*frame].flags |= OL_FRAME_DIRTY;
    ol_frame_activate(system, *frame, OL_NEVER_LEFT);
    return OL_OK;
}

void ol_policy_spare(struct ol_system *system, ol_frame_no number)
{
    const struct ol_policy_ops *ops = system->policy.ops;
    if (ops->spare) ops->spare(&system->policy, number);
    else ops->insert(&system->policy, number);
}

void ol_frame_wired(struct ol_system *system, ol_frame_no number, bool wired)
{
    if (wired) system->count.frames_wired++;
    else system->count.frames_wired--;
    if (system->pmap->wire) system->pmap->wire(system->machine, number, wired);
}

void ol_frame_withdraw(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    OL_ASSERT(system, frame->state == OL_FRAME_ACTIVE, "I1");
    if (frame->wires) {
        frame->wires = 0;
        ol_frame_wired(system, number, false);
    } else {
        system->policy.ops->remove(&system->policy, number);
    }
    frame->flags &= (uint8_t)~OL_FRAME_SAMPLE;
    frame->state = OL_FRAME_BUSY;
}

enum ol_status ol_frame_unmap(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    if (!(frame->flags & OL_FRAME_MAPPED)) return OL_OK;
    if (system->pmap->frame_protect(system->machine, &number, 1, OL_NONE) != 1) return OL_E_BUSY;
    frame->flags &= (uint8_t)~OL_FRAME_MAPPED;
    return OL_OK;
}

bool ol_frame_is_dirty(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    if (system->is.has_modified && system->pmap->test_clear(system->machine, number, OL_MODIFIED))
        frame->flags |= OL_FRAME_DIRTY;
    return frame->flags & OL_FRAME_DIRTY;
}

bool ol_frame_test_clear_referenced(void *core, ol_frame_no number)
{
    struct ol_system *system = core;
    if (system->is.has_referenced) return system->pmap->test_clear(system->machine, number, OL_REFERENCED) != 0;
    /* Emulated: a mapped page counts as referenced; taking the mapping away clears the bit, the next access faults
     * and enters the mapping again. A page the machine will not let go of is in use. */
    if (!(system->frame[number].flags & OL_FRAME_MAPPED)) return false;
    (void)ol_frame_unmap(system, number);
    return true;
}

bool ol_frame_test_modified(void *core, ol_frame_no number)
{
    return ol_frame_is_dirty(core, number);
}

void ol_policy_update(struct ol_system *system)
{
    struct ol_policy *policy = &system->policy;
    policy->frames = system->budget > system->lent ? system->budget - system->lent : 1;
    if (!(policy->ops->needs & OL_NEEDS_TIME)) return;
    policy->now = system->port.now_ns(system->port.context);
    if (policy->ops->tick && policy->now >= policy->tick_at) policy->ops->tick(policy);
}

void ol_frames_return(struct ol_system *system, uint32_t count)
{
    atomic_fetch_add(&system->returned, count);
}
