/* SPDX-License-Identifier: MIT */
/*
 * core/pmap.h on the simulated machine. Invalidation is immediate, so sync only counts the interrupts that it took.
 */
#include "machine/sim/pmap.h"

#include <stdlib.h>

/* --- entries ----------------------------------------------------------------------------------------------------- */

/* A leaf that maps something. */
struct mapping {
    struct ol_sim_entry at;
    struct ol_sim_leaf is;
};

static ol_va page_va(const struct ol_pmap *pmap, ol_va va, uint64_t page)
{
    return va + (page << pmap->sim->memory.page_shift);
}

/* How many pages an entry of that level maps. */
static uint32_t pages_at(const struct ol_pmap *pmap, unsigned level)
{
    return 1U << (pmap->sim->format->level[level].shift - pmap->sim->memory.page_shift);
}

static bool look(const struct ol_pmap *pmap, ol_va va, struct mapping *out)
{
    out->at = ol_sim_tables_leaf(&pmap->tables, va);
    return ol_sim_tables_read(&pmap->tables, &out->at, &out->is);
}

/* Changes an entry that maps something; NULL empties it. The TLBs follow. */
static void change(struct ol_pmap *pmap, const struct ol_sim_entry *at, const struct ol_sim_leaf *leaf)
{
    ol_sim_tables_write(&pmap->tables, at, leaf);
    ol_sim_invalidate(pmap, at->va);
}

/* Forgets a mapping, but leaves its table, even if that has become empty. */
static void forget(struct ol_pmap *pmap, const struct mapping *mapping)
{
    struct ol_sim_reverse *const reverse = &pmap->sim->reverse;
    for (uint32_t i = 0; i < pages_at(pmap, mapping->at.level); i++) {
        reverse->frames[mapping->is.frame + i].attributes |= (uint8_t)mapping->is.attributes;
        ol_sim_reverse_remove(reverse, mapping->is.frame + i, pmap, page_va(pmap, mapping->at.va, i));
    }
    change(pmap, &mapping->at, NULL);
}

static void remove_mapping(struct ol_pmap *pmap, const struct mapping *mapping)
{
    forget(pmap, mapping);
    ol_sim_tables_prune(&pmap->tables, mapping->at.va);
}

/* A large mapping gives way to mappings of the next smaller size, or to none if there is no room for their table. */
static void split(struct ol_pmap *pmap, const struct mapping *mapping)
{
    struct ol_sim_counters *const counters = &pmap->sim->processor->counters;
    if (ol_sim_tables_split(&pmap->tables, &mapping->at) == OL_OK) {
        ol_sim_invalidate(pmap, mapping->at.va);
        counters->large_splits++;
        return;
    }
    remove_mapping(pmap, mapping);
    counters->large_forgotten++;
}

/* Splits what maps va until it maps no more than an entry of that level does. False: nothing is mapped there. */
static bool narrow(struct ol_pmap *pmap, ol_va va, unsigned level, struct mapping *out)
{
    bool mapped;
    while ((mapped = look(pmap, va, out)) && out->at.level > level) split(pmap, out);
    return mapped;
}

static void visit_remove(void *context, struct ol_pmap *pmap, ol_va va)
{
    struct mapping mapping;
    (void)context;
    if (narrow(pmap, va, 0, &mapping)) remove_mapping(pmap, &mapping);
}

static void lower(struct ol_pmap *pmap, struct mapping *mapping, unsigned rights)
{
    mapping->is.rights &= rights | OL_READ;
    change(pmap, &mapping->at, &mapping->is);
}

/* Maps frames where the leaf's table exists, nothing is mapped and aliases are reserved. */
static void enter_at(struct ol_pmap *pmap, const struct ol_sim_entry *at, const struct ol_sim_leaf *leaf)
{
    ol_sim_tables_write(&pmap->tables, at, leaf);
    for (uint32_t i = 0; i < pages_at(pmap, at->level); i++)
        ol_sim_reverse_add(&pmap->sim->reverse, leaf->frame + i, pmap, page_va(pmap, at->va, i));
}

/* Maps a frame where there is a table for it, and an alias is reserved. */
static void enter_one(struct ol_pmap *pmap, ol_va va, ol_frame_no frame, unsigned rights, unsigned access)
{
    struct mapping mapping;
    if (look(pmap, va, &mapping)) forget(pmap, &mapping);
    const struct ol_sim_leaf leaf = {
        .frame = frame,
        .rights = rights,
        .attributes =
            (access != OL_NONE ? (unsigned)OL_REFERENCED : 0) | (access & OL_WRITE ? (unsigned)OL_MODIFIED : 0),
    };
    enter_at(pmap, &mapping.at, &leaf);
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

static enum ol_status sim_enter(void *machine, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                                unsigned rights, unsigned access)
{
    struct ol_sim *const sim = machine;
    struct mapping mapping;
    assert(rights != OL_NONE);
    enum ol_status status = ol_sim_reverse_reserve(&sim->reverse, n);
    if (status != OL_OK) return status;
    /* Before tables grow: removing prunes those that have no entry yet. */
    for (uint32_t i = 0; i < n && !sim->format->is.can_alias; i++)
        ol_sim_reverse_each(&sim->reverse, frames[i], visit_remove, NULL);
    for (uint32_t i = 0; i < n && pmap->has_large; i++) (void)narrow(pmap, page_va(pmap, va, i), 0, &mapping);
    for (uint32_t i = 0; i < n; i++) {
        status = ol_sim_tables_grow(&pmap->tables, page_va(pmap, va, i), 0, &mapping.at);
        if (status == OL_OK) continue;
        for (uint32_t grown = 0; grown <= i; grown++) ol_sim_tables_prune(&pmap->tables, page_va(pmap, va, grown));
        return status;
    }
    for (uint32_t i = 0; i < n; i++) enter_one(pmap, page_va(pmap, va, i), frames[i], rights, access);
    return OL_OK;
}

/* Goes through what is mapped in [va, last], whole entries: large ones that reach out of it are split. *va moves to the
 * next one; false if there is none. */
static bool next_whole(struct ol_pmap *pmap, ol_va *va, ol_va last, struct mapping *out)
{
    while (ol_sim_tables_next(&pmap->tables, va, last)) {
        (void)look(pmap, *va, out);
        if (out->at.va >= *va && page_va(pmap, out->at.va, pages_at(pmap, out->at.level) - 1) <= last) return true;
        split(pmap, out);
    }
    return false;
}

static void sim_remove(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    (void)machine;
    const ol_va last = page_va(pmap, va, pages - 1);
    struct mapping mapping;
    while (next_whole(pmap, &va, last, &mapping)) remove_mapping(pmap, &mapping);
}

static void sim_protect(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights)
{
    if (rights == OL_NONE) {
        sim_remove(machine, pmap, va, pages);
        return;
    }
    const ol_va last = page_va(pmap, va, pages - 1);
    struct mapping mapping;
    for (; next_whole(pmap, &va, last, &mapping); va = page_va(pmap, mapping.at.va, pages_at(pmap, mapping.at.level)))
        lower(pmap, &mapping, rights);
}

static bool sim_query(void *machine, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out)
{
    const struct ol_sim *const sim = machine;
    const uint8_t shift = sim->memory.page_shift;
    struct mapping mapping;
    if (!look(pmap, va, &mapping)) return false;
    *out = (struct ol_mapping){.frame = mapping.is.frame + (ol_frame_no)((va - mapping.at.va) >> shift),
                               .rights = mapping.is.rights,
                               .shift = sim->format->level[mapping.at.level].shift};
    return true;
}

static enum ol_status sim_enter_large(void *machine, struct ol_pmap *pmap, ol_va va, ol_frame_no first, uint8_t shift,
                                      unsigned rights)
{
    struct ol_sim *const sim = machine;
    const struct ol_sim_leaf leaf = {.frame = first, .rights = rights};
    struct ol_sim_entry at;
    unsigned level = 0;
    while (sim->format->level[level].shift != shift) level++;
    const uint32_t pages = pages_at(pmap, level);
    assert(sim->format->large_mark && !(va & ((1ULL << shift) - 1)) && !(first & (pages - 1)));
    enum ol_status status = ol_sim_reverse_reserve(&sim->reverse, pages);
    if (status != OL_OK) return status;
    sim_remove(machine, pmap, va, pages); /* if something was mapped here, tables are free now */
    status = ol_sim_tables_grow(&pmap->tables, va, level, &at);
    if (status == OL_OK) enter_at(pmap, &at, &leaf);
    else ol_sim_tables_prune(&pmap->tables, va);
    if (status != OL_OK) return status;
    pmap->has_large = true;
    sim->processor->counters.large_entered++;
    return OL_OK;
}

static void visit_protect(void *context, struct ol_pmap *pmap, ol_va va)
{
    const unsigned *const rights = context;
    struct mapping mapping;
    if (!narrow(pmap, va, 0, &mapping)) return;
    if (*rights == OL_NONE) remove_mapping(pmap, &mapping);
    else lower(pmap, &mapping, *rights);
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

/* What a large entry says is noted for each of its frames before it is cleared for one. */
static void visit_test_clear(void *context, struct ol_pmap *pmap, ol_va va)
{
    struct test_clear *const test = context;
    struct ol_sim_frame *const frames = pmap->sim->reverse.frames;
    struct mapping mapping;
    if (!look(pmap, va, &mapping)) return;
    const unsigned found = mapping.is.attributes & test->asked;
    if (found == 0) return;
    for (uint32_t i = 0; mapping.at.level > 0 && i < pages_at(pmap, mapping.at.level); i++)
        if (page_va(pmap, mapping.at.va, i) != va) frames[mapping.is.frame + i].attributes |= (uint8_t)found;
    mapping.is.attributes &= ~found;
    change(pmap, &mapping.at, &mapping.is);
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
    .enter_large = sim_enter_large,
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
