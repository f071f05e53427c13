/* SPDX-License-Identifier: MIT */
/*
 * Page tables in simulated physical memory: found, grown, changed and pruned.
 *
 * Conditions that hold for all functions:
 * - `root` is a table taken with ol_sim_table_take; it is never pruned.
 * - Every other table has an entry, but between grow and the setting of the entry it was grown for.
 * - Leaves are 4 KiB pages; addresses are in the lower half.
 * - Nothing is counted or cached here: who changes a leaf invalidates the TLB.
 */
#ifndef OL_SIM_TABLES_H
#define OL_SIM_TABLES_H

#include "machine/sim/memory.h"

/* No physical address of an entry: tables lie above at least one page frame. */
#define OL_SIM_NO_ENTRY 0

/* The physical address of the leaf entry for va, or OL_SIM_NO_ENTRY if it has no table. */
uint64_t ol_sim_tables_leaf(const struct ol_sim_memory *memory, ol_frame_no root, ol_va va);

/* Makes the tables that va's leaf entry needs. OL_OK; OL_E_NO_META if all table frames are in use: the caller prunes.
 */
enum ol_status ol_sim_tables_grow(struct ol_sim_memory *memory, ol_frame_no root, ol_va va);

/* Writes an entry of a table and keeps the table's count of entries. */
void ol_sim_tables_set(struct ol_sim_memory *memory, uint64_t entry_address, uint64_t value);

/* Gives back the tables on va's path that have no entry. */
void ol_sim_tables_prune(struct ol_sim_memory *memory, ol_frame_no root, ol_va va);

/* Finds the first page at or above *va, and not above last, that has a leaf entry. False if there is none. */
bool ol_sim_tables_next(const struct ol_sim_memory *memory, ol_frame_no root, ol_va *va, ol_va last);

#endif
