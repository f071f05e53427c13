/* SPDX-License-Identifier: MIT */
/* What an address of a simulated machine is made of, drawn in text. */
#ifndef OL_CLI_GEOMETRY_H
#define OL_CLI_GEOMETRY_H

#include <stdio.h>

#include "machine/sim/format.h"

/* Bits high .. low of what is drawn. */
struct ol_draw_field {
    const char *name;
    uint8_t high, low;
};
enum { OL_DRAW_FIELDS_MAX = OL_SIM_LEVELS_MAX + 1 };

/* Draws fields side by side, at most OL_DRAW_FIELDS_MAX, and if asked for the value of each. */
void ol_draw_fields(FILE *out, int indent, const struct ol_draw_field *fields, const uint64_t *values, unsigned count,
                    bool with_values);

/* Draws the fields of an address as a box, each line behind `indent` blanks: bits, names and, unless va is NULL, what
 * va has there. */
void ol_draw_address(FILE *out, int indent, const struct ol_sim_format *format, const ol_va *va);

/* Writes an entry of a level as its fields: "address=1f A P", those that are 0 left out. */
void ol_print_entry(FILE *out, const struct ol_sim_level *level, uint64_t entry);

#endif
