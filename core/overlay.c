/* SPDX-License-Identifier: MIT */
/*
 * Anons, and the overlays that hold them.
 *
 * An overlay is a tree of reference-counted nodes with 64 children. A copy shares the root (one step, however large);
 * a write into a shared node copies that node, and only then are its children shared one by one:
 *
 *      overlay A   overlay B           overlay A   overlay B (writes page x)
 *           \       /                       |         |
 *           node (refs 2)                 node       node'
 *           /   |   \                     / | \     /  | \
 *          .    .    .                   .  .  .   (same children, refs 2, but the one on x's way: copied)
 *
 * So an anon may be written in place only if every node on its way and the anon itself have one reference. The height
 * of the tree is what the highest index wants; empty nodes are freed, so that cost grows with what is touched.
 *
 * At the bottom a swapped page that one node holds is no anon, but its slot alone (OL_BARE_SLOT). Which of the two it
 * is makes no difference to what the page holds, so that one may take the other's place even in a shared node.
 *
 * Rejected: an array of chunk pointers per overlay (64 TiB would want a gigabyte of pointers); shadow chains (they
 * want collapsing).
 */
#include "core/internal.h"

/* --- anons ------------------------------------------------------------------------------------------------------ */

/* Numbers that would look like bare slots are not used. */
static uint32_t anon_take(struct ol_system *system)
{
    const uint32_t number = ol_pool_new(&system->anons);
    if (!ol_is_bare(number)) return number;
    ol_pool_delete(&system->anons, number);
    return OL_NIL;
}

uint32_t ol_anon_new(struct ol_system *system)
{
    const uint32_t number = anon_take(system);
    if (number != OL_NIL) {
        ol_anon_at(system, number)->refs = 1;
        const uint64_t pages = (uint64_t)system->anons.live + system->bare;
        if (pages > system->count.pages_peak) system->count.pages_peak = pages;
    }
    return number;
}

void ol_anon_free(struct ol_system *system, uint32_t number)
{
    const struct ol_anon *anon = ol_anon_at(system, number);
    if (system->ghosts.count) ol_ghost_anon_gone(system, number);
    if (anon->state == OL_ANON_RESIDENT) {
        const struct ol_frame *frame = &system->frame[anon->where];
        if (frame->slot != OL_NO_SLOT) ol_swap_release(system, frame->slot);
        ol_frame_release(system, anon->where);
    } else if (anon->state == OL_ANON_SWAPPED) {
        system->count.pages_swapped--;
        ol_swap_release(system, anon->where);
    }
    ol_pool_delete(&system->anons, number);
}

void ol_anon_unref(struct ol_system *system, uint32_t number)
{
    struct ol_anon *anon = ol_anon_at(system, number);
    OL_ASSERT(system, anon->refs > 0, "I4");
    if (--anon->refs) return;
    if (anon->state == OL_ANON_RESIDENT) {
        const uint8_t state = system->frame[anon->where].state;
        if (state == OL_FRAME_BUSY || state == OL_FRAME_CLEANING) return; /* whoever transfers it frees it */
        /* The caller removed this space's mapping; others may have been left behind by mappings it does not know. */
        const enum ol_status unmapped = ol_frame_unmap(system, anon->where);
        OL_ASSERT(system, unmapped == OL_OK, "I3");
    }
    ol_anon_free(system, number);
}

/* --- bare slots ------------------------------------------------------------------------------------------------- */

/* An anon takes the place of the bare slot; without metadata it is OL_NIL, and nothing changes. */
static uint32_t child_anon(struct ol_system *system, uint32_t *child)
{
    const uint32_t number = anon_take(system);
    if (number == OL_NIL) return OL_NIL;
    const uint32_t slot = ol_child_where(system, *child);
    *ol_anon_at(system, number) = (struct ol_anon){.refs = 1, .state = OL_ANON_SWAPPED, .where = slot};
    system->bare--;
    return *child = number;
}

static void child_drop(struct ol_system *system, uint32_t child)
{
    if (!ol_is_bare(child)) {
        ol_anon_unref(system, child);
        return;
    }
    system->bare--;
    system->count.pages_swapped--;
    ol_swap_release(system, ol_child_where(system, child));
}

/* --- nodes ------------------------------------------------------------------------------------------------------ */

static uint32_t child_of(uint64_t index, uint32_t height)
{
    return (uint32_t)(index >> (OL_NODE_SHIFT * height)) & OL_NODE_MASK;
}

/* The pages that a node of this height spans, as a shift. */
static uint32_t span_shift(uint32_t height)
{
    return OL_NODE_SHIFT * (height + 1);
}

static void node_unref(struct ol_system *system, uint32_t number, uint32_t height)
{
    struct ol_node *node = ol_node_at(system, number);
    OL_ASSERT(system, node->refs > 0, "I5");
    if (--node->refs) return;
    for (uint32_t i = 0; i < OL_NODE_SLOTS && node->count; i++) {
        if (node->child[i] == OL_NIL) continue;
        if (height) node_unref(system, node->child[i], height - 1);
        else child_drop(system, node->child[i]);
        node->count--;
    }
    ol_pool_delete(&system->nodes, number);
}

static uint32_t node_new(struct ol_system *system)
{
    const uint32_t number = ol_pool_new(&system->nodes);
    if (number != OL_NIL) ol_node_at(system, number)->refs = 1;
    return number;
}

/* Only anons can be shared. False without metadata for all. */
static bool node_anons(struct ol_system *system, struct ol_node *node)
{
    for (uint32_t i = 0; i < OL_NODE_SLOTS; i++)
        if (ol_is_bare(node->child[i]) && child_anon(system, &node->child[i]) == OL_NIL) return false;
    return true;
}

/* A copy of a shared node, whose children then have one reference more; the caller's reference moves to the copy. */
static uint32_t node_own(struct ol_system *system, uint32_t number, uint32_t height)
{
    struct ol_node *node = ol_node_at(system, number);
    if (node->refs == 1) return number;
    if (height == 0 && !node_anons(system, node)) return OL_NIL;
    const uint32_t copy = node_new(system);
    if (copy == OL_NIL) return OL_NIL;
    struct ol_node *own = ol_node_at(system, copy);
    memcpy(own->child, node->child, sizeof(own->child));
    own->count = node->count;
    for (uint32_t i = 0; i < OL_NODE_SLOTS; i++) {
        if (own->child[i] == OL_NIL) continue;
        if (height) ol_node_at(system, own->child[i])->refs++;
        else ol_anon_at(system, own->child[i])->refs++;
    }
    node->refs--;
    return copy;
}

/* --- overlays --------------------------------------------------------------------------------------------------- */

uint32_t ol_overlay_new(struct ol_system *system)
{
    const uint32_t number = ol_pool_new(&system->overlays);
    if (number != OL_NIL) ol_overlay_at(system, number)->refs = 1;
    return number;
}

uint32_t ol_overlay_copy(struct ol_system *system, uint32_t from)
{
    const uint32_t number = ol_overlay_new(system);
    if (number == OL_NIL) return OL_NIL;
    const struct ol_overlay *original = ol_overlay_at(system, from);
    struct ol_overlay *copy = ol_overlay_at(system, number);
    copy->root = original->root;
    copy->height = original->height;
    if (copy->root != OL_NIL) ol_node_at(system, copy->root)->refs++;
    return number;
}

void ol_overlay_unref(struct ol_system *system, uint32_t number)
{
    struct ol_overlay *overlay = ol_overlay_at(system, number);
    OL_ASSERT(system, overlay->refs > 0, "I5");
    if (--overlay->refs) return;
    if (overlay->root != OL_NIL) node_unref(system, overlay->root, overlay->height);
    ol_pool_delete(&system->overlays, number);
}

/* Where the way to index ends: at an anon, at a bare slot, or earlier, at OL_NIL; NULL if it does not begin. */
static uint32_t *child_find(const struct ol_system *system, uint32_t number, uint64_t index, bool *shared)
{
    const struct ol_overlay *overlay = ol_overlay_at(system, number);
    *shared = false;
    if (overlay->root == OL_NIL || index >> span_shift(overlay->height)) return NULL;
    uint32_t at = overlay->root;
    for (uint32_t height = overlay->height;; height--) {
        struct ol_node *node = ol_node_at(system, at);
        if (node->refs > 1) *shared = true;
        at = node->child[child_of(index, height)];
        if (at == OL_NIL || height == 0) return &node->child[child_of(index, height)];
    }
}

uint32_t ol_overlay_lookup(const struct ol_system *system, uint32_t number, uint64_t index, bool *shared)
{
    const uint32_t *child = child_find(system, number, index, shared);
    if (!child || *child == OL_NIL) return OL_NIL;
    if (!ol_is_bare(*child) && ol_anon_at(system, *child)->refs > 1) *shared = true;
    return *child;
}

uint32_t ol_overlay_anon(struct ol_system *system, uint32_t number, uint64_t index)
{
    bool shared;
    uint32_t *child = child_find(system, number, index, &shared);
    return ol_is_bare(*child) ? child_anon(system, child) : *child;
}

bool ol_overlay_bare(struct ol_system *system, uint32_t number, uint64_t index, uint32_t anon, ol_slot slot)
{
    bool shared; /* the node may be: all who see it see the slot instead */
    uint32_t *child = child_find(system, number, index, &shared);
    if (!child || *child != anon || ol_is_bare(slot) || ol_anon_at(system, anon)->refs != 1) return false;
    *child = slot | OL_BARE_SLOT;
    ol_pool_delete(&system->anons, anon);
    system->bare++;
    return true;
}

uint32_t ol_overlay_next(const struct ol_system *system, uint32_t number, uint64_t *index, uint64_t last)
{
    const struct ol_overlay *overlay = ol_overlay_at(system, number);
    if (overlay->root == OL_NIL) return OL_NIL;
    const uint64_t end = (1ULL << span_shift(overlay->height)) - 1;
    while (*index <= last && *index <= end) {
        uint32_t at = overlay->root, height = overlay->height;
        while ((at = ol_node_at(system, at)->child[child_of(*index, height)]) != OL_NIL && height) height--;
        if (at != OL_NIL) return at;
        *index = ((*index >> (OL_NODE_SHIFT * height)) + 1) << (OL_NODE_SHIFT * height);
    }
    return OL_NIL;
}

/* Makes the root span index. */
static bool overlay_grow(struct ol_system *system, struct ol_overlay *overlay, uint64_t index)
{
    if (overlay->root == OL_NIL) {
        overlay->height = 0;
        while (index >> span_shift(overlay->height)) overlay->height++;
        overlay->root = node_new(system);
        return overlay->root != OL_NIL;
    }
    while (index >> span_shift(overlay->height)) {
        const uint32_t above = node_new(system);
        if (above == OL_NIL) return false;
        ol_node_at(system, above)->child[0] = overlay->root;
        ol_node_at(system, above)->count = 1;
        overlay->root = above;
        overlay->height++;
    }
    return true;
}

uint32_t *ol_overlay_place(struct ol_system *system, uint32_t number, uint64_t index)
{
    struct ol_overlay *overlay = ol_overlay_at(system, number);
    if (!overlay_grow(system, overlay, index)) return NULL;
    uint32_t *at = &overlay->root;
    struct ol_node *parent = NULL;
    for (uint32_t height = overlay->height;; height--) {
        if (*at == OL_NIL) {
            *at = node_new(system);
            if (*at != OL_NIL && parent) parent->count++;
        } else {
            const uint32_t own = node_own(system, *at, height);
            if (own == OL_NIL) return NULL;
            *at = own;
        }
        if (*at == OL_NIL) return NULL;
        parent = ol_node_at(system, *at);
        at = &parent->child[child_of(index, height)];
        if (height == 0) return at;
    }
}

void ol_overlay_count(struct ol_system *system, uint32_t number, uint64_t index)
{
    const struct ol_overlay *overlay = ol_overlay_at(system, number);
    uint32_t at = overlay->root;
    for (uint32_t height = overlay->height; height; height--)
        at = ol_node_at(system, at)->child[child_of(index, height)];
    ol_node_at(system, at)->count++;
}

/* Clears children of *at for indices [first, last] counted from the node's beginning; frees the node if it is empty. */
static enum ol_status node_clear(struct ol_system *system, uint32_t *at, uint32_t height, uint64_t first, uint64_t last)
{
    const uint64_t whole = (1ULL << span_shift(height)) - 1;
    if (first == 0 && last >= whole) {
        node_unref(system, *at, height);
        *at = OL_NIL;
        return OL_OK;
    }
    const uint32_t own = node_own(system, *at, height);
    if (own == OL_NIL) return OL_E_NO_META;
    *at = own;
    struct ol_node *node = ol_node_at(system, own);
    const uint32_t shift = OL_NODE_SHIFT * height;
    enum ol_status status = OL_OK;
    for (uint64_t i = first >> shift; i <= last >> shift && status == OL_OK; i++) {
        uint32_t *child = &node->child[i];
        if (*child == OL_NIL) continue;
        if (height == 0) {
            child_drop(system, *child);
            *child = OL_NIL;
        } else {
            const uint64_t base = i << shift, top = base + (1ULL << shift) - 1;
            status = node_clear(system, child, height - 1, first > base ? first - base : 0,
                                (last < top ? last : top) - base);
        }
        if (*child == OL_NIL) node->count--;
    }
    if (node->count == 0 && status == OL_OK) {
        node_unref(system, own, height);
        *at = OL_NIL;
    }
    return status;
}

enum ol_status ol_overlay_clear(struct ol_system *system, uint32_t number, uint64_t index, uint64_t pages)
{
    struct ol_overlay *overlay = ol_overlay_at(system, number);
    if (overlay->root == OL_NIL || index >> span_shift(overlay->height)) return OL_OK;
    const uint64_t end = (1ULL << span_shift(overlay->height)) - 1;
    const uint64_t last = index + pages - 1;
    return node_clear(system, &overlay->root, overlay->height, index, last < end ? last : end);
}
