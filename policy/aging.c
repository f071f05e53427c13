/* SPDX-License-Identifier: MIT */
/*
 * Aging: at each clock tick, the referenced bit of each page is shifted into its counter of 8 bits from the left, and
 * cleared; the page with the smallest counter goes. So references count by how many ticks ago they were, an
 * approximation of LRU for machines that have only bits. (A. S. Tanenbaum, "Modern Operating Systems"; "not frequently
 * used with aging".)
 *
 * Left open: the counter of a new page: its leftmost bit is set. Which page of those with equal counters: the one that
 * came first to that counter; after a tick, the one whose counter was smaller before.
 *
 * State per page: its counter and its place in the queue of that counter. Needs a referenced bit and time; a tick costs
 * time in proportion to the pages.
 */
#include "core/policy.h"

enum { COUNTERS = 256, LEFTMOST = 128 };

struct aging_state {
    struct ol_policy_queue queue[COUNTERS];
    uint64_t interval;
    uint32_t lowest; /* no queue below has pages */
};

static enum ol_status aging_init(struct ol_policy *policy, const char *parameters)
{
    struct aging_state *aging = policy->state;
    const struct ol_policy_parameter known[] = {{"interval", 1, UINT64_MAX, &aging->interval}};
    for (int i = 0; i < COUNTERS; i++) ol_policy_queue_init(&aging->queue[i]);
    aging->interval = policy->tick_units;
    const enum ol_status status = ol_policy_parse(parameters, known, 1);
    policy->tick_at = policy->now + aging->interval;
    return status;
}

static void enqueue(struct ol_policy *policy, uint32_t counter, ol_frame_no frame)
{
    struct aging_state *aging = policy->state;
    policy->words[0][frame] = counter;
    ol_policy_queue_push(policy, &aging->queue[counter], frame);
    if (counter < aging->lowest) aging->lowest = counter;
}

static void aging_insert(struct ol_policy *policy, ol_frame_no frame)
{
    enqueue(policy, LEFTMOST, frame);
}

/* Behind all others. */
static void aging_spare(struct ol_policy *policy, ol_frame_no frame)
{
    enqueue(policy, COUNTERS - 1, frame);
}

static void aging_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct aging_state *aging = policy->state;
    ol_policy_queue_remove(policy, &aging->queue[policy->words[0][frame]], frame);
}

static ol_frame_no aging_victim(struct ol_policy *policy)
{
    struct aging_state *aging = policy->state;
    while (aging->lowest < COUNTERS - 1 && !aging->queue[aging->lowest].count) aging->lowest++;
    return ol_policy_queue_pop(policy, &aging->queue[aging->lowest]);
}

/* Shifts all counters: first all pages into one queue by rising counter, then back into those of their new ones. */
static void aging_tick(struct ol_policy *policy)
{
    struct aging_state *aging = policy->state;
    struct ol_policy_queue all;
    ol_policy_queue_init(&all);
    for (int counter = 0; counter < COUNTERS; counter++)
        while (aging->queue[counter].count)
            ol_policy_queue_push(policy, &all, ol_policy_queue_pop(policy, &aging->queue[counter]));
    while (all.count) {
        const ol_frame_no frame = ol_policy_queue_pop(policy, &all);
        const uint32_t bit = policy->test_clear_referenced(policy->core, frame) ? LEFTMOST : 0;
        enqueue(policy, policy->words[0][frame] >> 1 | bit, frame);
    }
    policy->tick_at = policy->now + aging->interval;
}

const struct ol_policy_ops ol_policy_aging = {
    .name = "aging",
    .summary = "the smallest counter of recent ticks in which the page was used",
    .parameters = "interval=1..: between ticks, in units of the machine's time (a clock tick)",
    .needs = OL_NEEDS_REFERENCED | OL_NEEDS_TIME,
    .words = 1,
    .state_bytes = sizeof(struct aging_state),
    .init = aging_init,
    .insert = aging_insert,
    .remove = aging_remove,
    .spare = aging_spare,
    .victim = aging_victim,
    .tick = aging_tick,
};
