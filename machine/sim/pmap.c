/* SPDX-License-Identifier: MIT */
/*
 * core/pmap.h on the simulated machine. Invalidation is immediate, so sync only counts the interrupts that it took.
 */
#include "machine/sim/pmap.h"

#include <stdlib.h>

/* --- single entries ---------------------------------------------------------------------------------------------- */

/* Changes an entry that maps something; NULL empties it. The TLBs follow. */
static void change(struct ol_pmap *pmap, uint64_t address, ol_va va, const struct ol_sim_leaf *leaf)
{
    ol_sim_tables_write(&pmap->tables, address, va, leaf);
    ol_sim_invalidate(pmap, va);
}

/* Forgets the mapping that the entry at `address` makes, but leaves its table, even if that has become empty. */
static void forget(struct ol_pmap *pmap, uint64_t address, ol_va va, const struct ol_sim_leaf *leaf)
{
    struct ol_sim *const sim = pmap->sim;
    sim->reverse.frames[leaf->frame].attributes |= (uint8_t)leaf->attributes;
    ol_sim_reverse_remove(&sim->reverse, leaf->frame, pmap, va);
    change(pmap, address, va, NULL);
}

/* The entry of a page that is mapped. */
static uint64_t find(const struct ol_pmap *pmap, ol_va va, struct ol_sim_leaf *leaf)
{
    const uint64_t address = ol_sim_tables_leaf(&pmap->tables, va);
    const bool mapped = address != OL_SIM_NO_ENTRY && ol_sim_tables_read(&pmap->tables, address, leaf);
    assert(mapped);
    (void)mapped;
    return address;
}

static void remove_one(struct ol_pmap *pmap, ol_va va)
{
    struct ol_sim_leaf leaf;
    const uint64_t address = find(pmap, va, &leaf);
    forget(pmap, address, va, &leaf);
    ol_sim_tables_prune(&pmap->tables, va);
}

static void lower_one(struct ol_pmap *pmap, ol_va va, unsigned rights)
{
    struct ol_sim_leaf leaf;
    const uint64_t address = find(pmap, va, &leaf);
    leaf.rights &= rights | OL_READ;
    change(pmap, address, va, &leaf);
}

static void visit_remove(void *context, struct ol_pmap *pmap, ol_va va)
{
    (void)context;
    remove_one(pmap, va);
}

/* Maps a frame where the leaf's table exists and an alias is reserved. */
static void enter_one(struct ol_pmap *pmap, ol_va va, ol_frame_no frame, unsigned rights, unsigned access)
{
    struct ol_sim *const sim = pmap->sim;
    const uint64_t address = ol_sim_tables_leaf(&pmap->tables, va);
    struct ol_sim_leaf leaf;
    if (ol_sim_tables_read(&pmap->tables, address, &leaf)) forget(pmap, address, va, &leaf);
    leaf = (struct ol_sim_leaf){
        .frame = frame,
        .rights = rights,
        .attributes =
            (access != OL_NONE ? (unsigned)OL_REFERENCED : 0) | (access & OL_WRITE ? (unsigned)OL_MODIFIED : 0),
    };
    ol_sim_tables_write(&pmap->tables, address, va, &leaf);
    ol_sim_reverse_add(&sim->reverse, frame, pmap, va);
}

/* --- the interface ----------------------------------------------------------------------------------------------- */

static enum ol_status sim_create(void *machine, ol_va first_va, ol_va last_va, struct ol_pmap **out)
{
    struct ol_sim *const sim = machine;
    assert(first_va <= last_va && last_va <= sim->format->is.last_va);
    (void)first_va;
    (void)last_va;
    struct ol_pmap *const pmap = calloc(1, sizeof *pmap);
    if (!pmap) return OL_E_NO_META;
    pmap->sim = sim;
    enum ol_status status = ol_sim_number_pmap(sim, pmap);
    if (status != OL_OK) goto free_pmap;
    status = ol_sim_tables_create(&pmap->tables, sim->format, &sim->memory);
    if (status != OL_OK) goto forget_pmap;
    *out = pmap;
    return OL_OK;

forget_pmap:
    ol_sim_forget_pmap(sim, pmap);
free_pmap:
    free(pmap);
    return status;
}

static void sim_destroy(void *machine, struct ol_pmap *pmap)
{
    struct ol_sim *const sim = machine;
    assert(pmap->sim == sim);
    ol_sim_tables_destroy(&pmap->tables);
    ol_sim_forget_pmap(sim, pmap);
    free(pmap);
}

static ol_va page_va(const struct ol_pmap *pmap, ol_va va, uint64_t page)
{
    return va + (page << pmap->sim->memory.page_shift);
}

static enum ol_status sim_enter(void *machine, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                                unsigned rights, unsigned access)
{
    struct ol_sim *const sim = machine;
    assert(rights != OL_NONE);
    enum ol_status status = ol_sim_reverse_reserve(&sim->reverse, n);
    if (status != OL_OK) return status;
    /* Before tables grow: removing prunes those that have no entry yet. */
    for (uint32_t i = 0; i < n && !sim->format->is.can_alias; i++)
        ol_sim_reverse_each(&sim->reverse, frames[i], visit_remove, NULL);
    for (uint32_t i = 0; i < n; i++) {
        status = ol_sim_tables_grow(&pmap->tables, page_va(pmap, va, i));
        if (status == OL_OK) continue;
        for (uint32_t grown = 0; grown <= i; grown++) ol_sim_tables_prune(&pmap->tables, page_va(pmap, va, grown));
        return status;
    }
    for (uint32_t i = 0; i < n; i++) enter_one(pmap, page_va(pmap, va, i), frames[i], rights, access);
    return OL_OK;
}

static void sim_remove(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    (void)machine;
    const ol_va last = page_va(pmap, va, pages - 1);
    while (ol_sim_tables_next(&pmap->tables, &va, last)) remove_one(pmap, va);
}

static void sim_protect(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights)
{
    if (rights == OL_NONE) {
        sim_remove(machine, pmap, va, pages);
        return;
    }
    const ol_va last = page_va(pmap, va, pages - 1);
    for (; ol_sim_tables_next(&pmap->tables, &va, last); va = page_va(pmap, va, 1)) lower_one(pmap, va, rights);
}

static bool sim_query(void *machine, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out)
{
    (void)machine;
    struct ol_sim_leaf leaf;
    const uint64_t address = ol_sim_tables_leaf(&pmap->tables, va);
    if (address == OL_SIM_NO_ENTRY || !ol_sim_tables_read(&pmap->tables, address, &leaf)) return false;
    *out = (struct ol_mapping){.frame = leaf.frame, .rights = leaf.rights};
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
    struct ol_sim_leaf leaf;
    const uint64_t address = find(pmap, va, &leaf);
    const unsigned found = leaf.attributes & test->asked;
    leaf.attributes &= ~found;
    if (found != 0) change(pmap, address, va, &leaf);
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
    ol_sim_count_shootdowns(machine);
}

static void sim_frame_zero(void *machine, ol_frame_no frame)
{
    struct ol_sim *const sim = machine;
    memset(ol_sim_memory_frame(&sim->memory, frame), 0, ol_sim_page_bytes(&sim->memory));
}

static void sim_frame_copy(void *machine, ol_frame_no to, ol_frame_no from)
{
    struct ol_sim *const sim = machine;
    memcpy(ol_sim_memory_frame(&sim->memory, to), ol_sim_memory_frame(&sim->memory, from),
           ol_sim_page_bytes(&sim->memory));
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

static uint32_t sim_node_for(void *machine, const struct ol_pmap *pmap, ol_va va)
{
    const struct ol_sim *const sim = machine;
    (void)pmap;
    if (sim->numa.nodes <= 1) return OL_ANY_NODE;
    switch (sim->numa.policy) {
    case OL_NUMA_FIRST_TOUCH: return sim->processor->node;
    case OL_NUMA_INTERLEAVE: return (uint32_t)((va >> sim->page_shift) % sim->numa.nodes);
    default: return sim->numa.node;
    }
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
    .node_for = sim_node_for,
};
