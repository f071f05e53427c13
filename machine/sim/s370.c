/* SPDX-License-Identifier: MIT */
#include "machine/sim/s370.h"

#include <assert.h>

#include "machine/sim/format.h"

enum {
    SEGMENT_ENTRY_BYTES = 4,
    PAGE_ENTRY_BYTES = 2,
    ADDRESS_BITS = 24,
    SEGMENT_INVALID = 1,
    SEGMENT_ZEROS = 0x0f000006,
    TABLE_ADDRESS = 0x00fffff8,
    SEGMENT_TABLE_ADDRESS = 0x00ffffc0,
    CR0_SIZES = 0x00f80000, /* bits 8 .. 12 */
    USER_KEY = 8
};

/* What control register 0 selects. */
struct sizes {
    unsigned segment_shift, page_shift;
};

/* --- the walk ---------------------------------------------------------------------------------------------------- */

static bool find_sizes(uint32_t cr0, struct sizes *out)
{
    switch (cr0 & CR0_SIZES) {
    case OL_S370_CR0_2K: *out = (struct sizes){16, 11}; return true;
    case OL_S370_CR0_4K: *out = (struct sizes){16, 12}; return true;
    case OL_S370_CR0_2K | OL_S370_CR0_1M: *out = (struct sizes){20, 11}; return true;
    case OL_S370_CR0_4K | OL_S370_CR0_1M: *out = (struct sizes){20, 12}; return true;
    default: return false;
    }
}

static bool interrupt(enum ol_s370_interruption code, struct ol_walk *out)
{
    out->outcome = OL_WALK_PAGE_FAULT;
    out->error_code = code;
    return false;
}

/* Reads a big-endian entry of real storage. */
static bool read_entry(const struct ol_words *words, const struct ol_s370_control *control, uint64_t address,
                       unsigned bytes, uint64_t *entry, struct ol_walk *out)
{
    if (address + bytes > control->real_size) return interrupt(OL_S370_ADDRESSING, out);
    *entry = ol_big_endian(ol_words_entry(words, address, bytes), bytes);
    out->steps[out->words_read++] = (struct ol_walk_step){.address = address, .entry = *entry};
    return true;
}

static bool find_page_table(const struct ol_words *words, const struct ol_s370_control *control,
                            const struct sizes *sizes, ol_va va, uint64_t *entry, struct ol_walk *out)
{
    const uint64_t index = va >> sizes->segment_shift;
    if (index / 16 > control->cr1 >> 24) return interrupt(OL_S370_SEGMENT, out);
    const uint64_t table = control->cr1 & SEGMENT_TABLE_ADDRESS;
    if (!read_entry(words, control, table + index * SEGMENT_ENTRY_BYTES, SEGMENT_ENTRY_BYTES, entry, out)) return false;
    if (*entry & SEGMENT_INVALID) return interrupt(OL_S370_SEGMENT, out);
    if (*entry & SEGMENT_ZEROS) return interrupt(OL_S370_SPECIFICATION, out);
    return true;
}

/* The real address of the page. */
static bool find_page(const struct ol_words *words, const struct ol_s370_control *control, const struct sizes *sizes,
                      uint64_t segment, ol_va va, uint64_t *page, struct ol_walk *out)
{
    const unsigned index_bits = sizes->segment_shift - sizes->page_shift;
    const uint64_t index = va >> sizes->page_shift & ((1U << index_bits) - 1);
    uint64_t entry;
    if (index >> (index_bits - 4) > segment >> 28) return interrupt(OL_S370_PAGE, out);
    const uint64_t address = (segment & TABLE_ADDRESS) + index * PAGE_ENTRY_BYTES;
    if (!read_entry(words, control, address, PAGE_ENTRY_BYTES, &entry, out)) return false;
    const uint64_t invalid = sizes->page_shift == 12 ? 8 : 4;
    if (entry & invalid) return interrupt(OL_S370_PAGE, out);
    if (entry & (invalid - 2)) return interrupt(OL_S370_SPECIFICATION, out);
    *page = (entry & ~(2 * invalid - 1)) << 8;
    return true;
}

static bool is_allowed(const struct ol_s370_control *control, uint64_t key, unsigned access)
{
    if (control->key == 0 || control->key == (key >> OL_S370_ACCESS_SHIFT & 15)) return true;
    return access != OL_WRITE && !(key & OL_S370_F);
}

void ol_s370_walk(const struct ol_words *words, const struct ol_s370_control *control, ol_va va, unsigned access,
                  struct ol_walk *out)
{
    struct sizes sizes;
    uint64_t segment, page;
    assert(access == OL_READ || access == OL_WRITE || access == OL_EXEC);
    *out = (struct ol_walk){.outcome = OL_WALK_GENERAL_PROTECTION};
    if (va >> ADDRESS_BITS) return;
    if (!find_sizes(control->cr0, &sizes)) {
        interrupt(OL_S370_SPECIFICATION, out);
        return;
    }
    if (!find_page_table(words, control, &sizes, va, &segment, out)) return;
    if (!find_page(words, control, &sizes, segment, va, &page, out)) return;
    if (page >= control->real_size) {
        interrupt(OL_S370_ADDRESSING, out);
        return;
    }
    const uint64_t key_address = control->keys + (page >> sizes.page_shift) * sizeof(uint64_t);
    const uint64_t key = words->read(words, key_address);
    out->steps[out->words_read++] = (struct ol_walk_step){.address = key_address, .entry = key};
    if (!is_allowed(control, key, access)) {
        interrupt(OL_S370_PROTECTION, out);
        return;
    }
    out->outcome = OL_WALK_OK;
    out->page_shift = (uint8_t)sizes.page_shift;
    out->physical = page | (va & ((1U << sizes.page_shift) - 1));
    out->dirty = access == OL_WRITE || (key & OL_S370_C);
    if (is_allowed(control, key, OL_READ)) out->rights |= OL_READ | OL_EXEC;
    if (is_allowed(control, key, OL_WRITE)) out->rights |= OL_WRITE;
    ol_walk_update(words, out, key_address, sizeof(uint64_t), access == OL_WRITE ? OL_S370_R | OL_S370_C : OL_S370_R);
}

/* --- the machines ------------------------------------------------------------------------------------------------ */
/*
 * A program runs with key 8. A frame that it may write has that key, one that it may only read has key 0. So rights
 * belong to the frame: it can be mapped at one place only (can_alias is false).
 */

static uint64_t table_entry(uint64_t table_address, unsigned level)
{
    (void)level;
    return 15U << 28 | table_address; /* of full length */
}

static uint64_t table_address(uint64_t entry, unsigned level)
{
    (void)level;
    return entry & TABLE_ADDRESS;
}

static uint64_t leaf_4k(const struct ol_sim_leaf *leaf)
{
    return (uint64_t)leaf->frame << 4;
}

static uint64_t leaf_2k(const struct ol_sim_leaf *leaf)
{
    return (uint64_t)leaf->frame << 3;
}

static struct ol_sim_leaf decode_4k(uint64_t entry)
{
    return (struct ol_sim_leaf){.frame = (ol_frame_no)(entry >> 4)};
}

static struct ol_sim_leaf decode_2k(uint64_t entry)
{
    return (struct ol_sim_leaf){.frame = (ol_frame_no)(entry >> 3)};
}

static uint64_t key(const struct ol_sim_leaf *leaf, ol_va va, ol_frame_no root)
{
    (void)va;
    (void)root;
    return (leaf->rights & OL_WRITE ? (uint64_t)USER_KEY << OL_S370_ACCESS_SHIFT : 0) |
           (leaf->attributes & OL_REFERENCED ? (uint64_t)OL_S370_R : 0) |
           (leaf->attributes & OL_MODIFIED ? (uint64_t)OL_S370_C : 0);
}

static void key_decode(uint64_t value, struct ol_sim_leaf *leaf)
{
    leaf->rights = OL_READ | (value >> OL_S370_ACCESS_SHIFT == USER_KEY ? (unsigned)OL_WRITE : 0);
    leaf->attributes =
        (value & OL_S370_R ? (unsigned)OL_REFERENCED : 0) | (value & OL_S370_C ? (unsigned)OL_MODIFIED : 0);
}

static void user_program(const struct ol_sim_memory *memory, uint64_t root_address, uint32_t cr0, uint32_t segments,
                         union ol_sim_control *out)
{
    out->s370 = (struct ol_s370_control){.cr0 = cr0,
                                         .cr1 = (segments / 16 - 1) << 24 | (uint32_t)root_address,
                                         .key = USER_KEY,
                                         .keys = memory->keys,
                                         .real_size = memory->keys};
}

static void control_4k(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    user_program(memory, root_address, OL_S370_CR0_4K, 256, out);
}

static void control_2k(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    user_program(memory, root_address, OL_S370_CR0_2K, 256, out);
}

static void control_4k_1m(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    user_program(memory, root_address, OL_S370_CR0_4K | OL_S370_CR0_1M, 16, out);
}

static void control_2k_1m(const struct ol_sim_memory *memory, uint64_t root_address, union ol_sim_control *out)
{
    user_program(memory, root_address, OL_S370_CR0_2K | OL_S370_CR0_1M, 16, out);
}

static void walk(const struct ol_words *words, const union ol_sim_control *control, ol_va va, unsigned access,
                 struct ol_walk *out)
{
    ol_s370_walk(words, &control->s370, va, access, out);
}

static const char *fault_text(const struct ol_walk *walk)
{
    if (walk->outcome != OL_WALK_PAGE_FAULT) return "no address of 24 bits";
    switch (walk->error_code) {
    case OL_S370_PROTECTION: return "protection exception: the storage key refuses this access";
    case OL_S370_SEGMENT: return "segment-translation exception";
    case OL_S370_PAGE: return "page-translation exception";
    case OL_S370_SPECIFICATION: return "translation-specification exception";
    default: return "addressing exception";
    }
}

static const struct ol_sim_field segment_fields[] = {
    {"length", 31, 28}, {"table", 23, 3}, {"zeros", 2, 1}, {"I", 0, 0}, {NULL, 0, 0}};
static const struct ol_sim_field fields_4k[] = {{"frame", 15, 4}, {"I", 3, 3}, {"zeros", 2, 1}, {NULL, 0, 0}};
static const struct ol_sim_field fields_2k[] = {{"frame", 15, 3}, {"I", 2, 2}, {"zero", 1, 1}, {NULL, 0, 0}};

#define MACHINE(machine, text, page, segment, frames, leaf, decode, registers)                                     \
    {                                                                                                              \
        .is = {.name = (machine),                                                                                  \
               .last_va = (1U << ADDRESS_BITS) - 1,                                                                \
               .page_shift = (page),                                                                               \
               .has_referenced = true,                                                                             \
               .has_modified = true,                                                                               \
               .has_execute = false,                                                                               \
               .can_alias = false},                                                                                \
        .summary = (text), .frames_max = (frames), .levels = 2, .big_endian = true, .has_keys = true,              \
        .level = {{.name = "page entry",                                                                           \
                   .index_name = "page",                                                                           \
                   .shift = (page),                                                                                \
                   .index_bits = (segment) - (page),                                                               \
                   .entry_bytes = PAGE_ENTRY_BYTES,                                                                \
                   .empty = (page) == 12 ? 8 : 4,                                                                  \
                   .fields = (page) == 12 ? fields_4k : fields_2k},                                                \
                  {.name = "segment entry",                                                                        \
                   .index_name = "segment",                                                                        \
                   .shift = (segment),                                                                             \
                   .index_bits = ADDRESS_BITS - (segment),                                                         \
                   .entry_bytes = SEGMENT_ENTRY_BYTES,                                                             \
                   .empty = SEGMENT_INVALID,                                                                       \
                   .fields = segment_fields}},                                                                     \
        .table_entry = table_entry, .table_address = table_address, .leaf_entry = (leaf), .leaf_decode = (decode), \
        .key = key, .key_decode = key_decode, .control = (registers), .walk = walk, .fault_text = fault_text,      \
    }

const struct ol_sim_format ol_sim_s370 = MACHINE("s370", "System/370: pages of 4 KiB, segments of 64 KiB, storage keys",
                                                 12, 16, 1 << 12, leaf_4k, decode_4k, control_4k);
const struct ol_sim_format ol_sim_s370_2k =
    MACHINE("s370-2k", "System/370: pages of 2 KiB, segments of 64 KiB, storage keys", 11, 16, 1 << 13, leaf_2k,
            decode_2k, control_2k);
const struct ol_sim_format ol_sim_s370_1m =
    MACHINE("s370-1m", "System/370: pages of 4 KiB, segments of 1 MiB, storage keys", 12, 20, 1 << 12, leaf_4k,
            decode_4k, control_4k_1m);
const struct ol_sim_format ol_sim_s370_2k_1m =
    MACHINE("s370-2k-1m", "System/370: pages of 2 KiB, segments of 1 MiB, storage keys", 11, 20, 1 << 13, leaf_2k,
            decode_2k, control_2k_1m);
