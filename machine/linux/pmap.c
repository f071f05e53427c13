/* SPDX-License-Identifier: MIT */
/* Mappings of frames into windows of the process; see machine.h for where a frame's memory is. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "machine/linux/internal.h"
#include "pager/reserve.h"

static char *arena_of(const struct ol_linux *machine, ol_frame_no frame)
{
    return machine->arena + (size_t)frame * OL_LINUX_PAGE_BYTES;
}

/* --- which frame a window's page shows -----------------------------------------------------------------------------
 */

static uint64_t page_index(const struct ol_pmap *pmap, const void *address)
{
    return (uint64_t)((const char *)address - pmap->window) / OL_LINUX_PAGE_BYTES;
}

static void note_mapped(struct ol_pmap *pmap, uint64_t page, ol_frame_no frame)
{
    assert(!pmap->frame_of[page]);
    uint16_t *leaf = &pmap->in_leaf[page >> OL_LEAF_SHIFT];
    if (!*leaf) pmap->machine->tables_bytes += OL_LEAF_BYTES;
    *leaf = (uint16_t)((*leaf | OL_LEAF_USED) + 1);
    pmap->frame_of[page] = frame + 1;
    pmap->in_trunk[page >> OL_TRUNK_SHIFT]++;
}

static void note_unmapped(struct ol_pmap *pmap, uint64_t page)
{
    assert(pmap->frame_of[page]);
    pmap->frame_of[page] = 0;
    pmap->in_leaf[page >> OL_LEAF_SHIFT]--;
    pmap->in_trunk[page >> OL_TRUNK_SHIFT]--;
}

/* The first mapped page in [page, end), or end. Empty leaves and trunks are passed over whole. */
static uint64_t next_mapped(const struct ol_pmap *pmap, uint64_t page, uint64_t end)
{
    while (page < end) {
        if (!pmap->in_trunk[page >> OL_TRUNK_SHIFT]) page = ((page >> OL_TRUNK_SHIFT) + 1) << OL_TRUNK_SHIFT;
        else if (!(pmap->in_leaf[page >> OL_LEAF_SHIFT] & ~OL_LEAF_USED))
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

/* Copies a page of the window into its slot. False if there is no page: touching it would fault right here, so the
 * kernel is asked to read it. */
static bool read_window(struct ol_linux *machine, ol_frame_no frame, char *address)
{
    struct iovec to = {arena_of(machine, frame), OL_LINUX_PAGE_BYTES}, from = {address, OL_LINUX_PAGE_BYTES};
    const ssize_t got = process_vm_readv(machine->pid, &to, 1, &from, 1, 0);
    if (got == OL_LINUX_PAGE_BYTES) return true;
    if (errno == EFAULT) return false;
    memcpy(to.iov_base, address, OL_LINUX_PAGE_BYTES); /* the call is forbidden here */
    return true;
}

/* The copying way: no thread can write once the page is protected; it then waits in its fault for the core's lock.
 * No page here, and none in the slot, which was empty: it was dropped behind our back, and is zeros as for anyone. */
static void copy_out(struct ol_linux *machine, ol_frame_no frame, char *address)
{
    (void)ol_uffd_protect(&machine->uffd, address, OL_LINUX_PAGE_BYTES, true);
    if (!read_window(machine, frame, address) && !ol_uffd_is_present(arena_of(machine, frame)))
        memset(arena_of(machine, frame), 0, OL_LINUX_PAGE_BYTES);
    (void)madvise(address, OL_LINUX_PAGE_BYTES, MADV_DONTNEED);
}

/* One page from its window to its slot. */
static void move_out_one(struct ol_linux *machine, ol_frame_no frame, char *address)
{
    size_t moved = 0;
    if (!machine->uffd.can_move ||
        ol_uffd_move(&machine->uffd, arena_of(machine, frame), address, OL_LINUX_PAGE_BYTES, &moved))
        copy_out(machine, frame, address);
}

/* After the memory is back in the slot. */
static void note_moved_out(struct ol_linux *machine, ol_frame_no number)
{
    struct ol_linux_frame *frame = &machine->frames[number];
    char *address = ol_linux_frame_address(frame);
    struct ol_pmap *pmap = pmap_of_address(machine, address);
    note_unmapped(pmap, page_index(pmap, address));
    frame->place = OL_PLACE_ARENA;
}

/* Moves a run of frames, neighbours both in the arena and in the window. */
static void move_out_run(struct ol_linux *machine, ol_frame_no first, uint32_t n)
{
    char *address = ol_linux_frame_address(&machine->frames[first]);
    size_t moved = 0;
    if (n > 1 && machine->uffd.can_move)
        (void)ol_uffd_move(&machine->uffd, arena_of(machine, first), address, (size_t)n * OL_LINUX_PAGE_BYTES, &moved);
    for (uint32_t i = (uint32_t)(moved / OL_LINUX_PAGE_BYTES); i < n; i++)
        move_out_one(machine, first + i, address + (size_t)i * OL_LINUX_PAGE_BYTES);
    for (uint32_t i = 0; i < n; i++) note_moved_out(machine, first + i);
}

/* How many of frames[0..n) continue frames[0] both in the arena and in the window. */
static uint32_t run_length(const struct ol_linux *machine, const ol_frame_no *frames, uint32_t n)
{
    const struct ol_linux_frame *first = &machine->frames[frames[0]];
    uint32_t length = 1;
    while (length < n && frames[length] == frames[0] + length) {
        const struct ol_linux_frame *next = &machine->frames[frames[length]];
        if (next->place != OL_PLACE_WINDOW || next->address != first->address + (uint64_t)length * OL_LINUX_PAGE_BYTES)
            break;
        length++;
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
        move_out_run(machine, frames[i], length);
        i += length;
    }
    return n;
}

static void pmap_protect(void *context, struct ol_pmap *pmap, ol_va va, uint64_t pages, unsigned rights)
{
    struct ol_linux *machine = context;
    const uint64_t first = page_index(pmap, ol_linux_address(pmap, va)), end = first + pages;
    for (uint64_t page = next_mapped(pmap, first, end); page < end; page = next_mapped(pmap, page + 1, end)) {
        const ol_frame_no frame = pmap->frame_of[page] - 1;
        (void)pmap_frame_protect(machine, &frame, 1, rights);
    }
}

static void pmap_remove(void *context, struct ol_pmap *pmap, ol_va va, uint64_t pages)
{
    pmap_protect(context, pmap, va, pages, OL_NONE);
}

/* --- entering mappings
 * ------------------------------------------------------------------------------------------------ */

/* The page's memory goes from the slot to an absent place of the window. Returns an errno. */
static int move_in(struct ol_linux *machine, ol_frame_no frame, char *address, bool writable)
{
    size_t moved = 0;
    if (writable && machine->uffd.can_move) {
        const int error = ol_uffd_move(&machine->uffd, address, arena_of(machine, frame), OL_LINUX_PAGE_BYTES, &moved);
        if (error != EBUSY) return error; /* EBUSY: shared with a forked process; a copy is as good */
    }
    const int error = ol_uffd_copy(&machine->uffd, address, arena_of(machine, frame), OL_LINUX_PAGE_BYTES, !writable);
    if (!error) (void)madvise(arena_of(machine, frame), OL_LINUX_PAGE_BYTES, MADV_DONTNEED);
    return error;
}

static const char zeros[OL_LINUX_PAGE_BYTES] __attribute__((aligned(OL_LINUX_PAGE_BYTES)));

/* Zeros that are not anywhere yet: a read gets the kernel's page of zeros, a write a page of its own at once. */
static int zero_in(struct ol_linux *machine, char *address, bool writable, unsigned access)
{
    if (writable && !(access & OL_WRITE)) return ol_uffd_zero(&machine->uffd, address, OL_LINUX_PAGE_BYTES);
    return ol_uffd_copy(&machine->uffd, address, zeros, OL_LINUX_PAGE_BYTES, !writable);
}

static enum ol_status enter_one(struct ol_linux *machine, struct ol_pmap *pmap, char *address, ol_frame_no number,
                                unsigned rights, unsigned access)
{
    struct ol_linux_frame *frame = &machine->frames[number];
    const uint64_t page = page_index(pmap, address);
    const bool writable = rights & OL_WRITE;
    if (pmap->frame_of[page] == number + 1) { /* only the rights change */
        if (ol_uffd_protect(&machine->uffd, address, OL_LINUX_PAGE_BYTES, !writable)) return OL_E_NO_META;
        frame->rights = rights & 7U;
        return OL_OK;
    }
    if (pmap->frame_of[page]) {
        const ol_frame_no other = pmap->frame_of[page] - 1;
        (void)pmap_frame_protect(machine, &other, 1, OL_NONE);
    }
    (void)pmap_frame_protect(machine, &number, 1, OL_NONE); /* it may be mapped elsewhere: it moves */
    const int error = frame->place == OL_PLACE_ZEROS ? zero_in(machine, address, writable, access)
                                                     : move_in(machine, number, address, writable);
    if (error) return OL_E_NO_META;
    frame->place = OL_PLACE_WINDOW;
    frame->address = (uint64_t)(uintptr_t)address & 0xffffffffffff;
    frame->rights = rights & 7U;
    note_mapped(pmap, page, number);
    return OL_OK;
}

static enum ol_status pmap_enter(void *context, struct ol_pmap *pmap, ol_va va, const ol_frame_no *frames, uint32_t n,
                                 unsigned rights, unsigned access)
{
    struct ol_linux *machine = context;
    enum ol_status status = OL_OK;
    char *address = ol_linux_address(pmap, va);
    uint32_t done = 0;
    for (; done < n && status == OL_OK; done++)
        status = enter_one(machine, pmap, address + (size_t)done * OL_LINUX_PAGE_BYTES, frames[done], rights, access);
    if (status != OL_OK) (void)pmap_frame_protect(machine, frames, done - 1, OL_NONE);
    return status;
}

static bool pmap_query(void *context, const struct ol_pmap *pmap, ol_va va, struct ol_mapping *out)
{
    const struct ol_linux *machine = context;
    const uint32_t entry = pmap->frame_of[page_index(pmap, ol_linux_address(pmap, va))];
    if (!entry) return false;
    out->frame = entry - 1;
    out->rights = machine->frames[out->frame].rights;
    return true;
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
    assert(frame->place != OL_PLACE_WINDOW);
    frame->place = OL_PLACE_ARENA; /* where there was no memory the kernel gives zeros */
    return arena_of(machine, number);
}

static void frame_unmap(void *context, ol_frame_no number)
{
    (void)context;
    (void)number;
}

static void frame_zero(void *context, ol_frame_no number)
{
    struct ol_linux *machine = context;
    struct ol_linux_frame *frame = &machine->frames[number];
    if (frame->place == OL_PLACE_ARENA) memset(arena_of(machine, number), 0, OL_LINUX_PAGE_BYTES);
    else frame->place = OL_PLACE_ZEROS;
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
    if (frame->place == OL_PLACE_ARENA) (void)madvise(arena_of(machine, number), OL_LINUX_PAGE_BYTES, MADV_DONTNEED);
    frame->place = OL_PLACE_NOWHERE;
}

const struct ol_pmap_ops ol_linux_pmap_ops = {
    .create = ol_linux_pmap_create,
    .destroy = ol_linux_pmap_destroy,
    .enter = pmap_enter,
    .remove = pmap_remove,
    .protect = pmap_protect,
    .query = pmap_query,
    .frame_protect = pmap_frame_protect,
    .test_clear = pmap_test_clear,
    .sync = pmap_sync,
    .frame_zero = frame_zero,
    .frame_copy = frame_copy,
    .frame_map = frame_map,
    .frame_unmap = frame_unmap,
    .frame_discard = frame_discard,
};
