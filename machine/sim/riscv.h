/* SPDX-License-Identifier: MIT */
/*
 * The RISC-V translation formats Sv39 and Sv48: three and four levels of 512 eight-byte entries, pages of 4 KiB, 2 MiB,
 * 1 GiB (and 512 GiB in Sv48). Source: The RISC-V Instruction Set Manual, volume II: Privileged Architecture, version
 * 20211203, sections 4.1.11 (satp), 4.3.2 (the algorithm), 4.4 (Sv39), 4.5 (Sv48).
 *
 *     address   sv39: 38..30 VPN[2] · 29..21 VPN[1] · 20..12 VPN[0] · 11..0; above, copies of bit 38
 *               sv48: 47..39 VPN[3] before these; above, copies of bit 47
 *
 *     entry  0 V valid · 1 R · 2 W · 3 X: readable, writable, executable; none of the three: the entry names a table ·
 *            4 U user page · 5 G global · 6 A accessed · 7 D dirty · 9..8 for software · 53..10 page number ·
 *            63..54 reserved here (60..54 always; 63 N and 62..61 PBMT while Svnapot and Svpbmt are absent)
 *
 * A page fault comes from an address that is not canonical (unlike x86, where that is no page fault); V=0; W without R;
 * a reserved bit; a table entry at the last level; A, D or U in an entry that names a table (reserved there); a large
 * page whose number has low bits set; a missing right. From U-mode, U must be 1; from S-mode it must be 0 for fetches,
 * and for loads and stores unless SUM is 1. With MXR, executable pages may be loaded from.
 *
 * Where the manual leaves a choice: A and D are set by hardware, in the leaf alone (the other choice is a page fault).
 * Not confirmed on silicon: faulting on A, D and U in an entry that names a table; the algorithm's step 3 demands it of
 * reserved encodings, 4.3.1 asks software to clear them.
 *
 * The error code is the cause that scause tells: 12 fetch, 13 load, 15 store.
 */
#ifndef OL_SIM_RISCV_H
#define OL_SIM_RISCV_H

#include "machine/sim/walk.h"

#define OL_RISCV_V (1ULL << 0)
#define OL_RISCV_R (1ULL << 1)
#define OL_RISCV_W (1ULL << 2)
#define OL_RISCV_X (1ULL << 3)
#define OL_RISCV_U (1ULL << 4)
#define OL_RISCV_G (1ULL << 5)
#define OL_RISCV_A (1ULL << 6)
#define OL_RISCV_D (1ULL << 7)

enum { OL_RISCV_PPN_SHIFT = 10, OL_RISCV_PPN_BITS = 44, OL_RISCV_PAGE_SHIFT = 12, OL_RISCV_INDEX_BITS = 9 };

enum ol_riscv_cause { OL_RISCV_FETCH_FAULT = 12, OL_RISCV_LOAD_FAULT = 13, OL_RISCV_STORE_FAULT = 15 };

struct ol_riscv_control {
    uint64_t root;  /* physical address of the top table: satp.PPN << 12 */
    uint8_t levels; /* 3: Sv39, 4: Sv48 (satp.MODE) */
    bool user;      /* U-mode; otherwise S-mode */
    bool sum, mxr;  /* of sstatus */
};

/* Translates `va` for one access (OL_READ, OL_WRITE or OL_EXEC) with empty caches, as walk.h says. */
void ol_riscv_walk(const struct ol_words *words, const struct ol_riscv_control *control, ol_va va, unsigned access,
                   struct ol_walk *out);

#endif
