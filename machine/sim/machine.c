/* SPDX-License-Identifier: MIT */
#include "machine/sim/machine.h"

#include <stdlib.h>

#include "machine/sim/pmap.h"

/* A page that is alone in its part of the address space needs tables of its own. */
enum { TABLES_PER_FRAME = 4, TABLES_AT_LEAST = 1 << 16, TABLES_PART = 8 };

uint32_t ol_sim_frames_max(const struct ol_sim_format *format)
{
    return format->frames_max - format->frames_max / TABLES_PART;
}

static uint32_t default_table_frames(const struct ol_sim_format *format, uint32_t frames)
{
    const uint64_t wanted = (uint64_t)frames * TABLES_PER_FRAME + TABLES_AT_LEAST;
    const uint64_t left = format->frames_max - frames;
    return (uint32_t)(wanted < left ? wanted : left);
}

static void destroy_processors(struct ol_sim *sim)
{
    for (uint32_t i = 0; i < sim->processor_count; i++) {
        ol_tlbs_destroy(&sim->processors[i].tlbs);
        free(sim->processors[i].tags);
        free(sim->processors[i].by_node);
    }
    free(sim->processors);
}

/* Those that were made are destroyed on failure. */
static enum ol_status create_processors(struct ol_sim *sim, const struct ol_sim_options *options)
{
    const struct ol_tlb_spec *const tlb = &options->tlb;
    const uint32_t count = options->processors > 0 ? options->processors : 1;
    if (count > OL_SIM_PROCESSORS_MAX) return OL_E_INVALID;
    sim->processor = sim->processors = calloc(count, sizeof *sim->processors);
    if (!sim->processors) return OL_E_NO_META;
    enum ol_status status = OL_OK;
    while (sim->processor_count < count && status == OL_OK) {
        struct ol_sim_processor *const made = &sim->processors[sim->processor_count];
        status = ol_tlbs_create(&made->tlbs, tlb, sim->format, &sim->numa, options->frames);
        if (status != OL_OK) break;
        sim->tag_bits = made->tlbs.tag_bits;
        made->node = ol_numa_processor_node(&sim->numa, count, sim->processor_count++);
        made->tags = calloc((size_t)1 << sim->tag_bits, sizeof *made->tags);
        if (sim->numa.nodes > 1) made->by_node = calloc(sim->numa.nodes, sizeof *made->by_node);
        if (!made->tags || (sim->numa.nodes > 1 && !made->by_node)) status = OL_E_NO_META;
    }
    if (status != OL_OK) destroy_processors(sim);
    return status;
}

enum ol_status ol_sim_create(const struct ol_sim_options *options, struct ol_sim **out)
{
    const struct ol_sim_format *const format = options->format ? options->format : &ol_sim_amd64;
    if (options->frames > ol_sim_frames_max(format)) return OL_E_INVALID;
    if (!ol_numa_is_possible(&options->numa, options->frames)) return OL_E_INVALID;
    const uint32_t tables =
        options->table_frames > 0 ? options->table_frames : default_table_frames(format, options->frames);
    if (tables > format->frames_max - options->frames) return OL_E_INVALID;
    struct ol_sim *const sim = calloc(1, sizeof *sim);
    if (!sim) return OL_E_NO_META;
    sim->format = format;
    sim->page_shift = format->is.page_shift;
    sim->numa = options->numa;
    enum ol_status status = ol_sim_memory_create(&sim->memory, format->is.page_shift, options->frames, tables);
    if (status != OL_OK) goto free_sim;
    status = ol_sim_reverse_create(&sim->reverse, options->frames);
    if (status != OL_OK) goto destroy_memory;
    status = create_processors(sim, options);
    if (status != OL_OK) goto destroy_reverse;
    status = ol_sim_port_create(&sim->port);
    if (status != OL_OK) goto destroy_processors;
    *out = sim;
    return OL_OK;

destroy_processors:
    destroy_processors(sim);
destroy_reverse:
    ol_sim_reverse_destroy(&sim->reverse);
destroy_memory:
    ol_sim_memory_destroy(&sim->memory);
free_sim:
    free(sim);
    return status;
}

void ol_sim_destroy(struct ol_sim *sim)
{
    ol_sim_port_destroy(&sim->port);
    destroy_processors(sim);
    ol_sim_reverse_destroy(&sim->reverse);
    ol_sim_memory_destroy(&sim->memory);
    free(sim->tags.free);
    free(sim);
}

void ol_sim_zones(const struct ol_sim *sim, struct ol_config *config, struct ol_zone zones[OL_ZONES_MAX])
{
    uint32_t count = ol_numa_zones(&sim->numa, sim->memory.page_frames, zones);
    if (count == 0) return;
    while (count > 1 && zones[count - 1].first >= config->frames_max) count--; /* the system has not all frames */
    zones[count - 1].frames = config->frames_max - zones[count - 1].first;
    config->zones = zones;
    config->zone_count = count;
    const uint32_t bound = sim->numa.node < count ? zones[sim->numa.node].frames : 0;
    if (sim->numa.policy == OL_NUMA_BIND && config->frames > bound) config->frames = bound;
}

struct ol_port ol_sim_port(struct ol_sim *sim)
{
    return ol_sim_port_functions(&sim->port);
}

/* --- counts ------------------------------------------------------------------------------------------------------ */

/* Gives the selected processor the references that were made since. */
static void settle_references(struct ol_sim *sim)
{
    const uint64_t now = ol_sim_now(sim);
    sim->processor->counters.references += now - sim->selected_at;
    sim->selected_at = now;
}

void ol_sim_processor_counters(struct ol_sim *sim, uint32_t processor, struct ol_sim_counters *out)
{
    const struct ol_sim_processor *const of = &sim->processors[processor];
    const struct ol_tlb_counters *const tlbs = &of->tlbs.count;
    settle_references(sim);
    ol_sim_count_shootdowns(sim);
    *out = of->counters;
    out->tlb_hits = out->references - out->tlb_misses;
    out->hits_by[0] = out->tlb_hits;
    for (unsigned level = 1; level < OL_TLB_LEVELS_MAX; level++) {
        out->hits_by[level] = tlbs->hits[level];
        out->hits_by[0] -= tlbs->hits[level]; /* most of level 1 nobody counted */
    }
    for (uint32_t node = 0; of->by_node && node < sim->numa.nodes; node++)
        *(node == of->node ? &out->local : &out->remote) += of->by_node[node];
    out->table_references_saved = tlbs->words_saved;
}

void ol_sim_get_counters(struct ol_sim *sim, struct ol_sim_counters *out)
{
    *out = (struct ol_sim_counters){0};
    for (uint32_t i = 0; i < sim->processor_count; i++) {
        struct ol_sim_counters one;
        ol_sim_processor_counters(sim, i, &one);
        const uint64_t *const from = (const uint64_t *)&one;
        uint64_t *const to = (uint64_t *)out;
        for (size_t word = 0; word < sizeof one / sizeof *from; word++) to[word] += from[word];
    }
    out->tables_peak = sim->memory.tables_peak;
}

/* --- processors and their spaces --------------------------------------------------------------------------------- */

static void select_locked(struct ol_sim *sim, struct ol_sim_processor *processor)
{
    settle_references(sim);
    sim->processor = processor;
}

void ol_sim_select(struct ol_sim *sim, uint32_t processor)
{
    assert(processor < sim->processor_count);
    pthread_mutex_lock(&sim->port.lock);
    select_locked(sim, &sim->processors[processor]);
    pthread_mutex_unlock(&sim->port.lock);
}

/* A tag that stood for another space is emptied first. */
static void switch_to(struct ol_sim *sim, const struct ol_pmap *pmap)
{
    struct ol_sim_processor *const processor = sim->processor;
    const uint32_t tag = ol_sim_tag(pmap);
    const bool keep = processor->tags[tag] == pmap->serial;
    sim->format->control(&sim->memory, (uint64_t)pmap->tables.root << sim->memory.page_shift, &processor->control);
    if (sim->format->load_root) {
        sim->format->load_root(&processor->control, &processor->tlbs, tag, keep);
    } else {
        if (!keep) ol_tlbs_empty_tag(&processor->tlbs, tag, false);
        ol_tlbs_switch(&processor->tlbs, tag);
    }
    if (!keep && processor->tags[tag] != 0) processor->counters.tlb_emptied++;
    processor->tags[tag] = pmap->serial;
    processor->active = pmap->serial;
    processor->counters.switches++;
}

void ol_sim_activate(struct ol_sim *sim, struct ol_space *space)
{
    const struct ol_pmap *const pmap = ol_space_pmap(space);
    assert(pmap->sim == sim);
    sim->processor->space = space;
    if (sim->processor->active != pmap->serial) switch_to(sim, pmap);
}

enum ol_status ol_sim_number_pmap(struct ol_sim *sim, struct ol_pmap *pmap)
{
    struct ol_sim_tags *const tags = &sim->tags;
    if (tags->count == 0) {
        uint32_t *const grown = realloc(tags->free, (tags->fresh + 1U) * sizeof *grown);
        if (!grown) return OL_E_NO_META;
        tags->free = grown;
        tags->free[tags->count++] = tags->fresh++;
    }
    pmap->number = tags->free[--tags->count];
    pmap->serial = ++sim->pmaps_made;
    return OL_OK;
}

void ol_sim_forget_pmap(struct ol_sim *sim, const struct ol_pmap *pmap)
{
    for (uint32_t i = 0; i < sim->processor_count; i++) {
        if (sim->processors[i].active != pmap->serial) continue;
        sim->processors[i].active = 0;
        sim->processors[i].space = NULL;
    }
    sim->tags.free[sim->tags.count++] = pmap->number;
}

void ol_sim_invalidate(const struct ol_pmap *pmap, ol_va va)
{
    struct ol_sim *const sim = pmap->sim;
    const uint32_t tag = ol_sim_tag(pmap);
    for (uint32_t i = 0; i < sim->processor_count; i++) {
        struct ol_sim_processor *const processor = &sim->processors[i];
        if (processor->tags[tag] != pmap->serial) continue; /* it has nothing of this space */
        if (sim->format->invalidate) sim->format->invalidate(&processor->control, &processor->tlbs, tag, va);
        else ol_tlbs_invalidate(&processor->tlbs, tag, va, 0);
        processor->counters.tlb_invalidations++;
        if (processor != sim->processor) sim->interrupted |= 1ULL << i;
    }
}

void ol_sim_count_shootdowns(struct ol_sim *sim)
{
    for (; sim->interrupted != 0; sim->interrupted &= sim->interrupted - 1)
        sim->processors[__builtin_ctzll(sim->interrupted)].counters.shootdowns++;
}

/* --- references -------------------------------------------------------------------------------------------------- */

/* Walks the active space's tables and does what the processor does with the result: sets bits, fills the TLBs. */
static enum ol_walk_outcome walk(struct ol_sim *sim, ol_va va, unsigned access, ol_frame_no *frame)
{
    struct ol_sim_processor *const processor = sim->processor;
    struct ol_walk result;
    sim->format->walk(&sim->memory.words, &processor->control, va, access, &result);
    const unsigned saved = ol_tlbs_note_walk(&processor->tlbs, va, access, &result, ol_sim_now(sim));
    processor->counters.walks++;
    processor->counters.table_references += result.words_read - saved;
    processor->counters.table_updates += result.update_count;
    for (unsigned i = 0; i < result.update_count; i++)
        ol_sim_memory_set_word(&sim->memory, result.updates[i].address, result.updates[i].value);
    if (result.outcome == OL_WALK_PAGE_FAULT) processor->counters.page_faults++;
    if (result.outcome == OL_WALK_OK) *frame = (ol_frame_no)(result.physical >> sim->memory.page_shift);
    return result.outcome;
}

/* Where fetching is no right of its own, it is allowed if reading is. */
static enum ol_status fault(const struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access)
{
    if (va > sim->format->is.last_va) return OL_E_NO_REGION;
    const enum ol_status status = ol_fault(space, va, access);
    if (status != OL_E_RIGHTS || access != OL_EXEC || sim->format->is.has_execute) return status;
    return ol_fault(space, va, OL_READ);
}

static void count_node(struct ol_sim *sim, ol_frame_no frame)
{
    uint64_t *const by_node = sim->processor->by_node;
    if (by_node) by_node[ol_numa_frame_node(&sim->numa, sim->memory.page_frames, frame)]++;
}

/* Counts a reference and carries it through, as the look-aside did not serve it. With `locked`, the core's lock is held
 * on entry and on return, so that the frame is still the page's then; it is released while the core resolves a fault.
 */
static enum ol_status miss(struct ol_sim *sim, ol_va va, unsigned access, bool locked, ol_frame_no *frame)
{
    struct ol_sim_processor *const processor = sim->processor;
    struct ol_space *const space = processor->space;
    atomic_store_explicit(&sim->port.clock, ol_sim_now(sim) + 1, memory_order_relaxed);
    const bool exists = va <= sim->format->is.last_va; /* keys have no room for bits beyond it */
    if (exists && ol_tlbs_lookup(&processor->tlbs, va, access, ol_sim_now(sim), frame)) {
        count_node(sim, *frame);
        return OL_OK;
    }
    processor->counters.tlb_misses++;
    for (;;) {
        const enum ol_walk_outcome outcome = walk(sim, va, access, frame);
        if (outcome == OL_WALK_OK) {
            count_node(sim, *frame);
            return OL_OK;
        }
        if (outcome == OL_WALK_GENERAL_PROTECTION) return OL_E_NO_REGION;
        if (locked) pthread_mutex_unlock(&sim->port.lock);
        const enum ol_status status = fault(sim, space, va, access);
        if (locked) pthread_mutex_lock(&sim->port.lock);
        if (sim->processor != processor) select_locked(sim, processor); /* another thread selected one meanwhile */
        ol_sim_count_shootdowns(sim);
        if (status != OL_OK) return status;
        ol_sim_activate(sim, space);
    }
}

enum ol_status ol_sim_reference_slow(struct ol_sim *sim, ol_va va, unsigned access)
{
    ol_frame_no frame;
    assert(sim->processor->space);
    return miss(sim, va, access, false, &frame);
}

static enum ol_status reference_locked(struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access,
                                       ol_frame_no *frame)
{
    ol_sim_activate(sim, space);
    const struct ol_tlb_slot *const slot = ol_sim_hits(sim, va, access, 1);
    if (!slot) return miss(sim, va, access, true, frame);
    *frame = slot->frame;
    return OL_OK;
}

/* Makes references to the bytes' pages; copies to or from `host`, whichever is not NULL. */
static enum ol_status transfer(struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access, void *to,
                               const void *from, size_t bytes)
{
    enum ol_status status = OL_OK;
    pthread_mutex_lock(&sim->port.lock);
    for (size_t done = 0; done < bytes && status == OL_OK;) {
        const size_t page_bytes = ol_sim_page_bytes(&sim->memory);
        const size_t offset = (va + done) & (page_bytes - 1);
        const size_t left = bytes - done;
        const size_t part = left < page_bytes - offset ? left : page_bytes - offset;
        ol_frame_no frame;
        status = reference_locked(sim, space, va + done, access, &frame);
        if (status != OL_OK) break;
        unsigned char *const place = (unsigned char *)ol_sim_memory_frame(&sim->memory, frame) + offset;
        if (to) memcpy((unsigned char *)to + done, place, part);
        if (from) memcpy(place, (const unsigned char *)from + done, part);
        done += part;
    }
    pthread_mutex_unlock(&sim->port.lock);
    return status;
}

enum ol_status ol_sim_access(struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access)
{
    return transfer(sim, space, va, access, NULL, NULL, 1);
}

enum ol_status ol_sim_read(struct ol_sim *sim, struct ol_space *space, ol_va va, void *to, size_t bytes)
{
    return transfer(sim, space, va, OL_READ, to, NULL, bytes);
}

enum ol_status ol_sim_write(struct ol_sim *sim, struct ol_space *space, ol_va va, const void *from, size_t bytes)
{
    return transfer(sim, space, va, OL_WRITE, NULL, from, bytes);
}
