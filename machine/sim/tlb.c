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
    *tlb = (struct ol_tlb){
        .entries = calloc(entries > 0 ? entries : 1, sizeof *tlb->entries),
        .ways = entries > 0 ? ways : 0,
        .set_mask = sets - 1,
    };
    return tlb->entries ? OL_OK : OL_E_NO_META;
}

void ol_tlb_destroy(struct ol_tlb *tlb)
{
    free(tlb->entries);
    *tlb = (struct ol_tlb){0};
}

void ol_tlb_insert(struct ol_tlb *tlb, uint64_t key, ol_frame_no frame, uint32_t rights)
{
    assert(key != 0);
    if (tlb->ways == 0) return;
    struct ol_tlb_entry *const set = ol_tlb_set(tlb, key);
    uint32_t way = 0;
    while (way < tlb->ways - 1 && set[way].key != key) way++;
    memmove(set + 1, set, way * sizeof *set);
    set[0] = (struct ol_tlb_entry){.key = key, .frame = frame, .rights = rights};
}

void ol_tlb_invalidate(struct ol_tlb *tlb, uint64_t key)
{
    struct ol_tlb_entry *const set = ol_tlb_set(tlb, key);
    for (uint32_t way = 0; way < tlb->ways; way++) {
        if (set[way].key != key) continue;
        memmove(set + way, set + way + 1, (tlb->ways - way - 1) * sizeof *set);
        set[tlb->ways - 1] = (struct ol_tlb_entry){0};
        return;
    }
}
