/* SPDX-License-Identifier: MIT */
#include "machine/sim/riscv.h"

#include <assert.h>

#include "machine/sim/format.h"

/* --- the walk ---------------------------------------------------------------------------------------------------- */

static bool is_canonical(const struct ol_riscv_control *control, ol_va va)
{
    const unsigned sign = (unsigned)(OL_RISCV_PAGE_SHIFT + OL_RISCV_INDEX_BITS * control->levels - 1);
    return va >> sign == 0 || va >> sign == ~0ULL >> sign;
}

static void fault(unsigned access, struct ol_walk *out)
{
    out->outcome = OL_WALK_PAGE_FAULT;
    out->error_code = access == OL_EXEC    ? (uint32_t)OL_RISCV_FETCH_FAULT
                      : access == OL_WRITE ? (uint32_t)OL_RISCV_STORE_FAULT
                                           : (uint32_t)OL_RISCV_LOAD_FAULT;
}

static bool is_allowed(const struct ol_riscv_control *control, uint64_t leaf, unsigned access)
{
    const bool user_page = leaf & OL_RISCV_U;
    if (control->user && !user_page) return false;
    if (!control->user && user_page && (access == OL_EXEC || !control->sum)) return false;
    if (access == OL_EXEC) return leaf & OL_RISCV_X;
    if (access == OL_WRITE) return leaf & OL_RISCV_W;
    return (leaf & OL_RISCV_R) || (control->mxr && (leaf & OL_RISCV_X));
}

/* An encoding that no entry may have at that level. */
static bool is_reserved(uint64_t entry, unsigned level, bool leaf)
{
    if (entry >> (OL_RISCV_PPN_SHIFT + OL_RISCV_PPN_BITS)) return true;
    if ((entry & OL_RISCV_W) && !(entry & OL_RISCV_R)) return true;
    if (leaf) return entry >> OL_RISCV_PPN_SHIFT & ((1ULL << OL_RISCV_INDEX_BITS * level) - 1);
    return level == 0 || (entry & (OL_RISCV_A | OL_RISCV_D | OL_RISCV_U));
}

static uint64_t entry_page(uint64_t entry)
{
    return (entry >> OL_RISCV_PPN_SHIFT & ((1ULL << OL_RISCV_PPN_BITS) - 1)) << OL_RISCV_PAGE_SHIFT;
}

static void finish(const struct ol_words *words, const struct ol_riscv_control *control, unsigned level, ol_va va,
                   unsigned access, struct ol_walk *out)
{
    const struct ol_walk_step leaf = out->steps[out->words_read - 1];
    if (!is_allowed(control, leaf.entry, access)) {
        fault(access, out);
        return;
    }
    out->outcome = OL_WALK_OK;
    out->page_shift = (uint8_t)(OL_RISCV_PAGE_SHIFT + OL_RISCV_INDEX_BITS * level);
    out->physical = entry_page(leaf.entry) | (va & ((1ULL << out->page_shift) - 1));
    out->dirty = access == OL_WRITE || (leaf.entry & OL_RISCV_D);
    out->global = leaf.entry & OL_RISCV_G;
    for (unsigned kind = OL_READ; kind <= OL_EXEC; kind <<= 1)
        if (is_allowed(control, leaf.entry, kind)) out->rights |= kind;
    ol_walk_update(words, out, leaf.address, sizeof(uint64_t),
                   access == OL_WRITE ? OL_RISCV_A | OL_RISCV_D : OL_RISCV_A);
}

void ol_riscv_walk(const struct ol_words *words, const struct ol_riscv_control *control, ol_va va, unsigned access,
                   struct ol_walk *out)
{
    assert(access == OL_READ || access == OL_WRITE || access == OL_EXEC);
    assert(control->levels == 3 || control->levels == 4);
    *out = (struct ol_walk){0};
    fault(access, out);
    if (!is_canonical(control, va)) return;
    uint64_t table = control->root;
    bool global = false;
    for (unsigned level = control->levels - 1U;; level--) {
        const unsigned shift = OL_RISCV_PAGE_SHIFT + OL_RISCV_INDEX_BITS * level;
        const uint64_t address = table + (va >> shift & ((1U << OL_RISCV_INDEX_BITS) - 1)) * sizeof(uint64_t);
        const uint64_t entry = words->read(words, address);
        const bool leaf = entry & (OL_RISCV_R | OL_RISCV_X);
        out->steps[out->words_read++] = (struct ol_walk_step){.address = address, .entry = entry};
        if (!(entry & OL_RISCV_V) || is_reserved(entry, level, leaf)) return;
        global = global || (entry & OL_RISCV_G);
        if (leaf) {
            finish(words, control, level, va, access, out);
            out->global = out->outcome == OL_WALK_OK && global;
            return;
        }
        table = entry_page(entry);
    }
}

/* --- the machines ------------------------------------------------------------------------------------------------ */

static uint64_t table_entry(uint64_t table_address, unsigned level)
{
    (void)level;
    return table_address >> OL_RISCV_PAGE_SHIFT << OL_RISCV_PPN_SHIFT | OL_RISCV_V;
}

static uint64_t table_address(uint64_t entry, unsigned level)
{
    (void)level;
    return entry_page(entry);
}

static uint64_t leaf_entry(const struct ol_sim_leaf *leaf)
{
    return (uint64_t)leaf->frame << OL_RISCV_PPN_SHIFT | OL_RISCV_V | OL_RISCV_R | OL_RISCV_U |
           (leaf->rights & OL_WRITE ? OL_RISCV_W : 0) | (leaf->rights & OL_EXEC ? OL_RISCV_X : 0) |
           (leaf->attributes & OL_REFERENCED ? OL_RISCV_A : 0) | (leaf->attributes & OL_MODIFIED ? OL_RISCV_D : 0);
}

static struct ol_sim_leaf leaf_decode(uint64_t entry)
{
    return (struct ol_sim_leaf){
        .frame = (ol_frame_no)(entry_page(entry) >> OL_RISCV_PAGE_SHIFT),
        .rights =
            OL_READ | (entry & OL_RISCV_W ? (unsigned)OL_WRITE : 0) | (entry & OL_RISCV_X ? (unsigned)OL_EXEC : 0),
        .attributes =
            (entry & OL_RISCV_A ? (unsigned)OL_REFERENCED : 0) | (entry & OL_RISCV_D ? (unsigned)OL_MODIFIED : 0),
    };
}

static void sv39_control(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    (void)memory;
    out->riscv = (struct ol_riscv_control){.root = root_address, .levels = 3, .user = true};
}

static void sv48_control(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    (void)memory;
    out->riscv = (struct ol_riscv_control){.root = root_address, .levels = 4, .user = true};
}

static void walk(const struct ol_words *words, const union ol_sim_control *control, ol_va va, unsigned access,
                 struct ol_walk *out)
{
    ol_riscv_walk(words, &control->riscv, va, access, out);
}

static const char *fault_text(const struct ol_walk *walk)
{
    if (walk->words_read == 0) return "page fault: the address is not canonical";
    if (!(walk->steps[walk->words_read - 1].entry & OL_RISCV_V)) return "page fault: the entry is not valid";
    return "page fault: the entry is reserved, or does not grant this access";
}

static const struct ol_sim_field fields[] = {{"reserved", 63, 54}, {"page", 53, 10}, {"D", 7, 7}, {"A", 6, 6},
                                             {"G", 5, 5},          {"U", 4, 4},      {"X", 3, 3}, {"W", 2, 2},
                                             {"R", 1, 1},          {"V", 0, 0},      {NULL, 0, 0}};

#define LEVEL(entry, index, bit)                                                                                    \
    {                                                                                                               \
        .name = (entry), .index_name = (index), .shift = (bit), .index_bits = 9, .entry_bytes = 8, .fields = fields \
    }
#define LEVELS_0_TO_2 LEVEL("leaf PTE", "VPN[0]", 12), LEVEL("PTE 1", "VPN[1]", 21), LEVEL("PTE 2", "VPN[2]", 30)

#define CAPABILITIES(machine, last)                                                                        \
    {                                                                                                      \
        .name = (machine), .last_va = (last), .page_shift = OL_RISCV_PAGE_SHIFT, .large_shifts = {21, 30}, \
        .has_referenced = true, .has_modified = true, .has_execute = true, .can_alias = true,              \
        .exact_references = false                                                                          \
    }

const struct ol_sim_format ol_sim_sv39 = {
    .is = CAPABILITIES("sv39", 0x3fffffffffULL),
    .summary = "RISC-V Sv39: three levels, user programs have the lower half",
    .frames_max = OL_SIM_FRAMES_MAX,
    .levels = 3,
    .walks_levels = true,
    .tag_bits = 15,
    .level = {LEVELS_0_TO_2},
    .large_mark = OL_RISCV_R, /* every leaf may be read */
    .table_entry = table_entry,
    .table_address = table_address,
    .leaf_entry = leaf_entry,
    .leaf_decode = leaf_decode,
    .control = sv39_control,
    .walk = walk,
    .fault_text = fault_text,
};

const struct ol_sim_format ol_sim_sv48 = {
    .is = CAPABILITIES("sv48", 0x7fffffffffffULL),
    .summary = "RISC-V Sv48: four levels, user programs have the lower half",
    .frames_max = OL_SIM_FRAMES_MAX,
    .levels = 4,
    .walks_levels = true,
    .tag_bits = 15,
    .level = {LEVELS_0_TO_2, LEVEL("PTE 3", "VPN[3]", 39)},
    .large_mark = OL_RISCV_R, /* every leaf may be read */
    .table_entry = table_entry,
    .table_address = table_address,
    .leaf_entry = leaf_entry,
    .leaf_decode = leaf_decode,
    .control = sv48_control,
    .walk = walk,
    .fault_text = fault_text,
};
