/* SPDX-License-Identifier: MIT */
/* What an address of a simulated machine is made of, drawn in text. */
#ifndef OL_CLI_GEOMETRY_H
#define OL_CLI_GEOMETRY_H

#include <stdio.h>

#include "machine/sim/format.h"

/* Draws the fields of an address as a box, each line behind `indent` blanks: bits, names and, unless va is NULL, what
 * va has there. */
void ol_draw_address(FILE *out, int indent, const struct ol_sim_format *format, const ol_va *va);

/* Writes an entry of a level as its fields: "address=1f A P", those that are 0 left out. */
void ol_print_entry(FILE *out, const struct ol_sim_level *level, uint64_t entry);

#endif
