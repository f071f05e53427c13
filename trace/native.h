/* SPDX-License-Identifier: MIT */
/*
 * The native format of traces; docs/trace-format.md describes it. Its reader is behind trace/reader.h; this is what
 * reader and writer share, and the writer.
 */
#ifndef OL_TRACE_NATIVE_H
#define OL_TRACE_NATIVE_H

#include <string.h>

#include "trace/numbering.h"
#include "trace/page_sample.h"
#include "trace/reader.h"
#include "trace/source.h"

#define OL_NATIVE_MAGIC "\x89OLT\r\n\x1a\n"
enum {
    OL_NATIVE_VERSION = 2,
    OL_NATIVE_MAGIC_BYTES = 8,
    OL_NATIVE_FILE_HEADER_BYTES = 24,
    OL_NATIVE_BLOCK_HEADER_BYTES = 32,
    OL_NATIVE_TRAILER_BYTES = 16,
    OL_NATIVE_SECTIONS_BYTES = 32,        /* before the sections of a block */
    OL_NATIVE_SAMPLE_SECTIONS_BYTES = 16, /* … of a part of the sample */
    OL_NATIVE_INDEX_ENTRY_BYTES = 16,
    OL_NATIVE_BLOCK = 0x4b4f4c42,  /* "BLOK" */
    OL_NATIVE_SAMPLE = 0x504d4153, /* "SAMP" */
    OL_NATIVE_INDEX = 0x58444e49,  /* "INDX" */
    OL_NATIVE_TRAILER = 0x44454e54 /* "TNED" */
};

/* What one block may hold; a file that says more is damaged. */
enum {
    OL_NATIVE_TOKENS_MAX = 1 << 21,
    OL_NATIVE_PHRASES_MAX = 1 << 18,     /* so that what is known of each fits into a cache */
    OL_NATIVE_RUNS_MAX = 1 << 19,        /* of all its phrases */
    OL_NATIVE_PHRASE_RUNS_MAX = 2048,    /* of one */
    OL_NATIVE_SAMPLE_RUNS_MAX = 1 << 17, /* of a part of the sample */
    OL_NATIVE_RAW_MAX = 1 << 25
};

enum { OL_NATIVE_NEW_PHRASE, OL_NATIVE_EVENT, OL_NATIVE_FIRST_PHRASE }; /* tokens */
enum { OL_NATIVE_THREAD = 0 }; /* an event's kind; others: enum ol_trace_event */

static inline uint16_t ol_get16(const unsigned char *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t ol_get32(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t ol_get64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void ol_put32(unsigned char *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void ol_put64(unsigned char *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* log2 of the size of the pages of which a trace with such pages has a sample. */
static inline unsigned ol_native_sample_shift(unsigned shift)
{
    return shift > OL_PAGE_SAMPLE_NATIVE_SHIFT ? shift : OL_PAGE_SAMPLE_NATIVE_SHIFT;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format's numbers are little-endian");

/* --- reading: for reader.c ---------------------------------------------------------------------------------------- */

struct ol_native;

/* Takes over a source of which `used` bytes were read already. On failure *out is NULL. */
enum ol_trace_status ol_native_open(struct ol_source *source, const char *name, const struct ol_trace_options *options,
                                    const char *read, size_t used, struct ol_native **out, char *message,
                                    size_t message_bytes);
void ol_native_close(struct ol_native *native);
enum ol_trace_status ol_native_next(struct ol_native *native, struct ol_reference *references, size_t max,
                                    size_t *count, char *message, size_t message_bytes);

/* The next references as a batch of up to OL_NUMBERING_BATCH_MAX pages by number, which is good until the next call;
 * batch->count 0 with OL_TRACE_OK is the end. Always with the same numbering. */
enum ol_trace_status ol_native_batch(struct ol_native *native, struct ol_numbering *numbering, struct ol_batch *batch,
                                     char *message, size_t message_bytes);

/* ol_trace_seek. */
enum ol_trace_status ol_native_seek(struct ol_native *native, uint64_t reference, uint64_t *before, char *message,
                                    size_t message_bytes);

/* ol_trace_sample. */
bool ol_native_sample(struct ol_native *native, uint64_t *references);

/* log2 of the size of the pages that it tells apart; 0 if it has addresses. */
unsigned ol_native_shift(const struct ol_native *native);

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* A phrase is a sequence of runs that is written once in a block, and then named by a number. A new block begins when
 * one is full: all phrases are forgotten, and `block` changes. Here is what ol_native_repeat needs; the rest is the
 * writer's own. */
struct ol_native_writer {
    uint32_t block;  /* the number, from 1, of the block that is being written */
    uint32_t tokens; /* of the block so far */
    uint32_t *token;
    uint64_t block_references;   /* of the block so far */
    uint64_t *phrase_references; /* of each phrase of the block */
};

/* Creates the file, "-" for standard output. `shift` is 0 for addresses. NULL: errno says why. */
struct ol_native_writer *ol_native_create(const char *path, unsigned shift);

/* Appends a phrase of 1 .. OL_NATIVE_PHRASE_RUNS_MAX runs, and returns its number, which is valid as long as
 * writer->block stays what it is afterwards: the block before may end first. Of the runs, address, access and count
 * matter. */
uint32_t ol_native_phrase(struct ol_native_writer *writer, const struct ol_reference *runs, uint32_t count);

/* Ends the block. */
void ol_native_end_block(struct ol_native_writer *writer);

/* Appends a phrase once more. May end the block. */
static inline void ol_native_repeat(struct ol_native_writer *writer, uint32_t phrase)
{
    writer->token[writer->tokens++] = phrase + OL_NATIVE_FIRST_PHRASE;
    writer->block_references += writer->phrase_references[phrase];
    if (writer->tokens + 2 > OL_NATIVE_TOKENS_MAX) ol_native_end_block(writer);
}

/* Appends a reference, or an event, as it comes from a reader. Its thread must be told by ol_native_thread. */
void ol_native_append(struct ol_native_writer *writer, const struct ol_reference *reference);
void ol_native_thread(struct ol_native_writer *writer, uint16_t thread);

/* Ends the file and frees the writer. False: it is incomplete, errno says why. */
bool ol_native_finish(struct ol_native_writer *writer);

#endif
