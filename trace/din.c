/* SPDX-License-Identifier: MIT */
/*
 * "0 1fff": Dinero's label (0 read, 1 write, 2 instruction fetch) and the address in hexadecimal. What follows on the
 * line is passed over, as Dinero does.
 */
#include "trace/format.h"

static const char shape[] = "0, 1 or 2 (read, write, instruction fetch) and a hexadecimal address";

static const char *address_at(const char *at)
{
    while (*at == ' ' || *at == '\t') at++;
    if (*at < '0' || *at > '2' || (at[1] != ' ' && at[1] != '\t')) return NULL;
    at++;
    while (*at == ' ' || *at == '\t') at++;
    return at[0] == '0' && (at[1] == 'x' || at[1] == 'X') ? at + 2 : at;
}

static bool din_recognises(const char *line)
{
    uint64_t value, lost;
    const char *const address = address_at(line);
    return address && ol_trace_hex(address, &value, &lost) != address;
}

static size_t din_parse(struct ol_trace_text *text, const struct ol_trace_options *options,
                        struct ol_reference *references, size_t max)
{
    static const uint8_t accesses[] = {OL_READ, OL_WRITE, OL_EXEC};
    size_t stored = 0;
    while (text->at < text->end && stored < max) {
        uint64_t value, lost;
        if (ol_trace_skip_comment(text)) continue;
        const char *const address = address_at(text->at);
        const char *const behind = address ? ol_trace_hex(address, &value, &lost) : NULL;
        if (!behind || behind == address || (*behind != ' ' && *behind != '\t' && !ol_trace_line_end(behind))) {
            text->expected = shape;
            break;
        }
        if (lost != 0 || value > options->last_va) {
            text->expected = "addresses up to";
            text->limit = options->last_va;
            break;
        }
        const char *label = text->at;
        while (*label == ' ' || *label == '\t') label++;
        references[stored] = (struct ol_reference){.va = value, .access = accesses[*label - '0'], .count = 1};
        stored++;
        ol_trace_skip_line(text);
    }
    return stored;
}

const struct ol_trace_format_ops ol_trace_din = {
    .recognises = din_recognises,
    .parse = din_parse,
};
