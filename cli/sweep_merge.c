/* SPDX-License-Identifier: MIT */
/* onelevel sweep merge: results files of the shards of a sweep become one, or a table. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/sweep.h"
#include "cli/sweep_journal.h"

struct merge {
    const char *output; /* NULL: a table on standard output */
    enum ol_table_form form;
    bool partial, help;
    char **files;
    int count;
};

static void print_help(void)
{
    puts("usage: onelevel sweep merge [OPTION...] FILE...\n"
         "\n"
         "Puts results of `onelevel sweep` together: those of all shards, or of one. They must be of the same\n"
         "sweep of the same trace. Rows are printed in the order of the sweep.\n"
         "\n"
         "  -o FILE                  write one results file, as if there had been no shards\n"
         "  --partial                go on if rows are missing\n"
         "  --csv, --text, --json    what is printed without -o: a line of keys and one for each row\n"
         "                           (default); for people; one JSON object");
}

static bool parse(int argc, char **argv, struct merge *merge)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"partial", no_argument, NULL, 'p'},
                                            OL_TABLE_OPTIONS,
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    *merge = (struct merge){0};
    opterr = 0; /* messages are given here */
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;) {
        switch (option) {
        case 'o': merge->output = optarg; break;
        case 'p': merge->partial = true; break;
        case 'C': merge->form = OL_TABLE_CSV; break;
        case 't': merge->form = OL_TABLE_TEXT; break;
        case 'j': merge->form = OL_TABLE_JSON; break;
        case 'h': merge->help = true; return true;
        case ':': ol_error("sweep merge: %s wants a value", argv[optind - 1]); return false;
        default: ol_error("sweep merge: there is no option %s; try --help", argv[optind - 1]); return false;
        }
    }
    merge->files = argv + optind;
    merge->count = argc - optind;
    if (merge->count < 1) ol_error("sweep merge: expected results files after the options");
    return merge->count >= 1;
}

/* What files of one sweep agree on. NULL without memory. */
static json_t *common_header(const json_t *header)
{
    json_t *const common = json_deep_copy(header);
    if (!common) return NULL;
    (void)json_object_del(common, "shard");
    (void)json_object_del(common, "trace");
    return common;
}

/* Says what it is that two headers differ in. */
static void tell_difference(const char *first, const char *second, json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    json_object_foreach(a, key, value)
    {
        if (json_equal(value, json_object_get(b, key))) continue;
        ol_error("%s: is of another sweep than %s: %s differs", second, first, key);
        return;
    }
    ol_error("%s: is of another sweep than %s", second, first);
}

/* Takes a file's rows into `all`. False after a message. */
static bool add_file(const struct merge *merge, int index, struct ol_journal *all)
{
    struct ol_journal one;
    bool good = ol_journal_read(merge->files[index], &one);
    if (good && index > 0) {
        json_t *const a = common_header(all->header), *const b = common_header(one.header);
        good = a && b && json_equal(a, b);
        if (!good) tell_difference(merge->files[0], merge->files[index], a, b);
        json_decref(a);
        json_decref(b);
    }
    if (good && index == 0) {
        *all = one;
        return true;
    }
    for (uint32_t i = 0; good && i < one.rows_count; i++) {
        if (!one.rows[i]) continue;
        good = !all->rows[i] || json_equal(all->rows[i], one.rows[i]);
        if (!good) ol_error("%s: row %u contradicts that of another file", merge->files[index], i);
        else if (!all->rows[i]) all->rows[i] = json_incref(one.rows[i]);
    }
    ol_journal_release(&one);
    return good;
}

/* Are all rows there? False after a message. */
static bool check_complete(const struct merge *merge, const struct ol_journal *all)
{
    uint32_t missing = 0, first = 0;
    for (uint32_t i = all->rows_count; i--;) {
        missing += !all->rows[i];
        if (!all->rows[i]) first = i;
    }
    if (!missing) return true;
    ol_error("%u of %u rows are missing, the first of them number %u%s", missing, all->rows_count, first,
             merge->partial ? "" : "; --partial goes on without them");
    return merge->partial;
}

static bool write_merged(const struct merge *merge, const struct ol_journal *all)
{
    json_t *const header = json_copy(all->header);
    bool good = header && json_object_set_new(header, "shard", json_pack("[i, i]", 1, 1)) == 0;
    if (!good) ol_error("no memory to merge with");
    good = good && ol_journal_write(merge->output, header, all->rows, all->rows_count);
    json_decref(header);
    return good;
}

int ol_sweep_merge(int argc, char **argv)
{
    struct merge merge;
    struct ol_journal all = {0};
    if (!parse(argc, argv, &merge)) return OL_EXIT_USAGE;
    if (merge.help) {
        print_help();
        return OL_EXIT_OK;
    }
    bool good = true;
    for (int i = 0; good && i < merge.count; i++) good = add_file(&merge, i, &all);
    good = good && check_complete(&merge, &all);
    if (good && merge.output) good = write_merged(&merge, &all);
    else if (good) good = ol_sweep_print(merge.form, all.header, all.rows, all.rows_count);
    ol_journal_release(&all);
    return good ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
