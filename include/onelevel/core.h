/* SPDX-License-Identifier: MIT */
/*
 * The core of Onelevel, for those who embed it: a kernel, an emulator, a simulator, a process that pages itself.
 *
 * Conditions that hold for all functions:
 * - The core has no global state: systems live side by side. It is freestanding C11; it calls nothing but the port,
 *   the pmap, the pager and the policy it was given, and memcpy and memset.
 * - Every function but create and destroy may be called by any number of threads at once.
 *   None may be called from within a port, pmap, pager or policy function, except ol_frames_return.
 * - Addresses are bytes and page aligned unless said otherwise; sizes in pages are called `pages`.
 * - A failed function leaves everything as it was, unless its contract says otherwise.
 */
#ifndef ONELEVEL_CORE_H
#define ONELEVEL_CORE_H

#include "core/pager.h"
#include "core/pmap.h"
#include "core/policy.h"
#include "core/port.h"
#include "core/types.h"

struct ol_system; /* physical memory, its pager and policy, and the spaces that share them */
struct ol_space;  /* an address space */

enum { OL_ZONES_MAX = 16, OL_BLOCK_ORDERS = 19 /* blocks of 1 to 2^18 frames */ };

/* A part of physical memory. */
struct ol_zone {
    ol_frame_no first;
    uint32_t frames;
    uint32_t node; /* the processors that are near to it, by a number of the machine's; not OL_ANY_NODE */
};

struct ol_config {
    const struct ol_port *port;               /* copied */
    const struct ol_pmap_ops *pmap;           /* kept */
    void *machine;                            /* kept; first argument of the pmap functions */
    const struct ol_capabilities *machine_is; /* copied */
    struct ol_pager *pager;                   /* kept, not closed; NULL: no swap, reclaim finds nothing to do */
    const struct ol_policy_ops *policy;       /* kept */
    const char *policy_parameters;            /* read at creation only; may be NULL */
    uint32_t frames;                          /* the budget: how many frames may hold pages */
    uint32_t frames_max;                      /* frames numbered 0 .. frames_max-1 exist; >= frames. What is beyond the
                                                 budget is used only when nothing can be cleaned: never lose a page */
    /* Watermarks, in frames. Below `low` free ones, reclaim works until there are `high`, counting standby frames.
     * Both 0: exact replacement, one victim per fault; the form in which simulators count. */
    uint32_t low, high;
    uint32_t
        prefetch_max; /* most pages that a fault brings in ahead; below OL_IO_PAGES_MAX; 0: none, as simulators count */
    /* If one of these is given, frame numbers are places in physical memory: neighbours lie side by side, and which
     * frame a page gets matters. Else all frames are alike. */
    const struct ol_zone *zones; /* in order, without gaps, frames_max in all; read at creation only */
    uint32_t zone_count;         /* at most OL_ZONES_MAX; 0: one zone, if there are large pages */
    uint8_t large_shift;         /* the largest size of page to be used, one of the machine's; 0: no large pages */
};

/* Counts since creation, but for those marked "now". Exact. */
struct ol_statistics {
    uint64_t faults;                /* calls of ol_fault that were resolved */
    uint64_t faults_zero;           /* … by a page of zeros, first touch */
    uint64_t faults_major;          /* … by reading from the pager */
    uint64_t reads_kept;            /* … of which the pager keeps a copy (a file) */
    uint64_t reads_near;            /* of faults_major, about: with the frames that are lent they would not have been */
    uint64_t reads_near_kept;       /* … both */
    uint64_t faults_rescued;        /* … by a frame on its way out (standby or modified) */
    uint64_t faults_soft;           /* … by entering a mapping of a page in use: forgotten, or too few rights */
    uint64_t faults_copied;         /* … by copying a shared page (copy-on-write) */
    uint64_t faults_refused;        /* … not resolved: no region, no right, or an error */
    uint64_t prefetched;            /* pages brought in ahead of their first access: zeros or from the pager */
    uint64_t prefetched_read;       /* … from the pager */
    uint64_t prefetched_near_kept;  /* … which keeps a copy, and that had left within two budgets of evictions */
    uint64_t prefetch_samples;      /* pages brought in ahead of which is known whether they were used */
    uint64_t prefetch_samples_used; /* … and were */
    uint64_t evictions;             /* pages that lost their frame */
    uint64_t evictions_clean;       /* … without a write: a valid copy, or zeros, existed */
    uint64_t writebacks;            /* pages written to the pager */
    uint64_t read_errors;           /* pages that the pager could not read */
    uint64_t write_errors;          /* pages that the pager could not write (kept in memory) */
    uint64_t reclaims_direct;       /* reclaims by a fault that found no free frame */
    uint64_t reclaims_ahead;        /* reclaims started by the low watermark */
    uint64_t spared;                /* times a victim was found busy or wired and put back */
    uint64_t promotions;            /* times a large entry took the place of others */
    uint64_t reservations;          /* blocks of memory reserved for a large page */
    uint64_t reservations_broken;   /* … and broken, because other pages wanted the frames */
    uint32_t frames_budget;         /* now */
    uint32_t frames_in_use;         /* now: frames that hold pages, wired ones included */
    uint32_t frames_in_use_peak;    /* largest number there was */
    uint32_t frames_free;           /* now */
    uint32_t frames_warm;           /* now: free ones that still have memory */
    uint32_t frames_standby;        /* now */
    uint32_t frames_wired;          /* now */
    uint32_t frames_lent;           /* now: given to the pager as memory */
    uint32_t frames_lent_peak;      /* largest number there was */
    uint32_t frames_over_budget;    /* now: in use beyond the budget, because nothing could be cleaned */
    uint32_t frames_over_budget_peak; /* largest number there was */
    uint64_t pages;                   /* now: private pages that exist, resident or swapped */
    uint64_t pages_peak;              /* largest number there was */
    uint64_t pages_swapped;           /* now: pages whose only copy is at the pager */
    uint64_t metadata_bytes;          /* now: tables of the core that were ever used */
};

/* --- systems ------------------------------------------------------------------------------------------------- */

/* OL_OK; OL_E_INVALID (counts or zones that contradict each other, unknown policy parameter); OL_E_UNSUPPORTED (the
 * machine lacks what the policy needs, or pages of large_shift); OL_E_NO_META. */
enum ol_status ol_system_create(const struct ol_config *config, struct ol_system **out);

/* No thread may be inside any function of this system. Spaces that still exist are destroyed. The pager is not. */
void ol_system_destroy(struct ol_system *system);

void ol_system_statistics(struct ol_system *system, struct ol_statistics *out);

/* Changes the budget; frames over it are given back as they become free. The watermarks are at most half of it.
 * OL_E_INVALID: 0, or above frames_max. */
enum ol_status ol_system_set_budget(struct ol_system *system, uint32_t frames);

/* Brings free and standby frames to the high watermark, as a reclaimer working ahead would. */
void ol_system_reclaim(struct ol_system *system);

/* Takes `count` frames out of use as memory for something else. If pages are in them, the budget is exceeded until the
 * next reclaim makes up for it: what is lent to a compressed store comes back many times over when it is used. False if
 * hardly a frame would be left. The machine is told of free frames' memory by frame_discard. Returning takes no lock.
 */
bool ol_frames_lend(struct ol_system *system, uint32_t count);
void ol_frames_return(struct ol_system *system, uint32_t count);

/* Takes 2^order neighbouring frames at a multiple of their number, all below frame `limit` (OL_NO_FRAME: anywhere), for
 * something else than pages, such as a device's buffer, until ol_block_give. They count as in use; their contents are
 * undefined. Only zones that lie wholly below the limit are looked at.
 * OL_E_NO_FRAMES: no such block is free, and evicting pages did not make one. OL_E_INVALID: the order is too large.
 * OL_E_UNSUPPORTED if all frames are alike. */
enum ol_status ol_block_take(struct ol_system *system, unsigned order, ol_frame_no limit, ol_frame_no *first);
void ol_block_give(struct ol_system *system, ol_frame_no first, unsigned order);

/* Free physical memory, now. free = reserved + the sum of blocks[k] << k. */
struct ol_physical_info {
    uint32_t free;                    /* frames */
    uint32_t reserved;                /* … of which those that wait in reservations for large pages */
    uint32_t blocks[OL_BLOCK_ORDERS]; /* free blocks of 2^index frames that are in no larger free block */
};
/* False, and zeros, if all frames are alike. */
bool ol_system_physical(struct ol_system *system, struct ol_physical_info *out);
/* Unreserved free frames that are of no use to who wants 2^order at a time. Divided by all of them, this is the
 * unusable free space index (Gorman, Whitcroft: Measuring the Impact of the Linux Memory Manager, 2006). */
uint32_t ol_physical_unusable(const struct ol_physical_info *info, unsigned order);

/* Between prepare and done no other thread is inside the core: an environment in which a process can be copied
 * copies it here. `forked` is true in the copy, where no other thread exists any more and page protections used to
 * track modification are lost: every page in use counts as modified, every mapping as writable. */
void ol_system_fork_prepare(struct ol_system *system);
void ol_system_fork_done(struct ol_system *system, bool forked);

/* Walks every invariant of docs/invariants.md. NULL, or the text of the first one that does not hold. */
const char *ol_check(struct ol_system *system);

/* --- spaces and regions ------------------------------------------------------------------------------------- */

/* OL_E_INVALID if the range is outside what the machine can address, OL_E_NO_META. */
enum ol_status ol_space_create(struct ol_system *system, ol_va first_va, ol_va last_va, struct ol_space **out);
void ol_space_destroy(struct ol_space *space);

/* A copy of `parent` that shares all its pages until one of the two writes (copy-on-write). OL_E_NO_META;
 * OL_E_BUSY while pages of its own are wired: who wired them could not tell whose they are after a write;
 * OL_E_UNSUPPORTED on a machine that cannot protect pages from writing. */
enum ol_status ol_space_fork(struct ol_space *parent, struct ol_space **out);

/* The machine's translations of the space, for the machine's own use. */
struct ol_pmap *ol_space_pmap(struct ol_space *space);

enum ol_map_flags {
    OL_MAP_FIXED = 1,   /* exactly at `va`; OL_E_OVERLAP if anything is mapped there */
    OL_MAP_REPLACE = 2, /* with OL_MAP_FIXED: what is mapped there is unmapped first */
    OL_MAP_LARGE = 8,   /* the first touch brings in zeros for a whole large page, if there is memory for one and the
                           system has large pages; without this flag large entries are made when all their pages have
                           been touched */
    OL_MAP_SHARED = 4,  /* forks have the same pages, not copies; other spaces may, by ol_region_share. A copy of the
                           process (ol_system_fork_done) has copies */
};

/* A region of zeros. Without OL_MAP_FIXED, in the first gap that is large enough, at or above `va` if there is one
 * (0: anywhere). Stores the address in *out, which may be NULL.
 * OL_E_INVALID, OL_E_OVERLAP, OL_E_NO_ROOM, OL_E_NO_META; OL_E_UNSUPPORTED for rights without OL_WRITE on a machine
 * that cannot protect pages from writing. */
enum ol_status ol_region_map(struct ol_space *space, ol_va va, uint64_t pages, unsigned rights, unsigned flags,
                             ol_va *out);

/* The pages of a region that was mapped with OL_MAP_SHARED appear in `to`, too (another space of the same system, or
 * the same), at `to_va` and with rights of their own: what one writes, all read. The pages live as long as any region
 * has them. On a machine that cannot map a frame twice the mapping moves to whoever touches the page, even if it is
 * wired. `flags` without OL_MAP_SHARED, and *out, as ol_region_map. OL_E_NO_REGION: [va, va+pages) is not within one
 * region; OL_E_INVALID: that is a private one; and as ol_region_map. */
enum ol_status ol_region_share(struct ol_space *from, ol_va va, uint64_t pages, struct ol_space *to, ol_va to_va,
                               unsigned rights, unsigned flags, ol_va *out);

/* The pages and their contents are gone (shared ones: from this space; the contents with the last region that had the
 * object). Parts of the range without a region are passed over; regions are split.
 * OL_E_INVALID; OL_E_NO_META if a split or a node shared with a forked space needs metadata that is not to be had: then
 * some of the pages may be gone already. */
enum ol_status ol_region_unmap(struct ol_space *space, ol_va va, uint64_t pages);

/* Changes the rights. OL_E_NO_REGION (nothing changed) if a part of the range is not mapped; OL_E_NO_META;
 * OL_E_UNSUPPORTED as ol_region_map. */
enum ol_status ol_region_protect(struct ol_space *space, ol_va va, uint64_t pages, unsigned rights);

/* Moves pages [va, va+pages) with their contents, the rest of [to, to+to_pages) is zeros with the same rights;
 * to_pages >= pages. The range must be mapped throughout; the target must be free, or be the range itself (growing in
 * place). OL_E_NO_REGION, OL_E_OVERLAP, OL_E_NO_META. */
enum ol_status ol_region_move(struct ol_space *space, ol_va va, uint64_t pages, ol_va to, uint64_t to_pages);

/* The lowest gap of at least `pages` at or above `va`, else the lowest gap anywhere. OL_E_NO_ROOM. */
enum ol_status ol_region_find_gap(struct ol_space *space, ol_va va, uint64_t pages, ol_va *out);

/* Sizes of all regions together. */
uint64_t ol_space_mapped_pages(struct ol_space *space);

struct ol_region_info {
    ol_va va;
    uint64_t pages;
    unsigned rights;
};

/* The region that contains va, or the next above it. False if there is none. */
bool ol_region_next(struct ol_space *space, ol_va va, struct ol_region_info *out);

/* --- pages --------------------------------------------------------------------------------------------------- */

/* Resolves an access of kind `access` (OL_READ, OL_WRITE or OL_EXEC) to the byte at va, or says why it cannot be:
 * OL_E_NO_REGION, OL_E_RIGHTS: the program's fault. OL_E_IO: the page could not be read; it keeps its home, another
 * try may succeed. OL_E_NO_FRAMES, OL_E_NO_META. After OL_OK the access is to be repeated. */
enum ol_status ol_fault(struct ol_space *space, ol_va va, unsigned access);

/* For machines with exact references: the frame was referenced. Only for a policy that OL_NEEDS_EXACT. */
void ol_touch(struct ol_system *system, ol_frame_no frame);

/* Makes the pages resident and mapped for `access`, and keeps them so until ol_space_unwire, which is called once for
 * each wire with the same range. A page that is shared with a fork is
 * copied first. Wired for writing they count as modified: who writes them may be a device, which sets
 * no modified bit. As ol_fault; on failure nothing is wired. */
enum ol_status ol_space_wire(struct ol_space *space, ol_va va, uint64_t pages, unsigned access);
void ol_space_unwire(struct ol_space *space, ol_va va, uint64_t pages);

/* The contents become zeros, their frames and slots are free; the regions stay. Unmapped parts are passed over.
 * Wired pages too: discarding or unmapping them ends the wire. */
enum ol_status ol_space_discard(struct ol_space *space, ol_va va, uint64_t pages);

enum ol_residence { OL_ABSENT, OL_RESIDENT, OL_SWAPPED };

/* Where the page at va is; OL_ABSENT also if it was never touched or is not mapped. */
enum ol_residence ol_page_residence(struct ol_space *space, ol_va va);

/* The slot in which the page is at the pager; OL_NO_SLOT if it is not there now. */
ol_slot ol_page_slot(struct ol_space *space, ol_va va);

/* --- policies that come with Onelevel (policy/) -------------------------------------------------------------- */

extern const struct ol_policy_ops ol_policy_fifo, ol_policy_second_chance, ol_policy_clock, ol_policy_two_handed_clock,
    ol_policy_nru, ol_policy_aging, ol_policy_atlas, ol_policy_segmented_fifo, ol_policy_wsclock, ol_policy_sieve,
    ol_policy_s3_fifo, ol_policy_clock_pro, ol_policy_car, ol_policy_mglru, ol_policy_random, ol_policy_lru,
    ol_policy_mru, ol_policy_lfu, ol_policy_working_set, ol_policy_two_q, ol_policy_arc, ol_policy_lirs,
    ol_policy_w_tinylfu, ol_policy_opt, ol_policy_refault;

/* Can a machine with these capabilities give the policy what it needs? */
bool ol_policy_suits(const struct ol_policy_ops *policy, const struct ol_capabilities *machine);

/* All of them, ending with NULL. */
extern const struct ol_policy_ops *const ol_policies[];

/* The policy of that name (up to an optional ':' with parameters, which *parameters then points behind, else NULL).
 * NULL if there is none. */
const struct ol_policy_ops *ol_policy_find(const char *name, const char **parameters);

#endif
