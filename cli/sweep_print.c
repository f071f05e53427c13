/* SPDX-License-Identifier: MIT */
/* onelevel sweep: rows as objects of the results file, and as tables. */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/sweep.h"

/* What a row is about, without what was counted. */
static json_t *row_head(const struct ol_sweep *sweep, uint32_t index)
{
    const struct ol_sweep_row *const row = &sweep->rows[index];
    return json_pack("{s:I, s:s, s:s, s:I, s:I}", "row", (json_int_t)index, "machine",
                     row->machine ? row->machine->is.name : "ideal", "policy", row->policy->text, "page_bytes",
                     (json_int_t)1 << row->page_shift, "frames", (json_int_t)row->frames);
}

struct json_t *ol_sweep_row_json(const struct ol_sweep *sweep, uint32_t row)
{
    json_t *const object = row_head(sweep, row);
    bool good = object != NULL;
    for (unsigned i = 0; good && i < OL_SWEEP_FIGURES; i++) {
        const uint64_t figure = sweep->rows[row].figures[i];
        if (figure == OL_SWEEP_NO_FIGURE) continue;
        good = json_object_set_new(object, ol_sweep_figures[i], json_integer((json_int_t)figure)) == 0;
    }
    if (good) return object;
    json_decref(object);
    return NULL;
}

bool ol_sweep_row_take(struct ol_sweep *sweep, uint32_t row, const struct json_t *object)
{
    json_t *const head = row_head(sweep, row);
    const char *key;
    const json_t *value;
    bool good = head != NULL;
    json_object_foreach(head, key, value) good = good && json_equal(json_object_get(object, key), value);
    json_decref(head);
    for (unsigned i = 0; good && i < OL_SWEEP_FIGURES; i++) {
        const json_t *const figure = json_object_get(object, ol_sweep_figures[i]);
        sweep->rows[row].figures[i] = figure ? (uint64_t)json_integer_value(figure) : OL_SWEEP_NO_FIGURE;
    }
    sweep->rows[row].done = good;
    return good;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* Columns beside the figures. Not all that is printed is in the file. */
static const char *const keys[] = {
    "machine",     "policy",      "page_bytes", "frames",     "memory_bytes", "references",       "distinct_pages",
    "faults",      "miss_ratio",  "evictions",  "writebacks", "tlb_misses",   "table_references", "table_frames",
    "waste_bytes", "table_bytes", NULL};

static uint64_t number(const json_t *row, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(row, key));
}

static struct ol_cell cell_of(const json_t *row, const char *key)
{
    const json_t *const value = json_object_get(row, key);
    if (json_is_string(value)) return ol_cell_text(json_string_value(value));
    if (json_is_integer(value)) return ol_cell_count((uint64_t)json_integer_value(value));
    if (strcmp(key, "memory_bytes") == 0) return ol_cell_count(number(row, "frames") * number(row, "page_bytes"));
    if (strcmp(key, "miss_ratio") == 0 && number(row, "references"))
        return ol_cell_real((double)number(row, "faults") / (double)number(row, "references"));
    return (struct ol_cell){.kind = OL_CELL_NONE};
}

bool ol_sweep_print(enum ol_table_form form, const struct json_t *header, struct json_t *const *rows, uint32_t count)
{
    struct ol_table table;
    struct ol_cell cells[OL_TABLE_COLUMNS_MAX];
    const char *const trace = json_string_value(json_object_get(header, "trace"));
    ol_table_begin(&table, form, keys, "rows");
    if (trace) ol_table_member(&table, "trace", ol_cell_text(trace));
    for (uint32_t i = 0; i < count; i++) {
        if (!rows[i]) continue;
        for (unsigned k = 0; keys[k]; k++) cells[k] = cell_of(rows[i], keys[k]);
        ol_table_row(&table, cells);
    }
    return ol_table_end(&table);
}
