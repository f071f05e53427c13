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

enum { PAGE_BYTES = 4096, MIB = 1 << 20, RESIDENT_MIB = 16, SWAPPED_MIB = 48 };

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

static struct figures measure(const char *swap, bool encrypt)
{
    struct ol_memory_options options = {.resident_bytes = RESIDENT_MIB * MIB, .swap = swap, .encrypt = encrypt};
    struct ol_memory_statistics statistics;
    if (strncmp(swap, "compressed", 10) == 0) options.compressed_bytes = 64 * MIB;
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
        double resident_most, swapped_most;
    } homes[] = {
        {"file", false, 62, 11},
        {"file", true, 62, 32},
        {"compressed", false, 62, 14},
        {"compressed,file", false, 62, 15},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(homes) / sizeof(*homes); i++) {
        const struct figures figures = measure(homes[i].swap, homes[i].encrypt);
        print_message("%s%s: %.1f bytes for a resident page, %.1f for a swapped one\n", homes[i].swap,
                      homes[i].encrypt ? ", encrypted" : "", figures.resident, figures.swapped);
        assert_true(figures.resident > 0 && figures.resident <= homes[i].resident_most);
        assert_true(figures.swapped > 0 && figures.swapped <= homes[i].swapped_most);
    }
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
        cmocka_unit_test(test_reserving_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
