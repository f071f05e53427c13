/* SPDX-License-Identifier: MIT */
/* The compressed store: contents, the bounds on its memory, and what it does when there is none. */
#include "pager/compressed.h"

#include "tests/unit/test_pager_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lz4.h>
#include <zstd.h>

enum { SLAB_BYTES = 4 * MODEL_PAGE_BYTES };

static unsigned level; /* what differs with the codec is tested with Zstandard, too */

/* Stands before the library's: decompresses, and on demand says that a byte less came out. */
static bool decompression_fails;

int LZ4_decompress_safe(const char *source, char *target, int bytes, int room)
{
    const int result = LZ4_decompress_safe_partial(source, target, bytes, room, room);
    return decompression_fails ? result - 1 : result;
}

size_t ZSTD_decompressDCtx(ZSTD_DCtx *context, void *target, size_t room, const void *source, size_t bytes)
{
    const size_t result = ZSTD_decompress_usingDict(context, target, room, source, bytes, NULL, 0);
    return decompression_fails ? result - 1 : result;
}

/* A source of memory with a bound. Only one thread at a time calls it: the pager's lock is held. */
struct source {
    uint64_t taken, taken_peak, bound;
    bool wrong; /* more was given back than taken */
};

static bool source_take(void *context, uint32_t pages)
{
    struct source *source = context;
    if (source->taken + pages > source->bound) return false;
    source->taken += pages;
    if (source->taken > source->taken_peak) source->taken_peak = source->taken;
    return true;
}

static void source_give(void *context, uint32_t pages)
{
    struct source *source = context;
    if (pages > source->taken) source->wrong = true;
    source->taken -= pages;
}

static struct ol_pager *create(uint32_t capacity, uint64_t max_store_bytes, struct source *source, bool keep)
{
    struct ol_compressed_options options = {.page_bytes = MODEL_PAGE_BYTES,
                                            .capacity = capacity,
                                            .max_store_bytes = max_store_bytes,
                                            .level = level,
                                            .keep_incompressible = keep};
    struct ol_pager *pager = NULL;
    if (source) options.budget = (struct ol_store_budget){source, source_take, source_give};
    assert_int_equal(ol_compressed_create(&options, &pager), OL_OK);
    assert_non_null(pager);
    return pager;
}

static struct ol_compressed_statistics statistics_of(struct ol_pager *pager)
{
    struct ol_compressed_statistics statistics;
    ol_compressed_statistics(pager, &statistics);
    return statistics;
}

static void test_bad_options_are_refused(void **state)
{
    static const struct ol_compressed_options good = {
        .page_bytes = MODEL_PAGE_BYTES, .capacity = 8, .max_store_bytes = SLAB_BYTES};
    struct ol_compressed_options options;
    struct ol_pager *pager;
    (void)state;
    static const uint32_t bad_page_bytes[] = {0, 512, 4095, 6144, 32768};
    for (size_t i = 0; i < sizeof bad_page_bytes / sizeof *bad_page_bytes; i++) {
        options = good;
        options.page_bytes = bad_page_bytes[i];
        assert_int_equal(ol_compressed_create(&options, &pager), OL_E_INVALID);
    }
    options = good;
    options.level = OL_CODEC_LEVEL_MAX + 1;
    assert_int_equal(ol_compressed_create(&options, &pager), OL_E_INVALID);
    options = good;
    options.capacity = 0;
    assert_int_equal(ol_compressed_create(&options, &pager), OL_E_INVALID);
    options = good;
    options.max_store_bytes = SLAB_BYTES - 1;
    assert_int_equal(ol_compressed_create(&options, &pager), OL_E_INVALID);
    options.max_store_bytes = UINT64_MAX;
    assert_int_equal(ol_compressed_create(&options, &pager), OL_E_INVALID);
    options.max_store_bytes = (UINT64_C(1) << 44) + SLAB_BYTES;
    assert_int_equal(ol_compressed_create(&options, &pager), OL_E_INVALID);
    options.max_store_bytes = UINT64_C(1) << 44; /* the most; there may be no room for so much */
    options.capacity = UINT32_MAX;
    const enum ol_status status = ol_compressed_create(&options, &pager);
    assert_true(status == OL_OK || status == OL_E_NO_META);
    if (status == OL_OK) pager->ops->close(pager);
}

static void test_every_kind_comes_back(void **state)
{
    struct ol_pager *pager = create(PAGE_KINDS, 1 << 20, NULL, true);
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    (void)state;
    for (unsigned kind = 0; kind < PAGE_KINDS; kind++) {
        page_make(page, (enum page_kind)kind, 7);
        assert_int_equal(page_write(pager, kind, page), OL_OK);
        assert_false(pager->ops->keep(pager, kind));
    }
    for (unsigned kind = 0; kind < PAGE_KINDS; kind++) {
        page_make(page, (enum page_kind)kind, 7);
        memset(got, 0xee, sizeof got);
        assert_int_equal(page_read(pager, kind, got), OL_OK);
        assert_memory_equal(page, got, sizeof page);
    }
    const struct ol_compressed_statistics statistics = statistics_of(pager);
    assert_int_equal(statistics.same_pages, 2);
    assert_int_equal(statistics.pages, 3);
    assert_int_equal(statistics.in_pages, 3);
    assert_int_equal(statistics.in_bytes, statistics.bytes);
    assert_int_equal(statistics.refused, 0);
    assert_true(statistics.bytes > MODEL_PAGE_BYTES && statistics.bytes / MODEL_PAGE_BYTES < 3);
    assert_int_equal(statistics.store_bytes / SLAB_BYTES, 3); /* three sizes of objects */
    assert_int_equal(pager->ops->flush(pager), OL_OK);
    pager->ops->close(pager);
}

/* A page that is almost one word must not be taken for it, wherever it differs. */
static void test_almost_one_word(void **state)
{
    struct ol_pager *pager = create(1, 1 << 20, NULL, false);
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    (void)state;
    for (unsigned at = 0; at < MODEL_PAGE_BYTES; at++) {
        page_make(page, PAGE_WORD, 99);
        page[at] ^= 1;
        assert_int_equal(page_write(pager, 0, page), OL_OK);
        assert_int_equal(statistics_of(pager).same_pages, 0);
        assert_int_equal(page_read(pager, 0, got), OL_OK);
        assert_memory_equal(page, got, sizeof page);
    }
    pager->ops->close(pager);
}

/* A word takes a number while it is held, and no more numbers are ever used than words are held at a time. */
static void test_words_are_given_back(void **state)
{
    enum { WORDS = 8 };
    struct ol_pager *pager = create(WORDS, 1 << 20, NULL, false);
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    uint64_t metadata_bytes = 0;
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        for (ol_slot slot = 0; slot < WORDS; slot++) {
            page_make(page, PAGE_WORD, round * WORDS + slot);
            assert_int_equal(page_write(pager, slot, page), OL_OK);
            if (round % 2) pager->ops->discard(pager, WORDS - 1 - slot);
        }
        if (round == 0) metadata_bytes = statistics_of(pager).metadata_bytes;
        assert_int_equal(statistics_of(pager).metadata_bytes, metadata_bytes);
    }
    for (ol_slot slot = 0; slot < WORDS; slot++) {
        page_make(page, PAGE_WORD, 4 * WORDS + slot);
        assert_int_equal(page_read(pager, slot, got), OL_OK);
        assert_memory_equal(page, got, sizeof page);
    }
    pager->ops->close(pager);
}

/* Every compressed size that there is; and the store wastes less than a tenth on them. */
static void test_every_size(void **state)
{
    enum { SIZES = 3000, SLOTS = 3 * SIZES };
    struct ol_pager *pager = create(SLOTS, 64 << 20, NULL, false);
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    (void)state;
    for (ol_slot slot = 0; slot < SLOTS; slot++) {
        page_make_mixed(page, slot % SIZES, slot);
        assert_int_equal(page_write(pager, slot, page), OL_OK);
    }
    for (ol_slot slot = 0; slot < SLOTS; slot++) {
        page_make_mixed(page, slot % SIZES, slot);
        assert_int_equal(page_read(pager, slot, got), OL_OK);
        assert_memory_equal(page, got, sizeof page);
    }
    const struct ol_compressed_statistics statistics = statistics_of(pager);
    assert_int_equal(statistics.pages + statistics.same_pages, SLOTS);
    assert_true(statistics.store_bytes >= statistics.bytes);
    assert_true(statistics.store_bytes - statistics.bytes < statistics.bytes / 10);
    assert_true(statistics.metadata_bytes > UINT64_C(5) * SLOTS && statistics.metadata_bytes < UINT64_C(16) * SLOTS);
    pager->ops->close(pager);
}

static void test_incompressible_pages(void **state)
{
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct ol_pager *pager = create(2, 1 << 20, NULL, keep);
        page_make(page, PAGE_TEXT, 1);
        assert_int_equal(page_write(pager, 0, page), OL_OK);
        page_make_mixed(page, 3200, 2); /* compresses, but not to 3/4 */
        assert_int_equal(page_write(pager, 0, page), keep ? OL_OK : OL_E_NO_SWAP);
        assert_int_equal(page_read(pager, 0, got), keep ? OL_OK : OL_E_IO); /* the text is gone in any case */
        if (keep) assert_memory_equal(page, got, sizeof page);
        assert_int_equal(statistics_of(pager).pages, keep);
        assert_int_equal(statistics_of(pager).bytes, keep ? MODEL_PAGE_BYTES : 0);
        assert_int_equal(statistics_of(pager).refused, !keep);
        pager->ops->close(pager);
    }
}

static void test_the_store_is_bounded(void **state)
{
    struct source source = {.bound = UINT64_MAX};
    struct ol_pager *pager = create(64, 4 * SLAB_BYTES + 100, &source, true);
    char page[MODEL_PAGE_BYTES];
    (void)state;
    for (ol_slot slot = 0; slot < 20; slot++) {
        page_make(page, PAGE_RANDOM, slot);
        assert_int_equal(page_write(pager, slot, page), slot < 16 ? OL_OK : OL_E_NO_SWAP);
    }
    assert_int_equal(source.taken, 16);
    assert_int_equal(statistics_of(pager).refused, 4);
    page_make(page, PAGE_WORD, 5); /* needs no store */
    assert_int_equal(page_write(pager, 40, page), OL_OK);
    page_make(page, PAGE_TEXT, 5); /* smaller, yet there is no room at all */
    assert_int_equal(page_write(pager, 41, page), OL_E_NO_SWAP);
    pager->ops->discard(pager, 3); /* room in an object that is larger than needed */
    assert_int_equal(page_write(pager, 41, page), OL_OK);
    for (ol_slot slot = 0; slot < 16; slot++) {
        char got[MODEL_PAGE_BYTES];
        if (slot == 3) continue;
        page_make(page, PAGE_RANDOM, slot);
        assert_int_equal(page_read(pager, slot, got), OL_OK);
        assert_memory_equal(page, got, sizeof page);
    }
    pager->ops->close(pager);
}

static void test_the_budget_may_refuse(void **state)
{
    struct source source = {.bound = 3};
    struct ol_pager *pager = create(8, 1 << 20, &source, false);
    char page[MODEL_PAGE_BYTES];
    (void)state;
    page_make(page, PAGE_TEXT, 1);
    assert_int_equal(page_write(pager, 0, page), OL_E_NO_SWAP);
    assert_int_equal(page_read(pager, 0, page), OL_E_IO);
    assert_int_equal(statistics_of(pager).store_bytes, 0);
    source.bound = 4;
    assert_int_equal(page_write(pager, 0, page), OL_OK);
    assert_int_equal(source.taken, 4);
    pager->ops->close(pager);
}

static long resident_bytes(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

/* Memory is given back: to the budget, to the last slab but the spare, and to the operating system. */
static void test_memory_is_given_back(void **state)
{
    enum { PAGES = 4096 };
    struct source source = {.bound = UINT64_MAX};
    struct ol_pager *pager = create(PAGES, 64 << 20, &source, true);
    char page[MODEL_PAGE_BYTES];
    (void)state;
    for (int round = 0; round < 2; round++) {
        const uint64_t taken = source.taken;
        for (ol_slot slot = 0; slot < PAGES; slot++) {
            page_make(page, PAGE_RANDOM, slot);
            assert_int_equal(page_write(pager, slot, page), OL_OK);
        }
        const long full = resident_bytes();
        assert_int_equal(source.taken, PAGES);
        assert_int_equal(taken, round == 0 ? 0 : 4);
        for (ol_slot slot = 0; slot < PAGES; slot++) pager->ops->discard(pager, slot * 5 % PAGES);
        assert_int_equal(source.taken, 4);
        assert_false(source.wrong);
        assert_int_equal(statistics_of(pager).store_bytes, SLAB_BYTES);
        assert_true(full - resident_bytes() > 7L * MODEL_PAGE_BYTES * PAGES / 8);
    }
    assert_int_equal(statistics_of(pager).pages, 0);
    assert_int_equal(statistics_of(pager).bytes, 0);
    pager->ops->close(pager);
}

/* New pages fill nearly full slabs, so that nearly empty ones can be given back. */
static void test_nearly_empty_slabs_are_spared(void **state)
{
    static const ol_slot discarded[] = {8, 9, 10, 11, 4, 0, 1, 2};
    struct source source = {.bound = UINT64_MAX};
    struct ol_pager *pager = create(16, 1 << 20, &source, true);
    char page[MODEL_PAGE_BYTES];
    (void)state;
    page_make(page, PAGE_RANDOM, 1);
    for (ol_slot slot = 0; slot < 12; slot++) assert_int_equal(page_write(pager, slot, page), OL_OK);
    for (size_t i = 0; i < sizeof discarded / sizeof *discarded; i++) pager->ops->discard(pager, discarded[i]);
    assert_int_equal(source.taken, 12);
    assert_int_equal(page_write(pager, 12, page), OL_OK); /* beside 5, 6 and 7, not beside 3 */
    pager->ops->discard(pager, 3);
    assert_int_equal(source.taken, 8); /* one full, and the spare */
    pager->ops->close(pager);
}

static void test_random_use_agrees_with_the_model(void **state)
{
    enum { STORE_BYTES = 384 << 10 };
    static const uint64_t bounds[] = {4, 64, 95, UINT64_MAX};
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct source source = {.bound = bounds[i / 2]};
        struct ol_pager *pager = create(600, STORE_BYTES, &source, i % 2);
        struct pager_model model;
        model_init(&model, pager, 0, 600, i);
        for (unsigned steps = 0; steps < 400; steps++) {
            assert_true(model_step(&model));
            const struct ol_compressed_statistics statistics = statistics_of(pager);
            assert_int_equal(statistics.store_bytes, source.taken * MODEL_PAGE_BYTES);
            assert_true(statistics.bytes <= statistics.store_bytes);
            assert_int_equal(statistics.pages + statistics.same_pages, model_pages(&model));
            assert_int_equal(statistics.refused, model.no_swap);
        }
        assert_true(model_verify(&model));
        assert_true(source.taken_peak <= source.bound && source.taken_peak <= STORE_BYTES / MODEL_PAGE_BYTES);
        assert_true(model.no_swap > 0);
        model_discard_all(&model);
        assert_true(source.taken <= 4 && !source.wrong);
        model_free(&model);
        pager->ops->close(pager);
    }
}

static void test_two_threads(void **state)
{
    struct source source = {.bound = 200};
    struct ol_pager *pager = create(800, 1 << 20, &source, true);
    (void)state;
    const char *wrong = model_threads(pager, 800, 500);
    if (wrong) fail_msg("%s", wrong);
    assert_true(source.taken_peak <= source.bound && !source.wrong);
    pager->ops->close(pager);
}

static void test_a_damaged_page_is_an_error(void **state)
{
    struct ol_pager *pager = create(1, 1 << 20, NULL, false);
    char page[MODEL_PAGE_BYTES];
    (void)state;
    page_make(page, PAGE_TEXT, 1);
    assert_int_equal(page_write(pager, 0, page), OL_OK);
    decompression_fails = true;
    assert_int_equal(page_read(pager, 0, page), OL_E_IO);
    decompression_fails = false;
    assert_int_equal(page_read(pager, 0, page), OL_OK);
    pager->ops->close(pager);
}

/* Every level takes the memory that it is given, for every page size, and higher ones do not compress worse. */
static void test_every_level(void **state)
{
    static char page[OL_STORE_PAGE_BYTES_MAX], got[OL_STORE_PAGE_BYTES_MAX], out[OL_STORE_PAGE_BYTES_MAX];
    (void)state;
    for (unsigned at = 0; at < sizeof page; at += MODEL_PAGE_BYTES) page_make(page + at, PAGE_TEXT, at);
    for (uint32_t page_bytes = OL_STORE_PAGE_BYTES_MIN; page_bytes <= OL_STORE_PAGE_BYTES_MAX; page_bytes *= 2) {
        uint32_t first = 0;
        for (unsigned tried = 0; tried <= OL_CODEC_LEVEL_MAX; tried++) {
            struct ol_codec codec;
            const size_t bytes = ol_codec_workspace_bytes(tried, page_bytes);
            void *workspace = aligned_alloc(64, bytes);
            assert_non_null(workspace);
            memset(workspace, 0, bytes);
            assert_true(ol_codec_init(&codec, tried, page_bytes, workspace));
            for (int again = 0; again < 2; again++) {
                const uint32_t size = ol_codec_compress(&codec, page, out, page_bytes);
                assert_true(size > 0 && size < page_bytes);
                if (tried == 1) first = size;
                if (tried == OL_CODEC_LEVEL_MAX) assert_true(size <= first);
                memset(got, 0, sizeof got);
                assert_true(ol_codec_decompress(&codec, out, size, got));
                assert_memory_equal(page, got, page_bytes);
                assert_false(ol_codec_decompress(&codec, out, size - 1, got)); /* cut short */
                assert_int_equal(ol_codec_compress(&codec, page, out, size - 1), 0);
            }
            free(workspace);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options_are_refused),
        cmocka_unit_test(test_every_kind_comes_back),
        cmocka_unit_test(test_almost_one_word),
        cmocka_unit_test(test_words_are_given_back),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_incompressible_pages),
        cmocka_unit_test(test_the_store_is_bounded),
        cmocka_unit_test(test_the_budget_may_refuse),
        cmocka_unit_test(test_memory_is_given_back),
        cmocka_unit_test(test_nearly_empty_slabs_are_spared),
        cmocka_unit_test(test_random_use_agrees_with_the_model),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_a_damaged_page_is_an_error),
    };
    const struct CMUnitTest codecs[] = {
        cmocka_unit_test(test_every_level),
        cmocka_unit_test(test_every_kind_comes_back),
        cmocka_unit_test(test_incompressible_pages),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_a_damaged_page_is_an_error),
    };
    int failures = cmocka_run_group_tests_name("lz4", tests, NULL, NULL);
    level = 3;
    failures += cmocka_run_group_tests_name("zstd", codecs, NULL, NULL);
    return failures;
}
