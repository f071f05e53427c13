/* SPDX-License-Identifier: MIT */
/* Pages that are brought in ahead: they are right, they are bounded, and guesses that fail become fewer. */
#include "tests/conformance/conformance.h"

static struct world world; /* of the running test */

enum { PAGES = 512 /* eight times the frames */ };

static void is_counted(void)
{
    const struct ol_statistics now = world_statistics(&world);
    if (variant.mode != MODE_PREFETCH) assert_int_equal(now.prefetched, 0);
    assert_true(now.prefetched_read <= now.prefetched);
    assert_true(now.prefetch_samples_used <= now.prefetch_samples && now.prefetch_samples <= now.prefetched);
}

/* What a pass over the pages costs in faults that read. */
static uint64_t pass(int64_t first, int64_t step, uint64_t count)
{
    const uint64_t before = world_statistics(&world).faults_major;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t page = (uint64_t)(first + (int64_t)i * step);
        IS(&world, world.space, at(&world, page), stamp_of(page));
    }
    is_counted();
    return world_statistics(&world).faults_major - before;
}

static void in_order(bool drop_copies)
{
    world_create(&world, &(struct world_options){.drop_copies = drop_copies});
    OK(&world, map_at(&world, 0, PAGES, RW));
    put_all(&world, 0, PAGES);
    const struct ol_statistics filled = world_statistics(&world);
    if (variant.mode == MODE_PREFETCH) assert_in_range(filled.faults_zero, 1, PAGES / 4);
    else assert_int_equal(filled.faults_zero, PAGES);
    for (int round = 0; round < 2; round++) {
        const uint64_t up = pass(0, 1, PAGES), down = pass(PAGES - 1, -1, PAGES), strided = pass(1, 3, PAGES / 3);
        if (variant.mode != MODE_PREFETCH) continue;
        assert_in_range(up, 0, PAGES / 4);
        assert_in_range(down, 0, PAGES / 4);
        assert_in_range(strided, 0, PAGES / 3 / 2);
    }
    const struct ol_statistics now = world_statistics(&world);
    if (variant.mode == MODE_PREFETCH) {
        assert_true(now.prefetched_read > PAGES);
        assert_true(now.prefetch_samples_used * 2 > now.prefetch_samples);
    }
    assert_in_range(now.frames_in_use_peak, 1, 64);
    world_destroy(&world);
}

static void test_in_order(void **state)
{
    (void)state;
    in_order(false);
}

static void test_in_order_without_copies(void **state)
{
    (void)state;
    in_order(true);
}

static void test_random_is_left_alone(void **state)
{
    (void)state;
    uint64_t random = 7;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, variant.space_pages, RW));
    for (int i = 0; i < 1000; i++) {
        const uint64_t page = ol_random_below(&random, variant.space_pages);
        PUT(&world, world.space, at(&world, page), stamp_of(page));
        IS(&world, world.space, at(&world, page), stamp_of(page));
    }
    is_counted();
    assert_in_range(world_statistics(&world).prefetched, 0, 50);
    world_destroy(&world);
}

/* Two neighbours, then far away: each time a stream seems to begin. */
static void test_failing_guesses_become_fewer(void **state)
{
    (void)state;
    enum { DISTANCE = 100 };
    const uint64_t all = variant.space_pages / DISTANCE, jumps = all < 500 ? all : 500;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, jumps * DISTANCE, RW));
    uint64_t half = 0;
    for (uint64_t i = 0; i < jumps; i++) {
        put_all(&world, i * DISTANCE, 2);
        all_are(&world, i * DISTANCE, 2);
        if (i == jumps / 2) half = world_statistics(&world).prefetched;
    }
    is_counted();
    const struct ol_statistics now = world_statistics(&world);
    if (variant.mode == MODE_PREFETCH) assert_int_equal(now.prefetch_samples_used, 0);
    assert_in_range(now.prefetched - half, 0, jumps / 2); /* at most one page each */
    world_destroy(&world);
}

static void test_regions_end_it(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 100, RW));
    OK(&world, map_at(&world, 101, 100, RW));
    put_all(&world, 0, 100);
    put_all(&world, 101, 100);
    OK(&world, ol_region_protect(world.space, at(&world, 150), 51, OL_READ));
    (void)pass(0, 1, 100);
    REFUSED(&world, world.space, at(&world, 100), OL_READ, OL_E_NO_REGION);
    (void)pass(101, 1, 100);
    REFUSED(&world, world.space, at(&world, 150), OL_WRITE, OL_E_RIGHTS);
    REFUSED(&world, world.space, at(&world, 199), OL_WRITE, OL_E_RIGHTS);
    world_destroy(&world);
}

/* Pages that two spaces share, and pages that a write made one space's own, one after the other. */
static void test_shared_pages(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *child;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, PAGES, RW));
    put_all(&world, 0, PAGES);
    OK(&world, ol_space_fork(world.space, &child));
    for (uint64_t page = 0; page < PAGES; page += 2) PUT(&world, child, at(&world, page), 255);
    (void)pass(0, 1, PAGES);
    for (uint64_t page = 0; page < PAGES; page++) IS(&world, child, at(&world, page), page % 2 ? stamp_of(page) : 255);
    CHECKED(&world, ol_space_destroy(child));
    (void)pass(0, 1, PAGES);
    is_counted();
    world_destroy(&world);
}

/* Written and discarded while streams run over them. */
static void test_holes(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, PAGES, RW));
    put_all(&world, 0, PAGES);
    for (uint64_t page = 5; page < PAGES; page += 16) OK(&world, ol_space_discard(world.space, at(&world, page), 3));
    for (uint64_t page = 0; page < PAGES; page++) {
        const bool discarded = page >= 5 && (page - 5) % 16 < 3;
        IS(&world, world.space, at(&world, page), discarded ? 0 : stamp_of(page));
    }
    is_counted();
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_in_order),
    cmocka_unit_test(test_in_order_without_copies),
    cmocka_unit_test(test_random_is_left_alone),
    cmocka_unit_test(test_failing_guesses_become_fewer),
    cmocka_unit_test(test_regions_end_it),
    cmocka_unit_test(test_shared_pages),
    cmocka_unit_test(test_holes),
};

const struct group prefetch_group = {"prefetch", tests, sizeof(tests) / sizeof(tests[0])};
