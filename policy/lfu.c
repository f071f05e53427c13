/* SPDX-License-Identifier: MIT */
/*
 * LFU: the page with the fewest references goes. Counted from when the page comes in, that first reference included;
 * a page that goes is forgotten. Among pages with equal counts, the one that reached the count first goes first.
 * (Described in every textbook; this form, with one queue for each count, is that of K. Shah, A. Mitra, D. Matani, "An
 * O(1) algorithm for implementing the LFU cache eviction scheme", 2010.) Left open by most: whether counts survive the
 * page's absence ("perfect LFU"), and the order among equals.
 *
 * State per page: its place in the queue of its count and which that is. The queues in use are linked by rising
 * counts; each page brings the memory for one. Needs every reference. Counts end at 2^32 - 1.
 */
#include "core/policy.h"

enum { BUCKET, HEAD, TAIL, COUNT, ABOVE, BELOW }; /* words: a page's bucket; a bucket's queue, count and neighbours */

struct lfu_state {
    uint32_t lowest; /* bucket, or OL_NO_FRAME */
    uint32_t free;   /* buckets linked by ABOVE, or OL_NO_FRAME */
    uint32_t fresh;  /* buckets from here on were never used */
};

static enum ol_status lfu_init(struct ol_policy *policy, const char *parameters)
{
    struct lfu_state *lfu = policy->state;
    lfu->lowest = lfu->free = OL_NO_FRAME;
    return parameters ? OL_E_INVALID : OL_OK;
}

/* A new bucket above `below` (OL_NO_FRAME: the lowest). */
static uint32_t bucket_new(struct ol_policy *policy, uint32_t below, uint32_t count)
{
    struct lfu_state *lfu = policy->state;
    uint32_t **word = policy->words;
    uint32_t bucket = lfu->free;
    if (bucket == OL_NO_FRAME) bucket = lfu->fresh++;
    else lfu->free = word[ABOVE][bucket];
    const uint32_t above = below == OL_NO_FRAME ? lfu->lowest : word[ABOVE][below];
    word[HEAD][bucket] = word[TAIL][bucket] = OL_NO_FRAME;
    word[COUNT][bucket] = count;
    word[ABOVE][bucket] = above;
    word[BELOW][bucket] = below;
    if (above != OL_NO_FRAME) word[BELOW][above] = bucket;
    if (below != OL_NO_FRAME) word[ABOVE][below] = bucket;
    else lfu->lowest = bucket;
    return bucket;
}

static void bucket_push(struct ol_policy *policy, uint32_t bucket, ol_frame_no frame)
{
    uint32_t **word = policy->words;
    struct ol_policy_words *links = policy->links;
    const uint32_t tail = word[TAIL][bucket];
    word[BUCKET][frame] = bucket;
    links[frame].word[0] = tail;
    links[frame].word[1] = OL_NO_FRAME;
    if (tail == OL_NO_FRAME) word[HEAD][bucket] = frame;
    else links[tail].word[1] = frame;
    word[TAIL][bucket] = frame;
}

/* An empty bucket stays, for the caller to release. */
static void bucket_take(struct ol_policy *policy, uint32_t bucket, ol_frame_no frame)
{
    uint32_t **word = policy->words;
    struct ol_policy_words *links = policy->links;
    const uint32_t before = links[frame].word[0], after = links[frame].word[1];
    if (before == OL_NO_FRAME) word[HEAD][bucket] = after;
    else links[before].word[1] = after;
    if (after == OL_NO_FRAME) word[TAIL][bucket] = before;
    else links[after].word[0] = before;
}

static void bucket_release_if_empty(struct ol_policy *policy, uint32_t bucket)
{
    struct lfu_state *lfu = policy->state;
    uint32_t **word = policy->words;
    if (word[HEAD][bucket] != OL_NO_FRAME) return;
    const uint32_t above = word[ABOVE][bucket], below = word[BELOW][bucket];
    if (above != OL_NO_FRAME) word[BELOW][above] = below;
    if (below != OL_NO_FRAME) word[ABOVE][below] = above;
    else lfu->lowest = above;
    word[ABOVE][bucket] = lfu->free;
    lfu->free = bucket;
}

static void lfu_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct lfu_state *lfu = policy->state;
    uint32_t bucket = lfu->lowest;
    if (bucket == OL_NO_FRAME || policy->words[COUNT][bucket] != 1) bucket = bucket_new(policy, OL_NO_FRAME, 1);
    bucket_push(policy, bucket, frame);
}

static void lfu_remove(struct ol_policy *policy, ol_frame_no frame)
{
    const uint32_t bucket = policy->words[BUCKET][frame];
    bucket_take(policy, bucket, frame);
    bucket_release_if_empty(policy, bucket);
}

static void lfu_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    uint32_t **word = policy->words;
    for (size_t i = 0; i < count; i++) {
        const ol_frame_no frame = frames[i];
        const uint32_t bucket = word[BUCKET][frame], reached = word[COUNT][bucket] + 1;
        uint32_t above = word[ABOVE][bucket];
        const bool exists = above != OL_NO_FRAME && word[COUNT][above] == reached;
        if (reached == 0) continue;
        if (!exists && word[HEAD][bucket] == word[TAIL][bucket]) { /* alone: its bucket rises with it */
            word[COUNT][bucket] = reached;
            continue;
        }
        bucket_take(policy, bucket, frame);
        if (!exists) above = bucket_new(policy, bucket, reached);
        bucket_push(policy, above, frame);
        bucket_release_if_empty(policy, bucket);
    }
}

static ol_frame_no lfu_victim(struct ol_policy *policy)
{
    const struct lfu_state *lfu = policy->state;
    if (lfu->lowest == OL_NO_FRAME) return OL_NO_FRAME;
    const ol_frame_no frame = policy->words[HEAD][lfu->lowest];
    lfu_remove(policy, frame);
    return frame;
}

const struct ol_policy_ops ol_policy_lfu = {
    .name = "lfu",
    .summary = "the page referenced least often since it came in",
    .needs = OL_NEEDS_EXACT,
    .words = 6,
    .state_bytes = sizeof(struct lfu_state),
    .init = lfu_init,
    .insert = lfu_insert,
    .remove = lfu_remove,
    .touch = lfu_touch,
    .victim = lfu_victim,
};
