/* SPDX-License-Identifier: MIT */
/* Pages that several regions and spaces have in common. Attacks I4, I5 and I10. */
#include "tests/conformance/conformance.h"

enum { PAGES = 20 };

static struct world world; /* of the running test */

/* A world with a shared region of PAGES at its beginning, and another space that has it too, from *first on. */
static void create(struct ol_space **other, ol_va *first)
{
    world_create(&world, &(struct world_options){0});
    OK(&world, ol_region_map(world.space, at(&world, 0), PAGES, RW, OL_MAP_FIXED | OL_MAP_SHARED, NULL));
    OK(&world, ol_bed_space(&world.bed, 1024, other, first));
    OK(&world, ol_region_share(world.space, at(&world, 0), PAGES, *other, *first, RW, OL_MAP_FIXED, NULL));
}

static void test_both_see_what_either_writes(void **state)
{
    (void)state;
    struct ol_space *other;
    ol_va first;
    create(&other, &first);
    OK(&world, map_at(&world, PAGES, 300, RW));
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t page = 0; page < PAGES; page++) {
            const bool here = (page + round) % 2 == 0;
            if (here) PUT(&world, world.space, at(&world, page), stamp_of(page + round));
            else PUT(&world, other, first + page * PAGE_BYTES, stamp_of(page + round));
        }
        if (round == 1) put_all(&world, PAGES, 300); /* all of it goes to the pager and comes back */
        for (uint64_t page = 0; page < PAGES; page++) {
            IS(&world, world.space, at(&world, page), stamp_of(page + round));
            IS(&world, other, first + page * PAGE_BYTES, stamp_of(page + round));
        }
    }
    assert_int_equal(world_statistics(&world).faults_copied, 0);
    world_destroy(&world);
}

static void test_pages_live_as_long_as_a_region_has_them(void **state)
{
    (void)state;
    struct ol_space *other;
    ol_va first;
    create(&other, &first);
    put_all(&world, 0, PAGES);
    OK(&world, ol_region_unmap(world.space, at(&world, 5), 5)); /* from this space only */
    REFUSED(&world, world.space, at(&world, 5), OL_READ, OL_E_NO_REGION);
    OK(&world, ol_region_share(other, first + 5 * PAGE_BYTES, 5, world.space, at(&world, 5), RW, OL_MAP_FIXED, NULL));
    all_are(&world, 0, PAGES);
    OK(&world, ol_region_unmap(world.space, at(&world, 0), PAGES));
    for (uint64_t page = 0; page < PAGES; page++) IS(&world, other, first + page * PAGE_BYTES, stamp_of(page));
    OK(&world, ol_space_discard(other, first, 1)); /* the contents, for all */
    IS(&world, other, first, 0);
    CHECKED(&world, ol_space_destroy(other));
    assert_int_equal(world_statistics(&world).pages, 0);
    world_destroy(&world);
}

static void test_rights_are_each_regions_own(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *other;
    ol_va first;
    create(&other, &first);
    OK(&world, ol_region_protect(other, first, PAGES, OL_READ));
    put_all(&world, 0, PAGES);
    for (uint64_t page = 0; page < PAGES; page++) {
        IS(&world, other, first + page * PAGE_BYTES, stamp_of(page));
        REFUSED(&world, other, first + page * PAGE_BYTES, OL_WRITE, OL_E_RIGHTS);
    }
    put_all(&world, 0, PAGES);
    world_destroy(&world);
}

static void test_forks_share(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    struct ol_space *other, *child;
    ol_va first;
    create(&other, &first);
    OK(&world, map_at(&world, PAGES, PAGES, RW)); /* private, beside it */
    put_all(&world, 0, 2 * PAGES);
    OK(&world, ol_space_fork(world.space, &child));
    for (uint64_t page = 0; page < 2 * PAGES; page++) PUT(&world, child, at(&world, page), 77);
    for (uint64_t page = 0; page < PAGES; page++) {
        IS(&world, world.space, at(&world, page), 77);
        IS(&world, other, first + page * PAGE_BYTES, 77);
        IS(&world, world.space, at(&world, PAGES + page), stamp_of(PAGES + page));
    }
    world_destroy(&world);
}

static void test_moved_and_grown(void **state)
{
    (void)state;
    struct ol_space *other;
    ol_va first;
    create(&other, &first);
    put_all(&world, 0, PAGES);
    OK(&world, ol_region_move(world.space, at(&world, 0), PAGES, at(&world, 100), PAGES + 2));
    IS(&world, world.space, at(&world, 100 + PAGES), 0);
    PUT(&world, world.space, at(&world, 100), 99);
    PUT(&world, world.space, at(&world, 101 + PAGES), 98);
    IS(&world, other, first, 99);
    IS(&world, other, first + PAGE_BYTES, stamp_of(1));
    world_destroy(&world);
}

static void test_refusals(void **state)
{
    (void)state;
    struct ol_space *other;
    ol_va first, found;
    create(&other, &first);
    const ol_va free = first + PAGES * PAGE_BYTES;
    OK(&world, map_at(&world, PAGES, 4, RW));
    struct ol_space *const space = world.space;
    EXPECT(&world, OL_E_INVALID, ol_region_share(space, at(&world, PAGES), 4, other, free, RW, OL_MAP_FIXED, NULL));
    EXPECT(&world, OL_E_NO_REGION, ol_region_share(space, at(&world, 1), PAGES, other, free, RW, OL_MAP_FIXED, NULL));
    EXPECT(&world, OL_E_NO_REGION, ol_region_share(space, at(&world, 60), 1, other, free, RW, OL_MAP_FIXED, NULL));
    EXPECT(&world, OL_E_OVERLAP, ol_region_share(space, at(&world, 0), 1, other, first, RW, OL_MAP_FIXED, NULL));
    EXPECT(&world, OL_E_INVALID, ol_region_share(space, at(&world, 0), 1, other, first, RW, OL_MAP_SHARED, NULL));
    EXPECT(&world, OL_E_INVALID, ol_region_share(space, at(&world, 0), 1, other, first, 8, 0, NULL));
    EXPECT(&world, OL_E_INVALID, ol_region_share(space, at(&world, 0) + 1, 1, other, first, RW, 0, NULL));
    put_all(&world, 0, PAGES + 4);
    OK(&world, ol_region_share(space, at(&world, 2), 3, other, 0, RW, 0, &found));
    IS(&world, other, found, stamp_of(2));
    /* Onto itself: what is replaced is the same object. */
    OK(&world, ol_region_share(other, first, 2, other, first + PAGE_BYTES, RW, OL_MAP_FIXED | OL_MAP_REPLACE, NULL));
    IS(&world, other, first + PAGE_BYTES, stamp_of(0));
    IS(&world, other, first + 2 * PAGE_BYTES, stamp_of(1));
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_both_see_what_either_writes),
    cmocka_unit_test(test_pages_live_as_long_as_a_region_has_them),
    cmocka_unit_test(test_rights_are_each_regions_own),
    cmocka_unit_test(test_forks_share),
    cmocka_unit_test(test_moved_and_grown),
    cmocka_unit_test(test_refusals),
};
const struct group sharing_group = {"sharing", tests, sizeof(tests) / sizeof(tests[0])};
