/* SPDX-License-Identifier: MIT */
/*
 * Files of the native format whose checksums are right and whose contents are not, as nobody writes them by accident:
 * readers notice, and ask for no memory that the file does not justify.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "tests/support/sanitized.h"
#include "trace/native.h"
#include "trace/native_sampler.h"

enum { ROOM = 1 << 12, MESSAGE_BYTES = 256, SHIFT = 12, STREAMS = 5 };

static char path[] = "/tmp/onelevel-forged-XXXXXX";

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

struct file {
    unsigned char bytes[ROOM];
    size_t used;
};

static void begin(struct file *file)
{
    *file = (struct file){.bytes = OL_NATIVE_MAGIC, .used = OL_NATIVE_FILE_HEADER_BYTES};
    ol_put32(file->bytes + 8, OL_NATIVE_VERSION);
    ol_put32(file->bytes + 12, SHIFT);
    ol_put32(file->bytes + 20, (uint32_t)crc32(0, file->bytes, 20));
}

static void put_section(struct file *file, uint32_t magic, const unsigned char *raw, size_t bytes, uint64_t references,
                        uint64_t before)
{
    unsigned char *const at = file->bytes + file->used;
    const size_t head = OL_NATIVE_BLOCK_HEADER_BYTES;
    const size_t packed = ZSTD_compress(at + head, ROOM - file->used - head, raw, bytes, 1);
    assert_false(ZSTD_isError(packed));
    ol_put32(at, magic);
    ol_put32(at + 8, (uint32_t)packed);
    ol_put32(at + 12, (uint32_t)bytes);
    ol_put64(at + 16, references);
    ol_put64(at + 24, before);
    ol_put32(at + 4, (uint32_t)crc32(0, at + 8, (uInt)(head - 8 + packed)));
    file->used += head + packed;
}

/* Appends the index and the trailer, and stores the file. */
static void end(struct file *file, const unsigned char *index, size_t bytes, uint64_t references, uint64_t samples)
{
    const uint64_t offset = file->used;
    put_section(file, OL_NATIVE_INDEX, index, bytes, references, samples);
    unsigned char *const trailer = file->bytes + file->used;
    assert_true(file->used + OL_NATIVE_TRAILER_BYTES <= ROOM);
    ol_put64(trailer, offset);
    ol_put32(trailer + 8, (uint32_t)crc32(0, trailer, 8));
    ol_put32(trailer + 12, OL_NATIVE_TRAILER);
    file->used += OL_NATIVE_TRAILER_BYTES;
    FILE *const out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file->bytes, 1, file->used, out), file->used);
    assert_int_equal(fclose(out), 0);
}

/* Reads the trace, or its sample, to the end; adds up its references. */
static enum ol_trace_status read_file(bool sample, ol_va last_va, uint64_t *references, char message[MESSAGE_BYTES])
{
    const struct ol_trace_options options = {.page_shift = SHIFT, .last_va = last_va};
    struct ol_reference read[OL_TRACE_LINE_REFERENCES];
    enum ol_trace_status status;
    struct ol_trace *trace;
    uint64_t told;
    size_t count;
    *references = 0;
    assert_int_equal(ol_trace_open(path, &options, &trace, message, MESSAGE_BYTES), OL_TRACE_OK);
    if (sample) assert_true(ol_trace_sample(trace, &told));
    do {
        status = ol_trace_read(trace, read, OL_TRACE_LINE_REFERENCES, &count);
        for (size_t i = 0; i < count; i++) *references += read[i].count;
    } while (status == OL_TRACE_OK && count > 0);
    snprintf(message, MESSAGE_BYTES, "%s", ol_trace_message(trace));
    ol_trace_close(trace);
    return status;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

/* One phrase of two runs, a read of page 3 by its distance and 40 of page 0 by its rank; in a stream there may be a
 * byte too many. */
static void write_block(int longer)
{
    static const unsigned char bytes[STREAMS] = {1, 2, 1, 2, 1},
                               contents[STREAMS][3] = {{2}, {4, 0xfc}, {39}, {0, 1}, {6}};
    unsigned char raw[64] = {0}, index[OL_NATIVE_INDEX_ENTRY_BYTES] = {OL_NATIVE_FILE_HEADER_BYTES};
    unsigned char *at = raw + OL_NATIVE_SECTIONS_BYTES;
    struct file file;
    for (int i = 0; i < STREAMS; i++) {
        const size_t count = bytes[i] + (i == longer ? 1U : 0U);
        ol_put32(raw + 4 * (size_t)i, (uint32_t)count);
        memcpy(at, contents[i], count);
        at += count;
    }
    ol_put32(raw + 24, 1); /* token: the phrase */
    ol_put32(raw + 28, 2);
    begin(&file);
    put_section(&file, OL_NATIVE_BLOCK, raw, (size_t)(at + 2 - raw), 41, 0);
    end(&file, index, sizeof index, 41, 0);
}

static void test_blocks(void **state)
{
    (void)state;
    uint64_t references;
    char message[MESSAGE_BYTES];
    write_block(-1);
    assert_int_equal(read_file(false, UINT64_MAX, &references, message), OL_TRACE_OK);
    assert_int_equal(references, 41);
    assert_int_equal(read_file(false, 0x2fff, &references, message), OL_TRACE_E_FORMAT); /* beyond the last page */
    for (int stream = 0; stream < STREAMS; stream++) {
        write_block(stream);
        assert_int_equal(read_file(false, UINT64_MAX, &references, message), OL_TRACE_E_FORMAT);
        assert_non_null(strstr(message, "make no sense"));
    }
}

/* --- the sample --------------------------------------------------------------------------------------------------- */

struct sample {
    uint8_t pages, counts; /* bytes of them; 2 and 1 are right */
    uint64_t all;          /* references of the trace; at least 5 is right */
    bool astray;           /* the index names the block instead */
};

/* A block that cannot be read, and a sample of 5 references to page 104. */
static void write_sample(const struct sample *sample)
{
    unsigned char raw[64] = {0}, index[2 * OL_NATIVE_INDEX_ENTRY_BYTES] = {OL_NATIVE_FILE_HEADER_BYTES};
    struct file file;
    begin(&file);
    put_section(&file, OL_NATIVE_BLOCK, raw, 1, sample->all, 0);
    file.bytes[file.used - 1] ^= 1;
    ol_put64(index + OL_NATIVE_INDEX_ENTRY_BYTES, sample->astray ? OL_NATIVE_FILE_HEADER_BYTES : file.used);
    ol_put32(raw, sample->pages);
    ol_put32(raw + 4, sample->counts);
    ol_put32(raw + 8, 1);
    ol_put32(raw + 12, 2);
    raw[OL_NATIVE_SAMPLE_SECTIONS_BYTES] = 2 * 104 % 128 + 128;
    raw[OL_NATIVE_SAMPLE_SECTIONS_BYTES + 1] = 2 * 104 / 128;
    raw[OL_NATIVE_SAMPLE_SECTIONS_BYTES + sample->pages] = 4;
    put_section(&file, OL_NATIVE_SAMPLE, raw,
                OL_NATIVE_SAMPLE_SECTIONS_BYTES + (size_t)sample->pages + sample->counts + 2, 5, 0);
    end(&file, index, sizeof index, sample->all, 1);
}

static void test_samples(void **state)
{
    (void)state;
    static const struct {
        struct sample sample;
        const char *message;
    } wrong[] = {
        {{.pages = 3, .counts = 1, .all = 7}, "make no sense"},
        {{.pages = 2, .counts = 2, .all = 7}, "make no sense"},
        {{.pages = 2, .counts = 1, .all = 4}, "more references than the trace"},
        {{.pages = 2, .counts = 1, .all = 7, .astray = true}, "where there is none"},
    };
    uint64_t references;
    char message[MESSAGE_BYTES];
    write_sample(&(struct sample){.pages = 2, .counts = 1, .all = 5});
    assert_int_equal(read_file(true, UINT64_MAX, &references, message), OL_TRACE_OK);
    assert_int_equal(references, 5);
    assert_int_equal(read_file(true, 0x67fff, &references, message), OL_TRACE_E_FORMAT); /* beyond the last page */
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_sample(&wrong[i].sample);
        assert_int_equal(read_file(true, UINT64_MAX, &references, message), OL_TRACE_E_FORMAT);
        assert_int_equal(references, 0);
        assert_non_null(strstr(message, wrong[i].message));
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* An index of more sections than the file has room for, a few bytes before they are decompressed. */
static void test_index_larger_than_the_file(void **state)
{
    (void)state;
    enum { BYTES = 1 << 24 };
    const struct ol_trace_options options = {.page_shift = SHIFT, .last_va = UINT64_MAX};
    unsigned char *const index = calloc(1, BYTES);
    static struct file file;
    struct ol_trace *trace;
    uint64_t told;
    char message[MESSAGE_BYTES];
    assert_non_null(index);
    begin(&file);
    end(&file, index, BYTES, 1, BYTES / OL_NATIVE_INDEX_ENTRY_BYTES);
    free(index);
    assert_int_equal(ol_trace_open(path, &options, &trace, message, sizeof message), OL_TRACE_OK);
    assert_false(ol_trace_sample(trace, &told));
    ol_trace_close(trace);
    assert_int_equal(read_file(false, UINT64_MAX, &told, message), OL_TRACE_E_FORMAT);
    assert_non_null(strstr(message, "another number of blocks"));
}

/* Without memory what was taken is lost, but there is room for what is taken next. */
static void test_sampler_without_memory(void **state)
{
    (void)state;
    if (OL_SANITIZED) skip(); /* sanitizers need memory themselves */
    struct rlimit before, none;
    struct ol_native_sampler *const sampler = ol_native_sampler_create(SHIFT);
    assert_non_null(sampler);
    for (uint32_t i = 0; sampler->next != sampler->full; i++)
        ol_native_sampler_add(sampler, (ol_va)(i % 2) << SHIFT, 1);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    const bool lost = !ol_native_sampler_take(sampler);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_true(lost);
    assert_true(sampler->next < sampler->full);
    const struct ol_native_sample_section *const next = ol_native_sampler_take(sampler);
    assert_non_null(next);
    assert_int_equal(next->references, 0);
    ol_native_sampler_destroy(sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_index_larger_than_the_file),
        cmocka_unit_test(test_sampler_without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
