/* SPDX-License-Identifier: MIT */
/* onelevel mrc: curves of a trace, for all sizes of memory or of windows. */
#include "cli/mrc.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onelevel/core.h>

#include "analysis/shards.h"
#include "analysis/shards_size.h"
#include "cli/cli.h"
#include "cli/ideal_replay.h"
#include "trace/page_sample.h"

enum { PAGE_SHIFT = 12 };

static const char *const curves[] = {[OL_MRC_MISS_RATIO] = "miss-ratio",
                                     [OL_MRC_WORKING_SET] = "working-set",
                                     [OL_MRC_REUSE] = "reuse",
                                     [OL_MRC_FOOTPRINT] = "footprint"};
enum { CURVES = sizeof(curves) / sizeof(curves[0]) };

static void print_help(void)
{
    puts("usage: onelevel mrc [OPTION...] TRACE\n"
         "\n"
         "Prints how many references of a trace fault, for every size of memory: the miss-ratio curve, on the\n"
         "machine of the papers (see `onelevel help sim`, --machine ideal). Exact, in one pass for LRU, in two\n"
         "for OPT; other policies are simulated at a number of sizes at once. Or prints another curve:\n"
         "\n"
         "  --curve miss-ratio       the default\n"
         "  --curve working-set      mean size of Denning's working set, the pages of the last `window` references,\n"
         "                           and the references that found their page outside it\n"
         "  --curve reuse            how many references come `reuse_time` references after the last to their page\n"
         "                           (above the line before, up to this one), and the share of all up to here\n"
         "  --curve footprint        mean number of different pages in a window of the trace, and how much it grows "
         "with\n"
         "                           one reference more: about LRU's miss ratio in that many frames (HOTL)\n"
         "  --windows N,N,...        references; else eight to each doubling\n"
         "\n"
         "  --policy NAME[:PARAMS]   lru (default), opt, or any other that `onelevel policies` lists\n"
         "  --sizes N,N,...          frames; else all sizes at which the curve changes (lru, opt), or\n"
         "                           1, 2, 3, 4, 6, 8, 12, ... up to the pages of the trace\n"
         "  --page-size SIZE         512 to 1G (default: 4K)\n"
         "  --sample RATE            lru only: from a sample of the pages, such as 0.01 (SHARDS, fixed rate), with\n"
         "                           a bound of 99 % for each size\n"
         "  --sample-pages N         the same, but the rate falls until N pages are enough (SHARDS, fixed size):\n"
         "                           constant memory, whatever the trace\n"
         "\n"
         "  --format NAME            the form of TRACE, as for `onelevel sim`\n"
         "  --csv                    a line of keys, then one for each size (the default)\n"
         "  --text                   for people: aligned, and some of the sizes if there are many\n"
         "  --json                   one JSON object\n"
         "\n"
         "Between two lines the miss-ratio curve does not change. A sampled one has, instead of faults, the least\n"
         "and the most that the miss ratio is, with 99 % confidence for each size. All others are exact.");
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* "N,N,..." in ascending order, equal ones once. 0 after a message. */
static unsigned parse_numbers(const char *option, const char *text, uint64_t most, uint64_t *numbers, unsigned room)
{
    unsigned given = 0, count = 0;
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        const unsigned long long number = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : 0;
        if (number == 0 || errno || number > most || (*end && *end != ',') || given == room) {
            ol_error("%s %s: expected up to %u numbers from 1 to %llu, such as 100,200,400", option, text, room,
                     (unsigned long long)most);
            return 0;
        }
        numbers[given++] = number;
        at = end;
        if (!*at) break;
    }
    qsort(numbers, given, sizeof(*numbers), compare_numbers);
    for (unsigned i = 0; i < given; i++)
        if (!count || numbers[i] != numbers[count - 1]) numbers[count++] = numbers[i];
    return count;
}

static bool parse_sizes(const char *text, struct ol_mrc *mrc)
{
    uint64_t numbers[OL_MRC_SIZES_MAX];
    mrc->sizes_count = parse_numbers("--sizes", text, OL_NUMBERING_PAGES_MAX, numbers, OL_MRC_SIZES_MAX);
    for (unsigned i = 0; i < mrc->sizes_count; i++) mrc->sizes[i] = (uint32_t)numbers[i];
    return mrc->sizes_count;
}

static bool parse_windows(const char *text, struct ol_mrc *mrc)
{
    mrc->windows_count = parse_numbers("--windows", text, UINT64_C(1) << 40, mrc->windows, OL_REUSE_WINDOWS_MAX);
    return mrc->windows_count;
}

static bool parse_rate(const char *text, struct ol_mrc *mrc)
{
    char *end;
    const double rate = strtod(text, &end);
    if (end != text && !*end && rate >= 1e-6 && rate <= 1) {
        mrc->rate = (uint32_t)(rate * OL_PAGE_SAMPLE_ONE);
        return true;
    }
    ol_error("--sample %s: expected a rate from 0.000001 to 1, such as 0.01", text);
    return false;
}

static bool parse_sample_pages(const char *text, struct ol_mrc *mrc)
{
    char *end;
    const unsigned long long pages = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (pages >= OL_SHARDS_SIZE_LEAST && pages <= OL_SHARDS_SIZE_MOST && !*end) {
        mrc->sample_pages = (uint32_t)pages;
        return true;
    }
    ol_error("--sample-pages %s: expected a number from %d to %d, such as 8192", text, OL_SHARDS_SIZE_LEAST,
             OL_SHARDS_SIZE_MOST);
    return false;
}

static bool parse_curve(const char *text, struct ol_mrc *mrc)
{
    for (unsigned i = 0; i < CURVES; i++) {
        if (strcmp(text, curves[i]) != 0) continue;
        mrc->curve = (enum ol_mrc_curve)i;
        return true;
    }
    ol_error("--curve %s: expected miss-ratio, working-set, reuse or footprint", text);
    return false;
}

static bool parse_policy(const char *text, struct ol_mrc *mrc)
{
    struct ol_policy_choice choice;
    if (!ol_policy_choose(text, &choice)) return false;
    mrc->policy = choice.policy;
    mrc->policy_text = choice.text;
    mrc->policy_parameters = choice.parameters;
    return true;
}

/* `argument` is the one that getopt_long looked at last. */
static bool parse_option(int option, const char *argument, struct ol_mrc *mrc)
{
    switch (option) {
    case 'c': return parse_curve(optarg, mrc);
    case 'p': return parse_policy(optarg, mrc);
    case 's': return parse_sizes(optarg, mrc);
    case 'w': return parse_windows(optarg, mrc);
    case 'r': return parse_rate(optarg, mrc);
    case 'n': return parse_sample_pages(optarg, mrc);
    case 'z': return ol_parse_page_size(optarg, &mrc->page_shift);
    case 'C': mrc->form = OL_TABLE_CSV; return true;
    case 't': mrc->form = OL_TABLE_TEXT; return true;
    case 'F': return ol_parse_trace_format(optarg, &mrc->format);
    case 'j': mrc->form = OL_TABLE_JSON; return true;
    case 'h': mrc->help = true; return true;
    case ':': ol_error("mrc: %s wants a value; `onelevel help mrc` explains it", argument); return false;
    default: ol_error("mrc: there is no option %s; `onelevel help mrc` lists them", argument); return false;
    }
}

/* Do the options fit together? False after a message. */
static bool check(const struct ol_mrc *mrc)
{
    const bool sampled = mrc->rate || mrc->sample_pages, ratio = mrc->curve == OL_MRC_MISS_RATIO;
    const bool lru = mrc->policy == &ol_policy_lru;
    if (mrc->rate && mrc->sample_pages) ol_error("mrc: either --sample or --sample-pages, not both");
    else if (sampled && !(ratio && lru)) ol_error("mrc: --sample is for the miss-ratio curve of LRU");
    else if (sampled && mrc->sizes_count)
        ol_error("mrc: --sample is for LRU, at the sizes that the sample can tell apart; leave --sizes out");
    else if (!ratio && (mrc->sizes_count || !lru))
        ol_error("mrc: --curve %s knows no policy and no sizes; there is --windows", curves[mrc->curve]);
    else if (ratio && mrc->windows_count) ol_error("mrc: --windows is for --curve working-set, reuse and footprint");
    else return true;
    return false;
}

static bool parse_arguments(int argc, char **argv, struct ol_mrc *mrc)
{
    static const struct option options[] = {{"curve", required_argument, NULL, 'c'},
                                            {"policy", required_argument, NULL, 'p'},
                                            {"sizes", required_argument, NULL, 's'},
                                            {"windows", required_argument, NULL, 'w'},
                                            {"sample", required_argument, NULL, 'r'},
                                            {"sample-pages", required_argument, NULL, 'n'},
                                            {"page-size", required_argument, NULL, 'z'},
                                            {"format", required_argument, NULL, 'F'},
                                            OL_TABLE_OPTIONS,
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    *mrc = (struct ol_mrc){.policy = &ol_policy_lru, .policy_text = "lru", .page_shift = PAGE_SHIFT};
    opterr = 0; /* messages are given here */
    for (int option; !mrc->help && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;)
        if (!parse_option(option, argv[optind - 1], mrc)) return false;
    if (mrc->help) return true;
    if (optind != argc - 1) {
        ol_error("mrc: expected one TRACE, a file or -, after the options");
        return false;
    }
    mrc->trace = argv[optind];
    return check(mrc);
}

int ol_cmd_mrc(int argc, char **argv)
{
    struct ol_mrc mrc;
    struct ol_stream stream;
    if (!parse_arguments(argc, argv, &mrc)) return OL_EXIT_USAGE;
    if (mrc.help) {
        print_help();
        return OL_EXIT_OK;
    }
    if (!ol_stream_open(&stream, mrc.trace, mrc.format, mrc.page_shift)) return OL_EXIT_FAILURE;
    bool good;
    if (mrc.curve != OL_MRC_MISS_RATIO) good = ol_mrc_windows(&mrc, &stream);
    else if (mrc.rate || mrc.sample_pages) good = ol_mrc_sampled(&mrc, &stream);
    else if (mrc.policy == &ol_policy_lru) good = ol_mrc_lru(&mrc, &stream);
    else if (mrc.policy == &ol_policy_opt) good = ol_mrc_opt(&mrc, &stream);
    else good = ol_mrc_policy(&mrc, &stream);
    ol_stream_close(&stream);
    return good ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
