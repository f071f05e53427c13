/* SPDX-License-Identifier: MIT */
#include "cli/geometry.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_BYTES = 32, FIELDS_MAX = OL_SIM_LEVELS_MAX + 1, ROWS = 3 };

/* One field of the drawing: bits, name, value. */
struct column {
    char text[ROWS][TEXT_BYTES];
    int width;
};

static void make_column(const char *name, unsigned low, unsigned bits, const ol_va *va, struct column *column)
{
    const uint64_t value = va ? *va >> low & ((1ULL << bits) - 1) : 0;
    (void)snprintf(column->text[0], TEXT_BYTES, "%u..%u", low + bits - 1, low);
    (void)snprintf(column->text[1], TEXT_BYTES, "%s", name);
    (void)snprintf(column->text[2], TEXT_BYTES, "%" PRIx64, value);
    column->width = 0;
    for (int row = 0; row < ROWS; row++) {
        const int length = (int)strlen(column->text[row]);
        if (column->width < length) column->width = length;
    }
}

static void draw_line(FILE *out, int indent, const struct column *columns, unsigned count)
{
    fprintf(out, "%*s+", indent, "");
    for (unsigned i = 0; i < count; i++) {
        for (int at = 0; at < columns[i].width + 2; at++) fputc('-', out);
        fputc('+', out);
    }
    fputc('\n', out);
}

static void draw_row(FILE *out, int indent, const struct column *columns, unsigned count, int row)
{
    fprintf(out, "%*s|", indent, "");
    for (unsigned i = 0; i < count; i++) {
        const int spare = columns[i].width - (int)strlen(columns[i].text[row]);
        fprintf(out, " %*s%s%*s |", spare / 2, "", columns[i].text[row], spare - spare / 2, "");
    }
    fputc('\n', out);
}

void ol_draw_address(FILE *out, int indent, const struct ol_sim_format *format, const ol_va *va)
{
    struct column columns[FIELDS_MAX];
    unsigned count = 0;
    for (unsigned level = format->levels; level-- > 0;) {
        const struct ol_sim_level *const is = &format->level[level];
        make_column(is->index_name, is->shift, is->index_bits, va, &columns[count++]);
    }
    make_column("offset", 0, format->is.page_shift, va, &columns[count++]);
    draw_line(out, indent, columns, count);
    draw_row(out, indent, columns, count, 0);
    draw_row(out, indent, columns, count, 1);
    if (va) draw_row(out, indent, columns, count, 2);
    draw_line(out, indent, columns, count);
}

void ol_print_entry(FILE *out, const struct ol_sim_level *level, uint64_t entry)
{
    const char *separator = "";
    for (const struct ol_sim_field *field = level->fields; field->name; field++) {
        const uint64_t value = entry >> field->low & (~0ULL >> (63 - (field->high - field->low)));
        if (value == 0) continue;
        fprintf(out, "%s%s", separator, field->name);
        if (field->high > field->low) fprintf(out, "=%" PRIx64, value);
        separator = " ";
    }
    if (*separator == '\0') fputs("all zeros", out);
}
