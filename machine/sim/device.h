/* SPDX-License-Identifier: MIT */
/*
 * Devices that read and write memory themselves (DMA).
 *
 * A device puts addresses on the bus. Without an IOMMU these are physical addresses: no tables, no rights, no TLB, no
 * referenced or modified bits, and nobody asks whose the frame is by now. With one, they are translated by tables of
 * the device's own, in the machine's format.
 *
 * dma.h has what drivers should do with one.
 *
 * The IOMMU's mappings of a frame are known as any other mapping of it is: a page that is evicted disappears for the
 * device, too. A device that is then still writing faults; without an IOMMU it writes into whatever is there now.
 *
 * Simplifications: the bus reaches the frames of pages and of the bus, not those of page tables; the IOMMU has no TLB
 * of its own; a device does one transfer at a time, and its time is that of whoever lets it run.
 *
 * Conditions that hold for all functions:
 * - A device belongs to its world and ends with it.
 * - One thread uses a world at a time.
 */
#ifndef OL_SIM_DEVICE_H
#define OL_SIM_DEVICE_H

#include "machine/sim/ranges.h"
#include "machine/sim/world.h"

enum ol_dma_direction {
    OL_DMA_TO_MEMORY,   /* the device writes memory: input */
    OL_DMA_FROM_MEMORY, /* the device reads memory: output */
};

struct ol_dma_segment {
    uint64_t address, bytes; /* on the bus */
};

struct ol_device_options {
    uint64_t last_address; /* the highest that the device can put on the bus */
    uint32_t segments_max; /* entries of its list; 1: no scatter-gather; 0 is taken for 1 */
    bool iommu;            /* between the device and memory */
};

/* Exact counts since creation. */
struct ol_device_counters {
    uint64_t transfers;    /* started */
    uint64_t bytes;        /* moved */
    uint64_t faults;       /* transfers that ended at an address that leads nowhere, or is forbidden */
    uint64_t bounced;      /* bytes that the processor copied to or from bounce buffers */
    uint64_t translations; /* by the IOMMU */
};

struct ol_device {
    struct ol_world *world;           /* c: */
    struct ol_device *next;           /* the world's other devices */
    struct ol_device_options options; /* c: */
    struct ol_pmap *domain;           /* c: what the IOMMU translates by; NULL: there is none */
    struct ol_ranges addresses;       /* of the domain that nothing has, in pages */
    struct ol_device_counters counters;
    /* The transfer: */
    struct ol_dma_segment *segments;
    uint32_t count;
    uint32_t at;    /* the segment that is being moved; count: none, the device is idle */
    uint64_t moved; /* bytes of that segment */
    enum ol_dma_direction direction;
    unsigned char *data;             /* the device's own memory: */
    uint64_t data_bytes, data_moved; /* … as long as the segments together */
};

/* OL_OK; OL_E_UNSUPPORTED: an IOMMU beside a processor whose frames can be mapped only once; OL_E_NO_META. */
enum ol_status ol_device_create(struct ol_world *world, const struct ol_device_options *options,
                                struct ol_device **out);
void ol_device_get_counters(const struct ol_device *device, struct ol_device_counters *out);

/* Programs the device. The segments are copied; so are the first bytes of `data` (to memory), which are as many as the
 * segments have together; may be NULL from memory. Nothing moves yet. OL_E_BUSY: it is at work; OL_E_INVALID: no
 * segment, an empty one, more than the device has room for, or an address that it cannot put out; OL_E_NO_META. */
enum ol_status ol_device_start(struct ol_device *device, enum ol_dma_direction direction,
                               const struct ol_dma_segment *segments, uint32_t count, const void *data);
/* Lets the device move up to so many bytes; stores how many are left of its transfer, which ends with the last. OL_OK;
 * OL_E_NO_REGION: it met an address with no memory, or none that the IOMMU knows; OL_E_RIGHTS: the IOMMU forbids that
 * access. The transfer has then ended, and *left says what it did not move. */
enum ol_status ol_device_run(struct ol_device *device, uint64_t bytes, uint64_t *left);
bool ol_device_is_busy(const struct ol_device *device);
/* What the last transfer from memory has read: valid until the next start. Stores its length. */
const void *ol_device_data(const struct ol_device *device, uint64_t *bytes);

/* Ends all devices: part of ol_world_destroy. */
void ol_devices_destroy(struct ol_world *world);

#endif
