/* SPDX-License-Identifier: MIT */
#include "machine/sim/vax.h"

#include <assert.h>

#include "machine/sim/format.h"

/* --- the walk ---------------------------------------------------------------------------------------------------- */

enum { NOBODY = -1 };

/* The least privileged mode that may write, and read, by protection code. */
static const struct {
    signed char write, read;
} may[16] = {
    {NOBODY, NOBODY},
    {NOBODY, NOBODY},
    {OL_VAX_KERNEL, OL_VAX_KERNEL},
    {NOBODY, OL_VAX_KERNEL},
    {OL_VAX_USER, OL_VAX_USER},
    {OL_VAX_EXECUTIVE, OL_VAX_EXECUTIVE},
    {OL_VAX_KERNEL, OL_VAX_EXECUTIVE},
    {NOBODY, OL_VAX_EXECUTIVE},
    {OL_VAX_SUPERVISOR, OL_VAX_SUPERVISOR},
    {OL_VAX_EXECUTIVE, OL_VAX_SUPERVISOR},
    {OL_VAX_KERNEL, OL_VAX_SUPERVISOR},
    {NOBODY, OL_VAX_SUPERVISOR},
    {OL_VAX_SUPERVISOR, OL_VAX_USER},
    {OL_VAX_EXECUTIVE, OL_VAX_USER},
    {OL_VAX_KERNEL, OL_VAX_USER},
    {NOBODY, OL_VAX_USER},
};

static bool is_allowed(enum ol_vax_mode mode, uint64_t entry, unsigned access)
{
    const unsigned code = (unsigned)((entry & OL_VAX_PROTECTION) >> OL_VAX_PROTECTION_SHIFT);
    return (int)mode <= (access == OL_WRITE ? may[code].write : may[code].read);
}

static bool fault(unsigned access, uint32_t cause, struct ol_walk *out)
{
    out->outcome = OL_WALK_PAGE_FAULT;
    out->error_code = cause | (access == OL_WRITE ? (uint32_t)OL_VAX_MODIFY : 0);
    return false;
}

static uint64_t read_entry(const struct ol_words *words, uint64_t address, struct ol_walk *out)
{
    const uint64_t entry = ol_words_entry(words, address, OL_VAX_ENTRY_BYTES);
    out->steps[out->words_read++] = (struct ol_walk_step){.address = address, .entry = entry};
    return entry;
}

/* The physical address of a process entry, which lies at `va` in S0. */
static bool find_process_entry(const struct ol_words *words, const struct ol_vax_control *control, uint32_t va,
                               unsigned access, uint64_t *address, struct ol_walk *out)
{
    const uint32_t page = (va & ~(uint32_t)OL_VAX_S0) >> OL_VAX_PAGE_SHIFT;
    if (page >= control->slr) return fault(access, OL_VAX_ACCESS | OL_VAX_LENGTH | OL_VAX_TABLE, out);
    const uint64_t entry = read_entry(words, control->sbr + (uint64_t)page * OL_VAX_ENTRY_BYTES, out);
    if (!(entry & OL_VAX_V)) return fault(access, OL_VAX_NOT_VALID | OL_VAX_TABLE, out);
    *address = (entry & OL_VAX_PFN) << OL_VAX_PAGE_SHIFT | (va & ((1U << OL_VAX_PAGE_SHIFT) - 1) & ~3U);
    return true;
}

/* The physical address of the entry for va. */
static bool find_entry(const struct ol_words *words, const struct ol_vax_control *control, uint32_t va, unsigned access,
                       uint64_t *address, struct ol_walk *out)
{
    const uint32_t page = va >> OL_VAX_PAGE_SHIFT & (OL_VAX_REGION_PAGES - 1);
    const uint32_t offset = page * OL_VAX_ENTRY_BYTES;
    switch (va >> 30) {
    case 0:
        if (page >= control->p0lr) break;
        return find_process_entry(words, control, control->p0br + offset, access, address, out);
    case 1:
        if (page < control->p1lr) break;
        return find_process_entry(words, control, control->p1br + offset, access, address, out);
    case 2:
        if (page >= control->slr) break;
        *address = control->sbr + (uint64_t)offset;
        return true;
    default: break;
    }
    return fault(access, OL_VAX_ACCESS | OL_VAX_LENGTH, out);
}

void ol_vax_walk(const struct ol_words *words, const struct ol_vax_control *control, ol_va va, unsigned access,
                 struct ol_walk *out)
{
    assert(access == OL_READ || access == OL_WRITE || access == OL_EXEC);
    uint64_t address;
    *out = (struct ol_walk){.outcome = OL_WALK_GENERAL_PROTECTION};
    if (va > UINT32_MAX || !find_entry(words, control, (uint32_t)va, access, &address, out)) return;
    const uint64_t entry = read_entry(words, address, out);
    if (!is_allowed(control->mode, entry, access)) {
        fault(access, OL_VAX_ACCESS, out);
        return;
    }
    if (!(entry & OL_VAX_V)) {
        fault(access, OL_VAX_NOT_VALID, out);
        return;
    }
    out->outcome = OL_WALK_OK;
    out->page_shift = OL_VAX_PAGE_SHIFT;
    out->physical = (entry & OL_VAX_PFN) << OL_VAX_PAGE_SHIFT | (va & ((1U << OL_VAX_PAGE_SHIFT) - 1));
    out->dirty = access == OL_WRITE || (entry & OL_VAX_M);
    out->global = va >> 30 == 2;
    if (is_allowed(control->mode, entry, OL_READ)) out->rights |= OL_READ | OL_EXEC;
    if (is_allowed(control->mode, entry, OL_WRITE)) out->rights |= OL_WRITE;
    if (access == OL_WRITE) ol_walk_update(words, out, address, OL_VAX_ENTRY_BYTES, OL_VAX_M);
}

/* --- the machine ------------------------------------------------------------------------------------------------- */
/*
 * The program has P0. The pages of its table are pages of S0 from its beginning on, so the system's table, which is the
 * root here, has an entry for each: 2^21 entries of 4 bytes fill 2^14 pages. Each space has a system table of its own.
 */
enum { TABLE_ENTRIES_SHIFT = 7, SYSTEM_PAGES_SHIFT = 14, ROOT_ORDER = 7 };

static uint64_t table_entry(uint64_t table_address, unsigned level)
{
    (void)level;
    return OL_VAX_V | (uint64_t)OL_VAX_KW << OL_VAX_PROTECTION_SHIFT | table_address >> OL_VAX_PAGE_SHIFT;
}

static uint64_t table_address(uint64_t entry, unsigned level)
{
    (void)level;
    return (entry & OL_VAX_PFN) << OL_VAX_PAGE_SHIFT;
}

static uint64_t leaf_entry(const struct ol_sim_leaf *leaf)
{
    const uint64_t protection = leaf->rights & OL_WRITE ? OL_VAX_UW : OL_VAX_UR;
    return OL_VAX_V | protection << OL_VAX_PROTECTION_SHIFT | (leaf->attributes & OL_MODIFIED ? OL_VAX_M : 0) |
           leaf->frame;
}

static struct ol_sim_leaf leaf_decode(uint64_t entry)
{
    return (struct ol_sim_leaf){
        .frame = (ol_frame_no)(entry & OL_VAX_PFN),
        .rights = OL_READ | (is_allowed(OL_VAX_USER, entry, OL_WRITE) ? (unsigned)OL_WRITE : 0),
        .attributes = entry & OL_VAX_M ? OL_MODIFIED : 0,
    };
}

static void user_program(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    (void)memory;
    out->vax = (struct ol_vax_control){.sbr = (uint32_t)root_address,
                                       .slr = 1 << SYSTEM_PAGES_SHIFT,
                                       .p0br = (uint32_t)OL_VAX_S0,
                                       .p0lr = OL_VAX_REGION_PAGES,
                                       .p1br = (uint32_t)OL_VAX_S0,
                                       .p1lr = OL_VAX_REGION_PAGES,
                                       .mode = OL_VAX_USER};
}

static void walk(const struct ol_words *words, const union ol_sim_control *control, ol_va va, unsigned access,
                 struct ol_walk *out)
{
    ol_vax_walk(words, &control->vax, va, access, out);
}

static const char *fault_text(const struct ol_walk *walk)
{
    if (walk->outcome != OL_WALK_PAGE_FAULT) return "no address of 32 bits";
    if (walk->error_code & OL_VAX_LENGTH) return "access-control violation: beyond a length register";
    if ((walk->error_code & OL_VAX_VECTOR) == OL_VAX_ACCESS)
        return "access-control violation: the protection code refuses this access";
    if (walk->error_code & OL_VAX_TABLE) return "translation not valid: the page table has no such page";
    return "translation not valid";
}

static const struct ol_sim_field fields[] = {{"V", 31, 31},        {"protection", 30, 27}, {"M", 26, 26},
                                             {"software", 25, 23}, {"frame", 20, 0},       {NULL, 0, 0}};

const struct ol_sim_format ol_sim_vax = {
    .is = {.name = "vax",
           .last_va = 0x3fffffff,
           .page_shift = OL_VAX_PAGE_SHIFT,
           .has_referenced = false,
           .has_modified = true,
           .has_execute = false,
           .can_alias = true},
    .summary = "VAX: pages of 512 bytes, page tables that are paged, no referenced bit; the program has P0",
    .frames_max = 1 << 21,
    .root_order = ROOT_ORDER,
    .levels = 2,
    .level = {{.name = "P0 PTE",
               .index_name = "page in table page",
               .shift = OL_VAX_PAGE_SHIFT,
               .index_bits = TABLE_ENTRIES_SHIFT,
               .entry_bytes = OL_VAX_ENTRY_BYTES,
               .fields = fields},
              {.name = "system PTE",
               .index_name = "table page",
               .shift = OL_VAX_PAGE_SHIFT + TABLE_ENTRIES_SHIFT,
               .index_bits = SYSTEM_PAGES_SHIFT,
               .entry_bytes = OL_VAX_ENTRY_BYTES,
               .fields = fields}},
    .table_entry = table_entry,
    .table_address = table_address,
    .leaf_entry = leaf_entry,
    .leaf_decode = leaf_decode,
    .control = user_program,
    .walk = walk,
    .fault_text = fault_text,
};
