/* SPDX-License-Identifier: MIT */
/*
 * Every operation that can fail fails once, at its first, second, third … call, until nothing fails any more: pager
 * reads and writes, metadata memory, mappings. After each run: nothing crashed, every invariant holds, no page is lost
 * or wrong, no metadata leaked, and errors were told to who touched the page and nobody else. Attacks all invariants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/internal.h"
#include "tests/support/pager_faulty.h"
#include "tests/support/pager_memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/testbed.h"

enum { PAGE_BYTES = 4096, PAGES = 70, FRAMES = 16, SLOTS = 1024, RW = OL_READ | OL_WRITE, TRIES_MAX = 100000 };

/* Every how many steps one is made to fail: each, but where the tool makes all slow and there is one thread anyway. */
enum { STRIDE = OL_SANITIZED ? 7 : 1 };

/* A system, two spaces (the second is made by a fork), and what their pages must hold. */
struct scene {
    struct ol_bed bed;
    struct ol_pager *pager; /* the bed's: faulty over memory */
    struct ol_space *parent, *child;
    ol_va base;
    unsigned char stamps[2][PAGES]; /* of parent and child; 0: zeros */
    bool mapped[2][PAGES];
    bool uncertain[2][PAGES]; /* an operation that gives pages up failed midway: its pages may be zeros or unmapped */
    unsigned failures;        /* operations that were refused */
    bool watermarks, keep;
};

static struct scene scene;
static struct ol_pool *limited; /* one that was given a port without memory, or NULL */

static void check(void)
{
    atomic_store(&scene.bed.port.paused, true); /* the check itself wants memory */
    const char *broken = ol_check(scene.bed.system);
    atomic_store(&scene.bed.port.paused, false);
    if (broken) fail_msg("broken: %s", broken);
}

static ol_va at(unsigned page)
{
    return scene.base + (ol_va)page * PAGE_BYTES;
}

static struct ol_space *space_of(int who)
{
    return who ? scene.child : scene.parent;
}

static enum ol_status scene_create(uint64_t fail_metadata_nth)
{
    const bool watermarks = scene.watermarks, keep = scene.keep;
    memset(&scene, 0, sizeof(scene));
    scene.watermarks = watermarks;
    scene.keep = keep;
    const struct ol_pager_memory_options memory = {
        .page_bytes = PAGE_BYTES, .capacity = SLOTS, .max_pages = SLOTS, .keep = keep};
    scene.pager = ol_pager_faulty_create(ol_pager_memory_create(&memory));
    const struct ol_bed_options options = {
        .frames = FRAMES,
        .frames_max = FRAMES,
        .low = watermarks ? 2 : 0,
        .high = watermarks ? 8 : 0,
        .policy = &ol_policy_second_chance,
        .pager = scene.pager,
        .fail_metadata_nth = fail_metadata_nth,
    };
    return ol_bed_create(ol_testbeds[0], &options, &scene.bed);
}

static void expect_failure(enum ol_status status, enum ol_status failure)
{
    if (status != OL_OK) assert_int_equal(status, failure);
    if (status != OL_OK) scene.failures++;
    check();
}

/* From now on nothing fails. */
static void relent(void)
{
    if (limited) limited->port = &scene.bed.system->port;
    limited = NULL;
    ol_port_faulty_fail(&scene.bed.port, 1, 0);
    ol_pmap_faulty_fail(&scene.bed.pmap, 1, 0);
    ol_pager_faulty_fail(scene.pager, OL_IO_READ, 1, 0, OL_E_IO);
    ol_pager_faulty_fail(scene.pager, OL_IO_WRITE, 1, 0, OL_E_IO);
}

/* A call without which the play cannot go on: it may fail once. */
#define MUST(call, failure)                \
    do {                                   \
        const enum ol_status must = call;  \
        expect_failure(must, failure);     \
        if (must != OL_OK) {               \
            relent();                      \
            assert_int_equal(call, OL_OK); \
            check();                       \
        }                                  \
    } while (0)

static enum ol_status touch(int who, unsigned page, unsigned access, unsigned char *value)
{
    return scene.bed.kind->access(scene.bed.machine, space_of(who), at(page), access, value);
}

/* Writes a stamp; a refusal must be `failure`, and leaves the page as it was. */
static void put(int who, unsigned page, unsigned char stamp, enum ol_status failure)
{
    if (!space_of(who) || !scene.mapped[who][page] || scene.uncertain[who][page]) return;
    const enum ol_status status = touch(who, page, OL_WRITE, &stamp);
    expect_failure(status, failure);
    if (status == OL_OK) scene.stamps[who][page] = stamp;
}

static void get(int who, unsigned page, enum ol_status failure)
{
    unsigned char found = 0;
    if (!space_of(who) || !scene.mapped[who][page] || scene.uncertain[who][page]) return;
    const enum ol_status status = touch(who, page, OL_READ, &found);
    expect_failure(status, failure);
    if (status == OL_OK) assert_int_equal(found, scene.stamps[who][page]);
}

static void set_mapped(int who, unsigned page, unsigned pages, bool mapped)
{
    for (unsigned i = page; i < page + pages; i++) {
        scene.mapped[who][i] = mapped;
        scene.uncertain[who][i] = false;
        scene.stamps[who][i] = 0;
    }
}

static void set_uncertain(int who, unsigned page, unsigned pages)
{
    for (unsigned i = page; i < page + pages; i++) scene.uncertain[who][i] = true;
}

static void unmap(int who, unsigned page, unsigned pages, enum ol_status failure)
{
    if (!space_of(who)) return;
    const enum ol_status status = ol_region_unmap(space_of(who), at(page), pages);
    expect_failure(status, failure);
    if (status == OL_OK) set_mapped(who, page, pages, false);
    else set_uncertain(who, page, pages);
}

static void discard(int who, unsigned page, unsigned pages, enum ol_status failure)
{
    if (!space_of(who)) return;
    const enum ol_status status = ol_space_discard(space_of(who), at(page), pages);
    expect_failure(status, failure);
    for (unsigned i = page; i < page + pages && status == OL_OK; i++) scene.stamps[who][i] = 0;
    if (status != OL_OK) set_uncertain(who, page, pages);
}

static void protect(int who, unsigned page, unsigned pages, enum ol_status failure)
{
    if (!space_of(who)) return;
    const enum ol_status status = ol_region_protect(space_of(who), at(page), pages, OL_READ);
    expect_failure(status, failure);
    if (status == OL_OK) MUST(ol_region_protect(space_of(who), at(page), pages, RW), failure);
}

/* Moves pages away and back, growing. */
static void move(int who, unsigned page, unsigned pages, unsigned to, enum ol_status failure)
{
    if (!space_of(who) || !scene.mapped[who][page]) return;
    const enum ol_status status = ol_region_move(space_of(who), at(page), pages, at(to), pages + 1);
    expect_failure(status, failure);
    if (status != OL_OK) return;
    MUST(ol_region_move(space_of(who), at(to), pages, at(page), pages), failure);
    MUST(ol_region_unmap(space_of(who), at(to + pages), 1), failure);
}

static void wire(int who, unsigned page, unsigned pages, enum ol_status failure)
{
    const enum ol_status status = ol_space_wire(space_of(who), at(page), pages, OL_WRITE);
    expect_failure(status, failure);
    if (status == OL_OK) ol_space_unwire(space_of(who), at(page), pages);
    check();
}

/* A bit of everything: some hundred operations that allocate, read, write and map. */
static void play(enum ol_status failure)
{
    ol_va first;
    MUST(ol_bed_space(&scene.bed, 1 << 20, &scene.parent, &first), failure);
    scene.base = first + (ol_va)4090 * PAGE_BYTES;
    MUST(ol_region_map(scene.parent, at(0), PAGES, RW, OL_MAP_FIXED, NULL), failure);
    set_mapped(0, 0, PAGES, true);
    for (unsigned page = 0; page < PAGES - 10; page++) put(0, page, (unsigned char)(page + 1), failure);
    for (unsigned page = 0; page < PAGES; page++) get(0, page, failure);
    /* Regions that share an overlay, so that the child cannot give up its overlay whole. */
    (void)ol_region_protect(scene.parent, at(45), 15, OL_READ | OL_WRITE | OL_EXEC);
    scene.child = NULL;
    const enum ol_status status = ol_space_fork(scene.parent, &scene.child);
    expect_failure(status, failure);
    if (status == OL_OK) {
        memcpy(scene.stamps[1], scene.stamps[0], sizeof(scene.stamps[0]));
        memcpy(scene.mapped[1], scene.mapped[0], sizeof(scene.mapped[0]));
    }
    for (unsigned page = 0; page < PAGES; page += 3) {
        get(1, page, failure); /* mapped, but not for writing */
        put(1, page, (unsigned char)(page + 100), failure);
        get(0, page, failure);
    }
    for (unsigned page = 0; page < PAGES; page += 4) put(0, page, (unsigned char)(page + 101), failure);
    unmap(1, 10, 20, failure);
    protect(0, 33, 7, failure);
    discard(1, 40, 5, failure);
    unmap(0, 48, 3, failure);
    move(0, 53, 5, 400, failure);
    wire(0, 20, 4, failure);
    for (unsigned page = 0; page < PAGES; page++) {
        get(0, page, failure);
        get(1, page, failure);
    }
}

/* Nothing fails any more: every page is there and right, can be written, and its space can be given up. */
static void expect_all_is_well(void)
{
    relent();
    const unsigned failures = scene.failures;
    for (int who = 0; who < 2; who++)
        for (unsigned page = 0; page < PAGES; page++) get(who, page, OL_OK);
    for (unsigned page = 0; page < PAGES; page++)
        if (!scene.uncertain[0][page]) put(0, page, 7, OL_OK);
    for (unsigned page = 0; page < PAGES; page++) get(1, page, OL_OK);
    assert_int_equal(scene.failures, failures);
    if (scene.child) ol_space_destroy(scene.child);
    check();
    assert_int_equal(ol_region_unmap(scene.parent, at(0), PAGES), OL_OK);
    check();
    struct ol_statistics now;
    ol_system_statistics(scene.bed.system, &now);
    assert_int_equal(now.pages, 0);
    assert_int_equal(now.frames_in_use, 0);
    assert_int_equal(now.frames_wired, 0);
    assert_int_equal(now.pages_swapped, 0);
    ol_bed_destroy(&scene.bed);
    assert_int_equal(scene.bed.port.bytes, 0);
}

/* Destroys everything while metadata is refused: giving up never fails. */
static void destroy_without_metadata(void)
{
    ol_port_faulty_fail(&scene.bed.port, 1, UINT64_MAX);
    if (scene.child) ol_space_destroy(scene.child);
    check();
    ol_space_destroy(scene.parent);
    relent();
    check();
    ol_bed_destroy(&scene.bed);
    assert_int_equal(scene.bed.port.bytes, 0);
}

static void each_way(void (*run)(void))
{
    for (int watermarks = 0; watermarks < 2; watermarks++) {
        scene.watermarks = watermarks;
        scene.keep = !watermarks;
        run();
    }
}

/* --- the pager -----------------------------------------------------------------------------------------------------
 */

static enum ol_io_op op;    /* what fails */
static enum ol_status how;  /* … with */
static uint64_t times;      /* … and how often from there on */
static enum ol_status what; /* what is told to who touches a page */

static void run_pager(void)
{
    uint64_t failed = 1;
    unsigned runs = 0;
    for (uint64_t nth = 1; failed; nth += STRIDE, runs += STRIDE) {
        assert_int_equal(scene_create(0), OL_OK);
        ol_pager_faulty_fail(scene.pager, op, nth, times, how);
        play(what);
        failed = ol_pager_faulty_failures(scene.pager);
        struct ol_statistics now;
        ol_system_statistics(scene.bed.system, &now);
        assert_int_equal(op == OL_IO_READ ? now.read_errors : now.write_errors, failed);
        if (op == OL_IO_READ) assert_int_equal(scene.failures, failed);
        else assert_int_equal(scene.failures, 0); /* another page was written instead */
        expect_all_is_well();
    }
    assert_in_range(runs, 40, 2000);
}

static void test_every_read_fails_once(void **state)
{
    (void)state;
    op = OL_IO_READ, how = OL_E_IO, times = 1, what = OL_E_IO;
    each_way(run_pager);
}

static void test_every_write_fails_once(void **state)
{
    (void)state;
    op = OL_IO_WRITE, times = 1, what = OL_OK;
    how = OL_E_IO;
    each_way(run_pager);
    how = OL_E_NO_SWAP;
    each_way(run_pager);
}

/* From the nth on every write fails, for ever: pages stay in memory, and when that is full, faults are refused. */
static void run_no_more_writes(void)
{
    uint64_t failed = 1, refused = 0;
    for (uint64_t nth = 1; failed; nth += 7) {
        assert_int_equal(scene_create(0), OL_OK);
        ol_pager_faulty_fail(scene.pager, OL_IO_WRITE, nth, UINT64_MAX, OL_E_NO_SWAP);
        play(OL_E_NO_FRAMES);
        failed = ol_pager_faulty_failures(scene.pager);
        if (!failed) assert_int_equal(scene.failures, 0);
        refused += scene.failures;
        expect_all_is_well();
    }
    assert_in_range(refused, 1, UINT32_MAX);
}

static void test_writes_fail_for_ever(void **state)
{
    (void)state;
    each_way(run_no_more_writes);
}

static void run_no_more_reads(void)
{
    uint64_t failed = 1;
    for (uint64_t nth = 1; failed; nth += 7) {
        assert_int_equal(scene_create(0), OL_OK);
        ol_pager_faulty_fail(scene.pager, OL_IO_READ, nth, UINT64_MAX, OL_E_IO);
        play(OL_E_IO);
        failed = ol_pager_faulty_failures(scene.pager);
        assert_int_equal(scene.failures, failed);
        expect_all_is_well();
    }
}

static void test_reads_fail_for_ever(void **state)
{
    (void)state;
    each_way(run_no_more_reads);
}

/* The failing page is told to fail to its reader alone, while its neighbours go on. */
static void test_a_bad_page_is_its_readers(void **state)
{
    (void)state;
    scene.watermarks = scene.keep = true;
    assert_int_equal(scene_create(0), OL_OK);
    play(OL_OK);
    unsigned page = 0;
    while (ol_page_residence(scene.parent, at(page)) != OL_SWAPPED) page++;
    ol_pager_faulty_fail(scene.pager, OL_IO_READ, 1, 3, OL_E_IO);
    unsigned char value;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(touch(0, page, i == 1 ? OL_WRITE : OL_READ, &value), OL_E_IO);
        check();
        assert_int_equal(ol_page_residence(scene.parent, at(page)), OL_SWAPPED);
    }
    assert_int_equal(ol_space_wire(scene.parent, at(page), 1, OL_READ), OL_OK);
    ol_space_unwire(scene.parent, at(page), 1);
    expect_all_is_well();
}

/* --- metadata and mappings ------------------------------------------------------------------------------------------
 */

/* Creation is given up without a trace, wherever its memory ends. */
static void test_creation_without_metadata(void **state)
{
    (void)state;
    enum ol_status status = OL_E_NO_META;
    uint64_t nth = 0;
    for (; status != OL_OK; nth++) {
        status = scene_create(nth + 1);
        if (status == OL_OK) break;
        assert_int_equal(status, OL_E_NO_META);
        assert_int_equal(scene.bed.port.bytes, 0);
    }
    assert_in_range(nth, 3, 20);
    ol_bed_destroy(&scene.bed);
}

static void run_metadata(void)
{
    uint64_t failed = 1;
    unsigned runs = 0;
    for (uint64_t nth = 1; failed; nth += STRIDE, runs += STRIDE) {
        assert_int_equal(scene_create(0), OL_OK);
        ol_port_faulty_fail(&scene.bed.port, nth, times);
        play(OL_E_NO_META);
        failed = atomic_load(&scene.bed.port.failed);
        assert_int_equal(scene.failures > 0, failed > 0);
        expect_all_is_well();
    }
    assert_in_range(runs, 5, 100);
}

static void test_metadata_fails(void **state)
{
    (void)state;
    times = 1;
    each_way(run_metadata);
    times = UINT64_MAX;
    each_way(run_metadata);
}

enum { RESERVED_MAX = 1 << 16 };

static void *no_memory(void *context, size_t bytes)
{
    (void)context;
    (void)bytes;
    return NULL;
}

/* Leaves a pool with `left` objects to be had and no memory for more, until relent(). */
static void pool_limit(struct ol_pool *pool, uint32_t left)
{
    static struct ol_port starving;
    static uint32_t reserved[RESERVED_MAX];
    uint32_t count = 0;
    starving = *pool->port;
    starving.metadata_alloc = no_memory;
    while (pool->used <= left) reserved[count++] = ol_pool_new(pool); /* so many there must be */
    pool->port = &starving;
    while ((reserved[count] = ol_pool_new(pool)) != OL_NIL) assert_in_range(++count, 1, RESERVED_MAX - 1);
    for (uint32_t i = 0; i < left; i++) ol_pool_delete(pool, reserved[--count]);
    pool->live -= count; /* what stays reserved does not exist */
    limited = pool;
}

/* The kth object of one pool is not to be had, for all k. */
static void run_pool(size_t pool_offset, uint32_t runs_least)
{
    uint32_t left = 0;
    for (unsigned failures = 1; failures; left += STRIDE) {
        assert_int_equal(scene_create(0), OL_OK);
        pool_limit((struct ol_pool *)(void *)((char *)scene.bed.system + pool_offset), left);
        play(OL_E_NO_META);
        failures = scene.failures;
        if (left / STRIDE % 2) expect_all_is_well();
        else destroy_without_metadata();
    }
    assert_in_range(left, runs_least, 1000);
}

static void run_pools(void)
{
    run_pool(offsetof(struct ol_system, spaces), 3);
    run_pool(offsetof(struct ol_system, overlays), 3);
    run_pool(offsetof(struct ol_system, regions), 6);
    run_pool(offsetof(struct ol_system, nodes), 5);
    run_pool(offsetof(struct ol_system, anons), PAGES);
}

static void test_every_object_is_missing_once(void **state)
{
    (void)state;
    scene.keep = true;
    run_pools();
}

static void run_pmap(void)
{
    uint64_t failed = 1;
    unsigned runs = 0;
    for (uint64_t nth = 1; failed; nth += STRIDE, runs += STRIDE) {
        assert_int_equal(scene_create(0), OL_OK);
        ol_pmap_faulty_fail(&scene.bed.pmap, nth, 1);
        play(OL_E_NO_META);
        failed = scene.bed.pmap.failed + scene.bed.pmap.failed_large;
        assert_int_equal(scene.failures, scene.bed.pmap.failed); /* without a large one, small ones serve */
        expect_all_is_well();
    }
    assert_in_range(runs, 100, 2000);
}

static void test_every_mapping_fails_once(void **state)
{
    (void)state;
    each_way(run_pmap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_read_fails_once),
        cmocka_unit_test(test_every_write_fails_once),
        cmocka_unit_test(test_writes_fail_for_ever),
        cmocka_unit_test(test_reads_fail_for_ever),
        cmocka_unit_test(test_a_bad_page_is_its_readers),
        cmocka_unit_test(test_creation_without_metadata),
        cmocka_unit_test(test_metadata_fails),
        cmocka_unit_test(test_every_object_is_missing_once),
        cmocka_unit_test(test_every_mapping_fails_once),
    };
    return cmocka_run_group_tests_name("core faults", tests, NULL, NULL);
}
