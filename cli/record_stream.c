/* SPDX-License-Identifier: MIT */
/*
 * A phrase of the trace is what one exit stands for: the runs of all parts of its block up to there. It stays the same
 * until a site has another key; then the keys tell whether there was such a phrase before.
 */
#include "cli/record_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "record/wire.h"
#include "trace/native.h"

enum {
    SET_BITS = 15,      /* sets: together more than the phrases of most blocks; few enough to stay in the cache */
    WAYS = 4,           /* a cache line */
    KEYS_MAX = 1 << 21, /* kept for comparison, of all phrases of a block of the trace */
    CARRY_WORDS = 2 + 3 * OL_WIRE_PARTS_MAX + 1,
    RUNS_MAX = 2 * OL_WIRE_PARTS_MAX,
    PAGE_BYTES = 1 << OL_WIRE_PAGE_SHIFT
};

static const uint64_t last_va = 0x7fffffffffff;

/* A part of a block: an instruction, or a data reference at a site. */
struct part {
    uint8_t kind; /* enum ol_wire_part */
    uint32_t size;
    uint64_t address; /* of an instruction */
};

struct code {
    struct code *next; /* of all of the process */
    uint32_t count, sites, first_exit, exits;
    struct part *parts;
    uint64_t *keys; /* by site */
};

struct exit {
    struct code *code;
    uint32_t parts, sites; /* of the code, up to this exit */
};

/* What an exit stands for, as long as no site changes. */
struct now {
    uint32_t phrase;
    uint32_t block; /* of the trace, in which the phrase is valid; 0: it is not */
};

/* A phrase of this block of the trace, by the hash of what it was made from; those of a set, the latest first. */
struct known {
    uint32_t tag; /* further bits of the hash */
    uint32_t exit;
    uint32_t keys;   /* where they begin */
    uint32_t phrase; /* plus 1; 0: none */
};

struct process {
    struct process *next;
    int number;
    char *file;
    struct ol_native_writer *writer;
    struct code *codes;
    struct exit *exits;
    struct now *now; /* by exit */
    uint32_t exits_room;
    uint16_t thread;
    uint32_t changed, least; /* sites that the next exit's block has new keys for; the least of them */
    uint32_t changed_site[OL_WIRE_PARTS_MAX];
    uint64_t changed_key[OL_WIRE_PARTS_MAX];
    struct known *known;
    uint64_t *keys;
    uint32_t keys_used, keys_block; /* of which known and keys tell */
    uint32_t carried;               /* words of a record that goes on in the next message */
    uint32_t carry[CARRY_WORDS];
};

struct ol_record {
    const char *file;
    bool addresses;
    struct process *processes;
};

static bool failed(const struct process *process)
{
    ol_error("record: %s: %s", process->file, "what the tool tells makes no sense, or memory is short");
    return false;
}

/* --- phrases ------------------------------------------------------------------------------------------------------ */

static uint32_t add_run(struct ol_reference *runs, uint32_t count, uint64_t va, uint8_t access)
{
    if (va > last_va) return count;
    if (count > 0 && runs[count - 1].va == va && runs[count - 1].access == access) {
        runs[count - 1].count++;
        return count;
    }
    runs[count] = (struct ol_reference){.va = va, .access = access, .count = 1};
    return count + 1;
}

/* A reference to so many bytes: one run for each page. */
static uint32_t add_bytes(const struct ol_record *record, struct ol_reference *runs, uint32_t count, uint64_t va,
                          uint32_t bytes, uint8_t access)
{
    const uint64_t mask = ~(uint64_t)(PAGE_BYTES - 1), second = (va + bytes - 1) & mask;
    count = add_run(runs, count, record->addresses ? va : va & mask, access);
    return second == (va & mask) ? count : add_run(runs, count, second, access);
}

static uint32_t build_runs(const struct ol_record *record, const struct exit *exit, struct ol_reference *runs)
{
    const struct code *const code = exit->code;
    uint32_t count = 0, site = 0;
    for (uint32_t i = 0; i < exit->parts; i++) {
        const struct part *const part = &code->parts[i];
        const uint8_t access = part->kind == OL_WIRE_PART_LOAD ? OL_READ : OL_WRITE;
        if (part->kind == OL_WIRE_PART_EXIT) continue;
        if (part->kind == OL_WIRE_PART_INSTRUCTION) {
            count = add_bytes(record, runs, count, part->address, part->size, OL_EXEC);
            continue;
        }
        const uint64_t key = code->keys[site++];
        if (record->addresses) {
            count = add_bytes(record, runs, count, key, part->size, access);
            continue;
        }
        count = add_run(runs, count, (key >> 1) << OL_WIRE_PAGE_SHIFT, access);
        if (key & 1) count = add_run(runs, count, ((key >> 1) + 1) << OL_WIRE_PAGE_SHIFT, access);
    }
    return count;
}

static uint64_t hash_keys(uint32_t exit, const uint64_t *keys, uint32_t count)
{
    uint64_t hash = exit + 1;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ keys[i]) * 0x9e3779b97f4a7c15U;
        hash ^= hash >> 29;
    }
    return hash * 0xbf58476d1ce4e5b9U;
}

static void forget_phrases(struct process *process)
{
    process->keys_block = process->writer->block;
    process->keys_used = 0;
    memset(process->known, 0, sizeof *process->known * WAYS << SET_BITS);
}

/* The set of that hash. */
static struct known *known_set(const struct process *process, uint64_t hash)
{
    return process->known + WAYS * (hash >> (64 - SET_BITS));
}

static void define_phrase(const struct ol_record *record, struct process *process, uint32_t number, uint64_t hash)
{
    struct ol_reference runs[RUNS_MAX];
    struct exit *const exit = &process->exits[number];
    const uint32_t count = build_runs(record, exit, runs);
    if (count == 0) return;
    struct now *const now = &process->now[number];
    now->phrase = ol_native_phrase(process->writer, runs, count);
    now->block = process->writer->block;
    if (process->keys_block != now->block || exit->sites > KEYS_MAX - process->keys_used) forget_phrases(process);
    memcpy(process->keys + process->keys_used, exit->code->keys, exit->sites * sizeof *process->keys);
    struct known *const set = known_set(process, hash);
    memmove(set + 1, set, (WAYS - 1) * sizeof *set);
    set[0] = (struct known){(uint32_t)hash, number, process->keys_used, now->phrase + 1};
    process->keys_used += exit->sites;
}

/* An exit whose phrase is not known. */
static void find_phrase(const struct ol_record *record, struct process *process, uint32_t number)
{
    struct exit *const exit = &process->exits[number];
    const uint64_t hash = hash_keys(number, exit->code->keys, exit->sites);
    const uint32_t block = process->writer->block;
    const struct known *const set = known_set(process, hash);
    for (int way = 0; way < WAYS && process->keys_block == block && set[way].phrase; way++) {
        if (set[way].tag != (uint32_t)hash || set[way].exit != number ||
            memcmp(process->keys + set[way].keys, exit->code->keys, exit->sites * sizeof *process->keys) != 0)
            continue;
        process->now[number] = (struct now){set[way].phrase - 1, block};
        ol_native_repeat(process->writer, set[way].phrase - 1);
        return;
    }
    define_phrase(record, process, number, hash);
}

/* Gives the block of an exit its new keys. */
static bool change_keys(struct process *process, const struct exit *exit)
{
    struct code *const code = exit->code;
    uint32_t least = code->sites;
    for (uint32_t i = 0; i < process->changed; i++) {
        const uint32_t site = process->changed_site[i];
        if (site >= exit->sites) return false;
        code->keys[site] = process->changed_key[i];
        if (site < least) least = site;
    }
    for (uint32_t i = 0; i < code->exits; i++) {
        const uint32_t one = code->first_exit + i;
        if (process->exits[one].sites > least) process->now[one].block = 0;
    }
    process->changed = 0;
    return true;
}

static inline bool take_exit(const struct ol_record *record, struct process *process, uint32_t number)
{
    if (number >= process->exits_room || !process->exits[number].code) return failed(process);
    const struct exit *const exit = &process->exits[number];
    if (process->changed > 0 && !change_keys(process, exit)) return failed(process);
    const struct now now = process->now[number];
    if (now.block == process->writer->block) ol_native_repeat(process->writer, now.phrase);
    else find_phrase(record, process, number);
    return true;
}

/* --- definitions -------------------------------------------------------------------------------------------------- */

static bool make_room(struct process *process, uint32_t exits)
{
    if (exits <= process->exits_room) return true;
    uint32_t room = process->exits_room ? process->exits_room : 1024;
    while (room < exits) room *= 2;
    struct exit *const exits_larger = realloc(process->exits, room * sizeof *exits_larger);
    if (exits_larger) process->exits = exits_larger;
    struct now *const now_larger = realloc(process->now, room * sizeof *now_larger);
    if (now_larger) process->now = now_larger;
    if (!exits_larger || !now_larger) return false;
    memset(exits_larger + process->exits_room, 0, (room - process->exits_room) * sizeof *exits_larger);
    memset(now_larger + process->exits_room, 0, (room - process->exits_room) * sizeof *now_larger);
    process->exits_room = room;
    return true;
}

/* One of the process, which frees it. */
static struct code *new_code(struct process *process, uint32_t parts)
{
    struct code *const code = calloc(1, sizeof *code);
    if (!code) return NULL;
    code->next = process->codes;
    process->codes = code;
    code->parts = calloc(parts, sizeof *code->parts);
    code->keys = calloc(parts, sizeof *code->keys);
    return code->parts && code->keys ? code : NULL;
}

/* words: the first exit, and the parts. The exits of a program that was executed take the place of those before. */
static bool take_block(struct process *process, uint32_t parts, const uint32_t *words)
{
    struct code *const code = new_code(process, parts);
    if (!code || words[0] >= 1U << OL_WIRE_TYPE_SHIFT || !make_room(process, words[0] + parts)) return failed(process);
    code->count = parts;
    code->first_exit = words[0];
    for (uint32_t i = 0; i < parts; i++) {
        const uint32_t *const word = words + 1 + 3 * (size_t)i;
        code->parts[i] = (struct part){.kind = (uint8_t)(word[0] >> OL_WIRE_KIND_SHIFT),
                                       .size = word[0] & ((1U << OL_WIRE_KIND_SHIFT) - 1),
                                       .address = word[1] | (uint64_t)word[2] << 32};
        if (code->parts[i].kind == OL_WIRE_PART_EXIT) {
            const uint32_t number = code->first_exit + code->exits++;
            process->exits[number] = (struct exit){.code = code, .parts = i, .sites = code->sites};
            process->now[number] = (struct now){0};
        } else if (code->parts[i].kind != OL_WIRE_PART_INSTRUCTION) code->sites++;
    }
    return true;
}

static uint8_t event_of(enum ol_wire_type type)
{
    switch (type) {
    case OL_WIRE_MAP: return OL_TRACE_MAP;
    case OL_WIRE_MAP_PLAIN: return OL_TRACE_MAP_PLAIN;
    case OL_WIRE_UNMAP: return OL_TRACE_UNMAP;
    case OL_WIRE_MOVE: return OL_TRACE_MOVE;
    case OL_WIRE_DISCARD: return OL_TRACE_DISCARD;
    default: return OL_TRACE_BREAK;
    }
}

static void take_range(const struct ol_record *record, struct process *process, enum ol_wire_type type,
                       const uint32_t *words)
{
    const uint64_t va = words[0] | (uint64_t)words[1] << 32, bytes = words[2] | (uint64_t)words[3] << 32;
    const uint64_t first = va >> OL_WIRE_PAGE_SHIFT, end = (va + bytes + PAGE_BYTES - 1) >> OL_WIRE_PAGE_SHIFT;
    if (va > last_va || bytes > last_va) return;
    struct ol_reference one = {.va = va, .thread = process->thread, .count = (uint32_t)(end - first)};
    if (type == OL_WIRE_READ || type == OL_WIRE_WRITE) {
        one.access = type == OL_WIRE_READ ? OL_READ : OL_WRITE;
        one.count = 1;
        for (uint64_t page = first; page < end; page++) {
            one.va = page == first && record->addresses ? va : page << OL_WIRE_PAGE_SHIFT;
            ol_native_append(process->writer, &one);
        }
        return;
    }
    one.event = event_of(type);
    ol_native_append(process->writer, &one);
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

static void release(struct process *process)
{
    for (struct code *code = process->codes, *next; code; code = next) {
        next = code->next;
        free(code->parts);
        free(code->keys);
        free(code);
    }
    free(process->exits);
    free(process->now);
    free(process->known);
    free(process->keys);
    free(process->file);
    free(process);
}

static struct process *new_process(struct ol_record *record, const char *file)
{
    struct process *const process = calloc(1, sizeof *process);
    if (!process) return NULL;
    process->file = strdup(file);
    process->known = aligned_alloc(64, sizeof *process->known * WAYS << SET_BITS); /* filled by forget_phrases() */
    process->keys = malloc(KEYS_MAX * sizeof *process->keys);
    if (process->file && process->known && process->keys)
        process->writer = ol_native_create(file, record->addresses ? 0 : OL_WIRE_PAGE_SHIFT);
    if (!process->writer) {
        const int cause = errno;
        release(process);
        errno = cause;
        return NULL;
    }
    process->next = record->processes;
    record->processes = process;
    return process;
}

static struct process *find_process(struct ol_record *record, int number)
{
    struct process *process = record->processes;
    while (process && process->number != number && process->number != 0) process = process->next;
    return process;
}

struct ol_record *ol_record_open(const char *file, bool addresses)
{
    struct ol_record *const record = calloc(1, sizeof *record);
    if (!record) return NULL;
    *record = (struct ol_record){.file = file, .addresses = addresses};
    if (new_process(record, file)) return record;
    const int cause = errno;
    free(record);
    errno = cause;
    return NULL;
}

/* The process of a message; the first one that tells something is FILE's. */
static struct process *process_of(struct ol_record *record, int number)
{
    struct process *process = find_process(record, number);
    if (!process) {
        char *file = NULL;
        if (asprintf(&file, "%s.%d", record->file, number) < 0) file = NULL;
        if (file) process = new_process(record, file);
        if (!process) ol_error("record: %s.%d: cannot be written: %s", record->file, number, strerror(errno));
        free(file);
    }
    if (process) process->number = number;
    return process;
}

/* A copy of the blocks of the process that it was forked from. Its sites are told anew. */
static bool take_fork(struct ol_record *record, struct process *process, int parent)
{
    const struct process *const from = find_process(record, parent);
    if (!from || from == process || !make_room(process, from->exits_room)) return failed(process);
    for (uint32_t i = 0; i < from->exits_room; i++) {
        const struct code *const code = from->exits[i].code;
        if (!code || code->first_exit != i) continue;
        struct code *const copy = new_code(process, code->count);
        if (!copy) return failed(process);
        memcpy(copy->parts, code->parts, code->count * sizeof *copy->parts);
        copy->count = code->count;
        copy->sites = code->sites;
        copy->first_exit = i;
        copy->exits = code->exits;
        for (uint32_t k = i; k < i + code->exits; k++) {
            process->exits[k] = from->exits[k];
            process->exits[k].code = copy;
        }
    }
    return true;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

/* The words of the record that begins with this one; 0 if there is no such record. */
static uint32_t length_of(uint32_t word)
{
    const uint32_t value = word & ((1U << OL_WIRE_TYPE_SHIFT) - 1);
    switch ((enum ol_wire_type)(word >> OL_WIRE_TYPE_SHIFT)) {
    case OL_WIRE_EXIT:
    case OL_WIRE_THREAD:
    case OL_WIRE_START: return 1;
    case OL_WIRE_SITE:
    case OL_WIRE_FORK: return 2;
    case OL_WIRE_BLOCK: return value > 0 && value <= OL_WIRE_PARTS_MAX ? 2 + 3 * value : 0;
    case OL_WIRE_MAP:
    case OL_WIRE_MAP_PLAIN:
    case OL_WIRE_UNMAP:
    case OL_WIRE_MOVE:
    case OL_WIRE_DISCARD:
    case OL_WIRE_BREAK:
    case OL_WIRE_READ:
    case OL_WIRE_WRITE: return 5;
    }
    return 0;
}

static bool take_record(struct ol_record *record, struct process *process, const uint32_t *words)
{
    const uint32_t value = words[0] & ((1U << OL_WIRE_TYPE_SHIFT) - 1);
    const enum ol_wire_type type = words[0] >> OL_WIRE_TYPE_SHIFT;
    switch (type) {
    case OL_WIRE_EXIT: return take_exit(record, process, value);
    case OL_WIRE_SITE:
        if (process->changed == OL_WIRE_PARTS_MAX) return failed(process);
        process->changed_site[process->changed] = value >> OL_WIRE_INDEX_SHIFT;
        process->changed_key[process->changed++] = (uint64_t)(value & 0xffff) << 32 | words[1];
        return true;
    case OL_WIRE_BLOCK: return take_block(process, value, words + 1);
    case OL_WIRE_FORK: return take_fork(record, process, (int)words[1]);
    case OL_WIRE_START:
        process->changed = 0;
        process->thread = 0;
        break;
    case OL_WIRE_THREAD: process->thread = (uint16_t)value; break;
    default: take_range(record, process, type, words + 1); return true;
    }
    ol_native_thread(process->writer, process->thread);
    return true;
}

/* The record that the last message broke off; *words moves behind its words. */
static bool take_carried(struct ol_record *record, struct process *process, const uint32_t **words, const uint32_t *end)
{
    const uint32_t length = length_of(process->carry[0]);
    while (process->carried < length && *words < end) process->carry[process->carried++] = *(*words)++;
    if (process->carried < length) return true;
    process->carried = 0;
    return take_record(record, process, process->carry);
}

bool ol_record_message(struct ol_record *record, int number, const char *message, size_t bytes)
{
    uint32_t buffer[OL_WIRE_MESSAGE_BYTES / sizeof(uint32_t)];
    struct process *const process = process_of(record, number);
    if (!process) return false;
    memcpy(buffer, message, bytes);
    const uint32_t *word = buffer;
    const uint32_t *const end = buffer + bytes / sizeof *buffer;
    if (process->carried > 0 && !take_carried(record, process, &word, end)) return false;
    while (word < end) {
        /* Most words: an exit whose phrase is known. The type of exits is 0. */
        struct ol_native_writer *const writer = process->writer;
        if (process->changed == 0 && *word < process->exits_room && process->now[*word].block == writer->block) {
            ol_native_repeat(writer, process->now[*word++].phrase);
            continue;
        }
        const uint32_t length = length_of(*word);
        if (length == 0) return failed(process);
        if (length > (size_t)(end - word)) {
            process->carried = (uint32_t)(end - word);
            memcpy(process->carry, word, process->carried * sizeof *word);
            break;
        }
        if (!take_record(record, process, word)) return false;
        word += length;
    }
    return true;
}

bool ol_record_close(struct ol_record *record)
{
    bool good = true;
    for (struct process *process = record->processes, *next; process; process = next) {
        next = process->next;
        if (!ol_native_finish(process->writer)) {
            ol_error("record: %s: cannot be written: %s", process->file, strerror(errno));
            good = false;
        }
        release(process);
    }
    free(record);
    return good;
}
