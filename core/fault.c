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
 * Zero fill and read in take a batch: the pages that prefetch.c expects to be wanted next come along, and are entered
 * with the wanted one. A page that was left as a sample of such a batch brings in the next batch when it is touched.
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

/* Where a page's contents are. */
enum origin { AT_ZERO, AT_PAGER, AT_FRAME };

/* Pages that are brought in together, from one kind of place. The first is the faulting one unless that is resident. */
struct batch {
    uint32_t count;
    enum origin origin;
    struct batch_page {
        uint64_t page;
        uint32_t anon;     /* OL_NIL: none yet, or no longer; before it is read also a bare slot */
        ol_frame_no frame; /* once it has one */
    } of[OL_IO_PAGES_MAX];
};

struct fault {
    struct ol_system *system;
    struct ol_space *space;
    uint64_t page;
    unsigned access;
    bool wire;
    bool expected;                          /* the policy knows that the page is wanted */
    bool again;                             /* the lock was dropped: begin again */
    bool guessed;                           /* what to bring in ahead is known */
    bool prepared;                          /* room was made for it */
    uint32_t ahead;                         /* so many pages, not brought in yet */
    struct ol_guess guess;                  /* … where */
    uint32_t spares;                        /* how many frames were obtained and not yet used */
    ol_frame_no spare[OL_IO_PAGES_MAX + 1]; /* … which */
    enum fault_kind kind;
    /* Of this round: */
    const struct ol_region *region;
    uint64_t index; /* in the region's overlay */
    uint32_t anon;  /* OL_NIL: none yet; or its bare slot */
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

/* --- frames for it --- */

/* At least `need` spare frames for this fault, `want` if they can be had; may set again. */
static enum ol_status fault_frames(struct fault *fault, uint32_t need, uint32_t want)
{
    struct ol_system *system = fault->system;
    enum ol_status status = OL_OK;
    if (want > need && want > fault->spares && !fault->prepared) {
        fault->prepared = true;
        ol_frames_prepare(system, want - fault->spares, &fault->again);
    }
    while (fault->spares < need && status == OL_OK) {
        status = ol_frame_obtain(system, &fault->spare[fault->spares], &fault->again);
        if (status == OL_OK) fault->spares++;
    }
    while (fault->spares < want && status == OL_OK) {
        fault->spare[fault->spares] = ol_frame_obtain_at_once(system);
        if (fault->spare[fault->spares] == OL_NO_FRAME) break;
        fault->spares++;
    }
    return status;
}

/* Tells the policy once that the page is wanted, before frames are asked for. */
static void fault_expect(struct fault *fault)
{
    struct ol_policy *policy = &fault->system->policy;
    if (!policy->ops->expect || fault->expected) return;
    fault->expected = true;
    ol_policy_update(fault->system);
    policy->ops->expect(policy, ol_ghost_find(fault->system, fault->anon));
}

/* Spare frames are used from the last one on: neighbours' frames for neighbours. */
static void fault_arrange_frames(struct fault *fault)
{
    if (fault->spares < 2 || !fault->system->pmap->frame_arrange) return;
    fault->system->pmap->frame_arrange(fault->system->machine, fault->spare, fault->spares);
    for (uint32_t i = 0, j = fault->spares - 1; i < j; i++, j--) {
        const ol_frame_no other = fault->spare[i];
        fault->spare[i] = fault->spare[j];
        fault->spare[j] = other;
    }
}

/* Makes a spare frame the anon's. */
static ol_frame_no fault_bind(struct fault *fault, uint32_t number, uint64_t page)
{
    return ol_frame_bind(fault->space, fault->region, page, number, fault->spare[--fault->spares]);
}

/* --- what to bring in --- */

static enum origin origin_of(const struct ol_system *system, uint32_t anon)
{
    if (anon == OL_NIL || ol_child_state(system, anon) == OL_ANON_ZERO) return AT_ZERO;
    return ol_child_state(system, anon) == OL_ANON_SWAPPED ? AT_PAGER : AT_FRAME;
}

/* Is the page a sample? It no longer is. */
static bool fault_takes_sample(const struct fault *fault)
{
    struct ol_system *system = fault->system;
    if (origin_of(system, fault->anon) != AT_FRAME) return false;
    struct ol_frame *frame = &system->frame[ol_anon_at(system, fault->anon)->where];
    if (!(frame->flags & OL_FRAME_SAMPLE)) return false;
    frame->flags &= (uint8_t)~OL_FRAME_SAMPLE;
    ol_prefetch_judge(system, true);
    return true;
}

/* A page that is missed, or was left to be touched: how many more will be wanted? Decided once a fault. */
static void fault_guess(struct fault *fault)
{
    const bool sample = fault_takes_sample(fault);
    if (fault->guessed) return;
    fault->guessed = true;
    if (!sample && origin_of(fault->system, fault->anon) == AT_FRAME) return;
    fault->ahead = ol_prefetch_window(fault->space, fault->page, &fault->guess);
    if (fault->system->stalled) fault->ahead = 0;
}

/* The page i steps ahead, if it can be brought in without further ado; false ends the batch. */
static bool batch_look(const struct fault *fault, struct batch *batch, uint32_t i)
{
    const struct ol_region *region = fault->region;
    const uint64_t page = fault->page + (uint64_t)((int64_t)i * fault->guess.step);
    bool shared;
    if (page < region->first || page > region->last) return false;
    const uint32_t anon =
        ol_overlay_lookup(fault->system, region->overlay, region->offset + (page - region->first), &shared);
    const enum origin origin = origin_of(fault->system, anon);
    if (shared || (origin != AT_FRAME && batch->count && origin != batch->origin)) return false;
    if (origin == AT_FRAME) return true;
    batch->origin = origin;
    batch->of[batch->count++] = (struct batch_page){page, anon, OL_NO_FRAME};
    return true;
}

static void fault_gather(const struct fault *fault, struct batch *batch)
{
    batch->count = 0;
    batch->origin = origin_of(fault->system, fault->anon);
    if (batch->origin != AT_FRAME)
        batch->of[batch->count++] = (struct batch_page){fault->page, fault->anon, OL_NO_FRAME};
    for (uint32_t i = 1; i <= fault->ahead && batch_look(fault, batch, i);) i++;
}

/* Is that place of the batch the faulting page, and not one ahead of it? */
static bool is_wanted(const struct fault *fault, const struct batch *batch, uint32_t i)
{
    return batch->of[i].page == fault->page;
}

/* --- bringing in --- */

/* A page of zeros. OL_E_NO_META. */
static enum ol_status zero_fill(struct fault *fault, struct batch_page *zero)
{
    zero->frame = fault->spare[fault->spares - 1];
    const enum ol_status status = ol_page_zeros(fault->space, fault->region, zero->page, &zero->anon, &zero->frame);
    if (status == OL_OK) fault->spares--;
    return status;
}

static enum ol_status batch_zero_fill(struct fault *fault, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const bool wanted = is_wanted(fault, batch, i), is_new = batch->of[i].anon == OL_NIL;
        const enum ol_status status = zero_fill(fault, &batch->of[i]);
        if (status != OL_OK) {
            batch->count = i;
            return wanted ? status : OL_OK;
        }
        if (wanted) {
            fault->anon = batch->of[i].anon;
            if (is_new) fault->shared = false;
            fault_becomes(fault, FAULT_ZERO);
        } else {
            fault->system->count.prefetched++;
        }
    }
    return OL_OK;
}

/* The read failed: the page stays at the pager. */
static void unbind(struct ol_system *system, ol_frame_no number, ol_slot slot)
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

/* A page was missed and read. Would it be resident still if there were so many more frames as are lent? And does the
 * pager keep it? */
static void count_read(struct ol_system *system, const struct ol_frame *frame, ol_slot from)
{
    const uint64_t unit = ol_eviction_clock_unit(system);
    const bool kept = frame->slot != OL_NO_SLOT, near = ol_slot_left_ago(system, from) < system->lent + 2 * unit;
    if (kept) system->count.reads_kept++;
    if (near) system->count.reads_near++;
    if (near && kept) system->count.reads_near_kept++;
}

/* A page was read ahead. With nearly all the budget lent to a pager that holds two pages in a frame, the pager would
 * not have had to keep it elsewhere. */
static void count_prefetched(struct ol_system *system, const struct ol_frame *frame, ol_slot from)
{
    const uint64_t two_budgets = ol_eviction_clock_unit(system) * 2 * OL_EVICTION_CLOCK_PARTS;
    const bool kept = frame->slot != OL_NO_SLOT, near = ol_slot_left_ago(system, from) < two_budgets;
    system->count.prefetched++;
    system->count.prefetched_read++;
    if (near && kept) system->count.prefetched_near_kept++;
}

/* After a page was read: it is in use, or was unmapped meanwhile. False: the latter. */
static bool has_come(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    if (ol_anon_at(system, frame->anon)->refs == 0) {
        ol_anon_free(system, frame->anon);
        return false;
    }
    const uint32_t left_ago = ol_slot_left_ago(system, frame->slot);
    if (!system->pager->ops->keep(system->pager, frame->slot)) {
        ol_swap_release(system, frame->slot);
        frame->slot = OL_NO_SLOT;
        frame->flags |= OL_FRAME_DIRTY;
    }
    ol_frame_activate(system, number, left_ago);
    return true;
}

/* Where there are bare slots, anons, as far as there is metadata for them. OL_E_NO_META: not for the wanted page. */
static enum ol_status batch_anons(const struct fault *fault, struct batch *batch)
{
    const struct ol_region *region = fault->region;
    for (uint32_t i = 0; i < batch->count; i++) {
        const uint64_t index = region->offset + (batch->of[i].page - region->first);
        if (!ol_is_bare(batch->of[i].anon)) continue;
        batch->of[i].anon = ol_overlay_anon(fault->system, region->overlay, index);
        if (batch->of[i].anon != OL_NIL) continue;
        batch->count = i;
        return is_wanted(fault, batch, i) ? OL_E_NO_META : OL_OK;
    }
    return OL_OK;
}

static enum ol_status batch_read(struct fault *fault, struct batch *batch)
{
    struct ol_system *system = fault->system;
    ol_frame_no frames[OL_IO_PAGES_MAX];
    ol_slot slots[OL_IO_PAGES_MAX];
    enum ol_status status[OL_IO_PAGES_MAX], result = batch_anons(fault, batch);
    if (!batch->count) return result;
    for (uint32_t i = 0; i < batch->count; i++) {
        slots[i] = ol_anon_at(system, batch->of[i].anon)->where;
        frames[i] = batch->of[i].frame = fault_bind(fault, batch->of[i].anon, batch->of[i].page);
        system->frame[frames[i]].slot = slots[i];
        system->count.pages_swapped--;
    }
    fault->again = true;
    ol_swap_transfer(system, OL_IO_READ, frames, slots, batch->count, status);
    for (uint32_t i = 0; i < batch->count; i++) {
        const bool wanted = is_wanted(fault, batch, i);
        if (status[i] != OL_OK) {
            unbind(system, frames[i], slots[i]);
            batch->of[i].anon = OL_NIL;
            if (wanted) result = OL_E_IO; /* else it is told to whoever touches that page */
        } else if (!has_come(system, frames[i])) {
            batch->of[i].anon = OL_NIL;
        } else if (wanted) {
            count_read(system, &system->frame[frames[i]], slots[i]);
            fault_becomes(fault, FAULT_MAJOR);
        } else {
            count_prefetched(system, &system->frame[frames[i]], slots[i]);
        }
    }
    return result;
}

/* The rights with which a page may be mapped now. On a machine that cannot tell modified, a page whose copy is still
 * good is entered without OL_WRITE until it is written; from then on it counts as modified. */
static unsigned rights_now(struct ol_system *system, const struct ol_region *region, struct ol_frame *frame,
                           bool shared, unsigned access)
{
    unsigned rights = region->rights;
    if (shared) rights &= ~(unsigned)OL_WRITE;
    if (system->is.has_modified || !(rights & OL_WRITE)) return rights;
    if (!(access & OL_WRITE) && !(frame->flags & OL_FRAME_DIRTY)) return rights & ~(unsigned)OL_WRITE;
    frame->flags |= OL_FRAME_DIRTY;
    if (frame->slot != OL_NO_SLOT) ol_swap_release(system, frame->slot);
    frame->slot = OL_NO_SLOT;
    return rights;
}

/* Can the page of the batch still be entered? The lock was dropped since it was looked up. */
static bool is_enterable(const struct fault *fault, const struct ol_region *region, const struct batch_page *page)
{
    bool shared;
    if (page->anon == OL_NIL || page->page < region->first || page->page > region->last) return false;
    const uint64_t index = region->offset + (page->page - region->first);
    if (ol_overlay_lookup(fault->system, region->overlay, index, &shared) != page->anon || shared) return false;
    const struct ol_frame *frame = &fault->system->frame[page->frame];
    return frame->state == OL_FRAME_ACTIVE && frame->anon == page->anon && !frame->wires &&
           !(frame->flags & (OL_FRAME_MAPPED | OL_FRAME_SAMPLE));
}

/* Enters a run of neighbours; what cannot be entered now will be when it is touched. */
static void enter_run(struct fault *fault, uint64_t page, const ol_frame_no *frames, uint32_t n, unsigned rights,
                      unsigned access)
{
    struct ol_system *system = fault->system;
    const ol_va va = page << system->is.page_shift;
    if (!n || system->pmap->enter(system->machine, fault->space->pmap, va, frames, n, rights, access) != OL_OK) return;
    for (uint32_t i = 0; i < n; i++) system->frame[frames[i]].flags |= OL_FRAME_MAPPED;
}

/* Enters the batch, neighbours together. A page ahead was not referenced: where the machine notes that, the wanted page
 * goes by itself. */
static void batch_enter(struct fault *fault, const struct batch *batch)
{
    struct ol_system *system = fault->system;
    const uint32_t number = ol_region_lookup(fault->space, fault->page);
    const bool notes_access = system->is.has_referenced || system->is.has_modified;
    ol_frame_no run[OL_IO_PAGES_MAX];
    uint32_t n = 0;
    uint64_t first = 0;
    unsigned run_rights = 0, run_access = 0;
    if (number == OL_NIL) return;
    const struct ol_region *region = ol_region_at(system, number);
    for (uint32_t k = 0; k < batch->count; k++) {
        const uint32_t i = fault->guess.step < 0 ? batch->count - 1 - k : k; /* from the lowest page on */
        const struct batch_page *page = &batch->of[i];
        const unsigned wanted = is_wanted(fault, batch, i) ? fault->access : OL_NONE;
        if (!is_enterable(fault, region, page) || wanted & ~(unsigned)region->rights) continue;
        /* The pages after one that is written will probably be written, too. */
        const unsigned expected = wanted | (notes_access ? OL_NONE : fault->access & OL_WRITE & region->rights);
        const unsigned rights = rights_now(system, region, &system->frame[page->frame], false, expected);
        const unsigned access = notes_access ? wanted : expected & OL_WRITE;
        if (!n || page->page != first + n || rights != run_rights || access != run_access) {
            enter_run(fault, first, run, n, run_rights, run_access);
            n = 0, first = page->page, run_rights = rights, run_access = access;
        }
        run[n++] = page->frame;
    }
    enter_run(fault, first, run, n, run_rights, run_access);
}

/* The last page of a batch is left to be touched: that says whether the others were wanted. */
static void batch_sample(struct fault *fault, const struct batch *batch)
{
    if (!batch->count || is_wanted(fault, batch, batch->count - 1)) { /* all of the window is resident */
        ol_prefetch_expect(&fault->guess, fault->page + (uint64_t)((int64_t)(fault->ahead + 1) * fault->guess.step));
        return;
    }
    const struct batch_page *last = &batch->of[batch->count - 1];
    ol_prefetch_expect(&fault->guess, last->page);
    if (last->anon != OL_NIL) fault->system->frame[last->frame].flags |= OL_FRAME_SAMPLE;
}

/* Must the page become the space's own? What is wired must not move when one of those who share it writes. */
static bool fault_wants_copy(const struct fault *fault)
{
    return fault->shared && (fault->access & OL_WRITE || fault->wire);
}

/* Brings in the faulting page, if it is not resident, and those ahead of it. */
static enum ol_status fault_batch(struct fault *fault)
{
    struct ol_system *system = fault->system;
    struct batch batch;
    fault_gather(fault, &batch);
    /* A page that will be copied wants a second frame: see above. */
    const bool missing = origin_of(system, fault->anon) != AT_FRAME;
    const uint32_t copy = missing && fault->anon != OL_NIL && fault_wants_copy(fault);
    const uint32_t need = missing ? 1 + copy : 0;
    if (missing) fault_expect(fault);
    enum ol_status status = fault_frames(fault, need, batch.count + copy);
    if (status != OL_OK || fault->again) return status;
    if (batch.count > fault->spares - copy) batch.count = fault->spares - copy;
    fault_arrange_frames(fault);
    if (batch.count) status = batch.origin == AT_ZERO ? batch_zero_fill(fault, &batch) : batch_read(fault, &batch);
    if (fault->ahead) batch_sample(fault, &batch);
    if (batch.count > 1 || !missing) batch_enter(fault, &batch);
    fault->ahead = 0;
    return status;
}

/* A resident page: wait for its transfer, or rescue it. */
static void fault_rescue(struct fault *fault)
{
    struct ol_system *system = fault->system;
    const ol_frame_no number = ol_anon_at(system, fault->anon)->where;
    switch (system->frame[number].state) {
    case OL_FRAME_BUSY:
    case OL_FRAME_CLEANING:
        ol_swap_wait(system);
        fault->again = true;
        break;
    case OL_FRAME_STANDBY:
    case OL_FRAME_MODIFIED:
        ol_frame_activate(system, number, 0);
        fault_becomes(fault, FAULT_RESCUED);
        break;
    default: break;
    }
}

/* Makes the page resident. */
static enum ol_status fault_bring_in(struct fault *fault)
{
    fault_guess(fault);
    const bool resident = origin_of(fault->system, fault->anon) == AT_FRAME;
    if (resident) fault_rescue(fault);
    if (fault->again || (resident && !fault->ahead)) return OL_OK;
    return fault_batch(fault);
}

/* A shared page is about to be written: the space gets a copy of its own. */
static enum ol_status fault_promote(struct fault *fault)
{
    struct ol_system *system = fault->system;
    const enum ol_status status = fault_frames(fault, 1, 1);
    if (status != OL_OK || fault->again) return status;
    uint32_t *place = ol_overlay_place(system, fault->region->overlay, fault->index);
    if (!place) return OL_E_NO_META;
    const uint32_t copy = ol_anon_new(system), original = *place;
    if (copy == OL_NIL) return OL_E_NO_META;
    const ol_frame_no frame = fault_bind(fault, copy, fault->page);
    /* The original may be mapped here. It must not stay so if the copy cannot be entered: others will write it. */
    system->pmap->remove(system->machine, fault->space->pmap, fault->page << system->is.page_shift, 1);
    system->pmap->sync(system->machine);
    system->pmap->frame_copy(system->machine, frame, ol_anon_at(system, original)->where);
    system->frame[frame].flags |= OL_FRAME_DIRTY;
    *place = fault->anon = copy;
    fault->shared = false;
    ol_anon_unref(system, original);
    ol_frame_activate(system, frame, OL_NEVER_LEFT);
    fault_becomes(fault, FAULT_COPIED);
    return OL_OK;
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
        mapping.frame == number && !(fault->access & ~mapping.rights) &&
        !(fault->wire && mapping.shift > system->is.page_shift))
        return OL_OK; /* another thread was faster, or it is to be wired only */
    const unsigned rights = rights_now(system, fault->region, frame, fault->shared, fault->access);
    const enum ol_status status =
        system->pmap->enter(system->machine, fault->space->pmap, va, &number, 1, rights, fault->access);
    if (status != OL_OK) return status;
    /* Where referenced bits are emulated, this sets one that was cleared. */
    if (fault->kind == FAULT_NONE && !(frame->flags & OL_FRAME_MAPPED) && !system->is.has_referenced && !frame->wires)
        fault_touch(system, number);
    frame->flags |= OL_FRAME_MAPPED;
    ol_frame_set_page(frame, fault->page);
    fault_becomes(fault, FAULT_SOFT);
    if (system->physical && !fault->wire) ol_large_promote(fault->space, fault->region, fault->page, number);
    return OL_OK;
}

/* A fault may go beyond the budget rather than lose a page, but wires alone may not. */
static enum ol_status fault_wire(struct fault *fault)
{
    struct ol_system *system = fault->system;
    const ol_frame_no number = ol_anon_at(system, fault->anon)->where;
    if (fault->access & OL_WRITE) system->frame[number].flags |= OL_FRAME_DIRTY; /* devices set no modified bit */
    if (!system->frame[number].wires) {
        if (system->count.frames_wired >= system->budget) return OL_E_NO_FRAMES;
        system->policy.ops->remove(&system->policy, number);
        ol_frame_wired(system, number, true);
    }
    system->frame[number].wires++;
    return OL_OK;
}

/* One round; fault->again asks for another. */
static enum ol_status fault_round(struct fault *fault)
{
    fault->again = false;
    enum ol_status status = fault_lookup(fault);
    if (status == OL_OK) status = fault_bring_in(fault);
    if (status != OL_OK || fault->again) return status;
    if (fault->region->large && fault->kind == FAULT_ZERO) ol_large_fill(fault->space, fault->region, fault->page);
    if (fault_wants_copy(fault)) status = fault_promote(fault);
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

enum ol_status ol_fault_locked(struct ol_space *space, uint64_t page, unsigned access, bool wire)
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
    const enum ol_status status = ol_fault_locked(space, va >> space->system->is.page_shift, access, false);
    ol_unlock(space->system);
    return status;
}

void ol_touch(struct ol_system *system, ol_frame_no frame)
{
    ol_lock(system);
    if (system->frame[frame].state == OL_FRAME_ACTIVE && !system->frame[frame].wires) fault_touch(system, frame);
    ol_unlock(system);
}
