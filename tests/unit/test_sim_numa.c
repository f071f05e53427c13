/* SPDX-License-Identifier: MIT */
/*
 * Nodes: where each policy places pages, that local and remote references are what an observer counts who looks up each
 * frame, that bound pages stay on their node when it is full; and the cost model, constant by constant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/sim/cost.h"
#include "machine/sim/drum.h"
#include "tests/support/random.h"

enum { FRAMES = 40, SLOTS = 1 << 12, SHIFT = 12, STEPS = 20000 };

struct fixture {
    struct ol_sim *sim;
    struct ol_pager *drum;
    struct ol_system *system;
    struct ol_space *space;
    uint64_t random;
};

static void create(struct fixture *fixture, const char *numa, uint32_t processors, uint64_t pages)
{
    struct ol_zone zones[OL_ZONES_MAX];
    struct ol_sim_options options = {.frames = FRAMES, .processors = processors, .tlb = ol_tlb_spec_simple(16, 4)};
    char message[512];
    assert_true(ol_tlb_spec_parse("l1=8,l2=16:4,tags=12", &options.tlb, message, sizeof message));
    if (!ol_numa_parse(numa, &options.numa, message, sizeof message)) fail_msg("%s: %s", numa, message);
    *fixture = (struct fixture){.random = 5};
    assert_int_equal(ol_sim_create(&options, &fixture->sim), OL_OK);
    assert_int_equal(ol_drum_create(SLOTS, 1 << SHIFT, &fixture->drum), OL_OK);
    const struct ol_port port = ol_sim_port(fixture->sim);
    struct ol_config config = {.port = &port,
                               .pmap = &ol_sim_pmap_ops,
                               .machine = fixture->sim,
                               .machine_is = &ol_sim_amd64.is,
                               .pager = fixture->drum,
                               .policy = &ol_policy_clock,
                               .frames = FRAMES,
                               .frames_max = FRAMES};
    ol_sim_zones(fixture->sim, &config, zones);
    assert_int_equal(ol_system_create(&config, &fixture->system), OL_OK);
    assert_int_equal(ol_space_create(fixture->system, 0, ol_sim_amd64.is.last_va, &fixture->space), OL_OK);
    assert_int_equal(ol_region_map(fixture->space, 0, pages, OL_READ | OL_WRITE, OL_MAP_FIXED, NULL), OL_OK);
    for (uint32_t i = processors; i-- > 0;) {
        ol_sim_select(fixture->sim, i);
        ol_sim_activate(fixture->sim, fixture->space);
    }
}

static void destroy(struct fixture *fixture)
{
    assert_null(ol_check(fixture->system));
    ol_system_destroy(fixture->system);
    fixture->drum->ops->close(fixture->drum);
    ol_sim_destroy(fixture->sim);
}

static void touch(struct fixture *fixture, uint64_t page, unsigned access)
{
    assert_int_equal(ol_sim_reference(fixture->sim, page << SHIFT, access), OL_OK);
}

/* The node of a page's frame. */
static uint32_t node_of(struct fixture *fixture, uint64_t page)
{
    struct ol_mapping mapping;
    assert_true(ol_sim_pmap_ops.query(fixture->sim, ol_space_pmap(fixture->space), page << SHIFT, &mapping));
    return ol_numa_frame_node(&fixture->sim->numa, FRAMES, mapping.frame);
}

/* --- text and geometry ------------------------------------------------------------------------------------------- */

static void test_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "17",
                                      "2:",
                                      "2:first",
                                      "2:bind",
                                      "2:bind=2",
                                      "2:bind=1:9",
                                      "2:bind=1:255",
                                      "2:10,20",
                                      "2:10,20/20,10/1",
                                      "2:20:20",
                                      "2x",
                                      "2:interleave,20"};
    struct ol_numa numa;
    char message[512];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ol_numa_parse(bad[i], &numa, message, sizeof message)) fail_msg("\"%s\" is understood", bad[i]);
    assert_true(ol_numa_parse("3", &numa, message, sizeof message));
    assert_int_equal(numa.distance[1][1], OL_NUMA_NEAR);
    assert_int_equal(numa.distance[1][2], OL_NUMA_FAR);
    assert_true(ol_numa_parse("2:bind=1:31", &numa, message, sizeof message));
    assert_true(numa.policy == OL_NUMA_BIND && numa.node == 1 && numa.distance[0][1] == 31);
    assert_true(ol_numa_parse("2:10,21/22,11", &numa, message, sizeof message));
    assert_true(numa.distance[0][1] == 21 && numa.distance[1][0] == 22 && numa.distance[1][1] == 11);
}

static void test_zones_cover_all_frames(void **state)
{
    (void)state;
    struct ol_zone zones[OL_ZONES_MAX];
    for (uint32_t nodes = 2; nodes <= OL_NUMA_NODES_MAX; nodes++) {
        for (uint32_t frames = nodes; frames < 100; frames++) {
            const struct ol_numa numa = {.nodes = nodes};
            uint32_t at = 0;
            assert_int_equal(ol_numa_zones(&numa, frames, zones), nodes);
            for (uint32_t node = 0; node < nodes; node++) {
                assert_int_equal(zones[node].first, at);
                assert_true(zones[node].frames > 0);
                for (uint32_t i = 0; i < zones[node].frames; i++)
                    assert_int_equal(ol_numa_frame_node(&numa, frames, at + i), node);
                at += zones[node].frames;
            }
            assert_int_equal(at, frames);
        }
    }
    struct ol_sim *sim;
    const struct ol_sim_options few = {.frames = 2, .numa = {.nodes = 3}};
    assert_int_equal(ol_sim_create(&few, &sim), OL_E_INVALID);
}

/* A system that has not all frames of the machine: nodes keep their places. */
static void test_a_system_with_a_part_of_the_frames(void **state)
{
    (void)state;
    static const struct {
        uint32_t frames, zones, last, budget;
    } expected[] = {{40, 2, 20, 20}, {25, 2, 5, 5}, {20, 1, 20, 0}, {7, 1, 7, 0}};
    struct fixture fixture;
    create(&fixture, "2:bind=1", 1, 10);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct ol_zone zones[OL_ZONES_MAX];
        struct ol_config config = {.frames = expected[i].frames, .frames_max = expected[i].frames};
        ol_sim_zones(fixture.sim, &config, zones);
        assert_int_equal(config.zone_count, expected[i].zones);
        assert_int_equal(zones[config.zone_count - 1].frames, expected[i].last);
        assert_int_equal(config.frames, expected[i].budget);
    }
    destroy(&fixture);
}

/* --- placement --------------------------------------------------------------------------------------------------- */

static void test_first_touch_is_local(void **state)
{
    (void)state;
    struct fixture fixture;
    create(&fixture, "2", 4, 1000);
    for (uint64_t page = 0; page < FRAMES; page++) {
        const uint32_t processor = (uint32_t)(page * 7 / 3 % 4);
        ol_sim_select(fixture.sim, processor);
        const uint32_t node = processor / 2;
        touch(&fixture, page, OL_WRITE);
        assert_int_equal(node_of(&fixture, page), node);
    }
    destroy(&fixture);
}

static void test_interleaving(void **state)
{
    (void)state;
    struct fixture fixture;
    create(&fixture, "4:interleave", 1, 1000);
    for (uint64_t page = 0; page < FRAMES; page++) {
        touch(&fixture, page, OL_READ);
        assert_int_equal(node_of(&fixture, page), page % 4);
    }
    destroy(&fixture);
}

static void test_preferred_falls_back(void **state)
{
    (void)state;
    struct fixture fixture;
    create(&fixture, "2:preferred=1", 1, 1000);
    for (uint64_t page = 0; page < FRAMES; page++) {
        touch(&fixture, page, OL_WRITE);
        assert_int_equal(node_of(&fixture, page), page < FRAMES / 2 ? 1 : 0);
    }
    touch(&fixture, FRAMES, OL_WRITE); /* and when both are full, a page has to go */
    destroy(&fixture);
}

static void test_bound_pages_never_leave_their_node(void **state)
{
    (void)state;
    enum { PAGES = 3 * FRAMES };
    struct fixture fixture;
    uint64_t kept[PAGES] = {0};
    create(&fixture, "2:bind=1", 2, PAGES);
    for (unsigned step = 0; step < STEPS; step++) {
        const uint64_t page = ol_random_below(&fixture.random, PAGES);
        uint64_t value;
        ol_sim_select(fixture.sim, step % 2);
        if (ol_random_below(&fixture.random, 2)) {
            kept[page] = step;
            assert_int_equal(ol_sim_write(fixture.sim, fixture.space, page << SHIFT, &kept[page], 8), OL_OK);
        }
        assert_int_equal(ol_sim_read(fixture.sim, fixture.space, page << SHIFT, &value, 8), OL_OK);
        assert_int_equal(value, kept[page]);
        assert_int_equal(node_of(&fixture, page), 1);
    }
    destroy(&fixture);
}

/* --- counts ------------------------------------------------------------------------------------------------------ */

static void check_counts(const char *numa)
{
    enum { PROCESSORS = 6, PAGES = 2 * FRAMES };
    struct fixture fixture;
    uint64_t seen[PROCESSORS][OL_NUMA_NODES_MAX] = {{0}};
    create(&fixture, numa, PROCESSORS, PAGES);
    for (unsigned step = 0; step < STEPS; step++) {
        const uint32_t processor = (uint32_t)ol_random_below(&fixture.random, PROCESSORS);
        const uint64_t page = ol_random_below(&fixture.random, step % 3 ? 8 : PAGES);
        ol_sim_select(fixture.sim, processor);
        touch(&fixture, page, step % 5 ? OL_READ : OL_WRITE);
        seen[processor][node_of(&fixture, page)]++;
        if (step % 100 == 0) /* what fails is neither */
            assert_int_equal(ol_sim_reference(fixture.sim, (ol_va)PAGES << SHIFT, OL_READ), OL_E_NO_REGION);
    }
    const uint32_t nodes = fixture.sim->numa.nodes;
    struct ol_sim_counters all, one;
    uint64_t local = 0;
    for (uint32_t processor = 0; processor < PROCESSORS; processor++) {
        const uint32_t own = processor * nodes / PROCESSORS;
        ol_sim_processor_counters(fixture.sim, processor, &one);
        assert_int_equal(one.local, seen[processor][own]);
        local += one.local;
        for (uint32_t node = 0; node < nodes; node++)
            assert_int_equal(fixture.sim->processors[processor].by_node[node], seen[processor][node]);
    }
    ol_sim_get_counters(fixture.sim, &all);
    assert_int_equal(all.local, local);
    assert_int_equal(all.local + all.remote, STEPS);
    assert_int_equal(all.references, STEPS + STEPS / 100);
    assert_true(all.remote > 0 && all.shootdowns > 0);
    destroy(&fixture);
}

static void test_counts_are_exact(void **state)
{
    (void)state;
    check_counts("2");
    check_counts("3:interleave");
    check_counts("4:preferred=2");
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static void model_with(struct fixture *fixture, const char *text, uint64_t ns[OL_COST_PARTS])
{
    struct ol_cost cost;
    struct ol_statistics core;
    char message[1024];
    assert_true(ol_cost_parse("default", &cost, message, sizeof message));
    if (!ol_cost_parse(text, &cost, message, sizeof message)) fail_msg("%s: %s", text, message);
    ol_system_statistics(fixture->system, &core);
    ol_cost_model(&cost, fixture->sim, &core, ns);
}

static void test_each_constant_does_its_part(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ol_sim_counters count;
    struct ol_statistics core;
    uint64_t ns[OL_COST_PARTS];
    create(&fixture, "2:interleave:10,30/40,10", 2, 2 * FRAMES);
    for (unsigned step = 0; step < STEPS; step++) {
        ol_sim_select(fixture.sim, step / 7 % 2);
        touch(&fixture, ol_random_below(&fixture.random, step % 50 ? 24 : 2 * FRAMES), step % 5 ? OL_READ : OL_WRITE);
    }
    ol_sim_get_counters(fixture.sim, &count);
    ol_system_statistics(fixture.system, &core);
    assert_true(count.hits_by[1] > 0 && count.shootdowns > 0 && core.faults_major > 0 && core.writebacks > 0);

    model_with(&fixture, "clock=1000,tlb2=7", ns);
    assert_int_equal(ns[OL_COST_OF_TLBS], 7 * (count.hits_by[1] + count.tlb_misses));
    model_with(&fixture, "clock=500,table=3", ns);
    assert_int_equal(ns[OL_COST_OF_WALKS], 2 * 3 * count.table_references);
    model_with(&fixture, "clock=1000,invalidate=5,shootdown=0,switch=0", ns);
    assert_int_equal(ns[OL_COST_OF_INVALIDATIONS], 5 * count.tlb_invalidations);
    model_with(&fixture, "clock=1000,invalidate=0,shootdown=9,switch=100000", ns);
    assert_int_equal(ns[OL_COST_OF_INVALIDATIONS], 9 * count.shootdowns + 100000 * count.switches);
    model_with(&fixture, "misses=1000,memory=100", ns);
    const struct ol_sim_processor *const p = fixture.sim->processors;
    assert_int_equal(ns[OL_COST_OF_MEMORY],
                     100 * (p[0].by_node[0] + 3 * p[0].by_node[1] + 4 * p[1].by_node[0] + p[1].by_node[1]));
    model_with(&fixture, "fault=11", ns);
    assert_int_equal(ns[OL_COST_OF_FAULTS], 11 * core.faults);
    model_with(&fixture, "disk=1000,bandwidth=4", ns); /* 4096 bytes at 4 MiB/s: 976,562 ns */
    assert_int_equal(ns[OL_COST_OF_READS], 977562 * core.faults_major);
    assert_int_equal(ns[OL_COST_OF_WRITES], 977562 * core.writebacks);
    destroy(&fixture);
}

static void test_constants_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "disk",        "disk=",   "disk=x",          "disk=1,",
                                      "clock=0", "misses=1001", "speed=3", "disk=9999999999", "disk=1;clock=2"};
    struct ol_cost cost;
    char message[1024];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ol_cost_parse(bad[i], &cost, message, sizeof message)) fail_msg("\"%s\" is understood", bad[i]);
    assert_non_null(strstr(message, "bandwidth"));
    assert_true(ol_cost_parse("clock=3500", &cost, message, sizeof message));
    assert_int_equal(ol_cost_cycles(&cost, 1000000007), 3500000024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_zones_cover_all_frames),
        cmocka_unit_test(test_a_system_with_a_part_of_the_frames),
        cmocka_unit_test(test_first_touch_is_local),
        cmocka_unit_test(test_interleaving),
        cmocka_unit_test(test_preferred_falls_back),
        cmocka_unit_test(test_bound_pages_never_leave_their_node),
        cmocka_unit_test(test_counts_are_exact),
        cmocka_unit_test(test_each_constant_does_its_part),
        cmocka_unit_test(test_constants_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
