/* SPDX-License-Identifier: MIT */
#include "machine/sim/cost.h"

#include <stdio.h>
#include <string.h>

/*
 * Sources of the defaults. "Measured": on Linux 6.18, in a guest on an AMD EPYC with a virtio disk, one at a time.
 * Where no source is named it is a round figure, to be set by those whom it matters to.
 *   tlb2        Haswell: T. Ohara's measurements, news.mynavi.jp, 2013-06-21
 *   table       tables mostly lie in the second cache: 12 cycles on Skylake (Intel, 248966, Optimization Reference
 *               Manual, table of cache parameters)
 *   shootdown   "can take microseconds": N. Amit, Optimizing the TLB Shootdown Algorithm with Page Access Tracking,
 *               USENIX ATC 2017
 *   fault       measured: the first touch of an anonymous page, 1,470 to 1,690 ns
 *   disk        measured: a random read of 4 KiB, 83 µs
 *   bandwidth   measured: reading in order, 1.35 GiB/s
 */
const struct ol_cost_constant_info ol_cost_constants[OL_COST_CONSTANTS] = {
    [OL_COST_CLOCK] = {"clock", "MHz", "of the processors", 3000, 1, 1000000},
    [OL_COST_TLB2] = {"tlb2", "cycles", "to look in level 2, after level 1, which takes none", 12, 0, 1000000},
    [OL_COST_TLB3] = {"tlb3", "cycles", "… in level 3, after level 2", 20, 0, 1000000},
    [OL_COST_TLB4] = {"tlb4", "cycles", "… in level 4, after level 3", 30, 0, 1000000},
    [OL_COST_TABLE] = {"table", "cycles", "for a table word of a walk", 12, 0, 1000000},
    [OL_COST_INVALIDATE] = {"invalidate", "cycles", "to take a page out of a processor's TLBs", 200, 0, 1000000},
    [OL_COST_SHOOTDOWN] = {"shootdown", "cycles", "to interrupt another processor for it", 3000, 0, 1000000},
    [OL_COST_SWITCH] = {"switch", "cycles", "to switch to another space", 1000, 0, 1000000},
    [OL_COST_MISSES] = {"misses", "in 1000", "references that miss the caches for data", 10, 0, 1000},
    [OL_COST_MEMORY] = {"memory", "ns", "for such a one to near memory; distance tells the rest", 80, 0, 1000000},
    [OL_COST_FAULT] = {"fault", "ns", "of the system's own work for a page fault", 1500, 0, 1000000000},
    [OL_COST_DISK] = {"disk", "ns", "until the disk begins to move a page", 80000, 0, 1000000000},
    [OL_COST_BANDWIDTH] = {"bandwidth", "MiB/s", "of the disk", 1380, 1, 1000000},
};

const char *const ol_cost_part_names[OL_COST_PARTS] = {
    [OL_COST_OF_TLBS] = "lower levels of TLBs",   [OL_COST_OF_WALKS] = "walks",
    [OL_COST_OF_INVALIDATIONS] = "invalidations", [OL_COST_OF_MEMORY] = "memory",
    [OL_COST_OF_FAULTS] = "page faults",          [OL_COST_OF_READS] = "reads of pages",
    [OL_COST_OF_WRITES] = "writes of pages",
};

/* --- text -------------------------------------------------------------------------------------------------------- */

/* NAME=VALUE at *at, which moves behind it. */
static bool take_constant(const char **at, struct ol_cost *cost)
{
    for (unsigned i = 0; i < OL_COST_CONSTANTS; i++) {
        const struct ol_cost_constant_info *const is = &ol_cost_constants[i];
        const size_t length = strlen(is->name);
        if (strncmp(*at, is->name, length) != 0 || (*at)[length] != '=') continue;
        const char *digit = *at + length + 1;
        uint64_t value = 0;
        for (; *digit >= '0' && *digit <= '9' && value <= is->most; digit++)
            value = value * 10 + (uint64_t)(*digit - '0');
        const bool good = digit != *at + length + 1 && value >= is->least && value <= is->most;
        cost->value[i] = value;
        *at = digit;
        return good;
    }
    return false;
}

bool ol_cost_parse(const char *text, struct ol_cost *out, char *message, size_t message_bytes)
{
    const char *at = text;
    for (unsigned i = 0; i < OL_COST_CONSTANTS; i++) out->value[i] = ol_cost_constants[i].value;
    if (strcmp(text, "default") == 0) return true;
    while (take_constant(&at, out)) {
        if (*at == '\0') return true;
        if (*at++ != ',') break;
    }
    int used = snprintf(message, message_bytes, "expected default, or NAME=NUMBER with commas between them:");
    for (unsigned i = 0; i < OL_COST_CONSTANTS && used > 0 && (size_t)used < message_bytes; i++)
        used += snprintf(message + used, message_bytes - (size_t)used, " %s (%llu to %llu)", ol_cost_constants[i].name,
                         (unsigned long long)ol_cost_constants[i].least, (unsigned long long)ol_cost_constants[i].most);
    return false;
}

/* --- the model --------------------------------------------------------------------------------------------------- */

uint64_t ol_cost_cycles(const struct ol_cost *cost, uint64_t ns)
{
    return ns / 1000 * cost->value[OL_COST_CLOCK] + ns % 1000 * cost->value[OL_COST_CLOCK] / 1000;
}

static uint64_t cycles_ns(const struct ol_cost *cost, uint64_t cycles)
{
    const uint64_t clock = cost->value[OL_COST_CLOCK];
    return cycles / clock * 1000 + cycles % clock * 1000 / clock;
}

/* A lookup that level n served went through all up to n, and one that none served through all. */
static uint64_t tlb_cycles(const struct ol_cost *cost, const struct ol_sim *sim, const struct ol_sim_counters *count)
{
    uint64_t cycles = 0, beyond = count->tlb_misses;
    for (unsigned level = sim->processors[0].tlbs.levels; level >= 2; level--) {
        beyond += count->hits_by[level - 1];
        cycles += beyond * cost->value[OL_COST_TLB2 + level - 2];
    }
    return cycles;
}

/* Of all processors: references to memory, each as many as its distance, 10 to near memory. */
static uint64_t weighted_references(const struct ol_sim *sim, const struct ol_sim_counters *count)
{
    uint64_t weighted = 0;
    if (sim->numa.nodes <= 1) return count->references * OL_NUMA_NEAR;
    for (uint32_t i = 0; i < sim->processor_count; i++)
        for (uint32_t node = 0; node < sim->numa.nodes; node++)
            weighted += sim->processors[i].by_node[node] * sim->numa.distance[sim->processors[i].node][node];
    return weighted;
}

/* To move a page to the disk or back. */
static uint64_t transfer_ns(const struct ol_cost *cost, const struct ol_sim *sim)
{
    const uint64_t bytes_per_s = cost->value[OL_COST_BANDWIDTH] << 20;
    return cost->value[OL_COST_DISK] + (1000000000ULL << sim->page_shift) / bytes_per_s;
}

void ol_cost_model(const struct ol_cost *cost, struct ol_sim *sim, const struct ol_statistics *core,
                   uint64_t ns[OL_COST_PARTS])
{
    const uint64_t *const value = cost->value;
    struct ol_sim_counters count;
    ol_sim_get_counters(sim, &count);
    ns[OL_COST_OF_TLBS] = cycles_ns(cost, tlb_cycles(cost, sim, &count));
    ns[OL_COST_OF_WALKS] = cycles_ns(cost, count.table_references * value[OL_COST_TABLE]);
    ns[OL_COST_OF_INVALIDATIONS] =
        cycles_ns(cost, count.tlb_invalidations * value[OL_COST_INVALIDATE] +
                            count.shootdowns * value[OL_COST_SHOOTDOWN] + count.switches * value[OL_COST_SWITCH]);
    ns[OL_COST_OF_MEMORY] =
        weighted_references(sim, &count) * value[OL_COST_MISSES] / 1000 * value[OL_COST_MEMORY] / OL_NUMA_NEAR;
    ns[OL_COST_OF_FAULTS] = core->faults * value[OL_COST_FAULT];
    ns[OL_COST_OF_READS] = core->faults_major * transfer_ns(cost, sim);
    ns[OL_COST_OF_WRITES] = core->writebacks * transfer_ns(cost, sim);
}
