/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words (wire.h) on their way from the program to `onelevel record`: a buffer that translated code writes to, too,
 * and the pipe.
 */
#ifndef OL_RECORD_CHANNEL_H
#define OL_RECORD_CHANNEL_H

#include "pub_tool_basics.h"

#include "record/wire.h"

enum { OL_CHANNEL_WORDS = 1 << 15 };

/* Where the next word goes, and where the last may: who writes more than need_room saw to looks itself. */
extern UInt *ol_channel_at;
extern UInt *const ol_channel_end;

/* Opens the pipe; ends the process, with a message, if that cannot be done. */
void ol_channel_open(const HChar *pipe);

/* Sends what is in the buffer. When nobody listens any more, the program goes on. */
void ol_channel_flush(void);

/* This is the child of a fork, with an empty buffer: what follows is told as its own, or nothing is. */
void ol_channel_forked(Bool told);

/* Makes room. */
void ol_channel_need_room(UInt words);

/* A word of this type, and the range's address and length behind it; makes room for them. */
void ol_channel_put_range(enum ol_wire_type type, Addr address, SizeT bytes);

static inline UInt word(enum ol_wire_type type, UInt value)
{
    return (UInt)type << OL_WIRE_TYPE_SHIFT | value;
}

/* There must be room. */
static inline void put(UInt value)
{
    *ol_channel_at++ = value;
}

static inline void put_wide(ULong value)
{
    put((UInt)value);
    put((UInt)(value >> 32));
}

#endif
