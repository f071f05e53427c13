/* SPDX-License-Identifier: MIT */
/* The native format: where blocks end, what a phrase's number is good for, and how to get from block to block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/random.h"
#include "tests/support/trace_sum.h"
#include "trace/native.h"

enum { BATCH = OL_TRACE_SUM_BATCH_MAX, MESSAGE_BYTES = OL_TRACE_SUM_MESSAGE_BYTES, SHIFT = 12 };

static char path[] = "/tmp/onelevel-blocks-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

/* More tokens than a block may hold. */
static void test_repeated_phrases_fill_blocks(void **state)
{
    (void)state;
    enum { REPEATED = OL_NATIVE_TOKENS_MAX + 5 };
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    const struct ol_reference reference = {.va = 0x5000, .access = OL_READ, .count = 3};
    struct ol_trace_sum got;
    char message[MESSAGE_BYTES];
    for (int i = 0; i < REPEATED; i++) ol_native_append(writer, &reference);
    assert_true(writer->block >= 2);
    assert_true(ol_native_finish(writer));
    assert_int_equal(ol_trace_sum_read(path, BATCH, &got, message), OL_TRACE_OK);
    assert_int_equal(got.references, (uint64_t)3 * REPEATED);
}

/* The same phrase told again and again is written once in each block. */
static void test_a_phrase_is_written_once(void **state)
{
    (void)state;
    enum { TIMES = 100000, RUNS = 40 };
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    struct ol_reference runs[RUNS];
    struct ol_trace_sum got;
    char message[MESSAGE_BYTES];
    for (uint32_t i = 0; i < RUNS; i++)
        runs[i] = (struct ol_reference){.va = (ol_va)i * 0x7000, .access = OL_READ, .count = i + 1};
    const uint32_t phrase = ol_native_phrase(writer, runs, RUNS);
    for (int i = 1; i < TIMES; i++) {
        for (uint32_t k = 0; k < RUNS; k++) runs[k].va += 1; /* within its page */
        for (uint32_t k = 0; k < RUNS; k++) runs[k].thread = (uint16_t)(i % 7);
        assert_int_equal(ol_native_phrase(writer, runs, RUNS), phrase);
        if (i % 2) ol_native_phrase(writer, runs, RUNS - 1);
        for (uint32_t k = 0; k < RUNS && i % 4095 == 0; k++) runs[k].va &= ~(ol_va)0xfff;
    }
    assert_int_equal(writer->block, 1);
    assert_true(ol_native_finish(writer));
    assert_int_equal(ol_trace_sum_read(path, BATCH, &got, message), OL_TRACE_OK);
    const uint64_t all = RUNS * (RUNS + 1) / 2;
    assert_int_equal(got.references, all * TIMES + (all - RUNS) * (TIMES / 2));
}

/* The number of a phrase that the block had before is good in that block, and no other, wherever blocks end. */
static void test_numbers_of_phrases(void **state)
{
    (void)state;
    enum { TIMES = OL_NATIVE_TOKENS_MAX + OL_NATIVE_TOKENS_MAX / 2, KINDS = 3 };
    for (int repeats = 0; repeats < 2; repeats++) {
        struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
        struct ol_trace_sum got, written = {0};
        char message[MESSAGE_BYTES];
        for (uint32_t i = 0; i < TIMES; i++) {
            const struct ol_reference run = {
                .va = (ol_va)(1 + i % KINDS) << SHIFT, .access = OL_READ, .count = 1 + i % KINDS};
            const uint32_t phrase = ol_native_phrase(writer, &run, 1), block = writer->block;
            ol_trace_sum_add(&written, &run);
            if (repeats && i % 2) {
                ol_native_repeat(writer, phrase);
                ol_trace_sum_add(&written, &run);
            }
            assert_true(phrase < KINDS && block <= 3);
        }
        assert_int_equal(writer->block, repeats ? 3 : 2);
        assert_true(ol_native_finish(writer));
        assert_int_equal(ol_trace_sum_read(path, BATCH, &got, message), OL_TRACE_OK);
        assert_int_equal(got.references, written.references);
        assert_int_equal(got.hash, written.hash);
    }
}

/* Blocks that hold as many events, and as many phrases of one run, as there is room for; all of a thread that each
 * block tells. */
static void test_events_and_phrases_fill_blocks(void **state)
{
    (void)state;
    enum { TIMES = 20000, PAGES = OL_NATIVE_PHRASES_MAX + 1000, THREAD = 7 };
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    struct ol_trace_sum got, written = {0};
    char message[MESSAGE_BYTES];
    ol_native_thread(writer, THREAD);
    for (uint32_t i = 0; i < TIMES; i++) {
        const struct ol_reference event = {
            .va = UINT64_MAX - i, .event = OL_TRACE_UNMAP, .thread = THREAD, .count = UINT32_MAX};
        ol_native_append(writer, &event);
        ol_trace_sum_add(&written, &event);
    }
    const uint32_t block = writer->block;
    assert_in_range(block, 4, 6); /* of 64 KiB of events of 16 bytes */
    ol_native_end_block(writer);
    for (uint32_t i = 0; i < PAGES; i++) {
        const struct ol_reference one = {
            .va = (ol_va)i << SHIFT, .access = OL_READ, .thread = THREAD, .count = 1 + i % 40};
        ol_native_append(writer, &one);
        ol_trace_sum_add(&written, &one);
    }
    assert_int_equal(writer->block, block + 2);
    assert_true(ol_native_finish(writer));
    assert_int_equal(ol_trace_sum_read(path, BATCH, &got, message), OL_TRACE_OK);
    assert_int_equal(got.references, written.references);
    assert_int_equal(got.events, TIMES);
    assert_int_equal(got.hash, written.hash);
}

/* No two alike side by side. Two of them are in the sample, in turn, so that parts of it stand between blocks. */
static uint64_t page_at(uint64_t i)
{
    enum { SAMPLED = 104 }; /* and 0 */
    return i % 1000 == 0 ? 200 + i / 1000 : i % 7 == 3 ? SAMPLED : i % 7;
}

static const struct ol_trace_options options = {.page_shift = SHIFT, .last_va = 0x7fffffffffff};

/* From each place: what is not passed over is what is read from the beginning. */
static void test_seek(void **state)
{
    (void)state;
    enum { REFERENCES = 2 * OL_NATIVE_TOKENS_MAX + 1000 };
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    uint64_t random = 3;
    for (uint64_t i = 0; i < REFERENCES; i++) {
        const struct ol_reference one = {.va = page_at(i) << SHIFT, .access = OL_READ, .count = 1};
        ol_native_append(writer, &one);
    }
    assert_true(ol_native_finish(writer));
    assert_true(ol_page_sampled(page_at(3), OL_PAGE_SAMPLE_NATIVE) &&
                ol_page_sampled(page_at(7), OL_PAGE_SAMPLE_NATIVE));
    for (int i = 0; i < 20; i++) {
        const uint64_t wanted = i == 0 ? 0 : i == 1 ? REFERENCES : ol_random_below(&random, REFERENCES);
        struct ol_reference references[OL_TRACE_LINE_REFERENCES];
        struct ol_trace *trace;
        char message[MESSAGE_BYTES];
        uint64_t before;
        size_t count;
        assert_int_equal(ol_trace_open(path, &options, &trace, message, sizeof message), OL_TRACE_OK);
        assert_int_equal(ol_trace_seek(trace, wanted, &before), OL_TRACE_OK);
        assert_in_range(before, wanted > OL_NATIVE_TOKENS_MAX ? wanted - OL_NATIVE_TOKENS_MAX : 0, wanted);
        assert_true(wanted <= OL_NATIVE_TOKENS_MAX || before > 0);
        for (uint64_t at = before; at < REFERENCES; at += count) {
            assert_int_equal(ol_trace_read(trace, references, OL_TRACE_LINE_REFERENCES, &count), OL_TRACE_OK);
            assert_true(count > 0);
            for (uint64_t k = at; i < 4 && k < at + count; k++)
                assert_int_equal(references[k - at].va >> SHIFT, page_at(k));
        }
        assert_int_equal(ol_trace_read(trace, references, OL_TRACE_LINE_REFERENCES, &count), OL_TRACE_OK);
        assert_int_equal(count, 0);
        ol_trace_close(trace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated_phrases_fill_blocks),
        cmocka_unit_test(test_events_and_phrases_fill_blocks),
        cmocka_unit_test(test_a_phrase_is_written_once),
        cmocka_unit_test(test_numbers_of_phrases),
        cmocka_unit_test(test_seek),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
