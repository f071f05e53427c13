/* SPDX-License-Identifier: MIT */
/* Overlays and their copies against plain arrays: who sees which anon, and who shares it. Attacks I4 and I5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/internal.h"
#include "tests/support/random.h"
#include "tests/support/testbed.h"

enum { OVERLAYS = 6, INDICES = 400, STEPS = 20000 };

static struct ol_bed bed;
static uint64_t indices[INDICES]; /* ascending: those that are used */
static struct model {
    uint32_t overlay; /* OL_NIL: none */
    uint32_t anon[INDICES];
} models[OVERLAYS];
static uint64_t seed;

static uint64_t below(uint64_t bound)
{
    return ol_random_below(&seed, bound);
}

/* Clusters of indices, from neighbours to 64 TiB apart. */
static void choose_indices(void)
{
    uint64_t index = 0;
    for (unsigned i = 0; i < INDICES; i++) {
        indices[i] = index;
        static const uint64_t steps[] = {1, 1, 1, 1, 1, 1, 30, 64, 64 * 64 - 3, 1 << 18, 1ULL << 28};
        index += steps[below(sizeof(steps) / sizeof(steps[0]))];
    }
}

static void create(void)
{
    const struct ol_bed_options options = {.frames = 1, .frames_max = 1, .policy = &ol_policy_fifo};
    assert_int_equal(ol_bed_create(ol_testbeds[0], &options, &bed), OL_OK);
    memset(models, 0, sizeof(models));
    choose_indices();
}

static bool is_shared(const struct model *model, unsigned i)
{
    for (const struct model *other = models; other < models + OVERLAYS; other++)
        if (other != model && other->overlay != OL_NIL && other->anon[i] == model->anon[i]) return true;
    return false;
}

static void check_lookup(const struct model *model, unsigned i)
{
    bool shared;
    assert_int_equal(ol_overlay_lookup(bed.system, model->overlay, indices[i], &shared), model->anon[i]);
    if (model->anon[i] != OL_NIL) assert_int_equal(shared, is_shared(model, i));
}

/* As a write fault does. */
static void write_page(struct model *model, unsigned i)
{
    bool shared;
    const uint32_t old = ol_overlay_lookup(bed.system, model->overlay, indices[i], &shared);
    if (old != OL_NIL && !shared) return;
    uint32_t *place = ol_overlay_place(bed.system, model->overlay, indices[i]);
    assert_non_null(place);
    assert_int_equal(*place, old);
    *place = model->anon[i] = ol_anon_new(bed.system);
    if (old == OL_NIL) ol_overlay_count(bed.system, model->overlay, indices[i]);
    else ol_anon_unref(bed.system, old);
}

static void clear_pages(struct model *model)
{
    const unsigned i = (unsigned)below(INDICES);
    unsigned end = i + (unsigned)below(below(3) ? 10 : INDICES);
    if (end >= INDICES) end = INDICES - 1;
    assert_int_equal(ol_overlay_clear(bed.system, model->overlay, indices[i], indices[end] - indices[i] + 1), OL_OK);
    for (unsigned k = i; k <= end; k++) model->anon[k] = OL_NIL;
}

static void copy_overlay(const struct model *model)
{
    struct model *copy = &models[below(OVERLAYS)];
    if (copy == model) return;
    if (copy->overlay != OL_NIL) ol_overlay_unref(bed.system, copy->overlay);
    *copy = *model;
    copy->overlay = ol_overlay_copy(bed.system, model->overlay);
    assert_int_not_equal(copy->overlay, OL_NIL);
}

/* Anons that exist are those that some model holds. */
static uint32_t anons_expected(void)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < INDICES; i++) {
        for (struct model *model = models; model < models + OVERLAYS; model++) {
            bool before = model->overlay == OL_NIL || model->anon[i] == OL_NIL;
            for (struct model *other = models; other < model && !before; other++)
                before = other->overlay != OL_NIL && other->anon[i] == model->anon[i];
            count += !before;
        }
    }
    return count;
}

static void test_random_copies(void **state)
{
    (void)state;
    seed = 21;
    create();
    models[0].overlay = ol_overlay_new(bed.system);
    for (int step = 0; step < STEPS; step++) {
        struct model *model = &models[below(OVERLAYS)];
        if (model->overlay == OL_NIL) model = &models[0];
        if (model->overlay == OL_NIL) model->overlay = ol_overlay_new(bed.system);
        const uint64_t choice = below(200);
        if (choice < 180) write_page(model, (unsigned)below(INDICES));
        else if (choice < 192) clear_pages(model);
        else if (choice < 198) copy_overlay(model);
        for (int i = 0; i < 8; i++) check_lookup(model, (unsigned)below(INDICES));
        if (step % 100 == 0) assert_int_equal(bed.system->anons.live, anons_expected());
    }
    for (struct model *model = models; model < models + OVERLAYS; model++) {
        if (model->overlay == OL_NIL) continue;
        for (unsigned i = 0; i < INDICES; i++) check_lookup(model, i);
        ol_overlay_unref(bed.system, model->overlay);
        model->overlay = OL_NIL;
    }
    assert_int_equal(bed.system->anons.live, 0);
    assert_int_equal(bed.system->nodes.live, 0);
    assert_int_equal(bed.system->overlays.live, 0);
    ol_bed_destroy(&bed);
}

/* What a copy costs: one overlay, however many pages; and a write, the nodes on one page's way. */
static void test_a_copy_costs_one_overlay(void **state)
{
    (void)state;
    seed = 5;
    create();
    models[0].overlay = ol_overlay_new(bed.system);
    for (unsigned i = 0; i < INDICES; i++) write_page(&models[0], i);
    const uint32_t nodes = bed.system->nodes.live;
    models[1] = models[0];
    models[1].overlay = ol_overlay_copy(bed.system, models[0].overlay);
    assert_int_equal(bed.system->nodes.live, nodes);
    assert_int_equal(bed.system->anons.live, INDICES);
    write_page(&models[1], 7);
    assert_int_equal(bed.system->anons.live, INDICES + 1);
    assert_int_equal(bed.system->nodes.live, nodes + ol_overlay_at(bed.system, models[1].overlay)->height + 1);
    ol_overlay_unref(bed.system, models[1].overlay);
    assert_int_equal(bed.system->nodes.live, nodes);
    assert_int_equal(bed.system->anons.live, INDICES);
    /* Clearing all, or all that is left, leaves no empty nodes behind. */
    assert_int_equal(ol_overlay_clear(bed.system, models[0].overlay, 1, indices[INDICES - 1]), OL_OK);
    assert_int_equal(ol_overlay_clear(bed.system, models[0].overlay, 0, 1), OL_OK);
    assert_int_equal(bed.system->nodes.live, 0);
    ol_overlay_unref(bed.system, models[0].overlay);
    ol_bed_destroy(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_copies),
        cmocka_unit_test(test_a_copy_costs_one_overlay),
    };
    return cmocka_run_group_tests_name("core overlay", tests, NULL, NULL);
}
