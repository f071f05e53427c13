/* SPDX-License-Identifier: MIT */
/* The simulated machine under the core: what it counts, what it refuses, and that no byte is ever wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/sim/drum.h"
#include "machine/sim/machine.h"
#include "tests/support/random.h"
#include "tests/support/sanitized.h"

enum { PAGE = 4096, SLOTS = 4096, PROCESSORS = 3 /* the first, unless a test selects another */ };
#define BASE 0x7f0000000000ULL
#define RW   (OL_READ | OL_WRITE)

struct fixture {
    struct ol_sim *sim;
    struct ol_pager *drum;
    struct ol_system *system;
    struct ol_space *space;
};

static void build(struct fixture *fixture, uint32_t frames, uint32_t tlb_entries, uint32_t tlb_ways,
                  const struct ol_policy_ops *policy)
{
    const struct ol_sim_options options = {
        .frames = frames, .processors = PROCESSORS, .tlb = ol_tlb_spec_simple(tlb_entries, tlb_ways)};
    assert_int_equal(ol_sim_create(&options, &fixture->sim), OL_OK);
    assert_int_equal(ol_drum_create(SLOTS, PAGE, &fixture->drum), OL_OK);
    const struct ol_port port = ol_sim_port(fixture->sim);
    const struct ol_config config = {
        .port = &port,
        .pmap = &ol_sim_pmap_ops,
        .machine = fixture->sim,
        .machine_is = &ol_sim_amd64.is,
        .pager = fixture->drum,
        .policy = policy,
        .frames = frames,
        .frames_max = frames,
    };
    assert_int_equal(ol_system_create(&config, &fixture->system), OL_OK);
    assert_int_equal(ol_space_create(fixture->system, 0, ol_sim_amd64.is.last_va, &fixture->space), OL_OK);
    ol_sim_activate(fixture->sim, fixture->space);
}

static void map(const struct fixture *fixture, ol_va va, uint64_t pages, unsigned rights)
{
    assert_int_equal(ol_region_map(fixture->space, va, pages, rights, OL_MAP_FIXED, NULL), OL_OK);
}

static void check(const struct fixture *fixture)
{
    const char *const broken = ol_check(fixture->system);
    if (broken) fail_msg("%s", broken);
}

static void tear_down(struct fixture *fixture)
{
    check(fixture);
    ol_system_destroy(fixture->system);
    assert_int_equal(fixture->sim->memory.tables, 0);
    fixture->drum->ops->close(fixture->drum);
    ol_sim_destroy(fixture->sim);
}

static struct ol_sim_counters counters(const struct fixture *fixture)
{
    struct ol_sim_counters now;
    ol_sim_get_counters(fixture->sim, &now);
    assert_int_equal(now.references, now.tlb_hits + now.tlb_misses);
    return now;
}

static void test_references_are_counted(void **state)
{
    (void)state;
    struct fixture fixture;
    build(&fixture, 8, 4, 4, &ol_policy_fifo);
    map(&fixture, BASE, 8, RW);
    /* Read: the TLB is empty, the root too. One word, a fault, then four words; the entry seeds Accessed in the leaf,
     * the walk sets it in the three levels above. */
    assert_int_equal(ol_sim_reference(fixture.sim, BASE + 5, OL_READ), OL_OK);
    struct ol_sim_counters now = counters(&fixture);
    assert_int_equal(now.tlb_misses, 1);
    assert_int_equal(now.walks, 2);
    assert_int_equal(now.page_faults, 1);
    assert_int_equal(now.table_references, 1 + 4);
    assert_int_equal(now.table_updates, 3);
    assert_int_equal(now.tables_peak, 4);

    assert_int_equal(ol_sim_reference(fixture.sim, BASE + 6, OL_READ), OL_OK);
    now = counters(&fixture);
    assert_int_equal(now.tlb_hits, 1);

    /* The first write finds a clean entry: no fault, a walk that sets Dirty. */
    assert_int_equal(ol_sim_reference(fixture.sim, BASE + 7, OL_WRITE), OL_OK);
    now = counters(&fixture);
    assert_int_equal(now.tlb_misses, 2);
    assert_int_equal(now.table_references, 1 + 4 + 4);
    assert_int_equal(now.table_updates, 4);
    assert_int_equal(now.page_faults, 1);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE + 8, OL_WRITE), OL_OK);
    now = counters(&fixture);
    assert_int_equal(now.tlb_hits, 2);
    assert_int_equal(now.references, 4);
    tear_down(&fixture);
}

static void test_cleared_bits_are_set_again(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ol_mapping mapping;
    build(&fixture, 8, 16, 4, &ol_policy_fifo);
    map(&fixture, BASE, 1, RW);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE, OL_WRITE), OL_OK);
    const struct ol_pmap_ops *const ops = &ol_sim_pmap_ops;
    assert_true(ops->query(fixture.sim, ol_space_pmap(fixture.space), BASE, &mapping));
    const unsigned both = OL_REFERENCED | OL_MODIFIED;
    assert_int_equal(ops->test_clear(fixture.sim, mapping.frame, both), both);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE, OL_READ), OL_OK); /* not served by a stale entry */
    assert_int_equal(ops->test_clear(fixture.sim, mapping.frame, both), OL_REFERENCED);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE, OL_WRITE), OL_OK);
    assert_int_equal(ops->test_clear(fixture.sim, mapping.frame, OL_REFERENCED), OL_REFERENCED);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE, OL_WRITE), OL_OK);
    assert_int_equal(ops->test_clear(fixture.sim, mapping.frame, both), both);
    tear_down(&fixture);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fixture fixture;
    unsigned char bytes[2] = {1, 2};
    build(&fixture, 8, 16, 4, &ol_policy_fifo);
    map(&fixture, BASE, 1, OL_READ);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE, OL_READ), OL_OK);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE, OL_WRITE), OL_E_RIGHTS);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE, OL_EXEC), OL_E_RIGHTS);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE + PAGE, OL_READ), OL_E_NO_REGION);
    assert_int_equal(ol_sim_reference(fixture.sim, BASE - 1, OL_READ), OL_E_NO_REGION);
    assert_int_equal(ol_sim_reference(fixture.sim, 0x800000000000ULL, OL_READ), OL_E_NO_REGION);
    assert_int_equal(ol_sim_reference(fixture.sim, UINT64_MAX, OL_READ), OL_E_NO_REGION);
    assert_int_equal(ol_sim_read(fixture.sim, fixture.space, BASE + PAGE - 1, bytes, 2), OL_E_NO_REGION);
    assert_int_equal(bytes[0], 0); /* the part before the refusal was read */
    assert_int_equal(bytes[1], 2);
    assert_int_equal(ol_sim_write(fixture.sim, fixture.space, BASE, bytes, 2), OL_E_RIGHTS);
    assert_int_equal(ol_sim_access(fixture.sim, fixture.space, BASE, OL_READ), OL_OK);
    tear_down(&fixture);
}

/* The bits of an address that do not fit a TLB key must not name a page of another space. */
static void test_addresses_do_not_alias_in_the_tlb(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ol_space *other;
    build(&fixture, 8, 16, 4, &ol_policy_fifo);
    assert_int_equal(ol_space_create(fixture.system, 0, ol_sim_amd64.is.last_va, &other), OL_OK);
    assert_int_equal(ol_region_map(other, BASE, 1, RW, OL_MAP_FIXED, NULL), OL_OK);
    assert_int_equal(ol_sim_access(fixture.sim, other, BASE, OL_READ), OL_OK);
    for (unsigned bit = 47; bit < 64; bit++)
        assert_int_equal(ol_sim_access(fixture.sim, fixture.space, BASE | 1ULL << bit, OL_READ), OL_E_NO_REGION);
    assert_int_equal(ol_sim_access(fixture.sim, fixture.space, BASE, OL_READ), OL_E_NO_REGION);
    tear_down(&fixture);
}

/* A small generator of its own, so that a failure can be repeated anywhere. */
static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*seed >> 33);
}

/* Reads and writes pieces at random, many of them across a page's end, and compares with an array. */
static void check_contents(const struct ol_policy_ops *policy, uint32_t tlb_entries)
{
    enum { FRAMES = 16, PAGES = 64, STEPS = 20000, PIECE = 600 };
    struct fixture fixture;
    static unsigned char model[PAGES * PAGE], piece[PIECE];
    uint64_t seed = 1;
    memset(model, 0, sizeof model);
    build(&fixture, FRAMES, tlb_entries, 4, policy);
    map(&fixture, BASE, PAGES, RW);
    for (uint32_t step = 0; step < STEPS; step++) {
        const size_t bytes = 1 + next_random(&seed) % PIECE;
        const size_t at = next_random(&seed) % (sizeof model - bytes);
        if (next_random(&seed) % 2) {
            memset(piece, (int)next_random(&seed), bytes);
            memcpy(model + at, piece, bytes);
            assert_int_equal(ol_sim_write(fixture.sim, fixture.space, BASE + at, piece, bytes), OL_OK);
        } else {
            assert_int_equal(ol_sim_read(fixture.sim, fixture.space, BASE + at, piece, bytes), OL_OK);
            assert_memory_equal(piece, model + at, bytes);
        }
        if (step % 100 == 0) check(&fixture);
    }
    struct ol_statistics core;
    ol_system_statistics(fixture.system, &core);
    assert_true(core.writebacks > STEPS / 4 && core.faults_major > STEPS / 4);
    tear_down(&fixture);
}

static void test_contents_survive_paging(void **state)
{
    (void)state;
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) {
        if (!ol_policy_suits(*policy, &ol_sim_amd64.is)) continue;
        check_contents(*policy, 16);
        check_contents(*policy, 0);
    }
}

static void test_one_frame_is_enough(void **state)
{
    (void)state;
    struct fixture fixture;
    build(&fixture, 1, 16, 4, &ol_policy_clock);
    map(&fixture, BASE, 10, RW);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint64_t page = 0; page < 10; page++) {
            uint64_t stamp = page + 1, found;
            assert_int_equal(ol_sim_read(fixture.sim, fixture.space, BASE + page * PAGE, &found, sizeof found), OL_OK);
            assert_int_equal(found, round == 0 ? 0 : stamp);
            assert_int_equal(ol_sim_write(fixture.sim, fixture.space, BASE + page * PAGE, &stamp, sizeof stamp), OL_OK);
        }
    }
    tear_down(&fixture);
}

static void test_forked_spaces_are_apart(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ol_space *child;
    uint32_t found;
    build(&fixture, 16, 16, 4, &ol_policy_clock);
    map(&fixture, BASE, 4, RW);
    assert_int_equal(ol_sim_write(fixture.sim, fixture.space, BASE, &(uint32_t){7}, 4), OL_OK);
    assert_int_equal(ol_space_fork(fixture.space, &child), OL_OK);
    assert_int_equal(ol_sim_read(fixture.sim, child, BASE, &found, 4), OL_OK);
    assert_int_equal(found, 7);
    assert_int_equal(ol_sim_write(fixture.sim, fixture.space, BASE, &(uint32_t){8}, 4), OL_OK);
    assert_int_equal(ol_sim_read(fixture.sim, child, BASE, &found, 4), OL_OK);
    assert_int_equal(found, 7);
    ol_space_destroy(child);
    assert_int_equal(ol_sim_read(fixture.sim, fixture.space, BASE, &found, 4), OL_OK);
    assert_int_equal(found, 8);
    tear_down(&fixture);
}

static void test_same_input_same_counts(void **state)
{
    (void)state;
    struct ol_sim_counters runs[2];
    memset(runs, 0, sizeof runs);
    for (int run = 0; run < 2; run++) {
        struct fixture fixture;
        uint64_t seed = 42;
        build(&fixture, 20, 8, 2, &ol_policy_clock);
        map(&fixture, BASE, 50, RW);
        for (int step = 0; step < 5000; step++) {
            const uint32_t number = next_random(&seed);
            const ol_va va = BASE + (ol_va)(number % 50) * PAGE;
            assert_int_equal(ol_sim_reference(fixture.sim, va, number & 0x10000 ? OL_READ : OL_WRITE), OL_OK);
        }
        runs[run] = counters(&fixture);
        tear_down(&fixture);
    }
    assert_memory_equal(&runs[0], &runs[1], sizeof runs[0]);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

enum { THREADS = 4, THREAD_PAGES = 32, THREAD_STEPS = 4000 };

struct worker {
    struct ol_sim *sim;
    struct ol_space *space;
    uint32_t number;
    uint32_t wrong; /* stamps that were not as written, and refusals */
};

/* Writes and checks stamps of its own, in pages that it shares with other threads, on one processor after the other. */
static void *work(void *argument)
{
    struct worker *const worker = argument;
    uint32_t stamps[THREAD_PAGES] = {0}, found;
    uint64_t seed = worker->number;
    for (uint32_t step = 1; step <= THREAD_STEPS; step++) {
        const uint32_t page = next_random(&seed) % THREAD_PAGES;
        const ol_va va = BASE + (ol_va)page * PAGE + worker->number * sizeof found;
        ol_sim_select(worker->sim, (worker->number + step / 3) % PROCESSORS);
        if (ol_sim_read(worker->sim, worker->space, va, &found, sizeof found) != OL_OK) worker->wrong++;
        if (found != stamps[page]) worker->wrong++;
        stamps[page] = step;
        if (ol_sim_write(worker->sim, worker->space, va, &step, sizeof step) != OL_OK) worker->wrong++;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct fixture fixture;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    struct ol_space *spaces[2];
    build(&fixture, 12, 16, 4, &ol_policy_clock);
    map(&fixture, BASE, THREAD_PAGES, RW);
    spaces[0] = fixture.space;
    assert_int_equal(ol_space_fork(fixture.space, &spaces[1]), OL_OK);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.sim = fixture.sim, .space = spaces[i % 2], .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    assert_int_equal(counters(&fixture).references, THREADS * THREAD_STEPS * 2);
    assert_true(counters(&fixture).shootdowns > 100);
    tear_down(&fixture);
}

static void test_drum_limits(void **state)
{
    (void)state;
    struct ol_pager *drum;
    assert_int_equal(ol_drum_create(0, PAGE, &drum), OL_E_INVALID);
    assert_int_equal(ol_drum_create(1, 0, &drum), OL_E_INVALID);
}

/* --- runs -------------------------------------------------------------------------------------------------------- */

/* Random runs of references alike, at once or one by one. */
static void make_runs(struct fixture *fixture, const char *tlb, bool at_once, struct ol_sim_counters *out,
                      struct ol_statistics *core)
{
    enum { FRAMES = 12, PAGES = 40, RUNS = 5000 };
    struct ol_sim_options options = {.frames = FRAMES};
    char message[512];
    uint64_t random = 3;
    build(fixture, FRAMES, 0, 0, &ol_policy_clock);
    map(fixture, 0, PAGES, OL_READ | OL_WRITE);
    assert_true(ol_tlb_spec_parse(tlb, &options.tlb, message, sizeof message));
    ol_tlbs_destroy(&fixture->sim->processor->tlbs);
    assert_int_equal(
        ol_tlbs_create(&fixture->sim->processor->tlbs, &options.tlb, &ol_sim_amd64, &fixture->sim->numa, FRAMES),
        OL_OK);
    for (unsigned i = 0; i < RUNS; i++) {
        const ol_va va = ol_random_below(&random, i % 4 ? 6 : PAGES + 1) * PAGE; /* the last is not mapped */
        const unsigned access = ol_random_below(&random, 3) ? OL_READ : OL_WRITE;
        const uint32_t count = 1 + (uint32_t)ol_random_below(&random, 5);
        if (at_once) (void)ol_sim_references(fixture->sim, va, access, count);
        for (uint32_t k = 0; !at_once && k < count; k++)
            if (ol_sim_reference(fixture->sim, va, access) != OL_OK) break;
    }
    *out = counters(fixture);
    ol_system_statistics(fixture->system, core);
    tear_down(fixture);
}

static void test_runs_count_like_single_references(void **state)
{
    (void)state;
    static const char *const tlbs[] = {"none", "4:2", "l1=4:fifo,l2=8:plru", "l1d=2:random,walk=4"};
    for (size_t i = 0; i < sizeof tlbs / sizeof tlbs[0]; i++) {
        struct fixture fixture;
        struct ol_sim_counters machine[2];
        struct ol_statistics core[2];
        for (int at_once = 0; at_once < 2; at_once++)
            make_runs(&fixture, tlbs[i], at_once, &machine[at_once], &core[at_once]);
        assert_memory_equal(&machine[0], &machine[1], sizeof machine[0]);
        assert_memory_equal(&core[0], &core[1], sizeof core[0]);
        assert_true(core[0].evictions > 100 && core[0].faults_refused > 10);
    }
}

/* --- size -------------------------------------------------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
    unsigned long long all, resident;
    FILE *const file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu %llu", &all, &resident), 2);
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A space of 64 TiB with one region as large and one page that was touched: page, tables and all that is kept of them.
 */
static void test_a_wide_space_costs_little(void **state)
{
    (void)state;
    enum { SPACES = 200, COST_MOST = 64 << 10 };
    const uint64_t pages = (64ULL << 40) / PAGE;
    struct fixture fixture;
    if (OL_SANITIZED) skip(); /* shadow memory is resident, too */
    build(&fixture, 2 * SPACES, 64, 4, &ol_policy_clock);
    const uint64_t before = resident_bytes();
    for (unsigned i = 0; i < SPACES; i++) {
        struct ol_space *space;
        uint64_t value = i + 1;
        assert_int_equal(ol_space_create(fixture.system, 0, ol_sim_amd64.is.last_va, &space), OL_OK);
        assert_int_equal(ol_region_map(space, 0, pages, OL_READ | OL_WRITE, OL_MAP_FIXED, NULL), OL_OK);
        const ol_va va = (pages / SPACES * i + 12345) * PAGE;
        assert_int_equal(ol_sim_write(fixture.sim, space, va, &value, sizeof value), OL_OK);
    }
    const uint64_t cost = (resident_bytes() - before) / SPACES;
    print_message("a space of 64 TiB with one page touched takes %llu bytes\n", (unsigned long long)cost);
    assert_in_range(cost, PAGE, COST_MOST);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_are_counted),
        cmocka_unit_test(test_cleared_bits_are_set_again),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_contents_survive_paging),
        cmocka_unit_test(test_one_frame_is_enough),
        cmocka_unit_test(test_forked_spaces_are_apart),
        cmocka_unit_test(test_same_input_same_counts),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_drum_limits),
        cmocka_unit_test(test_addresses_do_not_alias_in_the_tlb),
        cmocka_unit_test(test_runs_count_like_single_references),
        cmocka_unit_test(test_a_wide_space_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
