/* SPDX-License-Identifier: MIT */
/*
 * The TLBs of a processor: what their text says, levels, classes, sizes of pages, tags, page-walk caches, what empties
 * them; and, in long random runs, that the look-aside never says anything that the arrays do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine/sim/tlbs.h"
#include "tests/support/random.h"

enum { SHIFT = 12, LARGE = 21, HUGE = 30, RWX = OL_READ | OL_WRITE | OL_EXEC };

static struct ol_tlbs tlbs;
static const struct ol_numa near; /* to all */
static uint64_t now;

static void create(const char *text)
{
    struct ol_tlb_spec spec;
    char message[512];
    if (!ol_tlb_spec_parse(text, &spec, message, sizeof message)) fail_msg("%s: %s", text, message);
    assert_int_equal(ol_tlbs_create(&tlbs, &spec, &ol_sim_amd64, &near, 0), OL_OK);
    ol_tlbs_switch(&tlbs, 0);
}

/* As if a walk had found this. The tables that it passes lie at frames that depend on the address. */
static unsigned walked(ol_va va, unsigned access, unsigned page_shift, ol_frame_no frame, bool global)
{
    struct ol_walk walk = {.outcome = OL_WALK_OK,
                           .physical = (uint64_t)frame << SHIFT,
                           .page_shift = (uint8_t)page_shift,
                           .rights = RWX,
                           .dirty = true,
                           .global = global,
                           .words_read = (uint8_t)(page_shift == SHIFT   ? 4
                                                   : page_shift == LARGE ? 3
                                                                         : 2)};
    for (unsigned step = 0; step + 1 < walk.words_read; step++)
        walk.steps[step].entry = (va >> (39 - 9 * step) & 0xfffff) << SHIFT | OL_X86_P;
    return ol_tlbs_note_walk(&tlbs, va, access, &walk, ++now);
}

/* Level 0: none has it. */
static unsigned level_of(ol_va va, unsigned access)
{
    struct ol_tlb_view view;
    return ol_tlbs_peek(&tlbs, va, access, &view) ? view.level : 0;
}

static bool lookup(ol_va va, unsigned access, ol_frame_no *frame)
{
    now++;
    const struct ol_tlb_slot *const slot = ol_tlbs_hit(&tlbs, va >> SHIFT, access, now);
    if (slot) *frame = slot->frame;
    return slot || ol_tlbs_lookup(&tlbs, va, access, now, frame);
}

static ol_frame_no frame_of(ol_va va, unsigned access)
{
    ol_frame_no frame = OL_NO_FRAME;
    (void)lookup(va, access, &frame);
    return frame;
}

static ol_va at(uint64_t page)
{
    return page << SHIFT;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static void test_specs_are_understood(void **state)
{
    (void)state;
    struct ol_tlb_spec spec;
    char message[512];
    assert_true(ol_tlb_spec_parse("none", &spec, message, sizeof message));
    assert_int_equal(spec.arrays, 0);
    assert_true(ol_tlb_spec_parse("64", &spec, message, sizeof message));
    assert_int_equal(spec.array[0].ways, 4);
    assert_int_equal(spec.array[0].holds, OL_TLB_DATA | OL_TLB_CODE);
    assert_int_equal(spec.tag_bits, OL_TLB_TAGS_OF_FORMAT);
    assert_true(ol_tlb_spec_parse("2", &spec, message, sizeof message));
    assert_int_equal(spec.array[0].ways, 2);
    assert_true(ol_tlb_spec_parse("l1d=64:4:plru@4K+2M,l1i=32,l2=1536:12:fifo,walk=8:random,walk2=4,tags=9", &spec,
                                  message, sizeof message));
    assert_int_equal(spec.arrays, 3);
    assert_int_equal(spec.array[0].holds, OL_TLB_DATA);
    assert_int_equal(spec.array[0].replacement, OL_TLB_PLRU);
    assert_int_equal(spec.array[0].sizes, 1ULL << 12 | 1ULL << 21);
    assert_int_equal(spec.array[1].ways, 32);
    assert_int_equal(spec.array[1].holds, OL_TLB_CODE);
    assert_int_equal(spec.array[2].level, 2);
    assert_int_equal(spec.array[2].replacement, OL_TLB_FIFO);
    assert_int_equal(spec.walk_caches, 2);
    assert_int_equal(spec.walk[0].level, 0);
    assert_int_equal(spec.walk[1].level, 2);
    assert_int_equal(spec.tag_bits, 9);
    for (const struct ol_tlb_preset *preset = ol_tlb_presets; preset->name; preset++) {
        if (!ol_tlb_spec_parse(preset->name, &spec, message, sizeof message)) fail_msg("%s: %s", preset->name, message);
        assert_true(ol_tlb_spec_is_possible(&spec) && spec.arrays > 0);
    }
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "0",
                                        "48:5",
                                        "64:",
                                        "64:4x",
                                        "l1",
                                        "l1=",
                                        "l1=0",
                                        "l5=4",
                                        "l0=4",
                                        "l1x=4",
                                        "l1=64:0",
                                        "l1=12:4",
                                        "l1=12:plru",
                                        "l1=4:mru",
                                        "l1=4@",
                                        "l1=4@3K",
                                        "l1=4@4K+",
                                        "l1=4@4K2M",
                                        "l1=4,",
                                        ",l1=4",
                                        "l1=4,,l2=4",
                                        "walk=",
                                        "walk9=4",
                                        "walk=4@4K",
                                        "tags=16",
                                        "tags=",
                                        "l1=99999999",
                                        "l1=4;l2=4",
                                        "pentium9",
                                        "l1=4@512G+1048576G"};
    struct ol_tlb_spec spec;
    char message[512];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (ol_tlb_spec_parse(texts[i], &spec, message, sizeof message)) fail_msg("\"%s\" is understood", texts[i]);
    char many[400] = "l1=1";
    for (int i = 0; i < OL_TLB_ARRAYS_MAX; i++) snprintf(many + strlen(many), sizeof many - strlen(many), ",l2=1");
    assert_false(ol_tlb_spec_parse(many, &spec, message, sizeof message));
    const struct ol_tlb_spec walks = {.walk_caches = 1, .walk = {{.entries = 4, .ways = 4}}};
    assert_int_equal(ol_tlbs_create(&tlbs, &walks, &ol_sim_vax, &near, 0),
                     OL_E_INVALID); /* its walks are of another kind */
}

/* Texts of pieces of the grammar: whatever is understood can be built. */
static void test_random_texts(void **state)
{
    (void)state;
    static const char *const pieces[] = {"l1",     "l2",   "l4d", "l3i",     "=",          "64",   "4",    "0",
                                         ":",      ",",    "@",   "2M+",     "4K",         "1G",   "walk", "1",
                                         "8",      "tags", "12",  "lru",     "none",       "plru", "fifo", "random",
                                         "jaguar", "+",    "d",   "1048576", "99999999999"};
    enum { PIECES = sizeof pieces / sizeof pieces[0], TEXTS = 100000, LONGEST = 24 };
    uint64_t random = 11, understood = 0;
    for (unsigned i = 0; i < TEXTS; i++) {
        char text[LONGEST * 12] = "", message[64]; /* too short for what there is to say */
        struct ol_tlb_spec spec;
        if (i % 2) snprintf(text, sizeof text, "l1=4");
        for (uint64_t n = ol_random_below(&random, i % 3 ? 4 : LONGEST); n > 0; n--) {
            const size_t length = strlen(text);
            snprintf(text + length, sizeof text - length, "%s", pieces[ol_random_below(&random, PIECES)]);
        }
        if (!ol_tlb_spec_parse(text, &spec, message, sizeof message)) continue;
        understood++;
        if (!ol_tlb_spec_is_possible(&spec)) fail_msg("\"%s\" is understood, but impossible", text);
    }
    assert_true(understood > 1000);
}

/* --- levels ------------------------------------------------------------------------------------------------------ */

static void test_levels_fill_each_other(void **state)
{
    (void)state;
    create("l1=2,l2=4,l3=8");
    assert_false(lookup(at(0), OL_READ, &(ol_frame_no){0}));
    for (uint64_t page = 0; page < 8; page++) walked(at(page), OL_READ, SHIFT, (ol_frame_no)(100 + page), false);
    const unsigned expected[] = {3, 3, 3, 3, 2, 2, 1, 1};
    for (uint64_t page = 0; page < 8; page++) assert_int_equal(level_of(at(page), OL_READ), expected[page]);
    assert_int_equal(frame_of(at(0), OL_READ), 100); /* from level 3: now it is in all of them */
    assert_int_equal(level_of(at(0), OL_READ), 1);
    assert_int_equal(level_of(at(6), OL_READ), 2);
    assert_int_equal(level_of(at(4), OL_READ), 3);
    assert_int_equal(tlbs.count.hits[2], 1);
    assert_int_equal(frame_of(at(6), OL_READ), 106);
    assert_int_equal(tlbs.count.hits[1], 1);
    ol_tlbs_destroy(&tlbs);
}

static void test_code_and_data_are_apart(void **state)
{
    (void)state;
    create("l1d=4,l1i=2,l2=8");
    walked(at(1), OL_READ, SHIFT, 7, false);
    assert_int_equal(level_of(at(1), OL_READ), 1);
    assert_int_equal(level_of(at(1), OL_EXEC), 2); /* the second level is for both */
    assert_int_equal(frame_of(at(1), OL_EXEC), 7);
    assert_int_equal(level_of(at(1), OL_EXEC), 1);
    for (uint64_t page = 2; page < 6; page++) walked(at(page), OL_WRITE, SHIFT, 8, false);
    assert_int_equal(level_of(at(1), OL_READ), 2);
    assert_int_equal(level_of(at(1), OL_EXEC), 1); /* data drove out data */
    ol_tlbs_invalidate(&tlbs, 0, at(1), 0);
    assert_int_equal(level_of(at(1), OL_EXEC), 0);
    assert_int_equal(frame_of(at(1), OL_EXEC), OL_NO_FRAME);
    ol_tlbs_destroy(&tlbs);
}

static void test_large_pages_have_entries_of_their_own(void **state)
{
    (void)state;
    create("l1d=4@4K,l1d=2@2M,l2=8@4K+2M");
    const ol_va large = 5ULL << LARGE;
    walked(large + at(3), OL_READ, LARGE, 0x1000 + 3, false);
    assert_int_equal(frame_of(large + at(3), OL_READ), 0x1003);
    assert_int_equal(frame_of(large + at(511), OL_READ), 0x1000 + 511); /* one entry for all of it */
    assert_int_equal(level_of(large + at(512), OL_READ), 0);
    for (uint64_t page = 0; page < 4; page++) walked(at(page), OL_READ, SHIFT, 1, false);
    assert_int_equal(level_of(large, OL_READ), 1); /* small ones do not drive it out */
    ol_tlbs_invalidate(&tlbs, 0, large + at(77), 0);
    for (uint64_t page = 0; page < 512; page++) assert_int_equal(frame_of(large + at(page), OL_READ), OL_NO_FRAME);
    ol_tlbs_destroy(&tlbs);
}

/* 1 GiB in pieces: of 2 MiB in the second level, of 4 KiB in the first. */
static void test_pages_that_are_too_large_are_held_in_pieces(void **state)
{
    (void)state;
    create("l1=4@4K,l2=8@2M");
    const ol_va huge = 3ULL << HUGE;
    const ol_frame_no frame = 1 << 18;
    const uint64_t pages[] = {0, 1, 600, 100000};
    for (unsigned i = 0; i < 4; i++) walked(huge + at(pages[i]), OL_READ, HUGE, frame + (ol_frame_no)pages[i], false);
    assert_int_equal(level_of(huge + at(1), OL_READ), 1);
    assert_int_equal(level_of(huge + at(2), OL_READ), 2);
    assert_int_equal(frame_of(huge + at(2), OL_READ), frame + 2);
    assert_int_equal(level_of(huge + at(2), OL_READ), 1);
    assert_int_equal(level_of(huge + at(5000), OL_READ), 0);
    walked(at(9), OL_READ, SHIFT, 9, false);
    ol_tlbs_invalidate(&tlbs, 0, huge + at(200000), 0); /* one page for the tables: all its pieces go */
    for (unsigned i = 0; i < 4; i++) assert_int_equal(level_of(huge + at(pages[i]), OL_READ), 0);
    assert_int_equal(frame_of(at(9), OL_READ), 9);
    ol_tlbs_destroy(&tlbs);
}

/* --- tags -------------------------------------------------------------------------------------------------------- */

static void test_tags_keep_spaces_apart_and_global_pages_do_not(void **state)
{
    (void)state;
    create("l1=8,l2=16");
    walked(at(1), OL_READ, SHIFT, 11, false);
    walked(at(2), OL_READ, SHIFT, 12, true);
    ol_tlbs_switch(&tlbs, 5);
    assert_int_equal(frame_of(at(1), OL_READ), OL_NO_FRAME);
    assert_int_equal(frame_of(at(2), OL_READ), 12);
    walked(at(1), OL_READ, SHIFT, 51, false);
    ol_tlbs_switch(&tlbs, 0);
    assert_int_equal(frame_of(at(1), OL_READ), 11);
    ol_tlbs_invalidate(&tlbs, 5, at(1), 0);
    ol_tlbs_invalidate(&tlbs, 0, at(2), 0); /* a global page stays, unless that is meant */
    assert_int_equal(frame_of(at(1), OL_READ), 11);
    assert_int_equal(frame_of(at(2), OL_READ), 12);
    ol_tlbs_empty_tag(&tlbs, 0, false);
    assert_int_equal(frame_of(at(1), OL_READ), OL_NO_FRAME);
    assert_int_equal(frame_of(at(2), OL_READ), 12);
    ol_tlbs_empty(&tlbs, false);
    assert_int_equal(frame_of(at(2), OL_READ), 12);
    ol_tlbs_invalidate(&tlbs, 3, at(2), OL_TLB_GLOBAL_TOO);
    assert_int_equal(frame_of(at(2), OL_READ), OL_NO_FRAME);
    walked(at(2), OL_READ, SHIFT, 12, true);
    ol_tlbs_empty(&tlbs, true);
    assert_int_equal(frame_of(at(2), OL_READ), OL_NO_FRAME);
    ol_tlbs_destroy(&tlbs);
}

/* --- page-walk caches -------------------------------------------------------------------------------------------- */

static void test_walk_caches_skip_words(void **state)
{
    (void)state;
    create("l1=4,walk1=8,walk2=4,walk3=4");
    assert_int_equal(walked(at(0), OL_READ, SHIFT, 1, false), 0);
    assert_int_equal(walked(at(1), OL_READ, SHIFT, 1, false), 3);         /* the lowest table is known */
    assert_int_equal(walked(1ULL << LARGE, OL_READ, SHIFT, 1, false), 2); /* … the one above it */
    assert_int_equal(walked(1ULL << HUGE, OL_READ, LARGE, 0, false), 1);  /* … the one above that */
    assert_int_equal(walked(1ULL << HUGE | 1ULL << LARGE, OL_READ, LARGE, 0, false), 2);
    assert_int_equal(walked(1ULL << 39, OL_READ, SHIFT, 1, false), 0);
    ol_tlbs_invalidate(&tlbs, 0, at(7), 0); /* what leads to that page … */
    assert_int_equal(walked(at(2), OL_READ, SHIFT, 1, false), 0);
    assert_int_equal(walked(1ULL << 39 | at(1), OL_READ, SHIFT, 1, false), 3); /* … and nothing else */
    ol_tlbs_invalidate(&tlbs, 0, at(7), OL_TLB_ALL_TABLES);
    assert_int_equal(walked(1ULL << 39 | at(2), OL_READ, SHIFT, 1, false), 0);
    assert_int_equal(tlbs.count.stale, 0);
    ol_tlbs_destroy(&tlbs);
}

static void test_a_stale_table_is_noticed(void **state)
{
    (void)state;
    create("l1=4,walk=8");
    walked(at(0), OL_READ, SHIFT, 1, false);
    struct ol_walk walk = {.outcome = OL_WALK_OK, .physical = 0, .page_shift = SHIFT, .rights = RWX, .words_read = 4};
    for (unsigned step = 0; step < 4; step++) walk.steps[step].entry = (77ULL + step) << SHIFT | OL_X86_P;
    (void)ol_tlbs_note_walk(&tlbs, at(0), OL_READ, &walk, ++now); /* other tables, and nobody invalidated */
    assert_int_equal(tlbs.count.stale, 3);
    ol_tlbs_destroy(&tlbs);
}

/* --- all together ------------------------------------------------------------------------------------------------ */

/* What a reader of the arrays alone would find: all sizes, all parts. */
static ol_frame_no slow_find(ol_va va, unsigned access)
{
    struct ol_tlb_view view;
    return ol_tlbs_peek(&tlbs, va, access, &view) && view.rights & access ? view.frame : OL_NO_FRAME;
}

/* The frame that the tables of this test map in a space: a fixed function, different in each version of a page. */
static ol_frame_no truth(uint32_t tag, uint64_t large, const uint8_t *version)
{
    return (ol_frame_no)((tag * 64 + large) * 8 + version[tag * 64 + large]) << 9;
}

/* 3 spaces of 64 large pages; even ones are mapped by entries of 2 MiB, odd ones by small ones. */
static void random_run(const char *text, uint64_t seed)
{
    uint8_t version[3 * 64] = {0};
    uint64_t random = seed;
    uint32_t tag = 0;
    create(text);
    for (unsigned step = 0; step < 60000; step++) {
        static const unsigned accesses[] = {OL_READ, OL_WRITE, OL_EXEC};
        const uint64_t large = ol_random_below(&random, 64), page = ol_random_below(&random, 4);
        const unsigned access = accesses[ol_random_below(&random, 3)];
        const ol_va va = large << LARGE | at(page);
        const uint64_t kind = ol_random_below(&random, 100);
        if (kind < 3) {
            tag = (uint32_t)ol_random_below(&random, 3);
            ol_tlbs_switch(&tlbs, tag);
        } else if (kind < 10) {
            const uint32_t other = (uint32_t)ol_random_below(&random, 3);
            version[other * 64 + large] = (uint8_t)((version[other * 64 + large] + 1) % 8);
            if (large % 2 == 0) ol_tlbs_invalidate(&tlbs, other, va, 0);
            for (uint64_t i = 0; large % 2 == 1 && i < 4; i++)
                ol_tlbs_invalidate(&tlbs, other, large << LARGE | at(i), 0);
        } else if (kind == 10) {
            ol_tlbs_empty_tag(&tlbs, (uint32_t)ol_random_below(&random, 3), false);
        }
        const ol_frame_no expected = truth(tag, large, version) + (ol_frame_no)page;
        const ol_frame_no slow = slow_find(va, access), frame = frame_of(va, access);
        if (frame != slow || (frame != OL_NO_FRAME && frame != expected))
            fail_msg("%s, step %u: page %llx is in frame %x, not %x (%x)", text, step, (unsigned long long)va, frame,
                     expected, slow);
        if (frame == OL_NO_FRAME) walked(va, access, large % 2 == 0 ? LARGE : SHIFT, expected, false);
    }
    assert_true(tlbs.count.hits[0] + tlbs.count.hits[1] > 1000);
    ol_tlbs_destroy(&tlbs);
}

static void test_what_is_found_is_what_was_mapped(void **state)
{
    (void)state;
    static const char *const texts[] = {"8:2",
                                        "l1=16:4:random,l2=64:fifo",
                                        "l1d=8,l1i=4:2:plru,l2=128:8:plru",
                                        "jaguar",
                                        "l1=16@4K,l2=64@2M",
                                        "skylake",
                                        "l1=4,l3=64:4",
                                        "l1i=4,l2=16"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) random_run(texts[i], i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs_are_understood),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_levels_fill_each_other),
        cmocka_unit_test(test_code_and_data_are_apart),
        cmocka_unit_test(test_large_pages_have_entries_of_their_own),
        cmocka_unit_test(test_pages_that_are_too_large_are_held_in_pieces),
        cmocka_unit_test(test_tags_keep_spaces_apart_and_global_pages_do_not),
        cmocka_unit_test(test_walk_caches_skip_words),
        cmocka_unit_test(test_a_stale_table_is_noticed),
        cmocka_unit_test(test_what_is_found_is_what_was_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
