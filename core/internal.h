/* SPDX-License-Identifier: MIT */
/*
 * The core's own view of itself: the data that the files of core/ share, and who may change what.
 *
 * Lock letters: c: constant after creation; s: the system's lock (port->lock); a: atomic.
 * Functions whose name ends in _locked want the lock held; of the rest of this header all do, unless said otherwise.
 */
#ifndef OL_CORE_INTERNAL_H
#define OL_CORE_INTERNAL_H

#include <stdatomic.h>

#include "core/mem.h"
#include "core/pool.h"
#include "onelevel/core.h"

/* --- frames (frame.c) -----------------------------------------------------------------------------------------

                 obtain                enter                 deactivate
        FREE ------------> BUSY ---------------> ACTIVE ---------------> STANDBY (clean) --steal--> FREE
          ^                 ^ |                   ^  |  \                   ^    |
          |                 | | read failed       |  |   `--> MODIFIED -----'    |      rescue: STANDBY, MODIFIED
          '-----------------|-'                   |  |           |  ^  written   |                 -> ACTIVE
                            |                     |  |           v  | failed     |
                            |                     |  '-- (freed) CLEANING -------'
                            '-- steal              '------------- rescue

   What may be trusted:  FREE      nothing
                         BUSY      the frame belongs to one thread (reading a page in, or about to use it)
                         ACTIVE    contents valid; may be mapped; known to the policy unless wired
                         MODIFIED  contents valid, unmapped, no valid copy elsewhere
                         CLEANING  contents valid and constant, unmapped, being written
                         STANDBY   contents valid, unmapped; a copy is in `slot`, or they are zeros (no slot)        */

enum ol_frame_state {
    OL_FRAME_FREE,
    OL_FRAME_BUSY,
    OL_FRAME_ACTIVE,
    OL_FRAME_MODIFIED,
    OL_FRAME_CLEANING,
    OL_FRAME_STANDBY,
    OL_FRAME_STATES
};

enum ol_frame_flags {
    OL_FRAME_DIRTY = 1,   /* contents differ from the copy in `slot`, as far as the core knows */
    OL_FRAME_MAPPED = 2,  /* some pmap may map it */
    OL_FRAME_COLD = 4,    /* free, and its memory was given back (frame_discard) */
    OL_FRAME_WRITTEN = 8, /* written to the pager since it was brought in */
    OL_FRAME_SAMPLE = 16, /* read ahead, active and left unmapped, to see whether it will be used */
};

struct ol_frame {
    uint32_t next, prev; /* s: the list of its state: FREE, MODIFIED, STANDBY */
    uint32_t anon;       /* s: the owner; OL_NIL while free or just obtained */
    ol_slot slot;        /* s: swap slot that belongs to this page while it is resident, or OL_NO_SLOT */
    uint32_t wires;      /* s: how many wires hold it */
    uint32_t page_low;   /* s: low 40 bits of the virtual page number where it was last entered: a hint, */
    uint8_t page_high;   /*    neighbours are written together */
    uint8_t state;       /* s: enum ol_frame_state */
    uint8_t flags;       /* s: enum ol_frame_flags */
    uint8_t block;       /* s: order + 1 of the free block that begins here; 0: none does. See buddy.c */
};
_Static_assert(sizeof(struct ol_frame) <= 28, "a frame's descriptor is at most 28 bytes");

static inline void ol_frame_set_page(struct ol_frame *frame, uint64_t page)
{
    frame->page_low = (uint32_t)page;
    frame->page_high = (uint8_t)(page >> 32);
}

static inline uint64_t ol_frame_page(const struct ol_frame *frame)
{
    return (uint64_t)frame->page_high << 32 | frame->page_low;
}

struct ol_frame_list {
    ol_frame_no head, tail; /* s: oldest, youngest */
    uint32_t count;         /* s: */
};

/* --- physical memory (buddy.c, physical.c), of systems in which it matters which frame a page gets
 * --------------------
 */

struct ol_physical_zone {
    ol_frame_no first;                           /* c: */
    uint32_t frames, node;                       /* c: */
    struct ol_frame_list block[OL_BLOCK_ORDERS]; /* s: free blocks of 2^index frames, by their first frame */
};

/* An aligned block of memory that is reserved for a stretch of pages, one as large as the other. */
struct ol_reservation {
    uint64_t page;           /* s: the first of the stretch */
    uint32_t space;          /* s: whose; OL_NIL: the block is not reserved */
    uint32_t chain;          /* s: the next block in its bucket */
    uint32_t older, younger; /* s: blocks used before and after it; only while frames of it are free */
    uint32_t cursor;         /* s: where to look for a free frame */
};

struct ol_large_size {
    struct ol_reservation *reservation; /* s: by block */
    uint32_t *used;                     /* s: by block: its frames that are not free */
    uint32_t *bucket;                   /* s: the chains' heads, blocks */
    uint32_t blocks, buckets;           /* c: buckets: a power of two */
    uint32_t oldest, youngest;          /* s: reserved blocks with free frames */
    uint8_t order;                      /* c: */
};

struct ol_physical {
    size_t bytes;                                  /* c: of metadata, tables included */
    struct ol_physical_zone zone[OL_ZONES_MAX];    /* in order, without gaps */
    struct ol_large_size size[OL_LARGE_SIZES_MAX]; /* ascending */
    uint32_t zones, sizes;                         /* c: */
};

/* --- anons, nodes, overlays (overlay.c) ------------------------------------------------------------------------ */

enum ol_anon_state {
    OL_ANON_ZERO,     /* contents are zeros and nowhere else */
    OL_ANON_RESIDENT, /* where: frame */
    OL_ANON_SWAPPED,  /* where: slot */
};

/* A page of private anonymous memory. */
struct ol_anon {
    uint32_t refs : 30; /* s: nodes that hold it; 0 only while its frame is BUSY or CLEANING (then freed after I/O) */
    uint32_t state : 2; /* s: enum ol_anon_state */
    uint32_t where;     /* s: */
};

/* What a node at height 0 has for a page: OL_NIL, an anon, or, with this bit set, a bare slot: that of a swapped page
 * which this node alone holds and which has no anon. Most swapped pages are so. An eviction makes a slot bare if it
 * finds the node; whoever wants the page to have an anon gives it one again. */
#define OL_BARE_SLOT 0x80000000U

static inline bool ol_is_bare(uint32_t child)
{
    return child & OL_BARE_SLOT;
}

enum { OL_NODE_SHIFT = 6, OL_NODE_SLOTS = 1 << OL_NODE_SHIFT, OL_NODE_MASK = OL_NODE_SLOTS - 1 };

/* A reference-counted node of an overlay's tree. At height 0 it is a chunk of 64 anons. Shared nodes (refs > 1, or
 * below a shared one) are never changed: who wants to change one copies it first. */
struct ol_node {
    uint32_t refs;                 /* s: nodes and overlays that hold it */
    uint32_t count;                /* s: children that are not OL_NIL */
    uint32_t child[OL_NODE_SLOTS]; /* s: nodes, or at height 0 anons and bare slots; OL_NIL: none */
};

/* A region's layer of anons. A private one: regions that were split from one share it, each for its own indices.
 * A shared one: regions of several spaces may have it, with the same indices; it is never copied. */
struct ol_overlay {
    uint32_t refs;   /* s: regions */
    uint32_t root;   /* s: node, or OL_NIL */
    uint32_t height; /* s: of the root; it spans 64^(height+1) pages */
    uint32_t twin;   /* s: only during ol_space_fork: the copy */
    bool shared;     /* s: constant while there is the overlay */
};

/* --- regions and spaces (region_tree.c, region.c, space.c) ------------------------------------------------------ */

struct ol_region {
    uint64_t first, last;         /* s: virtual page numbers, inclusive */
    uint64_t offset;              /* s: index of `first` in the overlay */
    uint64_t sub_first, sub_last; /* s: first and last page of the subtree */
    uint64_t sub_gap;             /* s: largest gap between neighbours inside the subtree, pages */
    uint32_t left, right;         /* s: regions */
    uint32_t overlay;             /* s: */
    uint8_t height;               /* s: of the subtree: 1 for a leaf */
    uint8_t rights;               /* s: */
    bool large;                   /* s: OL_MAP_LARGE */
};

/* Faults at a constant distance from each other (prefetch.c). */
struct ol_stream {
    uint64_t expected; /* s: where the next fault is expected; without a window: where the last one was */
    uint64_t used;     /* s: when, by the space's clock; 0: never */
    int32_t step;      /* s: pages between two faults; 0: not known yet */
    uint32_t window;   /* s: pages to bring in beyond one; 0: not confirmed yet */
};

enum { OL_STREAMS = 8 };

struct ol_space {
    struct ol_system *system;            /* c: */
    struct ol_pmap *pmap;                /* c: */
    uint64_t first, last;                /* c: virtual page numbers, inclusive */
    uint64_t mapped_pages;               /* s: sizes of all regions together */
    uint32_t root;                       /* s: region tree */
    uint32_t recent;                     /* s: the region of the last fault, or OL_NIL */
    uint32_t number;                     /* c: its own number in the pool */
    struct ol_space *next;               /* s: the system's other spaces */
    struct ol_space **previous;          /* s: who points here */
    uint64_t stream_clock;               /* s: */
    struct ol_stream stream[OL_STREAMS]; /* s: */
};

/* --- swap slots (swap.c) --------------------------------------------------------------------------------------- */

struct ol_swap {
    uint64_t *used;      /* s: one bit a slot, 64 slots a cluster */
    uint8_t *left;       /* s: by slot of a swapped page: when it lost its frame, see ol_eviction_clock */
    uint32_t capacity;   /* c: slots */
    uint32_t clusters;   /* c: capacity / 64, rounded up */
    uint32_t high_water; /* s: clusters below it were used at least once */
    uint32_t hint;       /* s: where the search begins */
    uint32_t count;      /* s: slots in use */
};

/* --- ghosts (ghost.c) ------------------------------------------------------------------------------------------------
 */

struct ol_ghosts {
    uint32_t *bucket;  /* s: the chains' heads: ghosts, or OL_NO_FRAME */
    uint32_t *next;    /* s: in the chain, or among the free; by ghost */
    uint32_t *anon;    /* s: the page; by ghost */
    uint32_t buckets;  /* c: a power of two */
    uint32_t capacity; /* c: 0 if the policy has no use for them */
    uint32_t fresh;    /* s: ghosts from here on were never used */
    uint32_t free;     /* s: the first free one below, or OL_NO_FRAME */
    uint32_t count;    /* s: */
};

/* --- the system -------------------------------------------------------------------------------------------------- */

struct ol_system {
    struct ol_port port;            /* c: */
    const struct ol_pmap_ops *pmap; /* c: */
    void *machine;                  /* c: */
    struct ol_capabilities is;      /* c: the machine */
    struct ol_pager *pager;         /* c: or NULL */
    struct ol_policy policy;        /* c: */

    struct ol_frame *frame;       /* c: frames_max descriptors */
    uint32_t frames_max;          /* c: */
    uint32_t frames_fresh;        /* s: frames from here on were never used: free and cold */
    struct ol_physical *physical; /* c: NULL: all frames are alike, and the free ones are on `free` and `cold` */
    uint32_t budget;              /* s: frames */
    uint32_t in_use;              /* s: frames not FREE */
    uint32_t lent;                /* s: frames lent away, those in `returned` included */
    atomic_uint returned;         /* a: returned and not yet taken off `lent` */
    uint32_t low, high;           /* s: watermarks, frames; a small budget has lower ones than were asked for: */
    uint32_t low_most, high_most; /* c: */
    uint32_t io_busy;             /* s: frames in a transfer */
    atomic_uint io_generation;    /* a: counts finished transfers; who finds a busy frame waits for the next one */
    uint32_t io_waiters;          /* s: who sleeps until io_generation changes */
    uint32_t stalled; /* s: nothing could be written: so many frames are taken over budget before it is tried again */
    bool warned_over_budget; /* s: */
    uint32_t prefetch_max;   /* c: most pages brought in ahead of a fault; 0: none */
    uint32_t prefetch_limit; /* s: … as far as it has proved useful */

    struct ol_frame_list free;     /* s: with memory; the youngest is used first */
    struct ol_frame_list cold;     /* s: free, memory given back */
    struct ol_frame_list modified; /* s: */
    struct ol_frame_list standby;  /* s: */

    struct ol_pool anons, nodes, overlays, regions, spaces; /* s: */
    uint32_t bare;                                          /* s: bare slots: pages that have no anon */
    uint32_t left_ago;            /* s: of the page that the policy is told of, else OL_NEVER_LEFT */
    bool keeps_anons;             /* c: the policy remembers pages by their anons: no slot is bare */
    struct ol_ghosts ghosts;      /* s: */
    struct ol_swap swap;          /* s: */
    struct ol_space *first_space; /* s: */
    struct ol_statistics count;   /* s: what is counted as it happens */
};

static inline struct ol_anon *ol_anon_at(const struct ol_system *system, uint32_t number)
{
    return ol_pool_at(&system->anons, number);
}

/* Of what a node at height 0 has for a page, if it has anything. */
static inline enum ol_anon_state ol_child_state(const struct ol_system *system, uint32_t child)
{
    return ol_is_bare(child) ? OL_ANON_SWAPPED : (enum ol_anon_state)ol_anon_at(system, child)->state;
}

static inline uint32_t ol_child_where(const struct ol_system *system, uint32_t child)
{
    return ol_is_bare(child) ? child & ~OL_BARE_SLOT : ol_anon_at(system, child)->where;
}

static inline struct ol_node *ol_node_at(const struct ol_system *system, uint32_t number)
{
    return ol_pool_at(&system->nodes, number);
}

static inline struct ol_overlay *ol_overlay_at(const struct ol_system *system, uint32_t number)
{
    return ol_pool_at(&system->overlays, number);
}

static inline struct ol_region *ol_region_at(const struct ol_system *system, uint32_t number)
{
    return ol_pool_at(&system->regions, number);
}

static inline void ol_lock(struct ol_system *system)
{
    system->port.lock(system->port.context);
}

static inline void ol_unlock(struct ol_system *system)
{
    system->port.unlock(system->port.context);
}

/* An invariant of docs/invariants.md, named by its number: cheap enough to be checked always. */
#define OL_ASSERT(system, condition, invariant)                                                                        \
    do {                                                                                                               \
        if (!(condition)) (system)->port.panic((system)->port.context, "broken invariant " invariant ": " #condition); \
    } while (0)

/* frame.c */
void ol_frame_list_init(struct ol_frame_list *list);
void ol_frame_list_push(struct ol_system *system, struct ol_frame_list *list, ol_frame_no number);
void ol_frame_list_remove(struct ol_system *system, struct ol_frame_list *list, ol_frame_no number);
/* Frames that may be used without going over the budget. */
uint32_t ol_frames_free(struct ol_system *system);
/* A free frame, now BUSY; OL_NO_FRAME if the budget is used up. */
ol_frame_no ol_frame_take(struct ol_system *system);
/* The same beyond the budget; OL_NO_FRAME if there is no frame at all. */
ol_frame_no ol_frame_take_over_budget(struct ol_system *system);
/* A FREE frame that is on no list becomes BUSY. */
void ol_frame_begin(struct ol_system *system, ol_frame_no number);
/* Any state but FREE and CLEANING, no owner, unmapped -> FREE. */
void ol_frame_release(struct ol_system *system, ol_frame_no number);
/* Gives back the memory of free frames that the budget no longer covers. */
void ol_frames_trim(struct ol_system *system);
/* A BUSY frame, or the one that suits the page best instead of it, becomes the anon's: which is returned, still BUSY.
 */
ol_frame_no ol_frame_bind(const struct ol_space *space, const struct ol_region *region, uint64_t page, uint32_t anon,
                          ol_frame_no frame);
/* A page that has no contents gets a BUSY frame of zeros, *frame or one that suits it better. *anon: its anon, or
 * OL_NIL and then a new one. OL_E_NO_META: the frame is still the caller's. */
enum ol_status ol_page_zeros(const struct ol_space *space, const struct ol_region *region, uint64_t page,
                             uint32_t *anon, ol_frame_no *frame);
/* BUSY, MODIFIED or STANDBY -> ACTIVE. So many evictions after the page left; OL_NEVER_LEFT. */
void ol_frame_activate(struct ol_system *system, ol_frame_no number, uint32_t left_ago);
/* The same for a victim that could not be cleaned: CLEANING -> ACTIVE. */
void ol_frame_spare(struct ol_system *system, ol_frame_no number);
/* After the first wire (the policy no longer knows the frame), or the last: counts, and tells the machine. */
void ol_frame_wired(struct ol_system *system, ol_frame_no number, bool wired);
/* ACTIVE -> neither list nor policy; the caller gives it a state at once. */
void ol_frame_withdraw(struct ol_system *system, ol_frame_no number);
/* Removes every mapping. OL_OK or OL_E_BUSY. */
enum ol_status ol_frame_unmap(struct ol_system *system, ol_frame_no number);
/* Is the contents' copy in the slot stale? Asks the machine, remembers the answer. */
bool ol_frame_is_dirty(struct ol_system *system, ol_frame_no number);
/* The policy's services. */
bool ol_frame_test_clear_referenced(void *system, ol_frame_no number);
bool ol_frame_test_modified(void *system, ol_frame_no number);
/* An ACTIVE frame that was named as victim belongs to the policy again. */
void ol_policy_spare(struct ol_system *system, ol_frame_no number);
/* Tells the policy what has changed since it was last asked: time, and how many frames there are for pages. */
void ol_policy_update(struct ol_system *system);

/* buddy.c; only if system->physical */
void ol_buddy_init(struct ol_system *system);
/* A block of 2^order frames at a multiple of its size, wholly below `limit`, from zones of that node if possible, then
 * from the others in their order; OL_NO_FRAME if there is none. */
ol_frame_no ol_buddy_take(struct ol_system *system, unsigned order, uint32_t node, ol_frame_no limit);
bool ol_buddy_has(const struct ol_physical *memory, unsigned order);
/* The frames are FREE and in no block. */
void ol_buddy_give(struct ol_system *system, ol_frame_no first, unsigned order);

/* physical.c */
/* Sets system->physical if the configuration asks for it. */
enum ol_status ol_physical_init(struct ol_system *system, const struct ol_config *config);
void ol_physical_destroy(struct ol_system *system);
/* Any FREE frame, now off the lists; OL_NO_FRAME. And back. */
ol_frame_no ol_physical_take(struct ol_system *system);
void ol_physical_give(struct ol_system *system, ol_frame_no number);
/* A BUSY frame is given back for the one that suits the page best, which is then BUSY. */
ol_frame_no ol_frame_place_locked(struct ol_system *system, const struct ol_space *space,
                                  const struct ol_region *region, uint64_t page, ol_frame_no number);
static inline ol_frame_no ol_frame_place(struct ol_system *system, const struct ol_space *space,
                                         const struct ol_region *region, uint64_t page, ol_frame_no number)
{
    return system->physical ? ol_frame_place_locked(system, space, region, page, number) : number;
}
/* The pages of the reserved block that the frame is in, and how many of its frames are in use; 1 and 1 without one. */
uint32_t ol_physical_reserved(const struct ol_physical *memory, ol_frame_no number, uint32_t *used);
/* Gives up the reservation used longest ago; false if none has free frames. */
bool ol_physical_break(struct ol_system *system);
/* A block of free frames, now BUSY; OL_NO_FRAME if no such block is free. */
ol_frame_no ol_physical_take_block(struct ol_system *system, unsigned order, ol_frame_no limit);

/* large.c; only if system->physical, where noted */
/* After a page was mapped: if it belongs to a stretch that one large entry can map, that is what maps it from now on.
 */
void ol_large_promote(const struct ol_space *space, const struct ol_region *region, uint64_t page, ol_frame_no number);
/* After a page of a region with OL_MAP_LARGE was filled with zeros: so are the untouched ones of its stretch, if a
 * block is reserved for it and nothing need be evicted. */
void ol_large_fill(struct ol_space *space, const struct ol_region *region, uint64_t page);

/* ghost.c; a ghost's number is that of the policy's entry, behind those of all frames */
enum ol_status ol_ghosts_init(struct ol_system *system, uint32_t capacity);
void ol_ghosts_destroy(struct ol_system *system);
/* The ghost of an anon (which may be OL_NIL), or OL_NO_FRAME. */
ol_frame_no ol_ghost_find(struct ol_system *system, uint32_t anon);
/* The anon ceases to exist: so does its ghost, if it has one. */
void ol_ghost_anon_gone(struct ol_system *system, uint32_t anon);
/* The policy's services. */
ol_frame_no ol_ghost_remember(void *system, ol_frame_no frame);
ol_frame_no ol_ghost_recall(void *system, ol_frame_no frame);
void ol_ghost_forget(void *system, ol_frame_no ghost);
uint32_t ol_page_of(void *system, ol_frame_no frame);

/* overlay.c */
uint32_t ol_overlay_new(struct ol_system *system);
/* A second overlay with the same pages; OL_NIL without metadata. */
uint32_t ol_overlay_copy(struct ol_system *system, uint32_t overlay);
void ol_overlay_unref(struct ol_system *system, uint32_t overlay);
/* The anon or bare slot at index, or OL_NIL. *shared: another overlay or anon holder sees it too, it must not be
 * written. */
uint32_t ol_overlay_lookup(const struct ol_system *system, uint32_t overlay, uint64_t index, bool *shared);
/* The anon or bare slot with the lowest index in [*index, last], which *index then is; OL_NIL if there is none. */
uint32_t ol_overlay_next(const struct ol_system *system, uint32_t overlay, uint64_t *index, uint64_t last);
/* The anon at index, which a bare slot gets now; OL_NIL without metadata. There is something at index. */
uint32_t ol_overlay_anon(struct ol_system *system, uint32_t overlay, uint64_t index);
/* If that anon is at index, and nowhere else, it ceases to exist: the slot is bare. False: it is not, nothing changed.
 */
bool ol_overlay_bare(struct ol_system *system, uint32_t overlay, uint64_t index, uint32_t anon, ol_slot slot);
/* Makes the way to index this overlay's own and returns its place for an anon; NULL without metadata. */
uint32_t *ol_overlay_place(struct ol_system *system, uint32_t overlay, uint64_t index);
/* After a place was filled for the first time. */
void ol_overlay_count(struct ol_system *system, uint32_t overlay, uint64_t index);
/* Frees the anons of [index, index + pages). OL_E_NO_META (some may be freed) only if shared nodes must be copied. */
enum ol_status ol_overlay_clear(struct ol_system *system, uint32_t overlay, uint64_t index, uint64_t pages);
uint32_t ol_anon_new(struct ol_system *system);
void ol_anon_unref(struct ol_system *system, uint32_t anon);
/* Frees an anon without references that no transfer holds, with its frame and slot. */
void ol_anon_free(struct ol_system *system, uint32_t anon);

/* region_tree.c: an AVL tree of regions that knows its largest gaps */
uint32_t ol_region_tree_insert(struct ol_system *system, uint32_t root, uint32_t region);
uint32_t ol_region_tree_remove(struct ol_system *system, uint32_t root, uint32_t region);
/* The region with the lowest `last` >= page, or OL_NIL. */
uint32_t ol_region_tree_at_or_above(const struct ol_system *system, uint32_t root, uint64_t page);
/* The lowest page >= at that begins a gap of `pages` pages in [first, last]; false if there is none. */
bool ol_region_tree_gap(const struct ol_system *system, const struct ol_space *space, uint64_t at, uint64_t pages,
                        uint64_t *out);
/* After first or last of a region changed without changing its order: repairs what the tree knows. */
void ol_region_tree_update(struct ol_system *system, uint32_t root, uint32_t region);

/* region.c */
/* ol_region_find_gap, in pages. */
enum ol_status ol_region_find_gap_locked(struct ol_space *space, ol_va va, uint64_t pages, uint64_t *page);
/* The region that contains page, or OL_NIL. */
uint32_t ol_region_find(const struct ol_space *space, uint64_t page);
/* The same for a page that is in use: the next will probably be in the same region. */
uint32_t ol_region_lookup(struct ol_space *space, uint64_t page);
void ol_region_destroy_all(struct ol_space *space);

/* swap.c */
enum ol_status ol_swap_init(struct ol_system *system);
void ol_swap_destroy(struct ol_system *system);
/* Of the clusters that were used at least once. */
uint64_t ol_swap_metadata_bytes(const struct ol_swap *swap);
/* Up to n slots, ascending, neighbours if possible; returns how many. */
uint32_t ol_swap_allocate(struct ol_system *system, ol_slot *slots, uint32_t n);
/* The slot is free, and the pager is told. */
void ol_swap_release(struct ol_system *system, ol_slot slot);
bool ol_swap_is_used(const struct ol_system *system, ol_slot slot);
/* Transfers pages and waits. Lock held on entry and exit, not in between; the frames are BUSY or CLEANING. */
void ol_swap_transfer(struct ol_system *system, enum ol_io_op op, const ol_frame_no *frames, const ol_slot *slots,
                      uint32_t n, enum ol_status *status);
/* Sleeps until a transfer ends; drops the lock meanwhile. */
void ol_swap_wait(struct ol_system *system);

/* reclaim.c */
/* Counts evictions, in parts of the budget; ol_swap.left keeps the last 8 bits. */
enum { OL_EVICTION_CLOCK_PARTS = 32 };
static inline uint64_t ol_eviction_clock_unit(const struct ol_system *system)
{
    return system->budget / OL_EVICTION_CLOCK_PARTS + 1;
}
static inline uint8_t ol_eviction_clock(const struct ol_system *system)
{
    return (uint8_t)(system->count.evictions / ol_eviction_clock_unit(system));
}
/* How many evictions ago the swapped page left whose slot this is: in whole units, modulo 256 of them. */
static inline uint32_t ol_slot_left_ago(const struct ol_system *system, ol_slot slot)
{
    const uint8_t units = (uint8_t)(ol_eviction_clock(system) - system->swap.left[slot]);
    return (uint32_t)(units * ol_eviction_clock_unit(system));
}
/* The policy's service left_ago. */
static inline uint32_t ol_frame_left_ago(void *core, ol_frame_no frame)
{
    const struct ol_system *system = core;
    (void)frame;
    return system->left_ago;
}
/* Works until free and standby frames together are `target`, or nothing more can be had. May drop the lock. */
void ol_reclaim(struct ol_system *system, uint32_t target);
/* A free frame, now BUSY; reclaims if there is none. May drop the lock: *dropped is then set. OL_E_NO_FRAMES. */
enum ol_status ol_frame_obtain(struct ol_system *system, ol_frame_no *out, bool *dropped);
/* Sees to it that n frames can be had at once, if that is possible. May drop the lock: *dropped is then set. */
void ol_frames_prepare(struct ol_system *system, uint32_t n, bool *dropped);
/* A frame that can be had at once, now BUSY, or OL_NO_FRAME. */
ol_frame_no ol_frame_obtain_at_once(struct ol_system *system);

/* prefetch.c */
/* A page was missed, or a sample was touched: how many pages after it to bring in, and at what distance from each
 * other.
 */
struct ol_guess {
    struct ol_stream *stream;
    uint64_t made; /* stream->used then: another fault may have taken the stream since */
    int64_t step;  /* not 0 */
};
uint32_t ol_prefetch_window(struct ol_space *space, uint64_t page, struct ol_guess *out);
/* Where the guess, if it was right, will be met by the next fault. */
void ol_prefetch_expect(const struct ol_guess *guess, uint64_t page);
/* A sample was touched, or was evicted untouched. */
void ol_prefetch_judge(struct ol_system *system, bool used);

/* fault.c */
/* ol_fault for a page number; wires the page if `wire`. Lock held on entry and exit, maybe not in between. */
enum ol_status ol_fault_locked(struct ol_space *space, uint64_t page, unsigned access, bool wire);

#endif
