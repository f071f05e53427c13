/* SPDX-License-Identifier: MIT */
#include "cli/sim_account.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct figure {
    const char *key;   /* in JSON */
    const char *label; /* for people */
    uint64_t value;
};

enum { FIGURES_MAX = 48 };

struct figures {
    unsigned count;
    struct figure of[FIGURES_MAX];
};

static void add(struct figures *figures, const char *key, const char *label, uint64_t value)
{
    figures->of[figures->count++] = (struct figure){key, label, value};
}

static void add_tlb(struct figures *figures, const struct ol_sim *sim, const struct ol_sim_counters *counters)
{
    static const char *const keys[] = {"tlb_hits_level_1", "tlb_hits_level_2", "tlb_hits_level_3", "tlb_hits_level_4"};
    static const char *const labels[] = {"  in level 1", "  in level 2", "  in level 3", "  in level 4"};
    const struct ol_tlbs *const tlbs = &sim->processors[0].tlbs;
    add(figures, "tlb_hits", "TLB hits", counters->tlb_hits);
    for (unsigned level = 0; tlbs->levels > 1 && level < tlbs->levels; level++)
        add(figures, keys[level], labels[level], counters->hits_by[level]);
    add(figures, "tlb_misses", "TLB misses", counters->tlb_misses);
    add(figures, "table_references", "table references", counters->table_references);
    if (tlbs->walk_caches > 0)
        add(figures, "table_references_saved", "  saved by page-walk caches", counters->table_references_saved);
    add(figures, "table_updates", "table updates (Accessed, Dirty)", counters->table_updates);
    if (sim->processor_count == 1) return;
    add(figures, "tlb_invalidations", "TLB entries invalidated", counters->tlb_invalidations);
    add(figures, "shootdowns", "  by interrupts (shoot-downs)", counters->shootdowns);
}

/* What became of large pages, and of physical memory. */
static void add_large(struct figures *figures, const struct ol_sim_account *account,
                      const struct ol_sim_counters *machine, const struct ol_statistics *core)
{
    const struct ol_large_pages *const large = &account->options->large;
    struct ol_physical_info memory;
    (void)ol_system_physical(account->setup->system, &memory);
    add(figures, "table_frames", "frames of page tables, now", account->setup->sim->memory.tables);
    add(figures, "large_mapped", "large pages mapped", machine->large_entered);
    add(figures, "large_split", "  split", machine->large_splits);
    add(figures, "large_forgotten", "  forgotten, for want of a table", machine->large_forgotten);
    if (large->eager) add(figures, "pages_ahead", "pages brought in with others", core->prefetched);
    add(figures, "reservations", "blocks reserved for large pages", core->reservations);
    add(figures, "reservations_broken", "  and used for other pages", core->reservations_broken);
    add(figures, "frames_free", "free frames, now", memory.free);
    add(figures, "frames_reserved", "  reserved", memory.reserved);
    add(figures, "frames_unusable", "  in blocks below a large page",
        ol_physical_unusable(&memory, large->shift - account->options->machine->is.page_shift));
}

static void take_figures(const struct ol_sim_account *account, struct figures *figures)
{
    const struct ol_sim_setup *const setup = account->setup;
    struct ol_sim_counters machine;
    struct ol_statistics core;
    struct ol_ideal_counters ideal;
    ol_sim_get_counters(setup->sim, &machine);
    ol_system_statistics(setup->system, &core);
    figures->count = 0;
    add(figures, "frames", "frames", account->options->frames);
    add(figures, "references", "references", machine.references);
    if (account->options->large.eager) add(figures, "pages", "pages, touched or not", core.pages_peak);
    else add(figures, "distinct_pages", "distinct pages", core.pages_peak);
    add_tlb(figures, setup->sim, &machine);
    if (setup->sim->numa.nodes > 1) {
        add(figures, "local_references", "references to the own node", machine.local);
        add(figures, "remote_references", "references to other nodes", machine.remote);
    }
    add(figures, "table_frames_peak", "frames of page tables, at most", machine.tables_peak);
    add(figures, "faults", "faults", core.faults);
    add(figures, "faults_zero", "  by a page of zeros", core.faults_zero);
    add(figures, "faults_major", "  by a page read back", core.faults_major);
    ol_ideal_get_counters(account->ideal, &ideal);
    add(figures, "faults_ideal", "faults, were every reference seen", ideal.faults);
    add(figures, "evictions", "evictions", core.evictions);
    add(figures, "writebacks", "write-backs", core.writebacks);
    if (account->options->large.shift) add_large(figures, account, &machine, &core);
}

/* --- modelled time ----------------------------------------------------------------------------------------------- */

struct times {
    uint64_t ns[OL_COST_PARTS], total_ns;
};

static void take_times(const struct ol_sim_account *account, struct times *times)
{
    struct ol_statistics core;
    ol_system_statistics(account->setup->system, &core);
    ol_cost_model(account->cost, account->setup->sim, &core, times->ns);
    times->total_ns = 0;
    for (unsigned i = 0; i < OL_COST_PARTS; i++) times->total_ns += times->ns[i];
}

static void print_time(const struct ol_cost *cost, const char *name, uint64_t ns)
{
    printf("  %-30s %14llu %16llu\n", name, (unsigned long long)ns, (unsigned long long)ol_cost_cycles(cost, ns));
}

static void print_times(const struct ol_sim_account *account)
{
    struct times times;
    take_times(account, &times);
    printf("\n%-32s %14s %16s\n", "time, modelled", "ns", "cycles");
    for (unsigned i = 0; i < OL_COST_PARTS; i++) print_time(account->cost, ol_cost_part_names[i], times.ns[i]);
    print_time(account->cost, "all", times.total_ns);
}

static json_t *times_json(const struct ol_sim_account *account)
{
    struct times times;
    json_t *const object = json_object(), *const constants = json_object();
    take_times(account, &times);
    for (unsigned i = 0; i < OL_COST_CONSTANTS; i++)
        json_object_set_new(constants, ol_cost_constants[i].name, json_integer((json_int_t)account->cost->value[i]));
    for (unsigned i = 0; i < OL_COST_PARTS; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s_ns", ol_cost_part_names[i]);
        for (char *at = key; *at; at++) *at = (char)(*at == ' ' ? '_' : *at);
        json_object_set_new(object, key, json_integer((json_int_t)times.ns[i]));
    }
    json_object_set_new(object, "all_ns", json_integer((json_int_t)times.total_ns));
    json_object_set_new(object, "all_cycles", json_integer((json_int_t)ol_cost_cycles(account->cost, times.total_ns)));
    json_object_set_new(object, "constants", constants);
    return object;
}

/* --- the account ------------------------------------------------------------------------------------------------- */

/* Each processor's own part, if there are several. */
static json_t *processors_json(struct ol_sim *sim)
{
    json_t *const list = json_array();
    for (uint32_t i = 0; list && i < sim->processor_count; i++) {
        struct ol_sim_counters one;
        ol_sim_processor_counters(sim, i, &one);
        json_t *const object = json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "node", (json_int_t)sim->processors[i].node, "references",
            (json_int_t)one.references, "tlb_hits", (json_int_t)one.tlb_hits, "tlb_misses", (json_int_t)one.tlb_misses,
            "table_references", (json_int_t)one.table_references, "shootdowns", (json_int_t)one.shootdowns,
            "local_references", (json_int_t)one.local, "remote_references", (json_int_t)one.remote);
        if (json_array_append_new(list, object) != 0) return NULL;
    }
    return list;
}

static bool print_json(const struct ol_sim_account *account, const struct figures *figures)
{
    struct ol_sim *const sim = account->setup->sim;
    json_t *const object = json_pack("{s:s, s:s, s:s}", "machine", account->options->machine->is.name, "tlb",
                                     account->options->tlb_text, "policy", account->options->policy_text);
    bool good = object != NULL;
    for (size_t i = 0; good && i < figures->count; i++)
        good = json_object_set_new(object, figures->of[i].key, json_integer((json_int_t)figures->of[i].value)) == 0;
    if (good && sim->processor_count > 1) good = json_object_set_new(object, "processors", processors_json(sim)) == 0;
    if (good && account->cost) good = json_object_set_new(object, "modelled", times_json(account)) == 0;
    good = good && json_dumpf(object, stdout, JSON_INDENT(2)) == 0;
    json_decref(object);
    putchar('\n');
    return good;
}

static void print_processors(struct ol_sim *sim)
{
    printf("\n%-10s %14s %14s %14s %14s\n", "processor", "references", "TLB hits", "TLB misses", "shoot-downs");
    for (uint32_t i = 0; i < sim->processor_count; i++) {
        struct ol_sim_counters one;
        ol_sim_processor_counters(sim, i, &one);
        printf("%-10u %14llu %14llu %14llu %14llu\n", i, (unsigned long long)one.references,
               (unsigned long long)one.tlb_hits, (unsigned long long)one.tlb_misses,
               (unsigned long long)one.shootdowns);
    }
}

static void print_table(const struct ol_sim_account *account, const struct figures *figures)
{
    struct ol_sim *const sim = account->setup->sim;
    printf("machine %s, ", account->options->machine->is.name);
    if (sim->processor_count > 1) printf("%u processors, ", sim->processor_count);
    if (sim->processor->tlbs.levels == 0) printf("no TLB");
    else printf("TLB %s", account->options->tlb_text);
    printf(", policy %s\n", account->options->policy_text);
    for (size_t i = 0; i < figures->count; i++)
        printf("%-32s %14llu\n", figures->of[i].label, (unsigned long long)figures->of[i].value);
    if (sim->processor_count > 1) print_processors(sim);
    if (account->cost) print_times(account);
}

bool ol_print_sim_account(const struct ol_sim_account *account)
{
    struct figures figures;
    take_figures(account, &figures);
    bool good = true;
    if (account->json) good = print_json(account, &figures);
    else print_table(account, &figures);
    good = fflush(stdout) == 0 && good;
    if (!good) ol_error("the account cannot be written: %s", strerror(errno));
    return good;
}
