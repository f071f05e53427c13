/* SPDX-License-Identifier: MIT */
/*
 * OPT: the page that is referenced again latest goes, or one that never is. No policy faults less often.
 * (L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 5(2), 1966:
 * MIN; R. L. Mattson et al., 1970, prove it best.) Left open: which of several pages that are never referenced again
 * goes; the number of faults is the same.
 *
 * A heap of the inserted pages, the one wanted latest on top, each with its time beside it, so that looking for a place
 * stays within the heap; four below each, side by side. Of a run of references only the last to each page counts: the
 * others are wanted again within the run, which no victim() interrupts.
 *
 * State per page: its place in the heap; one place of the heap. Needs the future.
 */
#include "core/policy.h"

enum { BELOW = 4 };

struct opt_state {
    uint32_t count; /* of places */
    bool vacant;    /* is the top that of a victim, whose place awaits the page that comes instead? */
};

/* What is at a place of the heap: the page, and when it is wanted next. */
#define PAGE_AT(place)   policy->words[0][place]
#define WANTED_AT(place) policy->links[place].word[1]
#define PLACE_OF(page)   policy->links[page].word[0]

static void put(struct ol_policy *policy, uint32_t place, ol_frame_no frame, uint32_t wanted)
{
    PAGE_AT(place) = frame;
    WANTED_AT(place) = wanted;
    PLACE_OF(frame) = place;
}

/* From a place up to where the page belongs. */
static void rise(struct ol_policy *policy, uint32_t place, ol_frame_no frame, uint32_t wanted)
{
    while (place) {
        const uint32_t above = (place - 1) / BELOW;
        if (WANTED_AT(above) >= wanted) break;
        put(policy, place, PAGE_AT(above), WANTED_AT(above));
        place = above;
    }
    put(policy, place, frame, wanted);
}

/* Of the places below one, the first of which is there, that of the page that is wanted latest. */
static uint32_t latest_below(const struct ol_policy *policy, uint32_t first, uint32_t count)
{
    const uint32_t end = count - first < BELOW ? count : first + BELOW;
    uint32_t latest = first;
    for (uint32_t place = first + 1; place < end; place++)
        if (WANTED_AT(place) > WANTED_AT(latest)) latest = place;
    return latest;
}

/* From a place down to where the page belongs. */
static void sink(struct ol_policy *policy, uint32_t place, ol_frame_no frame, uint32_t wanted)
{
    const struct opt_state *opt = policy->state;
    while (opt->count > BELOW * place + 1) {
        const uint32_t below = latest_below(policy, BELOW * place + 1, opt->count);
        if (WANTED_AT(below) <= wanted) break;
        put(policy, place, PAGE_AT(below), WANTED_AT(below));
        place = below;
    }
    put(policy, place, frame, wanted);
}

static enum ol_status opt_init(struct ol_policy *policy, const char *parameters)
{
    (void)policy;
    return parameters ? OL_E_INVALID : OL_OK;
}

static void opt_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct opt_state *opt = policy->state;
    if (opt->vacant) sink(policy, 0, frame, policy->future[0]);
    else rise(policy, opt->count++, frame, policy->future[0]);
    opt->vacant = false;
}

/* The place is given to the page at the last one, which ceases to be. */
static void leave(struct ol_policy *policy, uint32_t place)
{
    struct opt_state *opt = policy->state;
    const uint32_t last = --opt->count, wanted = WANTED_AT(last);
    const ol_frame_no frame = PAGE_AT(last);
    if (place == last) return;
    if (place && WANTED_AT((place - 1) / BELOW) < wanted) rise(policy, place, frame, wanted);
    else sink(policy, place, frame, wanted);
}

static void fill(struct ol_policy *policy)
{
    struct opt_state *opt = policy->state;
    if (opt->vacant) leave(policy, 0);
    opt->vacant = false;
}

static void opt_remove(struct ol_policy *policy, ol_frame_no frame)
{
    fill(policy);
    leave(policy, PLACE_OF(frame));
}

static void opt_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    const uint64_t end = policy->now + count;
    fill(policy);
    for (size_t i = 0; i < count; i++) {
        if (policy->future[i] < end) continue;
        rise(policy, PLACE_OF(frames[i]), frames[i], policy->future[i]);
    }
}

static ol_frame_no opt_victim(struct ol_policy *policy)
{
    struct opt_state *opt = policy->state;
    fill(policy);
    if (!opt->count) return OL_NO_FRAME;
    opt->vacant = true;
    return PAGE_AT(0);
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
