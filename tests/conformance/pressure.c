/* SPDX-License-Identifier: MIT */
/* When memory or swap runs out: nothing is lost, and all goes on once there is room. Attacks I1 and I8. */
#include "tests/conformance/conformance.h"

static struct world world; /* of the running test */

/* Stamps pages from `first` on until the first refusal, which must be OL_E_NO_FRAMES; returns how many. */
static uint64_t put_until_refused(uint64_t first)
{
    uint64_t page = first;
    enum ol_status status;
    do {
        status = page_put(&world, world.space, at(&world, page), stamp_of(page));
        CHECKED(&world, (void)0);
        if (status == OL_OK) page++;
    } while (status == OL_OK);
    assert_int_equal(status, OL_E_NO_FRAMES);
    return page - first;
}

/* With memory and pager full, pages in memory are right; others are right or cannot be had now. */
static void all_are_or_wait(uint64_t first, uint64_t count)
{
    for (uint64_t page = first; page < first + count; page++) {
        const bool resident = ol_page_residence(world.space, at(&world, page)) == OL_RESIDENT;
        unsigned found = 0;
        const enum ol_status status = page_get(&world, world.space, at(&world, page), &found);
        CHECKED(&world, (void)0);
        if (resident || status == OL_OK) assert_int_equal(found, stamp_of(page));
        else assert_int_equal(status, OL_E_NO_FRAMES);
    }
}

static void test_no_pager(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.no_pager = true});
    OK(&world, map_at(&world, 0, 1000, RW));
    assert_int_equal(put_until_refused(0), 64);
    all_are(&world, 0, 64);
    REFUSED(&world, world.space, at(&world, 500), OL_READ, OL_E_NO_FRAMES);
    assert_int_equal(world_statistics(&world).write_errors, 0);
    OK(&world, ol_space_discard(world.space, at(&world, 0), 10));
    assert_int_equal(put_until_refused(100), 10);
    all_are(&world, 10, 54);
    all_are(&world, 100, 10);
    world_destroy(&world);
}

static void test_pager_full(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.pager_pages = 100});
    OK(&world, map_at(&world, 0, 1000, RW));
    const uint64_t stored = put_until_refused(0);
    assert_in_range(stored, 100, 164);
    all_are_or_wait(0, stored);
    assert_true(world_statistics(&world).write_errors > 0);
    OK(&world, ol_region_unmap(world.space, at(&world, 0), 50));
    put_all(&world, 500, 20);
    all_are(&world, 500, 20);
    all_are(&world, 50, stored - 50);
    world_destroy(&world);
}

/* What the core does rather than lose a page, where the machine has more frames than the budget. */
static void test_beyond_the_budget(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.frames_max = 256, .pager_pages = 40});
    OK(&world, map_at(&world, 0, 1000, RW));
    put_all(&world, 0, 64 + 40);
    put_all(&world, 64 + 40, 100);
    struct ol_statistics now = world_statistics(&world);
    assert_in_range(now.frames_over_budget, 100, 140);
    assert_int_equal(world.bed.port.warnings, 1); /* however often */
    all_are(&world, 0, 204);
    (void)put_until_refused(204);
    all_are_or_wait(0, 204);
    assert_int_equal(world_statistics(&world).frames_in_use, 256);
    /* Back below it as soon as there is room. */
    OK(&world, ol_region_unmap(world.space, at(&world, 60), 940));
    CHECKED(&world, ol_system_reclaim(world.bed.system));
    all_are(&world, 0, 60);
    now = world_statistics(&world);
    assert_int_equal(now.frames_over_budget, 0);
    assert_in_range(now.frames_in_use, 1, 64);
    world_destroy(&world);
}

static void test_budget_change(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.frames_max = 128});
    OK(&world, map_at(&world, 0, 300, RW));
    put_all(&world, 0, 300);
    EXPECT(&world, OL_E_INVALID, ol_system_set_budget(world.bed.system, 129));
    EXPECT(&world, OL_E_INVALID, ol_system_set_budget(world.bed.system, 0));
    OK(&world, ol_system_set_budget(world.bed.system, 24));
    struct ol_statistics now = world_statistics(&world);
    assert_int_equal(now.frames_budget, 24);
    assert_in_range(now.frames_in_use, 0, 24);
    all_are(&world, 0, 300);
    assert_in_range(world_statistics(&world).frames_in_use, 1, 24);
    OK(&world, ol_system_set_budget(world.bed.system, 128));
    all_are(&world, 0, 300);
    now = world_statistics(&world);
    assert_in_range(now.frames_in_use, 65, 128);
    const uint64_t major = now.faults_major;
    all_are(&world, 230, 70);
    all_are(&world, 230, 70);
    /* Other policies may hold on to what was used before. */
    const struct ol_policy_ops *policy = variant.policy;
    if (policy == &ol_policy_fifo || policy == &ol_policy_second_chance || policy == &ol_policy_clock)
        assert_in_range(world_statistics(&world).faults_major - major, 0, 35);
    world_destroy(&world);
}

static void test_lend_and_return(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.frames_max = 128});
    OK(&world, map_at(&world, 0, 200, RW));
    assert_true(ol_frames_lend(world.bed.system, 32));
    CHECKED(&world, (void)0);
    struct ol_statistics now = world_statistics(&world);
    assert_int_equal(now.frames_lent, 32);
    assert_int_equal(now.frames_free, 32);
    put_all(&world, 0, 200);
    assert_in_range(world_statistics(&world).frames_in_use_peak, 1, 32);
    assert_false(ol_frames_lend(world.bed.system, 33)); /* there are not so many, and it writes nothing */
    CHECKED(&world, (void)0);
    all_are(&world, 0, 200);
    CHECKED(&world, ol_frames_return(world.bed.system, 20));
    assert_int_equal(world_statistics(&world).frames_lent, 12);
    all_are(&world, 0, 200);
    assert_in_range(world_statistics(&world).frames_in_use, 33, 52);
    CHECKED(&world, ol_frames_return(world.bed.system, 12));
    all_are(&world, 0, 200);
    now = world_statistics(&world);
    assert_int_equal(now.frames_lent, 0);
    assert_int_equal(now.frames_lent_peak, 32);
    assert_int_equal(now.frames_over_budget, 0);
    world_destroy(&world);
}

/* A reclaimer working ahead leaves `high` frames free or on standby, from where a touch rescues without reading. */
static void test_reclaim_ahead(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 300, RW));
    put_all(&world, 0, 64);
    CHECKED(&world, ol_system_reclaim(world.bed.system));
    struct ol_statistics now = world_statistics(&world);
    const uint32_t high = variant.exact ? 0 : 16;
    assert_true(now.frames_free + now.frames_standby >= high);
    const uint64_t evicted = now.evictions;
    all_are(&world, 0, 64 - (variant.exact ? 0 : 4));
    now = world_statistics(&world);
    if (variant.exact) assert_int_equal(now.evictions, evicted);
    assert_true(now.faults_rescued + now.faults_soft > 0 || variant.exact);
    put_all(&world, 0, 300);
    now = world_statistics(&world);
    assert_int_equal(now.reclaims_ahead == 0, variant.exact);
    assert_int_equal(now.reclaims_direct == 0, !variant.exact);
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_no_pager),          cmocka_unit_test(test_pager_full),
    cmocka_unit_test(test_beyond_the_budget), cmocka_unit_test(test_budget_change),
    cmocka_unit_test(test_lend_and_return),   cmocka_unit_test(test_reclaim_ahead),
};
const struct group pressure_group = {"pressure", tests, sizeof(tests) / sizeof(tests[0])};
