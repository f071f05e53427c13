/* SPDX-License-Identifier: MIT */
/*
 * The port of hosted simulation: host memory for metadata, one mutex as the core's lock, virtual time.
 *
 * Conditions that hold for all functions:
 * - Time is what `clock` says, in whatever unit it counts; it does not depend on the host.
 * - Messages go to standard error; a broken invariant aborts.
 */
#ifndef OL_SIM_PORT_H
#define OL_SIM_PORT_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/port.h"

struct ol_sim_port {
    pthread_mutex_t lock;      /* the core's */
    pthread_mutex_t wait_lock; /* taken last; guards nothing but going to sleep */
    pthread_cond_t woken;
    _Atomic uint64_t clock; /* virtual time; who owns the port advances it */
};

/* OL_OK or OL_E_NO_META. */
enum ol_status ol_sim_port_create(struct ol_sim_port *port);
/* Nobody holds its lock or waits. */
void ol_sim_port_destroy(struct ol_sim_port *port);

/* The port as the core wants it; valid as long as `port` is. */
struct ol_port ol_sim_port_functions(struct ol_sim_port *port);

#endif
