/* SPDX-License-Identifier: MIT */
/* A real trace replayed on the simulated machine, fault for fault as tiny models of the policies have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "machine/sim/drum.h"
#include "machine/sim/machine.h"
#include "trace/reader.h"

#ifndef OL_TEST_DATA
#define OL_TEST_DATA "tests/data"
#endif

enum { PAGE = 4096, FRAMES_MAX = 256 };

static struct ol_reference *references;
static size_t reference_count;

static int read_trace(void **state)
{
    (void)state;
    const struct ol_trace_options options = {.page_shift = 12, .last_va = 0x7fffffffffff};
    struct ol_trace *trace;
    char message[256];
    if (ol_trace_open(OL_TEST_DATA "/true.lackey.zst", &options, &trace, message, sizeof message) != OL_TRACE_OK)
        return 1;
    size_t capacity = 1 << 18, count;
    references = malloc(capacity * sizeof *references);
    do {
        if (capacity - reference_count < OL_TRACE_LINE_REFERENCES) return 1;
        if (ol_trace_read(trace, references + reference_count, capacity - reference_count, &count) != OL_TRACE_OK)
            return 1;
        reference_count += count;
    } while (count > 0);
    ol_trace_close(trace);
    return reference_count == 0;
}

static int free_trace(void **state)
{
    (void)state;
    free(references);
    return 0;
}

/* FIFO, or second chance if `chances`: a queue of pages, each with a bit that every reference sets. */
static uint64_t model_faults(uint32_t frames, bool chances)
{
    uint64_t queue[FRAMES_MAX], faults = 0;
    bool bit[FRAMES_MAX];
    uint32_t used = 0, oldest = 0;
    for (size_t i = 0; i < reference_count; i++) {
        const uint64_t page = references[i].va / PAGE;
        uint32_t at = 0;
        while (at < used && queue[at] != page) at++;
        if (at == used) { /* a fault: the circle's oldest gives way, once its bit is clear */
            faults++;
            if (used == frames) {
                for (; chances && bit[oldest]; oldest = (oldest + 1) % frames) bit[oldest] = false;
                at = oldest;
                oldest = (oldest + 1) % frames;
            } else used++;
            queue[at] = page;
        }
        bit[at] = true;
    }
    return faults;
}

static uint64_t sim_faults(const struct ol_policy_ops *policy, uint32_t frames, uint32_t tlb_entries)
{
    const struct ol_sim_options options = {.frames = frames, .tlb = ol_tlb_spec_simple(tlb_entries, 4)};
    struct ol_sim *sim;
    struct ol_pager *drum;
    struct ol_system *system;
    struct ol_space *space;
    struct ol_statistics core;
    assert_int_equal(ol_sim_create(&options, &sim), OL_OK);
    assert_int_equal(ol_drum_create(4096, PAGE, &drum), OL_OK);
    const struct ol_port port = ol_sim_port(sim);
    const struct ol_config config = {
        .port = &port,
        .pmap = &ol_sim_pmap_ops,
        .machine = sim,
        .machine_is = &ol_sim_amd64.is,
        .pager = drum,
        .policy = policy,
        .frames = frames,
        .frames_max = frames,
    };
    assert_int_equal(ol_system_create(&config, &system), OL_OK);
    assert_int_equal(ol_space_create(system, 0, ol_sim_amd64.is.last_va, &space), OL_OK);
    assert_int_equal(ol_region_map(space, 0, 1ULL << 35, OL_READ | OL_WRITE | OL_EXEC, OL_MAP_FIXED, NULL), OL_OK);
    ol_sim_activate(sim, space);
    for (size_t i = 0; i < reference_count; i++)
        assert_int_equal(ol_sim_reference(sim, references[i].va, references[i].access), OL_OK);
    assert_null(ol_check(system));
    ol_system_statistics(system, &core);
    ol_system_destroy(system);
    drum->ops->close(drum);
    ol_sim_destroy(sim);
    return core.faults;
}

static const uint32_t frame_counts[] = {1, 2, 7, 20, 50, 90, FRAMES_MAX};

enum { FRAME_COUNTS = sizeof frame_counts / sizeof frame_counts[0] };

static void test_fifo(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAME_COUNTS; i++)
        assert_int_equal(sim_faults(&ol_policy_fifo, frame_counts[i], 64), model_faults(frame_counts[i], false));
}

static void test_second_chance(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAME_COUNTS; i++)
        assert_int_equal(sim_faults(&ol_policy_second_chance, frame_counts[i], 64),
                         model_faults(frame_counts[i], true));
}

static void test_clock(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAME_COUNTS; i++)
        assert_int_equal(sim_faults(&ol_policy_clock, frame_counts[i], 64), model_faults(frame_counts[i], true));
}

static void test_the_tlb_hides_no_reference(void **state)
{
    (void)state;
    assert_int_equal(sim_faults(&ol_policy_clock, 20, 0), model_faults(20, true));
    assert_int_equal(sim_faults(&ol_policy_clock, 20, 1024), model_faults(20, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_second_chance),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_the_tlb_hides_no_reference),
    };
    return cmocka_run_group_tests(tests, read_trace, free_trace);
}
