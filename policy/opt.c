/* SPDX-License-Identifier: MIT */
/*
 * OPT: the page that is referenced again latest goes, or one that never is. No policy faults less often.
 * (L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 5(2), 1966:
 * MIN; R. L. Mattson et al., 1970, prove it best.) Left open: which of several pages that are never referenced again
 * goes; the number of faults is the same.
 *
 * A heap of the inserted pages, the one wanted latest on top. Of a run of references only the last to each page
 * counts: the others are wanted again within the run, which no victim() interrupts.
 *
 * State per page: when it is wanted next, its place in the heap, one place of the heap. Needs the future.
 */
#include "core/policy.h"

struct opt_state {
    uint32_t count;
};

/* The page at a place of the heap, and the place of a page. */
#define PAGE_AT(place)   policy->links[place].word[0]
#define PLACE_OF(page)   policy->links[page].word[1]
#define WANTED_AT(place) policy->words[0][PAGE_AT(place)]

static void put(struct ol_policy *policy, uint32_t place, ol_frame_no frame)
{
    PAGE_AT(place) = frame;
    PLACE_OF(frame) = place;
}

/* From a place up to where the page belongs. */
static void rise(struct ol_policy *policy, uint32_t place, ol_frame_no frame)
{
    const uint32_t wanted = policy->words[0][frame];
    for (; place; place = (place - 1) / 2) {
        const uint32_t parent = (place - 1) / 2;
        if (WANTED_AT(parent) >= wanted) break;
        put(policy, place, PAGE_AT(parent));
    }
    put(policy, place, frame);
}

/* From a place down to where the page belongs. */
static void sink(struct ol_policy *policy, uint32_t place, ol_frame_no frame)
{
    const struct opt_state *opt = policy->state;
    const uint32_t wanted = policy->words[0][frame];
    for (uint32_t child = 2 * place + 1; child < opt->count; child = 2 * place + 1) {
        if (child + 1 < opt->count && WANTED_AT(child + 1) > WANTED_AT(child)) child++;
        if (WANTED_AT(child) <= wanted) break;
        put(policy, place, PAGE_AT(child));
        place = child;
    }
    put(policy, place, frame);
}

static enum ol_status opt_init(struct ol_policy *policy, const char *parameters)
{
    (void)policy;
    return parameters ? OL_E_INVALID : OL_OK;
}

static void opt_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct opt_state *opt = policy->state;
    policy->words[0][frame] = policy->future[0];
    rise(policy, opt->count++, frame);
}

static void opt_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct opt_state *opt = policy->state;
    const uint32_t place = PLACE_OF(frame);
    const ol_frame_no last = PAGE_AT(--opt->count);
    if (last == frame) return;
    if (place && WANTED_AT((place - 1) / 2) < policy->words[0][last]) rise(policy, place, last);
    else sink(policy, place, last);
}

static void opt_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    const uint64_t end = policy->now + count;
    for (size_t i = 0; i < count; i++) {
        if (policy->future[i] < end) continue;
        policy->words[0][frames[i]] = policy->future[i];
        rise(policy, PLACE_OF(frames[i]), frames[i]);
    }
}

static ol_frame_no opt_victim(struct ol_policy *policy)
{
    const struct opt_state *opt = policy->state;
    if (!opt->count) return OL_NO_FRAME;
    const ol_frame_no frame = PAGE_AT(0);
    opt_remove(policy, frame);
    return frame;
}

const struct ol_policy_ops ol_policy_opt = {
    .name = "opt",
    .summary = "Belady's: the page that is wanted latest",
    .needs = OL_NEEDS_EXACT | OL_NEEDS_FUTURE | OL_NEEDS_TIME,
    .words = 1,
    .repeats = 1,
    .state_bytes = sizeof(struct opt_state),
    .init = opt_init,
    .insert = opt_insert,
    .remove = opt_remove,
    .touch = opt_touch,
    .victim = opt_victim,
};
