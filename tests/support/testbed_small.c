/* SPDX-License-Identifier: MIT */
/*
 * A machine that exists only here: pages of 4 KiB, and large ones of 8 and of 64 of them, so that what large pages do
 * happens all the time even in tests with few frames. Translations are an array; an entry of a large page stands for
 * all its pages and has one set of attributes. Each third split forgets instead, as core/pmap.h allows machines to do.
 */
#include "tests/support/testbed_small.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/sim/port.h"
#include "machine/sim/reverse.h"

enum { PAGE_SHIFT = 12, PAGE_BYTES = 1 << PAGE_SHIFT, MIDDLE_SHIFT = 15, LARGE_SHIFT = 18, FORGETS_EVERY = 3 };

/* Of a large page: in all its places, but for the attributes, which are in the first. */
struct entry {
    ol_frame_no frame;
    uint8_t rights; /* OL_NONE: nothing is mapped */
    uint8_t order;  /* log2 of the pages that are mapped as one */
    uint8_t attributes;
};

struct small {
    struct ol_sim_port port;
    struct ol_sim_reverse reverse;
    unsigned char *memory;
    unsigned splits;
};

struct ol_pmap {
    struct small *machine;
    uint64_t first, pages;  /* page numbers */
    uint64_t lowest, above; /* entries that were ever used: from … to below … */
    struct entry entry[];
};

static struct entry *entry_of(struct ol_pmap *pmap, ol_va va)
{
    assert(va >> PAGE_SHIFT >= pmap->first && (va >> PAGE_SHIFT) - pmap->first < pmap->pages);
    return &pmap->entry[(va >> PAGE_SHIFT) - pmap->first];
}

static ol_va page_va(ol_va va, uint64_t page)
{
    return va + (page << PAGE_SHIFT);
}

static uint32_t pages_of(const struct entry *entry)
{
    return 1U << entry->order;
}

/* Where what maps va begins. */
static ol_va head_of(struct ol_pmap *pmap, ol_va va)
{
    const unsigned shift = PAGE_SHIFT + entry_of(pmap, va)->order;
    return va >> shift << shift;
}

/* --- entries ----------------------------------------------------------------------------------------------------- */

static void forget(struct ol_pmap *pmap, ol_va head)
{
    struct ol_sim_reverse *const reverse = &pmap->machine->reverse;
    const struct entry entry = *entry_of(pmap, head);
    for (uint32_t i = 0; i < pages_of(&entry); i++) {
        reverse->frames[entry.frame + i].attributes |= entry.attributes;
        ol_sim_reverse_remove(reverse, entry.frame + i, pmap, page_va(head, i));
        *entry_of(pmap, page_va(head, i)) = (struct entry){0};
    }
}

static void put(struct ol_pmap *pmap, ol_va va, struct entry entry)
{
    const uint64_t index = (va >> PAGE_SHIFT) - pmap->first;
    if (index < pmap->lowest) pmap->lowest = index;
    if (index + pages_of(&entry) > pmap->above) pmap->above = index + pages_of(&entry);
    for (uint32_t i = 0; i < pages_of(&entry); i++, entry.frame++) {
        *entry_of(pmap, page_va(va, i)) = entry;
        ol_sim_reverse_add(&pmap->machine->reverse, entry.frame, pmap, page_va(va, i));
    }
}

/* How far behind va the first entry is that was ever used; and is va behind the last one? */
static uint64_t first_used(const struct ol_pmap *pmap, ol_va va)
{
    const uint64_t index = (va >> PAGE_SHIFT) - pmap->first;
    return index < pmap->lowest ? pmap->lowest - index : 0;
}

static bool is_above(const struct ol_pmap *pmap, ol_va va)
{
    return (va >> PAGE_SHIFT) - pmap->first >= pmap->above;
}

/* To pages of the smallest size, or, now and then, to nothing. */
static void split(struct ol_pmap *pmap, ol_va va)
{
    const ol_va head = head_of(pmap, va);
    const struct entry was = *entry_of(pmap, head);
    if (was.order == 0) return;
    if (++pmap->machine->splits % FORGETS_EVERY == 0) {
        forget(pmap, head);
        return;
    }
    for (uint32_t i = 0; i < pages_of(&was); i++) {
        struct entry *const entry = entry_of(pmap, page_va(head, i));
        entry->order = 0;
        entry->attributes = was.attributes;
    }
}

/* What reaches out of [va, va + pages) is split. */
static void split_ends(struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    const ol_va last = page_va(va, pages - 1);
    if (head_of(pmap, va) != va) split(pmap, va);
    if (page_va(head_of(pmap, last), pages_of(entry_of(pmap, last)) - 1) != last) split(pmap, last);
}

static void lower(struct ol_pmap *pmap, ol_va va, unsigned rights)
{
    struct entry *const entry = entry_of(pmap, va);
    if (entry->rights != OL_NONE) entry->rights &= (uint8_t)(rights | OL_READ);
}

/* --- the interface ----------------------------------------------------------------------------------------------- */

static size_t pmap_bytes(uint64_t pages)
{
    return sizeof(struct ol_pmap) + pages * sizeof(struct entry);
}

static enum ol_status small_create(void *machine, ol_va first_va, ol_va last_va, struct ol_pmap **out)
{
    const uint64_t pages = (last_va >> PAGE_SHIFT) - (first_va >> PAGE_SHIFT) + 1;
    /* Large and hardly used: malloc might clear it page by page. */
    struct ol_pmap *const pmap =
        mmap(NULL, pmap_bytes(pages), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pmap == MAP_FAILED) return OL_E_NO_META;
    pmap->machine = machine;
    pmap->first = first_va >> PAGE_SHIFT;
    pmap->pages = pmap->lowest = pages;
    *out = pmap;
    return OL_OK;
}

static void small_destroy(void *machine, struct ol_pmap *pmap)
{
    (void)machine;
    munmap(pmap, pmap_bytes(pmap->pages));
}

static void small_remove(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    (void)machine;
    split_ends(pmap, va, pages);
    for (uint64_t i = first_used(pmap, va); i < pages && !is_above(pmap, page_va(va, i)); i++)
        if (entry_of(pmap, page_va(va, i))->rights != OL_NONE) forget(pmap, page_va(va, i));
}

static enum ol_status small_enter(void *machine, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                                  unsigned rights, unsigned access)
{
    struct small *const small = machine;
    const enum ol_status status = ol_sim_reverse_reserve(&small->reverse, n);
    if (status != OL_OK) return status;
    small_remove(machine, pmap, va, n);
    for (uint32_t i = 0; i < n; i++)
        put(pmap, page_va(va, i),
            (struct entry){.frame = frames[i],
                           .rights = (uint8_t)rights,
                           .attributes = (uint8_t)((access ? (unsigned)OL_REFERENCED : 0) |
                                                   (access & OL_WRITE ? (unsigned)OL_MODIFIED : 0))});
    return OL_OK;
}

static enum ol_status small_enter_large(void *machine, struct ol_pmap *pmap, ol_va va, ol_frame_no first, uint8_t shift,
                                        unsigned rights)
{
    struct small *const small = machine;
    const struct entry entry = {.frame = first, .rights = (uint8_t)rights, .order = (uint8_t)(shift - PAGE_SHIFT)};
    const enum ol_status status = ol_sim_reverse_reserve(&small->reverse, pages_of(&entry));
    if (status != OL_OK) return status;
    assert(!(va & ((1ULL << shift) - 1)) && !(first & (pages_of(&entry) - 1)));
    small_remove(machine, pmap, va, pages_of(&entry));
    put(pmap, va, entry);
    return OL_OK;
}

static void small_protect(void *machine, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights)
{
    if (rights == OL_NONE) {
        small_remove(machine, pmap, va, pages);
        return;
    }
    split_ends(pmap, va, pages);
    for (uint64_t i = first_used(pmap, va); i < pages && !is_above(pmap, page_va(va, i)); i++)
        lower(pmap, page_va(va, i), rights);
}

static bool small_query(void *machine, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out)
{
    const struct entry *const entry = &pmap->entry[(va >> PAGE_SHIFT) - pmap->first];
    (void)machine;
    if (entry->rights == OL_NONE) return false;
    *out = (struct ol_mapping){
        .frame = entry->frame, .rights = entry->rights, .shift = (uint8_t)(PAGE_SHIFT + entry->order)};
    return true;
}

static void visit_protect(void *context, struct ol_pmap *pmap, ol_va va)
{
    const unsigned *const rights = context;
    split(pmap, va);
    if (entry_of(pmap, va)->rights == OL_NONE) return; /* forgotten */
    if (*rights == OL_NONE) forget(pmap, va);
    else lower(pmap, va, *rights);
}

static uint32_t small_frame_protect(void *machine, const ol_frame_no *frames, uint32_t n, unsigned rights)
{
    struct small *const small = machine;
    for (uint32_t i = 0; i < n; i++) ol_sim_reverse_each(&small->reverse, frames[i], visit_protect, &rights);
    return n;
}

struct attributes {
    unsigned asked, found;
};

static void visit_test_clear(void *context, struct ol_pmap *pmap, ol_va va)
{
    struct attributes *const attributes = context;
    const ol_va head = head_of(pmap, va);
    struct entry *const entry = entry_of(pmap, head);
    const unsigned found = entry->attributes & attributes->asked;
    for (uint32_t i = 0; i < pages_of(entry); i++)
        if (page_va(head, i) != va) pmap->machine->reverse.frames[entry->frame + i].attributes |= (uint8_t)found;
    entry->attributes &= (uint8_t)~found;
    attributes->found |= found;
}

static unsigned small_test_clear(void *machine, ol_frame_no frame, unsigned attributes)
{
    struct small *const small = machine;
    struct ol_sim_frame *const record = &small->reverse.frames[frame];
    struct attributes test = {.asked = attributes, .found = record->attributes & attributes};
    record->attributes &= (uint8_t)~attributes;
    ol_sim_reverse_each(&small->reverse, frame, visit_test_clear, &test);
    return test.found;
}

static void small_sync(void *machine)
{
    (void)machine;
}

static void *small_frame_map(void *machine, ol_frame_no frame)
{
    const struct small *const small = machine;
    return small->memory + (size_t)frame * PAGE_BYTES;
}

static void small_frame_unmap(void *machine, ol_frame_no frame)
{
    (void)machine;
    (void)frame;
}

static void small_frame_zero(void *machine, ol_frame_no frame)
{
    memset(small_frame_map(machine, frame), 0, PAGE_BYTES);
}

static void small_frame_copy(void *machine, ol_frame_no to, ol_frame_no from)
{
    memcpy(small_frame_map(machine, to), small_frame_map(machine, from), PAGE_BYTES);
}

static const struct ol_pmap_ops small_ops = {
    .create = small_create,
    .destroy = small_destroy,
    .enter = small_enter,
    .enter_large = small_enter_large,
    .remove = small_remove,
    .protect = small_protect,
    .query = small_query,
    .frame_protect = small_frame_protect,
    .test_clear = small_test_clear,
    .sync = small_sync,
    .frame_zero = small_frame_zero,
    .frame_copy = small_frame_copy,
    .frame_map = small_frame_map,
    .frame_unmap = small_frame_unmap,
    .frame_discard = small_frame_zero,
};

/* --- the testbed ------------------------------------------------------------------------------------------------- */

static const char *small_missing(void)
{
    return NULL;
}

static enum ol_status small_machine_create(const struct ol_testbed *bed, uint32_t frames_max, void **machine,
                                           struct ol_port *port)
{
    struct small *const small = calloc(1, sizeof *small);
    (void)bed;
    if (!small) return OL_E_NO_META;
    small->memory = malloc((size_t)frames_max * PAGE_BYTES);
    const bool good = small->memory && ol_sim_reverse_create(&small->reverse, frames_max) == OL_OK;
    if (good && ol_sim_port_create(&small->port) == OL_OK) {
        *machine = small;
        *port = ol_sim_port_functions(&small->port);
        return OL_OK;
    }
    if (good) ol_sim_reverse_destroy(&small->reverse);
    free(small->memory);
    free(small);
    return OL_E_NO_META;
}

static void small_machine_destroy(void *machine)
{
    struct small *const small = machine;
    ol_sim_port_destroy(&small->port);
    ol_sim_reverse_destroy(&small->reverse);
    free(small->memory);
    free(small);
}

static bool small_find_range(const struct ol_testbed *bed, uint64_t pages, ol_va *first_va, ol_va *last_va)
{
    (void)bed;
    *first_va = 1ULL << LARGE_SHIFT;
    *last_va = *first_va + (pages << PAGE_SHIFT) - 1;
    return *last_va <= bed->is->last_va;
}

/* The access, if the mapping allows it; what hardware does, it does, too. Lock held. */
static bool translate(struct small *small, struct ol_space *space, ol_va va, unsigned access, unsigned char *value)
{
    struct ol_pmap *const pmap = ol_space_pmap(space);
    const ol_va page = va >> PAGE_SHIFT << PAGE_SHIFT;
    const struct entry *const entry = entry_of(pmap, page);
    if (!(entry->rights & access)) return false;
    unsigned char *const byte = small->memory + (size_t)entry->frame * PAGE_BYTES + (va - page);
    if (access == OL_READ) *value = *byte;
    if (access == OL_WRITE) *byte = *value;
    entry_of(pmap, head_of(pmap, page))->attributes |=
        (uint8_t)(OL_REFERENCED | (access == OL_WRITE ? (unsigned)OL_MODIFIED : 0));
    return true;
}

static enum ol_status small_access(void *machine, struct ol_space *space, ol_va va, unsigned access,
                                   unsigned char *value)
{
    struct small *const small = machine;
    for (;;) {
        pthread_mutex_lock(&small->port.lock);
        const struct ol_pmap *const pmap = ol_space_pmap(space);
        const bool inside = va >> PAGE_SHIFT >= pmap->first && (va >> PAGE_SHIFT) - pmap->first < pmap->pages;
        const bool done = inside && translate(small, space, va, access, value);
        pthread_mutex_unlock(&small->port.lock);
        if (done) return OL_OK;
        const enum ol_status status = ol_fault(space, va, access);
        if (status != OL_OK) return status;
    }
}

static const struct ol_capabilities small_is = {
    .name = "small",
    .last_va = 0xfffffffffULL,
    .page_shift = PAGE_SHIFT,
    .large_shifts = {MIDDLE_SHIFT, LARGE_SHIFT},
    .has_referenced = true,
    .has_modified = true,
    .has_execute = true,
    .can_alias = true,
};

const struct ol_testbed ol_testbed_small = {
    .name = "small",
    .kind = &small_is,
    .is = &small_is,
    .large_shift = LARGE_SHIFT,
    .pmap = &small_ops,
    .missing = small_missing,
    .machine_create = small_machine_create,
    .machine_destroy = small_machine_destroy,
    .find_range = small_find_range,
    .access = small_access,
};
