/* SPDX-License-Identifier: MIT */
/* onelevel sim --machine ideal. */
#include "cli/sim_ideal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ideal_replay.h"

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
    struct ol_stream stream;
    const struct ol_policy_choice choice = {options->policy, options->policy_parameters, options->policy_text};
    struct ol_ideal *ideal = ol_ideal_make(&choice, options->frames);
    if (!ideal) return false;
    bool good = ol_stream_open(&stream, options->trace, options->format, options->page_shift);
    if (good) {
        struct ol_ideal_counters count;
        good = ol_ideal_replay(&stream, options->policy, &ideal, 1);
        ol_ideal_get_counters(ideal, &count);
        good = good && print_account(options, &count, ol_numbering_pages(stream.numbering));
        ol_stream_close(&stream);
    }
    ol_ideal_destroy(ideal);
    return good;
}
