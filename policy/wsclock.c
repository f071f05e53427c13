/* SPDX-License-Identifier: MIT */
/*
 * WSClock: the pages stand in a circle, each with the time at which it was last found referenced. The hand goes round:
 * a page whose bit is set gets the time of now, and its bit is cleared; another one that was last found referenced more
 * than tau ago is out of the working set and goes, a clean one at once, a modified one only if a round finds no clean
 * one. (R. W. Carr, J. L. Hennessy, "WSClock: A Simple and Effective Algorithm for Virtual Memory Management", SOSP
 * 1981.)
 *
 * Left open: tau, here 10 clock ticks; and what goes if no page is out of the working set (Carr and Hennessy then
 * suspend a program): the first page of the round that was clean and whose bit was clear, else the one at the hand.
 * Writing ahead of need is the core's work, not the policy's.
 *
 * State per page: its neighbours in the circle, and the time. Needs referenced and modified bits, and time.
 */
#include "core/policy.h"

struct wsclock_state {
    ol_frame_no hand; /* OL_NO_FRAME if the circle is empty */
    uint32_t count;
    uint64_t tau;
};

static enum ol_status wsclock_init(struct ol_policy *policy, const char *parameters)
{
    struct wsclock_state *clock = policy->state;
    const struct ol_policy_parameter known[] = {{"tau", 1, UINT64_MAX, &clock->tau}};
    clock->hand = OL_NO_FRAME;
    clock->tau = 10 * policy->tick_units;
    return ol_policy_parse(parameters, known, 1);
}

static void set_time(struct ol_policy *policy, ol_frame_no frame)
{
    policy->words[0][frame] = (uint32_t)policy->now;
    policy->words[1][frame] = (uint32_t)(policy->now >> 32);
}

static uint64_t age(const struct ol_policy *policy, ol_frame_no frame)
{
    return policy->now - ((uint64_t)policy->words[1][frame] << 32 | policy->words[0][frame]);
}

/* Right behind the hand. */
static void wsclock_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct wsclock_state *clock = policy->state;
    struct ol_policy_words *links = policy->links;
    set_time(policy, frame);
    if (!clock->count++) {
        links[frame] = (struct ol_policy_words){{frame, frame}};
        clock->hand = frame;
        return;
    }
    const ol_frame_no before = links[clock->hand].word[0];
    links[frame] = (struct ol_policy_words){{before, clock->hand}};
    links[before].word[1] = links[clock->hand].word[0] = frame;
}

static void wsclock_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct wsclock_state *clock = policy->state;
    struct ol_policy_words *links = policy->links;
    const ol_frame_no before = links[frame].word[0], after = links[frame].word[1];
    links[before].word[1] = after;
    links[after].word[0] = before;
    if (clock->hand == frame) clock->hand = after;
    if (!--clock->count) clock->hand = OL_NO_FRAME;
}

/* Goes one round at most. */
static ol_frame_no choose(struct ol_policy *policy)
{
    const struct wsclock_state *clock = policy->state;
    ol_frame_no modified = OL_NO_FRAME, young = OL_NO_FRAME, at = clock->hand;
    for (uint32_t left = clock->count; left; left--, at = policy->links[at].word[1]) {
        if (policy->test_clear_referenced(policy->core, at)) {
            set_time(policy, at);
            continue;
        }
        const bool old = age(policy, at) > clock->tau;
        if (!old && young != OL_NO_FRAME) continue;
        const bool clean = !policy->test_modified(policy->core, at);
        if (old && clean) return at;
        if (old && modified == OL_NO_FRAME) modified = at;
        if (!old && clean) young = at;
    }
    if (modified != OL_NO_FRAME) return modified;
    return young != OL_NO_FRAME ? young : clock->hand;
}

static ol_frame_no wsclock_victim(struct ol_policy *policy)
{
    struct wsclock_state *clock = policy->state;
    if (!clock->count) return OL_NO_FRAME;
    const ol_frame_no frame = choose(policy);
    clock->hand = frame;
    wsclock_remove(policy, frame);
    return frame;
}

const struct ol_policy_ops ol_policy_wsclock = {
    .name = "wsclock",
    .summary = "clock that spares pages found referenced within tau",
    .parameters = "tau=1..: in units of the machine's time (10 clock ticks)",
    .needs = OL_NEEDS_REFERENCED | OL_NEEDS_MODIFIED | OL_NEEDS_TIME,
    .words = 2,
    .state_bytes = sizeof(struct wsclock_state),
    .init = wsclock_init,
    .insert = wsclock_insert,
    .remove = wsclock_remove,
    .victim = wsclock_victim,
};
