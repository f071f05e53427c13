/* SPDX-License-Identifier: MIT */
/* onelevel mrc: exact miss-ratio curves. */
#include <stdlib.h>
#include <string.h>

#include <onelevel/core.h>

#include "analysis/future.h"
#include "analysis/opt_stack.h"
#include "cli/cli.h"
#include "cli/histogram.h"
#include "cli/ideal_replay.h"
#include "cli/mrc.h"

struct curve_point {
    uint64_t size, faults;
};

/* What is known of the whole trace. */
struct totals {
    uint64_t references;
    uint32_t pages;
};

bool ol_mrc_out_of_memory(void)
{
    ol_error("no memory for the curve");
    return false;
}

static bool print_curve(const struct ol_mrc *mrc, const struct totals *totals, const struct curve_point *points,
                        size_t count)
{
    static const char *const keys[] = {"frames", "faults", "miss_ratio", NULL};
    struct ol_table table;
    ol_table_begin(&table, mrc->form, keys, "curve");
    ol_table_member(&table, "policy", ol_cell_text(mrc->policy_text));
    ol_table_member(&table, "page_bytes", ol_cell_count(UINT64_C(1) << mrc->page_shift));
    ol_table_member(&table, "references", ol_cell_count(totals->references));
    ol_table_member(&table, "distinct_pages", ol_cell_count(totals->pages));
    for (size_t i = 0; i < count; i++) {
        if (!ol_table_shows(&table, i, count)) continue;
        const double ratio = (double)points[i].faults / (double)totals->references;
        ol_table_row(&table, (const struct ol_cell[]){ol_cell_count(points[i].size), ol_cell_count(points[i].faults),
                                                      ol_cell_real(ratio)});
    }
    return ol_table_end(&table);
}

/* --- LRU and OPT: from a histogram of stack distances ------------------------------------------------------------- */

/* The faults in memories of the sizes asked for, or of all sizes at which they change. */
static bool print_histogram(const struct ol_mrc *mrc, const struct totals *totals, const uint64_t *histogram)
{
    struct curve_point *const points = malloc(((size_t)totals->pages + OL_MRC_SIZES_MAX) * sizeof(*points));
    if (!points) return ol_mrc_out_of_memory();
    uint64_t faults = totals->references;
    size_t count = 0;
    unsigned asked = 0;
    for (uint32_t size = 1; size <= totals->pages; size++) {
        faults -= histogram[size];
        if (!mrc->sizes_count && (size == 1 || histogram[size])) points[count++] = (struct curve_point){size, faults};
        for (; asked < mrc->sizes_count && mrc->sizes[asked] == size; asked++)
            points[count++] = (struct curve_point){size, faults};
    }
    for (; asked < mrc->sizes_count; asked++) points[count++] = (struct curve_point){mrc->sizes[asked], faults};
    const bool good = print_curve(mrc, totals, points, count);
    free(points);
    return good;
}

bool ol_mrc_lru(const struct ol_mrc *mrc, struct ol_stream *stream)
{
    struct ol_histogram histogram;
    bool good = ol_histogram_read(&histogram, stream);
    const struct totals totals = {histogram.references, histogram.pages};
    good = good && print_histogram(mrc, &totals, histogram.distances);
    ol_histogram_release(&histogram);
    return good;
}

bool ol_mrc_opt(const struct ol_mrc *mrc, struct ol_stream *stream)
{
    struct ol_future *const future = ol_future_create(0);
    struct totals totals = {0};
    struct ol_batch batch = {0};
    bool good = future || ol_mrc_out_of_memory();
    while (good && (good = ol_stream_next(stream, &batch)) && batch.count) {
        good = ol_future_add(future, &batch) || ol_mrc_out_of_memory();
        totals.references += ol_batch_references(&batch);
        totals.pages = batch.pages_total;
    }
    struct ol_opt_stack *const stack = good ? ol_opt_stack_create(totals.pages) : NULL;
    uint64_t *const histogram = calloc((size_t)totals.pages + 1, sizeof(*histogram));
    if (good && (!stack || !histogram)) good = ol_mrc_out_of_memory();
    for (size_t at = 0; good; at += batch.count) {
        ol_future_batch(future, at, OL_NUMBERING_BATCH_MAX, &batch);
        if (!batch.count) break;
        ol_opt_stack_count(stack, &batch, histogram);
    }
    good = good && print_histogram(mrc, &totals, histogram);
    free(histogram);
    if (stack) ol_opt_stack_destroy(stack);
    if (future) ol_future_destroy(future);
    return good;
}

/* --- other policies: many sizes at once --------------------------------------------------------------------------- */

static bool run_sizes(const struct ol_mrc *mrc, struct ol_stream *stream, struct ol_ideal **machines)
{
    struct curve_point points[OL_MRC_SIZES_MAX];
    struct ol_ideal_counters count = {0};
    if (!ol_ideal_replay(stream, mrc->policy, machines, mrc->sizes_count)) return false;
    for (unsigned i = 0; i < mrc->sizes_count; i++) {
        ol_ideal_get_counters(machines[i], &count);
        points[i] = (struct curve_point){mrc->sizes[i], count.faults};
    }
    const struct totals totals = {.references = count.references, .pages = ol_numbering_pages(stream->numbering)};
    return print_curve(mrc, &totals, points, mrc->sizes_count);
}

/* Sizes up to the pages of the trace, which takes a pass to count them. */
static bool choose_sizes(struct ol_mrc *mrc)
{
    struct ol_stream stream;
    struct ol_batch batch;
    if (strcmp(mrc->trace, "-") == 0) {
        ol_error("mrc: standard input can be read once only; give --sizes");
        return false;
    }
    if (!ol_stream_open(&stream, mrc->trace, mrc->format, mrc->page_shift)) return false;
    bool good;
    do good = ol_stream_next(&stream, &batch);
    while (good && batch.count);
    const uint32_t pages = ol_numbering_pages(stream.numbering);
    ol_stream_close(&stream);
    for (uint32_t size = 1; good; size += size < 3 ? 1 : size & (size - 1) ? size / 3 : size / 2) {
        mrc->sizes[mrc->sizes_count++] = size < pages ? size : pages;
        if (size >= pages) break;
    }
    return good;
}

bool ol_mrc_policy(struct ol_mrc *mrc, struct ol_stream *stream)
{
    struct ol_ideal *machines[OL_MRC_SIZES_MAX] = {NULL};
    const struct ol_policy_choice choice = {mrc->policy, mrc->policy_parameters, mrc->policy_text};
    bool good = mrc->sizes_count || choose_sizes(mrc);
    for (unsigned i = 0; good && i < mrc->sizes_count; i++) {
        machines[i] = ol_ideal_make(&choice, mrc->sizes[i]);
        good = machines[i] != NULL;
    }
    good = good && run_sizes(mrc, stream, machines);
    for (unsigned i = 0; i < mrc->sizes_count; i++)
        if (machines[i]) ol_ideal_destroy(machines[i]);
    return good;
}
