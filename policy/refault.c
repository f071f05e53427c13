/* SPDX-License-Identifier: MIT */
/*
 * Refault: two FIFO queues, and the one question that a fault answers for nothing: how long ago did the page leave? A
 * page enters the queue "new"; but one that left at most `within` of the frames' number of evictions ago would still be
 * here with a little more memory: it was given up too early, and enters the queue "proven". The victim is the oldest
 * of the new ones while they are more than their share, else the oldest of the proven ones. So pages that are used
 * seldom, or once, push out each other, and hardly ever those that are used often, although nobody sees references.
 *
 * After 2Q's two queues (T. Johnson, D. Shasha, VLDB 1994; see two_q.c) and Linux's refault distance (J. Weiner,
 * "mm: thrash detection-based file cache sizing", 2013: mm/workingset.c), which both look at references as well: on
 * machines without a referenced bit that costs a fault each, and here nothing.
 *
 * Chosen here: the shares. It takes fewer faults than FIFO where few pages are used often, and can take more where all
 * that is used nearly fits.
 *
 * State per page: its queue and its place in it. Needs to know when pages left; no references.
 */
#include "core/policy.h"

enum { NEW, PROVEN, QUEUES };

struct refault_state {
    struct ol_policy_queue queue[QUEUES];
    uint32_t avoided;     /* the queue of the victim that was spared last, if no other was named since; else QUEUES */
    uint64_t new, within; /* percent of the frames */
};

static enum ol_status refault_init(struct ol_policy *policy, const char *parameters)
{
    struct refault_state *state = policy->state;
    const struct ol_policy_parameter known[] = {{"new", 1, 100, &state->new}, {"within", 0, 400, &state->within}};
    for (int i = 0; i < QUEUES; i++) ol_policy_queue_init(&state->queue[i]);
    state->avoided = QUEUES;
    state->new = 25;
    state->within = 50;
    return ol_policy_parse(parameters, known, 2);
}

static void refault_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct refault_state *state = policy->state;
    const bool early = policy->left_ago(policy->core, frame) <= ol_policy_share(policy, state->within, 0);
    const uint32_t queue = early ? PROVEN : NEW;
    policy->words[0][frame] = queue;
    ol_policy_queue_push(policy, &state->queue[queue], frame);
}

/* It keeps its queue, but the next victim comes from the other one, so that before long all are named. */
static void refault_spare(struct ol_policy *policy, ol_frame_no frame)
{
    struct refault_state *state = policy->state;
    const uint32_t queue = policy->words[0][frame];
    ol_policy_queue_push(policy, &state->queue[queue], frame);
    state->avoided = queue;
}

static void refault_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct refault_state *state = policy->state;
    ol_policy_queue_remove(policy, &state->queue[policy->words[0][frame]], frame);
}

static ol_frame_no refault_victim(struct ol_policy *policy)
{
    struct refault_state *state = policy->state;
    uint32_t from = state->queue[NEW].count > ol_policy_share(policy, state->new, 1) ? NEW : PROVEN;
    if (from == state->avoided) from = QUEUES - 1 - from;
    if (!state->queue[from].count) from = QUEUES - 1 - from;
    state->avoided = QUEUES;
    return ol_policy_queue_pop(policy, &state->queue[from]);
}

const struct ol_policy_ops ol_policy_refault = {
    .name = "refault",
    .summary = "two FIFO queues: a page that comes back soon after it left stays longer",
    .parameters = "new=1..100: share of pages that did not come back soon, percent of the frames (25); within=0..400:\n"
                  "                soon is so many evictions later, percent of the frames (50)",
    .needs = OL_NEEDS_AGES,
    .repeats = 1,
    .words = 1,
    .state_bytes = sizeof(struct refault_state),
    .init = refault_init,
    .insert = refault_insert,
    .spare = refault_spare,
    .remove = refault_remove,
    .victim = refault_victim,
};
