/* SPDX-License-Identifier: MIT */
/*
 * The Ferranti Atlas, whose one-level store was the first virtual memory: no tables, but a page address register for
 * each page of core store, all of which are compared with the address at once. Sources: T. Kilburn, D. B. G. Edwards,
 * M. J. Lanigan, F. H. Sumner, "One-Level Storage System", IRE Transactions on Electronic Computers EC-11 (1962); the
 * Chilton Atlas pages (chilton-computing.org.uk/acl/technology/atlas), "Atlas Words".
 *
 *     address   24 bits: 0 (main store) · 11 block · 9 word in the block · 1 half word · 2 character in it
 *     page      512 words of 48 bits: 4096 characters of 6 bits. A character is a byte here, of which 2 bits are
 * unused. core      16,384 words at Manchester: 32 pages; here, as many as wanted up to what blocks can name register
 * the block that the page holds; the lock-out digit, with which the supervisor hides pages of other programs and those
 * in transfer; the use digit, set by every reference
 *
 * No register with the block, or one that is locked out: a non-equivalence interruption, and the supervisor looks into
 * its page directory. There are no rights, and nothing tells whether a page was changed: every page that leaves the
 * core store is written to the drum.
 *
 * Simulated so: registers are words of 8 bytes behind the core store, and name the program whose page it is; a register
 * is locked out for every other program. The directory, which is the supervisor's own matter, is a table that the
 * hardware never looks at. Not confirmed: the width of the registers at machines with more core store.
 *
 * The error code is 0: an interruption tells nothing but the address.
 */
#ifndef OL_SIM_ATLAS_H
#define OL_SIM_ATLAS_H

#include "machine/sim/walk.h"

enum { OL_ATLAS_PAGE_SHIFT = 12, OL_ATLAS_BLOCK_BITS = 11, OL_ATLAS_ADDRESS_BITS = 23, OL_ATLAS_PROGRAM_SHIFT = 32 };

#define OL_ATLAS_BLOCK 0x7ffULL /* of a register */
#define OL_ATLAS_USE   (1ULL << 11)
#define OL_ATLAS_HELD  (1ULL << 12) /* the page holds a block */

struct ol_atlas_control {
    uint64_t registers; /* where page 0 has its register */
    uint32_t pages;     /* of core store */
    uint32_t program;
};

/* Finds the page for one access (OL_READ, OL_WRITE or OL_EXEC), as walk.h says. The step that it tells is the register
 * that answered. */
void ol_atlas_walk(const struct ol_words *words, const struct ol_atlas_control *control, ol_va va, unsigned access,
                   struct ol_walk *out);

#endif
