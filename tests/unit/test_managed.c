/* SPDX-License-Identifier: MIT */
/* The memory that onelevel run would manage, against an array of all pages; and machines whose pages cease to exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/managed.h"
#include "machine/ideal/ideal.h"
#include "machine/linux/run/shared.h"
#include "onelevel/core.h"
#include "tests/support/random.h"

enum { SPACE = 400, STEPS = 30000, PAGE_SHIFT = 12, NONE = -1, UNMANAGED = -2 };

/* By page of a small space: its number, NONE yet, or UNMANAGED. */
struct model {
    int64_t number[SPACE];
    uint32_t given;
    uint64_t dropped; /* sum of numbers plus 1 */
};

static uint64_t dropped;

static void drop(void *context, uint32_t number)
{
    assert_ptr_equal(context, &dropped);
    dropped += number + 1;
}

static void model_drop(struct model *model, uint64_t first, uint64_t pages, int64_t becomes)
{
    for (uint64_t page = first; page < first + pages; page++) {
        if (model->number[page] >= 0) model->dropped += (uint64_t)model->number[page] + 1;
        if (model->number[page] != UNMANAGED || becomes != NONE) model->number[page] = becomes;
    }
}

static bool tell(struct ol_managed *managed, enum ol_trace_event event, uint64_t first, uint64_t pages)
{
    const struct ol_reference one = {.va = first << PAGE_SHIFT, .event = (uint8_t)event, .count = (uint32_t)pages};
    return ol_managed_event(managed, &one);
}

/* Moves pages, maybe over each other, and keeps as many as fit. Memory that begins unmanaged stays so. */
static void move(struct model *model, struct ol_managed *managed, uint64_t from, uint64_t pages, uint64_t to,
                 uint64_t new_pages)
{
    int64_t kept[SPACE];
    const bool is_managed = model->number[from] != UNMANAGED;
    for (uint64_t i = 0; i < SPACE; i++) kept[i] = NONE;
    if (is_managed) {
        for (uint64_t i = 0; i < pages; i++) {
            kept[i] = model->number[from + i] >= 0 ? model->number[from + i] : NONE;
            model->number[from + i] = UNMANAGED;
        }
    }
    model_drop(model, to, new_pages, UNMANAGED);
    for (uint64_t i = 0; is_managed && i < new_pages; i++) model->number[to + i] = i < pages ? kept[i] : NONE;
    for (uint64_t i = new_pages; is_managed && i < pages; i++)
        if (kept[i] >= 0) model->dropped += (uint64_t)kept[i] + 1;
    assert_true(tell(managed, OL_TRACE_MOVE, from, pages));
    assert_true(tell(managed, OL_TRACE_MAP, to, new_pages));
}

static void step(struct model *model, struct ol_managed *managed, uint64_t *random)
{
    const uint64_t first = ol_random_below(random, SPACE - 60), pages = 1 + ol_random_below(random, 50);
    switch (ol_random_below(random, 12)) {
    case 0:
        model_drop(model, first, pages, UNMANAGED);
        if (pages >= 16)
            for (uint64_t i = 0; i < pages; i++) model->number[first + i] = NONE;
        assert_true(tell(managed, OL_TRACE_MAP_PLAIN, first, pages));
        break;
    case 1:
        model_drop(model, first, pages, UNMANAGED);
        assert_true(tell(managed, ol_random_below(random, 2) ? OL_TRACE_UNMAP : OL_TRACE_MAP, first, pages));
        break;
    case 2:
        model_drop(model, first, pages, NONE);
        assert_true(tell(managed, OL_TRACE_DISCARD, first, pages));
        break;
    case 3:
        move(model, managed, first, pages, ol_random_below(random, SPACE - 60), 1 + ol_random_below(random, 50));
        break;
    default: {
        const uint64_t page = first + ol_random_below(random, 60);
        const uint32_t number = ol_managed_number(managed, page << PAGE_SHIFT);
        if (model->number[page] == NONE) model->number[page] = model->given++;
        assert_int_equal(number, model->number[page] == UNMANAGED ? UINT32_MAX : (uint32_t)model->number[page]);
    }
    }
}

static void test_as_an_array(void **state)
{
    (void)state;
    struct ol_managed *const managed = ol_managed_create(drop, &dropped);
    struct model model = {.given = 0};
    uint64_t random = 1;
    assert_non_null(managed);
    dropped = 0;
    for (int i = 0; i < SPACE; i++) model.number[i] = UNMANAGED;
    for (int i = 0; i < STEPS; i++) {
        step(&model, managed, &random);
        assert_int_equal(dropped, model.dropped);
        assert_int_equal(ol_managed_numbers(managed), model.given);
    }
    assert_true(model.given > 1000 && model.dropped > 0);
    ol_managed_destroy(managed);
}

static void test_heap(void **state)
{
    (void)state;
    enum { FIRST = 100, MANAGED = FIRST + (OL_RUN_HEAP_FOREIGN_BYTES >> PAGE_SHIFT) };
    struct ol_managed *const managed = ol_managed_create(drop, &dropped);
    dropped = 0;
    assert_true(tell(managed, OL_TRACE_BREAK, FIRST, 0)); /* where it begins */
    assert_true(tell(managed, OL_TRACE_BREAK, MANAGED - 1, 0));
    assert_int_equal(ol_managed_number(managed, (MANAGED - 2) << PAGE_SHIFT), UINT32_MAX);
    assert_true(tell(managed, OL_TRACE_BREAK, MANAGED + 3, 0)); /* of any size */
    assert_int_equal(ol_managed_number(managed, (MANAGED + 2) << PAGE_SHIFT), 0);
    assert_int_equal(ol_managed_number(managed, (MANAGED - 1) << PAGE_SHIFT), UINT32_MAX);
    assert_true(tell(managed, OL_TRACE_BREAK, MANAGED + 1, 0));
    assert_int_equal(dropped, 1);
    assert_int_equal(ol_managed_number(managed, (MANAGED + 2) << PAGE_SHIFT), UINT32_MAX);
    assert_true(tell(managed, OL_TRACE_BREAK, FIRST, 0));
    assert_true(tell(managed, OL_TRACE_BREAK, MANAGED + 3, 0));
    assert_int_equal(ol_managed_number(managed, (MANAGED + 2) << PAGE_SHIFT), 1);
    assert_int_equal(ol_managed_number(managed, (MANAGED - 1) << PAGE_SHIFT), UINT32_MAX);
    ol_managed_destroy(managed);
}

/* A page that was dropped faults again, its frame is free, and no policy is confused. */
static void test_dropped_pages(void **state)
{
    (void)state;
    enum { FRAMES = 20, PAGES = 60 };
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) {
        struct ol_ideal *ideal;
        struct ol_ideal_counters before = {0}, after;
        uint64_t random = 7, freed = 0;
        if ((*policy)->needs & OL_NEEDS_FUTURE) continue;
        assert_int_equal(ol_ideal_create(*policy, NULL, FRAMES, &ideal), OL_OK);
        for (int i = 0; i < STEPS; i++) {
            const uint32_t page = (uint32_t)ol_random_below(&random, PAGES);
            const struct ol_batch batch = {.pages = &page, .count = 1, .pages_total = PAGES};
            if (i % 4 == 0) {
                ol_ideal_drop(ideal, page);
                ol_ideal_get_counters(ideal, &before);
                assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
                ol_ideal_get_counters(ideal, &after);
                assert_int_equal(after.faults, before.faults + 1);
                freed++;
            } else {
                assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
            }
            ol_ideal_get_counters(ideal, &before);
            assert_true(before.resident_peak <= FRAMES && before.evictions <= before.faults);
        }
        assert_int_equal(freed, STEPS / 4);
        ol_ideal_destroy(ideal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_an_array), cmocka_unit_test(test_heap),
                                       cmocka_unit_test(test_dropped_pages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
