/* SPDX-License-Identifier: MIT */
/*
 * Reuse times, working sets and footprints against their definitions: each window of a short trace is looked at, page
 * by page. Then working sets of a recorded trace against the policy working-set, which keeps just those pages.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/reuse.h"
#include "machine/ideal/ideal.h"
#include "onelevel/core.h"
#include "tests/support/random.h"
#include "trace/numbering.h"

enum { LENGTH = 600, PAGES = 30, PAGE_SHIFT = 12 };

static uint32_t trace[LENGTH];

/* Different pages among references [from, end). */
static unsigned distinct(unsigned from, unsigned end)
{
    bool seen[PAGES] = {false};
    unsigned count = 0;
    for (unsigned i = from; i < end; i++) {
        count += !seen[trace[i]];
        seen[trace[i]] = true;
    }
    return count;
}

/* How long ago the page of a reference was referenced before; 0 for a first one. */
static unsigned reuse_time(unsigned at)
{
    for (unsigned back = 1; back <= at; back++)
        if (trace[at - back] == trace[at]) return back;
    return 0;
}

static void compare(const struct ol_reuse *reuse, const uint64_t *windows, unsigned index)
{
    struct ol_reuse_point point;
    const unsigned window = (unsigned)windows[index], before = index ? (unsigned)windows[index - 1] : 0;
    uint64_t pages = 0, reuses = 0, misses = 0, footprint = 0, longer = 0;
    for (unsigned i = 0; i < LENGTH; i++) {
        const unsigned time = reuse_time(i);
        pages += distinct(i + 1 > window ? i + 1 - window : 0, i + 1);
        reuses += time > before && time <= window;
        misses += time == 0 || time > window;
        if (i + window <= LENGTH) footprint += distinct(i, i + window);
        if (i + window < LENGTH) longer += distinct(i, i + window + 1);
    }
    ol_reuse_point(reuse, index, &point);
    assert_int_equal(point.window, window);
    assert_int_equal(point.reuses, reuses);
    assert_int_equal(point.misses, misses);
    assert_true(fabs(point.working_set - (double)pages / LENGTH) < 1e-9);
    assert_int_equal(point.within_the_trace, window <= LENGTH);
    if (window > LENGTH) return;
    const double mean = (double)footprint / (LENGTH - window + 1);
    assert_true(fabs(point.footprint - mean) < 1e-9);
    const double growth = window < LENGTH ? (double)longer / (LENGTH - window) - mean : 0;
    assert_true(fabs(point.growth - growth) < 1e-9);
}

/* As runs of references alike, or one by one, in batches of odd lengths. */
static void count_all(struct ol_reuse *reuse, bool runs)
{
    static uint32_t pages[LENGTH], counts[LENGTH];
    size_t count = 0;
    for (unsigned i = 0; i < LENGTH; i++) {
        if (runs && count && pages[count - 1] == trace[i]) {
            counts[count - 1]++;
            continue;
        }
        counts[count] = 1;
        pages[count++] = trace[i];
    }
    for (size_t at = 0, some; at < count; at += some) {
        some = 1 + at % 7 < count - at ? 1 + at % 7 : count - at;
        uint32_t pages_total = 0;
        for (size_t i = 0; i < at + some; i++) pages_total = pages[i] >= pages_total ? pages[i] + 1 : pages_total;
        const struct ol_batch batch = {
            .pages = pages + at, .counts = runs ? counts + at : NULL, .count = some, .pages_total = pages_total};
        assert_true(ol_reuse_count(reuse, &batch));
    }
    ol_reuse_finish(reuse);
    assert_int_equal(ol_reuse_references(reuse), LENGTH);
}

static void test_definitions(void **state)
{
    (void)state;
    static const uint64_t some[] = {1, 2, 3, 5, 7, 8, 9, 30, 100, 333, 599, 600, 601, 5000};
    enum { SOME = sizeof(some) / sizeof(some[0]) };
    uint64_t all[OL_REUSE_WINDOWS_MAX];
    for (unsigned kind = 0; kind < 4; kind++) {
        uint64_t seed = 11 + kind;
        for (unsigned i = 0, known = 0; i < LENGTH; i++) {
            const unsigned page = (unsigned)ol_random_below(&seed, kind < 2 ? PAGES : 1 + i * PAGES / LENGTH);
            trace[i] = page < known ? page : known++;
            if (kind % 2 && i && ol_random_below(&seed, 3)) trace[i] = trace[i - 1];
        }
        for (int runs = 0; runs < 2; runs++) {
            struct ol_reuse *reuse = ol_reuse_create(some, SOME);
            assert_non_null(reuse);
            count_all(reuse, runs);
            unsigned longest = 0;
            for (unsigned i = 0; i < LENGTH; i++) longest = reuse_time(i) > longest ? reuse_time(i) : longest;
            assert_int_equal(ol_reuse_longest(reuse), longest);
            for (unsigned i = 0; i < SOME; i++) compare(reuse, some, i);
            ol_reuse_destroy(reuse);
        }
    }
    const unsigned count = ol_reuse_windows(all);
    struct ol_reuse *reuse = ol_reuse_create(all, count);
    assert_non_null(reuse);
    count_all(reuse, true);
    for (unsigned i = 0; i < count && all[i] < 2 * LENGTH; i++) compare(reuse, all, i);
    ol_reuse_destroy(reuse);
}

/* Windows for people ascend, and are at most an eighth apart. */
static void test_windows(void **state)
{
    (void)state;
    uint64_t windows[OL_REUSE_WINDOWS_MAX];
    const unsigned count = ol_reuse_windows(windows);
    assert_in_range(count, 100, OL_REUSE_WINDOWS_MAX);
    assert_int_equal(windows[0], 1);
    for (unsigned i = 1; i < count; i++) {
        assert_true(windows[i] > windows[i - 1]);
        assert_true(windows[i] - windows[i - 1] <= 1 + windows[i - 1] / 8);
    }
}

/* --- a recorded trace --------------------------------------------------------------------------------------------- */

enum { WINDOWS = 4 };
static const uint64_t tau[WINDOWS] = {100, 5000, 40000, 300000};

/* Gives a batch to the machines and to the analysis. */
static void give(struct ol_ideal *const machines[WINDOWS], struct ol_reuse *reuse, const struct ol_batch *batch)
{
    for (unsigned i = 0; i < WINDOWS; i++) assert_int_equal(ol_ideal_run(machines[i], batch), OL_OK);
    assert_true(ol_reuse_count(reuse, batch));
}

/* A page is in memory, or in the working set, if its last reference is at most tau back. */
static void test_policy(void **state)
{
    (void)state;
    static struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    const struct ol_trace_options options = {.page_shift = PAGE_SHIFT, .last_va = UINT64_MAX};
    struct ol_numbering *numbering = ol_numbering_create();
    struct ol_ideal *machines[WINDOWS];
    struct ol_reuse *reuse = ol_reuse_create(tau, WINDOWS);
    struct ol_trace *opened;
    struct ol_batch batch;
    char text[64], message[256];
    size_t read;
    for (unsigned i = 0; i < WINDOWS; i++) {
        (void)snprintf(text, sizeof(text), "tau=%u", (unsigned)tau[i]);
        assert_int_equal(ol_ideal_create(&ol_policy_working_set, text, 1 << 20, &machines[i]), OL_OK);
    }
    assert_int_equal(ol_trace_open(OL_TEST_DATA "/true.lackey.zst", &options, &opened, message, sizeof(message)),
                     OL_TRACE_OK);
    while (ol_trace_read(opened, references, OL_NUMBERING_BATCH_MAX, &read) == OL_TRACE_OK && read) {
        assert_true(ol_numbering_add(numbering, references, read, PAGE_SHIFT, &batch));
        give(machines, reuse, &batch);
    }
    ol_reuse_finish(reuse);
    for (unsigned i = 0; i < WINDOWS; i++) {
        struct ol_ideal_counters counters;
        struct ol_reuse_point point;
        ol_ideal_get_counters(machines[i], &counters);
        ol_reuse_point(reuse, i, &point);
        assert_int_equal(counters.references, ol_reuse_references(reuse));
        assert_int_equal(counters.faults, point.misses);
        ol_ideal_destroy(machines[i]);
    }
    ol_trace_close(opened);
    ol_reuse_destroy(reuse);
    ol_numbering_destroy(numbering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_policy),
    };
    return cmocka_run_group_tests_name("reuse", tests, NULL, NULL);
}
