/* SPDX-License-Identifier: MIT */
/* onelevel sweep: a trace on machines x policies x sizes, on all processors. */
#include "cli/sweep.h"
#include "cli/sim_setup.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cli/cli.h"
#include "cli/parallel.h"
#include "cli/sweep_journal.h"

enum { JOBS_MAX = 1024, SHARDS_MAX = 1 << 20 };

static void print_help(void)
{
    puts("usage: onelevel sweep (--frames LIST | --ram LIST) [OPTION...] TRACE\n"
         "       onelevel sweep merge [OPTION...] FILE...\n"
         "\n"
         "Simulates a trace on machines x policies x sizes of memory, on all processors, and prints a row for\n"
         "each. TRACE is any file that `onelevel sim` reads.\n"
         "\n"
         "  --frames LIST            frames for pages\n"
         "  --ram LIST               the same as sizes in bytes\n"
         "  --policy NAMES           policies, with parameters, or all (default: clock)\n"
         "  --machine NAMES          ideal (default), those that `onelevel machines` lists, or all\n"
         "  --tlb SPEC               their TLBs, as for `onelevel sim` (default: " OL_SIM_TLB_DEFAULT ")\n"
         "  --page-size LIST         ideal only: pages of these sizes, 512 to 1G; also shows how much of the\n"
         "                           pages is never touched (waste_bytes, told from pieces of 512 bytes or of\n"
         "                           what the trace tells apart) and how large page tables are (table_bytes,\n"
         "                           a tree as on AMD64)\n"
         "  --format NAME            the form of TRACE, as for `onelevel sim`\n"
         "  -o, --output FILE        keep results in FILE as they come; if it is there, go on with it\n"
         "  --shard I/N              simulate part I of N parts only; `onelevel sweep merge` joins them\n"
         "  --jobs N                 processes at a time (default: the processors that there are)\n"
         "  --quiet                  show no progress\n"
         "  --csv, --text, --json    a line of keys and one for each row (default); for people; one JSON object\n"
         "\n"
         "A LIST is numbers or sizes, A,B,C; doublings, 1M..64M; or so many in equal ratios, 100..5000/20.\n"
         "NAMES are separated by commas: lru,2q:in=25,out=50,sieve. Rows are in this order, whichever is done\n"
         "first. OPT keeps the trace in memory, 8 bytes a run of references and process.");
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static bool take_frames(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    return *value && !errno && !*end && *value <= OL_NUMBERING_PAGES_MAX;
}

static bool parse_page_sizes(const char *text, struct ol_sweep *sweep)
{
    if (!ol_sweep_parse_list("--page-size", text, ol_parse_size, &sweep->page_bytes)) return false;
    for (unsigned i = 0; i < sweep->page_bytes.count; i++) {
        const uint64_t bytes = sweep->page_bytes.values[i];
        if (bytes >= 1 << 9 && bytes <= 1 << 30 && !(bytes & (bytes - 1))) continue;
        ol_error("--page-size %s: expected powers of two from 512 to 1G, such as 512..2M", text);
        return false;
    }
    return true;
}

static bool parse_tlb(const char *text, struct ol_sweep *sweep)
{
    sweep->tlb_text = text;
    return ol_sim_parse_tlb(text, &sweep->tlb);
}

/* "I/N" */
static bool parse_shard(const char *text, struct ol_sweep *sweep)
{
    char *end = NULL;
    const unsigned long shard = *text >= '1' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    const unsigned long shards =
        shard && *end == '/' && end[1] >= '1' && end[1] <= '9' ? strtoul(end + 1, &end, 10) : 0;
    if (shards && !*end && shards <= SHARDS_MAX && shard <= shards) {
        sweep->shard = (unsigned)shard;
        sweep->shards = (unsigned)shards;
        return true;
    }
    ol_error("--shard %s: expected I/N, the I-th of N parts, such as 3/8", text);
    return false;
}

static bool parse_jobs(const char *text, struct ol_sweep *sweep)
{
    char *end;
    const unsigned long jobs = *text >= '1' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (jobs && jobs <= JOBS_MAX && !*end) {
        sweep->jobs = (unsigned)jobs;
        return true;
    }
    ol_error("--jobs %s: expected a number from 1 to %d", text, JOBS_MAX);
    return false;
}

/* `argument` is the one that getopt_long looked at last. */
static bool parse_option(int option, const char *argument, struct ol_sweep *sweep)
{
    switch (option) {
    case 'f': return ol_sweep_parse_list("--frames", optarg, take_frames, &sweep->frames);
    case 'r': return ol_sweep_parse_list("--ram", optarg, ol_parse_size, &sweep->ram_bytes);
    case 'p': return ol_sweep_parse_policies(optarg, sweep);
    case 'm': return ol_sweep_parse_machines(optarg, sweep);
    case 'z': return parse_page_sizes(optarg, sweep);
    case 'F': return ol_parse_trace_format(optarg, &sweep->format);
    case 'o': sweep->results = optarg; return true;
    case 'T': return parse_tlb(optarg, sweep);
    case 's': return parse_shard(optarg, sweep);
    case 'J': return parse_jobs(optarg, sweep);
    case 'q': sweep->quiet = true; return true;
    case 'C': sweep->form = OL_TABLE_CSV; return true;
    case 't': sweep->form = OL_TABLE_TEXT; return true;
    case 'j': sweep->form = OL_TABLE_JSON; return true;
    case 'h': sweep->help = true; return true;
    case ':': ol_error("sweep: %s wants a value; `onelevel help sweep` explains it", argument); return false;
    default: ol_error("sweep: there is no option %s; `onelevel help sweep` lists them", argument); return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct ol_sweep *sweep)
{
    static const struct option options[] = {{"frames", required_argument, NULL, 'f'},
                                            {"ram", required_argument, NULL, 'r'},
                                            {"policy", required_argument, NULL, 'p'},
                                            {"machine", required_argument, NULL, 'm'},
                                            {"page-size", required_argument, NULL, 'z'},
                                            {"format", required_argument, NULL, 'F'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"tlb", required_argument, NULL, 'T'},
                                            {"shard", required_argument, NULL, 's'},
                                            {"jobs", required_argument, NULL, 'J'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            OL_TABLE_OPTIONS,
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    opterr = 0; /* messages are given here */
    for (int option; !sweep->help && (option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;)
        if (!parse_option(option, argv[optind - 1], sweep)) return false;
    if (sweep->help) return true;
    if (!sweep->frames.count == !sweep->ram_bytes.count) {
        ol_error("sweep: expected --frames LIST or --ram LIST, one of both");
        return false;
    }
    if (optind != argc - 1 || strcmp(argv[optind], "-") == 0) {
        ol_error("sweep: expected one TRACE, a file that can be read again and again, after the options");
        return false;
    }
    sweep->trace = argv[optind];
    if (!sweep->policies_count && !ol_sweep_parse_policies("clock", sweep)) return false;
    if (!sweep->tlb_text && !parse_tlb(OL_SIM_TLB_DEFAULT, sweep)) return false;
    return sweep->machines_count || ol_sweep_parse_machines("ideal", sweep);
}

/* --- what was swept ----------------------------------------------------------------------------------------------- */

/* The trace's size and a hash of its bytes: it may have another name elsewhere. False after a message. */
static bool identify(const char *path, uint64_t *bytes, uint64_t *hash)
{
    enum { PIECE = 1 << 16 };
    static char piece[PIECE];
    FILE *const file = fopen(path, "rb");
    XXH64_state_t state;
    size_t got = 1;
    (void)XXH64_reset(&state, 0);
    *bytes = 0;
    while (file && (got = fread(piece, 1, PIECE, file)) > 0) {
        (void)XXH64_update(&state, piece, got);
        *bytes += got;
    }
    const bool good = file && !ferror(file);
    if (!good) ol_error("%s: cannot be read: %s", path, strerror(errno));
    if (file) (void)fclose(file);
    *hash = XXH64_digest(&state);
    return good;
}

static json_t *list_json(const struct ol_sweep_list *list)
{
    json_t *const array = json_array();
    bool good = array != NULL;
    for (unsigned i = 0; good && i < list->count; i++)
        good = json_array_append_new(array, json_integer((json_int_t)list->values[i])) == 0;
    return good ? array : NULL;
}

static json_t *names_json(const struct ol_sweep *sweep, bool machines)
{
    json_t *const array = json_array();
    bool good = array != NULL;
    for (unsigned i = 0; good && i < (machines ? sweep->machines_count : sweep->policies_count); i++) {
        const char *const machine = sweep->machines[i] ? sweep->machines[i]->is.name : "ideal";
        good = json_array_append_new(array, json_string(machines ? machine : sweep->policies[i].text)) == 0;
    }
    return good ? array : NULL;
}

/* The first line of the results file. NULL after a message. */
static json_t *make_header(const struct ol_sweep *sweep)
{
    uint64_t bytes, hash;
    char text[32];
    if (!identify(sweep->trace, &bytes, &hash)) return NULL;
    (void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash);
    json_t *const header =
        json_pack("{s:i, s:s, s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:[i, i]}", "onelevel_sweep", 1,
                  "trace", sweep->trace, "trace_bytes", (json_int_t)bytes, "trace_xxh64", text, "rows",
                  (json_int_t)sweep->rows_count, "machines", names_json(sweep, true), "policies",
                  names_json(sweep, false), "page_bytes", list_json(&sweep->page_bytes), "frames",
                  list_json(&sweep->frames), "ram_bytes", list_json(&sweep->ram_bytes), "tlb", sweep->tlb_text,
                  "format", ol_trace_format_names[sweep->format], "shard", (int)sweep->shard, (int)sweep->shards);
    if (!header) ol_error("no memory for what is swept");
    return header;
}

/* --- results ------------------------------------------------------------------------------------------------------ */

struct results {
    struct ol_sweep *sweep;
    json_t *header;
    json_t **rows;
    int fd; /* -1: no file */
};

/* Is the file of this very sweep? False after a message. */
static bool is_same_sweep(const struct ol_sweep *sweep, json_t *wanted, const json_t *found)
{
    const char *key;
    json_t *value;
    json_object_foreach(wanted, key, value)
    {
        if (strcmp(key, "trace") == 0 || json_equal(value, json_object_get(found, key))) continue;
        ol_error("%s: holds results of another sweep: its %s differs; give the same options, or another file",
                 sweep->results, key);
        return false;
    }
    return true;
}

/* Goes on with the results file. False after a message. */
static bool open_results(struct results *results)
{
    struct ol_sweep *const sweep = results->sweep;
    struct ol_journal journal;
    bool good = ol_journal_open(sweep->results, &journal, &results->fd);
    if (good && !journal.header) good = ol_journal_append(sweep->results, results->fd, results->header);
    else if (good) good = is_same_sweep(sweep, results->header, journal.header);
    for (uint32_t i = 0; good && i < journal.rows_count; i++) {
        if (!journal.rows[i]) continue;
        good = ol_sweep_row_take(sweep, i, journal.rows[i]);
        if (!good) ol_error("%s: row %u is not what this sweep has there; take it out", sweep->results, i);
        results->rows[i] = json_incref(journal.rows[i]);
    }
    ol_journal_release(&journal);
    return good;
}

static bool keep_row(void *context, uint32_t row)
{
    struct results *const results = context;
    results->rows[row] = ol_sweep_row_json(results->sweep, row);
    if (!results->rows[row]) {
        ol_error("no memory for the results");
        return false;
    }
    return results->fd < 0 || ol_journal_append(results->sweep->results, results->fd, results->rows[row]);
}

static bool run_sweep(struct ol_sweep *sweep)
{
    struct results results = {.sweep = sweep, .fd = -1};
    results.header = make_header(sweep);
    results.rows = calloc(sweep->rows_count, sizeof(json_t *));
    bool good = results.header && results.rows && (!sweep->results || open_results(&results));
    good = good && ol_sweep_run(sweep, keep_row, &results);
    if (good && sweep->results)
        good = ol_journal_write(sweep->results, results.header, results.rows, sweep->rows_count);
    good = good && ol_sweep_print(sweep->form, results.header, results.rows, sweep->rows_count);
    for (uint32_t i = 0; results.rows && i < sweep->rows_count; i++) json_decref(results.rows[i]);
    free(results.rows);
    json_decref(results.header);
    if (results.fd >= 0) (void)close(results.fd);
    return good;
}

int ol_cmd_sweep(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "merge") == 0) return ol_sweep_merge(argc - 1, argv + 1);
    struct ol_sweep *const sweep = calloc(1, sizeof(*sweep));
    int status = OL_EXIT_FAILURE;
    if (!sweep) {
        ol_error("no memory");
        return status;
    }
    sweep->shard = sweep->shards = 1;
    sweep->jobs = ol_processors();
    const bool good = parse_arguments(argc, argv, sweep);
    if (good && sweep->help) print_help(), status = OL_EXIT_OK;
    else if (!good || !ol_sweep_plan(sweep)) status = OL_EXIT_USAGE;
    else if (run_sweep(sweep)) status = OL_EXIT_OK;
    free(sweep->rows);
    free(sweep);
    return status;
}
