/* SPDX-License-Identifier: MIT */
/* onelevel mrc --sample, --sample-pages: the LRU curve from a sample of the pages. */
#include "analysis/shards.h"
#include "analysis/shards_size.h"
#include "cli/cli.h"
#include "cli/mrc.h"
#include "trace/page_sample.h"

static struct ol_reference references[OL_NUMBERING_BATCH_MAX];

/* The next references of the trace; *count 0 is the end. False after a message. */
static bool next(struct ol_stream *stream, size_t *count)
{
    if (ol_trace_read(stream->trace, references, OL_NUMBERING_BATCH_MAX, count) == OL_TRACE_OK) return true;
    ol_error("%s", ol_trace_message(stream->trace));
    return false;
}

static const char *const keys[] = {"frames", "miss_ratio", "least", "most", NULL};

static void begin(const struct ol_mrc *mrc, double rate, uint64_t all, uint32_t pages, struct ol_table *table)
{
    ol_table_begin(table, mrc->form, keys, "curve");
    ol_table_member(table, "policy", ol_cell_text("lru"));
    ol_table_member(table, "page_bytes", ol_cell_count(UINT64_C(1) << mrc->page_shift));
    ol_table_member(table, "sample", ol_cell_real(rate));
    ol_table_member(table, "confidence", ol_cell_real(0.99));
    ol_table_member(table, "references", ol_cell_count(all));
    ol_table_member(table, "sampled_pages", ol_cell_count(pages));
}

static void row(struct ol_table *table, const struct ol_shards_point *point)
{
    ol_table_row(table, (const struct ol_cell[]){ol_cell_count(point->size), ol_cell_real(point->ratio),
                                                 ol_cell_real(point->least), ol_cell_real(point->most)});
}

/* --- a fixed rate ------------------------------------------------------------------------------------------------- */

/* Keeps of a batch of references those to pages in the sample; returns how many. */
static size_t choose(struct ol_shards *shards, unsigned page_shift, size_t count)
{
    size_t kept = 0;
    uint64_t skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (ol_shards_samples(shards, references[i].va >> page_shift)) references[kept++] = references[i];
        else skipped += references[i].count;
    }
    ol_shards_skip(shards, skipped);
    return kept;
}

static bool sample_batch(struct ol_stream *stream, struct ol_shards *shards, size_t count)
{
    struct ol_batch batch;
    if (!ol_numbering_add(stream->numbering, references, count, stream->page_shift, &batch))
        return ol_mrc_out_of_memory();
    for (size_t i = 0; i < count; i++)
        if (!ol_shards_reference(shards, references[i].va >> stream->page_shift, batch.pages[i], references[i].count))
            return ol_mrc_out_of_memory();
    return true;
}

static bool print_rate(const struct ol_mrc *mrc, struct ol_shards *shards)
{
    struct ol_shards_point point;
    struct ol_table table;
    const uint32_t pages = ol_shards_pages(shards);
    begin(mrc, (double)mrc->rate / OL_PAGE_SAMPLE_ONE, ol_shards_references(shards), pages, &table);
    for (uint32_t i = 0; ol_shards_point(shards, i, &point); i++)
        if (ol_table_shows(&table, i, pages)) row(&table, &point);
    return ol_table_end(&table);
}

static bool sample_rate(const struct ol_mrc *mrc, struct ol_stream *stream)
{
    struct ol_shards *const shards = ol_shards_create(mrc->rate);
    size_t count = 1;
    uint64_t all = 0;
    bool good = shards || ol_mrc_out_of_memory();
    /* The trace's own sample has all that one of a lower rate has, and is soon read. */
    if (mrc->rate > OL_PAGE_SAMPLE_NATIVE || !ol_trace_sample(stream->trace, &all)) all = 0;
    while (good && (good = next(stream, &count)) && count)
        good = sample_batch(stream, shards, choose(shards, stream->page_shift, count));
    if (good && all) ol_shards_skip(shards, all - ol_shards_references(shards));
    if (good && !ol_shards_pages(shards)) {
        ol_error("none of the pages of %s is in the sample; give a higher rate", mrc->trace);
        good = false;
    }
    good = good && print_rate(mrc, shards);
    if (shards) ol_shards_destroy(shards);
    return good;
}

/* --- a fixed number of pages -------------------------------------------------------------------------------------- */

static bool print_size(const struct ol_mrc *mrc, const struct ol_shards_size *shards)
{
    struct ol_shards_point point;
    struct ol_table table;
    uint32_t count = 0;
    begin(mrc, ol_shards_size_rate(shards), ol_shards_size_references(shards), ol_shards_size_pages(shards), &table);
    while (ol_shards_size_point(shards, count, &point)) count++;
    for (uint32_t i = 0; ol_shards_size_point(shards, i, &point); i++)
        if (ol_table_shows(&table, i, count)) row(&table, &point);
    return ol_table_end(&table);
}

static bool sample_size(const struct ol_mrc *mrc, struct ol_stream *stream)
{
    struct ol_shards_size *const shards = ol_shards_size_create(mrc->sample_pages);
    size_t count = 1;
    bool good = shards || ol_mrc_out_of_memory();
    while (good && (good = next(stream, &count)) && count) {
        for (size_t i = 0; good && i < count; i++)
            good = ol_shards_size_reference(shards, references[i].va >> stream->page_shift, references[i].count) ||
                   ol_mrc_out_of_memory();
    }
    if (good && !ol_shards_size_references(shards)) {
        ol_error("the trace holds no references; with valgrind, was --trace-mem=yes given?");
        good = false;
    }
    good = good && (ol_shards_size_finish(shards) || ol_mrc_out_of_memory()) && print_size(mrc, shards);
    if (shards) ol_shards_size_destroy(shards);
    return good;
}

bool ol_mrc_sampled(const struct ol_mrc *mrc, struct ol_stream *stream)
{
    return mrc->rate ? sample_rate(mrc, stream) : sample_size(mrc, stream);
}
