/* SPDX-License-Identifier: MIT */
/*
 * "time,page,size,access": a first line that names the columns, and a decimal page number (column 2) a line. The form
 * that `onelevel trace convert --to csv` writes and that libCacheSim reads with time-col=1, obj-id-col=2,
 * obj-size-col=3. Without a column `access` every reference reads.
 */
#include <string.h>

#include "trace/format.h"

static const char shape[] = "time,page,size[,access] with a decimal page, and access read, write or fetch";

static bool is_header(const char *line)
{
    return strncmp(line, "time,page,size", 14) == 0 || strncmp(line, "time,obj_id,size", 16) == 0;
}

static bool csv_recognises(const char *line)
{
    return is_header(line);
}

static const char *digits(const char *at, uint64_t *value, bool *whole)
{
    const char *const begin = at;
    *value = 0;
    *whole = true;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
            __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
            *whole = false;
    return at == begin ? NULL : at;
}

/* The access behind the third column; 0 for none of them. */
static uint8_t access_at(const char *at)
{
    if (ol_trace_line_end(at)) return OL_READ;
    if (strncmp(at, ",read", 5) == 0 && ol_trace_line_end(at + 5)) return OL_READ;
    if (strncmp(at, ",write", 6) == 0 && ol_trace_line_end(at + 6)) return OL_WRITE;
    if (strncmp(at, ",fetch", 6) == 0 && ol_trace_line_end(at + 6)) return OL_EXEC;
    return 0;
}

static size_t csv_parse(struct ol_trace_text *text, const struct ol_trace_options *options,
                        struct ol_reference *references, size_t max)
{
    size_t stored = 0;
    while (text->at < text->end && stored < max) {
        uint64_t other, page = 0;
        bool whole, good;
        if (ol_trace_skip_comment(text)) continue;
        if (text->line == 1 && is_header(text->at)) {
            ol_trace_skip_line(text);
            continue;
        }
        const char *at = digits(text->at, &other, &good);
        at = at && *at == ',' ? digits(at + 1, &page, &whole) : NULL;
        at = at && *at == ',' ? digits(at + 1, &other, &good) : NULL;
        const uint8_t access = at ? access_at(at) : 0;
        if (access == 0) {
            text->expected = shape;
            break;
        }
        if (!whole || page > options->last_va >> options->page_shift) {
            text->expected = "a page number up to (hexadecimal)";
            text->limit = options->last_va >> options->page_shift;
            break;
        }
        references[stored] = (struct ol_reference){.va = page << options->page_shift, .access = access, .count = 1};
        stored++;
        ol_trace_skip_line(text);
    }
    return stored;
}

const struct ol_trace_format_ops ol_trace_csv = {
    .recognises = csv_recognises,
    .parse = csv_parse,
};
