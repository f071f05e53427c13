/* SPDX-License-Identifier: MIT */
#include "cli/geometry.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_BYTES = 32, ROWS = 3 };

/* One field of the drawing: bits, name, value. */
struct column {
    char text[ROWS][TEXT_BYTES];
    int width;
};

static void make_column(const struct ol_draw_field *field, uint64_t value, struct column *column)
{
    (void)snprintf(column->text[0], TEXT_BYTES, "%u..%u", (unsigned)field->high, (unsigned)field->low);
    (void)snprintf(column->text[1], TEXT_BYTES, "%s", field->name);
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

void ol_draw_fields(FILE *out, int indent, const struct ol_draw_field *fields, const uint64_t *values, unsigned count,
                    bool with_values)
{
    struct column columns[OL_DRAW_FIELDS_MAX] = {0};
    for (unsigned i = 0; i < count; i++) make_column(&fields[i], with_values ? values[i] : 0, &columns[i]);
    draw_line(out, indent, columns, count);
    for (int row = 0; row < ROWS - !with_values; row++) draw_row(out, indent, columns, count, row);
    draw_line(out, indent, columns, count);
}

void ol_draw_address(FILE *out, int indent, const struct ol_sim_format *format, const ol_va *va)
{
    struct ol_draw_field fields[OL_DRAW_FIELDS_MAX];
    uint64_t values[OL_DRAW_FIELDS_MAX];
    unsigned count = 0;
    for (unsigned level = format->levels; level-- > 0;) {
        const struct ol_sim_level *const is = &format->level[level];
        values[count] = va ? ol_sim_index(is, *va) : 0;
        fields[count++] = (struct ol_draw_field){is->index_name, (uint8_t)(is->shift + is->index_bits - 1), is->shift};
    }
    const uint8_t shift = format->is.page_shift;
    values[count] = va ? *va & ((1ULL << shift) - 1) : 0;
    fields[count++] = (struct ol_draw_field){"offset", (uint8_t)(shift - 1), 0};
    ol_draw_fields(out, indent, fields, values, count, va != NULL);
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
