/* SPDX-License-Identifier: MIT */
/*
 * Which frame a page gets, where that matters: on machines with large pages, or with nodes.
 *
 * The first touch of an aligned stretch of a region, as large as a large page, reserves an aligned block of memory for
 * it (Navarro, Iyer, Druschel, Cox: Practical, Transparent Operating System Support for Superpages, OSDI 2002). Each
 * page of the stretch then gets the frame at its own place in the block, so that when all have come, one large entry
 * can map them. Until then the block's other frames are free like all others: they count as free, and when no
 * unreserved frame is left, the reservation that was used longest ago is broken and its free frames are anybody's.
 *
 *      a region    |....|p.q.|....|....|          the stretch of p and q
 *                        | |
 *      memory      |....|P.Q.|xxxx|.x..|          its block: P and Q in use, the dots free and reserved
 *
 * A reservation ends by being broken, or when the last frame of the block becomes free. It promises nothing: whether a
 * large entry is right, large.c finds out from the pages themselves.
 *
 * Frames are first obtained for a fault, any of them (ol_physical_take), and exchanged for the one that suits when the
 * page is known (ol_frame_place_locked): so reclaim, and the steps of a fault, need not know of all this.
 */
#include "core/internal.h"

#define NO_BLOCK UINT32_MAX

static uint32_t size_frames(const struct ol_large_size *size)
{
    return 1U << size->order;
}

/* --- creation ---------------------------------------------------------------------------------------------------- */

static uint32_t buckets_for(uint32_t blocks)
{
    uint32_t buckets = 1;
    while (buckets < blocks) buckets *= 2;
    return buckets;
}

/* Bytes of the tables for one size; what follows is aligned, too. */
static size_t size_bytes(uint32_t blocks)
{
    const size_t words = (size_t)blocks + buckets_for(blocks);
    return blocks * sizeof(struct ol_reservation) + (words + words % 2) * sizeof(uint32_t);
}

/* Zones in order, without gaps, from frame 0 to the last. */
static bool zones_are_valid(const struct ol_config *config)
{
    uint64_t at = 0;
    if (config->zone_count > OL_ZONES_MAX) return false;
    for (uint32_t i = 0; i < config->zone_count; i++) {
        if (config->zones[i].first != at || !config->zones[i].frames) return false;
        at += config->zones[i].frames;
    }
    return !config->zone_count || at == config->frames_max;
}

/* The machine's large sizes up to the one that is asked for, as orders; how many. 0 if that one is none of them. */
static uint32_t large_orders(const struct ol_config *config, uint8_t orders[OL_LARGE_SIZES_MAX])
{
    const struct ol_capabilities *is = config->machine_is;
    const bool can = config->large_shift && is->has_referenced && is->has_modified && is->can_alias;
    for (uint32_t i = 0; can && i < OL_LARGE_SIZES_MAX && is->large_shifts[i]; i++) {
        orders[i] = (uint8_t)(is->large_shifts[i] - is->page_shift);
        if (is->large_shifts[i] == config->large_shift) return i + 1;
    }
    return 0;
}

static void size_init(struct ol_system *system, struct ol_large_size *size, unsigned char *tables)
{
    size->blocks = system->frames_max >> size->order;
    size->buckets = buckets_for(size->blocks);
    size->reservation = (void *)tables;
    size->used = (void *)(size->reservation + size->blocks);
    size->bucket = size->used + size->blocks;
    size->oldest = size->youngest = NO_BLOCK;
    for (uint32_t i = 0; i < size->buckets; i++) size->bucket[i] = NO_BLOCK;
}

enum ol_status ol_physical_init(struct ol_system *system, const struct ol_config *config)
{
    uint8_t orders[OL_LARGE_SIZES_MAX];
    const struct ol_port *port = &system->port;
    if (!config->zone_count && !config->large_shift) return OL_OK;
    if (!zones_are_valid(config)) return OL_E_INVALID;
    const uint32_t sizes = large_orders(config, orders);
    if (config->large_shift && !sizes) return OL_E_UNSUPPORTED;
    size_t bytes = sizeof(struct ol_physical);
    for (uint32_t i = 0; i < sizes; i++) bytes += size_bytes(system->frames_max >> orders[i]);
    struct ol_physical *memory = port->metadata_alloc(port->context, bytes);
    if (!memory) return OL_E_NO_META;
    unsigned char *tables = (unsigned char *)(memory + 1);
    memory->bytes = bytes;
    memory->zones = config->zone_count ? config->zone_count : 1;
    memory->zone[0].frames = system->frames_max;
    for (uint32_t i = 0; i < config->zone_count; i++) {
        memory->zone[i].first = config->zones[i].first;
        memory->zone[i].frames = config->zones[i].frames;
        memory->zone[i].node = config->zones[i].node;
    }
    memory->sizes = sizes;
    for (uint32_t i = 0; i < sizes; i++) {
        memory->size[i].order = orders[i];
        size_init(system, &memory->size[i], tables);
        tables += size_bytes(memory->size[i].blocks);
    }
    system->physical = memory;
    system->frames_fresh = system->frames_max; /* any may be the first to be used */
    ol_buddy_init(system);
    return OL_OK;
}

void ol_physical_destroy(struct ol_system *system)
{
    if (system->physical) system->port.metadata_free(system->port.context, system->physical, system->physical->bytes);
}

/* --- reservations ------------------------------------------------------------------------------------------------ */

static uint32_t *bucket_of(const struct ol_large_size *size, uint32_t space, uint64_t page)
{
    const uint64_t hash = ((page >> size->order) ^ (uint64_t)space << 40) * 0x9e3779b97f4a7c15ULL;
    return &size->bucket[hash >> 32 & (size->buckets - 1)];
}

/* The block reserved for that stretch of pages, or NO_BLOCK. */
static uint32_t find(const struct ol_large_size *size, uint32_t space, uint64_t page)
{
    const uint64_t first = page >> size->order << size->order;
    uint32_t block = *bucket_of(size, space, page);
    while (block != NO_BLOCK && (size->reservation[block].space != space || size->reservation[block].page != first))
        block = size->reservation[block].chain;
    return block;
}

/* Those with free frames are in order of use. */
static void line_up(struct ol_large_size *size, uint32_t block)
{
    struct ol_reservation *reservation = &size->reservation[block];
    reservation->older = size->youngest;
    reservation->younger = NO_BLOCK;
    if (size->youngest == NO_BLOCK) size->oldest = block;
    else size->reservation[size->youngest].younger = block;
    size->youngest = block;
}

static void step_out(struct ol_large_size *size, uint32_t block)
{
    const struct ol_reservation *reservation = &size->reservation[block];
    if (reservation->older == NO_BLOCK) size->oldest = reservation->younger;
    else size->reservation[reservation->older].younger = reservation->younger;
    if (reservation->younger == NO_BLOCK) size->youngest = reservation->older;
    else size->reservation[reservation->younger].older = reservation->older;
}

static void begin(struct ol_large_size *size, uint32_t block, uint32_t space, uint64_t page)
{
    struct ol_reservation *reservation = &size->reservation[block];
    uint32_t *bucket = bucket_of(size, space, page);
    *reservation =
        (struct ol_reservation){.page = page >> size->order << size->order, .space = space, .chain = *bucket};
    *bucket = block;
    line_up(size, block);
}

/* It has free frames, which are the caller's to give. */
static void end(struct ol_large_size *size, uint32_t block)
{
    struct ol_reservation *reservation = &size->reservation[block];
    uint32_t *at = bucket_of(size, reservation->space, reservation->page);
    while (*at != block) at = &size->reservation[*at].chain;
    *at = reservation->chain;
    step_out(size, block);
    reservation->space = OL_NIL;
}

/* The size whose reservation the frame belongs to; NULL if it is not reserved. */
static const struct ol_large_size *reserving(const struct ol_physical *memory, ol_frame_no number)
{
    for (const struct ol_large_size *size = memory->size; size < memory->size + memory->sizes; size++) {
        const uint32_t block = number >> size->order;
        if (block < size->blocks && size->reservation[block].space != OL_NIL) return size;
    }
    return NULL;
}

uint32_t ol_physical_reserved(const struct ol_physical *memory, ol_frame_no number, uint32_t *used)
{
    const struct ol_large_size *size = reserving(memory, number);
    *used = size ? size->used[number >> size->order] : 1;
    return size ? size_frames(size) : 1;
}

/* The oldest one that has free frames, of the largest size: false if there is none. */
static bool oldest(struct ol_physical *memory, struct ol_large_size **size, uint32_t *block)
{
    for (*size = memory->size + memory->sizes; *size > memory->size;) {
        *block = (--*size)->oldest;
        if (*block != NO_BLOCK) return true;
    }
    return false;
}

bool ol_physical_break(struct ol_system *system)
{
    struct ol_large_size *size;
    uint32_t block;
    if (!oldest(system->physical, &size, &block)) return false;
    end(size, block);
    const ol_frame_no first = block << size->order;
    for (ol_frame_no number = first; number < first + size_frames(size); number++)
        if (system->frame[number].state == OL_FRAME_FREE) ol_buddy_give(system, number, 0);
    system->count.reservations_broken++;
    return true;
}

/* --- single frames ----------------------------------------------------------------------------------------------- */

/* A free frame, reserved or off the lists, is about to be used. */
static void count_used(struct ol_physical *memory, ol_frame_no number)
{
    for (struct ol_large_size *size = memory->size; size < memory->size + memory->sizes; size++) {
        const uint32_t block = number >> size->order;
        if (block >= size->blocks) continue;
        if (++size->used[block] == size_frames(size) && size->reservation[block].space != OL_NIL) step_out(size, block);
    }
}

ol_frame_no ol_physical_take(struct ol_system *system)
{
    struct ol_physical *memory = system->physical;
    struct ol_large_size *size;
    uint32_t block;
    ol_frame_no number = ol_buddy_take(system, 0, OL_ANY_NODE, OL_NO_FRAME);
    if (number == OL_NO_FRAME) { /* lent by a reservation, until it is known which frame is wanted */
        if (!oldest(memory, &size, &block)) return OL_NO_FRAME;
        struct ol_reservation *reservation = &size->reservation[block];
        while (system->frame[(block << size->order) + reservation->cursor].state != OL_FRAME_FREE)
            reservation->cursor = (reservation->cursor + 1) & (size_frames(size) - 1);
        number = (block << size->order) + reservation->cursor;
    }
    count_used(memory, number);
    return number;
}

void ol_physical_give(struct ol_system *system, ol_frame_no number)
{
    struct ol_physical *memory = system->physical;
    const struct ol_large_size *reserved = reserving(memory, number);
    for (struct ol_large_size *size = memory->size; size < memory->size + memory->sizes; size++)
        if (number >> size->order < size->blocks) size->used[number >> size->order]--;
    if (!reserved) {
        ol_buddy_give(system, number, 0);
        return;
    }
    struct ol_large_size *holder = &memory->size[reserved - memory->size];
    const uint32_t block = number >> holder->order;
    if (holder->used[block] == size_frames(holder) - 1) line_up(holder, block);
    if (holder->used[block]) return;
    end(holder, block);
    ol_buddy_give(system, block << holder->order, holder->order);
}

/* --- the frame for a page ---------------------------------------------------------------------------------------- */

static uint32_t node_for(const struct ol_system *system, const struct ol_space *space, uint64_t page)
{
    if (!system->pmap->node_for) return OL_ANY_NODE;
    return system->pmap->node_for(system->machine, space->pmap, page << system->is.page_shift);
}

/* The stretch around page lies in the region, and nothing of it is in memory, but for what is shared with another space
 * and will be copied: what is already elsewhere would keep it from ever being mapped large. */
static bool is_reservable(const struct ol_system *system, const struct ol_region *region, uint64_t page, uint8_t order)
{
    const uint64_t first = page >> order << order, last = first + (1ULL << order) - 1;
    if (first < region->first || last > region->last) return false;
    uint64_t index = region->offset + (first - region->first);
    const uint64_t wanted = region->offset + (page - region->first), end = index + (1ULL << order);
    uint32_t child;
    for (; (child = ol_overlay_next(system, region->overlay, &index, end - 1)) != OL_NIL; index++) {
        bool shared;
        if (index == wanted || ol_child_state(system, child) != OL_ANON_RESIDENT) continue;
        (void)ol_overlay_lookup(system, region->overlay, index, &shared);
        if (!shared) return false;
    }
    return true;
}

/* The page's own place in a block reserved for its surroundings; OL_NO_FRAME if there is none, or it is taken. */
static ol_frame_no place_reserved(struct ol_system *system, const struct ol_space *space,
                                  const struct ol_region *region, uint64_t page, uint32_t node)
{
    struct ol_physical *memory = system->physical;
    for (uint32_t i = memory->sizes; i--;) {
        struct ol_large_size *size = &memory->size[i];
        const uint32_t block = find(size, space->number, page);
        if (block == NO_BLOCK) continue;
        const ol_frame_no number = (block << size->order) + (ol_frame_no)(page & (size_frames(size) - 1));
        if (system->frame[number].state != OL_FRAME_FREE) return OL_NO_FRAME;
        step_out(size, block); /* and in again as the youngest */
        line_up(size, block);
        return number;
    }
    for (uint32_t i = memory->sizes; i--;) {
        struct ol_large_size *size = &memory->size[i];
        if (!ol_buddy_has(memory, size->order) || !is_reservable(system, region, page, size->order)) continue;
        const ol_frame_no first = ol_buddy_take(system, size->order, node, OL_NO_FRAME);
        begin(size, first >> size->order, space->number, page);
        system->count.reservations++;
        return first + (ol_frame_no)(page & (size_frames(size) - 1));
    }
    return OL_NO_FRAME;
}

ol_frame_no ol_frame_place_locked(struct ol_system *system, const struct ol_space *space,
                                  const struct ol_region *region, uint64_t page, ol_frame_no number)
{
    const uint32_t node = node_for(system, space, page);
    ol_frame_release(system, number);
    number = place_reserved(system, space, region, page, node);
    if (number == OL_NO_FRAME) {
        while ((number = ol_buddy_take(system, 0, node, OL_NO_FRAME)) == OL_NO_FRAME) {
            const bool broken = ol_physical_break(system);
            OL_ASSERT(system, broken, "I12"); /* one frame is free: the one that was given back */
        }
    }
    count_used(system->physical, number);
    ol_frame_begin(system, number);
    return number;
}

/* --- blocks, for others than pages ------------------------------------------------------------------------------- */

ol_frame_no ol_physical_take_block(struct ol_system *system, unsigned order, ol_frame_no limit)
{
    ol_frame_no first;
    while ((first = ol_buddy_take(system, order, OL_ANY_NODE, limit)) == OL_NO_FRAME)
        if (!ol_physical_break(system)) return OL_NO_FRAME;
    for (ol_frame_no number = first; number < first + (1U << order); number++) {
        count_used(system->physical, number);
        ol_frame_begin(system, number);
    }
    return first;
}

void ol_block_give(struct ol_system *system, ol_frame_no first, unsigned order)
{
    ol_lock(system);
    for (ol_frame_no number = first; number < first + (1U << order); number++) ol_frame_release(system, number);
    ol_unlock(system);
}

bool ol_system_physical(struct ol_system *system, struct ol_physical_info *out)
{
    *out = (struct ol_physical_info){0};
    if (!system->physical) return false;
    ol_lock(system);
    const struct ol_physical *memory = system->physical;
    for (const struct ol_physical_zone *zone = memory->zone; zone < memory->zone + memory->zones; zone++)
        for (unsigned order = 0; order < OL_BLOCK_ORDERS; order++) out->blocks[order] += zone->block[order].count;
    out->free = system->frames_max - system->in_use;
    out->reserved = out->free;
    for (unsigned order = 0; order < OL_BLOCK_ORDERS; order++) out->reserved -= out->blocks[order] << order;
    ol_unlock(system);
    return true;
}
