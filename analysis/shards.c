/* SPDX-License-Identifier: MIT */
#include "analysis/shards.h"

#include <stdlib.h>

#include "analysis/sample.h"
#include "analysis/stack.h"
#include "trace/grow.h"
#include "trace/page_sample.h"

enum { PAGES_FIRST = 1 << 12 };

struct ol_shards {
    struct ol_stack *stack;
    uint64_t (*histogram)[OL_SHARDS_GROUPS]; /* by distance within the sample; 0: first references */
    size_t capacity;                         /* distances */
    uint32_t rate;
    uint32_t pages;
    uint64_t references; /* all */
    uint64_t sampled;
    bool summed; /* the histogram was made one of faults: [d] counts distances above d, and first references */
};

struct ol_shards *ol_shards_create(uint32_t rate)
{
    struct ol_shards *shards = calloc(1, sizeof(*shards));
    if (!shards) return NULL;
    shards->rate = rate;
    shards->capacity = PAGES_FIRST;
    shards->stack = ol_stack_create();
    shards->histogram = ol_grow(NULL, 0, shards->capacity, sizeof(*shards->histogram));
    if (shards->stack && shards->histogram) return shards;
    ol_shards_destroy(shards);
    return NULL;
}

void ol_shards_destroy(struct ol_shards *shards)
{
    if (shards->stack) ol_stack_destroy(shards->stack);
    ol_grow_free(shards->histogram, shards->capacity, sizeof(*shards->histogram));
    free(shards);
}

bool ol_shards_samples(const struct ol_shards *shards, uint64_t page)
{
    return ol_page_sampled(page, shards->rate);
}

void ol_shards_skip(struct ol_shards *shards, uint64_t count)
{
    shards->references += count;
}

bool ol_shards_reference(struct ol_shards *shards, uint64_t page, uint32_t number, uint32_t count)
{
    const unsigned group = ol_sample_group(ol_page_hash(page));
    uint32_t distance;
    if (number >= shards->pages) shards->pages = number + 1;
    if (shards->pages >= shards->capacity) {
        void *grown = ol_grow(shards->histogram, shards->capacity, 2 * shards->capacity, sizeof(*shards->histogram));
        if (!grown) return false;
        shards->histogram = grown;
        shards->capacity *= 2;
    }
    if (!ol_stack_reference(shards->stack, number, &distance)) return false;
    shards->histogram[distance][group]++;
    shards->histogram[1][group] += count - 1;
    shards->references += count;
    shards->sampled += count;
    return true;
}

/* Makes the histogram one of faults in memories of so many pages of the sample. */
static void sum_up(struct ol_shards *shards)
{
    uint64_t first[OL_SHARDS_GROUPS], above[OL_SHARDS_GROUPS] = {0};
    for (int g = 0; g < OL_SHARDS_GROUPS; g++) first[g] = shards->histogram[0][g];
    for (uint32_t d = shards->pages + 1; d--;) {
        for (int g = 0; g < OL_SHARDS_GROUPS; g++) {
            const uint64_t here = d ? shards->histogram[d][g] : 0;
            shards->histogram[d][g] = above[g] + first[g];
            above[g] += here;
        }
    }
    shards->summed = true;
}

/* Faults per reference in a memory of so many pages of the sample, and the standard error. */
static double ratio(const struct ol_shards *shards, uint32_t pages, double *error)
{
    const double scale = (double)shards->rate / OL_PAGE_SAMPLE_ONE * (double)shards->references / OL_SHARDS_GROUPS;
    double groups[OL_SHARDS_GROUPS];
    if (pages > shards->pages) pages = shards->pages;
    for (int g = 0; g < OL_SHARDS_GROUPS; g++) groups[g] = (double)shards->histogram[pages][g] / scale;
    return ol_sample_mean(groups, error);
}

bool ol_shards_point(struct ol_shards *shards, uint32_t index, struct ol_shards_point *out)
{
    const uint32_t pages = index + 1;
    const double reach = ol_sample_reach(pages);
    double error, near_error, far_error;
    if (!shards->summed) sum_up(shards);
    if (pages > shards->pages) return false;
    out->size = (uint64_t)((double)pages * OL_PAGE_SAMPLE_ONE / shards->rate);
    out->ratio = ratio(shards, pages, &error);
    const double near = ratio(shards, reach < pages ? pages - (uint32_t)reach : 0, &near_error);
    const double far = ratio(shards, pages + (uint32_t)reach, &far_error);
    ol_sample_bound(out, error, reach < pages ? near : 1, near_error, far, far_error);
    return true;
}

uint64_t ol_shards_references(const struct ol_shards *shards)
{
    return shards->references;
}

uint32_t ol_shards_pages(const struct ol_shards *shards)
{
    return shards->pages;
}
