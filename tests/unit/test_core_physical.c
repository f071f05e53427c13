/* SPDX-License-Identifier: MIT */
/* Which frames pages get: places in reserved blocks, nodes, blocks for others. Attacks I12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/internal.h"
#include "tests/support/pager_memory.h"
#include "tests/support/random.h"
#include "tests/support/testbed.h"

enum { LARGE = 512 /* pages of a large one */, SHIFT = 12, SPACE_PAGES = 64 * LARGE, RW = OL_READ | OL_WRITE };

static struct ol_bed bed;
static struct ol_space *space;
static ol_va base;

static void create(uint32_t frames, const struct ol_zone *zones, uint32_t zone_count)
{
    const struct ol_pager_memory_options memory = {.page_bytes = 1 << SHIFT, .capacity = 8192, .max_pages = 8192};
    const struct ol_bed_options options = {.frames = frames,
                                           .frames_max = frames,
                                           .policy = &ol_policy_fifo,
                                           .pager = ol_pager_memory_create(&memory),
                                           .zones = zones,
                                           .zone_count = zone_count,
                                           .large_shift = zones ? 0 : 21};
    assert_int_equal(ol_bed_create(ol_testbeds[0], &options, &bed), OL_OK);
    assert_int_equal(ol_bed_space(&bed, SPACE_PAGES, &space, &base), OL_OK);
    assert_int_equal(ol_region_map(space, base, SPACE_PAGES, RW, OL_MAP_FIXED, NULL), OL_OK);
}

static void check(void)
{
    const char *const broken = ol_check(bed.system);
    if (broken) fail_msg("%s", broken);
}

static void destroy(void)
{
    check();
    ol_bed_destroy(&bed);
    assert_int_equal(bed.port.bytes, 0);
}

static void touch(uint64_t page)
{
    unsigned char value = (unsigned char)page;
    assert_int_equal(bed.kind->access(bed.machine, space, base + (page << SHIFT), OL_WRITE, &value), OL_OK);
}

static ol_frame_no frame_of(uint64_t page)
{
    struct ol_mapping mapping;
    assert_true(bed.kind->pmap->query(bed.machine, ol_space_pmap(space), base + (page << SHIFT), &mapping));
    return mapping.frame;
}

static struct ol_statistics statistics(void)
{
    struct ol_statistics out;
    ol_system_statistics(bed.system, &out);
    return out;
}

static void test_pages_get_their_places(void **state)
{
    (void)state;
    uint64_t seed = 3;
    create(8 * LARGE, NULL, 0);
    /* Two stretches, filled by turns in random orders. */
    uint16_t order[2][LARGE] = {{0}};
    for (unsigned s = 0; s < 2; s++) {
        for (unsigned i = 0; i < LARGE; i++) {
            const unsigned j = (unsigned)ol_random_below(&seed, i + 1);
            order[s][i] = order[s][j];
            order[s][j] = (uint16_t)i;
        }
    }
    for (unsigned i = 0; i < LARGE; i++) {
        for (unsigned s = 0; s < 2; s++) touch(3 * s * LARGE + order[s][i]);
        if (i % 32 == 0) check();
    }
    for (unsigned s = 0; s < 2; s++) {
        const ol_frame_no first = frame_of(3 * s * LARGE);
        assert_int_equal(first % LARGE, 0);
        for (unsigned i = 0; i < LARGE; i++) assert_int_equal(frame_of(3 * s * LARGE + i), first + i);
    }
    assert_int_equal(statistics().reservations, 2);
    assert_int_equal(statistics().reservations_broken, 0);
    destroy();
}

/* A page of each stretch: memory for four large pages holds as many small ones as without reservations. */
static void test_reservations_cost_no_frame(void **state)
{
    (void)state;
    create(4 * LARGE, NULL, 0);
    for (unsigned i = 0; i < 4 * LARGE; i++) {
        touch((i % 64) * LARGE + i / 64);
        if (i % 64 == 0) check();
    }
    assert_int_equal(statistics().evictions, 0);
    assert_int_equal(statistics().frames_in_use, 4 * LARGE);
    assert_int_equal(statistics().reservations, statistics().reservations_broken);
    touch(63 * LARGE + LARGE - 1);
    assert_int_equal(statistics().evictions, 1);
    destroy();
}

/* The frames of pages that go wait for their pages to come back; with the last one the block is free. */
static void test_a_reservation_ends_with_its_last_page(void **state)
{
    (void)state;
    struct ol_physical_info info;
    create(4 * LARGE, NULL, 0);
    for (unsigned i = 0; i < LARGE; i++) touch(i);
    const ol_frame_no first = frame_of(0);
    assert_int_equal(ol_space_discard(space, base, LARGE - 1), OL_OK);
    check();
    assert_true(ol_system_physical(bed.system, &info));
    assert_int_equal(info.reserved, LARGE - 1);
    assert_int_equal(info.free, 4 * LARGE - 1);
    touch(7);
    assert_int_equal(frame_of(7), first + 7);
    assert_int_equal(ol_space_discard(space, base, LARGE), OL_OK);
    check();
    assert_true(ol_system_physical(bed.system, &info));
    assert_int_equal(info.reserved, 0);
    assert_int_equal(info.blocks[11], 1); /* 4 * LARGE, whole */
    destroy();
}

/* What was elsewhere before keeps its stretch from being reserved again. */
static void test_no_reservation_around_what_is_elsewhere(void **state)
{
    (void)state;
    create(2 * LARGE, NULL, 0);
    ol_frame_no first;
    touch(0);
    assert_int_equal(ol_block_take(bed.system, 9, OL_NO_FRAME, &first), OL_OK);
    check();
    touch(LARGE); /* nothing else is free: the reservation lends it, or is broken */
    for (unsigned i = 1; i < 100; i++) touch(i);
    const uint64_t before = statistics().reservations;
    ol_block_give(bed.system, first, 9);
    check();
    touch(200);
    assert_int_equal(statistics().reservations, before);
    destroy();
}

static void test_random_pages_under_pressure(void **state)
{
    (void)state;
    uint64_t seed = 4;
    static unsigned char model[SPACE_PAGES];
    memset(model, 0, sizeof model);
    create(3 * LARGE + 77, NULL, 0);
    for (unsigned i = 0; i < 20000; i++) {
        const uint64_t page =
            ol_random_below(&seed, 8) ? ol_random_below(&seed, 4 * LARGE) : ol_random_below(&seed, 8192);
        const ol_va va = base + (page << SHIFT);
        unsigned char value;
        assert_int_equal(bed.kind->access(bed.machine, space, va, OL_READ, &value), OL_OK);
        assert_int_equal(value, model[page]);
        value = model[page] = (unsigned char)ol_random_below(&seed, 256);
        assert_int_equal(bed.kind->access(bed.machine, space, va, OL_WRITE, &value), OL_OK);
        if (i % 1000 == 0) {
            const uint64_t gone = ol_random_below(&seed, 8000);
            assert_int_equal(ol_space_discard(space, base + (gone << SHIFT), 100), OL_OK);
            memset(model + gone, 0, 100);
        }
        if (i % 100 == 0) check();
    }
    assert_true(statistics().evictions > 0 && statistics().reservations_broken > 0);
    destroy();
}

static void test_blocks_for_others(void **state)
{
    (void)state;
    static const struct ol_zone zones[] = {{0, 128, 0}, {128, 384, 0}};
    ol_frame_no low, all, none;
    create(512, zones, 2);
    assert_int_equal(ol_block_take(bed.system, 5, 128, &low), OL_OK);
    assert_true(low % 32 == 0 && low + 32 <= 128);
    assert_int_equal(statistics().frames_in_use, 32);
    assert_int_equal(ol_block_take(bed.system, 7, 128, &none), OL_E_NO_FRAMES); /* no longer whole */
    assert_int_equal(ol_block_take(bed.system, OL_BLOCK_ORDERS, OL_NO_FRAME, &none), OL_E_INVALID);
    for (unsigned i = 0; i < 480; i++) touch(i);
    assert_int_equal(statistics().evictions, 0);
    /* Frames can be made free, but not neighbours at will. */
    assert_int_equal(ol_block_take(bed.system, 0, OL_NO_FRAME, &all), OL_OK);
    assert_int_equal(statistics().evictions, 1);
    check();
    ol_block_give(bed.system, all, 0);
    ol_block_give(bed.system, low, 5);
    assert_int_equal(ol_space_discard(space, base, 480), OL_OK);
    assert_int_equal(ol_block_take(bed.system, 8, OL_NO_FRAME, &all), OL_OK);
    assert_int_equal(all, 256);
    ol_block_give(bed.system, all, 8);
    destroy();
}

static uint32_t node_by_turns(ol_va va)
{
    return va >> SHIFT & 1;
}

static void test_pages_go_to_their_node(void **state)
{
    (void)state;
    static const struct ol_zone zones[] = {{0, 64, 0}, {64, 64, 1}};
    create(128, zones, 2);
    bed.pmap.node_for = node_by_turns;
    for (unsigned i = 0; i < 100; i++) {
        touch(i);
        assert_int_equal(frame_of(i) / 64, ((base >> SHIFT) + i) & 1);
    }
    check();
    for (unsigned i = 100; i < 128; i++) touch(2 * i); /* what is left of one node, then the other's */
    assert_int_equal(statistics().evictions, 0);
    destroy();
}

static void test_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const struct {
        struct ol_zone zones[2];
        uint32_t count;
        uint8_t large_shift;
        enum ol_status status;
    } cases[] = {
        {{{0, 64, 0}, {65, 63, 0}}, 2, 0, OL_E_INVALID},
        {{{0, 64, 0}, {64, 65, 0}}, 2, 0, OL_E_INVALID},
        {{{1, 127, 0}}, 1, 0, OL_E_INVALID},
        {{{0, 128, 0}, {128, 0, 0}}, 2, 0, OL_E_INVALID},
        {{{0, 128, 0}}, 1, 22, OL_E_UNSUPPORTED},
        {{{0, 128, 0}}, 1, 12, OL_E_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ol_bed_options options = {.frames = 128,
                                               .frames_max = 128,
                                               .policy = &ol_policy_fifo,
                                               .zones = cases[i].zones,
                                               .zone_count = cases[i].count,
                                               .large_shift = cases[i].large_shift};
        assert_int_equal(ol_bed_create(ol_testbeds[0], &options, &bed), cases[i].status);
        assert_int_equal(bed.port.bytes, 0);
    }
    /* Where all frames are alike there are no blocks. */
    const struct ol_bed_options options = {.frames = 128, .frames_max = 128, .policy = &ol_policy_fifo};
    struct ol_physical_info info;
    ol_frame_no first;
    assert_int_equal(ol_bed_create(ol_testbeds[0], &options, &bed), OL_OK);
    assert_int_equal(ol_block_take(bed.system, 0, OL_NO_FRAME, &first), OL_E_UNSUPPORTED);
    assert_false(ol_system_physical(bed.system, &info));
    destroy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_get_their_places),
        cmocka_unit_test(test_reservations_cost_no_frame),
        cmocka_unit_test(test_a_reservation_ends_with_its_last_page),
        cmocka_unit_test(test_no_reservation_around_what_is_elsewhere),
        cmocka_unit_test(test_random_pages_under_pressure),
        cmocka_unit_test(test_blocks_for_others),
        cmocka_unit_test(test_pages_go_to_their_node),
        cmocka_unit_test(test_refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
