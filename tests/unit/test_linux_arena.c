/* SPDX-License-Identifier: MIT */
/* The arena's slots, against a table of which are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine/linux/arena.h"
#include "machine/linux/internal.h"
#include "tests/support/random.h"

enum { SLOTS_MOST = 1000, STEPS = 20000 };

struct model {
    struct ol_arena arena;
    bool taken[SLOTS_MOST];
    uint32_t order[SLOTS_MOST]; /* the taken ones, in no order */
    uint32_t count;
};

static void open_model(struct model *model, uint32_t slots)
{
    memset(model, 0, sizeof(*model));
    assert_true(ol_arena_open(&model->arena, slots));
    assert_int_equal(ol_arena_bytes(&model->arena), (size_t)slots * OL_LINUX_PAGE_BYTES);
}

/* Takes a run; returns its length. */
static uint32_t take(struct model *model, uint32_t want)
{
    uint32_t length = 0;
    const char *slot = ol_arena_take(&model->arena, want, &length);
    const size_t offset = (size_t)(slot - model->arena.memory);
    assert_int_equal(offset % OL_LINUX_PAGE_BYTES, 0);
    const size_t first = offset / OL_LINUX_PAGE_BYTES;
    assert_in_range(length, 1, want);
    assert_true(first + length <= model->arena.slots);
    for (size_t i = first; i < first + length; i++) {
        assert_false(model->taken[i]);
        model->taken[i] = true;
        model->order[model->count++] = (uint32_t)i;
    }
    return length;
}

static void give(struct model *model, uint32_t which)
{
    const uint32_t slot = model->order[which];
    assert_true(model->taken[slot]);
    ol_arena_give(&model->arena, model->arena.memory + (size_t)slot * OL_LINUX_PAGE_BYTES);
    model->taken[slot] = false;
    model->order[which] = model->order[--model->count];
}

/* Runs come and go; now and then all slots are taken, or none. */
static void test_runs(void **state)
{
    static const uint32_t sizes[] = {1, 63, 64, 65, 200, SLOTS_MOST};
    static struct model model;
    uint64_t seed = 5;
    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        open_model(&model, sizes[s]);
        bool fills = true;
        for (int step = 0; step < STEPS; step++) {
            const uint32_t room = sizes[s] - model.count, most = room < 64 ? room : 64;
            if (!room) fills = false;
            if (!model.count) fills = true;
            if (room && (ol_random(&seed) % 4 != 0) == fills)
                (void)take(&model, (uint32_t)(ol_random(&seed) % most) + 1);
            else if (model.count) give(&model, (uint32_t)(ol_random(&seed) % model.count));
        }
        assert_true(ol_arena_metadata_bytes(&model.arena) <= SLOTS_MOST / 8 + 64);
        ol_arena_close(&model.arena);
    }
}

/* An empty arena gives what is wanted in one piece: pages that leave together lie together. */
static void test_an_empty_arena_gives_whole_runs(void **state)
{
    static struct model model;
    (void)state;
    open_model(&model, SLOTS_MOST);
    for (int i = 0; i < 10; i++) assert_int_equal(take(&model, 64), 64);
    ol_arena_close(&model.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_an_empty_arena_gives_whole_runs),
    };
    return cmocka_run_group_tests_name("linux arena", tests, NULL, NULL);
}
