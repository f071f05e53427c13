/* SPDX-License-Identifier: MIT */
/*
 * What the Valgrind tool tells `onelevel record` through a pipe.
 *
 * Messages of at most PIPE_BUF bytes, so that those of several processes do not mix: a header, then words of 32 bits in
 * the byte order of the machine. The words of one process, in the order of its messages, are a stream of records; a
 * record may go on in the next message. The first word of a record has its type in the upper 4 bits and a value in the
 * others:
 *
 *   EXIT    value: an exit. The straight piece of code that ends there (all parts of its block up to that exit) was
 *           executed, with the keys that its sites have now.
 *   SITE    value: index << 16 | upper 16 bits of the key, then one word, its lower 32 bits: a data part (from 0 in its
 *           block) of the next EXIT's block has this key from now on.
 *   BLOCK   value: number of parts; then a word, the number of its first exit, then 3 words for each part, in the order
 *           of execution: kind << 24 | bytes, and the lower and upper half of the address of an instruction. Exits are
 *           parts, too, and numbered one after the other. A block is never defined again.
 *   THREAD  value: the thread, from 0, of what follows
 *   MAP, MAP_PLAIN, UNMAP, MOVE, DISCARD, BREAK, READ, WRITE
 *           then 4 words: lower and upper half of the address and of the length in bytes. MAP_PLAIN: of anonymous
 * private memory, placed by the kernel, no stack and no code. MOVE: to where the MAP that follows maps. DISCARD: the
 *           contents are gone, the memory is not. READ and WRITE are the kernel's, in a system call.
 *   FORK    then a word, the process that this one is a copy of: its blocks are known, its sites will be told
 *   START   a program begins; after an exec, its exits take the place of those before
 *
 * A key is the sum of the numbers of the pages in which the reference begins and ends (it touches two at most); where
 * addresses are kept, the address.
 */
#ifndef OL_RECORD_WIRE_H
#define OL_RECORD_WIRE_H

enum {
    OL_WIRE_MESSAGE_BYTES = 4096,
    OL_WIRE_TYPE_SHIFT = 28,
    OL_WIRE_INDEX_SHIFT = 16,
    OL_WIRE_KIND_SHIFT = 24,
    OL_WIRE_PARTS_MAX = 512, /* of a block */
    OL_WIRE_PAGE_SHIFT = 12,
};

enum ol_wire_type {
    OL_WIRE_EXIT,
    OL_WIRE_SITE,
    OL_WIRE_BLOCK,
    OL_WIRE_THREAD,
    OL_WIRE_MAP,
    OL_WIRE_UNMAP,
    OL_WIRE_BREAK,
    OL_WIRE_READ,
    OL_WIRE_WRITE,
    OL_WIRE_FORK,
    OL_WIRE_START,
    OL_WIRE_MAP_PLAIN,
    OL_WIRE_MOVE,
    OL_WIRE_DISCARD,
};

enum ol_wire_part { OL_WIRE_PART_INSTRUCTION, OL_WIRE_PART_LOAD, OL_WIRE_PART_STORE, OL_WIRE_PART_EXIT };

struct ol_wire_header {
    unsigned bytes; /* of the whole message; the other fields are of the process */
    int process;
};

#endif
