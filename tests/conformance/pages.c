/* SPDX-License-Identifier: MIT */
/* Pages: zero-fill, eviction and refault, dirty and clean, discard. Attacks I2, I3 and I7. */
#include "tests/conformance/conformance.h"

static struct world world; /* of the running test */

static void test_zero_fill(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.no_prefetch = true});
    OK(&world, map_at(&world, 0, 32, RW));
    for (uint64_t page = 0; page < 32; page++) IS(&world, world.space, at(&world, page), 0);
    assert_int_equal(world_statistics(&world).faults_zero, 32);
    /* A frame that held another page's contents is zeros again. */
    put_all(&world, 0, 32);
    OK(&world, ol_region_unmap(world.space, at(&world, 0), 32));
    OK(&world, map_at(&world, 100, 32, RW));
    for (uint64_t page = 100; page < 132; page++) IS(&world, world.space, at(&world, page), 0);
    assert_int_equal(world_statistics(&world).faults_zero, 64);
    assert_int_equal(world_statistics(&world).evictions, 0);
    world_destroy(&world);
}

static void test_evict_and_refault(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.no_prefetch = true});
    OK(&world, map_at(&world, 0, 300, RW));
    put_all(&world, 0, 300);
    struct ol_statistics now = world_statistics(&world);
    assert_in_range(now.frames_in_use_peak, 1, 64);
    assert_in_range(now.evictions, 300 - 64, 300);
    assert_in_range(now.writebacks, now.evictions, 300);
    assert_int_equal(now.evictions_clean, 0);
    assert_int_equal(now.pages, 300);
    assert_int_equal(now.pages_swapped, now.evictions); /* none came back yet */
    all_are(&world, 0, 300);
    all_are(&world, 0, 300);
    now = world_statistics(&world);
    assert_in_range(now.faults_major, 300 - 64, 2 * 300);
    assert_int_equal(now.frames_over_budget, 0);
    unsigned resident = 0, swapped = 0;
    for (uint64_t page = 0; page < 300; page++) {
        resident += ol_page_residence(world.space, at(&world, page)) == OL_RESIDENT;
        swapped += ol_page_residence(world.space, at(&world, page)) == OL_SWAPPED;
    }
    assert_int_equal(resident, now.frames_in_use);
    assert_int_equal(swapped, now.pages_swapped);
    assert_int_equal(resident + swapped, 300);
    world_destroy(&world);
}

/* A page read again, whose copy the pager keeps, goes without being written. */
static void test_clean_pages_are_dropped(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 200, RW));
    put_all(&world, 0, 200);
    all_are(&world, 0, 200); /* from here on every page has a good copy */
    const struct ol_statistics before = world_statistics(&world);
    all_are(&world, 0, 200);
    all_are(&world, 0, 200);
    struct ol_statistics now = world_statistics(&world);
    assert_int_equal(now.writebacks, before.writebacks);
    assert_in_range(now.evictions_clean - before.evictions_clean, 2 * (200 - 64), 2 * 200);
    /* A single write makes one page dirty, and it alone is written. */
    PUT(&world, world.space, at(&world, 0), 99);
    for (uint64_t page = 1; page < 200; page++) IS(&world, world.space, at(&world, page), stamp_of(page));
    now = world_statistics(&world);
    assert_int_equal(now.writebacks, before.writebacks + 1);
    IS(&world, world.space, at(&world, 0), 99);
    world_destroy(&world);
}

static void test_without_kept_copies_all_is_written(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){.drop_copies = true});
    OK(&world, map_at(&world, 0, 200, RW));
    put_all(&world, 0, 200);
    all_are(&world, 0, 200);
    const struct ol_statistics before = world_statistics(&world);
    all_are(&world, 0, 200);
    const struct ol_statistics now = world_statistics(&world);
    assert_in_range(now.writebacks - before.writebacks, 200 - 64, 200);
    assert_int_equal(now.evictions_clean, 0);
    world_destroy(&world);
}

/* Zeros that were only read need no home, where the machine can tell. */
static void test_zeros_are_not_written(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 200, RW));
    for (int round = 0; round < 2; round++)
        for (uint64_t page = 0; page < 200; page++) IS(&world, world.space, at(&world, page), 0);
    const struct ol_statistics now = world_statistics(&world);
    assert_in_range(now.evictions, 2 * (200 - 64), 2 * 200);
    if (variant.bed->is->has_modified) {
        assert_int_equal(now.writebacks, 0);
        assert_int_equal(now.evictions_clean, now.evictions);
        assert_int_equal(now.pages_swapped, 0);
    }
    world_destroy(&world);
}

/* Every page is written and read again and again, in a random order. */
static void test_rewriting(void **state)
{
    (void)state;
    enum { PAGES = 160 };
    unsigned stamps[PAGES] = {0};
    uint64_t seed = 3;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, PAGES, RW));
    for (int step = 0; step < 3000; step++) {
        const uint64_t page = ol_random_below(&seed, PAGES);
        IS(&world, world.space, at(&world, page), stamps[page]);
        if (ol_random_below(&seed, 3)) continue;
        stamps[page] = stamp_of(ol_random_below(&seed, 251));
        PUT(&world, world.space, at(&world, page), stamps[page]);
    }
    world_destroy(&world);
}

static void test_discard(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.no_prefetch = true});
    OK(&world, map_at(&world, 0, 100, RW));
    OK(&world, map_at(&world, 120, 80, RW));
    put_all(&world, 0, 100);
    put_all(&world, 120, 80);
    OK(&world, ol_space_discard(world.space, at(&world, 50), 100)); /* across the hole, resident and swapped */
    all_are(&world, 0, 50);
    all_are(&world, 150, 50);
    assert_int_equal(world_statistics(&world).pages, 100);
    for (uint64_t page = 50; page < 100; page++) IS(&world, world.space, at(&world, page), 0);
    for (uint64_t page = 120; page < 150; page++) IS(&world, world.space, at(&world, page), 0);
    assert_int_equal(ol_space_mapped_pages(world.space), 180);
    OK(&world, ol_space_discard(world.space, at(&world, 100), 20)); /* only the hole */
    OK(&world, ol_space_discard(world.space, at(&world, 0), SPACE_PAGES));
    assert_int_equal(world_statistics(&world).pages, 0);
    assert_int_equal(world_statistics(&world).frames_in_use, 0);
    world_destroy(&world);
}

/* Discarded pages are gone in the pager too: its room can be used again and again. */
static void test_slots_come_back(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.pager_pages = 300});
    OK(&world, map_at(&world, 0, 300, RW));
    for (int round = 0; round < 8; round++) {
        put_all(&world, 0, 300);
        all_are(&world, 0, 300);
        OK(&world, ol_space_discard(world.space, at(&world, 0), 300));
    }
    assert_int_equal(world_statistics(&world).write_errors, 0);
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_zero_fill),
    cmocka_unit_test(test_evict_and_refault),
    cmocka_unit_test(test_clean_pages_are_dropped),
    cmocka_unit_test(test_without_kept_copies_all_is_written),
    cmocka_unit_test(test_zeros_are_not_written),
    cmocka_unit_test(test_rewriting),
    cmocka_unit_test(test_discard),
    cmocka_unit_test(test_slots_come_back),
};
const struct group pages_group = {"pages", tests, sizeof(tests) / sizeof(tests[0])};
