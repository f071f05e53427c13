/* SPDX-License-Identifier: MIT */
/*
 * The sample that a trace carries of itself, as its writer makes it: references to sampled pages (page_sample.h) are
 * collected, those to a page that directly follow one another in the sample made one, and encoded when there are enough
 * of them for a section of the file.
 */
#ifndef OL_TRACE_NATIVE_SAMPLER_H
#define OL_TRACE_NATIVE_SAMPLER_H

#include "trace/native.h"

/* What ol_native_sampler_add needs; the rest is native_sampler.c's own. */
struct ol_native_sampler {
    unsigned shift; /* of the sample's pages */
    struct ol_reference *next,
        *full; /* where the next run goes, and where none can; next[-1] is the last one, if any */
};

/* shift: log2 of the trace's pages, 0 for addresses. NULL without memory. */
struct ol_native_sampler *ol_native_sampler_create(unsigned shift);
void ol_native_sampler_destroy(struct ol_native_sampler *sampler); /* may be NULL */

/* Is the address, of a reference, in a page of the sample? *va becomes the page's. */
bool ol_native_sampler_wants(const struct ol_native_sampler *sampler, ol_va *va);

/* Takes `count` references to a page in the sample, by the page's address. The sampler is not full. */
static inline void ol_native_sampler_add(struct ol_native_sampler *sampler, ol_va va, uint32_t count)
{
    struct ol_reference *const last = sampler->next - 1;
    if (last->va == va && last->count <= UINT32_MAX - count) last->count += count;
    else *sampler->next++ = (struct ol_reference){.va = va, .count = count};
}

/* What was taken since the last call, as a section's contents, good until the next call. NULL without memory; it is
 * lost then. In any case there is room for runs again. */
struct ol_native_sample_section {
    const unsigned char *raw;
    size_t bytes;
    uint32_t pages;
    uint64_t references, before; /* in the section, and in those before */
};
const struct ol_native_sample_section *ol_native_sampler_take(struct ol_native_sampler *sampler);

#endif
