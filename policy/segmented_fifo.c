/* SPDX-License-Identifier: MIT */
/*
 * Segmented FIFO: two queues in memory. A page enters the primary one; what the primary pushes out waits in the
 * secondary one, unmapped, from where the next reference takes it back to the tail of the primary; the victim is the
 * head of the secondary one. So the primary costs nothing, and the secondary finds out which pages are used, on
 * machines without a referenced bit. (R. Turner, H. Levy, "Segmented FIFO Page Replacement", SIGMETRICS 1981; VAX/VMS
 * has its free and modified lists as the secondary.) A share of 0 % is FIFO, of 100 % nearly LRU.
 *
 * Left open: the share of the secondary. Here 25 %. Where references to it are not told but shown by a bit, the bit is
 * looked at when the page comes to the head.
 *
 * State per page: its queue and place. Needs a referenced bit, emulated as it is meant here or the machine's.
 */
#include "core/policy.h"

enum { PRIMARY, SECONDARY, QUEUES };

struct segmented_state {
    struct ol_policy_queue queue[QUEUES];
    uint64_t share; /* of the secondary queue, percent */
};

static enum ol_status segmented_init(struct ol_policy *policy, const char *parameters)
{
    struct segmented_state *state = policy->state;
    const struct ol_policy_parameter known[] = {{"secondary", 0, 100, &state->share}};
    for (int i = 0; i < QUEUES; i++) ol_policy_queue_init(&state->queue[i]);
    state->share = 25;
    return ol_policy_parse(parameters, known, 1);
}

static void enqueue(struct ol_policy *policy, uint32_t queue, ol_frame_no frame)
{
    struct segmented_state *state = policy->state;
    policy->words[0][frame] = queue;
    ol_policy_queue_push(policy, &state->queue[queue], frame);
}

static void segmented_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct segmented_state *state = policy->state;
    ol_policy_queue_remove(policy, &state->queue[policy->words[0][frame]], frame);
}

/* The oldest of the primary queue becomes the youngest of the secondary; its bit tells from now on. */
static void demote(struct ol_policy *policy)
{
    struct segmented_state *state = policy->state;
    const ol_frame_no frame = ol_policy_queue_pop(policy, &state->queue[PRIMARY]);
    if (!policy->exact) (void)policy->test_clear_referenced(policy->core, frame);
    enqueue(policy, SECONDARY, frame);
}

/* So many pages that the secondary queue has its share of all frames. */
static void shrink_primary(struct ol_policy *policy)
{
    struct segmented_state *state = policy->state;
    const uint32_t most = policy->frames - ol_policy_share(policy, state->share, 0);
    while (state->queue[PRIMARY].count > most) demote(policy);
}

static void segmented_insert(struct ol_policy *policy, ol_frame_no frame)
{
    enqueue(policy, PRIMARY, frame);
    if (policy->exact) shrink_primary(policy);
}

static void segmented_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (policy->words[0][frames[i]] == PRIMARY) continue;
        segmented_remove(policy, frames[i]);
        enqueue(policy, PRIMARY, frames[i]);
        if (policy->exact) shrink_primary(policy);
    }
}

static ol_frame_no segmented_victim(struct ol_policy *policy)
{
    struct segmented_state *state = policy->state;
    const uint32_t pages = state->queue[PRIMARY].count + state->queue[SECONDARY].count;
    /* A page that is spared goes to the primary and pushes another out; after a round of all, the head goes. */
    for (uint32_t spared = 0; pages; spared++) {
        shrink_primary(policy);
        if (!state->queue[SECONDARY].count) return ol_policy_queue_pop(policy, &state->queue[PRIMARY]);
        const ol_frame_no frame = ol_policy_queue_pop(policy, &state->queue[SECONDARY]);
        if (policy->exact || spared >= pages || !policy->test_clear_referenced(policy->core, frame)) return frame;
        enqueue(policy, PRIMARY, frame);
    }
    return OL_NO_FRAME;
}

const struct ol_policy_ops ol_policy_segmented_fifo = {
    .name = "segmented-fifo",
    .summary = "FIFO whose last part is unmapped and saved by a reference",
    .parameters = "secondary=0..100: the share of the second queue, percent (25)",
    .needs = OL_NEEDS_REFERENCED,
    .repeats = 2,
    .words = 1,
    .state_bytes = sizeof(struct segmented_state),
    .init = segmented_init,
    .insert = segmented_insert,
    .remove = segmented_remove,
    .touch = segmented_touch,
    .victim = segmented_victim,
};
