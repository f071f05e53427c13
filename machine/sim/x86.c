/* SPDX-License-Identifier: MIT */
#include "machine/sim/x86.h"

#include <assert.h>

enum { PAT_LARGE_SHIFT = 12, PSE36_SHIFT = 13, PSE36_BITS = 40 };

/* Bits low .. high. */
#define BITS(high, low) ((~0ULL >> (63 - (high))) & (~0ULL << (low)))

const struct ol_x86_format ol_x86_ia32 = {
    .name = "ia32",
    .entry_bytes = 4,
    .address_bits = 32,
    .levels = 2,
    .root_bits = BITS(31, 12),
    .level = {{.name = "PTE", .shift = 12, .index_bits = 10},
              {.name = "PDE", .shift = 22, .index_bits = 10, .may_be_leaf = true}},
};

const struct ol_x86_format ol_x86_pae = {
    .name = "pae",
    .entry_bytes = 8,
    .address_bits = 32,
    .levels = 3,
    .root_bits = BITS(31, 5),
    .above_bits = BITS(62, 0),
    .level = {{.name = "PTE", .shift = 12, .index_bits = 9},
              {.name = "PDE", .shift = 21, .index_bits = 9, .may_be_leaf = true},
              {.name = "PDPTE",
               .shift = 30,
               .index_bits = 2,
               .loaded = true,
               .reserved = BITS(2, 1) | BITS(8, 5) | OL_X86_XD}},
};

#define LEVELS_0_TO_3                                                                                                  \
    {.name = "PTE", .shift = 12, .index_bits = 9}, {.name = "PDE", .shift = 21, .index_bits = 9, .may_be_leaf = true}, \
        {.name = "PDPTE", .shift = 30, .index_bits = 9, .may_be_leaf = true},                                          \
    {                                                                                                                  \
        .name = "PML4E", .shift = 39, .index_bits = 9, .reserved = OL_X86_PS                                           \
    }

const struct ol_x86_format ol_x86_amd64 = {
    .name = "amd64",
    .entry_bytes = 8,
    .address_bits = 48,
    .levels = 4,
    .root_bits = OL_X86_ADDRESS,
    .above_bits = BITS(51, 0),
    .level = {LEVELS_0_TO_3},
};

const struct ol_x86_format ol_x86_la57 = {
    .name = "la57",
    .entry_bytes = 8,
    .address_bits = 57,
    .levels = 5,
    .root_bits = OL_X86_ADDRESS,
    .above_bits = BITS(51, 0),
    .level = {LEVELS_0_TO_3, {.name = "PML5E", .shift = 48, .index_bits = 9, .reserved = OL_X86_PS}},
};

const struct ol_x86_format *ol_x86_format(const struct ol_x86_control *control)
{
    if (!(control->cr0 & OL_X86_CR0_PG)) return NULL;
    if (!(control->cr4 & OL_X86_CR4_PAE)) return &ol_x86_ia32;
    if (!(control->efer & OL_X86_EFER_LMA)) return &ol_x86_pae;
    return control->cr4 & OL_X86_CR4_LA57 ? &ol_x86_la57 : &ol_x86_amd64;
}

/* What a walk has found out so far. */
struct path {
    const struct ol_x86_format *format;
    const struct ol_x86_control *control;
    bool user, writable, no_execute; /* of all entries seen */
};

/* The bits above the format's addresses repeat the highest one; 32-bit formats have no more bits to look at. */
static bool is_canonical(const struct ol_x86_format *format, ol_va va)
{
    const uint64_t top = va >> (format->address_bits - 1);
    if (format->address_bits == 32) return top <= 1;
    return top == 0 || top == ~0ULL >> (format->address_bits - 1);
}

static bool is_leaf(const struct path *path, unsigned level, uint64_t entry)
{
    if (level == 0) return true;
    if (!path->format->level[level].may_be_leaf || !(entry & OL_X86_PS)) return false;
    return path->format->entry_bytes == 8 || (path->control->cr4 & OL_X86_CR4_PSE);
}

/* The bits that must be 0 in a present entry of that level. */
static uint64_t reserved_bits(const struct path *path, unsigned level, bool leaf)
{
    const struct ol_x86_level *const is = &path->format->level[level];
    const uint8_t maxphyaddr = path->control->maxphyaddr;
    if (path->format->entry_bytes == 4) {
        if (level == 0 || !leaf) return 0;
        const unsigned bits = maxphyaddr < PSE36_BITS ? maxphyaddr : PSE36_BITS;
        return BITS(21, PSE36_SHIFT + bits - 32);
    }
    uint64_t bits = path->format->above_bits & ~BITS(maxphyaddr - 1, 0);
    if (!(path->control->efer & OL_X86_EFER_NXE)) bits |= OL_X86_XD;
    if (!leaf) bits |= is->reserved;
    else if (level > 0) bits |= BITS(is->shift - 1, PAT_LARGE_SHIFT + 1);
    return bits;
}

static bool is_allowed(const struct path *path, unsigned access)
{
    const struct ol_x86_control *const control = path->control;
    if (access == OL_EXEC && path->no_execute) return false;
    if (control->cpl == 3) return path->user && (access != OL_WRITE || path->writable);
    if (access == OL_EXEC) return !(path->user && (control->cr4 & OL_X86_CR4_SMEP));
    if (path->user && (control->cr4 & OL_X86_CR4_SMAP) && !control->eflags_ac) return false;
    return access != OL_WRITE || path->writable || !(control->cr0 & OL_X86_CR0_WP);
}

static void fault(const struct ol_x86_control *control, unsigned access, uint32_t cause, struct ol_walk *out)
{
    const bool no_execute_exists = (control->cr4 & OL_X86_CR4_PAE) && (control->efer & OL_X86_EFER_NXE);
    out->outcome = OL_WALK_PAGE_FAULT;
    out->error_code = cause;
    if (access == OL_WRITE) out->error_code |= OL_X86_PF_WR;
    if (control->cpl == 3) out->error_code |= OL_X86_PF_US;
    if (access == OL_EXEC && (no_execute_exists || (control->cr4 & OL_X86_CR4_SMEP))) out->error_code |= OL_X86_PF_ID;
    out->update_count = 0;
}

/* Where the page of a leaf begins. */
static uint64_t page_address(const struct path *path, unsigned level, uint64_t entry)
{
    const uint8_t shift = path->format->level[level].shift;
    if (path->format->entry_bytes == 8) return entry & OL_X86_ADDRESS & ~BITS(shift - 1, 0);
    const uint64_t high = level == 0 ? 0 : (entry >> PSE36_SHIFT & BITS(PSE36_BITS - 32 - 1, 0)) << 32;
    return (entry & BITS(31, shift)) | high;
}

/* The leaf is found, in the last step; entries above it are noted for their A bit. */
static void finish(const struct ol_words *words, const struct path *path, unsigned level, ol_va va, unsigned access,
                   struct ol_walk *out)
{
    if (!is_allowed(path, access)) {
        fault(path->control, access, OL_X86_PF_P, out);
        return;
    }
    const struct ol_walk_step *const leaf = &out->steps[out->words_read - 1];
    const uint8_t shift = path->format->level[level].shift;
    ol_walk_update(words, out, leaf->address, path->format->entry_bytes,
                   access == OL_WRITE ? OL_X86_A | OL_X86_D : OL_X86_A);
    out->outcome = OL_WALK_OK;
    out->page_shift = shift;
    out->physical = page_address(path, level, leaf->entry) | (va & BITS(shift - 1, 0));
    out->dirty = access == OL_WRITE || (leaf->entry & OL_X86_D);
    out->global = (leaf->entry & OL_X86_G) && (path->control->cr4 & OL_X86_CR4_PGE);
    for (unsigned kind = OL_READ; kind <= OL_EXEC; kind <<= 1)
        if (is_allowed(path, kind)) out->rights |= kind;
}

/* The next entry grants what it grants, unless it is one of those that grant nothing and refuse nothing. */
static void pass(const struct ol_x86_level *level, uint64_t entry, struct path *path)
{
    if (level->loaded) return;
    path->user = path->user && (entry & OL_X86_US);
    path->writable = path->writable && (entry & OL_X86_RW);
    path->no_execute = path->no_execute || (path->format->entry_bytes == 8 && (entry & OL_X86_XD));
}

static void walk_tables(const struct ol_words *words, struct path *path, ol_va va, unsigned access, struct ol_walk *out)
{
    const struct ol_x86_format *const format = path->format;
    uint64_t table = path->control->cr3 & format->root_bits;
    for (unsigned level = format->levels - 1U;; level--) {
        const struct ol_x86_level *const is = &format->level[level];
        const uint64_t address = table + ol_x86_index(is, va) * format->entry_bytes;
        const uint64_t entry = ol_words_entry(words, address, format->entry_bytes);
        const bool leaf = is_leaf(path, level, entry);
        out->steps[out->words_read++] = (struct ol_walk_step){.address = address, .entry = entry};
        if (!(entry & OL_X86_P)) {
            fault(path->control, access, 0, out);
            return;
        }
        if (entry & reserved_bits(path, level, leaf)) {
            if (is->loaded) out->update_count = 0; /* and #GP */
            else fault(path->control, access, OL_X86_PF_P | OL_X86_PF_RSVD, out);
            return;
        }
        pass(is, entry, path);
        if (leaf) {
            finish(words, path, level, va, access, out);
            return;
        }
        if (!is->loaded) ol_walk_update(words, out, address, format->entry_bytes, OL_X86_A);
        table = entry & (format->entry_bytes == 8 ? OL_X86_ADDRESS : BITS(31, 12));
    }
}

void ol_x86_walk(const struct ol_words *words, const struct ol_x86_control *control, ol_va va, unsigned access,
                 struct ol_walk *out)
{
    assert(access == OL_READ || access == OL_WRITE || access == OL_EXEC);
    assert(control->maxphyaddr >= 32 && control->maxphyaddr <= 52);
    struct path path = {.format = ol_x86_format(control), .control = control, .user = true, .writable = true};
    *out = (struct ol_walk){.outcome = OL_WALK_GENERAL_PROTECTION};
    if (!path.format) {
        if (va > UINT32_MAX) return;
        out->outcome = OL_WALK_OK;
        out->physical = va;
        out->page_shift = 12;
        out->rights = OL_READ | OL_WRITE | OL_EXEC;
        out->dirty = true;
        return;
    }
    if (is_canonical(path.format, va)) walk_tables(words, &path, va, access, out);
}
