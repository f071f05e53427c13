/* SPDX-License-Identifier: MIT */
/* The native format: what is written is read again, and every damage is noticed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/random.h"
#include "tests/support/trace_sum.h"
#include "trace/native.h"

enum { BATCH = OL_TRACE_SUM_BATCH_MAX, MESSAGE_BYTES = OL_TRACE_SUM_MESSAGE_BYTES, SHIFT = 12 };

static char path[] = "/tmp/onelevel-native-XXXXXX";

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

/* A trace of `records` references and events, phrases and single ones, by several threads. */
static void write_random(uint64_t seed, uint32_t records, struct ol_trace_sum *sum)
{
    static const uint8_t accesses[] = {OL_READ, OL_WRITE, OL_EXEC};
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    uint64_t random = seed;
    uint32_t phrase = 0, block = 0, phrase_count = 0;
    struct ol_reference runs[8];
    uint16_t thread = 0;
    assert_non_null(writer);
    *sum = (struct ol_trace_sum){0};
    for (uint32_t i = 0; i < records; i++) {
        const uint64_t kind = ol_random_below(&random, 1000);
        if (kind == 0) ol_native_thread(writer, thread = (uint16_t)(ol_random_below(&random, 3)));
        if (kind == 1) {
            const struct ol_reference event = {
                .va = 0x7fff00000000, .event = (uint8_t)(1 + i % 3), .thread = thread, .count = i};
            ol_native_append(writer, &event);
            ol_trace_sum_add(sum, &event);
        } else if (kind < 500 && block == writer->block) {
            for (uint32_t k = 0; k < phrase_count; k++) {
                runs[k].thread = thread;
                ol_trace_sum_add(sum, &runs[k]);
            }
            ol_native_repeat(writer, phrase);
        } else {
            phrase_count = 1 + (uint32_t)(ol_random_below(&random, 8));
            for (uint32_t k = 0; k < phrase_count; k++) {
                const uint64_t page = ol_random_below(&random, k % 2 ? 64 : 0x7ffffffff);
                runs[k] = (struct ol_reference){.va = page << SHIFT,
                                                .access = accesses[ol_random_below(&random, 3)],
                                                .thread = thread,
                                                .count = 1 + (uint32_t)(ol_random_below(&random, 70))};
                ol_trace_sum_add(sum, &runs[k]);
            }
            if (kind < 900) {
                phrase = ol_native_phrase(writer, runs, phrase_count);
                block = writer->block;
            } else {
                for (uint32_t k = 0; k < phrase_count; k++) ol_native_append(writer, &runs[k]);
                block = 0;
            }
        }
    }
    assert_true(ol_native_finish(writer));
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static const uint32_t records[] = {0, 1, 2, 1000, 300000};
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        for (size_t batch = OL_TRACE_LINE_REFERENCES; batch <= BATCH; batch += 357) {
            struct ol_trace_sum written, got;
            char message[MESSAGE_BYTES];
            write_random(i + 1, records[i], &written);
            assert_int_equal(ol_trace_sum_read(path, batch, &got, message), OL_TRACE_OK);
            assert_string_equal(message, "");
            assert_int_equal(got.references, written.references);
            assert_int_equal(got.events, written.events);
            assert_int_equal(got.hash, written.hash);
        }
    }
}

/* What batches tell of references: pages of that size, and whether they are modified. */
static void add_page(struct ol_trace_sum *sum, uint64_t page, bool written, uint32_t count)
{
    const struct ol_reference one = {.va = page, .access = written ? OL_WRITE : OL_READ, .count = count};
    ol_trace_sum_add(sum, &one);
}

/* Reads the trace as batches, and every `mixed`th time as references instead; both go on where the other stopped. */
static void read_batches(unsigned page_shift, unsigned mixed, struct ol_trace_sum *sum)
{
    static struct ol_reference references[BATCH];
    const struct ol_trace_options wanted = {.page_shift = page_shift, .last_va = UINT64_MAX};
    struct ol_numbering *const numbering = ol_numbering_create();
    struct ol_trace *trace;
    char message[MESSAGE_BYTES];
    uint32_t known = 0;
    size_t count = 1;
    *sum = (struct ol_trace_sum){0};
    assert_non_null(numbering);
    assert_int_equal(ol_trace_open(path, &wanted, &trace, message, sizeof message), OL_TRACE_OK);
    for (unsigned round = 1; count > 0; round++) {
        struct ol_batch batch = {0};
        if (mixed && round % mixed == 0) {
            assert_int_equal(ol_trace_read(trace, references, BATCH, &count), OL_TRACE_OK);
            for (size_t i = 0; i < count; i++)
                add_page(sum, references[i].va >> page_shift, references[i].access == OL_WRITE, references[i].count);
            continue;
        }
        assert_int_equal(ol_trace_read_batch(trace, numbering, &batch), OL_TRACE_OK);
        count = batch.count;
        assert_int_equal(batch.pages_total, ol_numbering_pages(numbering));
        for (size_t i = 0; i < count; i++) {
            assert_true(mixed || batch.pages[i] <= known); /* numbers in order of first reference */
            known += batch.pages[i] == known;
            add_page(sum, ol_numbering_page(numbering, batch.pages[i]), batch.written && batch.written[i],
                     batch.counts ? batch.counts[i] : 1);
        }
    }
    ol_trace_close(trace);
    ol_numbering_destroy(numbering);
}

static void test_batches_are_the_references(void **state)
{
    (void)state;
    struct ol_trace_sum references, batches, written;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const unsigned shift = seed % 2 ? SHIFT : SHIFT + 4;
        write_random(seed, seed < 4 ? 100 : 100000, &written);
        read_batches(shift, 1, &references);
        assert_int_equal(references.references, written.references);
        for (unsigned mixed = 0; mixed <= 3; mixed += 3) {
            read_batches(shift, mixed, &batches);
            assert_int_equal(batches.references, written.references);
            assert_int_equal(batches.hash, references.hash);
        }
    }
}

/* Blocks of which each phrase is one run are read in a way of their own: with numbers of 2 and of 4 bytes, and events.
 */
static void test_batches_of_single_runs(void **state)
{
    (void)state;
    for (uint32_t pages = 5; pages <= 500000; pages *= 100) {
        struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
        uint64_t random = pages;
        struct ol_trace_sum references, batches;
        for (int i = 0; i < 200000; i++) {
            const struct ol_reference one = {.va = ol_random_below(&random, pages) << SHIFT,
                                             .event = i % 1000 == 7 ? OL_TRACE_MAP : OL_TRACE_REFERENCE,
                                             .access = i % 5 == 0 ? OL_WRITE : OL_READ,
                                             .count = i % 7 == 0 ? 2 : 1};
            ol_native_append(writer, &one);
        }
        assert_true(ol_native_finish(writer));
        read_batches(SHIFT, 1, &references);
        read_batches(SHIFT, 0, &batches);
        assert_int_equal(batches.references, references.references);
        assert_int_equal(batches.hash, references.hash);
    }
}

/* --- the sample --------------------------------------------------------------------------------------------------- */

struct run {
    uint64_t page, count;
};

/* Adds a reference to the sequence in which those to a page that directly follow one another are one. */
static size_t add_run(struct run *runs, size_t count, const struct ol_reference *reference, unsigned shift)
{
    const uint64_t page = reference->va >> shift;
    if (count > 0 && runs[count - 1].page == page) runs[count - 1].count += reference->count;
    else runs[count++] = (struct run){page, reference->count};
    return count;
}

/* What the trace says of sampled pages: by its sample, or by all its references. Returns the number of runs. */
static size_t read_runs(bool by_sample, unsigned shift, struct run *runs, size_t max, uint64_t *references)
{
    static struct ol_reference read[BATCH];
    const struct ol_trace_options wanted = {.page_shift = shift, .last_va = UINT64_MAX};
    struct ol_trace *trace;
    char message[MESSAGE_BYTES];
    size_t count, kept = 0;
    uint64_t all = 0;
    assert_int_equal(ol_trace_open(path, &wanted, &trace, message, sizeof message), OL_TRACE_OK);
    if (by_sample) assert_true(ol_trace_sample(trace, references));
    do {
        assert_int_equal(ol_trace_read(trace, read, OL_TRACE_LINE_REFERENCES, &count), OL_TRACE_OK);
        for (size_t i = 0; i < count; i++) {
            const bool sampled = ol_page_sampled(read[i].va >> shift, OL_PAGE_SAMPLE_NATIVE);
            assert_true(sampled || !by_sample);
            all += read[i].count;
            assert_true(kept < max);
            if (sampled) kept = add_run(runs, kept, &read[i], shift);
        }
    } while (count > 0);
    if (!by_sample) *references = all;
    ol_trace_close(trace);
    return kept;
}

/* Writes references to pages of which a part is sampled: `pages` different ones, one time of `often`. Phrases come
 * again, unless often is 1. Pages of less than 4 KiB are part of such. */
static void write_sampled(uint64_t seed, uint32_t records, unsigned shift, unsigned often, uint32_t pages)
{
    const unsigned sample_shift = shift > SHIFT ? shift : SHIFT;
    struct ol_native_writer *const writer = ol_native_create(path, shift);
    uint64_t *const sampled = malloc(pages * sizeof *sampled), random = seed;
    size_t known = 0;
    assert_true(writer && sampled);
    for (uint64_t page = 0; known < pages; page++)
        if (ol_page_sampled(page, OL_PAGE_SAMPLE_NATIVE)) sampled[known++] = page;
    for (uint32_t i = 0; i < records; i++) {
        struct ol_reference runs[5];
        const uint32_t count = 1 + (uint32_t)ol_random_below(&random, 5);
        for (uint32_t k = 0; k < count; k++) {
            const uint64_t page = ol_random_below(&random, often) ? ol_random_below(&random, 3000)
                                                                  : sampled[ol_random_below(&random, pages)];
            runs[k] = (struct ol_reference){
                .va = (page << sample_shift) + (ol_random_below(&random, 4096) >> shift << shift),
                .access = k % 2 ? OL_READ : OL_WRITE,
                .count = ol_random_below(&random, 100) ? 1 + (uint32_t)ol_random_below(&random, 3) : UINT32_MAX - 1};
        }
        const uint32_t phrase = ol_native_phrase(writer, runs, count), block = writer->block;
        for (uint64_t again = often > 1 ? ol_random_below(&random, 4) : 0; again && writer->block == block; again--)
            ol_native_repeat(writer, phrase);
    }
    assert_true(ol_native_finish(writer));
    free(sampled);
}

/* The sample holds what a choice from all references would, in several parts, too. */
static void test_the_sample_is_what_all_tell(void **state)
{
    (void)state;
    enum { MOST = 1 << 22 };
    static const struct {
        unsigned shift, often;
        uint32_t records, pages;
    } cases[] = {{12, 50, 100, 200},   {12, 2, 60000, 200},   {0, 10, 20000, 200},   {9, 10, 20000, 200},
                 {14, 10, 20000, 200}, {12, 60, 150000, 200}, {12, 1, 60000, 200000}};
    struct run *const sample = malloc(MOST * sizeof *sample), *const chosen = malloc(MOST * sizeof *chosen);
    assert_true(sample && chosen);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const unsigned shift = cases[i].shift > SHIFT ? cases[i].shift : SHIFT;
        uint64_t told, references;
        write_sampled(i + 1, cases[i].records, cases[i].shift, cases[i].often, cases[i].pages);
        const size_t count = read_runs(true, shift, sample, MOST, &told);
        assert_int_equal(count, read_runs(false, shift, chosen, MOST, &references));
        assert_memory_equal(sample, chosen, count * sizeof *sample);
        assert_int_equal(told, references);
        assert_true(count > cases[i].records / 100);
    }
    free(sample);
    free(chosen);
}

/* Then the trace reads as if nobody had asked. */
static void test_no_sample(void **state)
{
    (void)state;
    const struct ol_trace_options larger = {.page_shift = SHIFT + 1, .last_va = UINT64_MAX};
    struct ol_trace *trace;
    struct ol_trace_sum written, got = {0};
    static struct ol_reference read[BATCH];
    char message[MESSAGE_BYTES];
    uint64_t told;
    size_t count;
    write_random(4, 1000, &written);
    assert_int_equal(ol_trace_open(path, &larger, &trace, message, sizeof message), OL_TRACE_OK);
    assert_false(ol_trace_sample(trace, &told));
    do {
        assert_int_equal(ol_trace_read(trace, read, BATCH, &count), OL_TRACE_OK);
        for (size_t i = 0; i < count; i++) ol_trace_sum_add(&got, &read[i]);
    } while (count > 0);
    assert_int_equal(got.references, written.references);
    ol_trace_close(trace);
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

static unsigned char *read_file(size_t *bytes)
{
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *bytes = (size_t)ftell(file);
    rewind(file);
    unsigned char *const content = malloc(*bytes);
    assert_non_null(content);
    assert_int_equal(fread(content, 1, *bytes, file), *bytes);
    fclose(file);
    return content;
}

/* Changes a byte of the file where it is: replacing files makes some file systems wait for the disk. */
static void write_byte(size_t at, unsigned char byte)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* Does the file have a part of a sample, for damage to hit? */
static bool has_sample(void)
{
    uint64_t told;
    struct ol_trace *trace;
    char message[MESSAGE_BYTES];
    const struct ol_trace_options plain = {.page_shift = SHIFT, .last_va = UINT64_MAX};
    assert_int_equal(ol_trace_open(path, &plain, &trace, message, sizeof message), OL_TRACE_OK);
    const bool has = ol_trace_sample(trace, &told);
    ol_trace_close(trace);
    return has;
}

static void check_named(const char *message)
{
    assert_memory_equal(message, path, strlen(path));
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    struct ol_trace_sum whole, got;
    size_t bytes;
    write_random(7, 20, &whole);
    assert_true(has_sample());
    free(read_file(&bytes));
    for (size_t cut = bytes - 1; cut > 0; cut--) {
        char message[MESSAGE_BYTES];
        assert_int_equal(truncate(path, (off_t)cut), 0);
        assert_int_equal(ol_trace_sum_read(path, BATCH, &got, message), OL_TRACE_E_READ);
        check_named(message);
        assert_non_null(strstr(message, "truncated"));
        assert_true(got.references <= whole.references);
    }
}

/* Whatever bit is flipped, it is noticed. */
static void test_every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct ol_trace_sum whole, got;
    size_t bytes;
    write_random(10, 20, &whole);
    assert_true(has_sample());
    unsigned char *const content = read_file(&bytes);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        char message[MESSAGE_BYTES];
        write_byte(bit / 8, (unsigned char)(content[bit / 8] ^ 1U << bit % 8));
        assert_int_not_equal(ol_trace_sum_read(path, BATCH, &got, message), OL_TRACE_OK);
        check_named(message);
        write_byte(bit / 8, content[bit / 8]);
    }
    free(content);
}

/* Of a damaged sample there is a message, or it is the sample; never other references. */
static void test_damaged_samples(void **state)
{
    (void)state;
    enum { MOST = 1 << 12 };
    static struct run right[MOST], got[MOST];
    static struct ol_reference read[BATCH];
    const struct ol_trace_options plain = {.page_shift = SHIFT, .last_va = UINT64_MAX};
    uint64_t told;
    size_t bytes;
    unsigned noticed = 0;
    write_sampled(3, 60, SHIFT, 3, 200);
    const size_t good = read_runs(true, SHIFT, right, MOST, &told);
    unsigned char *const content = read_file(&bytes);
    for (size_t bit = OL_NATIVE_FILE_HEADER_BYTES * 8; bit < bytes * 8; bit++) {
        struct ol_trace *trace;
        char message[MESSAGE_BYTES];
        size_t count = 0, runs = 0;
        enum ol_trace_status status = OL_TRACE_OK;
        write_byte(bit / 8, (unsigned char)(content[bit / 8] ^ 1U << bit % 8));
        assert_int_equal(ol_trace_open(path, &plain, &trace, message, sizeof message), OL_TRACE_OK);
        if (ol_trace_sample(trace, &told)) {
            do {
                status = ol_trace_read(trace, read, BATCH, &count);
                for (size_t i = 0; i < count; i++) runs = add_run(got, runs, &read[i], SHIFT);
            } while (status == OL_TRACE_OK && count > 0);
            assert_true(status != OL_TRACE_OK || runs == good);
            assert_memory_equal(got, right, runs * sizeof *got);
            if (status != OL_TRACE_OK) check_named(ol_trace_message(trace));
        }
        noticed += status != OL_TRACE_OK;
        ol_trace_close(trace);
        write_byte(bit / 8, content[bit / 8]);
    }
    assert_true(noticed > 500);
    free(content);
}

static void test_pages_are_not_split(void **state)
{
    (void)state;
    struct ol_trace_sum written;
    struct ol_trace *trace;
    char message[MESSAGE_BYTES];
    const struct ol_trace_options small = {.page_shift = 9, .last_va = 0x7fffffffffff};
    write_random(9, 5, &written);
    assert_int_equal(ol_trace_open(path, &small, &trace, message, sizeof message), OL_TRACE_E_FORMAT);
    assert_non_null(strstr(message, "record it with --addresses"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_batches_are_the_references),
        cmocka_unit_test(test_batches_of_single_runs),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_every_flipped_bit_is_noticed),
        cmocka_unit_test(test_pages_are_not_split),
        cmocka_unit_test(test_the_sample_is_what_all_tell),
        cmocka_unit_test(test_no_sample),
        cmocka_unit_test(test_damaged_samples),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
