/* SPDX-License-Identifier: MIT */
/*
 * Rows of figures on standard output: as CSV, as aligned text for people, or as one JSON object.
 *
 * CSV has a line of keys first and leaves cells without a value empty. Text puts members first, one a line, and "-"
 * where there is no value; it is
 * printed at the end, without columns that have none. In JSON, rows are objects in an array, and cells without a value
 * are left out. A failure to write or a lack of memory is kept until ol_table_end.
 */
#ifndef OL_CLI_TABLE_H
#define OL_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ol_table_form { OL_TABLE_CSV, OL_TABLE_TEXT, OL_TABLE_JSON };

/* How a form is asked for: entries for getopt_long(3). */
#define OL_TABLE_OPTIONS                                               \
    {"csv", no_argument, NULL, 'C'}, {"text", no_argument, NULL, 't'}, \
    {                                                                  \
        "json", no_argument, NULL, 'j'                                 \
    }

/* One value; which one tells `kind`. */
struct ol_cell {
    enum ol_cell_kind { OL_CELL_NONE, OL_CELL_COUNT, OL_CELL_REAL, OL_CELL_TEXT } kind;
    uint64_t count;
    double real; /* printed to nine decimals; whole numbers beyond 2^53 are not exact */
    const char *text;
};

static inline struct ol_cell ol_cell_count(uint64_t count)
{
    return (struct ol_cell){.kind = OL_CELL_COUNT, .count = count};
}

static inline struct ol_cell ol_cell_real(double real)
{
    return (struct ol_cell){.kind = OL_CELL_REAL, .real = real};
}

static inline struct ol_cell ol_cell_text(const char *text)
{
    return (struct ol_cell){.kind = OL_CELL_TEXT, .text = text};
}

enum { OL_TABLE_COLUMNS_MAX = 24, OL_TABLE_ROWS_TEXT = 48 };

struct json_t;

struct ol_table {
    enum ol_table_form form;
    const char *const *keys; /* of columns; ends with NULL */
    unsigned columns;
    bool failed;
    const char *rows_key;
    struct json_t *object, *rows; /* for JSON */
    char **texts;                 /* for text: the cells of all rows, NULL for one without a value */
    size_t texts_count, texts_room;
};

/* Begins a table of these columns. `rows_key` names the array in JSON. */
void ol_table_begin(struct ol_table *table, enum ol_table_form form, const char *const *keys, const char *rows_key);

/* What is said of the table as a whole; before the first row. CSV does without. */
void ol_table_member(struct ol_table *table, const char *key, struct ol_cell cell);

/* Adds a row: a cell for each column. */
void ol_table_row(struct ol_table *table, const struct ol_cell *cells);

/* Prints what is left. False after a message: something was not written. */
bool ol_table_end(struct ol_table *table);

/* Of `count` rows, is this one of those that people want to see? All are if they are few; else OL_TABLE_ROWS_TEXT or
 * fewer of them, closer together at the beginning. For other forms, all are. */
bool ol_table_shows(const struct ol_table *table, size_t row, size_t count);

#endif
