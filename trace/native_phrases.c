/* SPDX-License-Identifier: MIT */
#include "trace/native_phrases.h"

#include <stdlib.h>

#include "trace/varint.h"

enum {
    OTHER_PAGE = 4, /* of a head; below it is the access, above it the count - 1, or MANY */
    COUNT_SHIFT = 3,
    MANY = 31
};

static const size_t run_bytes_most[OL_PHRASE_STREAMS] = {[OL_PHRASE_LENGTHS] = 2,
                                                         [OL_PHRASE_HEADS] = 1,
                                                         [OL_PHRASE_COUNTS] = 5,
                                                         [OL_PHRASE_RANKS] = 1,
                                                         [OL_PHRASE_DISTANCES] = 10};

/* Makes the page of that rank, or a page of none (rank OL_PHRASE_RECENT - 1), the one used last. */
static void use(struct ol_phrase_pages *pages, uint64_t page, unsigned rank)
{
    memmove(pages->recent + 1, pages->recent, rank * sizeof(*pages->recent));
    pages->recent[0] = page;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

bool ol_phrase_writer_init(struct ol_phrase_writer *writer, unsigned shift)
{
    bool good = true;
    *writer = (struct ol_phrase_writer){.shift = shift};
    for (int i = 0; i < OL_PHRASE_STREAMS; i++) {
        writer->stream[i] = malloc(OL_NATIVE_RUNS_MAX * run_bytes_most[i]);
        good = good && writer->stream[i];
    }
    return good;
}

void ol_phrase_writer_release(struct ol_phrase_writer *writer)
{
    for (int i = 0; i < OL_PHRASE_STREAMS; i++) free(writer->stream[i]);
}

void ol_phrase_writer_reset(struct ol_phrase_writer *writer)
{
    memset(writer->pages, 0, sizeof(writer->pages));
    memset(writer->bytes, 0, sizeof(writer->bytes));
}

static void put(struct ol_phrase_writer *writer, enum ol_phrase_stream stream, uint64_t value)
{
    unsigned char *const at = writer->stream[stream] + writer->bytes[stream];
    writer->bytes[stream] += (size_t)(ol_varint_put(at, value) - at);
}

static void put_page(struct ol_phrase_writer *writer, struct ol_phrase_pages *pages, uint64_t page)
{
    unsigned rank = 1;
    while (rank < OL_PHRASE_RECENT && pages->recent[rank] != page) rank++;
    if (rank < OL_PHRASE_RECENT) put(writer, OL_PHRASE_RANKS, rank);
    else {
        put(writer, OL_PHRASE_RANKS, 0);
        put(writer, OL_PHRASE_DISTANCES, ol_zigzag(page - pages->told));
        pages->told = page;
        rank = OL_PHRASE_RECENT - 1;
    }
    use(pages, page, rank);
}

void ol_phrase_writer_add(struct ol_phrase_writer *writer, const struct ol_reference *runs, uint32_t count)
{
    put(writer, OL_PHRASE_LENGTHS, count);
    for (uint32_t i = 0; i < count; i++) {
        const unsigned access = runs[i].access == OL_READ ? 0 : runs[i].access == OL_WRITE ? 1 : 2;
        struct ol_phrase_pages *const pages = &writer->pages[access == 2];
        const uint64_t page = runs[i].va >> writer->shift;
        const uint32_t more = runs[i].count - 1;
        const bool other = page != pages->recent[0];
        writer->stream[OL_PHRASE_HEADS][writer->bytes[OL_PHRASE_HEADS]++] =
            (unsigned char)(access | (other ? OTHER_PAGE : 0) | (more < MANY ? more : MANY) << COUNT_SHIFT);
        if (more >= MANY) put(writer, OL_PHRASE_COUNTS, more);
        if (other) put_page(writer, pages, page);
    }
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct streams {
    const unsigned char *at[OL_PHRASE_STREAMS], *end[OL_PHRASE_STREAMS];
};

static bool get(struct streams *streams, enum ol_phrase_stream stream, uint64_t *value)
{
    return ol_varint_get(&streams->at[stream], streams->end[stream], value);
}

static bool get_page(struct streams *streams, struct ol_phrase_pages *pages)
{
    if (streams->at[OL_PHRASE_RANKS] == streams->end[OL_PHRASE_RANKS]) return false;
    const unsigned rank = *streams->at[OL_PHRASE_RANKS]++;
    uint64_t distance;
    if (rank >= OL_PHRASE_RECENT) return false;
    if (rank > 0) {
        use(pages, pages->recent[rank], rank);
        return true;
    }
    if (!get(streams, OL_PHRASE_DISTANCES, &distance)) return false;
    pages->told += ol_unzigzag(distance);
    use(pages, pages->told, OL_PHRASE_RECENT - 1);
    return true;
}

static bool get_run(const struct ol_native *native, struct streams *streams, struct ol_phrase_pages pages[2],
                    struct ol_reference *run)
{
    static const uint8_t accesses[] = {OL_READ, OL_WRITE, OL_EXEC};
    if (streams->at[OL_PHRASE_HEADS] == streams->end[OL_PHRASE_HEADS]) return false;
    const unsigned head = *streams->at[OL_PHRASE_HEADS]++, access = head & (OTHER_PAGE - 1);
    uint64_t more = head >> COUNT_SHIFT;
    if (access == 3) return false;
    struct ol_phrase_pages *const class = &pages[access == 2];
    if (more == MANY && (!get(streams, OL_PHRASE_COUNTS, &more) || more >= UINT32_MAX)) return false;
    if (head & OTHER_PAGE && !get_page(streams, class)) return false;
    *run = (struct ol_reference){
        .va = class->recent[0] << native->shift, .access = accesses[access], .count = (uint32_t)more + 1};
    return class->recent[0] <= native->options.last_va >> native->shift;
}

bool ol_phrases_get(struct ol_native *native, const unsigned char *streams, const uint32_t bytes[OL_PHRASE_STREAMS])
{
    struct ol_phrase_pages pages[2] = {{.told = 0}};
    struct streams from;
    uint32_t runs = 0;
    for (int i = 0; i < OL_PHRASE_STREAMS; i++, streams = from.end[i - 1]) {
        from.at[i] = streams;
        from.end[i] = streams + bytes[i];
    }
    native->defined = native->used = 0;
    while (from.at[OL_PHRASE_LENGTHS] < from.end[OL_PHRASE_LENGTHS]) {
        uint64_t count;
        if (!get(&from, OL_PHRASE_LENGTHS, &count) || count == 0 || count > OL_NATIVE_PHRASE_RUNS_MAX ||
            count > bytes[OL_PHRASE_HEADS] - runs || native->defined == OL_NATIVE_PHRASES_MAX)
            return false;
        native->phrases[native->defined++] = (struct ol_native_phrase){.first = runs, .count = (uint32_t)count};
        for (uint64_t i = 0; i < count; i++)
            if (!get_run(native, &from, pages, &native->runs[runs++])) return false;
    }
    native->runs_total = runs;
    for (int i = 0; i < OL_PHRASE_STREAMS; i++)
        if (from.at[i] != from.end[i]) return false;
    return true;
}
