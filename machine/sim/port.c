/* SPDX-License-Identifier: MIT */
#include "machine/sim/port.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static void *port_metadata_alloc(void *context, size_t bytes)
{
    (void)context;
    void *const memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void port_metadata_free(void *context, void *memory, size_t bytes)
{
    (void)context;
    munmap(memory, bytes);
}

static void port_lock(void *context)
{
    struct ol_sim_port *const port = context;
    pthread_mutex_lock(&port->lock);
}

static void port_unlock(void *context)
{
    struct ol_sim_port *const port = context;
    pthread_mutex_unlock(&port->lock);
}

/* Whoever changes the word wakes after it: either the change is seen here, or the waker comes after the sleep. */
static void port_wait(void *context, const uint32_t *word, uint32_t value)
{
    struct ol_sim_port *const port = context;
    pthread_mutex_lock(&port->wait_lock);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value) pthread_cond_wait(&port->woken, &port->wait_lock);
    pthread_mutex_unlock(&port->wait_lock);
}

static void port_wake(void *context, const uint32_t *word)
{
    struct ol_sim_port *const port = context;
    (void)word;
    pthread_mutex_lock(&port->wait_lock);
    pthread_cond_broadcast(&port->woken);
    pthread_mutex_unlock(&port->wait_lock);
}

static uint64_t port_now_ns(void *context)
{
    struct ol_sim_port *const port = context;
    return atomic_load_explicit(&port->clock, memory_order_relaxed);
}

static void port_log(void *context, enum ol_log_level level, const char *text)
{
    (void)context;
    fprintf(stderr, "onelevel: %s%s\n", level == OL_LOG_WARNING ? "warning: " : "", text);
}

static void port_panic(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "onelevel: internal error: %s\n", text);
    abort();
}

enum ol_status ol_sim_port_create(struct ol_sim_port *port)
{
    if (pthread_mutex_init(&port->lock, NULL) != 0) return OL_E_NO_META;
    if (pthread_mutex_init(&port->wait_lock, NULL) != 0) goto destroy_lock;
    if (pthread_cond_init(&port->woken, NULL) != 0) goto destroy_wait_lock;
    atomic_init(&port->clock, 0);
    return OL_OK;

destroy_wait_lock:
    pthread_mutex_destroy(&port->wait_lock);
destroy_lock:
    pthread_mutex_destroy(&port->lock);
    return OL_E_NO_META;
}

void ol_sim_port_destroy(struct ol_sim_port *port)
{
    pthread_cond_destroy(&port->woken);
    pthread_mutex_destroy(&port->wait_lock);
    pthread_mutex_destroy(&port->lock);
}

struct ol_port ol_sim_port_functions(struct ol_sim_port *port)
{
    return (struct ol_port){
        .context = port,
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
