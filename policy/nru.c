/* SPDX-License-Identifier: MIT */
/*
 * NRU, not recently used: pages fall into four classes by their referenced and modified bits: 0 neither, 1 modified,
 * 2 referenced, 3 both; a page of the lowest class goes. At each clock tick all referenced bits are cleared.
 * (A. S. Tanenbaum, "Modern Operating Systems".)
 *
 * Left open: which page of a class. Here the one known longest to be in it: a page is taken to be of the class that it
 * had when it was looked at last until it comes to the head of that class, where it is looked at again. A page enters
 * with its referenced bit set.
 *
 * State per page: its class and its place in it. Needs referenced and modified bits, and time; a tick costs time in
 * proportion to the pages.
 */
#include "core/policy.h"

enum { MODIFIED = 1, REFERENCED = 2, CLASSES = 4 };

struct nru_state {
    struct ol_policy_queue queue[CLASSES];
    uint64_t interval;
};

static enum ol_status nru_init(struct ol_policy *policy, const char *parameters)
{
    struct nru_state *nru = policy->state;
    const struct ol_policy_parameter known[] = {{"interval", 1, UINT64_MAX, &nru->interval}};
    for (int i = 0; i < CLASSES; i++) ol_policy_queue_init(&nru->queue[i]);
    nru->interval = policy->tick_units;
    const enum ol_status status = ol_policy_parse(parameters, known, 1);
    policy->tick_at = policy->now + nru->interval;
    policy->enter_set = true;
    return status;
}

static void enqueue(struct ol_policy *policy, uint32_t class, ol_frame_no frame)
{
    struct nru_state *nru = policy->state;
    policy->words[0][frame] = class;
    ol_policy_queue_push(policy, &nru->queue[class], frame);
}

static void nru_insert(struct ol_policy *policy, ol_frame_no frame)
{
    enqueue(policy, REFERENCED, frame);
}

/* Behind all others. */
static void nru_spare(struct ol_policy *policy, ol_frame_no frame)
{
    enqueue(policy, REFERENCED | MODIFIED, frame);
}

static void nru_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct nru_state *nru = policy->state;
    ol_policy_queue_remove(policy, &nru->queue[policy->words[0][frame]], frame);
}

/* The class that the page's bits say, or the one known if that is higher: a bit that was seen was cleared. */
static uint32_t look(struct ol_policy *policy, ol_frame_no frame)
{
    uint32_t class = policy->words[0][frame];
    if (!(class & REFERENCED) && policy->test_clear_referenced(policy->core, frame)) class |= REFERENCED;
    if (!(class & MODIFIED) && policy->test_modified(policy->core, frame)) class |= MODIFIED;
    return class;
}

static ol_frame_no nru_victim(struct ol_policy *policy)
{
    struct nru_state *nru = policy->state;
    for (uint32_t class = 0; class < CLASSES; class ++) {
        while (nru->queue[class].count) {
            const ol_frame_no frame = ol_policy_queue_pop(policy, &nru->queue[class]);
            const uint32_t now = look(policy, frame);
            if (now == class) return frame;
            enqueue(policy, now, frame);
        }
    }
    return OL_NO_FRAME;
}

static void nru_tick(struct ol_policy *policy)
{
    struct nru_state *nru = policy->state;
    for (uint32_t class = 0; class < CLASSES; class ++) {
        for (uint32_t left = nru->queue[class].count; left; left--) {
            const ol_frame_no frame = ol_policy_queue_pop(policy, &nru->queue[class]);
            (void)policy->test_clear_referenced(policy->core, frame);
            enqueue(policy, class & MODIFIED, frame);
        }
    }
    policy->tick_at = policy->now + nru->interval;
}

const struct ol_policy_ops ol_policy_nru = {
    .name = "nru",
    .summary = "not referenced since the last tick; of those, not modified",
    .parameters = "interval=1..: between ticks, in units of the machine's time (a clock tick)",
    .needs = OL_NEEDS_REFERENCED | OL_NEEDS_MODIFIED | OL_NEEDS_TIME,
    .words = 1,
    .state_bytes = sizeof(struct nru_state),
    .init = nru_init,
    .insert = nru_insert,
    .remove = nru_remove,
    .spare = nru_spare,
    .victim = nru_victim,
    .tick = nru_tick,
};
