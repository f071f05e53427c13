/* SPDX-License-Identifier: MIT */
#include "analysis/reuse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "trace/grow.h"

enum { PAGES_FIRST = 1 << 12, POWERS = 64, LAST_POWER = 40, STEPS = 8 };

/* Times by the first window that is no shorter; one element more for those above all windows. */
struct tally {
    uint64_t number[OL_REUSE_WINDOWS_MAX + 1];
    uint64_t sum[OL_REUSE_WINDOWS_MAX + 1];
};

struct ol_reuse {
    uint64_t windows[OL_REUSE_WINDOWS_MAX];
    unsigned count;
    uint16_t start[POWERS]; /* by log2 of a time: the first window that can be no shorter */
    struct tally reuse;     /* between two references to a page */
    struct tally first;     /* of a page's first reference: 1, 2, … */
    struct tally last;      /* of its last one, counted from the end: 1 is the trace's last */
    uint64_t *seen;         /* by page: time of its last reference; 0: none yet */
    size_t capacity;
    uint64_t now, longest;
    uint32_t pages;
};

struct ol_reuse *ol_reuse_create(const uint64_t *windows, unsigned count)
{
    assert(count <= OL_REUSE_WINDOWS_MAX);
    struct ol_reuse *reuse = calloc(1, sizeof(*reuse));
    if (!reuse) return NULL;
    reuse->seen = ol_grow(NULL, 0, PAGES_FIRST, sizeof(*reuse->seen));
    reuse->capacity = PAGES_FIRST;
    reuse->count = count;
    memcpy(reuse->windows, windows, count * sizeof(*windows));
    for (unsigned power = 0, window = 0; power < POWERS; power++) {
        while (window < count && windows[window] < UINT64_C(1) << power) window++;
        reuse->start[power] = (uint16_t)window;
    }
    if (reuse->seen) return reuse;
    free(reuse);
    return NULL;
}

void ol_reuse_destroy(struct ol_reuse *reuse)
{
    ol_grow_free(reuse->seen, reuse->capacity, sizeof(*reuse->seen));
    free(reuse);
}

static void add(const struct ol_reuse *reuse, struct tally *tally, uint64_t time, uint64_t number)
{
    unsigned at = reuse->start[63 - __builtin_clzll(time)];
    while (at < reuse->count && reuse->windows[at] < time) at++;
    tally->number[at] += number;
    tally->sum[at] += number * time;
}

bool ol_reuse_count(struct ol_reuse *reuse, const struct ol_batch *batch)
{
    while (reuse->capacity < batch->pages_total) {
        uint64_t *grown = ol_grow(reuse->seen, reuse->capacity, 2 * reuse->capacity, sizeof(*reuse->seen));
        if (!grown) return false;
        reuse->seen = grown;
        reuse->capacity *= 2;
    }
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t *const seen = &reuse->seen[batch->pages[i]];
        const uint64_t now = ++reuse->now, time = now - *seen;
        if (*seen && time > reuse->longest) reuse->longest = time;
        add(reuse, *seen ? &reuse->reuse : &reuse->first, time, 1);
        if (batch->counts && batch->counts[i] > 1) {
            add(reuse, &reuse->reuse, 1, batch->counts[i] - 1);
            reuse->now += batch->counts[i] - 1;
            if (!reuse->longest) reuse->longest = 1;
        }
        *seen = reuse->now;
    }
    reuse->pages = batch->pages_total;
    return true;
}

void ol_reuse_finish(struct ol_reuse *reuse)
{
    for (uint32_t page = 0; page < reuse->pages; page++)
        add(reuse, &reuse->last, reuse->now + 1 - reuse->seen[page], 1);
}

/* Adds the times of a tally that are above a window: their number, and their parts above it. */
static void add_above(const struct tally *tally, const struct ol_reuse *reuse, unsigned index, uint64_t *number,
                      uint64_t *parts)
{
    for (unsigned i = index + 1; i <= reuse->count; i++) {
        *number += tally->number[i];
        *parts += tally->sum[i] - tally->number[i] * reuse->windows[index];
    }
}

/* A page is missing in so many windows as its times are longer; in windows one longer, in one less for each time. */
static void find_footprint(const struct ol_reuse *reuse, unsigned index, struct ol_reuse_point *out)
{
    const uint64_t windows = reuse->now - out->window + 1; /* that fit */
    uint64_t number = 0, missing = 0;
    add_above(&reuse->reuse, reuse, index, &number, &missing);
    add_above(&reuse->first, reuse, index, &number, &missing);
    add_above(&reuse->last, reuse, index, &number, &missing);
    out->footprint = (double)reuse->pages - (double)missing / (double)windows;
    if (windows > 1)
        out->growth = (double)missing / (double)windows - (double)(missing - number) / (double)(windows - 1);
}

void ol_reuse_point(const struct ol_reuse *reuse, unsigned index, struct ol_reuse_point *out)
{
    const uint64_t window = reuse->windows[index], references = reuse->now;
    uint64_t times = 0; /* page-times in working sets */
    *out = (struct ol_reuse_point){.window = window,
                                   .reuses = reuse->reuse.number[index],
                                   .misses = reuse->pages,
                                   .within_the_trace = window <= references};
    for (unsigned i = 0; i <= reuse->count; i++) {
        if (i <= index) times += reuse->reuse.sum[i] + reuse->last.sum[i];
        else times += (reuse->reuse.number[i] + reuse->last.number[i]) * window;
        if (i > index) out->misses += reuse->reuse.number[i];
    }
    out->working_set = (double)times / (double)references;
    if (out->within_the_trace) find_footprint(reuse, index, out);
}

uint64_t ol_reuse_references(const struct ol_reuse *reuse)
{
    return reuse->now;
}

uint32_t ol_reuse_pages(const struct ol_reuse *reuse)
{
    return reuse->pages;
}

uint64_t ol_reuse_longest(const struct ol_reuse *reuse)
{
    return reuse->longest;
}

unsigned ol_reuse_windows(uint64_t windows[OL_REUSE_WINDOWS_MAX])
{
    unsigned count = 0;
    for (uint64_t window = 1; window < STEPS; window++) windows[count++] = window;
    for (unsigned power = 3; power < LAST_POWER; power++)
        for (uint64_t step = 0; step < STEPS; step++) windows[count++] = (STEPS + step) << (power - 3);
    windows[count++] = UINT64_C(1) << LAST_POWER;
    return count;
}
