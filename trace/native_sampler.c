/* SPDX-License-Identifier: MIT */
#include "trace/native_sampler.h"

#include <stdlib.h>

#include "trace/page_sample.h"
#include "trace/varint.h"

enum {
    RUNS = OL_NATIVE_SAMPLE_RUNS_MAX,
    RAW_BYTES = OL_NATIVE_SAMPLE_SECTIONS_BYTES + RUNS * (OL_VARINT_BYTES_MAX + 5 + 4) /* page, count, token */
};

/* No page's address: it is not aligned. */
#define NO_PAGE UINT64_MAX

struct sampler {
    struct ol_native_sampler shared;
    struct ol_reference *runs; /* the first stands before all, and is none */
    uint32_t *numbers;         /* of their pages, for ol_native_sampler_take */
    unsigned char *raw;
    struct ol_native_sample_section section; /* the last one */
};

static void begin(struct sampler *sampler)
{
    sampler->shared.next = sampler->runs + 1;
}

static uint32_t count_runs(const struct sampler *sampler)
{
    return (uint32_t)(sampler->shared.next - sampler->runs - 1);
}

struct ol_native_sampler *ol_native_sampler_create(unsigned shift)
{
    struct sampler *const sampler = calloc(1, sizeof(*sampler));
    if (!sampler) return NULL;
    sampler->shared.shift = ol_native_sample_shift(shift);
    sampler->runs = malloc((RUNS + 1) * sizeof(*sampler->runs));
    sampler->numbers = malloc(RUNS * sizeof(*sampler->numbers));
    sampler->raw = malloc(RAW_BYTES);
    if (!sampler->runs || !sampler->numbers || !sampler->raw) {
        ol_native_sampler_destroy(&sampler->shared);
        return NULL;
    }
    sampler->runs[0] = (struct ol_reference){.va = NO_PAGE};
    sampler->shared.full = sampler->runs + 1 + RUNS;
    begin(sampler);
    return &sampler->shared;
}

void ol_native_sampler_destroy(struct ol_native_sampler *shared)
{
    struct sampler *const sampler = (struct sampler *)shared;
    if (!sampler) return;
    free(sampler->runs);
    free(sampler->numbers);
    free(sampler->raw);
    free(sampler);
}

bool ol_native_sampler_wants(const struct ol_native_sampler *sampler, ol_va *va)
{
    const uint64_t page = *va >> sampler->shift;
    *va = page << sampler->shift;
    return ol_page_sampled(page, OL_PAGE_SAMPLE_NATIVE);
}

/* Appends pages by distance, then counts, then tokens; returns the end. */
static unsigned char *encode(const struct sampler *sampler, const struct ol_numbering *pages)
{
    const struct ol_reference *const runs = sampler->runs + 1;
    const uint32_t count = count_runs(sampler), known = ol_numbering_pages(pages), bytes = known < UINT16_MAX ? 2 : 4;
    unsigned char *const head = sampler->raw, *at = head + OL_NATIVE_SAMPLE_SECTIONS_BYTES, *part = at;
    uint64_t last = 0;
    for (uint32_t i = 0; i < known; last = ol_numbering_page(pages, i++))
        at = ol_varint_put(at, ol_zigzag(ol_numbering_page(pages, i) - last));
    ol_put32(head, (uint32_t)(at - part));
    part = at;
    for (uint32_t i = 0; i < count; i++) at = ol_varint_put(at, runs[i].count - 1);
    ol_put32(head + 4, (uint32_t)(at - part));
    ol_put32(head + 8, count);
    ol_put32(head + 12, bytes);
    uint32_t named = 0;
    for (uint32_t i = 0; i < count; i++, at += bytes) {
        const uint32_t token = sampler->numbers[i] == named ? 0 : sampler->numbers[i] + 1;
        named += token == 0;
        memcpy(at, &token, bytes);
    }
    return at;
}

const struct ol_native_sample_section *ol_native_sampler_take(struct ol_native_sampler *shared)
{
    struct sampler *const sampler = (struct sampler *)shared;
    struct ol_native_sample_section *const section = &sampler->section;
    const struct ol_reference *const runs = sampler->runs + 1;
    const uint32_t count = count_runs(sampler);
    struct ol_numbering *const pages = ol_numbering_create();
    const bool good = pages && ol_numbering_number(pages, runs, count, shared->shift, sampler->numbers);
    if (good) {
        section->before += section->references;
        section->references = 0;
        for (uint32_t i = 0; i < count; i++) section->references += runs[i].count;
        section->raw = sampler->raw;
        section->bytes = (size_t)(encode(sampler, pages) - sampler->raw);
        section->pages = ol_numbering_pages(pages);
    }
    begin(sampler);
    if (pages) ol_numbering_destroy(pages);
    return good ? section : NULL;
}
