/* SPDX-License-Identifier: MIT */
#include "trace/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/format.h"
#include "trace/native.h"
#include "trace/source.h"

enum { TEXT_BYTES = 1 << 20, NAME_BYTES = 256, MESSAGE_BYTES = 768, QUOTE_BYTES = 40 };

struct ol_trace {
    struct ol_source *source;
    struct ol_trace_options options;
    const struct ol_trace_format_ops *format; /* of a text; NULL until it is known */
    struct ol_native *native;                 /* or NULL: it is a text, or */
    bool oracle_general;                      /* … records */
    uint64_t offset;                          /* of records: how many bytes were read of those before the buffer */
    struct ol_trace_text text;                /* whole lines within the buffer */
    size_t used;                              /* bytes of the buffer; behind text.end begins a line to be completed */
    bool at_end;                              /* of the source */
    char name[NAME_BYTES];
    char message[MESSAGE_BYTES];
    char buffer[TEXT_BYTES + 1]; /* room for a last newline */
};

/* --- lines ------------------------------------------------------------------------------------------------------- */

const uint8_t ol_trace_digit[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

void ol_trace_skip_line(struct ol_trace_text *text)
{
    const char *const newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
    assert(newline);
    text->at = newline + 1;
    text->line++;
}

bool ol_trace_skip_comment(struct ol_trace_text *text)
{
    const char *const at = text->at;
    const bool valgrind = (at[0] == '=' || at[0] == '-' || at[0] == '*') && at[1] == at[0];
    if (!valgrind && at[0] != '#' && !ol_trace_line_end(at)) return false;
    ol_trace_skip_line(text);
    return true;
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static const char *name_of(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* What went wrong at the source, for people. */
static enum ol_trace_status describe(enum ol_source_status status, const char *name, const char *compression,
                                     char *message, size_t bytes)
{
    switch (status) {
    case OL_SOURCE_OK: return OL_TRACE_OK;
    case OL_SOURCE_E_OPEN: snprintf(message, bytes, "%s: cannot be opened: %s", name, strerror(errno)); break;
    case OL_SOURCE_E_READ: snprintf(message, bytes, "%s: cannot be read: %s", name, strerror(errno)); break;
    case OL_SOURCE_E_TRUNCATED:
        snprintf(message, bytes, "%s: the %s data ends too early: the file is truncated", name, compression);
        break;
    case OL_SOURCE_E_CORRUPT: snprintf(message, bytes, "%s: the %s data is damaged", name, compression); break;
    case OL_SOURCE_E_MEMORY: snprintf(message, bytes, "%s: no memory to read it with", name); break;
    }
    if (status == OL_SOURCE_E_MEMORY) return OL_TRACE_E_MEMORY;
    return status == OL_SOURCE_E_OPEN ? OL_TRACE_E_OPEN : OL_TRACE_E_READ;
}

/* Copies the beginning of a line, with dots for what does not print. */
static void quote(const char *at, const char *end, char quoted[QUOTE_BYTES + 4])
{
    size_t length = 0;
    for (; at < end && *at != '\n' && *at != '\r' && length < QUOTE_BYTES; at++)
        quoted[length++] = *at >= ' ' && *at <= '~' ? *at : '.';
    const bool cut = at < end && *at != '\n' && *at != '\r';
    for (int dot = 0; cut && dot < 3; dot++) quoted[length++] = '.';
    quoted[length] = '\0';
}

static enum ol_trace_status malformed(struct ol_trace *trace)
{
    const struct ol_trace_text *const text = &trace->text;
    char quoted[QUOTE_BYTES + 4], limit[24] = "";
    quote(text->at, trace->buffer + trace->used, quoted);
    if (text->limit != 0) snprintf(limit, sizeof limit, " %llx", (unsigned long long)text->limit);
    snprintf(trace->message, sizeof trace->message, "%s:%llu: \"%s\": expected %s%s", trace->name,
             (unsigned long long)text->line, quoted, text->expected, limit);
    return OL_TRACE_E_FORMAT;
}

const char *ol_trace_message(const struct ol_trace *trace)
{
    return trace->message;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static const struct ol_trace_format_ops *const texts[OL_TRACE_FORMATS] = {
    [OL_TRACE_LACKEY] = &ol_trace_lackey,
    [OL_TRACE_PAGES] = &ol_trace_pages,
    [OL_TRACE_DIN] = &ol_trace_din,
    [OL_TRACE_CSV] = &ol_trace_csv,
};

const char *const ol_trace_format_names[OL_TRACE_FORMATS] = {
    [OL_TRACE_DETECT] = "unknown",
    [OL_TRACE_NATIVE] = "native",
    [OL_TRACE_LACKEY] = "lackey",
    [OL_TRACE_PAGES] = "pages",
    [OL_TRACE_DIN] = "din",
    [OL_TRACE_CSV] = "csv",
    [OL_TRACE_ORACLE_GENERAL] = "oracleGeneral",
};

enum ol_trace_format ol_trace_format_find(const char *name)
{
    enum ol_trace_format format = OL_TRACE_FORMATS - 1;
    while (format != OL_TRACE_DETECT && strcmp(name, ol_trace_format_names[format]) != 0) format--;
    return format;
}

/* Looks at the first bytes of a trace; sets trace->native if they are the native format's. */
static enum ol_trace_status begin(struct ol_trace *trace, char *message, size_t message_bytes)
{
    const enum ol_trace_format told = trace->options.format;
    trace->oracle_general = told == OL_TRACE_ORACLE_GENERAL;
    if (told != OL_TRACE_DETECT && told != OL_TRACE_NATIVE) return OL_TRACE_OK;
    while (trace->used < OL_NATIVE_MAGIC_BYTES && memcmp(trace->buffer, OL_NATIVE_MAGIC, trace->used) == 0) {
        size_t count;
        const enum ol_source_status status =
            ol_source_read(trace->source, trace->buffer + trace->used, OL_NATIVE_MAGIC_BYTES - trace->used, &count);
        if (status != OL_SOURCE_OK)
            return describe(status, trace->name, ol_source_compression(trace->source), message, message_bytes);
        if (count == 0) break;
        trace->used += count;
    }
    if (trace->used > 0 && memcmp(trace->buffer, OL_NATIVE_MAGIC, trace->used) == 0)
        return ol_native_open(trace->source, trace->name, &trace->options, trace->buffer, trace->used, &trace->native,
                              message, message_bytes);
    trace->oracle_general = told == OL_TRACE_DETECT && ol_oracle_general_named(trace->name);
    if (told != OL_TRACE_NATIVE) return OL_TRACE_OK;
    snprintf(message, message_bytes, "%s: offset 0: is no trace of the native format", trace->name);
    return OL_TRACE_E_FORMAT;
}

enum ol_trace_status ol_trace_open(const char *path, const struct ol_trace_options *options, struct ol_trace **out,
                                   char *message, size_t message_bytes)
{
    assert(options->page_shift >= 9 && options->page_shift <= 30);
    *out = NULL;
    struct ol_trace *const trace = malloc(sizeof *trace);
    if (!trace) return describe(OL_SOURCE_E_MEMORY, name_of(path), NULL, message, message_bytes);
    const enum ol_source_status opened = ol_source_open(path, &trace->source);
    if (opened != OL_SOURCE_OK) {
        free(trace);
        return describe(opened, name_of(path), "compressed", message, message_bytes);
    }
    trace->options = *options;
    trace->format = texts[options->format];
    trace->native = NULL;
    trace->oracle_general = false;
    trace->offset = 0;
    trace->text = (struct ol_trace_text){.at = trace->buffer, .end = trace->buffer, .line = 1};
    trace->used = 0;
    trace->at_end = false;
    trace->message[0] = '\0';
    snprintf(trace->name, sizeof trace->name, "%s", name_of(path));
    const enum ol_trace_status status = begin(trace, message, message_bytes);
    if (status == OL_TRACE_OK) *out = trace;
    else ol_trace_close(trace);
    return status;
}

void ol_trace_close(struct ol_trace *trace)
{
    if (trace->native) ol_native_close(trace->native);
    ol_source_close(trace->source);
    free(trace);
}

enum ol_trace_format ol_trace_format(const struct ol_trace *trace)
{
    if (trace->native) return OL_TRACE_NATIVE;
    if (trace->oracle_general) return OL_TRACE_ORACLE_GENERAL;
    enum ol_trace_format format = OL_TRACE_CSV;
    while (format != OL_TRACE_DETECT && (!trace->format || trace->format != texts[format])) format--;
    return format;
}

unsigned ol_trace_shift(const struct ol_trace *trace)
{
    if (trace->native) return ol_native_shift(trace->native);
    return trace->format == &ol_trace_lackey || trace->format == &ol_trace_din ? 0 : trace->options.page_shift;
}

/* Moves the incomplete line to the front of the buffer and reads on until there is a whole line, or the end. */
static enum ol_trace_status refill(struct ol_trace *trace)
{
    struct ol_trace_text *const text = &trace->text;
    assert(text->at == text->end);
    trace->used -= (size_t)(text->end - trace->buffer);
    memmove(trace->buffer, text->end, trace->used);
    text->at = text->end = trace->buffer;
    const char *const early = memrchr(trace->buffer, '\n', trace->used); /* of the bytes that told the format */
    if (early) text->end = early + 1;
    while (text->end == trace->buffer && !trace->at_end) {
        size_t count;
        char *const to = trace->buffer + trace->used;
        if (trace->used == TEXT_BYTES) {
            text->expected = "lines shorter than 1 MiB";
            return malformed(trace);
        }
        const enum ol_source_status status = ol_source_read(trace->source, to, TEXT_BYTES - trace->used, &count);
        if (status != OL_SOURCE_OK)
            return describe(status, trace->name, ol_source_compression(trace->source), trace->message,
                            sizeof trace->message);
        trace->at_end = count == 0;
        if (trace->at_end && trace->used > 0) to[count++] = '\n';
        trace->used += count;
        const char *const newline = count > 0 ? memrchr(to, '\n', count) : NULL;
        if (newline) text->end = newline + 1;
    }
    return OL_TRACE_OK;
}

/* Passes over comments; if text is left, finds out its format. */
static enum ol_trace_status detect(struct ol_trace *trace)
{
    struct ol_trace_text *const text = &trace->text;
    while (text->at < text->end && ol_trace_skip_comment(text)) {
    }
    if (text->at == text->end) return OL_TRACE_OK;
    /* Pages last: digits alone are theirs. */
    static const enum ol_trace_format order[] = {OL_TRACE_LACKEY, OL_TRACE_CSV, OL_TRACE_DIN, OL_TRACE_PAGES};
    for (size_t i = 0; i < sizeof order / sizeof order[0] && !trace->format; i++)
        if (texts[order[i]]->recognises(text->at)) trace->format = texts[order[i]];
    if (!trace->format) {
        text->expected = "a line of valgrind --tool=lackey --trace-mem=yes, or one hexadecimal page number";
        return malformed(trace);
    }
    return OL_TRACE_OK;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static enum ol_trace_status fail_record(struct ol_trace *trace, const char *what, uint64_t limit)
{
    snprintf(trace->message, sizeof trace->message, "%s: offset %llu: %s%llu", trace->name,
             (unsigned long long)trace->offset, what, (unsigned long long)limit);
    return OL_TRACE_E_FORMAT;
}

/* Reads on until there is a whole record, or the end. */
static enum ol_trace_status fill_records(struct ol_trace *trace)
{
    while (trace->used < OL_ORACLE_GENERAL_BYTES && !trace->at_end) {
        size_t count;
        const enum ol_source_status status =
            ol_source_read(trace->source, trace->buffer + trace->used, TEXT_BYTES - trace->used, &count);
        if (status != OL_SOURCE_OK)
            return describe(status, trace->name, ol_source_compression(trace->source), trace->message,
                            sizeof trace->message);
        trace->at_end = count == 0;
        trace->used += count;
    }
    if (trace->used == 0 || trace->used >= OL_ORACLE_GENERAL_BYTES) return OL_TRACE_OK;
    return fail_record(
        trace,
        "the trace ends within a record: the file is truncated, or is no oracleGeneral; bytes left: ", trace->used);
}

static enum ol_trace_status read_records(struct ol_trace *trace, struct ol_reference *references, size_t max,
                                         size_t *count)
{
    const enum ol_trace_status status = fill_records(trace);
    if (status != OL_TRACE_OK) return status;
    size_t whole = trace->used / OL_ORACLE_GENERAL_BYTES;
    if (whole > max) whole = max;
    *count = ol_oracle_general_parse(trace->buffer, whole, &trace->options, references);
    const size_t bytes = *count * OL_ORACLE_GENERAL_BYTES;
    trace->offset += bytes;
    trace->used -= bytes;
    memmove(trace->buffer, trace->buffer + bytes, trace->used);
    if (*count == whole) return OL_TRACE_OK;
    return fail_record(trace, "the object's number is larger than that of the last page, ",
                       trace->options.last_va >> trace->options.page_shift);
}

enum ol_trace_status ol_trace_read(struct ol_trace *trace, struct ol_reference *references, size_t max, size_t *count)
{
    struct ol_trace_text *const text = &trace->text;
    assert(max >= OL_TRACE_LINE_REFERENCES);
    *count = 0;
    if (trace->native)
        return ol_native_next(trace->native, references, max, count, trace->message, sizeof trace->message);
    if (trace->oracle_general) return read_records(trace, references, max, count);
    while (*count == 0) {
        enum ol_trace_status status = OL_TRACE_OK;
        if (text->at == text->end) status = refill(trace);
        if (status != OL_TRACE_OK) return status;
        if (text->at == text->end) return OL_TRACE_OK;
        if (!trace->format) status = detect(trace);
        if (status != OL_TRACE_OK) return status;
        if (!trace->format) continue;
        *count = trace->format->parse(text, &trace->options, references, max);
        if (text->expected) return malformed(trace);
    }
    return OL_TRACE_OK;
}

enum ol_trace_status ol_trace_read_batch(struct ol_trace *trace, struct ol_numbering *numbering, struct ol_batch *batch)
{
    if (trace->native) return ol_native_batch(trace->native, numbering, batch, trace->message, sizeof trace->message);
    struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    size_t count;
    const enum ol_trace_status status = ol_trace_read(trace, references, OL_NUMBERING_BATCH_MAX, &count);
    if (status != OL_TRACE_OK) return status;
    if (ol_numbering_add(numbering, references, count, trace->options.page_shift, batch)) return OL_TRACE_OK;
    snprintf(trace->message, sizeof trace->message,
             "%s: no memory to number its pages with, of which there are %u so far", trace->name,
             ol_numbering_pages(numbering));
    return OL_TRACE_E_MEMORY;
}

enum ol_trace_status ol_trace_seek(struct ol_trace *trace, uint64_t reference, uint64_t *before)
{
    *before = 0;
    if (!trace->native) return OL_TRACE_OK;
    return ol_native_seek(trace->native, reference, before, trace->message, sizeof trace->message);
}

bool ol_trace_sample(struct ol_trace *trace, uint64_t *references)
{
    return trace->native && ol_native_sample(trace->native, references);
}
