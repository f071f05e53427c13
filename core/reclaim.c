/* SPDX-License-Identifier: MIT */
/*
 * The page stealer. Victims of the policy lose their mappings and wait, modified or on standby, where a fault still
 * rescues them without I/O. Modified ones are written in clusters sorted by address, so that neighbours in the address
 * space become neighbours in swap. Standby frames are given away oldest first.
 */
#include "core/internal.h"

enum { SPACES_SEARCHED = 4 };

/* Frames that a fault could have now, less what is used beyond the budget. */
static int64_t available(struct ol_system *system)
{
    return (int64_t)system->budget - system->in_use - system->lent + system->standby.count;
}

/* The swapped page's slot stands for it, if the node that holds the page is found: where the page was last mapped. Of
 * many spaces not all are searched. */
static bool becomes_bare(struct ol_system *system, const struct ol_frame *frame)
{
    const uint64_t page = ol_frame_page(frame);
    const struct ol_space *space = system->first_space;
    if (system->keeps_anons || ol_anon_at(system, frame->anon)->refs != 1) return false;
    for (int i = 0; i < SPACES_SEARCHED && space; i++, space = space->next) {
        const uint32_t number = ol_region_find(space, page);
        if (number == OL_NIL) continue;
        const struct ol_region *region = ol_region_at(system, number);
        const uint64_t index = region->offset + (page - region->first);
        if (ol_overlay_bare(system, region->overlay, index, frame->anon, frame->slot)) return true;
    }
    return false;
}

/* The page's contents are where frame->slot says from now on, or are zeros. */
static void page_leaves(struct ol_system *system, const struct ol_frame *frame)
{
    struct ol_anon *anon = ol_anon_at(system, frame->anon);
    if (frame->slot != OL_NO_SLOT) {
        system->swap.left[frame->slot] = ol_eviction_clock(system);
        system->count.pages_swapped++;
        if (becomes_bare(system, frame)) return;
    }
    anon->state = frame->slot == OL_NO_SLOT ? OL_ANON_ZERO : OL_ANON_SWAPPED;
    anon->where = frame->slot;
}

/* Takes the oldest standby frame from its page, which then lives at the pager or is zeros; the frame is BUSY. */
static ol_frame_no evict(struct ol_system *system)
{
    const ol_frame_no number = system->standby.head;
    struct ol_frame *frame = &system->frame[number];
    OL_ASSERT(system, ol_anon_at(system, frame->anon)->where == number, "I2");
    OL_ASSERT(system, !(frame->flags & (OL_FRAME_MAPPED | OL_FRAME_DIRTY)), "I3");
    ol_frame_list_remove(system, &system->standby, number);
    system->count.evictions++;
    page_leaves(system, frame);
    if (!(frame->flags & OL_FRAME_WRITTEN)) system->count.evictions_clean++;
    frame->state = OL_FRAME_BUSY;
    frame->flags = 0;
    frame->anon = OL_NIL;
    frame->slot = OL_NO_SLOT;
    return number;
}

/* Unmaps up to n victims and puts them on standby or among the modified. Returns how many. */
static uint32_t deactivate(struct ol_system *system, uint32_t n)
{
    ol_frame_no victims[OL_IO_PAGES_MAX];
    uint32_t count = 0, unmapped = 0, done = 0;
    if (n > OL_IO_PAGES_MAX) n = OL_IO_PAGES_MAX;
    ol_policy_update(system);
    while (count < n && (victims[count] = system->policy.ops->victim(&system->policy)) != OL_NO_FRAME) count++;
    while (unmapped < count) {
        unmapped += system->pmap->frame_protect(system->machine, victims + unmapped, count - unmapped, OL_NONE);
        if (unmapped == count) break;
        ol_policy_spare(system, victims[unmapped]); /* in use by the machine */
        system->count.spared++;
        victims[unmapped++] = OL_NO_FRAME;
    }
    system->pmap->sync(system->machine);
    for (uint32_t i = 0; i < count; i++) {
        if (victims[i] == OL_NO_FRAME) continue;
        struct ol_frame *frame = &system->frame[victims[i]];
        OL_ASSERT(system, frame->state == OL_FRAME_ACTIVE && !frame->wires, "I9");
        if (frame->flags & OL_FRAME_SAMPLE) ol_prefetch_judge(system, false);
        frame->flags &= (uint8_t) ~(OL_FRAME_MAPPED | OL_FRAME_SAMPLE);
        const bool dirty = ol_frame_is_dirty(system, victims[i]);
        frame->state = dirty ? OL_FRAME_MODIFIED : OL_FRAME_STANDBY;
        ol_frame_list_push(system, dirty ? &system->modified : &system->standby, victims[i]);
        done++;
    }
    return done;
}

/* Orders frames by where they were mapped. */
static void sort_by_page(const struct ol_system *system, ol_frame_no *frames, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        const ol_frame_no moved = frames[i];
        uint32_t j = i;
        const uint64_t page = ol_frame_page(&system->frame[moved]);
        for (; j && ol_frame_page(&system->frame[frames[j - 1]]) > page; j--) frames[j] = frames[j - 1];
        frames[j] = moved;
    }
}

/* After a write: the page is clean and on standby, or still modified and in use again. */
static void cleaned(struct ol_system *system, ol_frame_no number, ol_slot slot, enum ol_status status)
{
    struct ol_frame *frame = &system->frame[number];
    if (status == OL_OK) {
        system->count.writebacks++;
        frame->slot = slot;
        frame->flags &= (uint8_t)~OL_FRAME_DIRTY;
        frame->flags |= OL_FRAME_WRITTEN;
    } else {
        system->count.write_errors++;
        ol_swap_release(system, slot);
    }
    if (ol_anon_at(system, frame->anon)->refs == 0) { /* unmapped meanwhile */
        frame->state = OL_FRAME_BUSY;
        ol_anon_free(system, frame->anon);
    } else if (status == OL_OK) {
        frame->state = OL_FRAME_STANDBY;
        ol_frame_list_push(system, &system->standby, number);
    } else {
        ol_frame_spare(system, number);
    }
}

/* Writes a cluster of the oldest modified pages, at most `limit`. Returns how many became clean; adds to *failed. */
static uint32_t clean(struct ol_system *system, uint32_t limit, uint32_t *failed)
{
    ol_frame_no frames[OL_IO_PAGES_MAX];
    ol_slot slots[OL_IO_PAGES_MAX];
    enum ol_status status[OL_IO_PAGES_MAX];
    uint32_t n = 0, good = 0;
    if (!system->pager) return 0;
    for (ol_frame_no at = system->modified.head; at != OL_NO_FRAME && n < limit && n < OL_IO_PAGES_MAX;
         at = system->frame[at].next) {
        frames[n++] = at;
        if (system->frame[at].slot != OL_NO_SLOT) ol_swap_release(system, system->frame[at].slot);
        system->frame[at].slot = OL_NO_SLOT; /* what was there is stale */
    }
    const uint32_t granted = ol_swap_allocate(system, slots, n);
    if (granted < n) n = granted;
    if (!n) return 0;
    for (uint32_t i = 0; i < n; i++) {
        ol_frame_list_remove(system, &system->modified, frames[i]);
        system->frame[frames[i]].state = OL_FRAME_CLEANING;
    }
    sort_by_page(system, frames, n);
    ol_swap_transfer(system, OL_IO_WRITE, frames, slots, n, status);
    for (uint32_t i = 0; i < n; i++) {
        cleaned(system, frames[i], slots[i], status[i]);
        if (status[i] == OL_OK) good++;
    }
    *failed += n - good;
    return good;
}

/* With frames in use beyond the budget, standby frames are given up until they are no longer. */
static void shrink_to_budget(struct ol_system *system)
{
    while (system->standby.count && system->in_use + system->lent > system->budget)
        ol_frame_release(system, evict(system));
}

void ol_reclaim(struct ol_system *system, uint32_t target)
{
    /* So many failed writes, and it gives up: soon if there are frames beyond the budget, else only when every page has
     * been tried. */
    const uint32_t patience = 2 * OL_IO_PAGES_MAX + (system->frames_max > system->budget ? 0 : system->in_use);
    uint32_t failed = 0;
    (void)ol_frames_free(system); /* takes in what was returned */
    while (available(system) < (int64_t)target && failed < patience) {
        const uint32_t need = (uint32_t)((int64_t)target - available(system));
        uint32_t progress = need > system->modified.count ? deactivate(system, need - system->modified.count) : 0;
        if (available(system) >= (int64_t)target) break;
        progress += clean(system, system->low ? OL_IO_PAGES_MAX : need, &failed);
        if (!progress && !deactivate(system, need)) break;
    }
    shrink_to_budget(system);
}

/* When swap is full, trying to write before every fault would cost more than all else. */
enum { STALLED_FRAMES = 256 };

static ol_frame_no take_over_budget(struct ol_system *system)
{
    const ol_frame_no number = ol_frame_take_over_budget(system);
    if (number == OL_NO_FRAME) return number;
    if (!system->stalled) system->stalled = STALLED_FRAMES;
    const uint32_t taken = system->in_use + system->lent, over = taken > system->budget ? taken - system->budget : 0;
    if (over > system->count.frames_over_budget_peak) system->count.frames_over_budget_peak = over;
    return number;
}

/* While stalled: whatever can be had without writing. */
static ol_frame_no take_while_stalled(struct ol_system *system)
{
    ol_frame_no number = OL_NO_FRAME;
    if (!system->stalled) return OL_NO_FRAME;
    system->stalled--;
    if (system->standby.count) number = evict(system);
    return number != OL_NO_FRAME ? number : take_over_budget(system);
}

enum ol_status ol_frame_obtain(struct ol_system *system, ol_frame_no *out, bool *dropped)
{
    *out = take_while_stalled(system);
    if (*out != OL_NO_FRAME) return OL_OK;
    if (available(system) < (int64_t)system->low) {
        system->count.reclaims_ahead++;
        ol_reclaim(system, system->high);
        *dropped = true;
    }
    for (;;) {
        *out = ol_frame_take(system);
        if (*out == OL_NO_FRAME && system->standby.count) *out = evict(system);
        if (*out != OL_NO_FRAME) return OL_OK;
        system->count.reclaims_direct++;
        ol_reclaim(system, system->high ? system->high : 1);
        *dropped = true;
        if (available(system) > 0 || system->standby.count) continue;
        if (!system->io_busy) break;
        ol_swap_wait(system); /* others are writing: what they clean can be had */
    }
    *out = take_over_budget(system);
    return *out == OL_NO_FRAME ? OL_E_NO_FRAMES : OL_OK;
}

void ol_frames_prepare(struct ol_system *system, uint32_t n, bool *dropped)
{
    const uint32_t wanted = system->low + n;
    if (system->stalled || available(system) >= (int64_t)wanted) return;
    system->count.reclaims_ahead++;
    ol_reclaim(system, wanted > system->high ? wanted : system->high);
    *dropped = true;
}

ol_frame_no ol_frame_obtain_at_once(struct ol_system *system)
{
    if (system->stalled) return OL_NO_FRAME;
    const ol_frame_no number = ol_frame_take(system);
    return number == OL_NO_FRAME && system->standby.count ? evict(system) : number;
}

enum ol_status ol_block_take(struct ol_system *system, unsigned order, ol_frame_no limit, ol_frame_no *first)
{
    if (!system->physical) return OL_E_UNSUPPORTED;
    if (order >= OL_BLOCK_ORDERS) return OL_E_INVALID;
    const uint32_t frames = 1U << order;
    ol_lock(system);
    if (ol_frames_free(system) < frames) ol_reclaim(system, frames);
    while (ol_frames_free(system) < frames && system->standby.count) ol_frame_release(system, evict(system));
    *first = ol_frames_free(system) < frames ? OL_NO_FRAME : ol_physical_take_block(system, order, limit);
    ol_unlock(system);
    return *first == OL_NO_FRAME ? OL_E_NO_FRAMES : OL_OK;
}

void ol_system_reclaim(struct ol_system *system)
{
    ol_lock(system);
    if (available(system) < (int64_t)system->high) {
        system->count.reclaims_ahead++;
        ol_reclaim(system, system->high);
    }
    ol_unlock(system);
}

enum ol_status ol_system_set_budget(struct ol_system *system, uint32_t frames)
{
    if (frames == 0 || frames > system->frames_max) return OL_E_INVALID;
    ol_lock(system);
    system->budget = frames;
    system->high = system->high_most < frames / 2 ? system->high_most : frames / 2;
    system->low = system->low_most < system->high ? system->low_most : system->high;
    ol_reclaim(system, system->high);
    ol_frames_trim(system);
    ol_unlock(system);
    return OL_OK;
}

bool ol_frames_lend(struct ol_system *system, uint32_t count)
{
    ol_lock(system);
    (void)ol_frames_free(system); /* takes in what was returned */
    const bool granted = (uint64_t)system->lent + count + system->high < system->budget;
    if (granted) {
        system->lent += count;
        if (system->lent > system->count.frames_lent_peak) system->count.frames_lent_peak = system->lent;
        shrink_to_budget(system);
        ol_frames_trim(system);
    }
    ol_unlock(system);
    return granted;
}
