/* SPDX-License-Identifier: MIT */
/*
 * What the parts of `onelevel advise` share: what is asked (struct ol_advise), and the answer (struct ol_advice), found
 * by advise_find.c and printed by advise_print.c.
 */
#ifndef OL_CLI_ADVISE_H
#define OL_CLI_ADVISE_H

#include <stdio.h>

#include "analysis/advice.h"
#include "cli/histogram.h"
#include "cli/ideal_replay.h"
#include "cli/sweep.h"
#include "machine/sim/cost.h"

enum { OL_ADVISE_SHIFT = 12, OL_ADVISE_LARGE_SHIFT = 21, OL_ADVISE_POLICIES_MAX = 64 };

struct ol_advise {
    const char *trace;
    enum ol_trace_format format;
    const char *name;              /* of what the advice is about */
    char **program;                /* NULL: a trace was given */
    const char *keep;              /* where the recording stays; NULL: nowhere */
    const char *output;            /* NULL: standard output; with a program, standard error */
    const char *policy, *policies; /* to compare: one with others; as given */
    struct ol_sweep *sweep;        /* that compares them: the first is `policy` */
    uint64_t ram_bytes;            /* where policies are compared; 0: where the program begins to thrash */
    double slack, thrash;          /* factors of time */
    uint64_t reference_ps;
    struct ol_cost cost;
    struct ol_tlb_spec tlb;
    const char *tlb_text;
    unsigned jobs;
    bool json, quiet, help;
};

/* Page-table walks with one page size, as a fully associative TLB of so many entries has them. */
struct ol_advice_walks {
    uint64_t entries;
    uint64_t walks, walks_half, walks_double; /* … of half and of twice as many */
    uint64_t pages;
};

struct ol_advice_policy {
    const char *name;
    uint64_t faults;
    struct ol_advice_range saved; /* part of the time, over the policy of struct ol_advise */
};

struct ol_advice {
    struct ol_histogram histogram; /* pages of 4 KiB */
    struct ol_advice_trace trace;
    struct ol_advice_costs costs;
    struct ol_advice_range needs, thrashes; /* pages */

    bool has_large; /* the trace has addresses */
    struct ol_advice_walks small, large;
    struct ol_advice_range walks_saved; /* part of the walks */
    double walks_saved_time;            /* part of the time with all memory */
    uint64_t large_waste_bytes;

    uint32_t compared_at;                                     /* pages; 0: policies were not compared */
    uint64_t policy_faults;                                   /* of the one that others are compared with */
    struct ol_advice_policy policies[OL_ADVISE_POLICIES_MAX]; /* the fewest faults first; without that one and OPT */
    unsigned policies_count;
    bool has_opt;
    struct ol_advice_policy opt;
};

/* Finds out. False after a message; either way the advice is to be released. */
bool ol_advice_find(const struct ol_advise *advise, struct ol_advice *advice);
void ol_advice_release(struct ol_advice *advice);

/* False after a message. */
bool ol_advice_print(const struct ol_advise *advise, const struct ol_advice *advice, FILE *out);

#endif
