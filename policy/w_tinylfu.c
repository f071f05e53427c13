/* SPDX-License-Identifier: MIT */
/*
 * W-TinyLFU: a new page enters a small LRU window; what the window pushes out must win against the victim of the main
 * part, by how often both were referenced lately, also while they were not in memory; the loser goes. The main part is
 * segmented: a page enters probation, a reference there takes it to the protected part, whose oldest returns to
 * probation. Frequencies are estimated by a count-min sketch with counters up to 15, all halved after ten references
 * for each frame. (G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM ToS
 * 13(4), 2017.)
 *
 * Left open: the window has 1 % of the frames, at least one; 80 % of the rest are protected. The sketch has eight
 * counters for each word, the words being the largest power of two up to the number of frames at the start; each page
 * has one in each of four words. Equal frequencies: the page from the window loses. There is no doorkeeper.
 *
 * State per page: its queue and place, and a word of the sketch. Needs every reference.
 */
#include "core/policy.h"

enum { WINDOW, PROBATION, PROTECTED, QUEUES };
enum { QUEUE, SKETCH }; /* words */
enum { ROWS = 4, COUNTER_MAX = 15 };

struct tinylfu_state {
    struct ol_policy_queue queue[QUEUES];
    uint64_t window, protect; /* percent */
    uint32_t mask;            /* words of the sketch, less one */
    uint64_t additions, sample;
};

static enum ol_status tinylfu_init(struct ol_policy *policy, const char *parameters)
{
    struct tinylfu_state *state = policy->state;
    const struct ol_policy_parameter known[] = {{"window", 1, 99, &state->window},
                                                {"protected", 0, 100, &state->protect}};
    for (int i = 0; i < QUEUES; i++) ol_policy_queue_init(&state->queue[i]);
    state->window = 1;
    state->protect = 80;
    while (2 * (uint64_t)state->mask + 2 <= policy->frames) state->mask = 2 * state->mask + 1;
    for (uint32_t i = 0; i <= state->mask; i++) policy->words[SKETCH][i] = 0;
    state->sample = 10 * (uint64_t)policy->frames;
    return ol_policy_parse(parameters, known, 2);
}

/* --- the sketch -------------------------------------------------------------------------------------------------- */

/* Where the counter of a page in a row is: the word, and the shift within it. */
static uint32_t *counter(struct ol_policy *policy, uint32_t page, unsigned row, unsigned *shift)
{
    static const uint64_t factors[ROWS] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f),
                                           UINT64_C(0x165667b19e3779f9), UINT64_C(0xd6e8feb86659fd93)};
    const struct tinylfu_state *state = policy->state;
    const uint64_t hash = (page + UINT64_C(1)) * factors[row];
    *shift = (unsigned)(hash >> 61) * 4;
    return &policy->words[SKETCH][(uint32_t)(hash >> 29) & state->mask];
}

static void count_reference(struct ol_policy *policy, ol_frame_no frame)
{
    struct tinylfu_state *state = policy->state;
    const uint32_t page = policy->page_of(policy->core, frame);
    bool added = false;
    for (unsigned row = 0, shift; row < ROWS; row++) {
        uint32_t *word = counter(policy, page, row, &shift);
        if ((*word >> shift & COUNTER_MAX) == COUNTER_MAX) continue;
        *word += UINT32_C(1) << shift;
        added = true;
    }
    if (!added || ++state->additions < state->sample) return;
    for (uint32_t i = 0; i <= state->mask; i++)
        policy->words[SKETCH][i] = policy->words[SKETCH][i] >> 1 & UINT32_C(0x77777777);
    state->additions /= 2;
}

static uint32_t frequency(struct ol_policy *policy, ol_frame_no frame)
{
    const uint32_t page = policy->page_of(policy->core, frame);
    uint32_t least = COUNTER_MAX;
    for (unsigned row = 0, shift; row < ROWS; row++) {
        const uint32_t word = *counter(policy, page, row, &shift); /* sets shift */
        const uint32_t count = word >> shift & COUNTER_MAX;
        if (count < least) least = count;
    }
    return least;
}

/* --- the queues -------------------------------------------------------------------------------------------------- */

static void enqueue(struct ol_policy *policy, uint32_t queue, ol_frame_no frame)
{
    struct tinylfu_state *state = policy->state;
    policy->words[QUEUE][frame] = queue;
    ol_policy_queue_push(policy, &state->queue[queue], frame);
}

static void tinylfu_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct tinylfu_state *state = policy->state;
    ol_policy_queue_remove(policy, &state->queue[policy->words[QUEUE][frame]], frame);
}

static uint32_t window_share(const struct ol_policy *policy)
{
    const struct tinylfu_state *state = policy->state;
    return ol_policy_share(policy, state->window, 1);
}

static void tinylfu_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct tinylfu_state *state = policy->state;
    count_reference(policy, frame);
    enqueue(policy, WINDOW, frame);
    if (state->queue[WINDOW].count > window_share(policy))
        enqueue(policy, PROBATION, ol_policy_queue_pop(policy, &state->queue[WINDOW]));
}

static void tinylfu_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    struct tinylfu_state *state = policy->state;
    const uint64_t protect = (policy->frames - window_share(policy)) * state->protect / 100;
    for (size_t i = 0; i < count; i++) {
        const bool window = policy->words[QUEUE][frames[i]] == WINDOW;
        count_reference(policy, frames[i]);
        tinylfu_remove(policy, frames[i]);
        enqueue(policy, window ? WINDOW : PROTECTED, frames[i]);
        if (state->queue[PROTECTED].count > protect)
            enqueue(policy, PROBATION, ol_policy_queue_pop(policy, &state->queue[PROTECTED]));
    }
}

static ol_frame_no tinylfu_victim(struct ol_policy *policy)
{
    struct tinylfu_state *state = policy->state;
    const ol_frame_no candidate = state->queue[WINDOW].head;
    ol_frame_no victim = state->queue[PROBATION].head;
    if (victim == OL_NO_FRAME) victim = state->queue[PROTECTED].head;
    const bool contest = victim != OL_NO_FRAME && state->queue[WINDOW].count >= window_share(policy);
    if (contest && frequency(policy, candidate) > frequency(policy, victim)) {
        tinylfu_remove(policy, candidate);
        enqueue(policy, PROBATION, candidate);
    } else if (contest || victim == OL_NO_FRAME) {
        victim = candidate;
    }
    if (victim != OL_NO_FRAME) tinylfu_remove(policy, victim);
    return victim;
}

const struct ol_policy_ops ol_policy_w_tinylfu = {
    .name = "w-tinylfu",
    .summary = "an LRU window, and admission by frequency",
    .parameters = "window=1..99: percent of the frames (1); protected=0..100: percent of the rest (80)",
    .needs = OL_NEEDS_EXACT,
    .words = 2,
    .state_bytes = sizeof(struct tinylfu_state),
    .init = tinylfu_init,
    .insert = tinylfu_insert,
    .remove = tinylfu_remove,
    .touch = tinylfu_touch,
    .victim = tinylfu_victim,
};
