/* SPDX-License-Identifier: MIT */
/*
 * CAR: ARC with clocks. T1 and T2 are clocks of pages referenced once, and more often, B1 and B2 remember pages that
 * went from each. The hand of T1, if T1 has at least its target p (and at least one page), takes a page whose bit is
 * clear, and moves one whose bit is set to T2; else the hand of T2 takes a page whose bit is clear and clears the bits
 * of the others. A page wanted again that B1 remembers raises p, one that B2 remembers lowers it, as with ARC, and
 * enters T2. (S. Bansal, D. S. Modha, "CAR: Clock with Adaptive Replacement", FAST 2004, figure 2.)
 *
 * Left open: how exact p is. Here it is counted in 65536ths of a page.
 * A new page's bit, where the access that faults sets it, is cleared when the next page enters; where bits are
 * emulated, a page that the hand of T1 has not looked at counts as clear: if it is in use it comes back, rescued, and
 * enters T2.
 *
 * State per page: its list and its place in it; as many ghosts as frames. Needs a referenced bit.
 */
#include "core/policy.h"

enum { T1, T2, B1, B2, LISTS };

struct car_state {
    struct ol_policy_queue list[LISTS]; /* of clocks, the head is at the hand */
    uint64_t p;                         /* target size of T1, 65536ths of a page */
    ol_frame_no newest;                 /* its bit was set by the access that brought it in */
    bool full;                          /* a victim was taken for the page that is inserted next */
};

static enum ol_status car_init(struct ol_policy *policy, const char *parameters)
{
    struct car_state *car = policy->state;
    for (int i = 0; i < LISTS; i++) ol_policy_queue_init(&car->list[i]);
    car->newest = OL_NO_FRAME;
    return parameters ? OL_E_INVALID : OL_OK;
}

static void enqueue(struct ol_policy *policy, uint32_t list, ol_frame_no entry)
{
    struct car_state *car = policy->state;
    policy->words[0][entry] = list;
    ol_policy_queue_push(policy, &car->list[list], entry);
}

static void car_remove(struct ol_policy *policy, ol_frame_no entry)
{
    struct car_state *car = policy->state;
    if (car->newest == entry) car->newest = OL_NO_FRAME;
    ol_policy_queue_remove(policy, &car->list[policy->words[0][entry]], entry);
}

static uint64_t step(uint32_t other, uint32_t this)
{
    return other > this ? ((uint64_t)other << 16) / this : 1 << 16;
}

static void adapt(struct ol_policy *policy, uint32_t list)
{
    struct car_state *car = policy->state;
    const uint64_t most = (uint64_t)policy->frames << 16;
    const uint32_t b1 = car->list[B1].count, b2 = car->list[B2].count;
    const uint64_t by = list == B1 ? step(b2, b1) : step(b1, b2);
    if (list == B1) car->p = car->p + by < most ? car->p + by : most;
    else car->p = car->p > by ? car->p - by : 0;
}

/* A page of which nothing is remembered enters: the oldest memories go. The victim has left already. */
static void make_room(struct ol_policy *policy)
{
    struct car_state *car = policy->state;
    const uint32_t c = policy->frames, l1 = car->list[T1].count + car->list[B1].count;
    const uint32_t l2 = car->list[T2].count + car->list[B2].count;
    if (l1 >= c) ol_policy_queue_forget(policy, &car->list[B1], car->list[B1].count - (car->list[B1].count > 0));
    else if (l1 + l2 >= 2 * c)
        ol_policy_queue_forget(policy, &car->list[B2], car->list[B2].count - (car->list[B2].count > 0));
}

static void car_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct car_state *car = policy->state;
    const ol_frame_no ghost = policy->recall(policy->core, frame);
    if (ghost != OL_NO_FRAME) {
        adapt(policy, policy->words[0][ghost]);
        car_remove(policy, ghost);
        policy->forget(policy->core, ghost);
    } else if (car->full) {
        make_room(policy);
    }
    car->full = false;
    enqueue(policy, ghost != OL_NO_FRAME ? T2 : T1, frame);
    if (policy->exact || policy->emulated) return;
    if (car->newest != OL_NO_FRAME) (void)policy->test_clear_referenced(policy->core, car->newest);
    car->newest = frame;
}

/* Does the page at the hand of a clock stay? */
static bool stays(struct ol_policy *policy, uint32_t list, ol_frame_no frame)
{
    if (policy->emulated && list == T1) return false;
    return policy->test_clear_referenced(policy->core, frame);
}

static ol_frame_no car_victim(struct ol_policy *policy)
{
    struct car_state *car = policy->state;
    /* After a round through both clocks every bit was cleared; those set again meanwhile do not count. */
    for (uint64_t left = 2 * ((uint64_t)car->list[T1].count + car->list[T2].count);; left -= left > 0) {
        const uint32_t t1 = car->list[T1].count;
        const bool from_t1 = (t1 && (uint64_t)t1 << 16 >= car->p) || !car->list[T2].count;
        const uint32_t list = from_t1 ? T1 : T2;
        const ol_frame_no frame = car->list[list].head;
        if (frame == OL_NO_FRAME) return frame;
        const bool stay = left && stays(policy, list, frame);
        car_remove(policy, frame);
        if (stay) {
            enqueue(policy, T2, frame);
            continue;
        }
        car->full = true;
        const uint32_t memory = from_t1 ? B1 : B2;
        const ol_frame_no ghost = ol_policy_queue_remember(policy, &car->list[memory], frame);
        if (ghost != OL_NO_FRAME) policy->words[0][ghost] = memory;
        return frame;
    }
}

const struct ol_policy_ops ol_policy_car = {
    .name = "car",
    .summary = "ARC with clocks instead of LRU lists",
    .needs = OL_NEEDS_REFERENCED | OL_NEEDS_GHOSTS,
    .repeats = 2,
    .words = 1,
    .state_bytes = sizeof(struct car_state),
    .init = car_init,
    .insert = car_insert,
    .remove = car_remove,
    .victim = car_victim,
    .drop = car_remove,
};
