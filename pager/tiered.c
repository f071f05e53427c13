/* SPDX-License-Identifier: MIT */
#include "pager/tiered.h"

#include "pager/reserve.h"

#include <assert.h>

/* Where a slot's page is. */
enum home { NOWHERE, FIRST, SECOND, HOMES };

struct tiered {
    struct ol_pager pager;
    struct ol_pager *tiers[HOMES]; /* c: by home; NOWHERE has none */
    uint8_t *homes;                /* c: the table; by slot, enum home. An entry belongs to whoever uses the slot */
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

static void io_read(struct tiered *tiered, struct ol_io *io)
{
    for (uint32_t i = 0; i < io->count; i++) io->status[i] = OL_E_IO; /* what is nowhere cannot be read */
    for (unsigned home = FIRST; home < HOMES; home++) {
        struct part part;
        part_init(&part, OL_IO_READ);
        for (uint32_t i = 0; i < io->count; i++)
            if (tiered->homes[io->slots[i]] == home) part_add(&part, io, i);
        part_submit(&part, tiered->tiers[home], io);
    }
}

/* The first tier was asked to write the page. Whatever it answered, a copy in the second is old now. */
static void first_written(struct tiered *tiered, ol_slot slot, enum ol_status status)
{
    struct ol_pager *second = tiered->tiers[SECOND];
    if (tiered->homes[slot] == SECOND) second->ops->discard(second, slot);
    tiered->homes[slot] = status == OL_OK ? FIRST : NOWHERE;
}

static void io_write(struct tiered *tiered, struct ol_io *io)
{
    struct part part;
    part_init(&part, OL_IO_WRITE);
    for (uint32_t i = 0; i < io->count; i++) part_add(&part, io, i);
    part_submit(&part, tiered->tiers[FIRST], io);
    for (uint32_t i = 0; i < io->count; i++) first_written(tiered, io->slots[i], io->status[i]);

    part_init(&part, OL_IO_WRITE);
    for (uint32_t i = 0; i < io->count; i++)
        if (io->status[i] == OL_E_NO_SWAP) part_add(&part, io, i);
    part_submit(&part, tiered->tiers[SECOND], io);
    for (uint32_t n = 0; n < part.io.count; n++)
        if (part.io.status[n] == OL_OK) tiered->homes[part.slots[n]] = SECOND;
}

static void tiered_submit(struct ol_pager *pager, struct ol_io *io)
{
    assert(io->count > 0 && io->count <= OL_IO_PAGES_MAX);
    for (uint32_t i = 0; i < io->count; i++) assert(io->slots[i] < pager->capacity);
    if (io->op == OL_IO_READ) io_read(tiered_of(pager), io);
    else io_write(tiered_of(pager), io);
    io->complete(io);
}

static void tiered_discard(struct ol_pager *pager, ol_slot slot)
{
    struct tiered *tiered = tiered_of(pager);
    assert(slot < pager->capacity);
    struct ol_pager *tier = tiered->tiers[tiered->homes[slot]];
    if (!tier) return;
    tiered->homes[slot] = NOWHERE;
    tier->ops->discard(tier, slot);
}

static bool tiered_keep(struct ol_pager *pager, ol_slot slot)
{
    const struct tiered *tiered = tiered_of(pager);
    assert(slot < pager->capacity);
    struct ol_pager *tier = tiered->tiers[tiered->homes[slot]];
    return tier && tier->ops->keep(tier, slot);
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

static void tiered_close(struct ol_pager *pager)
{
    struct tiered *tiered = tiered_of(pager);
    for (unsigned home = FIRST; home < HOMES; home++) tiered->tiers[home]->ops->close(tiered->tiers[home]);
    ol_release(tiered->homes, pager->capacity);
    ol_release(tiered, sizeof *tiered);
}

static const struct ol_pager_ops tiered_ops = {
    .name = "tiered",
    .submit = tiered_submit,
    .discard = tiered_discard,
    .keep = tiered_keep,
    .flush = tiered_flush,
    .close = tiered_close,
};

enum ol_status ol_tiered_create(struct ol_pager *first, struct ol_pager *second, struct ol_pager **out)
{
    const uint32_t capacity = first->capacity < second->capacity ? first->capacity : second->capacity;
    if (first->page_bytes != second->page_bytes) return OL_E_INVALID;
    struct tiered *tiered = ol_reserve(sizeof *tiered);
    if (!tiered) return OL_E_NO_META;
    tiered->homes = ol_reserve(capacity);
    if (!tiered->homes) {
        ol_release(tiered, sizeof *tiered);
        return OL_E_NO_META;
    }
    tiered->pager = (struct ol_pager){&tiered_ops, first->page_bytes, capacity};
    tiered->tiers[FIRST] = first;
    tiered->tiers[SECOND] = second;
    *out = &tiered->pager;
    return OL_OK;
}
