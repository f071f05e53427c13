/* SPDX-License-Identifier: MIT */
/* The machine of segments, the 80286, in `onelevel machines` and `onelevel explain`. */
#ifndef OL_CLI_SEGMENTED_H
#define OL_CLI_SEGMENTED_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define OL_SEGMENTED_NAME "80286"

/* What `onelevel machines` says of it. */
void ol_segmented_print(FILE *out);
json_t *ol_segmented_json(void);

/* Carries out accesses, [r:|w:|x:|p:]SELECTOR:OFFSET, and shows each step by step, on standard output. Segments have
 * so much memory together; 0: less than they want. The status of the process; a message was given if it is not 0. */
int ol_segmented_explain(uint32_t memory_bytes, char *const *accesses, int count);

#endif
