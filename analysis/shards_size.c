/* SPDX-License-Identifier: MIT */
#include "analysis/shards_size.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/sample.h"
#include "analysis/stack.h"
#include "trace/page_sample.h"

/* Priorities are bits of the hash; a page is in the sample if its priority is below the limit. */
#define PRIORITY_ONE (UINT64_C(1) << 40)

enum {
    NONE = -1,
    EXACT = 512,                            /* distances with a class each */
    STEPS = 256,                            /* classes to each doubling above */
    CLASSES = EXACT + (63 - 9) * STEPS + 1, /* class 0 has no distance: first references */
};

/* A page of the sample. Its place in the array is its number on the stack. */
struct member {
    uint64_t page;
    uint64_t priority;
    int32_t next; /* in its chain of the hash table, or in the list of free members */
};

struct ol_shards_size {
    struct ol_stack *stack;
    struct member *members;
    int32_t *chains;                       /* first members, by lower bits of the hash */
    uint32_t *heap;                        /* members; the largest priority first */
    double (*histogram)[OL_SHARDS_GROUPS]; /* weights of references by class */
    uint32_t pages, pages_max, chains_mask;
    int32_t free;
    uint64_t limit;
    uint64_t references;
    /* After all references, the histogram is made one of faults: [c] is the weight of distances above class c. */
    uint32_t *points; /* classes of the curve's points; NULL before */
    uint32_t points_count;
};

struct ol_shards_size *ol_shards_size_create(uint32_t pages_max)
{
    struct ol_shards_size *const shards = calloc(1, sizeof(*shards));
    if (!shards) return NULL;
    uint32_t chains = 1;
    while (chains < pages_max) chains *= 2;
    shards->pages_max = pages_max;
    shards->chains_mask = chains - 1;
    shards->limit = PRIORITY_ONE;
    shards->stack = ol_stack_create();
    /* One more of each: the page that is too many comes in before one leaves. */
    shards->members = calloc((size_t)pages_max + 1, sizeof(*shards->members));
    shards->heap = calloc((size_t)pages_max + 1, sizeof(*shards->heap));
    shards->chains = malloc(chains * sizeof(*shards->chains));
    shards->histogram = calloc(CLASSES, sizeof(*shards->histogram));
    if (!shards->stack || !shards->members || !shards->heap || !shards->chains || !shards->histogram) {
        ol_shards_size_destroy(shards);
        return NULL;
    }
    memset(shards->chains, 0xff, chains * sizeof(*shards->chains));
    for (uint32_t i = 0; i < pages_max; i++) shards->members[i].next = (int32_t)i + 1;
    shards->members[pages_max].next = NONE;
    return shards;
}

void ol_shards_size_destroy(struct ol_shards_size *shards)
{
    if (shards->stack) ol_stack_destroy(shards->stack);
    free(shards->members);
    free(shards->heap);
    free(shards->chains);
    free(shards->histogram);
    free(shards->points);
    free(shards);
}

/* --- the sample --------------------------------------------------------------------------------------------------- */

static uint64_t priority_at(const struct ol_shards_size *shards, uint32_t place)
{
    return shards->members[shards->heap[place]].priority;
}

static void swap(uint32_t *a, uint32_t *b)
{
    const uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void heap_push(struct ol_shards_size *shards, uint32_t member)
{
    uint32_t at = shards->pages++;
    shards->heap[at] = member;
    for (; at && priority_at(shards, (at - 1) / 2) < priority_at(shards, at); at = (at - 1) / 2)
        swap(&shards->heap[at], &shards->heap[(at - 1) / 2]);
}

static uint32_t heap_pop(struct ol_shards_size *shards)
{
    const uint32_t largest = shards->heap[0], count = --shards->pages;
    shards->heap[0] = shards->heap[count];
    for (uint32_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && priority_at(shards, child) < priority_at(shards, child + 1)) child++;
        if (priority_at(shards, at) >= priority_at(shards, child)) break;
        swap(&shards->heap[at], &shards->heap[child]);
    }
    return largest;
}

static int32_t *chain_of(struct ol_shards_size *shards, uint64_t priority)
{
    return &shards->chains[priority & shards->chains_mask];
}

static int32_t find(struct ol_shards_size *shards, uint64_t page, uint64_t priority)
{
    int32_t at = *chain_of(shards, priority);
    while (at != NONE && shards->members[at].page != page) at = shards->members[at].next;
    return at;
}

/* The page with the largest priority leaves, and all that have the same; whoever has it is no more in the sample. */
static void shrink(struct ol_shards_size *shards)
{
    shards->limit = priority_at(shards, 0);
    while (shards->pages && priority_at(shards, 0) == shards->limit) {
        const int32_t member = (int32_t)heap_pop(shards);
        int32_t *link = chain_of(shards, shards->limit);
        while (*link != member) link = &shards->members[*link].next;
        *link = shards->members[member].next;
        shards->members[member].next = shards->free;
        shards->free = member;
        ol_stack_remove(shards->stack, (uint32_t)member);
    }
}

/* --- references --------------------------------------------------------------------------------------------------- */

/* The class of a scaled distance, which is at least 1. */
static uint32_t class_of(uint64_t distance)
{
    if (distance <= EXACT) return (uint32_t)distance;
    const unsigned power = 63 - (unsigned)__builtin_clzll(distance - 1); /* 9 or more */
    return EXACT + (power - 9) * STEPS + (uint32_t)((distance - 1) >> (power - 8) & (STEPS - 1)) + 1;
}

/* The largest distance of a class. */
static uint64_t class_end(uint32_t class)
{
    if (class <= EXACT) return class;
    const uint32_t power = 9 + (class - EXACT - 1) / STEPS, step = (class - EXACT - 1) % STEPS;
    return (uint64_t)(STEPS + step + 1) << (power - 8);
}

static void count(struct ol_shards_size *shards, uint32_t distance, unsigned group, double weight)
{
    uint32_t class = 0;
    if (distance) class = class_of((uint64_t)((distance - 1) * weight) + 1);
    shards->histogram[class < CLASSES ? class : CLASSES - 1][group] += weight;
}

bool ol_shards_size_reference(struct ol_shards_size *shards, uint64_t page, uint32_t times)
{
    const uint64_t hash = ol_page_hash(page), priority = hash & (PRIORITY_ONE - 1);
    shards->references += times;
    if (priority >= shards->limit) return true;
    const double weight = (double)PRIORITY_ONE / (double)shards->limit;
    int32_t member = find(shards, page, priority);
    const bool is_new = member == NONE;
    if (is_new) member = shards->free;
    uint32_t distance;
    if (!ol_stack_reference(shards->stack, (uint32_t)member, &distance)) return false;
    count(shards, distance, ol_sample_group(hash), weight);
    shards->histogram[1][ol_sample_group(hash)] += weight * (times - 1);
    if (!is_new) return true;
    shards->free = shards->members[member].next;
    shards->members[member] = (struct member){page, priority, *chain_of(shards, priority)};
    *chain_of(shards, priority) = member;
    heap_push(shards, (uint32_t)member);
    if (shards->pages > shards->pages_max) shrink(shards);
    return true;
}

/* --- the curve ---------------------------------------------------------------------------------------------------- */

static void sum_up(struct ol_shards_size *shards)
{
    for (int g = 0; g < OL_SHARDS_GROUPS; g++) {
        double above = shards->histogram[0][g];
        for (uint32_t class = CLASSES; class --;) {
            const double here = class ? shards->histogram[class][g] : 0;
            shards->histogram[class][g] = above;
            above += here;
        }
    }
}

/* Has a memory that holds this class, too, fewer faults than one that holds those before it alone? */
static bool changes(const struct ol_shards_size *shards, uint32_t class)
{
    for (int g = 0; g < OL_SHARDS_GROUPS; g++)
        if (shards->histogram[class][g] < shards->histogram[class - 1][g]) return true;
    return false;
}

bool ol_shards_size_finish(struct ol_shards_size *shards)
{
    shards->points = malloc(CLASSES * sizeof(*shards->points));
    if (!shards->points) return false;
    sum_up(shards);
    for (uint32_t class = 1; class < CLASSES; class ++)
        if (class == 1 || changes(shards, class)) shards->points[shards->points_count++] = class;
    return true;
}

/* Faults per reference in a memory that holds the distances up to this class, and the standard error. */
static double ratio(const struct ol_shards_size *shards, uint32_t class, double *error)
{
    double groups[OL_SHARDS_GROUPS];
    for (int g = 0; g < OL_SHARDS_GROUPS; g++)
        groups[g] = shards->histogram[class < CLASSES ? class : CLASSES - 1][g] /
                    ((double)shards->references / OL_SHARDS_GROUPS);
    return ol_sample_mean(groups, error);
}

bool ol_shards_size_point(const struct ol_shards_size *shards, uint32_t index, struct ol_shards_point *out)
{
    if (index >= shards->points_count) return false;
    const uint32_t class = shards->points[index];
    const double size = (double)class_end(class), rate = ol_shards_size_rate(shards);
    const double reach = ol_sample_reach(size * rate) / rate;
    const bool beyond = reach >= size;
    double error, near_error, far_error;
    out->size = class_end(class);
    out->ratio = out->least = out->most = ratio(shards, class, &error);
    if (shards->limit == PRIORITY_ONE) return true; /* the sample is the whole */
    const double near = ratio(shards, beyond ? 0 : class_of((uint64_t)(size - reach) + 1) - 1, &near_error);
    const double far = ratio(shards, class_of((uint64_t)(size + reach) + 1), &far_error);
    ol_sample_bound(out, error, beyond ? 1 : near, near_error, far, far_error);
    return true;
}

uint64_t ol_shards_size_references(const struct ol_shards_size *shards)
{
    return shards->references;
}

uint32_t ol_shards_size_pages(const struct ol_shards_size *shards)
{
    return shards->pages;
}

double ol_shards_size_rate(const struct ol_shards_size *shards)
{
    return (double)shards->limit / (double)PRIORITY_ONE;
}
