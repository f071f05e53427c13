/* SPDX-License-Identifier: MIT */
/*
 * Entries of the AMD64 format (x86.h) as the simulated machine's tables have them: four levels, user pages of 4 KiB.
 */
#ifndef OL_SIM_AMD64_H
#define OL_SIM_AMD64_H

#include "machine/sim/memory.h"
#include "machine/sim/x86.h"

enum { OL_AMD64_LEVELS = 4, OL_AMD64_INDEX_BITS = 9 };

/* Where in its table the entry for va stands. */
static inline uint64_t ol_amd64_index(ol_va va, unsigned level)
{
    return ol_x86_index(&ol_x86_amd64.level[level], va);
}

/* The entry of a user page with these rights, neither accessed nor dirty. A mapping is always readable; no right at all
 * is no entry. */
static inline uint64_t ol_amd64_leaf(ol_frame_no frame, unsigned rights)
{
    return (uint64_t)frame << OL_SIM_PAGE_SHIFT | OL_X86_P | OL_X86_US | (rights & OL_WRITE ? OL_X86_RW : 0) |
           (rights & OL_EXEC ? 0 : OL_X86_XD);
}

static inline uint64_t ol_amd64_table(ol_frame_no table)
{
    return (uint64_t)table << OL_SIM_PAGE_SHIFT | OL_X86_P | OL_X86_RW | OL_X86_US;
}

static inline ol_frame_no ol_amd64_frame(uint64_t entry)
{
    return (ol_frame_no)((entry & OL_X86_ADDRESS) >> OL_SIM_PAGE_SHIFT);
}

static inline unsigned ol_amd64_rights(uint64_t entry)
{
    return OL_READ | (entry & OL_X86_RW ? (unsigned)OL_WRITE : 0) | (entry & OL_X86_XD ? 0 : (unsigned)OL_EXEC);
}

#endif
