/* SPDX-License-Identifier: MIT */
/*
 * Reads the native format's blocks: each is decompressed as a whole, and its phrases are unfolded.
 */
#include "trace/native_block.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "trace/native_phrases.h"
#include "trace/varint.h"

static enum ol_trace_status fail(const struct ol_native *native, enum ol_trace_status status, const char *what)
{
    snprintf(native->message, native->message_bytes, "%s: offset %llu: %s", native->name,
             (unsigned long long)native->at, what);
    return status;
}

enum ol_trace_status ol_native_damaged(const struct ol_native *native, const char *what)
{
    return fail(native, OL_TRACE_E_FORMAT, what);
}

enum ol_trace_status ol_native_unreadable(const struct ol_native *native)
{
    return fail(native, OL_TRACE_E_READ, strerror(errno));
}

enum ol_trace_status ol_native_no_memory(const struct ol_native *native)
{
    return fail(native, OL_TRACE_E_MEMORY, "no memory to read it with");
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* Reads exactly so many bytes. */
static enum ol_trace_status read_bytes(struct ol_native *native, unsigned char *to, size_t bytes)
{
    size_t done = native->early_end - native->early_at;
    if (done > bytes) done = bytes;
    if (done) memcpy(to, native->early + native->early_at, done);
    native->early_at += done;
    while (done < bytes) {
        size_t count;
        const enum ol_source_status status = ol_source_read(native->source, (char *)to + done, bytes - done, &count);
        if (status == OL_SOURCE_E_READ) return ol_native_unreadable(native);
        if (status == OL_SOURCE_E_MEMORY) return ol_native_no_memory(native);
        if (status == OL_SOURCE_E_CORRUPT) return fail(native, OL_TRACE_E_READ, "the compression around it is damaged");
        if (status != OL_SOURCE_OK || count == 0) {
            native->at = native->offset + done;
            return fail(native, OL_TRACE_E_READ, "the trace ends too early: the file is truncated");
        }
        done += count;
    }
    native->offset += bytes;
    return OL_TRACE_OK;
}

/* Makes a buffer, of which `room` bytes are there, that large. False without memory. */
static bool grow(void *buffer, size_t *room, size_t bytes)
{
    void **const place = buffer;
    if (bytes <= *room) return true;
    void *const larger = realloc(*place, bytes);
    if (!larger) return false;
    *place = larger;
    *room = bytes;
    return true;
}

/* --- a block ------------------------------------------------------------------------------------------------------ */

/* How many tokens name a phrase for the first time. */
static uint32_t first_uses(const struct ol_native *native)
{
    uint32_t count = 0;
    if (native->token_bytes == 2)
        for (size_t i = 0; i < native->tokens; i++) count += ol_get16(native->token + 2 * i) == OL_NATIVE_NEW_PHRASE;
    else
        for (size_t i = 0; i < native->tokens; i++) count += ol_get32(native->token + 4 * i) == OL_NATIVE_NEW_PHRASE;
    return count;
}

static enum ol_trace_status senseless(const struct ol_native *native)
{
    return ol_native_damaged(native, "the contents of the block make no sense");
}

/* Of a block that is decompressed. */
static enum ol_trace_status get_sections(struct ol_native *native, size_t bytes)
{
    uint32_t stream_bytes[OL_PHRASE_STREAMS];
    uint64_t end = OL_NATIVE_SECTIONS_BYTES;
    if (bytes < end) return senseless(native);
    const unsigned char *at = native->raw;
    for (int i = 0; i < OL_PHRASE_STREAMS; i++, at += 4) end += stream_bytes[i] = ol_get32(at);
    const uint64_t phrases_end = end, events_end = end + ol_get32(at);
    native->tokens = ol_get32(at + 4);
    native->token_bytes = ol_get32(at + 8);
    if ((native->token_bytes != 2 && native->token_bytes != 4) || native->tokens > OL_NATIVE_TOKENS_MAX ||
        stream_bytes[OL_PHRASE_HEADS] > OL_NATIVE_RUNS_MAX ||
        events_end + (uint64_t)native->tokens * native->token_bytes != bytes)
        return senseless(native);
    native->event = native->raw + phrases_end;
    native->events_end = native->token = native->raw + events_end;
    native->thread = 0;
    if (!grow(&native->runs, &native->runs_room, stream_bytes[OL_PHRASE_HEADS] * sizeof *native->runs) ||
        !grow(&native->phrases, &native->phrases_room, stream_bytes[OL_PHRASE_LENGTHS] * sizeof *native->phrases))
        return ol_native_no_memory(native);
    const bool good = ol_phrases_get(native, native->raw + OL_NATIVE_SECTIONS_BYTES, stream_bytes);
    return good && first_uses(native) == native->defined ? OL_TRACE_OK : senseless(native);
}

/* --- sections of the file ----------------------------------------------------------------------------------------- */

/* Can it be the header of a section? How large an index is must be asked before, too. */
static bool header_fits(const unsigned char *header)
{
    const uint32_t magic = ol_get32(header), packed = ol_get32(header + 8), raw = ol_get32(header + 12);
    if (packed > ZSTD_COMPRESSBOUND((size_t)raw)) return false;
    return magic == OL_NATIVE_INDEX ||
           ((magic == OL_NATIVE_BLOCK || magic == OL_NATIVE_SAMPLE) && raw <= OL_NATIVE_RAW_MAX);
}

/* Reads what a header describes, without decompressing it. */
static enum ol_trace_status read_packed(struct ol_native *native, const unsigned char *header)
{
    const size_t packed = ol_get32(header + 8);
    if (!grow(&native->packed, &native->packed_room, packed)) return ol_native_no_memory(native);
    const enum ol_trace_status status = read_bytes(native, native->packed, packed);
    if (status != OL_TRACE_OK) return status;
    const uLong sum = crc32(crc32(0, header + 8, OL_NATIVE_BLOCK_HEADER_BYTES - 8), native->packed, (uInt)packed);
    return ol_get32(header + 4) == (uint32_t)sum
               ? OL_TRACE_OK
               : ol_native_damaged(native, "a block is damaged: its checksum is wrong");
}

static enum ol_trace_status decompress(struct ol_native *native, const unsigned char *header, size_t *raw_bytes)
{
    enum ol_trace_status status = read_packed(native, header);
    *raw_bytes = ol_get32(header + 12);
    if (status != OL_TRACE_OK) return status;
    if (!grow(&native->raw, &native->raw_room, *raw_bytes)) return ol_native_no_memory(native);
    const size_t got = ZSTD_decompress(native->raw, native->raw_room, native->packed, ol_get32(header + 8));
    return got == *raw_bytes ? OL_TRACE_OK
                             : ol_native_damaged(native, "a block is damaged: it does not decompress to its size");
}

static enum ol_trace_status read_header(struct ol_native *native, unsigned char header[OL_NATIVE_BLOCK_HEADER_BYTES])
{
    native->at = native->offset;
    const enum ol_trace_status status = read_bytes(native, header, OL_NATIVE_BLOCK_HEADER_BYTES);
    if (status != OL_TRACE_OK || header_fits(header)) return status;
    return ol_native_damaged(native, "the header of a block is damaged");
}

enum ol_trace_status ol_native_read_sample(struct ol_native *native, unsigned char header[OL_NATIVE_BLOCK_HEADER_BYTES],
                                           size_t *raw_bytes)
{
    const enum ol_trace_status status = read_header(native, header);
    if (status != OL_TRACE_OK) return status;
    if (ol_get32(header) != OL_NATIVE_SAMPLE)
        return ol_native_damaged(native, "the index names a sample where there is none");
    return decompress(native, header, raw_bytes);
}

/* What stands behind the last block. */
static enum ol_trace_status read_end(struct ol_native *native, const unsigned char *header)
{
    unsigned char trailer[OL_NATIVE_TRAILER_BYTES];
    const uint64_t begin = native->at, entries = native->blocks + native->samples;
    size_t bytes;
    if (ol_get32(header + 12) != OL_NATIVE_INDEX_ENTRY_BYTES * entries || ol_get64(header + 24) != native->samples)
        return ol_native_damaged(native, "the index names another number of blocks than there are");
    enum ol_trace_status status = decompress(native, header, &bytes);
    if (status != OL_TRACE_OK) return status;
    if (ol_get64(header + 16) != native->references)
        return ol_native_damaged(
            native, "the index tells another number of references than the blocks hold: blocks are missing");
    native->at = native->offset;
    status = read_bytes(native, trailer, sizeof trailer);
    if (status != OL_TRACE_OK) return status;
    if (ol_get64(trailer) != begin || ol_get32(trailer + 12) != OL_NATIVE_TRAILER ||
        ol_get32(trailer + 8) != (uint32_t)crc32(0, trailer, 8))
        return ol_native_damaged(native, "the end of the file is damaged");
    native->at_end = true;
    return OL_TRACE_OK;
}

/* The header of the next section that is no part of the sample; those are passed over. */
static enum ol_trace_status pass_samples(struct ol_native *native, unsigned char header[OL_NATIVE_BLOCK_HEADER_BYTES])
{
    enum ol_trace_status status;
    while ((status = read_header(native, header)) == OL_TRACE_OK && ol_get32(header) == OL_NATIVE_SAMPLE) {
        status = read_packed(native, header);
        if (status != OL_TRACE_OK) break;
        native->samples++;
    }
    return status;
}

/* Reads the next block, or the end. */
enum ol_trace_status ol_native_read_block(struct ol_native *native)
{
    unsigned char header[OL_NATIVE_BLOCK_HEADER_BYTES];
    size_t bytes;
    native->at = native->offset;
    if (native->blocks > 0 && native->block_references != 0)
        return ol_native_damaged(native, "the block before holds fewer references than its header says");
    enum ol_trace_status status = pass_samples(native, header);
    if (status != OL_TRACE_OK) return status;
    if (ol_get32(header) == OL_NATIVE_INDEX) return read_end(native, header);
    status = decompress(native, header, &bytes);
    if (status != OL_TRACE_OK) return status;
    if (ol_get64(header + 24) != native->references)
        return ol_native_damaged(native, "a block is missing before this one");
    native->block_references = ol_get64(header + 16);
    native->references += native->block_references;
    native->blocks++;
    return get_sections(native, bytes);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* Stores an event, if it is wanted. False: it makes no sense. */
bool ol_native_take_event(struct ol_native *native, struct ol_reference *to, size_t *count)
{
    uint64_t value, pages = 0;
    if (native->event == native->events_end) return false;
    const uint8_t kind = *native->event++;
    if (kind >= OL_TRACE_EVENTS || !ol_varint_get(&native->event, native->events_end, &value)) return false;
    if (kind == OL_NATIVE_THREAD) {
        native->thread = (uint16_t)value;
        return value <= UINT16_MAX;
    }
    if (!ol_varint_get(&native->event, native->events_end, &pages) || pages > UINT32_MAX) return false;
    if (to && native->options.events)
        to[(*count)++] =
            (struct ol_reference){.va = value, .event = kind, .thread = native->thread, .count = (uint32_t)pages};
    return true;
}

/* --- the index ---------------------------------------------------------------------------------------------------- */

bool ol_native_move(struct ol_native *native, uint64_t offset)
{
    native->early_at = native->early_end;
    native->offset = native->at = offset;
    return ol_source_seek(native->source, offset);
}

bool ol_native_read_index(struct ol_native *native, struct ol_native_index *index)
{
    unsigned char trailer[OL_NATIVE_TRAILER_BYTES], header[OL_NATIVE_BLOCK_HEADER_BYTES];
    const uint64_t bytes = ol_source_bytes(native->source);
    const uint64_t least = OL_NATIVE_FILE_HEADER_BYTES + sizeof header + sizeof trailer;
    if (bytes < least || !ol_native_move(native, bytes - sizeof trailer) ||
        read_bytes(native, trailer, sizeof trailer) != OL_TRACE_OK)
        return false;
    const uint64_t offset = ol_get64(trailer);
    if (ol_get32(trailer + 8) != (uint32_t)crc32(0, trailer, 8) || offset > bytes - sizeof header - sizeof trailer ||
        !ol_native_move(native, offset) || read_header(native, header) != OL_TRACE_OK)
        return false;
    const uint32_t packed = ol_get32(header + 8), raw = ol_get32(header + 12);
    size_t got;
    /* What it names begins with a header each. */
    if (ol_get32(header) != OL_NATIVE_INDEX || packed > bytes || raw % OL_NATIVE_INDEX_ENTRY_BYTES != 0 ||
        raw / OL_NATIVE_INDEX_ENTRY_BYTES > bytes / OL_NATIVE_BLOCK_HEADER_BYTES ||
        decompress(native, header, &got) != OL_TRACE_OK)
        return false;
    const uint64_t entries = got / OL_NATIVE_INDEX_ENTRY_BYTES, samples = ol_get64(header + 24);
    if (samples > entries) return false;
    *index = (struct ol_native_index){(size_t)(entries - samples), (size_t)samples, ol_get64(header + 16)};
    return true;
}

/* How many parts of the sample stand before that block. */
static uint64_t samples_before(const struct ol_native *native, const struct ol_native_index *index, uint64_t offset)
{
    const unsigned char *at = native->raw + OL_NATIVE_INDEX_ENTRY_BYTES * index->blocks;
    uint64_t count = 0;
    for (size_t i = 0; i < index->samples; i++, at += OL_NATIVE_INDEX_ENTRY_BYTES) count += ol_get64(at) < offset;
    return count;
}

enum ol_trace_status ol_native_seek(struct ol_native *native, uint64_t reference, uint64_t *before, char *message,
                                    size_t message_bytes)
{
    struct ol_native_index index;
    native->message = message;
    native->message_bytes = message_bytes;
    *before = 0;
    assert(native->blocks == 0);
    if (ol_source_bytes(native->source) == 0) return OL_TRACE_OK;
    uint64_t offset = OL_NATIVE_FILE_HEADER_BYTES;
    if (ol_native_read_index(native, &index) && index.blocks > 0) {
        size_t low = 0, high = index.blocks;
        while (high - low > 1) { /* the block `low` begins no later than the reference */
            const size_t middle = (low + high) / 2;
            if (ol_get64(native->raw + OL_NATIVE_INDEX_ENTRY_BYTES * middle + 8) <= reference) low = middle;
            else high = middle;
        }
        offset = ol_get64(native->raw + OL_NATIVE_INDEX_ENTRY_BYTES * low);
        native->blocks = low;
        native->samples = samples_before(native, &index, offset);
        native->references = *before = ol_get64(native->raw + OL_NATIVE_INDEX_ENTRY_BYTES * low + 8);
    }
    message[0] = '\0';
    return ol_native_move(native, offset) ? OL_TRACE_OK : ol_native_unreadable(native);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static enum ol_trace_status read_file_header(struct ol_native *native)
{
    unsigned char header[OL_NATIVE_FILE_HEADER_BYTES];
    const enum ol_trace_status status = read_bytes(native, header, sizeof header);
    if (status != OL_TRACE_OK) return status;
    native->shift = ol_get32(header + 12);
    if (ol_get32(header + 20) != (uint32_t)crc32(0, header, 20))
        return ol_native_damaged(native, "the file's header is damaged");
    if (ol_get32(header + 8) != OL_NATIVE_VERSION)
        return ol_native_damaged(native,
                                 "the trace is of another version of the format than 2, the only one known here");
    if (native->shift > 30) return ol_native_damaged(native, "the file's header is damaged");
    if (native->shift > native->options.page_shift)
        return ol_native_damaged(native, "the trace has larger pages than are asked for; record it with --addresses");
    return OL_TRACE_OK;
}

void ol_native_close(struct ol_native *native)
{
    free(native->packed);
    free(native->raw);
    free(native->runs);
    free(native->phrases);
    ol_native_numbers_destroy(native->numbers);
    ol_native_sample_destroy(native->sample);
    free(native);
}

enum ol_trace_status ol_native_open(struct ol_source *source, const char *name, const struct ol_trace_options *options,
                                    const char *read, size_t used, struct ol_native **out, char *message,
                                    size_t message_bytes)
{
    *out = NULL;
    struct ol_native *const native = calloc(1, sizeof *native);
    if (!native) {
        snprintf(message, message_bytes, "%s: no memory to read it with", name);
        return OL_TRACE_E_MEMORY;
    }
    *native = (struct ol_native){.source = source,
                                 .name = name,
                                 .options = *options,
                                 .message = message,
                                 .message_bytes = message_bytes,
                                 .early_end = used};
    assert(used <= sizeof native->early);
    memcpy(native->early, read, used);
    enum ol_trace_status status = read_file_header(native);
    if (status == OL_TRACE_OK) *out = native;
    else ol_native_close(native);
    return status;
}

unsigned ol_native_shift(const struct ol_native *native)
{
    return native->shift;
}
