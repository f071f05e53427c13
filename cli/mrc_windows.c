/* SPDX-License-Identifier: MIT */
/* onelevel mrc --curve working-set, reuse, footprint: curves over windows of references. */
#include "cli/cli.h"
#include "cli/mrc.h"

static const char *const keys[][5] = {[OL_MRC_WORKING_SET] = {"window", "mean_pages", "misses", "miss_ratio", NULL},
                                      [OL_MRC_REUSE] = {"reuse_time", "references", "share_up_to", NULL},
                                      [OL_MRC_FOOTPRINT] = {"window", "mean_pages", "growth", NULL}};

static void print_point(const struct ol_mrc *mrc, const struct ol_reuse *reuse, const struct ol_reuse_point *point,
                        struct ol_table *table)
{
    const double references = (double)ol_reuse_references(reuse), missed = (double)point->misses / references;
    struct ol_cell cells[4] = {ol_cell_count(point->window)};
    switch (mrc->curve) {
    case OL_MRC_WORKING_SET:
        cells[1] = ol_cell_real(point->working_set);
        cells[2] = ol_cell_count(point->misses);
        cells[3] = ol_cell_real(missed);
        break;
    case OL_MRC_REUSE:
        cells[1] = ol_cell_count(point->reuses);
        cells[2] = ol_cell_real(1 - missed);
        break;
    case OL_MRC_FOOTPRINT:
        if (!point->within_the_trace) break;
        cells[1] = ol_cell_real(point->footprint);
        cells[2] = ol_cell_real(point->growth);
        break;
    case OL_MRC_MISS_RATIO: break;
    }
    ol_table_row(table, cells);
}

/* Of windows that nobody asked for, how many are worth printing: none is longer than the trace, but for the first that
 * holds it whole. */
static unsigned useful(const struct ol_mrc *mrc, const struct ol_reuse *reuse)
{
    const uint64_t most = mrc->curve == OL_MRC_REUSE ? ol_reuse_longest(reuse) : ol_reuse_references(reuse);
    unsigned count = 0;
    while (count < mrc->windows_count && mrc->windows[count] < most) count++;
    if (mrc->curve == OL_MRC_FOOTPRINT) return count ? count : 1;
    return count < mrc->windows_count ? count + 1 : count;
}

static bool print(const struct ol_mrc *mrc, const struct ol_reuse *reuse, unsigned count)
{
    struct ol_table table;
    struct ol_reuse_point point;
    ol_table_begin(&table, mrc->form, keys[mrc->curve], "curve");
    ol_table_member(&table, "page_bytes", ol_cell_count(UINT64_C(1) << mrc->page_shift));
    ol_table_member(&table, "references", ol_cell_count(ol_reuse_references(reuse)));
    ol_table_member(&table, "distinct_pages", ol_cell_count(ol_reuse_pages(reuse)));
    for (unsigned i = 0; i < count; i++) {
        ol_reuse_point(reuse, i, &point);
        print_point(mrc, reuse, &point, &table);
    }
    return ol_table_end(&table);
}

bool ol_mrc_windows(struct ol_mrc *mrc, struct ol_stream *stream)
{
    const bool chosen = mrc->windows_count;
    if (!chosen) mrc->windows_count = ol_reuse_windows(mrc->windows);
    struct ol_reuse *const reuse = ol_reuse_create(mrc->windows, mrc->windows_count);
    struct ol_batch batch = {0};
    bool good = reuse || ol_mrc_out_of_memory();
    while (good && (good = ol_stream_next(stream, &batch)) && batch.count)
        good = ol_reuse_count(reuse, &batch) || ol_mrc_out_of_memory();
    if (good) {
        ol_reuse_finish(reuse);
        good = print(mrc, reuse, chosen ? mrc->windows_count : useful(mrc, reuse));
    }
    if (reuse) ol_reuse_destroy(reuse);
    return good;
}
