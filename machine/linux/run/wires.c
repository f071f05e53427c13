/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/wires.h"

#include <errno.h>
#include <string.h>

#include "machine/linux/run/foreign.h"
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

static void release_to(struct ol_wires *wires, unsigned count)
{
    while (wires->count > count) {
        wires->count--;
        ol_space_unwire(space(), wires->range[wires->count].va, wires->range[wires->count].pages);
    }
}

long ol_wires_add(struct ol_wires *wires, unsigned long address, unsigned long bytes, unsigned access)
{
    const unsigned before = wires->count;
    enum ol_status status = OL_OK;
    if (!bytes || !ol_in_window(address)) return 0;
    if (bytes > OL_WINDOW_BYTES) return -ENOMEM;
    const unsigned long end = (address + bytes + page_mask) & ~page_mask;
    for (unsigned long first = address & ~page_mask; first < end && status == OL_OK;) {
        uint64_t foreign, foreign_end;
        if (!ol_foreign_next(first, &foreign, &foreign_end) || foreign > end) foreign = foreign_end = end;
        if (foreign > first) status = wire_pages(wires, first, (foreign - first) / OL_RUN_PAGE_BYTES, access);
        first = foreign_end;
    }
    if (status == OL_OK) return 0;
    release_to(wires, before);
    return status == OL_E_NO_FRAMES || status == OL_E_NO_META ? -ENOMEM : -EFAULT;
}

void ol_wires_add_object(struct ol_wires *wires, unsigned long address, unsigned long bytes)
{
    if (!ol_in_window(address)) return;
    const unsigned long first = address & ~page_mask, end = address + bytes;
    if (wire_pages(wires, first, (end - first + page_mask) / OL_RUN_PAGE_BYTES, OL_WRITE) == OL_OK) return;
    for (unsigned long page = first; page < end; page += OL_RUN_PAGE_BYTES)
        if (!ol_foreign_overlaps(page, 1) && wire_pages(wires, page, 1, OL_WRITE) != OL_OK &&
            wire_pages(wires, page, 1, OL_READ) != OL_OK)
            return;
}

void ol_wires_release(struct ol_wires *wires)
{
    release_to(wires, 0);
}
