/* SPDX-License-Identifier: MIT */
/* The walks of Atlas, VAX, System/370 and RISC-V: every cause of a fault, every rights rule, the bits to the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/sim/format.h"

static struct ol_sim_memory memory;

static int set_up(void **state)
{
    (void)state;
    return ol_sim_memory_create(&memory, 12, 16, 16) != OL_OK;
}

static int tear_down(void **state)
{
    (void)state;
    ol_sim_memory_destroy(&memory);
    return 0;
}

static void put(uint64_t address, unsigned bytes, uint64_t value)
{
    memcpy(memory.bytes + address, &value, bytes);
}

static void put_big_endian(uint64_t address, unsigned bytes, uint64_t value)
{
    put(address, bytes, ol_big_endian(value, bytes));
}

static void apply(const struct ol_walk *walk)
{
    for (unsigned i = 0; i < walk->update_count; i++)
        ol_sim_memory_set_word(&memory, walk->updates[i].address, walk->updates[i].value);
}

/* --- VAX --------------------------------------------------------------------------------------------------------- */

enum { SBR = 0x1000, TABLE = 0x2200 };

/* Page 3 of S0 (entry at SBR + 12) is the page of the P0 table that begins there; page 5 of P0 has its entry at
 * TABLE + 20, page 5 of P1 at TABLE + 0x100 + 20. */
static struct ol_vax_control vax(enum ol_vax_mode mode)
{
    return (struct ol_vax_control){
        .sbr = SBR, .slr = 8, .p0br = 0x80000600, .p0lr = 6, .p1br = 0x80000700, .p1lr = 5, .mode = mode};
}

static uint64_t vax_entry(bool valid, unsigned protection, uint64_t frame)
{
    return (valid ? OL_VAX_V : 0) | (uint64_t)protection << OL_VAX_PROTECTION_SHIFT | frame;
}

static uint32_t vax_error(const struct ol_vax_control *control, ol_va va, unsigned access)
{
    struct ol_walk walk;
    ol_vax_walk(&memory.words, control, va, access, &walk);
    assert_int_equal(walk.update_count == 0 || walk.outcome == OL_WALK_OK, 1);
    return walk.outcome == OL_WALK_OK ? 0 : walk.error_code;
}

static void test_vax_lengths_and_validity(void **state)
{
    (void)state;
    struct ol_vax_control user = vax(OL_VAX_USER);
    put(SBR + 12, 4, vax_entry(true, OL_VAX_KW, TABLE >> 9));
    put(TABLE + 20, 4, vax_entry(true, OL_VAX_UW, 0x21));
    put(TABLE + 16, 4, vax_entry(false, OL_VAX_UW, 0x21));
    put(TABLE + 0x100 + 20, 4, vax_entry(true, OL_VAX_UR, 0x22));
    put(SBR + 16, 4, vax_entry(true, OL_VAX_UW, 0x23));
    const struct {
        ol_va va;
        unsigned access;
        uint32_t error;
    } cases[] = {
        {5 << 9, OL_READ, 0},
        {5 << 9, OL_EXEC, 0},
        {6 << 9, OL_READ, 0x2001},
        {6 << 9, OL_WRITE, 0x2005},
        {4 << 9, OL_READ, 0x2400},
        {4 << 9, OL_WRITE, 0x2404},
        {3 << 9, OL_READ, 0x2000}, /* protection counts before validity */
        {0x40000000 | 5 << 9, OL_READ, 0},
        {0x40000000 | 5 << 9, OL_WRITE, 0x2004},
        {0x40000000 | 4 << 9, OL_READ, 0x2001}, /* P1 exists from its length on */
        {0x80000000 | 4 << 9, OL_READ, 0},
        {0x80000000 | 8 << 9, OL_READ, 0x2001},
        {0xc0000000, OL_WRITE, 0x2005},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(vax_error(&user, cases[i].va, cases[i].access), cases[i].error);
    put(SBR + 12, 4, vax_entry(false, OL_VAX_KW, TABLE >> 9));
    assert_int_equal(vax_error(&user, 5 << 9, OL_WRITE), 0x2406); /* the table's own page is out */
    user.p0br = 0x80001000;
    assert_int_equal(vax_error(&user, 5 << 9, OL_READ), 0x2003); /* … or beyond S0 */
    struct ol_walk walk;
    ol_vax_walk(&memory.words, &user, 1ULL << 32, OL_READ, &walk);
    assert_int_equal(walk.outcome, OL_WALK_GENERAL_PROTECTION);
}

static void test_vax_protection_codes(void **state)
{
    (void)state;
    /* For each code, the last mode that may write and read; K E S U, - for nobody. From the manual's table. */
    static const char table[16][3] = {"--", "--", "KK", "-K", "UU", "EE", "KE", "-E",
                                      "SS", "ES", "KS", "-S", "SU", "EU", "KU", "-U"};
    static const char modes[] = "KESU";
    put(SBR + 12, 4, vax_entry(true, OL_VAX_KW, TABLE >> 9));
    for (unsigned code = 0; code < 16; code++) {
        put(TABLE + 20, 4, vax_entry(true, code, 0x21));
        for (unsigned mode = 0; mode < 4; mode++) {
            const struct ol_vax_control control = vax((enum ol_vax_mode)mode);
            const char *const writer = strchr(modes, table[code][0]), *const reader = strchr(modes, table[code][1]);
            const bool writes = writer && modes + mode <= writer, reads = reader && modes + mode <= reader;
            assert_int_equal(vax_error(&control, 5 << 9, OL_WRITE), writes ? 0 : 0x2004);
            assert_int_equal(vax_error(&control, 5 << 9, OL_READ), reads ? 0 : 0x2000);
        }
    }
}

static void test_vax_modify(void **state)
{
    (void)state;
    const struct ol_vax_control user = vax(OL_VAX_USER);
    struct ol_walk walk;
    put(SBR + 12, 4, vax_entry(true, OL_VAX_KW, TABLE >> 9));
    put(TABLE + 20, 4, vax_entry(true, OL_VAX_UW, 0x1fffff));
    put(TABLE + 16, 4, vax_entry(false, OL_VAX_UW, 0x21)); /* in the same word of 8 bytes */
    ol_vax_walk(&memory.words, &user, 5 << 9 | 0x1ff, OL_READ, &walk);
    assert_int_equal(walk.update_count, 0); /* there is no referenced bit */
    assert_false(walk.dirty);
    assert_int_equal(walk.physical, 0x3fffffff);
    assert_int_equal(walk.words_read, 2);
    assert_int_equal(walk.rights, OL_READ | OL_WRITE | OL_EXEC);
    ol_vax_walk(&memory.words, &user, 5 << 9, OL_WRITE, &walk);
    assert_int_equal(walk.update_count, 1);
    assert_true(walk.dirty);
    apply(&walk);
    assert_int_equal(ol_words_entry(&memory.words, TABLE + 20, 4), vax_entry(true, OL_VAX_UW, 0x1fffff) | OL_VAX_M);
    assert_int_equal(ol_words_entry(&memory.words, TABLE + 16, 4), vax_entry(false, OL_VAX_UW, 0x21));
    ol_vax_walk(&memory.words, &user, 5 << 9, OL_WRITE, &walk);
    assert_int_equal(walk.update_count, 0);
}

/* --- System/370 -------------------------------------------------------------------------------------------------- */

enum { SEGMENTS = 0x3000, PAGES = 0x3808, KEYS = 0x5000 };

static struct ol_s370_control s370(uint32_t sizes)
{
    return (struct ol_s370_control){
        .cr0 = sizes, .cr1 = 0x01000000 | SEGMENTS, .key = 8, .keys = KEYS, .real_size = 0x8000};
}

static uint32_t s370_error(const struct ol_s370_control *control, ol_va va, unsigned access, struct ol_walk *walk)
{
    ol_s370_walk(&memory.words, control, va, access, walk);
    if (walk->outcome == OL_WALK_OK) return 0;
    assert_int_equal(walk->update_count, 0);
    return walk->error_code;
}

static void test_s370_translation(void **state)
{
    (void)state;
    static const struct {
        uint32_t sizes;
        unsigned segment, page;
        uint64_t entry; /* of real address 6000 */
        uint64_t invalid, zeros;
    } kinds[] = {
        {OL_S370_CR0_4K, 16, 12, 0x60, 8, 6},
        {OL_S370_CR0_2K, 16, 11, 0x60, 4, 2},
        {OL_S370_CR0_4K | OL_S370_CR0_1M, 20, 12, 0x60, 8, 6},
        {OL_S370_CR0_2K | OL_S370_CR0_1M, 20, 11, 0x60, 4, 2},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct ol_s370_control control = s370(kinds[i].sizes);
        const unsigned index_bits = kinds[i].segment - kinds[i].page;
        const uint64_t sixteenth = 1ULL << (index_bits - 4), last = 3 * sixteenth - 1;
        const ol_va segment = 2ULL << kinds[i].segment, va = segment | last << kinds[i].page | 0x123;
        const uint64_t key_at = KEYS + (0x6000ULL >> kinds[i].page) * 8, entry_at = PAGES + last * 2;
        struct ol_walk walk;
        put_big_endian(SEGMENTS + 8, 4, 0x20000000 | PAGES); /* 3 sixteenths long */
        put_big_endian(SEGMENTS + 12, 4, 0x20000001 | PAGES);
        put_big_endian(entry_at, 2, kinds[i].entry | 1);
        put(key_at, 8, 0x80);
        assert_int_equal(s370_error(&control, va, OL_READ, &walk), 0);
        assert_int_equal(walk.physical, 0x6123);
        assert_int_equal(walk.page_shift, kinds[i].page);
        assert_int_equal(walk.words_read, 3);
        assert_int_equal(walk.updates[0].address, key_at);
        assert_int_equal(walk.updates[0].value, 0x84);
        assert_int_equal(s370_error(&control, va, OL_WRITE, &walk), 0);
        assert_int_equal(walk.updates[0].value, 0x86);

        assert_int_equal(s370_error(&control, segment | (last + 1) << kinds[i].page, OL_READ, &walk), OL_S370_PAGE);
        assert_int_equal(s370_error(&control, 3ULL << kinds[i].segment, OL_READ, &walk), OL_S370_SEGMENT);
        if (kinds[i].segment == 16) /* two times 16 segments are in the table */
            assert_int_equal(s370_error(&control, 32ULL << 16, OL_READ, &walk), OL_S370_SEGMENT);
        put_big_endian(entry_at, 2, kinds[i].entry | kinds[i].invalid);
        assert_int_equal(s370_error(&control, va, OL_READ, &walk), OL_S370_PAGE);
        put_big_endian(entry_at, 2, kinds[i].entry | kinds[i].zeros);
        assert_int_equal(s370_error(&control, va, OL_READ, &walk), OL_S370_SPECIFICATION);
        put_big_endian(entry_at, 2, 0x80);
        assert_int_equal(s370_error(&control, va, OL_READ, &walk), OL_S370_ADDRESSING);
        put_big_endian(entry_at, 2, kinds[i].entry);
        for (unsigned bit = 0; bit < 32; bit++) {
            if (!(0x0f000006U & 1U << bit)) continue;
            put_big_endian(SEGMENTS + 8, 4, 0x20000000U | PAGES | 1U << bit);
            assert_int_equal(s370_error(&control, va, OL_READ, &walk), OL_S370_SPECIFICATION);
        }
        put_big_endian(SEGMENTS + 8, 4, 0x20fffff8);
        assert_int_equal(s370_error(&control, va, OL_READ, &walk), OL_S370_ADDRESSING);
    }
    struct ol_walk walk;
    const struct ol_s370_control none = s370(0);
    assert_int_equal(s370_error(&none, 0, OL_READ, &walk), OL_S370_SPECIFICATION);
    ol_s370_walk(&memory.words, &none, 1 << 24, OL_READ, &walk);
    assert_int_equal(walk.outcome, OL_WALK_GENERAL_PROTECTION);
}

static void test_s370_keys(void **state)
{
    (void)state;
    static const struct {
        uint8_t key, storage;
        bool fetch, store;
    } cases[] = {
        {8, 0x80, true, true},  {8, 0x88, true, true},   {8, 0x00, true, false}, {8, 0x08, false, false},
        {8, 0x90, true, false}, {8, 0x98, false, false}, {0, 0x98, true, true},  {9, 0x86, true, false},
    };
    struct ol_s370_control control = s370(OL_S370_CR0_4K);
    struct ol_walk walk;
    put_big_endian(SEGMENTS, 4, 0xf0000000 | PAGES);
    put_big_endian(PAGES, 2, 0x70);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        control.key = cases[i].key;
        put(KEYS + 7 * 8, 8, cases[i].storage);
        assert_int_equal(s370_error(&control, 0, OL_READ, &walk), cases[i].fetch ? 0 : OL_S370_PROTECTION);
        assert_int_equal(s370_error(&control, 0, OL_EXEC, &walk), cases[i].fetch ? 0 : OL_S370_PROTECTION);
        assert_int_equal(s370_error(&control, 0, OL_WRITE, &walk), cases[i].store ? 0 : OL_S370_PROTECTION);
    }
}

/* --- RISC-V ------------------------------------------------------------------------------------------------------ */

/* The address has index 1 at each level; the tables stand at 8000, 7000, 6000. */
#define VA 0x40201123ULL
enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, ROOT = 0x8000 };

static const uint64_t entry_at[] = {0x6008, 0x7008, 0x8008};

static void set_path(uint64_t leaf, uint64_t middle, uint64_t top)
{
    put(entry_at[0], 8, leaf);
    put(entry_at[1], 8, middle);
    put(entry_at[2], 8, top);
}

static void test_riscv_rights_and_encodings(void **state)
{
    (void)state;
    const uint64_t page = 0xabcULL << 10, middle = 6ULL << 10 | V, top = 7ULL << 10 | V;
    const struct {
        uint64_t leaf, middle, top;
        bool user, sum, mxr;
        unsigned access;
        int cause; /* 0: success */
    } cases[] = {
        {page | V | R | U, middle, top, true, false, false, OL_READ, 0},
        {page | R | U, middle, top, true, false, false, OL_READ, 13},
        {page | V | R | U, middle & ~1ULL, top, true, false, false, OL_WRITE, 15},
        {page | V | R | U, middle, top & ~1ULL, true, false, false, OL_EXEC, 12},
        {page | V | R | U, middle, top, true, false, false, OL_WRITE, 15},
        {page | V | R | W | U, middle, top, true, false, false, OL_WRITE, 0},
        {page | V | W | U, middle, top, true, false, false, OL_READ, 13}, /* reserved */
        {page | V | R | U, middle, top, true, false, false, OL_EXEC, 12},
        {page | V | X | U, middle, top, true, false, false, OL_EXEC, 0},
        {page | V | X | U, middle, top, true, false, false, OL_READ, 13},
        {page | V | X | U, middle, top, true, false, true, OL_READ, 0},
        {page | V | R, middle, top, true, false, false, OL_READ, 13},
        {page | V | R | X, middle, top, false, false, false, OL_EXEC, 0},
        {page | V | R | X | U, middle, top, false, false, false, OL_READ, 13},
        {page | V | R | X | U, middle, top, false, true, false, OL_READ, 0},
        {page | V | R | X | U, middle, top, false, true, false, OL_EXEC, 12},
        {page | V | U, middle, top, true, false, false, OL_READ, 13}, /* names a table at the last level */
        {page | V | R | U, middle | A, top, true, false, false, OL_READ, 13},
        {page | V | R | U, middle | U, top, true, false, false, OL_READ, 13},
        {page | V | R | U, middle, top | D, true, false, false, OL_READ, 13},
        {page | V | R | U | 1ULL << 54, middle, top, true, false, false, OL_READ, 13},
        {page | V | R | U | 1ULL << 63, middle, top, true, false, false, OL_READ, 13},
        {page | V | R | U, middle | 1ULL << 61, top, true, false, false, OL_READ, 13},
        {page | V | R | U | 0x300, middle | 0x300, top, true, false, false, OL_READ, 0}, /* for software */
        {0, 0x600ULL << 10 | V | R | U, top, true, false, false, OL_READ, 0},
        {0, 0x601ULL << 10 | V | R | U, top, true, false, false, OL_READ, 13}, /* misaligned */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ol_riscv_control control = {
            .root = ROOT, .levels = 3, .user = cases[i].user, .sum = cases[i].sum, .mxr = cases[i].mxr};
        struct ol_walk walk;
        set_path(cases[i].leaf, cases[i].middle, cases[i].top);
        ol_riscv_walk(&memory.words, &control, VA, cases[i].access, &walk);
        const int cause = walk.outcome == OL_WALK_OK ? 0 : (int)walk.error_code;
        if (cause != cases[i].cause) fail_msg("case %zu: cause %d, not %d", i, cause, cases[i].cause);
        if (cause != 0) assert_int_equal(walk.update_count, 0);
    }
}

static void test_riscv_bits_and_sizes(void **state)
{
    (void)state;
    struct ol_riscv_control control = {.root = ROOT, .levels = 3, .user = true};
    struct ol_walk walk;
    const uint64_t leaf = 0xabcULL << 10 | V | R | W | U;
    set_path(leaf, 6ULL << 10 | V | G, 7ULL << 10 | V);
    ol_riscv_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.physical, 0xabc123);
    assert_int_equal(walk.page_shift, 12);
    assert_true(walk.global);
    assert_false(walk.dirty);
    assert_int_equal(walk.update_count, 1); /* of the leaf alone */
    assert_int_equal(walk.updates[0].value, leaf | A);
    ol_riscv_walk(&memory.words, &control, VA, OL_WRITE, &walk);
    assert_int_equal(walk.updates[0].value, leaf | A | D);
    apply(&walk);
    ol_riscv_walk(&memory.words, &control, VA, OL_WRITE, &walk);
    assert_int_equal(walk.update_count, 0);

    put(entry_at[1], 8, 0x600ULL << 10 | V | R | U);
    ol_riscv_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.page_shift, 21);
    assert_int_equal(walk.physical, 0x600000 | (VA & 0x1fffff));
    put(entry_at[2], 8, 0xc0000ULL << 10 | V | R | U);
    ol_riscv_walk(&memory.words, &control, VA, OL_READ, &walk);
    assert_int_equal(walk.page_shift, 30);
    assert_int_equal(walk.physical, 0xc0000000 | (VA & 0x3fffffff));

    ol_riscv_walk(&memory.words, &control, VA | 1ULL << 39, OL_READ, &walk);
    assert_int_equal(walk.error_code, 13);
    assert_int_equal(walk.words_read, 0);
    control.levels = 4;
    put(0x9008, 8, 8ULL << 10 | V); /* one more level on top */
    control.root = 0x9000;
    ol_riscv_walk(&memory.words, &control, VA | 1ULL << 39, OL_READ, &walk);
    assert_int_equal(walk.outcome, OL_WALK_OK);
    assert_int_equal(walk.words_read, 2);
}

/* --- Atlas ------------------------------------------------------------------------------------------------------- */

static void test_atlas_registers(void **state)
{
    (void)state;
    const struct ol_atlas_control control = {.registers = 0x1000, .pages = 3, .program = 7};
    const uint64_t program = 7ULL << OL_ATLAS_PROGRAM_SHIFT;
    struct ol_walk walk;
    put(0x1000, 8, 8ULL << OL_ATLAS_PROGRAM_SHIFT | OL_ATLAS_HELD | 5); /* another program's: locked out */
    put(0x1008, 8, program | 5);                                        /* holds nothing */
    put(0x1018, 8, program | OL_ATLAS_HELD | 5);                        /* beyond the core store */
    ol_atlas_walk(&memory.words, &control, 0x5123, OL_READ, &walk);
    assert_int_equal(walk.outcome, OL_WALK_PAGE_FAULT);
    assert_int_equal(walk.update_count, 0);
    put(0x1010, 8, program | OL_ATLAS_HELD | 5);
    for (unsigned access = OL_READ; access <= OL_EXEC; access <<= 1) {
        ol_atlas_walk(&memory.words, &control, 0x5123, access, &walk);
        assert_int_equal(walk.outcome, OL_WALK_OK);
        assert_int_equal(walk.physical, 0x2123);
        assert_int_equal(walk.update_count, access == OL_READ);
        apply(&walk);
        assert_int_equal(ol_sim_memory_word(&memory, 0x1010), program | OL_ATLAS_HELD | OL_ATLAS_USE | 5);
    }
    ol_atlas_walk(&memory.words, &control, 0x6123, OL_READ, &walk);
    assert_int_equal(walk.outcome, OL_WALK_PAGE_FAULT);
    ol_atlas_walk(&memory.words, &control, 1 << 23 | 0x5123, OL_READ, &walk);
    assert_int_equal(walk.outcome, OL_WALK_GENERAL_PROTECTION);
}

/* --- what all formats promise ------------------------------------------------------------------------------------ */

/* Every format's entries mean what they were made to mean. */
static void test_entries_keep_what_they_are_given(void **state)
{
    (void)state;
    for (const struct ol_sim_format *const *at = ol_sim_formats; *at; at++) {
        const struct ol_sim_format *const format = *at;
        assert_ptr_equal(ol_sim_format_find(format->is.name), format);
        unsigned bits = format->is.page_shift;
        for (unsigned level = 0; level < format->levels; level++) {
            assert_int_equal(format->level[level].shift, bits); /* no bit of an address is lost, or used twice */
            bits += format->level[level].index_bits;
        }
        assert_true(format->is.last_va < 1ULL << bits);
        const ol_frame_no frames[] = {0, 1, format->frames_max / 2, format->frames_max - 1};
        for (unsigned i = 0; i < 4 * 4 * 4; i++) {
            struct ol_sim_leaf leaf = {.frame = frames[i / 16], .rights = OL_READ, .attributes = i & 3};
            if (i & 4) leaf.rights |= OL_WRITE;
            if ((i & 8) && format->is.has_execute) leaf.rights |= OL_EXEC;
            if (!format->is.has_referenced) leaf.attributes &= ~(unsigned)OL_REFERENCED;
            if (format->is.no_write_protection) leaf.rights |= OL_WRITE;
            if (format->hidden_tables) leaf.attributes |= OL_MODIFIED;
            const uint64_t entry = format->leaf_entry(&leaf);
            struct ol_sim_leaf found = format->leaf_decode(entry);
            if (format->has_keys) format->key_decode(format->key(&leaf, 0x3000, 1), &found);
            assert_int_not_equal(entry, format->level[0].empty);
            assert_int_equal(found.frame, leaf.frame);
            assert_int_equal(found.rights, leaf.rights);
            assert_int_equal(found.attributes, leaf.attributes);
        }
    }
    assert_null(ol_sim_format_find("pdp11"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vax_lengths_and_validity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vax_protection_codes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vax_modify, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_s370_translation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_s370_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_atlas_registers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_riscv_rights_and_encodings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_riscv_bits_and_sizes, set_up, tear_down),
        cmocka_unit_test(test_entries_keep_what_they_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
