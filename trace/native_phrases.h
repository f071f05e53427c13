/* SPDX-License-Identifier: MIT */
/*
 * The phrases of a block as docs/trace-format.md has them: five streams of bytes, each of one kind, which compress
 * better than one of all kinds.
 */
#ifndef OL_TRACE_NATIVE_PHRASES_H
#define OL_TRACE_NATIVE_PHRASES_H

#include "trace/native_block.h"

enum ol_phrase_stream {
    OL_PHRASE_LENGTHS,   /* runs of each phrase */
    OL_PHRASE_HEADS,     /* of each run */
    OL_PHRASE_COUNTS,    /* that heads have no room for */
    OL_PHRASE_RANKS,     /* of pages among those used last */
    OL_PHRASE_DISTANCES, /* of pages that are none of those */
    OL_PHRASE_STREAMS
};
enum { OL_PHRASE_RUN_BYTES_MAX = 2 + 1 + 5 + 1 + 10 };

/* Pages of a class of references, data or instructions: the one used last is the first; and the last one that was told
 * by its distance. */
enum { OL_PHRASE_RECENT = 16 };
struct ol_phrase_pages {
    uint64_t recent[OL_PHRASE_RECENT];
    uint64_t told;
};

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct ol_phrase_writer {
    unsigned shift;
    struct ol_phrase_pages pages[2]; /* of data, of instructions */
    unsigned char *stream[OL_PHRASE_STREAMS];
    size_t bytes[OL_PHRASE_STREAMS];
};

/* shift: log2 of the trace's pages, 0 for addresses. False without memory; ol_phrase_writer_release all the same. */
bool ol_phrase_writer_init(struct ol_phrase_writer *writer, unsigned shift);
void ol_phrase_writer_release(struct ol_phrase_writer *writer);

/* Begins a new block. */
void ol_phrase_writer_reset(struct ol_phrase_writer *writer);

/* Appends a phrase. A block has OL_NATIVE_RUNS_MAX runs at most. */
void ol_phrase_writer_add(struct ol_phrase_writer *writer, const struct ol_reference *runs, uint32_t count);

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Stores the phrases of the block, and their runs, from streams of so many bytes, one behind the other. There is room
 * for a run for each byte of heads, and for a phrase for each of lengths. False: they make no sense, or more than these
 * phrases stands in them. */
bool ol_phrases_get(struct ol_native *native, const unsigned char *streams, const uint32_t bytes[OL_PHRASE_STREAMS]);

#endif
