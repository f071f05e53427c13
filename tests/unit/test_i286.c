/* SPDX-License-Identifier: MIT */
/* The 80286's segmentation against a second reading of its manual, and the cases that the manual dwells on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine/sim/i286.h"
#include "tests/support/i286_model.h"
#include "tests/support/random.h"

enum { MEMORY = 1 << 24, CASES = 1000000 };

static uint8_t *memory;

static uint64_t read_word(const struct ol_words *words, uint64_t address)
{
    uint64_t word;
    (void)words;
    memcpy(&word, memory + address % MEMORY, sizeof word);
    return word;
}

static const struct ol_words words = {.read = read_word};
static const char *const names[] = {"ES", "CS", "SS", "DS"};

static int set_up(void **state)
{
    (void)state;
    memory = calloc(1, MEMORY + 8);
    return memory ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void put(uint32_t at, uint64_t descriptor)
{
    for (unsigned i = 0; i < 8; i++) memory[(at + i) % MEMORY] = (uint8_t)(descriptor >> 8 * i);
}

/* A limit at or near a bound, as often as not. */
static uint16_t some_limit(uint64_t *seed)
{
    static const uint16_t favourites[] = {0, 1, 7, 0x7fff, 0xfffe, 0xffff};
    if (ol_random_below(seed, 2)) return (uint16_t)ol_random(seed);
    return favourites[ol_random_below(seed, sizeof favourites / sizeof favourites[0])];
}

/* One random table entry, selector and register; loads it both ways. False if it was refused. */
static bool compare_load(const struct ol_i286_control *control, uint64_t *seed, enum ol_i286_register where,
                         struct ol_i286_load *load, struct model_answer *model)
{
    const uint16_t selector = (uint16_t)ol_random_below(seed, ol_random_below(seed, 8) ? 20 * 8 : 65536);
    const uint32_t base = selector & OL_I286_TI ? control->ldt.base : control->gdt.base;
    uint8_t access = (uint8_t)ol_random(seed);
    if (ol_random_below(seed, 4)) access |= OL_I286_SEGMENT;
    if (ol_random_below(seed, 2)) access |= OL_I286_PRESENT;
    put(base + (selector >> 3) * 8U,
        ol_i286_descriptor((uint32_t)ol_random(seed) & 0xffffff, some_limit(seed), access) | ol_random(seed) << 48);
    ol_i286_load(&words, control, where, selector, load);
    *model = model_load(memory, control->gdt.base, control->gdt.limit, control->ldt.base, control->ldt.limit,
                        control->cpl, names[where], selector);
    assert_int_equal(load->exception, model->exception);
    if (load->exception) {
        assert_int_equal(load->error_code, model->error_code);
        assert_non_null(load->check);
        assert_false(load->sets_accessed);
        return false;
    }
    assert_int_equal(load->segment.usable, !model->null);
    if (model->null) return true;
    assert_int_equal(load->segment.base, model->base);
    assert_int_equal(load->segment.limit, model->limit);
    assert_int_equal(load->segment.access, model->access);
    assert_int_equal(load->sets_accessed ? (int)((load->address + 5) % MEMORY) : -1, model->set_accessed_at);
    return true;
}

static void compare_reference(const struct ol_i286_load *load, const struct model_answer *model,
                              enum ol_i286_register where, uint64_t *seed)
{
    static const unsigned kinds[] = {OL_READ, OL_WRITE, OL_EXEC};
    struct ol_i286_reference reference;
    const unsigned kind = (unsigned)ol_random_below(seed, where == OL_I286_CS_REGISTER ? 3 : 2);
    const uint16_t offset = (uint16_t)(load->segment.limit + (unsigned)ol_random_below(seed, 9) - 4);
    const uint16_t at = ol_random_below(seed, 2) ? offset : some_limit(seed);
    const uint32_t bytes = 1 + (uint32_t)ol_random_below(seed, ol_random_below(seed, 16) ? 4 : 65536);
    uint32_t physical = 0;
    ol_i286_refer(&load->segment, where, at, bytes, kinds[kind], &reference);
    assert_int_equal(reference.exception, model_refer(model, names[where], at, (int)bytes, "rwx"[kind], &physical));
    if (reference.exception) assert_non_null(reference.check);
    else assert_int_equal(reference.physical, physical);
}

static void test_like_the_second_reading(void **state)
{
    (void)state;
    unsigned loaded = 0, exceptions[OL_I286_GP + 1] = {0};
    uint64_t seed = 1;
    for (unsigned i = 0; i < CASES; i++) {
        const struct ol_i286_control control = {
            .gdt = {(uint32_t)ol_random(&seed) & 0xffffff, (uint16_t)ol_random_below(&seed, 256)},
            .ldt = {(uint32_t)ol_random(&seed) & 0xffffff, (uint16_t)ol_random_below(&seed, 256)},
            .cpl = (uint8_t)ol_random_below(&seed, 4)};
        const enum ol_i286_register where = (enum ol_i286_register)ol_random_below(&seed, OL_I286_REGISTERS);
        struct ol_i286_load load;
        struct model_answer model;
        if (!compare_load(&control, &seed, where, &load, &model)) {
            exceptions[load.exception]++;
            continue;
        }
        loaded++;
        compare_reference(&load, &model, where, &seed);
    }
    assert_true(loaded > CASES / 20); /* and each exception was met often */
    assert_true(exceptions[OL_I286_GP] > CASES / 20 && exceptions[OL_I286_NP] > CASES / 200);
    assert_true(exceptions[OL_I286_SS] > CASES / 4000);
}

/* A table with one descriptor, at index 1 of the GDT. */
static struct ol_i286_load load_one(enum ol_i286_register where, uint16_t selector, unsigned cpl, unsigned access,
                                    uint16_t limit)
{
    const struct ol_i286_control control = {.gdt = {0x1000, 15}, .cpl = (uint8_t)cpl};
    struct ol_i286_load load;
    put(0x1008, ol_i286_descriptor(0x20000, limit, (uint8_t)access));
    ol_i286_load(&words, &control, where, selector, &load);
    return load;
}

#define ACCESS(dpl, type) (OL_I286_PRESENT | (dpl) << OL_I286_DPL_SHIFT | OL_I286_SEGMENT | (type))

static void expect_exception(struct ol_i286_load load, enum ol_i286_exception exception, unsigned code)
{
    assert_int_equal(load.exception, exception);
    assert_int_equal(load.error_code, code);
}

static void test_by_hand(void **state)
{
    (void)state;
    const unsigned data3 = ACCESS(3, OL_I286_WRITABLE), data0 = ACCESS(0, OL_I286_WRITABLE);
    struct ol_i286_reference reference;
    /* A program of privilege 3 and the system's data: neither by RPL 3 nor by RPL 0. */
    expect_exception(load_one(OL_I286_DS_REGISTER, 8 | 3, 3, data0, 99), OL_I286_GP, 8);
    expect_exception(load_one(OL_I286_DS_REGISTER, 8 | 0, 3, data0, 99), OL_I286_GP, 8);
    expect_exception(load_one(OL_I286_DS_REGISTER, 8 | 3, 0, data0, 99), OL_I286_GP, 8); /* the system, for a program */
    assert_int_equal(load_one(OL_I286_DS_REGISTER, 8, 0, data0, 99).exception, OL_I286_NONE);
    assert_int_equal(load_one(OL_I286_DS_REGISTER, 8 | 3, 3, data3, 99).exception, OL_I286_NONE);
    /* What is wrong with the type goes before absence; absence of a stack has its own exception. */
    expect_exception(load_one(OL_I286_SS_REGISTER, 8 | 3, 3, ACCESS(3, 0) & ~OL_I286_PRESENT, 99), OL_I286_GP, 8);
    expect_exception(load_one(OL_I286_SS_REGISTER, 8 | 3, 3, data3 & ~(unsigned)OL_I286_PRESENT, 99), OL_I286_SS, 8);
    expect_exception(load_one(OL_I286_DS_REGISTER, 8 | 3, 3, data3 & ~(unsigned)OL_I286_PRESENT, 99), OL_I286_NP, 8);
    expect_exception(load_one(OL_I286_SS_REGISTER, 3, 3, data3, 99), OL_I286_GP, 0);
    expect_exception(load_one(OL_I286_DS_REGISTER, 16 | 3, 3, data3, 99), OL_I286_GP, 16); /* beyond the GDT */
    expect_exception(load_one(OL_I286_DS_REGISTER, 7, 3, data3, 99), OL_I286_GP, 4);       /* there is no LDT */
    /* Null is loaded, and refused when it is used. */
    const struct ol_i286_load null = load_one(OL_I286_DS_REGISTER, 3, 3, data3, 99);
    assert_int_equal(null.exception, OL_I286_NONE);
    ol_i286_refer(&null.segment, OL_I286_DS_REGISTER, 0, 1, OL_READ, &reference);
    assert_int_equal(reference.exception, OL_I286_GP);
    /* Conforming code is called at the caller's privilege. */
    const struct ol_i286_load shared =
        load_one(OL_I286_CS_REGISTER, 8, 3, ACCESS(0, OL_I286_CODE | OL_I286_CONFORMING), 99);
    assert_int_equal(shared.exception, OL_I286_NONE);
    assert_int_equal(shared.segment.selector, 8 | 3);
    assert_true(shared.sets_accessed);
    ol_i286_refer(&shared.segment, OL_I286_CS_REGISTER, 0, 1, OL_EXEC, &reference);
    assert_int_equal(reference.physical, 0x20000);
    ol_i286_refer(&shared.segment, OL_I286_CS_REGISTER, 0, 1, OL_READ, &reference); /* to be executed only */
    assert_int_equal(reference.exception, OL_I286_GP);
}

/* What offsets a segment has, byte by byte. */
static void test_limits(void **state)
{
    (void)state;
    static const uint16_t limits[] = {0, 1, 99, 0x7fff, 0xfffe, 0xffff};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (unsigned down = 0; down < 2; down++) {
            const unsigned access = ACCESS(3, OL_I286_WRITABLE | (down ? OL_I286_EXPAND_DOWN : 0));
            const struct ol_i286_load load = load_one(OL_I286_SS_REGISTER, 8 | 3, 3, access, limits[i]);
            struct ol_i286_reference reference;
            for (uint32_t offset = 0; offset < 65536; offset++) {
                ol_i286_refer(&load.segment, OL_I286_SS_REGISTER, (uint16_t)offset, 1, OL_WRITE, &reference);
                const bool in = down ? offset > limits[i] : offset <= limits[i];
                assert_int_equal(reference.exception, in ? OL_I286_NONE : OL_I286_SS);
                if (in) assert_int_equal(reference.physical, 0x20000 + offset);
            }
            ol_i286_refer(&load.segment, OL_I286_SS_REGISTER, 0xffff, 2, OL_WRITE, &reference);
            assert_int_equal(reference.exception, OL_I286_SS); /* a word does not wrap */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_the_second_reading),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
