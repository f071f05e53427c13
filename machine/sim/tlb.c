/* SPDX-License-Identifier: MIT */
#include "machine/sim/tlb.h"

#include <assert.h>
#include <stdlib.h>

enum ol_status ol_tlb_create(struct ol_tlb *tlb, uint32_t entries, uint32_t ways)
{
    if (entries > OL_TLB_ENTRIES_MAX) return OL_E_INVALID;
    if (entries > 0 && (ways == 0 || entries % ways != 0)) return OL_E_INVALID;
    const uint32_t sets = entries > 0 ? entries / ways : 1;
    if (sets & (sets - 1)) return OL_E_INVALID;
    const size_t room = entries > 0 ? entries : 1; /* an empty one to look at if there is none */
    *tlb = (struct ol_tlb){
        .entries = calloc(room, sizeof *tlb->entries),
        .used = calloc(room, sizeof *tlb->used),
        .ways = entries > 0 ? ways : 0,
        .set_mask = sets - 1,
    };
    if (tlb->entries && tlb->used) return OL_OK;
    ol_tlb_destroy(tlb);
    return OL_E_NO_META;
}

void ol_tlb_destroy(struct ol_tlb *tlb)
{
    free(tlb->entries);
    free(tlb->used);
    *tlb = (struct ol_tlb){0};
}

void ol_tlb_insert(struct ol_tlb *tlb, uint64_t key, ol_frame_no frame, uint32_t rights, uint64_t now)
{
    assert(key != 0 && now != 0);
    if (tlb->ways == 0) return;
    const size_t set = ol_tlb_set(tlb, key);
    size_t place = set + ol_tlb_way(&tlb->entries[set], tlb->ways, key);
    if (tlb->entries[place].key != key) {
        place = set;
        for (size_t i = set + 1; i < set + tlb->ways; i++)
            if (tlb->used[i] < tlb->used[place]) place = i;
    }
    tlb->entries[place] = (struct ol_tlb_entry){.key = key, .frame = frame, .rights = rights};
    tlb->used[place] = now;
}

void ol_tlb_invalidate(struct ol_tlb *tlb, uint64_t key)
{
    const size_t set = ol_tlb_set(tlb, key);
    const size_t found = set + ol_tlb_way(&tlb->entries[set], tlb->ways, key);
    if (tlb->entries[found].key != key) return;
    tlb->entries[found] = (struct ol_tlb_entry){0};
    tlb->used[found] = 0;
}
