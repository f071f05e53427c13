/* SPDX-License-Identifier: MIT */
/*
 * For the programs that the tests run under `onelevel run`. They pass natively too, where nothing is evicted.
 *
 * A program prints the name of every group of checks before it runs it; the first check that fails ends it with
 * status 1. A group's name as last argument runs that group alone. `force_out` touches enough other memory that what it
 * is given leaves the budget of the tests (at most HOG_BYTES / 2), and checks with mincore that it did.
 */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, HOG_BYTES = 5 << 20 };

#define CHECK(condition, ...)                                                         \
    do {                                                                              \
        if (!(condition)) {                                                           \
            const int check_errno = errno;                                            \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);           \
            fprintf(stderr, __VA_ARGS__);                                             \
            fprintf(stderr, " (errno %d: %s)\n", check_errno, strerror(check_errno)); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* One named part of a program's checks. */
struct group {
    const char *name;
    void (*run)(void);
};

/* Runs the groups up to the one without a name, or only the one that is asked for (NULL: all). */
static inline void run_groups(const struct group *group, const char *only)
{
    bool found = false;
    for (; group->name; group++) {
        if (only && strcmp(only, group->name) != 0) continue;
        found = true;
        printf("%s\n", group->name);
        (void)fflush(stdout);
        group->run();
    }
    CHECK(found, "there is no group '%s'", only);
}

/* The window of the runtime: memory there is managed. */
static inline bool is_managed(const void *p)
{
    return ((uintptr_t)p >> 44) == 6;
}

/* Memory that `onelevel run` manages: anonymous, private, not small. */
static inline void *map_pages(size_t bytes)
{
    void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(place != MAP_FAILED, "%zu bytes", bytes);
    return place;
}

/* How many pages of [p, p + bytes) are resident; with `managed_only`, 0 for what is not managed. */
static inline size_t resident_pages(const void *p, size_t bytes)
{
    char *first = (char *)((uintptr_t)p & ~(uintptr_t)(PAGE - 1));
    const size_t pages = (size_t)((const char *)p + bytes - first + PAGE - 1) / PAGE;
    size_t resident = 0;
    unsigned char state;
    for (size_t i = 0; i < pages; i++) {
        CHECK(mincore(first + i * PAGE, 1, &state) == 0, "page %zu", i);
        resident += state & 1;
    }
    return resident;
}

static inline void touch_other_memory(void)
{
    static volatile char *hog;
    if (!hog) hog = map_pages(HOG_BYTES);
    for (int turn = 0; turn < 2; turn++)
        for (size_t at = 0; at < HOG_BYTES; at += PAGE) hog[at]++;
}

static inline void force_out(const void *p, size_t bytes)
{
    touch_other_memory();
    if (is_managed(p)) CHECK(resident_pages(p, bytes) == 0, "memory should be evicted now");
}

/* A pattern that tells places and versions apart. */
static inline unsigned char pattern(size_t at, unsigned version)
{
    return (unsigned char)((at * 2654435761U >> 7) + at / PAGE + version * 97U);
}

static inline void fill(void *p, size_t bytes, unsigned version)
{
    unsigned char *byte = p;
    for (size_t i = 0; i < bytes; i++) byte[i] = pattern(i, version);
}

static inline void check_filled(const void *p, size_t bytes, unsigned version, const char *what)
{
    const unsigned char *byte = p;
    for (size_t i = 0; i < bytes; i++)
        CHECK(byte[i] == pattern(i, version), "%s: byte %zu is %u, not %u", what, i, byte[i], pattern(i, version));
}

/* Calls itself until the stack is full. */
static inline unsigned recurse(volatile unsigned char *above)
{
    static volatile bool always = true;
    volatile unsigned char here[1000];
    here[0] = (unsigned char)(above ? above[0] + 1 : 0);
    return always ? recurse(here) + here[0] : 0;
}

static inline void overflow_stack(void)
{
    (void)recurse(NULL);
}

#endif
