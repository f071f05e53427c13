/* SPDX-License-Identifier: MIT */
/*
 * The sizes that are advised, against the words of their definition: the time of each size, from simulations of LRU,
 * and the first size whose time is short enough.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/advice.h"
#include "analysis/stack.h"
#include "machine/ideal/ideal.h"
#include "onelevel/core.h"
#include "tests/support/random.h"

enum { LENGTH = 20000, PAGES = 60, KINDS = 3 };

static uint32_t pages[LENGTH];
static uint64_t distances[PAGES + 1];
static struct ol_advice_trace trace;
static uint64_t simulated[PAGES + 1]; /* faults, by size */

static uint64_t simulated_faults(uint32_t frames)
{
    const struct ol_batch batch = {.pages = pages, .count = LENGTH, .pages_total = trace.pages};
    struct ol_ideal_counters counters;
    struct ol_ideal *ideal;
    assert_int_equal(ol_ideal_create(&ol_policy_lru, NULL, frames, &ideal), OL_OK);
    assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
    ol_ideal_get_counters(ideal, &counters);
    ol_ideal_destroy(ideal);
    return counters.faults;
}

/* Uniform; mostly to a hot part; phases. */
static void make_trace(unsigned kind)
{
    uint32_t number[PAGES], known = 0;
    uint64_t seed = 31 + kind;
    memset(number, 0xff, sizeof(number));
    memset(distances, 0, sizeof(distances));
    for (unsigned i = 0; i < LENGTH; i++) {
        unsigned page = (unsigned)ol_random_below(&seed, PAGES);
        if (kind == 1 && ol_random_below(&seed, 50)) page /= 4;
        if (kind == 2) page = (page / 3 + i / 1000 * 20) % PAGES;
        if (number[page] == UINT32_MAX) number[page] = known++;
        pages[i] = number[page];
    }
    const struct ol_batch batch = {.pages = pages, .count = LENGTH, .pages_total = known};
    struct ol_stack *stack = ol_stack_create();
    assert_true(stack && ol_stack_count(stack, &batch, distances));
    ol_stack_destroy(stack);
    trace = (struct ol_advice_trace){.references = LENGTH, .walks = 77, .pages = known, .distances = distances};
    for (uint32_t frames = 1; frames <= known; frames++) simulated[frames] = simulated_faults(frames);
}

/* In the words of the definition, with constants of its own. */
static uint32_t least_size(const struct ol_advice_costs *costs, double factor)
{
    const double base = LENGTH * costs->reference + 77 * costs->walk + trace.pages * costs->first;
    for (uint32_t size = 1;; size++) {
        assert_int_equal(simulated[size], ol_advice_faults(&trace, size));
        if (base + (double)(simulated[size] - trace.pages) * costs->refault <= factor * base) return size;
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct ol_advice_costs all[] = {
        {0.1, 16, 1500, 84000}, {1, 0, 0, 50}, {10, 100, 10, 1000}, {0.001, 0, 1, 1e9}, {100, 1, 1, 0.01}};
    static const double factors[] = {1.01, 1.05, 2, 30};
    for (unsigned kind = 0; kind < KINDS; kind++) {
        make_trace(kind);
        for (unsigned c = 0; c < sizeof(all) / sizeof(all[0]); c++) {
            for (unsigned f = 0; f < sizeof(factors) / sizeof(factors[0]); f++) {
                struct ol_advice_costs cheap = all[c], dear = all[c];
                const struct ol_advice_range range = ol_advice_size(&trace, &all[c], factors[f]);
                assert_true(range.value == least_size(&all[c], factors[f]));
                cheap.reference *= 2, cheap.refault /= 2;
                dear.reference /= 2, dear.refault *= 2;
                assert_true(range.least == least_size(&cheap, factors[f]));
                assert_true(range.most == least_size(&dear, factors[f]));
            }
        }
    }
}

static void test_saving(void **state)
{
    (void)state;
    const struct ol_advice_costs costs = {1, 0, 0, LENGTH}; /* a refault is as dear as all references together */
    make_trace(0);
    const struct ol_advice_range half = ol_advice_saving(&trace, &costs, 3, 1),
                                 none = ol_advice_saving(&trace, &costs, 5, 5);
    assert_true(fabs(half.value - 0.5) < 1e-12);             /* 1 + 3 to 1 + 1 */
    assert_true(fabs(half.least - (1 - 2.5 / 3.5)) < 1e-12); /* 2 + 1.5 to 2 + 0.5 */
    assert_true(fabs(half.most - (1 - 2.5 / 6.5)) < 1e-12);  /* 0.5 + 6 to 0.5 + 2 */
    assert_true(none.value == 0 && none.least == 0 && none.most == 0);
    const struct ol_advice_range lost = ol_advice_saving(&trace, &costs, 1, 3);
    assert_true(fabs(lost.value + 1) < 1e-12 && lost.least < lost.value && lost.value < lost.most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_saving),
    };
    return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
