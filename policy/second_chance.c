/* SPDX-License-Identifier: MIT */
/*
 * Second chance: FIFO, but a page that was referenced since it was last looked at goes back to the end of the queue,
 * its referenced bit cleared. If all were referenced, the oldest goes after one round.
 *
 * State per page: its place in one queue. Needs a referenced bit.
 */
#include "core/policy.h"

static enum ol_status second_chance_init(struct ol_policy *policy, const char *parameters)
{
    ol_policy_queue_init(policy->state);
    return parameters ? OL_E_INVALID : OL_OK;
}

static void second_chance_insert(struct ol_policy *policy, ol_frame_no frame)
{
    ol_policy_queue_push(policy, policy->state, frame);
}

static void second_chance_remove(struct ol_policy *policy, ol_frame_no frame)
{
    ol_policy_queue_remove(policy, policy->state, frame);
}

static ol_frame_no second_chance_victim(struct ol_policy *policy)
{
    struct ol_policy_queue *queue = policy->state;
    for (uint32_t spared = 0; queue->count; spared++) {
        const ol_frame_no frame = ol_policy_queue_pop(policy, queue);
        /* After a whole round every bit was cleared; one set again meanwhile does not count. */
        if (!policy->test_clear_referenced(policy->core, frame) || spared > queue->count) return frame;
        ol_policy_queue_push(policy, queue, frame);
    }
    return OL_NO_FRAME;
}

const struct ol_policy_ops ol_policy_second_chance = {
    .name = "second-chance",
    .summary = "FIFO, but a referenced page goes round once more",
    .needs = OL_NEEDS_REFERENCED,
    .state_bytes = sizeof(struct ol_policy_queue),
    .init = second_chance_init,
    .insert = second_chance_insert,
    .remove = second_chance_remove,
    .victim = second_chance_victim,
};
