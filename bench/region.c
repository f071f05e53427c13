/* SPDX-License-Identifier: MIT */
/*
 * Page accesses per second in a region larger than its memory, for one back end; region.py runs it for each.
 *
 * usage: region BACK-END REGION-BYTES BUDGET-BYTES SECONDS [RANDOM-WORDS]
 *
 * The region is filled, RANDOM-WORDS of the 8 in each line of 64 bytes at random (2; with 8 it does not compress); then
 * each loop runs for a third of SECONDS unmeasured and for SECONDS measured. One JSON object on standard output says
 * what came out.
 *
 * Every page carries a stamp, 8 bytes at a place that depends on the page: its number, scrambled, and how often it was
 * written. An access reads it and compares, or exchanges it for the next one and compares; a version table beside the
 * region knows what it must be, so a page that is lost, stale or another's is found. That ends the program.
 *
 * Exit status: 0, 2 (usage), 3 (a wrong page), 77 (this back end does not run here).
 */
#include <assert.h>
#include <inttypes.h>
#include <lz4.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <onelevel/onelevel.h>

enum { PAGE_BYTES = 4096, PAGE_WORDS = PAGE_BYTES / 8, LINE_WORDS = 8, LINES = PAGE_WORDS / LINE_WORDS };
enum { SAMPLES = 256, BATCH = 64 /* accesses between two looks at the clock */ };
enum { EXIT_USAGE = 2, EXIT_WRONG_PAGE = 3, EXIT_SKIPPED = 77 };

struct region {
    uint64_t *words;
    uint64_t pages;
    uint64_t budget_pages;
    int random_words;         /* of each line */
    uint32_t *version;        /* by page: how often it was written */
    struct ol_memory *memory; /* NULL: the kernel's own */
};

struct backend {
    const char *name;
    bool library; /* libonelevel; else the kernel, within whatever limit this process runs */
    bool whole;   /* the budget bounds all that the memory takes; else resident pages alone */
    bool beside;  /* … and beside them there is a compressed store with room for the region */
    const char *swap;
};

static const struct backend backends[] = {
    {"kernel", false, false, false, NULL},
    {"ram", true, true, false, NULL},
    {"resident", true, false, true, "compressed"},
    {"file", true, false, false, "file"},
};

enum pattern { SEQUENTIAL, CYCLIC, RANDOM, HOT };

static const struct loop {
    const char *name;
    enum pattern pattern;
    unsigned writes; /* of two accesses */
} loops[] = {
    {"seq read", SEQUENTIAL, 0}, {"seq write", SEQUENTIAL, 2}, {"cyclic", CYCLIC, 0},
    {"random read", RANDOM, 0},  {"random write", RANDOM, 2},  {"hot", HOT, 1},
};

enum { LOOPS = sizeof(loops) / sizeof(loops[0]) };

struct result {
    uint64_t accesses;
    uint64_t ns;
    uint64_t faults;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A bijection that leaves no pattern. */
static uint64_t scramble(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93U;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93U;
    return x ^ x >> 32;
}

static uint64_t random_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    return scramble(*state);
}

/* --- pages ------------------------------------------------------------------------------------------------------- */

/* In the repeated part of a line, so that it costs the same compression wherever it is. */
static uint64_t *stamp_of(const struct region *region, uint64_t page)
{
    return region->words + page * PAGE_WORDS + scramble(page) % LINES * LINE_WORDS + LINE_WORDS / 2;
}

static uint64_t stamp(uint64_t page, uint32_t version)
{
    return scramble(~page) << 32 | version;
}

/* 64 lines of 64 bytes: some words random, the others the same in each line of this page. LZ4 makes a third of that
 * with two random ones. */
static void fill_page(const struct region *region, uint64_t page)
{
    uint64_t *words = region->words + page * PAGE_WORDS;
    uint64_t random = scramble(page), same[LINE_WORDS];
    for (int i = 0; i < LINE_WORDS; i++) same[i] = random_next(&random);
    for (int line = 0; line < LINES; line++, words += LINE_WORDS) {
        memcpy(words, same, sizeof(same));
        for (int i = 0; i < region->random_words; i++) words[i] = random_next(&random);
    }
    *stamp_of(region, page) = stamp(page, 0);
}

/* How many times smaller LZ4 makes the pages; of a sample. */
static double compression_ratio(const struct region *region)
{
    char out[LZ4_COMPRESSBOUND(PAGE_BYTES)];
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        const uint64_t page = region->pages * i / SAMPLES;
        bytes += (uint64_t)LZ4_compress_default((const char *)(region->words + page * PAGE_WORDS), out, PAGE_BYTES,
                                                sizeof(out));
    }
    return (double)SAMPLES * PAGE_BYTES / (double)bytes;
}

static void wrong_page(uint64_t page, uint64_t found, uint64_t expected)
{
    fprintf(stderr, "region: page %" PRIu64 " holds %016" PRIx64 " and not %016" PRIx64 "\n", page, found, expected);
    exit(EXIT_WRONG_PAGE);
}

static void access_page(struct region *region, uint64_t page, bool write)
{
    uint64_t *word = stamp_of(region, page);
    const uint64_t expected = stamp(page, region->version[page]);
    uint64_t found;
    if (write) found = __atomic_exchange_n(word, stamp(page, ++region->version[page]), __ATOMIC_RELAXED);
    else found = __atomic_load_n(word, __ATOMIC_RELAXED);
    if (found != expected) wrong_page(page, found, expected);
}

/* --- loops ------------------------------------------------------------------------------------------------------- */

/* The page of the n-th access. Cyclic goes round in a tenth more than fits the budget; hot finds nine accesses in ten
 * in the first tenth of the region. */
static uint64_t choose(const struct region *region, enum pattern pattern, uint64_t n, uint64_t random)
{
    const uint64_t circle = region->budget_pages + region->budget_pages / 10, tenth = region->pages / 10;
    assert(tenth && circle);
    switch (pattern) {
    case SEQUENTIAL: return n % region->pages;
    case CYCLIC: return n % (circle < region->pages ? circle : region->pages);
    case HOT: return random % 10 ? (random >> 8) % tenth : tenth + (random >> 8) % (region->pages - tenth);
    default: return random % region->pages;
    }
}

static uint64_t faults_so_far(const struct region *region)
{
    if (region->memory) {
        struct ol_memory_statistics statistics;
        ol_memory_get_statistics(region->memory, &statistics);
        return statistics.core.faults;
    }
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

/* Accesses from the n-th on for so long; returns the number of the next. */
static uint64_t run_loop(struct region *region, const struct loop *loop, uint64_t n, double seconds,
                         struct result *result)
{
    const uint64_t first = n, begin = now_ns(), faults = faults_so_far(region), limit_ns = (uint64_t)(seconds * 1e9);
    uint64_t state = scramble(begin);
    do {
        for (int i = 0; i < BATCH; i++, n++) {
            const uint64_t random = random_next(&state);
            access_page(region, choose(region, loop->pattern, n, random), random >> 63 < loop->writes);
        }
        result->ns = now_ns() - begin;
    } while (result->ns < limit_ns);
    result->accesses = n - first;
    result->faults = faults_so_far(region) - faults;
    return n;
}

/* --- the region -------------------------------------------------------------------------------------------------- */

static void open_memory(struct region *region, const struct backend *backend)
{
    struct ol_memory_options options = OL_MEMORY_OPTIONS_INIT;
    const char *error;
    options.swap = backend->swap;
    if (backend->whole) options.ram_bytes = region->budget_pages * PAGE_BYTES;
    else options.resident_bytes = region->budget_pages * PAGE_BYTES;
    if (backend->beside) options.compressed_bytes = region->pages * PAGE_BYTES;
    if (ol_memory_open(&options, &region->memory, &error) == OL_OK) return;
    fprintf(stderr, "region: %s\n", error);
    exit(EXIT_SKIPPED);
}

static void open_region(struct region *region, const struct backend *backend)
{
    const size_t bytes = region->pages * PAGE_BYTES;
    region->version = calloc(region->pages, sizeof(*region->version));
    if (backend->library) {
        open_memory(region, backend);
        region->words = ol_memory_map(region->memory, bytes);
    } else {
        void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        region->words = place == MAP_FAILED ? NULL : place;
        if (region->words) (void)madvise(place, bytes, MADV_NOHUGEPAGE);
    }
    if (!region->version || !region->words) {
        fprintf(stderr, "region: there is no room for %zu bytes\n", bytes);
        exit(EXIT_SKIPPED);
    }
}

static void close_region(struct region *region)
{
    if (region->memory) ol_memory_close(region->memory);
    else (void)munmap(region->words, region->pages * PAGE_BYTES);
    free(region->version);
}

/* What the kernel counts as this process's memory, now. */
static uint64_t resident_bytes(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1) pages = 0;
    (void)fclose(file);
    return pages * PAGE_BYTES;
}

static void measure(struct region *region, double seconds)
{
    struct result result[LOOPS];
    const double ratio = compression_ratio(region);
    for (int i = 0; i < LOOPS; i++) {
        const uint64_t next = run_loop(region, &loops[i], 0, seconds / 3, &result[i]);
        (void)run_loop(region, &loops[i], next, seconds, &result[i]);
    }
    printf("{\"compression_ratio\": %.3f, \"resident_bytes\": %" PRIu64 ", \"loops\": {", ratio, resident_bytes());
    for (int i = 0; i < LOOPS; i++)
        printf("%s\"%s\": {\"accesses\": %" PRIu64 ", \"ns\": %" PRIu64 ", \"faults\": %" PRIu64 "}", i ? ", " : "",
               loops[i].name, result[i].accesses, result[i].ns, result[i].faults);
    printf("}}\n");
}

static const struct backend *find_backend(const char *name)
{
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        if (strcmp(backends[i].name, name) == 0) return &backends[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct backend *backend = argc == 5 || argc == 6 ? find_backend(argv[1]) : NULL;
    struct region region = {.random_words = argc == 6 ? atoi(argv[5]) : 2};
    if (backend) {
        region.pages = strtoull(argv[2], NULL, 10) / PAGE_BYTES;
        region.budget_pages = strtoull(argv[3], NULL, 10) / PAGE_BYTES;
    }
    if (region.pages < SAMPLES || !region.budget_pages || region.random_words < 0 || region.random_words > LINE_WORDS) {
        fprintf(stderr, "usage: region kernel|ram|resident|file REGION-BYTES BUDGET-BYTES SECONDS [RANDOM-WORDS]\n"
                        "1 MiB or more; 0 to 8 words of 8 bytes in 64\n");
        return EXIT_USAGE;
    }
    open_region(&region, backend);
    for (uint64_t page = 0; page < region.pages; page++) fill_page(&region, page);
    measure(&region, strtod(argv[4], NULL));
    close_region(&region);
    return 0;
}
