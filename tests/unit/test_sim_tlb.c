/* SPDX-License-Identifier: MIT */
/*
 * TLBs never change an outcome: the same long random program runs on every machine without a TLB, with one entry, with
 * a few and with very many, with several levels, with page-walk caches, with few tags or none, and on several
 * processors; contents, tables, and all that the core counts are the same at its end. And a missing invalidation does
 * change it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "machine/sim/drum.h"
#include "machine/sim/pmap.h"
#include "tests/support/random.h"
#include "tests/support/sanitized.h"

enum { FRAMES = 24, PAGES = 64, SLOTS = 1 << 14, STEPS = OL_SANITIZED ? 5000 : 40000, SPACES = 3 };
enum { RW = OL_READ | OL_WRITE, RWX = RW | OL_EXEC };

struct fixture {
    const struct ol_sim_format *format;
    uint32_t pages;   /* that the program uses */
    uint32_t apart;   /* those that it uses most lie so many pages apart */
    uint32_t stretch; /* pages of a large page; 0: there are none */
    struct ol_sim *sim;
    struct ol_pager *drum;
    struct ol_system *system;
    struct ol_space *space[SPACES]; /* [0] lives throughout */
    uint64_t random, random_processor;
    uint64_t digest; /* of every byte read and every status */
};

/* With `large`, memory and region are as wide as a few large pages. */
static void create(struct fixture *fixture, const struct ol_sim_format *format, const char *tlb_text,
                   uint32_t processors, bool large)
{
    const uint32_t stretch = large ? 1U << (format->is.large_shifts[0] - format->is.page_shift) : 0;
    const uint32_t frames = large ? 6 * stretch : FRAMES, pages = large ? 4 * stretch : PAGES;
    struct ol_tlb_spec tlb;
    char message[512];
    if (!ol_tlb_spec_parse(tlb_text, &tlb, message, sizeof message)) fail_msg("%s: %s", tlb_text, message);
    if (!format->walks_levels) tlb.walk_caches = 0;
    const struct ol_sim_options options = {
        .format = format, .frames = frames, .table_frames = 2000, .tlb = tlb, .processors = processors};
    *fixture = (struct fixture){.format = format,
                                .pages = pages,
                                .stretch = stretch,
                                .apart = pages / PAGES,
                                .random = 7,
                                .random_processor = 8,
                                .digest = 1};
    assert_int_equal(ol_sim_create(&options, &fixture->sim), OL_OK);
    assert_int_equal(ol_drum_create(SLOTS, 1U << format->is.page_shift, &fixture->drum), OL_OK);
    const struct ol_port port = ol_sim_port(fixture->sim);
    const struct ol_config config = {
        .port = &port,
        .pmap = &ol_sim_pmap_ops,
        .machine = fixture->sim,
        .machine_is = &format->is,
        .pager = fixture->drum,
        .policy = &ol_policy_clock,
        .frames = frames,
        .frames_max = frames,
        .large_shift = large ? format->is.large_shifts[0] : 0,
    };
    assert_int_equal(ol_system_create(&config, &fixture->system), OL_OK);
    assert_int_equal(ol_space_create(fixture->system, 0, format->is.last_va, &fixture->space[0]), OL_OK);
    assert_int_equal(ol_region_map(fixture->space[0], 0, pages, RWX, OL_MAP_FIXED, NULL), OL_OK);
}

static void destroy(struct fixture *fixture)
{
    ol_system_destroy(fixture->system);
    fixture->drum->ops->close(fixture->drum);
    ol_sim_destroy(fixture->sim);
}

static uint64_t below(struct fixture *fixture, uint64_t bound)
{
    return ol_random_below(&fixture->random, bound);
}

static void note(struct fixture *fixture, uint64_t value)
{
    fixture->digest = (fixture->digest ^ value) * 0x100000001b3ULL;
}

static ol_va page_va(const struct fixture *fixture, uint64_t page)
{
    return page << fixture->format->is.page_shift;
}

/* Forks the first space into a place, or ends what lives there. */
static void fork_or_end(struct fixture *fixture, unsigned place)
{
    if (fixture->space[place]) {
        ol_space_destroy(fixture->space[place]);
        fixture->space[place] = NULL;
    } else {
        note(fixture, (uint64_t)ol_space_fork(fixture->space[0], &fixture->space[place]));
    }
}

static void change_regions(struct fixture *fixture, struct ol_space *space)
{
    static const unsigned rights[] = {RWX, RW, OL_READ, OL_READ | OL_EXEC};
    const uint64_t page = below(fixture, fixture->pages - 8), pages = 1 + below(fixture, 8);
    switch (below(fixture, 4)) {
    case 0: note(fixture, (uint64_t)ol_region_unmap(space, page_va(fixture, page), pages)); break;
    case 1: note(fixture, (uint64_t)ol_space_discard(space, page_va(fixture, page), pages)); break;
    default:
        note(fixture, (uint64_t)ol_region_protect(space, page_va(fixture, page), pages, rights[below(fixture, 4)]));
    }
    (void)ol_region_map(space, page_va(fixture, page), pages, RWX, OL_MAP_FIXED, NULL); /* what is there stays */
}

/* A stretch becomes a region of its own, and all its pages are written: then a large page can map them. */
static void fill_stretch(struct fixture *fixture, struct ol_space *space)
{
    const uint64_t first = below(fixture, fixture->pages / fixture->stretch) * fixture->stretch;
    note(fixture, (uint64_t)ol_region_unmap(space, page_va(fixture, first), fixture->stretch));
    note(fixture, (uint64_t)ol_region_map(space, page_va(fixture, first), fixture->stretch, RWX, OL_MAP_FIXED, NULL));
    for (uint64_t page = first; page < first + fixture->stretch; page++)
        note(fixture, (uint64_t)ol_sim_write(fixture->sim, space, page_va(fixture, page), &page, sizeof page));
}

static void one_step(struct fixture *fixture)
{
    const unsigned place = (unsigned)below(fixture, SPACES);
    struct ol_space *const space = fixture->space[place] ? fixture->space[place] : fixture->space[0];
    const uint64_t kind = below(fixture, 1000), near = below(fixture, 4);
    const uint64_t page = near ? below(fixture, 12) * fixture->apart : below(fixture, fixture->pages + 1);
    const ol_va va = page_va(fixture, page) + below(fixture, page_va(fixture, 1));
    unsigned char byte = (unsigned char)kind;
    if (kind < 2 && place > 0) fork_or_end(fixture, place);
    else if (kind < 10) change_regions(fixture, space);
    else if (kind < 12 && fixture->stretch > 0) fill_stretch(fixture, space);
    else if (kind < 60) note(fixture, (uint64_t)ol_sim_access(fixture->sim, space, va, OL_EXEC));
    else if (kind < 400) note(fixture, (uint64_t)ol_sim_write(fixture->sim, space, va, &byte, 1));
    else {
        note(fixture, (uint64_t)ol_sim_read(fixture->sim, space, va, &byte, 1));
        note(fixture, byte);
    }
}

/* --- outcomes ---------------------------------------------------------------------------------------------------- */

/* Everything that must not depend on TLBs: what was read, memory with all its tables and keys, what was counted. */
static uint64_t finish(struct fixture *fixture, struct ol_sim_counters *machine)
{
    struct ol_statistics core;
    const struct ol_sim_memory *const memory = &fixture->sim->memory;
    for (uint64_t at = 0; at < memory->size_bytes; at += 8) note(fixture, ol_sim_memory_word(memory, at));
    ol_system_statistics(fixture->system, &core);
    ol_sim_get_counters(fixture->sim, machine);
    const uint64_t counts[] = {core.faults,         core.faults_zero,     core.faults_major,      core.faults_soft,
                               core.evictions,      core.writebacks,      core.faults_refused,    core.pages,
                               machine->references, machine->page_faults, machine->table_updates, machine->tables_peak};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) note(fixture, counts[i]);
    assert_true(fixture->stretch > 0 || (core.evictions > 100 && core.faults_refused > 10));
    assert_true(fixture->stretch > 0 || core.faults_copied > 10 || fixture->format->is.no_write_protection);
    for (uint32_t i = 0; i < fixture->sim->processor_count; i++)
        assert_int_equal(fixture->sim->processors[i].tlbs.count.stale, 0);
    return fixture->digest;
}

static uint64_t run(const struct ol_sim_format *format, const char *tlb, uint32_t processors, bool large,
                    struct ol_sim_counters *machine)
{
    struct fixture fixture;
    create(&fixture, format, tlb, processors, large);
    for (unsigned i = 0; i < STEPS; i++) {
        ol_sim_select(fixture.sim, (uint32_t)ol_random_below(&fixture.random_processor, processors));
        one_step(&fixture);
    }
    const uint64_t digest = finish(&fixture, machine);
    destroy(&fixture);
    return digest;
}

static void test_outcome_is_the_same_without_tlbs(void **state)
{
    (void)state;
    static const struct {
        const char *tlb;
        uint32_t processors;
    } machines[] = {{"none", 1},
                    {"1:1", 1},
                    {"16:4", 1},
                    {"4096:4", 1},
                    {"l1d=4,l1i=2,l2=16:4:plru,l3=64:random", 1},
                    {"l1=4:fifo,l2=32,walk=3,tags=1", 1},
                    {"l1=32,walk1=4,walk2=2,walk3=2,tags=0", 1},
                    {"skylake", 3},
                    {"l1=64,walk=16,tags=1", 4},
                    {"none", 2}};
    enum { MACHINES = sizeof machines / sizeof machines[0], FEW = 2, MANY = 3, SHOOTING = 7, NO_TLB = 9 };
    for (const struct ol_sim_format *const *format = ol_sim_formats; *format; format++) {
        struct ol_sim_counters counters[MACHINES];
        uint64_t digest[MACHINES];
        for (unsigned i = 0; i < MACHINES; i++) {
            digest[i] = run(*format, machines[i].tlb, machines[i].processors, false, &counters[i]);
            if (digest[i] != digest[0])
                fail_msg("%s: TLBs %s on %u processors change what comes out", (*format)->is.name, machines[i].tlb,
                         machines[i].processors);
            assert_int_equal(counters[i].references, counters[i].tlb_hits + counters[i].tlb_misses);
        }
        assert_int_equal(counters[0].tlb_hits, 0);
        assert_int_equal(counters[NO_TLB].tlb_hits, 0);
        assert_true(counters[1].tlb_hits > 0 && counters[1].tlb_hits < counters[FEW].tlb_hits);
        assert_true(counters[FEW].tlb_hits <= counters[MANY].tlb_hits);
        assert_true(counters[SHOOTING].shootdowns > 100);
        assert_int_equal(counters[MANY].shootdowns, 0);
    }
}

/* Large pages come and go: one entry for all of one, pieces in arrays for small pages, all of which must go with it. */
static void test_outcome_is_the_same_with_large_pages(void **state)
{
    (void)state;
    static const struct {
        const char *tlb;
        uint32_t processors;
    } machines[] = {{"none", 1},
                    {"l1=32@4K,l2=256:4@4K,walk=8", 1}, /* nothing but pieces */
                    {"skylake", 2}};
    for (const struct ol_sim_format *const *format = ol_sim_formats; *format; format++) {
        uint64_t right = 0;
        if (!(*format)->is.large_shifts[0]) continue;
        for (unsigned i = 0; i < sizeof machines / sizeof machines[0]; i++) {
            struct ol_sim_counters counters;
            const uint64_t digest = run(*format, machines[i].tlb, machines[i].processors, true, &counters);
            if (i == 0) right = digest;
            if (digest != right)
                fail_msg("%s: TLBs %s on %u processors change what comes out", (*format)->is.name, machines[i].tlb,
                         machines[i].processors);
            assert_true(counters.large_entered > STEPS / 10000 && counters.large_splits > STEPS / 10000);
            assert_true(i == 0 || counters.tlb_hits > STEPS / 10);
        }
    }
}

/* --- missing invalidations --------------------------------------------------------------------------------------- */

/* While `lost`, processor 1 does not hear of what others invalidate: no tag of its TLBs seems to be anybody's. */
static void lose_interrupts(struct fixture *fixture, bool lost, uint64_t *kept)
{
    struct ol_sim_processor *const deaf = &fixture->sim->processors[1];
    const uint32_t tags = 1U << fixture->sim->tag_bits;
    for (uint32_t tag = 0; tag < tags; tag++) {
        if (lost) kept[tag] = deaf->tags[tag];
        deaf->tags[tag] = lost ? 0 : kept[tag];
    }
}

/* The program of above, on two processors, of which one misses all shoot-downs. */
static void test_lost_shootdowns_go_wrong(void **state)
{
    (void)state;
    static const char tlb[] = "l1=256,tags=2";
    for (const struct ol_sim_format *const *format = ol_sim_formats; *format; format++) {
        struct fixture fixture;
        struct ol_sim_counters machine;
        uint64_t kept[4] = {0};
        const uint64_t right = run(*format, tlb, 2, false, &machine);
        create(&fixture, *format, tlb, 2, false);
        for (unsigned i = 0; i < STEPS; i++) {
            const uint32_t processor = (uint32_t)ol_random_below(&fixture.random_processor, 2);
            ol_sim_select(fixture.sim, processor);
            if (processor == 0) lose_interrupts(&fixture, true, kept);
            one_step(&fixture);
            if (processor == 0) lose_interrupts(&fixture, false, kept);
        }
        if (fixture.digest == right) fail_msg("%s: nothing went wrong", (*format)->is.name);
        destroy(&fixture);
    }
}

/* A byte that belongs to another page shows on the processor that was not interrupted, and on no other. */
static void test_a_lost_shootdown_shows_the_wrong_page(void **state)
{
    (void)state;
    for (const struct ol_sim_format *const *format = ol_sim_formats; *format; format++) {
        struct fixture fixture;
        uint64_t kept[4] = {0};
        unsigned char byte = 1;
        create(&fixture, *format, "l1=64,tags=2", 2, false);
        struct ol_space *const space = fixture.space[0];
        assert_int_equal(ol_sim_write(fixture.sim, space, 0, &byte, 1), OL_OK);
        ol_sim_select(fixture.sim, 1);
        assert_int_equal(ol_sim_read(fixture.sim, space, 0, &byte, 1), OL_OK);

        ol_sim_select(fixture.sim, 0);
        lose_interrupts(&fixture, true, kept);
        assert_int_equal(ol_region_unmap(space, 0, 1), OL_OK);
        for (uint64_t page = 1; page <= FRAMES; page++) {
            byte = (unsigned char)(100 + page);
            assert_int_equal(ol_sim_write(fixture.sim, space, page_va(&fixture, page), &byte, 1), OL_OK);
        }
        lose_interrupts(&fixture, false, kept);

        assert_int_equal(ol_sim_read(fixture.sim, space, 0, &byte, 1), OL_E_NO_REGION);
        ol_sim_select(fixture.sim, 1);
        assert_int_equal(ol_sim_read(fixture.sim, space, 0, &byte, 1), OL_OK);
        assert_true(byte > 100);
        destroy(&fixture);
    }
}

/* The entry that level 1 of processor 0 has for page 0 of the active space. */
static struct ol_tlb_entry *entry_of_page_0(const struct fixture *fixture)
{
    const struct ol_tlb *const tlb = &fixture->sim->processors[0].tlbs.part[0].tlb;
    return ol_tlb_find(tlb, ol_tlb_key(fixture->sim->processors[0].tlbs.tag, 0, 0));
}

static void put_back(const struct fixture *fixture, const struct ol_tlb_entry *stale)
{
    struct ol_tlb *const tlb = &fixture->sim->processors[0].tlbs.part[0].tlb;
    ol_tlb_store(tlb, ol_tlb_place(tlb, stale->key), stale, ol_sim_now(fixture->sim));
}

/* On one processor: the TLB's entry for a page, put back after an operation that invalidated it. */
static void test_a_missing_invalidation_goes_wrong(void **state)
{
    (void)state;
    for (const struct ol_sim_format *const *format = ol_sim_formats; *format; format++) {
        struct fixture fixture;
        unsigned char byte = 1;
        create(&fixture, *format, "64:4", 1, false);
        struct ol_space *const space = fixture.space[0];
        assert_int_equal(ol_sim_write(fixture.sim, space, 0, &byte, 1), OL_OK);
        assert_non_null(entry_of_page_0(&fixture));
        const struct ol_tlb_entry stale = *entry_of_page_0(&fixture);

        /* A write to a page that may be read only, or not even that. */
        const unsigned rights = (*format)->is.no_write_protection ? OL_NONE : OL_READ;
        assert_int_equal(ol_region_protect(space, 0, 1, rights), OL_OK);
        assert_int_equal(ol_sim_write(fixture.sim, space, 0, &byte, 1), OL_E_RIGHTS);
        put_back(&fixture, &stale);
        assert_int_equal(ol_sim_write(fixture.sim, space, 0, &byte, 1), OL_OK);

        /* What was put back is nobody's to find. */
        ol_tlbs_invalidate(&fixture.sim->processors[0].tlbs, ol_tlb_key_tag(stale.key), 0, 0);

        /* Another page's contents. */
        assert_int_equal(ol_region_unmap(space, 0, 1), OL_OK);
        assert_int_equal(ol_sim_read(fixture.sim, space, 0, &byte, 1), OL_E_NO_REGION);
        for (uint64_t page = 1; page <= FRAMES; page++) {
            byte = (unsigned char)(100 + page);
            assert_int_equal(ol_sim_write(fixture.sim, space, page_va(&fixture, page), &byte, 1), OL_OK);
        }
        put_back(&fixture, &stale);
        assert_int_equal(ol_sim_read(fixture.sim, space, 0, &byte, 1), OL_OK);
        assert_true(byte > 100);
        destroy(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcome_is_the_same_without_tlbs),
        cmocka_unit_test(test_outcome_is_the_same_with_large_pages),
        cmocka_unit_test(test_lost_shootdowns_go_wrong),
        cmocka_unit_test(test_a_lost_shootdown_shows_the_wrong_page),
        cmocka_unit_test(test_a_missing_invalidation_goes_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
