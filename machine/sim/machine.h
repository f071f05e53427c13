/* SPDX-License-Identifier: MIT */
/*
 * The simulated machine: physical memory, page tables in it, a TLB, and a processor that makes references.
 *
 *     system = ol_system_create({port, &ol_sim_pmap_ops, machine = sim, machine_is = &format->is, …})
 *
 * Conditions that hold for all functions:
 * - References are made one at a time. ol_sim_access, ol_sim_read and ol_sim_write take the core's lock while they
 *   translate and move bytes, so any number of threads may call them; ol_sim_reference is for one thread alone.
 * - Deterministic: the same references give the same counts, whatever the host.
 * - A page fault is given to the core with no lock held, and the reference is then tried again.
 * - The machine changes Accessed and Dirty bits as its format says; the pmap functions read them from there.
 */
#ifndef OL_SIM_MACHINE_H
#define OL_SIM_MACHINE_H

#include <onelevel/core.h>

#include "machine/sim/format.h"
#include "machine/sim/memory.h"
#include "machine/sim/port.h"
#include "machine/sim/reverse.h"
#include "machine/sim/tlb.h"

struct ol_sim_options {
    const struct ol_sim_format *format; /* NULL: ol_sim_amd64 */
    uint32_t frames;                    /* frames for pages */
    uint32_t table_frames; /* frames for page tables; 0: enough for a few mappings of every frame, or all there are */
    uint32_t tlb_entries;  /* 0: no TLB */
    uint32_t tlb_ways;     /* entries / ways is a power of two */
};

/* Exact counts since creation. references = tlb_hits + tlb_misses. */
struct ol_sim_counters {
    uint64_t references;
    uint64_t tlb_hits;         /* references that the TLB alone served */
    uint64_t tlb_misses;       /* references that walked, be it only to set a Dirty bit */
    uint64_t walks;            /* a reference that faults walks once more after each fault */
    uint64_t table_references; /* table words that walks read */
    uint64_t table_updates;    /* table words in which walks set Accessed or Dirty */
    uint64_t page_faults;      /* walks that ended in one */
    uint32_t tables_peak;      /* most frames that page tables took */
};

struct ol_sim {
    const struct ol_sim_format *format; /* c: */
    struct ol_sim_port port;
    struct ol_sim_memory memory;
    struct ol_sim_reverse reverse;
    struct ol_tlb tlb;
    union ol_sim_control control; /* of the processor; its root is the active space's */
    struct ol_sim_tags {
        uint32_t *free;        /* those given back, `count` of them, with room for all that were ever taken */
        uint32_t count, fresh; /* from `fresh` on, none was ever taken */
    } tags;
    ol_va last_va;                   /* c: the format's, */
    uint8_t page_shift;              /* c: … and this, close to what each reference wants */
    struct ol_space *space;          /* active; NULL if none */
    uint64_t space_key;              /* of the active space, for the TLB */
    struct ol_sim_counters counters; /* but for references, tlb_hits and tables_peak, which are kept elsewhere */
};

extern const struct ol_pmap_ops ol_sim_pmap_ops;

/* The most frames for pages that the format can address with tables beside them. */
uint32_t ol_sim_frames_max(const struct ol_sim_format *format);

/* OL_OK; OL_E_INVALID: no frames or too many, or a TLB that cannot be built so; OL_E_NO_META. */
enum ol_status ol_sim_create(const struct ol_sim_options *options, struct ol_sim **out);
/* The systems that use it are gone. */
void ol_sim_destroy(struct ol_sim *sim);

/* The port for systems on this machine. Time is the number of references made. */
struct ol_port ol_sim_port(struct ol_sim *sim);

void ol_sim_get_counters(const struct ol_sim *sim, struct ol_sim_counters *out);

/* The space that ol_sim_reference refers to, as by loading CR3. */
void ol_sim_activate(struct ol_sim *sim, struct ol_space *space);

/* Makes one reference to the byte at va. OL_OK, or what ol_fault said; OL_E_NO_REGION for an address that the
 * machine does not have. */
enum ol_status ol_sim_access(struct ol_sim *sim, struct ol_space *space, ol_va va, unsigned access);

/* Moves bytes, one reference for each page; the range may cross pages. On failure the bytes before the failing page
 * have been moved. As ol_sim_access. */
enum ol_status ol_sim_read(struct ol_sim *sim, struct ol_space *space, ol_va va, void *to, size_t bytes);
enum ol_status ol_sim_write(struct ol_sim *sim, struct ol_space *space, ol_va va, const void *from, size_t bytes);

/* The part of ol_sim_reference that the TLB did not serve. */
enum ol_status ol_sim_reference_slow(struct ol_sim *sim, ol_va va, unsigned access);

/* The number of references made. */
static inline uint64_t ol_sim_now(const struct ol_sim *sim)
{
    return atomic_load_explicit(&sim->port.clock, memory_order_relaxed);
}

/* Counts a reference; true if the TLB serves it, with the frame. */
static inline bool ol_sim_hit(struct ol_sim *sim, ol_va va, unsigned access, ol_frame_no *frame)
{
    const uint64_t now = ol_sim_now(sim) + 1;
    atomic_store_explicit(&sim->port.clock, now, memory_order_relaxed);
    if (va <= sim->last_va) {
        const uint64_t page = va >> sim->page_shift;
        const struct ol_tlb_entry *const entry = ol_tlb_lookup(&sim->tlb, sim->space_key | page, now);
        if (entry && (entry->rights & access)) {
            *frame = entry->frame;
            return true;
        }
    }
    sim->counters.tlb_misses++;
    return false;
}

/* As ol_sim_access, in the active space, for a machine that one thread alone uses. */
static inline enum ol_status ol_sim_reference(struct ol_sim *sim, ol_va va, unsigned access)
{
    ol_frame_no frame;
    if (ol_sim_hit(sim, va, access, &frame)) return OL_OK;
    return ol_sim_reference_slow(sim, va, access);
}

#endif
