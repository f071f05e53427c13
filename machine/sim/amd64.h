/* SPDX-License-Identifier: MIT */
/*
 * The AMD64 translation format: four levels of 512 eight-byte entries, 48-bit virtual addresses, pages of 4 KiB, 2 MiB
 * and 1 GiB. Sources: Intel SDM volume 3A, chapter 4 ("4-level paging"); AMD APM volume 2, chapter 5.
 *
 *     address   63 .. 48: copies of bit 47 | 47 .. 39 | 38 .. 30 | 29 .. 21 | 20 .. 12 | 11 .. 0
 *     level                                  3 PML4     2 PDPT     1 PD       0 PT
 *
 *     entry  0 P    present; without it the other bits mean nothing
 *            1 R/W  writable   } a right is granted if all levels grant it
 *            2 U/S  user       }
 *            5 A    accessed: set at every level when a translation uses the entry
 *            6 D    dirty: set in the leaf by a write
 *            7 PS   levels 1 and 2: the entry is the leaf; level 3: reserved; level 0: PAT, of no concern here
 *            51 .. 12 physical address of the next table or of the page; bits from MAXPHYADDR up are reserved, and in
 *                   the leaf of a large page those below the page's size down to 13 (12 is PAT)
 *            63 XD  no instruction fetch, if any level says so; reserved while EFER.NXE is 0
 *            3, 4, 8 .. 11, 52 .. 62: caching, global, ignored
 *
 *     error  0 P: the entry was present · 1 W/R: a write · 2 U/S: from CPL 3 · 3 RSVD: a reserved bit was set ·
 *     code   4 I/D: a fetch, reported only if EFER.NXE or CR4.SMEP is 1
 *
 * Entries are judged from the top down: the first that is not present, or has a reserved bit, ends the walk. Rights are
 * judged last, on the whole path. A faulting access sets no bit.
 */
#ifndef OL_SIM_AMD64_H
#define OL_SIM_AMD64_H

#include "core/types.h"
#include "machine/sim/memory.h"

enum { OL_AMD64_LEVELS = 4, OL_AMD64_INDEX_BITS = 9, OL_AMD64_ENTRIES = 1 << OL_AMD64_INDEX_BITS };

#define OL_AMD64_P       (1ULL << 0)
#define OL_AMD64_RW      (1ULL << 1)
#define OL_AMD64_US      (1ULL << 2)
#define OL_AMD64_A       (1ULL << 5)
#define OL_AMD64_D       (1ULL << 6)
#define OL_AMD64_PS      (1ULL << 7)
#define OL_AMD64_XD      (1ULL << 63)
#define OL_AMD64_ADDRESS 0x000ffffffffff000ULL

#define OL_AMD64_CR0_WP   (1ULL << 16) /* supervisor writes respect R/W */
#define OL_AMD64_CR4_SMEP (1ULL << 20) /* the supervisor fetches nothing from user pages */
#define OL_AMD64_CR4_SMAP (1ULL << 21) /* … and reads and writes them only while EFLAGS.AC is 1 */
#define OL_AMD64_EFER_NXE (1ULL << 11)

enum ol_amd64_error {
    OL_AMD64_PF_P = 1,
    OL_AMD64_PF_WR = 2,
    OL_AMD64_PF_US = 4,
    OL_AMD64_PF_RSVD = 8,
    OL_AMD64_PF_ID = 16
};

/* The state of the processor that decides a translation, besides memory. CR0.PG, CR4.PAE and EFER.LMA are 1. */
struct ol_amd64_control {
    uint64_t cr0, cr3, cr4, efer;
    uint8_t cpl; /* 0 .. 3 */
    bool eflags_ac;
    uint8_t maxphyaddr; /* physical address bits, 32 .. 52 */
};

enum ol_walk_outcome { OL_WALK_OK, OL_WALK_PAGE_FAULT, OL_WALK_GENERAL_PROTECTION };

struct ol_walk {
    enum ol_walk_outcome outcome;
    uint8_t words_read;   /* table words that the walk looked at */
    uint8_t update_count; /* table words that it would set; 0 unless OL_WALK_OK */
    struct {
        uint64_t address, value;
    } updates[OL_AMD64_LEVELS];
    uint32_t error_code; /* OL_WALK_PAGE_FAULT: what the processor pushes; CR2 is the address asked for */
    /* The rest: OL_WALK_OK alone. */
    uint64_t physical;  /* address of the byte */
    uint8_t page_shift; /* 12, 21 or 30 */
    unsigned rights;    /* every kind of access that the path grants under this control state */
    bool dirty;         /* D of the leaf, after the updates */
};

/* Translates `va` for one access (OL_READ, OL_WRITE or OL_EXEC) with empty caches. Changes nothing: the caller carries
 * out the updates. Deterministic: depends on the arguments and the table words alone. */
void ol_amd64_walk(const struct ol_sim_memory *memory, const struct ol_amd64_control *control, ol_va va,
                   unsigned access, struct ol_walk *out);

/* Where in its table the entry for va stands. */
static inline uint64_t ol_amd64_index(ol_va va, unsigned level)
{
    return (va >> (OL_SIM_PAGE_SHIFT + OL_AMD64_INDEX_BITS * level)) & (OL_AMD64_ENTRIES - 1);
}

/* The entry of a user page with these rights, neither accessed nor dirty. A mapping is always readable; no right at all
 * is no entry. */
static inline uint64_t ol_amd64_leaf(ol_frame_no frame, unsigned rights)
{
    return (uint64_t)frame << OL_SIM_PAGE_SHIFT | OL_AMD64_P | OL_AMD64_US | (rights & OL_WRITE ? OL_AMD64_RW : 0) |
           (rights & OL_EXEC ? 0 : OL_AMD64_XD);
}

static inline uint64_t ol_amd64_table(ol_frame_no table)
{
    return (uint64_t)table << OL_SIM_PAGE_SHIFT | OL_AMD64_P | OL_AMD64_RW | OL_AMD64_US;
}

static inline ol_frame_no ol_amd64_frame(uint64_t entry)
{
    return (ol_frame_no)((entry & OL_AMD64_ADDRESS) >> OL_SIM_PAGE_SHIFT);
}

static inline unsigned ol_amd64_rights(uint64_t entry)
{
    return OL_READ | (entry & OL_AMD64_RW ? (unsigned)OL_WRITE : 0) | (entry & OL_AMD64_XD ? 0 : (unsigned)OL_EXEC);
}

#endif
