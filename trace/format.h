/* SPDX-License-Identifier: MIT */
/*
 * What a trace format gives to the reader.
 *
 * Conditions that hold for all functions:
 * - Text is whole lines: text->end[-1] is a newline, so a scan that stops at one needs no other bound.
 */
#ifndef OL_TRACE_FORMAT_H
#define OL_TRACE_FORMAT_H

#include "trace/reader.h"

struct ol_trace_text {
    const char *at;  /* the beginning of a line, or end */
    const char *end; /* behind the last newline */
    uint64_t line;   /* number of the line at `at`, from 1 */
    /* NULL, or the line at `at` is wrong: what was expected there, for people; */
    const char *expected;
    uint64_t limit; /* … if not 0, a number that ends that sentence */
};

struct ol_trace_format_ops {
    /* Could this line, which has something in it, belong to such a trace? */
    bool (*recognises)(const char *line);
    /* Parses lines until the text ends, fewer than OL_TRACE_LINE_REFERENCES places are free, or a line is wrong.
     * Returns the number of references stored; text tells the rest. */
    size_t (*parse)(struct ol_trace_text *text, const struct ol_trace_options *options, struct ol_reference *references,
                    size_t max);
};

extern const struct ol_trace_format_ops ol_trace_lackey, ol_trace_pages, ol_trace_din, ol_trace_csv;

/* oracleGeneral, which is no text. */
enum { OL_ORACLE_GENERAL_BYTES = 24 }; /* of a record */

/* Does the name of the file say that it is one? */
bool ol_oracle_general_named(const char *path);

/* Parses records; returns how many references were stored: fewer than `count` if the next one's page is too large. */
size_t ol_oracle_general_parse(const char *records, size_t count, const struct ol_trace_options *options,
                               struct ol_reference *references);

/* Moves to the next line. */
void ol_trace_skip_line(struct ol_trace_text *text);

/* True, at the next line, if the line is blank, a comment ("#"), or valgrind's own ("==", "--", "**"). */
bool ol_trace_skip_comment(struct ol_trace_text *text);

/* By character: the value of a hexadecimal digit, plus 1; 0 for all others. */
extern const uint8_t ol_trace_digit[256];

/* Parses hexadecimal digits of which there may be any number; returns behind them. *value is cut to 64 bits; *lost gets
 * bits that were shifted out, 0 if it is whole. No digit: returns `at`. */
static inline const char *ol_trace_hex(const char *at, uint64_t *value, uint64_t *lost)
{
    uint64_t number = 0, out = 0;
    unsigned digit = ol_trace_digit[(unsigned char)*at];
    for (; digit != 0; digit = ol_trace_digit[(unsigned char)*++at]) {
        out |= number >> 60;
        number = number << 4 | (digit - 1);
    }
    *value = number;
    *lost = out;
    return at;
}

/* At the end of a line, but for blanks and a carriage return? Returns behind the newline, or NULL. */
static inline const char *ol_trace_line_end(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\r') at++;
    return *at == '\n' ? at + 1 : NULL;
}

#endif
