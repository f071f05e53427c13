/* SPDX-License-Identifier: MIT */
#include "cli/sim_setup.h"

#include "cli/cli.h"

enum { DRUM_SLOTS = 1 << 26 };

void ol_sim_tear_down(struct ol_sim_setup *setup)
{
    ol_world_destroy(&setup->world);
}

static enum ol_status create_space(const struct ol_sim_setup_options *options, struct ol_sim_setup *setup)
{
    const struct ol_capabilities *const is = &options->machine->is;
    const unsigned flags = OL_MAP_FIXED | (options->large.eager ? (unsigned)OL_MAP_LARGE : 0);
    const uint64_t pages = (is->last_va - is->first_va + 1) >> is->page_shift;
    enum ol_status status = ol_space_create(setup->system, is->first_va, is->last_va, &setup->space);
    if (status == OL_OK)
        status = ol_region_map(setup->space, is->first_va, pages, OL_READ | OL_WRITE | OL_EXEC, flags, NULL);
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

/* Says why the machine cannot be. */
static void refuse_machine(const struct ol_sim_setup_options *options, enum ol_status status)
{
    if (status == OL_E_INVALID && options->numa.nodes > options->frames)
        ol_error("--numa: %u nodes want as many frames at least", options->numa.nodes);
    else if (status == OL_E_INVALID)
        ol_error("--tlb: %s has no page-walk caches, as its walks do not go from level to level",
                 options->machine->is.name);
    else
        ol_error("a machine of %u frames does not fit here (%s); try a smaller one", options->frames,
                 ol_status_text(status));
}

bool ol_sim_parse_tlb(const char *text, struct ol_tlb_spec *out)
{
    char message[512];
    if (ol_tlb_spec_parse(text, out, message, sizeof message)) return true;
    ol_error("--tlb %s: %s", text, message);
    return false;
}

bool ol_sim_set_up(const struct ol_sim_setup_options *options, struct ol_sim_setup *setup)
{
    const struct ol_world_options world = {
        .machine = {.format = options->machine,
                    .frames = options->frames,
                    .tlb = *options->tlb,
                    .processors = options->processors,
                    .numa = options->numa},
        .drum_slots = DRUM_SLOTS,
        .policy = options->policy,
        .policy_parameters = options->policy_parameters,
        .large_shift = options->large.shift,
    };
    *setup = (struct ol_sim_setup){0};
    enum ol_status status = ol_world_create_machine(&world, &setup->world);
    setup->sim = setup->world.sim;
    if (status != OL_OK) {
        refuse_machine(options, status);
        return false;
    }
    status = ol_world_create_system(&world, &setup->world);
    setup->system = setup->world.system;
    if (status == OL_E_INVALID || status == OL_E_UNSUPPORTED) {
        refuse_policy(options, status);
        return false;
    }
    if (status == OL_OK) status = create_space(options, setup);
    if (status != OL_OK) ol_error("the machine cannot be set up: %s", ol_status_text(status));
    return status == OL_OK;
}
