/* SPDX-License-Identifier: MIT */
/*
 * Reverse mappings: for each frame, where it is mapped, and what the hardware's bits said of it before it was unmapped.
 *
 * Conditions that hold for all functions:
 * - The first mapping of a frame stands in its record; further ones (aliases) in a list behind it.
 * - `frame` is below the number of frames the lists were created for.
 * - One thread at a time.
 */
#ifndef OL_SIM_REVERSE_H
#define OL_SIM_REVERSE_H

#include "core/pmap.h"
#include "core/types.h"

struct ol_sim_mapping {
    struct ol_pmap *pmap; /* NULL: no mapping */
    ol_va va;             /* page aligned */
};

struct ol_sim_alias {
    struct ol_sim_mapping mapping;
    uint32_t next; /* alias number, or OL_SIM_NO_ALIAS */
};

#define OL_SIM_NO_ALIAS UINT32_MAX

struct ol_sim_frame {
    struct ol_sim_mapping first; /* no mapping here: none at all */
    uint32_t aliases;            /* 0: none; otherwise alias number + 1, so that zeroed memory is a valid record */
    uint8_t attributes;          /* enum ol_attributes, of mappings that are gone */
};

struct ol_sim_reverse {
    struct ol_sim_frame *frames;
    struct ol_sim_alias *aliases;
    uint32_t alias_capacity;
    uint32_t alias_free; /* first free alias */
    uint32_t alias_free_count;
};

/* OL_OK or OL_E_NO_META. */
enum ol_status ol_sim_reverse_create(struct ol_sim_reverse *reverse, uint32_t frames);
void ol_sim_reverse_destroy(struct ol_sim_reverse *reverse);

/* Makes sure that `count` calls of ol_sim_reverse_add find memory. OL_OK or OL_E_NO_META. */
enum ol_status ol_sim_reverse_reserve(struct ol_sim_reverse *reverse, uint32_t count);
/* The mapping is not known yet; room was reserved. */
void ol_sim_reverse_add(struct ol_sim_reverse *reverse, ol_frame_no frame, struct ol_pmap *pmap, ol_va va);
/* The mapping is known. */
void ol_sim_reverse_remove(struct ol_sim_reverse *reverse, ol_frame_no frame, const struct ol_pmap *pmap, ol_va va);

/* Calls visit for every mapping of the frame; visit may remove the mapping it is given, and no other. */
void ol_sim_reverse_each(struct ol_sim_reverse *reverse, ol_frame_no frame,
                         void (*visit)(void *context, struct ol_pmap *pmap, ol_va va), void *context);

#endif
