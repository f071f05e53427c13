/* SPDX-License-Identifier: MIT */
/*
 * CLOCK-Pro: all pages, hot, cold, and cold ones remembered without a frame, stand in one circle by recency. A cold
 * page that is referenced again in its test period, which begins when it enters, becomes hot. Three hands go round:
 * HANDcold finds the victim, an unreferenced cold page, which is remembered if its test period lasts; HANDhot makes an
 * unreferenced hot page cold and ends the test periods that it passes; HANDtest ends test periods when more pages are
 * remembered than there are frames. The number of frames for cold pages rises by one with each page referenced in its
 * test period and falls with each whose period ends in vain. (S. Jiang, F. Chen, X. Zhang, "CLOCK-Pro: An Effective
 * Improvement of the CLOCK Replacement", USENIX 2005.)
 *
 * Left open: pages enter cold also while memory is not full; cold pages have at first one frame, and at least one and
 * at most all but one; HANDhot works while there are more hot pages than frames left for them. A new page's bit, where
 * the access that faults sets it, is cleared when the next page enters; where bits are emulated, the first look of
 * HANDcold finds it clear: if the page is in use, it comes back, rescued, and is hot.
 *
 * State per page: its neighbours in the circle and what it is; ghosts. Needs a referenced bit.
 */
#include "core/policy.h"

enum { HOT = 1, TEST = 2, GHOST = 4, FRESH = 8 };

struct pro_state {
    ol_frame_no hot, cold, test; /* the hands; OL_NO_FRAME if the circle is empty */
    uint32_t entries;            /* in the circle */
    uint32_t hot_count, cold_count, ghost_count;
    uint32_t cold_target;
    ol_frame_no newest; /* its bit was set by the access that brought it in */
};

static enum ol_status pro_init(struct ol_policy *policy, const char *parameters)
{
    struct pro_state *pro = policy->state;
    pro->hot = pro->cold = pro->test = pro->newest = OL_NO_FRAME;
    pro->cold_target = 1;
    return parameters ? OL_E_INVALID : OL_OK;
}

static uint32_t *kind(struct ol_policy *policy)
{
    return policy->words[0];
}

static ol_frame_no next(const struct ol_policy *policy, ol_frame_no entry)
{
    return policy->links[entry].word[1];
}

/* --- the circle -------------------------------------------------------------------------------------------------- */

/* Behind HANDhot: where recency is greatest. */
static void link_newest(struct ol_policy *policy, ol_frame_no entry)
{
    struct pro_state *pro = policy->state;
    struct ol_policy_words *links = policy->links;
    const ol_frame_no after = pro->entries++ ? pro->hot : entry;
    const ol_frame_no before = after == entry ? entry : links[after].word[0];
    links[entry] = (struct ol_policy_words){{before, after}};
    links[before].word[1] = entry;
    links[after].word[0] = entry;
    if (pro->hot == OL_NO_FRAME) pro->hot = pro->cold = pro->test = entry;
}

static void unlink_entry(struct ol_policy *policy, ol_frame_no entry)
{
    struct pro_state *pro = policy->state;
    struct ol_policy_words *links = policy->links;
    const ol_frame_no before = links[entry].word[0], after = links[entry].word[1];
    links[before].word[1] = after;
    links[after].word[0] = before;
    const ol_frame_no instead = --pro->entries ? after : OL_NO_FRAME;
    if (pro->hot == entry) pro->hot = instead;
    if (pro->cold == entry) pro->cold = instead;
    if (pro->test == entry) pro->test = instead;
}

/* Puts an entry where another one stands. */
static void take_place(struct ol_policy *policy, ol_frame_no old, ol_frame_no entry)
{
    struct pro_state *pro = policy->state;
    struct ol_policy_words *links = policy->links;
    const ol_frame_no before = links[old].word[0], after = links[old].word[1];
    if (before == old) { /* alone */
        links[entry] = (struct ol_policy_words){{entry, entry}};
    } else {
        links[entry] = links[old];
        links[before].word[1] = entry;
        links[after].word[0] = entry;
    }
    if (pro->hot == old) pro->hot = entry;
    if (pro->cold == old) pro->cold = entry;
    if (pro->test == old) pro->test = entry;
}

/* Takes an entry out of the circle and its count. */
static void withdraw(struct ol_policy *policy, ol_frame_no entry)
{
    struct pro_state *pro = policy->state;
    const uint32_t what = kind(policy)[entry];
    if (what & GHOST) pro->ghost_count--;
    else if (what & HOT) pro->hot_count--;
    else pro->cold_count--;
    if (pro->newest == entry) pro->newest = OL_NO_FRAME;
    unlink_entry(policy, entry);
}

static bool referenced(struct ol_policy *policy, ol_frame_no frame)
{
    if (kind(policy)[frame] & FRESH) {
        kind(policy)[frame] &= ~(uint32_t)FRESH;
        return false;
    }
    return policy->test_clear_referenced(policy->core, frame);
}

/* --- the hands --------------------------------------------------------------------------------------------------- */

/* The test period of a cold page ends in vain. */
static void end_test(struct ol_policy *policy, ol_frame_no entry)
{
    struct pro_state *pro = policy->state;
    if (!(kind(policy)[entry] & TEST)) return;
    if (pro->cold_target > 1) pro->cold_target--;
    kind(policy)[entry] &= ~(uint32_t)TEST;
    if (!(kind(policy)[entry] & GHOST)) return;
    withdraw(policy, entry);
    policy->forget(policy->core, entry);
}

/* Makes a hot page cold; there is one. */
static void run_hot(struct ol_policy *policy)
{
    struct pro_state *pro = policy->state;
    /* After two rounds every bit was cleared; those set again meanwhile do not count. */
    for (uint64_t left = 2 * (uint64_t)pro->entries; pro->hot_count;) {
        const ol_frame_no entry = pro->hot;
        pro->hot = next(policy, entry);
        if (!(kind(policy)[entry] & HOT)) {
            end_test(policy, entry);
        } else if (!left || !referenced(policy, entry)) {
            kind(policy)[entry] = 0;
            pro->hot_count--;
            pro->cold_count++;
            break;
        }
        if (left) left--;
    }
    while (pro->hot_count && !(kind(policy)[pro->hot] & HOT)) {
        const ol_frame_no entry = pro->hot;
        pro->hot = next(policy, entry);
        end_test(policy, entry);
    }
}

static void limit_hot(struct ol_policy *policy)
{
    struct pro_state *pro = policy->state;
    while (pro->hot_count && pro->hot_count + pro->cold_target > policy->frames) run_hot(policy);
}

static void limit_ghosts(struct ol_policy *policy, uint32_t most)
{
    struct pro_state *pro = policy->state;
    while (pro->ghost_count > most) {
        const ol_frame_no entry = pro->test;
        pro->test = next(policy, entry);
        if (!(kind(policy)[entry] & HOT)) end_test(policy, entry);
    }
}

static void raise_target(struct ol_policy *policy)
{
    struct pro_state *pro = policy->state;
    if (pro->cold_target + 1 < policy->frames) pro->cold_target++;
}

/* A cold page was found referenced. */
static void spare_cold(struct ol_policy *policy, ol_frame_no frame)
{
    struct pro_state *pro = policy->state;
    if (kind(policy)[frame] & TEST) {
        kind(policy)[frame] = HOT;
        pro->cold_count--;
        pro->hot_count++;
        raise_target(policy);
        limit_hot(policy);
        return;
    }
    unlink_entry(policy, frame);
    link_newest(policy, frame);
    kind(policy)[frame] = TEST;
}

/* --- the interface ----------------------------------------------------------------------------------------------- */

static void pro_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct pro_state *pro = policy->state;
    const ol_frame_no ghost = policy->recall(policy->core, frame);
    if (ghost != OL_NO_FRAME) {
        withdraw(policy, ghost);
        policy->forget(policy->core, ghost);
        raise_target(policy);
        pro->hot_count++;
    } else {
        pro->cold_count++;
    }
    kind(policy)[frame] = ghost != OL_NO_FRAME ? HOT : (TEST | (policy->emulated ? FRESH : 0));
    link_newest(policy, frame);
    if (ghost != OL_NO_FRAME) limit_hot(policy);
    limit_ghosts(policy, policy->frames);
    if (policy->exact || policy->emulated) return;
    if (pro->newest != OL_NO_FRAME) (void)policy->test_clear_referenced(policy->core, pro->newest);
    pro->newest = frame;
}

static void pro_remove(struct ol_policy *policy, ol_frame_no frame)
{
    withdraw(policy, frame);
}

/* The page leaves; in its test period its place in the circle is kept by a ghost. */
static void leave(struct ol_policy *policy, ol_frame_no frame)
{
    struct pro_state *pro = policy->state;
    const bool in_test = kind(policy)[frame] & TEST;
    ol_frame_no ghost = in_test ? policy->remember(policy->core, frame) : OL_NO_FRAME;
    if (in_test && ghost == OL_NO_FRAME && pro->ghost_count) {
        limit_ghosts(policy, pro->ghost_count - 1);
        ghost = policy->remember(policy->core, frame);
    }
    if (ghost == OL_NO_FRAME) {
        withdraw(policy, frame);
        return;
    }
    pro->cold_count--;
    if (pro->newest == frame) pro->newest = OL_NO_FRAME;
    if (ghost != frame) take_place(policy, frame, ghost);
    kind(policy)[ghost] = TEST | GHOST;
    pro->ghost_count++;
}

static ol_frame_no pro_victim(struct ol_policy *policy)
{
    struct pro_state *pro = policy->state;
    if (!pro->hot_count && !pro->cold_count) return OL_NO_FRAME;
    for (uint64_t left = 4 * (uint64_t)pro->entries;; left -= left > 0) {
        if (!pro->cold_count) run_hot(policy);
        const ol_frame_no entry = pro->cold;
        pro->cold = next(policy, entry);
        if (kind(policy)[entry] & (HOT | GHOST)) continue;
        if (left && referenced(policy, entry)) {
            spare_cold(policy, entry);
            continue;
        }
        leave(policy, entry);
        return entry;
    }
}

const struct ol_policy_ops ol_policy_clock_pro = {
    .name = "clock-pro",
    .summary = "hot and cold pages in one circle, with three hands",
    .needs = OL_NEEDS_REFERENCED | OL_NEEDS_GHOSTS,
    .repeats = 2,
    .words = 1,
    .state_bytes = sizeof(struct pro_state),
    .init = pro_init,
    .insert = pro_insert,
    .remove = pro_remove,
    .victim = pro_victim,
    .drop = pro_remove,
};
