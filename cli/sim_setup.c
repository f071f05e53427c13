/* SPDX-License-Identifier: MIT */
#include "cli/sim_setup.h"

#include "cli/cli.h"
#include "machine/sim/drum.h"

enum { DRUM_SLOTS = 1 << 26 };

void ol_sim_tear_down(struct ol_sim_setup *setup)
{
    if (setup->system) ol_system_destroy(setup->system);
    if (setup->drum) setup->drum->ops->close(setup->drum);
    if (setup->sim) ol_sim_destroy(setup->sim);
}

static enum ol_status create_system(const struct ol_sim_setup_options *options, struct ol_sim_setup *setup)
{
    const struct ol_port port = ol_sim_port(setup->sim);
    struct ol_zone zones[OL_ZONES_MAX];
    struct ol_config config = {
        .port = &port,
        .pmap = &ol_sim_pmap_ops,
        .machine = setup->sim,
        .machine_is = &options->machine->is,
        .pager = setup->drum,
        .policy = options->policy,
        .policy_parameters = options->policy_parameters,
        .frames = options->frames,
        .frames_max = options->frames,
    };
    ol_sim_zones(setup->sim, &config, zones);
    return ol_system_create(&config, &setup->system);
}

static enum ol_status create_space(const struct ol_capabilities *is, struct ol_sim_setup *setup)
{
    const uint64_t pages = (is->last_va - is->first_va + 1) >> is->page_shift;
    enum ol_status status = ol_space_create(setup->system, is->first_va, is->last_va, &setup->space);
    if (status == OL_OK)
        status = ol_region_map(setup->space, is->first_va, pages, OL_READ | OL_WRITE | OL_EXEC, OL_MAP_FIXED, NULL);
    for (uint32_t i = setup->sim->processor_count; status == OL_OK && i-- > 0;) {
        ol_sim_select(setup->sim, i);
        ol_sim_activate(setup->sim, setup->space);
    }
    return status;
}

/* Says why the policy cannot be. */
static void refuse_policy(const struct ol_sim_setup_options *options, enum ol_status status)
{
    const struct ol_policy_ops *const policy = options->policy;
    if (status == OL_E_INVALID)
        ol_error("--policy %s: %s takes %s", options->policy_text, policy->name,
                 policy->parameters ? policy->parameters : "no parameters");
    else
        ol_error("--policy %s: %s; --machine ideal has that", options->policy_text,
                 policy->needs & OL_NEEDS_FUTURE ? "it needs the future, which no hardware shows"
                                                 : "it needs every reference, hardware shows referenced bits");
}

bool ol_sim_set_up(const struct ol_sim_setup_options *options, struct ol_sim_setup *setup)
{
    const struct ol_sim_options machine = {.format = options->machine,
                                           .frames = options->frames,
                                           .tlb = *options->tlb,
                                           .processors = options->processors,
                                           .numa = options->numa};
    *setup = (struct ol_sim_setup){0};
    enum ol_status status = ol_sim_create(&machine, &setup->sim);
    if (status == OL_OK) status = ol_drum_create(DRUM_SLOTS, 1U << options->machine->is.page_shift, &setup->drum);
    if (status == OL_E_INVALID && options->numa.nodes > options->frames) {
        ol_error("--numa: %u nodes want as many frames at least", options->numa.nodes);
        return false;
    }
    if (status == OL_E_INVALID) {
        ol_error("--tlb: %s has no page-walk caches, as its walks do not go from level to level",
                 options->machine->is.name);
        return false;
    }
    if (status != OL_OK) {
        ol_error("a machine of %u frames does not fit here (%s); try a smaller one", options->frames,
                 ol_status_text(status));
        return false;
    }
    status = create_system(options, setup);
    if (status == OL_E_INVALID || status == OL_E_UNSUPPORTED) {
        refuse_policy(options, status);
        return false;
    }
    if (status == OL_OK) status = create_space(&options->machine->is, setup);
    if (status != OL_OK) ol_error("the machine cannot be set up: %s", ol_status_text(status));
    return status == OL_OK;
}
