/* SPDX-License-Identifier: MIT */
/*
 * A simulated machine with everything on it: a drum, a system, and one space with one region, as wide as its addresses,
 * in which every page may be referred to. The core works without watermarks: each fault that finds no free frame evicts
 * one page.
 */
#ifndef OL_CLI_SIM_SETUP_H
#define OL_CLI_SIM_SETUP_H

#include "cli/large_pages.h"
#include "machine/ideal/ideal.h"
#include "machine/sim/world.h"
#include "trace/reader.h"

#define OL_SIM_TLB_DEFAULT "64:4" /* as the first-level data TLBs of AMD64 processors */

struct ol_sim_setup_options {
    const struct ol_sim_format *machine;
    uint32_t frames;               /* at most ol_sim_frames_max(machine) */
    const struct ol_tlb_spec *tlb; /* of each processor */
    const char *tlb_text;          /* as it was given */
    struct ol_large_pages large;
    const char *large_text; /* as given, NULL: not; for who parses it when the machine is known */
    uint32_t processors;
    struct ol_numa numa;
    const struct ol_policy_ops *policy;
    const char *policy_parameters;
    const char *policy_text; /* both as they were given, for messages */
};

struct ol_sim_setup {
    struct ol_world world;
    struct ol_sim *sim;       /* the world's */
    struct ol_system *system; /* the world's */
    struct ol_space *space;   /* active */
};

/* What --tlb was given. False after a message. */
bool ol_sim_parse_tlb(const char *text, struct ol_tlb_spec *out);

/* False after a message; what there is, ol_sim_tear_down releases. */
bool ol_sim_set_up(const struct ol_sim_setup_options *options, struct ol_sim_setup *setup);
void ol_sim_tear_down(struct ol_sim_setup *setup);

/* sim.c: makes all references of a trace, also on an ideal machine, if it is not NULL. Several processors take `slice`
 * references each, in turn, or, if it is 0, the references of threads. False after a message; a trace without any is an
 * error. */
bool ol_sim_replay(struct ol_trace *trace, struct ol_sim *sim, uint32_t slice, struct ol_ideal *ideal);

#endif
