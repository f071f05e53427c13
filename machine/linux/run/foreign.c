/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/foreign.h"

#include "machine/linux/run/runtime.h"

enum { FOREIGN_MAX = 1024 };

struct span {
    unsigned long first, end;
};

static struct span spans[FOREIGN_MAX]; /* l: disjoint, in no order */
static atomic_uint span_count;         /* l: */

static bool overlap(const struct span *span, unsigned long first, unsigned long end)
{
    return span->first < end && first < span->end;
}

bool ol_foreign_overlaps(unsigned long address, unsigned long bytes)
{
    bool found = false;
    if (!atomic_load(&span_count)) return false;
    ol_futex_lock(&ol_runtime.lock);
    for (unsigned i = 0; i < span_count && !found; i++) found = overlap(&spans[i], address, address + bytes);
    ol_futex_unlock(&ol_runtime.lock);
    return found;
}

bool ol_foreign_take_locked(unsigned long address, unsigned long bytes)
{
    unsigned i = 0; /* a part that ends where this begins grows: code comes page after page, and so does the heap */
    while (i < span_count && spans[i].end != address) i++;
    if (i == span_count && span_count == FOREIGN_MAX) return false;
    if (i < span_count) spans[i].end += bytes;
    else spans[span_count++] = (struct span){address, address + bytes};
    return true;
}

bool ol_foreign_take(unsigned long address, unsigned long bytes)
{
    ol_futex_lock(&ol_runtime.lock);
    const bool room = ol_foreign_take_locked(address, bytes);
    ol_futex_unlock(&ol_runtime.lock);
    return room;
}

/* What was not managed before has regions without rights, and needs no wires. */
static void hold(const struct span *span)
{
    struct ol_space *space = ol_runtime.memory->space;
    struct ol_region_info region;
    for (ol_va va = span->first; va < span->end && ol_region_next(space, va, &region);) {
        const ol_va first = region.va > va ? region.va : va;
        va = region.va + region.pages * OL_RUN_PAGE_BYTES;
        const ol_va end = va < span->end ? va : span->end;
        if (region.rights != OL_NONE && first < end)
            (void)ol_space_wire(space, first, (end - first) / OL_RUN_PAGE_BYTES, OL_WRITE);
    }
}

void ol_foreign_hold_locked(void)
{
    for (unsigned i = 0; i < span_count; i++) hold(&spans[i]);
}

bool ol_foreign_next_locked(uint64_t from, uint64_t *first, uint64_t *end)
{
    const struct span *next = NULL;
    for (unsigned i = 0; i < span_count; i++)
        if (spans[i].end > from && (!next || spans[i].first < next->first)) next = &spans[i];
    if (!next) return false;
    *first = next->first > from ? next->first : from;
    *end = next->end;
    return true;
}

bool ol_foreign_next(uint64_t from, uint64_t *first, uint64_t *end)
{
    if (!atomic_load(&span_count)) return false;
    ol_futex_lock(&ol_runtime.lock);
    const bool found = ol_foreign_next_locked(from, first, end);
    ol_futex_unlock(&ol_runtime.lock);
    return found;
}

static bool window_again(unsigned long first, unsigned long end)
{
    return ol_linux_restore_window(ol_runtime.memory->machine, (void *)(uintptr_t)first, end - first);
}

/* Cuts [first, end) out of span i, which it overlaps. False without room for the second rest. */
static bool cut(unsigned i, unsigned long first, unsigned long end)
{
    const struct span span = spans[i];
    if (span.first < first && end < span.end) {
        if (span_count == FOREIGN_MAX) return false;
        spans[span_count++] = (struct span){end, span.end};
        spans[i].end = first;
    } else if (span.first < first) {
        spans[i].end = first;
    } else if (end < span.end) {
        spans[i].first = end;
    } else {
        spans[i] = spans[--span_count];
    }
    return true;
}

bool ol_foreign_return_locked(unsigned long address, unsigned long bytes)
{
    const unsigned long end = address + bytes;
    bool good = true;
    for (unsigned i = 0; i < span_count && good;) {
        if (!overlap(&spans[i], address, end)) {
            i++;
            continue;
        }
        const unsigned long first = spans[i].first > address ? spans[i].first : address;
        const unsigned long last = spans[i].end < end ? spans[i].end : end;
        good = cut(i, first, last) && window_again(first, last);
    }
    return good;
}

bool ol_foreign_return(unsigned long address, unsigned long bytes)
{
    if (!atomic_load(&span_count)) return true;
    ol_futex_lock(&ol_runtime.lock);
    const bool good = ol_foreign_return_locked(address, bytes);
    ol_futex_unlock(&ol_runtime.lock);
    return good;
}
