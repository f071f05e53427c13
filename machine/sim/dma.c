/* SPDX-License-Identifier: MIT */
#include "machine/sim/dma.h"

#include <stdlib.h>

/* Pages of a space that a device may have: wired, but for OL_DMA_UNPINNED. */
struct ol_pin {
    struct ol_world *world; /* c: */
    struct ol_pin *next;    /* the world's others */
    struct ol_space *space; /* c: */
    ol_va va;               /* c: of the first page */
    uint64_t pages;         /* c: */
    bool wired;             /* c: */
};

struct ol_dma {
    struct ol_device *device; /* c: */
    struct ol_dma *next;      /* the world's others */
    struct ol_pin *pin;       /* c: */
    ol_va va;                 /* c: of the first byte */
    uint64_t bytes;           /* c: */
    enum ol_dma_direction direction;
    enum ol_dma_kind kind;
    struct ol_dma_segment *segments;
    uint32_t count;
    uint64_t pages; /* OL_DMA_IOMMU: addresses of the device; OL_DMA_BOUNCE: frames of the bus */
};

static uint8_t page_shift(const struct ol_world *world)
{
    return world->sim->format->is.page_shift;
}

/* --- pins
 * -------------------------------------------------------------------------------------------------------------- */

static enum ol_status pin(struct ol_world *world, struct ol_space *space, ol_va va, uint64_t pages, unsigned access,
                          bool wired, struct ol_pin **out)
{
    const struct ol_capabilities *const is = &world->sim->format->is;
    const ol_va page_bytes = 1ULL << is->page_shift;
    if (va % page_bytes != 0 || pages == 0 || va > is->last_va || pages - 1 > (is->last_va - va) >> is->page_shift)
        return OL_E_INVALID;
    if (pages > world->frames) return OL_E_NO_FRAMES;
    struct ol_pin *const pin = malloc(sizeof *pin);
    if (!pin) return OL_E_NO_META;
    enum ol_status status = OL_OK;
    if (wired) status = ol_space_wire(space, va, pages, access);
    for (uint64_t page = 0; !wired && page < pages && status == OL_OK; page++)
        status = ol_fault(space, va + page * page_bytes, access);
    if (status != OL_OK) {
        free(pin);
        return status;
    }
    *pin =
        (struct ol_pin){.world = world, .next = world->pins, .space = space, .va = va, .pages = pages, .wired = wired};
    world->pins = pin;
    *out = pin;
    return OL_OK;
}

enum ol_status ol_pin_take(struct ol_world *world, struct ol_space *space, ol_va va, uint64_t pages, unsigned access,
                           struct ol_pin **out)
{
    return pin(world, space, va, pages, access, true, out);
}

/* The world's list does not have it any more. */
static void unpin(struct ol_pin *pin)
{
    if (pin->wired) ol_space_unwire(pin->space, pin->va, pin->pages);
    free(pin);
}

void ol_pin_release(struct ol_pin *pin)
{
    struct ol_pin **at = &pin->world->pins;
    while (*at != pin) at = &(*at)->next;
    *at = pin->next;
    unpin(pin);
}

bool ol_pin_overlaps(const struct ol_world *world, const struct ol_space *space, ol_va va, uint64_t pages)
{
    const uint8_t shift = page_shift(world);
    const uint64_t first = va >> shift;
    for (const struct ol_pin *pin = world->pins; pin; pin = pin->next) {
        const uint64_t pinned = pin->va >> shift;
        if (pin->space != space) continue;
        if (first < pinned ? pages > pinned - first : first - pinned < pin->pages) return true;
    }
    return false;
}

/* --- the bus
 * ------------------------------------------------------------------------------------------------------------- */

enum ol_status ol_bus_take(struct ol_world *world, uint64_t frames, uint64_t end, uint64_t *physical)
{
    const uint8_t shift = page_shift(world);
    const uint64_t end_frame = end >> shift, below = end_frame > world->frames ? end_frame - world->frames : 0;
    uint64_t at;
    if (frames == 0) return OL_E_INVALID;
    const enum ol_status status = ol_ranges_take(&world->bus, frames, 1, below, OL_FIRST_FIT, &at);
    if (status == OL_OK) *physical = (at + world->frames) << shift;
    return status;
}

enum ol_status ol_bus_give(struct ol_world *world, uint64_t physical, uint64_t frames)
{
    return ol_ranges_give(&world->bus, (physical >> page_shift(world)) - world->frames, frames);
}

/* --- maps
 * ------------------------------------------------------------------------------------------------------------------ */

/* Adds a piece of memory to the list, joined to the last if it follows that. The list has room for a piece a page. */
static void add_piece(struct ol_dma *dma, uint64_t address, uint64_t bytes)
{
    struct ol_dma_segment *const last = dma->count > 0 ? &dma->segments[dma->count - 1] : NULL;
    if (last && last->address + last->bytes == address) last->bytes += bytes;
    else dma->segments[dma->count++] = (struct ol_dma_segment){.address = address, .bytes = bytes};
}

/* The physical addresses of the buffer. False if a page is not mapped any more: where a frame can be mapped only once,
 * the buffer may have had it twice. */
static bool list_pieces(struct ol_dma *dma)
{
    const struct ol_world *const world = dma->device->world;
    const uint64_t page_bytes = 1ULL << page_shift(world);
    for (uint64_t done = 0; done < dma->bytes;) {
        const ol_va va = dma->va + done;
        const uint64_t in_page = page_bytes - (va & (page_bytes - 1)), left = dma->bytes - done;
        const uint64_t part = left < in_page ? left : in_page;
        uint64_t physical;
        if (!ol_world_physical(world, dma->pin->space, va, &physical)) return false;
        add_piece(dma, physical, part);
        done += part;
    }
    return true;
}

static bool is_reachable(const struct ol_dma *dma)
{
    if (dma->count > dma->device->options.segments_max) return false;
    for (uint32_t i = 0; i < dma->count; i++)
        if (dma->segments[i].address + (dma->segments[i].bytes - 1) > dma->device->options.last_address) return false;
    return true;
}

/* The frames become one run of the device's addresses. */
static enum ol_status map_iommu(struct ol_dma *dma)
{
    struct ol_device *const device = dma->device;
    struct ol_sim *const sim = device->world->sim;
    const uint8_t shift = page_shift(device->world);
    const unsigned access = dma->direction == OL_DMA_TO_MEMORY ? OL_READ | OL_WRITE : OL_READ;
    uint64_t at;
    enum ol_status status = ol_ranges_take(&device->addresses, dma->pin->pages, 1, UINT64_MAX, OL_FIRST_FIT, &at);
    if (status != OL_OK) return status;
    for (uint64_t page = 0; page < dma->pin->pages && status == OL_OK; page++) {
        uint64_t physical;
        if (!ol_world_physical(device->world, dma->pin->space, dma->pin->va + (page << shift), &physical)) continue;
        const ol_frame_no frame = (ol_frame_no)(physical >> shift);
        status = ol_sim_pmap_ops.enter(sim, device->domain, (at + page) << shift, &frame, 1, access, OL_NONE);
    }
    if (status != OL_OK) {
        ol_sim_pmap_ops.remove(sim, device->domain, at << shift, dma->pin->pages);
        (void)ol_ranges_give(&device->addresses, at, dma->pin->pages);
        return status;
    }
    dma->kind = OL_DMA_IOMMU;
    dma->pages = dma->pin->pages;
    dma->segments[0] =
        (struct ol_dma_segment){.address = (at << shift) + (dma->va - dma->pin->va), .bytes = dma->bytes};
    dma->count = 1;
    return OL_OK;
}

/* The processor copies between the program's pages and the bounce buffer. */
static enum ol_status bounce(const struct ol_dma *dma)
{
    struct ol_device *const device = dma->device;
    unsigned char *const buffer = device->world->sim->memory.bytes + dma->segments[0].address;
    device->counters.bounced += dma->bytes;
    return dma->direction == OL_DMA_TO_MEMORY
               ? ol_sim_write(device->world->sim, dma->pin->space, dma->va, buffer, (size_t)dma->bytes)
               : ol_sim_read(device->world->sim, dma->pin->space, dma->va, buffer, (size_t)dma->bytes);
}

static enum ol_status map_bounce(struct ol_dma *dma)
{
    struct ol_device *const device = dma->device;
    const uint64_t pages = ((dma->bytes - 1) >> page_shift(device->world)) + 1;
    const uint64_t last = device->options.last_address;
    uint64_t physical;
    enum ol_status status = ol_bus_take(device->world, pages, last == UINT64_MAX ? last : last + 1, &physical);
    if (status != OL_OK) return status;
    dma->kind = OL_DMA_BOUNCE;
    dma->pages = pages;
    dma->segments[0] = (struct ol_dma_segment){.address = physical, .bytes = dma->bytes};
    dma->count = 1;
    if (dma->direction == OL_DMA_FROM_MEMORY) status = bounce(dma);
    if (status != OL_OK) (void)ol_bus_give(device->world, physical, pages);
    return status;
}

/* By what the device can do. */
static enum ol_status map_pinned(struct ol_dma *dma)
{
    if (dma->device->domain) return map_iommu(dma);
    dma->kind = OL_DMA_LIST;
    if (list_pieces(dma) && is_reachable(dma)) return OL_OK;
    return map_bounce(dma);
}

/* Not yet mapped; NULL: no memory. */
static struct ol_dma *dma_new(struct ol_device *device, struct ol_pin *pin, ol_va va, uint64_t bytes,
                              enum ol_dma_direction direction)
{
    struct ol_dma *const dma = malloc(sizeof *dma);
    if (!dma) return NULL;
    *dma = (struct ol_dma){.device = device, .pin = pin, .va = va, .bytes = bytes, .direction = direction};
    dma->segments = calloc((size_t)pin->pages, sizeof *dma->segments);
    if (dma->segments) return dma;
    free(dma);
    return NULL;
}

static void dma_free(struct ol_dma *dma)
{
    ol_pin_release(dma->pin);
    free(dma->segments);
    free(dma);
}

enum ol_status ol_dma_map(struct ol_device *device, struct ol_space *space, ol_va va, uint64_t bytes,
                          enum ol_dma_direction direction, unsigned flags, struct ol_dma **out)
{
    struct ol_world *const world = device->world;
    const uint8_t shift = page_shift(world);
    const bool wired = !(flags & OL_DMA_UNPINNED);
    if (bytes == 0 || va + (bytes - 1) < va || (!wired && !device->domain)) return OL_E_INVALID;
    const uint64_t first = va >> shift, pages = ((va + (bytes - 1)) >> shift) - first + 1;
    const unsigned access = direction == OL_DMA_TO_MEMORY ? OL_WRITE : OL_READ;
    struct ol_pin *pinned;
    enum ol_status status = pin(world, space, first << shift, pages, access, wired, &pinned);
    if (status != OL_OK) return status;
    struct ol_dma *const dma = dma_new(device, pinned, va, bytes, direction);
    if (!dma) {
        ol_pin_release(pinned);
        return OL_E_NO_META;
    }
    status = map_pinned(dma);
    if (status != OL_OK) {
        dma_free(dma);
        return status;
    }
    dma->next = world->dmas;
    world->dmas = dma;
    *out = dma;
    return OL_OK;
}

/* Gives everything back; neither the device nor the world's list has it any more. */
static void release(struct ol_dma *dma)
{
    struct ol_device *const device = dma->device;
    struct ol_world *const world = device->world;
    const uint8_t shift = page_shift(world);
    if (dma->kind == OL_DMA_IOMMU) {
        const uint64_t page = dma->segments[0].address >> shift;
        ol_sim_pmap_ops.remove(world->sim, device->domain, page << shift, dma->pages);
        (void)ol_ranges_give(&device->addresses, page, dma->pages);
    } else if (dma->kind == OL_DMA_BOUNCE) {
        (void)ol_bus_give(world, dma->segments[0].address, dma->pages);
    }
    dma_free(dma);
}

enum ol_status ol_dma_unmap(struct ol_dma *dma)
{
    if (ol_device_is_busy(dma->device)) return OL_E_BUSY;
    const bool copies = dma->kind == OL_DMA_BOUNCE && dma->direction == OL_DMA_TO_MEMORY;
    const enum ol_status status = copies ? bounce(dma) : OL_OK;
    struct ol_dma **at = &dma->device->world->dmas;
    while (*at != dma) at = &(*at)->next;
    *at = dma->next;
    release(dma);
    return status;
}

enum ol_dma_kind ol_dma_kind(const struct ol_dma *dma)
{
    return dma->kind;
}

const struct ol_dma_segment *ol_dma_segments(const struct ol_dma *dma, uint32_t *count)
{
    *count = dma->count;
    return dma->segments;
}

void ol_dmas_destroy(struct ol_world *world)
{
    while (world->dmas) {
        struct ol_dma *const dma = world->dmas;
        world->dmas = dma->next;
        release(dma);
    }
    while (world->pins) {
        struct ol_pin *const pin = world->pins;
        world->pins = pin->next;
        unpin(pin);
    }
}
