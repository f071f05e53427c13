/* SPDX-License-Identifier: MIT */
/* The simulated machine as a testbed: every access is a simulated reference. */
#include "machine/sim/machine.h"
#include "tests/support/testbed.h"

static const char *sim_missing(void)
{
    return NULL;
}

static enum ol_status sim_machine_create(uint32_t frames_max, void **machine, struct ol_port *port)
{
    const struct ol_sim_options options = {.frames = frames_max, .tlb_entries = 16, .tlb_ways = 4};
    struct ol_sim *sim;
    const enum ol_status status = ol_sim_create(&options, &sim);
    if (status != OL_OK) return status;
    *machine = sim;
    *port = ol_sim_port(sim);
    return OL_OK;
}

static void sim_machine_destroy(void *machine)
{
    ol_sim_destroy(machine);
}

static bool sim_find_range(uint64_t pages, ol_va *first_va, ol_va *last_va)
{
    const ol_va low = 0x10000000;
    const uint64_t most = (ol_sim_capabilities.last_va + 1) >> OL_SIM_PAGE_SHIFT;
    if (pages > most) return false;
    *first_va = pages > most - (low >> OL_SIM_PAGE_SHIFT) ? 0 : low;
    *last_va = *first_va + (pages << OL_SIM_PAGE_SHIFT) - 1;
    return true;
}

static enum ol_status sim_access(void *machine, struct ol_space *space, ol_va va, unsigned access, unsigned char *value)
{
    if (access == OL_READ) return ol_sim_read(machine, space, va, value, 1);
    if (access == OL_WRITE) return ol_sim_write(machine, space, va, value, 1);
    return ol_sim_access(machine, space, va, access);
}

static const struct ol_testbed sim = {
    .name = "sim",
    .is = &ol_sim_capabilities,
    .pmap = &ol_sim_pmap_ops,
    .missing = sim_missing,
    .machine_create = sim_machine_create,
    .machine_destroy = sim_machine_destroy,
    .find_range = sim_find_range,
    .access = sim_access,
};

const struct ol_testbed *const ol_testbeds[] = {&sim, NULL};
