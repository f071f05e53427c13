/* SPDX-License-Identifier: MIT */
/*
 * onelevel trace: says what a trace holds, and writes it in another form.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/trace_write.h"
#include "trace/reader.h"

enum { BATCH = 4096, PAGE_SHIFT = 12 };

static struct ol_trace_options reading = {.page_shift = PAGE_SHIFT, .last_va = 0x7fffffffffff, .events = true};

static void usage(FILE *to)
{
    fputs("usage: onelevel trace info [--json] TRACE\n"
          "       onelevel trace convert [--to FORMAT] [--from N] [--count N] -o FILE TRACE\n"
          "       onelevel trace cut --from N --count N -o FILE TRACE\n"
          "       onelevel trace merge [--to FORMAT] -o FILE TRACE...\n"
          "\n"
          "info tells what a trace holds. convert writes it in another form, cut a part of it (references\n"
          "are numbered from 0) in the native form, and merge one trace after the other. cut goes to a place of\n"
          "a native file by its index; what is told before it (mappings) is not in the part, but convert --from\n"
          "keeps it.\n"
          "\n"
          "  --to FORMAT    ",
          to);
    for (const struct ol_trace_writer_ops *const *one = ol_trace_writers; *one; one++)
        fprintf(to, "%s%-13s %s\n", one == ol_trace_writers ? "" : "                 ", (*one)->name, (*one)->summary);
    fputs("  -o FILE        - is standard output\n"
          "\n"
          "TRACE is of any form that `onelevel sim` reads; - is standard input.\n",
          to);
}

/* --- walking ------------------------------------------------------------------------------------------------------ */

/* What is done with each batch; false stops, after a message. */
typedef bool batch_function(void *context, const struct ol_reference *references, size_t count);

/* A part of a trace, in references. */
struct part {
    uint64_t skip, left;
    bool seek; /* what comes before is not wanted, events included */
};

/* Reads a trace to its end, or until the part, if it is not NULL, has none left; part->skip is lowered by what needed
 * no reading. *shift gets that of its pages. False after a message. */
static bool walk(const char *path, batch_function *function, void *context, struct part *part, unsigned *shift)
{
    static struct ol_reference references[BATCH];
    struct ol_trace *trace;
    char message[512];
    if (ol_trace_open(path, &reading, &trace, message, sizeof message) != OL_TRACE_OK) {
        ol_error("%s", message);
        return false;
    }
    uint64_t before = 0;
    bool good = !part || !part->seek || ol_trace_seek(trace, part->skip, &before) == OL_TRACE_OK;
    if (!good) ol_error("%s", ol_trace_message(trace));
    if (part) part->skip -= before;
    while (good && (!part || part->left > 0)) {
        size_t count;
        const enum ol_trace_status status = ol_trace_read(trace, references, BATCH, &count);
        if (shift) *shift = ol_trace_shift(trace);
        good = function(context, references, count);
        if (status != OL_TRACE_OK) {
            ol_error("%s", ol_trace_message(trace));
            good = false;
        }
        if (!good || count == 0) break;
    }
    ol_trace_close(trace);
    return good;
}

/* --- info --------------------------------------------------------------------------------------------------------- */

enum { SET_SLOTS = 1 << 12 };

struct info {
    uint64_t references, runs, reads, writes, fetches, events, maps, unmaps;
    unsigned threads;
    uint64_t *set; /* of pages + 1; 0: free */
    size_t room, pages;
};

static size_t slot_of(const uint64_t *set, size_t room, uint64_t page)
{
    size_t at = (page * 0x9e3779b97f4a7c15U >> 17) & (room - 1);
    while (set[at] != 0 && set[at] != page + 1) at = (at + 1) & (room - 1);
    return at;
}

static bool grow_set(struct info *info)
{
    const size_t room = info->room ? 2 * info->room : SET_SLOTS;
    uint64_t *const set = calloc(room, sizeof *set);
    if (!set) {
        ol_error("trace: no memory to count %zu pages", info->pages);
        return false;
    }
    for (size_t i = 0; i < info->room; i++)
        if (info->set[i] != 0) set[slot_of(set, room, info->set[i] - 1)] = info->set[i];
    free(info->set);
    info->set = set;
    info->room = room;
    return true;
}

static bool count_batch(void *context, const struct ol_reference *references, size_t count)
{
    struct info *const info = context;
    for (size_t i = 0; i < count; i++) {
        const struct ol_reference *const one = &references[i];
        if (one->thread >= info->threads) info->threads = one->thread + 1U;
        if (one->event != OL_TRACE_REFERENCE) {
            info->events++;
            info->maps += one->event == OL_TRACE_MAP;
            info->unmaps += one->event == OL_TRACE_UNMAP;
            continue;
        }
        info->runs++;
        info->references += one->count;
        *(one->access == OL_READ    ? &info->reads
          : one->access == OL_WRITE ? &info->writes
                                    : &info->fetches) += one->count;
        if (2 * info->pages >= info->room && !grow_set(info)) return false;
        const size_t at = slot_of(info->set, info->room, one->va >> PAGE_SHIFT);
        info->pages += info->set[at] == 0;
        info->set[at] = (one->va >> PAGE_SHIFT) + 1;
    }
    return true;
}

static bool print_info(const struct info *info, unsigned shift, bool json)
{
    const struct {
        const char *key, *label;
        uint64_t value;
    } figures[] = {
        {"granule_bytes", "bytes it tells apart", UINT64_C(1) << shift},
        {"references", "references", info->references},
        {"reads", "  reads", info->reads},
        {"writes", "  writes", info->writes},
        {"instruction_fetches", "  instruction fetches", info->fetches},
        {"runs", "runs of alike references", info->runs},
        {"distinct_pages", "distinct pages of 4 KiB", info->pages},
        {"threads", "threads", info->threads},
        {"events", "events", info->events},
        {"maps", "  mmap", info->maps},
        {"unmaps", "  munmap", info->unmaps},
    };
    json_t *const object = json ? json_object() : NULL;
    bool good = !json || object;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (!json) printf("%-28s %16" PRIu64 "\n", figures[i].label, figures[i].value);
        else
            good = good && json_object_set_new(object, figures[i].key, json_integer((json_int_t)figures[i].value)) == 0;
    }
    if (json) good = good && json_dumpf(object, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    json_decref(object);
    if (fflush(stdout) == 0 && good) return true;
    ol_error("standard output: cannot be written: %s", strerror(errno));
    return false;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct conversion {
    const struct ol_trace_writer_ops *to;
    void *writer;
    struct part part;
};

static bool convert_batch(void *context, const struct ol_reference *references, size_t count)
{
    struct conversion *const conversion = context;
    struct part *const part = &conversion->part;
    for (size_t i = 0; i < count && part->left > 0; i++) {
        struct ol_reference one = references[i];
        if (one.event == OL_TRACE_REFERENCE) {
            const uint32_t skipped = one.count < part->skip ? one.count : (uint32_t)part->skip;
            part->skip -= skipped;
            one.count -= skipped;
            if (one.count > part->left) one.count = (uint32_t)part->left;
            part->left -= one.count;
            if (one.count == 0) continue;
        }
        conversion->to->append(conversion->writer, &one);
    }
    return true;
}

struct arguments {
    const struct ol_trace_writer_ops *to;
    const char *output;
    uint64_t from, count;
    bool json, help, part, seek;
    char **traces;
    int trace_count;
};

/* The precision with which a native trace is to be written: that of the coarsest input. False after a message. */
static bool shift_of(const struct arguments *arguments, unsigned *shift)
{
    *shift = 0;
    for (int i = 0; i < arguments->trace_count; i++) {
        struct ol_trace *trace;
        char message[512];
        struct ol_reference first[OL_TRACE_LINE_REFERENCES];
        size_t count;
        if (strcmp(arguments->traces[i], "-") == 0) {
            *shift = PAGE_SHIFT; /* it can be read but once */
            continue;
        }
        if (ol_trace_open(arguments->traces[i], &reading, &trace, message, sizeof message) != OL_TRACE_OK) {
            ol_error("%s", message);
            return false;
        }
        (void)ol_trace_read(trace, first, OL_TRACE_LINE_REFERENCES, &count); /* errors come again */
        if (ol_trace_shift(trace) > *shift) *shift = ol_trace_shift(trace);
        ol_trace_close(trace);
    }
    return true;
}

static int convert(const struct arguments *arguments)
{
    struct conversion conversion = {.to = arguments->to, .part = {arguments->from, arguments->count, arguments->seek}};
    unsigned shift;
    if (!shift_of(arguments, &shift)) return OL_EXIT_FAILURE;
    conversion.writer = conversion.to->create(arguments->output, shift);
    bool good = conversion.writer != NULL;
    for (int i = 0; i < arguments->trace_count && good; i++)
        good = walk(arguments->traces[i], convert_batch, &conversion, &conversion.part, NULL);
    if (!conversion.writer || !conversion.to->finish(conversion.writer)) {
        ol_error("%s: cannot be written: %s", arguments->output, strerror(errno));
        return OL_EXIT_FAILURE;
    }
    return good ? OL_EXIT_OK : OL_EXIT_FAILURE;
}

static int info(const struct arguments *arguments)
{
    struct info info = {0};
    unsigned shift = 0;
    const bool good =
        walk(arguments->traces[0], count_batch, &info, NULL, &shift) && print_info(&info, shift, arguments->json);
    free(info.set);
    return good ? OL_EXIT_OK : OL_EXIT_FAILURE;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool take_number(const char *option, const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *text != '-') return true;
    ol_error("%s %s: expected a number", option, text);
    return false;
}

static bool take_format(const char *text, struct arguments *arguments)
{
    for (const struct ol_trace_writer_ops *const *one = ol_trace_writers; *one; one++) {
        if (strcmp(text, (*one)->name) == 0) {
            arguments->to = *one;
            return true;
        }
    }
    ol_error("--to %s: there is no such format; `onelevel help trace` lists them", text);
    return false;
}

static bool take_input_format(const char *text)
{
    reading.format = ol_trace_format_find(text);
    if (reading.format != OL_TRACE_DETECT) return true;
    ol_error("--format %s: expected native, lackey, pages, din, csv or oracleGeneral", text);
    return false;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"to", required_argument, NULL, 't'},     {"format", required_argument, NULL, 'i'},
        {"output", required_argument, NULL, 'o'}, {"from", required_argument, NULL, 'f'},
        {"count", required_argument, NULL, 'c'},  {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    *arguments = (struct arguments){.to = ol_trace_writers[0], .count = UINT64_MAX};
    int option;
    bool good = true;
    optind = 1;
    while (good && (option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        switch (option) {
        case 't': good = take_format(optarg, arguments); break;
        case 'i': good = take_input_format(optarg); break;
        case 'o': arguments->output = optarg; break;
        case 'f': good = take_number("--from", optarg, &arguments->from); break;
        case 'c': good = arguments->part = take_number("--count", optarg, &arguments->count); break;
        case 'j': arguments->json = true; break;
        case 'h': arguments->help = true; break;
        default: return false;
        }
    }
    arguments->traces = argv + optind;
    arguments->trace_count = argc - optind;
    return good;
}

int ol_cmd_trace(int argc, char **argv)
{
    struct arguments arguments;
    const char *const verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        usage(stdout);
        return OL_EXIT_OK;
    }
    const bool is_info = strcmp(verb, "info") == 0, is_cut = strcmp(verb, "cut") == 0;
    const bool is_merge = strcmp(verb, "merge") == 0;
    if (!is_info && !is_cut && !is_merge && strcmp(verb, "convert") != 0) {
        ol_error("trace: expected info, convert, cut or merge; `onelevel help trace` explains them");
        return OL_EXIT_USAGE;
    }
    if (!parse(argc - 1, argv + 1, &arguments)) return OL_EXIT_USAGE;
    if (arguments.help) {
        usage(stdout);
        return OL_EXIT_OK;
    }
    if (arguments.trace_count < 1 || (arguments.trace_count > 1 && !is_merge)) {
        ol_error("trace %s: expected %s after the options", verb, is_merge ? "traces" : "one TRACE, a file or -,");
        return OL_EXIT_USAGE;
    }
    if (!is_info && !arguments.output) {
        ol_error("trace %s: where to? Give -o FILE", verb);
        return OL_EXIT_USAGE;
    }
    if (is_cut && !arguments.part) {
        ol_error("trace cut: how much? Give --count N");
        return OL_EXIT_USAGE;
    }
    arguments.seek = is_cut;
    return is_info ? info(&arguments) : convert(&arguments);
}
