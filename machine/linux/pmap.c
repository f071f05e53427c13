/* SPDX-License-Identifier: MIT */
/* Mappings of frames into windows of the process; see machine.h for where a frame's memory is. */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/mechanism.h"

/* The frame's memory is now there: in a slot or in a window. */
static void place_at(struct ol_linux_frame *frame, enum ol_linux_place place, const char *address)
{
    frame->place = place & 3U;
    frame->address = (uint64_t)(uintptr_t)address & 0xffffffffffff;
}

/* --- which frame a window's page shows -----------------------------------------------------------------------------
 */

static void note_mapped(struct ol_pmap *pmap, uint64_t page, ol_frame_no frame)
{
    assert(!pmap->frame_of[page]);
    uint16_t *leaf = &pmap->in_leaf[page >> OL_LEAF_SHIFT];
    if (!(*leaf & OL_LEAF_HELD)) pmap->machine->tables_bytes += OL_LEAF_BYTES;
    *leaf = (uint16_t)((*leaf | OL_LEAF_USED | OL_LEAF_HELD) + 1);
    pmap->frame_of[page] = frame + 1;
    pmap->in_trunk[page >> OL_TRUNK_SHIFT]++;
}

/* The last mapping of a leaf went. Two leaves' parts of frame_of lie in one page. */
static void leaf_emptied(struct ol_pmap *pmap, uint64_t leaf)
{
    enum { LEAVES = OL_LINUX_PAGE_BYTES / OL_LEAF_BYTES };
    const uint64_t first = leaf & ~(uint64_t)(LEAVES - 1);
    for (uint64_t i = first; i < first + LEAVES; i++)
        if (pmap->in_leaf[i] & OL_LEAF_COUNT) return;
    if (madvise(pmap->frame_of + (first << OL_LEAF_SHIFT), OL_LINUX_PAGE_BYTES, MADV_DONTNEED)) return;
    for (uint64_t i = first; i < first + LEAVES; i++) {
        if (pmap->in_leaf[i] & OL_LEAF_HELD) pmap->machine->tables_bytes -= OL_LEAF_BYTES;
        pmap->in_leaf[i] &= (uint16_t)~OL_LEAF_HELD;
    }
}

static void note_unmapped(struct ol_pmap *pmap, uint64_t page)
{
    assert(pmap->frame_of[page]);
    pmap->frame_of[page] = 0;
    pmap->in_trunk[page >> OL_TRUNK_SHIFT]--;
    if (!(--pmap->in_leaf[page >> OL_LEAF_SHIFT] & OL_LEAF_COUNT)) leaf_emptied(pmap, page >> OL_LEAF_SHIFT);
}

/* Empty leaves and trunks are passed over whole. */
uint64_t ol_linux_next_mapped(const struct ol_pmap *pmap, uint64_t page, uint64_t end)
{
    while (page < end) {
        if (!pmap->in_trunk[page >> OL_TRUNK_SHIFT]) page = ((page >> OL_TRUNK_SHIFT) + 1) << OL_TRUNK_SHIFT;
        else if (!(pmap->in_leaf[page >> OL_LEAF_SHIFT] & OL_LEAF_COUNT))
            page = ((page >> OL_LEAF_SHIFT) + 1) << OL_LEAF_SHIFT;
        else if (!pmap->frame_of[page]) page++;
        else return page;
    }
    return end;
}

static struct ol_pmap *pmap_of_address(const struct ol_linux *machine, const void *address)
{
    struct ol_pmap *pmap = machine->pmaps;
    while (pmap && (uint64_t)((const char *)address - pmap->window) >= pmap->bytes) pmap = pmap->next;
    return pmap;
}

/* --- taking mappings away --------------------------------------------------------------------------------------------
 */

/* Takes frames[0..n), neighbours in a window, out of it. */
static void move_out_run(struct ol_linux *machine, const ol_frame_no *frames, uint32_t n)
{
    char *address = ol_linux_frame_address(&machine->frames[frames[0]]);
    struct ol_pmap *pmap = pmap_of_address(machine, address);
    uint32_t length;
    for (uint32_t done = 0; done < n; done += length) {
        char *slot = ol_arena_take(&machine->arena, n - done, &length);
        machine->mechanism->hide(pmap, slot, address + ol_linux_bytes(done), length);
        for (uint32_t i = 0; i < length; i++)
            place_at(&machine->frames[frames[done + i]], OL_PLACE_ARENA, slot + ol_linux_bytes(i));
    }
    for (uint32_t i = 0; i < n; i++) note_unmapped(pmap, ol_linux_page_index(pmap, address) + i);
}

/* How many of frames[0..n) are in the same place as frames[0], one beside the other. */
static uint32_t run_length(const struct ol_linux *machine, const ol_frame_no *frames, uint32_t n)
{
    const struct ol_linux_frame *first = &machine->frames[frames[0]];
    uint32_t length = 1;
    for (; length < n; length++) {
        const struct ol_linux_frame *next = &machine->frames[frames[length]];
        if (next->place != first->place || next->address != first->address + ol_linux_bytes(length)) break;
    }
    return length;
}

/* Lowering rights here is always removing: the next access enters the page again with the rights it then has. */
static uint32_t pmap_frame_protect(void *context, const ol_frame_no *frames, uint32_t n, unsigned rights)
{
    struct ol_linux *machine = context;
    for (uint32_t i = 0; i < n;) {
        const struct ol_linux_frame *frame = &machine->frames[frames[i]];
        if (frame->place != OL_PLACE_WINDOW || !(frame->rights & ~rights)) {
            i++;
            continue;
        }
        const uint32_t length = run_length(machine, frames + i, n - i);
        move_out_run(machine, frames + i, length);
        i += length;
    }
    return n;
}

static void pmap_protect(void *context, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights)
{
    struct ol_linux *machine = context;
    const uint64_t first = ol_linux_page_index(pmap, ol_linux_address(pmap, va)), end = first + pages;
    ol_frame_no neighbours[OL_IO_PAGES_MAX];
    uint32_t n;
    for (uint64_t page = ol_linux_next_mapped(pmap, first, end); page < end;
         page = ol_linux_next_mapped(pmap, page + n, end)) {
        for (n = 0; n < OL_IO_PAGES_MAX && page + n < end && pmap->frame_of[page + n]; n++)
            neighbours[n] = pmap->frame_of[page + n] - 1;
        (void)pmap_frame_protect(machine, neighbours, n, rights);
    }
}

static void pmap_remove(void *context, struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    pmap_protect(context, pmap, va, pages, OL_NONE);
}

/* --- entering mappings
 * ------------------------------------------------------------------------------------------------ */

/* The memory of n frames goes from neighbouring slots to absent places of a window. *shown: how many pages. Returns an
 * errno. */
static int move_in(struct ol_pmap *pmap, char *address, const ol_frame_no *frames, uint32_t n, bool writable,
                   uint32_t *shown)
{
    struct ol_linux *machine = pmap->machine;
    const char *slot = ol_linux_frame_address(&machine->frames[frames[0]]);
    const int error = machine->mechanism->show(pmap, address, frames, n, writable, shown);
    for (uint32_t i = 0; !error && i < *shown; i++) ol_arena_give(&machine->arena, slot + ol_linux_bytes(i));
    return error;
}

/* How many of frames[0..n) can be entered at neighbouring pages in one go: their memory is side by side, or nowhere. */
static uint32_t enter_length(const struct ol_linux *machine, const struct ol_pmap *pmap, uint64_t page,
                             const ol_frame_no *frames, uint32_t n)
{
    const bool is_zeros = machine->frames[frames[0]].place == OL_PLACE_ZEROS;
    uint32_t length = 1;
    if (!is_zeros) n = run_length(machine, frames, n);
    while (length < n && !pmap->frame_of[page + length] &&
           (!is_zeros || machine->frames[frames[length]].place == OL_PLACE_ZEROS))
        length++;
    return length;
}

/* Enters some of frames[0..n), at least one; *entered: how many. */
static enum ol_status enter_run(struct ol_linux *machine, struct ol_pmap *pmap, char *address,
                                const ol_frame_no *frames, uint32_t n, unsigned rights, unsigned access,
                                uint32_t *entered)
{
    struct ol_linux_frame *first = &machine->frames[frames[0]];
    const uint64_t page = ol_linux_page_index(pmap, address);
    const bool writable = rights & OL_WRITE;
    *entered = 1;
    if (pmap->frame_of[page] == frames[0] + 1) { /* only the rights change */
        if (machine->mechanism->change(pmap, address, writable)) return OL_E_NO_META;
        first->rights = rights & 7U;
        return OL_OK;
    }
    if (pmap->frame_of[page]) {
        const ol_frame_no other = pmap->frame_of[page] - 1;
        (void)pmap_frame_protect(machine, &other, 1, OL_NONE);
    }
    if (first->place == OL_PLACE_WINDOW) (void)pmap_frame_protect(machine, frames, 1, OL_NONE); /* it moves */
    n = enter_length(machine, pmap, page, frames, n);
    const int error = first->place == OL_PLACE_ZEROS
                          ? machine->mechanism->show_zeros(pmap, address, frames, n, writable, access, entered)
                          : move_in(pmap, address, frames, n, writable, entered);
    if (error) return OL_E_NO_META;
    for (uint32_t i = 0; i < *entered; i++) {
        struct ol_linux_frame *frame = &machine->frames[frames[i]];
        place_at(frame, OL_PLACE_WINDOW, address + ol_linux_bytes(i));
        frame->rights = rights & 7U;
        note_mapped(pmap, page + i, frames[i]);
    }
    return OL_OK;
}

static enum ol_status enter_all(struct ol_linux *machine, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames,
                                uint32_t n, unsigned rights, unsigned access)
{
    char *address = ol_linux_address(pmap, va);
    uint32_t entered;
    for (uint32_t done = 0; done < n; done += entered) {
        const enum ol_status status =
            enter_run(machine, pmap, address + ol_linux_bytes(done), frames + done, n - done, rights, access, &entered);
        if (status == OL_OK) continue;
        (void)pmap_frame_protect(machine, frames, done, OL_NONE);
        return status;
    }
    return OL_OK;
}

static enum ol_status pmap_enter(void *context, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                                 unsigned rights, unsigned access)
{
    struct ol_linux *machine = context;
    bool (*make_room)(struct ol_linux *, bool) = machine->mechanism->make_room;
    if (make_room) (void)make_room(machine, false);
    enum ol_status status = enter_all(machine, pmap, va, frames, n, rights, access);
    if (status != OL_OK && make_room && make_room(machine, true))
        status = enter_all(machine, pmap, va, frames, n, rights, access);
    return status;
}

static bool pmap_query(void *context, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out)
{
    const struct ol_linux *machine = context;
    const uint32_t entry = pmap->frame_of[ol_linux_page_index(pmap, ol_linux_address(pmap, va))];
    if (!entry) return false;
    out->frame = entry - 1;
    out->rights = machine->frames[out->frame].rights;
    out->shift = OL_LINUX_PAGE_SHIFT;
    return true;
}

static void pmap_wire(void *context, ol_frame_no number, bool wired)
{
    struct ol_linux *machine = context;
    machine->frames[number].wired = wired;
}

static unsigned pmap_test_clear(void *context, ol_frame_no frame, unsigned attributes)
{
    (void)context;
    (void)frame;
    (void)attributes;
    return 0; /* this machine has none, and says so */
}

static void pmap_sync(void *context)
{
    (void)context; /* the kernel flushes TLBs before its calls return */
}

/* --- physical memory
 * ---------------------------------------------------------------------------------------------------- */

static void *frame_map(void *context, ol_frame_no number)
{
    struct ol_linux *machine = context;
    struct ol_linux_frame *frame = &machine->frames[number];
    uint32_t length;
    assert(frame->place != OL_PLACE_WINDOW);
    if (frame->place != OL_PLACE_ARENA) /* where there was no memory the kernel gives zeros */
        place_at(frame, OL_PLACE_ARENA, ol_arena_take(&machine->arena, 1, &length));
    return ol_linux_frame_address(frame);
}

static void frame_unmap(void *context, ol_frame_no number)
{
    (void)context;
    (void)number;
}

static void frame_copy(void *context, ol_frame_no to, ol_frame_no from)
{
    struct ol_linux *machine = context;
    const struct ol_linux_frame *frame = &machine->frames[from];
    const void *source = frame->place == OL_PLACE_WINDOW ? ol_linux_frame_address(frame) : frame_map(machine, from);
    memcpy(frame_map(machine, to), source, OL_LINUX_PAGE_BYTES);
}

static void frame_discard(void *context, ol_frame_no number)
{
    struct ol_linux *machine = context;
    struct ol_linux_frame *frame = &machine->frames[number];
    assert(frame->place != OL_PLACE_WINDOW);
    if (frame->place == OL_PLACE_ARENA) {
        (void)madvise(ol_linux_frame_address(frame), OL_LINUX_PAGE_BYTES, MADV_DONTNEED);
        ol_arena_give(&machine->arena, ol_linux_frame_address(frame));
    }
    frame->place = OL_PLACE_NOWHERE;
}

/* Memory that is side by side, in that order; what has none yet comes last and will be given neighbouring slots. */
static void frame_arrange(void *context, ol_frame_no *frames, uint32_t n)
{
    const struct ol_linux *machine = context;
    for (uint32_t i = 1; i < n; i++) {
        const ol_frame_no moved = frames[i];
        const struct ol_linux_frame *frame = &machine->frames[moved];
        uint32_t j = i;
        if (frame->place != OL_PLACE_ARENA) continue;
        for (; j; j--) {
            const struct ol_linux_frame *before = &machine->frames[frames[j - 1]];
            if (before->place == OL_PLACE_ARENA && before->address < frame->address) break;
            frames[j] = frames[j - 1];
        }
        frames[j] = moved;
    }
}

static void frame_zero(void *context, ol_frame_no number)
{
    struct ol_linux *machine = context;
    struct ol_linux_frame *frame = &machine->frames[number];
    if (frame->place == OL_PLACE_ARENA && machine->mechanism->zeros_have_no_memory) frame_discard(machine, number);
    if (frame->place == OL_PLACE_ARENA) memset(ol_linux_frame_address(frame), 0, OL_LINUX_PAGE_BYTES);
    else frame->place = OL_PLACE_ZEROS;
}

const struct ol_pmap_ops ol_linux_pmap_ops = {
    .create = ol_linux_pmap_create,
    .destroy = ol_linux_pmap_destroy,
    .enter = pmap_enter,
    .remove = pmap_remove,
    .protect = pmap_protect,
    .query = pmap_query,
    .frame_protect = pmap_frame_protect,
    .wire = pmap_wire,
    .test_clear = pmap_test_clear,
    .sync = pmap_sync,
    .frame_zero = frame_zero,
    .frame_copy = frame_copy,
    .frame_map = frame_map,
    .frame_unmap = frame_unmap,
    .frame_discard = frame_discard,
    .frame_arrange = frame_arrange,
};
