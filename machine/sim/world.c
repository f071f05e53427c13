/* SPDX-License-Identifier: MIT */
#include "machine/sim/world.h"

#include "machine/sim/dma.h"
#include "machine/sim/drum.h"

static enum ol_status create_machine(const struct ol_world_options *options, struct ol_world *world, const char **error)
{
    struct ol_sim_options machine = options->machine;
    const struct ol_sim_format *const format = machine.format ? machine.format : &ol_sim_amd64;
    const uint64_t frames = (uint64_t)machine.frames + options->bus_frames;
    *error = "the machine cannot address so many frames";
    if (machine.frames == 0) *error = "a machine wants at least one frame";
    if (machine.frames == 0 || frames > ol_sim_frames_max(format)) return OL_E_INVALID;
    machine.frames = (uint32_t)frames;
    *error = "the TLBs cannot be built so";
    enum ol_status status = ol_sim_create(&machine, &world->sim);
    if (status == OL_E_NO_META) *error = "so large a machine does not fit here";
    if (status != OL_OK || options->drum_slots == 0) return status;
    *error = "so large a drum does not fit here";
    return ol_drum_create(options->drum_slots, 1U << format->is.page_shift, &world->drum);
}

static const char *system_error(const struct ol_world_options *options, enum ol_status status)
{
    if (status == OL_E_INVALID && options->high >= options->machine.frames)
        return "the watermarks leave no frame: low is at most high, which is below the number of frames";
    if (status == OL_E_INVALID) return "the policy does not take these parameters, or low is above high";
    if (status == OL_E_UNSUPPORTED) return "the policy wants what this machine does not have";
    return "so large a machine does not fit here";
}

enum ol_status ol_world_create(const struct ol_world_options *options, struct ol_world *out, const char **error)
{
    *out = (struct ol_world){.frames = options->machine.frames, .bus_frames = options->bus_frames};
    enum ol_status status = create_machine(options, out, error);
    if (status == OL_OK) status = ol_ranges_create(&out->bus, options->bus_frames);
    if (status != OL_OK) goto destroy;
    const struct ol_port port = ol_sim_port(out->sim);
    const struct ol_config config = {
        .port = &port,
        .pmap = &ol_sim_pmap_ops,
        .machine = out->sim,
        .machine_is = &out->sim->format->is,
        .pager = out->drum,
        .policy = options->policy,
        .policy_parameters = options->policy_parameters,
        .frames = options->machine.frames,
        .frames_max = options->machine.frames,
        .low = options->low,
        .high = options->high,
        .prefetch_max = options->prefetch_max,
    };
    status = ol_system_create(&config, &out->system);
    if (status == OL_OK) return OL_OK;
    *error = system_error(options, status);

destroy:
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
