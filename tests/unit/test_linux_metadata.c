/* SPDX-License-Identifier: MIT */
/*
 * What the tables take: bytes for each page that is resident, and for each that is swapped, computed from the memory's
 * own statistics (docs/architecture.md, "Metadata", has the sum).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onelevel/onelevel.h"

#include "tests/support/sanitized.h"

enum {
    PAGE_BYTES = 4096,
    MIB = 1 << 20,
    RESIDENT_MIB = 16,
    SWAPPED_MIB = 48,
    MOVED_MIB = 256,
    RESIDENT_BYTES_MOST = 62
};

struct figures {
    double resident, swapped;
};

/* What the library installed when the first memory was opened. cmocka puts a handler of its own over it for each test.
 */
static struct sigaction library_handler;

static struct ol_memory *open_memory(const struct ol_memory_options *options)
{
    struct ol_memory *memory = NULL;
    const char *error = "";
    if (library_handler.sa_sigaction) assert_int_equal(sigaction(SIGBUS, &library_handler, NULL), 0);
    if (ol_memory_open(options, &memory, &error) != OL_OK) fail_msg("%s", error);
    assert_int_equal(sigaction(SIGBUS, NULL, &library_handler), 0);
    return memory;
}

static uint64_t metadata(struct ol_memory *memory)
{
    struct ol_memory_statistics statistics;
    ol_memory_get_statistics(memory, &statistics);
    return statistics.metadata_bytes;
}

/* Each page differs, and compresses to a third. */
static void touch(unsigned char *from, size_t bytes)
{
    uint64_t x = 88172645463325252U;
    for (size_t page = 0; page < bytes; page += PAGE_BYTES) {
        for (size_t at = 0; at < PAGE_BYTES / 3; at += sizeof(x)) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            memcpy(from + page + at, &x, sizeof(x));
        }
    }
}

static struct figures measure(const char *swap, bool encrypt, size_t compressed_bytes)
{
    const struct ol_memory_options options = {
        .resident_bytes = RESIDENT_MIB * MIB, .swap = swap, .encrypt = encrypt, .compressed_bytes = compressed_bytes};
    struct ol_memory_statistics statistics;
    struct ol_memory *memory = open_memory(&options);
    unsigned char *range = ol_memory_map(memory, (RESIDENT_MIB + SWAPPED_MIB) * MIB);
    assert_non_null(range);
    const uint64_t nothing = metadata(memory);
    const size_t fitting = (RESIDENT_MIB - 1) * MIB;
    touch(range, fitting);
    const uint64_t resident = metadata(memory);
    touch(range + fitting, (RESIDENT_MIB + SWAPPED_MIB) * MIB - fitting);
    ol_memory_get_statistics(memory, &statistics);
    assert_true(statistics.core.pages_swapped >= SWAPPED_MIB * MIB / PAGE_BYTES);
    const double resident_pages = (double)fitting / PAGE_BYTES, swapped_pages = (double)statistics.core.pages_swapped;
    const double each = (double)(resident - nothing) / resident_pages;
    ol_memory_close(memory);
    /* From then on the number of resident pages is the same, but for the last of the budget. */
    const double rest = RESIDENT_MIB * MIB / (double)PAGE_BYTES - resident_pages;
    return (struct figures){each, ((double)(statistics.metadata_bytes - resident) - rest * each) / swapped_pages};
}

static void test_bytes_per_page(void **state)
{
    static const struct {
        const char *swap;
        bool encrypt;
        size_t store_mib;
        double swapped_most;
    } homes[] = {
        {"file", false, 0, 10},
        {"file", true, 0, 29},
        {"compressed", false, 64, 14},
        {"compressed,file", false, 64, 14},
        {"compressed,file", false, 1, 12.5}, /* nearly all in the file, as the store has no room */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(homes) / sizeof(*homes); i++) {
        const struct figures figures = measure(homes[i].swap, homes[i].encrypt, homes[i].store_mib * MIB);
        print_message("%s%s, store of %zu MiB: %.1f bytes for a resident page, %.1f for a swapped one\n", homes[i].swap,
                      homes[i].encrypt ? ", encrypted" : "", homes[i].store_mib, figures.resident, figures.swapped);
        assert_true(figures.resident > 0 && figures.resident <= RESIDENT_BYTES_MOST);
        assert_true(figures.swapped > 0 && figures.swapped <= homes[i].swapped_most);
    }
}

/* Within a budget for all, most pages leave by the store and move on to the file: the tables of both know them. What
 * each takes is told by the pages beyond the first: working memory, and the buffer by which they move, there is once.
 */
static void test_bytes_per_page_that_moved_on(void **state)
{
    const struct ol_memory_options options = {.ram_bytes = RESIDENT_MIB * MIB, .swap = "compressed,file"};
    struct ol_memory_statistics then, now;
    (void)state;
    struct ol_memory *memory = open_memory(&options);
    unsigned char *range = ol_memory_map(memory, MOVED_MIB * MIB);
    assert_non_null(range);
    touch(range, MOVED_MIB / 2 * MIB);
    ol_memory_get_statistics(memory, &then);
    touch(range + MOVED_MIB / 2 * MIB, MOVED_MIB / 2 * MIB);
    ol_memory_get_statistics(memory, &now);
    ol_memory_close(memory);
    assert_true(then.demoted_pages > 0 && now.demoted_pages > now.core.pages_swapped / 2);
    const double pages = (double)(now.core.pages_swapped - then.core.pages_swapped);
    const double swapped = (double)(now.metadata_bytes - then.metadata_bytes) / pages;
    print_message("compressed,file, moved on: %.1f bytes for a swapped page\n", swapped);
    assert_true(swapped > 0 && swapped <= 16);
}

static void test_reserving_costs_nothing(void **state)
{
    const struct ol_memory_options options = {.resident_bytes = RESIDENT_MIB * MIB, .swap = "file"};
    (void)state;
    if (OL_SANITIZED_THREADS) {
        print_message("its shadow leaves no room for such a region\n");
        skip();
    }
    struct ol_memory *memory = open_memory(&options);
    const uint64_t before = metadata(memory);
    unsigned char *range = ol_memory_map(memory, (size_t)64 << 40);
    assert_non_null(range);
    range[(size_t)50 << 40] = 1;
    print_message("a region of 64 TiB with one page in use: %zu bytes\n", (size_t)(metadata(memory) - before));
    assert_true(metadata(memory) - before < 16 << 10);
    ol_memory_close(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_per_page),
        cmocka_unit_test(test_bytes_per_page_that_moved_on),
        cmocka_unit_test(test_reserving_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
