/* SPDX-License-Identifier: MIT */
/*
 * The policy interface: a policy chooses which frame to give up.
 *
 * Conditions that hold for all functions:
 * - The machine's side (the core, or the ideal machine of machine/ideal/) calls them one at a time; they never block,
 *   allocate, or call back other than through ol_policy.
 * - A policy sees numbers of entries only: frames, and ghosts, which stand for pages that lost their frame and are
 *   remembered. A frame is "inserted" when its page starts to be in use, and "removed" when the page is freed or wired.
 *   victim() itself removes the frame it returns.
 * - Per entry a policy has two 32-bit words, links[entry], and ops->words further ones, words[i][entry]; nobody else
 *   touches them, what they hold before insert() or remember() is undefined. Per system it has ops->state_bytes of
 *   memory at ol_policy.state, zeroed before init(). The arrays may move between two calls.
 * - There are at least as many entries as frames when init() is called.
 * - Ghosts are a service. A ghost may have the number of the page's frame (where every page has a number of its own) or
 *   one that no frame has: a policy takes a ghost off its lists before it puts the page's frame on one.
 */
#ifndef OL_CORE_POLICY_H
#define OL_CORE_POLICY_H

#include "core/types.h"

/* What a policy needs of the machine; it is refused on a machine that cannot give it. */
enum ol_policy_needs {
    OL_NEEDS_NOTHING = 0,
    OL_NEEDS_REFERENCED = 1, /* a referenced bit, the machine's or emulated by unmapping */
    OL_NEEDS_EXACT = 2,      /* touch() for every single reference */
    OL_NEEDS_MODIFIED = 4,   /* test_modified() */
    OL_NEEDS_TIME = 8,       /* ol_policy.now */
    OL_NEEDS_GHOSTS = 16,    /* pages that lost their frame are remembered */
    OL_NEEDS_FUTURE = 32,    /* ol_policy.future */
    OL_NEEDS_AGES = 64,      /* left_ago() */
};

/* left_ago(): the page was never evicted, or nobody knows when. */
#define OL_NEVER_LEFT UINT32_MAX

enum { OL_POLICY_WORDS_MAX = 6 };

struct ol_policy_words {
    uint32_t word[2];
};

struct ol_policy;

struct ol_policy_ops {
    const char *name;
    const char *summary;    /* one line for people */
    const char *parameters; /* the parameters it takes, for people; NULL if none */
    unsigned needs;         /* a set of ol_policy_needs */
    /* How many references to one page, one directly after the other, may differ in effect from one less: what comes
     * after so many, touch() included, changes nothing. 0: all count. */
    unsigned repeats;
    unsigned words;     /* 32-bit words per entry beyond links, at most OL_POLICY_WORDS_MAX */
    size_t state_bytes; /* memory per system */

    /* parameters: "key=value,key=value" or NULL. OL_OK, or OL_E_INVALID for a parameter it does not know. */
    enum ol_status (*init)(struct ol_policy *policy, const char *parameters);
    /* A page that has no frame is wanted and will be inserted, after a victim() if there is no free frame. `ghost` is
     * what is remembered of it, or OL_NO_FRAME. Others may be wanted and inserted before it is. NULL: does not care. */
    void (*expect)(struct ol_policy *policy, ol_frame_no ghost);
    void (*insert)(struct ol_policy *policy, ol_frame_no frame);
    void (*remove)(struct ol_policy *policy, ol_frame_no frame);
    /* A victim that cannot be given up now, because it cannot be written or is busy, is in use again. Must see to it
     * that all other frames are named before this one is again and again. NULL: as insert. */
    void (*spare)(struct ol_policy *policy, ol_frame_no frame);
    /* These inserted frames were referenced, in this order, the first one at time `now`, each one unit later. On
     * machines that see every reference (exact), all are told; where referenced bits are emulated by unmapping, the
     * first one after each test_clear_referenced is; else none. NULL: does not care. */
    void (*touch)(struct ol_policy *policy, const ol_frame_no *frames, size_t count);
    /* The frame to give up, no longer inserted; OL_NO_FRAME if none is inserted. */
    ol_frame_no (*victim)(struct ol_policy *policy);
    /* A frame to give up although there are free ones, or OL_NO_FRAME; asked for after each tick. NULL: never. */
    ol_frame_no (*surplus)(struct ol_policy *policy);
    /* `now` has reached tick_at, which it sets anew. NULL: never. */
    void (*tick)(struct ol_policy *policy);
    /* The page of this ghost ceased to exist; the ghost is forgotten when this returns. NULL without ghosts. */
    void (*drop)(struct ol_policy *policy, ol_frame_no ghost);
};

/* One policy at work in one system; made by the machine's side. */
struct ol_policy {
    const struct ol_policy_ops *ops; /* c: */
    struct ol_policy_words *links;   /* indexed by entry */
    uint32_t *words[OL_POLICY_WORDS_MAX];
    void *state;     /* c: ops->state_bytes */
    void *core;      /* c: argument of the services below */
    uint32_t frames; /* how many frames may hold pages, now */
    bool exact;      /* c: touch() is called for every reference */
    bool emulated;   /* c: referenced bits are emulated by unmapping: a page counts as referenced until it is looked at
                        for   the first time, and looking at one that is in use costs a fault */
    bool enter_set;  /* set by init(): a page enters with its referenced bit set. A machine whose bits are set by the
                        access that faults does so anyway. */
    uint64_t now;    /* time, kept for OL_NEEDS_TIME: references on simulated machines, ns on real ones */
    uint64_t tick_units; /* c: what this machine calls a clock tick, in units of `now`: the default of intervals */
    uint64_t tick_at;    /* written by the policy: when tick() is wanted; UINT64_MAX, as it is at first: never */
    /* For OL_NEEDS_FUTURE, valid during insert() and touch(): future[i] is the time at which the page of frames[i] (in
     * insert: i = 0) is referenced next; UINT32_MAX: never again. */
    const uint32_t *future;

    /* Service: was the page referenced since the last call? Clears the bit. */
    bool (*test_clear_referenced)(void *core, ol_frame_no frame); /* c: */
    /* Service: do the contents differ from the copy that the page has at its home? */
    bool (*test_modified)(void *core, ol_frame_no frame); /* c: */
    /* Services for OL_NEEDS_GHOSTS. remember: during victim() or remove(), a ghost of the page in the frame;
     * OL_NO_FRAME if there are as many as frames already, or the page goes for good. recall: during insert(), the ghost
     * of the page in the frame, or OL_NO_FRAME. forget: the number is free. */
    ol_frame_no (*remember)(void *core, ol_frame_no frame); /* c: */
    ol_frame_no (*recall)(void *core, ol_frame_no frame);   /* c: */
    void (*forget)(void *core, ol_frame_no ghost);          /* c: */
    /* Service for OL_NEEDS_AGES, during insert(): how many pages were evicted since the one in the frame was; 0: it
     * lost its mappings only, and was found before it left. The core rounds down to 32nds of its budget, modulo 8
     * budgets. */
    uint32_t (*left_ago)(void *core, ol_frame_no frame); /* c: */
    /* Service for OL_NEEDS_GHOSTS and OL_NEEDS_EXACT: a number that the page in the frame keeps, in memory and out of
     * it. */
    uint32_t (*page_of)(void *core, ol_frame_no frame); /* c: */
};

/* A parameter that is a whole number. */
struct ol_policy_parameter {
    const char *key;
    uint64_t min, max;
    uint64_t *value; /* holds the default before */
};

/* Parses "key=value,key=value" (NULL: nothing). OL_E_INVALID for an unknown key, or a value that is no number or out of
 * range. */
enum ol_status ol_policy_parse(const char *text, const struct ol_policy_parameter *known, unsigned count);

/* `percent` of all frames, rounded down, at least `least`. */
static inline uint32_t ol_policy_share(const struct ol_policy *policy, uint64_t percent, uint32_t least)
{
    const uint32_t share = (uint32_t)(policy->frames * percent / 100);
    return share > least ? share : least;
}

/* --- queues ------------------------------------------------------------------------------------------------------ */

/* A queue of entries linked through links: word[0] towards the head, word[1] towards the tail. Entries enter at the
 * tail; the head is the oldest. */
struct ol_policy_queue {
    ol_frame_no head, tail;
    uint32_t count;
};

static inline void ol_policy_queue_init(struct ol_policy_queue *queue)
{
    queue->head = queue->tail = OL_NO_FRAME;
    queue->count = 0;
}

static inline void ol_policy_queue_push(const struct ol_policy *policy, struct ol_policy_queue *queue,
                                        ol_frame_no frame)
{
    struct ol_policy_words *links = policy->links;
    links[frame].word[0] = queue->tail;
    links[frame].word[1] = OL_NO_FRAME;
    if (queue->tail == OL_NO_FRAME) queue->head = frame;
    else links[queue->tail].word[1] = frame;
    queue->tail = frame;
    queue->count++;
}

static inline void ol_policy_queue_remove(const struct ol_policy *policy, struct ol_policy_queue *queue,
                                          ol_frame_no frame)
{
    struct ol_policy_words *links = policy->links;
    const uint32_t before = links[frame].word[0], after = links[frame].word[1];
    if (before == OL_NO_FRAME) queue->head = after;
    else links[before].word[1] = after;
    if (after == OL_NO_FRAME) queue->tail = before;
    else links[after].word[0] = before;
    queue->count--;
}

static inline ol_frame_no ol_policy_queue_pop(const struct ol_policy *policy, struct ol_policy_queue *queue)
{
    const ol_frame_no frame = queue->head;
    if (frame != OL_NO_FRAME) ol_policy_queue_remove(policy, queue, frame);
    return frame;
}

/* Remembers the page of a victim at the tail of a queue of ghosts, which gives up its oldest if there are too many.
 * OL_NO_FRAME: it is not remembered. */
static inline ol_frame_no ol_policy_queue_remember(const struct ol_policy *policy, struct ol_policy_queue *queue,
                                                   ol_frame_no frame)
{
    ol_frame_no ghost = policy->remember(policy->core, frame);
    if (ghost == OL_NO_FRAME && queue->count) {
        policy->forget(policy->core, ol_policy_queue_pop(policy, queue));
        ghost = policy->remember(policy->core, frame);
    }
    if (ghost != OL_NO_FRAME) ol_policy_queue_push(policy, queue, ghost);
    return ghost;
}

/* Forgets the oldest until at most `most` are left. */
static inline void ol_policy_queue_forget(const struct ol_policy *policy, struct ol_policy_queue *queue, uint32_t most)
{
    while (queue->count > most) policy->forget(policy->core, ol_policy_queue_pop(policy, queue));
}

/* --- recency ----------------------------------------------------------------------------------------------------- */

/* For queues in order of last reference: after frames were touched, those that belong are moved to a queue's tail, in
 * order of the last time that each occurs. Of a run of references to a few pages only one move a page is left, which is
 * found by going through the run from its end. Needs a word per entry that nothing else uses. */
struct ol_policy_renewal {
    struct ol_policy *policy;
    uint32_t *stamps;           /* the word of each entry */
    uint32_t stamp;             /* of this run */
    ol_frame_no newest, oldest; /* of the pages moved, linked as in a queue; OL_NO_FRAME if none */
    uint32_t count;
};

/* `stamp`, kept by the policy between runs, starts at 0. False once in 2^32 runs: the caller clears the word of every
 * inserted frame and calls again. */
static inline bool ol_policy_renewal_begin(struct ol_policy_renewal *renewal, struct ol_policy *policy,
                                           uint32_t *stamps, uint32_t *stamp)
{
    renewal->policy = policy;
    renewal->stamps = stamps;
    renewal->stamp = ++*stamp;
    renewal->newest = renewal->oldest = OL_NO_FRAME;
    renewal->count = 0;
    return renewal->stamp != 0;
}

/* Called from the last frame of the run to the first: takes the frame off the queue it is on, unless it was met. */
static inline void ol_policy_renew(struct ol_policy_renewal *renewal, struct ol_policy_queue *from, ol_frame_no frame)
{
    struct ol_policy_words *links = renewal->policy->links;
    renewal->stamps[frame] = renewal->stamp;
    ol_policy_queue_remove(renewal->policy, from, frame);
    links[frame].word[1] = renewal->oldest;
    if (renewal->oldest == OL_NO_FRAME) renewal->newest = frame;
    else links[renewal->oldest].word[0] = frame;
    renewal->oldest = frame;
    renewal->count++;
}

static inline bool ol_policy_renewed(const struct ol_policy_renewal *renewal, ol_frame_no frame)
{
    return renewal->stamps[frame] == renewal->stamp;
}

/* Puts what was renewed at the tail of a queue. */
static inline void ol_policy_renewal_end(const struct ol_policy_renewal *renewal, struct ol_policy_queue *to)
{
    struct ol_policy_words *links = renewal->policy->links;
    if (!renewal->count) return;
    links[renewal->oldest].word[0] = to->tail;
    if (to->tail == OL_NO_FRAME) to->head = renewal->oldest;
    else links[to->tail].word[1] = renewal->oldest;
    to->tail = renewal->newest;
    to->count += renewal->count;
}

/* A queue in order of last reference, the whole of it. `stamps` is the word of each entry that renewal needs. */
struct ol_policy_recency {
    struct ol_policy_queue queue; /* from the page referenced longest ago to the one referenced last */
    uint32_t stamp;
};

static inline void ol_policy_recency_push(struct ol_policy *policy, struct ol_policy_recency *recency, uint32_t *stamps,
                                          ol_frame_no frame)
{
    stamps[frame] = 0;
    ol_policy_queue_push(policy, &recency->queue, frame);
}

static inline void ol_policy_recency_touch(struct ol_policy *policy, struct ol_policy_recency *recency,
                                           uint32_t *stamps, const ol_frame_no *frames, size_t count)
{
    struct ol_policy_renewal renewal;
    while (!ol_policy_renewal_begin(&renewal, policy, stamps, &recency->stamp))
        for (ol_frame_no at = recency->queue.head; at != OL_NO_FRAME; at = policy->links[at].word[1]) stamps[at] = 0;
    while (count--)
        if (!ol_policy_renewed(&renewal, frames[count])) ol_policy_renew(&renewal, &recency->queue, frames[count]);
    ol_policy_renewal_end(&renewal, &recency->queue);
}

#endif
