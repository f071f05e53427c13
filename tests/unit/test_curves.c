/* SPDX-License-Identifier: MIT */
/*
 * The curves of LRU and OPT for all sizes in one pass, against the simulation of each size; OPT's against all policies;
 * sampled ones against the exact one and their own bound. On random traces, and on recorded ones (tests/data).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/future.h"
#include "analysis/opt_stack.h"
#include "analysis/shards.h"
#include "analysis/shards_size.h"
#include "analysis/stack.h"
#include "machine/ideal/ideal.h"
#include "onelevel/core.h"
#include "tests/support/random.h"
#include "trace/numbering.h"
#include "trace/page_sample.h"

enum { PAGE_SHIFT = 12 };

struct curves {
    struct ol_future *trace;
    uint64_t references;
    uint32_t pages;
    uint64_t *lru, *opt; /* histograms of distances */
};

static void add(struct curves *curves, const struct ol_batch *batch)
{
    assert_true(ol_future_add(curves->trace, batch));
    curves->references += batch->count;
    for (size_t i = 0; batch->counts && i < batch->count; i++) curves->references += batch->counts[i] - 1;
    curves->pages = batch->pages_total;
}

/* Both curves, in batches of odd lengths. */
static void count(struct curves *curves)
{
    struct ol_stack *lru = ol_stack_create();
    struct ol_opt_stack *opt = ol_opt_stack_create(curves->pages);
    struct ol_batch batch;
    curves->lru = calloc((size_t)curves->pages + 1, sizeof(uint64_t));
    curves->opt = calloc((size_t)curves->pages + 1, sizeof(uint64_t));
    assert_true(lru && opt && curves->lru && curves->opt);
    for (size_t at = 0;; at += batch.count) {
        ol_future_batch(curves->trace, at, 1 + at % 4999, &batch);
        if (!batch.count) break;
        assert_true(ol_stack_count(lru, &batch, curves->lru));
        ol_opt_stack_count(opt, &batch, curves->opt);
    }
    ol_stack_destroy(lru);
    ol_opt_stack_destroy(opt);
}

static void release(struct curves *curves)
{
    ol_future_destroy(curves->trace);
    free(curves->lru);
    free(curves->opt);
}

static uint64_t simulated(const struct curves *curves, const struct ol_policy_ops *policy, uint32_t frames)
{
    struct ol_ideal_counters counters;
    struct ol_ideal *ideal;
    struct ol_batch batch;
    assert_int_equal(ol_ideal_create(policy, NULL, frames, &ideal), OL_OK);
    ol_future_batch(curves->trace, 0, SIZE_MAX, &batch);
    assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
    ol_ideal_get_counters(ideal, &counters);
    ol_ideal_destroy(ideal);
    assert_int_equal(counters.references, curves->references);
    return counters.faults;
}

/* Each size, or every so many. */
static void compare(const struct curves *curves, uint32_t step)
{
    uint64_t lru = curves->references, opt = curves->references;
    for (uint32_t frames = 1; frames <= curves->pages; frames++) {
        lru -= curves->lru[frames];
        opt -= curves->opt[frames];
        assert_true(opt <= lru);
        if (frames % step && frames != curves->pages) continue;
        assert_int_equal(simulated(curves, &ol_policy_lru, frames), lru);
        assert_int_equal(simulated(curves, &ol_policy_opt, frames), opt);
    }
    assert_int_equal(lru, curves->pages);
    assert_int_equal(opt, curves->pages);
}

static void test_random(void **state)
{
    (void)state;
    enum { LENGTH = 20000, PAGES = 90 };
    static uint32_t pages[LENGTH], counts[LENGTH];
    for (unsigned kind = 0; kind < 4; kind++) {
        struct curves curves = {.trace = ol_future_create(0)};
        uint32_t number[PAGES], known = 0;
        uint64_t seed = 3 + kind;
        memset(number, 0xff, sizeof(number));
        for (unsigned i = 0; i < LENGTH; i++) {
            const unsigned wide = (unsigned)ol_random_below(&seed, PAGES), near = (unsigned)ol_random_below(&seed, 12);
            const unsigned page = kind == 0   ? wide
                                  : kind == 1 ? i % PAGES
                                  : kind == 2 ? (i / 500 * 7 + near) % PAGES
                                              : near * near / 2;
            if (number[page] == UINT32_MAX) number[page] = known++;
            pages[i] = number[page];
            counts[i] = 1 + (uint32_t)ol_random_below(&seed, 3);
        }
        const struct ol_batch batch = {
            .pages = pages, .counts = kind % 2 ? counts : NULL, .count = LENGTH, .pages_total = known};
        add(&curves, &batch);
        count(&curves);
        compare(&curves, 1);
        release(&curves);
    }
}

/* Many pages, so that the line is made longer and the tree higher: distances are known. */
static void test_large(void **state)
{
    (void)state;
    enum { PAGES = 200000 };
    struct ol_stack *stack = ol_stack_create();
    uint32_t distance;
    assert_non_null(stack);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t page = 0; page < PAGES; page++) {
            assert_true(ol_stack_reference(stack, page, &distance));
            assert_int_equal(distance, round ? PAGES : 0);
        }
    }
    for (uint32_t page = PAGES; page--;) {
        assert_true(ol_stack_reference(stack, page, &distance));
        assert_int_equal(distance, PAGES - page);
    }
    for (uint32_t page = 0; page < PAGES; page += 1001) {
        assert_true(ol_stack_reference(stack, page, &distance));
        assert_int_equal(distance, page + 1);
        assert_true(ol_stack_reference(stack, page, &distance));
        assert_int_equal(distance, 1);
        for (uint32_t back = page + 1; back--;) assert_true(ol_stack_reference(stack, back, &distance));
        if (page > 10000) break;
    }
    ol_stack_destroy(stack);
}

/* The whole of a recorded trace. */
static void read_trace(const char *path, struct curves *curves)
{
    static struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    const struct ol_trace_options options = {.page_shift = PAGE_SHIFT, .last_va = UINT64_MAX};
    struct ol_numbering *numbering = ol_numbering_create();
    struct ol_trace *trace;
    struct ol_batch batch;
    char message[256];
    size_t read;
    *curves = (struct curves){.trace = ol_future_create(0)};
    assert_int_equal(ol_trace_open(path, &options, &trace, message, sizeof(message)), OL_TRACE_OK);
    while (ol_trace_read(trace, references, OL_NUMBERING_BATCH_MAX, &read) == OL_TRACE_OK && read) {
        assert_true(ol_numbering_add(numbering, references, read, PAGE_SHIFT, &batch));
        add(curves, &batch);
    }
    ol_trace_close(trace);
    assert_int_equal(ol_numbering_pages(numbering), curves->pages);
    ol_numbering_destroy(numbering);
    count(curves);
}

/* Every policy has at least OPT's faults, and at least one for each page; all have the same if every page fits. */
static void compare_policies(const struct curves *curves)
{
    for (uint32_t frames = 12; frames < 2 * curves->pages; frames *= 3) {
        uint64_t opt = curves->references;
        for (uint32_t d = 1; d <= frames && d <= curves->pages; d++) opt -= curves->opt[d];
        for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
            assert_true(simulated(curves, *policy, frames) >= opt);
    }
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
        if (!(*policy)->surplus) assert_int_equal(simulated(curves, *policy, curves->pages), curves->pages);
}

static void test_recorded(void **state)
{
    (void)state;
    struct curves curves;
    read_trace(OL_TEST_DATA "/true.lackey.zst", &curves);
    compare(&curves, 1);
    compare_policies(&curves);
    release(&curves);
    read_trace(OL_TEST_DATA "/perl.trace", &curves);
    assert_true(curves.pages > 700);
    compare(&curves, 61);
    release(&curves);
}

/* --- OPT of a trace that is made shorter ---------------------------------------------------------------------------
 */

enum { MERGED_LENGTH = 600000, MERGED_PAGES = 3000 };

/* What OPT counts in so many frames, of a trace kept for machines of `kept_for` frames; *elements is its length then.
 */
static struct ol_ideal_counters opt_counters(const struct ol_batch *trace, uint32_t frames, uint32_t kept_for,
                                             size_t *elements)
{
    struct ol_future *const future = ol_future_create(kept_for);
    struct ol_ideal_counters counters;
    struct ol_ideal *ideal;
    struct ol_batch batch;
    assert_non_null(future);
    for (size_t at = 0; at < trace->count; at += batch.count) {
        batch = *trace;
        batch.count = trace->count - at < 4000 ? trace->count - at : 4000;
        batch.pages += at;
        if (batch.counts) batch.counts += at;
        if (batch.written) batch.written += at;
        assert_true(ol_future_add(future, &batch));
    }
    assert_int_equal(ol_ideal_create(&ol_policy_opt, NULL, frames, &ideal), OL_OK);
    for (*elements = 0;; *elements += batch.count) {
        ol_future_batch(future, *elements, 4096, &batch);
        if (!batch.count) break;
        assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
    }
    ol_ideal_get_counters(ideal, &counters);
    ol_ideal_destroy(ideal);
    ol_future_destroy(future);
    return counters;
}

/* References to a few pages that slowly become others, with far ones among them, and loops with two pages in between
 * that are always wanted, together a little larger than a memory. At last all pages are written once, so that those of
 * which none is wanted again, and any may leave, are alike. */
static void make_local(uint32_t *pages, uint32_t *counts, uint8_t *written)
{
    static const uint32_t loops[8] = {2, 3, 6, 39, 41, 99, 100, 499};
    uint64_t seed = 11;
    for (uint32_t i = 0; i < MERGED_LENGTH; i++) {
        const uint64_t near = 2 + i / 1000 % 40, far = ol_random_below(&seed, 30) == 0;
        const uint64_t page = i / 10000 % 2 ? (i % 2 ? MERGED_PAGES / 2 + i / 2 % 2 : i / 2 % loops[i / 20000 % 8])
                              : far         ? ol_random_below(&seed, MERGED_PAGES)
                                            : i / 3000 * 17 + ol_random_below(&seed, near);
        pages[i] = (uint32_t)(page % MERGED_PAGES);
        counts[i] = ol_random_below(&seed, 50) ? 1 + (uint32_t)ol_random_below(&seed, 3) : UINT32_MAX - 1;
        written[i] = ol_random_below(&seed, 9) == 0;
    }
    for (uint32_t i = 0; i < MERGED_PAGES; i++) {
        pages[MERGED_LENGTH - 1 - i] = i;
        written[MERGED_LENGTH - 1 - i] = 1;
    }
}

static void test_opt_of_merged_trace(void **state)
{
    (void)state;
    static uint32_t pages[MERGED_LENGTH], counts[MERGED_LENGTH];
    static uint8_t written[MERGED_LENGTH];
    static const uint32_t frames[] = {2, 3, 7, 40, 100, 500, MERGED_PAGES};
    size_t shortest = MERGED_LENGTH;
    make_local(pages, counts, written);
    for (unsigned kind = 0; kind < 3; kind++) {
        const struct ol_batch trace = {.pages = pages,
                                       .counts = kind == 1 ? counts : NULL,
                                       .written = kind ? written : NULL,
                                       .count = MERGED_LENGTH,
                                       .pages_total = MERGED_PAGES};
        for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++) {
            size_t all, elements;
            const struct ol_ideal_counters right = opt_counters(&trace, frames[i], 0, &all);
            const uint32_t least = i % 2 ? frames[i] - frames[i] % 3 : frames[i];
            const struct ol_ideal_counters got = opt_counters(&trace, frames[i], least, &elements);
            assert_int_equal(all, MERGED_LENGTH);
            assert_int_equal(got.references, right.references);
            assert_int_equal(got.faults, right.faults);
            assert_int_equal(got.faults_first, right.faults_first);
            assert_int_equal(got.evictions, right.evictions);
            assert_int_equal(got.writebacks, right.writebacks);
            assert_int_equal(got.resident_sum, right.resident_sum);
            assert_int_equal(got.resident_peak, right.resident_peak);
            if (elements < shortest) shortest = elements;
        }
    }
    assert_true(shortest < 2 * MERGED_LENGTH / 3); /* some of it was merged; the first part never is */
}

/* The exact curve lies within the bound at 99 of 100 sizes, and the bound is no wider than it must be. */
static void test_sample(void **state)
{
    (void)state;
    enum { LENGTH = 400000, PAGES = 8192, RATE = OL_PAGE_SAMPLE_ONE / 8 };
    struct ol_shards *shards = ol_shards_create(RATE);
    struct ol_stack *stack = ol_stack_create();
    uint32_t *number = malloc(PAGES * sizeof(uint32_t)), known = 0, distance;
    uint64_t *histogram = calloc(PAGES + 1, sizeof(uint64_t)), seed = 9, faults = LENGTH, size = 0;
    assert_true(shards && stack && number && histogram);
    memset(number, 0xff, PAGES * sizeof(uint32_t));
    for (unsigned i = 0; i < LENGTH; i++) {
        uint32_t page = (uint32_t)ol_random_below(&seed, PAGES);
        if (ol_random_below(&seed, 3)) page = (uint32_t)ol_random_below(&seed, 1 + page / 4);
        assert_true(ol_stack_reference(stack, page, &distance));
        histogram[distance]++;
        if (!ol_shards_samples(shards, page)) {
            ol_shards_skip(shards, 1);
            continue;
        }
        if (number[page] == UINT32_MAX) number[page] = known++;
        assert_true(ol_shards_reference(shards, page, number[page], 1));
    }
    assert_int_equal(ol_shards_references(shards), LENGTH);
    assert_in_range(ol_shards_pages(shards), PAGES / 10, PAGES / 6);
    struct ol_shards_point point;
    unsigned points = 0, outside = 0;
    double width = 0;
    for (; ol_shards_point(shards, points, &point); points++) {
        while (size < point.size && size < PAGES) faults -= histogram[++size];
        const double exact = (double)faults / LENGTH;
        if (exact < point.least || exact > point.most) outside++;
        width += point.most - point.least;
    }
    assert_int_equal(points, ol_shards_pages(shards));
    assert_true(outside * 100 <= points);
    assert_true(width / points < 0.35);
    free(number);
    free(histogram);
    ol_shards_destroy(shards);
    ol_stack_destroy(stack);
}

/* --- samples of fixed size ---------------------------------------------------------------------------------------- */

/* Points of a sampled curve, and how many of them leave the exact curve outside their bound. */
struct verdict {
    unsigned points, outside;
    double width; /* mean, of the bound */
};

static void judge(const struct ol_shards_size *shards, const struct curves *curves, struct verdict *verdict)
{
    struct ol_shards_point point;
    uint64_t faults = curves->references, size = 0;
    double width = 0;
    uint32_t count = 0;
    for (; ol_shards_size_point(shards, count, &point); count++) {
        while (size < point.size && size < curves->pages) faults -= curves->lru[++size];
        const double exact = (double)faults / (double)curves->references;
        verdict->points++;
        verdict->outside += exact < point.least - 1e-12 || exact > point.most + 1e-12;
        width += point.most - point.least;
        assert_true(point.least <= point.ratio && point.ratio <= point.most);
    }
    verdict->width += width / count;
}

/* A sample of so many pages; `salt` is another hash. */
static void sample(const struct curves *curves, uint32_t pages_max, uint64_t salt, struct verdict *verdict)
{
    struct ol_shards_size *shards = ol_shards_size_create(pages_max);
    struct ol_batch batch;
    assert_non_null(shards);
    ol_future_batch(curves->trace, 0, SIZE_MAX, &batch);
    for (size_t i = 0; i < batch.count; i++) {
        const uint32_t times = batch.counts ? batch.counts[i] : 1;
        assert_true(ol_shards_size_reference(shards, batch.pages[i] + (salt << 32), times));
        if (i % 1000 == 0) assert_true(ol_shards_size_pages(shards) <= pages_max);
    }
    assert_int_equal(ol_shards_size_references(shards), curves->references);
    assert_true(ol_shards_size_finish(shards));
    if (curves->pages > pages_max) {
        assert_int_equal(ol_shards_size_pages(shards), pages_max);
        assert_true(ol_shards_size_rate(shards) < 1.5 * pages_max / curves->pages);
    }
    judge(shards, curves, verdict);
    ol_shards_size_destroy(shards);
}

/* As many pages as the trace has or more: the sample is the whole, and nothing is uncertain. */
static void test_whole(void **state)
{
    (void)state;
    struct curves curves;
    struct verdict verdict = {0};
    read_trace(OL_TEST_DATA "/perl.trace", &curves);
    sample(&curves, curves.pages, 0, &verdict);
    sample(&curves, 4096, 0, &verdict);
    assert_int_equal(verdict.outside, 0);
    assert_true(verdict.width < 1e-12);
    assert_true(verdict.points > curves.pages / 4);
    release(&curves);
}

/* Random pages with a hot part: the curve bends. */
static void make_trace(struct curves *curves, unsigned length, unsigned pages)
{
    uint32_t *number = malloc(pages * sizeof(uint32_t)), *page = malloc(length * sizeof(uint32_t)), known = 0;
    uint64_t seed = 9;
    assert_true(number && page);
    memset(number, 0xff, pages * sizeof(uint32_t));
    for (unsigned i = 0; i < length; i++) {
        uint32_t which = (uint32_t)ol_random_below(&seed, pages);
        if (ol_random_below(&seed, 3)) which = (uint32_t)ol_random_below(&seed, 1 + which / 4);
        if (number[which] == UINT32_MAX) number[which] = known++;
        page[i] = number[which];
    }
    const struct ol_batch batch = {.pages = page, .count = length, .pages_total = known};
    *curves = (struct curves){.trace = ol_future_create(0)};
    add(curves, &batch);
    count(curves);
    free(number);
    free(page);
}

/* 99 of 100 points have the exact curve within their bound, whatever the hash; and the bound is of use. */
static void test_sample_size(void **state)
{
    (void)state;
    struct curves curves;
    struct verdict random = {0}, recorded = {0};
    make_trace(&curves, 200000, 8192);
    for (uint64_t salt = 0; salt < 8; salt++) sample(&curves, 1024, salt, &random);
    release(&curves);
    assert_true(random.outside * 100 <= random.points);
    assert_true(random.width / 8 < 0.35);
    read_trace(OL_TEST_DATA "/perl.trace", &curves);
    for (uint64_t salt = 0; salt < 8; salt++) sample(&curves, 256, salt, &recorded);
    release(&curves);
    assert_true(recorded.outside * 100 <= recorded.points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),      cmocka_unit_test(test_large),
        cmocka_unit_test(test_recorded),    cmocka_unit_test(test_opt_of_merged_trace),
        cmocka_unit_test(test_sample),      cmocka_unit_test(test_whole),
        cmocka_unit_test(test_sample_size),
    };
    return cmocka_run_group_tests_name("curves", tests, NULL, NULL);
}
