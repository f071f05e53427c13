/* SPDX-License-Identifier: MIT */
/*
 * Sizes in bytes as people write and read them. Units are powers of 1024.
 */
#ifndef OL_CLI_SIZE_H
#define OL_CLI_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* A number of bytes, or one with the unit K, M, G or T, of either case and perhaps followed by "iB": "4096", "64M",
 * "1.5GiB". A fraction wants a unit and is rounded down to whole bytes. False, *bytes untouched, for anything else:
 * signs, blanks, "KB" (1000 or 1024?), what does not fit in 64 bits. */
bool ol_parse_size(const char *text, uint64_t *bytes);

enum { OL_SIZE_TEXT_BYTES = 16 };

/* Writes bytes in the largest unit that it reaches, to one decimal unless it is whole: "512 B", "64 MiB", "1.5 GiB".
 * Returns text. */
const char *ol_format_size(uint64_t bytes, char text[OL_SIZE_TEXT_BYTES]);

#endif
