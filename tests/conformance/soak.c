/* SPDX-License-Identifier: MIT */
/*
 * Thousands of random operations on several spaces against a plain model: for each page of each space its rights, if it
 * is mapped, and the stamp it must hold. With chaos, mappings are forgotten all the while and nothing may change.
 */
#include "tests/conformance/conformance.h"

#include "tests/support/sanitized.h"

#include <string.h>

enum { SPACES = 4, PAGES = 200, STEPS = OL_SANITIZED ? 800 : 2500, FRAMES = 48, WIRES = 4, WIRE_PAGES = 3 };

struct model {
    struct ol_space *space; /* NULL: none */
    bool mapped[PAGES];
    unsigned rights[PAGES];
    unsigned stamp[PAGES];
};

static struct world world;          /* of the running test */
static struct model models[SPACES]; /* what must be */
static uint64_t seed;               /* state of the random sequence */
static struct wire {
    uint64_t page;
    bool held;
} wires[WIRES]; /* in models[0], which is then neither forked nor destroyed */

static uint64_t below(uint64_t bound)
{
    return ol_random_below(&seed, bound);
}

static unsigned random_rights(void)
{
    static const unsigned rights[] = {RW, RW, RW, OL_READ, OL_READ | OL_EXEC, OL_NONE};
    return rights[below(sizeof(rights) / sizeof(rights[0]))];
}

static void random_range(uint64_t *page, uint64_t *pages)
{
    *page = below(PAGES);
    *pages = 1 + below(below(4) ? 12 : PAGES);
    if (*pages > PAGES - *page) *pages = PAGES - *page;
}

static bool any_mapped(const struct model *model, uint64_t page, uint64_t pages)
{
    for (uint64_t i = page; i < page + pages; i++)
        if (model->mapped[i]) return true;
    return false;
}

static bool all_mapped(const struct model *model, uint64_t page, uint64_t pages)
{
    for (uint64_t i = page; i < page + pages; i++)
        if (!model->mapped[i]) return false;
    return true;
}

static void model_map(struct model *model, uint64_t page, uint64_t pages, unsigned rights)
{
    for (uint64_t i = page; i < page + pages; i++) {
        model->mapped[i] = true;
        model->rights[i] = rights;
        model->stamp[i] = 0;
    }
}

static void step_touch(struct model *model)
{
    const uint64_t page = below(PAGES);
    const bool write = below(2);
    const unsigned needed = write ? OL_WRITE : OL_READ;
    const ol_va va = at(&world, page);
    if (!model->mapped[page]) {
        REFUSED(&world, model->space, va, needed, OL_E_NO_REGION);
    } else if (!(model->rights[page] & needed)) {
        REFUSED(&world, model->space, va, needed, OL_E_RIGHTS);
    } else if (write) {
        model->stamp[page] = stamp_of(below(251));
        PUT(&world, model->space, va, model->stamp[page]);
    } else {
        IS(&world, model->space, va, model->stamp[page]);
    }
}

static void step_map(struct model *model)
{
    const unsigned rights = random_rights();
    const bool replace = below(4) == 0;
    uint64_t page, pages;
    random_range(&page, &pages);
    const enum ol_status expected = any_mapped(model, page, pages) && !replace ? OL_E_OVERLAP : OL_OK;
    EXPECT(&world, expected,
           ol_region_map(model->space, at(&world, page), pages, rights,
                         OL_MAP_FIXED | (replace ? (unsigned)OL_MAP_REPLACE : 0), NULL));
    if (expected == OL_OK) model_map(model, page, pages, rights);
}

static void step_unmap(struct model *model)
{
    uint64_t page, pages;
    random_range(&page, &pages);
    OK(&world, ol_region_unmap(model->space, at(&world, page), pages));
    for (uint64_t i = page; i < page + pages; i++) model->mapped[i] = false;
}

static void step_protect(struct model *model)
{
    const unsigned rights = random_rights();
    uint64_t page, pages;
    random_range(&page, &pages);
    const enum ol_status expected = all_mapped(model, page, pages) ? OL_OK : OL_E_NO_REGION;
    EXPECT(&world, expected, ol_region_protect(model->space, at(&world, page), pages, rights));
    for (uint64_t i = page; expected == OL_OK && i < page + pages; i++) model->rights[i] = rights;
}

static void step_discard(struct model *model)
{
    uint64_t page, pages;
    random_range(&page, &pages);
    OK(&world, ol_space_discard(model->space, at(&world, page), pages));
    for (uint64_t i = page; i < page + pages; i++) model->stamp[i] = 0;
}

/* One region is moved: a page and its neighbours up to the next boundary. */
static void step_move(struct model *model)
{
    struct ol_region_info info;
    struct model before = *model;
    uint64_t page, pages, to = below(PAGES);
    random_range(&page, &pages);
    if (!ol_region_next(model->space, at(&world, page), &info) || info.va > at(&world, page)) return;
    const uint64_t left = (info.va - world.base) / PAGE_BYTES + info.pages - page;
    if (pages > left) pages = left;
    if (below(3) == 0) to = page;
    uint64_t to_pages = pages + below(3) * below(10);
    if (to_pages > PAGES - to) to_pages = PAGES - to;
    if (to_pages < pages) return;
    const uint64_t fresh = to == page ? page + pages : to;
    const enum ol_status expected = any_mapped(model, fresh, to + to_pages - fresh) ? OL_E_OVERLAP : OL_OK;
    EXPECT(&world, expected, ol_region_move(model->space, at(&world, page), pages, at(&world, to), to_pages));
    if (expected != OL_OK) return;
    for (uint64_t i = page; i < page + pages; i++) model->mapped[i] = false;
    model_map(model, to, to_pages, before.rights[page]);
    for (uint64_t i = 0; i < pages; i++) model->stamp[to + i] = before.stamp[page + i];
}

/* Another space becomes a copy of this one. */
static void step_fork(struct model *model)
{
    struct model *copy = &models[1 + below(SPACES - 1)];
    if (copy == model || model == &models[0]) copy = &models[1];
    if (copy == model) return;
    if (copy->space) CHECKED(&world, ol_space_destroy(copy->space));
    *copy = *model;
    OK(&world, ol_space_fork(model->space, &copy->space));
}

static void step_memory(void)
{
    switch (below(4)) {
    case 0: OK(&world, ol_system_set_budget(world.bed.system, FRAMES / 2 + (uint32_t)below(FRAMES / 2))); break;
    case 1: OK(&world, ol_system_set_budget(world.bed.system, FRAMES)); break;
    case 2: CHECKED(&world, ol_system_reclaim(world.bed.system)); break;
    default:
        if (ol_frames_lend(world.bed.system, 4)) CHECKED(&world, ol_frames_return(world.bed.system, 4));
        else CHECKED(&world, (void)0);
    }
}

/* Nobody else may change a wired range meanwhile, so it has pages of its own: the last ones of the first space. */
static void step_wire(void)
{
    struct wire *wire = &wires[below(WIRES)];
    if (wire->held) {
        CHECKED(&world, ol_space_unwire(world.space, at(&world, wire->page), WIRE_PAGES));
    } else {
        wire->page = PAGES + below(10);
        OK(&world, ol_space_wire(world.space, at(&world, wire->page), WIRE_PAGES, OL_WRITE));
    }
    wire->held = !wire->held;
}

static void step(bool may_wire)
{
    struct model *model = &models[below(SPACES)];
    if (!model->space) model = &models[0];
    const uint64_t choice = below(100);
    if (choice < 60) step_touch(model);
    else if (choice < 72) step_map(model);
    else if (choice < 76) step_unmap(model);
    else if (choice < 82) step_protect(model);
    else if (choice < 86) step_discard(model);
    else if (choice < 91) step_move(model);
    else if (choice < 94 && (model != &models[0] || !may_wire)) step_fork(model);
    else if (choice < 97 && may_wire) step_wire();
    else step_memory();
}

static void all_as_in_models(void)
{
    for (int i = 0; i < SPACES; i++)
        for (uint64_t page = 0; models[i].space && page < PAGES; page++)
            if (models[i].mapped[page] && models[i].rights[page] & OL_READ)
                IS(&world, models[i].space, at(&world, page), models[i].stamp[page]);
}

static void soak(uint64_t from_seed, const struct world_options *options, bool may_wire)
{
    seed = from_seed;
    memset(models, 0, sizeof(models));
    memset(wires, 0, sizeof(wires));
    world_create(&world, options);
    models[0].space = world.space;
    OK(&world, map_at(&world, PAGES, 10 + WIRE_PAGES, RW));
    for (int i = 1; i < SPACES; i++) OK(&world, ol_space_fork(world.space, &models[i].space));
    for (int i = 0; i < STEPS; i++) step(may_wire);
    all_as_in_models();
    world_destroy(&world);
}

static void test_soak(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    soak(1, &(struct world_options){.frames = FRAMES}, false);
    soak(2, &(struct world_options){.frames = FRAMES, .drop_copies = true}, true);
}

static void test_soak_with_forgotten_mappings(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    soak(3, &(struct world_options){.frames = FRAMES, .chaos = 77}, false);
    soak(4, &(struct world_options){.frames = FRAMES, .chaos = 78, .drop_copies = true}, false);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_soak),
    cmocka_unit_test(test_soak_with_forgotten_mappings),
};
const struct group soak_group = {"soak", tests, sizeof(tests) / sizeof(tests[0])};
