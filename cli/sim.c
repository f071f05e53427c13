/* SPDX-License-Identifier: MIT */
/*
 * onelevel sim: replays a trace of memory references on a simulated machine.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onelevel/core.h>

#include "cli/cli.h"
#include "cli/ideal_replay.h"
#include "cli/sim_account.h"
#include "cli/sim_ideal.h"
#include "cli/sim_setup.h"
#include "cli/stream.h"
#include "trace/reader.h"

enum { BATCH = 4096 /* references read at once */ };

struct arguments {
    const struct ol_policy_ops *policy;
    const char *policy_parameters;
    const char *policy_text;
    const char *trace;
    enum ol_trace_format format;
    const struct ol_sim_format *machine;
    uint64_t ram_bytes; /* 0: not given */
    uint32_t frames;    /* 0: not given */
    struct ol_tlb_spec tlb;
    const char *tlb_text;   /* as given */
    const char *large_text; /* NULL: not given */
    struct ol_large_pages large;
    uint32_t processors;
    struct ol_numa numa;
    struct ol_cost cost;
    bool has_cost;
    uint32_t slice; /* references that a processor makes in turn; 0: it has threads of the trace */
    bool ideal;     /* the machine */
    bool json;
    bool managed;
    bool help;
};

/* --- arguments --------------------------------------------------------------------------------------------------- */

static void print_tlb_help(void)
{
    printf("  --tlb SPEC               the TLBs of a processor (default: %s): none, ENTRIES[:WAYS], or several\n"
           "                           l1=ARRAY, l1d=ARRAY, l1i=ARRAY, l2=ARRAY …, walk=ARRAY, tags=BITS with\n"
           "                           commas between them. l1 is for everything, l1d for data, l1i for\n"
           "                           instructions; walk=, or walk1=, walk2= …, page-walk caches for table\n"
           "                           entries of all levels, or of one (1: those that name the lowest tables);\n"
           "                           tags, of %d bits at most, tell spaces apart. ARRAY is\n"
           "                           ENTRIES[:WAYS][:lru|plru|fifo|random][@SIZE+SIZE…], for pages of these\n"
           "                           sizes, or of all. Or those of a processor:\n",
           OL_SIM_TLB_DEFAULT, OL_TLB_TAG_BITS);
    for (const struct ol_tlb_preset *preset = ol_tlb_presets; preset->name; preset++)
        printf("                             %-15s %s\n", preset->name, preset->summary);
}

static void print_processors_help(void)
{
    printf("  --large-pages promote|eager[:SIZE]\n"
           "                           use large pages, up to that size (default: the machine's smallest large\n"
           "                           one). promote: neighbours that were all touched become one; eager: the\n"
           "                           first touch brings in a whole one, if that much memory is free\n"
           "  --processors N           so many, each with its TLBs (default: 1); thread t of the trace is on\n"
           "                           processor t modulo N\n"
           "  --slice REFERENCES       instead, the processors take so many references each, in turn\n"
           "  --numa NODES[:POLICY][:DISTANCE]\n"
           "                           so many nodes, which share processors and frames alike. POLICY places\n"
           "                           pages: first-touch (default), interleave, preferred=NODE, bind=NODE.\n"
           "                           DISTANCE of other nodes (default: %d; the own one has %d), or the whole\n"
           "                           matrix, as in 2:first-touch:10,21/21,10\n"
           "  --cost default|NAME=NUMBER,…\n"
           "                           model what it would take, from all that is counted and these constants:\n",
           OL_NUMA_FAR, OL_NUMA_NEAR);
    for (const struct ol_cost_constant_info *is = ol_cost_constants; is < ol_cost_constants + OL_COST_CONSTANTS; is++)
        printf("                             %-11s %-8s (%llu) %s\n", is->name, is->unit, (unsigned long long)is->value,
               is->summary);
}

static void print_help(void)
{
    printf("usage: onelevel sim (--frames N | --ram SIZE) [OPTION...] TRACE\n"
           "\n"
           "Replays a trace of memory references on a simulated machine and counts what happens.\n"
           "\n"
           "TRACE is what `onelevel record` or `valgrind --tool=lackey --trace-mem=yes` writes, or a list of\n"
           "hexadecimal page numbers, one a line; plain, gzip or zstd; - is standard input.\n"
           "\n"
           "  --machine NAME           the machine (default: %s); `onelevel machines` describes them:\n"
           "                          ",
           ol_sim_amd64.is.name);
    for (const struct ol_sim_format *const *machine = ol_sim_formats; *machine; machine++)
        printf(" %s", (*machine)->is.name);
    printf(",\n"
           "                           or ideal: every reference is seen, there is no TLB, and nothing but\n"
           "                           faults is counted\n"
           "  --frames N               frames for pages; page tables are accounted apart\n"
           "  --ram SIZE               the same as a size in bytes\n"
           "  --policy NAME[:PARAMS]   page replacement (default: %s):\n",
           ol_policy_clock.name);
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
        printf("                             %-15s %s\n", (*policy)->name, (*policy)->summary);
    print_tlb_help();
    print_processors_help();
    printf("  --format native|lackey|pages|din|csv|oracleGeneral\n"
           "                           the form of TRACE (default: found out from its beginning; oracleGeneral by the\n"
           "                           file's name)\n"
           "  --managed                on the ideal machine: only references to memory that `onelevel run` would\n"
           "                           manage, which a recorded trace tells; pages that are unmapped leave\n"
           "  --json                   print one JSON object\n");
}

/* A whole decimal number from 1 to max that ends where `end` says; false for anything else. */
static bool parse_count(const char *text, uint32_t max, const char **end, uint32_t *out)
{
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
        if (number > max) return false;
    }
    *end = at;
    *out = (uint32_t)number;
    return at != text && number > 0;
}

static bool parse_frames(const char *text, struct arguments *arguments)
{
    const char *end;
    if (parse_count(text, OL_SIM_FRAMES_MAX, &end, &arguments->frames) && *end == '\0') return true;
    ol_error("--frames %s: expected a number from 1, the minimum, to %u", text, OL_SIM_FRAMES_MAX);
    return false;
}

static bool parse_ram(const char *text, struct arguments *arguments)
{
    uint64_t bytes;
    if (!ol_parse_size(text, &bytes)) {
        ol_error("--ram %s: expected a size such as 4096, 64M or 1.5G", text);
        return false;
    }
    arguments->ram_bytes = bytes;
    return true;
}

/* The frames that --ram asks for, and whether the machine can have so many. */
static bool settle_frames(struct arguments *arguments, bool ram)
{
    const struct ol_sim_format *const machine = arguments->machine;
    const uint32_t most = ol_sim_frames_max(machine);
    const uint64_t frames = ram ? arguments->ram_bytes >> machine->is.page_shift : arguments->frames;
    if (frames == 0) {
        ol_error("sim: --ram is too small: the minimum is %llu bytes, one frame of %s", 1ULL << machine->is.page_shift,
                 machine->is.name);
        return false;
    }
    if (frames > most) {
        ol_error("sim: %s has at most %u frames for pages, beside its page tables", machine->is.name, most);
        return false;
    }
    arguments->frames = (uint32_t)frames;
    return true;
}

static bool parse_tlb(const char *text, struct arguments *arguments)
{
    arguments->tlb_text = text;
    return ol_sim_parse_tlb(text, &arguments->tlb);
}

static bool parse_processors(const char *text, struct arguments *arguments)
{
    const char *end;
    if (parse_count(text, OL_SIM_PROCESSORS_MAX, &end, &arguments->processors) && *end == '\0') return true;
    ol_error("--processors %s: expected a number from 1 to %d", text, OL_SIM_PROCESSORS_MAX);
    return false;
}

static bool parse_numa(const char *text, struct arguments *arguments)
{
    char message[512];
    if (ol_numa_parse(text, &arguments->numa, message, sizeof message)) return true;
    ol_error("--numa %s: %s", text, message);
    return false;
}

static bool parse_cost(const char *text, struct arguments *arguments)
{
    char message[512];
    arguments->has_cost = true;
    if (ol_cost_parse(text, &arguments->cost, message, sizeof message)) return true;
    ol_error("--cost %s: %s", text, message);
    return false;
}

static bool parse_slice(const char *text, struct arguments *arguments)
{
    const char *end;
    if (parse_count(text, UINT32_MAX, &end, &arguments->slice) && *end == '\0') return true;
    ol_error("--slice %s: expected a number of references, from 1 to %u", text, UINT32_MAX);
    return false;
}

static bool parse_policy(const char *text, struct arguments *arguments)
{
    arguments->policy_text = text;
    arguments->policy = ol_policy_find(text, &arguments->policy_parameters);
    if (arguments->policy) return true;
    ol_error("there is no policy '%s'; the policies are:", text);
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
        fprintf(stderr, "  %-15s %s\n", (*policy)->name, (*policy)->summary);
    return false;
}

static bool parse_machine(const char *text, struct arguments *arguments)
{
    arguments->ideal = strcmp(text, "ideal") == 0;
    arguments->machine = arguments->ideal ? &ol_sim_amd64 : ol_sim_format_find(text);
    if (arguments->machine) return true;
    ol_error("there is no machine '%s'; the machines are:", text);
    for (const struct ol_sim_format *const *machine = ol_sim_formats; *machine; machine++)
        fprintf(stderr, "  %-11s %s\n", (*machine)->is.name, (*machine)->summary);
    fprintf(stderr, "  %-11s %s\n", "ideal", "every reference is seen, there is no TLB");
    return false;
}

/* `argument` is the one that getopt_long looked at last. */
static bool parse_option(int option, const char *argument, struct arguments *arguments)
{
    switch (option) {
    case 'm': return parse_machine(optarg, arguments);
    case 'f': return parse_frames(optarg, arguments);
    case 'r': return parse_ram(optarg, arguments);
    case 'p': return parse_policy(optarg, arguments);
    case 't': return parse_tlb(optarg, arguments);
    case 'l': arguments->large_text = optarg; return true;
    case 'P': return parse_processors(optarg, arguments);
    case 'n': return parse_numa(optarg, arguments);
    case 'c': return parse_cost(optarg, arguments);
    case 's': return parse_slice(optarg, arguments);
    case 'F': return ol_parse_trace_format(optarg, &arguments->format);
    case 'j': arguments->json = true; return true;
    case 'M': arguments->managed = true; return true;
    case 'h': arguments->help = true; return true;
    case ':': ol_error("sim: %s wants a value; `onelevel help sim` explains the options", argument); return false;
    default: ol_error("sim: there is no option %s; `onelevel help sim` lists them", argument); return false;
    }
}

/* Whether the options fit together, after all were read; `left` arguments are none. A message, if not. */
static bool settle(struct arguments *arguments, bool frames, bool ram, int left)
{
    if (frames == ram) {
        ol_error("sim: expected %s", ram ? "either --frames or --ram, not both" : "--frames N or --ram SIZE");
        return false;
    }
    if (!settle_frames(arguments, ram)) return false;
    if (arguments->ideal && arguments->large_text) {
        ol_error("sim: --large-pages is not for --machine ideal, which translates no addresses");
        return false;
    }
    if (!ol_large_pages_parse(arguments->large_text, &arguments->machine->is, &arguments->large)) return false;
    if (arguments->managed && !arguments->ideal) {
        ol_error("sim: --managed is for --machine ideal");
        return false;
    }
    if (left != 1) ol_error("sim: expected one TRACE, a file or -, after the options");
    return left == 1;
}

/* False, after a message, if the command line makes no sense. */
static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"machine", required_argument, NULL, 'm'},
        {"frames", required_argument, NULL, 'f'},
        {"ram", required_argument, NULL, 'r'},
        {"policy", required_argument, NULL, 'p'},
        {"tlb", required_argument, NULL, 't'},
        {"large-pages", required_argument, NULL, 'l'},
        {"processors", required_argument, NULL, 'P'},
        {"numa", required_argument, NULL, 'n'},
        {"cost", required_argument, NULL, 'c'},
        {"slice", required_argument, NULL, 's'},
        {"format", required_argument, NULL, 'F'},
        {"json", no_argument, NULL, 'j'},
        {"managed", no_argument, NULL, 'M'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *arguments = (struct arguments){
        .machine = &ol_sim_amd64, .policy = &ol_policy_clock, .policy_text = ol_policy_clock.name, .processors = 1};
    parse_tlb(OL_SIM_TLB_DEFAULT, arguments);
    bool frames = false, ram = false;
    int option;
    opterr = 0; /* messages are given here */
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (!parse_option(option, argv[optind - 1], arguments)) return false;
        frames = frames || option == 'f';
        ram = ram || option == 'r';
    }
    if (arguments->help) return true;
    arguments->trace = argv[optind];
    return settle(arguments, frames, ram, argc - optind);
}

/* --- the replay -------------------------------------------------------------------------------------------------- */

/* Who makes the references. */
struct turns {
    uint32_t slice;   /* 0: threads say it */
    uint32_t current; /* processor */
    uint32_t left;    /* of its slice */
};

/* Selects the processor for what follows; returns how many references of `count` it makes. */
static uint32_t take_turn(struct ol_sim *sim, struct turns *turns, unsigned thread, uint32_t count)
{
    if (sim->processor_count == 1) return count;
    uint32_t next = turns->slice > 0 ? turns->current : thread % sim->processor_count;
    if (turns->slice > 0 && turns->left == 0) {
        next = (turns->current + 1) % sim->processor_count;
        turns->left = turns->slice;
    }
    if (next != turns->current) ol_sim_select(sim, next);
    turns->current = next;
    if (turns->slice == 0) return count;
    const uint32_t taken = count < turns->left ? count : turns->left;
    turns->left -= taken;
    return taken;
}

static bool replay_batch(struct ol_sim *sim, struct turns *turns, const struct ol_reference *references, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum ol_status status = OL_OK;
        for (uint32_t made = 0; made < references[i].count && status == OL_OK;) {
            const uint32_t alike = take_turn(sim, turns, references[i].thread, references[i].count - made);
            status = ol_sim_references(sim, references[i].va, references[i].access, alike);
            made += alike;
        }
        if (status == OL_OK) continue;
        ol_error("reference %llu of the trace, to address %llx, failed: %s", (unsigned long long)ol_sim_now(sim),
                 (unsigned long long)references[i].va, ol_status_text(status));
        return false;
    }
    return true;
}

/* The same references on the ideal machine. */
static bool replay_ideal(struct ol_ideal *ideal, struct ol_numbering *numbering, unsigned page_shift,
                         const struct ol_reference *references, size_t count)
{
    struct ol_batch batch;
    if (ol_numbering_add(numbering, references, count, page_shift, &batch) && ol_ideal_run(ideal, &batch) == OL_OK)
        return true;
    ol_error("no memory for the ideal machine beside");
    return false;
}

static bool replay(struct ol_trace *trace, struct ol_sim *sim, uint32_t slice, struct ol_ideal *ideal,
                   struct ol_numbering *numbering)
{
    static struct ol_reference references[BATCH];
    struct turns turns = {.slice = slice, .left = slice};
    bool empty = true;
    for (;;) {
        size_t count;
        const enum ol_trace_status status = ol_trace_read(trace, references, BATCH, &count);
        if (!replay_batch(sim, &turns, references, count)) return false;
        if (ideal && !replay_ideal(ideal, numbering, sim->memory.page_shift, references, count)) return false;
        if (status != OL_TRACE_OK) {
            ol_error("%s", ol_trace_message(trace));
            return false;
        }
        if (count == 0) break;
        empty = false;
    }
    if (empty) ol_error("the trace holds no references; with valgrind, was --trace-mem=yes given?");
    return !empty;
}

bool ol_sim_replay(struct ol_trace *trace, struct ol_sim *sim, uint32_t slice, struct ol_ideal *ideal)
{
    struct ol_numbering *const numbering = ideal ? ol_numbering_create() : NULL;
    if (ideal && !numbering) {
        ol_error("no memory for the ideal machine beside");
        return false;
    }
    const bool good = replay(trace, sim, slice, ideal, numbering);
    if (numbering) ol_numbering_destroy(numbering);
    return good;
}

static bool simulate(const struct arguments *arguments, struct ol_trace *trace)
{
    const struct ol_sim_setup_options options = {.machine = arguments->machine,
                                                 .frames = arguments->frames,
                                                 .tlb = &arguments->tlb,
                                                 .tlb_text = arguments->tlb_text,
                                                 .large = arguments->large,
                                                 .processors = arguments->processors,
                                                 .numa = arguments->numa,
                                                 .policy = arguments->policy,
                                                 .policy_parameters = arguments->policy_parameters,
                                                 .policy_text = arguments->policy_text};
    struct ol_sim_setup setup;
    const struct ol_policy_choice choice = {arguments->policy, arguments->policy_parameters, arguments->policy_text};
    struct ol_ideal *const ideal = ol_ideal_make(&choice, arguments->frames);
    if (!ideal) return false;
    const struct ol_sim_account account = {.setup = &setup,
                                           .options = &options,
                                           .cost = arguments->has_cost ? &arguments->cost : NULL,
                                           .ideal = ideal,
                                           .json = arguments->json};
    const bool good = ol_sim_set_up(&options, &setup) && ol_sim_replay(trace, setup.sim, arguments->slice, ideal) &&
                      ol_print_sim_account(&account);
    ol_sim_tear_down(&setup);
    ol_ideal_destroy(ideal);
    return good;
}

int ol_cmd_sim(int argc, char **argv)
{
    struct arguments arguments;
    if (!parse_arguments(argc, argv, &arguments)) return OL_EXIT_USAGE;
    if (arguments.help) {
        print_help();
        return OL_EXIT_OK;
    }
    if (arguments.ideal) {
        const struct ol_sim_ideal ideal = {.policy = arguments.policy,
                                           .policy_parameters = arguments.policy_parameters,
                                           .policy_text = arguments.policy_text,
                                           .trace = arguments.trace,
                                           .format = arguments.format,
                                           .page_shift = arguments.machine->is.page_shift,
                                           .frames = arguments.frames,
                                           .managed = arguments.managed,
                                           .json = arguments.json};
        return ol_sim_ideal(&ideal) ? OL_EXIT_OK : OL_EXIT_FAILURE;
    }
    const struct ol_trace_options options = {.format = arguments.format,
                                             .page_shift = arguments.machine->is.page_shift,
                                             .last_va = arguments.machine->is.last_va};
    struct ol_trace *trace;
    char message[512];
    if (ol_trace_open(arguments.trace, &options, &trace, message, sizeof message) != OL_TRACE_OK) {
        ol_error("%s", message);
        return OL_EXIT_FAILURE;
    }
    const bool good = simulate(&arguments, trace);
    ol_trace_close(trace);
    return good ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
