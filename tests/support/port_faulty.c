/* SPDX-License-Identifier: MIT */
#include "tests/support/port_faulty.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 }; /* what core/port.h promises */

static bool fails_next(struct ol_port_faulty *faulty)
{
    if (atomic_load(&faulty->paused)) return false;
    const unsigned long long call = atomic_fetch_add(&faulty->allocs, 1) + 1;
    const unsigned long long first = atomic_load(&faulty->first);
    if (first == 0 || call < first || call - first >= atomic_load(&faulty->times)) return false;
    atomic_fetch_add(&faulty->failed, 1);
    return true;
}

static void *faulty_metadata_alloc(void *context, size_t bytes)
{
    struct ol_port_faulty *faulty = context;
    if (fails_next(faulty)) return NULL;
    void *memory = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
    if (!memory) return NULL;
    atomic_fetch_add(&faulty->bytes, bytes);
    return memset(memory, 0, bytes);
}

static void faulty_metadata_free(void *context, void *memory, size_t bytes)
{
    struct ol_port_faulty *faulty = context;
    assert(memory && atomic_load(&faulty->bytes) >= bytes);
    atomic_fetch_sub(&faulty->bytes, bytes);
    free(memory);
}

static void faulty_lock(void *context)
{
    struct ol_port_faulty *faulty = context;
    faulty->inner.lock(faulty->inner.context);
}

static void faulty_unlock(void *context)
{
    struct ol_port_faulty *faulty = context;
    faulty->inner.unlock(faulty->inner.context);
}

static void faulty_wait(void *context, const uint32_t *word, uint32_t value)
{
    struct ol_port_faulty *faulty = context;
    faulty->inner.wait(faulty->inner.context, word, value);
}

static void faulty_wake(void *context, const uint32_t *word)
{
    struct ol_port_faulty *faulty = context;
    faulty->inner.wake(faulty->inner.context, word);
}

static uint64_t faulty_now_ns(void *context)
{
    struct ol_port_faulty *faulty = context;
    return faulty->inner.now_ns(faulty->inner.context);
}

static void faulty_log(void *context, enum ol_log_level level, const char *text)
{
    struct ol_port_faulty *faulty = context;
    assert(text && *text);
    if (level == OL_LOG_WARNING) atomic_fetch_add(&faulty->warnings, 1);
}

static void faulty_panic(void *context, const char *text)
{
    struct ol_port_faulty *faulty = context;
    faulty->inner.panic(faulty->inner.context, text);
}

void ol_port_faulty_init(struct ol_port_faulty *faulty, const struct ol_port *inner, struct ol_port *out)
{
    memset(faulty, 0, sizeof(*faulty));
    faulty->inner = *inner;
    *out = (struct ol_port){
        .context = faulty,
        .metadata_alloc = faulty_metadata_alloc,
        .metadata_free = faulty_metadata_free,
        .lock = faulty_lock,
        .unlock = faulty_unlock,
        .wait = faulty_wait,
        .wake = faulty_wake,
        .now_ns = faulty_now_ns,
        .log = faulty_log,
        .panic = faulty_panic,
    };
}

void ol_port_faulty_fail(struct ol_port_faulty *faulty, uint64_t nth, uint64_t times)
{
    atomic_store(&faulty->times, times);
    atomic_store(&faulty->first, times ? atomic_load(&faulty->allocs) + nth : 0);
}
