/* SPDX-License-Identifier: MIT */
/*
 * What a machine gives so that the conformance tests can run on it: systems, and accesses of a program that runs there.
 * Which testbeds a test program has is decided by what it is linked with: testbed_sim.c or testbed_linux.c.
 *
 * Conditions that hold for all functions:
 * - Every system's port and pmap are wrapped, so that metadata memory and mappings can fail or be forgotten.
 * - access may be called by several threads at once.
 */
#ifndef OL_TESTS_TESTBED_H
#define OL_TESTS_TESTBED_H

#include "onelevel/core.h"
#include "tests/support/pmap_faulty.h"
#include "tests/support/port_faulty.h"

struct ol_testbed {
    const char *name;
    const void *kind; /* which machine, for those that make several; may be NULL */
    const struct ol_capabilities *is;
    uint8_t large_shift; /* of all its systems that do not say otherwise, as in ol_config */
    const struct ol_pmap_ops *pmap;

    /* Why there can be no such machine here (a static sentence), or NULL. */
    const char *(*missing)(void);

    /* OL_OK, or why not. The port's context is the machine's. */
    enum ol_status (*machine_create)(const struct ol_testbed *bed, uint32_t frames_max, void **machine,
                                     struct ol_port *port);
    void (*machine_destroy)(void *machine);

    /* A range of that many pages where a space may be; false if there is none. */
    bool (*find_range)(const struct ol_testbed *bed, uint64_t pages, ol_va *first_va, ol_va *last_va);

    /* The program touches the byte at va: OL_READ stores it in *value, OL_WRITE stores *value there. OL_OK, or the
     * refusal of ol_fault. */
    enum ol_status (*access)(void *machine, struct ol_space *space, ol_va va, unsigned access, unsigned char *value);
};

/* All that are linked, ending with NULL. */
extern const struct ol_testbed *const ol_testbeds[];

struct ol_bed_options {
    uint32_t frames, frames_max, low, high, prefetch_max; /* as in ol_config */
    const struct ol_policy_ops *policy;
    const struct ol_zone *zones; /* this and the next two: as in ol_config */
    uint32_t zone_count;
    uint8_t large_shift;
    struct ol_pager *pager;     /* may be NULL; it is the bed's, also on failure */
    uint64_t fail_metadata_nth; /* so many metadata_allocs from the beginning on: that one fails; 0: none */
};

/* One system on one machine. It must not move. */
struct ol_bed {
    const struct ol_testbed *kind;
    struct ol_system *system;
    struct ol_pager *pager;
    void *machine;
    struct ol_port_faulty port;
    struct ol_pmap_faulty pmap;
};

/* On failure there is nothing to destroy, and bed->port.bytes says what metadata leaked. */
enum ol_status ol_bed_create(const struct ol_testbed *kind, const struct ol_bed_options *options, struct ol_bed *bed);
/* Afterwards bed->port.bytes says what metadata leaked. */
void ol_bed_destroy(struct ol_bed *bed);

/* A space of that many pages; *first_va is where it begins. */
enum ol_status ol_bed_space(struct ol_bed *bed, uint64_t pages, struct ol_space **out, ol_va *first_va);

#endif
