/* SPDX-License-Identifier: MIT */
/* onelevel sim --machine ideal. */
#include "cli/sim_ideal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ideal_replay.h"
#include "cli/managed.h"

/* --- the account ------------------------------------------------------------------------------------------------- */

/* With --managed, there may be none. */
static double per_reference(uint64_t value, const struct ol_ideal_counters *count)
{
    return count->references ? (double)value / (double)count->references : 0;
}

static bool print_json(const struct ol_sim_ideal *options, const struct ol_ideal_counters *count, uint32_t pages)
{
    json_t *const object = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "machine", "ideal", "policy",
        options->policy_text, "frames", (json_int_t)options->frames, "references", (json_int_t)count->references,
        "distinct_pages", (json_int_t)pages, "faults", (json_int_t)count->faults, "faults_first",
        (json_int_t)count->faults_first, "evictions", (json_int_t)count->evictions, "writebacks",
        (json_int_t)count->writebacks, "resident_peak", (json_int_t)count->resident_peak, "resident_mean",
        per_reference(count->resident_sum, count), "miss_ratio", per_reference(count->faults, count));
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
    printf("%-32s %14.6f\n", "faults per reference", per_reference(count->faults, count));
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

/* --- the memory that onelevel run would manage -------------------------------------------------------------------- */

/* References to it, until an event changes it. */
struct pending {
    struct ol_managed *managed;
    struct ol_ideal *ideal;
    bool any_event;
    size_t count;
    uint32_t pages[OL_NUMBERING_BATCH_MAX], counts[OL_NUMBERING_BATCH_MAX];
    uint8_t written[OL_NUMBERING_BATCH_MAX];
};

static void drop(void *context, uint32_t number)
{
    const struct pending *const pending = context;
    ol_ideal_drop(pending->ideal, number);
}

static bool make_pending(struct pending *pending)
{
    const struct ol_batch batch = {.pages = pending->pages,
                                   .counts = pending->counts,
                                   .written = pending->written,
                                   .count = pending->count,
                                   .pages_total = ol_managed_numbers(pending->managed)};
    pending->count = 0;
    return ol_ideal_run(pending->ideal, &batch) == OL_OK;
}

static bool take_managed(struct pending *pending, const struct ol_reference *references, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (references[i].event != OL_TRACE_REFERENCE) {
            pending->any_event = true;
            if (!make_pending(pending) || !ol_managed_event(pending->managed, &references[i])) return false;
            continue;
        }
        const uint32_t number = ol_managed_number(pending->managed, references[i].va);
        if (number == UINT32_MAX) continue;
        pending->pages[pending->count] = number;
        pending->counts[pending->count] = references[i].count;
        pending->written[pending->count++] = references[i].access == OL_WRITE;
        if (pending->count == OL_NUMBERING_BATCH_MAX && !make_pending(pending)) return false;
    }
    return make_pending(pending);
}

static bool replay_managed(const struct ol_sim_ideal *options, struct ol_trace *trace, struct pending *pending)
{
    static struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    size_t count = 1;
    while (count > 0) {
        if (ol_trace_read(trace, references, OL_NUMBERING_BATCH_MAX, &count) != OL_TRACE_OK) {
            ol_error("%s", ol_trace_message(trace));
            return false;
        }
        if (take_managed(pending, references, count)) continue;
        ol_error("no memory to simulate with");
        return false;
    }
    if (!pending->any_event)
        ol_error("%s does not tell which memory was mapped; a trace that `onelevel record` made does", options->trace);
    return pending->any_event;
}

static bool sim_managed(const struct ol_sim_ideal *options, struct ol_ideal *ideal)
{
    const struct ol_trace_options reading = {
        .format = options->format, .page_shift = options->page_shift, .last_va = UINT64_MAX, .events = true};
    static struct pending pending;
    struct ol_trace *trace;
    char message[512];
    if (options->policy->needs & OL_NEEDS_FUTURE) {
        ol_error("sim --managed: %s wants to know the future, in which pages cease to exist", options->policy->name);
        return false;
    }
    if (ol_trace_open(options->trace, &reading, &trace, message, sizeof message) != OL_TRACE_OK) {
        ol_error("%s", message);
        return false;
    }
    pending = (struct pending){.ideal = ideal, .managed = ol_managed_create(drop, &pending)};
    bool good = pending.managed != NULL;
    if (!good) ol_error("no memory to simulate with");
    good = good && replay_managed(options, trace, &pending);
    if (good) {
        struct ol_ideal_counters count;
        ol_ideal_get_counters(ideal, &count);
        good = print_account(options, &count, ol_managed_numbers(pending.managed));
    }
    if (pending.managed) ol_managed_destroy(pending.managed);
    ol_trace_close(trace);
    return good;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static bool sim_all(const struct ol_sim_ideal *options, struct ol_ideal *ideal)
{
    struct ol_stream stream;
    struct ol_ideal_counters count;
    if (!ol_stream_open(&stream, options->trace, options->format, options->page_shift)) return false;
    bool good = ol_ideal_replay(&stream, options->policy, &ideal, 1);
    ol_ideal_get_counters(ideal, &count);
    good = good && print_account(options, &count, ol_numbering_pages(stream.numbering));
    ol_stream_close(&stream);
    return good;
}

bool ol_sim_ideal(const struct ol_sim_ideal *options)
{
    const struct ol_policy_choice choice = {options->policy, options->policy_parameters, options->policy_text};
    struct ol_ideal *const ideal = ol_ideal_make(&choice, options->frames);
    if (!ideal) return false;
    const bool good = options->managed ? sim_managed(options, ideal) : sim_all(options, ideal);
    ol_ideal_destroy(ideal);
    return good;
}
