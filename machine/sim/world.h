/* SPDX-License-Identifier: MIT */
/*
 * A whole simulated computer: a machine, a drum, and a system of the core on both. With this header, core.h (spaces,
 * regions, statistics), machine.h (references: ol_sim_read, ol_sim_write, ol_sim_access) and device.h (DMA) scenarios
 * are written, in C or, by `onelevel script`, in Lua: docs/scripts.md.
 *
 *     physical memory     frames of the core's | frames of the bus | frames of page tables
 *
 * Conditions that hold for all functions:
 * - One thread uses a world at a time.
 */
#ifndef OL_SIM_WORLD_H
#define OL_SIM_WORLD_H

#include "machine/sim/machine.h"
#include "machine/sim/ranges.h"

struct ol_device;
struct ol_dma;
struct ol_pin;

struct ol_world_options {
    struct ol_sim_options machine; /* .frames: for the core's pages */
    uint32_t bus_frames; /* besides them: frames that the core never has, for buffers of devices; 0 with nodes */
    bool buddies;        /* which frame a page gets matters: ol_block_take; always so with nodes */
    uint8_t large_shift; /* the largest pages to be used, as in struct ol_config; 0: no large ones */
    uint32_t drum_slots; /* 0: no drum; pages are then never evicted */
    const struct ol_policy_ops *policy;
    const char *policy_parameters;    /* may be NULL */
    uint32_t low, high, prefetch_max; /* as in struct ol_config */
};

struct ol_world {
    struct ol_sim *sim;       /* c: */
    struct ol_pager *drum;    /* c: or NULL */
    struct ol_system *system; /* c: */
    uint32_t frames;          /* c: of the core's; those of the bus follow */
    uint32_t bus_frames;      /* c: */
    struct ol_ranges bus;     /* … those of them that nothing has */
    struct ol_device *devices;
    struct ol_dma *dmas;
    struct ol_pin *pins;
};

/* The machine, its drum and bus; then the system on them. As ol_sim_create and ol_drum_create; as ol_system_create.
 * After a failure there still is what was made before. */
enum ol_status ol_world_create_machine(const struct ol_world_options *options, struct ol_world *out);
enum ol_status ol_world_create_system(const struct ol_world_options *options, struct ol_world *world);
/* Both. OL_OK; or why not, with nothing to destroy and the reason in *error, the part of a sentence: OL_E_INVALID,
 * OL_E_UNSUPPORTED (the policy wants what the machine does not have), OL_E_NO_META. */
enum ol_status ol_world_create(const struct ol_world_options *options, struct ol_world *out, const char **error);
/* With all its spaces. All zeros: nothing. */
void ol_world_destroy(struct ol_world *world);

/* A space as wide as the machine's addresses. As ol_space_create. */
enum ol_status ol_world_space(const struct ol_world *world, struct ol_space **out);

/* The physical address at which a byte is mapped now; false if its page is not. */
bool ol_world_physical(const struct ol_world *world, struct ol_space *space, ol_va va, uint64_t *physical);

#endif
