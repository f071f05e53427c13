/* SPDX-License-Identifier: MIT */
#include "analysis/future.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trace/grow.h"

enum { FIRST = 1 << 20 };

struct ol_future {
    uint32_t *pages;
    uint32_t *next;
    uint32_t *counts; /* NULL while all are 1 */
    uint8_t *written; /* NULL while nothing is */
    uint32_t *last;   /* by page: index of its last element plus 1; 0: none */
    size_t count, capacity;
    size_t pages_capacity; /* of `last` */
    uint32_t pages_total;
};

struct ol_future *ol_future_create(void)
{
    return calloc(1, sizeof(struct ol_future));
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

/* Large arrays that are filled from the start: fewer, larger pages make that cheaper. */
static bool grow(void *array, size_t old, size_t new, size_t element_bytes)
{
    void **place = array;
    void *grown = ol_grow(*place, *place ? old : 0, new, element_bytes);
    if (!grown) return false;
    (void)madvise(grown, new *element_bytes, MADV_HUGEPAGE);
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
static bool keep_details(struct ol_future *future, const struct ol_batch *batch)
{
    if (batch->counts && !future->counts) {
        if (!grow(&future->counts, 0, future->capacity, sizeof(uint32_t))) return false;
        for (size_t i = 0; i < future->count; i++) future->counts[i] = 1;
    }
    if (batch->written && !future->written && !grow(&future->written, 0, future->capacity, 1)) return false;
    for (size_t i = 0; future->counts && i < batch->count; i++)
        future->counts[future->count + i] = batch->counts ? batch->counts[i] : 1;
    if (batch->written) memcpy(future->written + future->count, batch->written, batch->count);
    return true;
}

bool ol_future_add(struct ol_future *future, const struct ol_batch *batch)
{
    if (batch->count >= UINT32_MAX - 1 - future->count) return false;
    if (!make_room(future, future->count + batch->count, batch->pages_total) || !keep_details(future, batch))
        return false;
    uint32_t *const next = future->next, *const last = future->last;
    uint32_t at = (uint32_t)future->count;
    memcpy(future->pages + at, batch->pages, batch->count * sizeof(uint32_t));
    for (size_t i = 0; i < batch->count; i++, at++) {
        const uint32_t page = batch->pages[i], before = last[page];
        if (before) next[before - 1] = at;
        next[at] = UINT32_MAX;
        last[page] = at + 1;
    }
    future->count += batch->count;
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
