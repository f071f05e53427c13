/* SPDX-License-Identifier: MIT */
/*
 * onelevel explain: accesses on a simulated machine, each step by step: the fields of the address, the TLB, every table
 * word with its bits, the fault, what the core did about it, and what the processor set.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/geometry.h"
#include "cli/segmented.h"
#include "cli/sim_setup.h"
#include "machine/sim/segments.h"

enum { FRAMES = 4, FRAMES_MOST = 1 << 20, INDENT = 3 };

#define TLB_DEFAULT "16:4"

struct step {
    ol_va va;
    unsigned access;
};

/* A machine under explanation. */
struct scene {
    struct ol_sim_setup setup;
    const struct ol_sim_setup_options *options;
    ol_va *owner; /* of each frame: the page that had it last */
};

static void print_help(void)
{
    printf("usage: onelevel explain [--machine NAME] [--frames N] [--policy NAME[:PARAMS]]\n"
           "                        [--tlb SPEC] [--large-pages WHEN] ACCESS...\n"
           "\n"
           "Carries out accesses on a simulated machine, one after the other, and shows each step by step.\n"
           "ACCESS is a hexadecimal address, to be read; w:ADDRESS is written, x:ADDRESS is executed.\n"
           "\n"
           "  --machine NAME           the machine (default: %s); `onelevel machines` lists them\n"
           "  --frames N               frames for pages (default: %d), so that pages are evicted soon\n"
           "  --large-pages promote|eager[:SIZE]\n"
           "                           use large pages, as onelevel sim does\n"
           "  --policy NAME[:PARAMS]   page replacement (default: %s); `onelevel policies` lists them\n"
           "  --tlb SPEC               the TLBs (default: %s); `onelevel help sim` explains SPEC\n"
           "  --memory SIZE            of machine 80286, for segments; there, ACCESS is SELECTOR:OFFSET, to be read,\n"
           "                           w:… written, p:… pushed on a stack, x:… executed. Selectors are listed first\n"
           "\n"
           "Two pages in one frame, on a VAX:\n"
           "  onelevel explain --machine vax --frames 1 w:1000 x:2000 1000\n",
           ol_sim_amd64.is.name, FRAMES, ol_policy_clock.name, TLB_DEFAULT);
}

static const char *access_text(unsigned access)
{
    return access == OL_WRITE ? "write" : access == OL_EXEC ? "execute" : "read";
}

/* --- one access -------------------------------------------------------------------------------------------------- */

/* True if the TLB alone serves the access. */
static bool explain_tlb(const struct scene *scene, const struct step *step)
{
    struct ol_sim *const sim = scene->setup.sim;
    const uint64_t page = step->va >> sim->memory.page_shift;
    struct ol_tlb_view entry = {0};
    const bool found =
        step->va <= sim->format->is.last_va && ol_tlbs_peek(&sim->processor->tlbs, step->va, step->access, &entry);
    printf("%*sTLB    ", INDENT, "");
    if (!found) printf("no entry for page %" PRIx64 "\n", page);
    else if (entry.rights & step->access)
        printf("page %" PRIx64 " is in frame %" PRIu32 "%s\n", page, entry.frame,
               sim->processor->tlbs.levels > 1 ? entry.level == 1 ? " (level 1)" : " (a lower level)" : "");
    else
        printf("page %" PRIx64 " is there, but %s\n", page,
               step->access == OL_WRITE ? "a first write must walk, to be noted in the tables" : "not for this access");
    return entry.rights & step->access;
}

static void print_step(const struct ol_sim_format *format, unsigned number, const struct ol_walk_step *step)
{
    printf("%*s%-6s ", INDENT, "", number == 0 ? "walk" : "");
    if (number >= format->levels) {
        printf("storage key at %" PRIx64 ": %02" PRIx64 "\n", step->address, step->entry);
        return;
    }
    const struct ol_sim_level *const level = &format->level[format->levels - 1 - number];
    printf("%s at %" PRIx64 ": %0*" PRIx64 "  ", level->name, step->address, level->entry_bytes * 2, step->entry);
    ol_print_entry(stdout, level, step->entry);
    putchar('\n');
}

static void explain_walk(const struct scene *scene, const struct step *step, struct ol_walk *walk)
{
    const struct ol_sim *const sim = scene->setup.sim;
    sim->format->walk(&sim->memory.words, &sim->processor->control, step->va, step->access, walk);
    for (unsigned i = 0; i < walk->words_read; i++) print_step(sim->format, i, &walk->steps[i]);
    printf("%*s%-6s ", INDENT, "", walk->words_read == 0 ? "walk" : "");
    if (walk->outcome == OL_WALK_OK) {
        printf("physical address %" PRIx64 ", in frame %" PRIu64 "\n", walk->physical,
               walk->physical >> sim->memory.page_shift);
        for (unsigned i = 0; i < walk->update_count; i++)
            printf("%*s%-6s word at %" PRIx64 ": %016" PRIx64 " becomes %016" PRIx64 "\n", INDENT, "", i ? "" : "sets",
                   walk->updates[i].address, ol_sim_memory_word(&sim->memory, walk->updates[i].address),
                   walk->updates[i].value);
        return;
    }
    fputs(sim->format->fault_text(walk), stdout);
    if (walk->outcome == OL_WALK_PAGE_FAULT) printf(" (code %" PRIx32 ")", walk->error_code);
    putchar('\n');
}

/* What the core did, from what it counted. */
static void print_resolution(const struct ol_statistics *before, const struct ol_statistics *after)
{
    const char *const origin = after->faults_major > before->faults_major       ? "read back from the drum"
                               : after->faults_zero > before->faults_zero       ? "new: a page of zeros"
                               : after->faults_rescued > before->faults_rescued ? "still in memory: rescued"
                                                                                : "in memory: mapped again";
    const bool large = after->promotions > before->promotions;
    printf("%*score   the page is %s%s\n", INDENT, "", origin, large ? "; one entry maps it and its neighbours" : "");
}

/* Lets the core resolve the fault. */
static enum ol_status explain_fault(const struct scene *scene, const struct step *step)
{
    const struct ol_sim_setup *const setup = &scene->setup;
    const uint8_t shift = setup->sim->memory.page_shift;
    struct ol_statistics before, after;
    struct ol_mapping mapping;
    ol_system_statistics(setup->system, &before);
    const enum ol_status status = ol_fault(setup->space, step->va, step->access);
    ol_system_statistics(setup->system, &after);
    if (status != OL_OK) {
        printf("%*score   refuses: %s\n", INDENT, "", ol_status_text(status));
        return status;
    }
    print_resolution(&before, &after);
    const ol_va page = step->va >> shift << shift;
    if (!ol_sim_pmap_ops.query(setup->sim, ol_space_pmap(setup->space), page, &mapping)) return OL_OK;
    const ol_va before_it = scene->owner[mapping.frame];
    if (after.evictions > before.evictions)
        printf("%*s       page %" PRIx64 " lost frame %" PRIu32 " to it%s, by %s: %s\n", INDENT, "", before_it >> shift,
               mapping.frame, after.writebacks > before.writebacks ? " and was written to the drum" : "",
               scene->options->policy->name, scene->options->policy->summary);
    /* With the others of a large one, if it is in one. */
    const ol_va offset = page & ((1ULL << mapping.shift) - 1);
    for (ol_va at = 0; at < 1ULL << mapping.shift; at += 1ULL << shift)
        scene->owner[mapping.frame - (offset >> shift) + (at >> shift)] = page - offset + at;
    return OL_OK;
}

static void explain(struct scene *scene, unsigned number, const struct step *step)
{
    struct ol_sim *const sim = scene->setup.sim;
    struct ol_walk walk;
    printf("%u. %s %" PRIx64 "\n", number, access_text(step->access), step->va);
    ol_draw_address(stdout, INDENT, sim->format, &step->va);
    if (!explain_tlb(scene, step)) {
        explain_walk(scene, step, &walk);
        while (walk.outcome == OL_WALK_PAGE_FAULT) {
            if (explain_fault(scene, step) != OL_OK) break;
            explain_walk(scene, step, &walk);
        }
        if (walk.outcome == OL_WALK_OK) printf("%*sTLB    notes the page\n", INDENT, "");
    }
    (void)ol_sim_access(sim, scene->setup.space, step->va, step->access); /* what it comes to was just shown */
    putchar('\n');
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static bool parse_step(const char *text, struct step *step)
{
    const char *digits = text;
    step->access = OL_READ;
    if (text[0] != '\0' && text[1] == ':') {
        step->access = text[0] == 'w' ? OL_WRITE : text[0] == 'x' ? OL_EXEC : text[0] == 'r' ? OL_READ : OL_NONE;
        digits += 2;
    }
    char *end;
    errno = 0;
    step->va = strtoull(digits, &end, 16);
    const size_t length = strlen(digits);
    if (step->access != OL_NONE && length > 0 && errno == 0 && strspn(digits, "0123456789abcdefABCDEF") == length)
        return true;
    ol_error("explain: %s: expected a hexadecimal address, with r:, w: or x: before it if you like", text);
    return false;
}

static bool parse_frames(const char *text, uint32_t *frames)
{
    char *end;
    const unsigned long long number = strtoull(text, &end, 10);
    *frames = (uint32_t)number;
    if (*text >= '0' && *text <= '9' && *end == '\0' && number >= 1 && number <= FRAMES_MOST) return true;
    ol_error("--frames %s: expected a number from 1 to %d", text, FRAMES_MOST);
    return false;
}

static bool parse_memory(const char *text, uint32_t *bytes)
{
    uint64_t size;
    if (ol_parse_size(text, &size) && size >= 1 && size <= OL_SEGMENTS_BYTES_MAX) {
        *bytes = (uint32_t)size;
        return true;
    }
    ol_error("--memory %s: expected a size from 1 to %d", text, OL_SEGMENTS_BYTES_MAX);
    return false;
}

static bool parse_option(int option, const char *argument, struct ol_sim_setup_options *options, uint32_t *memory_bytes)
{
    switch (option) {
    case 'm':
        options->machine = NULL; /* the one of segments */
        if (strcmp(optarg, OL_SEGMENTED_NAME) == 0) return true;
        options->machine = ol_sim_format_find(optarg);
        if (!options->machine) ol_error("there is no machine '%s'; `onelevel machines` lists them", optarg);
        return options->machine;
    case 't': options->tlb_text = optarg; return true;
    case 'l': options->large_text = optarg; return true;
    case 's': return parse_memory(optarg, memory_bytes);
    case 'f': return parse_frames(optarg, &options->frames);
    case 'p':
        options->policy_text = optarg;
        options->policy = ol_policy_find(optarg, &options->policy_parameters);
        if (!options->policy) ol_error("there is no policy '%s'; `onelevel policies` lists them", optarg);
        return options->policy;
    case ':':
        ol_error("explain: %s wants a value; `onelevel help explain` explains the options", argument);
        return false;
    default: ol_error("explain: there is no option %s; `onelevel help explain` lists them", argument); return false;
    }
}

static bool run(const struct ol_sim_setup_options *options, char **accesses, int count)
{
    struct scene scene = {.options = options};
    bool good = ol_sim_set_up(options, &scene.setup);
    scene.owner = calloc(options->frames, sizeof *scene.owner);
    if (good && !scene.owner) {
        ol_error("no memory for %u frames", options->frames);
        good = false;
    }
    if (good)
        printf("machine %s, %u %s, TLB %s, policy %s\n\n", options->machine->is.name, options->frames,
               options->frames == 1 ? "frame" : "frames", options->tlb_text, options->policy_text);
    for (int i = 0; good && i < count; i++) {
        struct step step;
        good = parse_step(accesses[i], &step);
        if (good) explain(&scene, (unsigned)i + 1, &step);
    }
    free(scene.owner);
    ol_sim_tear_down(&scene.setup);
    if (fflush(stdout) == 0) return good;
    ol_error("the explanation cannot be written: %s", strerror(errno));
    return false;
}

/* Does the machine have what is asked of it, and are all accesses understood? A message, if not. */
static bool check(struct ol_sim_setup_options *options, char **accesses, int count)
{
    struct step step;
    const uint32_t most = ol_sim_frames_max(options->machine);
    if (options->frames > most) {
        ol_error("--frames %u: %s has at most %u frames for pages", options->frames, options->machine->is.name, most);
        return false;
    }
    if (!ol_large_pages_parse(options->large_text, &options->machine->is, &options->large)) return false;
    for (int i = 0; i < count; i++)
        if (!parse_step(accesses[i], &step)) return false;
    return true;
}

int ol_cmd_explain(int argc, char **argv)
{
    static const struct option known[] = {{"machine", required_argument, NULL, 'm'},
                                          {"frames", required_argument, NULL, 'f'},
                                          {"large-pages", required_argument, NULL, 'l'},
                                          {"memory", required_argument, NULL, 's'},
                                          {"policy", required_argument, NULL, 'p'},
                                          {"tlb", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct ol_tlb_spec tlb;
    struct ol_sim_setup_options options = {.machine = &ol_sim_amd64,
                                           .frames = FRAMES,
                                           .tlb = &tlb,
                                           .tlb_text = TLB_DEFAULT,
                                           .processors = 1,
                                           .policy = &ol_policy_clock,
                                           .policy_text = ol_policy_clock.name};
    uint32_t memory_bytes = 0;
    int option;
    opterr = 0; /* messages are given here */
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (option == 'h') {
            print_help();
            return OL_EXIT_OK;
        }
        if (!parse_option(option, argv[optind - 1], &options, &memory_bytes)) return OL_EXIT_USAGE;
    }
    if (!ol_sim_parse_tlb(options.tlb_text, &tlb)) return OL_EXIT_USAGE;
    if (optind == argc) {
        ol_error("explain: expected at least one ACCESS; `onelevel help explain` shows some");
        return OL_EXIT_USAGE;
    }
    if (!options.machine) return ol_segmented_explain(memory_bytes, argv + optind, argc - optind);
    if (!check(&options, argv + optind, argc - optind)) return OL_EXIT_USAGE;
    return run(&options, argv + optind, argc - optind) ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
