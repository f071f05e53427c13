/* SPDX-License-Identifier: MIT */
#include "trace/native_sampler.h"

#include <stdlib.h>

#include "trace/page_sample.h"
#include "trace/varint.h"

enum {
    RUNS = OL_NATIVE_SAMPLE_RUNS_MAX,
    RAW_BYTES = OL_NATIVE_SAMPLE_SECTIONS_BYTES + RUNS * (OL_VARINT_BYTES_MAX + 5 + 4) /* page, count, token */
};

struct ol_native_sampler {
    unsigned shift; /* of the sample's pages */
    uint32_t count; /* of runs */
    uint64_t references;
    struct ol_reference *runs;
    uint32_t *numbers; /* of their pages, for ol_native_sampler_take */
    unsigned char *raw;
    struct ol_native_sample_section section; /* the last one */
};

struct ol_native_sampler *ol_native_sampler_create(unsigned shift)
{
    struct ol_native_sampler *const sampler = calloc(1, sizeof(*sampler));
    if (!sampler) return NULL;
    sampler->shift = ol_native_sample_shift(shift);
    sampler->runs = malloc(RUNS * sizeof(*sampler->runs));
    sampler->numbers = malloc(RUNS * sizeof(*sampler->numbers));
    sampler->raw = malloc(RAW_BYTES);
    if (sampler->runs && sampler->numbers && sampler->raw) return sampler;
    ol_native_sampler_destroy(sampler);
    return NULL;
}

void ol_native_sampler_destroy(struct ol_native_sampler *sampler)
{
    if (!sampler) return;
    free(sampler->runs);
    free(sampler->numbers);
    free(sampler->raw);
    free(sampler);
}

bool ol_native_sampler_wants(const struct ol_native_sampler *sampler, const struct ol_reference *run)
{
    return ol_page_sampled(run->va >> sampler->shift, OL_PAGE_SAMPLE_NATIVE);
}

bool ol_native_sampler_full(const struct ol_native_sampler *sampler)
{
    return sampler->count == RUNS;
}

void ol_native_sampler_add(struct ol_native_sampler *sampler, const struct ol_reference *run)
{
    const ol_va va = run->va >> sampler->shift << sampler->shift;
    sampler->references += run->count;
    if (sampler->count > 0) {
        struct ol_reference *const last = &sampler->runs[sampler->count - 1];
        if (last->va == va && last->count <= UINT32_MAX - run->count) {
            last->count += run->count;
            return;
        }
    }
    sampler->runs[sampler->count++] = (struct ol_reference){.va = va, .count = run->count};
}

/* Appends pages by distance, then counts, then tokens; returns the end. */
static unsigned char *encode(const struct ol_native_sampler *sampler, const struct ol_numbering *pages)
{
    unsigned char *const head = sampler->raw, *at = head + OL_NATIVE_SAMPLE_SECTIONS_BYTES, *part = at;
    const uint32_t known = ol_numbering_pages(pages), bytes = known < UINT16_MAX ? 2 : 4;
    uint64_t last = 0;
    for (uint32_t i = 0; i < known; last = ol_numbering_page(pages, i++))
        at = ol_varint_put(at, ol_zigzag(ol_numbering_page(pages, i) - last));
    ol_put32(head, (uint32_t)(at - part));
    part = at;
    for (uint32_t i = 0; i < sampler->count; i++) at = ol_varint_put(at, sampler->runs[i].count - 1);
    ol_put32(head + 4, (uint32_t)(at - part));
    ol_put32(head + 8, sampler->count);
    ol_put32(head + 12, bytes);
    uint32_t named = 0;
    for (uint32_t i = 0; i < sampler->count; i++, at += bytes) {
        const uint32_t token = sampler->numbers[i] == named ? 0 : sampler->numbers[i] + 1;
        named += token == 0;
        memcpy(at, &token, bytes);
    }
    return at;
}

const struct ol_native_sample_section *ol_native_sampler_take(struct ol_native_sampler *sampler)
{
    struct ol_native_sample_section *const section = &sampler->section;
    struct ol_numbering *const pages = ol_numbering_create();
    const bool good =
        pages && ol_numbering_number(pages, sampler->runs, sampler->count, sampler->shift, sampler->numbers);
    if (good) {
        const uint64_t before = section->before + section->references;
        *section = (struct ol_native_sample_section){.raw = sampler->raw,
                                                     .bytes = (size_t)(encode(sampler, pages) - sampler->raw),
                                                     .pages = ol_numbering_pages(pages),
                                                     .references = sampler->references,
                                                     .before = before};
    }
    sampler->count = 0;
    sampler->references = 0;
    if (pages) ol_numbering_destroy(pages);
    return good ? section : NULL;
}
