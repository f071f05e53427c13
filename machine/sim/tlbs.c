/* SPDX-License-Identifier: MIT */
#include "machine/sim/tlbs.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_PER_ENTRY = 4, SLOTS_LEAST = 16, SLOTS_MOST = 4096 };

/* --- creation ---------------------------------------------------------------------------------------------------- */

/* The sizes of pages are what the entries of the lowest levels cover. */
static void learn_sizes(struct ol_tlbs *tlbs)
{
    const struct ol_sim_format *const format = tlbs->format;
    tlbs->sizes = format->levels < OL_TLB_SIZES_MAX ? format->levels : OL_TLB_SIZES_MAX;
    for (unsigned size = 0; size < tlbs->sizes; size++) tlbs->page_shift[size] = format->level[size].shift;
    tlbs->page_shift[0] = format->is.page_shift;
}

static uint8_t sizes_of(const struct ol_tlbs *tlbs, const struct ol_tlb_array_spec *spec)
{
    uint8_t sizes = 0;
    for (unsigned size = 0; size < tlbs->sizes; size++)
        if (spec->sizes == 0 || spec->sizes >> tlbs->page_shift[size] & 1) sizes |= (uint8_t)(1U << size);
    return sizes;
}

static enum ol_status create_parts(struct ol_tlbs *tlbs, const struct ol_tlb_spec *spec)
{
    enum ol_status status = OL_OK;
    for (unsigned level = 1; level <= OL_TLB_LEVELS_MAX; level++) {
        for (unsigned i = 0; i < spec->arrays && status == OL_OK; i++) {
            const struct ol_tlb_array_spec *const is = &spec->array[i];
            struct ol_tlb_part *const part = &tlbs->part[tlbs->parts];
            if (is->level != level || is->entries == 0) continue;
            *part = (struct ol_tlb_part){.level = is->level, .holds = is->holds, .sizes = sizes_of(tlbs, is)};
            status = ol_tlb_create(&part->tlb, is->entries, is->ways, (enum ol_tlb_replacement)is->replacement);
            if (status != OL_OK) return status;
            tlbs->parts++;
            tlbs->levels = is->level;
        }
    }
    return status;
}

static enum ol_status create_walk_caches(struct ol_tlbs *tlbs, const struct ol_tlb_spec *spec)
{
    if (spec->walk_caches > 0 && !tlbs->format->walks_levels) return OL_E_INVALID;
    for (unsigned i = 0; i < spec->walk_caches; i++) {
        const struct ol_tlb_array_spec *const is = &spec->walk[i];
        struct ol_walk_cache *const cache = &tlbs->walk[i];
        cache->level = is->level;
        const enum ol_status status =
            ol_tlb_create(&cache->tlb, is->entries, is->ways, (enum ol_tlb_replacement)is->replacement);
        if (status != OL_OK) return status;
        tlbs->walk_caches++;
    }
    return OL_OK;
}

static void clear_aside(struct ol_tlb_aside *aside)
{
    for (uint64_t i = 0; i <= aside->mask; i++) aside->slots[i].page = OL_TLB_NO_PAGE;
}

static void clear_asides(struct ol_tlbs *tlbs)
{
    clear_aside(&tlbs->aside[0]);
    if (tlbs->aside[1].slots != tlbs->aside[0].slots) clear_aside(&tlbs->aside[1]);
}

static bool create_aside(struct ol_tlbs *tlbs, struct ol_tlb_aside *aside, unsigned class)
{
    uint64_t wanted = 0, slots = 1;
    for (unsigned i = 0; i < tlbs->parts; i++)
        if (tlbs->part[i].level == 1 && tlbs->part[i].holds & class)
            wanted += ol_tlb_room(&tlbs->part[i].tlb) * SLOTS_PER_ENTRY;
    if (wanted > 0 && wanted < SLOTS_LEAST) wanted = SLOTS_LEAST;
    while (slots < wanted && slots < SLOTS_MOST) slots *= 2;
    aside->slots = aligned_alloc(64, (slots * sizeof *aside->slots + 63) / 64 * 64);
    aside->mask = slots - 1;
    if (!aside->slots) return false;
    memset(aside->slots, 0, slots * sizeof *aside->slots);
    clear_aside(aside);
    return true;
}

static bool create_asides(struct ol_tlbs *tlbs)
{
    bool split = false;
    for (unsigned i = 0; i < tlbs->parts; i++)
        split = split || (tlbs->part[i].level == 1 && tlbs->part[i].holds != (OL_TLB_DATA | OL_TLB_CODE));
    if (!create_aside(tlbs, &tlbs->aside[0], OL_TLB_DATA)) return false;
    if (split) return create_aside(tlbs, &tlbs->aside[1], OL_TLB_CODE);
    tlbs->aside[1] = tlbs->aside[0];
    return true;
}

enum ol_status ol_tlbs_create(struct ol_tlbs *tlbs, const struct ol_tlb_spec *spec, const struct ol_sim_format *format,
                              const struct ol_numa *numa, uint32_t frames)
{
    *tlbs = (struct ol_tlbs){.format = format, .numa = numa, .frames = frames};
    if (!ol_tlb_spec_is_possible(spec)) return OL_E_INVALID;
    tlbs->tag_bits = spec->tag_bits < format->tag_bits ? spec->tag_bits : format->tag_bits;
    learn_sizes(tlbs);
    enum ol_status status = create_parts(tlbs, spec);
    if (status == OL_OK) status = create_walk_caches(tlbs, spec);
    if (status == OL_OK && !create_asides(tlbs)) status = OL_E_NO_META;
    if (status != OL_OK) ol_tlbs_destroy(tlbs);
    return status;
}

void ol_tlbs_destroy(struct ol_tlbs *tlbs)
{
    for (unsigned i = 0; i < tlbs->parts; i++) ol_tlb_destroy(&tlbs->part[i].tlb);
    for (unsigned i = 0; i < tlbs->walk_caches; i++) ol_tlb_destroy(&tlbs->walk[i].tlb);
    if (tlbs->aside[1].slots != tlbs->aside[0].slots) free(tlbs->aside[1].slots);
    free(tlbs->aside[0].slots);
    *tlbs = (struct ol_tlbs){0};
}

void ol_tlbs_switch(struct ol_tlbs *tlbs, uint32_t tag)
{
    tlbs->tag = tag;
    clear_asides(tlbs);
}

/* --- the look-aside ---------------------------------------------------------------------------------------------- */

static unsigned class_of(unsigned access)
{
    return access == OL_EXEC ? OL_TLB_CODE : OL_TLB_DATA;
}

/* How many small pages lie between the beginning of va's page of that size and va. */
static ol_frame_no offset_in(const struct ol_tlbs *tlbs, unsigned size, ol_va va)
{
    const uint64_t within = va & ((1ULL << tlbs->page_shift[size]) - 1);
    return (ol_frame_no)(within >> tlbs->page_shift[0]);
}

static void put_aside(struct ol_tlbs *tlbs, const struct ol_tlb_part *part, const struct ol_tlb_entry *entry, ol_va va,
                      unsigned access)
{
    const struct ol_tlb_aside *const aside = &tlbs->aside[access / OL_EXEC];
    const uint64_t page = va >> tlbs->page_shift[0];
    uint64_t *const used = ol_tlb_used(&part->tlb, entry);
    const ol_frame_no frame = entry->frame + offset_in(tlbs, ol_tlb_key_size(entry->key), va);
    aside->slots[page & aside->mask] = (struct ol_tlb_slot){
        .page = page,
        .used = used ? used : &tlbs->unused,
        .entry = entry,
        .frame = frame,
        .rights = entry->rights,
        .node = (uint8_t)ol_numa_frame_node(tlbs->numa, tlbs->frames, frame),
    };
}

static void drop_from(const struct ol_tlb_aside *aside, const struct ol_tlb_entry *entry, bool everywhere)
{
    const uint64_t at = ol_tlb_key_page(entry->key) & aside->mask;
    for (uint64_t i = everywhere ? 0 : at; i <= (everywhere ? aside->mask : at); i++)
        if (aside->slots[i].entry == entry) aside->slots[i].page = OL_TLB_NO_PAGE;
}

/* The entry will be no more, or another. A small page has one slot, the parts of a larger one may have any. */
static void drop(const struct ol_tlbs *tlbs, const struct ol_tlb_part *part, const struct ol_tlb_entry *entry)
{
    if (part->level > 1 || entry->key == 0) return;
    const bool everywhere = ol_tlb_key_size(entry->key) > 0;
    if (part->holds & OL_TLB_DATA) drop_from(&tlbs->aside[0], entry, everywhere);
    if (part->holds & OL_TLB_CODE) drop_from(&tlbs->aside[1], entry, everywhere);
}

/* --- lookup and filling ------------------------------------------------------------------------------------------- */

/* The entry of a part that contains va in the space of that tag. NULL if there is none. */
static struct ol_tlb_entry *find_in(const struct ol_tlbs *tlbs, const struct ol_tlb_part *part, uint32_t tag, ol_va va)
{
    for (unsigned size = 0; size < tlbs->sizes; size++) {
        if (!(part->seen >> size & 1)) continue;
        struct ol_tlb_entry *const entry = ol_tlb_find(&part->tlb, ol_tlb_key(tag, size, va >> tlbs->page_shift[size]));
        if (entry) return entry;
    }
    return NULL;
}

static struct ol_tlb_entry *find(const struct ol_tlbs *tlbs, const struct ol_tlb_part *part, ol_va va)
{
    struct ol_tlb_entry *const entry = find_in(tlbs, part, tlbs->tag, va);
    return entry || !tlbs->has_global ? entry : find_in(tlbs, part, OL_TLB_GLOBAL_TAG, va);
}

/* The largest size that the part can hold and that is not larger than the page; OL_TLB_SIZES_MAX if there is none. */
static unsigned size_for(const struct ol_tlbs *tlbs, const struct ol_tlb_part *part, unsigned page_shift)
{
    for (unsigned size = tlbs->sizes; size-- > 0;)
        if (part->sizes >> size & 1 && tlbs->page_shift[size] <= page_shift) return size;
    return OL_TLB_SIZES_MAX;
}

/* A translation to be stored. */
struct finding {
    ol_va va;
    uint32_t tag;      /* or OL_TLB_GLOBAL_TAG */
    ol_frame_no frame; /* of va's own small page */
    uint8_t rights;
    uint8_t page_shift; /* log2 of the page that the tables map */
    uint8_t known;      /* … of the part of it around va that is known: all after a walk, else what was held */
};

static void store(struct ol_tlbs *tlbs, struct ol_tlb_part *part, unsigned size, const struct finding *found,
                  uint64_t now, unsigned access)
{
    const struct ol_tlb_entry entry = {
        .key = ol_tlb_key(found->tag, size, found->va >> tlbs->page_shift[size]),
        .frame = found->frame - offset_in(tlbs, size, found->va),
        .rights = found->rights,
        .page_shift = found->page_shift,
    };
    struct ol_tlb_entry *const place = ol_tlb_place(&part->tlb, entry.key);
    drop(tlbs, part, place);
    ol_tlb_store(&part->tlb, place, &entry, now);
    part->seen |= (uint8_t)(1U << size);
    part->has_piece = part->has_piece || found->page_shift > tlbs->page_shift[size];
    tlbs->has_global = tlbs->has_global || found->tag == OL_TLB_GLOBAL_TAG;
    if (part->level == 1) put_aside(tlbs, part, place, found->va, access);
}

/* Stores in the levels above `below`: of each, in the array that holds the largest pieces. */
static void fill(struct ol_tlbs *tlbs, unsigned below, const struct finding *found, unsigned access, uint64_t now)
{
    for (unsigned level = 1; level < below; level++) {
        struct ol_tlb_part *best = NULL;
        unsigned best_size = 0;
        for (unsigned i = 0; i < tlbs->parts; i++) {
            struct ol_tlb_part *const part = &tlbs->part[i];
            const unsigned size = size_for(tlbs, part, found->known);
            if (part->level != level || !(part->holds & class_of(access)) || size == OL_TLB_SIZES_MAX) continue;
            if (best && size <= best_size) continue;
            best = part;
            best_size = size;
        }
        if (best) store(tlbs, best, best_size, found, now, access);
    }
}

/* The first entry, from level 1 on, that contains va in the current space; NULL if there is none. */
static const struct ol_tlb_entry *search(const struct ol_tlbs *tlbs, ol_va va, unsigned access,
                                         const struct ol_tlb_part **part)
{
    for (unsigned i = 0; i < tlbs->parts; i++) {
        *part = &tlbs->part[i];
        const struct ol_tlb_entry *const entry = (*part)->holds & class_of(access) ? find(tlbs, *part, va) : NULL;
        if (entry) return entry;
    }
    return NULL;
}

bool ol_tlbs_peek(const struct ol_tlbs *tlbs, ol_va va, unsigned access, struct ol_tlb_view *out)
{
    const struct ol_tlb_part *part;
    const struct ol_tlb_entry *const entry = search(tlbs, va, access, &part);
    if (!entry) return false;
    *out = (struct ol_tlb_view){.level = part->level,
                                .rights = entry->rights,
                                .frame = entry->frame + offset_in(tlbs, ol_tlb_key_size(entry->key), va)};
    return true;
}

bool ol_tlbs_lookup(struct ol_tlbs *tlbs, ol_va va, unsigned access, uint64_t now, ol_frame_no *frame)
{
    const struct ol_tlb_part *part;
    const struct ol_tlb_entry *const entry = search(tlbs, va, access, &part);
    if (!entry || !(entry->rights & access)) return false;
    ol_tlb_touch(&part->tlb, entry, now);
    tlbs->count.hits[part->level - 1]++;
    *frame = entry->frame + offset_in(tlbs, ol_tlb_key_size(entry->key), va);
    const struct finding found = {.va = va,
                                  .tag = ol_tlb_key_tag(entry->key),
                                  .frame = *frame,
                                  .rights = entry->rights,
                                  .page_shift = entry->page_shift,
                                  .known = tlbs->page_shift[ol_tlb_key_size(entry->key)]};
    if (part->level == 1) put_aside(tlbs, part, entry, va, access);
    else fill(tlbs, part->level, &found, access, now);
    return true;
}

/* --- page-walk caches -------------------------------------------------------------------------------------------- */

/* The key of the table entry of that level that va's walk passes. */
static uint64_t table_key(const struct ol_tlbs *tlbs, uint32_t tag, unsigned level, ol_va va)
{
    return ol_tlb_key(tag, level - 1, va >> tlbs->format->level[level].shift);
}

static struct ol_tlb_entry *find_table(const struct ol_tlbs *tlbs, uint32_t tag, unsigned level, ol_va va, uint64_t now)
{
    for (unsigned i = 0; i < tlbs->walk_caches; i++) {
        const struct ol_walk_cache *const cache = &tlbs->walk[i];
        if (cache->level != 0 && cache->level != level) continue;
        struct ol_tlb_entry *const entry = ol_tlb_find(&cache->tlb, table_key(tlbs, tag, level, va));
        if (!entry) continue;
        if (now > 0) ol_tlb_touch(&cache->tlb, entry, now);
        return entry;
    }
    return NULL;
}

/* The table that the walk's entry of that level names. */
static ol_frame_no named_table(const struct ol_tlbs *tlbs, const struct ol_walk *walk, unsigned level)
{
    const struct ol_walk_step *const step = &walk->steps[tlbs->format->levels - 1U - level];
    return (ol_frame_no)(tlbs->format->table_address(step->entry, level) >> tlbs->page_shift[0]);
}

/* From the lowest table that the caches know, the words above it are not read. */
static unsigned words_saved(struct ol_tlbs *tlbs, ol_va va, const struct ol_walk *walk, uint64_t now)
{
    for (unsigned level = 1; level < tlbs->format->levels; level++) {
        const struct ol_tlb_entry *const entry = find_table(tlbs, tlbs->tag, level, va, now);
        const unsigned above = tlbs->format->levels - level;
        if (!entry) continue;
        if (walk->words_read > above && named_table(tlbs, walk, level) == entry->frame) return above;
        tlbs->count.stale++;
    }
    return 0;
}

/* The last entry of a walk maps the page, all before it name tables. */
static void cache_tables(struct ol_tlbs *tlbs, ol_va va, const struct ol_walk *walk, uint64_t now)
{
    for (unsigned step = 0; step + 1 < walk->words_read; step++) {
        const unsigned level = tlbs->format->levels - 1U - step;
        for (unsigned i = 0; i < tlbs->walk_caches; i++) {
            const struct ol_walk_cache *const cache = &tlbs->walk[i];
            if (cache->level != 0 && cache->level != level) continue;
            const struct ol_tlb_entry entry = {.key = table_key(tlbs, tlbs->tag, level, va),
                                               .frame = named_table(tlbs, walk, level)};
            struct ol_tlb *const tlb = &tlbs->walk[i].tlb;
            ol_tlb_store(tlb, ol_tlb_place(tlb, entry.key), &entry, now);
        }
    }
}

unsigned ol_tlbs_note_walk(struct ol_tlbs *tlbs, ol_va va, unsigned access, const struct ol_walk *walk, uint64_t now)
{
    unsigned saved = 0;
    if (tlbs->walk_caches > 0) saved = words_saved(tlbs, va, walk, now);
    tlbs->count.words_saved += saved;
    if (walk->outcome != OL_WALK_OK) return saved;
    if (tlbs->walk_caches > 0) cache_tables(tlbs, va, walk, now);
    const struct finding found = {
        .va = va,
        .tag = walk->global ? (uint32_t)OL_TLB_GLOBAL_TAG : tlbs->tag,
        .frame = (ol_frame_no)(walk->physical >> tlbs->page_shift[0]),
        .rights = (uint8_t)(walk->dirty ? walk->rights : walk->rights & ~(unsigned)OL_WRITE),
        .page_shift = walk->page_shift,
        .known = walk->page_shift,
    };
    fill(tlbs, OL_TLB_LEVELS_MAX + 1, &found, access, now);
    return saved;
}

/* --- what empties them ------------------------------------------------------------------------------------------- */

static void remove_entry(const struct ol_tlbs *tlbs, const struct ol_tlb_part *part, struct ol_tlb_entry *entry)
{
    drop(tlbs, part, entry);
    *entry = (struct ol_tlb_entry){0};
}

/* Whatever page contains va: the processor may hold it in pieces, and all of them go. */
static void remove_pieces(const struct ol_tlbs *tlbs, const struct ol_tlb_part *part, uint32_t tag, ol_va va)
{
    const size_t room = ol_tlb_room(&part->tlb);
    const ol_va bits = (1ULL << (OL_TLB_PAGE_BITS + tlbs->page_shift[0])) - 1;
    for (size_t i = 0; i < room; i++) {
        struct ol_tlb_entry *const entry = &part->tlb.entries[i];
        if (entry->key == 0 || ol_tlb_key_tag(entry->key) != tag) continue;
        const uint64_t at = ol_tlb_key_page(entry->key) << tlbs->page_shift[ol_tlb_key_size(entry->key)];
        if ((at & bits) >> entry->page_shift == (va & bits) >> entry->page_shift) remove_entry(tlbs, part, entry);
    }
}

static void remove_page(struct ol_tlbs *tlbs, uint32_t tag, ol_va va)
{
    for (unsigned i = 0; i < tlbs->parts; i++) {
        const struct ol_tlb_part *const part = &tlbs->part[i];
        struct ol_tlb_entry *entry;
        while ((entry = find_in(tlbs, part, tag, va))) remove_entry(tlbs, part, entry);
        if (part->has_piece) remove_pieces(tlbs, part, tag, va);
    }
}

/* Removes all entries but those that are of another space (`any`: of no space's), or global. */
static void remove_of(struct ol_tlb *tlb, bool any, uint32_t tag, bool global_too)
{
    const size_t room = ol_tlb_room(tlb);
    for (size_t i = 0; i < room; i++) {
        const uint32_t is = ol_tlb_key_tag(tlb->entries[i].key);
        const bool global = is == OL_TLB_GLOBAL_TAG;
        if (global ? global_too : any || is == tag) tlb->entries[i] = (struct ol_tlb_entry){0};
    }
}

void ol_tlbs_invalidate(struct ol_tlbs *tlbs, uint32_t tag, ol_va va, unsigned scope)
{
    remove_page(tlbs, tag, va);
    if (scope & OL_TLB_GLOBAL_TOO && tlbs->has_global) remove_page(tlbs, OL_TLB_GLOBAL_TAG, va);
    if (tlbs->walk_caches == 0) return;
    if (scope & OL_TLB_ALL_TABLES) {
        for (unsigned i = 0; i < tlbs->walk_caches; i++) remove_of(&tlbs->walk[i].tlb, false, tag, false);
        return;
    }
    for (unsigned level = 1; level < tlbs->format->levels; level++) {
        struct ol_tlb_entry *entry;
        while ((entry = find_table(tlbs, tag, level, va, 0))) *entry = (struct ol_tlb_entry){0};
    }
}

void ol_tlbs_empty_tag(struct ol_tlbs *tlbs, uint32_t tag, bool global_too)
{
    for (unsigned i = 0; i < tlbs->parts; i++) remove_of(&tlbs->part[i].tlb, false, tag, global_too);
    for (unsigned i = 0; i < tlbs->walk_caches; i++) remove_of(&tlbs->walk[i].tlb, false, tag, false);
    clear_asides(tlbs);
}

void ol_tlbs_empty(struct ol_tlbs *tlbs, bool global_too)
{
    for (unsigned i = 0; i < tlbs->parts; i++) remove_of(&tlbs->part[i].tlb, true, 0, global_too);
    for (unsigned i = 0; i < tlbs->walk_caches; i++) remove_of(&tlbs->walk[i].tlb, true, 0, true);
    clear_asides(tlbs);
    tlbs->has_global = tlbs->has_global && !global_too;
}
