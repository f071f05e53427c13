/* SPDX-License-Identifier: MIT */
/*
 * LRU: the page that was not referenced for the longest time goes. (P. J. Denning, "The Working Set Model for Program
 * Behavior", CACM 11(5), 1968, names it; R. L. Mattson, J. Gecsei, D. R. Slutz, I. L. Traiger, IBM Systems Journal
 * 9(2), 1970, show that it obeys inclusion: more frames never mean more faults.)
 *
 * State per page: its place in one queue, and a stamp that spares repeated moves. Needs every reference.
 */
#include "core/policy.h"

static enum ol_status lru_init(struct ol_policy *policy, const char *parameters)
{
    struct ol_policy_recency *recency = policy->state;
    ol_policy_queue_init(&recency->queue);
    return parameters ? OL_E_INVALID : OL_OK;
}

static void lru_insert(struct ol_policy *policy, ol_frame_no frame)
{
    ol_policy_recency_push(policy, policy->state, policy->words[0], frame);
}

static void lru_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct ol_policy_recency *recency = policy->state;
    ol_policy_queue_remove(policy, &recency->queue, frame);
}

static void lru_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    ol_policy_recency_touch(policy, policy->state, policy->words[0], frames, count);
}

static ol_frame_no lru_victim(struct ol_policy *policy)
{
    struct ol_policy_recency *recency = policy->state;
    return ol_policy_queue_pop(policy, &recency->queue);
}

const struct ol_policy_ops ol_policy_lru = {
    .name = "lru",
    .summary = "the page not referenced for the longest time",
    .needs = OL_NEEDS_EXACT,
    .words = 1,
    .repeats = 1,
    .state_bytes = sizeof(struct ol_policy_recency),
    .init = lru_init,
    .insert = lru_insert,
    .remove = lru_remove,
    .touch = lru_touch,
    .victim = lru_victim,
};
