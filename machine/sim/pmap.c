/* SPDX-License-Identifier: MIT */
/*
 * core/pmap.h on the simulated machine. Invalidation is immediate, so sync has nothing to do.
 */
#include "machine/sim/pmap.h"

#include <stdlib.h>

#include "machine/sim/tables.h"

/* --- single entries ---------------------------------------------------------------------------------------------- */

static unsigned entry_attributes(uint64_t entry)
{
    return (entry & OL_X86_A ? (unsigned)OL_REFERENCED : 0) | (entry & OL_X86_D ? (unsigned)OL_MODIFIED : 0);
}

static uint64_t attribute_bits(unsigned attributes)
{
    return (attributes & OL_REFERENCED ? OL_X86_A : 0) | (attributes & OL_MODIFIED ? OL_X86_D : 0);
}

/* Changes a present entry to `value`, which may be 0; the TLB follows. */
static void change(struct ol_pmap *pmap, uint64_t leaf, ol_va va, uint64_t value)
{
    ol_sim_tables_set(&pmap->sim->memory, leaf, value);
    ol_tlb_invalidate(&pmap->sim->tlb, ol_sim_page_key(pmap, va));
}

/* Forgets a mapping but leaves its table, even if that has become empty. */
static void forget(struct ol_pmap *pmap, uint64_t leaf, ol_va va)
{
    struct ol_sim *const sim = pmap->sim;
    const uint64_t entry = ol_sim_memory_word(&sim->memory, leaf);
    const ol_frame_no frame = ol_amd64_frame(entry);
    sim->reverse.frames[frame].attributes |= (uint8_t)entry_attributes(entry);
    ol_sim_reverse_remove(&sim->reverse, frame, pmap, va);
    change(pmap, leaf, va, 0);
}

static void remove_one(struct ol_pmap *pmap, ol_va va)
{
    forget(pmap, ol_sim_tables_leaf(&pmap->sim->memory, pmap->root, va), va);
    ol_sim_tables_prune(&pmap->sim->memory, pmap->root, va);
}

static void lower_one(struct ol_pmap *pmap, ol_va va, unsigned rights)
{
    const uint64_t leaf = ol_sim_tables_leaf(&pmap->sim->memory, pmap->root, va);
    uint64_t entry = ol_sim_memory_word(&pmap->sim->memory, leaf);
    if (!(rights & OL_WRITE)) entry &= ~OL_X86_RW;
    if (!(rights & OL_EXEC)) entry |= OL_X86_XD;
    change(pmap, leaf, va, entry);
}

/* Maps a frame where the leaf's table exists and an alias is reserved. */
static void enter_one(struct ol_pmap *pmap, ol_va va, ol_frame_no frame, unsigned rights, unsigned access)
{
    struct ol_sim *const sim = pmap->sim;
    const uint64_t leaf = ol_sim_tables_leaf(&sim->memory, pmap->root, va);
    if (ol_sim_memory_word(&sim->memory, leaf) != 0) forget(pmap, leaf, va);
    uint64_t entry = ol_amd64_leaf(frame, rights);
    if (access != OL_NONE) entry |= OL_X86_A;
    if (access & OL_WRITE) entry |= OL_X86_D;
    ol_sim_tables_set(&sim->memory, leaf, entry);
    ol_sim_reverse_add(&sim->reverse, frame, pmap, va);
}

/* --- the interface ----------------------------------------------------------------------------------------------- */

static enum ol_status sim_create(void *machine, ol_va first_va, ol_va last_va, struct ol_pmap **out)
{
    struct ol_sim *const sim = machine;
    assert(first_va <= last_va && last_va <= ol_sim_capabilities.last_va);
    (void)first_va;
    (void)last_va;
    struct ol_pmap *const pmap = malloc(sizeof *pmap);
    if (!pmap) return OL_E_NO_META;
    pmap->sim = sim;
    pmap->root = ol_sim_table_take(&sim->memory);
    if (pmap->root == OL_NO_FRAME) {
        free(pmap);
        return OL_E_NO_META;
    }
    *out = pmap;
    return OL_OK;
}

static void sim_destroy(void *machine, struct ol_pmap *pmap)
{
    struct ol_sim *const sim = machine;
    assert(pmap->sim == sim && *ol_sim_table_entries(&sim->memory, pmap->root) == 0);
    if (sim->space_key == ol_sim_space_key(pmap)) sim->space = NULL;
    ol_sim_table_give(&sim->memory, pmap->root);
    free(pmap);
}

static ol_va page_va(ol_va va, uint64_t page)
{
    return va + (page << OL_SIM_PAGE_SHIFT);
}

static enum ol_status sim_enter(void *machine, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                                unsigned rights, unsigned access)
{
    struct ol_sim *const sim = machine;
    assert(rights != OL_NONE);
    enum ol_status status = ol_sim_reverse_reserve(&sim->reverse, n);
    if (status != OL_OK) return status;
    for (uint32_t i = 0; i < n; i++) {
        status = ol_sim_tables_grow(&sim->memory, pmap->root, page_va(va, i));
        if (status == OL_OK) continue;
        for (uint32_t grown = 0; grown <= i; grown++) ol_sim_tables_prune(&sim->memory, pmap->root, page_va(va, grown));
        return status;
    }
    for (uint32_t i = 0; i < n; i++) enter_one(pmap, page_va(va, i), frames[i], rights, access);
    return OL_OK;
}

static void sim_remove(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    struct ol_sim *const sim = machine;
    const ol_va last = page_va(va, pages - 1);
    while (ol_sim_tables_next(&sim->memory, pmap->root, &va, last)) remove_one(pmap, va);
}

static void sim_protect(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights)
{
    struct ol_sim *const sim = machine;
    if (rights == OL_NONE) {
        sim_remove(machine, pmap, va, pages);
        return;
    }
    const ol_va last = page_va(va, pages - 1);
    for (; ol_sim_tables_next(&sim->memory, pmap->root, &va, last); va = page_va(va, 1)) lower_one(pmap, va, rights);
}

static bool sim_query(void *machine, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out)
{
    const struct ol_sim *const sim = machine;
    const uint64_t leaf = ol_sim_tables_leaf(&sim->memory, pmap->root, va);
    const uint64_t entry = leaf == OL_SIM_NO_ENTRY ? 0 : ol_sim_memory_word(&sim->memory, leaf);
    if (entry == 0) return false;
    *out = (struct ol_mapping){.frame = ol_amd64_frame(entry), .rights = ol_amd64_rights(entry)};
    return true;
}

static void visit_protect(void *context, struct ol_pmap *pmap, ol_va va)
{
    const unsigned *const rights = context;
    if (*rights == OL_NONE) remove_one(pmap, va);
    else lower_one(pmap, va, *rights);
}

static uint32_t sim_frame_protect(void *machine, const ol_frame_no *frames, uint32_t n, unsigned rights)
{
    struct ol_sim *const sim = machine;
    for (uint32_t i = 0; i < n; i++) ol_sim_reverse_each(&sim->reverse, frames[i], visit_protect, &rights);
    return n;
}

struct test_clear {
    unsigned asked; /* enum ol_attributes */
    unsigned found;
};

static void visit_test_clear(void *context, struct ol_pmap *pmap, ol_va va)
{
    struct test_clear *const test = context;
    const uint64_t leaf = ol_sim_tables_leaf(&pmap->sim->memory, pmap->root, va);
    const uint64_t entry = ol_sim_memory_word(&pmap->sim->memory, leaf);
    const unsigned found = entry_attributes(entry) & test->asked;
    if (found != 0) change(pmap, leaf, va, entry & ~attribute_bits(found));
    test->found |= found;
}

static unsigned sim_test_clear(void *machine, ol_frame_no frame, unsigned attributes)
{
    struct ol_sim *const sim = machine;
    struct ol_sim_frame *const record = &sim->reverse.frames[frame];
    struct test_clear test = {.asked = attributes, .found = record->attributes & attributes};
    record->attributes &= (uint8_t)~attributes;
    ol_sim_reverse_each(&sim->reverse, frame, visit_test_clear, &test);
    return test.found;
}

static void sim_sync(void *machine)
{
    (void)machine;
}

static void sim_frame_zero(void *machine, ol_frame_no frame)
{
    struct ol_sim *const sim = machine;
    memset(ol_sim_memory_frame(&sim->memory, frame), 0, OL_SIM_PAGE_BYTES);
}

static void sim_frame_copy(void *machine, ol_frame_no to, ol_frame_no from)
{
    struct ol_sim *const sim = machine;
    memcpy(ol_sim_memory_frame(&sim->memory, to), ol_sim_memory_frame(&sim->memory, from), OL_SIM_PAGE_BYTES);
}

static void *sim_frame_map(void *machine, ol_frame_no frame)
{
    struct ol_sim *const sim = machine;
    return ol_sim_memory_frame(&sim->memory, frame);
}

static void sim_frame_unmap(void *machine, ol_frame_no frame)
{
    (void)machine;
    (void)frame;
}

static void sim_frame_discard(void *machine, ol_frame_no frame)
{
    struct ol_sim *const sim = machine;
    ol_sim_memory_discard(&sim->memory, frame);
}

const struct ol_pmap_ops ol_sim_pmap_ops = {
    .create = sim_create,
    .destroy = sim_destroy,
    .enter = sim_enter,
    .remove = sim_remove,
    .protect = sim_protect,
    .query = sim_query,
    .frame_protect = sim_frame_protect,
    .test_clear = sim_test_clear,
    .sync = sim_sync,
    .frame_zero = sim_frame_zero,
    .frame_copy = sim_frame_copy,
    .frame_map = sim_frame_map,
    .frame_unmap = sim_frame_unmap,
    .frame_discard = sim_frame_discard,
};
