/* SPDX-License-Identifier: MIT */
/*
 * Reads traces of memory references, as a stream in constant memory.
 *
 * Formats, found out from the first bytes or the first line that is no comment, or told:
 *   native   what `onelevel record` writes: docs/trace-format.md
 *   lackey   valgrind --tool=lackey --trace-mem=yes: "I  ADDRESS,SIZE" (instruction), " L …" (load), " S …" (store),
 *            " M …" (modify: one reference that writes); valgrind's own lines ("==…", "--…", "**…") are passed over
 *   pages    one hexadecimal page number a line, with or without "0x"; "#" begins a comment; every reference reads
 *   din      Dinero's: a label (0 read, 1 write, 2 instruction fetch) and a hexadecimal address a line
 *   csv      a first line "time,page,size" or "time,page,size,access"; decimal page numbers
 *   oracleGeneral  libCacheSim's records of 24 bytes, of which nothing but the file's name tells what they are
 * Each plain, or compressed by gzip or zstd.
 *
 * A reference that straddles page boundaries counts once for each page that it touches.
 */
#ifndef OL_TRACE_READER_H
#define OL_TRACE_READER_H

#include "core/types.h"

/* What a record of a trace is about. A reader that was not asked for events gives references alone. */
enum ol_trace_event {
    OL_TRACE_REFERENCE,
    OL_TRACE_MAP,       /* from va on, `count` pages were mapped */
    OL_TRACE_UNMAP,     /* … were unmapped */
    OL_TRACE_BREAK,     /* the program's break is now va; the first one in a trace tells where it begins */
    OL_TRACE_MAP_PLAIN, /* … were mapped: anonymous private memory, placed by the kernel, no stack and no code */
    OL_TRACE_MOVE,      /* … move to where the next event maps, OL_TRACE_MAP, maybe more or fewer pages */
    OL_TRACE_DISCARD,   /* … lost their contents */
    OL_TRACE_EVENTS
};

/* `count` references alike, one directly after the other: the same thread's, to the same page, with the same access. A
 * simulator that counts them one by one and one that takes them at once come to the same result. */
struct ol_reference {
    ol_va va;        /* of its first byte in this page; for page lists, of the page */
    uint8_t access;  /* OL_READ, OL_WRITE or OL_EXEC; 0 for events */
    uint8_t event;   /* enum ol_trace_event */
    uint16_t thread; /* from 0, in order of creation */
    uint32_t count;  /* of a reference: at least 1 */
};

enum ol_trace_format {
    OL_TRACE_DETECT,
    OL_TRACE_NATIVE,
    OL_TRACE_LACKEY,
    OL_TRACE_PAGES,
    OL_TRACE_DIN,
    OL_TRACE_CSV,
    OL_TRACE_ORACLE_GENERAL,
    OL_TRACE_FORMATS
};

/* What people call a format; that of OL_TRACE_DETECT is "unknown". */
extern const char *const ol_trace_format_names[OL_TRACE_FORMATS];

/* The format with that name; OL_TRACE_DETECT if there is none. */
enum ol_trace_format ol_trace_format_find(const char *name);

struct ol_trace_options {
    enum ol_trace_format format;
    unsigned page_shift; /* log2 of the page size in bytes, 9 .. 30 */
    ol_va last_va;       /* a reference beyond it is an error */
    bool events;         /* give events, too; only the native format has them */
};

enum ol_trace_status {
    OL_TRACE_OK,
    OL_TRACE_E_OPEN,
    OL_TRACE_E_READ,   /* also damaged or truncated compressed data */
    OL_TRACE_E_FORMAT, /* a line or a record is malformed */
    OL_TRACE_E_MEMORY,
};

/* One line yields at most so many references; also the least that ol_trace_read must have room for. */
enum { OL_TRACE_LINE_REFERENCES = 256 };

struct ol_trace;

/* Opens a trace, "-" for standard input. On failure *out is NULL and `message` (cut to message_bytes) tells people what
 * is wrong, beginning with the name of the file. */
enum ol_trace_status ol_trace_open(const char *path, const struct ol_trace_options *options, struct ol_trace **out,
                                   char *message, size_t message_bytes);
void ol_trace_close(struct ol_trace *trace);

/* Stores the next references, up to `max` >= OL_TRACE_LINE_REFERENCES. *count 0 with OL_TRACE_OK is the end of the
 * trace. On failure *count references before the bad line are good, and ol_trace_message tells people what is wrong:
 * file, line, and what was expected. */
enum ol_trace_status ol_trace_read(struct ol_trace *trace, struct ol_reference *references, size_t max, size_t *count);

/* The next references as a batch of pages by number, which is good until the next call; batch->count 0 with OL_TRACE_OK
 * is the end. For traces opened without events; always with the same numbering. OL_TRACE_E_MEMORY: also if there are
 * more pages than the numbering takes. */
struct ol_batch;
struct ol_numbering;
enum ol_trace_status ol_trace_read_batch(struct ol_trace *trace, struct ol_numbering *numbering,
                                         struct ol_batch *batch);

/* Before anything is read: passes over what comes before that reference (from 0), events included, as far as that needs
 * no reading. *before gets how many references were passed over: 0 in forms without an index, and in pipes. */
enum ol_trace_status ol_trace_seek(struct ol_trace *trace, uint64_t reference, uint64_t *before);

/* Before anything is read, of a trace opened without events: from then on ol_trace_read gives the sample of its pages
 * that the trace carries of itself (trace/page_sample.h: those in the sample of rate OL_PAGE_SAMPLE_NATIVE): references
 * to them, without telling access and thread; those to a page that directly follow one another in the sample are one.
 * *references gets how many references the whole trace has. False: there is none of pages of this size, or it cannot be
 * reached, as in a pipe; nothing has changed. */
bool ol_trace_sample(struct ol_trace *trace, uint64_t *references);

/* Of the last failure. */
const char *ol_trace_message(const struct ol_trace *trace);

/* The format, as far as it is known; OL_TRACE_DETECT before the first reference of a text. */
enum ol_trace_format ol_trace_format(const struct ol_trace *trace);

/* log2 of the size of the pages that the trace tells apart; 0 if it has addresses. Valid once the format is known. */
unsigned ol_trace_shift(const struct ol_trace *trace);

#endif
