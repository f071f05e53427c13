/* SPDX-License-Identifier: MIT */
/*
 * The sample that a trace carries of itself, as its writer makes it: references to sampled pages (page_sample.h) are
 * collected, those to a page that directly follow one another in the sample made one, and encoded when there are enough
 * of them for a section of the file.
 */
#ifndef OL_TRACE_NATIVE_SAMPLER_H
#define OL_TRACE_NATIVE_SAMPLER_H

#include "trace/native.h"

struct ol_native_sampler;

/* shift: log2 of the trace's pages, 0 for addresses. NULL without memory. */
struct ol_native_sampler *ol_native_sampler_create(unsigned shift);
void ol_native_sampler_destroy(struct ol_native_sampler *sampler); /* may be NULL */

bool ol_native_sampler_wants(const struct ol_native_sampler *sampler, const struct ol_reference *run);

/* Is there no room for another run? */
bool ol_native_sampler_full(const struct ol_native_sampler *sampler);

/* Takes references to a page in the sample. The sampler is not full. */
void ol_native_sampler_add(struct ol_native_sampler *sampler, const struct ol_reference *run);

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
