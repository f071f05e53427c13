/* SPDX-License-Identifier: MIT */
/*
 * The port: what the core needs of the environment that embeds it.
 *
 * Conditions that hold for all functions:
 * - `context` is ol_port.context.
 * - The core holds its lock (lock()) only for short, bounded work: never across a pager's transfer, never while it
 *   waits. It takes the lock once (it is not recursive).
 * - metadata_alloc may be called with the lock held; the other functions say so.
 */
#ifndef OL_CORE_PORT_H
#define OL_CORE_PORT_H

#include "core/types.h"

enum ol_log_level { OL_LOG_WARNING, OL_LOG_NOTE };

struct ol_port {
    void *context;
    /* Zeroed memory for the core's own tables, aligned to 64 bytes, at least 1 KiB a call; NULL if there is none.
     * The core asks for blocks that double in size; lazily backed memory is best, as it fills them from the start. */
    void *(*metadata_alloc)(void *context, size_t bytes);
    void (*metadata_free)(void *context, void *memory, size_t bytes);
    void (*lock)(void *context);
    void (*unlock)(void *context);
    /* Sleeps while *word == value (checked atomically with going to sleep); may return early. Lock not held. */
    void (*wait)(void *context, const uint32_t *word, uint32_t value);
    /* Wakes all that wait on word. Lock held or not. */
    void (*wake)(void *context, const uint32_t *word);
    /* Monotonic time, ns; lock held or not. */
    uint64_t (*now_ns)(void *context);
    /* A message for people, without a newline; lock held. */
    void (*log)(void *context, enum ol_log_level level, const char *text);
    /* An invariant is broken; must not return. */
    void (*panic)(void *context, const char *text);
};

#endif
