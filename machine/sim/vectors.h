/* SPDX-License-Identifier: MIT */
/*
 * Test vectors of x86 address translation: text in, agreement or disagreement out.
 *
 *     case N mode ia32|pae|amd64|la57
 *     cr0 X cr3 X cr4 X efer X eflags_ac 0|1 maxphyaddr D
 *     mem ADDRESS VALUE           a nonzero word of 8 bytes of physical memory; all others are 0
 *     access r|w|x cpl 0|3 VA
 *     expect ok ADDRESS | expect pf ERRORCODE CR2 | expect gp 0
 *     after ADDRESS VALUE         a word that the access changes, and its whole new value
 *     may ADDRESS MASK            bits that the access may set, or not
 *     end
 *
 * X, addresses and values are hexadecimal, N and D decimal. Any number of `mem`, `after` and `may` lines, at least one
 * of each other, in this order. Blank lines, and lines from # on, may stand between cases.
 *
 * Conditions that hold for all functions:
 * - The reader gets one line after the other; it needs no file and keeps no more than one case.
 * - A message names what is wrong and what is expected instead, without file and line: who reads knows them.
 */
#ifndef OL_SIM_VECTORS_H
#define OL_SIM_VECTORS_H

#include "machine/sim/x86.h"

struct ol_vector_word {
    uint64_t address, value;
};

/* Words by ascending address, none twice. */
struct ol_vector_words {
    struct ol_vector_word *word;
    size_t count, capacity;
};

struct ol_vector {
    struct ol_words words; /* the memory, as a walk reads it */
    struct ol_vector_words memory, after, may;
    uint64_t number;
    const struct ol_x86_format *format;
    struct ol_x86_control control;
    unsigned access;
    ol_va va;
    enum ol_walk_outcome outcome; /* expected, as is all that follows */
    uint64_t physical;            /* OL_WALK_OK */
    uint64_t error_code, cr2;     /* OL_WALK_PAGE_FAULT */
};

enum ol_vector_status {
    OL_VECTOR_MORE,  /* the case goes on */
    OL_VECTOR_WHOLE, /* the line was the case's last */
    OL_VECTOR_BAD    /* the line makes no sense; the reader is of no further use */
};

enum { OL_VECTOR_MESSAGE_BYTES = 160, OL_VECTOR_LINE_BYTES = 256, OL_VECTOR_WORDS_MAX = 1 << 14 };

/* Zeroed, it is ready for the first line. */
struct ol_vector_reader {
    struct ol_vector vector;               /* valid after OL_VECTOR_WHOLE until the next line */
    unsigned state;                        /* what may come next; 0: a new case */
    char message[OL_VECTOR_MESSAGE_BYTES]; /* after OL_VECTOR_BAD */
};

/* Takes a line of `bytes` bytes, without its newline. */
enum ol_vector_status ol_vector_line(struct ol_vector_reader *reader, const char *line, size_t bytes);

/* True if a case has begun and not ended. */
static inline bool ol_vector_is_open(const struct ol_vector_reader *reader)
{
    return reader->state != 0;
}

void ol_vector_reader_close(struct ol_vector_reader *reader);

/* True if the walk does what the case expects; otherwise `message` names the first difference. */
bool ol_vector_check(const struct ol_vector *vector, char message[OL_VECTOR_MESSAGE_BYTES]);

#endif
