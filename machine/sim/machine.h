/* SPDX-License-Identifier: MIT */
/*
 * The simulated machine: physical memory, page tables in it, and processors with TLBs that make references.
 *
 *     system = ol_system_create({port, &ol_sim_pmap_ops, machine = sim, machine_is = &format->is, …})
 *
 * One processor makes references at a time, the selected one (ol_sim_select); each has a space that is active on it,
 * and TLBs of its own. Whoever changes tables invalidates what any processor may hold of them: at once, so that nothing
 * is left to sync. That each of the others must be interrupted for it (a shoot-down) is counted.
 *
 * Conditions that hold for all functions:
 * - References are made one at a time. ol_sim_access, ol_sim_read and ol_sim_write take the core's lock while they
 *   translate and move bytes, so any number of threads may call them, and ol_sim_select: each reference is made by the
 *   processor that is selected when it begins. The other functions are for one thread alone.
 * - Deterministic: the same references give the same counts, whatever the host.
 * - A page fault is given to the core with no lock held, and the reference is then tried again.
 * - The machine changes Accessed and Dirty bits as its format says; the pmap functions read them from there.
 */
#ifndef OL_SIM_MACHINE_H
#define OL_SIM_MACHINE_H

#include <onelevel/core.h>

#include "machine/sim/format.h"
#include "machine/sim/memory.h"
#include "machine/sim/numa.h"
#include "machine/sim/port.h"
#include "machine/sim/reverse.h"
#include "machine/sim/tlbs.h"

enum { OL_SIM_PROCESSORS_MAX = 64 };

struct ol_sim_options {
    const struct ol_sim_format *format; /* NULL: ol_sim_amd64 */
    uint32_t frames;                    /* frames for pages */
    uint32_t table_frames;  /* frames for page tables; 0: enough for a few mappings of every frame, or all there are */
    struct ol_tlb_spec tlb; /* of each processor; zeros: none */
    uint32_t processors;    /* 0: one */
    struct ol_numa numa;    /* zeros: all memory is near to all; else the system is told by ol_sim_zones */
};

/* Exact counts since creation, of one processor or of all. references = tlb_hits + tlb_misses. */
struct ol_sim_counters {
    uint64_t references;
    uint64_t tlb_hits;                   /* references that TLBs alone served */
    uint64_t hits_by[OL_TLB_LEVELS_MAX]; /* … each level of them; [0] is level 1 */
    uint64_t tlb_misses;                 /* references that walked, be it only to set a Dirty bit */
    uint64_t walks;                      /* a reference that faults walks once more after each fault */
    uint64_t table_references;           /* table words that walks read */
    uint64_t table_references_saved;     /* … that they found in page-walk caches instead */
    uint64_t table_updates;              /* table words in which walks set Accessed or Dirty */
    uint64_t page_faults;                /* walks that ended in one */
    uint64_t switches;                   /* times another space became active */
    uint64_t tlb_invalidations;          /* operations that took a page out of TLBs */
    uint64_t tlb_emptied;                /* … a whole space, because another one got its tag */
    uint64_t local, remote;   /* with nodes: references that succeeded to memory of the processor's own; of others */
    uint64_t shootdowns;      /* interrupts that another processor sent for that; of one: received */
    uint64_t large_entered;   /* large mappings made */
    uint64_t large_splits;    /* … and split, each by one size */
    uint64_t large_forgotten; /* … and lost, because there was no room for the table that a split takes */
    uint64_t tables_peak;     /* most frames that page tables took; of all alone */
};

struct ol_sim_processor {
    struct ol_tlbs tlbs;
    union ol_sim_control control;    /* its root is the active space's */
    struct ol_space *space;          /* active; NULL if none */
    uint64_t active;                 /* serial number of the active space's pmap; 0: none */
    uint64_t *by_node;               /* with nodes: references that succeeded, by the node of the frame; else NULL */
    uint32_t node;                   /* c: */
    uint64_t *tags;                  /* serial number of the pmap that each tag stands for; 0: none */
    struct ol_sim_counters counters; /* what neither the TLBs count nor the clock tells */
};

struct ol_sim {
    const struct ol_sim_format *format; /* c: */
    struct ol_sim_port port;
    struct ol_sim_memory memory;
    struct ol_sim_reverse reverse;
    struct ol_sim_processor *processor; /* the selected one */
    uint64_t selected_at;               /* the clock when it was selected */
    uint8_t page_shift;                 /* c: the format's, close to what each reference wants */
    uint8_t tag_bits;                   /* c: of the TLBs' tags */
    uint32_t processor_count;           /* c: */
    struct ol_sim_processor *processors;
    struct ol_numa numa;  /* c: */
    uint64_t interrupted; /* bit n: processor n is to be interrupted for what was invalidated last */
    uint64_t pmaps_made;
    struct ol_sim_tags {
        uint32_t *free;        /* those given back, `count` of them, with room for all that were ever taken */
        uint32_t count, fresh; /* from `fresh` on, none was ever taken */
    } tags;
};

extern const struct ol_pmap_ops ol_sim_pmap_ops;

/* The most frames for pages that the format can address with tables beside them. */
uint32_t ol_sim_frames_max(const struct ol_sim_format *format);

/* OL_OK; OL_E_INVALID: no frames or too many, too many processors, or TLBs that cannot be built so; OL_E_NO_META. */
enum ol_status ol_sim_create(const struct ol_sim_options *options, struct ol_sim **out);
/* The systems that use it are gone. */
void ol_sim_destroy(struct ol_sim *sim);

/* The port for systems on this machine. Time is the number of references made. */
struct ol_port ol_sim_port(struct ol_sim *sim);

/* Sets in a configuration what a system on this machine must know of its nodes, if there are several: zones, kept by
 * the caller until the system is created, and a smaller budget if pages are bound to one (0, and so refused, if that
 * one has none of the system's frames). frames and frames_max are set; the machine may have more. */
void ol_sim_zones(const struct ol_sim *sim, struct ol_config *config, struct ol_zone zones[OL_ZONES_MAX]);

/* Of all processors together; of one. */
void ol_sim_get_counters(struct ol_sim *sim, struct ol_sim_counters *out);
void ol_sim_processor_counters(struct ol_sim *sim, uint32_t processor, struct ol_sim_counters *out);

/* The processor that makes the references that follow: below processor_count; at first 0. */
void ol_sim_select(struct ol_sim *sim, uint32_t processor);

/* The space that ol_sim_reference refers to on the selected processor, as by loading CR3. */
void ol_sim_activate(struct ol_sim *sim, struct ol_space *space);

/* Makes one reference to the byte at va. OL_OK, or what ol_fault said; OL_E_NO_REGION for an address that the
 * machine does not have. */
enum ol_status ol_sim_access(struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access);

/* Moves bytes, one reference for each page; the range may cross pages. On failure the bytes before the failing page
 * have been moved. As ol_sim_access. */
enum ol_status ol_sim_read(struct ol_sim *sim, struct ol_space *space, ol_va va, void *to, size_t bytes);
enum ol_status ol_sim_write(struct ol_sim *sim, struct ol_space *space, ol_va va, const void *from, size_t bytes);

/* A reference that the look-aside does not serve, or any other. */
enum ol_status ol_sim_reference_slow(struct ol_sim *sim, ol_va va, unsigned access);

/* The number of references made. */
static inline uint64_t ol_sim_now(const struct ol_sim *sim)
{
    return atomic_load_explicit(&sim->port.clock, memory_order_relaxed);
}

/* Counts `count` references alike if they all hit in the look-aside; the slot, or NULL: nothing was counted. */
static inline const struct ol_tlb_slot *ol_sim_hits(struct ol_sim *sim, ol_va va, unsigned access, uint32_t count)
{
    const struct ol_sim_processor *const processor = sim->processor;
    const uint64_t now = ol_sim_now(sim) + count;
    const struct ol_tlb_slot *const slot = ol_tlbs_hit(&processor->tlbs, va >> sim->page_shift, access, now);
    if (!slot) return NULL;
    atomic_store_explicit(&sim->port.clock, now, memory_order_relaxed);
    if (processor->by_node) processor->by_node[slot->node] += count;
    return slot;
}

/* As ol_sim_access, in the active space of the selected processor, for a machine that one thread alone uses. */
static inline enum ol_status ol_sim_reference(struct ol_sim *sim, ol_va va, unsigned access)
{
    return ol_sim_hits(sim, va, access, 1) ? OL_OK : ol_sim_reference_slow(sim, va, access);
}

/* `count` references alike, one directly after the other: what the first leaves in level 1 serves the others. If one
 * fails, those after it are not made. */
static inline enum ol_status ol_sim_references(struct ol_sim *sim, ol_va va, unsigned access, uint32_t count)
{
    while (count > 0 && !ol_sim_hits(sim, va, access, count)) {
        const enum ol_status status = ol_sim_reference_slow(sim, va, access);
        if (status != OL_OK) return status;
        count--;
    }
    return OL_OK;
}

#endif
