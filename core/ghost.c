/* SPDX-License-Identifier: MIT */
/*
 * Ghosts: what a policy remembers of pages that lost their frame. A ghost is keyed by the page's anon, which keeps its
 * number in memory and out of it; the ghosts' entries are numbered behind the frames. A hash with chains, all its
 * memory taken when the system is made.
 */
#include "core/internal.h"

static size_t ghosts_bytes(const struct ol_ghosts *ghosts)
{
    return ((size_t)ghosts->buckets + 2 * (size_t)ghosts->capacity) * sizeof(uint32_t);
}

enum ol_status ol_ghosts_init(struct ol_system *system, uint32_t capacity)
{
    struct ol_ghosts *ghosts = &system->ghosts;
    if (!capacity) return OL_OK;
    ghosts->capacity = capacity;
    for (ghosts->buckets = 256; ghosts->buckets < capacity; ghosts->buckets *= 2) continue;
    ghosts->bucket = system->port.metadata_alloc(system->port.context, ghosts_bytes(ghosts));
    if (!ghosts->bucket) return OL_E_NO_META;
    ghosts->next = ghosts->bucket + ghosts->buckets;
    ghosts->anon = ghosts->next + capacity;
    memset(ghosts->bucket, 0xff, (size_t)ghosts->buckets * sizeof(uint32_t));
    ghosts->free = OL_NO_FRAME;
    return OL_OK;
}

void ol_ghosts_destroy(struct ol_system *system)
{
    struct ol_ghosts *ghosts = &system->ghosts;
    if (ghosts->bucket) system->port.metadata_free(system->port.context, ghosts->bucket, ghosts_bytes(ghosts));
}

static uint32_t *bucket_of(struct ol_ghosts *ghosts, uint32_t anon)
{
    return &ghosts->bucket[(anon * UINT32_C(0x9e3779b1)) & (ghosts->buckets - 1)];
}

ol_frame_no ol_ghost_find(struct ol_system *system, uint32_t anon)
{
    struct ol_ghosts *ghosts = &system->ghosts;
    if (!ghosts->count || anon == OL_NIL) return OL_NO_FRAME;
    uint32_t at = *bucket_of(ghosts, anon);
    while (at != OL_NO_FRAME && ghosts->anon[at] != anon) at = ghosts->next[at];
    return at == OL_NO_FRAME ? OL_NO_FRAME : system->frames_max + at;
}

ol_frame_no ol_ghost_remember(void *core, ol_frame_no frame)
{
    struct ol_system *system = core;
    struct ol_ghosts *ghosts = &system->ghosts;
    const uint32_t anon = system->frame[frame].anon;
    uint32_t ghost = ghosts->free;
    if (ghost != OL_NO_FRAME) ghosts->free = ghosts->next[ghost];
    else if (ghosts->fresh < ghosts->capacity) ghost = ghosts->fresh++;
    else return OL_NO_FRAME;
    uint32_t *bucket = bucket_of(ghosts, anon);
    ghosts->anon[ghost] = anon;
    ghosts->next[ghost] = *bucket;
    *bucket = ghost;
    ghosts->count++;
    return system->frames_max + ghost;
}

ol_frame_no ol_ghost_recall(void *core, ol_frame_no frame)
{
    struct ol_system *system = core;
    return ol_ghost_find(system, system->frame[frame].anon);
}

void ol_ghost_forget(void *core, ol_frame_no entry)
{
    struct ol_system *system = core;
    struct ol_ghosts *ghosts = &system->ghosts;
    const uint32_t ghost = entry - system->frames_max;
    uint32_t *link = bucket_of(ghosts, ghosts->anon[ghost]);
    while (*link != ghost) link = &ghosts->next[*link];
    *link = ghosts->next[ghost];
    ghosts->next[ghost] = ghosts->free;
    ghosts->free = ghost;
    ghosts->count--;
}

void ol_ghost_anon_gone(struct ol_system *system, uint32_t anon)
{
    const ol_frame_no ghost = ol_ghost_find(system, anon);
    if (ghost == OL_NO_FRAME) return;
    system->policy.ops->drop(&system->policy, ghost);
    ol_ghost_forget(system, ghost);
}

uint32_t ol_page_of(void *core, ol_frame_no frame)
{
    const struct ol_system *system = core;
    return system->frame[frame].anon;
}
