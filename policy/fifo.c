/* SPDX-License-Identifier: MIT */
/*
 * FIFO: the page that came first goes first, however often it was referenced since.
 *
 * State per page: its place in one queue. Needs nothing of the machine. Known to suffer from Belady's anomaly
 * (L. A. Belady, R. A. Nelson, G. S. Shedler, CACM 12(6), 1969): more frames can mean more faults.
 */
#include "core/policy.h"

static enum ol_status fifo_init(struct ol_policy *policy, const char *parameters)
{
    ol_policy_queue_init(policy->state);
    return parameters ? OL_E_INVALID : OL_OK;
}

static void fifo_insert(struct ol_policy *policy, ol_frame_no frame)
{
    ol_policy_queue_push(policy, policy->state, frame);
}

static void fifo_remove(struct ol_policy *policy, ol_frame_no frame)
{
    ol_policy_queue_remove(policy, policy->state, frame);
}

static ol_frame_no fifo_victim(struct ol_policy *policy)
{
    return ol_policy_queue_pop(policy, policy->state);
}

const struct ol_policy_ops ol_policy_fifo = {
    .name = "fifo",
    .summary = "the page that came first goes first",
    .needs = OL_NEEDS_NOTHING,
    .repeats = 1,
    .state_bytes = sizeof(struct ol_policy_queue),
    .init = fifo_init,
    .insert = fifo_insert,
    .remove = fifo_remove,
    .victim = fifo_victim,
};
