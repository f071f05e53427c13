/* SPDX-License-Identifier: MIT */
/*
 * LIRS: pages with a low inter-reference recency (LIR) keep their frames; the others (HIR) share a few frames and are
 * given up in the order of the queue Q. The stack S holds, by recency, the LIR pages and HIR pages that were referenced
 * more recently than the LIR page at its bottom, also ones without a frame. A HIR page referenced while it is in S
 * becomes LIR, and the LIR page at the bottom becomes HIR; then HIR pages are taken off the bottom until a LIR page is
 * there. (S. Jiang, X. Zhang, "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy to Improve Buffer
 * Cache Performance", SIGMETRICS 2002.)
 *
 * Left open: how many frames are for HIR pages; here 1 %, at least one. How many pages without a frame S remembers,
 * which the paper does not bound; here twice as many as there are frames (or as many as the machine can), and the one
 * that lost its frame longest ago is forgotten. Pages enter as LIR while there are frames for such.
 *
 * State per page: what it is, its place in S, and its place in Q, or among those without a frame; ghosts. Needs every
 * reference.
 */
#include "core/policy.h"

enum { LIR = 1, IN_STACK = 2, GHOST = 4 };
enum { KIND, BEFORE, AFTER }; /* words; the last two are the links of Q and of the ghosts' queue */

struct lirs_state {
    struct ol_policy_queue stack;  /* from the bottom to the top */
    struct ol_policy_queue queue;  /* Q; linked by words */
    struct ol_policy_queue ghosts; /* in the order in which they lost their frame; linked by words */
    uint32_t lir_count;
    uint64_t hir;   /* frames for HIR pages, percent */
    uint64_t limit; /* pages remembered, percent of the frames */
};

static enum ol_status lirs_init(struct ol_policy *policy, const char *parameters)
{
    struct lirs_state *lirs = policy->state;
    const struct ol_policy_parameter known[] = {{"hir", 1, 100, &lirs->hir}, {"ghosts", 0, 1000000, &lirs->limit}};
    ol_policy_queue_init(&lirs->stack);
    ol_policy_queue_init(&lirs->queue);
    ol_policy_queue_init(&lirs->ghosts);
    lirs->hir = 1;
    lirs->limit = 200;
    return ol_policy_parse(parameters, known, 2);
}

/* --- queues linked by words -------------------------------------------------------------------------------------- */

static void enqueue(struct ol_policy *policy, struct ol_policy_queue *queue, ol_frame_no entry)
{
    policy->words[BEFORE][entry] = queue->tail;
    policy->words[AFTER][entry] = OL_NO_FRAME;
    if (queue->tail == OL_NO_FRAME) queue->head = entry;
    else policy->words[AFTER][queue->tail] = entry;
    queue->tail = entry;
    queue->count++;
}

static void dequeue(struct ol_policy *policy, struct ol_policy_queue *queue, ol_frame_no entry)
{
    const uint32_t before = policy->words[BEFORE][entry], after = policy->words[AFTER][entry];
    if (before == OL_NO_FRAME) queue->head = after;
    else policy->words[AFTER][before] = after;
    if (after == OL_NO_FRAME) queue->tail = before;
    else policy->words[BEFORE][after] = before;
    queue->count--;
}

/* --- the stack --------------------------------------------------------------------------------------------------- */

static void stack_push(struct ol_policy *policy, ol_frame_no frame)
{
    struct lirs_state *lirs = policy->state;
    policy->words[KIND][frame] |= IN_STACK;
    ol_policy_queue_push(policy, &lirs->stack, frame);
}

static void stack_take(struct ol_policy *policy, ol_frame_no entry)
{
    struct lirs_state *lirs = policy->state;
    if (!(policy->words[KIND][entry] & IN_STACK)) return;
    policy->words[KIND][entry] &= ~(uint32_t)IN_STACK;
    ol_policy_queue_remove(policy, &lirs->stack, entry);
}

/* Takes a ghost out of all lists. */
static void lirs_drop(struct ol_policy *policy, ol_frame_no ghost)
{
    struct lirs_state *lirs = policy->state;
    stack_take(policy, ghost);
    dequeue(policy, &lirs->ghosts, ghost);
}

static void forget(struct ol_policy *policy, ol_frame_no ghost)
{
    lirs_drop(policy, ghost);
    policy->forget(policy->core, ghost);
}

/* Until a LIR page is at the bottom. */
static void prune(struct ol_policy *policy)
{
    struct lirs_state *lirs = policy->state;
    while (lirs->stack.count && !(policy->words[KIND][lirs->stack.head] & LIR)) {
        const ol_frame_no entry = lirs->stack.head;
        if (policy->words[KIND][entry] & GHOST) forget(policy, entry);
        else stack_take(policy, entry);
    }
}

static uint32_t lir_frames(const struct ol_policy *policy)
{
    const struct lirs_state *lirs = policy->state;
    return policy->frames - ol_policy_share(policy, lirs->hir, 1);
}

/* LIR pages at the bottom become HIR, until there are no more than frames for them. */
static void limit_lir(struct ol_policy *policy)
{
    struct lirs_state *lirs = policy->state;
    while (lirs->lir_count > lir_frames(policy)) {
        prune(policy);
        const ol_frame_no frame = lirs->stack.head;
        stack_take(policy, frame);
        policy->words[KIND][frame] = 0;
        lirs->lir_count--;
        enqueue(policy, &lirs->queue, frame);
    }
    prune(policy);
}

static void become_lir(struct ol_policy *policy, ol_frame_no frame)
{
    struct lirs_state *lirs = policy->state;
    policy->words[KIND][frame] = LIR;
    lirs->lir_count++;
    stack_push(policy, frame);
    limit_lir(policy);
}

/* --- the interface ----------------------------------------------------------------------------------------------- */

static void lirs_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct lirs_state *lirs = policy->state;
    const ol_frame_no ghost = policy->recall(policy->core, frame);
    if (ghost != OL_NO_FRAME) forget(policy, ghost);
    if (ghost != OL_NO_FRAME || lirs->lir_count < lir_frames(policy)) {
        become_lir(policy, frame);
    } else {
        policy->words[KIND][frame] = 0;
        if (lirs->lir_count) stack_push(policy, frame);
        enqueue(policy, &lirs->queue, frame);
    }
    while (lirs->ghosts.count > policy->frames * lirs->limit / 100) forget(policy, lirs->ghosts.head);
}

static void lirs_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct lirs_state *lirs = policy->state;
    const bool lir = policy->words[KIND][frame] & LIR;
    stack_take(policy, frame);
    if (!lir) dequeue(policy, &lirs->queue, frame);
    else lirs->lir_count--;
    prune(policy);
}

static void touch_one(struct ol_policy *policy, ol_frame_no frame)
{
    struct lirs_state *lirs = policy->state;
    const uint32_t kind = policy->words[KIND][frame];
    if (kind & LIR) {
        stack_take(policy, frame);
        stack_push(policy, frame);
        prune(policy);
        return;
    }
    dequeue(policy, &lirs->queue, frame);
    if (kind & IN_STACK) {
        stack_take(policy, frame);
        become_lir(policy, frame);
        return;
    }
    if (lirs->lir_count) stack_push(policy, frame);
    enqueue(policy, &lirs->queue, frame);
}

static void lirs_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) touch_one(policy, frames[i]);
}

static ol_frame_no lirs_victim(struct ol_policy *policy)
{
    struct lirs_state *lirs = policy->state;
    const ol_frame_no frame = lirs->queue.count ? lirs->queue.head : lirs->stack.head;
    if (frame == OL_NO_FRAME) return frame;
    if (!lirs->queue.count || !(policy->words[KIND][frame] & IN_STACK)) {
        lirs_remove(policy, frame);
        return frame;
    }
    dequeue(policy, &lirs->queue, frame);
    ol_frame_no ghost = policy->remember(policy->core, frame);
    if (ghost == OL_NO_FRAME && lirs->ghosts.count) {
        forget(policy, lirs->ghosts.head);
        ghost = policy->remember(policy->core, frame);
    }
    if (ghost == OL_NO_FRAME) {
        stack_take(policy, frame);
        return frame;
    }
    if (ghost != frame) { /* takes its place in the stack */
        struct ol_policy_words *links = policy->links;
        links[ghost] = links[frame];
        if (links[ghost].word[0] == OL_NO_FRAME) lirs->stack.head = ghost;
        else links[links[ghost].word[0]].word[1] = ghost;
        if (links[ghost].word[1] == OL_NO_FRAME) lirs->stack.tail = ghost;
        else links[links[ghost].word[1]].word[0] = ghost;
    }
    policy->words[KIND][ghost] = GHOST | IN_STACK;
    enqueue(policy, &lirs->ghosts, ghost);
    return frame;
}

const struct ol_policy_ops ol_policy_lirs = {
    .name = "lirs",
    .summary = "pages whose references lie close together keep their frames",
    .parameters =
        "hir=1..100: frames for other pages, percent (1); ghosts=0..: pages remembered, percent of the frames "
        "(200)",
    .needs = OL_NEEDS_EXACT | OL_NEEDS_GHOSTS,
    .repeats = 3,
    .words = 3,
    .state_bytes = sizeof(struct lirs_state),
    .init = lirs_init,
    .insert = lirs_insert,
    .remove = lirs_remove,
    .touch = lirs_touch,
    .victim = lirs_victim,
    .drop = lirs_drop,
};
