/* SPDX-License-Identifier: MIT */
/*
 * What a driver should do with a device: the pages of a buffer stay in their frames until the device is done with them,
 * and the device is told the addresses that these frames have on the bus.
 *
 *     pin         pages stay in their frames (the core's wire)
 *     dma_map     pins; then, by what the device can do,
 *                     IOMMU     one run of addresses, however scattered the frames are
 *                     LIST      a scatter-gather list of physical addresses, neighbours joined
 *                     BOUNCE    a contiguous buffer on the bus, copied by the processor
 *     bus_take    a contiguous buffer, from the frames that the world set aside for the bus
 *
 * Conditions that hold for all functions:
 * - Pins and maps belong to their world and end with it.
 * - A page that is pinned, or mapped for a device, must not be unmapped or discarded, nor its space be forked or
 *   destroyed: ol_pin_overlaps tells.
 * - One thread uses a world at a time.
 */
#ifndef OL_SIM_DMA_H
#define OL_SIM_DMA_H

#include "machine/sim/device.h"

struct ol_pin; /* pages that stay where they are */
struct ol_dma; /* a buffer of a program as a device sees it */

/* --- pinned pages ------------------------------------------------------------------------------------------------- */

/* As ol_space_wire; the range is any range of pages of the space. */
enum ol_status ol_pin_take(struct ol_world *world, struct ol_space *space, ol_va va, uint64_t pages, unsigned access,
                           struct ol_pin **out);
void ol_pin_release(struct ol_pin *pin);
/* Is a page of the range pinned, or mapped for a device? */
bool ol_pin_overlaps(const struct ol_world *world, const struct ol_space *space, ol_va va, uint64_t pages);

/* --- buffers for a device ------------------------------------------------------------------------------------------
 */

enum ol_dma_kind { OL_DMA_IOMMU, OL_DMA_LIST, OL_DMA_BOUNCE };

enum ol_dma_flags {
    OL_DMA_UNPINNED = 1, /* with an IOMMU: the pages may be evicted, and then the device faults */
};

/* Makes [va, va+bytes) ready for one transfer of the device in that direction. OL_OK; what pinning says; OL_E_INVALID:
 * no bytes, or OL_DMA_UNPINNED without an IOMMU; OL_E_NO_ROOM: neither can the device reach the pages nor is there a
 * bounce buffer that it reaches; OL_E_NO_META. */
enum ol_status ol_dma_map(struct ol_device *device, struct ol_space *space, ol_va va, uint64_t bytes,
                          enum ol_dma_direction direction, unsigned flags, struct ol_dma **out);
/* The device is done with it: what it wrote to a bounce buffer is copied to the pages, all is given back. OL_OK;
 * OL_E_BUSY: the device is still at work, nothing changed; or why the copy could not be written. */
enum ol_status ol_dma_unmap(struct ol_dma *dma);

enum ol_dma_kind ol_dma_kind(const struct ol_dma *dma);
/* Stores their number. They are the map's. */
const struct ol_dma_segment *ol_dma_segments(const struct ol_dma *dma, uint32_t *count);

/* --- contiguous buffers --------------------------------------------------------------------------------------------
 */

/* So many neighbouring frames of the bus, none at or above `end` (a physical address). Stores the physical address.
 * OL_E_NO_ROOM, OL_E_NO_META. */
enum ol_status ol_bus_take(struct ol_world *world, uint64_t frames, uint64_t end, uint64_t *physical);
/* Gives back frames of the bus. OL_E_OVERLAP: some of them are not taken; OL_E_NO_META: they stay taken. */
enum ol_status ol_bus_give(struct ol_world *world, uint64_t physical, uint64_t frames);

/* Ends all pins and maps, before the devices: part of ol_world_destroy. */
void ol_dmas_destroy(struct ol_world *world);

#endif
