/* SPDX-License-Identifier: MIT */
#include "tests/conformance/conformance.h"

#include <string.h>

#include "tests/support/pager_memory.h"

struct variant variant;

enum { PAGER_SLOTS = 8192 };

static struct ol_pager *make_pager(const struct world_options *options)
{
    if (options->no_pager) return NULL;
    const struct ol_pager_memory_options memory = {
        .page_bytes = (uint32_t)PAGE_BYTES,
        .capacity = PAGER_SLOTS,
        .max_pages = options->pager_pages ? options->pager_pages : PAGER_SLOTS,
        .keep = !options->drop_copies,
    };
    struct ol_pager *pager = ol_pager_memory_create(&memory);
    assert_non_null(pager);
    return pager;
}

void world_create(struct world *world, const struct world_options *options)
{
    const uint32_t frames = options->frames ? options->frames : 64;
    const uint32_t ahead = frames / 8 < OL_IO_PAGES_MAX ? frames / 8 : OL_IO_PAGES_MAX - 1;
    const struct ol_bed_options bed = {
        .frames = frames,
        .frames_max = options->frames_max ? options->frames_max : frames,
        .low = variant.exact ? 0 : frames / 16,
        .high = variant.exact ? 0 : frames / 4,
        .prefetch_max = variant.mode == MODE_PREFETCH && !options->no_prefetch ? ahead : 0,
        .policy = variant.policy,
        .pager = make_pager(options),
    };
    memset(world, 0, sizeof(*world));
    assert_int_equal(ol_bed_create(variant.bed, &bed, &world->bed), OL_OK);
    world->bed.pmap.chaos = options->chaos;
    const uint64_t pages = options->space_pages ? options->space_pages : SPACE_PAGES;
    OK(world, ol_bed_space(&world->bed, pages, &world->space, &world->base));
}

void world_destroy(struct world *world)
{
    CHECKED(world, (void)0);
    ol_bed_destroy(&world->bed);
    assert_int_equal(world->bed.port.bytes, 0);
}

struct ol_statistics world_statistics(struct world *world)
{
    struct ol_statistics statistics;
    ol_system_statistics(world->bed.system, &statistics);
    assert_int_equal(statistics.faults, statistics.faults_zero + statistics.faults_major + statistics.faults_rescued +
                                            statistics.faults_soft + statistics.faults_copied);
    return statistics;
}

ol_va at(const struct world *world, uint64_t page)
{
    return world->base + page * PAGE_BYTES;
}

void expect(struct world *world, enum ol_status status, enum ol_status expected, const char *text, const char *file,
            int line)
{
    const char *broken = ol_check(world->bed.system);
    if (broken) print_error("%s:%d: after %s: broken: %s\n", file, line, text, broken);
    if (status != expected)
        print_error("%s:%d: %s: %s, expected %s\n", file, line, text, ol_status_text(status), ol_status_text(expected));
    if (broken || status != expected) _fail(file, line);
}

enum ol_status page_access(struct world *world, struct ol_space *space, ol_va va, unsigned access)
{
    unsigned char value = 0;
    return world->bed.kind->access(world->bed.machine, space, va, access, &value);
}

enum ol_status page_put(struct world *world, struct ol_space *space, ol_va va, unsigned stamp)
{
    const struct ol_testbed *kind = world->bed.kind;
    unsigned char first = (unsigned char)stamp, last = (unsigned char)~stamp;
    const enum ol_status status = kind->access(world->bed.machine, space, va, OL_WRITE, &first);
    return status == OL_OK ? kind->access(world->bed.machine, space, va + PAGE_BYTES - 1, OL_WRITE, &last) : status;
}

enum ol_status page_get(struct world *world, struct ol_space *space, ol_va va, unsigned *stamp)
{
    const struct ol_testbed *kind = world->bed.kind;
    unsigned char first = 0, last = 0;
    enum ol_status status = kind->access(world->bed.machine, space, va, OL_READ, &first);
    if (status == OL_OK) status = kind->access(world->bed.machine, space, va + PAGE_BYTES - 1, OL_READ, &last);
    if (first == 0 && last == 0) *stamp = 0;
    else *stamp = last == (unsigned char)~first ? first : 256;
    return status;
}

void expect_stamp(struct world *world, struct ol_space *space, ol_va va, unsigned stamp, const char *file, int line)
{
    unsigned found = 0;
    expect(world, page_get(world, space, va, &found), OL_OK, "reading a page", file, line);
    if (found == stamp) return;
    print_error("%s:%d: the page at %#llx holds %u, not %u\n", file, line, (unsigned long long)va, found, stamp);
    _fail(file, line);
}

unsigned stamp_of(uint64_t page)
{
    return (unsigned)(page % 251) + 1;
}

void put_all(struct world *world, uint64_t first, uint64_t count)
{
    for (uint64_t page = first; page < first + count; page++) PUT(world, world->space, at(world, page), stamp_of(page));
}

void all_are(struct world *world, uint64_t first, uint64_t count)
{
    for (uint64_t page = first; page < first + count; page++) IS(world, world->space, at(world, page), stamp_of(page));
}

enum ol_status map_at(struct world *world, uint64_t page, uint64_t pages, unsigned rights)
{
    return ol_region_map(world->space, at(world, page), pages, rights, OL_MAP_FIXED, NULL);
}
