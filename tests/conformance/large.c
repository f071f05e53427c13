/* SPDX-License-Identifier: MIT */
/*
 * Large pages: what is mapped by one entry, what splits it, and that nobody can tell but by looking at the mapping.
 * Attacks I13. Runs only for testbeds with large pages.
 */
#include "tests/conformance/conformance.h"

#include <string.h>

enum { MODEL_PAGES = 4096 /* most that a test looks at */ };

/* The machine's smallest large page, and how many pages it is. */
#define LARGE_SHIFT (variant.bed->is->large_shifts[0])
#define LARGE       (1ULL << (LARGE_SHIFT - variant.bed->is->page_shift))

static uint8_t log2_of(uint64_t number)
{
    uint8_t bits = 0;
    while (number >> bits > 1) bits++;
    return bits;
}

/* Pages of the largest large page that is in use and not too large for a test. */
static uint64_t largest(void)
{
    const uint64_t used = 1ULL << (variant.bed->large_shift - variant.bed->is->page_shift);
    return used <= MODEL_PAGES / 4 ? used : LARGE;
}

static void create(struct world *world, uint64_t frames)
{
    world_create(world, &(struct world_options){.frames = (uint32_t)frames, .no_prefetch = true});
}

/* Is the page mapped by a large entry? It is, too, that with which its space begins. */
static bool is_large(const struct world *world, struct ol_space *space, uint64_t page)
{
    struct ol_mapping mapping;
    return variant.bed->pmap->query(world->bed.machine, ol_space_pmap(space), at(world, page), &mapping) &&
           mapping.shift > variant.bed->is->page_shift;
}

/* As put_all and all_are for any space, with one check at the end, not one for each page. */
static void stamp_all(struct world *world, struct ol_space *space, uint64_t first, uint64_t pages, int64_t plus)
{
    for (uint64_t page = first; page < first + pages; page++)
        assert_int_equal(page_put(world, space, at(world, page), stamp_of(page + (uint64_t)plus)), OL_OK);
    CHECKED(world, (void)0);
}

static void stamps_are(struct world *world, struct ol_space *space, uint64_t first, uint64_t pages, int64_t plus)
{
    for (uint64_t page = first; page < first + pages; page++) {
        unsigned stamp = 0;
        assert_int_equal(page_get(world, space, at(world, page), &stamp), OL_OK);
        assert_int_equal(stamp, stamp_of(page + (uint64_t)plus));
    }
    CHECKED(world, (void)0);
}

static void touched_pages_become_large(void **state)
{
    (void)state;
    struct world world;
    create(&world, 4 * LARGE);
    OK(&world, map_at(&world, 1, 3 * LARGE, RW)); /* holds two whole ones: from LARGE on */
    stamp_all(&world, world.space, LARGE, LARGE - 1, 0);
    assert_false(is_large(&world, world.space, LARGE));
    stamp_all(&world, world.space, 2 * LARGE - 1, 1, 0);
    assert_true(is_large(&world, world.space, LARGE));
    stamp_all(&world, world.space, 1, LARGE - 1, 0); /* not a whole one */
    assert_false(is_large(&world, world.space, 1));
    stamps_are(&world, world.space, 1, 2 * LARGE - 1, 0);
    assert_int_equal(world_statistics(&world).promotions, 1);
    assert_int_equal(world_statistics(&world).faults_zero, 2 * LARGE - 1);
    world_destroy(&world);
}

static void regions_may_ask_for_large_pages(void **state)
{
    (void)state;
    struct world world;
    create(&world, 2 * LARGE);
    OK(&world, ol_region_map(world.space, at(&world, 0), 4 * LARGE, RW, OL_MAP_FIXED | OL_MAP_LARGE, NULL));
    PUT(&world, world.space, at(&world, 5), 5);
    assert_true(is_large(&world, world.space, 0) && is_large(&world, world.space, LARGE - 1));
    assert_int_equal(world_statistics(&world).faults, 1);
    assert_int_equal(world_statistics(&world).frames_in_use, LARGE);
    IS(&world, world.space, at(&world, 6), 0);
    IS(&world, world.space, at(&world, 5), 5);
    assert_int_equal(world_statistics(&world).faults, 1);
    PUT(&world, world.space, at(&world, LARGE), 6);
    assert_true(is_large(&world, world.space, LARGE));
    /* There is no memory for a third one, but for a page of it. */
    PUT(&world, world.space, at(&world, 2 * LARGE), 7);
    assert_false(is_large(&world, world.space, 2 * LARGE));
    IS(&world, world.space, at(&world, 5), 5);
    world_destroy(&world);
}

static void parts_can_be_unmapped_protected_discarded(void **state)
{
    (void)state;
    struct world world;
    create(&world, 4 * LARGE);
    OK(&world, map_at(&world, 0, 3 * LARGE, RW));
    stamp_all(&world, world.space, 0, 3 * LARGE, 0);
    OK(&world, ol_region_unmap(world.space, at(&world, 3), 1));
    REFUSED(&world, world.space, at(&world, 3), OL_READ, OL_E_NO_REGION);
    OK(&world,
       ol_region_protect(world.space, at(&world, LARGE + 5), LARGE, OL_READ)); /* the end of one, … of the next */
    REFUSED(&world, world.space, at(&world, LARGE + 5), OL_WRITE, OL_E_RIGHTS);
    REFUSED(&world, world.space, at(&world, 2 * LARGE + 4), OL_WRITE, OL_E_RIGHTS);
    PUT(&world, world.space, at(&world, LARGE + 4), stamp_of(LARGE + 4));
    stamps_are(&world, world.space, 4, 3 * LARGE - 4, 0);
    /* The same rights throughout again, and one fault makes one entry. */
    OK(&world, ol_region_protect(world.space, at(&world, LARGE), 2 * LARGE, RW));
    PUT(&world, world.space, at(&world, LARGE + 6), stamp_of(LARGE + 6));
    assert_true(is_large(&world, world.space, LARGE));
    OK(&world, ol_space_discard(world.space, at(&world, LARGE + 6), 1));
    assert_false(is_large(&world, world.space, LARGE));
    IS(&world, world.space, at(&world, LARGE + 6), 0);
    assert_true(is_large(&world, world.space, LARGE));
    stamps_are(&world, world.space, LARGE, 6, 0);
    stamps_are(&world, world.space, LARGE + 7, LARGE - 7, 0);
    /* A whole one is protected without being split. */
    OK(&world, ol_region_protect(world.space, at(&world, LARGE), LARGE, OL_READ));
    assert_true(is_large(&world, world.space, LARGE));
    REFUSED(&world, world.space, at(&world, LARGE + 6), OL_WRITE, OL_E_RIGHTS);
    world_destroy(&world);
}

static void forks_share_large_pages_until_they_write(void **state)
{
    (void)state;
    struct world world;
    struct ol_space *child;
    create(&world, 6 * LARGE);
    OK(&world, map_at(&world, 0, LARGE, RW));
    stamp_all(&world, world.space, 0, LARGE, 0);
    OK(&world, ol_space_fork(world.space, &child));
    assert_true(is_large(&world, world.space, 0));
    IS(&world, child, at(&world, 3), stamp_of(3)); /* one fault maps all */
    assert_true(is_large(&world, child, 0));
    assert_int_equal(world_statistics(&world).frames_in_use, LARGE);
    PUT(&world, child, at(&world, 4), 1);
    assert_false(is_large(&world, child, 0));
    assert_true(is_large(&world, world.space, 0));
    IS(&world, world.space, at(&world, 4), stamp_of(4));
    stamp_all(&world, child, 0, LARGE, 1);
    assert_true(is_large(&world, child, 0)); /* all of them copies, in a block of their own */
    stamps_are(&world, world.space, 0, LARGE, 0);
    stamp_all(&world, world.space, 0, LARGE, 2);
    stamps_are(&world, child, 0, LARGE, 1);
    assert_int_equal(world_statistics(&world).frames_in_use, 2 * LARGE);
    world_destroy(&world);
}

static void single_pages_are_evicted(void **state)
{
    (void)state;
    struct world world;
    create(&world, 4 * LARGE);
    OK(&world, map_at(&world, 0, 3 * LARGE, RW));
    stamp_all(&world, world.space, 0, 3 * LARGE, 0);
    OK(&world, ol_system_set_budget(world.bed.system, (uint32_t)(2 * LARGE + LARGE / 2)));
    assert_true(world_statistics(&world).evictions + world_statistics(&world).frames_standby >= LARGE / 2);
    stamps_are(&world, world.space, 0, 3 * LARGE, 0);
    OK(&world, ol_system_set_budget(world.bed.system, (uint32_t)(4 * LARGE)));
    stamps_are(&world, world.space, 0, 3 * LARGE, 0);
    world_destroy(&world);
}

static void wired_pages_are_mapped_singly(void **state)
{
    (void)state;
    struct world world;
    create(&world, 2 * LARGE);
    OK(&world, map_at(&world, 0, LARGE, RW));
    stamp_all(&world, world.space, 0, LARGE, 0);
    assert_true(is_large(&world, world.space, 0));
    OK(&world, ol_space_wire(world.space, at(&world, 4), 3, OL_WRITE));
    assert_false(is_large(&world, world.space, 5));
    stamps_are(&world, world.space, 0, LARGE, 0);
    OK(&world, ol_space_discard(world.space, at(&world, 0), 1));
    PUT(&world, world.space, at(&world, 0), stamp_of(0)); /* complete again, but for the wires */
    assert_false(is_large(&world, world.space, 0));
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 4), 3));
    OK(&world, ol_space_discard(world.space, at(&world, 0), 1));
    PUT(&world, world.space, at(&world, 0), stamp_of(0));
    assert_true(is_large(&world, world.space, 4));
    stamps_are(&world, world.space, 0, LARGE, 0);
    world_destroy(&world);
}

/* Shared pages are large wherever they lie right; moved ones, too. */
static void shared_and_moved_pages(void **state)
{
    (void)state;
    struct world world;
    struct ol_space *other;
    create(&world, 4 * LARGE);
    OK(&world, ol_space_create(world.bed.system, at(&world, 0), at(&world, 16 * LARGE) - 1, &other));
    OK(&world, ol_region_map(world.space, at(&world, 0), LARGE, RW, OL_MAP_FIXED | OL_MAP_SHARED, NULL));
    OK(&world,
       ol_region_share(world.space, at(&world, 0), LARGE, other, at(&world, 2 * LARGE), RW, OL_MAP_FIXED, NULL));
    OK(&world,
       ol_region_share(world.space, at(&world, 0), LARGE, other, at(&world, 8 * LARGE + 1), RW, OL_MAP_FIXED, NULL));
    stamp_all(&world, world.space, 0, LARGE, 0);
    assert_true(is_large(&world, world.space, 0));
    stamps_are(&world, other, 2 * LARGE, LARGE, -(int64_t)(2 * LARGE));
    assert_true(is_large(&world, other, 2 * LARGE));
    stamps_are(&world, other, 8 * LARGE + 1, LARGE, -(int64_t)(8 * LARGE + 1));
    assert_false(is_large(&world, other, 9 * LARGE));
    OK(&world, ol_region_unmap(world.space, at(&world, 0), LARGE));
    stamps_are(&world, other, 2 * LARGE, LARGE, -(int64_t)(2 * LARGE));
    OK(&world, ol_region_move(other, at(&world, 2 * LARGE), LARGE, at(&world, 4 * LARGE), LARGE));
    assert_false(is_large(&world, other, 4 * LARGE));
    stamps_are(&world, other, 4 * LARGE, LARGE, -(int64_t)(4 * LARGE));
    assert_true(is_large(&world, other, 4 * LARGE));
    OK(&world, ol_region_move(other, at(&world, 4 * LARGE), LARGE, at(&world, 6 * LARGE + 1), LARGE));
    stamps_are(&world, other, 6 * LARGE + 1, LARGE, -(int64_t)(6 * LARGE + 1));
    assert_false(is_large(&world, other, 7 * LARGE));
    world_destroy(&world);
}

/* With two sizes, small pages become middling ones, and those large ones. */
static void sizes_grow_with_what_is_touched(void **state)
{
    (void)state;
    struct world world;
    struct ol_mapping mapping;
    const uint64_t big = largest();
    const uint8_t page_shift = variant.bed->is->page_shift;
    create(&world, 4 * big);
    OK(&world, map_at(&world, 0, 3 * big, RW));
    for (uint64_t page = big; page < 2 * big; page++) {
        const uint64_t done = page + 1 - big;
        const uint8_t expected = done == big ? page_shift + log2_of(big) : done % LARGE ? page_shift : LARGE_SHIFT;
        assert_int_equal(page_put(&world, world.space, at(&world, page), stamp_of(page)), OL_OK);
        assert_true(
            variant.bed->pmap->query(world.bed.machine, ol_space_pmap(world.space), at(&world, page), &mapping));
        assert_int_equal(mapping.shift, expected);
    }
    assert_int_equal(world_statistics(&world).promotions, big == LARGE ? 1 : big / LARGE);
    OK(&world, ol_space_discard(world.space, at(&world, big + 3), 1));
    assert_int_equal(world_statistics(&world).frames_in_use, big - 1);
    PUT(&world, world.space, at(&world, big + 3), stamp_of(big + 3));
    assert_true(variant.bed->pmap->query(world.bed.machine, ol_space_pmap(world.space), at(&world, big), &mapping));
    assert_int_equal(mapping.shift, page_shift + log2_of(big));
    stamps_are(&world, world.space, big, big, 0);
    world_destroy(&world);
}

/* --- at random --------------------------------------------------------------------------------------------------- */

enum { MODELS = 3, STEPS = 250 };

static struct model {
    struct ol_space *space; /* NULL: none */
    uint8_t mapped[MODEL_PAGES], rights[MODEL_PAGES];
    unsigned stamp[MODEL_PAGES];
} models[MODELS];
static struct world soaked;
static uint64_t seed;
static uint64_t big;   /* pages of a large one */
static uint64_t pages; /* of each space: a few large ones and a piece */

static uint64_t below(uint64_t bound)
{
    return ol_random_below(&seed, bound);
}

/* Whole large pages, or any range. */
static void random_range(uint64_t *first, uint64_t *count)
{
    if (below(3)) {
        *first = below(pages / big) * big;
        *count = big;
    } else {
        *first = below(pages);
        *count = 1 + below(below(2) ? 8 : big);
        if (*count > pages - *first) *count = pages - *first;
    }
}

static void step_write(struct model *model, uint64_t first, uint64_t count)
{
    for (uint64_t page = first; page < first + count; page++) {
        const enum ol_status expected = !model->mapped[page]                ? OL_E_NO_REGION
                                        : !(model->rights[page] & OL_WRITE) ? OL_E_RIGHTS
                                                                            : OL_OK;
        const unsigned stamp = stamp_of(below(251));
        assert_int_equal(page_put(&soaked, model->space, at(&soaked, page), stamp), expected);
        if (expected == OL_OK) model->stamp[page] = stamp;
    }
}

static void step_read(const struct model *model, uint64_t first, uint64_t count)
{
    for (uint64_t page = first; page < first + count; page++) {
        unsigned stamp = 0;
        const enum ol_status expected = model->mapped[page] ? OL_OK : OL_E_NO_REGION;
        assert_int_equal(page_get(&soaked, model->space, at(&soaked, page), &stamp), expected);
        if (expected == OL_OK) assert_int_equal(stamp, model->stamp[page]);
    }
}

static void step_map(struct model *model, uint64_t first, uint64_t count)
{
    const unsigned flags = OL_MAP_FIXED | OL_MAP_REPLACE | (below(2) ? (unsigned)OL_MAP_LARGE : 0);
    assert_int_equal(ol_region_map(model->space, at(&soaked, first), count, RW, flags, NULL), OL_OK);
    memset(model->mapped + first, 1, count);
    memset(model->rights + first, RW, count);
    memset(model->stamp + first, 0, count * sizeof *model->stamp);
}

static void step_protect(struct model *model, uint64_t first, uint64_t count)
{
    const unsigned rights = below(2) ? (unsigned)RW : (unsigned)OL_READ;
    const bool covered = !memchr(model->mapped + first, 0, count);
    assert_int_equal(ol_region_protect(model->space, at(&soaked, first), count, rights),
                     covered ? OL_OK : OL_E_NO_REGION);
    if (covered) memset(model->rights + first, (int)rights, count);
}

static void step_discard(struct model *model, uint64_t first, uint64_t count)
{
    const bool unmap = below(2);
    assert_int_equal(unmap ? ol_region_unmap(model->space, at(&soaked, first), count)
                           : ol_space_discard(model->space, at(&soaked, first), count),
                     OL_OK);
    if (unmap) memset(model->mapped + first, 0, count);
    memset(model->stamp + first, 0, count * sizeof *model->stamp);
}

static void step_fork(struct model *parent)
{
    struct model *const child = &models[1 + below(MODELS - 1)];
    if (child == parent) return;
    if (child->space) ol_space_destroy(child->space);
    *child = *parent;
    assert_int_equal(ol_space_fork(parent->space, &child->space), OL_OK);
}

static void step_wire(struct model *model, uint64_t first, uint64_t count)
{
    const uint64_t few = count < 4 ? count : 4;
    if (memchr(model->mapped + first, 0, count)) return;
    assert_int_equal(ol_space_wire(model->space, at(&soaked, first), few, OL_READ), OL_OK);
    CHECKED(&soaked, step_write(model, first, count));
    ol_space_unwire(model->space, at(&soaked, first), few);
}

static void step(bool may_wire)
{
    struct model *const model = &models[below(MODELS)];
    uint64_t first, count;
    random_range(&first, &count);
    if (!model->space) return;
    switch (below(12)) {
    case 0: step_map(model, first, count); break;
    case 1: step_protect(model, first, count); break;
    case 2: step_discard(model, first, count); break;
    case 3: step_fork(model); break;
    case 4:
        if (may_wire) step_wire(model, first, count);
        break;
    case 5:
        assert_int_equal(ol_system_set_budget(soaked.bed.system, (uint32_t)(2 * big + below(3 * big))), OL_OK);
        break;
    case 6:
    case 7: step_read(model, first, count); break;
    default: step_write(model, first, count); break;
    }
    CHECKED(&soaked, (void)0);
}

static void soak(const struct world_options *options, uint64_t from_seed, bool may_wire)
{
    seed = from_seed;
    memset(models, 0, sizeof models);
    big = largest();
    pages = 3 * big + 77;
    world_create(&soaked, options);
    models[0].space = soaked.space;
    step_map(&models[0], 0, pages);
    for (unsigned i = 0; i < STEPS; i++) step(may_wire);
    for (unsigned i = 0; i < MODELS; i++)
        if (models[i].space) step_read(&models[i], 0, pages);
    assert_true(world_statistics(&soaked).promotions > 0);
    world_destroy(&soaked);
}

static void large_soak(void **state)
{
    (void)state;
    soak(&(struct world_options){.frames = (uint32_t)(5 * largest())}, 5, true);
    soak(&(struct world_options){.frames = (uint32_t)(5 * largest()), .drop_copies = true}, 6, true);
    soak(&(struct world_options){.frames = (uint32_t)(5 * largest()), .chaos = 79}, 7, false);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(touched_pages_become_large),
    cmocka_unit_test(regions_may_ask_for_large_pages),
    cmocka_unit_test(parts_can_be_unmapped_protected_discarded),
    cmocka_unit_test(forks_share_large_pages_until_they_write),
    cmocka_unit_test(single_pages_are_evicted),
    cmocka_unit_test(wired_pages_are_mapped_singly),
    cmocka_unit_test(shared_and_moved_pages),
    cmocka_unit_test(sizes_grow_with_what_is_touched),
    cmocka_unit_test(large_soak),
};
const struct group large_group = {"large pages", tests, sizeof(tests) / sizeof(tests[0])};
