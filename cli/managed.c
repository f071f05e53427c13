/* SPDX-License-Identifier: MIT */
/* Ranges in order of address, each with the numbers of its pages. */
#include "cli/managed.h"

#include <stdlib.h>
#include <string.h>

#include "machine/linux/run/shared.h"

enum {
    PAGE_SHIFT = 12,
    THRESHOLD_PAGES = OL_RUN_THRESHOLD_BYTES >> PAGE_SHIFT,
    FOREIGN_PAGES = OL_RUN_HEAP_FOREIGN_BYTES >> PAGE_SHIFT
};

struct range {
    uint64_t first, pages;
    uint32_t *numbers; /* by page, plus 1; 0: none yet */
};

struct ol_managed {
    ol_managed_drop *drop;
    void *context;
    struct range *ranges;
    size_t count, room;
    size_t last;         /* the range found last */
    uint64_t heap_first; /* page from which on the heap is managed; 0: it is not known yet */
    uint64_t heap_end;   /* page behind the managed heap */
    struct range moving; /* taken by OL_TRACE_MOVE; numbers NULL: nothing is */
    uint32_t numbers;
};

struct ol_managed *ol_managed_create(ol_managed_drop *drop, void *context)
{
    struct ol_managed *const managed = calloc(1, sizeof *managed);
    if (managed) *managed = (struct ol_managed){.drop = drop, .context = context};
    return managed;
}

void ol_managed_destroy(struct ol_managed *managed)
{
    for (size_t i = 0; i < managed->count; i++) free(managed->ranges[i].numbers);
    free(managed->ranges);
    free(managed->moving.numbers);
    free(managed);
}

uint32_t ol_managed_numbers(const struct ol_managed *managed)
{
    return managed->numbers;
}

/* The first range that ends behind the page. */
static size_t find(const struct ol_managed *managed, uint64_t page)
{
    size_t low = 0, high = managed->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (managed->ranges[middle].first + managed->ranges[middle].pages <= page) low = middle + 1;
        else high = middle;
    }
    return low;
}

uint32_t ol_managed_number(struct ol_managed *managed, ol_va va)
{
    const uint64_t page = va >> PAGE_SHIFT;
    size_t at = managed->last;
    if (at >= managed->count || page - managed->ranges[at].first >= managed->ranges[at].pages) {
        at = find(managed, page);
        if (at == managed->count || page < managed->ranges[at].first) return UINT32_MAX;
        managed->last = at;
    }
    uint32_t *const number = &managed->ranges[at].numbers[page - managed->ranges[at].first];
    if (!*number) *number = ++managed->numbers;
    return *number - 1;
}

static void drop(const struct ol_managed *managed, uint32_t *numbers, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (numbers[i]) managed->drop(managed->context, numbers[i] - 1);
    memset(numbers, 0, count * sizeof *numbers);
}

/* Puts a range, whose place is free, where it belongs; takes over its numbers. */
static bool insert(struct ol_managed *managed, struct range range)
{
    if (managed->count == managed->room) {
        const size_t room = managed->room ? 2 * managed->room : 64;
        struct range *const larger = realloc(managed->ranges, room * sizeof *larger);
        if (!larger) {
            free(range.numbers);
            return false;
        }
        managed->ranges = larger;
        managed->room = room;
    }
    struct range *const place = managed->ranges + find(managed, range.first);
    memmove(place + 1, place, (size_t)(managed->ranges + managed->count - place) * sizeof *place);
    *place = range;
    managed->count++;
    return true;
}

/* Cuts the range that the page lies in, if one does, in two before it. */
static bool cut(struct ol_managed *managed, uint64_t page)
{
    const size_t at = find(managed, page);
    if (at == managed->count || managed->ranges[at].first >= page) return true;
    struct range *const range = &managed->ranges[at];
    const uint64_t left = page - range->first;
    struct range right = {page, range->pages - left, calloc(range->pages - left, sizeof *right.numbers)};
    if (!right.numbers) return false;
    memcpy(right.numbers, range->numbers + left, right.pages * sizeof *right.numbers);
    range->pages = left;
    return insert(managed, right);
}

static bool remove_pages(struct ol_managed *managed, uint64_t first, uint64_t pages)
{
    if (!cut(managed, first) || !cut(managed, first + pages)) return false;
    const size_t at = find(managed, first);
    size_t end = at;
    for (; end < managed->count && managed->ranges[end].first < first + pages; end++) {
        drop(managed, managed->ranges[end].numbers, managed->ranges[end].pages);
        free(managed->ranges[end].numbers);
    }
    if (end > at)
        memmove(managed->ranges + at, managed->ranges + end, (managed->count - end) * sizeof *managed->ranges);
    managed->count -= end - at;
    return true;
}

static bool add_pages(struct ol_managed *managed, uint64_t first, uint64_t pages)
{
    if (!pages) return true;
    const struct range range = {first, pages, calloc(pages, sizeof *range.numbers)};
    return range.numbers && insert(managed, range);
}

static bool discard(struct ol_managed *managed, uint64_t first, uint64_t pages)
{
    if (!cut(managed, first) || !cut(managed, first + pages)) return false;
    for (size_t at = find(managed, first); at < managed->count && managed->ranges[at].first < first + pages; at++)
        drop(managed, managed->ranges[at].numbers, managed->ranges[at].pages);
    return true;
}

static bool move_break(struct ol_managed *managed, uint64_t end)
{
    if (!managed->heap_first) managed->heap_first = managed->heap_end = end + FOREIGN_PAGES;
    const uint64_t before = managed->heap_end;
    if (end < managed->heap_first) end = managed->heap_first;
    managed->heap_end = end;
    return end > before ? add_pages(managed, before, end - before) : remove_pages(managed, end, before - end);
}

/* Takes the numbers of pages that move; of memory that is not managed, none. */
static bool begin_move(struct ol_managed *managed, uint64_t first, uint64_t pages)
{
    const size_t at = find(managed, first);
    if (at == managed->count || first < managed->ranges[at].first || !pages) return true;
    managed->moving = (struct range){first, pages, calloc(pages, sizeof(uint32_t))};
    if (!managed->moving.numbers || !cut(managed, first) || !cut(managed, first + pages)) return false;
    for (size_t i = find(managed, first); i < managed->count && managed->ranges[i].first < first + pages; i++) {
        struct range *const range = &managed->ranges[i];
        memcpy(managed->moving.numbers + (range->first - first), range->numbers, range->pages * sizeof(uint32_t));
        memset(range->numbers, 0, range->pages * sizeof(uint32_t));
    }
    return remove_pages(managed, first, pages);
}

static bool end_move(struct ol_managed *managed, uint64_t first, uint64_t pages)
{
    const struct range moved = managed->moving;
    managed->moving.numbers = NULL;
    const uint64_t kept = moved.pages < pages ? moved.pages : pages;
    bool good = add_pages(managed, first, pages);
    if (good) {
        memcpy(managed->ranges[find(managed, first)].numbers, moved.numbers, kept * sizeof(uint32_t));
        drop(managed, moved.numbers + kept, moved.pages - kept);
    }
    free(moved.numbers);
    return good;
}

bool ol_managed_event(struct ol_managed *managed, const struct ol_reference *event)
{
    const uint64_t first = event->va >> PAGE_SHIFT, pages = event->count;
    switch ((enum ol_trace_event)event->event) {
    case OL_TRACE_MAP:
        if (!remove_pages(managed, first, pages)) return false;
        return !managed->moving.numbers || end_move(managed, first, pages);
    case OL_TRACE_MAP_PLAIN:
        return remove_pages(managed, first, pages) && (pages < THRESHOLD_PAGES || add_pages(managed, first, pages));
    case OL_TRACE_UNMAP: return remove_pages(managed, first, pages);
    case OL_TRACE_MOVE: return begin_move(managed, first, pages);
    case OL_TRACE_DISCARD: return discard(managed, first, pages);
    case OL_TRACE_BREAK: return move_break(managed, (event->va + (1U << PAGE_SHIFT) - 1) >> PAGE_SHIFT);
    default: return true;
    }
}
