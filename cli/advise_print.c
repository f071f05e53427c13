/* SPDX-License-Identifier: MIT */
/* onelevel advise: one sentence, then what it rests on; or JSON. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cli/advise.h"
#include "cli/cli.h"

enum { POINTS = 12, POLICIES_SHOWN = 6 };

static uint64_t bytes_of(double pages)
{
    return (uint64_t)pages << OL_ADVISE_SHIFT;
}

/* Time with that memory, over the time with all. */
static double slowdown_at(const struct ol_advice *advice, uint64_t pages)
{
    const uint64_t refaults = ol_advice_faults(&advice->trace, pages) - advice->trace.pages;
    return ol_advice_time(&advice->trace, &advice->costs, refaults, 1) /
           ol_advice_time(&advice->trace, &advice->costs, 0, 1);
}

/* Sizes worth showing, in equal ratios from a half of where it thrashes to all pages. Returns how many. */
static unsigned choose_points(const struct ol_advice *advice, uint64_t points[POINTS])
{
    const double last = advice->trace.pages, first = fmax(1, fmin(advice->thrashes.value / 2, last));
    unsigned count = 0;
    for (unsigned i = 0; i < POINTS; i++) {
        const uint64_t size = (uint64_t)llround(first * pow(last / first, (double)i / (POINTS - 1)));
        if (!count || size != points[count - 1]) points[count++] = size;
    }
    return count;
}

/* The policy worth naming: one that saves one part in a hundred of the time, even with other constants, and whose
 * faults are fewer by more than three times the square root of their number. NULL if there is none. */
static const struct ol_advice_policy *best_policy(const struct ol_advice *advice)
{
    const struct ol_advice_policy *const best = &advice->policies[0];
    if (!advice->compared_at || !advice->policies_count || best->faults >= advice->policy_faults) return NULL;
    const uint64_t both = best->faults + advice->policy_faults - 2 * (uint64_t)advice->trace.pages;
    const bool clear = (double)(advice->policy_faults - best->faults) > 3 * sqrt((double)both);
    return clear && best->saved.least >= 0.01 ? best : NULL;
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static const char *size_text(double pages, char text[OL_SIZE_TEXT_BYTES])
{
    return ol_format_size(bytes_of(pages), text);
}

static void print_sizes(FILE *out, const struct ol_advice_range *range)
{
    char value[OL_SIZE_TEXT_BYTES], least[OL_SIZE_TEXT_BYTES], most[OL_SIZE_TEXT_BYTES];
    fprintf(out, "%s (%s to %s)", size_text(range->value, value), size_text(range->least, least),
            size_text(range->most, most));
}

static void print_percent(FILE *out, const struct ol_advice_range *range)
{
    fprintf(out, "%.1f %% (%.1f to %.1f)", 100 * range->value, 100 * range->least, 100 * range->most);
}

static void print_sentence(const struct ol_advise *advise, const struct ol_advice *advice, FILE *out)
{
    char size[OL_SIZE_TEXT_BYTES];
    const struct ol_advice_policy *const best = best_policy(advice);
    fprintf(out, "%s needs ", advise->name);
    print_sizes(out, &advice->needs);
    fputs(";\nbelow ", out);
    print_sizes(out, &advice->thrashes);
    fputs(" it thrashes", out);
    if (advice->has_large && advice->small.walks) {
        fputs(";\n2 MiB pages would save ", out);
        print_percent(out, &advice->walks_saved);
        fprintf(out, " of the walks, %.1f %% of the time", 100 * advice->walks_saved_time);
    }
    if (advice->compared_at) {
        fprintf(out, ";\nwith %s, %s would save ", size_text(advice->compared_at, size),
                best ? best->name : "no policy");
        if (best) print_percent(out, &best->saved);
        fprintf(out, "%s of the time over %s", best ? "" : "a clear part", advise->sweep->policies[0].text);
    }
    fputs(".\n\n", out);
}

static void print_curve(const struct ol_advise *advise, const struct ol_advice *advice, FILE *out)
{
    uint64_t points[POINTS] = {0};
    char size[OL_SIZE_TEXT_BYTES];
    const unsigned count = choose_points(advice, points);
    fprintf(out,
            "Counted: %" PRIu64 " references to %s in %u pages of 4 KiB.\n"
            "Needs: the least memory with which the modelled time is at most %.2f of that with all memory.\n"
            "Thrashes: with less, it is more than %.2f of it. Ranges: constants of the model that are %.0f times\n"
            "off, taken together. Memory is what the program itself refers to, under LRU.\n\n"
            "%14s %16s %12s\n",
            advice->trace.references, size_text(advice->trace.pages, size), advice->trace.pages, advise->slack,
            advise->thrash, OL_ADVICE_DOUBT, "memory", "pages read back", "time");
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%14s %16" PRIu64 " %12.2f\n", size_text((double)points[i], size),
                ol_advice_faults(&advice->trace, points[i]) - advice->trace.pages, slowdown_at(advice, points[i]));
}

static void print_large(const struct ol_advise *advise, const struct ol_advice *advice, FILE *out)
{
    char waste[OL_SIZE_TEXT_BYTES];
    if (!advice->has_large) {
        fputs("\nPages of 2 MiB: nothing can be said, the trace is a list of pages.\n", out);
        return;
    }
    fprintf(out,
            "\nPages of 2 MiB: %" PRIu64 " instead of %" PRIu64 " pages, and %s that is never touched.\n"
            "Walks, with a TLB (%s) of %" PRIu64 " entries for 4 KiB and %" PRIu64 " for 2 MiB, fully associative,\n"
            "and with half and twice as many:\n\n"
            "%14s %16s %12s %12s\n",
            advice->large.pages, advice->small.pages, ol_format_size(advice->large_waste_bytes, waste),
            advise->tlb_text, advice->small.entries, advice->large.entries, "pages of", "walks", "half", "twice");
    const struct ol_advice_walks *const all[] = {&advice->small, &advice->large};
    for (unsigned i = 0; i < 2; i++)
        fprintf(out, "%14s %16" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n", i ? "2 MiB" : "4 KiB", all[i]->walks,
                all[i]->walks_half, all[i]->walks_double);
}

static void print_policy(FILE *out, const struct ol_advice_policy *policy)
{
    fprintf(out, "%14s %16" PRIu64 "   ", policy->name, policy->faults);
    print_percent(out, &policy->saved);
    fputc('\n', out);
}

static void print_policies(const struct ol_advise *advise, const struct ol_advice *advice, FILE *out)
{
    char size[OL_SIZE_TEXT_BYTES];
    if (!advice->compared_at) return;
    fprintf(out, "\nPolicies, in %s:\n\n%14s %16s   %s\n", size_text(advice->compared_at, size), "policy", "faults",
            "saves of the time");
    fprintf(out, "%14s %16" PRIu64 "\n", advise->sweep->policies[0].text, advice->policy_faults);
    for (unsigned i = 0; i < advice->policies_count && i < POLICIES_SHOWN; i++) print_policy(out, &advice->policies[i]);
    if (advice->has_opt) print_policy(out, &advice->opt);
    if (advice->has_opt) fputs("(OPT knows the future; none has fewer faults.)\n", out);
}

static void print_model(const struct ol_advice *advice, FILE *out)
{
    fprintf(out,
            "\nModelled, in ns: %.2f a reference, %.0f a walk, %.0f a first touch, %.0f a page read back.\n"
            "One recording of one input tells nothing of others.\n",
            advice->costs.reference, advice->costs.walk, advice->costs.first, advice->costs.refault);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *sizes_json(const struct ol_advice_range *range, double slowdown)
{
    return json_pack("{s:I, s:I, s:I, s:f}", "bytes", (json_int_t)bytes_of(range->value), "least_bytes",
                     (json_int_t)bytes_of(range->least), "most_bytes", (json_int_t)bytes_of(range->most), "slowdown",
                     slowdown);
}

static json_t *curve_json(const struct ol_advice *advice)
{
    uint64_t points[POINTS] = {0};
    const unsigned count = choose_points(advice, points);
    json_t *const curve = json_array();
    bool good = curve != NULL;
    for (unsigned i = 0; good && i < count; i++)
        good = json_array_append_new(
                   curve, json_pack("{s:I, s:I, s:f}", "bytes", (json_int_t)bytes_of((double)points[i]), "read_back",
                                    (json_int_t)(ol_advice_faults(&advice->trace, points[i]) - advice->trace.pages),
                                    "slowdown", slowdown_at(advice, points[i]))) == 0;
    return good ? curve : NULL;
}

static json_t *walks_json(const struct ol_advice_walks *walks)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "pages", (json_int_t)walks->pages, "tlb_entries",
                     (json_int_t)walks->entries, "walks", (json_int_t)walks->walks, "walks_half_entries",
                     (json_int_t)walks->walks_half, "walks_twice_entries", (json_int_t)walks->walks_double);
}

static json_t *large_json(const struct ol_advice *advice)
{
    if (!advice->has_large) return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:I, s:o, s:o}", "walks_saved", advice->walks_saved.value,
                     "walks_saved_least", advice->walks_saved.least, "walks_saved_most", advice->walks_saved.most,
                     "time_saved", advice->walks_saved_time, "waste_bytes", (json_int_t)advice->large_waste_bytes,
                     "small", walks_json(&advice->small), "large", walks_json(&advice->large));
}

static json_t *policy_json(const struct ol_advice_policy *policy)
{
    return json_pack("{s:s, s:I, s:f, s:f, s:f}", "policy", policy->name, "faults", (json_int_t)policy->faults,
                     "time_saved", policy->saved.value, "time_saved_least", policy->saved.least, "time_saved_most",
                     policy->saved.most);
}

static json_t *policies_json(const struct ol_advise *advise, const struct ol_advice *advice)
{
    if (!advice->compared_at) return json_null();
    json_t *const list = json_array();
    bool good = list != NULL;
    for (unsigned i = 0; good && i < advice->policies_count; i++)
        good = json_array_append_new(list, policy_json(&advice->policies[i])) == 0;
    const struct ol_advice_policy *const best = best_policy(advice);
    return json_pack("{s:I, s:s, s:I, s:s?, s:o, s:o}", "at_bytes", (json_int_t)bytes_of((double)advice->compared_at),
                     "compared_with", advise->sweep->policies[0].text, "faults", (json_int_t)advice->policy_faults,
                     "best", best ? best->name : NULL, "others", good ? list : NULL, "opt",
                     advice->has_opt ? policy_json(&advice->opt) : json_null());
}

static bool print_json(const struct ol_advise *advise, const struct ol_advice *advice, FILE *out)
{
    json_t *const object =
        json_pack("{s:s, s:I, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:{s:f, s:f, s:f, s:f, s:f}}", "subject", advise->name,
                  "references", (json_int_t)advice->trace.references, "distinct_pages", (json_int_t)advice->trace.pages,
                  "page_bytes", 1 << OL_ADVISE_SHIFT, "needs", sizes_json(&advice->needs, advise->slack),
                  "thrashes_below", sizes_json(&advice->thrashes, advise->thrash), "curve", curve_json(advice),
                  "large_pages", large_json(advice), "policies", policies_json(advise, advice), "model", "reference_ns",
                  advice->costs.reference, "walk_ns", advice->costs.walk, "first_touch_ns", advice->costs.first,
                  "read_back_ns", advice->costs.refault, "doubt", OL_ADVICE_DOUBT);
    const bool good = object && json_dumpf(object, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) == 0;
    json_decref(object);
    fputc('\n', out);
    return good;
}

bool ol_advice_print(const struct ol_advise *advise, const struct ol_advice *advice, FILE *out)
{
    bool good = true;
    if (advise->json) {
        good = print_json(advise, advice, out);
    } else {
        print_sentence(advise, advice, out);
        print_curve(advise, advice, out);
        print_large(advise, advice, out);
        print_policies(advise, advice, out);
        print_model(advice, out);
    }
    if (fflush(out) == 0 && !ferror(out) && good) return true;
    ol_error("the advice cannot be written: %s", strerror(errno));
    return false;
}
