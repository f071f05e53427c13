/* SPDX-License-Identifier: MIT */
/*
 * MRU: the page referenced last goes. On a loop that is larger than memory it keeps all that fits but one page, where
 * LRU keeps nothing; on most else it is bad. (H. Chou, D. DeWitt, "An Evaluation of Buffer Management Strategies for
 * Relational Database Systems", VLDB 1985, use it for such loops.)
 *
 * State per page: its place in one queue, and a stamp that spares repeated moves. Needs every reference.
 */
#include "core/policy.h"

static enum ol_status mru_init(struct ol_policy *policy, const char *parameters)
{
    struct ol_policy_recency *recency = policy->state;
    ol_policy_queue_init(&recency->queue);
    return parameters ? OL_E_INVALID : OL_OK;
}

static void mru_insert(struct ol_policy *policy, ol_frame_no frame)
{
    ol_policy_recency_push(policy, policy->state, policy->words[0], frame);
}

static void mru_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct ol_policy_recency *recency = policy->state;
    ol_policy_queue_remove(policy, &recency->queue, frame);
}

static void mru_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    ol_policy_recency_touch(policy, policy->state, policy->words[0], frames, count);
}

static ol_frame_no mru_victim(struct ol_policy *policy)
{
    struct ol_policy_recency *recency = policy->state;
    const ol_frame_no frame = recency->queue.tail;
    if (frame != OL_NO_FRAME) mru_remove(policy, frame);
    return frame;
}

const struct ol_policy_ops ol_policy_mru = {
    .name = "mru",
    .summary = "the page referenced last",
    .needs = OL_NEEDS_EXACT,
    .words = 1,
    .repeats = 1,
    .state_bytes = sizeof(struct ol_policy_recency),
    .init = mru_init,
    .insert = mru_insert,
    .remove = mru_remove,
    .touch = mru_touch,
    .victim = mru_victim,
};
