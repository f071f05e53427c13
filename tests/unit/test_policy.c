/* SPDX-License-Identifier: MIT */
/*
 * The policies in the core, on the simulated machine in exact mode, against models of a few lines that know nothing of
 * frames, faults or tables. A page enters with its bit set, because the access that faults references it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/pager_memory.h"
#include "tests/support/random.h"
#include "tests/support/testbed.h"

enum { PAGE_BYTES = 4096, PAGES = 64, LENGTH = 6000, RW = OL_READ | OL_WRITE };

struct trace {
    unsigned length;
    unsigned char page[LENGTH];
};

/* --- models: faults of a trace in so many frames -------------------------------------------------------------------
 */

static int find(const unsigned *queue, unsigned count, unsigned page)
{
    for (unsigned i = 0; i < count; i++)
        if (queue[i] == page) return (int)i;
    return -1;
}

static void drop_first(unsigned *queue, unsigned *count)
{
    memmove(queue, queue + 1, --*count * sizeof(*queue));
}

static unsigned model_fifo(const struct trace *trace, unsigned frames)
{
    unsigned queue[PAGES] = {0}, count = 0, faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        if (find(queue, count, trace->page[i]) >= 0) continue;
        faults++;
        if (count == frames) drop_first(queue, &count);
        queue[count++] = trace->page[i];
    }
    return faults;
}

static unsigned model_second_chance(const struct trace *trace, unsigned frames)
{
    unsigned queue[PAGES + 1] = {0}, count = 0, faults = 0;
    bool referenced[PAGES] = {false};
    for (unsigned i = 0; i < trace->length; i++) {
        if (find(queue, count, trace->page[i]) < 0) {
            faults++;
            while (count == frames) {
                const unsigned oldest = queue[0];
                drop_first(queue, &count);
                if (referenced[oldest]) queue[count++] = oldest;
                referenced[oldest] = false;
            }
            queue[count++] = trace->page[i];
        }
        referenced[trace->page[i]] = true;
    }
    return faults;
}

static unsigned model_clock(const struct trace *trace, unsigned frames)
{
    unsigned circle[PAGES] = {0}, count = 0, hand = 0, faults = 0;
    bool referenced[PAGES] = {false};
    for (unsigned i = 0; i < trace->length; i++) {
        if (find(circle, count, trace->page[i]) < 0) {
            faults++;
            if (count < frames) {
                circle[count++] = trace->page[i];
            } else {
                for (; referenced[circle[hand]]; hand = hand + 1 < frames ? hand + 1 : 0)
                    referenced[circle[hand]] = false;
                circle[hand] = trace->page[i];
                hand = hand + 1 < frames ? hand + 1 : 0;
            }
        }
        referenced[trace->page[i]] = true;
    }
    return faults;
}

/* Belady's OPT: the page that is wanted latest goes. No policy can do better. */
static unsigned model_opt(const struct trace *trace, unsigned frames)
{
    unsigned in[PAGES] = {0}, count = 0, faults = 0;
    for (unsigned i = 0; i < trace->length; i++) {
        if (find(in, count, trace->page[i]) >= 0) continue;
        faults++;
        unsigned victim = count, latest = 0;
        for (unsigned k = 0; count == frames && k < count; k++) {
            unsigned next = i + 1;
            while (next < trace->length && trace->page[next] != in[k]) next++;
            if (next > latest) latest = next, victim = k;
        }
        in[victim] = trace->page[i];
        if (count < frames) count++;
    }
    return faults;
}

/* Does this reference write? */
static bool writes(unsigned reference)
{
    return reference * 7 % 5 < 2;
}

/* Ages as the core knows them: in whole 32nds of the frames, modulo 256 of these; none of pages that are zeros still.
 */
static unsigned model_refault(const struct trace *trace, unsigned frames)
{
    enum { NEW, PROVEN };
    unsigned queue[2][PAGES] = {{0}}, count[2] = {0}, faults = 0, evictions = 0;
    unsigned char left[PAGES] = {0};
    bool is_known[PAGES] = {false}, written[PAGES] = {false};
    const unsigned share = frames / 4 ? frames / 4 : 1, unit = frames / 32 + 1;
    for (unsigned i = 0; i < trace->length; i++) {
        const unsigned page = trace->page[i];
        written[page] |= writes(i);
        if (find(queue[NEW], count[NEW], page) >= 0 || find(queue[PROVEN], count[PROVEN], page) >= 0) continue;
        faults++;
        if (count[NEW] + count[PROVEN] == frames) {
            const int from = count[NEW] > share || !count[PROVEN] ? NEW : PROVEN;
            const unsigned victim = queue[from][0];
            drop_first(queue[from], &count[from]);
            is_known[victim] = written[victim];
            left[victim] = (unsigned char)(++evictions / unit);
        }
        const unsigned ago = (unsigned char)(evictions / unit - left[page]) * unit;
        const int to = is_known[page] && ago <= frames / 2 ? PROVEN : NEW;
        queue[to][count[to]++] = page;
    }
    return faults;
}

/* --- the core ------------------------------------------------------------------------------------------------------
 */

static unsigned core_faults(const struct ol_policy_ops *policy, const struct trace *trace, unsigned frames)
{
    const struct ol_pager_memory_options memory = {
        .page_bytes = PAGE_BYTES, .capacity = 256, .max_pages = 256, .keep = true};
    const struct ol_bed_options options = {
        .frames = frames, .frames_max = frames, .policy = policy, .pager = ol_pager_memory_create(&memory)};
    struct ol_statistics statistics;
    struct ol_bed bed;
    struct ol_space *space;
    ol_va base;
    assert_int_equal(ol_bed_create(ol_testbeds[0], &options, &bed), OL_OK);
    assert_int_equal(ol_bed_space(&bed, PAGES, &space, &base), OL_OK);
    assert_int_equal(ol_region_map(space, base, PAGES, RW, OL_MAP_FIXED, NULL), OL_OK);
    for (unsigned i = 0; i < trace->length; i++) {
        unsigned char value = 1;
        const ol_va va = base + (ol_va)trace->page[i] * PAGE_BYTES;
        const unsigned access = writes(i) ? OL_WRITE : OL_READ;
        assert_int_equal(bed.kind->access(bed.machine, space, va, access, &value), OL_OK);
    }
    assert_null(ol_check(bed.system));
    ol_system_statistics(bed.system, &statistics);
    ol_bed_destroy(&bed);
    /* Exact: nothing but first touches and pages that had lost their frame. */
    assert_int_equal(statistics.faults, statistics.faults_zero + statistics.faults_major);
    assert_int_equal(statistics.evictions, statistics.faults - statistics.frames_in_use);
    return (unsigned)statistics.faults;
}

static const struct {
    const struct ol_policy_ops *policy;
    unsigned (*model)(const struct trace *trace, unsigned frames);
} pairs[] = {
    {&ol_policy_fifo, model_fifo},
    {&ol_policy_second_chance, model_second_chance},
    {&ol_policy_clock, model_clock},
    {&ol_policy_refault, model_refault},
};

static void compare(const struct trace *trace)
{
    static const unsigned sizes[] = {1, 2, 3, 7, 16, 33, 63, 64};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const unsigned opt = model_opt(trace, sizes[i]);
        for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
            const unsigned faults = core_faults(pairs[k].policy, trace, sizes[i]);
            assert_int_equal(faults, pairs[k].model(trace, sizes[i]));
            assert_in_range(opt, 1, faults);
        }
    }
}

static struct trace trace; /* of the running test */

static void test_uniform(void **state)
{
    (void)state;
    uint64_t seed = 17;
    for (trace.length = 0; trace.length < LENGTH; trace.length++)
        trace.page[trace.length] = (unsigned char)ol_random_below(&seed, PAGES);
    compare(&trace);
}

/* Nine in ten references go to a tenth of the pages. */
static void test_hot_and_cold(void **state)
{
    (void)state;
    uint64_t seed = 18;
    for (trace.length = 0; trace.length < LENGTH; trace.length++)
        trace.page[trace.length] =
            (unsigned char)ol_random_below(&seed, ol_random_below(&seed, 10) ? PAGES / 10 : PAGES);
    compare(&trace);
}

/* A working set that wanders, with loops in between. */
static void test_phases(void **state)
{
    (void)state;
    uint64_t seed = 19;
    for (trace.length = 0; trace.length < LENGTH; trace.length++) {
        const unsigned base = trace.length / 300 * 11;
        const unsigned offset = trace.length / 600 % 2 ? trace.length % 20 : (unsigned)ol_random_below(&seed, 20);
        trace.page[trace.length] = (unsigned char)((base + offset) % PAGES);
    }
    compare(&trace);
}

static void test_cyclic(void **state)
{
    (void)state;
    for (trace.length = 0; trace.length < 2000; trace.length++)
        trace.page[trace.length] = (unsigned char)(trace.length % 34);
    compare(&trace);
    assert_int_equal(core_faults(&ol_policy_fifo, &trace, 33), 2000); /* one frame too few: every reference faults */
    assert_int_equal(core_faults(&ol_policy_clock, &trace, 34), 34);
}

/* More frames, more faults: the string of Belady, Nelson and Shedler. */
static void test_beladys_anomaly(void **state)
{
    (void)state;
    static const unsigned char pages[] = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
    memcpy(trace.page, pages, sizeof(pages));
    trace.length = sizeof(pages);
    assert_int_equal(core_faults(&ol_policy_fifo, &trace, 3), 9);
    assert_int_equal(core_faults(&ol_policy_fifo, &trace, 4), 10);
    assert_int_equal(model_opt(&trace, 3), 7);
    assert_int_equal(model_opt(&trace, 4), 6);
}

static void test_find(void **state)
{
    (void)state;
    const char *parameters = "untouched";
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) {
        assert_ptr_equal(ol_policy_find((*policy)->name, &parameters), *policy);
        assert_null(parameters);
        assert_true((*policy)->summary[0] != '\0');
    }
    assert_ptr_equal(ol_policy_find("clock:hand=2", &parameters), &ol_policy_clock);
    assert_string_equal(parameters, "hand=2");
    static const char *const unknown[] = {"", "cloc", "clocks", "lr", ":clock", "fifo "};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_null(ol_policy_find(unknown[i], &parameters));
}

/* --- the interface itself ------------------------------------------------------------------------------------------
 */

/* A machine's side without a machine: page numbers are frame numbers, ghosts lie behind them. */
static bool referenced[PAGES], ghosts[PAGES];
static uint32_t ghosts_count;

static bool test_clear(void *core, ol_frame_no frame)
{
    (void)core;
    const bool was = referenced[frame];
    referenced[frame] = false;
    return was;
}

static ol_frame_no remember(void *core, ol_frame_no frame)
{
    (void)core;
    if (ghosts_count == PAGES / 2) return OL_NO_FRAME;
    assert_in_range(frame, 0, PAGES - 1);
    assert_false(ghosts[frame]);
    ghosts[frame] = true;
    ghosts_count++;
    return PAGES + frame;
}

static ol_frame_no recall(void *core, ol_frame_no frame)
{
    (void)core;
    return ghosts[frame] ? PAGES + frame : OL_NO_FRAME;
}

static void forget(void *core, ol_frame_no ghost)
{
    (void)core;
    assert_true(ghosts[ghost - PAGES]);
    ghosts[ghost - PAGES] = false;
    ghosts_count--;
}

static uint32_t left_ago(void *core, ol_frame_no frame)
{
    (void)core;
    return frame % 2 ? frame : OL_NEVER_LEFT;
}

static uint32_t page_of(void *core, ol_frame_no frame)
{
    (void)core;
    return frame;
}

static bool test_modified(void *core, ol_frame_no frame)
{
    (void)core;
    return frame % 3 == 0;
}

enum { STATE_BYTES = 8192 };

/* A policy before init(). */
static void set_up(struct ol_policy *policy, const struct ol_policy_ops *ops)
{
    static _Alignas(8) unsigned char memory[STATE_BYTES];
    static struct ol_policy_words links[2 * PAGES];
    static uint32_t words[OL_POLICY_WORDS_MAX][2 * PAGES];
    memset(links, 0xaa, sizeof(links));
    memset(words, 0xaa, sizeof(words));
    memset(memory, 0, sizeof(memory));
    memset(ghosts, 0, sizeof(ghosts));
    ghosts_count = 0;
    *policy = (struct ol_policy){.ops = ops,
                                 .links = links,
                                 .state = memory,
                                 .frames = PAGES / 2,
                                 .exact = ops->needs & OL_NEEDS_EXACT,
                                 .tick_units = 50,
                                 .tick_at = UINT64_MAX,
                                 .test_clear_referenced = test_clear,
                                 .test_modified = test_modified,
                                 .remember = remember,
                                 .recall = recall,
                                 .forget = forget,
                                 .left_ago = left_ago,
                                 .page_of = page_of};
    for (unsigned i = 0; i < OL_POLICY_WORDS_MAX; i++) policy->words[i] = words[i];
}

/* Victims that cannot be written are spared, clean ones go: before long, every frame is named. */
static void test_spared_victims(void **state)
{
    (void)state;
    enum { FRAMES = PAGES / 2, TRIES = 40 * FRAMES };
    for (const struct ol_policy_ops *const *ops = ol_policies; *ops; ops++) {
        if ((*ops)->needs & OL_NEEDS_EXACT) continue;
        for (int emulated = 0; emulated < 2; emulated++) {
            struct ol_policy policy;
            bool named[FRAMES] = {false};
            uint64_t seed = 21;
            unsigned count = 0;
            set_up(&policy, *ops);
            policy.emulated = emulated;
            assert_int_equal((*ops)->init(&policy, NULL), OL_OK);
            for (ol_frame_no frame = 0; frame < FRAMES; frame++) {
                for (unsigned i = 0; i < FRAMES; i++) referenced[i] = ol_random_below(&seed, 2);
                policy.now += 30;
                if ((*ops)->tick && policy.now >= policy.tick_at) (*ops)->tick(&policy);
                (*ops)->insert(&policy, frame);
            }
            for (unsigned i = 0; i < TRIES && count < FRAMES; i++) {
                const ol_frame_no frame = (*ops)->victim(&policy);
                assert_in_range(frame, 0, FRAMES - 1);
                if (!named[frame]) count++;
                named[frame] = true;
                if (!test_modified(NULL, frame)) continue;
                if ((*ops)->spare) (*ops)->spare(&policy, frame);
                else (*ops)->insert(&policy, frame);
            }
            if (count < FRAMES) fail_msg("%s names only %u of %d frames", (*ops)->name, count, FRAMES);
        }
    }
}

/* Frames leave in any order, and a victim is a frame that is in. */
static void test_insert_and_remove(void **state)
{
    (void)state;
    for (const struct ol_policy_ops *const *ops = ol_policies; *ops; ops++) {
        if ((*ops)->needs & OL_NEEDS_FUTURE) continue;
        struct ol_policy policy;
        set_up(&policy, *ops);
        bool in[PAGES] = {false};
        uint64_t seed = 8;
        unsigned count = 0;
        assert_in_range((*ops)->state_bytes, 0, STATE_BYTES);
        assert_int_equal((*ops)->init(&policy, "no-such=1"), OL_E_INVALID);
        memset(policy.state, 0, STATE_BYTES);
        assert_int_equal((*ops)->init(&policy, NULL), OL_OK);
        assert_int_equal((*ops)->victim(&policy), OL_NO_FRAME);
        for (int step = 0; step < 20000; step++) {
            ol_frame_no frame = (ol_frame_no)ol_random_below(&seed, PAGES);
            const ol_frame_no other = (ol_frame_no)ol_random_below(&seed, PAGES);
            referenced[other] = true;
            policy.now++;
            if ((*ops)->tick && policy.now >= policy.tick_at) (*ops)->tick(&policy);
            if (in[other] && (*ops)->touch) (*ops)->touch(&policy, &other, 1);
            if (ghosts[other] && ol_random_below(&seed, 5) == 0) {
                (*ops)->drop(&policy, PAGES + other);
                forget(NULL, PAGES + other);
            }
            if (!in[frame]) {
                if ((*ops)->expect && ol_random_below(&seed, 3))
                    (*ops)->expect(&policy, ghosts[frame] ? PAGES + frame : OL_NO_FRAME);
                (*ops)->insert(&policy, frame);
                assert_false(ghosts[frame]);
                count++;
            } else {
                if (ol_random_below(&seed, 2)) (*ops)->remove(&policy, frame);
                else frame = (*ops)->victim(&policy);
                assert_in_range(frame, 0, PAGES - 1);
                assert_true(in[frame]);
                count--;
            }
            in[frame] = !in[frame];
        }
        for (; count; count--) {
            for (unsigned i = 0; i < PAGES; i++) referenced[i] = true;
            const ol_frame_no frame = (*ops)->victim(&policy);
            assert_in_range(frame, 0, PAGES - 1);
            assert_true(in[frame]);
            in[frame] = false;
        }
        assert_int_equal((*ops)->victim(&policy), OL_NO_FRAME);
        if (!((*ops)->needs & OL_NEEDS_GHOSTS)) assert_int_equal(ghosts_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_hot_and_cold),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_cyclic),
        cmocka_unit_test(test_beladys_anomaly),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_insert_and_remove),
        cmocka_unit_test(test_spared_victims),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
