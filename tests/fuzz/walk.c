/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: any memory, any control state, any address, in every format. A walk ends, keeps its promises (walk.h),
 * and on x86 agrees with the second reading of the manuals. Input: a head, then words of memory with their places.
 */
#include <string.h>

#include "machine/sim/format.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/x86_model.h"

enum { MEMORY_WORDS = 1 << 12 };

struct head {
    uint8_t format, access, cpl, maxphyaddr;
    uint8_t flags[4];
    uint64_t va, cr0, cr3, cr4, efer;
};

struct placed {
    uint16_t place;
    uint8_t value[8];
};

static struct memory {
    struct ol_words words;
    uint64_t word[MEMORY_WORDS];
} memory;

static uint64_t read_word(const struct ol_words *words, uint64_t address)
{
    const struct memory *const from = (const struct memory *)words;
    return address / 8 < MEMORY_WORDS ? from->word[address / 8] : 0;
}

static void check_promises(const struct ol_walk *walk, unsigned access)
{
    FUZZ_CHECK(walk->words_read <= OL_WALK_WORDS_MAX && walk->update_count <= OL_WALK_WORDS_MAX);
    FUZZ_CHECK(walk->outcome == OL_WALK_OK || walk->update_count == 0);
    FUZZ_CHECK(walk->outcome != OL_WALK_OK || (walk->rights & access));
    FUZZ_CHECK(walk->outcome != OL_WALK_OK || access != OL_WRITE || walk->dirty);
    for (unsigned i = 0; i < walk->update_count; i++) {
        const uint64_t before = read_word(&memory.words, walk->updates[i].address);
        FUZZ_CHECK(walk->updates[i].address % 8 == 0);
        FUZZ_CHECK((walk->updates[i].value & before) == before && walk->updates[i].value != before);
    }
}

static void walk_x86(const struct head *head, unsigned access, struct ol_walk *walk)
{
    const struct ol_x86_control control = {.cr0 = head->cr0,
                                           .cr3 = head->cr3,
                                           .cr4 = head->cr4,
                                           .efer = head->efer,
                                           .cpl = head->cpl & 3,
                                           .eflags_ac = head->flags[0] & 1,
                                           .maxphyaddr = (uint8_t)(32 + head->maxphyaddr % 21)};
    struct ol_model_answer model;
    ol_x86_walk(&memory.words, &control, head->va, access, walk);
    const struct ol_x86_format *const format = ol_x86_format(&control);
    if (!format || (format->address_bits == 32 && head->va > UINT32_MAX)) return;
    ol_x86_model(&memory.words, &control, head->va, access, &model);
    const char outcome = walk->outcome == OL_WALK_OK ? 'o' : walk->outcome == OL_WALK_PAGE_FAULT ? 'p' : 'g';
    FUZZ_CHECK(model.outcome == outcome);
    FUZZ_CHECK(outcome != 'o' || model.physical == walk->physical);
    FUZZ_CHECK(outcome != 'p' || model.error_code == walk->error_code);
}

static void walk_one(const struct head *head, unsigned access, struct ol_walk *walk)
{
    switch (head->format % 4) {
    case 0: walk_x86(head, access, walk); return;
    case 1: {
        const struct ol_riscv_control control = {.root = head->cr3 & ~0xfffULL,
                                                 .levels = head->flags[0] & 1 ? 4 : 3,
                                                 .user = head->flags[0] & 2,
                                                 .sum = head->flags[0] & 4,
                                                 .mxr = head->flags[0] & 8};
        ol_riscv_walk(&memory.words, &control, head->va, access, walk);
        return;
    }
    case 2: {
        const struct ol_vax_control control = {.sbr = (uint32_t)head->cr3 & ~3U,
                                               .p0br = (uint32_t)head->cr0,
                                               .p1br = (uint32_t)(head->cr0 >> 32),
                                               .slr = (uint32_t)head->cr4,
                                               .p0lr = (uint32_t)head->efer,
                                               .p1lr = (uint32_t)(head->efer >> 32),
                                               .mode = (enum ol_vax_mode)(head->cpl & 3)};
        ol_vax_walk(&memory.words, &control, head->va, access, walk);
        return;
    }
    default: {
        const struct ol_s370_control control = {.cr0 = (uint32_t)head->cr0,
                                                .cr1 = (uint32_t)head->cr3,
                                                .key = head->cpl & 15,
                                                .keys = (head->cr4 & 0x7fff) & ~7ULL,
                                                .real_size = head->efer & 0xffffff};
        ol_s370_walk(&memory.words, &control, head->va, access, walk);
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const unsigned kinds[] = {OL_READ, OL_WRITE, OL_EXEC};
    struct head head;
    struct placed placed;
    struct ol_walk walk, again;
    if (bytes < sizeof head) return 0;
    memcpy(&head, data, sizeof head);
    memory.words.read = read_word;
    memset(memory.word, 0, sizeof memory.word);
    for (size_t at = sizeof head; at + sizeof placed <= bytes; at += sizeof placed) {
        memcpy(&placed, data + at, sizeof placed);
        memcpy(&memory.word[placed.place % MEMORY_WORDS], placed.value, sizeof placed.value);
    }
    const unsigned access = kinds[head.access % 3];
    walk_one(&head, access, &walk);
    check_promises(&walk, access);
    walk_one(&head, access, &again);
    FUZZ_CHECK(walk.outcome == again.outcome && walk.physical == again.physical && walk.error_code == again.error_code);
    return 0;
}
