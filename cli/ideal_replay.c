/* SPDX-License-Identifier: MIT */
#include "cli/ideal_replay.h"

#include <onelevel/core.h>

#include "analysis/future.h"
#include "cli/cli.h"

bool ol_policy_choose(const char *text, struct ol_policy_choice *choice)
{
    choice->text = text;
    choice->policy = ol_policy_find(text, &choice->parameters);
    if (!choice->policy) ol_error("there is no policy '%s'; `onelevel policies` lists them", text);
    return choice->policy != NULL;
}

struct ol_ideal *ol_ideal_make(const struct ol_policy_choice *choice, uint32_t frames)
{
    struct ol_ideal *ideal = NULL;
    const enum ol_status status = ol_ideal_create(choice->policy, choice->parameters, frames, &ideal);
    if (status == OL_OK) return ideal;
    const char *const takes = choice->policy->parameters;
    if (status == OL_E_INVALID)
        ol_error("--policy %s: %s takes %s", choice->text, choice->policy->name, takes ? takes : "no parameters");
    else ol_error("no memory for a machine of %u frames", frames);
    return NULL;
}

static bool run_all(struct ol_ideal **machines, unsigned count, const struct ol_batch *batch)
{
    for (unsigned i = 0; i < count; i++) {
        if (ol_ideal_run(machines[i], batch) == OL_OK) continue;
        ol_error("no memory to simulate with");
        return false;
    }
    return true;
}

/* Two passes, the first of which finds out what comes next. */
static bool replay_with_future(struct ol_stream *stream, struct ol_ideal **machines, unsigned count)
{
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < count; i++)
        if (ol_ideal_frames(machines[i]) < least) least = ol_ideal_frames(machines[i]);
    struct ol_future *const future = ol_future_create(least);
    struct ol_batch batch = {0};
    bool good = future != NULL;
    if (!good) ol_error("no memory to simulate with");
    while (good && (good = ol_stream_next(stream, &batch)) && batch.count) {
        good = ol_future_add(future, &batch);
        if (!good)
            ol_error(
                "the trace is too long to look into its future: it must fit into memory, up to 12 bytes a reference");
    }
    for (size_t at = 0; good; at += batch.count) {
        ol_future_batch(future, at, OL_NUMBERING_BATCH_MAX, &batch);
        if (!batch.count) break;
        good = run_all(machines, count, &batch);
    }
    if (future) ol_future_destroy(future);
    return good;
}

bool ol_ideal_replay(struct ol_stream *stream, const struct ol_policy_ops *policy, struct ol_ideal **machines,
                     unsigned count)
{
    struct ol_batch batch;
    if (policy->needs & OL_NEEDS_FUTURE) return replay_with_future(stream, machines, count);
    while (ol_stream_next(stream, &batch)) {
        if (!batch.count) return true;
        if (!run_all(machines, count, &batch)) return false;
    }
    return false;
}
