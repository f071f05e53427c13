/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { BAR = 30, TEXT_BYTES = 32 };

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What is left, as far as the work done tells. */
static const char *time_left(const struct ol_progress *progress, char text[TEXT_BYTES])
{
    const uint64_t done = progress->done - progress->begun, left = progress->total - progress->done;
    text[0] = '\0';
    if (!done) return text;
    const double seconds = (double)(now_ns() - progress->started_ns) / 1e9 / (double)done * (double)left;
    if (seconds < 100) (void)snprintf(text, TEXT_BYTES, ", %.0f s left", seconds);
    else if (seconds < 6000) (void)snprintf(text, TEXT_BYTES, ", %.0f min left", seconds / 60);
    else (void)snprintf(text, TEXT_BYTES, ", %.0f h left", seconds / 3600);
    return text;
}

static void draw(const struct ol_progress *progress)
{
    char bar[BAR + 1], left[TEXT_BYTES];
    const uint64_t filled = progress->done * BAR / progress->total;
    for (unsigned i = 0; i < BAR; i++) bar[i] = i < filled ? '#' : '.';
    bar[BAR] = '\0';
    fprintf(stderr, "\r[%s] %" PRIu64 " of %" PRIu64 " %s%s\033[K", bar, progress->done, progress->total,
            progress->what, time_left(progress, left));
}

void ol_progress_begin(struct ol_progress *progress, const char *what, uint64_t total, uint64_t done, bool quiet)
{
    *progress = (struct ol_progress){.what = what,
                                     .total = total ? total : 1,
                                     .done = done,
                                     .begun = done,
                                     .started_ns = now_ns(),
                                     .bar = isatty(STDERR_FILENO),
                                     .quiet = quiet};
    progress->told = (unsigned)(done * 10 / progress->total);
    if (progress->bar && !quiet) draw(progress);
}

void ol_progress_add(struct ol_progress *progress, uint64_t done)
{
    char left[TEXT_BYTES];
    progress->done += done;
    if (progress->quiet) return;
    if (progress->bar) {
        draw(progress);
        return;
    }
    const unsigned tenths = (unsigned)(progress->done * 10 / progress->total);
    if (tenths == progress->told) return;
    progress->told = tenths;
    ol_error("%" PRIu64 " of %" PRIu64 " %s done%s", progress->done, progress->total, progress->what,
             progress->done < progress->total ? time_left(progress, left) : "");
}

void ol_progress_end(const struct ol_progress *progress)
{
    if (progress->bar && !progress->quiet) fputc('\n', stderr);
}
