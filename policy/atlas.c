/* SPDX-License-Identifier: MIT */
/*
 * The learning program of Atlas, the first policy of all. At each tick it looks at the use digits. For each page it
 * keeps t, the ticks since the page was last used, and T, how long the page was unused the time before. It takes
 * 1. a page with t > T + 1: it is unused longer than the last time, so it seems no longer wanted; else
 * 2. of those with t > 0, the one with the largest T - t: it will be wanted latest if things go on as they did; else
 * 3. if all are in use, the one with the largest T.
 * (T. Kilburn, D. B. G. Edwards, M. J. Lanigan, F. H. Sumner, "One-Level Storage System", IRE Transactions EC-11(2),
 * 1962; there a tick is 1024 instructions.)
 *
 * Left open: which of several; here the one longest in memory. A page begins with T = 0; Atlas set it to the time that
 * the page had been on the drum. Periods without use end when a tick finds the page used.
 *
 * State per page: t, T, and its place in one queue. Needs a referenced bit, and time; a tick and a victim cost time in
 * proportion to the pages.
 */
#include "core/policy.h"

enum { NOW_UNUSED, LAST_UNUSED }; /* words: t, T */

struct atlas_state {
    struct ol_policy_queue queue; /* in order of arrival */
    uint64_t interval;
};

static enum ol_status atlas_init(struct ol_policy *policy, const char *parameters)
{
    struct atlas_state *atlas = policy->state;
    const struct ol_policy_parameter known[] = {{"interval", 1, UINT64_MAX, &atlas->interval}};
    ol_policy_queue_init(&atlas->queue);
    atlas->interval = policy->tick_units;
    const enum ol_status status = ol_policy_parse(parameters, known, 1);
    policy->tick_at = policy->now + atlas->interval;
    policy->enter_set = true;
    return status;
}

static void atlas_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct atlas_state *atlas = policy->state;
    policy->words[NOW_UNUSED][frame] = policy->words[LAST_UNUSED][frame] = 0;
    ol_policy_queue_push(policy, &atlas->queue, frame);
}

static void atlas_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct atlas_state *atlas = policy->state;
    ol_policy_queue_remove(policy, &atlas->queue, frame);
}

static void atlas_tick(struct ol_policy *policy)
{
    struct atlas_state *atlas = policy->state;
    uint32_t *t = policy->words[NOW_UNUSED], *last = policy->words[LAST_UNUSED];
    for (ol_frame_no at = atlas->queue.head; at != OL_NO_FRAME; at = policy->links[at].word[1]) {
        if (!policy->test_clear_referenced(policy->core, at)) {
            t[at]++;
        } else if (t[at]) {
            last[at] = t[at];
            t[at] = 0;
        }
    }
    policy->tick_at = policy->now + atlas->interval;
}

static ol_frame_no atlas_victim(struct ol_policy *policy)
{
    const struct atlas_state *atlas = policy->state;
    const uint32_t *t = policy->words[NOW_UNUSED], *last = policy->words[LAST_UNUSED];
    ol_frame_no unused = OL_NO_FRAME, used = atlas->queue.head, victim = OL_NO_FRAME;
    for (ol_frame_no at = atlas->queue.head; at != OL_NO_FRAME && victim == OL_NO_FRAME;
         at = policy->links[at].word[1]) {
        if (t[at] > last[at] + 1) victim = at;
        else if (t[at] && (unused == OL_NO_FRAME || (int64_t)last[at] - t[at] > (int64_t)last[unused] - t[unused]))
            unused = at;
        else if (last[at] > last[used]) used = at;
    }
    if (victim == OL_NO_FRAME) victim = unused != OL_NO_FRAME ? unused : used;
    if (victim != OL_NO_FRAME) atlas_remove(policy, victim);
    return victim;
}

const struct ol_policy_ops ol_policy_atlas = {
    .name = "atlas",
    .summary = "Atlas's learning program: how long unused, against the last time",
    .parameters = "interval=1..: between ticks, in units of the machine's time (a clock tick)",
    .needs = OL_NEEDS_REFERENCED | OL_NEEDS_TIME,
    .words = 2,
    .state_bytes = sizeof(struct atlas_state),
    .init = atlas_init,
    .insert = atlas_insert,
    .remove = atlas_remove,
    .victim = atlas_victim,
    .tick = atlas_tick,
};
