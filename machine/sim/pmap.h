/* SPDX-License-Identifier: MIT */
/*
 * What the pmap functions and the processor of the simulated machine share.
 */
#ifndef OL_SIM_PMAP_H
#define OL_SIM_PMAP_H

#include "machine/sim/machine.h"
#include "machine/sim/tables.h"

struct ol_pmap {
    struct ol_sim *sim; /* c: */
    struct ol_sim_tables tables;
    uint32_t tag; /* c: names the space in TLBs, as an ASID or PCID does */
};

static inline uint64_t ol_sim_space_key(const struct ol_pmap *pmap)
{
    return ol_tlb_space_key(pmap->tag);
}

static inline uint64_t ol_sim_page_key(const struct ol_pmap *pmap, ol_va va)
{
    return ol_sim_space_key(pmap) | va >> pmap->sim->memory.page_shift;
}

/* A tag that no space has. OL_OK or OL_E_NO_META. */
enum ol_status ol_sim_tag_take(struct ol_sim *sim, uint32_t *out);
/* The space's translations are in no TLB any more. */
void ol_sim_tag_give(struct ol_sim *sim, uint32_t tag);

#endif
