/* SPDX-License-Identifier: MIT */
/* ol_check: every invariant of docs/invariants.md, walked. Linear in what exists; for tests. */
#include "core/internal.h"

struct check {
    struct ol_system *system;
    uint32_t *anon_refs;    /* counted references of each anon */
    uint32_t *node_refs;    /* … of each node */
    uint32_t *overlay_refs; /* … of each overlay */
    uint32_t slots;         /* slots that some page owns */
    uint32_t bare;          /* … those of them that stand for their page */
    const char *broken;     /* the first broken invariant, or NULL */
};

#define CHECK(check, condition, text)                                 \
    do {                                                              \
        if (!(check)->broken && !(condition)) (check)->broken = text; \
    } while (0)

/* --- I1, I2, I3, I9: frames ----------------------------------------------------------------------------------------
 */

static void check_frame_owner(struct check *check, ol_frame_no number)
{
    const struct ol_system *system = check->system;
    const struct ol_frame *frame = &system->frame[number];
    if (frame->anon == OL_NIL) {
        CHECK(check, frame->state == OL_FRAME_FREE || frame->state == OL_FRAME_BUSY, "I2: a used frame has no owner");
        return;
    }
    const struct ol_anon *anon = ol_anon_at(system, frame->anon);
    CHECK(check, anon->state == OL_ANON_RESIDENT && anon->where == number, "I2: a frame's owner does not know it");
    if (frame->slot != OL_NO_SLOT) check->slots++;
    CHECK(check, frame->slot == OL_NO_SLOT || ol_swap_is_used(system, frame->slot), "I7: a frame's slot is free");
}

static void check_frames(struct check *check)
{
    const struct ol_system *system = check->system;
    uint32_t in[OL_FRAME_STATES] = {0}, wired = 0, in_use;
    for (ol_frame_no number = 0; number < system->frames_fresh; number++) {
        const struct ol_frame *frame = &system->frame[number];
        CHECK(check, frame->state < OL_FRAME_STATES, "I1: a frame in no state");
        if (check->broken) return;
        in[frame->state]++;
        check_frame_owner(check, number);
        if (frame->state == OL_FRAME_STANDBY)
            CHECK(check, !(frame->flags & OL_FRAME_DIRTY), "I3: a modified frame on standby");
        if (frame->flags & OL_FRAME_SAMPLE)
            CHECK(check, frame->state == OL_FRAME_ACTIVE && !(frame->flags & OL_FRAME_MAPPED) && !frame->wires,
                  "I11: a sample that is mapped, wired or on its way out");
        if (frame->state != OL_FRAME_ACTIVE) {
            CHECK(check, !(frame->flags & OL_FRAME_MAPPED), "I3: a mapped frame that is not active");
            CHECK(check, !frame->wires, "I9: a wired frame that is not active");
        }
        if (frame->wires) wired++;
    }
    in_use = system->frames_fresh - in[OL_FRAME_FREE];
    if (!system->physical)
        CHECK(check, in[OL_FRAME_FREE] == system->free.count + system->cold.count, "I1: the free lists miscount");
    CHECK(check, in[OL_FRAME_MODIFIED] == system->modified.count, "I1: the modified list miscounts");
    CHECK(check, in[OL_FRAME_STANDBY] == system->standby.count, "I1: the standby list miscounts");
    CHECK(check, in_use == system->in_use, "I1: in_use miscounts");
    CHECK(check, wired == system->count.frames_wired, "I9: the count of wired frames is wrong");
}

static void check_list(struct check *check, const struct ol_frame_list *list, enum ol_frame_state state)
{
    const struct ol_system *system = check->system;
    ol_frame_no before = OL_NO_FRAME;
    uint32_t count = 0;
    for (ol_frame_no at = list->head; at != OL_NO_FRAME && !check->broken; at = system->frame[at].next) {
        CHECK(check, system->frame[at].state == state, "I1: a frame on the list of another state");
        CHECK(check, system->frame[at].prev == before, "I1: a list's links disagree");
        CHECK(check, ++count <= list->count, "I1: a list is longer than its count");
        before = at;
    }
    CHECK(check, list->tail == before && count == list->count, "I1: a list is shorter than its count");
}

/* --- I12: physical memory -------------------------------------------------------------------------------------------
 */

static bool is_free(const struct ol_system *system, ol_frame_no number)
{
    return system->frame[number].state == OL_FRAME_FREE;
}

static bool is_reserved(const struct ol_physical *memory, ol_frame_no number)
{
    for (const struct ol_large_size *size = memory->size; size < memory->size + memory->sizes; size++) {
        const uint32_t block = number >> size->order;
        if (block < size->blocks && size->reservation[block].space != OL_NIL) return true;
    }
    return false;
}

/* The free block that begins at `first`. */
static void check_block(struct check *check, const struct ol_physical_zone *zone, ol_frame_no first, unsigned order)
{
    const struct ol_system *system = check->system;
    const ol_frame_no buddy = first ^ 1U << order;
    const uint64_t end = (uint64_t)zone->first + zone->frames;
    CHECK(check, !(first & ((1U << order) - 1)) && first + (1ULL << order) <= end,
          "I12: a free block out of alignment, or beyond its zone");
    for (ol_frame_no at = first; at < first + (1U << order) && !check->broken; at++) {
        CHECK(check, is_free(system, at) && !is_reserved(system->physical, at),
              "I12: a free block with a frame in use");
        CHECK(check, at == first || !system->frame[at].block, "I12: a free block in another");
    }
    if (order + 1 < OL_BLOCK_ORDERS && buddy >= zone->first && buddy + (1ULL << order) <= end)
        CHECK(check, system->frame[buddy].block != order + 1, "I12: two free halves that are not joined");
}

static void check_zone(struct check *check, const struct ol_physical_zone *zone)
{
    const struct ol_system *system = check->system;
    uint32_t count[OL_BLOCK_ORDERS] = {0};
    for (uint64_t at = zone->first; at < (uint64_t)zone->first + zone->frames && !check->broken;) {
        const uint8_t block = system->frame[at].block;
        if (block) {
            count[block - 1]++;
            check_block(check, zone, (ol_frame_no)at, block - 1U);
            at += 1ULL << (block - 1);
            continue;
        }
        CHECK(check, !is_free(system, (ol_frame_no)at) || is_reserved(system->physical, (ol_frame_no)at),
              "I12: a free frame in no block and no reservation");
        at++;
    }
    for (unsigned order = 0; order < OL_BLOCK_ORDERS; order++) {
        check_list(check, &zone->block[order], OL_FRAME_FREE);
        CHECK(check, count[order] == zone->block[order].count, "I12: a free block that is not on its list");
    }
}

static void check_size(struct check *check, const struct ol_large_size *size)
{
    uint32_t waiting = 0;
    for (uint32_t block = 0; block < size->blocks && !check->broken; block++) {
        const struct ol_reservation *reservation = &size->reservation[block];
        const uint32_t frames = 1U << size->order;
        uint32_t used = 0;
        for (uint32_t i = 0; i < frames; i++) used += !is_free(check->system, (block << size->order) + i);
        CHECK(check, used == size->used[block], "I12: a block miscounts its frames in use");
        if (reservation->space == OL_NIL) continue;
        CHECK(check, used > 0 && !(reservation->page & (frames - 1)), "I12: a reservation for nothing");
        if (used < frames) waiting++;
    }
    for (uint32_t at = size->oldest; at < size->blocks && waiting; at = size->reservation[at].younger) waiting--;
    CHECK(check, !waiting, "I12: a reservation with free frames that is not in line");
}

static void check_memory(struct check *check)
{
    const struct ol_physical *memory = check->system->physical;
    if (!memory) return;
    for (uint32_t i = 0; i < memory->zones; i++) check_zone(check, &memory->zone[i]);
    for (uint32_t i = 0; i < memory->sizes; i++) check_size(check, &memory->size[i]);
}

static void check_budget(struct check *check)
{
    struct ol_system *system = check->system;
    const uint32_t free = ol_frames_free(system);
    CHECK(check, system->free.count <= free, "I8: free frames with memory exceed the budget");
    CHECK(check, system->in_use <= system->frames_max, "I8: more frames than exist");
}

/* --- I4, I5: anons and nodes ---------------------------------------------------------------------------------------
 */

static void check_anon(struct check *check, uint32_t number)
{
    const struct ol_system *system = check->system;
    const struct ol_anon *anon = ol_anon_at(system, number);
    if (check->anon_refs[number]++) return; /* seen before */
    if (anon->state == OL_ANON_RESIDENT) {
        CHECK(check, anon->where < system->frames_fresh && system->frame[anon->where].anon == number,
              "I2: an anon's frame belongs to another");
    } else if (anon->state == OL_ANON_SWAPPED) {
        check->slots++;
        CHECK(check, ol_swap_is_used(system, anon->where), "I7: an anon's slot is free");
    }
}

static void check_bare(struct check *check, uint32_t child)
{
    check->slots++;
    check->bare++;
    CHECK(check, ol_swap_is_used(check->system, ol_child_where(check->system, child)), "I7: a bare slot is free");
    CHECK(check, !check->system->keeps_anons, "I4: the policy wants the anon of a bare slot");
}

static void check_node(struct check *check, uint32_t number, uint32_t height)
{
    const struct ol_node *node = ol_node_at(check->system, number);
    uint32_t count = 0;
    if (check->node_refs[number]++) return; /* its children are counted once */
    for (uint32_t i = 0; i < OL_NODE_SLOTS; i++) {
        if (node->child[i] == OL_NIL) continue;
        count++;
        if (height) check_node(check, node->child[i], height - 1);
        else if (ol_is_bare(node->child[i])) check_bare(check, node->child[i]);
        else check_anon(check, node->child[i]);
    }
    CHECK(check, count == node->count, "I5: a node miscounts its children");
}

/* --- I6: regions; I3: their mappings ---------------------------------------------------------------------------------
 */

static int check_tree(struct check *check, uint32_t number)
{
    if (number == OL_NIL || check->broken) return 0;
    const struct ol_system *system = check->system;
    const struct ol_region *region = ol_region_at(system, number);
    const int left = check_tree(check, region->left), right = check_tree(check, region->right);
    uint64_t first = region->first, last = region->last, gap = 0;
    if (region->left != OL_NIL) {
        const struct ol_region *below = ol_region_at(system, region->left);
        first = below->sub_first;
        CHECK(check, below->sub_last < region->first, "I6: regions overlap or are out of order");
        gap = region->first - below->sub_last - 1;
        if (below->sub_gap > gap) gap = below->sub_gap;
    }
    if (region->right != OL_NIL) {
        const struct ol_region *above = ol_region_at(system, region->right);
        last = above->sub_last;
        CHECK(check, above->sub_first > region->last, "I6: regions overlap or are out of order");
        if (above->sub_first - region->last - 1 > gap) gap = above->sub_first - region->last - 1;
        if (above->sub_gap > gap) gap = above->sub_gap;
    }
    CHECK(check, region->first <= region->last, "I6: an empty region");
    CHECK(check, left - right <= 1 && right - left <= 1, "I6: the tree is not balanced");
    CHECK(check, region->sub_first == first && region->sub_last == last && region->sub_gap == gap,
          "I6: a region's knowledge of its subtree is stale");
    return 1 + (left > right ? left : right);
}

/* Has the page contents of its own, wherever they are? */
static bool page_exists(const struct ol_system *system, const struct ol_space *space, uint64_t page)
{
    const uint32_t number = ol_region_tree_at_or_above(system, space->root, page);
    bool shared;
    if (number == OL_NIL || ol_region_at(system, number)->first > page) return false;
    const struct ol_region *region = ol_region_at(system, number);
    return ol_overlay_lookup(system, region->overlay, region->offset + (page - region->first), &shared) != OL_NIL;
}

/* I13: what one large entry maps, at its first page; the others must belong to it. */
static void check_large(struct check *check, const struct ol_space *space, uint64_t page,
                        const struct ol_mapping *mapping)
{
    const struct ol_system *system = check->system;
    const uint8_t shift = system->is.page_shift;
    const uint64_t pages = 1ULL << (mapping->shift - shift), first = page & ~(pages - 1);
    struct ol_mapping other;
    CHECK(check, system->physical && !((page ^ mapping->frame) & (pages - 1)), "I13: a large mapping out of alignment");
    for (uint64_t at = first; at < (page == first ? first + pages : first + 1) && !check->broken; at++) {
        CHECK(check, page_exists(system, space, at), "I13: a large mapping of a page that does not exist");
        if (check->broken) return;
        CHECK(check, system->pmap->query(system->machine, space->pmap, at << shift, &other),
              "I13: a large mapping with a hole");
        CHECK(check, other.shift == mapping->shift && other.rights == mapping->rights,
              "I13: a large mapping that is not one throughout");
    }
}

static bool is_wired(const struct ol_system *system, uint32_t child)
{
    return ol_child_state(system, child) == OL_ANON_RESIDENT && system->frame[ol_child_where(system, child)].wires;
}

static void check_mapping(struct check *check, const struct ol_space *space, const struct ol_region *region,
                          uint64_t index, uint32_t child)
{
    const struct ol_system *system = check->system;
    const uint64_t page = region->first + (index - region->offset);
    struct ol_mapping mapping;
    bool shared;
    ol_overlay_lookup(system, region->overlay, index, &shared);
    CHECK(check, !shared || !is_wired(system, child), "I9: a wired page is shared");
    if (!system->pmap->query(system->machine, space->pmap, page << system->is.page_shift, &mapping)) return;
    CHECK(check, ol_child_state(system, child) == OL_ANON_RESIDENT && ol_child_where(system, child) == mapping.frame,
          "I3: a mapping to a foreign frame");
    CHECK(check, system->frame[mapping.frame].flags & OL_FRAME_MAPPED, "I3: a mapping the core does not know of");
    /* No processor can be kept from reading where it may write or execute. */
    const unsigned rights = region->rights ? region->rights | (unsigned)OL_READ : OL_NONE;
    CHECK(check, !(mapping.rights & ~rights), "I10: a mapping with more rights than its region");
    if (mapping.shift > system->is.page_shift) {
        check_large(check, space, page, &mapping);
        CHECK(check, !system->frame[mapping.frame].wires || ol_overlay_at(system, region->overlay)->shared,
              "I13: a wired page in a large mapping");
    }
    CHECK(check, !(mapping.rights & OL_WRITE) || !shared, "I10: a shared page is mapped for writing");
}

/* Every page of a region, by descending where there are nodes. */
static void check_region_pages(struct check *check, const struct ol_space *space, const struct ol_region *region,
                               uint32_t number, uint32_t height, uint64_t base)
{
    const struct ol_node *node = ol_node_at(check->system, number);
    const uint64_t last = region->offset + (region->last - region->first);
    for (uint32_t i = 0; i < OL_NODE_SLOTS; i++) {
        const uint64_t low = base + ((uint64_t)i << (OL_NODE_SHIFT * height));
        const uint64_t high = low + ((1ULL << (OL_NODE_SHIFT * height)) - 1);
        if (node->child[i] == OL_NIL || high < region->offset || low > last) continue;
        if (height) check_region_pages(check, space, region, node->child[i], height - 1, low);
        else check_mapping(check, space, region, low, node->child[i]);
    }
}

static void check_space(struct check *check, const struct ol_space *space)
{
    const struct ol_system *system = check->system;
    uint64_t pages = 0;
    check_tree(check, space->root);
    uint32_t number = ol_region_tree_at_or_above(system, space->root, space->first);
    while (number != OL_NIL && !check->broken) {
        const struct ol_region *region = ol_region_at(system, number);
        const struct ol_overlay *overlay = ol_overlay_at(system, region->overlay);
        CHECK(check, region->first >= space->first && region->last <= space->last, "I6: a region outside its space");
        if (!check->overlay_refs[region->overlay]++ && overlay->root != OL_NIL)
            check_node(check, overlay->root, overlay->height);
        pages += region->last - region->first + 1;
        if (overlay->root != OL_NIL) check_region_pages(check, space, region, overlay->root, overlay->height, 0);
        number = ol_region_tree_at_or_above(system, space->root, region->last + 1);
    }
    CHECK(check, pages == space->mapped_pages || check->broken, "I6: a space miscounts its pages");
}

/* --- the references that were found against those that are counted
 * ----------------------------------------------------- */

static void check_references(struct check *check)
{
    const struct ol_system *system = check->system;
    uint32_t anons = 0, nodes = 0, overlays = 0;
    for (uint32_t i = 1; i < system->anons.used; i++) {
        if (!check->anon_refs[i]) continue;
        anons++;
        CHECK(check, ol_anon_at(system, i)->refs == check->anon_refs[i], "I4: an anon miscounts its references");
    }
    for (uint32_t i = 1; i < system->nodes.used; i++) {
        if (!check->node_refs[i]) continue;
        nodes++;
        CHECK(check, ol_node_at(system, i)->refs == check->node_refs[i], "I5: a node miscounts its references");
    }
    for (uint32_t i = 1; i < system->overlays.used; i++) {
        if (!check->overlay_refs[i]) continue;
        overlays++;
        CHECK(check, ol_overlay_at(system, i)->refs == check->overlay_refs[i],
              "I5: an overlay miscounts its references");
    }
    if (!system->io_busy) /* else anons may wait for their transfer to end */
        CHECK(check, anons == system->anons.live, "I4: an anon that nothing refers to");
    CHECK(check, check->bare == system->bare, "I7: bare slots are miscounted");
    CHECK(check, nodes == system->nodes.live, "I5: a node that nothing refers to");
    CHECK(check, overlays == system->overlays.live, "I5: an overlay that nothing refers to");
    if (!system->io_busy) CHECK(check, check->slots == system->swap.count, "I7: a slot that no page owns");
}

static uint32_t *counters(const struct ol_port *port, const struct ol_pool *pool)
{
    return port->metadata_alloc(port->context, ((size_t)pool->used + 1024) * sizeof(uint32_t));
}

static void counters_free(const struct ol_port *port, const struct ol_pool *pool, uint32_t *memory)
{
    if (memory) port->metadata_free(port->context, memory, ((size_t)pool->used + 1024) * sizeof(uint32_t));
}

const char *ol_check(struct ol_system *system)
{
    const struct ol_port *port = &system->port;
    struct check check = {.system = system};
    ol_lock(system);
    check.anon_refs = counters(port, &system->anons);
    check.node_refs = counters(port, &system->nodes);
    check.overlay_refs = counters(port, &system->overlays);
    if (check.anon_refs && check.node_refs && check.overlay_refs) {
        check_frames(&check);
        check_list(&check, &system->free, OL_FRAME_FREE);
        check_list(&check, &system->cold, OL_FRAME_FREE);
        check_list(&check, &system->modified, OL_FRAME_MODIFIED);
        check_list(&check, &system->standby, OL_FRAME_STANDBY);
        check_memory(&check);
        check_budget(&check);
        for (const struct ol_space *space = system->first_space; space && !check.broken; space = space->next)
            check_space(&check, space);
        if (!check.broken) check_references(&check);
    } else {
        check.broken = "no memory for the check itself";
    }
    counters_free(port, &system->anons, check.anon_refs);
    counters_free(port, &system->nodes, check.node_refs);
    counters_free(port, &system->overlays, check.overlay_refs);
    ol_unlock(system);
    return check.broken;
}
