/* SPDX-License-Identifier: MIT */
/* Spaces: create, destroy, fork. */
#include "core/internal.h"

static enum ol_status space_new(struct ol_system *system, uint64_t first, uint64_t last, struct ol_space **out)
{
    const uint32_t number = ol_pool_new(&system->spaces);
    if (number == OL_NIL) return OL_E_NO_META;
    struct ol_space *space = ol_pool_at(&system->spaces, number);
    const uint8_t shift = system->is.page_shift;
    const enum ol_status status =
        system->pmap->create(system->machine, first << shift, (last << shift) + (1ULL << shift) - 1, &space->pmap);
    if (status != OL_OK) {
        ol_pool_delete(&system->spaces, number);
        return status;
    }
    space->system = system;
    space->first = first;
    space->last = last;
    space->number = number;
    space->next = system->first_space;
    space->previous = &system->first_space;
    if (space->next) space->next->previous = &space->next;
    system->first_space = space;
    *out = space;
    return OL_OK;
}

static void space_destroy_locked(struct ol_space *space)
{
    struct ol_system *system = space->system;
    ol_region_destroy_all(space);
    system->pmap->destroy(system->machine, space->pmap);
    *space->previous = space->next;
    if (space->next) space->next->previous = space->previous;
    ol_pool_delete(&system->spaces, space->number);
}

enum ol_status ol_space_create(struct ol_system *system, ol_va first_va, ol_va last_va, struct ol_space **out)
{
    const ol_va mask = (1ULL << system->is.page_shift) - 1;
    if (first_va & mask || (last_va & mask) != mask || first_va > last_va || first_va < system->is.first_va ||
        last_va > system->is.last_va)
        return OL_E_INVALID;
    ol_lock(system);
    const enum ol_status status =
        space_new(system, first_va >> system->is.page_shift, last_va >> system->is.page_shift, out);
    ol_unlock(system);
    return status;
}

void ol_space_destroy(struct ol_space *space)
{
    struct ol_system *system = space->system;
    ol_lock(system);
    space_destroy_locked(space);
    ol_unlock(system);
}

/* The copy of an overlay for this fork: one for all regions that share the original; a shared overlay itself. OL_NIL
 * without metadata. */
static uint32_t overlay_twin(struct ol_system *system, uint32_t original)
{
    struct ol_overlay *overlay = ol_overlay_at(system, original);
    if (overlay->shared) {
        overlay->refs++;
        return original;
    }
    if (overlay->twin == OL_NIL) return overlay->twin = ol_overlay_copy(system, original);
    ol_overlay_at(system, overlay->twin)->refs++;
    return overlay->twin;
}

static void forget_twins(const struct ol_space *parent)
{
    uint32_t number = ol_region_tree_at_or_above(parent->system, parent->root, parent->first);
    while (number != OL_NIL) {
        const struct ol_region *region = ol_region_at(parent->system, number);
        ol_overlay_at(parent->system, region->overlay)->twin = OL_NIL;
        number = ol_region_tree_at_or_above(parent->system, parent->root, region->last + 1);
    }
}

static enum ol_status fork_region(struct ol_space *child, const struct ol_space *parent, uint32_t number)
{
    struct ol_system *system = parent->system;
    const struct ol_region *original = ol_region_at(system, number);
    const uint32_t overlay = overlay_twin(system, original->overlay);
    if (overlay == OL_NIL) return OL_E_NO_META;
    const uint32_t copy = ol_pool_new(&system->regions);
    if (copy == OL_NIL) {
        if (ol_overlay_at(system, overlay)->refs == 1) ol_overlay_at(system, original->overlay)->twin = OL_NIL;
        ol_overlay_unref(system, overlay);
        return OL_E_NO_META;
    }
    struct ol_region *region = ol_region_at(system, copy);
    region->first = original->first;
    region->last = original->last;
    region->offset = original->offset;
    region->rights = original->rights;
    region->large = original->large;
    region->overlay = overlay;
    child->root = ol_region_tree_insert(system, child->root, copy);
    child->mapped_pages += original->last - original->first + 1;
    if (original->rights & OL_WRITE && overlay != original->overlay)
        system->pmap->protect(system->machine, parent->pmap, original->first << system->is.page_shift,
                              original->last - original->first + 1, original->rights & ~(unsigned)OL_WRITE);
    return OL_OK;
}

/* Is a page below the node wired? None is below a shared one: wiring makes the way to a page the space's own. */
static bool node_is_wired(const struct ol_system *system, uint32_t number, uint32_t height)
{
    const struct ol_node *node = ol_node_at(system, number);
    for (uint32_t i = 0; i < OL_NODE_SLOTS && node->refs == 1; i++) {
        if (node->child[i] == OL_NIL) continue;
        if (height > 0) {
            if (node_is_wired(system, node->child[i], height - 1)) return true;
            continue;
        }
        const uint32_t page = node->child[i];
        if (ol_child_state(system, page) == OL_ANON_RESIDENT && system->frame[ol_child_where(system, page)].wires)
            return true;
    }
    return false;
}

/* Is a page wired that a fork would have to share until one of the two writes? */
static bool has_wired_pages(const struct ol_space *space)
{
    const struct ol_system *system = space->system;
    if (!system->count.frames_wired) return false;
    uint32_t number = ol_region_tree_at_or_above(system, space->root, space->first);
    while (number != OL_NIL) {
        const struct ol_region *region = ol_region_at(system, number);
        const struct ol_overlay *overlay = ol_overlay_at(system, region->overlay);
        if (!overlay->shared && overlay->root != OL_NIL && node_is_wired(system, overlay->root, overlay->height))
            return true;
        number = ol_region_tree_at_or_above(system, space->root, region->last + 1);
    }
    return false;
}

enum ol_status ol_space_fork(struct ol_space *parent, struct ol_space **out)
{
    struct ol_system *system = parent->system;
    struct ol_space *child;
    if (system->is.no_write_protection) return OL_E_UNSUPPORTED;
    ol_lock(system);
    enum ol_status status =
        has_wired_pages(parent) ? OL_E_BUSY : space_new(system, parent->first, parent->last, &child);
    if (status == OL_OK) {
        uint32_t number = ol_region_tree_at_or_above(system, parent->root, parent->first);
        while (number != OL_NIL && status == OL_OK) {
            status = fork_region(child, parent, number);
            number = ol_region_tree_at_or_above(system, parent->root, ol_region_at(system, number)->last + 1);
        }
        forget_twins(parent);
        system->pmap->sync(system->machine);
        if (status == OL_OK) *out = child;
        else space_destroy_locked(child);
    }
    ol_unlock(system);
    return status;
}

struct ol_pmap *ol_space_pmap(struct ol_space *space)
{
    return space->pmap;
}
