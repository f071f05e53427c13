/* SPDX-License-Identifier: MIT */
/*
 * Every policy on the ideal machine against a model of a few lines that knows nothing of entries, links or ghosts:
 * lists are arrays, looked through from the start. Random traces of four kinds, every number of frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/future.h"
#include "machine/ideal/ideal.h"
#include "onelevel/core.h"
#include "tests/support/policy_models.h"
#include "tests/support/random.h"

enum { FRAMES_MAX = MODEL_PAGES + 1 };

/* --- traces ------------------------------------------------------------------------------------------------------ */

static struct model_trace trace;

static unsigned uniform(uint64_t *seed, unsigned i)
{
    (void)i;
    return (unsigned)ol_random_below(seed, MODEL_PAGES);
}

static unsigned hot_and_cold(uint64_t *seed, unsigned i)
{
    (void)i;
    return (unsigned)ol_random_below(seed, ol_random_below(seed, 10) ? MODEL_PAGES / 10 : MODEL_PAGES);
}

/* A working set that wanders, with loops in between. */
static unsigned phases(uint64_t *seed, unsigned i)
{
    const unsigned offset = i / 300 % 2 ? i % 14 : (unsigned)ol_random_below(seed, 14);
    return (i / 150 * 11 + offset) % MODEL_PAGES;
}

/* Scans between references to few pages. */
static unsigned scans(uint64_t *seed, unsigned i)
{
    return i / 50 % 3 == 2 ? i % MODEL_PAGES : (unsigned)ol_random_below(seed, 9) * 3;
}

static unsigned (*const kinds[])(uint64_t *, unsigned) = {uniform, hot_and_cold, phases, scans};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void make_trace(unsigned kind, uint64_t seed)
{
    uint32_t number[MODEL_PAGES], pages = 0;
    memset(number, 0xff, sizeof(number));
    for (unsigned i = 0; i < MODEL_LENGTH; i++) {
        const unsigned page = kinds[kind](&seed, i);
        if (number[page] == UINT32_MAX) number[page] = pages++;
        trace.page[i] = number[page];
        trace.written[i] = ol_random_below(&seed, 4) == 0;
    }
    trace.length = MODEL_LENGTH;
}

/* --- the ideal machine ------------------------------------------------------------------------------------------- */

static struct ol_ideal_counters ideal_counters(const char *name, uint32_t frames)
{
    const char *parameters;
    const struct ol_policy_ops *policy = ol_policy_find(name, &parameters);
    struct ol_ideal_counters count;
    struct ol_ideal *ideal;
    assert_non_null(policy);
    assert_int_equal(ol_ideal_create(policy, parameters, frames, &ideal), OL_OK);
    struct ol_future *future = ol_future_create(0);
    const struct ol_batch whole = {
        .pages = trace.page, .written = trace.written, .count = trace.length, .pages_total = MODEL_PAGES};
    assert_true(ol_future_add(future, &whole));
    struct ol_batch batch;
    for (size_t at = 0;; at += batch.count) {
        ol_future_batch(future, at, 1 + at % 97, &batch);
        if (!batch.count) break;
        assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
    }
    ol_ideal_get_counters(ideal, &count);
    assert_int_equal(count.references, trace.length);
    assert_in_range(count.resident_peak, 1, frames);
    ol_future_destroy(future);
    ol_ideal_destroy(ideal);
    return count;
}

static uint64_t ideal_faults(const char *name, uint32_t frames)
{
    return ideal_counters(name, frames).faults;
}

static void test_models(void **state)
{
    const struct model *model = *state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        make_trace(kind, 7 + kind);
        for (uint32_t frames = 1; frames <= FRAMES_MAX; frames += 1 + frames / 8) {
            const uint64_t got = ideal_faults(model->policy, frames), wanted = model->faults(&trace, frames);
            if (got != wanted)
                fail_msg("%s, trace %u, %u frames: %llu faults, the model has %llu", model->policy, kind, frames,
                         (unsigned long long)got, (unsigned long long)wanted);
            assert_in_range(ideal_faults("opt", frames), 1, got);
        }
    }
}

/* A model for every policy. */
static void test_all_have_models(void **state)
{
    (void)state;
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) {
        unsigned found = 0;
        for (unsigned i = 0; i < models_count; i++) {
            const size_t length = strlen((*policy)->name);
            if (strncmp(models[i].policy, (*policy)->name, length) == 0 && strchr(":", models[i].policy[length]))
                found++;
        }
        if (!found) fail_msg("%s has no model", (*policy)->name);
    }
}

/* LRU and OPT: what is in a memory is in every larger one, at any time. So a reference that hits there hits here, too.
 */
static void test_inclusion(void **state)
{
    (void)state;
    static const struct ol_policy_ops *const stacks[] = {&ol_policy_lru, &ol_policy_opt};
    for (unsigned at = 0; at < 2 * KINDS; at++) {
        struct ol_ideal *ideal[FRAMES_MAX];
        struct ol_future *future = ol_future_create(0);
        struct ol_batch batch;
        uint64_t before[FRAMES_MAX] = {0};
        make_trace(at / 2, 70 + at / 2);
        const struct ol_batch whole = {.pages = trace.page, .count = trace.length, .pages_total = MODEL_PAGES};
        assert_true(ol_future_add(future, &whole));
        for (uint32_t i = 0; i < FRAMES_MAX; i++)
            assert_int_equal(ol_ideal_create(stacks[at % 2], NULL, i + 1, &ideal[i]), OL_OK);
        for (size_t reference = 0; reference < trace.length; reference++) {
            bool hit_below = false;
            ol_future_batch(future, reference, 1, &batch);
            for (uint32_t i = 0; i < FRAMES_MAX; i++) {
                struct ol_ideal_counters count;
                assert_int_equal(ol_ideal_run(ideal[i], &batch), OL_OK);
                ol_ideal_get_counters(ideal[i], &count);
                const bool hit = count.faults == before[i];
                assert_true(hit || !hit_below);
                hit_below = hit;
                before[i] = count.faults;
            }
        }
        for (uint32_t i = 0; i < FRAMES_MAX; i++) ol_ideal_destroy(ideal[i]);
        ol_future_destroy(future);
    }
}

/* No policy has fewer faults than OPT. */
static void test_opt_is_best(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        make_trace(kind, 700 + kind);
        for (uint32_t frames = 1; frames <= FRAMES_MAX; frames += 1 + frames / 8) {
            const uint64_t least = ideal_faults("opt", frames);
            for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
                assert_true(ideal_faults((*policy)->name, frames) >= least);
        }
    }
}

/* References that are given as counts are worth as much as the same, one by one. */
static void test_counts(void **state)
{
    (void)state;
    static uint32_t pages[MODEL_LENGTH], counts[MODEL_LENGTH];
    uint64_t seed = 5;
    size_t count = 0;
    memset(trace.written, 0, sizeof(trace.written));
    for (trace.length = 0; trace.length + 32 < MODEL_LENGTH && count < MODEL_LENGTH; count++) {
        pages[count] = (uint32_t)ol_random_below(&seed, MODEL_PAGES);
        counts[count] = 1 + (uint32_t)ol_random_below(&seed, ol_random_below(&seed, 4) ? 2 : 30);
        for (uint32_t n = 0; n < counts[count]; n++) trace.page[trace.length++] = pages[count];
    }
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) {
        for (uint32_t frames = 1; frames < FRAMES_MAX; frames += 5) {
            struct ol_ideal *ideal;
            struct ol_ideal_counters counters;
            struct ol_future *future = ol_future_create(0);
            struct ol_batch batch = {.pages = pages, .counts = counts, .count = count, .pages_total = MODEL_PAGES};
            assert_true(ol_future_add(future, &batch));
            ol_future_batch(future, 0, count, &batch);
            assert_int_equal(ol_ideal_create(*policy, NULL, frames, &ideal), OL_OK);
            assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
            ol_ideal_get_counters(ideal, &counters);
            const struct ol_ideal_counters single = ideal_counters((*policy)->name, frames);
            if (counters.faults != single.faults || counters.evictions != single.evictions ||
                counters.references != single.references || counters.resident_sum != single.resident_sum)
                fail_msg("%s, %u frames: counts make a difference", (*policy)->name, frames);
            ol_ideal_destroy(ideal);
            ol_future_destroy(future);
        }
    }
}

/* What is in memory, added up: pages that came less those that went, after each reference. */
static void test_resident_sum(void **state)
{
    (void)state;
    static const char *const names[] = {"lru", "working-set:tau=100", "clock"};
    make_trace(2, 3);
    for (unsigned i = 0; i < 3; i++) {
        const char *parameters;
        const struct ol_policy_ops *policy = ol_policy_find(names[i], &parameters);
        struct ol_ideal_counters count;
        struct ol_ideal *ideal;
        uint64_t sum = 0;
        assert_non_null(policy);
        assert_int_equal(ol_ideal_create(policy, parameters, 10, &ideal), OL_OK);
        for (size_t at = 0; at < trace.length; at++) {
            const struct ol_batch one = {.pages = trace.page + at, .count = 1, .pages_total = MODEL_PAGES};
            assert_int_equal(ol_ideal_run(ideal, &one), OL_OK);
            ol_ideal_get_counters(ideal, &count);
            sum += count.faults - count.evictions;
            assert_int_equal(count.resident_sum, sum);
        }
        ol_ideal_destroy(ideal);
    }
}

int main(void)
{
    struct CMUnitTest tests[MODELS_MAX + 5];
    unsigned count = 0;
    for (; count < models_count; count++)
        tests[count] = (struct CMUnitTest){
            .name = models[count].policy, .test_func = test_models, .initial_state = (void *)&models[count]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_resident_sum);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_all_have_models);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_inclusion);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_opt_is_best);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_counts);
    return _cmocka_run_group_tests("policies", tests, count, NULL, NULL);
}
