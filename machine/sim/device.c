/* SPDX-License-Identifier: MIT */
#include "machine/sim/device.h"

#include <stdlib.h>

#include "machine/sim/pmap.h"

/* --- making one ----------------------------------------------------------------------------------------------------
 */

/* Addresses that the IOMMU translates for the device, as far as it can put them out. */
static enum ol_status create_domain(struct ol_device *device)
{
    struct ol_sim *const sim = device->world->sim;
    const struct ol_capabilities *const is = &sim->format->is;
    if (!is->can_alias) return OL_E_UNSUPPORTED;
    const uint64_t last = device->options.last_address < is->last_va ? device->options.last_address : is->last_va;
    const uint64_t pages = (last + 1) >> is->page_shift, first = is->first_va >> is->page_shift;
    enum ol_status status = ol_ranges_create(&device->addresses, pages < first ? first : pages);
    if (status == OL_OK && first > 0) status = ol_ranges_take_at(&device->addresses, 0, first);
    if (status == OL_OK) status = ol_sim_pmap_ops.create(sim, is->first_va, is->last_va, &device->domain);
    return status;
}

static void destroy(struct ol_device *device)
{
    struct ol_sim *const sim = device->world->sim;
    if (device->domain) ol_sim_pmap_ops.destroy(sim, device->domain);
    ol_ranges_destroy(&device->addresses);
    free(device->segments);
    free(device->data);
    free(device);
}

enum ol_status ol_device_create(struct ol_world *world, const struct ol_device_options *options, struct ol_device **out)
{
    struct ol_device *const device = calloc(1, sizeof *device);
    if (!device) return OL_E_NO_META;
    device->world = world;
    device->options = *options;
    if (device->options.segments_max == 0) device->options.segments_max = 1;
    const enum ol_status status = options->iommu ? create_domain(device) : OL_OK;
    if (status != OL_OK) {
        destroy(device);
        return status;
    }
    device->next = world->devices;
    world->devices = device;
    *out = device;
    return OL_OK;
}

void ol_devices_destroy(struct ol_world *world)
{
    while (world->devices) {
        struct ol_device *const device = world->devices;
        world->devices = device->next;
        destroy(device);
    }
}

void ol_device_get_counters(const struct ol_device *device, struct ol_device_counters *out)
{
    *out = device->counters;
}

/* --- its transfers ---------------------------------------------------------------------------------------------------
 */

bool ol_device_is_busy(const struct ol_device *device)
{
    return device->at < device->count;
}

/* The length of all segments together; false if the device cannot be programmed so. */
static bool measure(const struct ol_device *device, const struct ol_dma_segment *segments, uint32_t count,
                    uint64_t *total)
{
    *total = 0;
    if (count == 0 || count > device->options.segments_max) return false;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t last = segments[i].address + (segments[i].bytes - 1);
        if (segments[i].bytes == 0 || last < segments[i].address || last > device->options.last_address) return false;
        if (__builtin_add_overflow(*total, segments[i].bytes, total) || *total > SIZE_MAX) return false;
    }
    return true;
}

enum ol_status ol_device_start(struct ol_device *device, enum ol_dma_direction direction,
                               const struct ol_dma_segment *segments, uint32_t count, const void *data)
{
    uint64_t total;
    if (ol_device_is_busy(device)) return OL_E_BUSY;
    if (!measure(device, segments, count, &total)) return OL_E_INVALID;
    struct ol_dma_segment *const list = malloc(count * sizeof *list);
    unsigned char *const memory = calloc(1, (size_t)total);
    if (!list || !memory) {
        free(list);
        free(memory);
        return OL_E_NO_META;
    }
    memcpy(list, segments, count * sizeof *list);
    if (direction == OL_DMA_TO_MEMORY) memcpy(memory, data, (size_t)total);
    free(device->segments);
    free(device->data);
    device->segments = list;
    device->data = memory;
    device->data_bytes = total;
    device->data_moved = device->moved = 0;
    device->count = count;
    device->at = 0;
    device->direction = direction;
    device->counters.transfers++;
    return OL_OK;
}

const void *ol_device_data(const struct ol_device *device, uint64_t *bytes)
{
    *bytes = device->data_bytes;
    return device->data;
}

/* The physical address behind one on the bus, as the IOMMU translates it, which sets bits in its tables. */
static enum ol_status translate(struct ol_device *device, uint64_t address, uint64_t *physical)
{
    struct ol_sim *const sim = device->world->sim;
    const unsigned access = device->direction == OL_DMA_TO_MEMORY ? OL_WRITE : OL_READ;
    const uint64_t root = (uint64_t)device->domain->tables.root << sim->memory.page_shift;
    union ol_sim_control control;
    struct ol_walk walk;
    struct ol_mapping mapping;
    device->counters.translations++;
    sim->format->control(&sim->memory, root, &control);
    sim->format->walk(&sim->memory.words, &control, address, access, &walk);
    if (walk.outcome == OL_WALK_OK) {
        for (unsigned i = 0; i < walk.update_count; i++)
            ol_sim_memory_set_word(&sim->memory, walk.updates[i].address, walk.updates[i].value);
        *physical = walk.physical;
        return OL_OK;
    }
    const uint64_t page = address >> sim->memory.page_shift << sim->memory.page_shift;
    const bool known = address <= sim->format->is.last_va && address >= sim->format->is.first_va &&
                       ol_sim_pmap_ops.query(sim, device->domain, page, &mapping);
    return known ? OL_E_RIGHTS : OL_E_NO_REGION;
}

/* Where in memory the next bytes go to or come from, and how many of them lie in one frame. */
static enum ol_status next_part(struct ol_device *device, uint64_t most, unsigned char **place, uint64_t *part)
{
    const struct ol_sim_memory *const memory = &device->world->sim->memory;
    const struct ol_dma_segment *const segment = &device->segments[device->at];
    const uint64_t page_bytes = ol_sim_page_bytes(memory), address = segment->address + device->moved;
    const uint64_t in_page = page_bytes - (address & (page_bytes - 1)), in_segment = segment->bytes - device->moved;
    uint64_t physical = address;
    *part = most < in_page ? most : in_page;
    if (*part > in_segment) *part = in_segment;
    const enum ol_status status = device->domain ? translate(device, address, &physical) : OL_OK;
    if (status != OL_OK) return status;
    if (physical >> memory->page_shift >= memory->page_frames) return OL_E_NO_REGION;
    *place = memory->bytes + physical;
    return OL_OK;
}

static void advance(struct ol_device *device, uint64_t bytes)
{
    device->data_moved += bytes;
    device->counters.bytes += bytes;
    device->moved += bytes;
    if (device->moved < device->segments[device->at].bytes) return;
    device->moved = 0;
    device->at++;
}

enum ol_status ol_device_run(struct ol_device *device, uint64_t bytes, uint64_t *left)
{
    enum ol_status status = OL_OK;
    while (bytes > 0 && ol_device_is_busy(device)) {
        unsigned char *place;
        uint64_t part;
        status = next_part(device, bytes, &place, &part);
        if (status != OL_OK) break;
        unsigned char *const own = device->data + device->data_moved;
        if (device->direction == OL_DMA_TO_MEMORY) memcpy(place, own, (size_t)part);
        else memcpy(own, place, (size_t)part);
        bytes -= part;
        advance(device, part);
    }
    *left = device->data_bytes - device->data_moved;
    if (status != OL_OK) {
        device->counters.faults++;
        device->at = device->count;
    }
    return status;
}
