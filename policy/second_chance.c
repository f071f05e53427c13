/* SPDX-License-Identifier: MIT */
/*
 * Second chance: FIFO, but a page that was referenced since it was last looked at goes back to the end of the queue,
 * its referenced bit cleared. If all were referenced, the oldest goes after one round.
 *
 * (A. S. Tanenbaum, "Modern Operating Systems"; the rule is Corbató's, see clock.) Left open: whether a page enters
 * with its bit set. Here it does not, unless enter=1, or the machine sets the bit itself by the access that faults.
 *
 * State per page: its place in one queue. Needs a referenced bit.
 */
#include "core/policy.h"

static enum ol_status second_chance_init(struct ol_policy *policy, const char *parameters)
{
    ol_policy_queue_init(policy->state);
    uint64_t enter = 0;
    const struct ol_policy_parameter known[] = {{"enter", 0, 1, &enter}};
    const enum ol_status status = ol_policy_parse(parameters, known, 1);
    policy->enter_set = enter;
    return status;
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
    .parameters = "enter=0|1: does a page enter with its bit set (0; hardware sets it anyway)",
    .needs = OL_NEEDS_REFERENCED,
    .repeats = 2,
    .state_bytes = sizeof(struct ol_policy_queue),
    .init = second_chance_init,
    .insert = second_chance_insert,
    .remove = second_chance_remove,
    .victim = second_chance_victim,
};
