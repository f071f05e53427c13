/* SPDX-License-Identifier: MIT */
/*
 * A store of small objects for compressed pages: slabs of four pages, each cut into objects of one size. A free object
 * holds the number of the next one, so that of a slab little more is noted than which is the first.
 *
 * A slab goes: untouched or given back → in a class, with room ⇄ in a class, full → empty → spare or given back.
 * One empty slab is kept as a spare, so that a page that comes and goes costs no system call.
 *
 * Conditions that hold for all functions:
 * - Async-signal-safe but for create and destroy. The caller sees to it that no two run at once on a store, except that
 *   ol_store_address may be called at any time for an object that is in use.
 * - The budget's functions are called from within allocate and free. They must not use the store.
 */
#ifndef OL_PAGER_STORE_H
#define OL_PAGER_STORE_H

#include "core/types.h"

enum {
    OL_STORE_PAGE_BYTES_MIN = 4096,
    OL_STORE_PAGE_BYTES_MAX = 16384,
    OL_STORE_SLAB_PAGES = 4,
    OL_STORE_OBJECTS_MAX = 255, /* in a slab */
    OL_STORE_CLASSES = 30,
    OL_STORE_GRAIN_BYTES = 16, /* sizes of objects are multiples of it */
    OL_STORE_GRAINS_MAX = OL_STORE_PAGE_BYTES_MAX / OL_STORE_GRAIN_BYTES,
    OL_STORE_SLABS_MAX = 1 << 30,
};

/* Where the store's memory comes from. take is asked before the store grows and may refuse; give is told when memory
 * went back to the operating system. Both count pages. take == NULL: only the store's own bound holds. */
struct ol_store_budget {
    void *context;
    bool (*take)(void *context, uint32_t pages);
    void (*give)(void *context, uint32_t pages);
};

struct ol_store_slab {
    uint32_t before, after; /* neighbours in the list it is in */
    uint8_t used;           /* objects in use */
    uint8_t fresh;          /* objects from here on were never used */
    uint8_t free;           /* the first of those that were and are free now; OL_STORE_OBJECTS_MAX: none */
    uint8_t size_class;     /* c: while any object is in use */
};

/* The slabs of a class that have room, those to be filled first at the head. */
struct ol_store_list {
    uint32_t head, tail;
};

struct ol_store {
    uint8_t *memory;                           /* c: slab s is at s * slab_bytes */
    struct ol_store_slab *slabs;               /* c: the table */
    uint32_t slab_bytes;                       /* c: */
    uint32_t slabs_max;                        /* c: */
    struct ol_store_budget budget;             /* c: */
    uint16_t object_bytes[OL_STORE_CLASSES];   /* c: ascending */
    uint8_t class_of[OL_STORE_GRAINS_MAX + 1]; /* c: smallest class that holds so many grains */
    struct ol_store_list room[OL_STORE_CLASSES];
    uint32_t slabs_touched; /* slabs that were ever used: table entries from here on were never touched */
    uint32_t slabs_taken;   /* now: taken from the budget, the spare included */
    uint32_t given_back;    /* list, linked by `after`, of slabs below slabs_touched that are not taken */
    uint32_t spare;         /* an empty slab that is still taken */
};

/* An object in use. */
struct ol_store_place {
    uint32_t slab; /* below OL_STORE_SLABS_MAX */
    uint8_t object;
};

/* Makes a store of at most max_bytes. OL_E_INVALID (page_bytes is no power of two from 4096 to 16384, or max_bytes is
 * less than one slab or more than OL_STORE_SLABS_MAX of them); OL_E_NO_META. */
enum ol_status ol_store_create(struct ol_store *store, uint32_t page_bytes, uint64_t max_bytes,
                               const struct ol_store_budget *budget);

/* Gives all memory back to the operating system, without telling the budget. */
void ol_store_destroy(struct ol_store *store);

/* An object of at least `bytes`, which is from 1 to a page. False if there is none and the store cannot grow. */
bool ol_store_allocate(struct ol_store *store, uint32_t bytes, struct ol_store_place *out);

void ol_store_free(struct ol_store *store, struct ol_store_place place);

void *ol_store_address(const struct ol_store *store, struct ol_store_place place);

/* Size of the part of the slab table that was touched. */
uint64_t ol_store_metadata_bytes(const struct ol_store *store);

#endif
