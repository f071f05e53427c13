/* SPDX-License-Identifier: MIT */
/*
 * Simulated physical memory: one sparse array of frames, as large as the machine's pages.
 *
 *     0 .. page_frames-1                               frames for pages, the core's
 *     page_frames .. page_frames+table_frames-1        frames for page tables, taken and given here
 *     behind them, from the address `keys` on          a word of 8 bytes for each of these frames, for machines that
 * keep something per frame: no address of a program leads there
 *
 * Conditions that hold for all functions:
 * - Untouched memory costs the host nothing and reads as zeros; so does what lies beyond the end.
 * - Words are 8 bytes, aligned, little endian (as is the host).
 * - A table is all zeros when it is taken; it must be so again when it is given back. It takes a run of frames, 1 or
 *   2^order of them; a machine has runs of one order besides single frames.
 * - One thread at a time.
 */
#ifndef OL_SIM_MEMORY_H
#define OL_SIM_MEMORY_H

#include <assert.h>
#include <string.h>

#include "machine/sim/walk.h"

/* So many frames may there be, tables included. */
#define OL_SIM_FRAMES_MAX (UINT32_MAX - 1)

struct ol_sim_memory {
    struct ol_words words; /* c: itself, as a walk reads it */
    unsigned char *bytes;  /* c: */
    uint64_t size_bytes;   /* c: pages, tables and keys */
    uint64_t keys;         /* c: address of the word for frame 0 */
    uint32_t page_frames;  /* c: */
    uint32_t table_frames; /* c: at most so many frames of tables at once */
    uint8_t page_shift;    /* c: */
    uint32_t tables;       /* frames now in use */
    uint32_t tables_peak;  /* most that ever were */
    uint32_t tables_fresh; /* from this one on, none was ever taken */
    ol_frame_no free;      /* first table of one frame given back; OL_NO_FRAME if none */
    ol_frame_no free_run;  /* first of a longer run */
    /* One per table frame. In use: its entries that are not empty. First of a free run: the next free run. */
    uint32_t *table_state;
};

/* OL_OK; OL_E_INVALID (no page frames, or more than OL_SIM_FRAMES_MAX in all); OL_E_NO_META (the host has no room). */
enum ol_status ol_sim_memory_create(struct ol_sim_memory *memory, uint8_t page_shift, uint32_t page_frames,
                                    uint32_t table_frames);
void ol_sim_memory_destroy(struct ol_sim_memory *memory);

/* Zeros, given back to the host where whole pages of its own are concerned. */
void ol_sim_memory_discard(struct ol_sim_memory *memory, ol_frame_no frame);

/* A run of frames of zeros for a table; OL_NO_FRAME if there is none. */
ol_frame_no ol_sim_table_take(struct ol_sim_memory *memory, unsigned order);
/* The table has no entries any more. */
void ol_sim_table_give(struct ol_sim_memory *memory, ol_frame_no table, unsigned order);

static inline uint64_t ol_sim_page_bytes(const struct ol_sim_memory *memory)
{
    return 1ULL << memory->page_shift;
}

/* The number of entries of a table frame in use, kept by who writes them. */
static inline uint32_t *ol_sim_table_entries(struct ol_sim_memory *memory, ol_frame_no table)
{
    assert(table >= memory->page_frames && table - memory->page_frames < memory->tables_fresh);
    return &memory->table_state[table - memory->page_frames];
}

static inline void *ol_sim_memory_frame(const struct ol_sim_memory *memory, ol_frame_no frame)
{
    assert(frame < memory->page_frames);
    return memory->bytes + ((uint64_t)frame << memory->page_shift);
}

static inline uint64_t ol_sim_memory_word(const struct ol_sim_memory *memory, uint64_t address)
{
    uint64_t word = 0;
    if (address < memory->size_bytes) memcpy(&word, memory->bytes + (address & ~7ULL), sizeof word);
    return word;
}

static inline void ol_sim_memory_set_word(struct ol_sim_memory *memory, uint64_t address, uint64_t word)
{
    assert(address < memory->size_bytes && address % sizeof word == 0);
    memcpy(memory->bytes + address, &word, sizeof word);
}

#endif
