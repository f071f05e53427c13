/* SPDX-License-Identifier: MIT */
#include "machine/sim/tables.h"

static unsigned top(const struct ol_sim_tables *tables)
{
    return tables->format->levels - 1U;
}

/* --- entries ----------------------------------------------------------------------------------------------------- */

static uint64_t entry_address(const struct ol_sim_tables *tables, ol_frame_no table, ol_va va, unsigned level)
{
    const struct ol_sim_level *const is = &tables->format->level[level];
    return ((uint64_t)table << tables->memory->page_shift) + ol_sim_index(is, va) * is->entry_bytes;
}

static uint64_t get(const struct ol_sim_tables *tables, uint64_t address, unsigned level)
{
    const unsigned bytes = tables->format->level[level].entry_bytes;
    const uint64_t entry = ol_words_entry(&tables->memory->words, address, bytes);
    return tables->format->big_endian ? ol_big_endian(entry, bytes) : entry;
}

static void put(const struct ol_sim_tables *tables, uint64_t address, unsigned level, uint64_t entry)
{
    const unsigned bytes = tables->format->level[level].entry_bytes;
    const uint64_t raw = tables->format->big_endian ? ol_big_endian(entry, bytes) : entry;
    memcpy(tables->memory->bytes + address, &raw, bytes); /* the host is little endian */
}

static bool is_empty(const struct ol_sim_tables *tables, uint64_t entry, unsigned level)
{
    return entry == tables->format->level[level].empty;
}

/* Does an entry that is not empty map a large page, rather than name a table? */
static bool is_large(const struct ol_sim_tables *tables, uint64_t entry, unsigned level)
{
    const uint64_t mark = tables->format->large_mark;
    return level > 0 && mark != 0 && (entry & mark) == mark;
}

/* Writes an entry and keeps the count of its table. */
static void set(const struct ol_sim_tables *tables, uint64_t address, unsigned level, uint64_t entry)
{
    uint32_t *const entries =
        ol_sim_table_entries(tables->memory, (ol_frame_no)(address >> tables->memory->page_shift));
    const bool before = !is_empty(tables, get(tables, address, level), level);
    const bool after = !is_empty(tables, entry, level);
    *entries += (after ? 1U : 0U) - (before ? 1U : 0U);
    put(tables, address, level, entry);
}

/* Fills a fresh table with empty entries, or a given one with the zeros that memory.h asks for. */
static void fill(const struct ol_sim_tables *tables, ol_frame_no table, unsigned level, bool fresh)
{
    const struct ol_sim_level *const is = &tables->format->level[level];
    const uint64_t address = (uint64_t)table << tables->memory->page_shift;
    if (is->empty == 0) return;
    for (uint64_t i = 0; i < 1ULL << is->index_bits; i++)
        put(tables, address + i * is->entry_bytes, level, fresh ? is->empty : 0);
}

static ol_frame_no named_table(const struct ol_sim_tables *tables, uint64_t entry, unsigned level)
{
    return (ol_frame_no)(tables->format->table_address(entry, level) >> tables->memory->page_shift);
}

static uint64_t key_address(const struct ol_sim_tables *tables, ol_frame_no frame)
{
    return tables->memory->keys + frame * sizeof(uint64_t);
}

/* --- roots ------------------------------------------------------------------------------------------------------- */

enum ol_status ol_sim_tables_create(struct ol_sim_tables *tables, const struct ol_sim_format *format,
                                    struct ol_sim_memory *memory)
{
    *tables = (struct ol_sim_tables){.format = format, .memory = memory};
    tables->root = ol_sim_table_take(memory, format->root_order);
    if (tables->root == OL_NO_FRAME) return OL_E_NO_META;
    fill(tables, tables->root, top(tables), true);
    return OL_OK;
}

void ol_sim_tables_destroy(struct ol_sim_tables *tables)
{
    fill(tables, tables->root, top(tables), false);
    ol_sim_table_give(tables->memory, tables->root, tables->format->root_order);
}

/* --- the tree ---------------------------------------------------------------------------------------------------- */

static struct ol_sim_entry entry_for(const struct ol_sim_tables *tables, ol_va va, unsigned level, uint64_t address)
{
    const uint8_t shift = tables->format->level[level].shift;
    return (struct ol_sim_entry){.address = address, .va = va >> shift << shift, .level = level};
}

struct ol_sim_entry ol_sim_tables_leaf(const struct ol_sim_tables *tables, ol_va va)
{
    ol_frame_no table = tables->root;
    for (unsigned level = top(tables);; level--) {
        const uint64_t address = entry_address(tables, table, va, level);
        const uint64_t entry = get(tables, address, level);
        const bool empty = is_empty(tables, entry, level);
        if (level > 0 && empty) return entry_for(tables, va, level, OL_SIM_NO_ENTRY);
        if (level == 0 || is_large(tables, entry, level)) return entry_for(tables, va, level, address);
        table = named_table(tables, entry, level);
    }
}

enum ol_status ol_sim_tables_grow(const struct ol_sim_tables *tables, ol_va va, unsigned to, struct ol_sim_entry *out)
{
    ol_frame_no table = tables->root;
    for (unsigned level = top(tables); level > to; level--) {
        const uint64_t address = entry_address(tables, table, va, level);
        uint64_t entry = get(tables, address, level);
        if (is_empty(tables, entry, level)) {
            const ol_frame_no child = ol_sim_table_take(tables->memory, 0);
            if (child == OL_NO_FRAME) return OL_E_NO_META;
            fill(tables, child, level - 1, true);
            entry = tables->format->table_entry((uint64_t)child << tables->memory->page_shift, level);
            set(tables, address, level, entry);
        }
        assert(!is_large(tables, entry, level));
        table = named_table(tables, entry, level);
    }
    *out = entry_for(tables, va, to, entry_address(tables, table, va, to));
    return OL_OK;
}

bool ol_sim_tables_read(const struct ol_sim_tables *tables, const struct ol_sim_entry *at, struct ol_sim_leaf *out)
{
    if (at->address == OL_SIM_NO_ENTRY) return false;
    const uint64_t entry = get(tables, at->address, at->level);
    if (is_empty(tables, entry, at->level)) return false;
    *out = tables->format->leaf_decode(entry);
    if (tables->format->has_keys)
        tables->format->key_decode(ol_sim_memory_word(tables->memory, key_address(tables, out->frame)), out);
    return true;
}

/* The frame's key follows what becomes of a leaf. */
static void write_key(const struct ol_sim_tables *tables, const struct ol_sim_entry *at, const struct ol_sim_leaf *leaf)
{
    const struct ol_sim_format *const format = tables->format;
    const uint64_t before = get(tables, at->address, 0);
    if (!is_empty(tables, before, 0))
        ol_sim_memory_set_word(tables->memory, key_address(tables, format->leaf_decode(before).frame), 0);
    if (leaf)
        ol_sim_memory_set_word(tables->memory, key_address(tables, leaf->frame),
                               format->key(leaf, at->va, tables->root));
}

/* What a leaf looks like at that level. */
static uint64_t leaf_entry(const struct ol_sim_tables *tables, const struct ol_sim_leaf *leaf, unsigned level)
{
    return tables->format->leaf_entry(leaf) | (level > 0 ? tables->format->large_mark : 0);
}

void ol_sim_tables_write(const struct ol_sim_tables *tables, const struct ol_sim_entry *at,
                         const struct ol_sim_leaf *leaf)
{
    const unsigned level = at->level;
    if (tables->format->has_keys) write_key(tables, at, leaf);
    set(tables, at->address, level, leaf ? leaf_entry(tables, leaf, level) : tables->format->level[level].empty);
}

enum ol_status ol_sim_tables_split(const struct ol_sim_tables *tables, const struct ol_sim_entry *at)
{
    const unsigned below = at->level - 1;
    const struct ol_sim_level *const is = &tables->format->level[below];
    const uint32_t step = 1U << (is->shift - tables->memory->page_shift);
    struct ol_sim_leaf leaf;
    const bool mapped = ol_sim_tables_read(tables, at, &leaf);
    assert(mapped && at->level > 0);
    (void)mapped;
    const ol_frame_no table = ol_sim_table_take(tables->memory, 0);
    if (table == OL_NO_FRAME) return OL_E_NO_META;
    const uint64_t address = (uint64_t)table << tables->memory->page_shift;
    fill(tables, table, below, true);
    for (uint64_t i = 0; i < 1ULL << is->index_bits; i++, leaf.frame += step)
        set(tables, address + i * is->entry_bytes, below, leaf_entry(tables, &leaf, below));
    set(tables, at->address, at->level, tables->format->table_entry(address, at->level));
    return OL_OK;
}

void ol_sim_tables_prune(const struct ol_sim_tables *tables, ol_va va)
{
    uint64_t above[OL_SIM_LEVELS_MAX] = {0}; /* where the table of each level is entered */
    ol_frame_no path[OL_SIM_LEVELS_MAX] = {0};
    unsigned level = top(tables);
    path[level] = tables->root;
    while (level > 0) {
        const uint64_t address = entry_address(tables, path[level], va, level);
        const uint64_t entry = get(tables, address, level);
        if (is_empty(tables, entry, level) || is_large(tables, entry, level)) break;
        above[--level] = address;
        path[level] = named_table(tables, entry, level + 1);
    }
    for (; level < top(tables) && *ol_sim_table_entries(tables->memory, path[level]) == 0; level++) {
        set(tables, above[level], level + 1, tables->format->level[level + 1].empty);
        fill(tables, path[level], level, false);
        ol_sim_table_give(tables->memory, path[level], 0);
    }
}

/* Finds the next entry of a table at or after va's, within last; *va moves to the first byte that it covers. False if
 * there is none. */
static bool next_entry(const struct ol_sim_tables *tables, ol_frame_no table, unsigned level, ol_va *va, ol_va last,
                       uint64_t *entry)
{
    const struct ol_sim_level *const is = &tables->format->level[level];
    for (;;) {
        *entry = get(tables, entry_address(tables, table, *va, level), level);
        if (!is_empty(tables, *entry, level)) return true;
        *va = ((*va >> is->shift) + 1) << is->shift;
        if (ol_sim_index(is, *va) == 0 || *va > last) return false;
    }
}

bool ol_sim_tables_next(const struct ol_sim_tables *tables, ol_va *va, ol_va last)
{
    ol_frame_no path[OL_SIM_LEVELS_MAX] = {0};
    unsigned level = top(tables);
    path[level] = tables->root;
    while (*va <= last) {
        uint64_t entry;
        if (next_entry(tables, path[level], level, va, last, &entry)) {
            if (level == 0 || is_large(tables, entry, level)) return true;
            level--;
            path[level] = named_table(tables, entry, level + 1);
            continue;
        }
        /* This table is exhausted, and *va stands behind it: look on one level up, or higher. */
        while (level < top(tables) && ol_sim_index(&tables->format->level[level], *va) == 0) level++;
    }
    return false;
}
