/* SPDX-License-Identifier: MIT */
#include "trace/format.h"

/* Behind blanks and "0x". */
static const char *number_at(const char *at)
{
    while (*at == ' ' || *at == '\t') at++;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) at += 2;
    return at;
}

/* Nothing but blanks, and perhaps a comment, to the end of the line? */
static bool is_line_rest(const char *at)
{
    while (*at == ' ' || *at == '\t') at++;
    return *at == '#' || ol_trace_line_end(at);
}

static bool pages_recognises(const char *line)
{
    const char *const number = number_at(line);
    uint64_t value, lost;
    const char *const end = ol_trace_hex(number, &value, &lost);
    return end != number && is_line_rest(end);
}

/* Parses the line at text->at, which is no comment. False: text->expected says why. */
static bool parse_line(struct ol_trace_text *text, const struct ol_trace_options *options,
                       struct ol_reference *reference)
{
    const char *const number = number_at(text->at);
    uint64_t page, lost;
    const char *const behind = ol_trace_hex(number, &page, &lost);
    if (behind == number || !is_line_rest(behind)) {
        text->expected = "one hexadecimal page number";
        return false;
    }
    if (lost != 0 || page > options->last_va >> options->page_shift) {
        text->expected = "a page number up to";
        text->limit = options->last_va >> options->page_shift;
        return false;
    }
    *reference = (struct ol_reference){.va = page << options->page_shift, .access = OL_READ, .count = 1};
    ol_trace_skip_line(text);
    return true;
}

static size_t pages_parse(struct ol_trace_text *text, const struct ol_trace_options *options,
                          struct ol_reference *references, size_t max)
{
    const uint64_t last_page = options->last_va >> options->page_shift;
    size_t count = 0;
    while (text->at < text->end && count < max) {
        /* The common case: digits and a newline. */
        uint64_t page, lost;
        const char *const behind = ol_trace_hex(text->at, &page, &lost);
        if (*behind == '\n' && behind != text->at && lost == 0 && page <= last_page) {
            references[count] = (struct ol_reference){.va = page << options->page_shift, .access = OL_READ, .count = 1};
            count++;
            text->at = behind + 1;
            text->line++;
            continue;
        }
        if (ol_trace_skip_comment(text)) continue;
        if (!parse_line(text, options, &references[count])) break;
        count++;
    }
    return count;
}

const struct ol_trace_format_ops ol_trace_pages = {
    .recognises = pages_recognises,
    .parse = pages_parse,
};
