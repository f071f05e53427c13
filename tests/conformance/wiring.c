/* SPDX-License-Identifier: MIT */
/* Wired pages stay, whatever else is wanted. Attacks I9. */
#include "tests/conformance/conformance.h"

static struct world world; /* of the running test */

static void expect_mapped(uint64_t first, uint64_t pages, unsigned rights)
{
    struct ol_mapping mapping;
    for (uint64_t page = first; page < first + pages; page++) {
        assert_int_equal(ol_page_residence(world.space, at(&world, page)), OL_RESIDENT);
        assert_true(ol_pmap_faulty_ops.query(&world.bed.pmap, ol_space_pmap(world.space), at(&world, page), &mapping));
        assert_int_equal(mapping.rights & rights, rights);
    }
}

static void test_wired_pages_stay_mapped(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 300, RW));
    put_all(&world, 0, 300); /* 0 … are swapped */
    OK(&world, ol_space_wire(world.space, at(&world, 0), 8, OL_READ));
    OK(&world, ol_space_wire(world.space, at(&world, 290), 8, OL_WRITE));
    assert_int_equal(world_statistics(&world).frames_wired, 16);
    for (uint64_t page = 20; page < 280; page++) {
        IS(&world, world.space, at(&world, page), stamp_of(page));
        expect_mapped(0, 8, OL_READ);
        expect_mapped(290, 8, OL_WRITE);
    }
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 0), 8));
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 290), 8));
    assert_int_equal(world_statistics(&world).frames_wired, 0);
    all_are(&world, 0, 300);
    assert_int_equal(ol_page_residence(world.space, at(&world, 0)), OL_SWAPPED); /* it may go again */
    world_destroy(&world);
}

static void test_wires_nest(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 300, RW));
    OK(&world, ol_space_wire(world.space, at(&world, 0), 10, OL_WRITE));
    OK(&world, ol_space_wire(world.space, at(&world, 5), 10, OL_READ));
    assert_int_equal(world_statistics(&world).frames_wired, 15);
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 0), 10));
    assert_int_equal(world_statistics(&world).frames_wired, 10);
    put_all(&world, 100, 200);
    expect_mapped(5, 10, OL_READ);
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 5), 10));
    assert_int_equal(world_statistics(&world).frames_wired, 0);
    world_destroy(&world);
}

static void test_refused_wires_wire_nothing(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 10, RW));
    OK(&world, map_at(&world, 10, 10, OL_READ));
    OK(&world, map_at(&world, 20, 200, RW));
    put_all(&world, 0, 10);
    put_all(&world, 20, 200);
    EXPECT(&world, OL_E_RIGHTS, ol_space_wire(world.space, at(&world, 5), 10, OL_WRITE));
    EXPECT(&world, OL_E_NO_REGION, ol_space_wire(world.space, at(&world, 218), 5, OL_READ));
    EXPECT(&world, OL_E_NO_FRAMES, ol_space_wire(world.space, at(&world, 20), 65, OL_READ));
    assert_int_equal(world_statistics(&world).frames_wired, 0);
    all_are(&world, 20, 200);
    world_destroy(&world);
}

/* With every frame wired a fault finds none; with one given back, all goes on. */
static void test_all_frames_wired(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){.frames = 16});
    OK(&world, map_at(&world, 0, 100, RW));
    put_all(&world, 0, 100);
    OK(&world, ol_space_wire(world.space, at(&world, 10), 16, OL_WRITE));
    assert_int_equal(world_statistics(&world).frames_wired, 16);
    REFUSED(&world, world.space, at(&world, 0), OL_READ, OL_E_NO_FRAMES);
    REFUSED(&world, world.space, at(&world, 99), OL_WRITE, OL_E_NO_FRAMES);
    all_are(&world, 10, 16);
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 10), 16));
    all_are(&world, 0, 100);
    world_destroy(&world);
}

/* Discarding or unmapping ends a wire; the unwire that follows does no harm. */
static void test_wired_pages_can_be_dropped(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 30, RW));
    put_all(&world, 0, 30);
    OK(&world, ol_space_wire(world.space, at(&world, 0), 30, OL_WRITE));
    OK(&world, ol_space_discard(world.space, at(&world, 0), 10));
    OK(&world, ol_region_unmap(world.space, at(&world, 20), 10));
    assert_int_equal(world_statistics(&world).frames_wired, 10);
    IS(&world, world.space, at(&world, 5), 0);
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 0), 30));
    assert_int_equal(world_statistics(&world).frames_wired, 0);
    all_are(&world, 10, 10);
    world_destroy(&world);
}

/* A wired page stays where it is, whoever of those that shared it writes first. */
static void test_wired_pages_are_not_shared(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *child, *other;
    struct ol_mapping before, after;
    world_create(&world, &(struct world_options){0});
    const struct ol_pmap_ops *const ops = &ol_pmap_faulty_ops;
    OK(&world, map_at(&world, 0, 8, RW));
    put_all(&world, 0, 8);
    OK(&world, ol_space_fork(world.space, &child));
    OK(&world, ol_space_wire(world.space, at(&world, 0), 4, OL_READ));
    assert_true(ops->query(&world.bed.pmap, ol_space_pmap(world.space), at(&world, 0), &before));
    PUT(&world, world.space, at(&world, 0), 99);
    PUT(&world, child, at(&world, 1), 98);
    assert_true(ops->query(&world.bed.pmap, ol_space_pmap(world.space), at(&world, 0), &after));
    assert_int_equal(before.frame, after.frame);
    IS(&world, child, at(&world, 0), stamp_of(0));
    IS(&world, world.space, at(&world, 1), stamp_of(1));
    EXPECT(&world, OL_E_BUSY, ol_space_fork(world.space, &other));
    OK(&world, ol_space_fork(child, &other)); /* its pages are not wired */
    CHECKED(&world, ol_space_destroy(other));
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 0), 4));
    assert_int_equal(world_statistics(&world).frames_wired, 0);
    OK(&world, ol_space_fork(world.space, &other));
    IS(&world, other, at(&world, 0), 99);
    world_destroy(&world);
}

/* Pages of a shared region have nobody's copy to become: they may be wired while the space is forked. */
static void test_shared_regions_may_be_wired(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *child;
    world_create(&world, &(struct world_options){0});
    OK(&world, ol_region_map(world.space, at(&world, 0), 4, RW, OL_MAP_FIXED | OL_MAP_SHARED, NULL));
    OK(&world, ol_space_wire(world.space, at(&world, 0), 4, OL_WRITE));
    OK(&world, ol_space_fork(world.space, &child));
    PUT(&world, child, at(&world, 2), 55);
    IS(&world, world.space, at(&world, 2), 55);
    CHECKED(&world, ol_space_unwire(world.space, at(&world, 0), 4));
    assert_int_equal(world_statistics(&world).frames_wired, 0);
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_wired_pages_stay_mapped),     cmocka_unit_test(test_wires_nest),
    cmocka_unit_test(test_refused_wires_wire_nothing),  cmocka_unit_test(test_all_frames_wired),
    cmocka_unit_test(test_wired_pages_can_be_dropped),  cmocka_unit_test(test_wired_pages_are_not_shared),
    cmocka_unit_test(test_shared_regions_may_be_wired),
};
const struct group wiring_group = {"wiring", tests, sizeof(tests) / sizeof(tests[0])};
