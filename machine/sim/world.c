/* SPDX-License-Identifier: MIT */
#include "machine/sim/world.h"

#include "machine/sim/dma.h"
#include "machine/sim/drum.h"

static const struct ol_sim_format *format_of(const struct ol_world_options *options)
{
    return options->machine.format ? options->machine.format : &ol_sim_amd64;
}

enum ol_status ol_world_create_machine(const struct ol_world_options *options, struct ol_world *out)
{
    struct ol_sim_options machine = options->machine;
    const uint64_t frames = (uint64_t)machine.frames + options->bus_frames;
    *out = (struct ol_world){.frames = machine.frames, .bus_frames = options->bus_frames};
    if (machine.frames == 0 || frames > ol_sim_frames_max(format_of(options))) return OL_E_INVALID;
    if (machine.numa.nodes > 1 && options->bus_frames > 0) return OL_E_INVALID;
    machine.frames = (uint32_t)frames;
    enum ol_status status = ol_sim_create(&machine, &out->sim);
    if (status == OL_OK) status = ol_ranges_create(&out->bus, options->bus_frames);
    if (status != OL_OK || options->drum_slots == 0) return status;
    return ol_drum_create(options->drum_slots, 1U << format_of(options)->is.page_shift, &out->drum);
}

enum ol_status ol_world_create_system(const struct ol_world_options *options, struct ol_world *world)
{
    const struct ol_port port = ol_sim_port(world->sim);
    struct ol_zone zones[OL_ZONES_MAX];
    struct ol_config config = {
        .port = &port,
        .pmap = &ol_sim_pmap_ops,
        .machine = world->sim,
        .machine_is = &format_of(options)->is,
        .pager = world->drum,
        .policy = options->policy,
        .policy_parameters = options->policy_parameters,
        .frames = options->machine.frames,
        .frames_max = options->machine.frames,
        .low = options->low,
        .high = options->high,
        .prefetch_max = options->prefetch_max,
        .large_shift = options->large_shift,
    };
    ol_sim_zones(world->sim, &config, zones);
    if (options->buddies && config.zone_count == 0) {
        zones[0] = (struct ol_zone){.frames = config.frames_max};
        config.zones = zones;
        config.zone_count = 1;
    }
    return ol_system_create(&config, &world->system);
}

/* Why there is no machine. */
static const char *machine_error(const struct ol_world_options *options, enum ol_status status)
{
    const uint64_t frames = (uint64_t)options->machine.frames + options->bus_frames;
    if (status != OL_E_INVALID) return "so large a machine does not fit here";
    if (frames > ol_sim_frames_max(format_of(options))) return "the machine cannot address so many frames";
    if (options->machine.numa.nodes > 1 && options->bus_frames > 0)
        return "a machine with nodes has no frames of the bus";
    if (options->machine.numa.nodes > frames) return "each node wants a frame at least";
    return "this machine cannot have these TLBs";
}

/* Why there is no system on it. */
static const char *system_error(const struct ol_world_options *options, enum ol_status status)
{
    if (status == OL_E_INVALID && options->high >= options->machine.frames)
        return "the watermarks leave no frame: low is at most high, which is below the number of frames";
    if (status == OL_E_INVALID) return "the policy does not take these parameters, or low is above high";
    if (status == OL_E_UNSUPPORTED && options->large_shift != 0)
        return "the machine has no large pages of that size, or not what the policy wants";
    if (status == OL_E_UNSUPPORTED) return "the policy wants what this machine does not have";
    return "so large a machine does not fit here";
}

enum ol_status ol_world_create(const struct ol_world_options *options, struct ol_world *out, const char **error)
{
    enum ol_status status = ol_world_create_machine(options, out);
    if (status != OL_OK) {
        *error = machine_error(options, status);
    } else {
        status = ol_world_create_system(options, out);
        if (status == OL_OK) return OL_OK;
        *error = system_error(options, status);
    }
    ol_world_destroy(out);
    return status;
}

void ol_world_destroy(struct ol_world *world)
{
    ol_dmas_destroy(world);
    ol_devices_destroy(world);
    ol_ranges_destroy(&world->bus);
    if (world->system) ol_system_destroy(world->system);
    if (world->drum) world->drum->ops->close(world->drum);
    if (world->sim) ol_sim_destroy(world->sim);
    *world = (struct ol_world){0};
}

enum ol_status ol_world_space(const struct ol_world *world, struct ol_space **out)
{
    const struct ol_capabilities *const is = &world->sim->format->is;
    return ol_space_create(world->system, is->first_va, is->last_va, out);
}

bool ol_world_physical(const struct ol_world *world, struct ol_space *space, ol_va va, uint64_t *physical)
{
    const struct ol_capabilities *const is = &world->sim->format->is;
    const ol_va offset = va & ((1ULL << is->page_shift) - 1);
    struct ol_mapping mapping;
    if (va < is->first_va || va > is->last_va ||
        !ol_sim_pmap_ops.query(world->sim, ol_space_pmap(space), va - offset, &mapping))
        return false;
    *physical = (uint64_t)mapping.frame << is->page_shift | offset;
    return true;
}
