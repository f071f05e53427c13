/* SPDX-License-Identifier: MIT */
/*
 * Working set: in memory are the pages referenced in the last tau units of time, and no others: a page leaves as soon
 * as that long has passed, even if there are free frames. If the working set is larger than memory, the page referenced
 * longest ago goes. (P. J. Denning, "The Working Set Model for Program Behavior", CACM 11(5), 1968.)
 *
 * Left open: tau, and what to do when memory is too small (Denning would not run the program). Here tau is 10 clock
 * ticks. A page referenced at time r is in memory for a reference at time t if t - r <= tau.
 *
 * State per page: its place in one queue, when it was referenced last, and a stamp that spares repeated moves. Needs
 * every reference, and time.
 */
#include "core/policy.h"

enum { STAMP, LAST }; /* words; LAST is the lower half of the time, enough because older pages leave */

struct working_set_state {
    struct ol_policy_recency recency;
    uint64_t tau;
};

static enum ol_status working_set_init(struct ol_policy *policy, const char *parameters)
{
    struct working_set_state *set = policy->state;
    const struct ol_policy_parameter known[] = {{"tau", 1, INT32_MAX, &set->tau}};
    ol_policy_queue_init(&set->recency.queue);
    set->tau = policy->tick_units <= INT32_MAX / 10 ? 10 * policy->tick_units : INT32_MAX;
    return ol_policy_parse(parameters, known, 1);
}

static void working_set_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct working_set_state *set = policy->state;
    policy->words[LAST][frame] = (uint32_t)policy->now;
    ol_policy_recency_push(policy, &set->recency, policy->words[STAMP], frame);
    if (policy->tick_at > policy->now + set->tau + 1) policy->tick_at = policy->now + set->tau + 1;
}

static void working_set_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct working_set_state *set = policy->state;
    ol_policy_queue_remove(policy, &set->recency.queue, frame);
}

static void working_set_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    struct working_set_state *set = policy->state;
    for (size_t i = 0; i < count; i++) policy->words[LAST][frames[i]] = (uint32_t)(policy->now + i);
    ol_policy_recency_touch(policy, &set->recency, policy->words[STAMP], frames, count);
}

static ol_frame_no working_set_victim(struct ol_policy *policy)
{
    struct working_set_state *set = policy->state;
    return ol_policy_queue_pop(policy, &set->recency.queue);
}

/* A page that has left the working set. If there is none, tells when the next one may. */
static ol_frame_no working_set_surplus(struct ol_policy *policy)
{
    struct working_set_state *set = policy->state;
    const ol_frame_no oldest = set->recency.queue.head;
    if (oldest == OL_NO_FRAME) return OL_NO_FRAME;
    const uint32_t age = (uint32_t)policy->now - policy->words[LAST][oldest];
    if (age > set->tau) return working_set_victim(policy);
    policy->tick_at = policy->now - age + set->tau + 1;
    return OL_NO_FRAME;
}

static void working_set_tick(struct ol_policy *policy)
{
    policy->tick_at = UINT64_MAX;
}

const struct ol_policy_ops ol_policy_working_set = {
    .name = "working-set",
    .summary = "Denning's: pages leave when not referenced for so long",
    .parameters = "tau=1..: how long, in units of the machine's time (10 clock ticks)",
    .needs = OL_NEEDS_EXACT | OL_NEEDS_TIME,
    .words = 2,
    .state_bytes = sizeof(struct working_set_state),
    .init = working_set_init,
    .insert = working_set_insert,
    .remove = working_set_remove,
    .touch = working_set_touch,
    .victim = working_set_victim,
    .surplus = working_set_surplus,
    .tick = working_set_tick,
};
