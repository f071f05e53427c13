/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/wires.h"

#include <errno.h>
#include <string.h>

#include "machine/linux/run/runtime.h"

static const unsigned long page_mask = OL_RUN_PAGE_BYTES - 1;

static struct ol_space *space(void)
{
    return ol_runtime.memory->space;
}

static enum ol_status wire_pages(struct ol_wires *wires, unsigned long va, uint64_t pages, unsigned access)
{
    if (wires->count == OL_WIRES_MAX || pages > UINT32_MAX) return OL_E_NO_FRAMES;
    const enum ol_status status = ol_space_wire(space(), va, pages, access);
    if (status != OL_OK) return status;
    wires->range[wires->count].va = va;
    wires->range[wires->count++].pages = (uint32_t)pages;
    return OL_OK;
}

long ol_wires_add(struct ol_wires *wires, unsigned long address, unsigned long bytes, unsigned access)
{
    if (!bytes || !ol_in_window(address)) return 0;
    const unsigned long first = address & ~page_mask;
    const uint64_t pages = (address + bytes - first + page_mask) / OL_RUN_PAGE_BYTES;
    const enum ol_status status = wire_pages(wires, first, pages, access);
    if (status == OL_OK) return 0;
    return status == OL_E_NO_FRAMES || status == OL_E_NO_META ? -ENOMEM : -EFAULT;
}

void ol_wires_add_object(struct ol_wires *wires, unsigned long address, unsigned long bytes)
{
    if (!ol_in_window(address)) return;
    const unsigned long first = address & ~page_mask, end = address + bytes;
    if (wire_pages(wires, first, (end - first + page_mask) / OL_RUN_PAGE_BYTES, OL_WRITE) == OL_OK) return;
    for (unsigned long page = first; page < end; page += OL_RUN_PAGE_BYTES)
        if (wire_pages(wires, page, 1, OL_WRITE) != OL_OK && wire_pages(wires, page, 1, OL_READ) != OL_OK) return;
}

void ol_wires_release(struct ol_wires *wires)
{
    while (wires->count) {
        wires->count--;
        ol_space_unwire(space(), wires->range[wires->count].va, wires->range[wires->count].pages);
    }
}
