/* SPDX-License-Identifier: MIT */
/*
 * ARC: memory is shared by two LRU lists, T1 of pages referenced once lately and T2 of those referenced at least twice;
 * B1 and B2 remember as many pages that went from each. A page wanted again that B1 remembers shows that T1 was too
 * small, and its target p rises, by |B2|/|B1| if that is more than 1; B2 lowers it likewise. The victim is the oldest
 * of T1 if T1 is larger than p, else of T2. (N. Megiddo, D. S. Modha, "ARC: A Self-Tuning, Low Overhead Replacement
 * Cache", FAST 2003, figure 4.)
 *
 * Left open: how exact p is. Here it is counted in 65536ths of a page. Where victims are taken ahead of need, the
 * special case "wanted is in B2 and |T1| = p" is not seen.
 *
 * State per page: its list, its place in it, and a stamp that spares repeated moves; as many ghosts as frames. Needs
 * every reference.
 */
#include "core/policy.h"

enum { T1, T2, B1, B2, LISTS };
enum { LIST, STAMP }; /* words */

struct arc_state {
    struct ol_policy_queue list[LISTS]; /* the head is the page used longest ago */
    uint64_t p;                         /* target size of T1, 65536ths of a page */
    uint32_t stamp;
    bool wanted_in_b2; /* the page expected last */
    bool outright;     /* the next victim, of T1, is not remembered */
};

static enum ol_status arc_init(struct ol_policy *policy, const char *parameters)
{
    struct arc_state *arc = policy->state;
    for (int i = 0; i < LISTS; i++) ol_policy_queue_init(&arc->list[i]);
    return parameters ? OL_E_INVALID : OL_OK;
}

static void arc_drop(struct ol_policy *policy, ol_frame_no ghost)
{
    struct arc_state *arc = policy->state;
    ol_policy_queue_remove(policy, &arc->list[policy->words[LIST][ghost]], ghost);
}

static void forget_oldest(struct ol_policy *policy, int list)
{
    struct arc_state *arc = policy->state;
    const ol_frame_no ghost = ol_policy_queue_pop(policy, &arc->list[list]);
    if (ghost != OL_NO_FRAME) policy->forget(policy->core, ghost);
}

/* By how much p changes: the other list's length over this one's, at least a page. */
static uint64_t step(uint32_t other, uint32_t this)
{
    return other > this ? ((uint64_t)other << 16) / this : 1 << 16;
}

/* A page of which nothing is remembered: L1 = T1 and B1 keep at most as many pages as there are frames, all four lists
 * twice as many. */
static void make_room(struct ol_policy *policy)
{
    struct arc_state *arc = policy->state;
    const uint32_t c = policy->frames, t1 = arc->list[T1].count, b1 = arc->list[B1].count;
    if (t1 + b1 >= c) {
        if (b1) forget_oldest(policy, B1);
        else arc->outright = t1 >= c;
    } else if (t1 + arc->list[T2].count + b1 + arc->list[B2].count >= 2 * c) {
        forget_oldest(policy, B2);
    }
}

static void arc_expect(struct ol_policy *policy, ol_frame_no ghost)
{
    struct arc_state *arc = policy->state;
    const uint64_t c = (uint64_t)policy->frames << 16;
    const uint32_t b1 = arc->list[B1].count, b2 = arc->list[B2].count;
    arc->wanted_in_b2 = arc->outright = false;
    if (ghost == OL_NO_FRAME) {
        make_room(policy);
    } else if (policy->words[LIST][ghost] == B1) {
        arc->p += step(b2, b1);
        if (arc->p > c) arc->p = c;
    } else {
        const uint64_t less = step(b1, b2);
        arc->p = arc->p > less ? arc->p - less : 0;
        arc->wanted_in_b2 = true;
    }
}

static void arc_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct arc_state *arc = policy->state;
    const ol_frame_no ghost = policy->recall(policy->core, frame);
    if (ghost != OL_NO_FRAME) {
        arc_drop(policy, ghost);
        policy->forget(policy->core, ghost);
    }
    const uint32_t list = ghost != OL_NO_FRAME ? T2 : T1;
    policy->words[LIST][frame] = list;
    policy->words[STAMP][frame] = 0;
    ol_policy_queue_push(policy, &arc->list[list], frame);
}

static void arc_remove(struct ol_policy *policy, ol_frame_no frame)
{
    arc_drop(policy, frame);
}

static void clear_stamps(struct ol_policy *policy)
{
    const struct arc_state *arc = policy->state;
    for (int list = T1; list <= T2; list++)
        for (ol_frame_no at = arc->list[list].head; at != OL_NO_FRAME; at = policy->links[at].word[1])
            policy->words[STAMP][at] = 0;
}

static void arc_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    struct arc_state *arc = policy->state;
    struct ol_policy_renewal renewal;
    while (!ol_policy_renewal_begin(&renewal, policy, policy->words[STAMP], &arc->stamp)) clear_stamps(policy);
    while (count--) {
        const ol_frame_no frame = frames[count];
        if (ol_policy_renewed(&renewal, frame)) continue;
        ol_policy_renew(&renewal, &arc->list[policy->words[LIST][frame]], frame);
        policy->words[LIST][frame] = T2;
    }
    ol_policy_renewal_end(&renewal, &arc->list[T2]);
}

static ol_frame_no arc_victim(struct ol_policy *policy)
{
    struct arc_state *arc = policy->state;
    const uint64_t t1 = (uint64_t)arc->list[T1].count << 16;
    const bool from_t1 = t1 && (arc->outright || t1 > arc->p || (arc->wanted_in_b2 && t1 == arc->p));
    const uint32_t list = from_t1 || !arc->list[T2].count ? T1 : T2;
    const ol_frame_no frame = ol_policy_queue_pop(policy, &arc->list[list]);
    if (frame == OL_NO_FRAME) return frame;
    const bool outright = arc->outright;
    arc->wanted_in_b2 = arc->outright = false;
    if (outright) return frame;
    ol_frame_no ghost = policy->remember(policy->core, frame);
    if (ghost == OL_NO_FRAME) { /* only where pages are wanted faster than they are inserted */
        forget_oldest(policy, arc->list[B1].count > arc->list[B2].count ? B1 : B2);
        ghost = policy->remember(policy->core, frame);
    }
    if (ghost == OL_NO_FRAME) return frame;
    policy->words[LIST][ghost] = list == T1 ? B1 : B2;
    ol_policy_queue_push(policy, &arc->list[policy->words[LIST][ghost]], ghost);
    return frame;
}

const struct ol_policy_ops ol_policy_arc = {
    .name = "arc",
    .summary = "recency and frequency, balanced by what is remembered of both",
    .needs = OL_NEEDS_EXACT | OL_NEEDS_GHOSTS,
    .words = 2,
    .repeats = 2,
    .state_bytes = sizeof(struct arc_state),
    .init = arc_init,
    .expect = arc_expect,
    .insert = arc_insert,
    .remove = arc_remove,
    .touch = arc_touch,
    .victim = arc_victim,
    .drop = arc_drop,
};
