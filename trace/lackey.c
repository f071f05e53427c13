/* SPDX-License-Identifier: MIT */
/*
 * "I  04001000,3" · " L 1ffefff8,8" · " S 1ffefff8,8" · " M 0421dc70,4": the kind in one of the first two columns, a
 * blank at the third, the address in hexadecimal, the size in decimal.
 */
#include "trace/format.h"

/* The largest saved processor state is below 16 KiB; more in one reference is damage. */
enum { SIZE_MAX_BYTES = 1 << 16 };

static const char shape[] = "\"I  ADDRESS,SIZE\", \" L ADDRESS,SIZE\", \" S ADDRESS,SIZE\" or \" M ADDRESS,SIZE\"";

/* The access that the first three characters of a line mean; OL_NONE if they mean none. */
static uint8_t kind_of(const char *line)
{
    if (line[0] == 'I') return line[1] == ' ' && line[2] == ' ' ? OL_EXEC : OL_NONE;
    if (line[0] != ' ' || line[1] == '\n' || line[2] != ' ') return OL_NONE;
    switch (line[1]) {
    case 'L': return OL_READ;
    case 'S':
    case 'M': return OL_WRITE;
    default: return OL_NONE;
    }
}

static bool lackey_recognises(const char *line)
{
    return kind_of(line) != OL_NONE;
}

/* Parses a decimal size; values above SIZE_MAX_BYTES are cut to one more than it. */
static const char *parse_size(const char *at, uint32_t *size)
{
    uint32_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint32_t)(*at - '0');
        if (number > SIZE_MAX_BYTES) number = SIZE_MAX_BYTES + 1;
    }
    *size = number;
    return at;
}

/* Parses the line at text->at behind its kind into its first and last byte, and moves on. False: text->expected says
 * why not. */
static bool parse_line(struct ol_trace_text *text, const struct ol_trace_options *options, ol_va *first, ol_va *last)
{
    uint64_t lost;
    uint32_t size;
    const char *const number = text->at + 3;
    const char *const comma = ol_trace_hex(number, first, &lost);
    const char *const digits = comma + 1;
    const char *const behind = comma != number && *comma == ',' ? parse_size(digits, &size) : digits;
    const char *const next = behind != digits ? ol_trace_line_end(behind) : NULL;
    if (!next) {
        text->expected = shape;
        return false;
    }
    if (size == 0 || size > SIZE_MAX_BYTES) {
        text->expected = "a size from 1 to 65536 bytes";
        return false;
    }
    *last = *first + size - 1;
    if (lost != 0 || *last < *first || *last > options->last_va) {
        text->expected = "addresses up to";
        text->limit = options->last_va;
        return false;
    }
    text->at = next;
    text->line++;
    return true;
}

static size_t lackey_parse(struct ol_trace_text *text, const struct ol_trace_options *options,
                           struct ol_reference *references, size_t max)
{
    size_t count = 0;
    while (text->at < text->end && max - count >= OL_TRACE_LINE_REFERENCES) {
        ol_va first, last;
        const uint8_t access = kind_of(text->at);
        if (access == OL_NONE) {
            if (ol_trace_skip_comment(text)) continue;
            text->expected = shape;
            break;
        }
        if (!parse_line(text, options, &first, &last)) break;
        references[count] = (struct ol_reference){.va = first, .access = access, .count = 1};
        count++;
        uint64_t page = first >> options->page_shift;
        while (page++ < last >> options->page_shift) {
            references[count] = (struct ol_reference){.va = page << options->page_shift, .access = access, .count = 1};
            count++;
        }
    }
    return count;
}

const struct ol_trace_format_ops ol_trace_lackey = {
    .recognises = lackey_recognises,
    .parse = lackey_parse,
};
