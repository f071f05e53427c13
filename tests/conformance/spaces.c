/* SPDX-License-Identifier: MIT */
/* Many spaces, copy-on-write between them, systems side by side, copies of the process. Attacks I4, I5 and I10. */
#include "tests/conformance/conformance.h"

static struct world world; /* of the running test */

static void test_many_spaces(void **state)
{
    (void)state;
    enum { SPACES = 12, PAGES = 20 };
    struct ol_space *spaces[SPACES];
    ol_va first[SPACES];
    world_create(&world, &(struct world_options){0});
    for (unsigned i = 0; i < SPACES; i++) {
        OK(&world, ol_bed_space(&world.bed, 1024, &spaces[i], &first[i]));
        OK(&world, ol_region_map(spaces[i], first[i], PAGES, RW, OL_MAP_FIXED, NULL));
    }
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned i = 0; i < SPACES; i++)
            PUT(&world, spaces[i], first[i] + page * PAGE_BYTES, stamp_of(page * SPACES + i));
    for (unsigned i = 0; i < SPACES; i += 2) CHECKED(&world, ol_space_destroy(spaces[i]));
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned i = 1; i < SPACES; i += 2)
            IS(&world, spaces[i], first[i] + page * PAGE_BYTES, stamp_of(page * SPACES + i));
    assert_int_equal(world_statistics(&world).pages, PAGES * SPACES / 2);
    world_destroy(&world); /* with the spaces that are left */
}

static void test_fork_shares_until_written(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *child;
    world_create(&world, &(struct world_options){.no_prefetch = true});
    OK(&world, map_at(&world, 0, 40, RW));
    put_all(&world, 0, 30);
    OK(&world, ol_space_fork(world.space, &child));
    assert_int_equal(ol_space_mapped_pages(child), 40);
    for (uint64_t page = 0; page < 40; page++) IS(&world, child, at(&world, page), page < 30 ? stamp_of(page) : 0);
    struct ol_statistics now = world_statistics(&world);
    assert_int_equal(now.faults_copied, 0);
    assert_int_equal(now.pages, 40); /* the ten that are zeros are the child's own */
    for (uint64_t page = 0; page < 40; page += 2) PUT(&world, child, at(&world, page), 200);
    for (uint64_t page = 1; page < 40; page += 4) PUT(&world, world.space, at(&world, page), 201);
    for (uint64_t page = 0; page < 40; page++) {
        const unsigned before = page < 30 ? stamp_of(page) : 0;
        IS(&world, child, at(&world, page), page % 2 == 0 ? 200 : before);
        IS(&world, world.space, at(&world, page), page % 4 == 1 ? 201 : before);
    }
    now = world_statistics(&world);
    assert_int_equal(now.faults_copied, 15 + 8);
    /* With the child gone its parent writes in place again. */
    CHECKED(&world, ol_space_destroy(child));
    assert_int_equal(world_statistics(&world).pages, 40);
    for (uint64_t page = 0; page < 40; page++) PUT(&world, world.space, at(&world, page), stamp_of(page));
    all_are(&world, 0, 40);
    assert_int_equal(world_statistics(&world).faults_copied, now.faults_copied);
    world_destroy(&world);
}

/* A chain of forks in which everyone writes something, with far more pages than frames. */
static void test_forks_of_forks(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    enum { SPACES = 8, PAGES = 200 };
    struct ol_space *spaces[SPACES];
    unsigned stamps[SPACES][PAGES];
    uint64_t seed = 5;
    world_create(&world, &(struct world_options){0});
    spaces[0] = world.space;
    OK(&world, map_at(&world, 0, PAGES, RW));
    put_all(&world, 0, PAGES);
    for (unsigned page = 0; page < PAGES; page++) stamps[0][page] = stamp_of(page);
    for (unsigned i = 1; i < SPACES; i++) {
        const uint64_t parent = ol_random_below(&seed, i);
        OK(&world, ol_space_fork(spaces[parent], &spaces[i]));
        for (unsigned page = 0; page < PAGES; page++) stamps[i][page] = stamps[parent][page];
        for (unsigned writes = 0; writes < 40; writes++) {
            const uint64_t who = ol_random_below(&seed, i + 1), page = ol_random_below(&seed, PAGES);
            stamps[who][page] = stamp_of(ol_random_below(&seed, 251));
            PUT(&world, spaces[who], at(&world, page), stamps[who][page]);
        }
    }
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned i = 0; i < SPACES; i++) IS(&world, spaces[i], at(&world, page), stamps[i][page]);
    for (unsigned i = 0; i < SPACES; i += 3) CHECKED(&world, ol_space_destroy(spaces[i]));
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned i = 0; i < SPACES; i++)
            if (i % 3) IS(&world, spaces[i], at(&world, page), stamps[i][page]);
    world_destroy(&world);
}

/* Pages so far apart that the trees of the overlay are deep; a part is unmapped in one of two sharers. */
static void test_deep_shared_nodes(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    enum { FAR = 1 << 20, CLOSE = 70 };
    static const uint64_t bases[] = {0, 4096, 1 << 12, 1 << 18, (1 << 18) + 64, FAR - 100};
    struct ol_space *child;
    ol_va first, last;
    if (!variant.bed->find_range(variant.bed, FAR, &first, &last)) skip();
    world_create(&world, &(struct world_options){.space_pages = FAR});
    OK(&world, map_at(&world, 0, FAR, RW));
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) put_all(&world, bases[i], CLOSE);
    OK(&world, ol_space_fork(world.space, &child));
    OK(&world, ol_region_unmap(child, at(&world, 10), (1 << 18) + 100)); /* ends within shared nodes */
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) all_are(&world, bases[i], CLOSE);
    for (uint64_t page = 0; page < 10; page++) IS(&world, child, at(&world, page), stamp_of(page));
    REFUSED(&world, child, at(&world, 10), OL_READ, OL_E_NO_REGION);
    IS(&world, child, at(&world, (1 << 18) + 120), stamp_of((1 << 18) + 120));
    PUT(&world, world.space, at(&world, FAR - 100), 77);
    IS(&world, child, at(&world, FAR - 100), stamp_of(FAR - 100));
    OK(&world, ol_space_discard(world.space, at(&world, FAR - 99), 50));
    IS(&world, world.space, at(&world, FAR - 60), 0);
    IS(&world, child, at(&world, FAR - 60), stamp_of(FAR - 60));
    IS(&world, world.space, at(&world, FAR - 40), stamp_of(FAR - 40));
    CHECKED(&world, ol_space_destroy(child));
    assert_int_equal(ol_page_residence(world.space, at(&world, 11)) == OL_ABSENT, 0);
    world_destroy(&world);
}

/* Regions that were split share an overlay; a fork keeps them apart from the parent's, and rights are copied. */
static void test_fork_of_split_regions(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *child;
    struct ol_region_info info;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 90, RW));
    put_all(&world, 0, 90);
    OK(&world, ol_region_protect(world.space, at(&world, 30), 30, OL_READ));
    OK(&world, ol_space_fork(world.space, &child));
    assert_true(ol_region_next(child, at(&world, 30), &info));
    assert_int_equal(info.va, at(&world, 30));
    assert_int_equal(info.pages, 30);
    assert_int_equal(info.rights, OL_READ);
    REFUSED(&world, child, at(&world, 31), OL_WRITE, OL_E_RIGHTS);
    OK(&world, ol_region_protect(child, at(&world, 0), 90, RW));
    for (uint64_t page = 0; page < 90; page++) PUT(&world, child, at(&world, page), 9);
    all_are(&world, 0, 90);
    OK(&world, ol_region_move(world.space, at(&world, 60), 30, at(&world, 500), 40));
    for (uint64_t page = 0; page < 30; page++) IS(&world, world.space, at(&world, 500 + page), stamp_of(60 + page));
    for (uint64_t page = 0; page < 90; page++) IS(&world, child, at(&world, page), 9);
    world_destroy(&world);
}

/* Copy-on-write where there is hardly a frame for the copy. */
static void test_fork_in_few_frames(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *child;
    world_create(&world, &(struct world_options){.frames = 2});
    OK(&world, map_at(&world, 0, 10, RW));
    put_all(&world, 0, 10);
    OK(&world, ol_space_fork(world.space, &child));
    for (uint64_t page = 0; page < 10; page++) {
        PUT(&world, child, at(&world, page), 9);
        IS(&world, world.space, at(&world, page), stamp_of(page));
        IS(&world, child, at(&world, page), 9);
    }
    world_destroy(&world);

    world_create(&world, &(struct world_options){.frames = 1});
    OK(&world, map_at(&world, 0, 10, RW));
    put_all(&world, 0, 10);
    OK(&world, ol_space_fork(world.space, &child));
    REFUSED(&world, child, at(&world, 3), OL_WRITE, OL_E_NO_FRAMES); /* a copy wants two */
    all_are(&world, 0, 10);
    CHECKED(&world, ol_space_destroy(child));
    put_all(&world, 0, 10);
    world_destroy(&world);
}

static void test_systems_side_by_side(void **state)
{
    (void)state;
    enum { WORLDS = 3 };
    static struct world worlds[WORLDS];
    for (unsigned i = 0; i < WORLDS; i++) {
        world_create(&worlds[i], &(struct world_options){.frames = 16 + 16 * i});
        OK(&worlds[i], map_at(&worlds[i], 0, 100, RW));
    }
    for (unsigned page = 0; page < 100; page++)
        for (unsigned i = 0; i < WORLDS; i++)
            PUT(&worlds[i], worlds[i].space, at(&worlds[i], page), stamp_of(page + 50 * i));
    for (unsigned page = 0; page < 100; page++)
        for (unsigned i = 0; i < WORLDS; i++)
            IS(&worlds[i], worlds[i].space, at(&worlds[i], page), stamp_of(page + 50 * i));
    for (unsigned i = 0; i < WORLDS; i++) {
        assert_in_range(world_statistics(&worlds[i]).frames_in_use_peak, 1, 16 + 16 * i);
        world_destroy(&worlds[i]);
    }
}

/* The parent of a copied process goes on as if nothing had been; its copy trusts no protection any more. */
static void test_copies_of_the_process(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 200, RW));
    put_all(&world, 0, 200);
    all_are(&world, 0, 200);
    OK(&world, ol_space_wire(world.space, at(&world, 0), 4, OL_WRITE));
    const struct ol_statistics before = world_statistics(&world);
    ol_system_fork_prepare(world.bed.system);
    ol_system_fork_done(world.bed.system, false);
    struct ol_statistics now = world_statistics(&world);
    assert_memory_equal(&now, &before, sizeof(now));
    all_are(&world, 0, 200);

    ol_system_fork_prepare(world.bed.system);
    CHECKED(&world, ol_system_fork_done(world.bed.system, true));
    assert_int_equal(world_statistics(&world).frames_wired, 0); /* who wired is not there any more */
    all_are(&world, 0, 200);
    put_all(&world, 0, 200);
    all_are(&world, 0, 200);
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_many_spaces),           cmocka_unit_test(test_fork_shares_until_written),
    cmocka_unit_test(test_forks_of_forks),        cmocka_unit_test(test_deep_shared_nodes),
    cmocka_unit_test(test_fork_of_split_regions), cmocka_unit_test(test_fork_in_few_frames),
    cmocka_unit_test(test_systems_side_by_side),  cmocka_unit_test(test_copies_of_the_process),
};
const struct group spaces_group = {"spaces", tests, sizeof(tests) / sizeof(tests[0])};
