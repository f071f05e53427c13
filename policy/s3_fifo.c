/* SPDX-License-Identifier: MIT */
/*
 * S3-FIFO: three FIFO queues. A new page enters the small queue S; at its end it moves to the main queue M if it was
 * referenced again often enough, else it leaves and is remembered in the ghost queue G. A page that G remembers enters
 * M at once. At the end of M a page goes round again as often as its counter, which references raise up to 3, allows.
 * S gives up pages unless M is larger than its share. (J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, "FIFO Queues
 * are All You Need for Cache Eviction", SOSP 2023.)
 *
 * Left open, and done here as in the authors' simulator: S has 10 % of the frames, G remembers as many pages as 90 %; a
 * page moves to M from the second further reference on, and its counter starts anew there.
 * Without exact references, where there is a bit: it is cleared when the next page enters, and counts once when it is
 * found set. Where bits are emulated: what is in S leaves it unlooked at; if it is used, it comes back at once,
 * rescued, and G sends it to M.
 *
 * State per page: its queue and place, its counter; ghosts. Needs a referenced bit.
 */
#include "core/policy.h"

enum { S, M, G, QUEUES };
enum { QUEUE_MASK = 3, USE_SHIFT = 2, USES_MAX = 3 };

struct s3_state {
    struct ol_policy_queue queue[QUEUES];
    uint64_t small, ghost; /* shares of the frames, percent */
    uint64_t threshold;    /* uses that move a page from S to M */
    ol_frame_no newest;    /* its bit was set by the access that brought it in */
};

static enum ol_status s3_init(struct ol_policy *policy, const char *parameters)
{
    struct s3_state *s3 = policy->state;
    const struct ol_policy_parameter known[] = {
        {"small", 1, 99, &s3->small}, {"ghost", 0, 100, &s3->ghost}, {"threshold", 1, USES_MAX, &s3->threshold}};
    for (int i = 0; i < QUEUES; i++) ol_policy_queue_init(&s3->queue[i]);
    s3->small = 10;
    s3->ghost = 90;
    s3->threshold = policy->exact ? 2 : 1;
    s3->newest = OL_NO_FRAME;
    return ol_policy_parse(parameters, known, 3);
}

static void enqueue(struct ol_policy *policy, uint32_t queue, ol_frame_no frame, uint32_t uses)
{
    struct s3_state *s3 = policy->state;
    policy->words[0][frame] = queue | uses << USE_SHIFT;
    ol_policy_queue_push(policy, &s3->queue[queue], frame);
}

static void s3_remove(struct ol_policy *policy, ol_frame_no entry)
{
    struct s3_state *s3 = policy->state;
    if (s3->newest == entry) s3->newest = OL_NO_FRAME;
    ol_policy_queue_remove(policy, &s3->queue[policy->words[0][entry] & QUEUE_MASK], entry);
}

static void s3_insert(struct ol_policy *policy, ol_frame_no frame)
{
    struct s3_state *s3 = policy->state;
    const ol_frame_no ghost = policy->recall(policy->core, frame);
    if (ghost != OL_NO_FRAME) {
        s3_remove(policy, ghost);
        policy->forget(policy->core, ghost);
    }
    enqueue(policy, ghost != OL_NO_FRAME ? M : S, frame, 0);
    ol_policy_queue_forget(policy, &s3->queue[G], ol_policy_share(policy, s3->ghost, 0));
    if (policy->exact || policy->emulated) return;
    if (s3->newest != OL_NO_FRAME) (void)policy->test_clear_referenced(policy->core, s3->newest);
    s3->newest = frame;
}

static void s3_touch(struct ol_policy *policy, const ol_frame_no *frames, size_t count)
{
    uint32_t *const word = policy->words[0];
    for (size_t i = 0; i < count; i++)
        if (word[frames[i]] >> USE_SHIFT < USES_MAX) word[frames[i]] += 1 << USE_SHIFT;
}

/* How often the page at a queue's end was used, as far as the machine shows it. */
static uint32_t uses(struct ol_policy *policy, uint32_t queue, ol_frame_no frame)
{
    uint32_t count = policy->words[0][frame] >> USE_SHIFT;
    if (policy->exact || (policy->emulated && queue == S)) return count;
    if (policy->test_clear_referenced(policy->core, frame) && count < USES_MAX) count++;
    return count;
}

/* Takes a page from S; those used move to M. OL_NO_FRAME if S is empty then. */
static ol_frame_no victim_of_small(struct ol_policy *policy)
{
    struct s3_state *s3 = policy->state;
    while (s3->queue[S].count) {
        const ol_frame_no frame = s3->queue[S].head;
        const bool used = uses(policy, S, frame) >= s3->threshold;
        s3_remove(policy, frame);
        if (used) {
            enqueue(policy, M, frame, 0);
            continue;
        }
        const ol_frame_no ghost = ol_policy_queue_remember(policy, &s3->queue[G], frame);
        if (ghost != OL_NO_FRAME) policy->words[0][ghost] = G;
        return frame;
    }
    return OL_NO_FRAME;
}

static ol_frame_no victim_of_main(struct ol_policy *policy)
{
    struct s3_state *s3 = policy->state;
    /* Each round lowers each counter; bits that are set again meanwhile do not count for ever. */
    for (uint64_t left = (uint64_t)s3->queue[M].count * (USES_MAX + 1); s3->queue[M].count; left--) {
        const ol_frame_no frame = s3->queue[M].head;
        const uint32_t used = left ? uses(policy, M, frame) : 0;
        s3_remove(policy, frame);
        if (!used) return frame;
        enqueue(policy, M, frame, used - 1);
    }
    return OL_NO_FRAME;
}

static ol_frame_no s3_victim(struct ol_policy *policy)
{
    const struct s3_state *s3 = policy->state;
    const uint32_t main_share = policy->frames - ol_policy_share(policy, s3->small, 0);
    ol_frame_no frame = OL_NO_FRAME;
    if (s3->queue[M].count <= main_share) frame = victim_of_small(policy);
    return frame != OL_NO_FRAME ? frame : victim_of_main(policy);
}

const struct ol_policy_ops ol_policy_s3_fifo = {
    .name = "s3-fifo",
    .summary = "a small, a main and a ghost FIFO queue",
    .parameters =
        "small=1..99, ghost=0..100: shares of the frames, percent (10, 90); threshold=1..3: further uses that\n"
        "                move a page to the main queue (2; 1 without exact references)",
    .needs = OL_NEEDS_REFERENCED | OL_NEEDS_GHOSTS,
    .repeats = USES_MAX + 1,
    .words = 1,
    .state_bytes = sizeof(struct s3_state),
    .init = s3_init,
    .insert = s3_insert,
    .remove = s3_remove,
    .touch = s3_touch,
    .victim = s3_victim,
    .drop = s3_remove,
};
