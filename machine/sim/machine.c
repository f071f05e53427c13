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

enum ol_status ol_sim_create(const struct ol_sim_options *options, struct ol_sim **out)
{
    const struct ol_sim_format *const format = options->format ? options->format : &ol_sim_amd64;
    if (options->frames > ol_sim_frames_max(format)) return OL_E_INVALID;
    const uint32_t tables =
        options->table_frames > 0 ? options->table_frames : default_table_frames(format, options->frames);
    if (tables > format->frames_max - options->frames) return OL_E_INVALID;
    struct ol_sim *const sim = calloc(1, sizeof *sim);
    if (!sim) return OL_E_NO_META;
    sim->format = format;
    sim->last_va = format->is.last_va;
    sim->page_shift = format->is.page_shift;
    enum ol_status status = ol_sim_memory_create(&sim->memory, format->is.page_shift, options->frames, tables);
    if (status != OL_OK) goto free_sim;
    status = ol_sim_reverse_create(&sim->reverse, options->frames);
    if (status != OL_OK) goto destroy_memory;
    status = ol_tlb_create(&sim->tlb, options->tlb_entries, options->tlb_ways);
    if (status != OL_OK) goto destroy_reverse;
    status = ol_sim_port_create(&sim->port);
    if (status != OL_OK) goto destroy_tlb;
    *out = sim;
    return OL_OK;

destroy_tlb:
    ol_tlb_destroy(&sim->tlb);
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
    ol_tlb_destroy(&sim->tlb);
    ol_sim_reverse_destroy(&sim->reverse);
    ol_sim_memory_destroy(&sim->memory);
    free(sim->tags.free);
    free(sim);
}

enum ol_status ol_sim_tag_take(struct ol_sim *sim, uint32_t *out)
{
    struct ol_sim_tags *const tags = &sim->tags;
    if (tags->count > 0) {
        *out = tags->free[--tags->count];
        return OL_OK;
    }
    if (tags->fresh == 1U << OL_TLB_TAG_BITS) return OL_E_NO_META;
    uint32_t *const grown = realloc(tags->free, (tags->fresh + 1U) * sizeof *grown);
    if (!grown) return OL_E_NO_META;
    tags->free = grown;
    *out = tags->fresh++;
    return OL_OK;
}

void ol_sim_tag_give(struct ol_sim *sim, uint32_t tag)
{
    sim->tags.free[sim->tags.count++] = tag;
}

struct ol_port ol_sim_port(struct ol_sim *sim)
{
    return ol_sim_port_functions(&sim->port);
}

void ol_sim_get_counters(const struct ol_sim *sim, struct ol_sim_counters *out)
{
    *out = sim->counters;
    out->references = ol_sim_now(sim);
    out->tlb_hits = out->references - out->tlb_misses;
    out->tables_peak = sim->memory.tables_peak;
}

void ol_sim_activate(struct ol_sim *sim, struct ol_space *space)
{
    const struct ol_pmap *const pmap = ol_space_pmap(space);
    assert(pmap->sim == sim);
    sim->space = space;
    sim->space_key = ol_sim_space_key(pmap);
    sim->format->control(&sim->memory, (uint64_t)pmap->tables.root << sim->memory.page_shift, &sim->control);
}

/* Walks the active space's tables and does what the processor does with the result: sets bits, fills the TLB. */
static enum ol_walk_outcome walk(struct ol_sim *sim, ol_va va, unsigned access, ol_frame_no *frame)
{
    struct ol_walk result;
    sim->format->walk(&sim->memory.words, &sim->control, va, access, &result);
    sim->counters.walks++;
    sim->counters.table_references += result.words_read;
    sim->counters.table_updates += result.update_count;
    for (unsigned i = 0; i < result.update_count; i++)
        ol_sim_memory_set_word(&sim->memory, result.updates[i].address, result.updates[i].value);
    if (result.outcome == OL_WALK_PAGE_FAULT) sim->counters.page_faults++;
    if (result.outcome != OL_WALK_OK) return result.outcome;
    *frame = (ol_frame_no)(result.physical >> sim->memory.page_shift);
    const unsigned rights = result.dirty ? result.rights : result.rights & ~(unsigned)OL_WRITE;
    ol_tlb_insert(&sim->tlb, sim->space_key | va >> sim->page_shift, *frame, rights, ol_sim_now(sim));
    return OL_WALK_OK;
}

/* Where fetching is no right of its own, it is allowed if reading is. */
static enum ol_status fault(const struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access)
{
    if (va > sim->format->is.last_va) return OL_E_NO_REGION;
    const enum ol_status status = ol_fault(space, va, access);
    if (status != OL_E_RIGHTS || access != OL_EXEC || sim->format->is.has_execute) return status;
    return ol_fault(space, va, OL_READ);
}

/* Carries a reference through that the TLB did not serve. The core's lock is held on entry and on return, so that the
 * frame is still the page's then. */
static enum ol_status miss_locked(struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access,
                                  ol_frame_no *frame)
{
    for (;;) {
        const enum ol_walk_outcome outcome = walk(sim, va, access, frame);
        if (outcome == OL_WALK_OK) return OL_OK;
        if (outcome == OL_WALK_GENERAL_PROTECTION) return OL_E_NO_REGION;
        pthread_mutex_unlock(&sim->port.lock);
        const enum ol_status status = fault(sim, space, va, access);
        pthread_mutex_lock(&sim->port.lock);
        if (status != OL_OK) return status;
        ol_sim_activate(sim, space);
    }
}

enum ol_status ol_sim_reference_slow(struct ol_sim *sim, ol_va va, unsigned access)
{
    ol_frame_no frame;
    assert(sim->space);
    pthread_mutex_lock(&sim->port.lock);
    const enum ol_status status = miss_locked(sim, sim->space, va, access, &frame);
    pthread_mutex_unlock(&sim->port.lock);
    return status;
}

static enum ol_status reference_locked(struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access,
                                       ol_frame_no *frame)
{
    ol_sim_activate(sim, space);
    if (ol_sim_hit(sim, va, access, frame)) return OL_OK;
    return miss_locked(sim, space, va, access, frame);
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
