/* SPDX-License-Identifier: MIT */
/*
 * Random: any page goes, each with the same probability. What other policies are to be better than; no loop can defeat
 * it. (Belady, 1966, measures it.) The generator is xorshift64 (G. Marsaglia, "Xorshift RNGs", 2003; shifts 13, 7, 17),
 * so that the same seed gives the same victims.
 *
 * State per page: its place in an array of all pages, and one place of that array. Needs nothing of the machine.
 */
#include "core/policy.h"

struct random_state {
    uint64_t number; /* of the generator */
    uint32_t count;
};

/* The page at a place of the array, and the place of a page. */
static uint32_t *page_at(const struct ol_policy *policy, uint32_t place)
{
    return &policy->links[place].word[0];
}

static uint32_t *place_of(const struct ol_policy *policy, ol_frame_no frame)
{
    return &policy->links[frame].word[1];
}

static enum ol_status random_init(struct ol_policy *policy, const char *parameters)
{
    struct random_state *random = policy->state;
    const struct ol_policy_parameter known[] = {{"seed", 1, UINT64_MAX, &random->number}};
    random->number = 1;
    return ol_policy_parse(parameters, known, 1);
}

static void random_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct random_state *random = policy->state;
    *page_at(policy, random->count) = frame;
    *place_of(policy, frame) = random->count++;
}

/* The last one takes its place. */
static void random_remove(struct ol_policy *policy, ol_frame_no frame)
{
    struct random_state *random = policy->state;
    const ol_frame_no last = *page_at(policy, --random->count);
    *page_at(policy, *place_of(policy, frame)) = last;
    *place_of(policy, last) = *place_of(policy, frame);
}

static ol_frame_no random_victim(struct ol_policy *policy)
{
    struct random_state *random = policy->state;
    if (!random->count) return OL_NO_FRAME;
    random->number ^= random->number << 13;
    random->number ^= random->number >> 7;
    random->number ^= random->number << 17;
    const ol_frame_no frame = *page_at(policy, (uint32_t)((random->number >> 32) * random->count >> 32));
    random_remove(policy, frame);
    return frame;
}

const struct ol_policy_ops ol_policy_random = {
    .name = "random",
    .summary = "any page",
    .parameters = "seed=1..: of the random numbers (1)",
    .needs = OL_NEEDS_NOTHING,
    .repeats = 1,
    .state_bytes = sizeof(struct random_state),
    .init = random_init,
    .insert = random_insert,
    .remove = random_remove,
    .victim = random_victim,
};
