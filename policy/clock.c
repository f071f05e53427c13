/* SPDX-License-Identifier: MIT */
/*
 * Clock: the pages stand in a circle; a hand goes round, clears referenced bits, and takes the first page whose bit is
 * clear already. A new page enters right behind the hand, so that it is looked at last. (F. J. Corbató, "A Paging
 * Experiment with the Multics System", 1968.)
 *
 * The same pages go as with second chance; what differs is that nothing is moved: only the hand.
 * Left open by the paper: whether a page enters with its bit set. Here it does not, unless enter=1, or the machine sets
 * the bit itself by the access that faults, as hardware does.
 *
 * State per page: its neighbours in the circle, word[0] against and word[1] with the hand. Needs a referenced bit.
 */
#include "core/policy.h"

struct clock_state {
    ol_frame_no hand; /* the page looked at next; OL_NO_FRAME if the circle is empty */
    uint32_t count;
};

static enum ol_status clock_init(struct ol_policy *policy, const char *parameters)
{
    struct clock_state *clock = policy->state;
    clock->hand = OL_NO_FRAME;
    uint64_t enter = 0;
    const struct ol_policy_parameter known[] = {{"enter", 0, 1, &enter}};
    const enum ol_status status = ol_policy_parse(parameters, known, 1);
    policy->enter_set = enter;
    return status;
}

static void clock_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct clock_state *clock = policy->state;
    struct ol_policy_words *links = policy->links;
    const ol_frame_no next = clock->count++ ? clock->hand : frame;
    const ol_frame_no before = next == frame ? frame : links[next].word[0];
    links[frame].word[0] = before;
    links[frame].word[1] = next;
    links[before].word[1] = frame;
    links[next].word[0] = frame;
    clock->hand = next;
}

static void clock_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct clock_state *clock = policy->state;
    struct ol_policy_words *links = policy->links;
    const uint32_t before = links[frame].word[0], next = links[frame].word[1];
    links[before].word[1] = next;
    links[next].word[0] = before;
    if (clock->hand == frame) clock->hand = next;
    if (--clock->count == 0) clock->hand = OL_NO_FRAME;
}

static ol_frame_no clock_victim(struct ol_policy *policy)
{
    struct clock_state *clock = policy->state;
    if (!clock->count) return OL_NO_FRAME;
    /* After a whole round every bit was cleared; one set again meanwhile does not count. */
    for (uint32_t spared = 0; spared < clock->count; spared++) {
        if (!policy->test_clear_referenced(policy->core, clock->hand)) break;
        clock->hand = policy->links[clock->hand].word[1];
    }
    const ol_frame_no frame = clock->hand;
    clock_remove(policy, frame);
    return frame;
}

const struct ol_policy_ops ol_policy_clock = {
    .name = "clock",
    .summary = "second chance as a circle with a hand",
    .parameters = "enter=0|1: does a page enter with its bit set (0; hardware sets it anyway)",
    .needs = OL_NEEDS_REFERENCED,
    .repeats = 2,
    .state_bytes = sizeof(struct clock_state),
    .init = clock_init,
    .insert = clock_insert,
    .remove = clock_remove,
    .victim = clock_victim,
};
