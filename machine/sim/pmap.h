/* SPDX-License-Identifier: MIT */
/*
 * What the pmap functions and the processor of the simulated machine share.
 */
#ifndef OL_SIM_PMAP_H
#define OL_SIM_PMAP_H

#include "machine/sim/machine.h"

struct ol_pmap {
    struct ol_sim *sim; /* c: */
    ol_frame_no root;   /* c: the top table */
};

/* The root table names the space: a table in use belongs to one. */
static inline uint64_t ol_sim_space_key(const struct ol_pmap *pmap)
{
    return ol_tlb_space_key(pmap->root - pmap->sim->memory.page_frames);
}

static inline uint64_t ol_sim_page_key(const struct ol_pmap *pmap, ol_va va)
{
    return ol_sim_space_key(pmap) | va >> OL_SIM_PAGE_SHIFT;
}

#endif
