/* SPDX-License-Identifier: MIT */
/*
 * What the parts of `onelevel sweep` share: the plan, which is all simulations in the order in which they are printed,
 * a row each; the results file; and the printing.
 */
#ifndef OL_CLI_SWEEP_H
#define OL_CLI_SWEEP_H

#include "cli/ideal_replay.h"
#include "cli/table.h"
#include "machine/sim/format.h"
#include "machine/sim/tlb_spec.h"

enum { OL_SWEEP_LIST_MAX = 1024, OL_SWEEP_ROWS_MAX = 1 << 20, OL_SWEEP_POLICY_BYTES = 96 };

/* What is counted. Which of them a row has depends on the machine and on the plan. */
enum ol_sweep_figure {
    OL_SWEEP_REFERENCES,
    OL_SWEEP_PAGES,
    OL_SWEEP_FAULTS,
    OL_SWEEP_EVICTIONS,
    OL_SWEEP_WRITEBACKS,
    OL_SWEEP_TLB_MISSES,
    OL_SWEEP_TABLE_REFERENCES,
    OL_SWEEP_TABLE_FRAMES,
    OL_SWEEP_WASTE, /* these two with --page-size only */
    OL_SWEEP_TABLE_BYTES,
    OL_SWEEP_FIGURES
};
#define OL_SWEEP_NO_FIGURE UINT64_MAX

/* Their names in files and in what is printed. */
extern const char *const ol_sweep_figures[OL_SWEEP_FIGURES];

struct ol_sweep_row {
    const struct ol_sim_format *machine; /* NULL: ideal */
    const struct ol_policy_choice *policy;
    unsigned page_shift;
    uint32_t frames;
    bool done;
    uint64_t figures[OL_SWEEP_FIGURES];
};

struct ol_sweep_list {
    uint64_t values[OL_SWEEP_LIST_MAX]; /* ascending */
    unsigned count;
};

struct ol_sweep {
    const char *trace, *results; /* results: NULL: no file */
    enum ol_trace_format format;
    const struct ol_sim_format *machines[32];
    unsigned machines_count;
    struct ol_policy_choice policies[64];
    char policy_texts[64][OL_SWEEP_POLICY_BYTES];
    unsigned policies_count;
    struct ol_sweep_list frames, ram_bytes, page_bytes; /* one of the first two */
    struct ol_tlb_spec tlb;
    const char *tlb_text;   /* as given */
    unsigned shard, shards; /* 1 .. shards */
    unsigned jobs;
    enum ol_table_form form;
    bool quiet, help;

    struct ol_sweep_row *rows;
    uint32_t rows_count;
};

/* --- sweep_plan.c ------------------------------------------------------------------------------------------------- */

/* "A,B,C..D,E..F/N": values, doublings from C to D, and N values from E to F in equal ratios; parse takes one value.
 * Sorted, equal ones once. False after a message, which names the option. */
bool ol_sweep_parse_list(const char *option, const char *text, bool (*parse)(const char *text, uint64_t *value),
                         struct ol_sweep_list *list);

/* "NAME,NAME:key=value,key=value,...": machines, policies; "all" is all. Added to those there are. False after a
 * message. */
bool ol_sweep_parse_machines(const char *text, struct ol_sweep *sweep);
bool ol_sweep_parse_policies(const char *text, struct ol_sweep *sweep);

/* Are the parameters of all policies such as they take? False after a message. */
bool ol_sweep_check_policies(const struct ol_sweep *sweep);

/* Makes the rows. Those that cannot be (a policy that wants what the machine does not have, too few or too many frames)
 * are left out, with a message. False after a message if nothing is left, or options do not fit together. */
bool ol_sweep_plan(struct ol_sweep *sweep);

/* Does the row belong to this shard? */
static inline bool ol_sweep_is_ours(const struct ol_sweep *sweep, uint32_t row)
{
    return row % sweep->shards == sweep->shard - 1;
}

/* --- sweep_run.c -------------------------------------------------------------------------------------------------- */

/* Simulates the rows of this shard that are not done, on all processors; `keep` is told of each. False after a message.
 */
bool ol_sweep_run(struct ol_sweep *sweep, bool (*keep)(void *context, uint32_t row), void *context);

/* --- sweep_print.c ------------------------------------------------------------------------------------------------ */

struct json_t;

/* A row as an object of the results file, and back into the row of the plan. NULL without memory; false if it is not
 * that row's. */
struct json_t *ol_sweep_row_json(const struct ol_sweep *sweep, uint32_t row);
bool ol_sweep_row_take(struct ol_sweep *sweep, uint32_t row, const struct json_t *object);

/* Prints rows of a results file, in order; NULL ones are not there. False after a message. */
bool ol_sweep_print(enum ol_table_form form, const struct json_t *header, struct json_t *const *rows, uint32_t count);

/* --- sweep_merge.c ------------------------------------------------------------------------------------------------ */

/* `onelevel sweep merge`; argv[0] is "merge". Returns the exit status. */
int ol_sweep_merge(int argc, char **argv);

#endif
