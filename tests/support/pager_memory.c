/* SPDX-License-Identifier: MIT */
#include "tests/support/pager_memory.h"

#include "pager/lock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    struct ol_pager pager;
    uint32_t max_pages; /* c: */
    bool keep;          /* c: */
    struct ol_futex_mutex lock;
    void **slots;   /* by slot, its page or NULL */
    uint32_t pages; /* that are not NULL */
};

static struct memory *memory_of(struct ol_pager *pager)
{
    return (struct memory *)pager;
}

static void slot_drop(struct memory *memory, ol_slot slot)
{
    if (!memory->slots[slot]) return;
    free(memory->slots[slot]);
    memory->slots[slot] = NULL;
    memory->pages--;
}

static enum ol_status slot_write(struct memory *memory, ol_slot slot, const void *page)
{
    slot_drop(memory, slot);
    if (memory->pages >= memory->max_pages) return OL_E_NO_SWAP;
    memory->slots[slot] = malloc(memory->pager.page_bytes);
    if (!memory->slots[slot]) return OL_E_NO_SWAP;
    memcpy(memory->slots[slot], page, memory->pager.page_bytes);
    memory->pages++;
    return OL_OK;
}

static void memory_submit(struct ol_pager *pager, struct ol_io *io)
{
    struct memory *memory = memory_of(pager);
    assert(io->count > 0 && io->count <= OL_IO_PAGES_MAX && io->complete);
    ol_futex_lock(&memory->lock);
    for (uint32_t i = 0; i < io->count; i++) {
        const ol_slot slot = io->slots[i];
        assert(slot < pager->capacity && io->pages[i]);
        if (io->op == OL_IO_WRITE) {
            assert(i == 0 || slot > io->slots[i - 1]);
            io->status[i] = slot_write(memory, slot, io->pages[i]);
        } else {
            assert(memory->slots[slot]);
            memcpy(io->pages[i], memory->slots[slot], pager->page_bytes);
            io->status[i] = OL_OK;
        }
    }
    ol_futex_unlock(&memory->lock);
    io->complete(io);
}

static void memory_discard(struct ol_pager *pager, ol_slot slot)
{
    struct memory *memory = memory_of(pager);
    assert(slot < pager->capacity);
    ol_futex_lock(&memory->lock);
    slot_drop(memory, slot);
    ol_futex_unlock(&memory->lock);
}

static bool memory_keep(struct ol_pager *pager, ol_slot slot)
{
    (void)slot;
    return memory_of(pager)->keep;
}

static enum ol_status memory_flush(struct ol_pager *pager)
{
    (void)pager;
    return OL_OK;
}

static void memory_close(struct ol_pager *pager)
{
    struct memory *memory = memory_of(pager);
    for (ol_slot slot = 0; slot < pager->capacity; slot++) free(memory->slots[slot]);
    free(memory->slots);
    free(memory);
}

static const struct ol_pager_ops memory_ops = {
    .name = "memory",
    .submit = memory_submit,
    .discard = memory_discard,
    .keep = memory_keep,
    .flush = memory_flush,
    .close = memory_close,
};

struct ol_pager *ol_pager_memory_create(const struct ol_pager_memory_options *options)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory) return NULL;
    memory->pager = (struct ol_pager){&memory_ops, options->page_bytes, options->capacity};
    memory->max_pages = options->max_pages;
    memory->keep = options->keep;
    memory->slots = calloc(options->capacity, sizeof *memory->slots);
    if (memory->slots) return &memory->pager;
    free(memory);
    return NULL;
}

uint32_t ol_pager_memory_pages(struct ol_pager *pager)
{
    struct memory *memory = memory_of(pager);
    ol_futex_lock(&memory->lock);
    const uint32_t pages = memory->pages;
    ol_futex_unlock(&memory->lock);
    return pages;
}

bool ol_pager_memory_holds(struct ol_pager *pager, ol_slot slot)
{
    struct memory *memory = memory_of(pager);
    assert(slot < pager->capacity);
    ol_futex_lock(&memory->lock);
    const bool holds = memory->slots[slot] != NULL;
    ol_futex_unlock(&memory->lock);
    return holds;
}
