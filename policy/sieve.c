/* SPDX-License-Identifier: MIT */
/*
 * SIEVE: one queue in order of arrival and a hand that goes from the oldest page towards the youngest. It clears
 * referenced bits and takes the first page whose bit is clear already; a page that is spared keeps its place, so that
 * new pages, which enter in front of the old and popular ones, are sifted soon. Behind the youngest the hand begins at
 * the oldest again. (Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson, K. V. Rashmi, "SIEVE is Simpler than LRU", NSDI 2024.)
 *
 * A page enters with its bit clear, unless enter=1 or the machine sets it by the access that faults.
 * State per page: its place in one queue. Needs a referenced bit.
 */
#include "core/policy.h"

struct sieve_state {
    struct ol_policy_queue queue;
    ol_frame_no hand; /* the page looked at next; OL_NO_FRAME: the oldest */
};

static enum ol_status sieve_init(struct ol_policy *policy, const char *parameters)
{
    struct sieve_state *sieve = policy->state;
    uint64_t enter = 0;
    const struct ol_policy_parameter known[] = {{"enter", 0, 1, &enter}};
    ol_policy_queue_init(&sieve->queue);
    sieve->hand = OL_NO_FRAME;
    const enum ol_status status = ol_policy_parse(parameters, known, 1);
    policy->enter_set = enter;
    return status;
}

static void sieve_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct sieve_state *sieve = policy->state;
    ol_policy_queue_push(policy, &sieve->queue, frame);
}

/* As the oldest: among the youngest, the hand would meet it for ever. */
static void sieve_spare(struct ol_policy *policy, ol_frame_no frame)
{
    struct sieve_state *sieve = policy->state;
    const ol_frame_no oldest = sieve->queue.head;
    ol_policy_queue_push(policy, &sieve->queue, frame);
    if (oldest == OL_NO_FRAME) return;
    struct ol_policy_words *links = policy->links;
    sieve->queue.tail = links[frame].word[0];
    links[sieve->queue.tail].word[1] = OL_NO_FRAME;
    links[frame] = (struct ol_policy_words){{OL_NO_FRAME, oldest}};
    links[oldest].word[0] = frame;
    sieve->queue.head = frame;
}

static void sieve_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct sieve_state *sieve = policy->state;
    if (sieve->hand == frame) sieve->hand = policy->links[frame].word[1];
    ol_policy_queue_remove(policy, &sieve->queue, frame);
}

static ol_frame_no sieve_victim(struct ol_policy *policy)
{
    struct sieve_state *sieve = policy->state;
    if (!sieve->queue.count) return OL_NO_FRAME;
    if (sieve->hand == OL_NO_FRAME) sieve->hand = sieve->queue.head;
    /* After a whole round every bit was cleared; one set again meanwhile does not count. */
    for (uint32_t spared = 0; spared < sieve->queue.count; spared++) {
        if (!policy->test_clear_referenced(policy->core, sieve->hand)) break;
        sieve->hand = policy->links[sieve->hand].word[1];
        if (sieve->hand == OL_NO_FRAME) sieve->hand = sieve->queue.head;
    }
    const ol_frame_no frame = sieve->hand;
    sieve_remove(policy, frame);
    return frame;
}

const struct ol_policy_ops ol_policy_sieve = {
    .name = "sieve",
    .summary = "FIFO with a hand that spares referenced pages where they stand",
    .parameters = "enter=0|1: does a page enter with its bit set (0; hardware sets it anyway)",
    .needs = OL_NEEDS_REFERENCED,
    .repeats = 2,
    .state_bytes = sizeof(struct sieve_state),
    .init = sieve_init,
    .insert = sieve_insert,
    .remove = sieve_remove,
    .spare = sieve_spare,
    .victim = sieve_victim,
};
