/* SPDX-License-Identifier: MIT */
/* A system as a whole: creation, statistics, copies of the process that holds it. */
#include "core/internal.h"

static void pools_init(struct ol_system *system)
{
    ol_pool_init(&system->anons, &system->port, sizeof(struct ol_anon));
    ol_pool_init(&system->nodes, &system->port, sizeof(struct ol_node));
    ol_pool_init(&system->overlays, &system->port, sizeof(struct ol_overlay));
    ol_pool_init(&system->regions, &system->port, sizeof(struct ol_region));
    ol_pool_init(&system->spaces, &system->port, sizeof(struct ol_space));
}

static bool config_is_valid(const struct ol_config *config)
{
    return config->frames > 0 && config->frames <= config->frames_max && config->frames_max < OL_NO_FRAME &&
           config->low <= config->high && config->high < config->frames && config->prefetch_max < OL_IO_PAGES_MAX;
}

bool ol_policy_suits(const struct ol_policy_ops *policy, const struct ol_capabilities *machine)
{
    /* Referenced and modified can be emulated, ghosts are the core's; nobody knows the future. */
    return !(policy->needs & OL_NEEDS_FUTURE) && (!(policy->needs & OL_NEEDS_EXACT) || machine->exact_references);
}

static size_t frames_bytes(const struct ol_system *system)
{
    return (size_t)system->frames_max * sizeof(*system->frame);
}

/* Entries of the policy: as many ghosts as frames, if it wants any. */
static uint32_t policy_entries(const struct ol_system *system)
{
    return system->policy.ops->needs & OL_NEEDS_GHOSTS ? 2 * system->frames_max : system->frames_max;
}

static size_t words_bytes(const struct ol_system *system)
{
    return (size_t)policy_entries(system) * sizeof(uint32_t);
}

static size_t links_bytes(const struct ol_system *system)
{
    return (size_t)policy_entries(system) * sizeof(struct ol_policy_words);
}

static enum ol_status policy_tables(struct ol_system *system)
{
    const struct ol_port *port = &system->port;
    struct ol_policy *policy = &system->policy;
    policy->links = port->metadata_alloc(port->context, links_bytes(system));
    if (!policy->links) return OL_E_NO_META;
    for (unsigned i = 0; i < policy->ops->words; i++) {
        policy->words[i] = port->metadata_alloc(port->context, words_bytes(system));
        if (!policy->words[i]) return OL_E_NO_META;
    }
    if (policy->ops->state_bytes) {
        policy->state = port->metadata_alloc(port->context, policy->ops->state_bytes);
        if (!policy->state) return OL_E_NO_META;
    }
    return ol_ghosts_init(system, policy_entries(system) - system->frames_max);
}

static void policy_free(struct ol_system *system)
{
    const struct ol_port *port = &system->port;
    const struct ol_policy *policy = &system->policy;
    ol_ghosts_destroy(system);
    if (policy->state) port->metadata_free(port->context, policy->state, policy->ops->state_bytes);
    for (unsigned i = 0; i < policy->ops->words; i++)
        if (policy->words[i]) port->metadata_free(port->context, policy->words[i], words_bytes(system));
    if (policy->links) port->metadata_free(port->context, policy->links, links_bytes(system));
}

/* Tables of fixed size. On failure system_free releases what there is. */
static enum ol_status system_tables(struct ol_system *system, const struct ol_config *config)
{
    const struct ol_port *port = &system->port;
    system->frame = port->metadata_alloc(port->context, frames_bytes(system));
    if (!system->frame) return OL_E_NO_META;
    enum ol_status status = policy_tables(system);
    if (status == OL_OK) status = ol_physical_init(system, config);
    return status == OL_OK ? ol_swap_init(system) : status;
}

static void system_free(struct ol_system *system)
{
    const struct ol_port port = system->port;
    ol_pool_destroy(&system->anons);
    ol_pool_destroy(&system->nodes);
    ol_pool_destroy(&system->overlays);
    ol_pool_destroy(&system->regions);
    ol_pool_destroy(&system->spaces);
    ol_swap_destroy(system);
    policy_free(system);
    ol_physical_destroy(system);
    if (system->frame) port.metadata_free(port.context, system->frame, frames_bytes(system));
    port.metadata_free(port.context, system, sizeof(*system));
}

enum ol_status ol_system_create(const struct ol_config *config, struct ol_system **out)
{
    if (!config_is_valid(config)) return OL_E_INVALID;
    if (!ol_policy_suits(config->policy, config->machine_is)) return OL_E_UNSUPPORTED;
    struct ol_system *system = config->port->metadata_alloc(config->port->context, sizeof(*system));
    if (!system) return OL_E_NO_META;
    system->port = *config->port;
    system->pmap = config->pmap;
    system->machine = config->machine;
    system->is = *config->machine_is;
    system->pager = config->pager;
    system->frames_max = config->frames_max;
    system->budget = config->frames;
    system->low = system->low_most = config->low;
    system->high = system->high_most = config->high;
    system->prefetch_max = system->prefetch_limit = config->prefetch_max;
    system->policy = (struct ol_policy){
        .ops = config->policy,
        .core = system,
        .frames = config->frames,
        .exact = config->machine_is->exact_references,
        .emulated = !config->machine_is->has_referenced,
        .tick_units = config->machine_is->tick_units ? config->machine_is->tick_units : 10000,
        .tick_at = UINT64_MAX,
        .test_clear_referenced = ol_frame_test_clear_referenced,
        .test_modified = ol_frame_test_modified,
        .remember = ol_ghost_remember,
        .recall = ol_ghost_recall,
        .forget = ol_ghost_forget,
        .left_ago = ol_frame_left_ago,
        .page_of = ol_page_of,
    };
    system->left_ago = OL_NEVER_LEFT;
    system->keeps_anons = config->policy->needs & (OL_NEEDS_GHOSTS | OL_NEEDS_EXACT);
    ol_frame_list_init(&system->free);
    ol_frame_list_init(&system->cold);
    ol_frame_list_init(&system->modified);
    ol_frame_list_init(&system->standby);
    pools_init(system);
    enum ol_status status = system_tables(system, config);
    if (status == OL_OK) status = config->policy->init(&system->policy, config->policy_parameters);
    if (status == OL_OK) *out = system;
    else system_free(system);
    return status;
}

void ol_system_destroy(struct ol_system *system)
{
    while (system->first_space) ol_space_destroy(system->first_space);
    system_free(system);
}

void ol_system_statistics(struct ol_system *system, struct ol_statistics *out)
{
    ol_lock(system);
    const size_t entry_bytes = sizeof(struct ol_policy_words) + system->policy.ops->words * sizeof(uint32_t);
    const uint32_t free = ol_frames_free(system), taken = system->in_use + system->lent;
    *out = system->count;
    out->frames_budget = system->budget;
    out->frames_in_use = system->in_use;
    out->frames_free = free;
    out->frames_warm = system->free.count;
    out->frames_standby = system->standby.count;
    out->frames_lent = system->lent;
    out->frames_over_budget = taken > system->budget ? taken - system->budget : 0;
    out->pages = system->anons.live + system->bare;
    out->metadata_bytes = sizeof(*system) + ol_pool_bytes(&system->anons) + ol_pool_bytes(&system->nodes) +
                          ol_pool_bytes(&system->overlays) + ol_pool_bytes(&system->regions) +
                          ol_pool_bytes(&system->spaces) + ol_swap_metadata_bytes(&system->swap) +
                          (uint64_t)system->frames_fresh * (sizeof(struct ol_frame) + entry_bytes) +
                          (system->physical ? system->physical->bytes : 0) +
                          (uint64_t)system->ghosts.fresh * (entry_bytes + 2 * sizeof(uint32_t));
    ol_unlock(system);
}

/* --- copies of the process ---------------------------------------------------------------------------------------- */

void ol_system_fork_prepare(struct ol_system *system)
{
    ol_lock(system);
    while (system->io_busy) ol_swap_wait(system);
}

/* What threads that exist no longer held: frames obtained but not used, and wires. */
static void release_held(struct ol_system *system, ol_frame_no number)
{
    struct ol_frame *frame = &system->frame[number];
    if (frame->state == OL_FRAME_BUSY) {
        ol_frame_release(system, number);
    } else if (frame->state == OL_FRAME_ACTIVE && frame->wires) {
        frame->wires = 0;
        ol_frame_wired(system, number, false);
        system->policy.ops->insert(&system->policy, number);
    }
}

void ol_system_fork_done(struct ol_system *system, bool forked)
{
    for (ol_frame_no number = 0; forked && number < system->frames_fresh; number++) {
        struct ol_frame *frame = &system->frame[number];
        release_held(system, number);
        if (system->is.has_modified || !(frame->flags & OL_FRAME_MAPPED)) continue;
        frame->flags |= OL_FRAME_DIRTY;
        if (frame->slot != OL_NO_SLOT) ol_swap_release(system, frame->slot);
        frame->slot = OL_NO_SLOT;
    }
    ol_unlock(system);
}
