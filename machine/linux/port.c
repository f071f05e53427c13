/* SPDX-License-Identifier: MIT */
/* The port of a Linux process: nothing here allocates from the program's heap, all is async-signal-safe. */
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "machine/linux/machine.h"
#include "machine/linux/say.h"
#include "pager/reserve.h"

static void *port_metadata_alloc(void *context, size_t bytes)
{
    (void)context;
    return ol_reserve(bytes);
}

static void port_metadata_free(void *context, void *memory, size_t bytes)
{
    (void)context;
    ol_release(memory, bytes);
}

static void port_lock(void *context)
{
    struct ol_linux *machine = context;
    ol_futex_lock(&machine->lock);
}

static void port_unlock(void *context)
{
    struct ol_linux *machine = context;
    ol_futex_unlock(&machine->lock);
}

static void port_wait(void *context, const uint32_t *word, uint32_t value)
{
    (void)context;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void port_wake(void *context, const uint32_t *word)
{
    (void)context;
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static uint64_t port_now_ns(void *context)
{
    struct timespec now;
    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void port_log(void *context, enum ol_log_level level, const char *text)
{
    (void)context;
    ol_say(level == OL_LOG_WARNING ? "warning: " : "", text, NULL);
}

static void port_panic(void *context, const char *text)
{
    (void)context;
    ol_say("internal error: ", text, NULL);
    abort();
}

void ol_linux_port(struct ol_linux *machine, struct ol_port *out)
{
    *out = (struct ol_port){
        .context = machine,
        .metadata_alloc = port_metadata_alloc,
        .metadata_free = port_metadata_free,
        .lock = port_lock,
        .unlock = port_unlock,
        .wait = port_wait,
        .wake = port_wake,
        .now_ns = port_now_ns,
        .log = port_log,
        .panic = port_panic,
    };
}
