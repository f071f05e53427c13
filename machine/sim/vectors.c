/* SPDX-License-Identifier: MIT */
#include "machine/sim/vectors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- words ------------------------------------------------------------------------------------------------------- */

/* The first word at or above address. */
static size_t find_word(const struct ol_vector_words *words, uint64_t address)
{
    size_t low = 0, high = words->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (words->word[middle].address < address) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* NULL if there is none. */
static const struct ol_vector_word *get_word(const struct ol_vector_words *words, uint64_t address)
{
    const size_t i = find_word(words, address);
    return i < words->count && words->word[i].address == address ? &words->word[i] : NULL;
}

static uint64_t read_memory(const struct ol_words *words, uint64_t address)
{
    const struct ol_vector *const vector = (const struct ol_vector *)words; /* its first member */
    const struct ol_vector_word *const word = get_word(&vector->memory, address);
    return word ? word->value : 0;
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

/* What the next line may be. */
enum state { BETWEEN, REGISTERS, MEMORY, EXPECT, AFTER };

enum { FIELDS_MAX = 12 };

/* A line cut at its blanks. */
struct fields {
    size_t count;
    const char *text[FIELDS_MAX];
    char line[OL_VECTOR_LINE_BYTES];
};

static enum ol_vector_status bad(struct ol_vector_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum ol_vector_status bad(struct ol_vector_reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->message, sizeof reader->message, format, arguments);
    va_end(arguments);
    return OL_VECTOR_BAD;
}

/* False, with a message, for what cannot be a line of any kind. */
static bool cut(struct ol_vector_reader *reader, const char *line, size_t bytes, struct fields *fields)
{
    fields->count = 0;
    if (bytes > 0 && line[bytes - 1] == '\r') bytes--;
    if (bytes >= sizeof fields->line) {
        bad(reader, "the line is longer than %d characters; no line of a vector is", OL_VECTOR_LINE_BYTES - 1);
        return false;
    }
    bool inside = false;
    for (size_t i = 0; i < bytes; i++) {
        const bool blank = line[i] == ' ' || line[i] == '\t';
        if (!blank && (line[i] < '!' || line[i] > '~')) {
            bad(reader, "the line holds a byte %02x; vectors are plain text", (unsigned char)line[i]);
            return false;
        }
        if (!blank && !inside && fields->count == FIELDS_MAX) {
            bad(reader, "the line has more than %d fields; no line of a vector has", FIELDS_MAX);
            return false;
        }
        fields->line[i] = blank ? '\0' : line[i];
        if (!blank && !inside) fields->text[fields->count++] = &fields->line[i];
        inside = !blank;
    }
    fields->line[bytes] = '\0';
    return true;
}

static bool is(const struct fields *fields, size_t field, const char *text)
{
    return field < fields->count && strcmp(fields->text[field], text) == 0;
}

static bool parse_number(const char *text, unsigned base, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    if (*text == '\0') return false;
    for (; *text; text++) {
        unsigned digit;
        if (*text >= '0' && *text <= '9') digit = (unsigned)(*text - '0');
        else if (*text >= 'a' && *text <= 'f') digit = (unsigned)(*text - 'a') + 10;
        else if (*text >= 'A' && *text <= 'F') digit = (unsigned)(*text - 'A') + 10;
        else return false;
        if (digit >= base || digit > max || number > (max - digit) / base) return false;
        number = number * base + digit;
    }
    *out = number;
    return true;
}

/* The number in a field; false, with a message, if it is none, or above max. */
static bool number(struct ol_vector_reader *reader, const struct fields *fields, size_t field, unsigned base,
                   uint64_t max, uint64_t *out)
{
    if (parse_number(fields->text[field], base, max, out)) return true;
    if (base == 16)
        bad(reader, "%.40s: expected a hexadecimal number up to %" PRIx64 ", without 0x", fields->text[field], max);
    else bad(reader, "%.40s: expected a decimal number up to %" PRIu64, fields->text[field], max);
    return false;
}

/* Adds ADDRESS VALUE of a line. */
static enum ol_vector_status add_word(struct ol_vector_reader *reader, const struct fields *fields,
                                      struct ol_vector_words *words)
{
    struct ol_vector_word word;
    if (fields->count != 3) return bad(reader, "expected %s ADDRESS VALUE", fields->text[0]);
    if (!number(reader, fields, 1, 16, (1ULL << 52) - 1, &word.address)) return OL_VECTOR_BAD;
    if (!number(reader, fields, 2, 16, UINT64_MAX, &word.value)) return OL_VECTOR_BAD;
    if (word.address % 8 != 0) return bad(reader, "%" PRIx64 ": expected a multiple of 8", word.address);
    const size_t at = find_word(words, word.address);
    if (at < words->count && words->word[at].address == word.address)
        return bad(reader, "%s %" PRIx64 " is given twice; once is enough", fields->text[0], word.address);
    if (words->count == OL_VECTOR_WORDS_MAX)
        return bad(reader, "the case has more than %d words; is its end missing?", OL_VECTOR_WORDS_MAX);
    if (words->count == words->capacity) {
        const size_t capacity = words->capacity > 0 ? words->capacity * 2 : 16;
        struct ol_vector_word *const grown = realloc(words->word, capacity * sizeof *grown);
        if (!grown) return bad(reader, "no memory for the case's %zu words", capacity);
        words->word = grown;
        words->capacity = capacity;
    }
    memmove(words->word + at + 1, words->word + at, (words->count - at) * sizeof word);
    words->word[at] = word;
    words->count++;
    return OL_VECTOR_MORE;
}

static enum ol_vector_status read_case(struct ol_vector_reader *reader, const struct fields *fields)
{
    static const struct ol_x86_format *const formats[] = {&ol_x86_ia32, &ol_x86_pae, &ol_x86_amd64, &ol_x86_la57};
    struct ol_vector *const vector = &reader->vector;
    if (!is(fields, 0, "case") || !is(fields, 2, "mode") || fields->count != 4)
        return bad(reader, "expected case N mode ia32|pae|amd64|la57");
    if (!number(reader, fields, 1, 10, UINT64_MAX, &vector->number)) return OL_VECTOR_BAD;
    vector->words.read = read_memory;
    vector->memory.count = vector->after.count = vector->may.count = 0;
    vector->format = NULL;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (is(fields, 3, formats[i]->name)) vector->format = formats[i];
    if (!vector->format) return bad(reader, "%.40s: expected ia32, pae, amd64 or la57", fields->text[3]);
    reader->state = REGISTERS;
    return OL_VECTOR_MORE;
}

static enum ol_vector_status read_registers(struct ol_vector_reader *reader, const struct fields *fields)
{
    static const char *const names[] = {"cr0", "cr3", "cr4", "efer", "eflags_ac", "maxphyaddr"};
    static const uint64_t max[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 1, 52};
    enum { NAMES = sizeof names / sizeof names[0] };
    struct ol_vector *const vector = &reader->vector;
    uint64_t value[NAMES];
    bool good = fields->count == 2 * (size_t)NAMES;
    for (size_t i = 0; good && i < NAMES; i++) good = is(fields, 2 * i, names[i]);
    if (!good) return bad(reader, "expected cr0 X cr3 X cr4 X efer X eflags_ac 0|1 maxphyaddr D");
    for (size_t i = 0; i < NAMES; i++)
        if (!number(reader, fields, 2 * i + 1, i < 4 ? 16 : 10, max[i], &value[i])) return OL_VECTOR_BAD;
    vector->control = (struct ol_x86_control){.cr0 = value[0],
                                              .cr3 = value[1],
                                              .cr4 = value[2],
                                              .efer = value[3],
                                              .eflags_ac = value[4] != 0,
                                              .maxphyaddr = (uint8_t)value[5]};
    if (vector->control.maxphyaddr < 32) return bad(reader, "maxphyaddr: expected 32 to 52");
    const struct ol_x86_format *const selected = ol_x86_format(&vector->control);
    if (selected != vector->format)
        return bad(reader, "the registers select %s, but the case is of mode %s; look at cr0, cr4 and efer",
                   selected ? selected->name : "no translation", vector->format->name);
    reader->state = MEMORY;
    return OL_VECTOR_MORE;
}

static enum ol_vector_status read_access(struct ol_vector_reader *reader, const struct fields *fields)
{
    struct ol_vector *const vector = &reader->vector;
    const uint64_t last_va = vector->format->address_bits == 32 ? UINT32_MAX : UINT64_MAX;
    vector->access = is(fields, 1, "r")   ? OL_READ
                     : is(fields, 1, "w") ? OL_WRITE
                     : is(fields, 1, "x") ? OL_EXEC
                                          : OL_NONE;
    const bool user = is(fields, 3, "3");
    if (fields->count != 5 || vector->access == OL_NONE || !is(fields, 2, "cpl") || (!user && !is(fields, 3, "0")))
        return bad(reader, "expected access r|w|x cpl 0|3 VA");
    if (!number(reader, fields, 4, 16, last_va, &vector->va)) return OL_VECTOR_BAD;
    vector->control.cpl = user ? 3 : 0;
    reader->state = EXPECT;
    return OL_VECTOR_MORE;
}

static enum ol_vector_status read_expect(struct ol_vector_reader *reader, const struct fields *fields)
{
    struct ol_vector *const vector = &reader->vector;
    if (is(fields, 0, "expect") && is(fields, 1, "ok") && fields->count == 3) {
        vector->outcome = OL_WALK_OK;
        if (!number(reader, fields, 2, 16, (1ULL << 52) - 1, &vector->physical)) return OL_VECTOR_BAD;
    } else if (is(fields, 0, "expect") && is(fields, 1, "pf") && fields->count == 4) {
        vector->outcome = OL_WALK_PAGE_FAULT;
        if (!number(reader, fields, 2, 16, UINT32_MAX, &vector->error_code)) return OL_VECTOR_BAD;
        if (!number(reader, fields, 3, 16, UINT64_MAX, &vector->cr2)) return OL_VECTOR_BAD;
    } else if (is(fields, 0, "expect") && is(fields, 1, "gp") && is(fields, 2, "0") && fields->count == 3) {
        vector->outcome = OL_WALK_GENERAL_PROTECTION;
    } else {
        return bad(reader, "expected expect ok ADDRESS, expect pf ERRORCODE CR2, or expect gp 0");
    }
    reader->state = AFTER;
    return OL_VECTOR_MORE;
}

enum ol_vector_status ol_vector_line(struct ol_vector_reader *reader, const char *line, size_t bytes)
{
    struct fields fields;
    struct ol_vector *const vector = &reader->vector;
    if (reader->state == BETWEEN && bytes > 0 && line[0] == '#') return OL_VECTOR_MORE;
    if (!cut(reader, line, bytes, &fields)) return OL_VECTOR_BAD;
    switch ((enum state)reader->state) {
    case BETWEEN: return fields.count == 0 ? OL_VECTOR_MORE : read_case(reader, &fields);
    case REGISTERS: return read_registers(reader, &fields);
    case MEMORY:
        if (is(&fields, 0, "mem")) return add_word(reader, &fields, &vector->memory);
        if (is(&fields, 0, "access")) return read_access(reader, &fields);
        return bad(reader, "expected mem ADDRESS VALUE, or access r|w|x cpl 0|3 VA");
    case EXPECT: return read_expect(reader, &fields);
    case AFTER:
        if (is(&fields, 0, "after")) return add_word(reader, &fields, &vector->after);
        if (is(&fields, 0, "may")) return add_word(reader, &fields, &vector->may);
        if (!is(&fields, 0, "end") || fields.count != 1)
            return bad(reader, "expected after ADDRESS VALUE, may ADDRESS MASK, or end");
        reader->state = BETWEEN;
        return OL_VECTOR_WHOLE;
    }
    return OL_VECTOR_BAD;
}

void ol_vector_reader_close(struct ol_vector_reader *reader)
{
    free(reader->vector.memory.word);
    free(reader->vector.after.word);
    free(reader->vector.may.word);
    *reader = (struct ol_vector_reader){0};
}

/* --- the check --------------------------------------------------------------------------------------------------- */

enum { OUTCOME_BYTES = 64 };

static void describe(enum ol_walk_outcome outcome, uint64_t physical, uint64_t error_code, uint64_t cr2,
                     char text[OUTCOME_BYTES])
{
    if (outcome == OL_WALK_OK) (void)snprintf(text, OUTCOME_BYTES, "ok %" PRIx64, physical);
    else if (outcome == OL_WALK_PAGE_FAULT)
        (void)snprintf(text, OUTCOME_BYTES, "pf %" PRIx64 " %" PRIx64, error_code, cr2);
    else (void)snprintf(text, OUTCOME_BYTES, "gp 0");
}

/* The value of a word after the walk. */
static uint64_t value_after(const struct ol_vector *vector, const struct ol_walk *walk, uint64_t address)
{
    for (unsigned i = 0; i < walk->update_count; i++)
        if (walk->updates[i].address == address) return walk->updates[i].value;
    return read_memory(&vector->words, address);
}

/* True if the word is as the case wants it to be, but for bits that it may have. */
static bool check_word(const struct ol_vector *vector, const struct ol_walk *walk, uint64_t address, char *message)
{
    const struct ol_vector_word *const after = get_word(&vector->after, address);
    const struct ol_vector_word *const may = get_word(&vector->may, address);
    const uint64_t expected = after ? after->value : read_memory(&vector->words, address);
    const uint64_t found = value_after(vector, walk, address);
    if (((expected ^ found) & ~(may ? may->value : 0)) == 0) return true;
    (void)snprintf(message, OL_VECTOR_MESSAGE_BYTES,
                   "expected word %" PRIx64 " to be %" PRIx64 " after it, found %" PRIx64, address, expected, found);
    return false;
}

bool ol_vector_check(const struct ol_vector *vector, char message[OL_VECTOR_MESSAGE_BYTES])
{
    struct ol_walk walk;
    char expected[OUTCOME_BYTES], found[OUTCOME_BYTES];
    ol_x86_walk(&vector->words, &vector->control, vector->va, vector->access, &walk);
    describe(vector->outcome, vector->physical, vector->error_code, vector->cr2, expected);
    describe(walk.outcome, walk.physical, walk.error_code, vector->va, found);
    if (strcmp(expected, found) != 0) {
        (void)snprintf(message, OL_VECTOR_MESSAGE_BYTES, "expected %s, found %s", expected, found);
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < vector->after.count; i++)
        good = check_word(vector, &walk, vector->after.word[i].address, message);
    for (unsigned i = 0; good && i < walk.update_count; i++)
        good = check_word(vector, &walk, walk.updates[i].address, message);
    return good;
}
