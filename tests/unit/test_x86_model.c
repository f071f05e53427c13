/* SPDX-License-Identifier: MIT */
/*
 * The x86 walk against a second reading of the manuals, on tables made to be awkward: entries that point at tables in
 * use on other levels, reserved and ignored bits, large pages, addresses at the edges, every control bit.
 * usage: test_x86_model [CASES-PER-MODE [SEED]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/random.h"
#include "tests/support/sanitized.h"
#include "tests/support/x86_model.h"

enum { FRAMES = 8, FRAME_BYTES = 4096, MEMORY_WORDS = FRAMES * FRAME_BYTES / 8, CHANGES_MAX = 64 };

static uint64_t cases_per_mode = 1000000, seed = 20261121;

/* A memory of few frames, so that tables often meet, and what to undo in it after a case. */
static struct memory {
    struct ol_words words;
    uint64_t word[MEMORY_WORDS];
    unsigned changes;
    uint64_t changed[CHANGES_MAX];
} memory;

static uint64_t random_state;
static unsigned gentleness; /* of the case: how seldom its entries are unusual */

static uint64_t any_number(void)
{
    return ol_random(&random_state);
}

/* True once in `in` times. */
static bool once(unsigned in)
{
    return ol_random_below(&random_state, in) == 0;
}

static uint64_t read_word(const struct ol_words *words, uint64_t address)
{
    const struct memory *const from = (const struct memory *)words;
    return address / 8 < MEMORY_WORDS ? from->word[address / 8] : 0;
}

static void write_entry(uint64_t address, unsigned bytes, uint64_t entry)
{
    if (address / 8 >= MEMORY_WORDS || memory.changes == CHANGES_MAX) return;
    memory.changed[memory.changes++] = address / 8;
    uint64_t *const word = &memory.word[address / 8];
    if (bytes == 8) *word = entry;
    else *word = (*word & ~(0xffffffffULL << address % 8 * 8)) | (entry & 0xffffffff) << address % 8 * 8;
}

static void forget_tables(void)
{
    while (memory.changes > 0) memory.word[memory.changed[--memory.changes]] = 0;
}

/* An address with an inclination to edges. */
static ol_va random_va(const struct ol_x86_format *format)
{
    const unsigned bits = format->address_bits;
    ol_va va = any_number() & (any_number() | any_number());
    if (once(4)) va |= ~0ULL << ol_random_below(&random_state, bits);
    if (once(4)) va &= ~(~0ULL << ol_random_below(&random_state, 63));
    if (bits == 32) return va & 0xffffffff;
    if (!once(12)) va = (va >> (bits - 1) & 1) ? va | ~0ULL << (bits - 1) : va & ~(~0ULL << (bits - 1));
    return once(40) ? va ^ 1ULL << ol_random_below(&random_state, 64) : va;
}

static struct ol_x86_control random_control(const struct ol_x86_format *format)
{
    static const uint8_t maxphyaddr[] = {32, 33, 36, 39, 40, 41, 46, 48, 51, 52};
    const uint64_t any = any_number();
    struct ol_x86_control control = {
        .cr0 = OL_X86_CR0_PG | OL_X86_CR0_PE | (any & OL_X86_CR0_WP),
        .cr3 = ol_random_below(&random_state, FRAMES) * FRAME_BYTES | (any_number() & 0xfff),
        .cr4 = any_number() & (OL_X86_CR4_PSE | OL_X86_CR4_PGE | OL_X86_CR4_SMEP | OL_X86_CR4_SMAP),
        .efer = any & OL_X86_EFER_NXE,
        .cpl = once(2) ? 3 : (uint8_t)ol_random_below(&random_state, 3),
        .eflags_ac = once(2),
        .maxphyaddr = maxphyaddr[ol_random_below(&random_state, sizeof maxphyaddr)],
    };
    if (format->entry_bytes == 8) control.cr4 |= OL_X86_CR4_PAE;
    else control.cr4 |= once(4) ? OL_X86_CR4_LA57 : 0; /* of no concern there */
    if (format->levels > 3) control.efer |= OL_X86_EFER_LMA;
    if (format == &ol_x86_la57) control.cr4 |= OL_X86_CR4_LA57;
    return control;
}

/* Flags that mostly let the walk go on, and sometimes not. */
static uint64_t random_flags(void)
{
    uint64_t flags = OL_X86_P | (any_number() & (OL_X86_A | OL_X86_D | OL_X86_G | 0xe18));
    if (!once(5 * gentleness)) flags |= OL_X86_RW;
    if (!once(5 * gentleness)) flags |= OL_X86_US;
    if (once(25 * gentleness)) flags &= ~OL_X86_P;
    if (once(6 * gentleness)) flags |= OL_X86_XD;
    if (once(6)) flags |= OL_X86_PS;
    if (once(12 * gentleness)) flags |= 1ULL << ol_random_below(&random_state, 64);
    if (once(10 * gentleness)) flags |= any_number() & 0x7ff0000000000000;
    return flags;
}

static uint64_t random_entry(const struct ol_x86_level *level)
{
    if (level->loaded && !once(20))
        return ol_random_below(&random_state, FRAMES) * FRAME_BYTES | 1 | (any_number() & 0xe18);
    uint64_t entry = random_flags();
    if (once(8)) entry &= ~(uint64_t)OL_X86_XD & ~0x7ff0000000000000ULL;
    if (entry & OL_X86_PS || level->shift == 12) {
        const uint64_t address = any_number() & ((1ULL << ol_random_below(&random_state, 53)) - 1);
        return entry | (address & OL_X86_ADDRESS & (once(3) ? ~0ULL : ~0ULL << level->shift));
    }
    return entry | (once(30) ? any_number() & 0xffffff000 : ol_random_below(&random_state, FRAMES) * FRAME_BYTES);
}

/* Fills in the entries that va leads to; what stands there from a level above is sometimes kept. */
static void random_tables(const struct ol_x86_format *format, const struct ol_x86_control *control, ol_va va)
{
    uint64_t table = control->cr3 & format->root_bits;
    for (unsigned level = format->levels; level-- > 0;) {
        const struct ol_x86_level *const is = &format->level[level];
        const uint64_t address = table + ol_x86_index(is, va) * format->entry_bytes;
        if (ol_words_entry(&memory.words, address, format->entry_bytes) == 0 || !once(3))
            write_entry(address, format->entry_bytes, random_entry(is));
        const uint64_t entry = ol_words_entry(&memory.words, address, format->entry_bytes);
        table = entry & (format->entry_bytes == 8 ? OL_X86_ADDRESS : 0xfffff000);
    }
}

/* True if each of the walk's words, and no other, becomes what the model's bits make of it. */
static bool same_updates(const struct ol_model_answer *model, const struct ol_walk *walk)
{
    unsigned changed = 0;
    for (unsigned i = 0; i < walk->update_count; i++)
        for (unsigned other = 0; other < i; other++)
            if (walk->updates[i].address == walk->updates[other].address) return false;
    for (unsigned i = 0; i < model->entries; i++) {
        const uint64_t at = model->entry[i].address & ~7ULL;
        uint64_t expected = read_word(&memory.words, at);
        bool first = true;
        for (unsigned other = 0; other < model->entries; other++) {
            if ((model->entry[other].address & ~7ULL) != at) continue;
            expected |= model->entry[other].set << model->entry[other].address % 8 * 8;
            first = first && other >= i;
        }
        if (expected == read_word(&memory.words, at)) continue;
        unsigned found = 0;
        while (found < walk->update_count && walk->updates[found].address != at) found++;
        if (found == walk->update_count || walk->updates[found].value != expected) return false;
        if (first) changed++;
    }
    return changed == walk->update_count;
}

static bool same(const struct ol_model_answer *model, const struct ol_walk *walk)
{
    switch (walk->outcome) {
    case OL_WALK_OK: return model->outcome == 'o' && model->physical == walk->physical && same_updates(model, walk);
    case OL_WALK_PAGE_FAULT:
        return model->outcome == 'p' && model->error_code == walk->error_code && walk->update_count == 0;
    case OL_WALK_GENERAL_PROTECTION: return model->outcome == 'g' && walk->update_count == 0;
    }
    return false;
}

/* What the walk says of the other kinds of access must hold, too: a TLB believes it. */
static void check_rights(const struct ol_x86_control *control, ol_va va, const struct ol_walk *walk)
{
    for (unsigned kind = OL_READ; kind <= OL_EXEC; kind <<= 1) {
        struct ol_model_answer model;
        ol_x86_model(&memory.words, control, va, kind, &model);
        assert_int_equal((walk->rights & kind) != 0, model.outcome == 'o');
    }
}

static uint64_t outcomes[3], large, updated;

static void count(const struct ol_walk *walk)
{
    outcomes[walk->outcome]++;
    if (walk->outcome == OL_WALK_OK && walk->page_shift > 12) large++;
    if (walk->update_count > 0) updated++;
}

static void one_case(const struct ol_x86_format *format, uint64_t number)
{
    static const unsigned kinds[] = {OL_READ, OL_WRITE, OL_EXEC};
    const struct ol_x86_control control = random_control(format);
    const ol_va va = random_va(format);
    const unsigned access = kinds[ol_random_below(&random_state, 3)];
    struct ol_walk walk;
    struct ol_model_answer model;
    gentleness = once(2) ? 1 : 8;
    random_tables(format, &control, va);
    ol_x86_walk(&memory.words, &control, va, access, &walk);
    ol_x86_model(&memory.words, &control, va, access, &model);
    if (!same(&model, &walk)) {
        fail_msg("%s, case %llu of seed %llu, va %llx, access %u: the model says %c %x %llx, the walk %d %x %llx",
                 format->name, (unsigned long long)number, (unsigned long long)seed, (unsigned long long)va, access,
                 model.outcome, model.error_code, (unsigned long long)model.physical, (int)walk.outcome,
                 walk.error_code, (unsigned long long)walk.physical);
    }
    if (walk.outcome == OL_WALK_OK) check_rights(&control, va, &walk);
    count(&walk);
    forget_tables();
}

static void run_mode(const struct ol_x86_format *format)
{
    random_state = seed;
    large = updated = outcomes[0] = outcomes[1] = outcomes[2] = 0;
    const uint64_t cases = OL_SANITIZED ? cases_per_mode / 10 : cases_per_mode;
    for (uint64_t i = 0; i < cases; i++) one_case(format, i);
    print_message("%s: %llu ok (%llu on large pages, %llu set bits), %llu page faults, %llu general protection\n",
                  format->name, (unsigned long long)outcomes[0], (unsigned long long)large, (unsigned long long)updated,
                  (unsigned long long)outcomes[1], (unsigned long long)outcomes[2]);
    /* The generator must not drift to where nothing is tested. */
    assert_true(outcomes[0] > cases / 8 && outcomes[1] > cases / 8 && large > cases / 50 && updated > cases / 20);
}

static void test_ia32(void **state)
{
    (void)state;
    run_mode(&ol_x86_ia32);
}

static void test_pae(void **state)
{
    (void)state;
    run_mode(&ol_x86_pae);
}

static void test_amd64(void **state)
{
    (void)state;
    run_mode(&ol_x86_amd64);
}

static void test_la57(void **state)
{
    (void)state;
    run_mode(&ol_x86_la57);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ia32),
        cmocka_unit_test(test_pae),
        cmocka_unit_test(test_amd64),
        cmocka_unit_test(test_la57),
    };
    if (argc > 1) cases_per_mode = strtoull(argv[1], NULL, 10);
    if (argc > 2) seed = strtoull(argv[2], NULL, 10);
    memory.words.read = read_word;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
