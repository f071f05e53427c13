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
#include "trace/native.h"

enum { BATCH = 1000, MESSAGE_BYTES = 512, SHIFT = 12 };

static char path[] = "/tmp/onelevel-native-XXXXXX";
static const struct ol_trace_options options = {.page_shift = SHIFT, .last_va = 0x7fffffffffff, .events = true};

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

/* Adds up a trace so that the order counts, but not how runs are split. Of events, all. */
struct sum {
    uint64_t references, events, hash;
    struct ol_reference last;
};

static void add(struct sum *sum, const struct ol_reference *reference)
{
    const bool same = reference->event == OL_TRACE_REFERENCE && sum->last.event == OL_TRACE_REFERENCE &&
                      reference->va == sum->last.va && reference->access == sum->last.access &&
                      reference->thread == sum->last.thread;
    if (reference->event == OL_TRACE_REFERENCE) sum->references += reference->count;
    else sum->events++;
    const uint64_t where =
        reference->event == OL_TRACE_REFERENCE ? sum->references - reference->count : sum->references;
    if (!same)
        sum->hash = (sum->hash ^ (reference->va + where * 31 + reference->access * 7U + reference->thread * 13U +
                                  reference->event * 17U)) *
                    0x9e3779b97f4a7c15U;
    sum->last = *reference;
}

static enum ol_trace_status read_sum(size_t batch, struct sum *sum, char message[MESSAGE_BYTES])
{
    static struct ol_reference references[BATCH];
    struct ol_trace *trace;
    size_t count;
    *sum = (struct sum){0};
    message[0] = '\0';
    enum ol_trace_status status = ol_trace_open(path, &options, &trace, message, MESSAGE_BYTES);
    if (status != OL_TRACE_OK) return status;
    do {
        status = ol_trace_read(trace, references, batch, &count);
        for (size_t i = 0; i < count; i++) add(sum, &references[i]);
    } while (status == OL_TRACE_OK && count > 0);
    snprintf(message, MESSAGE_BYTES, "%s", ol_trace_message(trace));
    ol_trace_close(trace);
    return status;
}

/* A trace of `records` references and events, phrases and single ones, by several threads. */
static void write_random(uint64_t seed, uint32_t records, struct sum *sum)
{
    static const uint8_t accesses[] = {OL_READ, OL_WRITE, OL_EXEC};
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    uint64_t random = seed;
    uint32_t phrase = 0, block = 0, phrase_count = 0;
    struct ol_reference runs[8];
    uint16_t thread = 0;
    assert_non_null(writer);
    *sum = (struct sum){0};
    for (uint32_t i = 0; i < records; i++) {
        const uint64_t kind = ol_random_below(&random, 1000);
        if (kind == 0) ol_native_thread(writer, thread = (uint16_t)(ol_random_below(&random, 3)));
        if (kind == 1) {
            const struct ol_reference event = {
                .va = 0x7fff00000000, .event = (uint8_t)(1 + i % 3), .thread = thread, .count = i};
            ol_native_append(writer, &event);
            add(sum, &event);
        } else if (kind < 500 && block == writer->block) {
            for (uint32_t k = 0; k < phrase_count; k++) {
                runs[k].thread = thread;
                add(sum, &runs[k]);
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
                add(sum, &runs[k]);
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
            struct sum written, got;
            char message[MESSAGE_BYTES];
            write_random(i + 1, records[i], &written);
            assert_int_equal(read_sum(batch, &got, message), OL_TRACE_OK);
            assert_string_equal(message, "");
            assert_int_equal(got.references, written.references);
            assert_int_equal(got.events, written.events);
            assert_int_equal(got.hash, written.hash);
        }
    }
}

/* More tokens than a block may hold. */
static void test_repeated_phrases_fill_blocks(void **state)
{
    (void)state;
    enum { REPEATED = OL_NATIVE_TOKENS_MAX + 5 };
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    const struct ol_reference reference = {.va = 0x5000, .access = OL_READ, .count = 3};
    struct sum got;
    char message[MESSAGE_BYTES];
    for (int i = 0; i < REPEATED; i++) ol_native_append(writer, &reference);
    assert_true(writer->block >= 2);
    assert_true(ol_native_finish(writer));
    assert_int_equal(read_sum(BATCH, &got, message), OL_TRACE_OK);
    assert_int_equal(got.references, (uint64_t)3 * REPEATED);
}

/* The same phrase told again and again is written once in each block. */
static void test_a_phrase_is_written_once(void **state)
{
    (void)state;
    enum { TIMES = 100000, RUNS = 40 };
    struct ol_native_writer *const writer = ol_native_create(path, SHIFT);
    struct ol_reference runs[RUNS];
    struct sum got;
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
    assert_int_equal(read_sum(BATCH, &got, message), OL_TRACE_OK);
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
        struct sum got, written = {0};
        char message[MESSAGE_BYTES];
        for (uint32_t i = 0; i < TIMES; i++) {
            const struct ol_reference run = {
                .va = (ol_va)(1 + i % KINDS) << SHIFT, .access = OL_READ, .count = 1 + i % KINDS};
            const uint32_t phrase = ol_native_phrase(writer, &run, 1), block = writer->block;
            add(&written, &run);
            if (repeats && i % 2) {
                ol_native_repeat(writer, phrase);
                add(&written, &run);
            }
            assert_true(phrase < KINDS && block <= 3);
        }
        assert_int_equal(writer->block, repeats ? 3 : 2);
        assert_true(ol_native_finish(writer));
        assert_int_equal(read_sum(BATCH, &got, message), OL_TRACE_OK);
        assert_int_equal(got.references, written.references);
        assert_int_equal(got.hash, written.hash);
    }
}

/* What batches tell of references: pages of that size, and whether they are modified. */
static void add_page(struct sum *sum, uint64_t page, bool written, uint32_t count)
{
    const struct ol_reference one = {.va = page, .access = written ? OL_WRITE : OL_READ, .count = count};
    add(sum, &one);
}

/* Reads the trace as batches, and every `mixed`th time as references instead; both go on where the other stopped. */
static void read_batches(unsigned page_shift, unsigned mixed, struct sum *sum)
{
    static struct ol_reference references[BATCH];
    const struct ol_trace_options wanted = {.page_shift = page_shift, .last_va = UINT64_MAX};
    struct ol_numbering *const numbering = ol_numbering_create();
    struct ol_trace *trace;
    char message[MESSAGE_BYTES];
    uint32_t known = 0;
    size_t count = 1;
    *sum = (struct sum){0};
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
    struct sum references, batches, written;
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
        struct sum references, batches;
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

/* Writes references to pages of which a part is sampled, with phrases that come again. */
static void write_sampled(uint64_t seed, uint32_t records, unsigned shift, unsigned often)
{
    struct ol_native_writer *const writer = ol_native_create(path, shift);
    uint64_t sampled[200], random = seed;
    size_t known = 0;
    for (uint64_t page = 0; known < 200; page++)
        if (ol_page_sampled(page, OL_PAGE_SAMPLE_NATIVE)) sampled[known++] = page;
    for (uint32_t i = 0; i < records; i++) {
        struct ol_reference runs[5];
        const uint32_t count = 1 + (uint32_t)ol_random_below(&random, 5);
        for (uint32_t k = 0; k < count; k++) {
            const uint64_t page = ol_random_below(&random, often) ? ol_random_below(&random, 3000)
                                                                  : sampled[ol_random_below(&random, 200)];
            runs[k] = (struct ol_reference){.va = (page << (shift ? shift : 12)) +
                                                  (shift ? 0 : ol_random_below(&random, 4096)),
                                            .access = k % 2 ? OL_READ : OL_WRITE,
                                            .count = 1 + (uint32_t)ol_random_below(&random, 3)};
        }
        const uint32_t phrase = ol_native_phrase(writer, runs, count), block = writer->block;
        for (uint64_t again = ol_random_below(&random, 4); again && writer->block == block; again--)
            ol_native_repeat(writer, phrase);
    }
    assert_true(ol_native_finish(writer));
}

/* The sample holds what a choice from all references would, in several parts, too. */
static void test_the_sample_is_what_all_tell(void **state)
{
    (void)state;
    enum { MOST = 1 << 22 };
    static const struct {
        unsigned shift, often;
        uint32_t records;
    } cases[] = {{12, 50, 100}, {12, 2, 60000}, {0, 10, 20000}, {14, 10, 20000}, {12, 60, 150000}};
    struct run *const sample = malloc(MOST * sizeof *sample), *const chosen = malloc(MOST * sizeof *chosen);
    assert_true(sample && chosen);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const unsigned shift = cases[i].shift ? cases[i].shift : 12;
        uint64_t told, references;
        write_sampled(i + 1, cases[i].records, cases[i].shift, cases[i].often);
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
    struct sum written, got = {0};
    static struct ol_reference read[BATCH];
    char message[MESSAGE_BYTES];
    uint64_t told;
    size_t count;
    write_random(4, 1000, &written);
    assert_int_equal(ol_trace_open(path, &larger, &trace, message, sizeof message), OL_TRACE_OK);
    assert_false(ol_trace_sample(trace, &told));
    do {
        assert_int_equal(ol_trace_read(trace, read, BATCH, &count), OL_TRACE_OK);
        for (size_t i = 0; i < count; i++) add(&got, &read[i]);
    } while (count > 0);
    assert_int_equal(got.references, written.references);
    ol_trace_close(trace);
}

/* No two alike side by side. */
static uint64_t page_at(uint64_t i)
{
    return i % 1000 ? i % 7 : 10 + i / 1000;
}

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
    struct sum whole, got;
    size_t bytes;
    write_random(7, 20, &whole);
    assert_true(has_sample());
    free(read_file(&bytes));
    for (size_t cut = bytes - 1; cut > 0; cut--) {
        char message[MESSAGE_BYTES];
        assert_int_equal(truncate(path, (off_t)cut), 0);
        assert_int_equal(read_sum(BATCH, &got, message), OL_TRACE_E_READ);
        check_named(message);
        assert_non_null(strstr(message, "truncated"));
        assert_true(got.references <= whole.references);
    }
}

/* Whatever bit is flipped, it is noticed. */
static void test_every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct sum whole, got;
    size_t bytes;
    write_random(10, 20, &whole);
    assert_true(has_sample());
    unsigned char *const content = read_file(&bytes);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        char message[MESSAGE_BYTES];
        write_byte(bit / 8, (unsigned char)(content[bit / 8] ^ 1U << bit % 8));
        assert_int_not_equal(read_sum(BATCH, &got, message), OL_TRACE_OK);
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
    write_sampled(3, 60, SHIFT, 3);
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
    struct sum written;
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
        cmocka_unit_test(test_repeated_phrases_fill_blocks),
        cmocka_unit_test(test_a_phrase_is_written_once),
        cmocka_unit_test(test_numbers_of_phrases),
        cmocka_unit_test(test_batches_are_the_references),
        cmocka_unit_test(test_batches_of_single_runs),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_every_flipped_bit_is_noticed),
        cmocka_unit_test(test_pages_are_not_split),
        cmocka_unit_test(test_the_sample_is_what_all_tell),
        cmocka_unit_test(test_no_sample),
        cmocka_unit_test(test_damaged_samples),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
