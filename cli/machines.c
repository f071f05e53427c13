/* SPDX-License-Identifier: MIT */
/* onelevel machines: lists the simulated machines and draws their geometry. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/geometry.h"
#include "cli/segmented.h"
#include "machine/sim/machine.h"

static void print_help(void)
{
    puts("usage: onelevel machines [--json] [NAME...]\n"
         "\n"
         "Lists the simulated machines, or those named: how an address selects an entry at each level of\n"
         "the tables, the size of pages and tables, and what the hardware notes and can refuse. The names\n"
         "are those for `onelevel sim --machine` and `onelevel explain --machine`; the machine of segments\n"
         "is for `onelevel explain` and `onelevel script`.");
}

static uint64_t table_bytes(const struct ol_sim_level *level)
{
    return (uint64_t)level->entry_bytes << level->index_bits;
}

static void print_text(const struct ol_sim_format *format)
{
    const struct ol_capabilities *const is = &format->is;
    char page[OL_SIZE_TEXT_BYTES], memory[OL_SIZE_TEXT_BYTES];
    printf("%-11s %s\n", is->name, format->summary);
    ol_draw_address(stdout, 12, format, NULL);
    printf("%-11s pages of %s", "", ol_format_size(1ULL << is->page_shift, page));
    for (unsigned i = 0; i < OL_LARGE_SIZES_MAX && is->large_shifts[i]; i++)
        printf(", %s", ol_format_size(1ULL << is->large_shifts[i], page));
    printf("; user addresses %" PRIx64 " to %" PRIx64 "; at most %s of memory\n", is->first_va, is->last_va,
           ol_format_size((uint64_t)format->frames_max << is->page_shift, memory));
    printf("%-11s %s", "", format->hidden_tables ? "no tables that the hardware looks at" : "tables, from the top:");
    for (unsigned level = format->hidden_tables ? 0 : format->levels; level-- > 0;) {
        const struct ol_sim_level *const at = &format->level[level];
        printf("%s %u x %u bytes", level + 1U == format->levels ? "" : ",", 1U << at->index_bits, at->entry_bytes);
    }
    printf("\n%-11s referenced bit: %s; modified bit: %s; write protection: %s; execute right: %s; a frame mapped\n"
           "%-11s twice: %s\n\n",
           "", is->has_referenced ? "yes" : "no (emulated)",
           format->hidden_tables ? "no (always taken for set)"
           : is->has_modified    ? "yes"
                                 : "no (emulated)",
           is->no_write_protection ? "no" : "yes", is->has_execute ? "yes" : "no", "", is->can_alias ? "yes" : "no");
}

static json_t *as_json(const struct ol_sim_format *format)
{
    const struct ol_capabilities *const is = &format->is;
    json_t *const levels = json_array(), *const large = json_array();
    for (unsigned i = 0; large && i < OL_LARGE_SIZES_MAX && is->large_shifts[i]; i++)
        if (json_array_append_new(large, json_integer((json_int_t)1 << is->large_shifts[i])) != 0) return NULL;
    for (unsigned level = format->levels; levels && level-- > 0;) {
        const struct ol_sim_level *const at = &format->level[level];
        json_t *const one = json_pack("{s:s, s:s, s:i, s:i, s:i, s:I}", "entry", at->name, "index", at->index_name,
                                      "shift", at->shift, "index_bits", at->index_bits, "entry_bytes", at->entry_bytes,
                                      "table_bytes", (json_int_t)table_bytes(at));
        if (json_array_append_new(levels, one) != 0) return NULL;
    }
    return json_pack("{s:s, s:s, s:i, s:o, s:I, s:I, s:I, s:o, s:b, s:b, s:b, s:b}", "name", is->name, "summary",
                     format->summary, "page_bytes", 1 << is->page_shift, "large_page_bytes", large, "first_address",
                     (json_int_t)is->first_va, "last_address", (json_int_t)is->last_va, "frames_max",
                     (json_int_t)ol_sim_frames_max(format), "levels", levels, "referenced", is->has_referenced,
                     "modified", is->has_modified, "execute", is->has_execute, "alias", is->can_alias);
}

/* All machines, or those named. */
static bool print_all(bool json, char **names, int count)
{
    json_t *const list = json ? json_array() : NULL;
    bool good = !json || list;
    for (const struct ol_sim_format *const *format = ol_sim_formats; good && *format; format++) {
        bool wanted = count == 0;
        for (int i = 0; i < count; i++) wanted = wanted || strcmp(names[i], (*format)->is.name) == 0;
        if (wanted && json) good = json_array_append_new(list, as_json(*format)) == 0;
        if (wanted && !json) print_text(*format);
    }
    bool segmented = count == 0;
    for (int i = 0; i < count; i++) segmented = segmented || strcmp(names[i], OL_SEGMENTED_NAME) == 0;
    if (good && segmented && json) good = json_array_append_new(list, ol_segmented_json()) == 0;
    if (segmented && !json) ol_segmented_print(stdout);
    if (json) {
        good = good && json_dumpf(list, stdout, JSON_INDENT(2)) == 0;
        json_decref(list);
        putchar('\n');
    }
    return good;
}

int ol_cmd_machines(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    int option;
    opterr = 0; /* messages are given here */
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            print_help();
            return OL_EXIT_OK;
        }
        if (option != 'j') {
            ol_error("machines: there is no option %s; there is --json", argv[optind - 1]);
            return OL_EXIT_USAGE;
        }
        json = true;
    }
    for (int i = optind; i < argc; i++) {
        if (ol_sim_format_find(argv[i]) || strcmp(argv[i], OL_SEGMENTED_NAME) == 0) continue;
        ol_error("there is no machine '%s'; `onelevel machines` lists them", argv[i]);
        return OL_EXIT_USAGE;
    }
    const bool good = print_all(json, argv + optind, argc - optind);
    if (fflush(stdout) == 0 && good) return OL_EXIT_OK;
    ol_error("the list cannot be written: %s", strerror(errno));
    return OL_EXIT_FAILURE;
}
