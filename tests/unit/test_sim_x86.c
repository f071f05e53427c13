/* SPDX-License-Identifier: MIT */
/* The x86 walk in 64-bit mode: every cause of a fault with its error code, every rights rule, Accessed and Dirty to the
 * bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/sim/format.h"

/* The address has index 1 at each level and offset 3; the tables stand in frames 1 to 4. */
enum { LEVELS = 4, ROOT = 0x1000, VA_OFFSET = 3 };
#define VA   0x0000008040201003ULL
#define PAGE 0x0000000000abc000ULL

static const uint64_t entry_at[LEVELS] = {0x4008, 0x3008, 0x2008, 0x1008};

#define P   OL_X86_P
#define W   OL_X86_RW
#define U   OL_X86_US
#define A   OL_X86_A
#define D   OL_X86_D
#define PS  OL_X86_PS
#define XD  OL_X86_XD
#define NXE OL_X86_EFER_NXE
/* What 64-bit mode wants besides. */
#define PG   (OL_X86_CR0_PG | OL_X86_CR0_PE)
#define PAE  OL_X86_CR4_PAE
#define LMA  OL_X86_EFER_LMA
#define WP   OL_X86_CR0_WP
#define SMEP OL_X86_CR4_SMEP
#define SMAP OL_X86_CR4_SMAP

struct table_case {
    const char *name;
    uint64_t bits[LEVELS]; /* flags of the entries, leaf first; addresses are added */
    uint64_t cr0, cr4, efer;
    unsigned cpl, ac, access;
    int error; /* expected error code; -1: success */
};

#define PATH(leaf)                              \
    {                                           \
        (leaf), P | W | U, P | W | U, P | W | U \
    }

static const struct table_case cases[] = {
    {"user reads", PATH(P | U), WP, 0, NXE, 3, 0, OL_READ, -1},
    {"user writes", PATH(P | W | U), WP, 0, NXE, 3, 0, OL_WRITE, -1},
    {"user fetches", PATH(P | U), WP, 0, NXE, 3, 0, OL_EXEC, -1},
    {"supervisor reads its own", PATH(P), WP, SMEP | SMAP, NXE, 0, 0, OL_READ, -1},
    {"supervisor fetches its own", PATH(P), WP, SMEP | SMAP, NXE, 0, 0, OL_EXEC, -1},

    {"leaf not present", PATH(W | U), WP, 0, NXE, 3, 0, OL_READ, 0x4},
    {"leaf not present, write", PATH(0), WP, 0, NXE, 3, 0, OL_WRITE, 0x6},
    {"leaf not present, fetch", PATH(0), WP, 0, NXE, 3, 0, OL_EXEC, 0x14},
    {"leaf not present, fetch that is not told", PATH(0), WP, 0, 0, 3, 0, OL_EXEC, 0x4},
    {"leaf not present, fetch told by SMEP", PATH(0), WP, SMEP, 0, 3, 0, OL_EXEC, 0x14},
    {"leaf not present, supervisor", PATH(0), WP, 0, NXE, 0, 0, OL_READ, 0x0},
    {"level 1 not present", {P, 0, P, P}, WP, 0, NXE, 0, 0, OL_READ, 0x0},
    {"level 2 not present", {P, P, 0, P}, WP, 0, NXE, 0, 0, OL_WRITE, 0x2},
    {"level 3 not present", {P, P, P, 0}, WP, 0, NXE, 0, 0, OL_READ, 0x0},

    {"user reads a supervisor page", PATH(P | W), WP, 0, NXE, 3, 0, OL_READ, 0x5},
    {"U/S refused at level 1", {P | U, P, P | U, P | U}, WP, 0, NXE, 3, 0, OL_READ, 0x5},
    {"U/S refused at level 3", {P | U, P | U, P | U, P}, WP, 0, NXE, 3, 0, OL_READ, 0x5},
    {"user writes a read-only page", PATH(P | U), WP, 0, NXE, 3, 0, OL_WRITE, 0x7},
    {"R/W refused at level 2", {P | W | U, P | W | U, P | U, P | W | U}, WP, 0, NXE, 3, 0, OL_WRITE, 0x7},
    {"user writes a read-only page, WP off", PATH(P | U), 0, 0, NXE, 3, 0, OL_WRITE, 0x7},
    {"supervisor writes a read-only page", PATH(P), WP, 0, NXE, 0, 0, OL_WRITE, 0x3},
    {"supervisor writes a read-only page, WP off", PATH(P), 0, 0, NXE, 0, 0, OL_WRITE, -1},
    {"supervisor reads a user page", PATH(P | U), WP, 0, NXE, 0, 0, OL_READ, -1},

    {"user fetches with XD", PATH(P | U | XD), WP, 0, NXE, 3, 0, OL_EXEC, 0x15},
    {"XD at level 3", {P | U, P | U, P | U, P | U | XD}, WP, 0, NXE, 3, 0, OL_EXEC, 0x15},
    {"supervisor fetches with XD", PATH(P | XD), WP, 0, NXE, 0, 0, OL_EXEC, 0x11},
    {"XD does not concern reads", PATH(P | U | XD), WP, 0, NXE, 3, 0, OL_READ, -1},
    {"XD without NXE is reserved", PATH(P | U | XD), WP, 0, 0, 3, 0, OL_READ, 0xd},
    {"XD without NXE at level 3", {P, P, P, P | XD}, WP, 0, 0, 0, 0, OL_WRITE, 0xb},

    {"SMEP: supervisor fetches a user page", PATH(P | U), WP, SMEP, NXE, 0, 0, OL_EXEC, 0x11},
    {"no SMEP: supervisor fetches a user page", PATH(P | U), WP, 0, NXE, 0, 0, OL_EXEC, -1},
    {"SMEP: not for user code", PATH(P | U), WP, SMEP, NXE, 3, 0, OL_EXEC, -1},
    {"SMAP: supervisor reads a user page", PATH(P | U), WP, SMAP, NXE, 0, 0, OL_READ, 0x1},
    {"SMAP: supervisor writes a user page, WP off", PATH(P | W | U), 0, SMAP, NXE, 0, 0, OL_WRITE, 0x3},
    {"SMAP: lifted by AC", PATH(P | W | U), WP, SMAP, NXE, 0, 1, OL_WRITE, -1},
    {"SMAP and AC: R/W still counts", PATH(P | U), WP, SMAP, NXE, 0, 1, OL_WRITE, 0x3},
    {"SMAP: not for fetches", PATH(P | U), WP, SMAP, NXE, 0, 0, OL_EXEC, -1},

    {"address bit beyond MAXPHYADDR in the leaf", PATH(P | U | 1ULL << 40), WP, 0, NXE, 3, 0, OL_READ, 0xd},
    {"address bit beyond MAXPHYADDR at level 3", {P, P, P, P | 1ULL << 51}, WP, 0, NXE, 0, 0, OL_READ, 0x9},
    {"PS at level 3 is reserved", {P, P, P, P | PS}, WP, 0, NXE, 0, 0, OL_WRITE, 0xb},
    {"reserved above not present", {0, P, P, P | PS}, WP, 0, NXE, 0, 0, OL_READ, 0x9},
    {"not present above reserved", {P | 1ULL << 41, 0, P, P}, WP, 0, NXE, 0, 0, OL_READ, 0x0},
    {"not present below a refused right", {0, P, P, P}, WP, 0, NXE, 3, 0, OL_READ, 0x4},
    {"bit 7 of the leaf is PAT", PATH(P | U | PS), WP, 0, NXE, 3, 0, OL_READ, -1},
    {"ignored bits are ignored", PATH(P | U | 0x7ff0000000000e18ULL), WP, 0, NXE, 3, 0, OL_READ, -1},
};

static struct ol_sim_memory memory;

static int set_up(void **state)
{
    (void)state;
    return ol_sim_memory_create(&memory, 12, 16, 1) != OL_OK;
}

static int tear_down(void **state)
{
    (void)state;
    ol_sim_memory_destroy(&memory);
    return 0;
}

static struct ol_x86_control plain_control(void)
{
    return (struct ol_x86_control){
        .cr0 = PG | WP, .cr3 = ROOT, .cr4 = PAE, .efer = LMA | NXE, .cpl = 3, .maxphyaddr = 40};
}

static void set_path(const uint64_t bits[LEVELS])
{
    static const uint64_t target[LEVELS] = {PAGE, 0x4000, 0x3000, 0x2000};
    for (int level = 0; level < LEVELS; level++)
        ol_sim_memory_set_word(&memory, entry_at[level], target[level] | bits[level]);
}

static void apply(const struct ol_walk *walk)
{
    for (unsigned i = 0; i < walk->update_count; i++)
        ol_sim_memory_set_word(&memory, walk->updates[i].address, walk->updates[i].value);
}

static void check_case(const struct table_case *one)
{
    struct ol_x86_control control = plain_control();
    control.cr0 = PG | one->cr0;
    control.cr4 = PAE | one->cr4;
    control.efer = LMA | one->efer;
    control.cpl = (uint8_t)one->cpl;
    control.eflags_ac = one->ac != 0;
    set_path(one->bits);
    struct ol_walk walk;
    ol_x86_walk(&memory.words, &control, VA, one->access, &walk);
    const int error = walk.outcome == OL_WALK_PAGE_FAULT ? (int)walk.error_code : -1;
    if (error != one->error) fail_msg("%s: error code %x, not %x", one->name, (unsigned)error, (unsigned)one->error);
    if (error >= 0) {
        assert_int_equal(walk.update_count, 0);
        return;
    }
    assert_int_equal(walk.outcome, OL_WALK_OK);
    assert_int_equal(walk.physical, PAGE + VA_OFFSET);
    assert_int_equal(walk.page_shift, 12);
    assert_int_equal(walk.words_read, 4);
    assert_true(walk.rights & one->access);
}

static void test_rights_and_error_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_case(&cases[i]);
}

static void test_accessed_and_dirty_are_exact(void **state)
{
    (void)state;
    const uint64_t bits[LEVELS] = {P | W | U, P | W | U | A, P | W | U, P | W | U | A};
    const struct ol_x86_control control = plain_control();
    struct ol_walk walk;
    set_path(bits);
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.update_count, 2);
    assert_false(walk.dirty);
    assert_int_equal(ol_sim_memory_word(&memory, entry_at[0]), PAGE | P | W | U); /* the walk changes nothing itself */
    apply(&walk);
    assert_int_equal(ol_sim_memory_word(&memory, entry_at[0]), PAGE | P | W | U | A);
    assert_int_equal(ol_sim_memory_word(&memory, entry_at[2]), 0x3000 | P | W | U | A);
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.update_count, 0);

    ol_x86_walk(&memory.words, &control, VA, OL_WRITE, &walk);
    assert_int_equal(walk.update_count, 1);
    assert_true(walk.dirty);
    assert_int_equal(walk.updates[0].address, entry_at[0]);
    assert_int_equal(walk.updates[0].value, PAGE | P | W | U | A | D);
    apply(&walk);
    ol_x86_walk(&memory.words, &control, VA, OL_WRITE, &walk);
    assert_int_equal(walk.update_count, 0);
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_true(walk.dirty);
}

static void test_rights_cover_every_kind(void **state)
{
    (void)state;
    struct ol_x86_control control = plain_control();
    struct ol_walk walk;
    const uint64_t data[LEVELS] = PATH(P | W | U | XD);
    set_path(data);
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.rights, OL_READ | OL_WRITE);
    const uint64_t text[LEVELS] = PATH(P | U);
    set_path(text);
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.rights, OL_READ | OL_EXEC);
}

static void test_addresses_must_be_canonical(void **state)
{
    (void)state;
    const struct ol_x86_control control = plain_control();
    struct ol_walk walk;
    const ol_va bad[] = {0x0000800000000000ULL, 0xffff7fffffffffffULL, 0x8000000000000000ULL, 0x0001008040201003ULL};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ol_x86_walk(&memory.words, &control, bad[i], OL_READ, &walk);
        assert_int_equal(walk.outcome, OL_WALK_GENERAL_PROTECTION);
        assert_int_equal(walk.words_read, 0);
    }
    const ol_va good[] = {0x00007fffffffffffULL, 0xffff800000000000ULL, 0xffffffffffffffffULL};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ol_x86_walk(&memory.words, &control, good[i], OL_READ, &walk);
        assert_int_equal(walk.outcome, OL_WALK_PAGE_FAULT);
        assert_int_equal(walk.words_read, 1);
    }
}

static void test_large_pages(void **state)
{
    (void)state;
    const struct ol_x86_control control = plain_control();
    struct ol_walk walk;
    const uint64_t pat = 1 << 12;
    const uint64_t path[LEVELS] = PATH(P | U);
    set_path(path);
    ol_sim_memory_set_word(&memory, entry_at[1], 0x40000000 | pat | P | W | U | PS);
    ol_x86_walk(&memory.words, &control, VA, OL_WRITE, &walk);
    assert_int_equal(walk.outcome, OL_WALK_OK);
    assert_int_equal(walk.page_shift, 21);
    assert_int_equal(walk.physical, 0x40000000 | (VA & 0x1fffff));
    assert_int_equal(walk.words_read, 3);
    assert_int_equal(walk.updates[2].value, 0x40000000 | pat | P | W | U | PS | A | D);
    ol_sim_memory_set_word(&memory, entry_at[1], 0x40002000 | P | W | U | PS);
    ol_x86_walk(&memory.words, &control, VA, OL_WRITE, &walk);
    assert_int_equal(walk.error_code, 0xf);

    ol_sim_memory_set_word(&memory, entry_at[2], 0x80000000 | P | U | PS);
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.page_shift, 30);
    assert_int_equal(walk.physical, 0x80000000 | (VA & 0x3fffffff));
    assert_int_equal(walk.words_read, 2);
    ol_sim_memory_set_word(&memory, entry_at[2], 0xa0000000 | P | U | PS); /* bit 29 */
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.error_code, 0xd);
}

static void test_tables_beyond_memory_are_empty(void **state)
{
    (void)state;
    const struct ol_x86_control control = plain_control();
    struct ol_walk walk;
    const uint64_t path[LEVELS] = PATH(P | U);
    set_path(path);
    ol_sim_memory_set_word(&memory, entry_at[3], 0xfffffff000ULL | P | W | U);
    ol_x86_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.outcome, OL_WALK_PAGE_FAULT);
    assert_int_equal(walk.error_code, 0x4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights_and_error_codes),
        cmocka_unit_test(test_accessed_and_dirty_are_exact),
        cmocka_unit_test(test_rights_cover_every_kind),
        cmocka_unit_test(test_addresses_must_be_canonical),
        cmocka_unit_test(test_large_pages),
        cmocka_unit_test(test_tables_beyond_memory_are_empty),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
