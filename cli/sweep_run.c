/* SPDX-License-Identifier: MIT */
/* onelevel sweep: simulates. */
#include <stdlib.h>
#include <string.h>

#include <onelevel/core.h>

#include "analysis/page_sizes.h"
#include "cli/cli.h"
#include "cli/parallel.h"
#include "cli/progress.h"
#include "cli/sim_setup.h"
#include "cli/sweep.h"

enum {
    TOGETHER = 8, /* rows that ideal machines do in one pass over the trace */
    GRANULE_LEAST = 9,
    GRANULE_MOST = 30
};

/* Rows done by one process. On ideal machines, they differ in frames only. */
struct piece {
    uint32_t rows[TOGETHER];
    unsigned count;
};

struct run {
    struct ol_sweep *sweep;
    bool (*keep)(void *context, uint32_t row);
    void *context;
    struct piece *pieces;
    size_t pieces_count;
    struct ol_progress progress;
};

/* --- one piece, in a process of its own --------------------------------------------------------------------------- */

static bool run_ideal(const struct ol_sweep *sweep, const struct piece *piece, uint64_t (*figures)[OL_SWEEP_FIGURES])
{
    const struct ol_sweep_row *const first = &sweep->rows[piece->rows[0]];
    struct ol_ideal *machines[TOGETHER];
    struct ol_stream stream;
    for (unsigned i = 0; i < piece->count; i++) {
        machines[i] = ol_ideal_make(first->policy, sweep->rows[piece->rows[i]].frames);
        if (!machines[i]) return false; /* the process ends, and its memory with it */
    }
    if (!ol_stream_open(&stream, sweep->trace, sweep->format, first->page_shift)) return false;
    if (!ol_ideal_replay(&stream, first->policy->policy, machines, piece->count)) return false;
    for (unsigned i = 0; i < piece->count; i++) {
        struct ol_ideal_counters count;
        ol_ideal_get_counters(machines[i], &count);
        figures[i][OL_SWEEP_REFERENCES] = count.references;
        figures[i][OL_SWEEP_PAGES] = ol_numbering_pages(stream.numbering);
        figures[i][OL_SWEEP_FAULTS] = count.faults;
        figures[i][OL_SWEEP_EVICTIONS] = count.evictions;
        figures[i][OL_SWEEP_WRITEBACKS] = count.writebacks;
        ol_ideal_destroy(machines[i]);
    }
    ol_stream_close(&stream);
    return true;
}

static bool run_format(const struct ol_sweep *sweep, const struct ol_sweep_row *row, uint64_t *figures)
{
    const struct ol_sim_setup_options options = {.machine = row->machine,
                                                 .frames = row->frames,
                                                 .tlb = &sweep->tlb,
                                                 .processors = 1,
                                                 .policy = row->policy->policy,
                                                 .policy_parameters = row->policy->parameters,
                                                 .policy_text = row->policy->text};
    const struct ol_trace_options reading = {
        .format = sweep->format, .page_shift = row->page_shift, .last_va = row->machine->is.last_va};
    struct ol_sim_setup setup;
    struct ol_sim_counters machine;
    struct ol_statistics core;
    struct ol_trace *trace;
    char message[512];
    if (ol_trace_open(sweep->trace, &reading, &trace, message, sizeof(message)) != OL_TRACE_OK) {
        ol_error("%s", message);
        return false;
    }
    if (!ol_sim_set_up(&options, &setup) || !ol_sim_replay(trace, setup.sim, 0, NULL)) return false;
    ol_sim_get_counters(setup.sim, &machine);
    ol_system_statistics(setup.system, &core);
    figures[OL_SWEEP_REFERENCES] = machine.references;
    figures[OL_SWEEP_PAGES] = core.pages_peak;
    figures[OL_SWEEP_FAULTS] = core.faults;
    figures[OL_SWEEP_EVICTIONS] = core.evictions;
    figures[OL_SWEEP_WRITEBACKS] = core.writebacks;
    figures[OL_SWEEP_TLB_MISSES] = machine.tlb_misses;
    figures[OL_SWEEP_TABLE_REFERENCES] = machine.table_references;
    figures[OL_SWEEP_TABLE_FRAMES] = machine.tables_peak;
    ol_sim_tear_down(&setup);
    ol_trace_close(trace);
    return true;
}

static bool work(void *context, size_t index, void *result, size_t *bytes)
{
    const struct run *const run = context;
    const struct piece *const piece = &run->pieces[index];
    uint64_t(*const figures)[OL_SWEEP_FIGURES] = result;
    _Static_assert(TOGETHER * sizeof(*figures) <= OL_PARALLEL_BYTES, "a piece hands back what it found");
    for (unsigned i = 0; i < piece->count; i++)
        memcpy(figures[i], run->sweep->rows[piece->rows[i]].figures, sizeof(figures[i]));
    *bytes = piece->count * sizeof(*figures);
    const struct ol_sweep_row *const first = &run->sweep->rows[piece->rows[0]];
    if (!first->machine) return run_ideal(run->sweep, piece, figures);
    return run_format(run->sweep, first, figures[0]);
}

static bool done(void *context, size_t index, const void *result, size_t bytes)
{
    struct run *const run = context;
    const struct piece *const piece = &run->pieces[index];
    const size_t row_bytes = OL_SWEEP_FIGURES * sizeof(uint64_t);
    if (bytes != piece->count * row_bytes) {
        ol_error("a process that worked handed back %zu bytes instead of %zu", bytes, piece->count * row_bytes);
        return false;
    }
    for (unsigned i = 0; i < piece->count; i++) {
        struct ol_sweep_row *const row = &run->sweep->rows[piece->rows[i]];
        memcpy(row->figures, (const char *)result + i * row_bytes, row_bytes);
        row->done = true;
        if (run->keep && !run->keep(run->context, piece->rows[i])) return false;
    }
    ol_progress_add(&run->progress, piece->count);
    return true;
}

/* --- what larger pages waste -------------------------------------------------------------------------------------- */

static int compare_granules(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The smallest pieces of memory, of 512 bytes or more, that the trace tells apart: log2 of their size. 0 after a
 * message. */
static unsigned granule_of(const struct ol_sweep *sweep)
{
    char message[512];
    for (unsigned shift = GRANULE_LEAST; shift <= GRANULE_MOST; shift++) {
        const struct ol_trace_options reading = {.format = sweep->format, .page_shift = shift, .last_va = UINT64_MAX};
        struct ol_trace *trace;
        if (ol_trace_open(sweep->trace, &reading, &trace, message, sizeof(message)) != OL_TRACE_OK) continue;
        ol_trace_close(trace);
        return shift;
    }
    ol_error("%s", message);
    return 0;
}

/* A list of pages says nothing of their size. False after a message. */
static bool has_addresses(const struct ol_stream *stream)
{
    if (ol_trace_has_addresses(stream->trace)) return true;
    ol_error("sweep: --page-size wants addresses; this trace is a list of pages, of whatever size");
    return false;
}

/* Fills in waste and tables for the rows. */
static bool study_page_sizes(struct ol_sweep *sweep)
{
    const unsigned granule = granule_of(sweep);
    struct ol_stream stream;
    struct ol_batch batch = {.count = 1};
    if (!granule || !ol_stream_open(&stream, sweep->trace, sweep->format, granule)) return false;
    bool good = true;
    while (good && batch.count) good = ol_stream_next(&stream, &batch) && has_addresses(&stream);
    const uint32_t count = ol_numbering_pages(stream.numbering);
    uint64_t *const granules = malloc((count + 1UL) * sizeof(*granules));
    if (good && !granules) ol_error("no memory for %u pages", count);
    good = good && granules;
    for (uint32_t i = 0; good && i < count; i++) granules[i] = ol_numbering_page(stream.numbering, i);
    if (good) qsort(granules, count, sizeof(*granules), compare_granules);
    for (uint32_t i = 0; good && i < sweep->rows_count; i++) {
        struct ol_sweep_row *const row = &sweep->rows[i];
        struct ol_page_size size;
        if (row->page_shift < granule) continue; /* the simulation says what is wrong */
        ol_page_size_of(granules, count, granule, row->page_shift, &size);
        row->figures[OL_SWEEP_WASTE] = size.waste_bytes;
        row->figures[OL_SWEEP_TABLE_BYTES] = size.table_bytes;
    }
    free(granules);
    ol_stream_close(&stream);
    return good;
}

/* --- all pieces --------------------------------------------------------------------------------------------------- */

static bool go_together(const struct ol_sweep_row *a, const struct ol_sweep_row *b)
{
    return !a->machine && !b->machine && a->policy == b->policy && a->page_shift == b->page_shift;
}

/* Packs what is to be done: few rows together if there are few, so that all processors have some. */
static uint32_t make_pieces(struct run *run)
{
    const struct ol_sweep *const sweep = run->sweep;
    uint32_t left = 0;
    for (uint32_t i = 0; i < sweep->rows_count; i++) left += ol_sweep_is_ours(sweep, i) && !sweep->rows[i].done;
    const uint32_t share = left / (4 * sweep->jobs), most = share < 1 ? 1 : share > TOGETHER ? TOGETHER : share;
    run->pieces = calloc(left + 1UL, sizeof(*run->pieces));
    if (!run->pieces) return left;
    for (uint32_t i = 0; i < sweep->rows_count; i++) {
        if (!ol_sweep_is_ours(sweep, i) || sweep->rows[i].done) continue;
        struct piece *last = run->pieces_count ? &run->pieces[run->pieces_count - 1] : NULL;
        if (!last || last->count == most || !go_together(&sweep->rows[last->rows[0]], &sweep->rows[i]))
            last = &run->pieces[run->pieces_count++];
        last->rows[last->count++] = i;
    }
    return left;
}

bool ol_sweep_run(struct ol_sweep *sweep, bool (*keep)(void *context, uint32_t row), void *context)
{
    struct run run = {.sweep = sweep, .keep = keep, .context = context};
    const struct ol_parallel parallel = {.context = &run, .work = work, .done = done};
    const uint32_t left = make_pieces(&run);
    uint32_t ours = 0;
    if (!run.pieces) {
        ol_error("no memory to plan %u simulations", left);
        return false;
    }
    for (uint32_t i = 0; i < sweep->rows_count; i++) ours += ol_sweep_is_ours(sweep, i);
    bool good = left == 0 || !sweep->page_bytes.count || study_page_sizes(sweep);
    if (good && left) {
        ol_progress_begin(&run.progress, "simulations", ours, ours - left, sweep->quiet);
        good = ol_parallel_run(&parallel, run.pieces_count, sweep->jobs);
        ol_progress_end(&run.progress);
    }
    free(run.pieces);
    return good;
}
