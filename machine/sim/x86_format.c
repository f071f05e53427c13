/* SPDX-License-Identifier: MIT */
/*
 * The x86 formats (x86.h) as machines: what the tables of a user program look like.
 */
#include "machine/sim/format.h"
#include "machine/sim/x86_tlb.h"

enum { PAGE_SHIFT = 12 };

static uint64_t table_entry(uint64_t table_address, unsigned level)
{
    (void)level;
    return table_address | OL_X86_P | OL_X86_RW | OL_X86_US;
}

/* PAE's directory pointers grant nothing. */
static uint64_t pae_table_entry(uint64_t table_address, unsigned level)
{
    return level == ol_x86_pae.levels - 1U ? table_address | OL_X86_P : table_entry(table_address, level);
}

static uint64_t table_address(uint64_t entry, unsigned level)
{
    (void)level;
    return entry & OL_X86_ADDRESS;
}

static uint64_t ia32_leaf(const struct ol_sim_leaf *leaf)
{
    return (uint64_t)leaf->frame << PAGE_SHIFT | OL_X86_P | OL_X86_US | (leaf->rights & OL_WRITE ? OL_X86_RW : 0) |
           (leaf->attributes & OL_REFERENCED ? OL_X86_A : 0) | (leaf->attributes & OL_MODIFIED ? OL_X86_D : 0);
}

static uint64_t leaf_entry(const struct ol_sim_leaf *leaf)
{
    return ia32_leaf(leaf) | (leaf->rights & OL_EXEC ? 0 : OL_X86_XD);
}

static struct ol_sim_leaf ia32_decode(uint64_t entry)
{
    return (struct ol_sim_leaf){
        .frame = (ol_frame_no)((entry & OL_X86_ADDRESS) >> PAGE_SHIFT),
        .rights = OL_READ | (entry & OL_X86_RW ? (unsigned)OL_WRITE : 0),
        .attributes = (entry & OL_X86_A ? (unsigned)OL_REFERENCED : 0) | (entry & OL_X86_D ? (unsigned)OL_MODIFIED : 0),
    };
}

static struct ol_sim_leaf leaf_decode(uint64_t entry)
{
    struct ol_sim_leaf leaf = ia32_decode(entry);
    if (!(entry & OL_X86_XD)) leaf.rights |= OL_EXEC;
    return leaf;
}

static void user_program(uint64_t root_address, uint64_t cr4, uint64_t efer, union ol_sim_control *out)
{
    out->x86 = (struct ol_x86_control){.cr0 = OL_X86_CR0_PG | OL_X86_CR0_WP | OL_X86_CR0_PE,
                                       .cr3 = root_address,
                                       .cr4 = cr4,
                                       .efer = efer,
                                       .cpl = 3,
                                       .maxphyaddr = 52};
}

static void ia32_control(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    (void)memory;
    user_program(root_address, OL_X86_CR4_PSE, 0, out);
}

static void pae_control(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    (void)memory;
    user_program(root_address, OL_X86_CR4_PAE, OL_X86_EFER_NXE, out);
}

static void amd64_control(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    (void)memory;
    user_program(root_address, OL_X86_CR4_PAE, OL_X86_EFER_LMA | OL_X86_EFER_NXE, out);
}

static void la57_control(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    (void)memory;
    user_program(root_address, OL_X86_CR4_PAE | OL_X86_CR4_LA57, OL_X86_EFER_LMA | OL_X86_EFER_NXE, out);
}

static void walk(const struct ol_words *words, const union ol_sim_control *control, ol_va va, unsigned access,
                 struct ol_walk *out)
{
    ol_x86_walk(words, &control->x86, va, access, out);
}

static const char *fault_text(const struct ol_walk *walk)
{
    if (walk->outcome == OL_WALK_GENERAL_PROTECTION) return "general protection: the address is not canonical";
    if (!(walk->error_code & OL_X86_PF_P)) return "page fault: the entry is not present";
    if (walk->error_code & OL_X86_PF_RSVD) return "page fault: a reserved bit of the entry is 1";
    return "page fault: the entries do not grant this access";
}

#define FLAGS_BELOW_12                                                                                              \
    {"G", 8, 8}, {"D", 6, 6}, {"A", 5, 5}, {"PCD", 4, 4}, {"PWT", 3, 3}, {"U/S", 2, 2}, {"R/W", 1, 1}, {"P", 0, 0}, \
    {                                                                                                               \
        NULL, 0, 0                                                                                                  \
    }
static const struct ol_sim_field fields_32[] = {{"address", 31, 12}, {"PS/PAT", 7, 7}, FLAGS_BELOW_12};
static const struct ol_sim_field fields_64[] = {
    {"XD", 63, 63}, {"ignored", 62, 52}, {"address", 51, 12}, {"PS/PAT", 7, 7}, FLAGS_BELOW_12};

#define LEVEL_32(entry, index, bit)                                                                 \
    {                                                                                               \
        .name = (entry), .index_name = (index), .shift = (bit), .index_bits = 10, .entry_bytes = 4, \
        .fields = fields_32                                                                         \
    }
#define LEVEL_64(entry, index, bit, bits)                                                               \
    {                                                                                                   \
        .name = (entry), .index_name = (index), .shift = (bit), .index_bits = (bits), .entry_bytes = 8, \
        .fields = fields_64                                                                             \
    }

#define CAPABILITIES(machine, last, execute, ...)                                                      \
    {                                                                                                  \
        .name = (machine), .last_va = (last), .page_shift = PAGE_SHIFT, .large_shifts = {__VA_ARGS__}, \
        .has_referenced = true, .has_modified = true, .has_execute = (execute), .can_alias = true,     \
        .exact_references = false                                                                      \
    }

const struct ol_sim_format ol_sim_ia32 = {
    .is = CAPABILITIES("ia32", UINT32_MAX, false, 22),
    .summary = "80386: 32-bit addresses, two levels, no execute right",
    .frames_max = 1 << 20,
    .levels = 2,
    .walks_levels = true,
    .level = {LEVEL_32("PTE", "table", 12), LEVEL_32("PDE", "directory", 22)},
    .large_mark = OL_X86_PS,
    .table_entry = table_entry,
    .table_address = table_address,
    .leaf_entry = ia32_leaf,
    .leaf_decode = ia32_decode,
    .control = ia32_control,
    .walk = walk,
    .load_root = ol_x86_load_root,
    .invalidate = ol_x86_invalidate,
    .fault_text = fault_text,
};

const struct ol_sim_format ol_sim_pae = {
    .is = CAPABILITIES("pae", UINT32_MAX, true, 21),
    .summary = "IA-32 with PAE: three levels of 8-byte entries; here all tables lie below 4 GiB",
    .frames_max = 1 << 20,
    .levels = 3,
    .walks_levels = true,
    .level = {LEVEL_64("PTE", "table", 12, 9), LEVEL_64("PDE", "directory", 21, 9),
              LEVEL_64("PDPTE", "directory pointer", 30, 2)},
    .large_mark = OL_X86_PS,
    .table_entry = pae_table_entry,
    .table_address = table_address,
    .leaf_entry = leaf_entry,
    .leaf_decode = leaf_decode,
    .control = pae_control,
    .walk = walk,
    .load_root = ol_x86_load_root,
    .invalidate = ol_x86_invalidate,
    .fault_text = fault_text,
};

#define LEVELS_0_TO_3                                                     \
    LEVEL_64("PTE", "table", 12, 9), LEVEL_64("PDE", "directory", 21, 9), \
        LEVEL_64("PDPTE", "directory pointer", 30, 9), LEVEL_64("PML4E", "PML4", 39, 9)

const struct ol_sim_format ol_sim_amd64 = {
    .is = CAPABILITIES("amd64", 0x7fffffffffffULL, true, 21, 30),
    .summary = "AMD64 with four levels: 48-bit addresses, user programs have the lower half",
    .frames_max = OL_SIM_FRAMES_MAX,
    .levels = 4,
    .walks_levels = true,
    .tag_bits = 12,
    .level = {LEVELS_0_TO_3},
    .large_mark = OL_X86_PS,
    .table_entry = table_entry,
    .table_address = table_address,
    .leaf_entry = leaf_entry,
    .leaf_decode = leaf_decode,
    .control = amd64_control,
    .walk = walk,
    .load_root = ol_x86_load_root,
    .invalidate = ol_x86_invalidate,
    .fault_text = fault_text,
};

const struct ol_sim_format ol_sim_la57 = {
    .is = CAPABILITIES("la57", 0xffffffffffffffULL, true, 21, 30),
    .summary = "AMD64 with five levels: 57-bit addresses, user programs have the lower half",
    .frames_max = OL_SIM_FRAMES_MAX,
    .levels = 5,
    .walks_levels = true,
    .tag_bits = 12,
    .level = {LEVELS_0_TO_3, LEVEL_64("PML5E", "PML5", 48, 9)},
    .large_mark = OL_X86_PS,
    .table_entry = table_entry,
    .table_address = table_address,
    .leaf_entry = leaf_entry,
    .leaf_decode = leaf_decode,
    .control = la57_control,
    .walk = walk,
    .load_root = ol_x86_load_root,
    .invalidate = ol_x86_invalidate,
    .fault_text = fault_text,
};
