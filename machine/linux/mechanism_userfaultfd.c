/* SPDX-License-Identifier: MIT */
/*
 * Faults by userfaultfd. Memory moves between slots and windows with UFFDIO_MOVE; where that is missing or refuses, a
 * copy does the same work.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "machine/linux/mechanism.h"

/* --- windows and arena -----------------------------------------------------------------------------------------------
 */

/* The target of a move must be registered with the same descriptor. A window cannot be forked, so neither need this. */
static bool register_arena(const struct ol_linux *machine)
{
    const struct ol_arena *arena = &machine->arena;
    if (machine->dont_fork) (void)madvise(arena->memory, ol_arena_bytes(arena), MADV_DONTFORK);
    return !machine->uffd.can_move || ol_uffd_register_wp(&machine->uffd, arena->memory, ol_arena_bytes(arena));
}

/* What else is mapped over parts of the window is left out: it need not be memory that can be registered. */
static bool open_window(struct ol_pmap *pmap)
{
    const struct ol_linux *machine = pmap->machine;
    uint64_t at = (uint64_t)(uintptr_t)pmap->window, part_end;
    const uint64_t end = at + pmap->bytes;
    (void)madvise(pmap->window, pmap->bytes, MADV_NOHUGEPAGE);
    if (machine->dont_fork && madvise(pmap->window, pmap->bytes, MADV_DONTFORK)) return false;
    for (; ol_linux_next_part(machine, &at, end, &part_end); at = part_end)
        if (!ol_uffd_register(&machine->uffd, (void *)(uintptr_t)at, part_end - at)) return false;
    return true;
}

static bool restore_window(struct ol_linux *machine, char *address, size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(address, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) != address) return false;
    (void)madvise(address, bytes, MADV_NOHUGEPAGE);
    return ol_uffd_register(&machine->uffd, address, bytes);
}

static enum ol_status open_mechanism(struct ol_linux *machine, const struct ol_linux_options *options,
                                     const char **error)
{
    const enum ol_status status = ol_uffd_open(options->no_move, &machine->uffd, error);
    if (status != OL_OK || register_arena(machine)) return status;
    ol_uffd_close(&machine->uffd);
    *error = "the kernel has no memory for userfaultfd";
    return OL_E_NO_META;
}

static void close_mechanism(struct ol_linux *machine)
{
    ol_uffd_close(&machine->uffd);
}

static enum ol_status forked(struct ol_linux *machine, const char **error)
{
    const bool no_move = !machine->uffd.can_move;
    ol_uffd_close(&machine->uffd);
    const enum ol_status status = ol_uffd_open(no_move, &machine->uffd, error);
    if (status != OL_OK) return status;
    *error = "the windows cannot be registered again";
    if (!register_arena(machine)) return OL_E_NO_META;
    for (struct ol_pmap *pmap = machine->pmaps; pmap; pmap = pmap->next)
        if (!open_window(pmap)) return OL_E_NO_META;
    return OL_OK;
}

/* --- hiding pages ----------------------------------------------------------------------------------------------------
 */

/* Copies a page of the window into a slot. False if there is no page: touching it would fault right here, so the
 * kernel is asked to read it. */
static bool read_window(const struct ol_linux *machine, char *slot, char *address)
{
    struct iovec to = {slot, OL_LINUX_PAGE_BYTES}, from = {address, OL_LINUX_PAGE_BYTES};
    const ssize_t got = process_vm_readv(machine->pid, &to, 1, &from, 1, 0);
    if (got == OL_LINUX_PAGE_BYTES) return true;
    if (errno == EFAULT) return false;
    memcpy(slot, address, OL_LINUX_PAGE_BYTES); /* the call is forbidden here */
    return true;
}

/* The copying way: no thread can write once the page is protected; it then waits in its fault for the core's lock.
 * No page here, and none in the slot, which was empty: it was dropped behind our back, and is zeros as for anyone. */
static void copy_out(const struct ol_linux *machine, char *slot, char *address)
{
    (void)ol_uffd_protect(&machine->uffd, address, OL_LINUX_PAGE_BYTES, true);
    if (!read_window(machine, slot, address) && !ol_uffd_is_present(slot)) memset(slot, 0, OL_LINUX_PAGE_BYTES);
    (void)madvise(address, OL_LINUX_PAGE_BYTES, MADV_DONTNEED);
}

static void hide(struct ol_pmap *pmap, char *slot, char *address, uint32_t n)
{
    const struct ol_linux *machine = pmap->machine;
    const size_t bytes = ol_linux_bytes(n);
    for (size_t done = 0, moved; done < bytes; done += moved) {
        moved = 0;
        if (machine->uffd.can_move)
            (void)ol_uffd_move(&machine->uffd, slot + done, address + done, bytes - done, &moved);
        if (moved) continue;
        copy_out(machine, slot + done, address + done);
        moved = OL_LINUX_PAGE_BYTES;
    }
}

/* --- showing pages ---------------------------------------------------------------------------------------------------
 */

static int show(struct ol_pmap *pmap, char *address, const ol_frame_no *frames, uint32_t n, bool writable,
                uint32_t *shown)
{
    const struct ol_linux *machine = pmap->machine;
    char *slot = ol_linux_frame_address(&machine->frames[frames[0]]);
    size_t bytes = 0;
    int error = EBUSY;
    if (writable && machine->uffd.can_move)
        error = ol_uffd_move(&machine->uffd, address, slot, ol_linux_bytes(n), &bytes);
    if (error == EBUSY && !bytes) { /* EBUSY: shared with a forked process; a copy is as good */
        error = ol_uffd_copy(&machine->uffd, address, slot, ol_linux_bytes(n), !writable, &bytes);
        if (bytes) (void)madvise(slot, bytes, MADV_DONTNEED);
    }
    *shown = (uint32_t)(bytes / OL_LINUX_PAGE_BYTES);
    return *shown ? 0 : error;
}

/* Never written. Not const: then it takes no room in the library, and is one page of zeros to the kernel. */
enum { ZEROS_PAGES = 64 };
static char zeros[ZEROS_PAGES * OL_LINUX_PAGE_BYTES] __attribute__((aligned(OL_LINUX_PAGE_BYTES)));

/* The kernel's page of zeros; or, where it is about to be written or may not be written, a page of its own at once,
 * which spares the kernel a fault. */
static int show_zeros(struct ol_pmap *pmap, char *address, const ol_frame_no *frames, uint32_t n, bool writable,
                      unsigned access, uint32_t *shown)
{
    const struct ol_uffd *uffd = &pmap->machine->uffd;
    size_t bytes;
    int error;
    (void)frames;
    if (n > ZEROS_PAGES) n = ZEROS_PAGES;
    if (writable && !(access & OL_WRITE)) error = ol_uffd_zero(uffd, address, ol_linux_bytes(n), &bytes);
    else error = ol_uffd_copy(uffd, address, zeros, ol_linux_bytes(n), !writable, &bytes);
    *shown = (uint32_t)(bytes / OL_LINUX_PAGE_BYTES);
    return *shown ? 0 : error;
}

static int change(struct ol_pmap *pmap, char *address, bool writable)
{
    return ol_uffd_protect(&pmap->machine->uffd, address, OL_LINUX_PAGE_BYTES, !writable);
}

const struct ol_mechanism ol_mechanism_userfaultfd = {
    .signal = SIGBUS,
    .window_prot = PROT_READ | PROT_WRITE,
    .open = open_mechanism,
    .close = close_mechanism,
    .forked = forked,
    .open_window = open_window,
    .restore_window = restore_window,
    .show = show,
    .show_zeros = show_zeros,
    .change = change,
    .hide = hide,
};
