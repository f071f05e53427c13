/* SPDX-License-Identifier: MIT */
/* The tree of regions against a plain array of pages. Attacks I6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/internal.h"
#include "tests/support/random.h"
#include "tests/support/testbed.h"

enum { PAGES = 600, STEPS = 30000 };

static struct ol_bed bed;
static struct ol_space *space; /* whose tree it is; its pages are counted from space->first */
static uint32_t owner[PAGES];  /* the region of each page, or OL_NIL */
static uint64_t seed;

static uint64_t below(uint64_t bound)
{
    return ol_random_below(&seed, bound);
}

static void create(void)
{
    const struct ol_bed_options options = {.frames = 1, .frames_max = 1, .policy = &ol_policy_fifo};
    ol_va first_va;
    seed = 9;
    memset(owner, 0, sizeof(owner));
    assert_int_equal(ol_bed_create(ol_testbeds[0], &options, &bed), OL_OK);
    assert_int_equal(ol_bed_space(&bed, PAGES, &space, &first_va), OL_OK);
}

static void destroy(void)
{
    assert_int_equal(space->root, OL_NIL);
    ol_bed_destroy(&bed);
    assert_int_equal(bed.port.bytes, 0);
}

static void own(uint64_t first, uint64_t last, uint32_t number)
{
    for (uint64_t page = first; page <= last; page++) owner[page] = number;
}

static bool is_free(uint64_t first, uint64_t last)
{
    for (uint64_t page = first; page <= last; page++)
        if (owner[page] != OL_NIL) return false;
    return true;
}

static void insert(uint64_t first, uint64_t last)
{
    const uint32_t number = ol_pool_new(&bed.system->regions);
    struct ol_region *region = ol_region_at(bed.system, number);
    region->first = space->first + first;
    region->last = space->first + last;
    space->root = ol_region_tree_insert(bed.system, space->root, number);
    own(first, last, number);
}

static void delete (uint32_t number)
{
    const struct ol_region *region = ol_region_at(bed.system, number);
    own(region->first - space->first, region->last - space->first, OL_NIL);
    space->root = ol_region_tree_remove(bed.system, space->root, number);
    ol_pool_delete(&bed.system->regions, number);
}

/* Moves the end of a region, as splitting and joining do. */
static void resize(uint32_t number)
{
    struct ol_region *region = ol_region_at(bed.system, number);
    const uint64_t first = region->first - space->first;
    uint64_t last = first + below(12);
    if (last >= PAGES) last = PAGES - 1;
    for (uint64_t page = first; page <= last; page++)
        if (owner[page] != OL_NIL && owner[page] != number) last = page - 1;
    own(first, region->last - space->first, OL_NIL);
    own(first, last, number);
    region->last = space->first + last;
    ol_region_tree_update(bed.system, space->root, number);
}

/* Height of the subtree, which must be balanced. */
static int check_balance(uint32_t number)
{
    if (number == OL_NIL) return 0;
    const struct ol_region *region = ol_region_at(bed.system, number);
    const int left = check_balance(region->left), right = check_balance(region->right);
    assert_in_range(left - right + 1, 0, 2);
    return 1 + (left > right ? left : right);
}

static void check_lookup(uint64_t page)
{
    uint64_t expected = page;
    while (expected < PAGES && owner[expected] == OL_NIL) expected++;
    const uint32_t found = ol_region_tree_at_or_above(bed.system, space->root, space->first + page);
    assert_int_equal(found, expected < PAGES ? owner[expected] : OL_NIL);
}

static void check_gap(uint64_t from, uint64_t pages)
{
    uint64_t at = from, length = 0, found = 0;
    for (uint64_t page = from; page < PAGES && length < pages; page++) {
        if (owner[page] == OL_NIL) {
            length++;
        } else {
            length = 0;
            at = page + 1;
        }
    }
    const bool any = ol_region_tree_gap(bed.system, space, space->first + from, pages, &found);
    assert_int_equal(any, length >= pages);
    if (any) assert_int_equal(found, space->first + at);
}

static void test_random_regions(void **state)
{
    (void)state;
    create();
    for (int step = 0; step < STEPS; step++) {
        const uint64_t page = below(PAGES);
        const uint64_t end = page + 1 + below(8), last = end < PAGES ? end - 1 : page;
        if (owner[page] == OL_NIL) {
            if (is_free(page, last)) insert(page, last);
        } else if (below(3) == 0) {
            resize(owner[page]);
        } else if (below(100) < 40 + 40U * (unsigned)(step / 3000 % 2)) { /* it fills and empties in turn */
            delete (owner[page]);
        }
        check_lookup(below(PAGES));
        check_gap(below(PAGES), 1 + below(20));
        if (step % 50 == 0) assert_in_range(check_balance(space->root), 0, 13);
    }
    for (uint64_t page = 0; page < PAGES; page++)
        if (owner[page] != OL_NIL) delete (owner[page]);
    destroy();
}

static void test_ascending_and_descending(void **state)
{
    (void)state;
    create();
    for (uint64_t page = 0; page < PAGES / 2; page++) insert(page, page);
    for (uint64_t page = PAGES - 1; page >= PAGES / 2; page--) insert(page, page);
    assert_in_range(check_balance(space->root), 1, 13); /* 1.44 log2 600 */
    check_gap(0, 1);
    for (uint64_t page = 0; page < PAGES; page += 2) delete (owner[page]);
    assert_in_range(check_balance(space->root), 1, 12);
    check_gap(1, 1);
    check_gap(0, 2);
    check_gap(PAGES - 1, 1);
    for (uint64_t page = 1; page < PAGES; page += 2) delete (owner[page]);
    check_gap(0, PAGES);
    check_gap(0, PAGES + 1);
    destroy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_regions),
        cmocka_unit_test(test_ascending_and_descending),
    };
    return cmocka_run_group_tests_name("core region tree", tests, NULL, NULL);
}
