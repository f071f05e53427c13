/* SPDX-License-Identifier: MIT */
/*
 * Large mappings of the simulated machines, every size of every format, without a core above them: what is built is
 * walked, before and after it was split. Attacks I13.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/sim/machine.h"
#include "machine/sim/pmap.h"
#include "tests/support/random.h"

enum { RW = OL_READ | OL_WRITE, ATTRIBUTES = OL_REFERENCED | OL_MODIFIED, SAMPLES = 200 };

static const struct ol_pmap_ops *const ops = &ol_sim_pmap_ops;
static const struct ol_sim_format *const formats[] = {&ol_sim_ia32, &ol_sim_pae,  &ol_sim_amd64,
                                                      &ol_sim_la57, &ol_sim_sv39, &ol_sim_sv48};

/* The case at hand. */
static const struct ol_sim_format *format;
static uint8_t shift;     /* of the large page */
static uint32_t pages;    /* of it */
static ol_va base;        /* where it is mapped */
static ol_frame_no first; /* its frames */
static struct ol_sim *sim;
static struct ol_pmap *pmap;
static uint32_t roots; /* table frames of an empty pmap */
static uint64_t seed;

static void create(uint32_t table_frames)
{
    const struct ol_sim_options options = {.format = format, .frames = 2 * pages, .table_frames = table_frames};
    assert_int_equal(ol_sim_create(&options, &sim), OL_OK);
    assert_int_equal(ops->create(sim, 0, format->is.last_va, &pmap), OL_OK);
    roots = sim->memory.tables;
    base = 2ULL << shift;
    first = pages;
}

static void destroy(void)
{
    ops->remove(sim, pmap, 0, format->is.last_va / 4096 + 1);
    assert_int_equal(sim->memory.tables, roots);
    for (ol_frame_no frame = 0; frame < 2 * pages; frame++) assert_null(sim->reverse.frames[frame].first.pmap);
    ops->destroy(sim, pmap);
    ol_sim_destroy(sim);
}

static ol_va va_of(uint32_t page)
{
    return base + (ol_va)page * 4096;
}

static void enter(unsigned rights)
{
    assert_int_equal(ops->enter_large(sim, pmap, base, first, shift, rights), OL_OK);
}

/* The processor's view: walks, and carries out the updates. */
static enum ol_walk_outcome touch(uint32_t page, unsigned access, struct ol_walk *walk)
{
    union ol_sim_control control;
    format->control(&sim->memory, (uint64_t)pmap->tables.root << 12, &control);
    format->walk(&sim->memory.words, &control, va_of(page) + 123, access, walk);
    for (unsigned i = 0; i < walk->update_count; i++)
        ol_sim_memory_set_word(&sim->memory, walk->updates[i].address, walk->updates[i].value);
    return walk->outcome;
}

/* The page is mapped to its own frame with these rights, by an entry of that size; or not at all. */
static void is_mapped(uint32_t page, unsigned rights, uint8_t by)
{
    struct ol_mapping mapping;
    struct ol_walk walk;
    if (rights == OL_NONE) {
        assert_false(ops->query(sim, pmap, va_of(page), &mapping));
        assert_int_equal(touch(page, OL_READ, &walk), OL_WALK_PAGE_FAULT);
        return;
    }
    assert_true(ops->query(sim, pmap, va_of(page), &mapping));
    assert_int_equal(mapping.frame, first + page);
    assert_int_equal(mapping.rights & RW, rights);
    assert_int_equal(mapping.shift, by);
    assert_int_equal(touch(page, OL_READ, &walk), OL_WALK_OK);
    assert_int_equal(walk.physical, (uint64_t)(first + page) * 4096 + 123);
    assert_int_equal(walk.page_shift, by);
    assert_int_equal(walk.rights & RW, rights);
    assert_int_equal(touch(page, OL_WRITE, &walk), rights & OL_WRITE ? OL_WALK_OK : OL_WALK_PAGE_FAULT);
}

static uint32_t any_page(void)
{
    return (uint32_t)ol_random_below(&seed, pages);
}

static void maps_all_its_pages(void)
{
    create(0);
    enter(RW);
    const uint32_t large_tables = sim->memory.tables;
    for (unsigned i = 0; i < SAMPLES; i++) is_mapped(any_page(), RW, shift);
    is_mapped(0, RW, shift);
    is_mapped(pages - 1, RW, shift);
    struct ol_walk walk;
    assert_int_equal(touch(pages, OL_READ, &walk), OL_WALK_PAGE_FAULT);
    base -= 4096;
    assert_int_equal(touch(0, OL_READ, &walk), OL_WALK_PAGE_FAULT);
    base += 4096;
    /* Single pages in its place cost a table at least. */
    const ol_frame_no frame = first + 5;
    assert_int_equal(ops->enter(sim, pmap, va_of(5), &frame, 1, RW, OL_NONE), OL_OK);
    assert_true(sim->memory.tables > large_tables);
    is_mapped(5, RW, 12);
    destroy();
}

/* What is wanted of a part splits the rest, which stays mapped as it was. */
static void is_split_by_its_parts(void)
{
    create(0);
    enter(RW);
    const uint32_t page = 1 + (uint32_t)ol_random_below(&seed, pages - 3);
    ops->remove(sim, pmap, va_of(page), 1);
    is_mapped(page, OL_NONE, 0);
    is_mapped(page - 1, RW, 12);
    is_mapped(page + 1, RW, 12);
    ops->protect(sim, pmap, va_of(page - 1), 3, OL_READ);
    is_mapped(page - 1, OL_READ, 12);
    is_mapped(page + 1, OL_READ, 12);
    const ol_frame_no frame = first + page + 1;
    assert_int_equal(ops->frame_protect(sim, &frame, 1, OL_NONE), 1);
    is_mapped(page + 1, OL_NONE, 0);
    for (unsigned i = 0; i < SAMPLES; i++) {
        const uint32_t other = any_page();
        if (other + 1 >= page && other <= page + 1) continue;
        struct ol_mapping mapping;
        assert_true(ops->query(sim, pmap, va_of(other), &mapping));
        is_mapped(other, RW, mapping.shift);
    }
    assert_true(sim->processor->counters.large_splits >= 1);
    /* And large again. */
    enter(RW);
    is_mapped(page, RW, shift);
    is_mapped(page + 1, RW, shift);
    assert_int_equal(sim->processor->counters.large_entered, 2);
    destroy();
}

/* A range that covers it changes it as one. */
static void is_changed_as_one(void)
{
    create(0);
    enter(RW);
    ops->protect(sim, pmap, base, pages, OL_READ);
    for (unsigned i = 0; i < SAMPLES; i++) is_mapped(any_page(), OL_READ, shift);
    assert_int_equal(sim->processor->counters.large_splits, 0);
    ops->remove(sim, pmap, base, pages);
    assert_int_equal(sim->memory.tables, roots);
    destroy();
}

/* Accessed and Dirty of the entry hold for all its frames, each of which can be asked once. */
static void attributes_belong_to_all_frames(void)
{
    struct ol_walk walk;
    create(0);
    enter(RW);
    assert_int_equal(ops->test_clear(sim, first + 3, ATTRIBUTES), 0); /* entering seeds nothing */
    assert_int_equal(touch(7, OL_READ, &walk), OL_WALK_OK);
    assert_int_equal(ops->test_clear(sim, first + 3, ATTRIBUTES), OL_REFERENCED);
    assert_int_equal(ops->test_clear(sim, first + 3, ATTRIBUTES), 0);
    assert_int_equal(ops->test_clear(sim, first + 7, OL_REFERENCED), OL_REFERENCED);
    assert_int_equal(touch(7, OL_WRITE, &walk), OL_WALK_OK);
    for (unsigned i = 0; i < SAMPLES; i++) {
        const uint32_t page = i + 10;
        assert_int_equal(ops->test_clear(sim, first + page, OL_MODIFIED), OL_MODIFIED);
        assert_int_equal(ops->test_clear(sim, first + page, OL_MODIFIED), 0);
    }
    /* They outlive the mapping, split or not. */
    assert_int_equal(touch(7, OL_WRITE, &walk), OL_WALK_OK);
    ops->remove(sim, pmap, va_of(20), 1);
    assert_int_equal(ops->test_clear(sim, first + 20, ATTRIBUTES), ATTRIBUTES);
    assert_int_equal(ops->test_clear(sim, first + 21, ATTRIBUTES), ATTRIBUTES);
    enter(RW); /* from single mappings */
    assert_int_equal(ops->test_clear(sim, first + 21, ATTRIBUTES), 0);
    assert_int_equal(ops->test_clear(sim, first + 22, ATTRIBUTES), ATTRIBUTES);
    ops->remove(sim, pmap, base, pages);
    assert_int_equal(ops->test_clear(sim, first + 23, ATTRIBUTES), ATTRIBUTES);
    destroy();
}

/* Without room for a table, a split forgets the mapping: the attributes stay, and nothing leaks. */
static void is_forgotten_without_a_table(void)
{
    struct ol_walk walk;
    create(0);
    enter(RW);
    const uint32_t tables = sim->memory.tables;
    destroy();
    create(tables);
    enter(RW);
    assert_int_equal(touch(7, OL_WRITE, &walk), OL_WALK_OK);
    const ol_frame_no frame = first + 9;
    assert_int_equal(ops->frame_protect(sim, &frame, 1, OL_READ), 1);
    is_mapped(9, OL_NONE, 0);
    is_mapped(7, OL_NONE, 0);
    assert_int_equal(sim->memory.tables, roots);
    assert_int_equal(sim->processor->counters.large_forgotten, 1);
    for (uint32_t page = 0; page < pages; page++)
        assert_int_equal(ops->test_clear(sim, first + page, ATTRIBUTES), ATTRIBUTES);
    destroy();
}

/* Where its own tables find no room, nothing is entered. */
static void is_not_entered_without_tables(void)
{
    create(0);
    enter(RW);
    const uint32_t tables = sim->memory.tables;
    destroy();
    if (tables == roots) return; /* its entry stands in the root */
    create(tables - 1);
    assert_int_equal(ops->enter_large(sim, pmap, base, first, shift, RW), OL_E_NO_META);
    is_mapped(0, OL_NONE, 0);
    assert_int_equal(sim->memory.tables, roots);
    destroy();
}

/* Two pmaps map the same block; each frame's mappings are found and split in both. */
static void is_shared(void)
{
    struct ol_pmap *other;
    create(0);
    assert_int_equal(ops->create(sim, 0, format->is.last_va, &other), OL_OK);
    enter(OL_READ);
    assert_int_equal(ops->enter_large(sim, other, base, first, shift, OL_READ), OL_OK);
    const ol_frame_no frame = first + any_page();
    assert_int_equal(ops->frame_protect(sim, &frame, 1, OL_NONE), 1);
    struct ol_mapping mapping;
    assert_false(ops->query(sim, pmap, va_of(frame - first), &mapping));
    assert_false(ops->query(sim, other, va_of(frame - first), &mapping));
    ops->remove(sim, other, base, pages);
    ops->destroy(sim, other);
    destroy();
}

struct part {
    void (*test)(void);
};

static void for_each_size(void **state)
{
    const struct part *const part = *state;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        format = formats[i];
        for (unsigned size = 0; size < OL_LARGE_SIZES_MAX && format->is.large_shifts[size]; size++) {
            shift = format->is.large_shifts[size];
            pages = 1U << (shift - format->is.page_shift);
            seed = i + size + 1;
            part->test();
        }
    }
}

#define FOR_EACH_SIZE(name)                              \
    {                                                    \
#name, for_each_size, NULL, NULL, &(struct part) \
        {                                                \
            name                                         \
        }                                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_EACH_SIZE(maps_all_its_pages),
        FOR_EACH_SIZE(is_split_by_its_parts),
        FOR_EACH_SIZE(is_changed_as_one),
        FOR_EACH_SIZE(attributes_belong_to_all_frames),
        FOR_EACH_SIZE(is_forgotten_without_a_table),
        FOR_EACH_SIZE(is_not_entered_without_tables),
        FOR_EACH_SIZE(is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
