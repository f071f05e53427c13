/* SPDX-License-Identifier: MIT */
/*
 * What the instructions of x86 leave in TLBs and paging-structure caches: all combinations of PCID, page, global and
 * cached tables before each, and what the manual's table says after it. And which are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/sim/x86_tlb.h"

#define ROOT       0x5000ULL
#define HIGH_HALF  0xffff800000000000ULL
#define PAGE_A     0x123456000ULL
#define PAGE_B     (PAGE_A + (1ULL << 40)) /* no table in common but the root */
#define GLOBAL_VA  (HIGH_HALF | 0x7000)    /* a page of the system's */
#define GLOBAL_VA2 (HIGH_HALF | 0x8000)

enum { SHIFT = 12, RW = OL_READ | OL_WRITE, PCIDS = 3, CURRENT = 1 };

static struct ol_tlbs tlbs;
static struct ol_x86_control control;
static uint64_t now;

/* What is there: bits for page A, page B, the tables that lead to A, those to B, for each PCID; and the global pages.
 */
enum { A = 1, B = 2, TABLES_A = 4, TABLES_B = 8, ALL = 15, G1 = 1, G2 = 2 };
struct contents {
    unsigned of[PCIDS], global;
};

static void walked(ol_va va, bool global)
{
    struct ol_walk walk = {.outcome = OL_WALK_OK,
                           .physical = 0x9000,
                           .page_shift = SHIFT,
                           .rights = RW,
                           .dirty = true,
                           .global = global,
                           .words_read = 4};
    for (unsigned step = 0; step < 3; step++) walk.steps[step].entry = (step + 1ULL) << SHIFT | OL_X86_P;
    (void)ol_tlbs_note_walk(&tlbs, va, OL_READ, &walk, ++now);
}

/* How many words a walk would be spared. */
static unsigned spared(ol_va va)
{
    struct ol_walk walk = {.outcome = OL_WALK_PAGE_FAULT, .words_read = 4};
    for (unsigned step = 0; step < 3; step++) walk.steps[step].entry = (step + 1ULL) << SHIFT | OL_X86_P;
    return ol_tlbs_note_walk(&tlbs, va, OL_READ, &walk, ++now);
}

static bool holds(ol_va va)
{
    struct ol_tlb_view view;
    return ol_tlbs_peek(&tlbs, va, OL_READ, &view);
}

/* Everything in everything; the current space is that of PCID 1, or 0 without PCIDs. */
static void fill(bool pcide)
{
    struct ol_tlb_spec spec;
    char message[256];
    assert_true(ol_tlb_spec_parse("l1=16,l2=64:4,walk=64", &spec, message, sizeof message));
    static const struct ol_numa near;
    assert_int_equal(ol_tlbs_create(&tlbs, &spec, &ol_sim_amd64, &near, 1), OL_OK);
    control = (struct ol_x86_control){.cr0 = OL_X86_CR0_PG | OL_X86_CR0_PE,
                                      .cr3 = ROOT | (pcide ? CURRENT : 0),
                                      .cr4 = OL_X86_CR4_PAE | OL_X86_CR4_PGE | (pcide ? OL_X86_CR4_PCIDE : 0),
                                      .efer = OL_X86_EFER_LMA,
                                      .maxphyaddr = 40};
    for (uint32_t pcid = 0; pcid < (pcide ? PCIDS : 1); pcid++) {
        ol_tlbs_switch(&tlbs, pcid);
        walked(PAGE_A, false);
        walked(PAGE_B, false);
        walked(GLOBAL_VA, true);
        walked(GLOBAL_VA2, true);
    }
    ol_tlbs_switch(&tlbs, pcide ? CURRENT : 0);
}

static struct contents look(void)
{
    struct contents found = {0};
    const uint32_t current = tlbs.tag;
    for (uint32_t pcid = 0; pcid < PCIDS; pcid++) {
        ol_tlbs_switch(&tlbs, pcid);
        found.of[pcid] = (holds(PAGE_A) ? A : 0U) | (holds(PAGE_B) ? B : 0U) | (spared(PAGE_A) == 3 ? TABLES_A : 0U) |
                         (spared(PAGE_B) == 3 ? TABLES_B : 0U);
        found.global = (holds(GLOBAL_VA) ? G1 : 0U) | (holds(GLOBAL_VA2) ? G2 : 0U);
    }
    ol_tlbs_switch(&tlbs, current);
    assert_int_equal(tlbs.count.stale, 0);
    return found;
}

static void expect(unsigned pcid0, unsigned pcid1, unsigned pcid2, unsigned global)
{
    const struct contents found = look();
    const struct contents expected = {{pcid0, pcid1, pcid2}, global};
    for (unsigned i = 0; i < PCIDS; i++) assert_int_equal(found.of[i], expected.of[i]);
    assert_int_equal(found.global, expected.global);
    ol_tlbs_destroy(&tlbs);
}

static void test_all_is_there_at_first(void **state)
{
    (void)state;
    fill(true);
    expect(ALL, ALL, ALL, G1 | G2);
    fill(false);
    expect(ALL, 0, 0, G1 | G2);
}

static void test_invlpg(void **state)
{
    (void)state;
    fill(true);
    ol_x86_invlpg(&tlbs, PAGE_A);
    expect(ALL, B, ALL, G1 | G2);
    fill(true);
    ol_x86_invlpg(&tlbs, GLOBAL_VA); /* whatever the PCID under which it came */
    expect(ALL, A | B, ALL, G2);
}

static void test_invpcid(void **state)
{
    (void)state;
    fill(true);
    assert_true(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ADDRESS, 2, PAGE_A));
    expect(ALL, ALL, B | TABLES_B, G1 | G2);
    fill(true);
    assert_true(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ADDRESS, 1, GLOBAL_VA));
    expect(ALL, ALL, ALL, G1 | G2);
    fill(true);
    assert_true(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_CONTEXT, 0, 1ULL << 60));
    expect(0, ALL, ALL, G1 | G2);
    fill(true);
    assert_true(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ALL, 0, 0));
    expect(0, 0, 0, 0);
    fill(true);
    assert_true(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ALL_BUT_GLOBAL, 0, 0));
    expect(0, 0, 0, G1 | G2);
}

static void test_invpcid_is_refused(void **state)
{
    (void)state;
    fill(true);
    assert_false(ol_x86_invpcid(&control, &tlbs, 4, 0, 0));
    assert_false(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_CONTEXT, 1 << 12, 0));
    assert_false(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ALL, 1 << 12, 0)); /* reserved bits are, for all */
    assert_false(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ADDRESS, 1, 1ULL << 47));
    expect(ALL, ALL, ALL, G1 | G2);
    fill(false);
    assert_false(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ADDRESS, 1, PAGE_A));
    assert_false(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_CONTEXT, 1, 0));
    assert_true(ol_x86_invpcid(&control, &tlbs, OL_X86_INVPCID_ADDRESS, 0, PAGE_B));
    expect(A | TABLES_A, 0, 0, G1 | G2);
}

static void test_mov_cr3(void **state)
{
    (void)state;
    fill(false);
    assert_true(ol_x86_load_cr3(&control, &tlbs, 0x6000));
    assert_int_equal(control.cr3, 0x6000);
    expect(0, 0, 0, G1 | G2);
    fill(false);
    assert_true(ol_x86_load_cr3(&control, &tlbs, 0x6fff)); /* without PCIDE, no tag */
    assert_int_equal(tlbs.tag, 0);
    expect(0, 0, 0, G1 | G2);
    fill(true);
    assert_true(ol_x86_load_cr3(&control, &tlbs, 0x6000 | 2));
    assert_int_equal(tlbs.tag, 2);
    expect(ALL, ALL, 0, G1 | G2);
    fill(true);
    assert_true(ol_x86_load_cr3(&control, &tlbs, OL_X86_CR3_KEEP | 0x6000 | 2));
    assert_int_equal(control.cr3, 0x6002);
    assert_int_equal(tlbs.tag, 2);
    expect(ALL, ALL, ALL, G1 | G2);
    fill(false);
    assert_false(ol_x86_load_cr3(&control, &tlbs, OL_X86_CR3_KEEP | 0x6000));
    assert_false(ol_x86_load_cr3(&control, &tlbs, 1ULL << 40));
    assert_int_equal(control.cr3, ROOT);
    expect(ALL, 0, 0, G1 | G2);
}

static void test_mov_cr4(void **state)
{
    (void)state;
    fill(true);
    assert_true(ol_x86_load_cr4(&control, &tlbs, control.cr4 & ~OL_X86_CR4_PGE));
    expect(0, 0, 0, 0);
    fill(true);
    assert_true(ol_x86_load_cr4(&control, &tlbs, control.cr4 & ~OL_X86_CR4_PCIDE));
    assert_int_equal(tlbs.tag, 0);
    expect(0, 0, 0, 0);
    fill(true);
    assert_true(ol_x86_load_cr4(&control, &tlbs, control.cr4 | OL_X86_CR4_SMEP));
    expect(ALL, 0, ALL, 0);
    fill(true);
    control.cr4 |= OL_X86_CR4_SMEP;
    assert_true(ol_x86_load_cr4(&control, &tlbs, (control.cr4 & ~OL_X86_CR4_SMEP) | OL_X86_CR4_SMAP));
    expect(ALL, ALL, ALL, G1 | G2);
    fill(false);
    assert_true(ol_x86_load_cr4(&control, &tlbs, control.cr4 | OL_X86_CR4_PCIDE)); /* nothing is invalidated */
    expect(ALL, 0, 0, G1 | G2);
    fill(false);
    control.cr3 |= 8;
    assert_false(ol_x86_load_cr4(&control, &tlbs, control.cr4 | OL_X86_CR4_PCIDE));
    control.cr3 = ROOT;
    assert_false(ol_x86_load_cr4(&control, &tlbs, control.cr4 | OL_X86_CR4_LA57));
    assert_false(ol_x86_load_cr4(&control, &tlbs, control.cr4 & ~OL_X86_CR4_PAE));
    control.efer = 0;
    assert_false(ol_x86_load_cr4(&control, &tlbs, control.cr4 | OL_X86_CR4_PCIDE));
    assert_true(ol_x86_load_cr4(&control, &tlbs, control.cr4 & ~OL_X86_CR4_PAE));
    expect(0, 0, 0, 0);
}

static void test_mov_cr0(void **state)
{
    (void)state;
    fill(false);
    assert_true(ol_x86_load_cr0(&control, &tlbs, control.cr0 | OL_X86_CR0_WP));
    expect(ALL, 0, 0, G1 | G2);
    fill(false);
    assert_true(ol_x86_load_cr0(&control, &tlbs, OL_X86_CR0_PE));
    expect(0, 0, 0, 0);
    fill(true);
    assert_false(ol_x86_load_cr0(&control, &tlbs, OL_X86_CR0_PE));
    assert_false(ol_x86_load_cr0(&control, &tlbs, OL_X86_CR0_PG));
    expect(ALL, ALL, ALL, G1 | G2);
}

static void test_page_fault(void **state)
{
    (void)state;
    fill(true);
    ol_x86_page_fault(&tlbs, PAGE_B);
    expect(ALL, A | TABLES_A, ALL, G1 | G2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_there_at_first),
        cmocka_unit_test(test_invlpg),
        cmocka_unit_test(test_invpcid),
        cmocka_unit_test(test_invpcid_is_refused),
        cmocka_unit_test(test_mov_cr3),
        cmocka_unit_test(test_mov_cr4),
        cmocka_unit_test(test_mov_cr0),
        cmocka_unit_test(test_page_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
