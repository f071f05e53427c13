/* SPDX-License-Identifier: MIT */
/*
 * The results file of a sweep, which is also its journal: lines of JSON. The first says what was swept; each other is a
 * row, written by one call as soon as it is known. When all rows are there, they are put in order.
 *
 * A sweep that was interrupted may leave a last line that is cut off: it is passed over, and taken away when the file
 * is written again. Any other damage is an error that names the line.
 */
#ifndef OL_CLI_SWEEP_JOURNAL_H
#define OL_CLI_SWEEP_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* What a file holds. */
struct ol_journal {
    struct json_t *header; /* NULL: nothing, not even a whole first line */
    struct json_t **rows;  /* by their number; NULL: not there */
    uint32_t rows_count;   /* that the sweep has, as the header says */
    size_t good_bytes;     /* of whole lines */
};

enum { OL_JOURNAL_MESSAGE_BYTES = 256 };

/* Reads a results file's text. False: `message` says what is wrong, beginning with the line. Either way the journal is
 * to be released. */
bool ol_journal_parse(const char *text, size_t bytes, struct ol_journal *journal,
                      char message[OL_JOURNAL_MESSAGE_BYTES]);
void ol_journal_release(struct ol_journal *journal);

/* --- sweep_file.c ------------------------------------------------------------------------------------------------- */

/* Reads a file that is there. False after a message. */
bool ol_journal_read(const char *path, struct ol_journal *journal);

/* Opens a results file to go on with, and makes it if it is not there; nobody else may have it open. *fd is at its end,
 * behind whole lines. False after a message. */
bool ol_journal_open(const char *path, struct ol_journal *journal, int *fd);

/* Appends a line. False after a message. */
bool ol_journal_append(const char *path, int fd, const struct json_t *line);

/* Replaces the file by one with this header and these rows in order, and at once: whatever happens, one of both is
 * there. False after a message; the old one is left. */
bool ol_journal_write(const char *path, const struct json_t *header, struct json_t *const *rows, uint32_t count);

#endif
