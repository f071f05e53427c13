/* SPDX-License-Identifier: MIT */
/*
 * What one fault costs, in the thread that takes it: nanoseconds from before an access to after it, median and tails.
 *
 * The measure is an empty fault: SIGBUS by userfaultfd, one UFFDIO_COPY of a page that is there, and back. Beside it
 * libonelevel, for pages of zeros and for pages from the compressed store, and LZ4_decompress_safe alone for the same
 * contents. All take turns. Without read-ahead; every access faults, as pages come round in an order without pattern
 * and four times as many as fit.
 * usage: fault [ROUNDS]
 */
#include <lz4.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <onelevel/onelevel.h>

#include "machine/linux/uffd.h"

enum { PAGE_BYTES = 4096, PAGES = 16384, RESIDENT_PAGES = PAGES / 4, LINE_BYTES = 64, RANDOM_BYTES = 16 };
enum { ROUNDS = 5, EXIT_SKIPPED = 77 };
enum kind { EMPTY, ZEROS, COMPRESSED, DECOMPRESSION, KINDS };

static const char *const names[KINDS] = {"empty fault", "libonelevel, zeros", "libonelevel, compressed", "LZ4 alone"};

static struct {
    uint32_t *ns[KINDS]; /* PAGES a round */
    unsigned rounds, round;
    unsigned char page[PAGE_BYTES];   /* what an empty fault brings */
    unsigned char packed[PAGE_BYTES]; /* `page`, by LZ4 */
    int packed_bytes;
    struct ol_uffd uffd;
} bench;

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "fault: %s\n", what);
    exit(1);
}

/* The i-th page in an order without pattern: a multiplier without a common factor with PAGES. */
static size_t shuffled(size_t i)
{
    return i * 7919 % PAGES;
}

/* Lines of 64 bytes, 16 of them random and the rest the same in all lines of the page: LZ4 makes a third of it. */
static void fill(unsigned char *page, uint64_t seed)
{
    uint64_t x = seed * 2 + 1;
    for (size_t at = 0; at < PAGE_BYTES; at += sizeof(x)) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        if (at < LINE_BYTES || at % LINE_BYTES < RANDOM_BYTES) memcpy(page + at, &x, sizeof(x));
        else memcpy(page + at, page + at % LINE_BYTES, sizeof(x));
    }
}

/* Touches every page, and notes how long each access takes. */
static void touch(enum kind kind, volatile unsigned char *range)
{
    uint32_t *ns = bench.ns[kind] + (size_t)bench.round * PAGES;
    for (size_t i = 0; i < PAGES; i++) {
        volatile unsigned char *byte = range + shuffled(i) * PAGE_BYTES;
        const uint64_t begin = now_ns();
        (void)*byte;
        ns[i] = (uint32_t)(now_ns() - begin);
    }
}

/* --- the measure -----------------------------------------------------------------------------------------------------
 */

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
    const uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE_BYTES - 1);
    size_t copied;
    (void)signal, (void)context;
    if (ol_uffd_copy(&bench.uffd, (void *)page, bench.page, PAGE_BYTES, false, &copied)) abort();
}

static void measure_empty(void)
{
    struct sigaction before, ours = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    const size_t bytes = (size_t)PAGES * PAGE_BYTES;
    unsigned char *range = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (range == MAP_FAILED || madvise(range, bytes, MADV_NOHUGEPAGE)) fail("there is no memory");
    if (!ol_uffd_register(&bench.uffd, range, bytes)) fail("the range cannot be registered");
    if (sigaction(SIGBUS, &ours, &before)) fail("no handler can be installed");
    touch(EMPTY, range);
    (void)sigaction(SIGBUS, &before, NULL);
    (void)munmap(range, bytes);
}

static void measure_decompression(void)
{
    static unsigned char out[PAGE_BYTES];
    uint32_t *ns = bench.ns[DECOMPRESSION] + (size_t)bench.round * PAGES;
    for (size_t i = 0; i < PAGES; i++) {
        const uint64_t begin = now_ns();
        const int bytes = LZ4_decompress_safe((const char *)bench.packed, (char *)out, bench.packed_bytes, PAGE_BYTES);
        ns[i] = (uint32_t)(now_ns() - begin);
        if (bytes != PAGE_BYTES || memcmp(out, bench.page, PAGE_BYTES) != 0) fail("LZ4 gave another page");
    }
}

static void measure_library(void)
{
    const struct ol_memory_options options = {.resident_bytes = (uint64_t)RESIDENT_PAGES * PAGE_BYTES,
                                              .compressed_bytes = (uint64_t)PAGES * PAGE_BYTES,
                                              .swap = "compressed",
                                              .no_prefetch = true};
    struct ol_memory_statistics before, after;
    struct ol_memory *memory;
    const char *error;
    if (ol_memory_open(&options, &memory, &error) != OL_OK) fail(error);
    unsigned char *range = ol_memory_map(memory, (size_t)PAGES * PAGE_BYTES);
    if (!range) fail("there is no memory");
    touch(ZEROS, range);
    for (size_t i = 0; i < PAGES; i++) fill(range + shuffled(i) * PAGE_BYTES, i + 1);
    ol_memory_get_statistics(memory, &before);
    touch(COMPRESSED, range);
    ol_memory_get_statistics(memory, &after);
    if (after.core.faults_major - before.core.faults_major < PAGES) fail("not every access was a fault");
    ol_memory_close(memory);
}

/* --- figures --------------------------------------------------------------------------------------------------------
 */

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t print_line(enum kind kind)
{
    const size_t count = (size_t)bench.rounds * PAGES;
    const uint32_t *ns = bench.ns[kind];
    uint64_t sum = 0;
    qsort(bench.ns[kind], count, sizeof(*ns), by_size);
    for (size_t i = 0; i < count; i++) sum += ns[i];
    printf("%-26s %8u %8u %8u %10.0f\n", names[kind], ns[count / 2], ns[count / 10 * 9], ns[count / 100 * 99],
           (double)sum / (double)count);
    return ns[count / 2];
}

int main(int argc, char **argv)
{
    const char *error;
    uint32_t median[KINDS];
    bench.rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ROUNDS;
    if (!bench.rounds || bench.rounds > 1000) fail("usage: fault [ROUNDS], from 1 to 1000");
    if (ol_uffd_open(false, &bench.uffd, &error) != OL_OK) {
        fprintf(stderr, "fault: skipped: %s\n", error);
        return EXIT_SKIPPED;
    }
    fill(bench.page, 1);
    bench.packed_bytes =
        LZ4_compress_default((const char *)bench.page, (char *)bench.packed, PAGE_BYTES, sizeof(bench.packed));
    if (bench.packed_bytes <= 0) fail("LZ4 cannot compress the page");
    for (enum kind kind = 0; kind < KINDS; kind++) {
        bench.ns[kind] = calloc((size_t)bench.rounds * PAGES, sizeof(uint32_t));
        if (!bench.ns[kind]) fail("there is no memory");
    }
    for (bench.round = 0; bench.round < bench.rounds; bench.round++) {
        measure_empty();
        measure_decompression();
        measure_library();
    }
    printf("%-26s %8s %8s %8s %10s\n", "ns", "p50", "p90", "p99", "mean");
    for (enum kind kind = 0; kind < KINDS; kind++) median[kind] = print_line(kind);
    printf("a fault from the compressed store less LZ4, over an empty one, p50: %.2f\n",
           ((double)median[COMPRESSED] - (double)median[DECOMPRESSION]) / (double)median[EMPTY]);
    return 0;
}
