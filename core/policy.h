/* SPDX-License-Identifier: MIT */
/*
 * The policy interface: a policy chooses which frame to give up.
 *
 * Conditions that hold for all functions:
 * - The core calls them with its lock held; they never block, allocate, or call back other than through ol_policy.
 * - A policy sees frame numbers only. A frame is "inserted" when its page starts to be in use, and "removed" when the
 *   page is freed or wired. victim() itself removes the frame it returns.
 * - Per frame a policy has two 32-bit words of its own, frame_words[frame]; the core never touches them.
 *   Per system it has ops->state_bytes of memory at ol_policy.state, zeroed before init().
 */
#ifndef OL_CORE_POLICY_H
#define OL_CORE_POLICY_H

#include "core/types.h"

/* What a policy needs of the machine; the core refuses a policy whose needs the machine cannot meet. */
enum ol_policy_needs {
    OL_NEEDS_NOTHING = 0,
    OL_NEEDS_REFERENCED = 1, /* a referenced bit, the machine's or emulated by unmapping */
    OL_NEEDS_EXACT = 2,      /* touch() for every single reference */
};

struct ol_policy_words {
    uint32_t word[2];
};

struct ol_policy;

struct ol_policy_ops {
    const char *name;
    const char *summary;    /* one line for people */
    const char *parameters; /* the parameters it takes, for people; NULL if none */
    unsigned needs;         /* a set of ol_policy_needs */
    size_t state_bytes;     /* memory per system */

    /* parameters: "key=value,key=value" or NULL. OL_OK, or OL_E_INVALID for a parameter it does not know. */
    enum ol_status (*init)(struct ol_policy *policy, const char *parameters);
    void (*insert)(struct ol_policy *policy, ol_frame_no frame);
    void (*remove)(struct ol_policy *policy, ol_frame_no frame);
    void (*touch)(struct ol_policy *policy, ol_frame_no frame); /* NULL unless OL_NEEDS_EXACT */
    /* The frame to give up, no longer inserted; OL_NO_FRAME if none is inserted. */
    ol_frame_no (*victim)(struct ol_policy *policy);
    void (*tick)(struct ol_policy *policy, uint64_t now_ns); /* NULL if time does not matter */
};

/* One policy at work in one system; made by the core. */
struct ol_policy {
    const struct ol_policy_ops *ops;     /* c: */
    struct ol_policy_words *frame_words; /* c: indexed by frame number */
    void *state;                         /* c: ops->state_bytes */
    void *core;                          /* c: argument of the services below */
    /* Service: was the page referenced since the last call? Clears the bit. */
    bool (*test_clear_referenced)(void *core, ol_frame_no frame); /* c: */
};

/* A queue of frames linked through their two policy words: word[0] towards the head, word[1] towards the tail.
 * Frames enter at the tail; the head is the oldest. */
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
    struct ol_policy_words *words = policy->frame_words;
    words[frame].word[0] = queue->tail;
    words[frame].word[1] = OL_NO_FRAME;
    if (queue->tail == OL_NO_FRAME) queue->head = frame;
    else words[queue->tail].word[1] = frame;
    queue->tail = frame;
    queue->count++;
}

static inline void ol_policy_queue_remove(const struct ol_policy *policy, struct ol_policy_queue *queue,
                                          ol_frame_no frame)
{
    struct ol_policy_words *words = policy->frame_words;
    const uint32_t before = words[frame].word[0], after = words[frame].word[1];
    if (before == OL_NO_FRAME) queue->head = after;
    else words[before].word[1] = after;
    if (after == OL_NO_FRAME) queue->tail = before;
    else words[after].word[0] = before;
    queue->count--;
}

static inline ol_frame_no ol_policy_queue_pop(const struct ol_policy *policy, struct ol_policy_queue *queue)
{
    const ol_frame_no frame = queue->head;
    if (frame != OL_NO_FRAME) ol_policy_queue_remove(policy, queue, frame);
    return frame;
}

#endif
