/* SPDX-License-Identifier: MIT */
#include "pager/tiered.h"

#include <assert.h>
#include <string.h>

#include "pager/lock.h"
#include "pager/reserve.h"

/* Where a slot's page is. */
enum home { NOWHERE, FIRST, SECOND, HOMES };

enum {
    CLUSTER_SLOTS = 64, /* at most 64, for the bits, and 255, for the users */
    DEMOTED_AT_ONCE = 16,
    CLUSTERS_LOOKED_AT = 8
};
#define NO_CLUSTER UINT32_MAX

/* Neighbouring slots, which the core gives out together. Where the page of a slot is does not change while a request
 * for it is under way: the request knows it, and its end notes where the page is then. */
struct cluster {
    uint64_t in[HOMES - FIRST]; /* t: by home - FIRST: its slots whose pages are there, as bits */
    uint32_t before, after;     /* t: in the list of those that may have pages in the first, oldest first */
    uint8_t users;              /* t: pages of it in requests under way */
    bool is_listed;             /* t: */
};

static_assert(sizeof(struct cluster) == 32, "the table is counted as metadata: half a byte a slot");

/* Lock letters: c: constant; t: the lock; d: the demotion lock, which is taken before the other. */
struct tiered {
    struct ol_pager pager;
    struct ol_pager *tiers[HOMES];  /* c: by home; NOWHERE has none */
    bool (*is_over)(void *context); /* c: */
    void *context;                  /* c: */
    struct cluster *clusters;       /* c: the table */
    struct ol_futex_mutex lock;
    struct ol_futex_mutex demotion;
    uint32_t oldest, youngest; /* t: clusters, or NO_CLUSTER */
    uint32_t demoting;         /* t: the cluster whose pages are moving on; no request may use it */
    uint64_t discarded;        /* t: its slots that were discarded meanwhile */
    uint64_t pages_demoted;    /* t: */
    uint32_t clusters_touched; /* t: clusters from here on were never written */
    char *buffer;              /* d: DEMOTED_AT_ONCE pages, lazily backed */
};

/* A part of a request that goes to one tier. */
struct part {
    struct ol_io io;
    bool complete;
    ol_slot slots[OL_IO_PAGES_MAX];
    void *pages[OL_IO_PAGES_MAX];
    uint8_t from[OL_IO_PAGES_MAX]; /* index in the whole request */
};

static struct tiered *tiered_of(struct ol_pager *pager)
{
    return (struct tiered *)pager;
}

static void part_complete(struct ol_io *io)
{
    *(bool *)io->context = true;
}

static void part_init(struct part *part, enum ol_io_op op)
{
    part->complete = false;
    part->io.op = op;
    part->io.count = 0;
    part->io.slots = part->slots;
    part->io.pages = part->pages;
    part->io.complete = part_complete;
    part->io.context = &part->complete;
}

static void part_add(struct part *part, const struct ol_io *whole, uint32_t i)
{
    const uint32_t n = part->io.count++;
    part->slots[n] = whole->slots[i];
    part->pages[n] = whole->pages[i];
    part->from[n] = (uint8_t)i;
}

/* Carries the part out, and copies its statuses to the whole. */
static void part_submit(struct part *part, struct ol_pager *tier, struct ol_io *whole)
{
    if (part->io.count == 0) return;
    tier->ops->submit(tier, &part->io);
    assert(part->complete);
    for (uint32_t n = 0; n < part->io.count; n++) whole->status[part->from[n]] = part->io.status[n];
}

/* --- homes ------------------------------------------------------------------------------------------------------- */

static enum home home_of_locked(const struct tiered *tiered, ol_slot slot)
{
    const struct cluster *cluster = &tiered->clusters[slot / CLUSTER_SLOTS];
    for (enum home home = FIRST; home < HOMES; home++)
        if (cluster->in[home - FIRST] >> slot % CLUSTER_SLOTS & 1) return home;
    return NOWHERE;
}

static void home_set_locked(struct tiered *tiered, ol_slot slot, enum home new)
{
    struct cluster *cluster = &tiered->clusters[slot / CLUSTER_SLOTS];
    const uint64_t bit = UINT64_C(1) << slot % CLUSTER_SLOTS;
    for (enum home home = FIRST; home < HOMES; home++) cluster->in[home - FIRST] &= ~bit;
    if (new != NOWHERE) cluster->in[new - FIRST] |= bit;
}

/* --- clusters ---------------------------------------------------------------------------------------------------- */

static void list_push(struct tiered *tiered, uint32_t number)
{
    struct cluster *cluster = &tiered->clusters[number];
    if (cluster->is_listed) return;
    cluster->before = tiered->youngest;
    cluster->after = NO_CLUSTER;
    cluster->is_listed = true;
    if (tiered->youngest == NO_CLUSTER) tiered->oldest = number;
    else tiered->clusters[tiered->youngest].after = number;
    tiered->youngest = number;
}

static void list_remove(struct tiered *tiered, uint32_t number)
{
    struct cluster *cluster = &tiered->clusters[number];
    if (cluster->before == NO_CLUSTER) tiered->oldest = cluster->after;
    else tiered->clusters[cluster->before].after = cluster->after;
    if (cluster->after == NO_CLUSTER) tiered->youngest = cluster->before;
    else tiered->clusters[cluster->after].before = cluster->before;
    cluster->is_listed = false;
}

/* Keeps the request's clusters where they are until clusters_leave, and tells where that is; waits for the one that is
 * being demoted. */
static void clusters_use(struct tiered *tiered, const struct ol_io *io, enum home homes[])
{
    ol_futex_lock(&tiered->lock);
    for (uint32_t i = 0; i < io->count; i++) {
        const uint32_t number = io->slots[i] / CLUSTER_SLOTS;
        while (tiered->demoting == number) {
            ol_futex_unlock(&tiered->lock);
            ol_futex_lock(&tiered->demotion);
            ol_futex_unlock(&tiered->demotion);
            ol_futex_lock(&tiered->lock);
        }
        tiered->clusters[number].users++;
        homes[i] = home_of_locked(tiered, io->slots[i]);
    }
    ol_futex_unlock(&tiered->lock);
}

/* homes: where the pages are now. */
static void clusters_leave(struct tiered *tiered, const struct ol_io *io, const enum home homes[])
{
    ol_futex_lock(&tiered->lock);
    for (uint32_t i = 0; i < io->count; i++) {
        const uint32_t number = io->slots[i] / CLUSTER_SLOTS;
        tiered->clusters[number].users--;
        if (io->op != OL_IO_WRITE) continue;
        home_set_locked(tiered, io->slots[i], homes[i]);
        if (homes[i] == FIRST) list_push(tiered, number);
        if (number >= tiered->clusters_touched) tiered->clusters_touched = number + 1;
    }
    ol_futex_unlock(&tiered->lock);
}

/* --- demotion ---------------------------------------------------------------------------------------------------- */

/* Takes the oldest cluster that no request uses, and tells which slots of it are in the first; NO_CLUSTER if there is
 * none nearby. */
static uint32_t demotion_begin(struct tiered *tiered, ol_slot slots[CLUSTER_SLOTS], uint32_t *n)
{
    ol_futex_lock(&tiered->lock);
    uint32_t number = tiered->oldest;
    for (int i = 0; i < CLUSTERS_LOOKED_AT && number != NO_CLUSTER && tiered->clusters[number].users; i++)
        number = tiered->clusters[number].after;
    if (number != NO_CLUSTER && tiered->clusters[number].users) number = NO_CLUSTER;
    *n = 0;
    if (number != NO_CLUSTER) {
        list_remove(tiered, number);
        for (uint64_t bits = tiered->clusters[number].in[0]; bits; bits &= bits - 1)
            slots[(*n)++] = number * CLUSTER_SLOTS + (uint32_t)__builtin_ctzll(bits);
    }
    tiered->demoting = number;
    tiered->discarded = 0;
    ol_futex_unlock(&tiered->lock);
    return number;
}

/* One word a page in the first costs nothing there. */
static bool page_is_word(const char *page, uint32_t page_bytes)
{
    return memcmp(page, page + sizeof(uint64_t), page_bytes - sizeof(uint64_t)) == 0;
}

/* Copies up to DEMOTED_AT_ONCE slots from the first to the second. *copied: which, as bits of the cluster. */
static void demote_some(struct tiered *tiered, const ol_slot *slots, uint32_t n, uint64_t *copied)
{
    struct part read, write;
    struct ol_io whole = {.op = OL_IO_READ, .count = n, .slots = slots};
    void *pages[DEMOTED_AT_ONCE];
    for (uint32_t i = 0; i < n; i++) pages[i] = tiered->buffer + (size_t)i * tiered->pager.page_bytes;
    whole.pages = pages;
    part_init(&read, OL_IO_READ);
    for (uint32_t i = 0; i < n; i++) part_add(&read, &whole, i);
    part_submit(&read, tiered->tiers[FIRST], &whole);
    part_init(&write, OL_IO_WRITE);
    for (uint32_t i = 0; i < n; i++)
        if (whole.status[i] == OL_OK && !page_is_word(pages[i], tiered->pager.page_bytes)) part_add(&write, &whole, i);
    part_submit(&write, tiered->tiers[SECOND], &whole);
    for (uint32_t i = 0; i < write.io.count; i++)
        if (write.io.status[i] == OL_OK) *copied |= 1ULL << write.slots[i] % CLUSTER_SLOTS;
}

/* The copies take the place of what was in the first. What could not be copied stays. */
static void demotion_end(struct tiered *tiered, uint32_t number, uint64_t copied)
{
    struct ol_pager *first = tiered->tiers[FIRST], *second = tiered->tiers[SECOND];
    bool left = false;
    ol_futex_lock(&tiered->lock);
    for (uint32_t i = 0; i < CLUSTER_SLOTS; i++) {
        const ol_slot slot = number * CLUSTER_SLOTS + i;
        const bool is_copied = copied >> i & 1, is_discarded = tiered->discarded >> i & 1;
        if (home_of_locked(tiered, slot) != FIRST) continue;
        if (is_copied || is_discarded) first->ops->discard(first, slot);
        if (is_copied && is_discarded) second->ops->discard(second, slot);
        if (is_copied || is_discarded) home_set_locked(tiered, slot, is_discarded ? NOWHERE : SECOND);
        else left = true;
        if (is_copied && !is_discarded) tiered->pages_demoted++;
    }
    if (left) list_push(tiered, number);
    tiered->demoting = NO_CLUSTER;
    ol_futex_unlock(&tiered->lock);
}

/* Moves a cluster on to the second. False if there is none, or it would not go. */
static bool demote(struct tiered *tiered)
{
    ol_slot slots[CLUSTER_SLOTS];
    uint64_t copied = 0;
    uint32_t n;
    if (!ol_futex_trylock(&tiered->demotion)) return false; /* another thread is at it */
    const uint32_t number = demotion_begin(tiered, slots, &n);
    if (number != NO_CLUSTER) {
        for (uint32_t done = 0; done < n; done += DEMOTED_AT_ONCE)
            demote_some(tiered, slots + done, n - done < DEMOTED_AT_ONCE ? n - done : DEMOTED_AT_ONCE, &copied);
        demotion_end(tiered, number, copied);
    }
    ol_futex_unlock(&tiered->demotion);
    return copied != 0;
}

/* --- the pager --------------------------------------------------------------------------------------------------- */

static void io_read(struct tiered *tiered, struct ol_io *io, const enum home homes[])
{
    for (uint32_t i = 0; i < io->count; i++) io->status[i] = OL_E_IO; /* what is nowhere cannot be read */
    for (enum home home = FIRST; home < HOMES; home++) {
        struct part part;
        part_init(&part, OL_IO_READ);
        for (uint32_t i = 0; i < io->count; i++)
            if (homes[i] == home) part_add(&part, io, i);
        part_submit(&part, tiered->tiers[home], io);
    }
}

/* The first tier was asked to write the page. Whatever it answered, a copy in the second is old now. */
static void first_written(struct tiered *tiered, ol_slot slot, enum ol_status status, enum home *home)
{
    struct ol_pager *second = tiered->tiers[SECOND];
    if (*home == SECOND) second->ops->discard(second, slot);
    *home = status == OL_OK ? FIRST : NOWHERE;
}

/* homes: where the pages are, before and after. */
static void io_write(struct tiered *tiered, struct ol_io *io, enum home homes[])
{
    struct part part;
    part_init(&part, OL_IO_WRITE);
    for (uint32_t i = 0; i < io->count; i++) part_add(&part, io, i);
    part_submit(&part, tiered->tiers[FIRST], io);
    for (uint32_t i = 0; i < io->count; i++) first_written(tiered, io->slots[i], io->status[i], &homes[i]);

    part_init(&part, OL_IO_WRITE);
    for (uint32_t i = 0; i < io->count; i++)
        if (io->status[i] == OL_E_NO_SWAP) part_add(&part, io, i);
    part_submit(&part, tiered->tiers[SECOND], io);
    for (uint32_t n = 0; n < part.io.count; n++)
        if (part.io.status[n] == OL_OK) homes[part.from[n]] = SECOND;
}

static void tiered_submit(struct ol_pager *pager, struct ol_io *io)
{
    assert(io->count > 0 && io->count <= OL_IO_PAGES_MAX);
    for (uint32_t i = 0; i < io->count; i++) assert(io->slots[i] < pager->capacity);
    struct tiered *tiered = tiered_of(pager);
    enum home homes[OL_IO_PAGES_MAX] = {NOWHERE};
    const bool writes = io->op == OL_IO_WRITE;
    if (writes && tiered->is_over && tiered->is_over(tiered->context)) (void)demote(tiered);
    clusters_use(tiered, io, homes);
    if (writes) io_write(tiered, io, homes);
    else io_read(tiered, io, homes);
    clusters_leave(tiered, io, homes);
    io->complete(io);
}

static void tiered_discard(struct ol_pager *pager, ol_slot slot)
{
    struct tiered *tiered = tiered_of(pager);
    assert(slot < pager->capacity);
    ol_futex_lock(&tiered->lock);
    const enum home home = home_of_locked(tiered, slot);
    if (home == FIRST && tiered->demoting == slot / CLUSTER_SLOTS) {
        tiered->discarded |= 1ULL << slot % CLUSTER_SLOTS; /* by whoever moves it */
    } else if (home != NOWHERE) {
        home_set_locked(tiered, slot, NOWHERE);
        tiered->tiers[home]->ops->discard(tiered->tiers[home], slot);
    }
    ol_futex_unlock(&tiered->lock);
}

/* A page that was read from the second has been wanted: while the first has room, it goes there next. */
static bool tiered_keep(struct ol_pager *pager, ol_slot slot)
{
    struct tiered *tiered = tiered_of(pager);
    assert(slot < pager->capacity);
    ol_futex_lock(&tiered->lock);
    const enum home home = home_of_locked(tiered, slot);
    struct ol_pager *tier = tiered->tiers[home];
    const bool rises = home == SECOND && tiered->is_over && !tiered->is_over(tiered->context);
    const bool keep = tier && !rises && tier->ops->keep(tier, slot);
    ol_futex_unlock(&tiered->lock);
    return keep;
}

static enum ol_status tiered_flush(struct ol_pager *pager)
{
    const struct tiered *tiered = tiered_of(pager);
    enum ol_status status = OL_OK;
    for (unsigned home = FIRST; home < HOMES; home++) {
        const enum ol_status flushed = tiered->tiers[home]->ops->flush(tiered->tiers[home]);
        if (status == OL_OK) status = flushed;
    }
    return status;
}

static size_t buffer_bytes(const struct tiered *tiered)
{
    return (size_t)DEMOTED_AT_ONCE * tiered->pager.page_bytes;
}

static size_t clusters_bytes(const struct tiered *tiered)
{
    return ((size_t)tiered->pager.capacity / CLUSTER_SLOTS + 1) * sizeof(*tiered->clusters);
}

static void tables_release(struct tiered *tiered)
{
    ol_release(tiered->clusters, clusters_bytes(tiered));
    ol_release(tiered->buffer, buffer_bytes(tiered));
    ol_release(tiered, sizeof *tiered);
}

static void tiered_close(struct ol_pager *pager)
{
    struct tiered *tiered = tiered_of(pager);
    for (unsigned home = FIRST; home < HOMES; home++) tiered->tiers[home]->ops->close(tiered->tiers[home]);
    tables_release(tiered);
}

static const struct ol_pager_ops tiered_ops = {
    .name = "tiered",
    .submit = tiered_submit,
    .discard = tiered_discard,
    .keep = tiered_keep,
    .flush = tiered_flush,
    .close = tiered_close,
};

enum ol_status ol_tiered_create(const struct ol_tiered_options *options, struct ol_pager **out)
{
    struct ol_pager *first = options->first, *second = options->second;
    const uint32_t capacity = first->capacity < second->capacity ? first->capacity : second->capacity;
    if (first->page_bytes != second->page_bytes) return OL_E_INVALID;
    struct tiered *tiered = ol_reserve(sizeof *tiered);
    if (!tiered) return OL_E_NO_META;
    tiered->pager = (struct ol_pager){&tiered_ops, first->page_bytes, capacity};
    tiered->clusters = ol_reserve(clusters_bytes(tiered));
    tiered->buffer = ol_reserve(buffer_bytes(tiered));
    if (!tiered->clusters || !tiered->buffer) {
        tables_release(tiered);
        return OL_E_NO_META;
    }
    tiered->tiers[FIRST] = first;
    tiered->tiers[SECOND] = second;
    tiered->is_over = options->is_over;
    tiered->context = options->context;
    tiered->oldest = tiered->youngest = tiered->demoting = NO_CLUSTER;
    *out = &tiered->pager;
    return OL_OK;
}

void ol_tiered_statistics(struct ol_pager *pager, struct ol_tiered_statistics *out)
{
    struct tiered *tiered = tiered_of(pager);
    assert(pager->ops == &tiered_ops);
    ol_futex_lock(&tiered->lock);
    out->pages_demoted = tiered->pages_demoted;
    out->metadata_bytes = sizeof *tiered + tiered->clusters_touched * sizeof(struct cluster) +
                          (tiered->pages_demoted ? buffer_bytes(tiered) : 0);
    ol_futex_unlock(&tiered->lock);
}
