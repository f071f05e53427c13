/* SPDX-License-Identifier: MIT */
#include "machine/sim/drum.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct drum {
    struct ol_pager head;
    unsigned char *pages; /* c: capacity * page_bytes, backed by the host as they are written */
};

static void *slot_page(struct ol_pager *pager, ol_slot slot)
{
    struct drum *const drum = (struct drum *)pager;
    assert(slot < pager->capacity);
    return drum->pages + (uint64_t)slot * pager->page_bytes;
}

static void drum_submit(struct ol_pager *pager, struct ol_io *io)
{
    for (uint32_t i = 0; i < io->count; i++) {
        void *const kept = slot_page(pager, io->slots[i]);
        if (io->op == OL_IO_READ) memcpy(io->pages[i], kept, pager->page_bytes);
        else memcpy(kept, io->pages[i], pager->page_bytes);
        io->status[i] = OL_OK;
    }
    io->complete(io);
}

/* The slot's memory stays for its next page: giving it back would cost a system call each time. */
static void drum_discard(struct ol_pager *pager, ol_slot slot)
{
    assert(slot < pager->capacity);
    (void)pager;
    (void)slot;
}

static bool drum_keep(struct ol_pager *pager, ol_slot slot)
{
    (void)pager;
    (void)slot;
    return true;
}

static enum ol_status drum_flush(struct ol_pager *pager)
{
    (void)pager;
    return OL_OK;
}

static void drum_close(struct ol_pager *pager)
{
    struct drum *const drum = (struct drum *)pager;
    munmap(drum->pages, (uint64_t)pager->capacity * pager->page_bytes);
    free(drum);
}

static const struct ol_pager_ops drum_ops = {
    .name = "drum",
    .submit = drum_submit,
    .discard = drum_discard,
    .keep = drum_keep,
    .flush = drum_flush,
    .close = drum_close,
};

enum ol_status ol_drum_create(uint32_t capacity, uint32_t page_bytes, struct ol_pager **out)
{
    if (capacity == 0 || page_bytes == 0) return OL_E_INVALID;
    struct drum *const drum = malloc(sizeof *drum);
    if (!drum) return OL_E_NO_META;
    void *const pages = mmap(NULL, (uint64_t)capacity * page_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) {
        free(drum);
        return OL_E_NO_META;
    }
    drum->head = (struct ol_pager){.ops = &drum_ops, .page_bytes = page_bytes, .capacity = capacity};
    drum->pages = pages;
    *out = &drum->head;
    return OL_OK;
}
