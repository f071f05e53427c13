/* SPDX-License-Identifier: MIT */
#include "machine/sim/tables.h"

#include "machine/sim/amd64.h"

enum { TOP = OL_AMD64_LEVELS - 1 };

static uint64_t entry_address(ol_frame_no table, ol_va va, unsigned level)
{
    return ((uint64_t)table << OL_SIM_PAGE_SHIFT) + ol_amd64_index(va, level) * sizeof(uint64_t);
}

uint64_t ol_sim_tables_leaf(const struct ol_sim_memory *memory, ol_frame_no root, ol_va va)
{
    ol_frame_no table = root;
    for (unsigned level = TOP; level > 0; level--) {
        const uint64_t entry = ol_sim_memory_word(memory, entry_address(table, va, level));
        if (entry == 0) return OL_SIM_NO_ENTRY;
        table = ol_amd64_frame(entry);
    }
    return entry_address(table, va, 0);
}

enum ol_status ol_sim_tables_grow(struct ol_sim_memory *memory, ol_frame_no root, ol_va va)
{
    ol_frame_no table = root;
    for (unsigned level = TOP; level > 0; level--) {
        const uint64_t address = entry_address(table, va, level);
        uint64_t entry = ol_sim_memory_word(memory, address);
        if (entry == 0) {
            const ol_frame_no child = ol_sim_table_take(memory);
            if (child == OL_NO_FRAME) return OL_E_NO_META;
            entry = ol_amd64_table(child);
            ol_sim_tables_set(memory, address, entry);
        }
        table = ol_amd64_frame(entry);
    }
    return OL_OK;
}

void ol_sim_tables_set(struct ol_sim_memory *memory, uint64_t address, uint64_t value)
{
    uint32_t *const entries = ol_sim_table_entries(memory, (ol_frame_no)(address >> OL_SIM_PAGE_SHIFT));
    const uint64_t before = ol_sim_memory_word(memory, address);
    if (before == 0 && value != 0) ++*entries;
    if (before != 0 && value == 0) --*entries;
    ol_sim_memory_set_word(memory, address, value);
}

void ol_sim_tables_prune(struct ol_sim_memory *memory, ol_frame_no root, ol_va va)
{
    uint64_t above[OL_AMD64_LEVELS] = {0}; /* where the table of each level is entered */
    ol_frame_no table = root;
    unsigned level = TOP;
    while (level > 0) {
        const uint64_t address = entry_address(table, va, level);
        const uint64_t entry = ol_sim_memory_word(memory, address);
        if (entry == 0) break;
        above[--level] = address;
        table = ol_amd64_frame(entry);
    }
    for (; level < TOP && *ol_sim_table_entries(memory, table) == 0; level++) {
        ol_sim_tables_set(memory, above[level], 0);
        ol_sim_table_give(memory, table);
        table = (ol_frame_no)(above[level] >> OL_SIM_PAGE_SHIFT);
    }
}

/* The next present entry of a table at or after va's, within last; *va moves to the first byte that it covers. */
static uint64_t next_entry(const struct ol_sim_memory *memory, ol_frame_no table, unsigned level, ol_va *va, ol_va last)
{
    const unsigned shift = OL_SIM_PAGE_SHIFT + OL_AMD64_INDEX_BITS * level;
    for (;;) {
        const uint64_t entry = ol_sim_memory_word(memory, entry_address(table, *va, level));
        if (entry != 0) return entry;
        *va = ((*va >> shift) + 1) << shift;
        if (ol_amd64_index(*va, level) == 0 || *va > last) return 0;
    }
}

bool ol_sim_tables_next(const struct ol_sim_memory *memory, ol_frame_no root, ol_va *va, ol_va last)
{
    ol_frame_no tables[OL_AMD64_LEVELS] = {0};
    unsigned level = TOP;
    tables[TOP] = root;
    while (*va <= last) {
        const uint64_t entry = next_entry(memory, tables[level], level, va, last);
        if (entry != 0 && level == 0) return true;
        if (entry != 0) {
            tables[--level] = ol_amd64_frame(entry);
            continue;
        }
        /* This table is exhausted, and *va stands behind it: look on one level up, or higher. */
        while (level < TOP && ol_amd64_index(*va, level) == 0) level++;
    }
    return false;
}
