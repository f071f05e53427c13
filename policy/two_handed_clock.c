/* SPDX-License-Identifier: MIT */
/*
 * Two-handed clock: the front hand clears referenced bits, the back hand, which follows it at a fixed distance, takes
 * pages whose bit is still clear. So a page is judged by what happened while the hands passed over that distance, not
 * by a whole round, which takes too long in a large memory. (M. J. Karels, for 4.3BSD; described in M. Bach, "The
 * Design of the UNIX Operating System", 1986, and S. Leffler et al., "4.3BSD", 1989.) New pages enter right behind the
 * back hand.
 *
 * Left open: the distance. Here half of the pages. Here the circle is cut at the hands into two queues: pages that the
 * front hand has passed, and the others.
 *
 * State per page: its queue and place. Needs a referenced bit.
 */
#include "core/policy.h"

enum { AHEAD, PASSED, QUEUES };

struct hands_state {
    struct ol_policy_queue queue[QUEUES]; /* AHEAD of the front hand; PASSED by it and not by the back hand */
    uint64_t spread;                      /* the distance, percent of the pages */
};

static enum ol_status hands_init(struct ol_policy *policy, const char *parameters)
{
    struct hands_state *hands = policy->state;
    const struct ol_policy_parameter known[] = {{"spread", 1, 100, &hands->spread}};
    for (int i = 0; i < QUEUES; i++) ol_policy_queue_init(&hands->queue[i]);
    hands->spread = 50;
    return ol_policy_parse(parameters, known, 1);
}

static void enqueue(struct ol_policy *policy, uint32_t queue, ol_frame_no frame)
{
    struct hands_state *hands = policy->state;
    policy->words[0][frame] = queue;
    ol_policy_queue_push(policy, &hands->queue[queue], frame);
}

static void hands_insert(struct ol_policy *policy, ol_frame_no frame)
{
    enqueue(policy, AHEAD, frame);
}

static void hands_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct hands_state *hands = policy->state;
    ol_policy_queue_remove(policy, &hands->queue[policy->words[0][frame]], frame);
}

static ol_frame_no hands_victim(struct ol_policy *policy)
{
    struct hands_state *hands = policy->state;
    const uint32_t pages = hands->queue[AHEAD].count + hands->queue[PASSED].count;
    uint32_t distance = (uint32_t)(pages * hands->spread / 100);
    if (!distance) distance = 1;
    /* After two rounds every bit was cleared; those set again meanwhile do not count. */
    for (uint64_t left = 2 * (uint64_t)pages; pages; left--) {
        while (hands->queue[PASSED].count < distance && hands->queue[AHEAD].count) {
            const ol_frame_no frame = ol_policy_queue_pop(policy, &hands->queue[AHEAD]);
            (void)policy->test_clear_referenced(policy->core, frame);
            enqueue(policy, PASSED, frame);
        }
        const ol_frame_no frame = ol_policy_queue_pop(policy, &hands->queue[PASSED]);
        if (!left || !policy->test_clear_referenced(policy->core, frame)) return frame;
        enqueue(policy, AHEAD, frame);
    }
    return OL_NO_FRAME;
}

const struct ol_policy_ops ol_policy_two_handed_clock = {
    .name = "two-handed-clock",
    .summary = "clock whose second hand judges soon after the first has cleared",
    .parameters = "spread=1..100: between the hands, percent of the pages (50)",
    .needs = OL_NEEDS_REFERENCED,
    .repeats = 2,
    .words = 1,
    .state_bytes = sizeof(struct hands_state),
    .init = hands_init,
    .insert = hands_insert,
    .remove = hands_remove,
    .victim = hands_victim,
};
