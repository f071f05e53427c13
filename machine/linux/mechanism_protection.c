/* SPDX-License-Identifier: MIT */
/*
 * Faults by protection, where userfaultfd is forbidden: what is absent has no rights (PROT_NONE), so touching it raises
 * SIGSEGV. Everything is private anonymous memory, so a fork needs nothing: both sides keep their pages, copied when
 * they are written, as the kernel does it.
 *
 *      show          the page tables' entries move from the slot to the window (mremap); the slot stays, empty
 *      … read-only   the same in two steps, with the rights taken away in between, where nobody looks (the stage)
 *      show zeros    the place gets its rights (mprotect)
 *      hide          writing is forbidden, the pages are copied to their slots, and an empty mapping without rights
 *                    replaces them (a place loses its rights, then its memory); until that moment reading is harmless,
 *                    for the contents are the same
 *
 * The kernel has a mapping (VMA) for each island, a stretch of neighbours that were shown together, and one for each
 * gap between two; vm.max_map_count of them, 65530 where nobody has changed it. Places shown as zeros merge with their
 * neighbours of the same kind, for they and the gaps are pieces of one mapping; memory from slots merges with what was
 * moved with it. When there are too many islands, mappings are forgotten round robin: the frames stay, a later touch is
 * a soft fault. If the kernel refuses a mapping all the same (the program has many of its own) the ballast is given up,
 * so that hiding, which may split an island, always can.
 *
 * A child's mappings no longer merge with what it inherited: Linux keeps a page's possible users (anon_vma) apart by
 * process. The gaps, which have no pages, are made anew there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/linux/mechanism.h"
#include "machine/linux/say.h"
#include "pager/reserve.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum {
    PAGE = OL_LINUX_PAGE_BYTES,
    MAX_MAP_COUNT = 65530, /* the kernel's own default */
    ISLANDS_MIN = 4,
    BALLAST_MAPPINGS = 256,
    FORGET_PAGES = 16, /* at a time */
    STAGE_BYTES = 3 * PAGE
};

static const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/* --- mappings, as far as the kernel has them
 * --------------------------------------------------------------------------
 */

static size_t ballast_bytes(void)
{
    return (size_t)BALLAST_MAPPINGS * PAGE;
}

/* Many small mappings: every other page has other rights. Without ballast if the kernel has no mappings for it. */
static void take_ballast(struct ol_protection *protection)
{
    char *ballast = mmap(NULL, ballast_bytes(), PROT_NONE, anonymous, -1, 0);
    if (ballast == MAP_FAILED) return;
    for (size_t at = 0; at < ballast_bytes(); at += 2 * (size_t)PAGE) {
        if (mprotect(ballast + at, PAGE, PROT_READ) == 0) continue;
        (void)munmap(ballast, ballast_bytes());
        return;
    }
    protection->ballast = ballast;
}

/* After a call failed: true if it is worth another try. */
static bool give_ballast(struct ol_protection *protection)
{
    if (errno != ENOMEM || !protection->ballast) return false;
    (void)munmap(protection->ballast, ballast_bytes());
    protection->ballast = NULL;
    return true;
}

/* The following are the kernel's calls, tried again without ballast. False: errno says why. */

static bool set_rights(struct ol_protection *protection, char *address, size_t bytes, int prot)
{
    while (mprotect(address, bytes, prot))
        if (!give_ballast(protection)) return false;
    return true;
}

/* What was there is gone. */
static bool set_absent(struct ol_protection *protection, char *address, size_t bytes)
{
    while (mmap(address, bytes, PROT_NONE, anonymous | MAP_FIXED, -1, 0) == MAP_FAILED)
        if (!give_ballast(protection)) return false;
    return true;
}

/* The same in a window, whose pieces are all alike, so that they merge. */
static bool set_window_absent(struct ol_linux *machine, char *address, size_t bytes)
{
    if (!set_absent(&machine->protection, address, bytes)) return false;
    return !machine->dont_fork || madvise(address, bytes, MADV_DONTFORK) == 0;
}

/* Memory and rights appear at `to`, replacing what was there; at `from` the mapping stays, empty. */
static bool move_pages(struct ol_protection *protection, char *to, char *from, size_t bytes)
{
    while (mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == MAP_FAILED)
        if (!give_ballast(protection)) return false;
    return true;
}

/* What must not fail, because a page would be lost. */
static void must(bool done)
{
    if (done) return;
    ol_say("internal error: the kernel has no mapping for a page that is to be hidden", NULL, NULL);
    abort();
}

/* --- islands ---------------------------------------------------------------------------------------------------------
 */

/* The frame shown at the page, or NULL. */
static struct ol_linux_frame *shown_at(const struct ol_pmap *pmap, uint64_t page)
{
    if (page >= pmap->bytes / PAGE || !pmap->frame_of[page]) return NULL;
    return &pmap->machine->frames[pmap->frame_of[page] - 1];
}

static void set_first(struct ol_protection *protection, struct ol_linux_frame *frame, bool is_first)
{
    if (is_first && !frame->is_first) protection->islands++;
    if (!is_first && frame->is_first) protection->islands--;
    frame->is_first = is_first;
}

static bool is_mergeable(const struct ol_linux_frame *frame, bool writable)
{
    return frame && frame->is_place && (frame->rights & OL_WRITE) == (writable ? OL_WRITE : 0);
}

/* frames[0..n) are about to be shown from the page on. */
static void count_shown(struct ol_pmap *pmap, uint64_t page, const ol_frame_no *frames, uint32_t n, bool is_place,
                        bool writable)
{
    struct ol_linux *machine = pmap->machine;
    struct ol_protection *protection = &machine->protection;
    for (uint32_t i = 0; i < n; i++) {
        struct ol_linux_frame *frame = &machine->frames[frames[i]];
        if (frames[i] >= protection->seen) protection->seen = frames[i] + 1;
        frame->is_place = is_place;
        frame->is_first = false;
    }
    const bool merges = is_place && page && is_mergeable(shown_at(pmap, page - 1), writable);
    set_first(protection, &machine->frames[frames[0]], !merges);
    struct ol_linux_frame *next = shown_at(pmap, page + n);
    if (is_place && is_mergeable(next, writable)) set_first(protection, next, false);
}

/* n pages are about to be hidden. */
static void count_hidden(struct ol_pmap *pmap, uint64_t page, uint32_t n)
{
    struct ol_protection *protection = &pmap->machine->protection;
    for (uint32_t i = 0; i < n; i++) set_first(protection, shown_at(pmap, page + i), false);
    struct ol_linux_frame *next = shown_at(pmap, page + n);
    if (next) set_first(protection, next, true);
}

/* A page's rights are about to change. */
static void count_changed(struct ol_pmap *pmap, uint64_t page, bool writable)
{
    struct ol_protection *protection = &pmap->machine->protection;
    struct ol_linux_frame *frame = shown_at(pmap, page), *next = shown_at(pmap, page + 1);
    set_first(protection, frame, !frame->is_place || !page || !is_mergeable(shown_at(pmap, page - 1), writable));
    if (next) set_first(protection, next, !next->is_place || !frame->is_place || !is_mergeable(next, writable));
}

/* Hides pages round robin until there are no more than that many islands, or so many frames were looked at. */
static void forget(struct ol_linux *machine, uint32_t islands, uint32_t frames)
{
    struct ol_protection *protection = &machine->protection;
    while (frames && protection->islands > islands) {
        ol_frame_no batch[FORGET_PAGES];
        uint32_t n = 0;
        for (; frames && n < FORGET_PAGES; frames--) {
            if (protection->hand >= protection->seen) protection->hand = 0;
            const struct ol_linux_frame *frame = &machine->frames[protection->hand];
            if (frame->place == OL_PLACE_WINDOW && !frame->wired) batch[n++] = protection->hand;
            protection->hand++;
        }
        if (n) (void)ol_linux_pmap_ops.frame_protect(machine, batch, n, OL_NONE);
    }
}

/* The kernel refused a mapping: half of all pages go, and for a while fewer islands are allowed. */
static void forget_half(struct ol_linux *machine)
{
    struct ol_protection *protection = &machine->protection;
    const uint32_t half = protection->islands_max / 2;
    protection->islands_max = half > ISLANDS_MIN ? half : ISLANDS_MIN;
    forget(machine, 0, protection->seen / 2);
}

static bool make_room(struct ol_linux *machine, bool failed)
{
    struct ol_protection *protection = &machine->protection;
    const uint32_t before = protection->islands, step = protection->islands_max / 64 + 1;
    if (failed || !protection->ballast) {
        forget_half(machine);
        if (!protection->ballast) take_ballast(protection);
        return protection->islands < before;
    }
    if (before < protection->islands_max) return true;
    forget(machine, protection->islands_max - step, protection->seen);
    protection->islands_max += step;
    if (protection->islands_max > protection->islands_cap) protection->islands_max = protection->islands_cap;
    return true;
}

/* --- showing and hiding ----------------------------------------------------------------------------------------------
 */

/* One page, over the stage. */
static int show_read_only(struct ol_protection *protection, char *address, char *slot)
{
    char *stage = protection->stage + PAGE;
    if (!move_pages(protection, stage, slot, PAGE)) return errno;
    const bool shown = set_rights(protection, stage, PAGE, PROT_READ) && move_pages(protection, address, stage, PAGE);
    const int error = shown ? 0 : errno;
    if (!shown)
        must(set_rights(protection, stage, PAGE, PROT_READ | PROT_WRITE) && move_pages(protection, slot, stage, PAGE));
    must(set_absent(protection, stage, PAGE));
    return error;
}

static int show(struct ol_pmap *pmap, char *address, const ol_frame_no *frames, uint32_t n, bool writable,
                uint32_t *shown)
{
    struct ol_linux *machine = pmap->machine;
    char *slot = ol_linux_frame_address(&machine->frames[frames[0]]);
    int error = 0;
    if (!writable) {
        n = 1;
        error = show_read_only(&machine->protection, address, slot);
    } else if (!move_pages(&machine->protection, address, slot, ol_linux_bytes(n))) {
        error = errno;
    }
    if (!error) count_shown(pmap, ol_linux_page_index(pmap, address), frames, n, false, writable);
    *shown = n;
    return error;
}

static int show_zeros(struct ol_pmap *pmap, char *address, const ol_frame_no *frames, uint32_t n, bool writable,
                      unsigned access, uint32_t *shown)
{
    const int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    (void)access;
    *shown = n;
    if (!set_rights(&pmap->machine->protection, address, ol_linux_bytes(n), prot)) return errno;
    count_shown(pmap, ol_linux_page_index(pmap, address), frames, n, true, writable);
    return 0;
}

static int change(struct ol_pmap *pmap, char *address, bool writable)
{
    const int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    if (!set_rights(&pmap->machine->protection, address, PAGE, prot)) return errno;
    count_changed(pmap, ol_linux_page_index(pmap, address), writable);
    return 0;
}

/* Not memcpy: it is right that other threads may write until they are stopped, but analysers do not know. */
static void copy(char *to, const char *from, size_t bytes)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

/* Were these pages shown as places, all of them? Then their mapping is a piece of the window's own. */
static bool are_places(const struct ol_pmap *pmap, uint64_t page, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && shown_at(pmap, page + i)->is_place) i++;
    return i == n;
}

static void hide(struct ol_pmap *pmap, char *slot, char *address, uint32_t n)
{
    struct ol_protection *protection = &pmap->machine->protection;
    const uint64_t page = ol_linux_page_index(pmap, address);
    const size_t bytes = ol_linux_bytes(n);
    must(set_rights(protection, address, bytes, PROT_READ));
    copy(slot, address, bytes);
    /* First the rights, then the memory: nobody may read the zeros that are there without it. */
    const bool kept = are_places(pmap, page, n) && set_rights(protection, address, bytes, PROT_NONE) &&
                      madvise(address, bytes, MADV_DONTNEED) == 0;
    if (!kept) must(set_window_absent(pmap->machine, address, bytes));
    count_hidden(pmap, page, n);
}

/* --- windows and arena -----------------------------------------------------------------------------------------------
 */

/* A page is made and given back, so that the whole window has one anon_vma and its pieces can merge. */
static bool open_window(struct ol_pmap *pmap)
{
    if (pmap->machine->dont_fork && madvise(pmap->window, pmap->bytes, MADV_DONTFORK)) return false;
    if (mprotect(pmap->window, PAGE, PROT_READ | PROT_WRITE)) return false;
    *(volatile char *)pmap->window = 1;
    return madvise(pmap->window, PAGE, MADV_DONTNEED) == 0 && mprotect(pmap->window, PAGE, PROT_NONE) == 0;
}

static bool restore_window(struct ol_linux *machine, char *address, size_t bytes)
{
    return set_window_absent(machine, address, bytes);
}

static uint32_t islands_allowed(uint32_t wanted)
{
    char text[16] = "";
    long mappings = MAX_MAP_COUNT;
    const int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && pread(fd, text, sizeof(text) - 1, 0) > 0) mappings = strtol(text, NULL, 10);
    if (fd >= 0) (void)close(fd);
    if (mappings > INT32_MAX) mappings = INT32_MAX;
    /* Two mappings an island; a quarter is the program's. */
    const uint32_t allowed = wanted ? wanted : (uint32_t)(mappings / 8 * 3);
    return allowed > ISLANDS_MIN ? allowed : ISLANDS_MIN;
}

/* Can the kernel do it? The page also gives the arena its anon_vma. */
static bool try_moving(struct ol_linux *machine)
{
    struct ol_protection *protection = &machine->protection;
    char *slot = machine->arena.memory, *stage = protection->stage + PAGE;
    *(volatile char *)slot = 1;
    const bool moved = move_pages(protection, stage, slot, PAGE) && *(volatile char *)stage == 1 && !*slot;
    (void)madvise(slot, PAGE, MADV_DONTNEED);
    return moved && set_absent(protection, stage, PAGE);
}

static void close_mechanism(struct ol_linux *machine)
{
    ol_release(machine->protection.stage, STAGE_BYTES);
    ol_release(machine->protection.ballast, ballast_bytes());
}

static enum ol_status open_mechanism(struct ol_linux *machine, const struct ol_linux_options *options,
                                     const char **error)
{
    struct ol_protection *protection = &machine->protection;
    char *stage = mmap(NULL, STAGE_BYTES, PROT_NONE, anonymous, -1, 0);
    *error = "there is no address space left";
    if (stage == MAP_FAILED) return OL_E_NO_META;
    *protection = (struct ol_protection){.stage = stage, .islands_cap = islands_allowed(options->islands_max)};
    protection->islands_max = protection->islands_cap;
    take_ballast(protection);
    if (options->dont_fork) (void)madvise(machine->arena.memory, ol_arena_bytes(&machine->arena), MADV_DONTFORK);
    if (try_moving(machine)) return OL_OK;
    close_mechanism(machine);
    *error = "userfaultfd is forbidden or missing here, and this kernel cannot move pages by mremap (Linux 5.7)";
    return OL_E_UNSUPPORTED;
}

static enum ol_status forked(struct ol_linux *machine, const char **error)
{
    *error = "the kernel has too few mappings for a child (vm.max_map_count)";
    for (struct ol_pmap *pmap = machine->pmaps; pmap; pmap = pmap->next) {
        const uint64_t pages = pmap->bytes / PAGE, window = (uint64_t)(uintptr_t)pmap->window;
        for (uint64_t page = 0, next; page < pages; page = next + 1) {
            next = ol_linux_next_mapped(pmap, page, pages);
            uint64_t at = window + page * PAGE, end;
            for (; ol_linux_next_part(machine, &at, window + next * PAGE, &end); at = end)
                if (!set_absent(&machine->protection, (char *)(uintptr_t)at, end - at)) return OL_E_NO_META;
        }
    }
    return OL_OK;
}

const struct ol_mechanism ol_mechanism_protection = {
    .signal = SIGSEGV,
    .window_prot = PROT_NONE,
    .zeros_have_no_memory = true, /* shown as places, which merge */
    .open = open_mechanism,
    .close = close_mechanism,
    .forked = forked,
    .open_window = open_window,
    .restore_window = restore_window,
    .show = show,
    .show_zeros = show_zeros,
    .change = change,
    .hide = hide,
    .make_room = make_room,
};
