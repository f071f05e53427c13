/* SPDX-License-Identifier: MIT */
/*
 * Models of the policies: the rule of each in the fewest and plainest lines, as slow as they may be. They are written
 * from the papers and share nothing with policy/. A model returns the faults of a trace in so many frames.
 */
#ifndef OL_TESTS_POLICY_MODELS_H
#define OL_TESTS_POLICY_MODELS_H

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_PAGES = 40, MODEL_LENGTH = 3000, MODELS_MAX = 64 };

struct model_trace {
    unsigned length;
    uint32_t page[MODEL_LENGTH]; /* below MODEL_PAGES, numbered in the order of their first reference */
    uint8_t written[MODEL_LENGTH];
};

struct model {
    const char *policy; /* with parameters */
    uint64_t (*faults)(const struct model_trace *trace, uint32_t frames);
};

extern const struct model models[];
extern const unsigned models_count;

/* --- lists: arrays of pages -------------------------------------------------------------------------------------- */

struct list {
    uint32_t page[4 * MODEL_PAGES];
    uint32_t count;
};

/* The place of a page in the list, or -1. */
static inline int list_find(const struct list *list, uint32_t page)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->page[i] == page) return (int)i;
    return -1;
}

static inline bool list_has(const struct list *list, uint32_t page)
{
    return list_find(list, page) >= 0;
}

static inline void list_append(struct list *list, uint32_t page)
{
    list->page[list->count++] = page;
}

/* Takes out what is at a place. */
static inline uint32_t list_take(struct list *list, uint32_t place)
{
    const uint32_t page = list->page[place];
    for (uint32_t i = place + 1; i < list->count; i++) list->page[i - 1] = list->page[i];
    list->count--;
    return page;
}

static inline void list_insert(struct list *list, uint32_t place, uint32_t page)
{
    for (uint32_t i = list->count++; i > place; i--) list->page[i] = list->page[i - 1];
    list->page[place] = page;
}

/* False if the page is not in the list. */
static inline bool list_remove(struct list *list, uint32_t page)
{
    const int place = list_find(list, page);
    if (place >= 0) (void)list_take(list, (uint32_t)place);
    return place >= 0;
}

#endif
