/* SPDX-License-Identifier: MIT */
/* Regions: map, overlap, unmap, rights, split and join, placement, move. Attacks I6 and I10. */
#include "tests/conformance/conformance.h"

static struct world world; /* of the running test */

/* The regions of the world's space are exactly these: triples of first page, pages, rights. */
static void regions_are(const uint64_t (*regions)[3], size_t count)
{
    struct ol_region_info info;
    uint64_t pages = 0;
    ol_va va = world.base;
    for (size_t i = 0; i < count; i++) {
        assert_true(ol_region_next(world.space, va, &info));
        assert_int_equal(info.va, at(&world, regions[i][0]));
        assert_int_equal(info.pages, regions[i][1]);
        assert_int_equal(info.rights, regions[i][2]);
        va = info.va + info.pages * PAGE_BYTES;
        pages += info.pages;
    }
    assert_false(ol_region_next(world.space, va, &info));
    assert_int_equal(ol_space_mapped_pages(world.space), pages);
}
#define REGIONS_ARE(...)                                            \
    do {                                                            \
        const uint64_t regions[][3] = {__VA_ARGS__};                \
        regions_are(regions, sizeof(regions) / sizeof(regions[0])); \
    } while (0)

static void test_map_and_touch(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    REFUSED(&world, world.space, at(&world, 10), OL_READ, OL_E_NO_REGION);
    OK(&world, map_at(&world, 10, 20, RW));
    assert_int_equal(ol_page_residence(world.space, at(&world, 10)), OL_ABSENT);
    IS(&world, world.space, at(&world, 10), 0);
    assert_int_equal(ol_page_residence(world.space, at(&world, 10)), OL_RESIDENT);
    put_all(&world, 10, 20);
    all_are(&world, 10, 20);
    REFUSED(&world, world.space, at(&world, 9) + PAGE_BYTES - 1, OL_WRITE, OL_E_NO_REGION);
    REFUSED(&world, world.space, at(&world, 30), OL_WRITE, OL_E_NO_REGION);
    assert_int_equal(world_statistics(&world).pages, 20);
    assert_int_equal(world_statistics(&world).faults_refused, 3);
    world_destroy(&world);
}

static void test_bad_arguments_change_nothing(void **state)
{
    (void)state;
    const ol_va last = (ol_va)(SPACE_PAGES - 1) * PAGE_BYTES;
    ol_va out;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 10, 10, RW));
    put_all(&world, 10, 10);
    EXPECT(&world, OL_E_INVALID, ol_region_map(world.space, at(&world, 0) + 1, 1, RW, OL_MAP_FIXED, &out));
    EXPECT(&world, OL_E_INVALID, map_at(&world, 0, 0, RW));
    EXPECT(&world, OL_E_INVALID, ol_region_map(world.space, 0, 0, RW, 0, &out));
    EXPECT(&world, OL_E_INVALID, map_at(&world, 0, 1, 8));
    EXPECT(&world, OL_E_INVALID, ol_region_map(world.space, at(&world, 0), 1, RW, 16, &out));
    EXPECT(&world, OL_E_INVALID, map_at(&world, 1, SPACE_PAGES, RW));
    EXPECT(&world, OL_E_INVALID, map_at(&world, SPACE_PAGES - 1, UINT64_MAX, RW));
    EXPECT(&world, OL_E_INVALID, ol_region_map(world.space, world.base - PAGE_BYTES, 1, RW, OL_MAP_FIXED, &out));
    EXPECT(&world, OL_E_INVALID, ol_region_unmap(world.space, at(&world, 10) + 5, 1));
    EXPECT(&world, OL_E_INVALID, ol_region_unmap(world.space, world.base + last, 2));
    EXPECT(&world, OL_E_INVALID, ol_region_unmap(world.space, at(&world, 10), 0));
    EXPECT(&world, OL_E_INVALID, ol_region_protect(world.space, at(&world, 10), 10, 8));
    EXPECT(&world, OL_E_INVALID, ol_region_protect(world.space, at(&world, 10), 0, RW));
    EXPECT(&world, OL_E_INVALID, ol_space_discard(world.space, at(&world, 10) + 1, 1));
    EXPECT(&world, OL_E_INVALID, ol_region_move(world.space, at(&world, 10), 10, at(&world, 50), 9));
    EXPECT(&world, OL_E_INVALID, ol_region_move(world.space, at(&world, 10), 10, at(&world, 50) + 1, 10));
    EXPECT(&world, OL_E_INVALID, ol_region_move(world.space, at(&world, 10), 10, world.base + last, 10));
    EXPECT(&world, OL_E_INVALID, ol_region_move(world.space, at(&world, 10), 10, at(&world, 50), UINT64_MAX));
    REGIONS_ARE({10, 10, RW});
    all_are(&world, 10, 10);
    world_destroy(&world);
}

static void test_bad_spaces_and_systems(void **state)
{
    (void)state;
    const struct ol_capabilities *is = variant.bed->is;
    struct ol_space *space;
    world_create(&world, &(struct world_options){0});
    EXPECT(&world, OL_E_INVALID, ol_space_create(world.bed.system, world.base + 1, at(&world, 8) - 1, &space));
    EXPECT(&world, OL_E_INVALID, ol_space_create(world.bed.system, world.base, at(&world, 8), &space));
    EXPECT(&world, OL_E_INVALID, ol_space_create(world.bed.system, at(&world, 8), at(&world, 4) - 1, &space));
    EXPECT(&world, OL_E_INVALID, ol_space_create(world.bed.system, world.base, is->last_va + PAGE_BYTES, &space));
    if (is->first_va)
        EXPECT(&world, OL_E_INVALID, ol_space_create(world.bed.system, is->first_va - PAGE_BYTES, is->last_va, &space));
    world_destroy(&world);

    struct ol_bed bed;
    struct ol_bed_options options = {.frames = 8, .frames_max = 7, .policy = variant.policy};
    assert_int_equal(ol_bed_create(variant.bed, &options, &bed), OL_E_INVALID);
    options = (struct ol_bed_options){.frames = 8, .frames_max = 8, .low = 2, .high = 1, .policy = variant.policy};
    assert_int_equal(ol_bed_create(variant.bed, &options, &bed), OL_E_INVALID);
    options.high = 8;
    assert_int_equal(ol_bed_create(variant.bed, &options, &bed), OL_E_INVALID);
}

static void test_overlap(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 10, 10, RW));
    put_all(&world, 10, 10);
    EXPECT(&world, OL_E_OVERLAP, map_at(&world, 5, 6, RW));
    EXPECT(&world, OL_E_OVERLAP, map_at(&world, 19, 1, RW));
    EXPECT(&world, OL_E_OVERLAP, map_at(&world, 12, 2, RW));
    EXPECT(&world, OL_E_OVERLAP, map_at(&world, 0, 100, RW));
    all_are(&world, 10, 10);
    OK(&world, map_at(&world, 5, 5, OL_READ));
    OK(&world, map_at(&world, 20, 1, OL_READ));
    REGIONS_ARE({5, 5, OL_READ}, {10, 10, RW}, {20, 1, OL_READ});

    OK(&world, ol_region_map(world.space, at(&world, 12), 4, RW, OL_MAP_FIXED | OL_MAP_REPLACE, NULL));
    REGIONS_ARE({5, 5, OL_READ}, {10, 2, RW}, {12, 4, RW}, {16, 4, RW}, {20, 1, OL_READ});
    for (uint64_t page = 12; page < 16; page++) IS(&world, world.space, at(&world, page), 0);
    all_are(&world, 10, 2);
    all_are(&world, 16, 4);
    OK(&world, ol_region_map(world.space, at(&world, 0), 40, RW, OL_MAP_FIXED | OL_MAP_REPLACE, NULL));
    REGIONS_ARE({0, 40, RW});
    for (uint64_t page = 0; page < 40; page++) IS(&world, world.space, at(&world, page), 0);
    world_destroy(&world);
}

static void test_unmap(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 200, RW)); /* more than the frames: some of it is swapped */
    put_all(&world, 0, 200);
    OK(&world, ol_region_unmap(world.space, at(&world, 50), 10));
    REGIONS_ARE({0, 50, RW}, {60, 140, RW});
    assert_int_equal(world_statistics(&world).pages, 190);
    for (uint64_t page = 50; page < 60; page++) REFUSED(&world, world.space, at(&world, page), OL_READ, OL_E_NO_REGION);
    OK(&world, ol_region_unmap(world.space, at(&world, 50), 10)); /* nothing is there any more */
    OK(&world, ol_region_unmap(world.space, at(&world, 40), 40)); /* across the hole */
    REGIONS_ARE({0, 40, RW}, {80, 120, RW});
    all_are(&world, 0, 40);
    all_are(&world, 80, 120);
    OK(&world, map_at(&world, 40, 40, RW));
    for (uint64_t page = 40; page < 80; page++) IS(&world, world.space, at(&world, page), 0);
    OK(&world, ol_region_unmap(world.space, at(&world, 0), SPACE_PAGES));
    const struct ol_statistics now = world_statistics(&world);
    assert_int_equal(ol_space_mapped_pages(world.space), 0);
    assert_int_equal(now.pages, 0);
    assert_int_equal(now.pages_swapped, 0);
    assert_int_equal(now.frames_in_use, 0);
    world_destroy(&world);
}

/* What a machine cannot protect is refused, not let through. */
static void test_rights_that_the_machine_lacks(void **state)
{
    (void)state;
    struct ol_space *child;
    if (!variant.bed->is->no_write_protection) skip();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 4, RW));
    PUT(&world, world.space, at(&world, 0), 7);
    EXPECT(&world, OL_E_UNSUPPORTED, map_at(&world, 4, 1, OL_READ));
    EXPECT(&world, OL_E_UNSUPPORTED, ol_region_protect(world.space, at(&world, 0), 1, OL_READ | OL_EXEC));
    EXPECT(&world, OL_E_UNSUPPORTED, ol_space_fork(world.space, &child));
    REGIONS_ARE({0, 4, RW});
    IS(&world, world.space, at(&world, 0), 7);
    OK(&world, ol_region_protect(world.space, at(&world, 0), 1, OL_NONE)); /* hidden altogether it can be */
    REFUSED(&world, world.space, at(&world, 0), OL_READ, OL_E_RIGHTS);
    OK(&world, ol_region_protect(world.space, at(&world, 0), 1, RW));
    IS(&world, world.space, at(&world, 0), 7);
    world_destroy(&world);
}

static void test_rights(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 8, OL_READ));
    OK(&world, map_at(&world, 8, 8, OL_NONE));
    OK(&world, map_at(&world, 16, 8, OL_READ | OL_EXEC));
    IS(&world, world.space, at(&world, 0), 0);
    REFUSED(&world, world.space, at(&world, 0), OL_WRITE, OL_E_RIGHTS);
    REFUSED(&world, world.space, at(&world, 1), OL_WRITE, OL_E_RIGHTS);
    if (variant.bed->is->has_execute) REFUSED(&world, world.space, at(&world, 1), OL_EXEC, OL_E_RIGHTS);
    else OK(&world, page_access(&world, world.space, at(&world, 1), OL_EXEC));
    REFUSED(&world, world.space, at(&world, 8), OL_READ, OL_E_RIGHTS);
    REFUSED(&world, world.space, at(&world, 8), OL_WRITE, OL_E_RIGHTS);
    OK(&world, page_access(&world, world.space, at(&world, 16), OL_EXEC));
    IS(&world, world.space, at(&world, 16), 0);
    REFUSED(&world, world.space, at(&world, 16), OL_WRITE, OL_E_RIGHTS);
    /* Rights that no processor has alone. */
    OK(&world, map_at(&world, 24, 8, OL_WRITE));
    OK(&world, map_at(&world, 32, 8, OL_EXEC));
    OK(&world, page_access(&world, world.space, at(&world, 24), OL_WRITE));
    OK(&world, page_access(&world, world.space, at(&world, 32), OL_EXEC));
    REFUSED(&world, world.space, at(&world, 33), OL_WRITE, OL_E_RIGHTS);
    world_destroy(&world);
}

static void test_protect_down_and_up(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 100, RW));
    put_all(&world, 0, 100);
    all_are(&world, 0, 100);
    OK(&world, ol_region_protect(world.space, at(&world, 0), 100, OL_READ));
    all_are(&world, 0, 100);
    REFUSED(&world, world.space, at(&world, 99), OL_WRITE, OL_E_RIGHTS);
    REFUSED(&world, world.space, at(&world, 0), OL_WRITE, OL_E_RIGHTS);
    OK(&world, ol_region_protect(world.space, at(&world, 0), 100, OL_NONE));
    REFUSED(&world, world.space, at(&world, 99), OL_READ, OL_E_RIGHTS);
    OK(&world, ol_region_protect(world.space, at(&world, 0), 100, RW));
    all_are(&world, 0, 100);
    for (uint64_t page = 0; page < 100; page++) PUT(&world, world.space, at(&world, page), stamp_of(page + 7));
    for (uint64_t page = 0; page < 100; page++) IS(&world, world.space, at(&world, page), stamp_of(page + 7));
    EXPECT(&world, OL_E_NO_REGION, ol_region_protect(world.space, at(&world, 90), 20, OL_READ));
    PUT(&world, world.space, at(&world, 95), 1); /* nothing changed */
    world_destroy(&world);
}

static void test_split_and_join(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 100, RW));
    put_all(&world, 0, 100);
    OK(&world, ol_region_protect(world.space, at(&world, 40), 20, OL_READ));
    REGIONS_ARE({0, 40, RW}, {40, 20, OL_READ}, {60, 40, RW});
    OK(&world, ol_region_protect(world.space, at(&world, 30), 20, OL_READ | OL_EXEC));
    REGIONS_ARE({0, 30, RW}, {30, 20, OL_READ | OL_EXEC}, {50, 10, OL_READ}, {60, 40, RW});
    all_are(&world, 0, 100);
    OK(&world, ol_region_protect(world.space, at(&world, 30), 20, OL_READ));
    REGIONS_ARE({0, 30, RW}, {30, 30, OL_READ}, {60, 40, RW});
    OK(&world, ol_region_protect(world.space, at(&world, 0), 100, RW));
    REGIONS_ARE({0, 100, RW});
    all_are(&world, 0, 100);
    OK(&world, ol_region_protect(world.space, at(&world, 99), 1, OL_READ));
    OK(&world, ol_region_unmap(world.space, at(&world, 20), 10));
    REGIONS_ARE({0, 20, RW}, {30, 69, RW}, {99, 1, OL_READ});
    all_are(&world, 30, 70);
    /* The space's last page and first page can be split off and joined again, too. */
    OK(&world, map_at(&world, SPACE_PAGES - 4, 4, RW));
    OK(&world, ol_region_protect(world.space, at(&world, SPACE_PAGES - 1), 1, OL_READ));
    OK(&world, ol_region_protect(world.space, at(&world, SPACE_PAGES - 2), 2, RW));
    REGIONS_ARE({0, 20, RW}, {30, 69, RW}, {99, 1, OL_READ}, {SPACE_PAGES - 4, 4, RW});
    world_destroy(&world);
}

static void test_placement(void **state)
{
    (void)state;
    ol_va va;
    world_create(&world, &(struct world_options){.space_pages = 100});
    OK(&world, ol_region_map(world.space, 0, 10, RW, 0, &va));
    assert_int_equal(va, at(&world, 0));
    OK(&world, map_at(&world, 20, 30, RW));
    OK(&world, ol_region_find_gap(world.space, 0, 10, &va));
    assert_int_equal(va, at(&world, 10));
    OK(&world, ol_region_find_gap(world.space, at(&world, 12), 8, &va));
    assert_int_equal(va, at(&world, 12));
    OK(&world, ol_region_find_gap(world.space, at(&world, 12), 9, &va));
    assert_int_equal(va, at(&world, 50));
    OK(&world, ol_region_find_gap(world.space, at(&world, 95), 10, &va)); /* not above: anywhere */
    assert_int_equal(va, at(&world, 10));
    OK(&world, ol_region_find_gap(world.space, 0, 50, &va));
    assert_int_equal(va, at(&world, 50));
    EXPECT(&world, OL_E_NO_ROOM, ol_region_find_gap(world.space, 0, 51, &va));
    EXPECT(&world, OL_E_NO_ROOM, ol_region_map(world.space, 0, 51, RW, 0, &va));
    EXPECT(&world, OL_E_NO_ROOM, ol_region_find_gap(world.space, 0, UINT64_MAX, &va));
    OK(&world, ol_region_map(world.space, 0, 11, RW, 0, &va));
    assert_int_equal(va, at(&world, 50));
    OK(&world, ol_region_map(world.space, at(&world, 70), 5, RW, 0, &va));
    assert_int_equal(va, at(&world, 70));
    OK(&world, ol_region_map(world.space, 0, 10, RW, 0, &va));
    OK(&world, ol_region_map(world.space, 0, 9, RW, 0, &va));
    OK(&world, ol_region_map(world.space, 0, 25, RW, 0, &va));
    EXPECT(&world, OL_E_NO_ROOM, ol_region_map(world.space, 0, 1, RW, 0, &va)); /* full to the last page */
    put_all(&world, 0, 100);
    all_are(&world, 0, 100);
    world_destroy(&world);
}

static void test_move_and_grow(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 100, 100, RW));
    put_all(&world, 100, 100);
    OK(&world, ol_region_move(world.space, at(&world, 100), 100, at(&world, 1000), 150));
    REFUSED(&world, world.space, at(&world, 100), OL_READ, OL_E_NO_REGION);
    for (uint64_t page = 0; page < 150; page++)
        IS(&world, world.space, at(&world, 1000 + page), page < 100 ? stamp_of(100 + page) : 0);
    /* Downward, a part, while the rest stays. */
    OK(&world, ol_region_move(world.space, at(&world, 1010), 10, at(&world, 5), 10));
    for (uint64_t page = 0; page < 10; page++) IS(&world, world.space, at(&world, 5 + page), stamp_of(110 + page));
    REFUSED(&world, world.space, at(&world, 1010), OL_READ, OL_E_NO_REGION);
    IS(&world, world.space, at(&world, 1009), stamp_of(109));
    IS(&world, world.space, at(&world, 1020), stamp_of(120));
    /* Growing in place: as far as there is room. */
    OK(&world, ol_region_move(world.space, at(&world, 1000), 10, at(&world, 1000), 20));
    for (uint64_t page = 1010; page < 1020; page++) IS(&world, world.space, at(&world, page), 0);
    EXPECT(&world, OL_E_OVERLAP, ol_region_move(world.space, at(&world, 1000), 20, at(&world, 1000), 21));
    EXPECT(&world, OL_E_OVERLAP, ol_region_move(world.space, at(&world, 1000), 10, at(&world, 1005), 10));
    EXPECT(&world, OL_E_NO_REGION, ol_region_move(world.space, at(&world, 100), 10, at(&world, 3000), 10));
    OK(&world, ol_region_move(world.space, at(&world, 1000), 10, at(&world, 1000), 10)); /* nothing to do */
    PUT(&world, world.space, at(&world, 1015), 9);
    OK(&world, ol_region_unmap(world.space, at(&world, 1016), 1));
    OK(&world, ol_region_move(world.space, at(&world, 1000), 16, at(&world, 1000), 17));
    IS(&world, world.space, at(&world, 1016), 0); /* what was there before it shrank does not come back */
    IS(&world, world.space, at(&world, 1015), 9);
    world_destroy(&world);
}

static void test_many_regions(void **state)
{
    (void)state;
    enum { REGIONS = 300 };
    uint64_t seed = 7;
    bool mapped[REGIONS] = {false};
    world_create(&world, &(struct world_options){0});
    for (int step = 0; step < 3 * REGIONS; step++) {
        const uint64_t i = ol_random_below(&seed, REGIONS);
        if (!mapped[i]) OK(&world, map_at(&world, i * 4, 3, RW));
        else OK(&world, ol_region_unmap(world.space, at(&world, i * 4), 4));
        mapped[i] = !mapped[i];
        if (mapped[i]) PUT(&world, world.space, at(&world, i * 4 + 1), stamp_of(i));
    }
    for (uint64_t i = 0; i < REGIONS; i++) {
        if (mapped[i]) IS(&world, world.space, at(&world, i * 4 + 1), stamp_of(i));
        else REFUSED(&world, world.space, at(&world, i * 4 + 1), OL_READ, OL_E_NO_REGION);
    }
    world_destroy(&world);
}

/* The largest space to be had, with a page touched at each end and in the middle. */
static void test_a_large_space_costs_little(void **state)
{
    (void)state;
    uint64_t pages = 1ULL << 34; /* 64 TiB */
    ol_va first, last;
    while (!variant.bed->find_range(variant.bed, pages, &first, &last)) pages /= 2;
    world_create(&world, &(struct world_options){.space_pages = pages});
    OK(&world, map_at(&world, 0, pages, RW));
    const uint64_t before = world_statistics(&world).metadata_bytes;
    const uint64_t touched[] = {0, pages / 2 + 77, pages - 1};
    for (size_t i = 0; i < 3; i++) PUT(&world, world.space, at(&world, touched[i]), 11 + (unsigned)i);
    assert_in_range(world_statistics(&world).metadata_bytes - before, 1, 8192);
    for (size_t i = 0; i < 3; i++) IS(&world, world.space, at(&world, touched[i]), 11 + (unsigned)i);
    if (!variant.bed->is->no_write_protection)
        OK(&world, ol_region_protect(world.space, at(&world, 1), pages - 2, OL_READ));
    IS(&world, world.space, at(&world, touched[1]), 12);
    OK(&world, ol_space_discard(world.space, at(&world, 0), pages - 1));
    IS(&world, world.space, at(&world, touched[1]), 0);
    IS(&world, world.space, at(&world, touched[2]), 13);
    OK(&world, ol_region_unmap(world.space, at(&world, 0), pages));
    assert_int_equal(world_statistics(&world).pages, 0);
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_map_and_touch),
    cmocka_unit_test(test_bad_arguments_change_nothing),
    cmocka_unit_test(test_bad_spaces_and_systems),
    cmocka_unit_test(test_overlap),
    cmocka_unit_test(test_unmap),
    cmocka_unit_test(test_rights),
    cmocka_unit_test(test_rights_that_the_machine_lacks),
    cmocka_unit_test(test_protect_down_and_up),
    cmocka_unit_test(test_split_and_join),
    cmocka_unit_test(test_placement),
    cmocka_unit_test(test_move_and_grow),
    cmocka_unit_test(test_many_regions),
    cmocka_unit_test(test_a_large_space_costs_little),
};
const struct group regions_group = {"regions", tests, sizeof(tests) / sizeof(tests[0])};
