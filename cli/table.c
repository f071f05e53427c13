/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { CELL_BYTES = 160, ROOM_FIRST = 256 };

/* The cell as text in `text`; returns it. */
static const char *cell_text(const struct ol_cell *cell, const char *none, char text[CELL_BYTES])
{
    switch (cell->kind) {
    case OL_CELL_COUNT: (void)snprintf(text, CELL_BYTES, "%" PRIu64, cell->count); break;
    case OL_CELL_REAL: (void)snprintf(text, CELL_BYTES, "%.9f", cell->real); break;
    case OL_CELL_TEXT: (void)snprintf(text, CELL_BYTES, "%s", cell->text); break;
    case OL_CELL_NONE: (void)snprintf(text, CELL_BYTES, "%s", none); break;
    }
    return text;
}

static json_t *cell_json(const struct ol_cell *cell)
{
    switch (cell->kind) {
    case OL_CELL_COUNT: return json_integer((json_int_t)cell->count);
    case OL_CELL_REAL: return json_real(cell->real);
    case OL_CELL_TEXT: return json_string(cell->text);
    case OL_CELL_NONE: break;
    }
    return json_null();
}

/* A cell of CSV; quoted if it must be (RFC 4180). */
static void print_csv(const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        (void)fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar(*text);
    }
    putchar('"');
}

void ol_table_begin(struct ol_table *table, enum ol_table_form form, const char *const *keys, const char *rows_key)
{
    *table = (struct ol_table){.form = form, .keys = keys, .rows_key = rows_key};
    while (keys[table->columns]) table->columns++;
    assert(table->columns <= OL_TABLE_COLUMNS_MAX);
    if (form == OL_TABLE_JSON) {
        table->object = json_object();
        table->rows = json_array();
        table->failed = !table->object || !table->rows;
        return;
    }
    for (unsigned i = 0; form == OL_TABLE_CSV && i < table->columns; i++)
        printf("%s%c", keys[i], i + 1 < table->columns ? ',' : '\n');
}

void ol_table_member(struct ol_table *table, const char *key, struct ol_cell cell)
{
    char text[CELL_BYTES];
    if (table->form == OL_TABLE_TEXT) printf("%-32s %14s\n", key, cell_text(&cell, "-", text));
    if (table->form == OL_TABLE_JSON && !table->failed)
        table->failed = json_object_set_new(table->object, key, cell_json(&cell)) != 0;
}

static bool add_text(struct ol_table *table, const struct ol_cell *cell)
{
    char text[CELL_BYTES];
    if (table->texts_count == table->texts_room) {
        const size_t room = table->texts_room ? 2 * table->texts_room : ROOM_FIRST;
        char **const grown = realloc(table->texts, room * sizeof(*grown));
        if (!grown) return false;
        table->texts = grown;
        table->texts_room = room;
    }
    char *const copy = cell->kind == OL_CELL_NONE ? NULL : strdup(cell_text(cell, "", text));
    table->texts[table->texts_count++] = copy;
    return copy || cell->kind == OL_CELL_NONE;
}

/* The width of a column; 0 if it has no values. */
static size_t width_of(const struct ol_table *table, unsigned column)
{
    size_t width = 0;
    for (size_t i = column; i < table->texts_count; i += table->columns)
        if (table->texts[i] && strlen(table->texts[i]) > width) width = strlen(table->texts[i]);
    return width && width < strlen(table->keys[column]) ? strlen(table->keys[column]) : width;
}

static void print_texts(const struct ol_table *table)
{
    size_t widths[OL_TABLE_COLUMNS_MAX] = {0};
    assert(table->columns > 0);
    const char *gap = "";
    for (unsigned i = 0; i < table->columns; i++) {
        widths[i] = width_of(table, i);
        if (!widths[i]) continue;
        printf("%s%*s", gap, (int)widths[i], table->keys[i]);
        gap = "  ";
    }
    for (size_t i = 0; i < table->texts_count; i++) {
        const size_t width = widths[i % table->columns];
        if (i % table->columns == 0) gap = "\n";
        if (!width) continue;
        printf("%s%*s", gap, (int)width, table->texts[i] ? table->texts[i] : "-");
        gap = "  ";
    }
    putchar('\n');
}

static bool add_json(struct ol_table *table, const struct ol_cell *cells)
{
    json_t *const row = json_object();
    bool good = row != NULL;
    for (unsigned i = 0; good && i < table->columns; i++)
        if (cells[i].kind != OL_CELL_NONE) good = json_object_set_new(row, table->keys[i], cell_json(&cells[i])) == 0;
    return json_array_append_new(table->rows, row) == 0 && good;
}

void ol_table_row(struct ol_table *table, const struct ol_cell *cells)
{
    char text[CELL_BYTES];
    if (table->form == OL_TABLE_JSON) {
        if (!table->failed) table->failed = !add_json(table, cells);
        return;
    }
    for (unsigned i = 0; i < table->columns; i++) {
        if (table->form == OL_TABLE_TEXT) {
            if (!table->failed) table->failed = !add_text(table, &cells[i]);
            continue;
        }
        print_csv(cell_text(&cells[i], "", text));
        putchar(i + 1 < table->columns ? ',' : '\n');
    }
}

bool ol_table_end(struct ol_table *table)
{
    if (table->form == OL_TABLE_JSON && !table->failed)
        table->failed = json_object_set(table->object, table->rows_key, table->rows) != 0 ||
                        json_dumpf(table->object, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) != 0;
    if (table->form == OL_TABLE_JSON) putchar('\n');
    if (table->form == OL_TABLE_TEXT && !table->failed) print_texts(table);
    for (size_t i = 0; i < table->texts_count; i++) free(table->texts[i]);
    free(table->texts);
    json_decref(table->rows);
    json_decref(table->object);
    if (fflush(stdout) == 0 && !ferror(stdout) && !table->failed) return true;
    ol_error("the figures cannot be written: %s", errno ? strerror(errno) : "no memory");
    return false;
}

bool ol_table_shows(const struct ol_table *table, size_t row, size_t count)
{
    if (table->form != OL_TABLE_TEXT || count <= OL_TABLE_ROWS_TEXT || row == 0 || row + 1 == count) return true;
    const double step = log((double)count) / (OL_TABLE_ROWS_TEXT - 1);
    return floor(log((double)row + 1) / step) > floor(log((double)row) / step);
}
