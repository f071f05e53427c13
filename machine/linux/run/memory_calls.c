/* SPDX-License-Identifier: MIT */
/*
 * mmap and its kin, answered from the window.
 *
 * Managed: anonymous private memory of at least OL_RUN_THRESHOLD_BYTES, and the heap from OL_HEAP_MANAGED on. Not
 * managed, because something else than the program's own instructions must always find it: stacks, executable memory,
 * locked or huge pages, the lowest 2 GiB (MAP_32BIT), and everything shared or of a file.
 *
 * What the program maps at a fixed place inside the window and is not managed (a file over a part of a reservation) is
 * "foreign": the kernel's, with a region of no rights in the core that keeps the place. So is the heap's beginning.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "machine/linux/run/foreign.h"
#include "machine/linux/run/runtime.h"
#include "machine/linux/run/wires.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef PROT_SEM
#define PROT_SEM 8
#endif

static struct ol_space *space(void)
{
    return ol_runtime.memory->space;
}

static uint64_t pages_of(unsigned long bytes)
{
    return bytes / OL_RUN_PAGE_BYTES + (bytes % OL_RUN_PAGE_BYTES != 0);
}

static unsigned long round_up(unsigned long bytes)
{
    return pages_of(bytes) * OL_RUN_PAGE_BYTES;
}

static bool is_aligned(unsigned long address)
{
    return address % OL_RUN_PAGE_BYTES == 0;
}

/* As x86-64 has it: what can be written can be read. */
static unsigned rights_of(long prot)
{
    if (prot & PROT_WRITE) return OL_READ | OL_WRITE;
    return prot & (PROT_READ | PROT_EXEC) ? OL_READ : OL_NONE;
}

static long errno_of(enum ol_status status)
{
    switch (status) {
    case OL_OK: return 0;
    case OL_E_INVALID: return -EINVAL;
    case OL_E_OVERLAP: return -EEXIST;
    case OL_E_RIGHTS: return -EACCES;
    case OL_E_IO: return -EIO;
    default: return -ENOMEM;
    }
}

static bool span_in_window(unsigned long address, unsigned long bytes)
{
    return ol_in_window(address) && bytes <= OL_WINDOW_FIRST + OL_WINDOW_BYTES - address;
}

static bool is_mapped(unsigned long address, unsigned long bytes)
{
    struct ol_region_info region;
    const unsigned long end = address + bytes;
    while (address < end && ol_region_next(space(), address, &region) && region.va <= address)
        address = region.va + region.pages * OL_RUN_PAGE_BYTES;
    return address >= end;
}

/* --- mmap, munmap
 * ----------------------------------------------------------------------------------------------------- */

static bool is_manageable(const struct ol_call *call)
{
    const long prot = call->argument[2], flags = call->argument[3];
    const long kind =
        MAP_ANONYMOUS | MAP_PRIVATE | MAP_SHARED | MAP_STACK | MAP_GROWSDOWN | MAP_HUGETLB | MAP_32BIT | MAP_LOCKED;
    return (flags & kind) == (MAP_ANONYMOUS | MAP_PRIVATE) && !(prot & PROT_EXEC);
}

static long map_anywhere(struct ol_call *call, unsigned long bytes)
{
    const unsigned long hint = (unsigned long)call->argument[0];
    const unsigned long from = ol_in_window(hint) && hint >= OL_HEAP_MANAGED
                                   ? hint & ~(unsigned long)(OL_RUN_PAGE_BYTES - 1)
                                   : OL_WINDOW_FIRST + OL_HEAP_BYTES;
    ol_va va;
    const enum ol_status status = ol_region_map(space(), from, pages_of(bytes), rights_of(call->argument[2]), 0, &va);
    if (status != OL_OK) return errno_of(status);
    if (va >= OL_HEAP_MANAGED) return (long)va;
    (void)ol_region_unmap(space(), va, pages_of(bytes)); /* all else is full */
    return -ENOMEM;
}

static long map_fixed(struct ol_call *call, unsigned long address, unsigned long bytes)
{
    const bool no_replace = call->argument[3] & MAP_FIXED_NOREPLACE;
    if (!is_aligned(address)) return -EINVAL;
    if (!no_replace) (void)ol_foreign_return(address, bytes);
    const bool managed = is_manageable(call) && address >= OL_HEAP_MANAGED;
    const unsigned flags = OL_MAP_FIXED | (no_replace ? 0U : OL_MAP_REPLACE);
    const unsigned rights = managed ? rights_of(call->argument[2]) : OL_NONE;
    const enum ol_status status = ol_region_map(space(), address, pages_of(bytes), rights, flags, NULL);
    if (status != OL_OK) return errno_of(status);
    if (managed) return (long)address;
    struct ol_call real = *call;
    real.argument[3] = (call->argument[3] & ~MAP_FIXED_NOREPLACE) | MAP_FIXED;
    return ol_foreign_take(address, bytes) ? ol_call_raw(&real) : -ENOMEM;
}

static long call_mmap(struct ol_call *call)
{
    const unsigned long address = (unsigned long)call->argument[0], bytes = (unsigned long)call->argument[1];
    const bool fixed = call->argument[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    if (fixed)
        return span_in_window(address, bytes) && bytes ? map_fixed(call, address, round_up(bytes)) : ol_call_raw(call);
    if (bytes < OL_RUN_THRESHOLD_BYTES || bytes > OL_WINDOW_BYTES || !is_manageable(call)) return ol_call_raw(call);
    return map_anywhere(call, bytes);
}

static long call_munmap(struct ol_call *call)
{
    const unsigned long address = (unsigned long)call->argument[0], bytes = (unsigned long)call->argument[1];
    if (!bytes || !span_in_window(address, bytes)) return ol_call_raw(call);
    if (!is_aligned(address)) return -EINVAL;
    if (!ol_foreign_return(address, round_up(bytes))) return -ENOMEM;
    return errno_of(ol_region_unmap(space(), address, pages_of(bytes)));
}

/* --- mprotect
 * --------------------------------------------------------------------------------------------------------- */

typedef long managed_call(const struct ol_call *call, unsigned long address, unsigned long bytes);

/* Does a call on a range of the window part by part: what is foreign the kernel does, the rest `managed`. */
static long call_in_parts(const struct ol_call *call, unsigned long address, unsigned long bytes, managed_call *managed)
{
    const unsigned long end = address + bytes;
    uint64_t foreign, foreign_end;
    long result = 0;
    while (address < end && result == 0) {
        if (!ol_foreign_next(address, &foreign, &foreign_end) || foreign > end) foreign = foreign_end = end;
        if (foreign > address) result = managed(call, address, foreign - address);
        if (foreign_end > end) foreign_end = end;
        struct ol_call real = *call;
        real.argument[0] = (long)foreign;
        real.argument[1] = (long)(foreign_end - foreign);
        if (result == 0 && foreign_end > foreign) result = ol_call_raw(&real);
        address = foreign_end;
    }
    return result;
}

/* Managed memory that becomes executable (a program that translates code) stays resident and becomes the kernel's,
 * who alone knows its rights from then on. */
static long make_executable(const struct ol_call *call, unsigned long address, unsigned long bytes)
{
    const uint64_t pages = pages_of(bytes);
    struct ol_call real = *call;
    real.argument[0] = (long)address;
    real.argument[1] = (long)bytes;
    if (ol_region_protect(space(), address, pages, OL_READ | OL_WRITE) != OL_OK ||
        ol_space_wire(space(), address, pages, OL_WRITE) != OL_OK)
        return -ENOMEM;
    if (!ol_foreign_take(address, bytes)) {
        ol_space_unwire(space(), address, pages);
        return -ENOMEM;
    }
    atomic_fetch_add(&ol_runtime.shared->executable_bytes, bytes);
    return ol_call_raw(&real);
}

static long protect_managed(const struct ol_call *call, unsigned long address, unsigned long bytes)
{
    if (!is_mapped(address, bytes)) return -ENOMEM;
    if (call->argument[2] & PROT_EXEC) return make_executable(call, address, bytes);
    return errno_of(ol_region_protect(space(), address, pages_of(bytes), rights_of(call->argument[2])));
}

static long call_mprotect(const struct ol_call *call)
{
    const unsigned long address = (unsigned long)call->argument[0], bytes = round_up((unsigned long)call->argument[1]);
    const long known = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM;
    if (!bytes || !span_in_window(address, bytes)) return ol_call_raw(call);
    if (!is_aligned(address) || call->argument[2] & ~known) return -EINVAL;
    return call_in_parts(call, address, bytes, protect_managed);
}

/* Of protection keys only the default one: the window has no others. */
static long call_pkey_mprotect(const struct ol_call *call)
{
    return call->argument[3] == -1 ? call_mprotect(call) : -EINVAL;
}

/* --- mremap
 * ----------------------------------------------------------------------------------------------------------- */

struct move {
    unsigned long from, old_bytes, new_bytes, to;
    long flags;
};

static long move_to(const struct move *move, unsigned long to)
{
    return errno_of(ol_region_move(space(), move->from, pages_of(move->old_bytes), to, pages_of(move->new_bytes)));
}

static long move_anywhere(const struct move *move)
{
    ol_va to;
    const enum ol_status status =
        ol_region_find_gap(space(), OL_WINDOW_FIRST + OL_HEAP_BYTES, pages_of(move->new_bytes), &to);
    if (status != OL_OK || to < OL_HEAP_MANAGED) return -ENOMEM;
    const long result = move_to(move, to);
    return result ? result : (long)to;
}

/* To a place outside the window: a copy, which is the kernel's from then on. Only pages that exist are copied. */
static long move_outside(const struct move *move)
{
    const long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    struct ol_region_info region = {.rights = OL_NONE};
    char *to = (char *)(uintptr_t)move->to;
    (void)ol_region_next(space(), move->from, &region);
    if (ol_region_protect(space(), move->from, pages_of(move->old_bytes), OL_READ) != OL_OK) return -ENOMEM;
    const long made = ol_raw(SYS_mmap, (long)move->to, (long)move->new_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (made < 0) {
        (void)ol_region_protect(space(), move->from, pages_of(move->old_bytes), region.rights);
        return made;
    }
    for (unsigned long at = 0; at < move->old_bytes; at += OL_RUN_PAGE_BYTES)
        if (ol_page_residence(space(), move->from + at) != OL_ABSENT)
            memcpy(to + at, (const char *)(uintptr_t)(move->from + at), OL_RUN_PAGE_BYTES);
    const long prot = (region.rights & OL_READ ? PROT_READ : 0) | (region.rights & OL_WRITE ? PROT_WRITE : 0);
    (void)ol_raw(SYS_mprotect, (long)move->to, (long)move->new_bytes, prot, 0, 0, 0);
    const enum ol_status status = ol_region_unmap(space(), move->from, pages_of(move->old_bytes));
    return status == OL_OK ? (long)move->to : errno_of(status);
}

static long move_fixed(const struct move *move)
{
    if (!ol_in_window(move->to)) return move_outside(move);
    if (move->to < OL_HEAP_MANAGED) return -ENOMEM;
    if (!ol_foreign_return(move->to, move->new_bytes)) return -ENOMEM;
    const enum ol_status status = ol_region_unmap(space(), move->to, pages_of(move->new_bytes));
    if (status != OL_OK) return errno_of(status);
    const long result = move_to(move, move->to);
    return result ? result : (long)move->to;
}

/* What the kernel has is moved into the window: there it is foreign. */
static long move_inside(struct ol_call *call)
{
    const unsigned long to = (unsigned long)call->argument[4], bytes = round_up((unsigned long)call->argument[2]);
    if (!is_aligned(to) || !bytes || !span_in_window(to, bytes)) return -EINVAL;
    if (!ol_foreign_return(to, bytes)) return -ENOMEM;
    const enum ol_status status =
        ol_region_map(space(), to, pages_of(bytes), OL_NONE, OL_MAP_FIXED | OL_MAP_REPLACE, NULL);
    if (status != OL_OK) return errno_of(status);
    if (!ol_foreign_take(to, bytes)) return -ENOMEM;
    const long result = ol_call_raw(call);
    if (result < 0 && ol_foreign_return(to, bytes)) (void)ol_region_unmap(space(), to, pages_of(bytes));
    return result;
}

/* True if all of it is the kernel's own: code that was managed once still has pages of the core. */
static bool is_foreign(unsigned long address, unsigned long bytes)
{
    struct ol_region_info region;
    uint64_t first, end;
    if (!ol_foreign_next(address, &first, &end) || first != address || end < address + bytes) return false;
    for (unsigned long at = address; at < address + bytes; at = region.va + region.pages * OL_RUN_PAGE_BYTES)
        if (!ol_region_next(space(), at, &region) || region.rights != OL_NONE) return false;
    return true;
}

/* The kernel moves what it has; where that was in the window, nothing is. */
static long move_foreign(struct ol_call *call, const struct move *move)
{
    const bool inside = move->flags & MREMAP_FIXED && ol_in_window(move->to);
    const long result = inside ? move_inside(call) : ol_call_raw(call);
    if (result < 0 || move->flags & MREMAP_DONTUNMAP) return result;
    const unsigned long kept = result == (long)move->from ? move->new_bytes : 0;
    if (kept < move->old_bytes && ol_foreign_return(move->from + kept, move->old_bytes - kept))
        (void)ol_region_unmap(space(), move->from + kept, pages_of(move->old_bytes - kept));
    return result;
}

/* 0, or what the kernel would say before it did anything. */
static long check_move(const struct move *move)
{
    const bool fixed = move->flags & MREMAP_FIXED, stays = move->flags & MREMAP_DONTUNMAP;
    const bool outside = move->to + move->new_bytes <= OL_WINDOW_FIRST ||
                         (move->to >= OL_WINDOW_FIRST + OL_WINDOW_BYTES && move->to + move->new_bytes > move->to);
    if (!is_aligned(move->from) || !move->new_bytes) return -EINVAL;
    if (move->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return -EINVAL;
    if ((fixed || stays) && !(move->flags & MREMAP_MAYMOVE)) return -EINVAL;
    if (stays && move->new_bytes != move->old_bytes) return -EINVAL;
    if (fixed && (!is_aligned(move->to) || (!outside && !span_in_window(move->to, move->new_bytes)))) return -EINVAL;
    if (fixed && move->to < move->from + move->old_bytes && move->from < move->to + move->new_bytes) return -EINVAL;
    return is_mapped(move->from, move->old_bytes) ? 0 : -EFAULT;
}

/* MREMAP_DONTUNMAP: zeros, with the same rights, where the memory was. */
static long move_and_stay(const struct move *move)
{
    struct ol_region_info region = {.rights = OL_NONE};
    (void)ol_region_next(space(), move->from, &region);
    const long to = move->flags & MREMAP_FIXED ? move_fixed(move) : move_anywhere(move);
    if (to < 0) return to;
    const enum ol_status status =
        ol_region_map(space(), move->from, pages_of(move->old_bytes), region.rights, OL_MAP_FIXED, NULL);
    return status == OL_OK ? to : errno_of(status);
}

static long call_mremap(struct ol_call *call)
{
    struct move move = {.from = (unsigned long)call->argument[0],
                        .old_bytes = round_up((unsigned long)call->argument[1]),
                        .new_bytes = round_up((unsigned long)call->argument[2]),
                        .flags = call->argument[3],
                        .to = (unsigned long)call->argument[4]};
    if (!ol_in_window(move.from))
        return move.flags & MREMAP_FIXED && ol_in_window(move.to) ? move_inside(call) : ol_call_raw(call);
    if (!move.old_bytes || !span_in_window(move.from, move.old_bytes)) return ol_call_raw(call);
    const long error = check_move(&move);
    if (error) return error;
    if (is_foreign(move.from, move.old_bytes)) return move_foreign(call, &move);
    if (ol_foreign_overlaps(move.from, move.old_bytes)) return -EINVAL;
    if (move.flags & MREMAP_DONTUNMAP) return move_and_stay(&move);
    if (move.new_bytes < move.old_bytes) {
        const unsigned long cut = move.old_bytes - move.new_bytes;
        const enum ol_status status = ol_region_unmap(space(), move.from + move.new_bytes, pages_of(cut));
        if (status != OL_OK) return errno_of(status);
        move.old_bytes = move.new_bytes;
    }
    if (move.flags & MREMAP_FIXED) return move_fixed(&move);
    if (move_to(&move, move.from) == 0) return (long)move.from;
    return move.flags & MREMAP_MAYMOVE ? move_anywhere(&move) : -ENOMEM;
}

/* --- the heap
 * --------------------------------------------------------------------------------------------------------- */

void ol_heap_init(void)
{
    atomic_store(&ol_runtime.break_end, OL_WINDOW_FIRST);
}

static bool shrink_heap(unsigned long first, unsigned long end)
{
    return first >= end || (ol_foreign_return_locked(first, end - first) &&
                            ol_region_unmap(space(), first, pages_of(end - first)) == OL_OK);
}

static bool grow_foreign(unsigned long first, unsigned long end)
{
    const unsigned long bytes = end - first;
    if (first >= end) return true;
    if (ol_region_map(space(), first, pages_of(bytes), OL_NONE, OL_MAP_FIXED, NULL) != OL_OK) return false;
    if (ol_foreign_take_locked(first, bytes) && ol_raw(SYS_mmap, (long)first, (long)bytes, PROT_READ | PROT_WRITE,
                                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (long)first)
        return true;
    (void)shrink_heap(first, end);
    return false;
}

/* One region that grows, unless its last page has other rights by now. */
static bool grow_managed(unsigned long first, unsigned long end)
{
    const unsigned long last_page = first - OL_RUN_PAGE_BYTES;
    struct ol_region_info region;
    if (first >= end) return true;
    const bool is_new =
        first == OL_HEAP_MANAGED || !ol_region_next(space(), OL_HEAP_MANAGED, &region) || region.va >= end;
    if (!is_new && ol_region_move(space(), last_page, 1, last_page, pages_of(end - first) + 1) == OL_OK) return true;
    return ol_region_map(space(), first, pages_of(end - first), OL_READ | OL_WRITE, OL_MAP_FIXED, NULL) == OL_OK;
}

static bool grow_heap(unsigned long first, unsigned long end)
{
    const unsigned long foreign_end = end < OL_HEAP_MANAGED ? end : OL_HEAP_MANAGED;
    const unsigned long managed = first > OL_HEAP_MANAGED ? first : OL_HEAP_MANAGED;
    if (!grow_foreign(first, foreign_end)) return false;
    if (grow_managed(managed, end)) return true;
    (void)shrink_heap(first, foreign_end);
    return false;
}

/* The program's break moved to `wanted`, or as it is if that cannot be. */
static long move_break(unsigned long wanted)
{
    const unsigned long now = atomic_load(&ol_runtime.break_end);
    const unsigned long old_end = OL_WINDOW_FIRST + round_up(now - OL_WINDOW_FIRST);
    if (wanted < OL_WINDOW_FIRST || wanted > OL_WINDOW_FIRST + OL_HEAP_BYTES) return (long)now;
    const unsigned long new_end = OL_WINDOW_FIRST + round_up(wanted - OL_WINDOW_FIRST);
    const bool moved = new_end < old_end ? shrink_heap(new_end, old_end) : grow_heap(old_end, new_end);
    if (moved) atomic_store(&ol_runtime.break_end, wanted);
    return (long)(moved ? wanted : now);
}

static long call_brk(const struct ol_call *call)
{
    ol_futex_lock(&ol_runtime.lock);
    const long result = move_break((unsigned long)call->argument[0]);
    ol_futex_unlock(&ol_runtime.lock);
    return result;
}

/* --- advice and locking
 * ------------------------------------------------------------------------------------------------ */

static long populate(unsigned long address, unsigned long bytes, unsigned access)
{
    for (unsigned long at = address; at < address + bytes; at += OL_RUN_PAGE_BYTES) {
        const enum ol_status status = ol_fault(space(), at, access);
        if (status != OL_OK) return status == OL_E_RIGHTS ? -EINVAL : errno_of(status);
    }
    return 0;
}

static long advise_managed(const struct ol_call *call, unsigned long address, unsigned long bytes)
{
    const long rest = is_mapped(address, bytes) ? 0 : -ENOMEM; /* what is mapped is advised all the same */
    switch (call->argument[2]) {
    case MADV_DONTNEED:
    case MADV_FREE: {
        const long result = errno_of(ol_space_discard(space(), address, pages_of(bytes)));
        return result ? result : rest;
    }
    case MADV_POPULATE_READ: return rest ? rest : populate(address, bytes, OL_READ);
    case MADV_POPULATE_WRITE: return rest ? rest : populate(address, bytes, OL_WRITE);
    case MADV_REMOVE:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK: return -EINVAL; /* as a kernel that does not know them for this memory */
    default: return rest;                 /* advice that changes no contents */
    }
}

/* Whether the kernel knows this advice at all: asked about no memory. */
static bool is_advice(const struct ol_call *call)
{
    struct ol_call nothing = *call;
    nothing.argument[1] = 0;
    return ol_call_raw(&nothing) == 0;
}

static long call_madvise(const struct ol_call *call)
{
    const unsigned long address = (unsigned long)call->argument[0], bytes = round_up((unsigned long)call->argument[1]);
    if (!bytes || !span_in_window(address, bytes)) return ol_call_raw(call);
    return is_aligned(address) && is_advice(call) ? call_in_parts(call, address, bytes, advise_managed) : -EINVAL;
}

static long call_mincore(const struct ol_call *call)
{
    const unsigned long address = (unsigned long)call->argument[0], bytes = round_up((unsigned long)call->argument[1]);
    unsigned char *vector = (unsigned char *)(uintptr_t)call->argument[2];
    struct ol_wires wires = {.count = 0};
    if (!is_aligned(address)) return -EINVAL;
    if (!is_mapped(address, bytes)) return -ENOMEM;
    /* The kernel finds out whether the vector can be written; what it says is of the window, not of the memory. */
    long result = ol_wires_add(&wires, (unsigned long)call->argument[2], pages_of(bytes), OL_WRITE);
    if (result == 0) result = ol_call_raw(call);
    for (unsigned long at = 0; result == 0 && at < bytes; at += OL_RUN_PAGE_BYTES)
        if (!ol_foreign_overlaps(address + at, 1))
            vector[at / OL_RUN_PAGE_BYTES] = ol_page_residence(space(), address + at) == OL_RESIDENT;
    ol_wires_release(&wires);
    return result;
}

/* Locked memory is managed like any other: the program can tell by nothing but time. What is wrong is told. */
static long call_lock(const struct ol_call *call)
{
    const unsigned long offset = (unsigned long)call->argument[0] % OL_RUN_PAGE_BYTES;
    const unsigned long address = (unsigned long)call->argument[0] - offset;
    const bool sync = call->number == SYS_msync;
    const long flags = call->argument[2];
    if (call->number == SYS_mlock2 && flags & ~MLOCK_ONFAULT) return -EINVAL;
    if (sync && (offset || flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (flags & MS_ASYNC && flags & MS_SYNC)))
        return -EINVAL;
    return is_mapped(address, round_up((unsigned long)call->argument[1] + offset)) ? 0 : -ENOMEM;
}

/* It would fill the whole window with memory. */
static long call_lock_all(const struct ol_call *call)
{
    const long flags = call->argument[0];
    return flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || !(flags & (MCL_CURRENT | MCL_FUTURE)) ? -EINVAL : 0;
}

static bool answer(struct ol_call *call, long *result)
{
    const bool ours = span_in_window((unsigned long)call->argument[0], (unsigned long)call->argument[1]);
    switch (call->number) {
    case SYS_mmap: *result = call_mmap(call); return true;
    case SYS_munmap: *result = call_munmap(call); return true;
    case SYS_mprotect: *result = call_mprotect(call); return true;
    case SYS_pkey_mprotect: *result = call_pkey_mprotect(call); return true;
    case SYS_mremap: *result = call_mremap(call); return true;
    case SYS_brk: *result = call_brk(call); return true;
    case SYS_madvise: *result = call_madvise(call); return true;
    case SYS_mincore: *result = ours ? call_mincore(call) : ol_call_raw(call); return true;
    case SYS_mlockall: *result = call_lock_all(call); return true;
    case SYS_munlockall: *result = 0; return true;
    case SYS_mlock:
    case SYS_mlock2:
    case SYS_munlock:
    case SYS_msync: *result = ours ? call_lock(call) : ol_call_raw(call); return true;
    default: return false;
    }
}

/* Regions are tables, too, and a program may change many of them between two faults. */
bool ol_memory_call(struct ol_call *call, long *result)
{
    if (!answer(call, result)) return false;
    ol_memory_tend(ol_runtime.memory);
    return true;
}
