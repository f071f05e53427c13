/* SPDX-License-Identifier: MIT */
/*
 * Read-ahead: which pages will be wanted after this one?
 *
 * A space follows a few streams of faults at a constant distance (1: sequential; others: strided, also downward). A
 * stream that is met again where it was expected doubles its window, up to the system's limit.
 *
 * What is brought in too much costs memory, so the guesses are measured: the last page of each window is made resident,
 * but not mapped. Its first access is a soft fault, which says that the window was used up, and begins the next one;
 * if it is evicted untouched, the window went too far. The limit grows and shrinks with these samples.
 */
#include "core/internal.h"

enum { FIRST_WINDOW = 4, NEAR_PAGES = 64 /* strides up to this are looked for */ };

static struct ol_stream *oldest_stream(struct ol_space *space)
{
    struct ol_stream *oldest = &space->stream[0];
    for (int i = 1; i < OL_STREAMS; i++)
        if (space->stream[i].used < oldest->used) oldest = &space->stream[i];
    return oldest;
}

/* How many steps from `from` to page; -1 if it is not on the way. */
static int64_t steps_to(uint64_t from, uint64_t page, int64_t step)
{
    const int64_t distance = (int64_t)(page - from);
    return distance % step == 0 && distance / step >= 0 ? distance / step : -1;
}

/* Is it expected there? Pages of the window that were resident already are passed over without a fault. */
static bool continues(const struct ol_stream *stream, uint64_t page)
{
    if (!stream->window) return false;
    const int64_t steps = steps_to(stream->expected, page, stream->step);
    return steps >= 0 && steps <= (int64_t)stream->window;
}

/* A second fault nearby begins a sequential stream, a third at the same distance a strided one. */
static bool begins(struct ol_stream *stream, uint64_t page)
{
    const int64_t distance = (int64_t)(page - stream->expected);
    if (stream->window || !stream->used || !distance || distance > NEAR_PAGES || distance < -NEAR_PAGES) return false;
    const bool again = distance == 1 || distance == stream->step;
    stream->step = (int32_t)distance;
    stream->window = again ? FIRST_WINDOW : 0;
    return true;
}

uint32_t ol_prefetch_window(struct ol_space *space, uint64_t page, struct ol_guess *out)
{
    const struct ol_system *system = space->system;
    struct ol_stream *stream = NULL;
    if (!system->prefetch_limit) return 0;
    for (int i = 0; i < OL_STREAMS && !stream; i++)
        if (continues(&space->stream[i], page)) stream = &space->stream[i];
    if (stream) stream->window *= 2;
    for (int i = 0; i < OL_STREAMS && !stream; i++)
        if (begins(&space->stream[i], page)) stream = &space->stream[i];
    if (!stream) {
        stream = oldest_stream(space);
        stream->step = 0;
        stream->window = 0;
    }
    stream->used = ++space->stream_clock;
    stream->expected = page;
    if (stream->window > system->prefetch_limit) stream->window = system->prefetch_limit;
    *out = (struct ol_guess){stream, stream->used, stream->step};
    return stream->window;
}

void ol_prefetch_expect(const struct ol_guess *guess, uint64_t page)
{
    if (guess->stream->used == guess->made) guess->stream->expected = page;
}

void ol_prefetch_judge(struct ol_system *system, bool used)
{
    if (used) system->prefetch_limit += system->prefetch_limit / 4 + 1;
    else system->prefetch_limit = system->prefetch_limit / 2;
    if (system->prefetch_limit > system->prefetch_max) system->prefetch_limit = system->prefetch_max;
    if (!system->prefetch_limit) system->prefetch_limit = 1;
    system->count.prefetch_samples++;
    if (used) system->count.prefetch_samples_used++;
}
