/* SPDX-License-Identifier: MIT */
/*
 * A port for tests that wraps any other: metadata memory runs out when it is told to, and warnings are counted instead
 * of printed. Metadata memory is the heap's, so that AddressSanitizer sees who goes beyond it; hence faults may be
 * resolved in a signal handler only where the heap was not interrupted. Any number of threads may use it. It must not
 * move while a system uses it.
 */
#ifndef OL_TESTS_PORT_FAULTY_H
#define OL_TESTS_PORT_FAULTY_H

#include <stdatomic.h>

#include "core/port.h"

struct ol_port_faulty {
    struct ol_port inner; /* c: */
    atomic_bool paused;   /* calls of metadata_alloc are passed on and not counted */
    atomic_ullong allocs; /* calls of metadata_alloc */
    atomic_ullong first;  /* the first call that fails; 0: none */
    atomic_ullong times;  /* so many fail from there on */
    atomic_ullong failed; /* calls that did */
    atomic_ullong bytes;  /* now: given out and not freed */
    atomic_uint warnings; /* log(OL_LOG_WARNING) */
};

/* Fills *out with functions over `faulty`, which passes on to `inner`. */
void ol_port_faulty_init(struct ol_port_faulty *faulty, const struct ol_port *inner, struct ol_port *out);

/* From now on the nth call of metadata_alloc, counted from 1, and times - 1 ones after it give NULL. times 0: none. */
void ol_port_faulty_fail(struct ol_port_faulty *faulty, uint64_t nth, uint64_t times);

#endif
