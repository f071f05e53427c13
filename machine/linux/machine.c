/* SPDX-License-Identifier: MIT */
/* Creation of the machine, its arena and its windows. */
#include "machine/linux/machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/linux/mechanism.h"
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
static void *reserve_at(ol_va hint, uint64_t bytes, int prot)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *place = MAP_FAILED;
    if (hint) place = mmap((void *)(uintptr_t)hint, bytes, prot, flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (hint && place != MAP_FAILED && (uintptr_t)place != hint) { /* a kernel that does not know NOREPLACE */
        (void)munmap(place, bytes);
        place = MAP_FAILED;
    }
    if (place == MAP_FAILED) place = mmap(NULL, bytes, prot, flags, -1, 0);
    return place == MAP_FAILED ? NULL : place;
}

bool ol_linux_next_part(const struct ol_linux *machine, uint64_t *at, uint64_t end, uint64_t *part_end)
{
    uint64_t hole, hole_end;
    while (*at < end) {
        if (!machine->next_hole || !machine->next_hole(*at, &hole, &hole_end) || hole >= end) hole = hole_end = end;
        *part_end = hole;
        if (hole > *at) return true;
        *at = hole_end;
    }
    return false;
}

static bool make_tables(struct ol_pmap *pmap)
{
    const uint64_t pages = pmap->bytes / OL_LINUX_PAGE_BYTES;
    const size_t leaves = (size_t)(pages >> OL_LEAF_SHIFT) + 2, trunks = (size_t)(pages >> OL_TRUNK_SHIFT) + 1;
    /* Of its own pages: they are given back one by one, two leaves' worth. */
    const size_t page = OL_LINUX_PAGE_BYTES, pages_bytes = (pages * sizeof(*pmap->frame_of) + page - 1) & ~(page - 1);
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
    pmap->window = reserve_at(first_va, pmap->bytes, machine->mechanism->window_prot);
    if (!pmap->window || !make_tables(pmap) || !machine->mechanism->open_window(pmap)) {
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
    void *place = reserve_at(0, bytes, PROT_NONE);
    ol_release(place, bytes);
    return (ol_va)(uintptr_t)place;
}

/* --- the machine
 * ------------------------------------------------------------------------------------------------------ */

static size_t frames_bytes(const struct ol_linux *machine)
{
    return (size_t)machine->frames_max * sizeof(*machine->frames);
}

static enum ol_status open_with(struct ol_linux *machine, const struct ol_mechanism *mechanism,
                                const struct ol_linux_options *options, const char **error)
{
    machine->mechanism = mechanism;
    return mechanism->open(machine, options, error);
}

static enum ol_status open_mechanism(struct ol_linux *machine, const struct ol_linux_options *options,
                                     const char **error)
{
    enum ol_status status = OL_E_UNSUPPORTED;
    if (options->faults != OL_FAULTS_PROTECTION) status = open_with(machine, &ol_mechanism_userfaultfd, options, error);
    if (options->faults == OL_FAULTS_USERFAULTFD || status != OL_E_UNSUPPORTED) return status;
    return open_with(machine, &ol_mechanism_protection, options, error);
}

static void release(struct ol_linux *machine)
{
    ol_release(machine->frames, frames_bytes(machine));
    ol_arena_close(&machine->arena);
    ol_release(machine, sizeof(*machine));
}

enum ol_status ol_linux_create(const struct ol_linux_options *options, struct ol_linux **out, const char **error)
{
    struct ol_linux *machine = ol_reserve(sizeof(*machine));
    *error = "there is no address space left";
    if (!machine) return OL_E_NO_META;
    machine->frames_max = options->frames_max;
    machine->dont_fork = options->dont_fork;
    machine->pid = getpid();
    machine->frames = ol_reserve(frames_bytes(machine));
    enum ol_status status = OL_E_NO_META;
    if (machine->frames &&
        ol_arena_open(&machine->arena, machine->frames_max + 1)) /* protection faults want one more */
        status = open_mechanism(machine, options, error);
    if (status == OL_OK) *out = machine;
    else release(machine);
    return status;
}

void ol_linux_destroy(struct ol_linux *machine)
{
    machine->mechanism->close(machine);
    release(machine);
}

enum ol_status ol_linux_forked(struct ol_linux *machine, const char **error)
{
    machine->pid = getpid();
    return machine->mechanism->forked(machine, error);
}

enum ol_faults ol_linux_faults(const struct ol_linux *machine)
{
    return machine->mechanism == &ol_mechanism_protection ? OL_FAULTS_PROTECTION : OL_FAULTS_USERFAULTFD;
}

int ol_linux_signal(const struct ol_linux *machine)
{
    return machine->mechanism->signal;
}

bool ol_linux_is_here(const struct ol_linux *machine)
{
    unsigned char present;
    return mincore(machine->arena.memory, OL_LINUX_PAGE_BYTES, &present) == 0;
}

bool ol_linux_restore_window(struct ol_linux *machine, void *address, size_t bytes)
{
    return machine->mechanism->restore_window(machine, address, bytes);
}

uint64_t ol_linux_metadata_bytes(const struct ol_linux *machine, uint32_t frames_used)
{
    return sizeof(*machine) + (uint64_t)frames_used * sizeof(*machine->frames) + machine->tables_bytes +
           ol_arena_metadata_bytes(&machine->arena);
}
