/* SPDX-License-Identifier: MIT */
/*
 * Threads that write and check a stamp in every page of a region much larger than the budget, while others map, unmap,
 * discard and move memory beside it.
 * usage: stamps SECONDS [MEBIBYTES]      prints nothing that depends on time but its last line; exit status 0 if right
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "check.h"

enum { WRITERS = 3, WORDS = PAGE / 8 };

static uint64_t *region;
static size_t pages;
static uint32_t *version; /* version[page]: what its stamp should be made of; guarded by the page's lock */
static atomic_flag *lock; /* one per page */
static atomic_bool over;
static atomic_ulong accesses;

static uint64_t stamp(size_t page, uint32_t generation, size_t word)
{
    return (uint64_t)page * 0x9e3779b97f4a7c15u + generation * 0xff51afd7ed558ccdu + word;
}

static void page_write(size_t page)
{
    uint64_t *words = region + page * WORDS;
    const uint32_t generation = ++version[page];
    for (size_t i = 0; i < WORDS; i += 37) words[i] = stamp(page, generation, i);
    words[WORDS - 1] = stamp(page, generation, WORDS - 1);
}

static void page_check(size_t page)
{
    const uint64_t *words = region + page * WORDS;
    for (size_t i = 0; i < WORDS; i += 37)
        CHECK(words[i] == (version[page] ? stamp(page, version[page], i) : 0), "page %zu word %zu", page, i);
    CHECK(words[WORDS - 1] == (version[page] ? stamp(page, version[page], WORDS - 1) : 0), "page %zu, end", page);
}

static void *writer(void *argument)
{
    uint64_t seed = (uint64_t)(uintptr_t)argument;
    while (!atomic_load(&over)) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const size_t page = (size_t)(seed >> 33) % pages;
        if (atomic_flag_test_and_set(&lock[page])) continue;
        page_check(page);
        if (seed & 1 << 20) page_write(page);
        atomic_flag_clear(&lock[page]);
        atomic_fetch_add(&accesses, 1);
    }
    return NULL;
}

/* Memory that comes and goes beside the region, checked too. */
static void *mapper(void *argument)
{
    const size_t bytes = 1 << 20;
    (void)argument;
    for (uint64_t round = 1; !atomic_load(&over); round++) {
        uint64_t *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(map != MAP_FAILED, "mmap");
        for (size_t i = 0; i < bytes / 8; i += WORDS) map[i] = round + i;
        CHECK(madvise(map, bytes / 2, MADV_DONTNEED) == 0, "madvise");
        map = mremap(map, bytes, bytes * 2, MREMAP_MAYMOVE);
        CHECK(map != MAP_FAILED, "mremap");
        CHECK(mprotect(map, bytes, PROT_READ) == 0, "mprotect");
        for (size_t i = 0; i < bytes / 8; i += WORDS) CHECK(map[i] == (i < bytes / 16 ? 0 : round + i), "word %zu", i);
        for (size_t i = bytes / 8; i < bytes / 4; i += WORDS) CHECK(map[i] == 0, "word %zu of what was added", i);
        CHECK(munmap(map, bytes * 2) == 0, "munmap");
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[WRITERS + 1];
    const struct timespec duration = {.tv_sec = argc > 1 ? atoi(argv[1]) : 60};
    const size_t bytes = (size_t)(argc > 2 ? atoi(argv[2]) : 128) << 20;
    pages = bytes / PAGE;
    region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    version = calloc(pages, sizeof(*version));
    lock = calloc(pages, sizeof(*lock));
    CHECK(region != MAP_FAILED && version && lock, "memory");
    for (size_t i = 0; i < pages; i += 2) page_write(i);
    for (size_t i = 0; i < WRITERS; i++) CHECK(!pthread_create(&threads[i], NULL, writer, (void *)(i + 1)), "thread");
    CHECK(!pthread_create(&threads[WRITERS], NULL, mapper, NULL), "thread");
    (void)nanosleep(&duration, NULL);
    atomic_store(&over, true);
    for (size_t i = 0; i <= WRITERS; i++) (void)pthread_join(threads[i], NULL);
    for (size_t i = 0; i < pages; i++) page_check(i);
    printf("every stamp is right\n");
    fprintf(stderr, "%lu accesses\n", atomic_load(&accesses));
    return 0;
}
