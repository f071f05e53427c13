/* SPDX-License-Identifier: MIT */
#include "machine/linux/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "machine/linux/homes.h"
#include "machine/linux/internal.h"
#include "pager/reserve.h"

enum {
    MINIMUM_BYTES = 1 << 20,   /* below it watermarks, compression state and a few wired pages would be all there is */
    HIGH_WATERMARK_MAX = 128,  /* frames: what the longest read-ahead wants, twice */
    PREFETCH_MAX = 63,         /* pages: with the one that is wanted, as many as one transfer takes */
    STOCK_MAX = 64,            /* frames lent ahead: what one cluster may take of the compressed store, twice */
    PARTS = 32,                /* of the budget; the compressed store may have so many of them: */
    PARTS_AT_FIRST = 2,        /* where there is a file, too; then what proves useful, */
    PARTS_MOST = 16,           /* at most this: where little is left to pages, their ages say little, too */
    PARTS_WITHOUT_FILE = 28,   /* where there is none, or it takes nothing */
    PARTS_PER_STEP = 4,        /* so many at once, if one side is clearly the more costly */
    CLEARLY = 4,               /* times */
    READS_WEIGHED = 256,       /* faults between two looks at that */
    FILE_READ_COST = 12,       /* a page from a disk in pages from the store: orders of magnitude, no more is wanted */
    AHEAD_READ_COST = 2,       /* a page read ahead from it */
    FAULTS_BETWEEN_TENDS = 64, /* tables grow slowly: some kilobytes in so many faults */
};

/* Second chance wants a referenced bit, and emulating it costs a fault for each page that is looked at. */
static const char default_policy[] = "fifo";

uint64_t ol_memory_minimum_bytes(void)
{
    return MINIMUM_BYTES;
}

static uint32_t pages_of(uint64_t bytes)
{
    return (uint32_t)(bytes / OL_LINUX_PAGE_BYTES);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* --- opening --------------------------------------------------------------------------------------------------------
 */

static enum ol_status options_check(const struct ol_memory_options *options, const char **error)
{
    const uint64_t most = (uint64_t)1 << 43; /* frame numbers have 32 bits, and the machine's memory comes on top */
    if (options->ram_bytes && (options->resident_bytes || options->compressed_bytes)) {
        *error = "give either the whole budget, or its resident and compressed parts";
        return OL_E_INVALID;
    }
    if (options->ram_bytes > most || options->resident_bytes > most || options->compressed_bytes > most) {
        *error = "the budget is larger than 8 TiB";
        return OL_E_INVALID;
    }
    if (options->faults > OL_FAULTS_PROTECTION) {
        *error = "there is no such way for faults to come";
        return OL_E_INVALID;
    }
    if ((options->ram_bytes ? options->ram_bytes : options->resident_bytes) < MINIMUM_BYTES) {
        *error = "the budget is too small: the minimum is 1 MiB";
        return OL_E_NO_FRAMES;
    }
    return OL_OK;
}

/* How much of the budget the store may have: what proves useful where a file takes what is over; without one, pages
 * must go into the store. */
static uint32_t store_pages_most(const struct ol_memory *memory)
{
    return atomic_load(&memory->pages) / PARTS * (memory->file ? atomic_load(&memory->store_part) : PARTS_WITHOUT_FILE);
}

/* The store's memory comes out of frames that were lent before. */
static bool stock_take(void *context, uint32_t pages)
{
    struct ol_memory *memory = context;
    unsigned stock = atomic_load(&memory->stock);
    while (stock >= pages)
        if (atomic_compare_exchange_weak(&memory->stock, &stock, stock - pages)) return true;
    return false;
}

static void give_back(struct ol_memory *memory, uint32_t pages)
{
    atomic_fetch_sub(&memory->lent, pages);
    ol_frames_return(memory->system, pages);
}

static void stock_give(void *context, uint32_t pages)
{
    give_back(context, pages);
}

static bool store_is_over(void *context)
{
    const struct ol_memory *memory = context;
    return atomic_load(&memory->lent) > store_pages_most(memory);
}

static enum ol_status make_homes(struct ol_memory *memory, const struct ol_memory_options *options, const char **error)
{
    struct ol_homes_options homes = {
        .swap = options->swap ? options->swap : "compressed,file",
        .page_bytes = OL_LINUX_PAGE_BYTES,
        .swap_bytes = options->swap_bytes,
        .encrypted = options->encrypt,
        .store_bytes = options->compressed_bytes,
    };
    if (options->ram_bytes) { /* refill_stock bounds the store: here is room for the largest budget there will be */
        homes.store_bytes = (uint64_t)memory->machine->frames_max * OL_LINUX_PAGE_BYTES;
        homes.budget = (struct ol_store_budget){memory, stock_take, stock_give};
        homes.store_is_over = store_is_over;
    }
    return ol_homes_create(&homes, &memory->pager, &memory->compressed, &memory->file, error);
}

static enum ol_status make_system(struct ol_memory *memory, const struct ol_memory_options *options, const char **error)
{
    struct ol_port port;
    ol_linux_port(memory->machine, &port);
    struct ol_config config = {
        .port = &port,
        .pmap = &ol_linux_pmap_ops,
        .machine = memory->machine,
        .machine_is = &ol_linux_capabilities,
        .pager = memory->pager,
        .frames = pages_of(options->ram_bytes ? options->ram_bytes : options->resident_bytes),
        .frames_max = memory->machine->frames_max,
    };
    config.policy = ol_policy_find(options->policy ? options->policy : default_policy, &config.policy_parameters);
    if (!config.policy) {
        *error = "unknown policy";
        return OL_E_INVALID;
    }
    config.high = options->exact ? 0 : smaller(HIGH_WATERMARK_MAX, config.frames / 16);
    config.low = config.high / 4;
    if (!options->no_prefetch) config.prefetch_max = smaller(PREFETCH_MAX, config.high / 2);
    const enum ol_status status = ol_system_create(&config, &memory->system);
    if (status != OL_OK)
        *error = status == OL_E_INVALID       ? "the policy does not know that parameter"
                 : status == OL_E_UNSUPPORTED ? "the policy needs to see every reference, which Linux does not show"
                                              : ol_status_text(status);
    return status;
}

/* Halves the window until the process has room for it. */
static enum ol_status make_space(struct ol_memory *memory, ol_va va, uint64_t bytes, const char **error)
{
    enum ol_status status = OL_E_NO_META;
    *error = "there is no address space left";
    for (; status == OL_E_NO_META && bytes >= MINIMUM_BYTES; bytes /= 2) {
        const ol_va first = va ? va : ol_linux_find_window(bytes);
        if (first) status = ol_space_create(memory->system, first, first + bytes - 1, &memory->space);
    }
    return status;
}

enum ol_status ol_memory_open_at(const struct ol_memory_options *options, ol_va window_va, uint64_t window_bytes,
                                 bool for_fork, struct ol_memory **out, const char **error)
{
    enum ol_status status = options_check(options, error);
    if (status != OL_OK) return status;
    struct ol_memory *memory = ol_reserve(sizeof(*memory));
    *error = "there is no address space left";
    if (!memory) return OL_E_NO_META;
    const uint32_t budget = pages_of(options->ram_bytes ? options->ram_bytes : options->resident_bytes);
    /* If nothing can be written out, pages stay: there are frames for all the memory the computer has. */
    const struct ol_linux_options machine = {.faults = options->faults,
                                             .frames_max = budget + (uint32_t)sysconf(_SC_PHYS_PAGES),
                                             .no_move = options->no_move,
                                             .dont_fork = !for_fork};
    memory->is_whole = options->ram_bytes != 0;
    atomic_store(&memory->pages, budget);
    atomic_store(&memory->store_part, PARTS_AT_FIRST);
    memory->stock_target = smaller(STOCK_MAX, budget / 16);
    status = ol_linux_create(&machine, &memory->machine, error);
    if (status == OL_OK) status = make_homes(memory, options, error);
    if (status == OL_OK) status = make_system(memory, options, error);
    if (status == OL_OK) status = make_space(memory, window_va, window_bytes, error);
    if (status != OL_OK) {
        ol_memory_close_at(memory);
        return status;
    }
    if (options->faults == OL_FAULTS_AUTO && ol_linux_faults(memory->machine) == OL_FAULTS_PROTECTION)
        ol_fault_say_slow();
    ol_memory_tend(memory);
    *out = memory;
    return OL_OK;
}

void ol_memory_close_at(struct ol_memory *memory)
{
    if (memory->system) ol_system_destroy(memory->system);
    if (memory->pager) memory->pager->ops->close(memory->pager);
    if (memory->machine) ol_linux_destroy(memory->machine);
    ol_release(memory, sizeof(*memory));
}

/* --- between faults --------------------------------------------------------------------------------------------------
 */

static uint64_t homes_metadata_bytes(const struct ol_memory *memory)
{
    struct ol_homes_statistics homes;
    ol_homes_statistics(memory->pager, memory->compressed, memory->file, &homes);
    return homes.metadata_bytes;
}

static uint64_t metadata_bytes(const struct ol_memory *memory, const struct ol_statistics *core)
{
    return sizeof(*memory) + core->metadata_bytes + homes_metadata_bytes(memory) +
           ol_linux_metadata_bytes(memory->machine, core->frames_in_use_peak);
}

/* A larger store turns reads of the file into reads of the store; a smaller one, whose memory holds pages instead,
 * saves those reads that come soon after the page has left. The more costly ones of the last so many faults decide.
 * While the file takes nothing (the disk is full), the store is all there is. */
static void weigh_store(struct ol_memory *memory, const struct ol_statistics *now)
{
    const struct ol_statistics *then = &memory->weighed;
    const unsigned part = atomic_load(&memory->store_part);
    if (now->write_errors != then->write_errors) {
        atomic_store(&memory->store_part, PARTS_WITHOUT_FILE);
        memory->weighed = *now;
        return;
    }
    const uint64_t ahead = now->prefetched_near_kept - then->prefetched_near_kept;
    if (now->faults_major - then->faults_major + ahead < READS_WEIGHED) return;
    const uint64_t file = now->reads_kept - then->reads_kept, file_near = now->reads_near_kept - then->reads_near_kept;
    const uint64_t near = now->reads_near - then->reads_near - file_near;
    const uint64_t far = now->faults_major - then->faults_major - file - near;
    const uint64_t too_large = near + FILE_READ_COST * file_near,
                   useful = FILE_READ_COST * far + AHEAD_READ_COST * ahead;
    const unsigned most = too_large || useful ? PARTS_MOST : PARTS_AT_FIRST; /* neither: nothing is known */
    const uint64_t less = too_large < useful ? too_large : useful, more = too_large + useful - less;
    const unsigned step = more > CLEARLY * less ? PARTS_PER_STEP : 1;
    if (too_large > useful || part > PARTS_MOST) atomic_store(&memory->store_part, part > step ? part - step : 1);
    else if ((file || ahead) && part < most) atomic_store(&memory->store_part, part + step < most ? part + step : most);
    memory->weighed = *now;
}

/* What tables take, frames must not. What the store has, it keeps until it is emptied. */
static void follow_metadata(struct ol_memory *memory)
{
    struct ol_statistics core;
    ol_system_statistics(memory->system, &core);
    const uint64_t taken = (metadata_bytes(memory, &core) + OL_LINUX_PAGE_BYTES - 1) / OL_LINUX_PAGE_BYTES;
    const uint32_t pages = atomic_load(&memory->pages), half = pages_of(MINIMUM_BYTES) / 2;
    const uint32_t least = larger(half, core.frames_lent + half / 2); /* what is lent holds no pages */
    const uint32_t budget = pages > taken + least ? (uint32_t)(pages - taken) : least;
    if (budget != core.frames_budget) (void)ol_system_set_budget(memory->system, budget);
    if (memory->file && !atomic_flag_test_and_set(&memory->weighing)) {
        weigh_store(memory, &core);
        atomic_flag_clear(&memory->weighing);
    }
}

/* False if nothing was lent: there is enough, or the store has what it may have. */
static bool refill_stock(struct ol_memory *memory)
{
    const unsigned stock = atomic_load(&memory->stock);
    const uint32_t wanted = memory->stock_target - stock;
    if (stock * 2 > memory->stock_target) return false;
    /* A little more than its part, where a file is: pages have to get in before older ones go. */
    if (atomic_load(&memory->lent) + wanted > store_pages_most(memory) + (memory->file ? memory->stock_target : 0))
        return false;
    if (!ol_frames_lend(memory->system, wanted)) return false;
    atomic_fetch_add(&memory->lent, wanted);
    atomic_fetch_add(&memory->stock, wanted);
    return true;
}

/* One stock takes fewer pages than may have gone over the budget while there was none. */
static bool is_over_budget(struct ol_memory *memory)
{
    struct ol_statistics core;
    ol_system_statistics(memory->system, &core);
    return core.frames_over_budget != 0;
}

void ol_memory_tend(struct ol_memory *memory)
{
    if (!memory->is_whole) return;
    while (memory->compressed && refill_stock(memory) && is_over_budget(memory)) ol_system_reclaim(memory->system);
    if (atomic_fetch_add(&memory->faults_untended, 1) % FAULTS_BETWEEN_TENDS == 0) follow_metadata(memory);
}

/* --- a new budget ----------------------------------------------------------------------------------------------------
 */

/* Brings the swapped pages of [va, end) in. While the store may not grow, what goes out for them goes to the file. */
static void bring_swapped(struct ol_memory *memory, ol_va va, ol_va end)
{
    for (; va < end; va += OL_LINUX_PAGE_BYTES)
        if (ol_page_residence(memory->space, va) == OL_SWAPPED) (void)ol_fault(memory->space, va, OL_READ);
}

/* The store has more than its part: it is emptied, page by page, until it has not. */
static void shrink_store(struct ol_memory *memory)
{
    const struct ol_pmap *pmap = ol_space_pmap(memory->space);
    struct ol_region_info region;
    give_back(memory, atomic_exchange(&memory->stock, 0));
    for (ol_va va = 0; ol_region_next(memory->space, va, &region);
         va = region.va + region.pages * OL_LINUX_PAGE_BYTES) {
        const ol_va region_end = region.va + region.pages * OL_LINUX_PAGE_BYTES;
        ol_va first = region.va, end;
        for (; ol_linux_used(pmap, first, region_end, &first, &end); first = end) {
            if (!store_is_over(memory)) return;
            bring_swapped(memory, first, end);
            follow_metadata(memory);
        }
    }
}

void ol_memory_set_budget(struct ol_memory *memory, uint64_t bytes)
{
    uint32_t pages = memory->machine->frames_max - 1;
    if (bytes < (uint64_t)pages * OL_LINUX_PAGE_BYTES) pages = pages_of(bytes);
    if (pages < pages_of(MINIMUM_BYTES)) pages = pages_of(MINIMUM_BYTES);
    if (atomic_exchange(&memory->pages, pages) == pages) return;
    if (!memory->is_whole) {
        (void)ol_system_set_budget(memory->system, pages);
        return;
    }
    follow_metadata(memory);
    if (!memory->file || !memory->compressed || !store_is_over(memory)) return;
    shrink_store(memory);
    follow_metadata(memory);
}

/* --- faults ----------------------------------------------------------------------------------------------------------
 */

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

enum ol_status ol_memory_fault(struct ol_memory *memory, void *address, unsigned access)
{
    const uint64_t begin = now_ns();
    ol_va va;
    if (!ol_linux_va(ol_space_pmap(memory->space), address, &va)) return OL_E_NO_REGION;
    const enum ol_status status = ol_fault(memory->space, va, access);
    ol_memory_tend(memory);
    atomic_fetch_add_explicit(&memory->fault_ns, now_ns() - begin, memory_order_relaxed);
    return status;
}

bool ol_memory_contains(const struct ol_memory *memory, const void *address)
{
    ol_va va;
    return ol_linux_va(ol_space_pmap(memory->space), address, &va);
}

void ol_memory_fork_prepare(struct ol_memory *memory)
{
    ol_system_fork_prepare(memory->system);
}

enum ol_status ol_memory_fork_done(struct ol_memory *memory, bool forked, const char **error)
{
    enum ol_status status = OL_OK;
    if (forked) status = ol_linux_forked(memory->machine, error);
    if (status == OL_OK && memory->file) {
        *error = "the swap file cannot be divided between parent and child";
        status = ol_swapfile_freeze(memory->file);
    }
    ol_system_fork_done(memory->system, forked);
    if (forked) {
        struct ol_memory_statistics all;
        memset(&memory->inherited, 0, sizeof(memory->inherited));
        ol_memory_count(memory, &all);
        memory->inherited = all;
    }
    return status;
}

/* What the parent counted is the parent's; peaks and what is "now" stay. */
static void subtract_inherited(const struct ol_memory *memory, struct ol_memory_statistics *out)
{
    const struct ol_memory_statistics *before = &memory->inherited;
    uint64_t *count = (uint64_t *)(void *)&out->core;
    const uint64_t *was = (const uint64_t *)(const void *)&before->core;
    for (size_t i = 0; i < offsetof(struct ol_statistics, frames_budget) / sizeof(*count); i++) count[i] -= was[i];
    out->fault_ns -= before->fault_ns;
    out->compressed_in_pages -= before->compressed_in_pages;
    out->compressed_in_bytes -= before->compressed_in_bytes;
    out->compressed_refused -= before->compressed_refused;
    out->file_pages_read -= before->file_pages_read;
    out->file_pages_written -= before->file_pages_written;
    out->file_pages_damaged -= before->file_pages_damaged;
}

void ol_memory_count(struct ol_memory *memory, struct ol_memory_statistics *out)
{
    struct ol_homes_statistics homes;
    memset(out, 0, sizeof(*out));
    ol_system_statistics(memory->system, &out->core);
    ol_homes_statistics(memory->pager, memory->compressed, memory->file, &homes);
    out->fault_ns = atomic_load(&memory->fault_ns);
    out->mapped_bytes = ol_space_mapped_pages(memory->space) * OL_LINUX_PAGE_BYTES;
    out->compressed_pages = homes.compressed.pages;
    out->compressed_same_pages = homes.compressed.same_pages;
    out->compressed_bytes = homes.compressed.bytes;
    out->compressed_store_bytes = homes.compressed.store_bytes;
    out->compressed_in_pages = homes.compressed.in_pages;
    out->compressed_in_bytes = homes.compressed.in_bytes;
    out->compressed_refused = homes.compressed.refused;
    out->demoted_pages = homes.tiers.pages_demoted;
    out->file_pages_read = homes.file.pages_read;
    out->file_pages_written = homes.file.pages_written;
    out->file_bytes = homes.file.file_bytes;
    out->file_pages_read_together = homes.file.pages_read_together;
    out->file_buffered = homes.file.buffered;
    out->file_pages_damaged = homes.file.pages_damaged;
    out->metadata_bytes = metadata_bytes(memory, &out->core);
    subtract_inherited(memory, out);
    out->faults = ol_linux_faults(memory->machine);
}

struct ol_system *ol_memory_system(struct ol_memory *memory)
{
    return memory->system;
}

struct ol_space *ol_memory_space(struct ol_memory *memory)
{
    return memory->space;
}
