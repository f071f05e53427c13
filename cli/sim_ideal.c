/* SPDX-License-Identifier: MIT */
/* onelevel sim --machine ideal. */
#include "cli/sim_ideal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "analysis/future.h"
#include "cli/cli.h"
#include "cli/stream.h"
#include "machine/ideal/ideal.h"

static bool out_of_memory(void)
{
    ol_error("no memory to simulate with");
    return false;
}

/* One pass. False after a message. */
static bool replay(struct ol_stream *stream, struct ol_ideal *ideal)
{
    struct ol_batch batch;
    while (ol_stream_next(stream, &batch)) {
        if (!batch.count) return true;
        if (ol_ideal_run(ideal, &batch) != OL_OK) return out_of_memory();
    }
    return false;
}

/* Two passes, the first of which finds out what comes next. */
static bool replay_with_future(struct ol_stream *stream, struct ol_ideal *ideal)
{
    struct ol_future *future = ol_future_create();
    struct ol_batch batch = {0};
    bool good = future || out_of_memory();
    while (good && (good = ol_stream_next(stream, &batch)) && batch.count) {
        good = ol_future_add(future, &batch);
        if (!good)
            ol_error("the trace is too long to look into its future: it must fit into memory, 8 bytes a reference");
    }
    for (size_t at = 0; good; at += batch.count) {
        ol_future_batch(future, at, OL_NUMBERING_BATCH_MAX, &batch);
        if (!batch.count) break;
        good = ol_ideal_run(ideal, &batch) == OL_OK || out_of_memory();
    }
    if (future) ol_future_destroy(future);
    return good;
}

/* --- the account ------------------------------------------------------------------------------------------------- */

static bool print_json(const struct ol_sim_ideal *options, const struct ol_ideal_counters *count, uint32_t pages)
{
    json_t *const object = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "machine", "ideal", "policy",
        options->policy_text, "frames", (json_int_t)options->frames, "references", (json_int_t)count->references,
        "distinct_pages", (json_int_t)pages, "faults", (json_int_t)count->faults, "faults_first",
        (json_int_t)count->faults_first, "evictions", (json_int_t)count->evictions, "writebacks",
        (json_int_t)count->writebacks, "resident_peak", (json_int_t)count->resident_peak, "resident_mean",
        (double)count->resident_sum / (double)count->references, "miss_ratio",
        (double)count->faults / (double)count->references);
    const bool good = object && json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;
    json_decref(object);
    putchar('\n');
    return good;
}

static void print_table(const struct ol_sim_ideal *options, const struct ol_ideal_counters *count, uint32_t pages)
{
    const struct {
        const char *label;
        uint64_t value;
    } rows[] = {{"frames", options->frames},
                {"references", count->references},
                {"distinct pages", pages},
                {"faults", count->faults},
                {"  by a page's first reference", count->faults_first},
                {"evictions", count->evictions},
                {"  of modified pages", count->writebacks},
                {"pages in memory, at most", count->resident_peak}};
    printf("machine ideal, policy %s\n", options->policy_text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%-32s %14llu\n", rows[i].label, (unsigned long long)rows[i].value);
    printf("%-32s %14.6f\n", "faults per reference", (double)count->faults / (double)count->references);
}

static bool print_account(const struct ol_sim_ideal *options, const struct ol_ideal_counters *count, uint32_t pages)
{
    bool good = true;
    if (options->json) good = print_json(options, count, pages);
    else print_table(options, count, pages);
    good = fflush(stdout) == 0 && good;
    if (!good) ol_error("the account cannot be written: %s", strerror(errno));
    return good;
}

bool ol_sim_ideal(const struct ol_sim_ideal *options)
{
    struct ol_ideal *ideal;
    struct ol_stream stream;
    const enum ol_status status = ol_ideal_create(options->policy, options->policy_parameters, options->frames, &ideal);
    if (status == OL_E_INVALID) {
        const char *const takes = options->policy->parameters;
        ol_error("--policy %s: %s takes %s", options->policy_text, options->policy->name,
                 takes ? takes : "no parameters");
        return false;
    }
    if (status != OL_OK) return out_of_memory();
    bool good = ol_stream_open(&stream, options->trace, options->format, options->page_shift);
    if (good) {
        const bool future = options->policy->needs & OL_NEEDS_FUTURE;
        struct ol_ideal_counters count;
        good = future ? replay_with_future(&stream, ideal) : replay(&stream, ideal);
        ol_ideal_get_counters(ideal, &count);
        good = good && print_account(options, &count, ol_numbering_pages(stream.numbering));
        ol_stream_close(&stream);
    }
    ol_ideal_destroy(ideal);
    return good;
}
