/* SPDX-License-Identifier: MIT */
#include "pager/store.h"

#include "pager/reserve.h"

#include <assert.h>

#define NO_SLAB UINT32_MAX

/* Objects in a slab, by class. Neighbouring sizes differ by an eighth where most compressed pages are, so that an
 * object wastes a sixteenth on average; the two steps below a whole page are a fifth. */
static const uint8_t objects_in_slab[OL_STORE_CLASSES] = {
    OL_STORE_OBJECTS_MAX,
    170,
    128,
    102,
    85,
    73,
    64,
    56,
    51,
    46,
    40,
    36,
    32,
    28,
    25,
    22,
    20,
    18,
    16,
    14,
    13,
    12,
    11,
    10,
    9,
    8,
    7,
    6,
    5,
    4,
};

enum { NO_OBJECT = OL_STORE_OBJECTS_MAX };

static_assert(sizeof(struct ol_store_slab) == 12, "the slab table is counted as metadata: keep it small");

/* --- slabs with room -------------------------------------------------------------------------------------------- */

static void list_push_head(struct ol_store *store, struct ol_store_list *list, uint32_t slab)
{
    store->slabs[slab].before = NO_SLAB;
    store->slabs[slab].after = list->head;
    if (list->head == NO_SLAB) list->tail = slab;
    else store->slabs[list->head].before = slab;
    list->head = slab;
}

static void list_push_tail(struct ol_store *store, struct ol_store_list *list, uint32_t slab)
{
    store->slabs[slab].before = list->tail;
    store->slabs[slab].after = NO_SLAB;
    if (list->tail == NO_SLAB) list->head = slab;
    else store->slabs[list->tail].after = slab;
    list->tail = slab;
}

static void list_remove(struct ol_store *store, struct ol_store_list *list, uint32_t slab)
{
    const uint32_t before = store->slabs[slab].before, after = store->slabs[slab].after;
    if (before == NO_SLAB) list->head = after;
    else store->slabs[before].after = after;
    if (after == NO_SLAB) list->tail = before;
    else store->slabs[after].before = before;
}

/* --- slabs ------------------------------------------------------------------------------------------------------ */

static uint8_t *slab_address(const struct ol_store *store, uint32_t slab)
{
    return store->memory + (size_t)slab * store->slab_bytes;
}

/* An empty slab that the budget allows, or NO_SLAB. */
static uint32_t slab_take(struct ol_store *store)
{
    uint32_t slab = store->spare;
    if (slab != NO_SLAB) {
        store->spare = NO_SLAB;
        return slab;
    }
    if (store->given_back == NO_SLAB && store->slabs_touched == store->slabs_max) return NO_SLAB;
    if (store->budget.take && !store->budget.take(store->budget.context, OL_STORE_SLAB_PAGES)) return NO_SLAB;
    slab = store->given_back;
    if (slab != NO_SLAB) store->given_back = store->slabs[slab].after;
    else slab = store->slabs_touched++;
    store->slabs_taken++;
    return slab;
}

/* The slab is empty and in no list. */
static void slab_give(struct ol_store *store, uint32_t slab)
{
    if (store->spare == NO_SLAB) {
        store->spare = slab;
        return;
    }
    (void)madvise(slab_address(store, slab), store->slab_bytes, MADV_DONTNEED);
    store->slabs[slab].after = store->given_back;
    store->given_back = slab;
    store->slabs_taken--;
    if (store->budget.take) store->budget.give(store->budget.context, OL_STORE_SLAB_PAGES);
}

/* Adds an empty slab to a class. */
static bool class_grow(struct ol_store *store, unsigned size_class)
{
    const uint32_t number = slab_take(store);
    if (number == NO_SLAB) return false;
    struct ol_store_slab *slab = &store->slabs[number];
    slab->size_class = (uint8_t)size_class;
    slab->used = slab->fresh = 0;
    slab->free = NO_OBJECT;
    list_push_head(store, &store->room[size_class], number);
    return true;
}

/* --- objects ---------------------------------------------------------------------------------------------------- */

static uint8_t object_take(struct ol_store *store, uint32_t number)
{
    struct ol_store_slab *slab = &store->slabs[number];
    const uint8_t objects = objects_in_slab[slab->size_class];
    uint8_t object = slab->free;
    if (object != NO_OBJECT)
        slab->free = *(const uint8_t *)ol_store_address(store, (struct ol_store_place){number, object});
    else object = slab->fresh++;
    assert(object < objects && slab->fresh <= objects);
    slab->used++;
    if (slab->used == objects) list_remove(store, &store->room[slab->size_class], number);
    return object;
}

bool ol_store_allocate(struct ol_store *store, uint32_t bytes, struct ol_store_place *out)
{
    assert(bytes > 0 && bytes <= store->slab_bytes / OL_STORE_SLAB_PAGES);
    unsigned size_class = store->class_of[(bytes + OL_STORE_GRAIN_BYTES - 1) / OL_STORE_GRAIN_BYTES];
    if (store->room[size_class].head == NO_SLAB && !class_grow(store, size_class)) {
        /* No more memory: rather a larger object than none. */
        do size_class++;
        while (size_class < OL_STORE_CLASSES && store->room[size_class].head == NO_SLAB);
        if (size_class == OL_STORE_CLASSES) return false;
    }
    out->slab = store->room[size_class].head;
    out->object = object_take(store, out->slab);
    return true;
}

void ol_store_free(struct ol_store *store, struct ol_store_place place)
{
    struct ol_store_slab *slab = &store->slabs[place.slab];
    struct ol_store_list *room = &store->room[slab->size_class];
    const unsigned objects = objects_in_slab[slab->size_class];
    assert(slab->used > 0 && place.object < slab->fresh && place.object != slab->free);
    *(uint8_t *)ol_store_address(store, place) = slab->free;
    slab->free = place.object;
    slab->used--;
    /* Nearly full slabs wait at the head to be filled, nearly empty ones at the tail to be emptied. */
    if (slab->used == objects - 1) {
        list_push_head(store, room, place.slab);
    } else if (slab->used == 0) {
        list_remove(store, room, place.slab);
        slab_give(store, place.slab);
    } else if (slab->used == objects / 4) {
        list_remove(store, room, place.slab);
        list_push_tail(store, room, place.slab);
    }
}

void *ol_store_address(const struct ol_store *store, struct ol_store_place place)
{
    const uint32_t object_bytes = store->object_bytes[store->slabs[place.slab].size_class];
    return slab_address(store, place.slab) + (size_t)place.object * object_bytes;
}

uint64_t ol_store_metadata_bytes(const struct ol_store *store)
{
    return (uint64_t)store->slabs_touched * sizeof(struct ol_store_slab);
}

/* --- the store -------------------------------------------------------------------------------------------------- */

static void classes_init(struct ol_store *store, uint32_t page_bytes)
{
    uint32_t grains = 0;
    for (unsigned size_class = 0; size_class < OL_STORE_CLASSES; size_class++) {
        const uint32_t object_grains = store->slab_bytes / objects_in_slab[size_class] / OL_STORE_GRAIN_BYTES;
        store->object_bytes[size_class] = (uint16_t)(object_grains * OL_STORE_GRAIN_BYTES);
        for (; grains <= object_grains; grains++) store->class_of[grains] = (uint8_t)size_class;
        store->room[size_class].head = store->room[size_class].tail = NO_SLAB;
    }
    assert(store->object_bytes[OL_STORE_CLASSES - 1] == page_bytes);
    (void)page_bytes;
}

enum ol_status ol_store_create(struct ol_store *store, uint32_t page_bytes, uint64_t max_bytes,
                               const struct ol_store_budget *budget)
{
    if (page_bytes < OL_STORE_PAGE_BYTES_MIN || page_bytes > OL_STORE_PAGE_BYTES_MAX ||
        (page_bytes & (page_bytes - 1)) != 0)
        return OL_E_INVALID;
    store->slab_bytes = page_bytes * OL_STORE_SLAB_PAGES;
    const uint64_t slabs = max_bytes / store->slab_bytes;
    if (slabs == 0 || slabs > OL_STORE_SLABS_MAX) return OL_E_INVALID;
    store->slabs_max = (uint32_t)slabs;
    store->budget = *budget;
    store->slabs_touched = store->slabs_taken = 0;
    store->given_back = store->spare = NO_SLAB;
    classes_init(store, page_bytes);
    store->memory = ol_reserve((size_t)slabs * store->slab_bytes);
    store->slabs = ol_reserve((size_t)slabs * sizeof *store->slabs);
    if (store->memory && store->slabs) return OL_OK;
    ol_store_destroy(store);
    return OL_E_NO_META;
}

void ol_store_destroy(struct ol_store *store)
{
    ol_release(store->memory, (size_t)store->slabs_max * store->slab_bytes);
    ol_release(store->slabs, (size_t)store->slabs_max * sizeof *store->slabs);
}
