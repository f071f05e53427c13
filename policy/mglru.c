/* SPDX-License-Identifier: MIT */
/*
 * MGLRU: pages stand in generations by age. A new page enters the youngest. The victim is the oldest page of the oldest
 * generation whose bit is clear; one whose bit is set goes to the youngest. When only two generations are left, a new
 * youngest one is made: all pages are looked at, and those whose bit is set go there. (Yu Zhao, "Multi-Gen LRU", Linux
 * 6.1, 2022; Documentation/mm/multigen_lru.rst.)
 *
 * Left open here, since it concerns more than anonymous pages of one process: tiers of pages used through file
 * descriptors, the balance between anonymous and file pages, walks that skip parts of the tables, and protection by
 * time.
 *
 * State per page: its generation and its place in it. Needs a referenced bit; making a generation costs time in
 * proportion to the pages.
 */
#include "core/policy.h"

enum { GENERATIONS = 4, GENERATIONS_LEAST = 2 };

struct mglru_state {
    struct ol_policy_queue generation[GENERATIONS]; /* by its number modulo GENERATIONS */
    uint32_t oldest, youngest;                      /* numbers */
    uint32_t count;
};

static enum ol_status mglru_init(struct ol_policy *policy, const char *parameters)
{
    struct mglru_state *mglru = policy->state;
    for (int i = 0; i < GENERATIONS; i++) ol_policy_queue_init(&mglru->generation[i]);
    mglru->youngest = GENERATIONS_LEAST;
    return parameters ? OL_E_INVALID : OL_OK;
}

static struct ol_policy_queue *queue_of(struct ol_policy *policy, uint32_t number)
{
    struct mglru_state *mglru = policy->state;
    return &mglru->generation[number % GENERATIONS];
}

static void enqueue(struct ol_policy *policy, ol_frame_no frame)
{
    struct mglru_state *mglru = policy->state;
    policy->words[0][frame] = mglru->youngest % GENERATIONS;
    ol_policy_queue_push(policy, queue_of(policy, mglru->youngest), frame);
}

static void mglru_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct mglru_state *mglru = policy->state;
    mglru->count++;
    enqueue(policy, frame);
}

static void mglru_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct mglru_state *mglru = policy->state;
    mglru->count--;
    ol_policy_queue_remove(policy, &mglru->generation[policy->words[0][frame]], frame);
}

/* Makes a generation of the pages that were referenced. */
static void age(struct ol_policy *policy)
{
    struct mglru_state *mglru = policy->state;
    const uint32_t before = mglru->youngest++;
    for (uint32_t number = mglru->oldest; number <= before; number++) {
        struct ol_policy_queue *queue = queue_of(policy, number);
        for (ol_frame_no frame = queue->head, next; frame != OL_NO_FRAME; frame = next) {
            next = policy->links[frame].word[1];
            if (!policy->test_clear_referenced(policy->core, frame)) continue;
            ol_policy_queue_remove(policy, queue, frame);
            enqueue(policy, frame);
        }
    }
}

static ol_frame_no mglru_victim(struct ol_policy *policy)
{
    struct mglru_state *mglru = policy->state;
    if (!mglru->count) return OL_NO_FRAME;
    for (uint32_t spared = 0;;) {
        while (!queue_of(policy, mglru->oldest)->count && mglru->youngest - mglru->oldest >= GENERATIONS_LEAST)
            mglru->oldest++;
        if (mglru->youngest - mglru->oldest < GENERATIONS_LEAST) age(policy);
        const ol_frame_no frame = queue_of(policy, mglru->oldest)->head;
        if (frame == OL_NO_FRAME) continue;
        /* After all were spared once, one goes whatever its bit says. */
        const bool spare = spared++ < mglru->count && policy->test_clear_referenced(policy->core, frame);
        mglru_remove(policy, frame);
        if (!spare) return frame;
        mglru_insert(policy, frame);
    }
}

const struct ol_policy_ops ol_policy_mglru = {
    .name = "mglru",
    .summary = "generations of pages, as in Linux",
    .needs = OL_NEEDS_REFERENCED,
    .repeats = 2,
    .words = 1,
    .state_bytes = sizeof(struct mglru_state),
    .init = mglru_init,
    .insert = mglru_insert,
    .remove = mglru_remove,
    .victim = mglru_victim,
};
