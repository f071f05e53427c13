/* SPDX-License-Identifier: MIT */
/*
 * Page tables in simulated physical memory: found, grown, changed and pruned, in any format.
 *
 * Conditions that hold for all functions:
 * - `root` was made with ol_sim_tables_create; it is never pruned.
 * - Every other table has an entry, but between grow and the setting of the entry it was grown for.
 * - Leaves are entries that map pages: of the smallest size at level 0, large ones above; addresses are those of a user
 *   program.
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

/* Where an entry stands, and what it is for. */
struct ol_sim_entry {
    uint64_t address; /* physical, or OL_SIM_NO_ENTRY */
    ol_va va;         /* the first that it is for */
    unsigned level;   /* above 0: of a large page */
};

/* The leaf that va is for, empty or not; OL_SIM_NO_ENTRY if there is no table for it. */
struct ol_sim_entry ol_sim_tables_leaf(const struct ol_sim_tables *tables, ol_va va);

/* Makes the tables that a leaf for va at that level needs; above it there is no leaf. OL_OK; OL_E_NO_META if all table
 * frames are in use: the caller prunes. */
enum ol_status ol_sim_tables_grow(const struct ol_sim_tables *tables, ol_va va, unsigned level,
                                  struct ol_sim_entry *out);

/* What the leaf maps; false if nothing. */
bool ol_sim_tables_read(const struct ol_sim_tables *tables, const struct ol_sim_entry *at, struct ol_sim_leaf *out);
/* Writes a leaf; NULL empties it. No table is below it. The count of the table's entries is kept. */
void ol_sim_tables_write(const struct ol_sim_tables *tables, const struct ol_sim_entry *at,
                         const struct ol_sim_leaf *leaf);
/* A table of leaves of the next smaller size takes the place of a leaf above level 0: same frames, rights, attributes.
 * OL_OK, or OL_E_NO_META with nothing changed. */
enum ol_status ol_sim_tables_split(const struct ol_sim_tables *tables, const struct ol_sim_entry *at);

/* Gives back the tables on va's path that have no entry. */
void ol_sim_tables_prune(const struct ol_sim_tables *tables, ol_va va);

/* Finds the first page at or above *va, and not above last, that a leaf maps. False if there is none. */
bool ol_sim_tables_next(const struct ol_sim_tables *tables, ol_va *va, ol_va last);

#endif
