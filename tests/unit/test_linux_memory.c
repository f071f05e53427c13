/* SPDX-License-Identifier: MIT */
/* libonelevel as a program uses it: every option, what is refused and how, data through every home, the budget. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/linux/machine.h"
#include "onelevel/onelevel.h"
#include "tests/support/random.h"
#include "tests/support/sanitized.h"

enum { PAGE_BYTES = 4096, MIB = 1 << 20, SKIPPED = 77 };

/* What the library installed when the first memory was opened. cmocka puts a handler of its own over it for each test.
 */
static struct sigaction library_sigbus, library_sigsegv;

/* How faults come, and pages. */
struct way {
    enum ol_faults faults;
    bool no_move;
};

enum { WAYS = 3 };

static const struct way ways[WAYS] = {{OL_FAULTS_AUTO, false}, {OL_FAULTS_AUTO, true}, {OL_FAULTS_PROTECTION, false}};

static struct ol_memory *open_memory(const struct ol_memory_options *options)
{
    assert_int_equal(sigaction(SIGBUS, &library_sigbus, NULL), 0);
    assert_int_equal(sigaction(SIGSEGV, &library_sigsegv, NULL), 0);
    struct ol_memory *memory = NULL;
    const char *error = "";
    const enum ol_status status = ol_memory_open(options, &memory, &error);
    if (status != OL_OK) fail_msg("%s: %s", ol_status_text(status), error);
    assert_null(ol_check(ol_memory_system(memory)));
    return memory;
}

static void close_memory(struct ol_memory *memory)
{
    const char *broken = ol_check(ol_memory_system(memory));
    if (broken) fail_msg("broken: %s", broken);
    ol_memory_close(memory);
}

static struct ol_memory_statistics statistics_of(struct ol_memory *memory)
{
    struct ol_memory_statistics statistics;
    ol_memory_get_statistics(memory, &statistics);
    return statistics;
}

/* --- contents: every page is told by its number and a seed ----------------------------------------------------------
 */

enum kind { SAME, TEXT, NOISE, HALF, KINDS }; /* one word repeated; compresses; does not; compresses to about a half */

static void page_fill(uint64_t *page, uint64_t number, enum kind kind)
{
    uint64_t seed = number * 2 + 1;
    for (unsigned i = 0; i < PAGE_BYTES / 8; i++) {
        if (kind == NOISE || (kind == HALF && i % 256 < 128)) page[i] = ol_random(&seed);
        else page[i] = kind == SAME ? number : number + i % 16;
    }
}

static void fill(unsigned char *range, uint64_t pages, enum kind kind)
{
    for (uint64_t i = 0; i < pages; i++) page_fill((uint64_t *)(void *)(range + i * PAGE_BYTES), i, kind);
}

/* How many pages are not as filled. */
static uint64_t wrong(const unsigned char *range, uint64_t pages, enum kind kind)
{
    uint64_t expected[PAGE_BYTES / 8], count = 0;
    for (uint64_t i = 0; i < pages; i++) {
        page_fill(expected, i, kind);
        count += memcmp(expected, range + i * PAGE_BYTES, PAGE_BYTES) != 0;
    }
    return count;
}

/* --- opening ---------------------------------------------------------------------------------------------------------
 */

static void refused(const struct ol_memory_options *options, enum ol_status expected, const char *word)
{
    struct ol_memory *memory = NULL;
    const char *error = NULL;
    assert_int_equal(ol_memory_open(options, &memory, &error), expected);
    assert_non_null(error);
    if (!strstr(error, word)) fail_msg("\"%s\" does not say \"%s\"", error, word);
    assert_int_equal(ol_memory_open(options, &memory, NULL), expected);
}

static void test_bad_options_are_refused(void **state)
{
    (void)state;
    refused(&(struct ol_memory_options){0}, OL_E_NO_FRAMES, "minimum");
    refused(&(struct ol_memory_options){.ram_bytes = ol_memory_minimum_bytes() - 1}, OL_E_NO_FRAMES, "1 MiB");
    refused(&(struct ol_memory_options){.resident_bytes = 5}, OL_E_NO_FRAMES, "minimum");
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .resident_bytes = MIB}, OL_E_INVALID, "either");
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .compressed_bytes = MIB}, OL_E_INVALID, "either");
    refused(&(struct ol_memory_options){.ram_bytes = UINT64_MAX}, OL_E_INVALID, "8 TiB");
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .policy = "best"}, OL_E_INVALID, "policy");
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .policy = ""}, OL_E_INVALID, "policy");
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .policy = "clock:x=1"}, OL_E_INVALID, "parameter");
    struct ol_memory *memory = open_memory(&(struct ol_memory_options){.ram_bytes = ol_memory_minimum_bytes()});
    close_memory(memory);
}

static void test_bad_swap_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "disk",           "compressed,",     "file:", "compressed,none",
                                      "none,file", "compressedfile", "file,compressed", " file", "compressed,file:"};
    char name[64], directory[5000] = "file:/";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(&(struct ol_memory_options){.ram_bytes = MIB, .swap = bad[i]}, OL_E_INVALID, "swap is");
    memset(directory + 6, 'x', sizeof(directory) - 7);
    directory[sizeof(directory) - 1] = '\0';
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .swap = directory}, OL_E_INVALID, "swap is");
    (void)snprintf(name, sizeof(name), "file:/no-such-directory-%d", (int)getpid());
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .swap = name}, OL_E_IO, "swap file");
    refused(&(struct ol_memory_options){.ram_bytes = MIB, .swap = "compressed,file:/proc"}, OL_E_IO, "swap file");
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory)) count++;
    (void)closedir(directory);
    return count;
}

static void test_many_memories(void **state)
{
    (void)state;
    if (OL_SANITIZED_THREADS) {
        print_message("ThreadSanitizer leaves no addresses for so many\n");
        skip();
    }
    enum { MOST = 64 };
    struct ol_memory *memories[MOST], *one_more;
    const struct ol_memory_options options = {.resident_bytes = MIB, .swap = "none"};
    const char *error = "";
    const unsigned before = open_descriptors();
    for (unsigned i = 0; i < MOST; i++) {
        memories[i] = open_memory(&options);
        unsigned char *range = ol_memory_map(memories[i], 3 * PAGE_BYTES);
        assert_non_null(range);
        memset(range, (int)i + 1, 3 * PAGE_BYTES);
    }
    assert_int_equal(ol_memory_open(&options, &one_more, &error), OL_E_NO_META);
    assert_non_null(strstr(error, "64"));
    for (unsigned i = 0; i < MOST; i++) close_memory(memories[i]);
    assert_int_equal(open_descriptors(), before);
}

/* --- ranges ----------------------------------------------------------------------------------------------------------
 */

static void test_ranges(void **state)
{
    (void)state;
    struct ol_memory *memory = open_memory(&(struct ol_memory_options){.ram_bytes = 2 * MIB});
    assert_null(ol_memory_map(memory, 0));
    assert_null(ol_memory_map(memory, SIZE_MAX));
    unsigned char *a = ol_memory_map(memory, 100), *b = ol_memory_map(memory, 10 * PAGE_BYTES + 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)a % PAGE_BYTES, 0);
    assert_int_equal(statistics_of(memory).mapped_bytes, 12 * PAGE_BYTES);
    memset(a, 1, PAGE_BYTES);
    fill(b, 11, NOISE);
    assert_int_equal(ol_memory_discard(memory, b + 3 * PAGE_BYTES + 5, 1), OL_OK); /* outward: the whole page */
    for (unsigned i = 0; i < PAGE_BYTES; i++) assert_int_equal(b[3 * PAGE_BYTES + i], 0);
    assert_int_equal(ol_memory_unmap(memory, b + 10 * PAGE_BYTES, 1), OL_OK);
    assert_int_equal(wrong(b, 3, NOISE), 0);
    assert_int_equal(ol_memory_protect(memory, b, 2 * PAGE_BYTES, OL_READ), OL_OK);
    assert_int_equal(wrong(b, 3, NOISE), 0);
    assert_int_equal(ol_memory_protect(memory, b, 2 * PAGE_BYTES, OL_READ | OL_WRITE), OL_OK);
    b[5] = 1;
    assert_int_equal(ol_memory_protect(memory, b, PAGE_BYTES, OL_EXEC), OL_E_INVALID);
    assert_int_equal(ol_memory_protect(memory, b, 11 * PAGE_BYTES, OL_READ), OL_E_NO_REGION);
    assert_int_equal(ol_memory_unmap(memory, &memory, 1), OL_E_INVALID);
    assert_int_equal(ol_memory_discard(memory, &memory, 1), OL_E_INVALID);
    assert_int_equal(ol_memory_pin(memory, &memory, 1, false), OL_E_INVALID);
    assert_int_equal(ol_memory_unmap(memory, b, 0), OL_E_INVALID);
    assert_int_equal(ol_memory_unmap(memory, b, SIZE_MAX), OL_E_INVALID);
    assert_int_equal(ol_memory_unmap(memory, b, 10 * PAGE_BYTES), OL_OK);
    assert_int_equal(statistics_of(memory).core.pages, 1);
    assert_int_equal(a[99], 1);
    close_memory(memory);
}

static void test_a_large_range_costs_nothing(void **state)
{
    (void)state;
    struct ol_memory *memory = open_memory(&(struct ol_memory_options){.ram_bytes = 4 * MIB});
    const size_t bytes = (size_t)1 << 38;
    /* Volatile: clang 14 takes bytes that lie 2^32 + 1 apart for neighbours and stores sixteen at once. */
    volatile unsigned char *range = ol_memory_map(memory, bytes);
    assert_non_null((const void *)range);
    for (size_t i = 0; i < 64; i++) range[bytes / 64 * i + i] = (unsigned char)(i + 1);
    for (size_t i = 0; i < 64; i++) assert_int_equal(range[bytes / 64 * i + i], i + 1);
    const struct ol_memory_statistics now = statistics_of(memory);
    assert_int_equal(now.mapped_bytes, bytes);
    assert_int_equal(now.core.pages, 64);
    assert_in_range(now.metadata_bytes, 1, 2 * MIB);
    close_memory(memory);
}

/* --- homes -----------------------------------------------------------------------------------------------------------
 */

static void through_home(const char *swap, const char *policy, struct way way, enum kind kind)
{
    struct ol_memory *memory = open_memory(&(struct ol_memory_options){
        .ram_bytes = 2 * MIB, .swap = swap, .policy = policy, .faults = way.faults, .no_move = way.no_move});
    const uint64_t pages = 4 * MIB / PAGE_BYTES;
    unsigned char *range = ol_memory_map(memory, pages * PAGE_BYTES);
    assert_non_null(range);
    for (int round = 0; round < 2; round++) {
        fill(range, pages, kind);
        assert_int_equal(wrong(range, pages, kind), 0);
        assert_int_equal(wrong(range, pages, kind), 0);
    }
    const struct ol_memory_statistics now = statistics_of(memory);
    assert_true(now.fault_ns > 0);
    assert_int_equal(now.core.pages, pages);
    if (strncmp(swap, "file", 4) == 0) assert_true(now.file_pages_written > 0 && now.file_pages_read > 0);
    if (strcmp(swap, "compressed") == 0 && kind == TEXT)
        assert_in_range(now.compressed_in_bytes, 1, now.compressed_in_pages * PAGE_BYTES / 2);
    if (kind == SAME && strncmp(swap, "file", 4) != 0) assert_true(now.compressed_same_pages > 0);
    if (strcmp(swap, "compressed,file") == 0 && kind == NOISE) assert_true(now.file_pages_written > 0);
    if (kind < NOISE || strcmp(swap, "compressed") != 0) assert_int_equal(now.core.frames_over_budget, 0);
    close_memory(memory);
}

static void test_data_through_every_home(void **state)
{
    (void)state;
    static const char *const swaps[] = {"compressed", "file", "file:/tmp", "compressed,file"};
    for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++)
        for (enum kind kind = SAME; kind < KINDS; kind++) through_home(swaps[i], NULL, ways[(i + kind) % WAYS], kind);
}

/* A policy does not know how faults come: the ways take turns. */
static void test_data_under_every_policy(void **state)
{
    (void)state;
    int turn = 0;
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
        if (ol_policy_suits(*policy, &ol_linux_capabilities))
            through_home("compressed,file", (*policy)->name, ways[turn++ % WAYS], TEXT);
}

/* Without a home, or with a full one, pages stay in memory beyond the budget: counted, and nothing is lost. */
static void test_nothing_is_lost_without_room(void **state)
{
    (void)state;
    static const struct ol_memory_options options[] = {
        {.ram_bytes = 2 * MIB, .swap = "none"},
        {.ram_bytes = 2 * MIB, .swap = "file", .swap_bytes = MIB},
        {.resident_bytes = 2 * MIB, .compressed_bytes = MIB, .swap = "compressed"},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct ol_memory *memory = open_memory(&options[i]);
        const uint64_t pages = 8 * MIB / PAGE_BYTES;
        unsigned char *range = ol_memory_map(memory, pages * PAGE_BYTES);
        fill(range, pages, NOISE);
        assert_int_equal(wrong(range, pages, NOISE), 0);
        assert_in_range(statistics_of(memory).core.frames_over_budget, MIB / PAGE_BYTES, pages);
        assert_int_equal(ol_memory_unmap(memory, range, 7 * MIB), OL_OK);
        assert_int_equal(ol_memory_discard(memory, range + 7 * MIB, MIB), OL_OK);
        assert_int_equal(statistics_of(memory).core.frames_over_budget, 0);
        close_memory(memory);
    }
}

/* A file system that fills up before the swap file has what it was promised. */
enum { OVER_A_LITTLE = 16, SETTLING_PASSES = 6 };

/* So many times the budget in pages, with a swap file on a disk of 1 MiB as the last of the homes. Whether the disk
 * takes pages again is tried out from time to time, which leaves pages over the budget for a while: that may pass
 * first. */
static struct ol_memory_statistics on_a_full_disk(const char *homes, uint64_t ram_bytes, double times, enum kind kind)
{
    char directory[] = "/tmp/onelevel-test-XXXXXX", swap[64];
    assert_non_null(mkdtemp(directory));
    if (mount("tmpfs", directory, "tmpfs", 0, "size=1m")) {
        (void)rmdir(directory);
        print_message("only root can mount a small tmpfs\n");
        skip();
    }
    (void)snprintf(swap, sizeof(swap), "%s:%s", homes, directory);
    struct ol_memory *memory = open_memory(&(struct ol_memory_options){.ram_bytes = ram_bytes, .swap = swap});
    (void)umount2(directory, MNT_DETACH); /* the swap file keeps it until it is closed */
    (void)rmdir(directory);
    const uint64_t pages = (uint64_t)(times * (double)ram_bytes) / PAGE_BYTES;
    unsigned char *range = ol_memory_map(memory, pages * PAGE_BYTES);
    fill(range, pages, kind);
    uint64_t lost = wrong(range, pages, kind);
    for (int i = 0; i < SETTLING_PASSES && statistics_of(memory).core.frames_over_budget > OVER_A_LITTLE; i++)
        lost += wrong(range, pages, kind);
    const struct ol_memory_statistics now = statistics_of(memory);
    close_memory(memory);
    assert_int_equal(lost, 0);
    assert_true(now.core.write_errors > 0);
    return now;
}

static void test_swap_on_a_full_file_system(void **state)
{
    (void)state;
    const struct ol_memory_statistics now = on_a_full_disk("file", 2 * MIB, 4, TEXT);
    assert_in_range(now.core.frames_over_budget, MIB / PAGE_BYTES, 8 * MIB / PAGE_BYTES);
}

static void test_the_store_takes_what_a_full_disk_does_not(void **state)
{
    (void)state;
    const struct ol_memory_statistics now = on_a_full_disk("compressed,file", 16 * MIB, 1.5, HALF);
    print_message("compressed %.2f:1, %u pages over the budget\n",
                  (double)now.compressed_in_pages * PAGE_BYTES / (double)now.compressed_in_bytes,
                  now.core.frames_over_budget);
    assert_in_range(now.core.frames_over_budget, 0, OVER_A_LITTLE);
}

/* --- the budget ------------------------------------------------------------------------------------------------------
 */

static uint64_t resident_anonymous_bytes(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof(line), status))
        if (sscanf(line, "RssAnon: %llu", &kib) == 1) break;
    (void)fclose(status);
    return kib * 1024;
}

static void test_the_budget_is_kept(void **state)
{
    (void)state;
    if (OL_SANITIZED) {
        print_message("shadow memory would be counted, too\n");
        skip();
    }
    static const char *const swaps[] = {"compressed", "file", "compressed,file"};
    const uint64_t budget = 32 * MIB, pages = 64 * MIB / PAGE_BYTES;
    for (unsigned i = 0; i < 3 * WAYS; i++) {
        const struct way way = ways[i % WAYS];
        const uint64_t before = resident_anonymous_bytes();
        struct ol_memory *memory = open_memory(&(struct ol_memory_options){
            .ram_bytes = budget, .swap = swaps[i / WAYS], .faults = way.faults, .no_move = way.no_move});
        unsigned char *range = ol_memory_map(memory, pages * PAGE_BYTES);
        uint64_t most = 0;
        for (uint64_t at = 0; at < pages; at += 256) {
            for (uint64_t page = at; page < at + 256; page++)
                page_fill((uint64_t *)(void *)(range + page * PAGE_BYTES), page, TEXT);
            const uint64_t now = resident_anonymous_bytes() - before;
            if (now > most) most = now;
        }
        assert_int_equal(wrong(range, pages, TEXT), 0);
        const uint64_t slack = budget / 50 > 64 * PAGE_BYTES ? budget / 50 : 64 * PAGE_BYTES;
        assert_in_range(most, budget / 2, budget + slack);
        assert_in_range(resident_anonymous_bytes() - before, budget / 2, budget + slack);
        close_memory(memory);
        assert_in_range(resident_anonymous_bytes(), 0, before + MIB);
    }
}

/* --- system calls
 * ------------------------------------------------------------------------------------------------------ */

static void test_system_calls_want_pins(void **state)
{
    (void)state;
    struct ol_memory *memory = open_memory(&(struct ol_memory_options){.ram_bytes = 2 * MIB});
    const uint64_t pages = 6 * MIB / PAGE_BYTES;
    unsigned char *range = ol_memory_map(memory, pages * PAGE_BYTES);
    const int zero = open("/dev/zero", O_RDONLY);
    assert_true(zero >= 0);
    fill(range, pages, NOISE); /* the first pages are evicted by now */
    assert_int_equal(read(zero, range, PAGE_BYTES), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(wrong(range, 4, NOISE), 0);
    assert_int_equal(ol_memory_pin(memory, range + 10, 3 * PAGE_BYTES, true), OL_OK);
    fill(range + MIB, pages - MIB / PAGE_BYTES, NOISE);
    assert_int_equal(statistics_of(memory).core.frames_wired, 4);
    assert_int_equal(read(zero, range + 10, 3 * PAGE_BYTES), 3 * PAGE_BYTES);
    ol_memory_unpin(memory, range + 10, 3 * PAGE_BYTES);
    assert_int_equal(statistics_of(memory).core.frames_wired, 0);
    for (size_t i = 0; i < 3 * PAGE_BYTES; i++) assert_int_equal(range[10 + i], 0);
    assert_int_equal(ol_memory_protect(memory, range, PAGE_BYTES, OL_READ), OL_OK);
    assert_int_equal(ol_memory_pin(memory, range, 1, true), OL_E_RIGHTS);
    assert_int_equal(ol_memory_pin(memory, range, 1, false), OL_OK);
    ol_memory_unpin(memory, range, 1);
    assert_int_equal(ol_memory_pin(memory, range + (pages - 1) * PAGE_BYTES, PAGE_BYTES + 1, false), OL_E_NO_REGION);
    (void)close(zero);
    close_memory(memory);
}

static void test_more_than_the_budget_cannot_be_pinned(void **state)
{
    (void)state;
    struct ol_memory *memory = open_memory(&(struct ol_memory_options){.ram_bytes = 2 * MIB});
    unsigned char *range = ol_memory_map(memory, 8 * MIB);
    fill(range, 8 * MIB / PAGE_BYTES, TEXT);
    assert_int_equal(ol_memory_pin(memory, range, 4 * MIB, false), OL_E_NO_FRAMES);
    assert_int_equal(statistics_of(memory).core.frames_wired, 0);
    assert_int_equal(wrong(range, 8 * MIB / PAGE_BYTES, TEXT), 0);
    close_memory(memory);
}

int main(void)
{
    struct ol_memory *memory;
    const char *error = "";
    const enum ol_status status = ol_memory_open(&(struct ol_memory_options){.ram_bytes = 16 * MIB}, &memory, &error);
    if (status == OL_E_UNSUPPORTED) {
        print_message("skipped: %s\n", error);
        return SKIPPED;
    }
    if (status == OL_OK) ol_memory_close(memory);
    if (ol_memory_open(&(struct ol_memory_options){.ram_bytes = MIB, .faults = OL_FAULTS_PROTECTION}, &memory,
                       &error) == OL_OK)
        ol_memory_close(memory);
    (void)sigaction(SIGBUS, NULL, &library_sigbus);
    (void)sigaction(SIGSEGV, NULL, &library_sigsegv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options_are_refused),
        cmocka_unit_test(test_bad_swap_is_refused),
        cmocka_unit_test(test_many_memories),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_a_large_range_costs_nothing),
        cmocka_unit_test(test_data_through_every_home),
        cmocka_unit_test(test_data_under_every_policy),
        cmocka_unit_test(test_nothing_is_lost_without_room),
        cmocka_unit_test(test_swap_on_a_full_file_system),
        cmocka_unit_test(test_the_store_takes_what_a_full_disk_does_not),
        cmocka_unit_test(test_the_budget_is_kept),
        cmocka_unit_test(test_system_calls_want_pins),
        cmocka_unit_test(test_more_than_the_budget_cannot_be_pinned),
    };
    return cmocka_run_group_tests_name("linux memory", tests, NULL, NULL);
}
