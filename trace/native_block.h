/* SPDX-License-Identifier: MIT */
/*
 * Blocks of the native format, as its readers see them: what one holds, unfolded by native_read.c into references and
 * by native_batch.c into numbers of pages. Of the two, which share the place in the trace, each may go on where the
 * other stopped.
 *
 * Conditions that hold for all functions: native->message is where a message goes; a failure is final.
 */
#ifndef OL_TRACE_NATIVE_BLOCK_H
#define OL_TRACE_NATIVE_BLOCK_H

#include "trace/native.h"

struct ol_native_phrase {
    uint32_t first, count; /* runs */
};

struct ol_native_numbers;
struct ol_native_sample;

struct ol_native {
    struct ol_source *source;
    const char *name;
    struct ol_trace_options options;
    unsigned shift;
    uint64_t offset; /* of what is read next; without compression around it, in the file */
    uint64_t at;     /* offset of the part that is looked at: for messages */
    uint64_t references, block_references;
    uint64_t blocks, samples; /* that were read, or passed over */
    bool at_end;
    size_t early_at, early_end; /* bytes that were read before */
    unsigned char early[64];

    /* The block. */
    unsigned char *packed, *raw;
    size_t packed_room, raw_room, runs_room, phrases_room; /* bytes */
    struct ol_reference *runs;
    struct ol_native_phrase *phrases;
    uint32_t runs_total;    /* of all phrases */
    uint32_t defined, used; /* phrases: that the block has, that tokens have named */
    const unsigned char *event, *events_end;
    const unsigned char *token;
    uint32_t tokens; /* left */
    unsigned token_bytes;
    struct ol_native_phrase rest; /* of the phrase that did not fit into the last batch */
    uint16_t thread;

    struct ol_native_numbers *numbers; /* what native_batch.c keeps; NULL before it is used */
    struct ol_native_sample *sample;   /* what native_sample.c keeps; NULL: the blocks are read */

    char *message; /* of the call */
    size_t message_bytes;
};

/* Makes a message of what is wrong with the block, and returns OL_TRACE_E_FORMAT. */
enum ol_trace_status ol_native_damaged(const struct ol_native *native, const char *what);

/* Makes a message and returns OL_TRACE_E_MEMORY. */
enum ol_trace_status ol_native_no_memory(const struct ol_native *native);

/* Makes a message of errno, and returns OL_TRACE_E_READ. */
enum ol_trace_status ol_native_unreadable(const struct ol_native *native);

/* Moves to an offset of a file that ol_source_seek can move in. False: errno says why. */
bool ol_native_move(struct ol_native *native, uint64_t offset);

/* Reads a part of the sample: its header, and its contents, decompressed into native->raw. */
enum ol_trace_status ol_native_read_sample(struct ol_native *native, unsigned char header[OL_NATIVE_BLOCK_HEADER_BYTES],
                                           size_t *raw_bytes);

/* Reads the index into native->raw: entries of the blocks, then of the parts of the sample. False: it cannot be found;
 * what is wrong is told when the file is read from its beginning. */
struct ol_native_index {
    size_t blocks, samples;
    uint64_t references;
};
bool ol_native_read_index(struct ol_native *native, struct ol_native_index *index);

/* Reads the next block, or the end. The block's tokens name each of its phrases. */
enum ol_trace_status ol_native_read_block(struct ol_native *native);

/* Takes the next event. If there is `to` and events are wanted, it is stored at to[*count], and
 * counted. False: it makes no sense. */
bool ol_native_take_event(struct ol_native *native, struct ol_reference *to, size_t *count);

/* The token that is `index` < native->tokens further on. */
static inline uint32_t ol_native_token(const struct ol_native *native, uint32_t index)
{
    return native->token_bytes == 2 ? ol_get16(native->token + 2 * (size_t)index)
                                    : ol_get32(native->token + 4 * (size_t)index);
}

static inline void ol_native_skip_tokens(struct ol_native *native, uint32_t count)
{
    native->token += native->token_bytes * (size_t)count;
    native->tokens -= count;
}

/* So many references were unfolded. False: the header of the block promised fewer. */
static inline bool ol_native_account(struct ol_native *native, uint64_t references)
{
    if (references > native->block_references) return false;
    native->block_references -= references;
    return true;
}

/* ol_native_next, of the sample. */
enum ol_trace_status ol_native_next_sampled(struct ol_native *native, struct ol_reference *references, size_t max,
                                            size_t *count);

/* Frees native->sample, which may be NULL. */
void ol_native_sample_destroy(struct ol_native_sample *sample);

/* Frees native->numbers, which may be NULL. */
void ol_native_numbers_destroy(struct ol_native_numbers *numbers);

#endif
