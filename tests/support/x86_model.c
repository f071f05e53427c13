/* SPDX-License-Identifier: MIT */
#include "tests/support/x86_model.h"

/* One translation as it proceeds. Names of bits are written as numbers, as in the manuals' tables of formats. */
struct work {
    const struct ol_words *words;
    const struct ol_x86_control *c;
    ol_va va;
    unsigned access;
    bool all_rw, all_us, any_xd;
    struct ol_model_answer *out;
};

static bool bit(uint64_t value, unsigned number)
{
    return (value >> number) % 2 == 1;
}

/* Is any of the bits low to high of value 1? */
static bool any(uint64_t value, unsigned low, unsigned high)
{
    for (unsigned number = low; number <= high; number++)
        if (bit(value, number)) return true;
    return false;
}

static uint64_t field(uint64_t value, unsigned low, unsigned high)
{
    uint64_t result = 0;
    for (unsigned number = high + 1; number-- > low;) result = result * 2 + (bit(value, number) ? 1 : 0);
    return result;
}

static bool smep(const struct work *w)
{
    return bit(w->c->cr4, 20);
}

static bool nxe_counts(const struct work *w)
{
    return bit(w->c->cr4, 5) && bit(w->c->efer, 11);
}

static void page_fault(struct work *w, bool present, bool reserved)
{
    w->out->outcome = 'p';
    w->out->entries = 0;
    w->out->error_code = 0;
    if (present) w->out->error_code += 1;
    if (w->access == OL_WRITE) w->out->error_code += 2;
    if (w->c->cpl == 3) w->out->error_code += 4;
    if (reserved) w->out->error_code += 8;
    if (w->access == OL_EXEC && (nxe_counts(w) || smep(w))) w->out->error_code += 16;
}

/* SDM 3A 4.6.1, sentence by sentence. */
static bool permitted(const struct work *w)
{
    const bool user_address = w->all_us;
    if (w->c->cpl < 3) {
        switch (w->access) {
        case OL_READ:
            if (!user_address) return true;
            return !bit(w->c->cr4, 21) || w->c->eflags_ac;
        case OL_WRITE:
            if (!user_address) return bit(w->c->cr0, 16) ? w->all_rw : true;
            if (bit(w->c->cr4, 21) && !w->c->eflags_ac) return false;
            return bit(w->c->cr0, 16) ? w->all_rw : true;
        default:
            if (!user_address) return !w->any_xd;
            return smep(w) ? false : !w->any_xd;
        }
    }
    if (!user_address) return false;
    if (w->access == OL_READ) return true;
    return w->access == OL_WRITE ? w->all_rw : !w->any_xd;
}

static void combine(struct work *w, uint64_t entry)
{
    if (!bit(entry, 1)) w->all_rw = false;
    if (!bit(entry, 2)) w->all_us = false;
    if (nxe_counts(w) && bit(entry, 63)) w->any_xd = true;
}

static void used(struct work *w, uint64_t address, uint64_t bits)
{
    w->out->entry[w->out->entries].address = address;
    w->out->entry[w->out->entries++].set = bits;
}

static void reach(struct work *w, uint64_t leaf_address, uint64_t physical)
{
    if (!permitted(w)) {
        page_fault(w, true, false);
        return;
    }
    used(w, leaf_address, w->access == OL_WRITE ? 0x60 : 0x20);
    w->out->outcome = 'o';
    w->out->physical = physical;
}

static uint64_t four_bytes(const struct work *w, uint64_t address)
{
    const uint64_t both = w->words->read(w->words, address - address % 8);
    return address % 8 == 4 ? both / 0x100000000ULL : both % 0x100000000ULL;
}

/* SDM 3A 4.3: tables 4-3 to 4-6. */
static void model_ia32(struct work *w)
{
    w->out->entry_bytes = 4;
    const uint64_t pde_address = field(w->c->cr3, 12, 31) * 4096 + field(w->va, 22, 31) * 4;
    const uint64_t pde = four_bytes(w, pde_address);
    if (!bit(pde, 0)) {
        page_fault(w, false, false);
        return;
    }
    if (bit(w->c->cr4, 4) && bit(pde, 7)) {
        const unsigned m = w->c->maxphyaddr < 40 ? w->c->maxphyaddr : 40;
        if (any(pde, m - 19, 21)) {
            page_fault(w, true, true);
            return;
        }
        combine(w, pde);
        const uint64_t high = m > 32 ? field(pde, 13, m - 20) : 0;
        reach(w, pde_address, high * 0x100000000ULL + field(pde, 22, 31) * 0x400000 + field(w->va, 0, 21));
        return;
    }
    combine(w, pde);
    used(w, pde_address, 0x20);
    const uint64_t pte_address = field(pde, 12, 31) * 4096 + field(w->va, 12, 21) * 4;
    const uint64_t pte = four_bytes(w, pte_address);
    if (!bit(pte, 0)) {
        page_fault(w, false, false);
        return;
    }
    combine(w, pte);
    reach(w, pte_address, field(pte, 12, 31) * 4096 + field(w->va, 0, 11));
}

static bool beyond(const struct work *w, uint64_t entry, unsigned last)
{
    return w->c->maxphyaddr <= last && any(entry, w->c->maxphyaddr, last);
}

/* SDM 3A 4.4: tables 4-8 to 4-11. */
static void model_pae(struct work *w)
{
    w->out->entry_bytes = 8;
    const bool nxe = bit(w->c->efer, 11);
    const uint64_t pdpte = w->words->read(w->words, field(w->c->cr3, 5, 31) * 32 + field(w->va, 30, 31) * 8);
    if (!bit(pdpte, 0)) {
        page_fault(w, false, false);
        return;
    }
    if (any(pdpte, 1, 2) || any(pdpte, 5, 8) || beyond(w, pdpte, 63)) {
        w->out->outcome = 'g';
        return;
    }
    const uint64_t pde_address = field(pdpte, 12, 51) * 4096 + field(w->va, 21, 29) * 8;
    const uint64_t pde = w->words->read(w->words, pde_address);
    if (!bit(pde, 0)) {
        page_fault(w, false, false);
        return;
    }
    const bool large = bit(pde, 7);
    if (beyond(w, pde, 62) || (!nxe && bit(pde, 63)) || (large && any(pde, 13, 20))) {
        page_fault(w, true, true);
        return;
    }
    combine(w, pde);
    if (large) {
        reach(w, pde_address, field(pde, 21, 51) * 0x200000 + field(w->va, 0, 20));
        return;
    }
    used(w, pde_address, 0x20);
    const uint64_t pte_address = field(pde, 12, 51) * 4096 + field(w->va, 12, 20) * 8;
    const uint64_t pte = w->words->read(w->words, pte_address);
    if (!bit(pte, 0)) {
        page_fault(w, false, false);
        return;
    }
    if (beyond(w, pte, 62) || (!nxe && bit(pte, 63))) {
        page_fault(w, true, true);
        return;
    }
    combine(w, pte);
    reach(w, pte_address, field(pte, 12, 51) * 4096 + field(w->va, 0, 11));
}

/* SDM 3A 4.5: tables 4-13 to 4-20. `low` is the lowest bit of the address that the present table translates. */
static void model_long(struct work *w, unsigned top)
{
    w->out->entry_bytes = 8;
    bool all_ones = true, all_zeros = true;
    for (unsigned number = top; number < 64; number++) {
        if (bit(w->va, number)) all_zeros = false;
        else all_ones = false;
    }
    if (!all_ones && !all_zeros) {
        w->out->outcome = 'g';
        return;
    }
    uint64_t table = field(w->c->cr3, 12, 51) * 4096;
    for (unsigned low = top - 8;; low -= 9) {
        const uint64_t address = table + field(w->va, low, low + 8) * 8;
        const uint64_t entry = w->words->read(w->words, address);
        if (!bit(entry, 0)) {
            page_fault(w, false, false);
            return;
        }
        const bool page_of_1g = low == 30 && bit(entry, 7), page_of_2m = low == 21 && bit(entry, 7);
        if (beyond(w, entry, 51) || (!bit(w->c->efer, 11) && bit(entry, 63)) || (low >= 39 && bit(entry, 7)) ||
            (page_of_1g && any(entry, 13, 29)) || (page_of_2m && any(entry, 13, 20))) {
            page_fault(w, true, true);
            return;
        }
        combine(w, entry);
        if (page_of_1g || page_of_2m || low == 12) {
            const uint64_t size = page_of_1g ? 0x40000000 : page_of_2m ? 0x200000 : 0x1000;
            reach(w, address, field(entry, low, 51) * size + w->va % size);
            return;
        }
        used(w, address, 0x20);
        table = field(entry, 12, 51) * 4096;
    }
}

void ol_x86_model(const struct ol_words *words, const struct ol_x86_control *control, ol_va va, unsigned access,
                  struct ol_model_answer *out)
{
    struct work w = {.words = words,
                     .c = control,
                     .va = va,
                     .access = access,
                     .all_rw = true,
                     .all_us = true,
                     .any_xd = false,
                     .out = out};
    *out = (struct ol_model_answer){.outcome = '?'};
    if (!bit(control->cr4, 5)) model_ia32(&w);
    else if (!bit(control->efer, 10)) model_pae(&w);
    else model_long(&w, bit(control->cr4, 12) ? 56 : 47);
}
