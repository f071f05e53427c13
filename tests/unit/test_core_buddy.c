/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator against an array that says which frames are free. Free blocks that are joined as far as possible
 * are the same whatever the order of taking and giving: the largest aligned pieces. Attacks I12.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/internal.h"
#include "tests/support/random.h"

enum { FRAMES = 3000, HELD = 400, STEPS = 20000, ORDERS_TAKEN = 8 };

static const struct ol_zone zones[] = {{0, 700, 0}, {700, 1348, 1}, {2048, 952, 0}};
enum { ZONES = sizeof zones / sizeof zones[0] };

static struct ol_frame frames[FRAMES];
static struct ol_physical memory;
static struct ol_system buddies;
static bool is_used[FRAMES];
static struct held {
    ol_frame_no first;
    unsigned order;
} held[HELD];
static unsigned held_count;
static uint64_t seed;

static void broken(void *context, const char *text)
{
    (void)context;
    fail_msg("%s", text);
}

static void set_up(void)
{
    memset(frames, 0, sizeof frames);
    memset(is_used, 0, sizeof is_used);
    memset(&memory, 0, sizeof memory);
    held_count = 0;
    buddies = (struct ol_system){.frame = frames, .frames_max = FRAMES, .physical = &memory, .port = {.panic = broken}};
    memory.zones = ZONES;
    for (unsigned i = 0; i < ZONES; i++) {
        memory.zone[i].first = zones[i].first;
        memory.zone[i].frames = zones[i].frames;
        memory.zone[i].node = zones[i].node;
    }
    ol_buddy_init(&buddies);
}

/* Is the aligned piece inside the zone, and free as a whole? */
static bool is_piece(const struct ol_zone *zone, uint64_t first, unsigned order)
{
    if (first < zone->first || first + (1ULL << order) > (uint64_t)zone->first + zone->frames) return false;
    for (uint64_t i = first; i < first + (1ULL << order); i++)
        if (is_used[i]) return false;
    return true;
}

static bool has_piece(const struct ol_zone *zone, unsigned order)
{
    for (uint64_t first = 0; first < FRAMES; first += 1ULL << order)
        if (is_piece(zone, first, order)) return true;
    return false;
}

/* Every free frame lies in the largest free piece around it, and those are the blocks. */
static void check_blocks(void)
{
    for (unsigned i = 0; i < ZONES; i++) {
        uint32_t count[OL_BLOCK_ORDERS] = {0};
        for (uint64_t at = zones[i].first; at < (uint64_t)zones[i].first + zones[i].frames;) {
            unsigned order = 0;
            if (is_used[at]) {
                assert_int_equal(frames[at++].block, 0);
                continue;
            }
            while (order + 1 < OL_BLOCK_ORDERS && is_piece(&zones[i], at >> (order + 1) << (order + 1), order + 1))
                order++;
            assert_int_equal(at & ((1ULL << order) - 1), 0);
            assert_int_equal(frames[at].block, order + 1);
            count[order]++;
            at += 1ULL << order;
        }
        for (unsigned order = 0; order < OL_BLOCK_ORDERS; order++)
            assert_int_equal(memory.zone[i].block[order].count, count[order]);
    }
}

static void mark(ol_frame_no first, unsigned order, bool used)
{
    for (ol_frame_no i = first; i < first + (1U << order); i++) {
        assert_int_not_equal(is_used[i], used);
        is_used[i] = used;
        frames[i].state = used ? OL_FRAME_BUSY : OL_FRAME_FREE;
    }
}

static unsigned zone_of(ol_frame_no number)
{
    unsigned i = ZONES;
    while (zones[--i].first > number) {
    }
    return i;
}

static void take(unsigned order, uint32_t node, ol_frame_no limit)
{
    bool near = false, any = false;
    for (unsigned i = 0; i < ZONES; i++) {
        if (zones[i].first + zones[i].frames > limit || !has_piece(&zones[i], order)) continue;
        any = true;
        near = near || zones[i].node == node;
    }
    const ol_frame_no first = ol_buddy_take(&buddies, order, node, limit);
    assert_int_equal(first != OL_NO_FRAME, any);
    if (!any) return;
    assert_int_equal(first & ((1U << order) - 1), 0);
    const struct ol_zone *const zone = &zones[zone_of(first)];
    assert_true(is_piece(zone, first, order));
    assert_true(first + (1U << order) <= limit);
    if (near) assert_int_equal(zone->node, node);
    mark(first, order, true);
    held[held_count++] = (struct held){first, order};
}

static void give(unsigned i)
{
    const struct held given = held[i];
    held[i] = held[--held_count];
    mark(given.first, given.order, false);
    ol_buddy_give(&buddies, given.first, given.order);
}

static void test_takes_and_gives_as_the_model_does(void **state)
{
    (void)state;
    static const uint32_t nodes[] = {0, 1, 2, OL_ANY_NODE};
    static const ol_frame_no limits[] = {OL_NO_FRAME, OL_NO_FRAME, 2048, 700, 699};
    seed = 1;
    set_up();
    check_blocks();
    for (unsigned step = 0; step < STEPS; step++) {
        /* It fills up and empties by turns. */
        const bool filling = step / 1000 % 2 == 0;
        if (held_count && (held_count == HELD || ol_random_below(&seed, 4) < (filling ? 1U : 3U))) {
            give((unsigned)ol_random_below(&seed, held_count));
        } else {
            take((unsigned)ol_random_below(&seed, ORDERS_TAKEN), nodes[ol_random_below(&seed, 4)],
                 limits[ol_random_below(&seed, 5)]);
        }
        if (step % 16 == 0) check_blocks();
    }
    while (held_count) give(held_count - 1);
    check_blocks();
}

static void test_all_is_whole_again_whatever_the_order(void **state)
{
    (void)state;
    seed = 2;
    set_up();
    for (unsigned i = 0; i < FRAMES; i++) {
        const ol_frame_no first = ol_buddy_take(&buddies, 0, OL_ANY_NODE, OL_NO_FRAME);
        assert_in_range(first, 0, FRAMES - 1);
        mark(first, 0, true);
    }
    assert_int_equal(ol_buddy_take(&buddies, 0, OL_ANY_NODE, OL_NO_FRAME), OL_NO_FRAME);
    for (unsigned left = FRAMES; left;) {
        const ol_frame_no first = (ol_frame_no)ol_random_below(&seed, FRAMES);
        if (!is_used[first]) continue;
        mark(first, 0, false);
        ol_buddy_give(&buddies, first, 0);
        left--;
    }
    check_blocks();
}

static void test_index_of_unusable_free_space(void **state)
{
    (void)state;
    const struct ol_physical_info info = {.free = 8 + 2 + 1 + 1, .blocks = {2, 1, 0, 1}};
    assert_int_equal(ol_physical_unusable(&info, 0), 0);
    assert_int_equal(ol_physical_unusable(&info, 1), 2);
    assert_int_equal(ol_physical_unusable(&info, 2), 4);
    assert_int_equal(ol_physical_unusable(&info, 3), 4);
    assert_int_equal(ol_physical_unusable(&info, 4), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_and_gives_as_the_model_does),
        cmocka_unit_test(test_all_is_whole_again_whatever_the_order),
        cmocka_unit_test(test_index_of_unusable_free_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
