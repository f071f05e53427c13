/* SPDX-License-Identifier: MIT */
/*
 * The translation formats of x86: IA-32, PAE, and AMD64 with four and five levels. Which of them is in force, the
 * control registers say, as on the processor. Sources: Intel SDM volume 3A, chapter 4 "Paging" (4.1 modes, 4.3 32-bit,
 * 4.4 PAE, 4.5 4-level and 5-level, 4.6 access rights, 4.7 page-fault exceptions, 4.8 Accessed and Dirty); AMD APM
 * volume 2, chapter 5.
 *
 *     format   entries          address             levels, from the top (bits of the index)
 *     ia32     4 bytes          32                  PD 31..22 · PT 21..12
 *     pae      8 bytes          32                  PDPT 31..30 · PD 29..21 · PT 20..12
 *     amd64    8 bytes          48, sign-extended   PML4 47..39 · PDPT 38..30 · PD 29..21 · PT 20..12
 *     la57     8 bytes          57, sign-extended   PML5 56..48 · and as amd64
 *
 *     entry  0 P    present; without it the other bits mean nothing
 *            1 R/W  writable   } a right is granted if all levels grant it
 *            2 U/S  user       }
 *            5 A    accessed: set at every level when a translation uses the entry
 *            6 D    dirty: set in the leaf by a write
 *            7 PS   the entry maps a page: in a PD (ia32: if CR4.PSE) and in a PDPT of amd64 and la57. PML4, PML5:
 *                   reserved; PT: PAT, of no concern here
 *            8 G    leaf: the translation is global if CR4.PGE
 *            63 XD  8-byte entries: no instruction fetch, if any level says so; reserved while EFER.NXE is 0
 *            address of the next table or of the page: bits 31..12 (ia32), MAXPHYADDR-1..12 (others). A large page
 *                   leaves out those below its size, which are reserved down to bit 13 (12 is PAT). In ia32's pages of
 *                   4 MiB (PSE-36) bits 20..13 are bits 39..32 of the address, bit 21 is reserved, and so are those
 *                   that lie beyond MAXPHYADDR.
 *            reserved from MAXPHYADDR up: to bit 51; in PAE to bit 62. All else is ignored.
 *     PAE's PDPT has four entries that the processor loads with CR3. They grant no rights and have no A; their bits
 *            1, 2, 5..8 and MAXPHYADDR..63 are reserved. The load of CR3 raises #GP where a present one sets such a
 *            bit; as no processor can come to run with it, the walk answers so.
 *
 *     error  0 P: the entry was present · 1 W/R: a write · 2 U/S: from CPL 3 · 3 RSVD: a reserved bit was set ·
 *     code   4 I/D: a fetch, told only with CR4.SMEP, or with CR4.PAE and EFER.NXE
 *
 * Entries are judged from the top down: the first that is not present, or has a reserved bit, ends the walk. Rights are
 * judged last, on the whole path. A faulting access sets no bit: processors may set A in the entries above, the manuals
 * say; here none does.
 */
#ifndef OL_SIM_X86_H
#define OL_SIM_X86_H

#include "machine/sim/walk.h"

#define OL_X86_P       (1ULL << 0)
#define OL_X86_RW      (1ULL << 1)
#define OL_X86_US      (1ULL << 2)
#define OL_X86_A       (1ULL << 5)
#define OL_X86_D       (1ULL << 6)
#define OL_X86_PS      (1ULL << 7)
#define OL_X86_G       (1ULL << 8)
#define OL_X86_XD      (1ULL << 63)
#define OL_X86_ADDRESS 0x000ffffffffff000ULL

#define OL_X86_CR0_PE    (1ULL << 0)
#define OL_X86_CR0_WP    (1ULL << 16) /* supervisor writes respect R/W */
#define OL_X86_CR0_PG    (1ULL << 31) /* translation; without it, addresses of 32 bits are physical */
#define OL_X86_CR4_PSE   (1ULL << 4)
#define OL_X86_CR4_PAE   (1ULL << 5)
#define OL_X86_CR4_PGE   (1ULL << 7)
#define OL_X86_CR4_LA57  (1ULL << 12)
#define OL_X86_CR4_PCIDE (1ULL << 17) /* CR3 11..0 is a tag of the TLB's */
#define OL_X86_CR4_SMEP  (1ULL << 20) /* the supervisor fetches nothing from user pages */
#define OL_X86_CR4_SMAP  (1ULL << 21) /* … and reads and writes them only while EFLAGS.AC is 1 */
#define OL_X86_EFER_LMA  (1ULL << 10) /* 64-bit mode: four levels, or five */
#define OL_X86_EFER_NXE  (1ULL << 11)

enum ol_x86_error { OL_X86_PF_P = 1, OL_X86_PF_WR = 2, OL_X86_PF_US = 4, OL_X86_PF_RSVD = 8, OL_X86_PF_ID = 16 };

/* The state of the processor that decides a translation, besides memory. */
struct ol_x86_control {
    uint64_t cr0, cr3, cr4, efer;
    uint8_t cpl; /* 0 .. 3 */
    bool eflags_ac;
    uint8_t maxphyaddr; /* physical address bits, 32 .. 52 */
};

enum { OL_X86_LEVELS_MAX = 5 };

/* What the formats differ in. Levels count from the leaf's, 0. */
struct ol_x86_format {
    const char *name;
    uint8_t entry_bytes;
    uint8_t address_bits;
    uint8_t levels;
    uint64_t root_bits;  /* of CR3: where the top table is */
    uint64_t above_bits; /* reserved in an entry, if not below MAXPHYADDR */
    struct ol_x86_level {
        const char *name;
        uint8_t shift;      /* log2 of the bytes that an entry covers */
        uint8_t index_bits; /* log2 of the entries of a table */
        bool may_be_leaf;   /* with PS */
        bool loaded;        /* with CR3, as PAE's PDPT: no rights, no A */
        uint64_t reserved;  /* while the entry is no leaf */
    } level[OL_X86_LEVELS_MAX];
};

extern const struct ol_x86_format ol_x86_ia32, ol_x86_pae, ol_x86_amd64, ol_x86_la57;

/* The format that the control registers select; NULL if they select none, as CR0.PG is 0. */
const struct ol_x86_format *ol_x86_format(const struct ol_x86_control *control);

/* Translates `va` for one access (OL_READ, OL_WRITE or OL_EXEC) with empty caches, as walk.h says. */
void ol_x86_walk(const struct ol_words *words, const struct ol_x86_control *control, ol_va va, unsigned access,
                 struct ol_walk *out);

/* Where the entry for va stands in its table. */
static inline uint64_t ol_x86_index(const struct ol_x86_level *level, ol_va va)
{
    return va >> level->shift & ((1ULL << level->index_bits) - 1);
}

#endif
