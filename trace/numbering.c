/* SPDX-License-Identifier: MIT */
/*
 * A hash of numbers with linear probing: `slots` holds numbers plus 1, the page itself is looked up in `page_of`. That
 * takes little memory, and a table that is too full is made anew without the old one.
 */
#include "trace/numbering.h"

#include <assert.h>
#include <stdlib.h>

#include "trace/grow.h"

enum { SHIFT_FIRST = 12 };

static const size_t ahead = 16; /* how many references further what is looked up is fetched into the cache */

struct ol_numbering {
    uint64_t *page_of;
    uint32_t *slots;
    size_t capacity; /* of page_of */
    uint32_t pages;
    unsigned shift; /* 1 << shift slots */
    /* The batch made last. */
    uint32_t numbers[OL_NUMBERING_BATCH_MAX], counts[OL_NUMBERING_BATCH_MAX];
    uint8_t written[OL_NUMBERING_BATCH_MAX];
};

static size_t home(uint64_t page, unsigned shift)
{
    return (size_t)((page * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - shift));
}

struct ol_numbering *ol_numbering_create(void)
{
    struct ol_numbering *numbering = calloc(1, sizeof(*numbering));
    if (!numbering) return NULL;
    numbering->shift = SHIFT_FIRST;
    numbering->capacity = (size_t)1 << SHIFT_FIRST;
    numbering->slots = ol_grow(NULL, 0, (size_t)1 << numbering->shift, sizeof(uint32_t));
    numbering->page_of = ol_grow(NULL, 0, numbering->capacity, sizeof(uint64_t));
    if (numbering->slots && numbering->page_of) return numbering;
    ol_numbering_destroy(numbering);
    return NULL;
}

void ol_numbering_destroy(struct ol_numbering *numbering)
{
    if (numbering->slots) ol_grow_free(numbering->slots, (size_t)1 << numbering->shift, sizeof(uint32_t));
    if (numbering->page_of) ol_grow_free(numbering->page_of, numbering->capacity, sizeof(uint64_t));
    free(numbering);
}

/* The slot that holds the page's number, or the free one where it belongs. */
static size_t find(const struct ol_numbering *numbering, uint64_t page)
{
    const size_t mask = ((size_t)1 << numbering->shift) - 1;
    size_t slot = home(page, numbering->shift);
    for (uint32_t number; (number = numbering->slots[slot]) != 0; slot = (slot + 1) & mask)
        if (numbering->page_of[number - 1] == page) break;
    return slot;
}

static bool grow_slots(struct ol_numbering *numbering)
{
    ol_grow_free(numbering->slots, (size_t)1 << numbering->shift, sizeof(uint32_t));
    numbering->shift++;
    numbering->slots = ol_grow(NULL, 0, (size_t)1 << numbering->shift, sizeof(uint32_t));
    if (!numbering->slots) return false;
    for (uint32_t number = 0; number < numbering->pages; number++)
        numbering->slots[find(numbering, numbering->page_of[number])] = number + 1;
    return true;
}

/* A page that is referenced for the first time; its number plus 1, or 0 without memory. */
static uint32_t add_page(struct ol_numbering *numbering, uint64_t page)
{
    if (!numbering->slots || numbering->pages == OL_NUMBERING_PAGES_MAX) return 0;
    if (numbering->pages == numbering->capacity) {
        uint64_t *grown = ol_grow(numbering->page_of, numbering->capacity, 2 * numbering->capacity, sizeof(uint64_t));
        if (!grown) return 0;
        numbering->page_of = grown;
        numbering->capacity *= 2;
    }
    if (numbering->pages >= ((size_t)3 << numbering->shift) / 4 && !grow_slots(numbering)) return 0;
    numbering->page_of[numbering->pages++] = page;
    numbering->slots[find(numbering, page)] = numbering->pages;
    return numbering->pages;
}

bool ol_numbering_number(struct ol_numbering *numbering, const struct ol_reference *references, size_t count,
                         unsigned page_shift, uint32_t *numbers)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t page = references[i].va >> page_shift;
        if (i + 2 * ahead < count)
            __builtin_prefetch(&numbering->slots[home(references[i + 2 * ahead].va >> page_shift, numbering->shift)]);
        if (i + ahead < count) {
            const uint32_t guess = numbering->slots[home(references[i + ahead].va >> page_shift, numbering->shift)];
            __builtin_prefetch(&numbering->page_of[guess ? guess - 1 : 0]);
        }
        uint32_t number = numbering->slots[home(page, numbering->shift)];
        if (number == 0 || numbering->page_of[number - 1] != page) {
            number = numbering->slots[find(numbering, page)];
            if (number == 0) number = add_page(numbering, page);
            if (number == 0) return false;
        }
        numbers[i] = number - 1;
    }
    return true;
}

bool ol_numbering_add(struct ol_numbering *numbering, const struct ol_reference *references, size_t count,
                      unsigned page_shift, struct ol_batch *batch)
{
    uint32_t any_written = 0, most = 1;
    assert(count <= OL_NUMBERING_BATCH_MAX);
    if (!ol_numbering_number(numbering, references, count, page_shift, numbering->numbers)) return false;
    for (size_t i = 0; i < count; i++) {
        numbering->written[i] = references[i].access == OL_WRITE;
        numbering->counts[i] = references[i].count;
        any_written |= numbering->written[i];
        most |= references[i].count;
    }
    *batch = (struct ol_batch){.pages = numbering->numbers,
                               .written = any_written ? numbering->written : NULL,
                               .counts = most > 1 ? numbering->counts : NULL,
                               .count = count,
                               .pages_total = numbering->pages};
    return true;
}

uint32_t ol_numbering_pages(const struct ol_numbering *numbering)
{
    return numbering->pages;
}

uint64_t ol_numbering_page(const struct ol_numbering *numbering, uint32_t number)
{
    return numbering->page_of[number];
}
