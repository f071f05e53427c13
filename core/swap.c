/* SPDX-License-Identifier: MIT */
/* Swap slots, handed out in clusters of 64, and transfers between frames and the pager. */
#include "core/internal.h"

enum { CLUSTER_SLOTS = 64, CLUSTER_ROOM = 16 };

static const size_t cluster_bytes = sizeof(uint64_t) + CLUSTER_SLOTS * sizeof(uint8_t); /* of metadata */

/* Of both tables, one behind the other. */
static size_t tables_bytes(const struct ol_swap *swap)
{
    return swap->clusters * cluster_bytes;
}

uint64_t ol_swap_metadata_bytes(const struct ol_swap *swap)
{
    return swap->high_water * (uint64_t)cluster_bytes;
}

enum ol_status ol_swap_init(struct ol_system *system)
{
    struct ol_swap *swap = &system->swap;
    swap->capacity = system->pager ? system->pager->capacity : 0;
    swap->clusters = swap->capacity / CLUSTER_SLOTS + (swap->capacity % CLUSTER_SLOTS != 0);
    if (!swap->clusters) return OL_OK;
    swap->used = system->port.metadata_alloc(system->port.context, tables_bytes(swap));
    if (!swap->used) return OL_E_NO_META;
    swap->left = (uint8_t *)(swap->used + swap->clusters);
    return OL_OK;
}

void ol_swap_destroy(struct ol_system *system)
{
    struct ol_swap *swap = &system->swap;
    if (swap->used) system->port.metadata_free(system->port.context, swap->used, tables_bytes(swap));
}

/* The bits of a cluster that stand for no slot, because capacity ends within it, count as used. */
static uint64_t free_slots(const struct ol_swap *swap, uint32_t cluster)
{
    uint64_t free = ~swap->used[cluster];
    if (cluster == swap->clusters - 1 && swap->capacity % CLUSTER_SLOTS)
        free &= (1ULL << swap->capacity % CLUSTER_SLOTS) - 1;
    return free;
}

/* Without the compiler's builtin, which wants a library where the processor has no such instruction. */
static uint32_t count_bits(uint64_t bits)
{
    uint32_t count = 0;
    for (; bits; bits &= bits - 1) count++;
    return count;
}

/* A cluster with at least `room` free slots, from the hint onward; swap->clusters if there is none.
 * While most of the used part is in use a search would mostly fail, so a new cluster is begun instead. */
static uint32_t find_cluster(struct ol_swap *swap, uint32_t room)
{
    const uint64_t touched = (uint64_t)swap->high_water * CLUSTER_SLOTS;
    const bool can_grow = swap->high_water < swap->clusters;
    if (can_grow && swap->count >= touched - touched / 8) return swap->high_water++;
    for (uint32_t tried = 0; tried < swap->high_water; tried++) {
        if (swap->hint >= swap->high_water) swap->hint = 0;
        if (count_bits(free_slots(swap, swap->hint)) >= room) return swap->hint;
        swap->hint++;
    }
    return can_grow ? swap->high_water++ : swap->clusters;
}

uint32_t ol_swap_allocate(struct ol_system *system, ol_slot *slots, uint32_t n)
{
    struct ol_swap *swap = &system->swap;
    uint32_t cluster = swap->clusters, taken = 0;
    if (n >= CLUSTER_ROOM || n >= swap->capacity - swap->count)
        cluster = find_cluster(swap, n < CLUSTER_ROOM ? n : CLUSTER_ROOM);
    if (cluster == swap->clusters) cluster = find_cluster(swap, 1);
    if (cluster == swap->clusters) return 0;
    swap->hint = cluster;
    for (uint64_t free = free_slots(swap, cluster); free && taken < n; free &= free - 1) {
        const uint32_t bit = (uint32_t)__builtin_ctzll(free);
        swap->used[cluster] |= 1ULL << bit;
        slots[taken++] = cluster * CLUSTER_SLOTS + bit;
    }
    swap->count += taken;
    return taken;
}

bool ol_swap_is_used(const struct ol_system *system, ol_slot slot)
{
    return slot < system->swap.capacity && system->swap.used[slot / CLUSTER_SLOTS] >> (slot % CLUSTER_SLOTS) & 1;
}

void ol_swap_release(struct ol_system *system, ol_slot slot)
{
    OL_ASSERT(system, ol_swap_is_used(system, slot), "I7");
    system->swap.used[slot / CLUSTER_SLOTS] &= ~(1ULL << (slot % CLUSTER_SLOTS));
    system->swap.count--;
    system->pager->ops->discard(system->pager, slot);
}

/* --- transfers --------------------------------------------------------------------------------------------------- */

enum { TRANSFER_UNDER_WAY, TRANSFER_DONE, TRANSFER_WAITED_FOR };

struct transfer {
    struct ol_io io;
    const struct ol_port *port;
    atomic_uint state; /* who finds it waited for wakes the waiter */
};

static void transfer_complete(struct ol_io *io)
{
    struct transfer *transfer = io->context;
    const struct ol_port *port = transfer->port; /* once done, the transfer may be gone */
    atomic_uint *state = &transfer->state;
    if (atomic_exchange(state, TRANSFER_DONE) == TRANSFER_WAITED_FOR)
        port->wake(port->context, (const uint32_t *)state);
}

static void transfer_wait(struct transfer *transfer)
{
    unsigned state = TRANSFER_UNDER_WAY;
    atomic_compare_exchange_strong(&transfer->state, &state, TRANSFER_WAITED_FOR);
    while (atomic_load(&transfer->state) != TRANSFER_DONE)
        transfer->port->wait(transfer->port->context, (const uint32_t *)&transfer->state, TRANSFER_WAITED_FOR);
}

void ol_swap_transfer(struct ol_system *system, enum ol_io_op op, const ol_frame_no *frames, const ol_slot *slots,
                      uint32_t n, enum ol_status *status)
{
    void *pages[OL_IO_PAGES_MAX];
    struct transfer transfer = {.port = &system->port};
    struct ol_io *io = &transfer.io;
    io->op = op;
    io->count = n;
    io->slots = slots;
    io->pages = pages;
    io->complete = transfer_complete;
    io->context = &transfer;
    for (uint32_t i = 0; i < n; i++) pages[i] = system->pmap->frame_map(system->machine, frames[i]);
    system->io_busy++;
    ol_unlock(system);
    system->pager->ops->submit(system->pager, io);
    transfer_wait(&transfer);
    ol_lock(system);
    for (uint32_t i = 0; i < n; i++) {
        system->pmap->frame_unmap(system->machine, frames[i]);
        status[i] = io->status[i];
    }
    system->io_busy--;
    atomic_fetch_add(&system->io_generation, 1);
    if (system->io_waiters) system->port.wake(system->port.context, (const uint32_t *)&system->io_generation);
}

void ol_swap_wait(struct ol_system *system)
{
    const uint32_t generation = atomic_load(&system->io_generation);
    system->io_waiters++;
    ol_unlock(system);
    system->port.wait(system->port.context, (const uint32_t *)&system->io_generation, generation);
    ol_lock(system);
    system->io_waiters--;
}
