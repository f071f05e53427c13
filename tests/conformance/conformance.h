/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: what the core's public interface promises, on any machine, under any policy.
 *
 * Conditions that hold for all tests:
 * - They see include/onelevel/core.h and the testbed, nothing else.
 * - Every step is one of the macros below: after each, ol_check must find nothing.
 * - Each is run for every testbed, every policy, in every mode (struct variant).
 */
#ifndef OL_TESTS_CONFORMANCE_H
#define OL_TESTS_CONFORMANCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/random.h"
#include "tests/support/testbed.h"

enum { SPACE_PAGES_MOST = 1 << 16, RW = OL_READ | OL_WRITE };

enum mode {
    MODE_EXACT,      /* watermarks 0, 0 */
    MODE_WATERMARKS, /* reclaim works ahead */
    MODE_PREFETCH,   /* … and faults bring in what is expected next */
    MODES
};

/* What the tests are being run for; set by main.c. */
struct variant {
    const struct ol_testbed *bed;
    const struct ol_policy_ops *policy;
    enum mode mode;
    bool exact;           /* mode == MODE_EXACT */
    uint64_t space_pages; /* of a world's space: SPACE_PAGES_MOST, or all that the machine has */
};
extern struct variant variant;

#define PAGE_BYTES  (1ULL << variant.bed->is->page_shift)
#define SPACE_PAGES (variant.space_pages)

/* Sizes of a world; zeros stand for the values behind the colons. */
struct world_options {
    uint32_t frames;      /* 64 */
    uint32_t frames_max;  /* frames */
    uint64_t space_pages; /* SPACE_PAGES */
    uint32_t pager_pages; /* most pages the pager holds: as many as it has slots, 8192 */
    bool no_pager;
    bool no_prefetch; /* what is counted would depend on it */
    bool drop_copies; /* the pager's copy of a page is not kept while the page is resident */
    uint64_t chaos;   /* seed; see pmap_faulty.h */
};

/* A system with one space. */
struct world {
    struct ol_bed bed;
    struct ol_space *space;
    ol_va base; /* where space begins */
};

void world_create(struct world *world, const struct world_options *options);
/* Checks once more, and that no metadata leaked. */
void world_destroy(struct world *world);
struct ol_statistics world_statistics(struct world *world);

/* The address of a page, counted from the beginning of the world's space. */
ol_va at(const struct world *world, uint64_t page);

/* A step: its status must be the one expected, and every invariant must hold after it. */
void expect(struct world *world, enum ol_status status, enum ol_status expected, const char *text, const char *file,
            int line);
#define EXPECT(world, expected, call) expect(world, call, expected, #call, __FILE__, __LINE__)
#define OK(world, call)               EXPECT(world, OL_OK, call)
#define CHECKED(world, statement)                                    \
    do {                                                             \
        statement;                                                   \
        expect(world, OL_OK, OL_OK, #statement, __FILE__, __LINE__); \
    } while (0)

/* The program's accesses. A stamp (1 … 255) stands in a page's first and, inverted, in its last byte. */
enum ol_status page_put(struct world *world, struct ol_space *space, ol_va va, unsigned stamp);
/* Stores the stamp in *stamp, 0 for a page of zeros, 256 for anything else. */
enum ol_status page_get(struct world *world, struct ol_space *space, ol_va va, unsigned *stamp);
enum ol_status page_access(struct world *world, struct ol_space *space, ol_va va, unsigned access);

void expect_stamp(struct world *world, struct ol_space *space, ol_va va, unsigned stamp, const char *file, int line);
#define PUT(world, space, va, stamp)              OK(world, page_put(world, space, va, stamp))
#define IS(world, space, va, stamp)               expect_stamp(world, space, va, stamp, __FILE__, __LINE__)
#define REFUSED(world, space, va, kind, expected) EXPECT(world, expected, page_access(world, space, va, kind))

/* A stamp that differs between neighbours. */
unsigned stamp_of(uint64_t page);
/* Stamps pages [first, first + count) of the world's space with stamp_of, or reads that they are so stamped. */
void put_all(struct world *world, uint64_t first, uint64_t count);
void all_are(struct world *world, uint64_t first, uint64_t count);

/* Maps [page, page + pages) of the world's space, at that place. */
enum ol_status map_at(struct world *world, uint64_t page, uint64_t pages, unsigned rights);

/* Without write protection there are no read-only regions, no forks, and no telling what was changed. */
#define WANTS_WRITE_PROTECTION()                          \
    do {                                                  \
        if (variant.bed->is->no_write_protection) skip(); \
    } while (0)

/* One file of tests. */
struct group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
};
extern const struct group large_group, regions_group, pages_group, prefetch_group, wiring_group, spaces_group,
    pressure_group, threads_group, soak_group, sharing_group;

#endif
