/* SPDX-License-Identifier: MIT */
/* The TLB: sets, ways, least recently used, invalidation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/sim/tlb.h"

static uint64_t key(uint32_t tag, uint64_t page)
{
    return ol_tlb_space_key(tag) | page;
}

static uint64_t now;

static void insert(struct ol_tlb *tlb, uint64_t wanted, ol_frame_no frame, uint32_t rights)
{
    ol_tlb_insert(tlb, wanted, frame, rights, ++now);
}

static const struct ol_tlb_entry *lookup(struct ol_tlb *tlb, uint64_t wanted)
{
    return ol_tlb_lookup(tlb, wanted, ++now);
}

static bool holds(struct ol_tlb *tlb, uint64_t wanted)
{
    return lookup(tlb, wanted) != NULL;
}

static void test_geometry_is_checked(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 6, 4), OL_E_INVALID);  /* no whole sets */
    assert_int_equal(ol_tlb_create(&tlb, 12, 4), OL_E_INVALID); /* three sets */
    assert_int_equal(ol_tlb_create(&tlb, 4, 0), OL_E_INVALID);
    assert_int_equal(ol_tlb_create(&tlb, OL_TLB_ENTRIES_MAX * 2, 4), OL_E_INVALID);
    assert_int_equal(ol_tlb_create(&tlb, 12, 3), OL_OK); /* ways need not be a power of two */
    ol_tlb_destroy(&tlb);
}

static void test_no_tlb_never_hits(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 0, 0), OL_OK);
    insert(&tlb, key(1, 5), 7, OL_READ);
    assert_false(holds(&tlb, key(1, 5)));
    ol_tlb_invalidate(&tlb, key(1, 5));
    ol_tlb_destroy(&tlb);
}

static void test_sets_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 8, 2), OL_OK); /* 4 sets */
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
    assert_int_equal(ol_tlb_create(&tlb, 4, 4), OL_OK);
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
    assert_int_equal(ol_tlb_create(&tlb, 2, 2), OL_OK);
    insert(&tlb, key(0, 1), 1, OL_READ);
    insert(&tlb, key(0, 2), 2, OL_READ);
    insert(&tlb, key(0, 1), 5, OL_READ | OL_WRITE);
    const struct ol_tlb_entry *const entry = lookup(&tlb, key(0, 1));
    assert_int_equal(entry->frame, 5);
    assert_int_equal(entry->rights, OL_READ | OL_WRITE);
    assert_true(holds(&tlb, key(0, 2)));
    ol_tlb_invalidate(&tlb, key(0, 1)); /* there is no second copy */
    assert_false(holds(&tlb, key(0, 1)));
    ol_tlb_destroy(&tlb);
}

static void test_invalidated_room_is_used_first(void **state)
{
    (void)state;
    struct ol_tlb tlb;
    assert_int_equal(ol_tlb_create(&tlb, 3, 3), OL_OK);
    for (uint32_t page = 0; page < 3; page++) insert(&tlb, key(0, page), page, OL_READ);
    ol_tlb_invalidate(&tlb, key(0, 2)); /* the most recent */
    ol_tlb_invalidate(&tlb, key(0, 7)); /* not there */
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
    const uint64_t last_page = (1ULL << 35) - 1;
    assert_int_equal(ol_tlb_create(&tlb, 16, 4), OL_OK);
    insert(&tlb, key(0, last_page), 1, OL_READ);
    insert(&tlb, key(last_tag, last_page), 2, OL_READ);
    assert_int_equal(lookup(&tlb, key(0, last_page))->frame, 1);
    assert_int_equal(lookup(&tlb, key(last_tag, last_page))->frame, 2);
    assert_false(holds(&tlb, key(1, last_page)));
    assert_false(holds(&tlb, key(0, 0))); /* empty entries are not page 0 of space 0 */
    ol_tlb_invalidate(&tlb, key(0, last_page));
    assert_false(holds(&tlb, key(0, last_page)));
    assert_true(holds(&tlb, key(last_tag, last_page)));
    ol_tlb_destroy(&tlb);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
