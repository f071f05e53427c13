/* SPDX-License-Identifier: MIT */
/*
 * LRU: the page that was not referenced for the longest time goes. (P. J. Denning, "The Working Set Model for Program
 * Behavior", CACM 11(5), 1968, names it; R. L. Mattson, J. Gecsei, D. R. Slutz, I. L. Traiger, IBM Systems Journal
 * 9(2), 1970, show that it obeys inclusion: more frames never mean more faults.)
 *
 * State per page: its place in one queue, and a stamp that spares repeated moves. Needs every reference.
 */
#include "core/policy.h"

struct lru_state {
    struct ol_policy_queue queue; /* from the page referenced longest ago to the one referenced last */
    uint32_t stamp;
};

static enum ol_status lru_init(struct ol_policy *policy, const char *parameters)
{
    struct lru_state *lru = policy->state;
    ol_policy_queue_init(&lru->queue);
    return parameters ? OL_E_INVALID : OL_OK;
}

static void lru_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct lru_state *lru = policy->state;
    policy->words[0][frame] = 0;
    ol_policy_queue_push(policy, &lru->queue, frame);
}

static void lru_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct lru_state *lru = policy->state;
    ol_policy_queue_remove(policy, &lru->queue, frame);
}

static void lru_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    struct lru_state *lru = policy->state;
    struct ol_policy_renewal renewal;
    while (!ol_policy_renewal_begin(&renewal, policy, policy->words[0], &lru->stamp))
        for (ol_frame_no at = lru->queue.head; at != OL_NO_FRAME; at = policy->links[at].word[1])
            policy->words[0][at] = 0;
    while (count--)
        if (!ol_policy_renewed(&renewal, frames[count])) ol_policy_renew(&renewal, &lru->queue, frames[count]);
    ol_policy_renewal_end(&renewal, &lru->queue);
}

static ol_frame_no lru_victim(struct ol_policy *policy)
{
    struct lru_state *lru = policy->state;
    return ol_policy_queue_pop(policy, &lru->queue);
}

const struct ol_policy_ops ol_policy_lru = {
    .name = "lru",
    .summary = "the page not referenced for the longest time",
    .needs = OL_NEEDS_EXACT,
    .words = 1,
    .repeats = 1,
    .state_bytes = sizeof(struct lru_state),
    .init = lru_init,
    .insert = lru_insert,
    .remove = lru_remove,
    .touch = lru_touch,
    .victim = lru_victim,
};
