/* SPDX-License-Identifier: MIT */
/* One array of translations: sets, ways, replacement, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/sim/tlb.h"
#include "tests/support/random.h"

static uint64_t key(uint32_t tag, uint64_t page)
{
    return ol_tlb_key(tag, 0, page);
}

static uint64_t now;

static void insert(struct ol_tlb *tlb, uint64_t wanted, ol_frame_no frame, uint8_t rights)
{
    struct ol_tlb_entry *const place = ol_tlb_place(tlb, wanted);
    const struct ol_tlb_entry entry = {.key = wanted, .frame = frame, .rights = rights};
    if (place) ol_tlb_store(tlb, place, &entry, ++now);
}

/* Finds and uses it. */
static const struct ol_tlb_entry *lookup(struct ol_tlb *tlb, uint64_t wanted)
{
    const struct ol_tlb_entry *const found = ol_tlb_find(tlb, wanted);
    if (found) ol_tlb_touch(tlb, found, ++now);
    return found;
}

static bool holds(struct ol_tlb *tlb, uint64_t wanted)
{
    return lookup(tlb, wanted) != NULL;
}

static void invalidate(struct ol_tlb *tlb, uint64_t wanted)
{
    struct ol_tlb_entry *const found = ol_tlb_find(tlb, wanted);
    if (found) *found = (struct ol_tlb_entry){0};
}

static void test_geometry_is_checked(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 6, 4, OL_TLB_LRU), OL_E_INVALID);  /* no whole sets */
    assert_int_equal(ol_tlb_create(&tlb, 12, 4, OL_TLB_LRU), OL_E_INVALID); /* three sets */
    assert_int_equal(ol_tlb_create(&tlb, 4, 0, OL_TLB_LRU), OL_E_INVALID);
    assert_int_equal(ol_tlb_create(&tlb, OL_TLB_ENTRIES_MAX * 2, 4, OL_TLB_LRU), OL_E_INVALID);
    assert_int_equal(ol_tlb_create(&tlb, 12, 3, OL_TLB_PLRU), OL_E_INVALID); /* a tree over three ways */
    assert_int_equal(ol_tlb_create(&tlb, 12, 3, OL_TLB_LRU), OL_OK);         /* but else they may be any number */
    ol_tlb_destroy(&tlb);
}

static void test_no_tlb_never_hits(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 0, 0, OL_TLB_LRU), OL_OK);
    insert(&tlb, key(1, 5), 7, OL_READ);
    assert_false(holds(&tlb, key(1, 5)));
    invalidate(&tlb, key(1, 5));
    ol_tlb_destroy(&tlb);
}

static void test_sets_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 8, 2, OL_TLB_LRU), OL_OK); /* 4 sets */
    for (uint32_t page = 0; page < 8; page++) insert(&tlb, key(0, page), page + 100, OL_READ);
    for (uint32_t page = 0; page < 8; page++) {
        const struct ol_tlb_entry *const entry = lookup(&tlb, key(0, page));
        assert_non_null(entry);
        assert_int_equal(entry->frame, page + 100);
    }
    insert(&tlb, key(0, 8), 108, OL_READ); /* set 0: 0, 4 -> the older goes */
    assert_false(holds(&tlb, key(0, 0)));
    assert_true(holds(&tlb, key(0, 4)));
    for (uint32_t page = 1; page < 4; page++) assert_true(holds(&tlb, key(0, page)));
    ol_tlb_destroy(&tlb);
}

static void test_least_recently_used_goes(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 4, 4, OL_TLB_LRU), OL_OK);
    for (uint32_t page = 0; page < 4; page++) insert(&tlb, key(0, page), page, OL_READ);
    assert_true(holds(&tlb, key(0, 0)));
    assert_true(holds(&tlb, key(0, 2)));
    insert(&tlb, key(0, 1), 1, OL_READ); /* storing is a use too: 3 is oldest now */
    insert(&tlb, key(0, 9), 9, OL_READ);
    assert_false(holds(&tlb, key(0, 3)));
    insert(&tlb, key(0, 10), 10, OL_READ);
    assert_false(holds(&tlb, key(0, 0)));
    assert_true(holds(&tlb, key(0, 1)));
    assert_true(holds(&tlb, key(0, 2)));
    ol_tlb_destroy(&tlb);
}

static void test_same_key_is_replaced(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 2, 2, OL_TLB_LRU), OL_OK);
    insert(&tlb, key(0, 1), 1, OL_READ);
    insert(&tlb, key(0, 2), 2, OL_READ);
    insert(&tlb, key(0, 1), 5, OL_READ | OL_WRITE);
    const struct ol_tlb_entry *const entry = lookup(&tlb, key(0, 1));
    assert_int_equal(entry->frame, 5);
    assert_int_equal(entry->rights, OL_READ | OL_WRITE);
    assert_true(holds(&tlb, key(0, 2)));
    invalidate(&tlb, key(0, 1)); /* there is no second copy */
    assert_false(holds(&tlb, key(0, 1)));
    ol_tlb_destroy(&tlb);
}

static void test_invalidated_room_is_used_first(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 3, 3, OL_TLB_LRU), OL_OK);
    for (uint32_t page = 0; page < 3; page++) insert(&tlb, key(0, page), page, OL_READ);
    invalidate(&tlb, key(0, 2)); /* the most recent */
    invalidate(&tlb, key(0, 7)); /* not there */
    insert(&tlb, key(0, 3), 3, OL_READ);
    assert_true(holds(&tlb, key(0, 0)));
    assert_true(holds(&tlb, key(0, 1)));
    assert_true(holds(&tlb, key(0, 3)));
    ol_tlb_destroy(&tlb);
}

static void test_spaces_are_apart(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    const uint32_t last_tag = (1U << OL_TLB_TAG_BITS) - 1;
    const uint64_t last_page = (1ULL << OL_TLB_PAGE_BITS) - 1;
    assert_int_equal(ol_tlb_create(&tlb, 16, 4, OL_TLB_LRU), OL_OK);
    insert(&tlb, key(0, last_page), 1, OL_READ);
    insert(&tlb, key(last_tag, last_page), 2, OL_READ);
    assert_int_equal(lookup(&tlb, key(0, last_page))->frame, 1);
    assert_int_equal(lookup(&tlb, key(last_tag, last_page))->frame, 2);
    assert_false(holds(&tlb, key(1, last_page)));
    assert_false(holds(&tlb, key(0, 0))); /* empty entries are not page 0 of space 0 */
    invalidate(&tlb, key(0, last_page));
    assert_false(holds(&tlb, key(0, last_page)));
    assert_true(holds(&tlb, key(last_tag, last_page)));
    assert_false(holds(&tlb, key(OL_TLB_GLOBAL_TAG, last_page)));
    ol_tlb_destroy(&tlb);
}

static void test_keys_can_be_taken_apart(void **state)
{
    (void)state;
    const uint64_t page = 0x123456789aULL, made = ol_tlb_key(OL_TLB_GLOBAL_TAG, 3, page);
    assert_int_equal(ol_tlb_key_tag(made), OL_TLB_GLOBAL_TAG);
    assert_int_equal(ol_tlb_key_size(made), 3);
    assert_int_equal(ol_tlb_key_page(made), page);
    assert_int_equal(ol_tlb_key(5, 1, UINT64_MAX), ol_tlb_key(5, 1, (1ULL << OL_TLB_PAGE_BITS) - 1));
}

static void test_fifo_does_not_care_for_uses(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 4, 4, OL_TLB_FIFO), OL_OK);
    for (uint32_t page = 0; page < 4; page++) insert(&tlb, key(0, page), page, OL_READ);
    assert_true(holds(&tlb, key(0, 0)));
    insert(&tlb, key(0, 0), 7, OL_READ); /* it is there: it keeps its place in the queue */
    insert(&tlb, key(0, 4), 4, OL_READ);
    assert_false(holds(&tlb, key(0, 0)));
    assert_true(holds(&tlb, key(0, 1)));
    ol_tlb_destroy(&tlb);
}

static void test_random_takes_all_ways_and_is_reproducible(void **state)
{
    (void)state;
    enum { WAYS = 8, PAGES = 2000 };
    struct ol_tlb tlb;
    uint32_t way[2][PAGES], taken[WAYS] = {0};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(ol_tlb_create(&tlb, WAYS, WAYS, OL_TLB_RANDOM), OL_OK);
        for (uint32_t page = 0; page < PAGES; page++) {
            insert(&tlb, key(0, page), page, OL_READ);
            way[round][page] = (uint32_t)(ol_tlb_find(&tlb, key(0, page)) - tlb.entries);
        }
        ol_tlb_destroy(&tlb);
    }
    assert_memory_equal(way[0], way[1], sizeof way[0]);
    for (uint32_t page = WAYS; page < PAGES; page++) taken[way[0][page]]++;
    for (unsigned i = 0; i < WAYS; i++) assert_in_range(taken[i], PAGES / WAYS / 2, 2 * PAGES / WAYS);
}

/* The tree as hardware has it: a bit at each node, which every use below turns away from the half that was used. */
struct tree {
    uint64_t pages[8];
    bool valid[8], right[8]; /* right[n]: node n points to its upper half; nodes as in a heap, from 1 */
};

static void tree_use(struct tree *tree, unsigned ways, unsigned way)
{
    unsigned first = 0;
    for (unsigned node = 1, half = ways / 2; half > 0; half /= 2) {
        const bool upper = way >= first + half;
        tree->right[node] = !upper;
        node = 2 * node + (upper ? 1 : 0);
        first += upper ? half : 0;
    }
}

static unsigned tree_victim(const struct tree *tree, unsigned ways)
{
    unsigned node = 1, way = 0;
    for (unsigned i = 0; i < ways; i++)
        if (!tree->valid[i]) return i;
    for (unsigned half = ways / 2; half > 0; half /= 2) {
        way += tree->right[node] ? half : 0;
        node = 2 * node + (tree->right[node] ? 1 : 0);
    }
    return way;
}

static void test_plru_is_the_tree_of_bits(void **state)
{
    (void)state;
    for (unsigned ways = 2; ways <= 8; ways *= 2) {
        struct ol_tlb tlb;
        struct tree tree = {0};
        uint64_t random = ways;
        assert_int_equal(ol_tlb_create(&tlb, ways, ways, OL_TLB_PLRU), OL_OK);
        for (unsigned step = 0; step < 20000; step++) {
            const uint64_t page = ol_random_below(&random, ways + 3);
            unsigned way = 0;
            while (way < ways && !(tree.valid[way] && tree.pages[way] == page)) way++;
            assert_int_equal(ol_tlb_find(&tlb, key(0, page)) != NULL, way < ways);
            if (way < ways && ol_random_below(&random, 20) == 0) {
                tree.valid[way] = false;
                invalidate(&tlb, key(0, page));
                continue;
            }
            if (way == ways) {
                way = tree_victim(&tree, ways);
                tree.pages[way] = page;
                tree.valid[way] = true;
                insert(&tlb, key(0, page), way, OL_READ);
            }
            tree_use(&tree, ways, way);
            const struct ol_tlb_entry *const entry = lookup(&tlb, key(0, page));
            assert_non_null(entry);
            assert_int_equal(entry - tlb.entries, way);
        }
        ol_tlb_destroy(&tlb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_geometry_is_checked),
        cmocka_unit_test(test_no_tlb_never_hits),
        cmocka_unit_test(test_sets_do_not_disturb_each_other),
        cmocka_unit_test(test_least_recently_used_goes),
        cmocka_unit_test(test_same_key_is_replaced),
        cmocka_unit_test(test_invalidated_room_is_used_first),
        cmocka_unit_test(test_spaces_are_apart),
        cmocka_unit_test(test_keys_can_be_taken_apart),
        cmocka_unit_test(test_fifo_does_not_care_for_uses),
        cmocka_unit_test(test_random_takes_all_ways_and_is_reproducible),
        cmocka_unit_test(test_plru_is_the_tree_of_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
