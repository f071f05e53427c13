/* SPDX-License-Identifier: MIT */
/*
 * The VAX translation format: 32-bit addresses, pages of 512 bytes, four-byte entries in three page tables.
 * Sources: VAX Architecture Reference Manual (EY-3459E-DP), chapter 4 "Memory Management"; VAX 6000 Series Vector
 * Processor Programmer's Guide, 2.7 (order of the checks); SIMH's vax_mmu.c (which processors check what of a system
 * entry on the way to a process's).
 *
 *     address   31..30 region · 29..9 page number · 8..0 byte
 *               0 P0: the program, from 0 up             table at P0BR, pages 0 .. P0LR-1
 *               1 P1: the stacks, from the top down      table at P1BR, pages P1LR .. 2^21-1
 *               2 S0: the system                         table at SBR, pages 0 .. SLR-1
 *               3 reserved: a length violation
 *     SBR is a physical address. P0BR and P1BR are addresses of S0: process tables are paged, and an entry of theirs is
 *     translated through the system's table first.
 *
 *     entry  31 V    valid
 *            30..27  protection: which modes may read and write (below)
 *            26 M    modified: set by the first write. There is no referenced bit.
 *            25..23  for software
 *            20..0   page frame number
 *
 *     protection code, for write / read by    K kernel, E executive, S supervisor, U user, - nobody
 *            0 -/-  1 reserved  2 K/K  3 -/K  4 U/U  5 E/E  6 K/E  7 -/E  8 S/S  9 E/S  10 K/S  11 -/S  12 S/U  13 E/U
 *            14 K/U  15 -/U     (a more privileged mode may do whatever a less privileged one may)
 *
 * The checks, in this order: length, protection, V. So an entry's protection counts even while it is not valid, and an
 * access that is not allowed is told before the page is brought in. There is no execute right.
 *
 * The error code: the vector, 20 access-control violation or 24 translation not valid, times 256; and the parameter
 * that the processor pushes: 1 length violation · 2 it was the system entry of a process table · 4 a write.
 *
 * A process table's system entry: its length and V are checked, its protection is not (the VAX-11/780 does look at it),
 * and its M is not set when M is set in the table. Not confirmed: code 1, reserved, is refused like 0 here.
 */
#ifndef OL_SIM_VAX_H
#define OL_SIM_VAX_H

#include "machine/sim/walk.h"

#define OL_VAX_V          0x80000000ULL
#define OL_VAX_PROTECTION 0x78000000ULL
#define OL_VAX_M          0x04000000ULL
#define OL_VAX_PFN        0x001fffffULL
#define OL_VAX_S0         0x80000000ULL

enum { OL_VAX_PAGE_SHIFT = 9, OL_VAX_PROTECTION_SHIFT = 27, OL_VAX_ENTRY_BYTES = 4, OL_VAX_REGION_PAGES = 1 << 21 };

enum ol_vax_protection { OL_VAX_UW = 4, OL_VAX_KW = 2, OL_VAX_UR = 15 };
enum ol_vax_mode { OL_VAX_KERNEL, OL_VAX_EXECUTIVE, OL_VAX_SUPERVISOR, OL_VAX_USER };
enum ol_vax_error {
    OL_VAX_ACCESS = 0x2000,
    OL_VAX_NOT_VALID = 0x2400,
    OL_VAX_VECTOR = 0xff00,
    OL_VAX_LENGTH = 1,
    OL_VAX_TABLE = 2,
    OL_VAX_MODIFY = 4
};

struct ol_vax_control {
    uint32_t sbr;        /* physical address of the system's table */
    uint32_t p0br, p1br; /* addresses in S0; p1br is where page 0 of P1 would have its entry */
    uint32_t slr, p0lr, p1lr;
    enum ol_vax_mode mode;
};

/* Translates `va` for one access (OL_READ, OL_WRITE or OL_EXEC) with empty caches, as walk.h says. */
void ol_vax_walk(const struct ol_words *words, const struct ol_vax_control *control, ol_va va, unsigned access,
                 struct ol_walk *out);

#endif
