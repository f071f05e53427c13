/* SPDX-License-Identifier: MIT */
#include "analysis/stack.h"

#include <stdlib.h>
#include <string.h>

#include "trace/grow.h"

static const uint32_t NONE = UINT32_MAX;

enum { WORD = 64, WORDS = 8, FAN_BITS = 6, FAN = 1 << FAN_BITS };
enum { SUMMED_BITS = 9 /* WORD * WORDS places */, LEVELS_MAX = 5, PLACES_FIRST = 1 << 18, PAGES_FIRST = 1 << 12 };

/* The two pages referenced last stand apart, because most references of programs go to them. The others have places on
 * the line, from left to right. The leaves of the tree are words of bits; an element of the first level of sums is
 * the sum of WORDS of them, one of a higher level that of FAN elements below. */
struct ol_stack {
    uint32_t *place_of; /* by page: its place plus 1; 0: none */
    uint32_t *page_at;  /* by place */
    uint64_t *bits;     /* by place / WORD */
    uint32_t *sums[LEVELS_MAX];
    unsigned levels; /* of sums; by index_in(place, level) */
    size_t places;   /* a power of two */
    size_t used;     /* places from here on are free */
    size_t pages;    /* so far */
    size_t pages_capacity;
    uint32_t last[2]; /* the pages referenced last, and before it; NONE, the second one first: there is none */
};

static inline size_t index_in(size_t place, unsigned level)
{
    return place >> (SUMMED_BITS + FAN_BITS * level);
}

static void free_line(struct ol_stack *stack)
{
    if (!stack->places) return;
    ol_grow_free(stack->page_at, stack->places, sizeof(uint32_t));
    ol_grow_free(stack->bits, stack->places / WORD, sizeof(uint64_t));
    for (unsigned level = 0; level < stack->levels; level++) free(stack->sums[level]);
    stack->places = 0;
}

/* An empty line of so many places. */
static bool make_line(struct ol_stack *stack, size_t places)
{
    stack->page_at = ol_grow(NULL, 0, places, sizeof(uint32_t));
    stack->bits = ol_grow(NULL, 0, places / WORD, sizeof(uint64_t));
    bool good = stack->page_at && stack->bits;
    for (stack->levels = 0; stack->levels < LEVELS_MAX; stack->levels++) {
        if (stack->levels && index_in(places, stack->levels - 1) <= FAN) break;
        stack->sums[stack->levels] = calloc(index_in(places, stack->levels) + 1, sizeof(uint32_t));
        good = good && stack->sums[stack->levels];
    }
    stack->places = places;
    stack->used = stack->pages = 0;
    return good;
}

/* Makes room for pages numbered below pages_total. */
static bool reserve(struct ol_stack *stack, uint32_t pages_total)
{
    if (pages_total <= stack->pages_capacity) return true;
    size_t wanted = stack->pages_capacity ? stack->pages_capacity : PAGES_FIRST;
    while (wanted < pages_total) wanted *= 2;
    uint32_t *grown = ol_grow(stack->place_of, stack->pages_capacity, wanted, sizeof(uint32_t));
    if (!grown) return false;
    stack->place_of = grown;
    stack->pages_capacity = wanted;
    return true;
}

struct ol_stack *ol_stack_create(void)
{
    struct ol_stack *stack = calloc(1, sizeof(*stack));
    if (stack) stack->last[0] = stack->last[1] = NONE;
    if (stack && make_line(stack, PLACES_FIRST) && reserve(stack, 1)) return stack;
    if (stack) ol_stack_destroy(stack);
    return NULL;
}

void ol_stack_destroy(struct ol_stack *stack)
{
    free_line(stack);
    if (stack->place_of) ol_grow_free(stack->place_of, stack->pages_capacity, sizeof(uint32_t));
    free(stack);
}

static void add(struct ol_stack *stack, size_t place, uint32_t by)
{
    stack->bits[place / WORD] ^= UINT64_C(1) << (place % WORD);
    for (unsigned level = 0; level < stack->levels; level++) stack->sums[level][index_in(place, level)] += by;
}

static void put(struct ol_stack *stack, uint32_t page)
{
    stack->page_at[stack->used] = page;
    stack->place_of[page] = (uint32_t)stack->used + 1;
    add(stack, stack->used++, 1);
}

/* The line is full: its pages move to the left, onto a longer line if they take more than a quarter. */
static bool compact(struct ol_stack *stack)
{
    struct ol_stack old = *stack;
    if (!make_line(stack, stack->pages > old.places / 4 ? 4 * old.places : old.places)) {
        free_line(stack);
        *stack = old;
        return false;
    }
    for (size_t word = 0; word < old.places / WORD; word++)
        for (uint64_t left = old.bits[word]; left; left &= left - 1)
            put(stack, old.page_at[word * WORD + (size_t)__builtin_ctzll(left)]);
    stack->pages = old.pages;
    free_line(&old);
    return true;
}

/* Elements (at, end) of a level. */
static uint32_t sum(const uint32_t *sums, size_t at, size_t end)
{
    uint32_t total = 0;
    while (++at < end) total += sums[at];
    return total;
}

/* The number of pages right of a place. Only what is used can have any. */
static inline __attribute__((always_inline)) uint32_t pages_behind(const struct ol_stack *stack, size_t place)
{
    const size_t last = (stack->used - 1) / WORD;
    size_t at = place / WORD, end = (at | (WORDS - 1)) + 1;
    uint32_t behind = (uint32_t)__builtin_popcountll(stack->bits[at] >> (place % WORD) >> 1);
    const bool soon = last - at < WORDS; /* referenced again soon: no sums are needed */
    if (soon) end = last + 1;
    while (++at < end) behind += (uint32_t)__builtin_popcountll(stack->bits[at]);
    for (unsigned level = 0; !soon && level < stack->levels; level++) {
        const size_t top = index_in(stack->used - 1, level);
        at = index_in(place, level);
        end = level + 1 < stack->levels ? (at | (FAN - 1)) + 1 : top + 1;
        behind += sum(stack->sums[level], at, end <= top ? end : top + 1);
    }
    return behind;
}

/* To a page that is none of the last two, of which `before` goes to the line. */
static inline __attribute__((always_inline)) uint32_t reference_line(struct ol_stack *stack, uint32_t page,
                                                                     uint32_t last, uint32_t before)
{
    const uint32_t place = stack->place_of[page];
    uint32_t distance = 0;
    if (place) {
        distance = pages_behind(stack, place - 1) + 1 + (last != NONE) + (before != NONE);
        add(stack, place - 1, UINT32_MAX);
    } else {
        stack->pages++;
    }
    if (before != NONE) put(stack, before);
    return distance;
}

bool ol_stack_reference(struct ol_stack *stack, uint32_t page, uint32_t *distance)
{
    if (!reserve(stack, page + 1) || (stack->used == stack->places && !compact(stack))) return false;
    const uint32_t last = stack->last[0], before = stack->last[1];
    *distance = page == last ? 1 : page == before ? 2 : reference_line(stack, page, last, before);
    if (page != last) stack->last[1] = last;
    stack->last[0] = page;
    return true;
}

void ol_stack_remove(struct ol_stack *stack, uint32_t page)
{
    if (page == stack->last[0]) {
        stack->last[0] = stack->last[1];
        stack->last[1] = NONE;
    } else if (page == stack->last[1]) {
        stack->last[1] = NONE;
    } else {
        add(stack, stack->place_of[page] - 1, UINT32_MAX);
    }
    stack->place_of[page] = 0;
    stack->pages--;
}

/* References that are looked ahead, and distances that are counted at once. */
enum { AHEAD = 16, AT_ONCE = 32 };

/* Distances that are to be counted, when their counters have been fetched into the cache. */
struct pending {
    uint32_t count;
    uint32_t distances[AT_ONCE];
};

static inline void count_pending(struct pending *pending, uint64_t *histogram)
{
    for (uint32_t i = 0; i < pending->count; i++) histogram[pending->distances[i]]++;
    pending->count = 0;
}

static inline __attribute__((always_inline)) bool count_batch(struct ol_stack *stack, const struct ol_batch *batch,
                                                              uint64_t *histogram)
{
    const uint32_t *const pages = batch->pages;
    uint32_t last = stack->last[0], before = stack->last[1];
    uint64_t ones = 0, twos = 0;
    struct pending pending = {.count = 0};
    bool good = true;
    for (size_t i = 0; i < batch->count; i++) {
        const uint32_t page = pages[i];
        if (page == last) {
            ones++;
            continue;
        }
        if (page == before) {
            twos++;
        } else {
            good = stack->used < stack->places || compact(stack);
            if (!good) break;
            if (i + AHEAD < batch->count) __builtin_prefetch(&stack->place_of[pages[i + AHEAD]]);
            const uint32_t distance = reference_line(stack, page, last, before);
            __builtin_prefetch(&histogram[distance], 1);
            pending.distances[pending.count++] = distance;
            if (pending.count == AT_ONCE) count_pending(&pending, histogram);
        }
        before = last;
        last = page;
    }
    stack->last[0] = last;
    stack->last[1] = before;
    count_pending(&pending, histogram);
    for (size_t i = 0; batch->counts && i < batch->count; i++) ones += batch->counts[i] - 1;
    histogram[1] += ones;
    if (twos) histogram[2] += twos;
    return good;
}

#if defined(__x86_64__)
/* The same for processors that count bits in one instruction. */
__attribute__((target("popcnt"))) static bool count_batch_popcnt(struct ol_stack *stack, const struct ol_batch *batch,
                                                                 uint64_t *histogram)
{
    return count_batch(stack, batch, histogram);
}
#endif

bool ol_stack_count(struct ol_stack *stack, const struct ol_batch *batch, uint64_t *histogram)
{
    if (!reserve(stack, batch->pages_total)) return false;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("popcnt")) return count_batch_popcnt(stack, batch, histogram);
#endif
    return count_batch(stack, batch, histogram);
}
