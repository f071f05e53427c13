/* SPDX-License-Identifier: MIT */
/* onelevel advise: measures a trace. */
#include <stdlib.h>
#include <string.h>

#include <onelevel/core.h>

#include "analysis/page_sizes.h"
#include "cli/advise.h"
#include "cli/cli.h"
#include "cli/sweep.h"
#include "machine/sim/machine.h"

enum {
    WORDS_OF_WALK = 4,       /* table words that a walk on AMD64 reads, for pages of 4 KiB */
    WORDS_OF_LARGE_WALK = 3, /* … of 2 MiB */
    RUNS_MAX = 1 << 27       /* of a trace whose future is kept: 1 GiB for OPT */
};

/* --- the curve ---------------------------------------------------------------------------------------------------- */

static int compare_pages(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The pages that a stream had, in ascending order. NULL after a message. */
static uint64_t *sorted_pages(const struct ol_stream *stream)
{
    const uint32_t count = ol_numbering_pages(stream->numbering);
    uint64_t *const pages = malloc((count + 1UL) * sizeof(*pages));
    if (!pages) {
        ol_error("no memory for %u pages", count);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) pages[i] = ol_numbering_page(stream->numbering, i);
    qsort(pages, count, sizeof(*pages), compare_pages);
    return pages;
}

/* The curve of pages of 4 KiB, and what larger ones would waste. False after a message. */
static bool read_small(const struct ol_advise *advise, struct ol_advice *advice)
{
    struct ol_stream stream;
    struct ol_page_size size;
    if (!ol_stream_open(&stream, advise->trace, advise->format, OL_ADVISE_SHIFT)) return false;
    bool good = ol_histogram_read(&advice->histogram, &stream);
    uint64_t *const pages = good ? sorted_pages(&stream) : NULL;
    if (pages) ol_page_size_of(pages, advice->histogram.pages, OL_ADVISE_SHIFT, OL_ADVISE_LARGE_SHIFT, &size);
    if (pages) advice->large_waste_bytes = size.waste_bytes;
    advice->has_large = ol_trace_has_addresses(stream.trace);
    free(pages);
    ol_stream_close(&stream);
    return good && pages;
}

/* --- page-table walks --------------------------------------------------------------------------------------------- */

/* Entries for pages of that size in the level that has the most. */
static uint64_t tlb_entries(const struct ol_tlb_spec *tlb, unsigned page_shift)
{
    uint64_t levels[OL_TLB_LEVELS_MAX + 1] = {0}, most = 0;
    for (unsigned i = 0; i < tlb->arrays; i++) {
        const struct ol_tlb_array_spec *const array = &tlb->array[i];
        if (array->sizes && !(array->sizes >> page_shift & 1)) continue;
        levels[array->level] += array->entries;
        if (levels[array->level] > most) most = levels[array->level];
    }
    return most;
}

static void count_walks(const struct ol_histogram *histogram, uint64_t entries, struct ol_advice_walks *walks)
{
    const struct ol_advice_trace trace = {
        .references = histogram->references, .pages = histogram->pages, .distances = histogram->distances};
    *walks = (struct ol_advice_walks){.entries = entries,
                                      .pages = histogram->pages,
                                      .walks = ol_advice_faults(&trace, entries),
                                      .walks_half = ol_advice_faults(&trace, entries / 2),
                                      .walks_double = ol_advice_faults(&trace, 2 * entries)};
}

static double part_saved(uint64_t before, uint64_t after)
{
    return before ? 1 - (double)after / (double)before : 0;
}

/* What pages of 2 MiB would save. False after a message. */
static bool find_large(const struct ol_advise *advise, struct ol_advice *advice)
{
    struct ol_stream stream;
    struct ol_histogram histogram;
    if (!advice->has_large) return true;
    if (!ol_stream_open(&stream, advise->trace, advise->format, OL_ADVISE_LARGE_SHIFT)) return false;
    const bool good = ol_histogram_read(&histogram, &stream);
    ol_stream_close(&stream);
    if (good) {
        struct ol_advice_range *const saved = &advice->walks_saved;
        count_walks(&histogram, tlb_entries(&advise->tlb, OL_ADVISE_LARGE_SHIFT), &advice->large);
        const double half = part_saved(advice->small.walks_half, advice->large.walks_half);
        const double twice = part_saved(advice->small.walks_double, advice->large.walks_double);
        saved->value = part_saved(advice->small.walks, advice->large.walks);
        saved->least = half < twice ? half : twice;
        saved->most = half < twice ? twice : half;
        const double before = (double)advice->small.walks * WORDS_OF_WALK;
        const double after = (double)advice->large.walks * WORDS_OF_LARGE_WALK;
        advice->walks_saved_time = (before - after) / WORDS_OF_WALK * advice->costs.walk /
                                   ol_advice_time(&advice->trace, &advice->costs, 0, 1);
    }
    ol_histogram_release(&histogram);
    return good;
}

/* --- policies ----------------------------------------------------------------------------------------------------- */

static void add_row(struct ol_sweep *sweep, const struct ol_policy_choice *policy, uint32_t frames)
{
    struct ol_sweep_row *const row = &sweep->rows[sweep->rows_count++];
    *row = (struct ol_sweep_row){.policy = policy, .page_shift = OL_ADVISE_SHIFT, .frames = frames};
    for (unsigned i = 0; i < OL_SWEEP_FIGURES; i++) row->figures[i] = OL_SWEEP_NO_FIGURE;
}

static int compare_policies(const void *a, const void *b)
{
    const struct ol_advice_policy *const left = a, *const right = b;
    const int by_name = strcmp(left->name, right->name);
    return left->faults != right->faults ? (left->faults > right->faults) - (left->faults < right->faults) : by_name;
}

/* From what was simulated: row 0 is the policy that others are compared with. */
static void take_policies(const struct ol_sweep *sweep, struct ol_advice *advice)
{
    const uint32_t pages = advice->histogram.pages;
    advice->policy_faults = sweep->rows[0].figures[OL_SWEEP_FAULTS];
    for (uint32_t i = 1; i < sweep->rows_count; i++) {
        const struct ol_sweep_row *const row = &sweep->rows[i];
        const uint64_t faults = row->figures[OL_SWEEP_FAULTS];
        const bool is_opt = row->policy->policy == &ol_policy_opt;
        struct ol_advice_policy *const one = is_opt ? &advice->opt : &advice->policies[advice->policies_count++];
        *one = (struct ol_advice_policy){.name = row->policy->text, .faults = faults};
        one->saved = ol_advice_saving(&advice->trace, &advice->costs, advice->policy_faults - pages, faults - pages);
        advice->has_opt = advice->has_opt || is_opt;
    }
    qsort(advice->policies, advice->policies_count, sizeof(advice->policies[0]), compare_policies);
}

/* Which of the policies asked for take part? Of all, those that a machine with referenced bits can have. */
static bool takes_part(const struct ol_advise *advise, const struct ol_policy_choice *policy)
{
    const bool all = strcmp(advise->policies, "all") == 0, is_first = policy == advise->sweep->policies;
    if (policy->policy == &ol_policy_opt) return false; /* if so, as the bound */
    return is_first || !all || ol_policy_suits(policy->policy, &ol_sim_amd64.is);
}

/* Simulates policies, and OPT, if the trace is not too long. False after a message. */
static bool compare_policies_at(const struct ol_advise *advise, uint32_t frames, struct ol_advice *advice)
{
    static const struct ol_policy_choice opt = {.policy = &ol_policy_opt, .text = "opt"};
    struct ol_sweep *const sweep = advise->sweep;
    sweep->rows = calloc(sweep->policies_count + 1, sizeof(*sweep->rows));
    if (!sweep->rows) {
        ol_error("no memory to compare policies");
        return false;
    }
    sweep->trace = advise->trace;
    sweep->format = advise->format;
    sweep->shard = sweep->shards = 1;
    sweep->jobs = advise->jobs;
    sweep->quiet = advise->quiet;
    for (unsigned i = 0; i < sweep->policies_count; i++)
        if (takes_part(advise, &sweep->policies[i])) add_row(sweep, &sweep->policies[i], frames);
    if (advice->histogram.runs <= RUNS_MAX) add_row(sweep, &opt, frames);
    const bool good = ol_sweep_run(sweep, NULL, NULL);
    if (good) take_policies(sweep, advice);
    advice->compared_at = good ? frames : 0;
    free(sweep->rows);
    return good;
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static double cycles_ns(const struct ol_cost *cost, uint64_t cycles)
{
    return (double)cycles * 1000 / (double)cost->value[OL_COST_CLOCK];
}

static void find_costs(const struct ol_advise *advise, struct ol_advice_costs *costs)
{
    const uint64_t *const value = advise->cost.value;
    const double bytes_ns = (double)(value[OL_COST_BANDWIDTH] << 20) / 1e9;
    costs->reference = (double)advise->reference_ps / 1000;
    costs->walk = cycles_ns(&advise->cost, WORDS_OF_WALK * value[OL_COST_TABLE]);
    costs->first = (double)value[OL_COST_FAULT];
    costs->refault = (double)(value[OL_COST_FAULT] + value[OL_COST_DISK]) + (1 << OL_ADVISE_SHIFT) / bytes_ns;
}

static uint32_t compare_at(const struct ol_advise *advise, const struct ol_advice *advice)
{
    const uint64_t pages = advise->ram_bytes >> OL_ADVISE_SHIFT;
    if (advise->ram_bytes) return (uint32_t)(pages < advice->histogram.pages ? pages : advice->histogram.pages);
    return (uint32_t)advice->thrashes.value;
}

bool ol_advice_find(const struct ol_advise *advise, struct ol_advice *advice)
{
    *advice = (struct ol_advice){0};
    find_costs(advise, &advice->costs);
    if (!read_small(advise, advice)) return false;
    count_walks(&advice->histogram, tlb_entries(&advise->tlb, OL_ADVISE_SHIFT), &advice->small);
    advice->trace = (struct ol_advice_trace){.references = advice->histogram.references,
                                             .walks = advice->small.walks,
                                             .pages = advice->histogram.pages,
                                             .distances = advice->histogram.distances};
    advice->needs = ol_advice_size(&advice->trace, &advice->costs, advise->slack);
    advice->thrashes = ol_advice_size(&advice->trace, &advice->costs, advise->thrash);
    return find_large(advise, advice) &&
           (advise->sweep->policies_count == 1 || compare_policies_at(advise, compare_at(advise, advice), advice));
}

void ol_advice_release(struct ol_advice *advice)
{
    ol_histogram_release(&advice->histogram);
}
