/* SPDX-License-Identifier: MIT */
/*
 * 2Q: a new page enters the FIFO queue A1in; when it leaves that, A1out remembers it. A page that is wanted again while
 * A1out remembers it enters Am, an LRU queue. References to pages in A1in change nothing: they belong to the same
 * burst. The victim is the oldest of A1in while that is longer than its share, else the oldest of Am. (T. Johnson, D.
 * Shasha, "2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm", VLDB 1994, the full version.)
 *
 * Left open: the shares; the paper suggests 25 % of the frames for A1in and as many pages as 50 % for A1out. A page
 * that comes back leaves A1out before its oldest is forgotten. If Am is empty, A1in gives up a page whatever its
 * length.
 *
 * State per page: its queue, its place in it, and a stamp that spares repeated moves; ghosts. Needs every reference.
 */
#include "core/policy.h"

enum { A1IN, AM, A1OUT, QUEUES };
enum { QUEUE, STAMP }; /* words */

struct two_q_state {
    struct ol_policy_queue queue[QUEUES];
    uint32_t stamp;
    uint64_t in, out; /* shares, percent of the frames */
};

static enum ol_status two_q_init(struct ol_policy *policy, const char *parameters)
{
    struct two_q_state *two_q = policy->state;
    const struct ol_policy_parameter known[] = {{"in", 1, 100, &two_q->in}, {"out", 0, 100, &two_q->out}};
    for (int i = 0; i < QUEUES; i++) ol_policy_queue_init(&two_q->queue[i]);
    two_q->in = 25;
    two_q->out = 50;
    return ol_policy_parse(parameters, known, 2);
}

static void two_q_remove(struct ol_policy *policy, ol_frame_no entry)
{
    struct two_q_state *two_q = policy->state;
    ol_policy_queue_remove(policy, &two_q->queue[policy->words[QUEUE][entry]], entry);
}

static void two_q_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct two_q_state *two_q = policy->state;
    const ol_frame_no ghost = policy->recall(policy->core, frame);
    if (ghost != OL_NO_FRAME) {
        two_q_remove(policy, ghost);
        policy->forget(policy->core, ghost);
    }
    const uint32_t queue = ghost != OL_NO_FRAME ? AM : A1IN;
    policy->words[QUEUE][frame] = queue;
    policy->words[STAMP][frame] = 0;
    ol_policy_queue_push(policy, &two_q->queue[queue], frame);
    ol_policy_queue_forget(policy, &two_q->queue[A1OUT], ol_policy_share(policy, two_q->out, 0));
}

static void two_q_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    struct two_q_state *two_q = policy->state;
    struct ol_policy_renewal renewal;
    while (!ol_policy_renewal_begin(&renewal, policy, policy->words[STAMP], &two_q->stamp))
        for (ol_frame_no at = two_q->queue[AM].head; at != OL_NO_FRAME; at = policy->links[at].word[1])
            policy->words[STAMP][at] = 0;
    while (count--) {
        const ol_frame_no frame = frames[count];
        if (policy->words[QUEUE][frame] == AM && !ol_policy_renewed(&renewal, frame))
            ol_policy_renew(&renewal, &two_q->queue[AM], frame);
    }
    ol_policy_renewal_end(&renewal, &two_q->queue[AM]);
}

static ol_frame_no two_q_victim(struct ol_policy *policy)
{
    struct two_q_state *two_q = policy->state;
    if (two_q->queue[A1IN].count <= ol_policy_share(policy, two_q->in, 1) && two_q->queue[AM].count)
        return ol_policy_queue_pop(policy, &two_q->queue[AM]);
    const ol_frame_no frame = ol_policy_queue_pop(policy, &two_q->queue[A1IN]);
    if (frame == OL_NO_FRAME) return frame;
    const ol_frame_no ghost = ol_policy_queue_remember(policy, &two_q->queue[A1OUT], frame);
    if (ghost != OL_NO_FRAME) policy->words[QUEUE][ghost] = A1OUT;
    return frame;
}

const struct ol_policy_ops ol_policy_two_q = {
    .name = "2q",
    .summary = "a FIFO queue for new pages, an LRU queue for those that come back",
    .parameters = "in=1..100, out=0..100: shares of A1in and A1out, percent of the frames (25, 50)",
    .needs = OL_NEEDS_EXACT | OL_NEEDS_GHOSTS,
    .repeats = 1,
    .words = 2,
    .state_bytes = sizeof(struct two_q_state),
    .init = two_q_init,
    .insert = two_q_insert,
    .remove = two_q_remove,
    .touch = two_q_touch,
    .victim = two_q_victim,
    .drop = two_q_remove,
};
