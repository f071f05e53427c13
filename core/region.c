/* SPDX-License-Identifier: MIT */
/* Regions of a space: map, unmap, protect, move, discard. */
#include "core/internal.h"

/* The pages of [va, va + pages), first and last inclusive, or false if they are no valid range of the space. */
static bool range_of(const struct ol_space *space, ol_va va, uint64_t pages, uint64_t *first, uint64_t *last)
{
    const uint8_t shift = space->system->is.page_shift;
    if (va & ((1ULL << shift) - 1) || pages == 0) return false;
    *first = va >> shift;
    if (*first < space->first || *first > space->last || pages - 1 > space->last - *first) return false;
    *last = *first + pages - 1;
    return true;
}

static ol_va address_of(const struct ol_space *space, uint64_t page)
{
    return page << space->system->is.page_shift;
}

static uint64_t pages_of(const struct ol_region *region)
{
    return region->last - region->first + 1;
}

uint32_t ol_region_find(const struct ol_space *space, uint64_t page)
{
    if (space->recent != OL_NIL) {
        const struct ol_region *recent = ol_region_at(space->system, space->recent);
        if (recent->first <= page && page <= recent->last) return space->recent;
    }
    const uint32_t number = ol_region_tree_at_or_above(space->system, space->root, page);
    return number == OL_NIL || ol_region_at(space->system, number)->first > page ? OL_NIL : number;
}

uint32_t ol_region_lookup(struct ol_space *space, uint64_t page)
{
    const uint32_t number = ol_region_find(space, page);
    if (number != OL_NIL) space->recent = number;
    return number;
}

/* The next region that reaches into [page, last], or OL_NIL. */
static uint32_t region_within(const struct ol_space *space, uint64_t page, uint64_t last)
{
    const uint32_t number = ol_region_tree_at_or_above(space->system, space->root, page);
    return number != OL_NIL && ol_region_at(space->system, number)->first <= last ? number : OL_NIL;
}

static void tree_insert(struct ol_space *space, uint32_t number)
{
    space->root = ol_region_tree_insert(space->system, space->root, number);
}

static void tree_remove(struct ol_space *space, uint32_t number)
{
    space->root = ol_region_tree_remove(space->system, space->root, number);
    space->recent = OL_NIL;
}

/* A new region over [first, last]; overlay is its own reference. Nothing is taken on failure. */
static uint32_t region_add(struct ol_space *space, uint64_t first, uint64_t last, unsigned rights, uint32_t overlay,
                           uint64_t offset)
{
    const uint32_t number = ol_pool_new(&space->system->regions);
    if (number == OL_NIL) return OL_NIL;
    struct ol_region *region = ol_region_at(space->system, number);
    region->first = first;
    region->last = last;
    region->rights = (uint8_t)rights;
    region->overlay = overlay;
    region->offset = offset;
    tree_insert(space, number);
    return number;
}

/* … of zeros; `flags` of ol_map_flags. */
static enum ol_status region_add_zeros(struct ol_space *space, uint64_t first, uint64_t last, unsigned rights,
                                       unsigned flags)
{
    const uint32_t overlay = ol_overlay_new(space->system);
    if (overlay == OL_NIL) return OL_E_NO_META;
    ol_overlay_at(space->system, overlay)->shared = flags & OL_MAP_SHARED;
    const uint32_t number = region_add(space, first, last, rights, overlay, 0);
    if (number != OL_NIL) {
        ol_region_at(space->system, number)->large = flags & OL_MAP_LARGE;
        space->mapped_pages += last - first + 1;
        return OL_OK;
    }
    ol_overlay_unref(space->system, overlay);
    return OL_E_NO_META;
}

/* Makes a region boundary before `page`, if a region lies across it. Changes nothing that can be seen. */
static enum ol_status split_before(struct ol_space *space, uint64_t page)
{
    struct ol_system *system = space->system;
    const uint32_t number = ol_region_lookup(space, page);
    if (number == OL_NIL) return OL_OK;
    struct ol_region *region = ol_region_at(system, number);
    if (region->first == page) return OL_OK;
    const uint64_t last = region->last;
    region->last = page - 1;
    ol_region_tree_update(system, space->root, number);
    const uint32_t high =
        region_add(space, page, last, region->rights, region->overlay, region->offset + (page - region->first));
    if (high == OL_NIL) {
        region->last = last;
        ol_region_tree_update(system, space->root, number);
        return OL_E_NO_META;
    }
    ol_region_at(system, high)->large = region->large;
    ol_overlay_at(system, region->overlay)->refs++;
    return OL_OK;
}

static enum ol_status split_around(struct ol_space *space, uint64_t first, uint64_t last)
{
    const enum ol_status status = split_before(space, first);
    return status != OL_OK || last == space->last ? status : split_before(space, last + 1);
}

/* Joins a region with the one before it if together they are one. */
static void join_with_previous(struct ol_space *space, uint64_t page)
{
    struct ol_system *system = space->system;
    if (page == space->first) return;
    const uint32_t low = ol_region_lookup(space, page - 1), high = ol_region_lookup(space, page);
    if (low == OL_NIL || high == OL_NIL || low == high) return;
    struct ol_region *a = ol_region_at(system, low);
    const struct ol_region *b = ol_region_at(system, high);
    if (a->overlay != b->overlay || a->rights != b->rights || a->large != b->large ||
        a->offset + pages_of(a) != b->offset)
        return;
    const uint64_t last = b->last;
    tree_remove(space, high);
    a->last = last;
    ol_region_tree_update(system, space->root, low);
    ol_overlay_unref(system, b->overlay);
    ol_pool_delete(&system->regions, high);
}

/* True if [first, last] is mapped throughout. */
static bool is_covered(const struct ol_space *space, uint64_t first, uint64_t last)
{
    for (uint64_t page = first;;) {
        const uint32_t number = region_within(space, page, page);
        if (number == OL_NIL) return false;
        const struct ol_region *region = ol_region_at(space->system, number);
        if (region->last >= last) return true;
        page = region->last + 1;
    }
}

/* Contents and mappings of a part of a region go. */
static enum ol_status region_clear(struct ol_space *space, const struct ol_region *region, uint64_t first,
                                   uint64_t last)
{
    struct ol_system *system = space->system;
    system->pmap->remove(system->machine, space->pmap, address_of(space, first), last - first + 1);
    return ol_overlay_clear(system, region->overlay, region->offset + (first - region->first), last - first + 1);
}

static void region_destroy(struct ol_space *space, uint32_t number)
{
    struct ol_system *system = space->system;
    const struct ol_region *region = ol_region_at(system, number);
    tree_remove(space, number);
    space->mapped_pages -= pages_of(region);
    ol_overlay_unref(system, region->overlay);
    ol_pool_delete(&system->regions, number);
}

static enum ol_status unmap_range(struct ol_space *space, uint64_t first, uint64_t last)
{
    enum ol_status status = split_around(space, first, last);
    uint32_t number;
    while (status == OL_OK && (number = region_within(space, first, last)) != OL_NIL) {
        const struct ol_region *region = ol_region_at(space->system, number);
        const struct ol_overlay *overlay = ol_overlay_at(space->system, region->overlay);
        if (overlay->refs > 1 && !overlay->shared) status = region_clear(space, region, region->first, region->last);
        else /* a private overlay goes whole, which wants no metadata even if it is shared with a copy */
            space->system->pmap->remove(space->system->machine, space->pmap, address_of(space, region->first),
                                        pages_of(region));
        if (status == OL_OK) region_destroy(space, number);
    }
    space->system->pmap->sync(space->system->machine);
    return status;
}

/* A private overlay belongs to regions of one space only: with the last of them it goes whole, which wants no
 * metadata. */
void ol_region_destroy_all(struct ol_space *space)
{
    struct ol_system *system = space->system;
    system->pmap->remove(system->machine, space->pmap, address_of(space, space->first), space->last - space->first + 1);
    while (space->root != OL_NIL) region_destroy(space, space->root);
    system->pmap->sync(system->machine);
}

/* Finds, or makes with OL_MAP_REPLACE, room for a region at va, or wherever there is some. */
static enum ol_status make_room(struct ol_space *space, ol_va va, uint64_t pages, unsigned flags, uint64_t *first)
{
    uint64_t last;
    if (!(flags & OL_MAP_FIXED)) return ol_region_find_gap_locked(space, va, pages, first);
    if (!range_of(space, va, pages, first, &last)) return OL_E_INVALID;
    if (flags & OL_MAP_REPLACE) return unmap_range(space, *first, last);
    return region_within(space, *first, last) == OL_NIL ? OL_OK : OL_E_OVERLAP;
}

static enum ol_status map_locked(struct ol_space *space, ol_va va, uint64_t pages, unsigned rights, unsigned flags,
                                 ol_va *out)
{
    uint64_t first;
    const enum ol_status status = make_room(space, va, pages, flags, &first);
    if (status != OL_OK) return status;
    if (out) *out = address_of(space, first);
    return region_add_zeros(space, first, first + pages - 1, rights, flags);
}

/* The overlay, and in *offset the index in it, of pages [first, last], which one shared region has. */
static enum ol_status find_shared(struct ol_space *space, uint64_t first, uint64_t last, uint32_t *overlay,
                                  uint64_t *offset)
{
    const uint32_t number = ol_region_lookup(space, first);
    if (number == OL_NIL) return OL_E_NO_REGION;
    const struct ol_region *region = ol_region_at(space->system, number);
    if (region->last < last) return OL_E_NO_REGION;
    *overlay = region->overlay;
    *offset = region->offset + (first - region->first);
    return ol_overlay_at(space->system, *overlay)->shared ? OL_OK : OL_E_INVALID;
}

/* Pages [first, last] of `from` in `to`, too. A reference of its own keeps the overlay while room is made. */
static enum ol_status share_locked(struct ol_space *from, uint64_t first, uint64_t last, struct ol_space *to,
                                   ol_va to_va, unsigned rights, unsigned flags, ol_va *out)
{
    struct ol_system *system = from->system;
    const uint64_t pages = last - first + 1;
    uint32_t overlay;
    uint64_t offset, at;
    enum ol_status status = find_shared(from, first, last, &overlay, &offset);
    if (status != OL_OK) return status;
    ol_overlay_at(system, overlay)->refs++;
    status = make_room(to, to_va, pages, flags, &at);
    if (status == OL_OK && region_add(to, at, at + pages - 1, rights, overlay, offset) == OL_NIL) status = OL_E_NO_META;
    if (status != OL_OK) {
        ol_overlay_unref(system, overlay);
        return status;
    }
    to->mapped_pages += pages;
    if (out) *out = address_of(to, at);
    return OL_OK;
}

/* Whether there can be regions with these rights. */
static enum ol_status rights_status(const struct ol_space *space, unsigned rights)
{
    if (rights & ~(unsigned)(OL_READ | OL_WRITE | OL_EXEC)) return OL_E_INVALID;
    if (rights != OL_NONE && !(rights & OL_WRITE) && space->system->is.no_write_protection) return OL_E_UNSUPPORTED;
    return OL_OK;
}

enum ol_status ol_region_map(struct ol_space *space, ol_va va, uint64_t pages, unsigned rights, unsigned flags,
                             ol_va *out)
{
    enum ol_status status = rights_status(space, rights);
    if (status != OL_OK) return status;
    if (flags & ~(unsigned)(OL_MAP_FIXED | OL_MAP_REPLACE | OL_MAP_SHARED | OL_MAP_LARGE)) return OL_E_INVALID;
    ol_lock(space->system);
    status = map_locked(space, va, pages, rights, flags, out);
    ol_unlock(space->system);
    return status;
}

enum ol_status ol_region_share(struct ol_space *from, ol_va va, uint64_t pages, struct ol_space *to, ol_va to_va,
                               unsigned rights, unsigned flags, ol_va *out)
{
    uint64_t first, last;
    enum ol_status status = rights_status(to, rights);
    if (status != OL_OK) return status;
    if (from->system != to->system || flags & ~(unsigned)(OL_MAP_FIXED | OL_MAP_REPLACE) ||
        !range_of(from, va, pages, &first, &last))
        return OL_E_INVALID;
    ol_lock(from->system);
    status = share_locked(from, first, last, to, to_va, rights, flags, out);
    ol_unlock(from->system);
    return status;
}

enum ol_status ol_region_unmap(struct ol_space *space, ol_va va, uint64_t pages)
{
    uint64_t first, last;
    if (!range_of(space, va, pages, &first, &last)) return OL_E_INVALID;
    ol_lock(space->system);
    const enum ol_status status = unmap_range(space, first, last);
    ol_unlock(space->system);
    return status;
}

static enum ol_status protect_range(struct ol_space *space, uint64_t first, uint64_t last, unsigned rights)
{
    struct ol_system *system = space->system;
    if (!is_covered(space, first, last)) return OL_E_NO_REGION;
    const enum ol_status status = split_around(space, first, last);
    if (status != OL_OK) return status;
    uint64_t page = first;
    for (;;) {
        struct ol_region *region = ol_region_at(system, region_within(space, page, last));
        if (region->rights & ~rights)
            system->pmap->protect(system->machine, space->pmap, address_of(space, region->first), pages_of(region),
                                  region->rights & rights);
        region->rights = (uint8_t)rights;
        page = region->last + 1;
        join_with_previous(space, region->first);
        if (page > last) break;
    }
    if (page <= space->last) join_with_previous(space, page);
    system->pmap->sync(system->machine);
    return OL_OK;
}

enum ol_status ol_region_protect(struct ol_space *space, ol_va va, uint64_t pages, unsigned rights)
{
    uint64_t first, last;
    if (!range_of(space, va, pages, &first, &last)) return OL_E_INVALID;
    enum ol_status status = rights_status(space, rights);
    if (status != OL_OK) return status;
    ol_lock(space->system);
    status = protect_range(space, first, last, rights);
    ol_unlock(space->system);
    return status;
}

/* Moves the regions that make up [first, last], whole, by `distance` pages; the target is free. */
static void shift_regions(struct ol_space *space, uint64_t first, uint64_t last, uint64_t distance)
{
    struct ol_system *system = space->system;
    uint32_t number;
    system->pmap->remove(system->machine, space->pmap, address_of(space, first), last - first + 1);
    while ((number = region_within(space, first, last)) != OL_NIL) {
        struct ol_region *region = ol_region_at(system, number);
        tree_remove(space, number);
        region->first += distance; /* modulo 2^64: downward too */
        region->last += distance;
        tree_insert(space, number);
    }
    system->pmap->sync(system->machine);
}

/* After a move or in place: the region that ends before `page` reaches to `last`. Its overlay is its own. */
static void extend(struct ol_space *space, uint64_t page, uint64_t last)
{
    const uint32_t number = ol_region_lookup(space, page - 1);
    ol_region_at(space->system, number)->last = last;
    space->mapped_pages += last - page + 1;
    ol_region_tree_update(space->system, space->root, number);
}

static enum ol_status move_range(struct ol_space *space, uint64_t first, uint64_t last, uint64_t to, uint64_t to_last)
{
    const uint64_t tail = to + (last - first) + 1;  /* where the zeros begin */
    const uint64_t fresh = to == first ? tail : to; /* where nothing may be mapped */
    if (!is_covered(space, first, last)) return OL_E_NO_REGION;
    if (to < space->first || to_last < to || to_last > space->last) return OL_E_INVALID;
    if (fresh <= to_last && region_within(space, fresh, to_last) != OL_NIL) return OL_E_OVERLAP;
    enum ol_status status = split_around(space, first, last);
    if (status != OL_OK) return status;
    const struct ol_region *region = ol_region_at(space->system, ol_region_lookup(space, last));
    const struct ol_overlay *overlay = ol_overlay_at(space->system, region->overlay);
    const bool own = overlay->refs == 1;
    if (tail <= to_last && !own)
        status = region_add_zeros(space, tail, to_last, region->rights,
                                  (overlay->shared ? (unsigned)OL_MAP_SHARED : 0) |
                                      (region->large ? (unsigned)OL_MAP_LARGE : 0));
    if (status != OL_OK) return status;
    if (to != first) shift_regions(space, first, last, to - first);
    if (tail <= to_last && own) extend(space, tail, to_last);
    return OL_OK;
}

enum ol_status ol_region_move(struct ol_space *space, ol_va va, uint64_t pages, ol_va to, uint64_t to_pages)
{
    const uint8_t shift = space->system->is.page_shift;
    uint64_t first, last;
    if (!range_of(space, va, pages, &first, &last) || to_pages < pages || to & ((1ULL << shift) - 1))
        return OL_E_INVALID;
    ol_lock(space->system);
    const uint64_t target = to >> shift;
    const enum ol_status status = move_range(space, first, last, target, target + to_pages - 1);
    ol_unlock(space->system);
    return status;
}

enum ol_status ol_space_discard(struct ol_space *space, ol_va va, uint64_t pages)
{
    struct ol_system *system = space->system;
    enum ol_status status = OL_OK;
    uint64_t first, last;
    if (!range_of(space, va, pages, &first, &last)) return OL_E_INVALID;
    ol_lock(system);
    for (uint64_t page = first; status == OL_OK && page <= last;) {
        const uint32_t number = region_within(space, page, last);
        if (number == OL_NIL) break;
        const struct ol_region *region = ol_region_at(system, number);
        const uint64_t from = region->first > page ? region->first : page;
        const uint64_t to = region->last < last ? region->last : last;
        status = region_clear(space, region, from, to);
        page = to + 1;
    }
    system->pmap->sync(system->machine);
    ol_unlock(system);
    return status;
}

enum ol_status ol_region_find_gap_locked(struct ol_space *space, ol_va va, uint64_t pages, uint64_t *page)
{
    const uint64_t from = va >> space->system->is.page_shift;
    if (pages == 0) return OL_E_INVALID;
    if (ol_region_tree_gap(space->system, space, from, pages, page)) return OL_OK;
    return ol_region_tree_gap(space->system, space, space->first, pages, page) ? OL_OK : OL_E_NO_ROOM;
}

enum ol_status ol_region_find_gap(struct ol_space *space, ol_va va, uint64_t pages, ol_va *out)
{
    uint64_t page = 0;
    ol_lock(space->system);
    const enum ol_status status = ol_region_find_gap_locked(space, va, pages, &page);
    ol_unlock(space->system);
    if (status == OL_OK) *out = address_of(space, page);
    return status;
}

uint64_t ol_space_mapped_pages(struct ol_space *space)
{
    ol_lock(space->system);
    const uint64_t pages = space->mapped_pages;
    ol_unlock(space->system);
    return pages;
}

bool ol_region_next(struct ol_space *space, ol_va va, struct ol_region_info *out)
{
    ol_lock(space->system);
    const uint32_t number = ol_region_tree_at_or_above(space->system, space->root, va >> space->system->is.page_shift);
    if (number != OL_NIL) {
        const struct ol_region *region = ol_region_at(space->system, number);
        out->va = address_of(space, region->first);
        out->pages = pages_of(region);
        out->rights = region->rights;
    }
    ol_unlock(space->system);
    return number != OL_NIL;
}
