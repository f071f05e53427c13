/* SPDX-License-Identifier: MIT */
/*
 * Reads the sample that a trace carries of itself: its sections alone, which the index names, so that the rest of the
 * file is passed over.
 */
#include <stdlib.h>

#include "trace/native_block.h"
#include "trace/page_sample.h"
#include "trace/varint.h"

enum { RUNS = OL_NATIVE_SAMPLE_RUNS_MAX };

struct ol_native_sample {
    uint64_t *offsets; /* of the sections */
    size_t sections, read;
    uint64_t references; /* in those that were read */
    uint64_t all;        /* of the trace */
    uint32_t count, given;
    uint64_t page[RUNS];           /* of the section */
    struct ol_reference run[RUNS]; /* of which `given` were given out */
};

void ol_native_sample_destroy(struct ol_native_sample *sample)
{
    if (sample) free(sample->offsets);
    free(sample);
}

/* --- a section ---------------------------------------------------------------------------------------------------- */

static bool get_pages(const struct ol_native *native, const unsigned char *at, const unsigned char *end,
                      uint32_t *known)
{
    const unsigned shift = ol_native_sample_shift(native->shift);
    uint64_t page = 0, distance;
    for (*known = 0; at < end; native->sample->page[(*known)++] = page) {
        if (*known == RUNS || !ol_varint_get(&at, end, &distance)) return false;
        page += ol_unzigzag(distance);
        if (page > native->options.last_va >> shift || !ol_page_sampled(page, OL_PAGE_SAMPLE_NATIVE)) return false;
    }
    return true;
}

/* Unfolds native->raw. `references` of it are promised. */
static bool get_section(struct ol_native *native, size_t bytes, uint64_t references)
{
    struct ol_native_sample *const sample = native->sample;
    const unsigned shift = ol_native_sample_shift(native->shift);
    if (bytes < OL_NATIVE_SAMPLE_SECTIONS_BYTES) return false;
    const uint64_t page_bytes = ol_get32(native->raw), count_bytes = ol_get32(native->raw + 4);
    const uint32_t count = ol_get32(native->raw + 8), token_bytes = ol_get32(native->raw + 12);
    if (count > RUNS || (token_bytes != 2 && token_bytes != 4) ||
        OL_NATIVE_SAMPLE_SECTIONS_BYTES + page_bytes + count_bytes + (uint64_t)count * token_bytes != bytes)
        return false;
    const unsigned char *const pages = native->raw + OL_NATIVE_SAMPLE_SECTIONS_BYTES, *counts = pages + page_bytes;
    const unsigned char *token = counts + count_bytes, *const tokens = token;
    uint32_t known, named = 0;
    if (!get_pages(native, pages, counts, &known)) return false;
    for (uint32_t i = 0; i < count; i++, token += token_bytes) {
        const uint32_t name = token_bytes == 2 ? ol_get16(token) : ol_get32(token);
        const uint32_t number = name == 0 ? named++ : name - 1;
        uint64_t more;
        if (named > known || number >= named || !ol_varint_get(&counts, tokens, &more) || more >= UINT32_MAX ||
            more >= references)
            return false;
        references -= more + 1;
        sample->run[i] =
            (struct ol_reference){.va = sample->page[number] << shift, .access = OL_READ, .count = (uint32_t)more + 1};
    }
    sample->count = count;
    sample->given = 0;
    return references == 0 && named == known && counts == tokens;
}

static enum ol_trace_status next_section(struct ol_native *native)
{
    struct ol_native_sample *const sample = native->sample;
    unsigned char header[OL_NATIVE_BLOCK_HEADER_BYTES];
    size_t bytes;
    if (!ol_native_move(native, sample->offsets[sample->read])) return ol_native_unreadable(native);
    const enum ol_trace_status status = ol_native_read_sample(native, header, &bytes);
    if (status != OL_TRACE_OK) return status;
    if (ol_get64(header + 16) > sample->all - sample->references)
        return ol_native_damaged(native, "the sample holds more references than the trace");
    if (ol_get64(header + 24) != sample->references)
        return ol_native_damaged(native, "a part of the sample is missing before this one");
    if (!get_section(native, bytes, ol_get64(header + 16)))
        return ol_native_damaged(native, "the contents of the sample make no sense");
    sample->references += ol_get64(header + 16);
    sample->read++;
    return OL_TRACE_OK;
}

enum ol_trace_status ol_native_next_sampled(struct ol_native *native, struct ol_reference *references, size_t max,
                                            size_t *count)
{
    struct ol_native_sample *const sample = native->sample;
    while (sample->given == sample->count && sample->read < sample->sections) {
        const enum ol_trace_status status = next_section(native);
        if (status != OL_TRACE_OK) return status;
    }
    const uint32_t left = sample->count - sample->given;
    *count = left < max ? left : max;
    memcpy(references, sample->run + sample->given, *count * sizeof(*references));
    sample->given += (uint32_t)*count;
    return OL_TRACE_OK;
}

/* --- which sections there are ------------------------------------------------------------------------------------- */

/* Keeps what the index, which is in native->raw, tells of the sample. False without memory. */
static bool take_index(struct ol_native *native, const struct ol_native_index *index)
{
    struct ol_native_sample *const sample = calloc(1, sizeof(*sample));
    uint64_t *const offsets = malloc(index->samples * sizeof(*offsets));
    if (!sample || !offsets) {
        free(sample);
        free(offsets);
        return false;
    }
    for (size_t i = 0; i < index->samples; i++)
        offsets[i] = ol_get64(native->raw + OL_NATIVE_INDEX_ENTRY_BYTES * (index->blocks + i));
    sample->offsets = offsets;
    sample->sections = index->samples;
    sample->all = index->references;
    native->sample = sample;
    return true;
}

bool ol_native_sample(struct ol_native *native, uint64_t *references)
{
    struct ol_native_index index = {0};
    char message[1];
    native->message = message;
    native->message_bytes = sizeof(message);
    if (native->options.page_shift != ol_native_sample_shift(native->shift) || ol_source_bytes(native->source) == 0)
        return false;
    if (ol_native_read_index(native, &index) && index.samples > 0 && take_index(native, &index)) {
        *references = index.references;
        return true;
    }
    (void)ol_native_move(native, OL_NATIVE_FILE_HEADER_BYTES); /* if that fails, so does what reads next */
    return false;
}
