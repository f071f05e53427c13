/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: any descriptor tables, any selector in any register of the 80286, any reference through it; compared
 * with the second reading of the manual. Input: a head, then descriptors with their places in memory.
 */
#include <string.h>

#include "machine/sim/i286.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/i286_model.h"

enum { MEMORY = 1 << 24, DESCRIPTORS_MOST = 64 };

struct head {
    uint8_t gdt[3], ldt[3]; /* where they begin */
    uint16_t gdt_limit, ldt_limit, selector, offset, bytes;
    uint8_t cpl, where, access;
};

struct placed {
    uint8_t local; /* bit 0: in the LDT */
    uint8_t index;
    uint8_t value[8];
};

static uint8_t memory[MEMORY];

static uint64_t read_word(const struct ol_words *words, uint64_t address)
{
    uint64_t word;
    (void)words;
    if (address >= MEMORY) return read_word(words, address - MEMORY); /* there are 24 address lines */
    memcpy(&word, memory + address, sizeof word);
    return word;
}

static uint32_t base_of(const uint8_t bytes[3])
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
}

static void put(const struct head *head, const struct placed *placed, bool there)
{
    const uint32_t at = base_of(placed->local & 1 ? head->ldt : head->gdt) + placed->index * 8U;
    for (unsigned i = 0; i < sizeof placed->value; i++) memory[(at + i) % MEMORY] = there ? placed->value[i] : 0;
}

static void check_reference(const struct head *head, enum ol_i286_register where, const char *name,
                            const struct ol_i286_load *load, const struct model_answer *model)
{
    static const unsigned kinds[] = {OL_READ, OL_WRITE, OL_EXEC};
    const unsigned kind = head->access % (where == OL_I286_CS_REGISTER ? 3U : 2U);
    struct ol_i286_reference reference;
    uint32_t physical = 0;
    ol_i286_refer(&load->segment, where, head->offset, head->bytes + 1U, kinds[kind], &reference);
    const int exception = model_refer(model, name, head->offset, head->bytes + 1, "rwx"[kind], &physical);
    FUZZ_CHECK((int)reference.exception == exception && (exception == 0) == !reference.check);
    FUZZ_CHECK(exception || reference.physical == physical);
}

static void compare(const struct head *head)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS"};
    const enum ol_i286_register where = (enum ol_i286_register)(head->where % OL_I286_REGISTERS);
    const struct ol_i286_control control = {.gdt = {base_of(head->gdt), head->gdt_limit},
                                            .ldt = {base_of(head->ldt), head->ldt_limit},
                                            .cpl = head->cpl & OL_I286_RPL};
    struct ol_i286_load load;
    const struct ol_words words = {.read = read_word};
    ol_i286_load(&words, &control, where, head->selector, &load);
    const struct model_answer model = model_load(memory, control.gdt.base, control.gdt.limit, control.ldt.base,
                                                 control.ldt.limit, control.cpl, names[where], head->selector);
    FUZZ_CHECK((int)load.exception == model.exception);
    FUZZ_CHECK(!load.exception || load.error_code == model.error_code);
    FUZZ_CHECK((load.exception != OL_I286_NONE) == (load.check != NULL));
    if (load.exception) return;
    FUZZ_CHECK(load.segment.usable == !model.null);
    FUZZ_CHECK((load.sets_accessed ? (int)((load.address + 5) % MEMORY) : -1) == model.set_accessed_at);
    check_reference(head, where, names[where], &load, &model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct head head;
    struct placed placed[DESCRIPTORS_MOST];
    size_t count = 0;
    if (bytes < sizeof head) return 0;
    memcpy(&head, data, sizeof head);
    for (size_t at = sizeof head; at + sizeof placed[0] <= bytes && count < DESCRIPTORS_MOST; at += sizeof placed[0])
        memcpy(&placed[count++], data + at, sizeof placed[0]);
    for (size_t i = 0; i < count; i++) put(&head, &placed[i], true);
    compare(&head);
    for (size_t i = 0; i < count; i++) put(&head, &placed[i], false);
    return 0;
}
