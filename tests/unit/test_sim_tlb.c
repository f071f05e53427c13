/* SPDX-License-Identifier: MIT */
/*
 * The TLB never changes an outcome: the same long random program runs on every machine without a TLB, with one entry,
 * with a few and with very many; contents, tables, and all that the core counts are the same at its end. And a missing
 * invalidation does change it.
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

enum { FRAMES = 24, PAGES = 64, SLOTS = 4096, STEPS = OL_SANITIZED ? 5000 : 40000, SPACES = 3 };
enum { RW = OL_READ | OL_WRITE, RWX = RW | OL_EXEC };

struct fixture {
    const struct ol_sim_format *format;
    struct ol_sim *sim;
    struct ol_pager *drum;
    struct ol_system *system;
    struct ol_space *space[SPACES]; /* [0] lives throughout */
    uint64_t random;
    uint64_t digest; /* of every byte read and every status */
};

static void create(struct fixture *fixture, const struct ol_sim_format *format, uint32_t entries, uint32_t ways)
{
    const struct ol_sim_options options = {
        .format = format, .frames = FRAMES, .table_frames = 2000, .tlb_entries = entries, .tlb_ways = ways};
    *fixture = (struct fixture){.format = format, .random = 7, .digest = 1};
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
        .frames = FRAMES,
        .frames_max = FRAMES,
    };
    assert_int_equal(ol_system_create(&config, &fixture->system), OL_OK);
    assert_int_equal(ol_space_create(fixture->system, 0, format->is.last_va, &fixture->space[0]), OL_OK);
    assert_int_equal(ol_region_map(fixture->space[0], 0, PAGES, RWX, OL_MAP_FIXED, NULL), OL_OK);
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
    const uint64_t page = below(fixture, PAGES - 8), pages = 1 + below(fixture, 8);
    switch (below(fixture, 4)) {
    case 0: note(fixture, (uint64_t)ol_region_unmap(space, page_va(fixture, page), pages)); break;
    case 1: note(fixture, (uint64_t)ol_space_discard(space, page_va(fixture, page), pages)); break;
    default:
        note(fixture, (uint64_t)ol_region_protect(space, page_va(fixture, page), pages, rights[below(fixture, 4)]));
    }
    (void)ol_region_map(space, page_va(fixture, page), pages, RWX, OL_MAP_FIXED, NULL); /* what is there stays */
}

static void one_step(struct fixture *fixture)
{
    const unsigned place = (unsigned)below(fixture, SPACES);
    struct ol_space *const space = fixture->space[place] ? fixture->space[place] : fixture->space[0];
    const uint64_t kind = below(fixture, 1000), near = below(fixture, 4);
    const uint64_t page = near ? below(fixture, 12) : below(fixture, PAGES + 1);
    const ol_va va = page_va(fixture, page) + below(fixture, page_va(fixture, 1));
    unsigned char byte = (unsigned char)kind;
    if (kind < 2 && place > 0) fork_or_end(fixture, place);
    else if (kind < 10) change_regions(fixture, space);
    else if (kind < 60) note(fixture, (uint64_t)ol_sim_access(fixture->sim, space, va, OL_EXEC));
    else if (kind < 400) note(fixture, (uint64_t)ol_sim_write(fixture->sim, space, va, &byte, 1));
    else {
        note(fixture, (uint64_t)ol_sim_read(fixture->sim, space, va, &byte, 1));
        note(fixture, byte);
    }
}

/* Everything that must not depend on the TLB: what was read, memory with all its tables and keys, what was counted. */
static uint64_t run(const struct ol_sim_format *format, uint32_t entries, uint32_t ways, uint64_t *hits)
{
    struct fixture fixture;
    struct ol_statistics core;
    struct ol_sim_counters machine;
    create(&fixture, format, entries, ways);
    for (unsigned i = 0; i < STEPS; i++) one_step(&fixture);
    const struct ol_sim_memory *const memory = &fixture.sim->memory;
    for (uint64_t at = 0; at < memory->size_bytes; at += 8) note(&fixture, ol_sim_memory_word(memory, at));
    ol_system_statistics(fixture.system, &core);
    ol_sim_get_counters(fixture.sim, &machine);
    const uint64_t counts[] = {core.faults,        core.faults_zero,    core.faults_major,     core.faults_soft,
                               core.evictions,     core.writebacks,     core.faults_refused,   core.pages,
                               machine.references, machine.page_faults, machine.table_updates, machine.tables_peak};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) note(&fixture, counts[i]);
    assert_true(core.evictions > 100 && core.faults_refused > 10);
    assert_true(core.faults_copied > 10 || format->is.no_write_protection);
    *hits = machine.tlb_hits;
    destroy(&fixture);
    return fixture.digest;
}

static void test_outcome_is_the_same_without_a_tlb(void **state)
{
    (void)state;
    static const struct {
        uint32_t entries, ways;
    } tlbs[] = {{0, 0}, {1, 1}, {16, 4}, {8, 8}, {1 << 12, 4}};
    enum { TLBS = sizeof tlbs / sizeof tlbs[0] };
    for (const struct ol_sim_format *const *format = ol_sim_formats; *format; format++) {
        uint64_t hits[TLBS], digest[TLBS];
        for (unsigned i = 0; i < TLBS; i++) {
            digest[i] = run(*format, tlbs[i].entries, tlbs[i].ways, &hits[i]);
            if (digest[i] != digest[0])
                fail_msg("%s: a TLB of %u entries changes what comes out", (*format)->is.name, tlbs[i].entries);
        }
        assert_int_equal(hits[0], 0);
        assert_true(hits[1] > 0 && hits[1] < hits[2] && hits[2] < hits[TLBS - 1]);
    }
}

/* The TLB's entry for a page of the active space, put back after an operation that invalidated it. */
static void test_a_missing_invalidation_goes_wrong(void **state)
{
    (void)state;
    for (const struct ol_sim_format *const *format = ol_sim_formats; *format; format++) {
        struct fixture fixture;
        unsigned char byte = 1;
        create(&fixture, *format, 64, 4);
        assert_int_equal(ol_sim_write(fixture.sim, fixture.space[0], 0, &byte, 1), OL_OK);
        const uint64_t key = ol_sim_page_key(ol_space_pmap(fixture.space[0]), 0);
        const struct ol_tlb_entry *const found = ol_tlb_lookup(&fixture.sim->tlb, key, ol_sim_now(fixture.sim));
        assert_non_null(found);
        const struct ol_tlb_entry stale = *found;

        /* A write to a page that may be read only, or not even that. */
        const unsigned rights = (*format)->is.no_write_protection ? OL_NONE : OL_READ;
        assert_int_equal(ol_region_protect(fixture.space[0], 0, 1, rights), OL_OK);
        assert_int_equal(ol_sim_write(fixture.sim, fixture.space[0], 0, &byte, 1), OL_E_RIGHTS);
        ol_tlb_insert(&fixture.sim->tlb, stale.key, stale.frame, stale.rights, ol_sim_now(fixture.sim));
        assert_int_equal(ol_sim_write(fixture.sim, fixture.space[0], 0, &byte, 1), OL_OK);

        ol_tlb_invalidate(&fixture.sim->tlb, key); /* what was put back is nobody's to find */

        /* Another page's contents. */
        assert_int_equal(ol_region_unmap(fixture.space[0], 0, 1), OL_OK);
        assert_int_equal(ol_sim_read(fixture.sim, fixture.space[0], 0, &byte, 1), OL_E_NO_REGION);
        for (uint64_t page = 1; page <= FRAMES; page++) {
            byte = (unsigned char)(100 + page);
            assert_int_equal(ol_sim_write(fixture.sim, fixture.space[0], page_va(&fixture, page), &byte, 1), OL_OK);
        }
        ol_tlb_insert(&fixture.sim->tlb, stale.key, stale.frame, stale.rights, ol_sim_now(fixture.sim));
        assert_int_equal(ol_sim_read(fixture.sim, fixture.space[0], 0, &byte, 1), OL_OK);
        assert_true(byte > 100);
        destroy(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcome_is_the_same_without_a_tlb),
        cmocka_unit_test(test_a_missing_invalidation_goes_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
