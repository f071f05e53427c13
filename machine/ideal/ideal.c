/* SPDX-License-Identifier: MIT */
/*
 * References are made in runs of hits: one pass over bytes finds the run and sets referenced bits, then the policy is
 * told of it by one call.
 */
#include "machine/ideal/ideal.h"

#include <stdlib.h>

#include "trace/grow.h"

/* What is known of a page, a byte each. MODIFIED is behind REFERENCED by one bit. */
enum { RESIDENT = 1, REFERENCED = 2, MODIFIED = 4, GHOST = 8, SEEN = 16, LEFT = 32 /* was evicted */ };

enum { CHUNK = 1024 };
enum { ENTRIES_FIRST = 1 << 12, PREFETCH_FROM = 1 << 15 /* pages; below, links fit into the cache */ };

static const size_t ahead = 24; /* how many references further links are fetched into the cache */

struct ol_ideal {
    struct ol_policy policy;
    uint8_t *page;  /* what is known of each */
    uint32_t *left; /* by page: count.evictions when it was evicted last, if it was; NULL if the policy does not ask */
    uint32_t entries; /* size of the arrays */
    uint32_t resident;
    uint64_t time; /* references made, as the policy counts them */
    struct ol_ideal_counters count;
    /* Of the batch at hand: how many references each element stands for (NULL: one), and how many elements are in
     * count.references already. */
    const uint32_t *weights;
    size_t counted;
};

/* --- services of the policy -------------------------------------------------------------------------------------- */

static bool test_clear_referenced(void *core, ol_frame_no frame)
{
    struct ol_ideal *ideal = core;
    const bool was = ideal->page[frame] & REFERENCED;
    ideal->page[frame] &= (uint8_t)~REFERENCED;
    return was;
}

static bool test_modified(void *core, ol_frame_no frame)
{
    const struct ol_ideal *ideal = core;
    return ideal->page[frame] & MODIFIED;
}

static ol_frame_no remember(void *core, ol_frame_no frame)
{
    struct ol_ideal *ideal = core;
    ideal->page[frame] |= GHOST;
    return frame;
}

static ol_frame_no recall(void *core, ol_frame_no frame)
{
    const struct ol_ideal *ideal = core;
    return ideal->page[frame] & GHOST ? frame : OL_NO_FRAME;
}

static void forget(void *core, ol_frame_no ghost)
{
    struct ol_ideal *ideal = core;
    ideal->page[ghost] &= (uint8_t)~GHOST;
}

static uint32_t left_ago(void *core, ol_frame_no frame)
{
    const struct ol_ideal *ideal = core;
    if (!(ideal->page[frame] & LEFT)) return OL_NEVER_LEFT;
    return (uint32_t)ideal->count.evictions - ideal->left[frame];
}

static uint32_t page_of(void *core, ol_frame_no frame)
{
    (void)core;
    return frame;
}

/* --- creation ---------------------------------------------------------------------------------------------------- */

static bool grow_array(void *array, size_t old, size_t new, size_t element_bytes)
{
    void **place = array;
    void *grown = ol_grow(*place, *place ? old : 0, new, element_bytes);
    if (grown) *place = grown;
    return grown != NULL;
}

/* Makes the arrays large enough; on failure some of them are larger than before, which the next call allows for. */
static enum ol_status grow(struct ol_ideal *ideal, uint32_t entries)
{
    struct ol_policy *policy = &ideal->policy;
    uint32_t wanted = ideal->entries ? ideal->entries : ENTRIES_FIRST;
    while (wanted < entries) wanted *= 2;
    const uint32_t old = ideal->entries;
    if (wanted == old) return OL_OK;
    bool good = grow_array(&ideal->page, old, wanted, 1) &&
                grow_array(&policy->links, old, wanted, sizeof(struct ol_policy_words)) &&
                (!(policy->ops->needs & OL_NEEDS_AGES) || grow_array(&ideal->left, old, wanted, sizeof(*ideal->left)));
    for (unsigned i = 0; good && i < policy->ops->words; i++)
        good = grow_array(&policy->words[i], old, wanted, sizeof(uint32_t));
    if (!good) return OL_E_NO_META;
    ideal->entries = wanted;
    return OL_OK;
}

enum ol_status ol_ideal_create(const struct ol_policy_ops *ops, const char *parameters, uint32_t frames,
                               struct ol_ideal **out)
{
    struct ol_ideal *ideal = calloc(1, sizeof(*ideal));
    if (!ideal) return OL_E_NO_META;
    ideal->policy = (struct ol_policy){
        .ops = ops,
        .core = ideal,
        .frames = frames,
        .exact = true,
        .tick_units = 10000,
        .tick_at = UINT64_MAX,
        .test_clear_referenced = test_clear_referenced,
        .test_modified = test_modified,
        .remember = remember,
        .recall = recall,
        .forget = forget,
        .left_ago = left_ago,
        .page_of = page_of,
    };
    enum ol_status status = OL_OK;
    if (ops->state_bytes) {
        ideal->policy.state = calloc(1, ops->state_bytes);
        if (!ideal->policy.state) status = OL_E_NO_META;
    }
    if (status == OL_OK) status = grow(ideal, frames > ENTRIES_FIRST ? frames : ENTRIES_FIRST);
    if (status == OL_OK) status = ops->init(&ideal->policy, parameters);
    if (status == OL_OK) *out = ideal;
    else ol_ideal_destroy(ideal);
    return status;
}

void ol_ideal_destroy(struct ol_ideal *ideal)
{
    struct ol_policy *policy = &ideal->policy;
    const uint32_t entries = ideal->entries;
    if (ideal->page) ol_grow_free(ideal->page, entries, 1);
    if (ideal->left) ol_grow_free(ideal->left, entries, sizeof(*ideal->left));
    if (policy->links) ol_grow_free(policy->links, entries, sizeof(struct ol_policy_words));
    for (unsigned i = 0; i < policy->ops->words; i++)
        if (policy->words[i]) ol_grow_free(policy->words[i], entries, sizeof(uint32_t));
    free(policy->state);
    free(ideal);
}

uint32_t ol_ideal_frames(const struct ol_ideal *ideal)
{
    return ideal->policy.frames;
}

/* --- account ----------------------------------------------------------------------------------------------------- */

/* Counts the elements of the batch before `end` as references. */
static void count_to(struct ol_ideal *ideal, size_t end)
{
    uint64_t references = end - ideal->counted;
    if (ideal->weights) {
        references = 0;
        for (size_t i = ideal->counted; i < end; i++) references += ideal->weights[i];
    }
    ideal->count.references += references;
    ideal->counted = end;
}

/* From the element at index `at` on, that many more pages are in memory. The sum over all references is kept as if
 * they had been so from the first one on, less what that is too much: modulo 2^64, the end is right. */
static void resident_changes(struct ol_ideal *ideal, size_t at, uint32_t by)
{
    count_to(ideal, at);
    ideal->resident += by;
    ideal->count.resident_sum -= (uint64_t)(int32_t)by * ideal->count.references;
    if (ideal->resident > ideal->count.resident_peak) ideal->count.resident_peak = ideal->resident;
}

/* --- references -------------------------------------------------------------------------------------------------- */

static void evicted(struct ol_ideal *ideal, ol_frame_no frame)
{
    ideal->count.evictions++;
    if (ideal->page[frame] & MODIFIED) ideal->count.writebacks++;
    ideal->page[frame] &= (uint8_t) ~(RESIDENT | REFERENCED | MODIFIED);
    if (!ideal->left) return;
    ideal->page[frame] |= LEFT;
    ideal->left[frame] = (uint32_t)ideal->count.evictions;
}

/* The element at index `at` is a reference to a page that is not in memory. */
static void fault(struct ol_ideal *ideal, size_t at, uint32_t page, unsigned written)
{
    struct ol_policy *policy = &ideal->policy;
    uint8_t *known = &ideal->page[page];
    ideal->count.faults++;
    if (!(*known & SEEN)) ideal->count.faults_first++;
    if (policy->ops->expect) policy->ops->expect(policy, *known & GHOST ? page : OL_NO_FRAME);
    if (ideal->resident == policy->frames) evicted(ideal, policy->ops->victim(policy));
    else resident_changes(ideal, at, 1);
    *known |= (uint8_t)(SEEN | RESIDENT | (policy->enter_set ? REFERENCED : 0) | (written ? MODIFIED : 0));
    policy->ops->insert(policy, page);
}

static void tick(struct ol_ideal *ideal, size_t at)
{
    struct ol_policy *policy = &ideal->policy;
    policy->ops->tick(policy);
    if (!policy->ops->surplus) return;
    for (ol_frame_no frame; (frame = policy->ops->surplus(policy)) != OL_NO_FRAME;) {
        evicted(ideal, frame);
        resident_changes(ideal, at, UINT32_MAX);
    }
}

/* The number of references to resident pages that pages[0..count) begins with; their bits are set. */
static size_t hits(struct ol_ideal *ideal, const uint32_t *pages, const uint8_t *written, size_t count)
{
    uint8_t *const known = ideal->page;
    size_t i = 0;
    for (; i < count; i++) {
        const uint8_t before = known[pages[i]];
        if (!(before & RESIDENT)) break;
        known[pages[i]] = (uint8_t)(before | REFERENCED | (written ? written[i] << 2 : 0));
    }
    return i;
}

/* Has links of what is referenced soon fetched into the cache. */
static void prefetch(const struct ol_ideal *ideal, const uint32_t *pages, size_t count)
{
    for (size_t i = 0; i < count; i++) __builtin_prefetch(&ideal->policy.links[pages[i]], 1);
}

/* A reference for each element, which stands for as many as batch->counts says. */
static void run_single(struct ol_ideal *ideal, const struct ol_batch *batch)
{
    struct ol_policy *policy = &ideal->policy;
    const uint32_t *const pages = batch->pages, *const future = batch->future;
    const uint8_t *const written = batch->written;
    const bool large = ideal->entries > PREFETCH_FROM;
    const size_t count = batch->count;
    const uint64_t start = ideal->time;
    ideal->weights = batch->counts;
    ideal->counted = 0;
    size_t fetched = 0;
    for (size_t i = 0; i < count;) {
        policy->now = start + i;
        if (policy->now >= policy->tick_at) tick(ideal, i);
        size_t limit = count - i;
        if (policy->tick_at - policy->now < limit) limit = (size_t)(policy->tick_at - policy->now);
        if (large && fetched < i + ahead / 2) {
            const size_t to = i + ahead < count ? i + ahead : count;
            if (fetched < to) prefetch(ideal, pages + fetched, to - fetched);
            fetched = to;
        }
        const size_t run = hits(ideal, pages + i, written ? written + i : NULL, limit);
        policy->future = future ? future + i : NULL;
        if (run && policy->ops->touch) policy->ops->touch(policy, pages + i, run);
        i += run;
        if (run == limit) continue;
        policy->now = start + i;
        policy->future = future ? future + i : NULL;
        fault(ideal, i, pages[i], written ? written[i] : 0);
        i++;
    }
    ideal->time = start + count;
    count_to(ideal, count);
}

/* References with counts, made one by one as far as that changes anything; the last one stands for what is left. */
static void run_counted(struct ol_ideal *ideal, const struct ol_batch *batch, uint32_t most)
{
    uint32_t pages[CHUNK], future[CHUNK], weights[CHUNK];
    uint8_t written[CHUNK];
    struct ol_batch single = {.pages = pages,
                              .written = batch->written ? written : NULL,
                              .counts = weights,
                              .future = batch->future ? future : NULL,
                              .pages_total = batch->pages_total};
    for (size_t i = 0; i < batch->count; i++) {
        const uint32_t times = batch->counts[i] < most ? batch->counts[i] : most;
        for (uint32_t left = times; left; left--) {
            pages[single.count] = batch->pages[i];
            weights[single.count] = left > 1 ? 1 : batch->counts[i] - times + 1;
            if (batch->written) written[single.count] = batch->written[i];
            if (batch->future) future[single.count] = batch->future[i];
            if (++single.count < CHUNK) continue;
            run_single(ideal, &single);
            single.count = 0;
        }
    }
    run_single(ideal, &single);
}

enum ol_status ol_ideal_run(struct ol_ideal *ideal, const struct ol_batch *batch)
{
    const uint32_t repeats = ideal->policy.ops->repeats;
    if (batch->pages_total > ideal->entries && grow(ideal, batch->pages_total) != OL_OK) return OL_E_NO_META;
    if (!batch->counts || repeats == 1) run_single(ideal, batch);
    else run_counted(ideal, batch, repeats ? repeats : UINT32_MAX);
    return OL_OK;
}

void ol_ideal_drop(struct ol_ideal *ideal, uint32_t page)
{
    struct ol_policy *policy = &ideal->policy;
    if (page >= ideal->entries) return;
    if (ideal->page[page] & RESIDENT) {
        policy->ops->remove(policy, page);
        resident_changes(ideal, ideal->counted, UINT32_MAX);
    }
    if (ideal->page[page] & GHOST) policy->ops->drop(policy, page); /* one of before, or made by remove() */
    ideal->page[page] &= SEEN;
}

void ol_ideal_get_counters(const struct ol_ideal *ideal, struct ol_ideal_counters *out)
{
    *out = ideal->count;
    out->resident_sum += (uint64_t)ideal->resident * ideal->count.references;
}
