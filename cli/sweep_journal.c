/* SPDX-License-Identifier: MIT */
#include "cli/sweep_journal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"

const char *const ol_sweep_figures[OL_SWEEP_FIGURES] = {
    [OL_SWEEP_REFERENCES] = "references",
    [OL_SWEEP_PAGES] = "distinct_pages",
    [OL_SWEEP_FAULTS] = "faults",
    [OL_SWEEP_EVICTIONS] = "evictions",
    [OL_SWEEP_WRITEBACKS] = "writebacks",
    [OL_SWEEP_TLB_MISSES] = "tlb_misses",
    [OL_SWEEP_TABLE_REFERENCES] = "table_references",
    [OL_SWEEP_TABLE_FRAMES] = "table_frames",
    [OL_SWEEP_WASTE] = "waste_bytes",
    [OL_SWEEP_TABLE_BYTES] = "table_bytes",
};

static const char beginning[] = "{\"onelevel_sweep\":1,";

/* What is wrong with a row; NULL: nothing. */
static const char *take_row(struct ol_journal *journal, json_t *row)
{
    const json_t *const number = json_object_get(row, "row");
    if (!json_is_integer(number)) return "it has no row number";
    const json_int_t index = json_integer_value(number);
    if (index < 0 || index >= journal->rows_count) return "the sweep has no row of that number";
    for (unsigned i = 0; i < OL_SWEEP_FIGURES; i++) {
        const json_t *const figure = json_object_get(row, ol_sweep_figures[i]);
        if (figure && (!json_is_integer(figure) || json_integer_value(figure) < 0)) return "a count is no number";
    }
    const json_t *const faults = json_object_get(row, ol_sweep_figures[OL_SWEEP_FAULTS]);
    const json_t *const references = json_object_get(row, ol_sweep_figures[OL_SWEEP_REFERENCES]);
    if (!faults || !references || json_integer_value(faults) > json_integer_value(references))
        return "its faults and references make no sense";
    if (journal->rows[index] && !json_equal(journal->rows[index], row)) return "it contradicts an earlier one";
    if (!journal->rows[index]) journal->rows[index] = json_incref(row);
    return NULL;
}

static const char *take_header(struct ol_journal *journal, json_t *header)
{
    const json_t *const rows = json_object_get(header, "rows"), *const shard = json_object_get(header, "shard");
    const json_int_t count = json_integer_value(rows);
    if (!json_is_object(header) || json_integer_value(json_object_get(header, "onelevel_sweep")) != 1)
        return "it is not the first line of results of `onelevel sweep`, version 1";
    if (count < 1 || count > OL_SWEEP_ROWS_MAX || json_array_size(shard) != 2 ||
        !json_is_integer(json_array_get(shard, 0)) || !json_is_integer(json_array_get(shard, 1)))
        return "it does not say how many rows the sweep has";
    journal->rows = calloc((size_t)count, sizeof(json_t *));
    if (!journal->rows) return "there is no memory for its rows";
    journal->rows_count = (uint32_t)count;
    journal->header = json_incref(header);
    return NULL;
}

/* One line; what is wrong with it, or NULL. */
static const char *take_line(struct ol_journal *journal, const char *text, size_t bytes)
{
    json_error_t error;
    json_t *const line = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!line) return "it is no JSON";
    const char *const wrong = journal->header ? take_row(journal, line) : take_header(journal, line);
    json_decref(line);
    return wrong;
}

bool ol_journal_parse(const char *text, size_t bytes, struct ol_journal *journal,
                      char message[OL_JOURNAL_MESSAGE_BYTES])
{
    *journal = (struct ol_journal){0};
    const size_t known = bytes < strlen(beginning) ? bytes : strlen(beginning);
    if (memcmp(text, beginning, known) != 0) {
        (void)snprintf(message, OL_JOURNAL_MESSAGE_BYTES, "line 1: it is no results file of `onelevel sweep`");
        return false;
    }
    for (unsigned long line = 1; journal->good_bytes < bytes; line++) {
        const char *const at = text + journal->good_bytes, *const end = memchr(at, '\n', bytes - journal->good_bytes);
        if (!end) break;
        const char *const wrong = take_line(journal, at, (size_t)(end - at));
        if (wrong) {
            (void)snprintf(message, OL_JOURNAL_MESSAGE_BYTES, "line %lu: %s%s", line, wrong,
                           line > 1 ? "; take the line out, and it will be simulated again" : "");
            return false;
        }
        journal->good_bytes = (size_t)(end - text) + 1;
    }
    return true;
}

void ol_journal_release(struct ol_journal *journal)
{
    for (uint32_t i = 0; i < journal->rows_count; i++) json_decref(journal->rows[i]);
    free(journal->rows);
    json_decref(journal->header);
}
