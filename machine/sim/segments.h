/* SPDX-License-Identifier: MIT */
/*
 * A system of segments on an 80286 (i286.h): tasks with local descriptor tables, and swapping of whole segments. It
 * stands beside the core, not on it: a segment is of any length and must lie in one piece, so that everything the core
 * is made of (frames, one owner each; budgets in frames; a policy's words per frame) has nothing to hold on to. What is
 * left in common is the idea: absent until used, a victim by its accessed bit, back from the drum at another place,
 * unnoticed.
 *
 *     memory    descriptor tables: the GDT, then a LDT for each task | segments, in pieces by ol_ranges
 *
 * A segment is made absent, and zeros. Loading its selector into a register finds it absent (#NP or #SS); the system
 * brings it in and the register is loaded anew. If no hole is large enough, it first moves segments together, if it may
 * and that suffices, and else swaps out: by the clock, a segment that was not accessed since it was last looked at.
 * A writable one is always written to the drum: descriptors have no bit that tells of changes.
 *
 * Registers keep copies of descriptors. After segments were moved or swapped, what a task has in its registers is
 * loaded anew before it is used, as registers are when a system returns to a task.
 *
 * Conditions that hold for all functions:
 * - A task is a number that ol_segments_task gave; OL_SEGMENTS_GLOBAL stands for the GDT.
 * - One thread at a time; deterministic.
 */
#ifndef OL_SIM_SEGMENTS_H
#define OL_SIM_SEGMENTS_H

#include "machine/sim/i286.h"
#include "machine/sim/ranges.h"

enum {
    OL_SEGMENTS_TASKS_MAX = 15,
    OL_SEGMENTS_TABLE = 256, /* descriptors of each table; the GDT's first is null */
    OL_SEGMENTS_TABLES_BYTES = (OL_SEGMENTS_TASKS_MAX + 1) * OL_SEGMENTS_TABLE * OL_I286_DESCRIPTOR_BYTES,
    OL_SEGMENTS_BYTES_MAX = (1 << OL_I286_ADDRESS_BITS) - OL_SEGMENTS_TABLES_BYTES,
    OL_SEGMENTS_GLOBAL = OL_SEGMENTS_TASKS_MAX,
};

struct ol_segments_options {
    uint32_t memory_bytes; /* for segments; at most OL_SEGMENTS_BYTES_MAX */
    enum ol_placement placement;
    bool compacts; /* moves segments together rather than swap some out, where that suffices */
};

/* Exact counts since creation. */
struct ol_segments_counters {
    uint64_t loads;       /* of registers that the program asked for */
    uint64_t reloads;     /* … and that were needed because segments had moved */
    uint64_t faults;      /* segments that were wanted and absent */
    uint64_t refused;     /* exceptions that the program got */
    uint64_t swapped_in;  /* segments read from the drum; zeros that were never used are not */
    uint64_t swapped_out; /* segments that lost their place */
    uint64_t written;     /* … of which to the drum */
    uint64_t bytes_in, bytes_out;
    uint64_t scattered; /* times that there was enough free memory, but not in one piece: external fragmentation */
    uint64_t compactions;
    uint64_t bytes_moved; /* by these */
};

/* Memory for segments, now. */
struct ol_segments_memory {
    uint64_t bytes, free, largest_hole;
    uint32_t holes, present, absent; /* the last two: segments */
};

struct ol_segments;

/* OL_OK; OL_E_INVALID: no memory, or too much; OL_E_NO_META. */
enum ol_status ol_segments_create(const struct ol_segments_options *options, struct ol_segments **out);
void ol_segments_destroy(struct ol_segments *system);

/* A task of privilege cpl, its registers null. OL_OK; OL_E_NO_ROOM: there are OL_SEGMENTS_TASKS_MAX. */
enum ol_status ol_segments_task(struct ol_segments *system, unsigned cpl, unsigned *task);
const struct ol_i286_control *ol_segments_control(const struct ol_segments *system, unsigned task);
const struct ol_words *ol_segments_words(const struct ol_segments *system);

/* A segment of 1 … 65536 bytes (of an expand-down one: the uppermost; there, 65535 is the most) in the task's table.
 * `access` has S, type and DPL. The selector has the DPL as its RPL. OL_OK; OL_E_INVALID; OL_E_NO_ROOM: the table is
 * full; OL_E_NO_META. */
enum ol_status ol_segments_make(struct ol_segments *system, unsigned task, uint32_t bytes, uint8_t access,
                                uint16_t *selector);
/* Gone, with its contents; registers that have it are refused from then on. OL_E_NO_REGION: there is none. */
enum ol_status ol_segments_remove(struct ol_segments *system, unsigned task, uint16_t selector);
/* Where it lies in memory; false if it is absent, or there is none. */
bool ol_segments_where(const struct ol_segments *system, unsigned task, uint16_t selector, uint32_t *physical);

/* Loads a register of the task's. OL_OK; OL_E_RIGHTS: an exception for the program, which *out describes;
 * OL_E_NO_FRAMES: the segment cannot be brought in; OL_E_NO_META. */
enum ol_status ol_segments_load(struct ol_segments *system, unsigned task, enum ol_i286_register where,
                                uint16_t selector, struct ol_i286_load *out);
/* A reference of 1 … 65536 bytes through it: copies to or from the host, whichever is not NULL. As above; *out
 * describes the exception, its code is 0 unless the register had to be loaded again (*code). */
enum ol_status ol_segments_refer(struct ol_segments *system, unsigned task, enum ol_i286_register where,
                                 uint16_t offset, uint32_t bytes, unsigned access, void *to, const void *from,
                                 struct ol_i286_reference *out, uint16_t *code);

/* Moves all segments together. */
void ol_segments_compact(struct ol_segments *system);

void ol_segments_get_counters(const struct ol_segments *system, struct ol_segments_counters *out);
void ol_segments_get_memory(const struct ol_segments *system, struct ol_segments_memory *out);

/* The first broken promise, or NULL: segments apart and inside memory, descriptors as they should be, holes what is
 * left. */
const char *ol_segments_check(const struct ol_segments *system);

#endif
