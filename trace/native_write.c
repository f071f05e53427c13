/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "trace/native.h"
#include "trace/native_phrases.h"
#include "trace/native_sampler.h"
#include "trace/varint.h"

enum {
    LEVEL = 1,        /* of compression */
    EARLY_LEVEL = 12, /* of the first blocks: files that have no more are a quarter smaller, for up to 0.1 s a block */
    EARLY_BLOCKS = 4,
    EVENT_BYTES_MAX = 1 + 10 + 5,
    EVENTS_MAX = 1 << 16,
    SLOTS = 2 * OL_NATIVE_PHRASES_MAX /* for phrases by hash; at most half are in use */
};

/* Runs of a phrase that are to pages in the sample. */
struct sampled {
    uint32_t first, count;
};

/* Offsets of sections, and references before them. */
struct index {
    unsigned char *entries;
    size_t bytes, room;
};

struct slot {
    uint32_t phrase, block; /* the slot is free if the block is another than that which is being written */
};

struct writer {
    struct ol_native_writer shared;
    int fd;
    int error; /* of the first write that failed */
    unsigned shift;
    uint16_t thread;
    uint32_t phrases, runs;
    struct ol_reference *run; /* of the block's phrases */
    uint32_t *first_run;      /* of each phrase, and of the next one */
    struct slot *slots;       /* linear probing */
    uint64_t offset;          /* in the file */
    uint64_t references;      /* of the file so far */
    struct ol_phrase_writer definitions;
    size_t event_bytes;
    unsigned char *events;
    unsigned char *raw, *packed;
    size_t packed_room;
    ZSTD_CCtx *zstd;
    struct ol_native_sampler *sampler;
    struct sampled *sampled;                         /* by phrase */
    uint64_t is_sampled[OL_NATIVE_PHRASES_MAX / 64]; /* has the phrase any? In bits, which stay in the cache */
    struct ol_reference *sampled_run;
    struct index blocks, samples;
};

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static void write_bytes(struct writer *writer, const void *bytes, size_t count)
{
    const char *from = bytes;
    writer->offset += count;
    while (count > 0 && !writer->error) {
        const ssize_t written = write(writer->fd, from, count);
        if (written < 0 && errno != EINTR) writer->error = errno;
        if (written <= 0) continue;
        from += written;
        count -= (size_t)written;
    }
}

/* A header and its payload, compressed. */
static void write_section(struct writer *writer, uint32_t magic, const unsigned char *raw, size_t bytes,
                          uint64_t references, uint64_t before)
{
    unsigned char header[OL_NATIVE_BLOCK_HEADER_BYTES];
    const size_t room = ZSTD_compressBound(bytes);
    if (room > writer->packed_room) {
        unsigned char *const larger = realloc(writer->packed, room);
        if (!larger) {
            writer->error = ENOMEM;
            return;
        }
        writer->packed = larger;
        writer->packed_room = room;
    }
    /* Of single runs, which no recording has, a higher level makes little less, and reading slower. */
    const bool early = writer->shared.block <= EARLY_BLOCKS && writer->runs > writer->phrases;
    const int level = early ? EARLY_LEVEL : LEVEL;
    ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, level);
    /* What repeats is short; 0: as the level says. */
    ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_minMatch, early ? 3 : 0);
    const size_t packed = ZSTD_compress2(writer->zstd, writer->packed, writer->packed_room, raw, bytes);
    if (ZSTD_isError(packed)) {
        writer->error = ENOMEM;
        return;
    }
    ol_put32(header, magic);
    ol_put32(header + 8, (uint32_t)packed);
    ol_put32(header + 12, (uint32_t)bytes);
    ol_put64(header + 16, references);
    ol_put64(header + 24, before);
    ol_put32(header + 4, (uint32_t)crc32(crc32(0, header + 8, sizeof header - 8), writer->packed, (uInt)packed));
    write_bytes(writer, header, sizeof header);
    write_bytes(writer, writer->packed, packed);
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

/* What is written next is a section with so many references before it. */
static void note_in_index(struct writer *writer, struct index *index, uint64_t before)
{
    if (index->bytes == index->room) {
        const size_t room = index->room ? 2 * index->room : 4096;
        unsigned char *const larger = realloc(index->entries, room);
        if (!larger) {
            writer->error = ENOMEM;
            return;
        }
        index->entries = larger;
        index->room = room;
    }
    ol_put64(index->entries + index->bytes, writer->offset);
    ol_put64(index->entries + index->bytes + 8, before);
    index->bytes += OL_NATIVE_INDEX_ENTRY_BYTES;
}

/* Returns their bytes. */
static size_t put_tokens(const uint32_t *restrict token, size_t count, unsigned char *restrict at, bool narrow)
{
    if (!narrow) {
        memcpy(at, token, count * sizeof *token);
        return count * sizeof *token;
    }
    for (size_t i = 0; i < count; i++) {
        at[2 * i] = (unsigned char)token[i];
        at[2 * i + 1] = (unsigned char)(token[i] >> 8);
    }
    return 2 * count;
}

static void write_sample(struct writer *writer)
{
    const struct ol_native_sample_section *const section = ol_native_sampler_take(writer->sampler);
    if (!section) writer->error = ENOMEM;
    if (!section || section->pages == 0) return;
    note_in_index(writer, &writer->samples, section->before);
    write_section(writer, OL_NATIVE_SAMPLE, section->raw, section->bytes, section->references, section->before);
}

/* Of the block's phrases, the runs to pages in the sample; those to a page that directly follow one another are one. */
static void find_sampled(struct writer *writer)
{
    struct ol_reference *const runs = writer->sampled_run;
    uint32_t count = 0;
    for (uint32_t phrase = 0; phrase < writer->phrases; phrase++) {
        const uint32_t first = count;
        for (uint32_t i = writer->first_run[phrase]; i < writer->first_run[phrase + 1]; i++) {
            struct ol_reference run = writer->run[i];
            if (!ol_native_sampler_wants(writer->sampler, &run.va)) continue;
            if (count > first && runs[count - 1].va == run.va && runs[count - 1].count <= UINT32_MAX - run.count)
                runs[count - 1].count += run.count;
            else runs[count++] = run;
        }
        writer->sampled[phrase] = (struct sampled){first, count - first};
        const uint64_t bit = UINT64_C(1) << phrase % 64;
        if (count > first) writer->is_sampled[phrase / 64] |= bit;
        else writer->is_sampled[phrase / 64] &= ~bit;
    }
}

static void put_sampled(struct writer *writer, ol_va va, uint64_t count)
{
    for (uint32_t part; count > 0; count -= part) {
        part = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
        if (writer->sampler->next == writer->sampler->full) write_sample(writer);
        ol_native_sampler_add(writer->sampler, va, part);
    }
}

/* Adds what the block has of references to the sample. */
static void sample_block(struct writer *writer)
{
    const struct ol_reference *const runs = writer->sampled_run;
    const struct sampled *const sampled = writer->sampled;
    const uint64_t *const is_sampled = writer->is_sampled;
    const uint32_t *const tokens = writer->shared.token, *const end = tokens + writer->shared.tokens;
    uint32_t used = 0;
    uint64_t count = 0; /* of references to `va`, not yet added */
    ol_va va = 0;
    find_sampled(writer);
    for (const uint32_t *token = tokens; token < end; token++) {
        if (*token == OL_NATIVE_EVENT) continue;
        const uint32_t phrase = *token == OL_NATIVE_NEW_PHRASE ? used++ : *token - OL_NATIVE_FIRST_PHRASE;
        if (!(is_sampled[phrase / 64] >> phrase % 64 & 1)) continue;
        const uint32_t first = sampled[phrase].first, behind = first + sampled[phrase].count;
        for (uint32_t k = first; k < behind; k++) {
            if (runs[k].va != va) {
                put_sampled(writer, va, count);
                va = runs[k].va;
                count = 0;
            }
            count += runs[k].count;
        }
    }
    put_sampled(writer, va, count);
}

static void end_block(struct writer *writer)
{
    unsigned char *at = writer->raw;
    const bool narrow = writer->phrases + OL_NATIVE_FIRST_PHRASE <= 0x10000;
    if (writer->shared.tokens == 0) return;
    note_in_index(writer, &writer->blocks, writer->references);
    for (int i = 0; i < OL_PHRASE_STREAMS; i++, at += 4) ol_put32(at, (uint32_t)writer->definitions.bytes[i]);
    ol_put32(at, (uint32_t)writer->event_bytes);
    ol_put32(at + 4, writer->shared.tokens);
    ol_put32(at + 8, narrow ? 2 : 4);
    at += 12;
    for (int i = 0; i < OL_PHRASE_STREAMS; at += writer->definitions.bytes[i++])
        memcpy(at, writer->definitions.stream[i], writer->definitions.bytes[i]);
    memcpy(at, writer->events, writer->event_bytes);
    at += writer->event_bytes;
    at += put_tokens(writer->shared.token, writer->shared.tokens, at, narrow);
    write_section(writer, OL_NATIVE_BLOCK, writer->raw, (size_t)(at - writer->raw), writer->shared.block_references,
                  writer->references);
    writer->references += writer->shared.block_references;
    sample_block(writer);
    writer->shared.block++;
    writer->phrases = writer->runs = writer->shared.tokens = 0;
    writer->shared.block_references = 0;
    ol_phrase_writer_reset(&writer->definitions);
    writer->event_bytes = 0;
}

static void put_event(struct writer *writer, uint8_t kind, uint64_t value, uint32_t count)
{
    unsigned char *at = writer->events + writer->event_bytes;
    *at++ = kind;
    at = ol_varint_put(at, value);
    if (kind != OL_NATIVE_THREAD) at = ol_varint_put(at, count);
    writer->event_bytes = (size_t)(at - writer->events);
    writer->shared.token[writer->shared.tokens++] = OL_NATIVE_EVENT;
}

/* Makes sure that there is room for so many runs, or an event, and for their token. Each block says its thread. */
static void need_room(struct writer *writer, uint32_t runs)
{
    if (writer->shared.tokens + 2 > OL_NATIVE_TOKENS_MAX || writer->runs + runs > OL_NATIVE_RUNS_MAX ||
        writer->phrases == OL_NATIVE_PHRASES_MAX || writer->event_bytes + (size_t)2 * EVENT_BYTES_MAX > EVENTS_MAX)
        end_block(writer);
    if (writer->shared.tokens == 0 && writer->thread != 0) put_event(writer, OL_NATIVE_THREAD, writer->thread, 0);
}

/* There is room for it: need_room() was asked. The block does not end, so that the phrase's number stays valid. */
static void put_token(struct writer *writer, uint32_t token, uint32_t phrase)
{
    writer->shared.token[writer->shared.tokens++] = token;
    writer->shared.block_references += writer->shared.phrase_references[phrase];
}

/* The slot of the phrase with these runs; if the block has none such, the free one that is for it. */
static struct slot *find_phrase(const struct writer *writer, const struct ol_reference *runs, uint32_t count)
{
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++) {
        hash ^= runs[i].va >> writer->shift ^ (uint64_t)runs[i].count << 44 ^ (uint64_t)runs[i].access << 60;
        hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    }
    for (size_t at = hash >> 32;; at++) {
        struct slot *const slot = &writer->slots[at % SLOTS];
        if (slot->block != writer->shared.block) return slot;
        const uint32_t first = writer->first_run[slot->phrase];
        if (writer->first_run[slot->phrase + 1] - first == count &&
            memcmp(writer->run + first, runs, count * sizeof *runs) == 0)
            return slot;
    }
}

/* The runs are the last ones of writer->run. */
static uint32_t add_phrase(struct writer *writer, struct slot *slot, uint32_t count)
{
    const struct ol_reference *const runs = writer->run + writer->runs;
    const uint32_t phrase = writer->phrases++;
    uint64_t references = 0;
    for (uint32_t i = 0; i < count; i++) references += runs[i].count;
    ol_phrase_writer_add(&writer->definitions, runs, count);
    writer->runs += count;
    writer->first_run[writer->phrases] = writer->runs;
    *slot = (struct slot){phrase, writer->shared.block};
    writer->shared.phrase_references[phrase] = references;
    put_token(writer, OL_NATIVE_NEW_PHRASE, phrase);
    return phrase;
}

uint32_t ol_native_phrase(struct ol_native_writer *shared, const struct ol_reference *runs, uint32_t count)
{
    struct writer *const writer = (struct writer *)shared;
    assert(count > 0 && count <= OL_NATIVE_PHRASE_RUNS_MAX);
    need_room(writer, count);
    struct ol_reference *const kept = writer->run + writer->runs;
    for (uint32_t i = 0; i < count; i++)
        kept[i] = (struct ol_reference){
            .va = runs[i].va >> writer->shift << writer->shift, .access = runs[i].access, .count = runs[i].count};
    struct slot *const slot = find_phrase(writer, kept, count);
    if (slot->block != writer->shared.block) return add_phrase(writer, slot, count);
    put_token(writer, slot->phrase + OL_NATIVE_FIRST_PHRASE, slot->phrase);
    return slot->phrase;
}

void ol_native_end_block(struct ol_native_writer *writer)
{
    end_block((struct writer *)writer);
}

void ol_native_thread(struct ol_native_writer *shared, uint16_t thread)
{
    struct writer *const writer = (struct writer *)shared;
    if (thread == writer->thread) return;
    need_room(writer, 0);
    writer->thread = thread;
    put_event(writer, OL_NATIVE_THREAD, thread, 0);
}

void ol_native_append(struct ol_native_writer *shared, const struct ol_reference *reference)
{
    struct writer *const writer = (struct writer *)shared;
    if (reference->event == OL_TRACE_REFERENCE) {
        ol_native_phrase(shared, reference, 1);
        return;
    }
    need_room(writer, 0);
    put_event(writer, reference->event, reference->va, reference->count);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void release(struct writer *writer)
{
    ZSTD_freeCCtx(writer->zstd);
    free(writer->shared.phrase_references);
    ol_phrase_writer_release(&writer->definitions);
    free(writer->events);
    free(writer->shared.token);
    free(writer->raw);
    free(writer->packed);
    free(writer->run);
    free(writer->first_run);
    free(writer->slots);
    ol_native_sampler_destroy(writer->sampler);
    free(writer->sampled);
    free(writer->sampled_run);
    free(writer->blocks.entries);
    free(writer->samples.entries);
    free(writer);
}

static bool allocate(struct writer *writer)
{
    writer->shared.phrase_references = malloc(OL_NATIVE_PHRASES_MAX * sizeof *writer->shared.phrase_references);
    const bool good = ol_phrase_writer_init(&writer->definitions, writer->shift);
    writer->events = malloc(EVENTS_MAX);
    writer->shared.token = malloc(OL_NATIVE_TOKENS_MAX * sizeof *writer->shared.token);
    writer->raw = malloc(OL_NATIVE_RAW_MAX);
    writer->run = malloc(OL_NATIVE_RUNS_MAX * sizeof *writer->run);
    writer->first_run = calloc(OL_NATIVE_PHRASES_MAX + 1, sizeof *writer->first_run);
    writer->slots = calloc(SLOTS, sizeof *writer->slots);
    writer->sampler = ol_native_sampler_create(writer->shift);
    writer->sampled = malloc(OL_NATIVE_PHRASES_MAX * sizeof *writer->sampled);
    writer->sampled_run = malloc(OL_NATIVE_RUNS_MAX * sizeof *writer->sampled_run);
    writer->zstd = ZSTD_createCCtx();
    return good && writer->shared.phrase_references && writer->events && writer->shared.token && writer->raw &&
           writer->run && writer->first_run && writer->slots && writer->sampler && writer->sampled &&
           writer->sampled_run && writer->zstd;
}

_Static_assert(OL_NATIVE_RUNS_MAX *OL_PHRASE_RUN_BYTES_MAX + EVENTS_MAX + OL_NATIVE_TOKENS_MAX * 4 +
                       OL_NATIVE_SECTIONS_BYTES <=
                   OL_NATIVE_RAW_MAX,
               "a block of all that is allowed");

struct ol_native_writer *ol_native_create(const char *path, unsigned shift)
{
    struct writer *const writer = calloc(1, sizeof *writer);
    if (!writer) return NULL;
    writer->shift = shift;
    writer->shared.block = 1;
    if (!allocate(writer)) {
        release(writer);
        errno = ENOMEM;
        return NULL;
    }
    writer->fd =
        strcmp(path, "-") == 0 ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->fd < 0) {
        const int cause = errno;
        release(writer);
        errno = cause;
        return NULL;
    }
    unsigned char header[OL_NATIVE_FILE_HEADER_BYTES] = OL_NATIVE_MAGIC;
    ol_put32(header + 8, OL_NATIVE_VERSION);
    ol_put32(header + 12, shift);
    ol_put32(header + 20, (uint32_t)crc32(0, header, 20));
    write_bytes(writer, header, sizeof header);
    return &writer->shared;
}

/* The blocks, and behind them the parts of the sample. */
static void write_index(struct writer *writer)
{
    const size_t blocks = writer->blocks.bytes, samples = writer->samples.bytes;
    unsigned char *const entries = malloc(blocks + samples + 1);
    if (!entries) {
        writer->error = ENOMEM;
        return;
    }
    if (blocks) memcpy(entries, writer->blocks.entries, blocks);
    if (samples) memcpy(entries + blocks, writer->samples.entries, samples);
    write_section(writer, OL_NATIVE_INDEX, entries, blocks + samples, writer->references,
                  samples / OL_NATIVE_INDEX_ENTRY_BYTES);
    free(entries);
}

bool ol_native_finish(struct ol_native_writer *shared)
{
    struct writer *const writer = (struct writer *)shared;
    unsigned char trailer[OL_NATIVE_TRAILER_BYTES];
    end_block(writer);
    write_sample(writer);
    ol_put64(trailer, writer->offset);
    write_index(writer);
    ol_put32(trailer + 8, (uint32_t)crc32(0, trailer, 8));
    ol_put32(trailer + 12, OL_NATIVE_TRAILER);
    write_bytes(writer, trailer, sizeof trailer);
    if (close(writer->fd) != 0 && !writer->error) writer->error = errno;
    const int cause = writer->error;
    release(writer);
    errno = cause;
    return cause == 0;
}
