/* SPDX-License-Identifier: MIT */
#include "analysis/future.h"

#include <stdlib.h>
#include <string.h>

#include "trace/grow.h"

enum { FIRST = 1 << 20, TRIED = 1 << 18 /* elements, of which it is counted how many could be merged */ };

/* So many elements ahead, what is known of a page is fetched into the cache. */
enum { AHEAD = 16 };

struct ol_future {
    uint32_t *pages;
    uint32_t *next;
    uint32_t *counts; /* NULL while all are 1 */
    uint8_t *written; /* NULL while nothing is */
    uint32_t *last;   /* by page: index of its last element plus 1; 0: none */
    size_t count, capacity;
    size_t pages_capacity; /* of `last` */
    uint32_t pages_total;

    /* Merging. A generation is a part of the trace with references to `generation_pages` pages, half as many as there
     * are frames, so that what was referenced in this one or in the one before is a hit in any case. References to a
     * page with an element from open_from on are merged with it: since then, all were such hits. */
    uint32_t generation_pages;             /* 0: nothing is merged */
    uint32_t pages_left;                   /* until the generation ends */
    uint32_t generation_from, before_from; /* where this one begins, and the one before */
    uint32_t open_from;                    /* UINT32_MAX: nothing is merged */
    uint32_t could_merge;                  /* elements so far */
    bool merging;                          /* else it is only counted what could be */
};

struct ol_future *ol_future_create(uint32_t frames)
{
    struct ol_future *const future = calloc(1, sizeof(*future));
    if (!future) return NULL;
    future->generation_pages = future->pages_left = frames / 2;
    if (!future->generation_pages) future->open_from = UINT32_MAX;
    return future;
}

void ol_future_destroy(struct ol_future *future)
{
    if (future->pages) ol_grow_free(future->pages, future->capacity, sizeof(uint32_t));
    if (future->next) ol_grow_free(future->next, future->capacity, sizeof(uint32_t));
    if (future->counts) ol_grow_free(future->counts, future->capacity, sizeof(uint32_t));
    if (future->written) ol_grow_free(future->written, future->capacity, 1);
    if (future->last) ol_grow_free(future->last, future->pages_capacity, sizeof(uint32_t));
    free(future);
}

static bool grow(void *array, size_t old, size_t new, size_t element_bytes)
{
    void **place = array;
    void *grown = ol_grow(*place, *place ? old : 0, new, element_bytes);
    if (!grown) return false;
    *place = grown;
    return true;
}

static bool make_room(struct ol_future *future, size_t count, uint32_t pages_total)
{
    size_t wanted = future->capacity ? future->capacity : FIRST;
    while (wanted < count) wanted *= 2;
    if (wanted > future->capacity) {
        const size_t old = future->capacity;
        if (!grow(&future->pages, old, wanted, sizeof(uint32_t)) || !grow(&future->next, old, wanted, sizeof(uint32_t)))
            return false;
        if (future->counts && !grow(&future->counts, old, wanted, sizeof(uint32_t))) return false;
        if (future->written && !grow(&future->written, old, wanted, 1)) return false;
        future->capacity = wanted;
    }
    for (wanted = future->pages_capacity ? future->pages_capacity : FIRST; wanted < pages_total;) wanted *= 2;
    if (wanted == future->pages_capacity) return true;
    if (!grow(&future->last, future->pages_capacity, wanted, sizeof(uint32_t))) return false;
    future->pages_capacity = wanted;
    return true;
}

/* Arrays that most traces do without begin to exist when something is to be kept in them. */
static bool make_details(struct ol_future *future, const struct ol_batch *batch)
{
    if ((batch->counts || future->merging) && !future->counts) {
        if (!grow(&future->counts, 0, future->capacity, sizeof(uint32_t))) return false;
        for (size_t i = 0; i < future->count; i++) future->counts[i] = 1;
    }
    return !batch->written || future->written || grow(&future->written, 0, future->capacity, 1);
}

/* Elements that nothing is merged with. */
static void append_all(struct ol_future *future, const struct ol_batch *batch)
{
    uint32_t *const next = future->next, *const last = future->last;
    uint32_t at = (uint32_t)future->count;
    memcpy(future->pages + at, batch->pages, batch->count * sizeof(uint32_t));
    for (size_t i = 0; future->counts && i < batch->count; i++)
        future->counts[at + i] = batch->counts ? batch->counts[i] : 1;
    if (batch->written) memcpy(future->written + at, batch->written, batch->count);
    for (size_t i = 0; i < batch->count; i++, at++) {
        if (i + AHEAD < batch->count) __builtin_prefetch(&last[batch->pages[i + AHEAD]], 1);
        const uint32_t page = batch->pages[i], before = last[page];
        if (before) next[before - 1] = at;
        next[at] = UINT32_MAX;
        last[page] = at + 1;
    }
    future->count += batch->count;
}

/* An element whose page was referenced last in the element of index `before` - 1, if not 0. */
static void append(struct ol_future *future, uint32_t page, uint32_t before, uint32_t count)
{
    const uint32_t at = (uint32_t)future->count++;
    if (before) future->next[before - 1] = at;
    future->next[at] = UINT32_MAX;
    future->last[page] = at + 1;
    future->pages[at] = page;
    if (future->counts) future->counts[at] = count;
    if (before <= future->before_from) future->open_from = at; /* maybe a fault */
    if (before > future->generation_from || --future->pages_left) return;
    future->pages_left = future->generation_pages;
    future->before_from = future->generation_from;
    future->generation_from = future->open_from = at + 1;
}

static void merge(struct ol_future *future, const struct ol_batch *batch)
{
    const uint32_t *const last = future->last;
    uint32_t *const counts = future->merging ? future->counts : NULL;
    for (size_t i = 0; i < batch->count; i++) {
        const uint32_t page = batch->pages[i], before = last[page], count = batch->counts ? batch->counts[i] : 1;
        const bool could = before > future->open_from;
        if (could && counts && counts[before - 1] <= UINT32_MAX - count) counts[before - 1] += count;
        else append(future, page, before, count);
        future->could_merge += could;
        if (batch->written) future->written[last[page] - 1] |= batch->written[i];
    }
}

bool ol_future_add(struct ol_future *future, const struct ol_batch *batch)
{
    if (batch->count >= UINT32_MAX - 1 - future->count) return false;
    if (!future->merging && future->open_from != UINT32_MAX && future->count >= TRIED) {
        future->merging = future->could_merge > future->count / 8;
        if (!future->merging) future->open_from = UINT32_MAX;
    }
    if (!make_room(future, future->count + batch->count, batch->pages_total) || !make_details(future, batch))
        return false;
    if (future->open_from == UINT32_MAX) append_all(future, batch);
    else merge(future, batch);
    future->pages_total = batch->pages_total;
    return true;
}

void ol_future_batch(const struct ol_future *future, size_t at, size_t most, struct ol_batch *batch)
{
    *batch = (struct ol_batch){.count = future->count - at < most ? future->count - at : most,
                               .pages = future->pages + at,
                               .future = future->next + at,
                               .counts = future->counts ? future->counts + at : NULL,
                               .written = future->written ? future->written + at : NULL,
                               .pages_total = future->pages_total};
}
