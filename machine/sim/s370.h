/* SPDX-License-Identifier: MIT */
/*
 * Dynamic address translation of System/370: 24-bit addresses, segments of 64 KiB or 1 MiB, pages of 2 or 4 KiB, and a
 * storage key for each block of real storage, which holds protection, reference and change. Source: IBM System/370
 * Principles of Operation, GA22-7000-4 (1975) and -10 (1987), chapters "Storage" and "Dynamic Address Translation".
 * Bits are numbered from the left, and storage is big-endian, as there.
 *
 *     address          8..31 of a word   64 KiB segments: segment 8..15, page 16..19 (4 KiB) or 16..20 (2 KiB)
 *                                        1 MiB segments: segment 8..11, page 12..19 or 12..20
 *     control register 0   8..9 page size: 01 2 KiB, 10 4 KiB · 11..12 segment size: 00 64 KiB, 10 1 MiB
 *     control register 1   0..7 length of the segment table, in 64 bytes, less 1 · 8..25 its address, in 64 bytes
 *     segment entry    4 bytes   0..3 length of the page table, in sixteenths of the longest, less 1 · 4..7 zeros ·
 *                                8..28 its address, in 8 bytes · 29..30 zeros · 31 I invalid
 *     page entry       2 bytes   4 KiB: 0..11 frame, 12 I invalid, 13..14 zeros, 15 for software
 *                                2 KiB: 0..12 frame, 13 I invalid, 14 zero, 15 for software
 *     storage key      0..3 access control · 4 F fetch protection · 5 R reference · 6 C change
 *                      A key in the program's status word of 0 allows everything; one equal to the access control, too;
 *                      any other allows fetches unless F is 1, and no stores. There is no execute right.
 *
 * The error code is that of the program interruption: 4 protection · 5 addressing · 10 segment translation · 11 page
 * translation · 12 translation specification (hexadecimal).
 *
 * Simulated so: keys are for blocks of the page's size (with pages of 4 KiB: the storage-key 4K-byte-block facility;
 * the older machines have two keys a page), and stand as words of 8 bytes, value in the lowest byte, behind real
 * storage, where no address of a program leads. Bits 29 and 30 (segment protection, common segment) and 13..14
 * (extended addresses), installed on some models, are not. A translation specification is told for the segment and page
 * entries' zeros and for the sizes in control register 0. Not confirmed: whether a protection exception leaves R alone;
 * the manual lets a reference that does not happen be recorded; here it is not.
 */
#ifndef OL_SIM_S370_H
#define OL_SIM_S370_H

#include "machine/sim/walk.h"

enum ol_s370_interruption {
    OL_S370_PROTECTION = 0x4,
    OL_S370_ADDRESSING = 0x5,
    OL_S370_SEGMENT = 0x10,
    OL_S370_PAGE = 0x11,
    OL_S370_SPECIFICATION = 0x12
};

#define OL_S370_CR0_2K 0x00400000U
#define OL_S370_CR0_4K 0x00800000U
#define OL_S370_CR0_1M 0x00100000U

/* Of a key's byte. */
enum { OL_S370_ACCESS_SHIFT = 4, OL_S370_F = 8, OL_S370_R = 4, OL_S370_C = 2 };

struct ol_s370_control {
    uint32_t cr0, cr1;
    uint8_t key;        /* of the program status word, 0 .. 15 */
    uint64_t keys;      /* where block 0 has its key */
    uint64_t real_size; /* bytes of real storage; addresses from there on are addressing exceptions */
};

/* Translates `va` for one access (OL_READ, OL_WRITE or OL_EXEC) with empty caches, as walk.h says. */
void ol_s370_walk(const struct ol_words *words, const struct ol_s370_control *control, ol_va va, unsigned access,
                  struct ol_walk *out);

#endif
