/* SPDX-License-Identifier: MIT */
#include "machine/sim/atlas.h"

#include <assert.h>

#include "machine/sim/format.h"

/* --- the comparison ---------------------------------------------------------------------------------------------- */

static uint64_t held(uint32_t program, ol_va va)
{
    return (uint64_t)program << OL_ATLAS_PROGRAM_SHIFT | OL_ATLAS_HELD | (va >> OL_ATLAS_PAGE_SHIFT & OL_ATLAS_BLOCK);
}

void ol_atlas_walk(const struct ol_words *words, const struct ol_atlas_control *control, ol_va va, unsigned access,
                   struct ol_walk *out)
{
    assert(access == OL_READ || access == OL_WRITE || access == OL_EXEC);
    *out = (struct ol_walk){.outcome = OL_WALK_GENERAL_PROTECTION};
    if (va >> OL_ATLAS_ADDRESS_BITS) return;
    out->outcome = OL_WALK_PAGE_FAULT;
    const uint64_t wanted = held(control->program, va);
    for (uint32_t page = 0; page < control->pages; page++) {
        const uint64_t address = control->registers + page * sizeof(uint64_t);
        const uint64_t entry = words->read(words, address);
        if ((entry & ~OL_ATLAS_USE) != wanted) continue;
        out->steps[out->words_read++] = (struct ol_walk_step){.address = address, .entry = entry};
        out->outcome = OL_WALK_OK;
        out->physical = (uint64_t)page << OL_ATLAS_PAGE_SHIFT | (va & ((1U << OL_ATLAS_PAGE_SHIFT) - 1));
        out->page_shift = OL_ATLAS_PAGE_SHIFT;
        out->rights = OL_READ | OL_WRITE | OL_EXEC;
        out->dirty = true;
        ol_walk_update(words, out, address, sizeof(uint64_t), OL_ATLAS_USE);
        return;
    }
}

/* --- the machine ------------------------------------------------------------------------------------------------- */

#define DIRECTORY_HELD (1ULL << 32)

static uint64_t directory_entry(const struct ol_sim_leaf *leaf)
{
    return DIRECTORY_HELD | leaf->frame;
}

static struct ol_sim_leaf directory_decode(uint64_t entry)
{
    return (struct ol_sim_leaf){.frame = (ol_frame_no)entry};
}

static uint64_t page_register(const struct ol_sim_leaf *leaf, ol_va va, ol_frame_no root)
{
    return held(root, va) | (leaf->attributes & OL_REFERENCED ? OL_ATLAS_USE : 0);
}

static void register_decode(uint64_t value, struct ol_sim_leaf *leaf)
{
    leaf->rights = OL_READ | OL_WRITE;
    leaf->attributes = OL_MODIFIED | (value & OL_ATLAS_USE ? (unsigned)OL_REFERENCED : 0);
}

static void user_program(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    out->atlas = (struct ol_atlas_control){.registers = memory->keys,
                                           .pages = memory->page_frames,
                                           .program = (uint32_t)(root_address >> OL_ATLAS_PAGE_SHIFT)};
}

static void walk(const struct ol_words *words, const union ol_sim_control *control, ol_va va, unsigned access,
                 struct ol_walk *out)
{
    ol_atlas_walk(words, &control->atlas, va, access, out);
}

static const char *fault_text(const struct ol_walk *walk)
{
    return walk->outcome == OL_WALK_PAGE_FAULT ? "non-equivalence: no page address register has this block"
                                               : "no address of the main store";
}

static const struct ol_sim_field register_fields[] = {
    {"program", 63, 32}, {"held", 12, 12}, {"use", 11, 11}, {"block", 10, 0}, {NULL, 0, 0}};

const struct ol_sim_format ol_sim_atlas = {
    .is = {.name = "atlas",
           .last_va = (1U << OL_ATLAS_ADDRESS_BITS) - 1,
           .page_shift = OL_ATLAS_PAGE_SHIFT,
           .has_referenced = true,
           .has_modified = true, /* it always says yes */
           .has_execute = false,
           .no_write_protection = true,
           .can_alias = false},
    .summary = "Atlas, 1962: a page address register for each page of 512 words, no tables, no rights",
    .frames_max = 1 << OL_ATLAS_BLOCK_BITS,
    .root_order = 2,
    .levels = 1,
    .has_keys = true,
    .hidden_tables = true,
    .level = {{.name = "page address register",
               .index_name = "block",
               .shift = OL_ATLAS_PAGE_SHIFT,
               .index_bits = OL_ATLAS_BLOCK_BITS,
               .entry_bytes = sizeof(uint64_t),
               .fields = register_fields}},
    .leaf_entry = directory_entry,
    .leaf_decode = directory_decode,
    .key = page_register,
    .key_decode = register_decode,
    .control = user_program,
    .walk = walk,
    .fault_text = fault_text,
};
