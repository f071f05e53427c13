/* SPDX-License-Identifier: MIT */
/* Creation of the machine, its arena and its windows. */
#include "machine/linux/machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/linux/internal.h"
#include "pager/reserve.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* The lowest megabytes are not for mapping, the highest belong to the kernel's side of the 47-bit half. */
const struct ol_capabilities ol_linux_capabilities = {
    .name = "linux",
    .first_va = 0x100000,
    .last_va = 0x7fffffffefff,
    .page_shift = OL_LINUX_PAGE_SHIFT,
    .has_execute = true,
    .tick_units = 10000000, /* ns */
};

/* --- windows --------------------------------------------------------------------------------------------------------
 */

/* Untouched address space, at `hint` if that is free (0: anywhere); NULL if there is none. */
static void *reserve_at(ol_va hint, uint64_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *place = MAP_FAILED;
    if (hint) place = mmap((void *)(uintptr_t)hint, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (hint && place != MAP_FAILED && (uintptr_t)place != hint) { /* a kernel that does not know NOREPLACE */
        (void)munmap(place, bytes);
        place = MAP_FAILED;
    }
    if (place == MAP_FAILED) place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return place == MAP_FAILED ? NULL : place;
}

/* What else is mapped over parts of the window is left out: it need not be memory that can be registered. */
static bool register_window(const struct ol_linux *machine, const struct ol_pmap *pmap)
{
    const uint64_t end = (uint64_t)(uintptr_t)pmap->window + pmap->bytes;
    uint64_t at = (uint64_t)(uintptr_t)pmap->window, hole, hole_end;
    while (at < end) {
        if (!machine->next_hole || !machine->next_hole(at, &hole, &hole_end) || hole >= end) hole = hole_end = end;
        if (hole > at && !ol_uffd_register(&machine->uffd, (void *)(uintptr_t)at, hole - at)) return false;
        at = hole_end;
    }
    return true;
}

/* Attributes and registration of a window, also after a fork. */
static bool open_window(const struct ol_linux *machine, const struct ol_pmap *pmap)
{
    (void)madvise(pmap->window, pmap->bytes, MADV_NOHUGEPAGE);
    if (machine->dont_fork && madvise(pmap->window, pmap->bytes, MADV_DONTFORK)) return false;
    return register_window(machine, pmap);
}

static bool make_tables(struct ol_pmap *pmap)
{
    const uint64_t pages = pmap->bytes / OL_LINUX_PAGE_BYTES;
    const size_t leaves = (size_t)(pages >> OL_LEAF_SHIFT) + 1, trunks = (size_t)(pages >> OL_TRUNK_SHIFT) + 1;
    const size_t pages_bytes = (pages * sizeof(*pmap->frame_of) + 63) & ~(size_t)63;
    const size_t trunks_bytes = (trunks * sizeof(*pmap->in_trunk) + 63) & ~(size_t)63;
    pmap->table_bytes = pages_bytes + trunks_bytes + leaves * sizeof(*pmap->in_leaf);
    char *tables = ol_reserve(pmap->table_bytes);
    if (!tables) return false;
    pmap->frame_of = (uint32_t *)(void *)tables;
    pmap->in_trunk = (uint32_t *)(void *)(tables + pages_bytes);
    pmap->in_leaf = (uint16_t *)(void *)(tables + pages_bytes + trunks_bytes);
    return true;
}

enum ol_status ol_linux_pmap_create(void *context, ol_va first_va, ol_va last_va, struct ol_pmap **out)
{
    struct ol_linux *machine = context;
    struct ol_pmap *pmap = ol_reserve(sizeof(*pmap));
    if (!pmap) return OL_E_NO_META;
    pmap->machine = machine;
    pmap->first_va = first_va;
    pmap->bytes = last_va - first_va + 1;
    pmap->window = reserve_at(first_va, pmap->bytes);
    if (!pmap->window || !make_tables(pmap) || !open_window(machine, pmap)) {
        ol_release(pmap->window, pmap->bytes);
        ol_release(pmap->frame_of, pmap->table_bytes);
        ol_release(pmap, sizeof(*pmap));
        return OL_E_NO_META;
    }
    pmap->next = machine->pmaps;
    machine->pmaps = pmap;
    *out = pmap;
    return OL_OK;
}

void ol_linux_pmap_destroy(void *context, struct ol_pmap *pmap)
{
    struct ol_linux *machine = context;
    struct ol_pmap **link = &machine->pmaps;
    while (*link != pmap) link = &(*link)->next;
    *link = pmap->next;
    ol_release(pmap->window, pmap->bytes);
    ol_release(pmap->frame_of, pmap->table_bytes);
    ol_release(pmap, sizeof(*pmap));
}

void *ol_linux_address(const struct ol_pmap *pmap, ol_va va)
{
    return pmap->window + (va - pmap->first_va);
}

bool ol_linux_va(const struct ol_pmap *pmap, const void *address, ol_va *va)
{
    const uint64_t offset = (uint64_t)((const char *)address - pmap->window);
    *va = pmap->first_va + offset;
    return offset < pmap->bytes;
}

bool ol_linux_used(const struct ol_pmap *pmap, ol_va va, ol_va end, ol_va *first, ol_va *last)
{
    const ol_va leaf_bytes = (ol_va)OL_LINUX_PAGE_BYTES << OL_LEAF_SHIFT;
    while (va < end) {
        const ol_va leaf = (va - pmap->first_va) / leaf_bytes, next = pmap->first_va + (leaf + 1) * leaf_bytes;
        *first = va;
        *last = next < end ? next : end;
        if (pmap->in_leaf[leaf]) return true;
        va = next;
    }
    return false;
}

ol_va ol_linux_find_window(uint64_t bytes)
{
    void *place = reserve_at(0, bytes);
    ol_release(place, bytes);
    return (ol_va)(uintptr_t)place;
}

/* --- the machine
 * ------------------------------------------------------------------------------------------------------ */

static size_t frames_bytes(const struct ol_linux *machine)
{
    return (size_t)machine->frames_max * sizeof(*machine->frames);
}

/* The target of a move must be registered with the same descriptor. A window cannot be forked, so neither need this. */
static bool register_arena(const struct ol_linux *machine)
{
    const struct ol_arena *arena = &machine->arena;
    if (machine->dont_fork) (void)madvise(arena->memory, ol_arena_bytes(arena), MADV_DONTFORK);
    return !machine->uffd.can_move || ol_uffd_register_wp(&machine->uffd, arena->memory, ol_arena_bytes(arena));
}

enum ol_status ol_linux_create(const struct ol_linux_options *options, struct ol_linux **out, const char **error)
{
    struct ol_linux *machine = ol_reserve(sizeof(*machine));
    *error = "there is no address space left";
    if (!machine) return OL_E_NO_META;
    machine->frames_max = options->frames_max;
    machine->dont_fork = options->dont_fork;
    machine->pid = getpid();
    const enum ol_status status = ol_uffd_open(options->no_move, &machine->uffd, error);
    if (status != OL_OK) {
        ol_release(machine, sizeof(*machine));
        return status;
    }
    machine->frames = ol_reserve(frames_bytes(machine));
    if (!machine->frames || !ol_arena_open(&machine->arena, machine->frames_max) || !register_arena(machine)) {
        ol_linux_destroy(machine);
        return OL_E_NO_META;
    }
    *out = machine;
    return OL_OK;
}

void ol_linux_destroy(struct ol_linux *machine)
{
    ol_uffd_close(&machine->uffd);
    ol_release(machine->frames, frames_bytes(machine));
    ol_arena_close(&machine->arena);
    ol_release(machine, sizeof(*machine));
}

enum ol_status ol_linux_forked(struct ol_linux *machine, const char **error)
{
    const bool no_move = !machine->uffd.can_move;
    machine->pid = getpid();
    ol_uffd_close(&machine->uffd);
    const enum ol_status status = ol_uffd_open(no_move, &machine->uffd, error);
    if (status != OL_OK) return status;
    *error = "the windows cannot be registered again";
    if (!register_arena(machine)) return OL_E_NO_META;
    for (const struct ol_pmap *pmap = machine->pmaps; pmap; pmap = pmap->next)
        if (!open_window(machine, pmap)) return OL_E_NO_META;
    return OL_OK;
}

uint64_t ol_linux_metadata_bytes(const struct ol_linux *machine, uint32_t frames_used)
{
    return sizeof(*machine) + (uint64_t)frames_used * sizeof(*machine->frames) + machine->tables_bytes +
           ol_arena_metadata_bytes(&machine->arena);
}
