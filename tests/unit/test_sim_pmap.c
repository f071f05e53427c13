/* SPDX-License-Identifier: MIT */
/* The pmap functions of the simulated machine, without a core above them; what they build is walked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/sim/machine.h"
#include "machine/sim/pmap.h"

enum { FRAMES = 32 };
#define PAGE       ((ol_va)4096)
#define LAST_PAGE  0x7ffffffff000ULL
#define ALL_PAGES  (1ULL << 35)
#define RWX        (OL_READ | OL_WRITE | OL_EXEC)
#define ATTRIBUTES (OL_REFERENCED | OL_MODIFIED)

static const struct ol_pmap_ops *const ops = &ol_sim_pmap_ops;

struct fixture {
    struct ol_sim *sim;
    struct ol_pmap *pmap, *other;
};

static int set_up_with(void **state, uint32_t table_frames)
{
    static struct fixture fixture;
    const struct ol_sim_options options = {
        .frames = FRAMES, .table_frames = table_frames, .tlb = ol_tlb_spec_simple(16, 4)};
    if (ol_sim_create(&options, &fixture.sim) != OL_OK) return 1;
    if (ops->create(fixture.sim, 0, ol_sim_amd64.is.last_va, &fixture.pmap) != OL_OK) return 1;
    if (ops->create(fixture.sim, 0, ol_sim_amd64.is.last_va, &fixture.other) != OL_OK) return 1;
    *state = &fixture;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 0);
}

static int set_up_few_tables(void **state)
{
    return set_up_with(state, 2 + 4); /* two roots; three for the first page, and one more */
}

static int tear_down(void **state)
{
    struct fixture *const fixture = *state;
    ops->remove(fixture->sim, fixture->pmap, 0, ALL_PAGES);
    ops->remove(fixture->sim, fixture->other, 0, ALL_PAGES);
    const bool leaked = fixture->sim->memory.tables != 2;
    ops->destroy(fixture->sim, fixture->pmap);
    ops->destroy(fixture->sim, fixture->other);
    ol_sim_destroy(fixture->sim);
    return leaked;
}

static enum ol_status enter(struct fixture *fixture, struct ol_pmap *pmap, ol_va va, ol_frame_no frame, unsigned rights)
{
    return ops->enter(fixture->sim, pmap, va, &frame, 1, rights, OL_NONE);
}

/* The processor's view: walks, and carries out the updates. */
static enum ol_walk_outcome touch(struct fixture *fixture, struct ol_pmap *pmap, ol_va va, unsigned access,
                                  struct ol_walk *walk)
{
    union ol_sim_control control;
    ol_sim_amd64.control(&fixture->sim->memory, (uint64_t)pmap->tables.root << 12, &control);
    ol_sim_amd64.walk(&fixture->sim->memory.words, &control, va, access, walk);
    for (unsigned i = 0; i < walk->update_count; i++)
        ol_sim_memory_set_word(&fixture->sim->memory, walk->updates[i].address, walk->updates[i].value);
    return walk->outcome;
}

static void test_tables_come_and_go(void **state)
{
    struct fixture *const fixture = *state;
    const struct ol_sim_memory *const memory = &fixture->sim->memory;
    struct ol_walk walk;
    assert_int_equal(enter(fixture, fixture->pmap, 0, 5, OL_READ), OL_OK);
    assert_int_equal(memory->tables, 2 + 3);
    assert_int_equal(enter(fixture, fixture->pmap, PAGE, 6, RWX), OL_OK);
    assert_int_equal(memory->tables, 2 + 3); /* shares all tables */
    assert_int_equal(enter(fixture, fixture->pmap, 512 * PAGE, 7, RWX), OL_OK);
    assert_int_equal(memory->tables, 2 + 4);
    assert_int_equal(enter(fixture, fixture->pmap, LAST_PAGE, 8, RWX), OL_OK);
    assert_int_equal(memory->tables, 2 + 7);
    assert_int_equal(touch(fixture, fixture->pmap, LAST_PAGE + 9, OL_WRITE, &walk), OL_WALK_OK);
    assert_int_equal(walk.physical, 8 * PAGE + 9);
    assert_int_equal(touch(fixture, fixture->pmap, 0, OL_WRITE, &walk), OL_WALK_PAGE_FAULT);
    assert_int_equal(walk.error_code, 0x7);
    assert_int_equal(touch(fixture, fixture->other, 0, OL_READ, &walk), OL_WALK_PAGE_FAULT);

    ops->remove(fixture->sim, fixture->pmap, 0, 1);
    assert_int_equal(memory->tables, 2 + 7);
    ops->remove(fixture->sim, fixture->pmap, PAGE, 1);
    assert_int_equal(memory->tables, 2 + 6);
    ops->remove(fixture->sim, fixture->pmap, 0, ALL_PAGES);
    assert_int_equal(memory->tables, 2);
    assert_int_equal(memory->tables_peak, 2 + 7);
}

static void test_ranges_are_half_open(void **state)
{
    struct fixture *const fixture = *state;
    const ol_frame_no frames[] = {1, 2, 3, 4, 5};
    const ol_va va = 510 * PAGE; /* across a table's end */
    struct ol_mapping mapping;
    assert_int_equal(ops->enter(fixture->sim, fixture->pmap, va, frames, 5, RWX, OL_NONE), OL_OK);
    ops->protect(fixture->sim, fixture->pmap, va + PAGE, 2, OL_READ);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(ops->query(fixture->sim, fixture->pmap, va + i * PAGE, &mapping));
        assert_int_equal(mapping.frame, frames[i]);
        assert_int_equal(mapping.rights, i == 1 || i == 2 ? OL_READ : RWX);
    }
    ops->remove(fixture->sim, fixture->pmap, va + PAGE, 3);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(ops->query(fixture->sim, fixture->pmap, va + i * PAGE, &mapping), i == 0 || i == 4);
    ops->protect(fixture->sim, fixture->pmap, 0, ALL_PAGES, OL_NONE);
    assert_false(ops->query(fixture->sim, fixture->pmap, va, &mapping));
}

static void test_protect_only_lowers(void **state)
{
    struct fixture *const fixture = *state;
    struct ol_mapping mapping;
    assert_int_equal(enter(fixture, fixture->pmap, 0, 1, OL_READ | OL_EXEC), OL_OK);
    ops->protect(fixture->sim, fixture->pmap, 0, 1, OL_READ | OL_WRITE);
    assert_true(ops->query(fixture->sim, fixture->pmap, 0, &mapping));
    assert_int_equal(mapping.rights, OL_READ);
    const ol_frame_no frame = 1;
    assert_int_equal(ops->frame_protect(fixture->sim, &frame, 1, RWX), 1);
    assert_true(ops->query(fixture->sim, fixture->pmap, 0, &mapping));
    assert_int_equal(mapping.rights, OL_READ);
}

static void test_enter_seeds_attributes(void **state)
{
    struct fixture *const fixture = *state;
    static const struct {
        unsigned access, attributes;
    } seeds[] = {{OL_NONE, 0}, {OL_READ, OL_REFERENCED}, {OL_EXEC, OL_REFERENCED}, {OL_WRITE, ATTRIBUTES}};
    for (uint32_t i = 0; i < 4; i++) {
        const ol_frame_no frame = i;
        assert_int_equal(ops->enter(fixture->sim, fixture->pmap, i * PAGE, &frame, 1, RWX, seeds[i].access), OL_OK);
        assert_int_equal(ops->test_clear(fixture->sim, frame, ATTRIBUTES), seeds[i].attributes);
        assert_int_equal(ops->test_clear(fixture->sim, frame, ATTRIBUTES), 0);
    }
}

static void test_attributes_survive_unmapping(void **state)
{
    struct fixture *const fixture = *state;
    struct ol_walk walk;
    assert_int_equal(enter(fixture, fixture->pmap, 0, 3, RWX), OL_OK);
    assert_int_equal(touch(fixture, fixture->pmap, 0, OL_WRITE, &walk), OL_WALK_OK);
    ops->remove(fixture->sim, fixture->pmap, 0, 1);
    assert_int_equal(enter(fixture, fixture->pmap, PAGE, 3, RWX), OL_OK); /* mapped again, clean in its entry */
    assert_int_equal(ops->test_clear(fixture->sim, 3, OL_REFERENCED), OL_REFERENCED);
    assert_int_equal(ops->test_clear(fixture->sim, 3, ATTRIBUTES), OL_MODIFIED); /* only what was asked was cleared */
    assert_int_equal(ops->test_clear(fixture->sim, 3, ATTRIBUTES), 0);
}

static void test_enter_replaces(void **state)
{
    struct fixture *const fixture = *state;
    const ol_frame_no before = 3;
    struct ol_mapping mapping;
    assert_int_equal(ops->enter(fixture->sim, fixture->pmap, 0, &before, 1, RWX, OL_WRITE), OL_OK);
    assert_int_equal(enter(fixture, fixture->pmap, 0, 4, OL_READ), OL_OK);
    assert_true(ops->query(fixture->sim, fixture->pmap, 0, &mapping));
    assert_int_equal(mapping.frame, 4);
    assert_int_equal(ops->test_clear(fixture->sim, before, ATTRIBUTES), ATTRIBUTES);
    assert_int_equal(ops->frame_protect(fixture->sim, &before, 1, OL_NONE), 1); /* has no mapping to lose */
    assert_true(ops->query(fixture->sim, fixture->pmap, 0, &mapping));

    /* The same frame again, with more rights: nothing is forgotten. */
    assert_int_equal(ops->enter(fixture->sim, fixture->pmap, 0, &(ol_frame_no){4}, 1, RWX, OL_READ), OL_OK);
    assert_true(ops->query(fixture->sim, fixture->pmap, 0, &mapping));
    assert_int_equal(mapping.rights, RWX);
}

/* Maps frame 9 at pages 0 .. count-1 of the two spaces in turn. */
static void enter_aliases(struct fixture *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(enter(fixture, i % 2 ? fixture->other : fixture->pmap, i * PAGE, 9, RWX), OL_OK);
}

static void test_aliases(void **state)
{
    struct fixture *const fixture = *state;
    const ol_frame_no frame = 9;
    struct ol_mapping mapping;
    struct ol_walk walk;
    enter_aliases(fixture, 600); /* more than the pool of aliases begins with */
    assert_int_equal(touch(fixture, fixture->other, 599 * PAGE, OL_WRITE, &walk), OL_WALK_OK);
    assert_int_equal(ops->test_clear(fixture->sim, frame, ATTRIBUTES), ATTRIBUTES);
    assert_int_equal(ops->test_clear(fixture->sim, frame, ATTRIBUTES), 0);

    static const uint32_t removed[] = {0, 300, 598, 1}; /* first, middle, of the list's other end */
    for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++)
        ops->remove(fixture->sim, removed[i] % 2 ? fixture->other : fixture->pmap, removed[i] * PAGE, 1);
    assert_int_equal(ops->frame_protect(fixture->sim, &frame, 1, OL_READ), 1);
    for (uint32_t i = 2; i < 598; i++) {
        if (i == 300) continue;
        assert_true(ops->query(fixture->sim, i % 2 ? fixture->other : fixture->pmap, i * PAGE, &mapping));
        assert_int_equal(mapping.rights, OL_READ);
    }
    assert_int_equal(ops->frame_protect(fixture->sim, &frame, 1, OL_NONE), 1);
    assert_int_equal(fixture->sim->memory.tables, 2);
    enter_aliases(fixture, 600); /* the pool got all of them back */
    assert_int_equal(fixture->sim->reverse.alias_capacity, 1024);
}

static void test_enter_is_all_or_nothing(void **state)
{
    struct fixture *const fixture = *state;
    const ol_frame_no frames[] = {1, 2, 3};
    struct ol_mapping mapping;
    /* Page 0 takes three table frames; of the range, the first page has room for its leaf table, the second has not. */
    const ol_va va = 1023 * PAGE;
    assert_int_equal(enter(fixture, fixture->pmap, 0, 7, OL_READ), OL_OK);
    assert_int_equal(fixture->sim->memory.tables, 2 + 3);
    assert_int_equal(ops->enter(fixture->sim, fixture->pmap, va, frames, 3, RWX, OL_WRITE), OL_E_NO_META);
    assert_int_equal(fixture->sim->memory.tables, 2 + 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(ops->query(fixture->sim, fixture->pmap, va + i * PAGE, &mapping));
        assert_int_equal(ops->test_clear(fixture->sim, frames[i], ATTRIBUTES), 0);
    }
    assert_true(ops->query(fixture->sim, fixture->pmap, 0, &mapping));
    assert_int_equal(ops->enter(fixture->sim, fixture->pmap, va, frames, 1, RWX, OL_WRITE), OL_OK);
    struct ol_pmap *third;
    assert_int_equal(ops->create(fixture->sim, 0, LAST_PAGE, &third), OL_E_NO_META); /* no root for another */
}

static void test_physical_memory(void **state)
{
    struct fixture *const fixture = *state;
    unsigned char *const one = ops->frame_map(fixture->sim, 1);
    unsigned char *const last = ops->frame_map(fixture->sim, FRAMES - 1);
    memset(one, 0x5a, PAGE);
    ops->frame_copy(fixture->sim, FRAMES - 1, 1);
    assert_memory_equal(one, last, PAGE);
    ops->frame_zero(fixture->sim, 1);
    for (uint32_t i = 0; i < PAGE; i++) assert_int_equal(one[i], 0);
    assert_int_equal(last[PAGE - 1], 0x5a);
    ops->frame_unmap(fixture->sim, 1);
    ops->frame_unmap(fixture->sim, FRAMES - 1);
    ops->frame_discard(fixture->sim, FRAMES - 1);
    assert_int_equal(last[PAGE - 1], 0);
}

static void test_options_are_checked(void **state)
{
    (void)state;
    struct ol_sim *sim;
    assert_int_equal(ol_sim_create(&(struct ol_sim_options){.frames = 0}, &sim), OL_E_INVALID);
    assert_int_equal(ol_sim_create(&(struct ol_sim_options){.frames = UINT32_MAX}, &sim), OL_E_INVALID);
    assert_int_equal(ol_sim_create(&(struct ol_sim_options){.frames = 1, .table_frames = UINT32_MAX}, &sim),
                     OL_E_INVALID);
    assert_int_equal(ol_sim_create(&(struct ol_sim_options){.frames = 1, .tlb = ol_tlb_spec_simple(6, 4)}, &sim),
                     OL_E_INVALID);
    assert_int_equal(ol_sim_create(&(struct ol_sim_options){.frames = 1, .processors = 65}, &sim), OL_E_INVALID);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_SMALL(name) cmocka_unit_test_setup_teardown(name, set_up_few_tables, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tables_come_and_go),
        TEST(test_ranges_are_half_open),
        TEST(test_protect_only_lowers),
        TEST(test_enter_seeds_attributes),
        TEST(test_attributes_survive_unmapping),
        TEST(test_enter_replaces),
        TEST(test_aliases),
        TEST_SMALL(test_enter_is_all_or_nothing),
        TEST(test_physical_memory),
        cmocka_unit_test(test_options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
