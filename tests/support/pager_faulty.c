/* SPDX-License-Identifier: MIT */
#include "tests/support/pager_faulty.h"

#include "pager/lock.h"

#include <assert.h>
#include <stdlib.h>

/* What is to fail: pages first, first + 1 … first + times - 1 by the count of pages. */
struct plan {
    uint64_t pages; /* ever asked for */
    uint64_t first, times;
    enum ol_status status;
};

struct faulty {
    struct ol_pager pager;
    struct ol_pager *inner; /* c: */
    struct ol_futex_mutex lock;
    struct plan plans[2]; /* by enum ol_io_op */
    uint64_t failures;
};

/* The part of a request that is to succeed; completes the whole when it is done. */
struct passed {
    struct ol_io io;
    struct ol_io *whole;
    ol_slot slots[OL_IO_PAGES_MAX];
    void *pages[OL_IO_PAGES_MAX];
    uint32_t from[OL_IO_PAGES_MAX]; /* index in the whole */
};

static struct faulty *faulty_of(struct ol_pager *pager)
{
    return (struct faulty *)pager;
}

static bool plan_fails_next(struct plan *plan)
{
    const uint64_t page = ++plan->pages;
    return page >= plan->first && page - plan->first < plan->times;
}

static void passed_complete(struct ol_io *io)
{
    struct passed *passed = io->context;
    struct ol_io *whole = passed->whole;
    for (uint32_t n = 0; n < io->count; n++) whole->status[passed->from[n]] = io->status[n];
    free(passed);
    whole->complete(whole);
}

static void passed_add(struct passed *passed, uint32_t i)
{
    const uint32_t n = passed->io.count++;
    passed->slots[n] = passed->whole->slots[i];
    passed->pages[n] = passed->whole->pages[i];
    passed->from[n] = i;
}

static struct passed *passed_create(struct ol_io *whole)
{
    struct passed *passed = calloc(1, sizeof *passed);
    if (!passed) abort();
    passed->whole = whole;
    passed->io.op = whole->op;
    passed->io.slots = passed->slots;
    passed->io.pages = passed->pages;
    passed->io.complete = passed_complete;
    passed->io.context = passed;
    return passed;
}

static void faulty_submit(struct ol_pager *pager, struct ol_io *io)
{
    struct faulty *faulty = faulty_of(pager);
    struct passed *passed = passed_create(io);
    struct plan *plan = &faulty->plans[io->op];
    for (uint32_t i = 0; i < io->count; i++) {
        ol_futex_lock(&faulty->lock);
        const bool fails = plan_fails_next(plan);
        if (fails) faulty->failures++;
        io->status[i] = fails ? plan->status : OL_OK;
        ol_futex_unlock(&faulty->lock);
        if (!fails) passed_add(passed, i);
        else if (io->op == OL_IO_WRITE) faulty->inner->ops->discard(faulty->inner, io->slots[i]);
    }
    if (passed->io.count > 0) faulty->inner->ops->submit(faulty->inner, &passed->io);
    else passed_complete(&passed->io);
}

static void faulty_discard(struct ol_pager *pager, ol_slot slot)
{
    struct ol_pager *inner = faulty_of(pager)->inner;
    inner->ops->discard(inner, slot);
}

static bool faulty_keep(struct ol_pager *pager, ol_slot slot)
{
    struct ol_pager *inner = faulty_of(pager)->inner;
    return inner->ops->keep(inner, slot);
}

static enum ol_status faulty_flush(struct ol_pager *pager)
{
    struct ol_pager *inner = faulty_of(pager)->inner;
    return inner->ops->flush(inner);
}

static void faulty_close(struct ol_pager *pager)
{
    struct faulty *faulty = faulty_of(pager);
    faulty->inner->ops->close(faulty->inner);
    free(faulty);
}

static const struct ol_pager_ops faulty_ops = {
    .name = "faulty",
    .submit = faulty_submit,
    .discard = faulty_discard,
    .keep = faulty_keep,
    .flush = faulty_flush,
    .close = faulty_close,
};

struct ol_pager *ol_pager_faulty_create(struct ol_pager *inner)
{
    struct faulty *faulty = calloc(1, sizeof *faulty);
    if (!faulty) return NULL;
    faulty->pager = (struct ol_pager){&faulty_ops, inner->page_bytes, inner->capacity};
    faulty->inner = inner;
    return &faulty->pager;
}

void ol_pager_faulty_fail(struct ol_pager *pager, enum ol_io_op op, uint64_t nth, uint64_t times, enum ol_status status)
{
    struct faulty *faulty = faulty_of(pager);
    struct plan *plan = &faulty->plans[op];
    assert(status == OL_E_IO || (op == OL_IO_WRITE && status == OL_E_NO_SWAP));
    ol_futex_lock(&faulty->lock);
    plan->first = plan->pages + nth;
    plan->times = times;
    plan->status = status;
    ol_futex_unlock(&faulty->lock);
}

uint64_t ol_pager_faulty_pages(struct ol_pager *pager, enum ol_io_op op)
{
    struct faulty *faulty = faulty_of(pager);
    ol_futex_lock(&faulty->lock);
    const uint64_t pages = faulty->plans[op].pages;
    ol_futex_unlock(&faulty->lock);
    return pages;
}

uint64_t ol_pager_faulty_failures(struct ol_pager *pager)
{
    struct faulty *faulty = faulty_of(pager);
    ol_futex_lock(&faulty->lock);
    const uint64_t failures = faulty->failures;
    ol_futex_unlock(&faulty->lock);
    return failures;
}
