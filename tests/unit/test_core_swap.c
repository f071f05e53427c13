/* SPDX-License-Identifier: MIT */
/* Swap slots: none is given out twice, and neighbours stay together. Attacks I7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/internal.h"
#include "tests/support/pager_memory.h"
#include "tests/support/random.h"
#include "tests/support/testbed.h"

enum { PAGE_BYTES = 4096, CLUSTER = 64, RW = OL_READ | OL_WRITE };

static struct ol_bed bed;

static void create_with(const struct ol_policy_ops *policy, uint32_t capacity, uint32_t frames, uint32_t low,
                        uint32_t high)
{
    const struct ol_pager_memory_options memory = {
        .page_bytes = PAGE_BYTES, .capacity = capacity, .max_pages = capacity, .keep = true};
    const struct ol_bed_options options = {.frames = frames,
                                           .frames_max = frames,
                                           .low = low,
                                           .high = high,
                                           .policy = policy,
                                           .pager = ol_pager_memory_create(&memory)};
    assert_int_equal(ol_bed_create(ol_testbeds[0], &options, &bed), OL_OK);
}

static void create(uint32_t capacity, uint32_t frames, uint32_t low, uint32_t high)
{
    create_with(&ol_policy_fifo, capacity, frames, low, high);
}

static void destroy(void)
{
    ol_bed_destroy(&bed);
    assert_int_equal(bed.port.bytes, 0);
}

static void test_fresh_slots_are_neighbours(void **state)
{
    (void)state;
    ol_slot slots[CLUSTER];
    create(CLUSTER * 4, 8, 0, 0);
    assert_int_equal(ol_swap_allocate(bed.system, slots, 0), 0);
    for (uint32_t cluster = 0; cluster < 4; cluster++) {
        assert_int_equal(ol_swap_allocate(bed.system, slots, CLUSTER), CLUSTER);
        for (uint32_t i = 0; i < CLUSTER; i++) assert_int_equal(slots[i], slots[0] + i);
        assert_int_equal(slots[0] % CLUSTER, 0);
    }
    assert_int_equal(ol_swap_allocate(bed.system, slots, 1), 0);
    assert_int_equal(bed.system->swap.count, CLUSTER * 4);
    for (ol_slot slot = 0; slot < CLUSTER * 4; slot++) ol_swap_release(bed.system, slot);
    destroy();
}

/* The last cluster is only a part of one; and a pager may have no slots at all. */
static void test_capacity_is_kept(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, CLUSTER - 1, CLUSTER, CLUSTER + 1, 3 * CLUSTER + 7};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        ol_slot slots[CLUSTER];
        uint32_t total = 0, n;
        create(capacities[i], 8, 0, 0);
        while ((n = ol_swap_allocate(bed.system, slots, 10)) != 0) {
            for (uint32_t k = 0; k < n; k++) assert_in_range(slots[k], 0, capacities[i] - 1);
            total += n;
        }
        assert_int_equal(total, capacities[i]);
        assert_false(ol_swap_is_used(bed.system, capacities[i]));
        for (ol_slot slot = 0; slot < capacities[i]; slot++) {
            assert_true(ol_swap_is_used(bed.system, slot));
            ol_swap_release(bed.system, slot);
        }
        destroy();
    }
    const struct ol_bed_options none = {.frames = 8, .frames_max = 8, .policy = &ol_policy_fifo};
    ol_slot slot;
    assert_int_equal(ol_bed_create(ol_testbeds[0], &none, &bed), OL_OK);
    assert_int_equal(ol_swap_allocate(bed.system, &slot, 1), 0);
    destroy();
}

static void test_random_allocation(void **state)
{
    (void)state;
    enum { CAPACITY = 20 * CLUSTER + 5, STEPS = 20000 };
    static bool used[CAPACITY];
    uint64_t seed = 4;
    uint32_t count = 0;
    create(CAPACITY, 8, 0, 0);
    for (int step = 0; step < STEPS; step++) {
        if (ol_random_below(&seed, 100) < (step / 4000 % 2 ? 35 : 65)) { /* it fills and empties in turn */
            ol_slot slots[CLUSTER];
            const uint32_t wanted = 1 + (uint32_t)ol_random_below(&seed, CLUSTER);
            const uint32_t n = ol_swap_allocate(bed.system, slots, wanted);
            assert_in_range(n, count < CAPACITY ? 1 : 0, wanted);
            for (uint32_t i = 0; i < n; i++) {
                assert_in_range(slots[i], i ? slots[i - 1] + 1 : 0, CAPACITY - 1);
                assert_int_equal(slots[i] / CLUSTER, slots[0] / CLUSTER); /* one cluster */
                assert_false(used[slots[i]]);
                used[slots[i]] = true;
            }
            count += n;
        } else {
            ol_slot slot = (ol_slot)ol_random_below(&seed, CAPACITY);
            for (uint32_t i = 0; i < 40; i++, slot = (slot + 1) % CAPACITY) {
                assert_int_equal(ol_swap_is_used(bed.system, slot), used[slot]);
                if (!used[slot]) continue;
                ol_swap_release(bed.system, slot);
                used[slot] = false;
                count--;
            }
        }
        assert_int_equal(bed.system->swap.count, count);
    }
    for (ol_slot slot = 0; slot < CAPACITY; slot++)
        if (used[slot]) ol_swap_release(bed.system, slot);
    destroy();
}

/* While there is room, a large request does not end up in the crumbs that others left. */
static void test_large_requests_avoid_crumbs(void **state)
{
    (void)state;
    ol_slot slots[CLUSTER];
    create(CLUSTER * 16, 8, 0, 0);
    for (int i = 0; i < 8; i++) assert_int_equal(ol_swap_allocate(bed.system, slots, CLUSTER), CLUSTER);
    for (ol_slot slot = 0; slot < CLUSTER * 8; slot += 8) ol_swap_release(bed.system, slot); /* 8 a cluster */
    for (int i = 0; i < 8; i++) assert_in_range(ol_swap_allocate(bed.system, slots, 32), 16, 32);
    for (ol_slot slot = 0; slot < CLUSTER * 16; slot++)
        if (ol_swap_is_used(bed.system, slot)) ol_swap_release(bed.system, slot);
    destroy();
}

/* The slot of a page of the space's only region; OL_NO_SLOT if it has none. */
static ol_slot slot_of(struct ol_space *space, uint64_t index)
{
    bool shared;
    const struct ol_region *region = ol_region_at(bed.system, space->root);
    const uint32_t child = ol_overlay_lookup(bed.system, region->overlay, index, &shared);
    const uint32_t where = ol_child_where(bed.system, child);
    return ol_child_state(bed.system, child) == OL_ANON_SWAPPED ? where : bed.system->frame[where].slot;
}

/* Pages written one after another, in whatever order within a cluster's worth, lie one after another in swap. */
static void test_neighbours_in_memory_are_neighbours_in_swap(void **state)
{
    (void)state;
    enum { PAGES = 1024 };
    struct ol_space *space;
    ol_va base;
    create(4096, 256, 64, 128);
    assert_int_equal(ol_bed_space(&bed, PAGES, &space, &base), OL_OK);
    assert_int_equal(ol_region_map(space, base, PAGES, RW, OL_MAP_FIXED, NULL), OL_OK);
    for (uint64_t page = 0; page < PAGES; page++) {
        unsigned char value = 1;
        const uint64_t index = (page & ~15ULL) + (page * 7 & 15);
        assert_int_equal(bed.kind->access(bed.machine, space, base + index * PAGE_BYTES, OL_WRITE, &value), OL_OK);
    }
    unsigned pairs = 0, neighbours = 0;
    for (uint64_t index = 0; index + 1 < PAGES; index++) {
        if (slot_of(space, index) == OL_NO_SLOT || slot_of(space, index + 1) == OL_NO_SLOT) continue;
        pairs++;
        neighbours += slot_of(space, index + 1) == slot_of(space, index) + 1;
    }
    assert_in_range(pairs, PAGES / 2, PAGES);
    assert_in_range(neighbours, pairs * 3 / 4, pairs);
    destroy();
}

enum { BARE_FRAMES = 64, BARE_PAGES = 1024 };

static void access_page(struct ol_space *space, ol_va va, unsigned access, unsigned char expected)
{
    unsigned char value = expected;
    assert_int_equal(bed.kind->access(bed.machine, space, va, access, &value), OL_OK);
    assert_int_equal(value, expected);
}

static unsigned char stamp_of(uint64_t page)
{
    return (unsigned char)(page % 251 + 1);
}

/* A space of BARE_PAGES pages that were written, of which BARE_FRAMES have a frame. */
static struct ol_space *written_space(ol_va *base)
{
    struct ol_space *space;
    assert_int_equal(ol_bed_space(&bed, 4 * BARE_PAGES, &space, base), OL_OK);
    assert_int_equal(ol_region_map(space, *base, BARE_PAGES, RW, OL_MAP_FIXED, NULL), OL_OK);
    for (uint64_t page = 0; page < BARE_PAGES; page++)
        access_page(space, *base + page * PAGE_BYTES, OL_WRITE, stamp_of(page));
    assert_null(ol_check(bed.system));
    return space;
}

static void expect_counts(uint64_t pages, uint32_t anons)
{
    struct ol_statistics now;
    ol_system_statistics(bed.system, &now);
    assert_int_equal(now.pages, pages);
    assert_int_equal(bed.system->anons.live, anons);
    assert_int_equal(bed.system->bare, pages - anons);
    assert_null(ol_check(bed.system));
}

/* There are as many anons as pages with a frame, and never were more; what comes back has one again. */
static void test_swapped_pages_have_no_anons(void **state)
{
    (void)state;
    ol_va base;
    create(4096, BARE_FRAMES, 0, 0);
    struct ol_space *space = written_space(&base);
    for (uint64_t page = 0; page < BARE_PAGES; page++)
        access_page(space, base + page * PAGE_BYTES, OL_READ, stamp_of(page));
    expect_counts(BARE_PAGES, BARE_FRAMES);
    assert_in_range(bed.system->anons.used, BARE_FRAMES, BARE_FRAMES + 2);
    assert_int_equal(bed.system->count.pages_peak, BARE_PAGES);
    assert_int_equal(ol_space_discard(space, base, BARE_PAGES / 2), OL_OK);
    expect_counts(BARE_PAGES / 2, BARE_FRAMES);
    assert_int_equal(bed.system->swap.count, bed.system->bare + BARE_FRAMES); /* those in memory keep their copy */
    destroy();
}

/* Whose last mapping was elsewhere keeps its anon; nothing else differs. */
static void test_moved_pages_keep_their_anons(void **state)
{
    (void)state;
    ol_va base;
    create(4096, BARE_FRAMES, 0, 0);
    struct ol_space *space = written_space(&base);
    const ol_va to = base + (ol_va)2 * BARE_PAGES * PAGE_BYTES;
    assert_int_equal(ol_region_move(space, base, BARE_PAGES, to, BARE_PAGES), OL_OK);
    for (uint64_t page = 0; page < BARE_FRAMES; page++) /* evicts what was resident when it moved */
        access_page(space, to + page * PAGE_BYTES, OL_READ, stamp_of(page));
    expect_counts(BARE_PAGES, 2 * BARE_FRAMES);
    for (uint64_t page = 0; page < BARE_PAGES; page++)
        access_page(space, to + page * PAGE_BYTES, OL_READ, stamp_of(page));
    expect_counts(BARE_PAGES, BARE_FRAMES);
    destroy();
}

/* A fork shares nodes, bare slots and all; who writes gives the pages of a node anons, to share them one by one. */
static void test_bare_slots_are_shared_as_anons(void **state)
{
    (void)state;
    ol_va base;
    struct ol_space *child;
    create(4096, BARE_FRAMES, 0, 0);
    struct ol_space *parent = written_space(&base);
    assert_int_equal(ol_space_fork(parent, &child), OL_OK);
    expect_counts(BARE_PAGES, BARE_FRAMES);
    access_page(child, base, OL_WRITE, 255);
    /* The page and its copy took two frames, whose pages are bare now; 63 of the node are swapped and have anons. */
    expect_counts(BARE_PAGES + 1, BARE_FRAMES + OL_NODE_SLOTS - 1);
    for (uint64_t page = 0; page < BARE_PAGES; page++) {
        access_page(parent, base + page * PAGE_BYTES, OL_READ, stamp_of(page));
        access_page(child, base + page * PAGE_BYTES, OL_READ, page ? stamp_of(page) : 255);
    }
    assert_null(ol_check(bed.system));
    ol_space_destroy(child);
    for (uint64_t page = 0; page < BARE_PAGES; page++)
        access_page(parent, base + page * PAGE_BYTES, OL_READ, stamp_of(page));
    expect_counts(BARE_PAGES, BARE_FRAMES);
    destroy();
}

/* Ghosts are keyed by anons. */
static void test_policies_that_remember_keep_anons(void **state)
{
    (void)state;
    ol_va base;
    create_with(&ol_policy_s3_fifo, 4096, BARE_FRAMES, 0, 0);
    struct ol_space *space = written_space(&base);
    for (uint64_t page = 0; page < BARE_PAGES; page++)
        access_page(space, base + page * PAGE_BYTES, OL_READ, stamp_of(page));
    expect_counts(BARE_PAGES, BARE_PAGES);
    destroy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh_slots_are_neighbours),
        cmocka_unit_test(test_capacity_is_kept),
        cmocka_unit_test(test_random_allocation),
        cmocka_unit_test(test_large_requests_avoid_crumbs),
        cmocka_unit_test(test_neighbours_in_memory_are_neighbours_in_swap),
        cmocka_unit_test(test_swapped_pages_have_no_anons),
        cmocka_unit_test(test_moved_pages_keep_their_anons),
        cmocka_unit_test(test_bare_slots_are_shared_as_anons),
        cmocka_unit_test(test_policies_that_remember_keep_anons),
    };
    return cmocka_run_group_tests_name("core swap", tests, NULL, NULL);
}
