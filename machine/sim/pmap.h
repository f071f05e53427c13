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
    uint32_t number; /* c: no two that live have the same one; its lower bits are the tag in TLBs */
    bool has_large;  /* a large page was mapped here once */
    uint64_t serial; /* c: no two that ever lived have the same one */
};

static inline uint32_t ol_sim_tag(const struct ol_pmap *pmap)
{
    return pmap->number & ((1U << pmap->sim->tag_bits) - 1);
}

/* Numbers the pmap. OL_OK or OL_E_NO_META. */
enum ol_status ol_sim_number_pmap(struct ol_sim *sim, struct ol_pmap *pmap);
/* Everything is unmapped; no processor has the space active any more, nor anything of it in its TLBs that it will use.
 */
void ol_sim_forget_pmap(struct ol_sim *sim, const struct ol_pmap *pmap);

/* No processor uses a translation any more that contains va, whatever the size of its page, nor a table on the way to
 * it. Called after the change of an entry that was not empty, before the next reference. */
void ol_sim_invalidate(const struct ol_pmap *pmap, ol_va va);

/* Counts the interrupts to other processors that invalidating took since it was last called. */
void ol_sim_count_shootdowns(struct ol_sim *sim);

#endif
