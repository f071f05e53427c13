/* SPDX-License-Identifier: MIT */
/*
 * What a run would take on a real machine: exact counts times constants, each of which can be set. A model: caches for
 * data are one constant (how many references miss them), nothing overlaps, disks do one thing at a time, and the times
 * of several processors are added up.
 *
 * As text: NAME=VALUE,NAME=VALUE,… with names and units of ol_cost_constants, whole numbers; or `default`.
 */
#ifndef OL_SIM_COST_H
#define OL_SIM_COST_H

#include "machine/sim/machine.h"

enum ol_cost_constant {
    OL_COST_CLOCK,
    OL_COST_TLB2,
    OL_COST_TLB3,
    OL_COST_TLB4,
    OL_COST_TABLE,
    OL_COST_INVALIDATE,
    OL_COST_SHOOTDOWN,
    OL_COST_SWITCH,
    OL_COST_MISSES,
    OL_COST_MEMORY,
    OL_COST_FAULT,
    OL_COST_DISK,
    OL_COST_BANDWIDTH,
    OL_COST_CONSTANTS
};

struct ol_cost {
    uint64_t value[OL_COST_CONSTANTS];
};

/* What they are called, in what they are counted, and what they are if nobody says; with sources in cost.c. */
struct ol_cost_constant_info {
    const char *name, *unit, *summary;
    uint64_t value, least, most; /* so that counts of a long run, times a constant, stay below 2^64 */
};
extern const struct ol_cost_constant_info ol_cost_constants[OL_COST_CONSTANTS];

/* Understands a text. False if it makes no sense; then `message` (cut to message_bytes) says what was expected. */
bool ol_cost_parse(const char *text, struct ol_cost *out, char *message, size_t message_bytes);

enum ol_cost_part {
    OL_COST_OF_TLBS,          /* lookups beyond level 1 */
    OL_COST_OF_WALKS,         /* table words */
    OL_COST_OF_INVALIDATIONS, /* on all processors, with interrupts and switches of spaces */
    OL_COST_OF_MEMORY,        /* references that miss the caches; with nodes, by distance */
    OL_COST_OF_FAULTS,        /* the system's own work */
    OL_COST_OF_READS,         /* pages from the disk */
    OL_COST_OF_WRITES,        /* … to it */
    OL_COST_PARTS
};
extern const char *const ol_cost_part_names[OL_COST_PARTS]; /* for people; in JSON with _ for spaces */

/* The modelled time of what was counted so far, part by part, in ns. */
void ol_cost_model(const struct ol_cost *cost, struct ol_sim *sim, const struct ol_statistics *core,
                   uint64_t ns[OL_COST_PARTS]);

/* Nanoseconds as cycles of the processors' clock. */
uint64_t ol_cost_cycles(const struct ol_cost *cost, uint64_t ns);

#endif
