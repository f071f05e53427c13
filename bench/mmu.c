/* SPDX-License-Identifier: MIT */
/*
 * What translation costs: references that TLBs serve, against a loop that only reads the trace from memory; a trace
 * with 99 % hits; and walks. For one small TLB, for those of a real processor with page-walk caches, and on two nodes.
 * Processor time, each line the best of several runs that take turns.
 * usage: mmu [REFERENCES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "machine/sim/drum.h"
#include "machine/sim/pmap.h"

enum { ROUNDS = 5, PAGES = 4096, FRAMES = PAGES, HOT_PAGES = 32, SLOTS = 1 << 16 };
enum { PAGE_SHIFT = 12, WALKS_PART = 8 /* of the references */ };

struct reference {
    ol_va va;
    uint32_t access;
};

struct bench {
    struct ol_sim *sim;
    struct ol_pager *drum;
    struct ol_system *system;
    struct ol_space *space;
    struct reference *trace;
    size_t count;
    uint64_t random;
    uint64_t sink; /* what the loops find, so that they are not left out */
};

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static uint64_t next_random(struct bench *bench)
{
    bench->random = bench->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return bench->random >> 33;
}

static void must(enum ol_status status, const char *what)
{
    if (status == OL_OK) return;
    fprintf(stderr, "mmu: %s: %s\n", what, ol_status_text(status));
    exit(1);
}

static const struct machine {
    const char *name, *tlb;
    uint32_t nodes;
} machines[] = {
    {"64:4", "64:4", 1},
    {"two levels", "l1d=64:4@4K,l1d=32:4@2M+4M,l1d=4:4@1G,l1i=128:8,l2=1536:12@4K+2M+4M,walk1=32:4,walk2=4", 1},
    {"64:4, nodes", "64:4", 2},
};

static void set_up(struct bench *bench, const struct machine *machine)
{
    struct ol_sim_options options = {.frames = FRAMES, .numa = {.nodes = machine->nodes}};
    struct ol_zone zones[OL_ZONES_MAX];
    char message[512];
    if (!ol_tlb_spec_parse(machine->tlb, &options.tlb, message, sizeof message)) must(OL_E_INVALID, message);
    must(ol_sim_create(&options, &bench->sim), "machine");
    must(ol_drum_create(SLOTS, 1 << PAGE_SHIFT, &bench->drum), "drum");
    const struct ol_port port = ol_sim_port(bench->sim);
    struct ol_config config = {.port = &port,
                               .pmap = &ol_sim_pmap_ops,
                               .machine = bench->sim,
                               .machine_is = &ol_sim_amd64.is,
                               .pager = bench->drum,
                               .policy = &ol_policy_fifo,
                               .frames = FRAMES,
                               .frames_max = FRAMES};
    ol_sim_zones(bench->sim, &config, zones);
    must(ol_system_create(&config, &bench->system), "system");
    must(ol_space_create(bench->system, 0, ol_sim_amd64.is.last_va, &bench->space), "space");
    must(ol_region_map(bench->space, 0, PAGES, OL_READ | OL_WRITE, OL_MAP_FIXED, NULL), "region");
    ol_sim_activate(bench->sim, bench->space);
    for (uint64_t page = 0; page < PAGES; page++)
        must(ol_sim_reference(bench->sim, page << PAGE_SHIFT, OL_WRITE), "touch");
}

static void tear_down(struct bench *bench)
{
    ol_system_destroy(bench->system);
    bench->drum->ops->close(bench->drum);
    ol_sim_destroy(bench->sim);
}

/* References to hot pages, which the TLB holds; one in `misses` goes anywhere (0: none). */
static void make_trace(struct bench *bench, unsigned misses)
{
    for (size_t i = 0; i < bench->count; i++) {
        const bool far = misses != 0 && next_random(bench) % misses == 0;
        const uint64_t page = next_random(bench) % (far ? PAGES : HOT_PAGES);
        bench->trace[i].va = page << PAGE_SHIFT | (next_random(bench) & 0xff8);
        bench->trace[i].access = next_random(bench) % 4 == 0 ? OL_WRITE : OL_READ;
    }
}

/* --- what is measured -------------------------------------------------------------------------------------------- */

static void read_trace(struct bench *bench)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bench->count; i++) {
        sum += bench->trace[i].va ^ bench->trace[i].access;
        __asm__ volatile("" : "+r"(sum)); /* one reference at a time, as a simulator has to take them */
    }
    bench->sink += sum;
}

static void replay(struct bench *bench)
{
    enum ol_status status = OL_OK;
    for (size_t i = 0; i < bench->count && status == OL_OK; i++)
        status = ol_sim_reference(bench->sim, bench->trace[i].va, bench->trace[i].access);
    must(status, "reference");
}

static void walk(struct bench *bench)
{
    struct ol_walk result;
    for (size_t i = 0; i < bench->count / WALKS_PART; i++) {
        const ol_va va = (next_random(bench) % PAGES) << PAGE_SHIFT;
        ol_sim_amd64.walk(&bench->sim->memory.words, &bench->sim->processor->control, va, bench->trace[i].access,
                          &result);
        bench->sink += result.physical;
    }
}

static double seconds(struct bench *bench, void (*run)(struct bench *bench))
{
    const double start = now();
    run(bench);
    return now() - start;
}

static void keep_best(double *best, double took)
{
    if (*best == 0 || took < *best) *best = took;
}

static double hit_rate(struct bench *bench)
{
    struct ol_sim_counters before, after;
    ol_sim_get_counters(bench->sim, &before);
    replay(bench);
    ol_sim_get_counters(bench->sim, &after);
    return (double)(after.tlb_hits - before.tlb_hits) / (double)bench->count;
}

/* Prints reading and replaying of one trace. */
static void compare(struct bench *bench, const char *machine, const char *trace)
{
    double reading = 0, replaying = 0;
    const double rate = hit_rate(bench);
    for (int round = 0; round < ROUNDS; round++) {
        keep_best(&reading, seconds(bench, read_trace));
        keep_best(&replaying, seconds(bench, replay));
    }
    const double count = (double)bench->count;
    printf("%-12s %-6s %8.2f %% %12.1f %12.1f %10.2f\n", machine, trace, 100 * rate, count / reading / 1e6,
           count / replaying / 1e6, replaying / reading);
}

int main(int argc, char **argv)
{
    struct bench bench = {.count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000, .random = 1};
    bench.trace = malloc(bench.count * sizeof *bench.trace);
    if (!bench.trace || bench.count == 0) {
        fprintf(stderr, "usage: mmu [REFERENCES]\n");
        free(bench.trace);
        return 2;
    }
    printf("%zu references on amd64\n", bench.count);
    printf("%-12s %-6s %10s %12s %12s %10s\n", "TLB", "trace", "TLB hits", "read, M/s", "replay, M/s", "ratio");
    double walking = 0;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        set_up(&bench, &machines[i]);
        make_trace(&bench, 0);
        compare(&bench, machines[i].name, "hits");
        make_trace(&bench, 100);
        compare(&bench, machines[i].name, "99 %");
        for (int round = 0; round < ROUNDS; round++) keep_best(&walking, seconds(&bench, walk));
        tear_down(&bench);
    }
    printf("walks: %.1f M/s\n", (double)bench.count / WALKS_PART / walking / 1e6);
    free(bench.trace);
    return bench.sink == 1; /* never, but who knows */
}
