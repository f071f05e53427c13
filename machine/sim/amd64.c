/* SPDX-License-Identifier: MIT */
#include "machine/sim/amd64.h"

/* What the entries seen so far have in common. */
struct path {
    bool user, writable, no_execute;
};

static bool is_canonical(ol_va va)
{
    const uint64_t top = va >> 47;
    return top == 0 || top == 0x1ffff;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 0 || (level <= 2 && (entry & OL_AMD64_PS));
}

/* The bits that must be 0 in a present entry of that level. */
static uint64_t reserved_bits(const struct ol_amd64_control *control, uint64_t entry, unsigned level)
{
    uint64_t bits = OL_AMD64_ADDRESS & ~((1ULL << control->maxphyaddr) - 1);
    if (!(control->efer & OL_AMD64_EFER_NXE)) bits |= OL_AMD64_XD;
    if (level == 3) bits |= OL_AMD64_PS;
    if (level > 0 && is_leaf(entry, level)) {
        const uint64_t page = 1ULL << (OL_SIM_PAGE_SHIFT + OL_AMD64_INDEX_BITS * level);
        bits |= (page - 1) & ~((1ULL << 13) - 1);
    }
    return bits;
}

static bool is_allowed(const struct ol_amd64_control *control, const struct path *path, unsigned access)
{
    if (access == OL_EXEC && path->no_execute) return false;
    if (control->cpl == 3) return path->user && (access != OL_WRITE || path->writable);
    if (access == OL_EXEC) return !(path->user && (control->cr4 & OL_AMD64_CR4_SMEP));
    if (path->user && (control->cr4 & OL_AMD64_CR4_SMAP) && !control->eflags_ac) return false;
    return access != OL_WRITE || path->writable || !(control->cr0 & OL_AMD64_CR0_WP);
}

static void fault(const struct ol_amd64_control *control, unsigned access, uint32_t cause, struct ol_walk *out)
{
    const bool tells_fetch = (control->efer & OL_AMD64_EFER_NXE) || (control->cr4 & OL_AMD64_CR4_SMEP);
    out->outcome = OL_WALK_PAGE_FAULT;
    out->error_code = cause;
    if (access == OL_WRITE) out->error_code |= OL_AMD64_PF_WR;
    if (control->cpl == 3) out->error_code |= OL_AMD64_PF_US;
    if (access == OL_EXEC && tells_fetch) out->error_code |= OL_AMD64_PF_ID;
    out->update_count = 0;
}

/* Notes that the entry at `address` is to have `bits`. */
static void update(struct ol_walk *out, uint64_t address, uint64_t entry, uint64_t bits)
{
    if ((entry & bits) == bits) return;
    out->updates[out->update_count].address = address;
    out->updates[out->update_count].value = entry | bits;
    out->update_count++;
}

/* The leaf is found, and entries above it are noted for their A bit. */
static void finish(const struct ol_amd64_control *control, const struct path *path, unsigned access,
                   struct ol_walk *out)
{
    if (!is_allowed(control, path, access)) {
        fault(control, access, OL_AMD64_PF_P, out);
        return;
    }
    out->outcome = OL_WALK_OK;
    for (unsigned kind = OL_READ; kind <= OL_EXEC; kind <<= 1)
        if (is_allowed(control, path, kind)) out->rights |= kind;
}

void ol_amd64_walk(const struct ol_sim_memory *memory, const struct ol_amd64_control *control, ol_va va,
                   unsigned access, struct ol_walk *out)
{
    assert(access == OL_READ || access == OL_WRITE || access == OL_EXEC);
    *out = (struct ol_walk){.outcome = OL_WALK_GENERAL_PROTECTION};
    if (!is_canonical(va)) return;

    struct path path = {.user = true, .writable = true};
    uint64_t table = control->cr3 & OL_AMD64_ADDRESS;
    for (unsigned level = OL_AMD64_LEVELS - 1;; level--) {
        const uint64_t address = table + ol_amd64_index(va, level) * sizeof(uint64_t);
        const uint64_t entry = ol_sim_memory_word(memory, address);
        out->words_read++;
        if (!(entry & OL_AMD64_P)) {
            fault(control, access, 0, out);
            return;
        }
        if (entry & reserved_bits(control, entry, level)) {
            fault(control, access, OL_AMD64_PF_P | OL_AMD64_PF_RSVD, out);
            return;
        }
        path.user = path.user && (entry & OL_AMD64_US);
        path.writable = path.writable && (entry & OL_AMD64_RW);
        path.no_execute = path.no_execute || (entry & OL_AMD64_XD);
        if (is_leaf(entry, level)) {
            const uint64_t offset = (1ULL << (OL_SIM_PAGE_SHIFT + OL_AMD64_INDEX_BITS * level)) - 1;
            out->page_shift = (uint8_t)(OL_SIM_PAGE_SHIFT + OL_AMD64_INDEX_BITS * level);
            out->physical = (entry & OL_AMD64_ADDRESS & ~offset) | (va & offset);
            out->dirty = access == OL_WRITE || (entry & OL_AMD64_D);
            update(out, address, entry, access == OL_WRITE ? OL_AMD64_A | OL_AMD64_D : OL_AMD64_A);
            finish(control, &path, access, out);
            return;
        }
        update(out, address, entry, OL_AMD64_A);
        table = entry & OL_AMD64_ADDRESS;
    }
}
