/* SPDX-License-Identifier: MIT */
/* onelevel mrc: miss-ratio curves of a trace, for all sizes of memory. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onelevel/core.h>

#include "analysis/future.h"
#include "analysis/opt_stack.h"
#include "analysis/shards.h"
#include "analysis/stack.h"
#include "cli/cli.h"
#include "cli/stream.h"
#include "machine/ideal/ideal.h"
#include "trace/grow.h"

enum { PAGE_SHIFT = 12, SIZES_MAX = 256, HISTOGRAM_FIRST = 1 << 12 };

struct arguments {
    const char *trace;
    const char *policy_text, *policy_parameters;
    const struct ol_policy_ops *policy;
    uint32_t sizes[SIZES_MAX]; /* ascending */
    unsigned sizes_count;      /* 0: not given */
    uint32_t rate;             /* of the sample; 0: all pages */
    bool json, help;
};

struct curve_point {
    uint64_t size, faults;
};

/* What is known of the whole trace. */
struct totals {
    uint64_t references;
    uint32_t pages;
};

static void print_help(void)
{
    puts("usage: onelevel mrc [OPTION...] TRACE\n"
         "\n"
         "Prints how many references of a trace fault, for every size of memory: the miss-ratio curve, on the\n"
         "machine of the papers (see `onelevel help sim`, --machine ideal). Exact, in one pass for LRU, in two\n"
         "for OPT; other policies are simulated at a number of sizes at once.\n"
         "\n"
         "  --policy NAME[:PARAMS]   lru (default), opt, or any other that `onelevel policies` lists\n"
         "  --sizes N,N,...          frames; else all sizes at which the curve changes (lru, opt), or\n"
         "                           1, 2, 3, 4, 6, 8, 12, ... up to the pages of the trace\n"
         "  --sample RATE            lru only: from a sample of the pages, such as 0.01, with a bound of 99 % for\n"
         "                           each size\n"
         "  --json                   one JSON object instead of CSV\n"
         "\n"
         "CSV has a line `frames,faults,miss_ratio` for each size; between two lines the curve does not change.\n"
         "A sampled one has `frames,miss_ratio,least,most`.");
}

static bool out_of_memory(void)
{
    ol_error("no memory for the curve");
    return false;
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static int compare_sizes(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static bool parse_sizes(const char *text, struct arguments *arguments)
{
    for (const char *at = text;; at++) {
        char *end;
        const unsigned long long size = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : 0;
        if (size == 0 || size > OL_NUMBERING_PAGES_MAX || (*end && *end != ',') ||
            arguments->sizes_count == SIZES_MAX) {
            ol_error("--sizes %s: expected up to %d numbers of frames, such as 100,200,400", text, SIZES_MAX);
            return false;
        }
        arguments->sizes[arguments->sizes_count++] = (uint32_t)size;
        at = end;
        if (!*at) break;
    }
    qsort(arguments->sizes, arguments->sizes_count, sizeof(uint32_t), compare_sizes);
    return true;
}

static bool parse_rate(const char *text, struct arguments *arguments)
{
    char *end;
    const double rate = strtod(text, &end);
    if (end != text && !*end && rate >= 1e-6 && rate <= 1) {
        arguments->rate = (uint32_t)(rate * OL_SHARDS_RATE_ONE);
        return true;
    }
    ol_error("--sample %s: expected a rate from 0.000001 to 1, such as 0.01", text);
    return false;
}

static bool parse_policy(const char *text, struct arguments *arguments)
{
    arguments->policy_text = text;
    arguments->policy = ol_policy_find(text, &arguments->policy_parameters);
    if (!arguments->policy) ol_error("there is no policy '%s'; `onelevel policies` lists them", text);
    return arguments->policy != NULL;
}

static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"policy", required_argument, NULL, 'p'}, {"sizes", required_argument, NULL, 's'},
        {"sample", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    *arguments = (struct arguments){.policy = &ol_policy_lru, .policy_text = "lru"};
    opterr = 0; /* messages are given here */
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        bool good = true;
        switch (option) {
        case 'p': good = parse_policy(optarg, arguments); break;
        case 's': good = parse_sizes(optarg, arguments); break;
        case 'r': good = parse_rate(optarg, arguments); break;
        case 'j': arguments->json = true; break;
        case 'h': arguments->help = true; return true;
        case ':': ol_error("mrc: %s wants a value; `onelevel help mrc` explains it", argv[optind - 1]); return false;
        default: ol_error("mrc: there is no option %s; `onelevel help mrc` lists them", argv[optind - 1]); return false;
        }
        if (!good) return false;
    }
    if (optind != argc - 1) {
        ol_error("mrc: expected one TRACE, a file or -, after the options");
        return false;
    }
    if (arguments->rate && (arguments->policy != &ol_policy_lru || arguments->sizes_count)) {
        ol_error("mrc: --sample is for LRU, at the sizes that the sample can tell apart");
        return false;
    }
    arguments->trace = argv[optind];
    return true;
}

/* --- output ------------------------------------------------------------------------------------------------------ */

static bool finish(bool good)
{
    if (fflush(stdout) == 0 && good) return true;
    ol_error("the curve cannot be written: %s", strerror(errno));
    return false;
}

static bool print_curve(const struct arguments *arguments, const struct totals *totals,
                        const struct curve_point *points, size_t count)
{
    if (!arguments->json) {
        puts("frames,faults,miss_ratio");
        for (size_t i = 0; i < count; i++)
            printf("%llu,%llu,%.9f\n", (unsigned long long)points[i].size, (unsigned long long)points[i].faults,
                   (double)points[i].faults / (double)totals->references);
        return finish(true);
    }
    json_t *const curve = json_array();
    bool good = curve != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = json_array_append_new(curve, json_pack("{s:I, s:I}", "frames", (json_int_t)points[i].size, "faults",
                                                      (json_int_t)points[i].faults)) == 0;
    json_t *const object =
        json_pack("{s:s, s:I, s:I, s:o}", "policy", arguments->policy_text, "references",
                  (json_int_t)totals->references, "distinct_pages", (json_int_t)totals->pages, "curve", curve);
    good = good && object && json_dumpf(object, stdout, JSON_INDENT(1)) == 0;
    json_decref(object);
    putchar('\n');
    return finish(good);
}

/* --- LRU and OPT: from a histogram of stack distances --------------------------------------------------------------
 */

/* The faults in memories of the sizes asked for, or of all sizes at which they change. */
static bool print_histogram(const struct arguments *arguments, const struct totals *totals, const uint64_t *histogram)
{
    struct curve_point *const points = malloc(((size_t)totals->pages + SIZES_MAX) * sizeof(*points));
    if (!points) return out_of_memory();
    uint64_t faults = totals->references;
    size_t count = 0;
    unsigned asked = 0;
    for (uint32_t size = 1; size <= totals->pages; size++) {
        faults -= histogram[size];
        if (!arguments->sizes_count && (size == 1 || histogram[size]))
            points[count++] = (struct curve_point){size, faults};
        for (; asked < arguments->sizes_count && arguments->sizes[asked] == size; asked++)
            points[count++] = (struct curve_point){size, faults};
    }
    for (; asked < arguments->sizes_count; asked++)
        points[count++] = (struct curve_point){arguments->sizes[asked], faults};
    const bool good = print_curve(arguments, totals, points, count);
    free(points);
    return good;
}

static uint64_t references_in(const struct ol_batch *batch)
{
    uint64_t references = batch->count;
    for (size_t i = 0; batch->counts && i < batch->count; i++) references += batch->counts[i] - 1;
    return references;
}

static bool lru_curve(const struct arguments *arguments, struct ol_stream *stream)
{
    struct ol_stack *stack = ol_stack_create();
    size_t capacity = HISTOGRAM_FIRST;
    uint64_t *histogram = ol_grow(NULL, 0, capacity, sizeof(*histogram));
    struct totals totals = {0};
    struct ol_batch batch = {0};
    bool good = (stack && histogram) || out_of_memory();
    while (good && (good = ol_stream_next(stream, &batch)) && batch.count) {
        while (good && batch.pages_total >= capacity) {
            uint64_t *grown = ol_grow(histogram, capacity, 2 * capacity, sizeof(*histogram));
            if (grown) histogram = grown, capacity *= 2;
            good = grown || out_of_memory();
        }
        good = good && (ol_stack_count(stack, &batch, histogram) || out_of_memory());
        totals.references += references_in(&batch);
        totals.pages = batch.pages_total;
    }
    good = good && print_histogram(arguments, &totals, histogram);
    ol_grow_free(histogram, capacity, sizeof(*histogram));
    if (stack) ol_stack_destroy(stack);
    return good;
}

static bool opt_curve(const struct arguments *arguments, struct ol_stream *stream)
{
    struct ol_future *const future = ol_future_create();
    struct totals totals = {0};
    struct ol_batch batch = {0};
    bool good = future || out_of_memory();
    while (good && (good = ol_stream_next(stream, &batch)) && batch.count) {
        good = ol_future_add(future, &batch) || out_of_memory();
        totals.references += references_in(&batch);
        totals.pages = batch.pages_total;
    }
    struct ol_opt_stack *const stack = good ? ol_opt_stack_create(totals.pages) : NULL;
    uint64_t *const histogram = calloc((size_t)totals.pages + 1, sizeof(*histogram));
    if (good && (!stack || !histogram)) good = out_of_memory();
    for (size_t at = 0; good; at += batch.count) {
        ol_future_batch(future, at, OL_NUMBERING_BATCH_MAX, &batch);
        if (!batch.count) break;
        ol_opt_stack_count(stack, &batch, histogram);
    }
    good = good && print_histogram(arguments, &totals, histogram);
    free(histogram);
    if (stack) ol_opt_stack_destroy(stack);
    if (future) ol_future_destroy(future);
    return good;
}

/* --- other policies: many sizes at once --------------------------------------------------------------------------- */

static bool run_all(struct ol_ideal **machines, unsigned count, const struct ol_batch *batch)
{
    for (unsigned i = 0; i < count; i++)
        if (ol_ideal_run(machines[i], batch) != OL_OK) return out_of_memory();
    return true;
}

static bool run_sizes(const struct arguments *arguments, struct ol_stream *stream, struct ol_ideal **machines)
{
    struct curve_point points[SIZES_MAX];
    struct ol_ideal_counters count = {0};
    struct ol_batch batch = {0};
    unsigned used = 0;
    do {
        if (!ol_stream_next(stream, &batch) || !run_all(machines, arguments->sizes_count, &batch)) return false;
    } while (batch.count);
    const uint32_t pages = ol_numbering_pages(stream->numbering);
    for (; used < arguments->sizes_count; used++) {
        ol_ideal_get_counters(machines[used], &count);
        points[used] = (struct curve_point){arguments->sizes[used], count.faults};
    }
    const struct totals totals = {.references = count.references, .pages = pages};
    return print_curve(arguments, &totals, points, used);
}

static bool policy_curve(struct arguments *arguments, struct ol_stream *stream)
{
    struct ol_ideal *machines[SIZES_MAX] = {NULL};
    bool good = true;
    for (uint32_t size = 1; !arguments->sizes_count || arguments->sizes[arguments->sizes_count - 1] < 1 << 20;) {
        if (arguments->sizes_count && size == 1) break; /* they were given */
        arguments->sizes[arguments->sizes_count++] = size;
        size += size < 3 ? 1 : size & (size - 1) ? size / 3 : size / 2;
    }
    for (unsigned i = 0; good && i < arguments->sizes_count; i++) {
        const enum ol_status status =
            ol_ideal_create(arguments->policy, arguments->policy_parameters, arguments->sizes[i], &machines[i]);
        good = status == OL_OK;
        if (status == OL_E_INVALID)
            ol_error("--policy %s: %s takes %s", arguments->policy_text, arguments->policy->name,
                     arguments->policy->parameters ? arguments->policy->parameters : "no parameters");
        else if (!good) (void)out_of_memory();
    }
    good = good && run_sizes(arguments, stream, machines);
    for (unsigned i = 0; i < arguments->sizes_count; i++)
        if (machines[i]) ol_ideal_destroy(machines[i]);
    return good;
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

static bool print_sample(const struct arguments *arguments, struct ol_shards *shards)
{
    struct ol_shards_point point;
    json_t *const curve = json_array();
    bool good = curve != NULL;
    if (!arguments->json) puts("frames,miss_ratio,least,most");
    for (uint32_t i = 0; good && ol_shards_point(shards, i, &point); i++) {
        if (!arguments->json)
            printf("%llu,%.9f,%.9f,%.9f\n", (unsigned long long)point.size, point.ratio, point.least, point.most);
        else
            good = json_array_append_new(curve, json_pack("{s:I, s:f, s:f, s:f}", "frames", (json_int_t)point.size,
                                                          "miss_ratio", point.ratio, "least", point.least, "most",
                                                          point.most)) == 0;
    }
    json_t *const object =
        json_pack("{s:s, s:f, s:I, s:I, s:o}", "policy", "lru", "sample", (double)arguments->rate / OL_SHARDS_RATE_ONE,
                  "references", (json_int_t)ol_shards_references(shards), "sampled_pages",
                  (json_int_t)ol_shards_pages(shards), "curve", curve);
    good = good && object;
    if (good && arguments->json) good = json_dumpf(object, stdout, JSON_INDENT(1)) == 0 && putchar('\n') == '\n';
    json_decref(object);
    return finish(good);
}

/* Keeps of a batch of references those to pages in the sample; returns how many. */
static size_t choose(struct ol_shards *shards, struct ol_reference *references, size_t count)
{
    size_t kept = 0;
    uint64_t skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (ol_shards_samples(shards, references[i].va >> PAGE_SHIFT)) references[kept++] = references[i];
        else skipped += references[i].count;
    }
    ol_shards_skip(shards, skipped);
    return kept;
}

static bool sample_batch(struct ol_stream *stream, struct ol_shards *shards, struct ol_reference *references,
                         size_t count)
{
    struct ol_batch batch;
    if (!ol_numbering_add(stream->numbering, references, count, PAGE_SHIFT, &batch)) return out_of_memory();
    for (size_t i = 0; i < count; i++)
        if (!ol_shards_reference(shards, references[i].va >> PAGE_SHIFT, batch.pages[i], references[i].count))
            return out_of_memory();
    return true;
}

static bool sampled_curve(const struct arguments *arguments, struct ol_stream *stream)
{
    static struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    struct ol_shards *const shards = ol_shards_create(arguments->rate);
    size_t count = 1;
    bool good = shards || out_of_memory();
    while (good && count) {
        if (ol_trace_read(stream->trace, references, OL_NUMBERING_BATCH_MAX, &count) != OL_TRACE_OK) {
            ol_error("%s", ol_trace_message(stream->trace));
            good = false;
            break;
        }
        good = sample_batch(stream, shards, references, choose(shards, references, count));
    }
    if (good && !ol_shards_pages(shards)) {
        ol_error("none of the pages of %s is in the sample; give a higher rate", arguments->trace);
        good = false;
    }
    good = good && print_sample(arguments, shards);
    if (shards) ol_shards_destroy(shards);
    return good;
}

int ol_cmd_mrc(int argc, char **argv)
{
    struct arguments arguments;
    struct ol_stream stream;
    if (!parse_arguments(argc, argv, &arguments)) return OL_EXIT_USAGE;
    if (arguments.help) {
        print_help();
        return OL_EXIT_OK;
    }
    if (!ol_stream_open(&stream, arguments.trace, OL_TRACE_DETECT, PAGE_SHIFT)) return OL_EXIT_FAILURE;
    bool good;
    if (arguments.rate) good = sampled_curve(&arguments, &stream);
    else if (arguments.policy == &ol_policy_lru) good = lru_curve(&arguments, &stream);
    else if (arguments.policy == &ol_policy_opt) good = opt_curve(&arguments, &stream);
    else good = policy_curve(&arguments, &stream);
    ol_stream_close(&stream);
    return good ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
