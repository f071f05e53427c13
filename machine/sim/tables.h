/* SPDX-License-Identifier: MIT */
/*
 * Page tables in simulated physical memory: found, grown, changed and pruned, in any format.
 *
 * Conditions that hold for all functions:
 * - `root` was made with ol_sim_tables_create; it is never pruned.
 * - Every other table has an entry, but between grow and the setting of the entry it was grown for.
 * - Leaves are pages of the format's smallest size; addresses are those of a user program.
 * - Nothing is counted or cached here: who changes a leaf invalidates the TLB.
 */
#ifndef OL_SIM_TABLES_H
#define OL_SIM_TABLES_H

#include "machine/sim/format.h"

/* No physical address of an entry: tables lie above at least one page frame. */
#define OL_SIM_NO_ENTRY 0

struct ol_sim_tables {
    const struct ol_sim_format *format;
    struct ol_sim_memory *memory;
    ol_frame_no root;
};

/* An empty root. OL_OK, or OL_E_NO_META if there is no room for it. */
enum ol_status ol_sim_tables_create(struct ol_sim_tables *tables, const struct ol_sim_format *format,
                                    struct ol_sim_memory *memory);
/* Everything is unmapped and pruned. */
void ol_sim_tables_destroy(struct ol_sim_tables *tables);

/* The physical address of the leaf entry for va, or OL_SIM_NO_ENTRY if it has no table. */
uint64_t ol_sim_tables_leaf(const struct ol_sim_tables *tables, ol_va va);

/* Makes the tables that va's leaf entry needs. OL_OK; OL_E_NO_META if all table frames are in use: the caller prunes.
 */
enum ol_status ol_sim_tables_grow(const struct ol_sim_tables *tables, ol_va va);

/* What the leaf entry at that address maps; false if nothing. */
bool ol_sim_tables_read(const struct ol_sim_tables *tables, uint64_t address, struct ol_sim_leaf *out);
/* Writes the leaf entry for va, which stands at that address; NULL empties it. The count of the table's entries is
 * kept. */
void ol_sim_tables_write(const struct ol_sim_tables *tables, uint64_t address, ol_va va,
                         const struct ol_sim_leaf *leaf);

/* Gives back the tables on va's path that have no entry. */
void ol_sim_tables_prune(const struct ol_sim_tables *tables, ol_va va);

/* Finds the first page at or above *va, and not above last, that has a leaf entry. False if there is none. */
bool ol_sim_tables_next(const struct ol_sim_tables *tables, ol_va *va, ol_va last);

#endif
