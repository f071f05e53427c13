/* SPDX-License-Identifier: MIT */
/* Ranges of memory against an array with a mark for each unit, and each placement against a search by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/sim/ranges.h"
#include "tests/support/random.h"

enum { SIZE = 300, STEPS = 20000, TAKEN_MOST = 100 };

static bool taken[SIZE];

/* Length of the hole that begins at `at`; 0 if none does. */
static uint64_t hole_at(uint64_t at)
{
    uint64_t count = 0;
    if (taken[at] || (at > 0 && !taken[at - 1])) return 0;
    while (at + count < SIZE && !taken[at + count]) count++;
    return count;
}

/* Where a placement puts `count` units; SIZE if there is no room. */
static uint64_t place(uint64_t count, uint64_t align, uint64_t end, enum ol_placement placement)
{
    uint64_t best = SIZE, best_hole = 0;
    for (uint64_t at = 0; at < SIZE; at++) {
        const uint64_t hole = hole_at(at), begin = (at + align - 1) / align * align;
        if (hole == 0 || begin + count > at + hole || begin + count > end) continue;
        const bool better = best == SIZE || (placement == OL_BEST_FIT && hole < best_hole) ||
                            (placement == OL_WORST_FIT && hole > best_hole);
        if (better) best = begin, best_hole = hole;
    }
    return best;
}

static void check_measures(const struct ol_ranges *ranges)
{
    uint64_t free = 0, largest = 0, holes = 0;
    for (uint64_t at = 0; at < SIZE; at++) {
        const uint64_t hole = hole_at(at);
        if (hole > 0) holes++;
        if (hole > largest) largest = hole;
        free += !taken[at];
    }
    assert_int_equal(ol_ranges_free(ranges), free);
    assert_int_equal(ol_ranges_largest(ranges), largest);
    assert_int_equal(ranges->count, holes); /* so adjacent ones are joined */
}

static void test_like_an_array(void **state)
{
    (void)state;
    struct ol_ranges ranges;
    struct ol_range mine[TAKEN_MOST];
    unsigned count = 0, refused = 0;
    uint64_t seed = 1;
    memset(taken, 0, sizeof taken);
    assert_int_equal(ol_ranges_create(&ranges, SIZE), OL_OK);
    for (unsigned step = 0; step < STEPS; step++) {
        if (count < TAKEN_MOST && ol_random_below(&seed, 5) < 3) {
            const uint64_t n = 1 + ol_random_below(&seed, 30), align = 1 + ol_random_below(&seed, 4);
            const uint64_t end = ol_random_below(&seed, 3) ? UINT64_MAX : ol_random_below(&seed, SIZE);
            const enum ol_placement placement = (enum ol_placement)ol_random_below(&seed, 3);
            const uint64_t expected = place(n, align, end, placement);
            uint64_t at = SIZE;
            const enum ol_status status = ol_ranges_take(&ranges, n, align, end, placement, &at);
            assert_int_equal(status, expected == SIZE ? OL_E_NO_ROOM : OL_OK);
            assert_int_equal(at, expected);
            if (at == SIZE) refused++;
            else memset(taken + at, true, n), mine[count++] = (struct ol_range){at, n};
        } else if (count > 0) {
            const unsigned which = (unsigned)ol_random_below(&seed, count);
            assert_int_equal(ol_ranges_take_at(&ranges, mine[which].at, 1), OL_E_OVERLAP);
            assert_int_equal(ol_ranges_give(&ranges, mine[which].at, mine[which].count), OL_OK);
            assert_int_equal(ol_ranges_give(&ranges, mine[which].at, mine[which].count), OL_E_OVERLAP);
            memset(taken + mine[which].at, false, mine[which].count);
            mine[which] = mine[--count];
        }
        check_measures(&ranges);
    }
    assert_true(refused > 100);
    ol_ranges_destroy(&ranges);
}

static void test_at_a_place(void **state)
{
    (void)state;
    struct ol_ranges ranges;
    uint64_t at;
    assert_int_equal(ol_ranges_create(&ranges, 10), OL_OK);
    assert_int_equal(ol_ranges_take_at(&ranges, 3, 4), OL_OK);
    assert_int_equal(ol_ranges_take_at(&ranges, 2, 2), OL_E_OVERLAP);
    assert_int_equal(ol_ranges_take_at(&ranges, 7, 4), OL_E_OVERLAP);
    assert_int_equal(ol_ranges_take_at(&ranges, 7, 3), OL_OK);
    assert_int_equal(ol_ranges_take(&ranges, 4, 1, UINT64_MAX, OL_FIRST_FIT, &at), OL_E_NO_ROOM);
    assert_int_equal(ol_ranges_take(&ranges, 3, 1, UINT64_MAX, OL_FIRST_FIT, &at), OL_OK);
    assert_int_equal(at, 0);
    assert_int_equal(ol_ranges_free(&ranges), 0);
    ol_ranges_destroy(&ranges);
    assert_int_equal(ol_ranges_create(&ranges, 0), OL_OK);
    assert_int_equal(ol_ranges_take(&ranges, 1, 1, UINT64_MAX, OL_FIRST_FIT, &at), OL_E_NO_ROOM);
    ol_ranges_destroy(&ranges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_like_an_array), cmocka_unit_test(test_at_a_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
