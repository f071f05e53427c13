/* SPDX-License-Identifier: MIT */
#include "machine/sim/memory.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t read_word(const struct ol_words *words, uint64_t address)
{
    return ol_sim_memory_word((const struct ol_sim_memory *)words, address); /* its first member */
}

enum ol_status ol_sim_memory_create(struct ol_sim_memory *memory, uint8_t page_shift, uint32_t page_frames,
                                    uint32_t table_frames)
{
    if (page_frames == 0 || table_frames == 0) return OL_E_INVALID;
    if ((uint64_t)page_frames + table_frames > OL_SIM_FRAMES_MAX) return OL_E_INVALID;
    const uint64_t frames = (uint64_t)page_frames + table_frames;
    const uint64_t keys = frames << page_shift;
    const uint64_t size_bytes = keys + frames * sizeof(uint64_t);
    void *const bytes =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) return OL_E_NO_META;
    uint32_t *const state = calloc(table_frames, sizeof *state);
    if (!state) {
        munmap(bytes, size_bytes);
        return OL_E_NO_META;
    }
    *memory = (struct ol_sim_memory){
        .words = {.read = read_word},
        .bytes = bytes,
        .size_bytes = size_bytes,
        .keys = keys,
        .page_frames = page_frames,
        .table_frames = table_frames,
        .page_shift = page_shift,
        .free = OL_NO_FRAME,
        .free_run = OL_NO_FRAME,
        .table_state = state,
    };
    return OL_OK;
}

void ol_sim_memory_destroy(struct ol_sim_memory *memory)
{
    munmap(memory->bytes, memory->size_bytes);
    free(memory->table_state);
    *memory = (struct ol_sim_memory){0};
}

void ol_sim_memory_discard(struct ol_sim_memory *memory, ol_frame_no frame)
{
    void *const page = ol_sim_memory_frame(memory, frame);
    const uint64_t bytes = ol_sim_page_bytes(memory);
    if (bytes % (uint64_t)sysconf(_SC_PAGESIZE) != 0 || madvise(page, bytes, MADV_DONTNEED) != 0)
        memset(page, 0, bytes);
}

ol_frame_no ol_sim_table_take(struct ol_sim_memory *memory, unsigned order)
{
    ol_frame_no *const free = order > 0 ? &memory->free_run : &memory->free;
    const uint32_t frames = 1U << order;
    ol_frame_no table = *free;
    if (table != OL_NO_FRAME) {
        uint32_t *const state = ol_sim_table_entries(memory, table);
        *free = *state;
        *state = 0;
    } else {
        if (memory->table_frames - memory->tables_fresh < frames) return OL_NO_FRAME;
        table = memory->page_frames + memory->tables_fresh;
        memory->tables_fresh += frames;
    }
    memory->tables += frames;
    if (memory->tables_peak < memory->tables) memory->tables_peak = memory->tables;
    return table;
}

void ol_sim_table_give(struct ol_sim_memory *memory, ol_frame_no table, unsigned order)
{
    ol_frame_no *const free = order > 0 ? &memory->free_run : &memory->free;
    uint32_t *const state = ol_sim_table_entries(memory, table);
    assert(*state == 0 && memory->tables >= 1U << order);
    *state = *free;
    *free = table;
    memory->tables -= 1U << order;
}
