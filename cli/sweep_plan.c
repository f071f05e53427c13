/* SPDX-License-Identifier: MIT */
/* onelevel sweep: from lists of machines, policies and sizes to rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onelevel/core.h>

#include "cli/cli.h"
#include "cli/sweep.h"
#include "machine/sim/machine.h"

enum { PAGE_SHIFT = 12 };

/* --- lists of numbers --------------------------------------------------------------------------------------------- */

static bool add_value(struct ol_sweep_list *list, uint64_t value)
{
    if (list->count == OL_SWEEP_LIST_MAX) return false;
    list->values[list->count++] = value;
    return true;
}

/* Doublings, or `steps` values in equal ratios. */
static bool add_range(struct ol_sweep_list *list, uint64_t first, uint64_t last, uint64_t steps)
{
    bool good = true;
    if (!steps) {
        for (uint64_t value = first; good && value < last; value *= 2) {
            good = add_value(list, value);
            if (value > UINT64_MAX / 2) break;
        }
        return good && add_value(list, last);
    }
    for (uint64_t i = 0; good && i + 1 < steps; i++)
        good = add_value(list, (uint64_t)llround((double)first *
                                                 pow((double)last / (double)first, (double)i / (double)(steps - 1))));
    return good && add_value(list, last);
}

/* One item of a list, which it may write into. */
static bool add_item(char *item, bool (*parse)(const char *text, uint64_t *value), struct ol_sweep_list *list)
{
    uint64_t first, last, steps = 0;
    char *const dots = strstr(item, ".."), *const slash = dots ? strchr(dots, '/') : NULL;
    if (!dots) return parse(item, &first) && first && add_value(list, first);
    if (slash) {
        char *end;
        *slash = '\0';
        steps = slash[1] >= '1' && slash[1] <= '9' ? strtoull(slash + 1, &end, 10) : 0;
        if (steps < 2 || steps > OL_SWEEP_LIST_MAX || *end) return false;
    }
    *dots = '\0';
    return parse(item, &first) && parse(dots + 2, &last) && first && first <= last &&
           add_range(list, first, last, steps);
}

static int compare_values(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

bool ol_sweep_parse_list(const char *option, const char *text, bool (*parse)(const char *text, uint64_t *value),
                         struct ol_sweep_list *list)
{
    char *const copy = strdup(text);
    bool good = copy != NULL;
    list->count = 0;
    for (char *rest = copy; good && rest;) {
        char *const item = strsep(&rest, ",");
        good = add_item(item, parse, list);
    }
    free(copy);
    if (!good) {
        ol_error("%s %s: expected values such as 100,200, doublings such as 1..64, or so many in equal ratios such as "
                 "100..5000/20; at most %d",
                 option, text, OL_SWEEP_LIST_MAX);
        return false;
    }
    qsort(list->values, list->count, sizeof(uint64_t), compare_values);
    unsigned kept = 1;
    for (unsigned i = 1; i < list->count; i++)
        if (list->values[i] != list->values[kept - 1]) list->values[kept++] = list->values[i];
    list->count = kept;
    return true;
}

/* --- lists of names ----------------------------------------------------------------------------------------------- */

static bool add_machine(struct ol_sweep *sweep, const struct ol_sim_format *machine)
{
    for (unsigned i = 0; i < sweep->machines_count; i++)
        if (sweep->machines[i] == machine) return true;
    if (sweep->machines_count == sizeof(sweep->machines) / sizeof(sweep->machines[0])) {
        ol_error("sweep: too many machines");
        return false;
    }
    sweep->machines[sweep->machines_count++] = machine;
    return true;
}

static bool add_machine_named(struct ol_sweep *sweep, const char *name)
{
    bool good = true;
    if (strcmp(name, "ideal") == 0) return add_machine(sweep, NULL);
    if (strcmp(name, "all") == 0) {
        good = add_machine(sweep, NULL);
        for (const struct ol_sim_format *const *machine = ol_sim_formats; good && *machine; machine++)
            good = add_machine(sweep, *machine);
        return good;
    }
    const struct ol_sim_format *const machine = ol_sim_format_find(name);
    if (machine) return add_machine(sweep, machine);
    ol_error("there is no machine '%s'; there are ideal, all, and those that `onelevel machines` lists", name);
    return false;
}

static bool add_policy(struct ol_sweep *sweep, const char *text)
{
    const unsigned count = sweep->policies_count;
    if (count == sizeof(sweep->policies) / sizeof(sweep->policies[0]) || strlen(text) >= OL_SWEEP_POLICY_BYTES) {
        ol_error("sweep: too many policies, or too long a name: %s", text);
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        if (strcmp(sweep->policies[i].text, text) == 0) return true;
    memcpy(sweep->policy_texts[count], text, strlen(text) + 1);
    if (!ol_policy_choose(sweep->policy_texts[count], &sweep->policies[count])) return false;
    sweep->policies_count++;
    return true;
}

static bool add_policy_named(struct ol_sweep *sweep, const char *name)
{
    bool good = true;
    if (strcmp(name, "all") != 0) return add_policy(sweep, name);
    for (const struct ol_policy_ops *const *policy = ol_policies; good && *policy; policy++)
        good = add_policy(sweep, (*policy)->name);
    return good;
}

/* The comma that ends a name: not one between its parameters, "name:key=value,key=value". */
static char *end_of_name(char *at)
{
    bool parameters = false;
    for (; *at; at++) {
        if (*at == ':') parameters = true;
        if (*at != ',') continue;
        const size_t next = strcspn(at + 1, "=:,");
        if (!parameters || at[1 + next] != '=') break;
    }
    return at;
}

static bool parse_names(const char *text, bool (*add)(struct ol_sweep *, const char *), struct ol_sweep *sweep)
{
    char *const copy = strdup(text);
    bool good = copy != NULL, more = true;
    for (char *at = copy, *end; good && more; at = end + 1) {
        end = end_of_name(at);
        more = *end == ',';
        *end = '\0';
        good = add(sweep, at);
    }
    free(copy);
    return good;
}

bool ol_sweep_parse_machines(const char *text, struct ol_sweep *sweep)
{
    return parse_names(text, add_machine_named, sweep);
}

bool ol_sweep_parse_policies(const char *text, struct ol_sweep *sweep)
{
    return parse_names(text, add_policy_named, sweep);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static const char *machine_name(const struct ol_sim_format *machine)
{
    return machine ? machine->is.name : "ideal";
}

/* False after a message. */
static bool add_row(struct ol_sweep *sweep, const struct ol_sweep_row *row)
{
    enum { STEP = 1024 };
    if (sweep->rows_count % STEP == 0) {
        struct ol_sweep_row *const grown = sweep->rows_count < OL_SWEEP_ROWS_MAX
                                               ? realloc(sweep->rows, (sweep->rows_count + STEP) * sizeof(*grown))
                                               : NULL;
        if (!grown) {
            ol_error("sweep: too many simulations for one sweep: more than %u", sweep->rows_count);
            return false;
        }
        sweep->rows = grown;
    }
    sweep->rows[sweep->rows_count++] = *row;
    return true;
}

/* The sizes of one machine, policy and page size. */
static bool add_sizes(struct ol_sweep *sweep, struct ol_sweep_row *row)
{
    const struct ol_sweep_list *const list = sweep->frames.count ? &sweep->frames : &sweep->ram_bytes;
    const uint32_t most = row->machine ? ol_sim_frames_max(row->machine) : OL_NUMBERING_PAGES_MAX;
    uint64_t before = 0;
    for (unsigned i = 0; i < list->count; i++) {
        const uint64_t frames = sweep->frames.count ? list->values[i] : list->values[i] >> row->page_shift;
        if (frames == 0 || frames > most) {
            ol_error("left out: machine %s, pages of %llu bytes, with %s%llu: it has 1 to %u frames",
                     machine_name(row->machine), 1ULL << row->page_shift,
                     sweep->frames.count ? "frames " : "memory of ", (unsigned long long)list->values[i], most);
            continue;
        }
        if (frames == before) continue; /* two sizes in bytes, the same number of pages */
        before = row->frames = (uint32_t)frames;
        if (!add_row(sweep, row)) return false;
    }
    return true;
}

/* The page sizes and sizes of one machine and policy. */
static bool add_page_sizes(struct ol_sweep *sweep, struct ol_sweep_row *row)
{
    bool good = true;
    row->page_shift = row->machine ? row->machine->is.page_shift : PAGE_SHIFT;
    if (!sweep->page_bytes.count) return add_sizes(sweep, row);
    for (unsigned i = 0; good && i < sweep->page_bytes.count; i++) {
        row->page_shift = (unsigned)__builtin_ctzll(sweep->page_bytes.values[i]);
        good = add_sizes(sweep, row);
    }
    return good;
}

bool ol_sweep_check_policies(const struct ol_sweep *sweep)
{
    for (unsigned i = 0; i < sweep->policies_count; i++) {
        struct ol_ideal *const ideal = ol_ideal_make(&sweep->policies[i], 64);
        if (!ideal) return false;
        ol_ideal_destroy(ideal);
    }
    return true;
}

/* The highest address of the trace, which decides what machines it fits; of a list of pages, as if they had PAGE_SHIFT.
 * False after a message. */
static bool find_highest(const struct ol_sweep *sweep, ol_va *highest, bool *addresses)
{
    static struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    const struct ol_trace_options reading = {.format = sweep->format, .page_shift = PAGE_SHIFT, .last_va = UINT64_MAX};
    struct ol_trace *trace;
    char message[512];
    size_t count;
    *highest = 0;
    if (ol_trace_open(sweep->trace, &reading, &trace, message, sizeof(message)) != OL_TRACE_OK) {
        ol_error("%s", message);
        return false;
    }
    bool good;
    do {
        good = ol_trace_read(trace, references, OL_NUMBERING_BATCH_MAX, &count) == OL_TRACE_OK;
        for (size_t i = 0; i < count; i++)
            if (references[i].va > *highest) *highest = references[i].va;
    } while (good && count);
    if (!good) ol_error("%s", ol_trace_message(trace));
    *addresses = ol_trace_has_addresses(trace);
    ol_trace_close(trace);
    return good;
}

/* Does the machine have that address, or as many pages? */
static bool reaches(const struct ol_sim_format *machine, ol_va highest, bool addresses)
{
    if (addresses) return highest <= machine->is.last_va;
    return highest >> PAGE_SHIFT <= machine->is.last_va >> machine->is.page_shift;
}

/* Leaves out the machines whose addresses do not reach far enough for the trace. False after a message. */
static bool fit_machines(struct ol_sweep *sweep)
{
    ol_va highest = 0;
    unsigned kept = 0;
    bool any = false, addresses = true;
    for (unsigned m = 0; m < sweep->machines_count; m++) any = any || sweep->machines[m];
    if (any && !find_highest(sweep, &highest, &addresses)) return false;
    for (unsigned m = 0; m < sweep->machines_count; m++) {
        const struct ol_sim_format *const machine = sweep->machines[m];
        if (machine && sweep->page_bytes.count) {
            ol_error("sweep: --page-size is for machine ideal; %s has pages of its own", machine->is.name);
            return false;
        }
        if (machine && !reaches(machine, highest, addresses))
            ol_error("left out: machine %s, whose addresses end at %llx; the trace has %s%llx", machine->is.name,
                     (unsigned long long)machine->is.last_va, addresses ? "" : "page ",
                     (unsigned long long)(addresses ? highest : highest >> PAGE_SHIFT));
        else sweep->machines[kept++] = machine;
    }
    sweep->machines_count = kept;
    return true;
}

/* Says where a policy is left out: on all machines that are there and do not suit it. */
static void tell_unsuited(const struct ol_sweep *sweep, const struct ol_policy_choice *policy)
{
    char names[512] = "";
    size_t used = 0;
    for (unsigned m = 0; m < sweep->machines_count && used < sizeof(names); m++) {
        const struct ol_sim_format *const machine = sweep->machines[m];
        if (machine && !ol_policy_suits(policy->policy, &machine->is))
            used += (size_t)snprintf(names + used, sizeof(names) - used, " %s", machine->is.name);
    }
    if (used) ol_error("left out: policy %s on machines that do not show what it needs:%s", policy->text, names);
}

bool ol_sweep_plan(struct ol_sweep *sweep)
{
    bool good = ol_sweep_check_policies(sweep) && fit_machines(sweep);
    for (unsigned p = 0; good && p < sweep->policies_count; p++) tell_unsuited(sweep, &sweep->policies[p]);
    for (unsigned m = 0; good && m < sweep->machines_count; m++) {
        for (unsigned p = 0; good && p < sweep->policies_count; p++) {
            struct ol_sweep_row row = {.machine = sweep->machines[m], .policy = &sweep->policies[p]};
            for (unsigned i = 0; i < OL_SWEEP_FIGURES; i++) row.figures[i] = OL_SWEEP_NO_FIGURE;
            if (!row.machine || ol_policy_suits(row.policy->policy, &row.machine->is))
                good = add_page_sizes(sweep, &row);
        }
    }
    if (good && !sweep->rows_count) ol_error("sweep: there is nothing to simulate");
    return good && sweep->rows_count;
}
