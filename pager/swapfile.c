/* SPDX-License-Identifier: MIT */
#include "pager/swapfile.h"

#include "pager/lock.h"
#include "pager/reserve.h"
#include "pager/ring.h"
#include "pager/seal.h"
#include "pager/swapfile_io.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

enum { LAYERS = 64, LAYERS_MERGED = 16, NO_LAYER = LAYERS, PAGE_BYTES_MIN = 512, PAGE_BYTES_MAX = 1 << 20 };
enum { FAILURES = 4 * OL_IO_PAGES_MAX, CLUSTER_SLOTS = 64 };

static_assert((int)LAYERS <= (int)OL_SEAL_KEYS, "each layer has a key");

/*
 * A file, and how many slots have their contents there. A layer is
 *   unused   no file, no slots
 *   current  this process writes here, and no other does; its file is made at the first write, and with it a key
 *   frozen   another process may read the file: it is never written. Given up when no slot is left
 * unused → current (layer_start) → frozen (freeze) → unused (slot_leave_locked).
 * A fork duplicates the state; a current layer without a file is then two layers, one of each process. One with a file
 * is the same file for both, so both freeze it: whichever of them went on writing would change what the other reads.
 */
struct layer {
    struct ol_swap_file file;
    uint32_t slots_here;
    uint32_t slots_touched; /* highest slot written + 1 */
};

/* A page that could not be read. */
struct failure {
    ol_slot slot;
    struct ol_swapfile_failure why; /* error 0: none yet */
};

struct swapfile {
    struct ol_pager pager;
    int directory;          /* c: */
    _Atomic uint64_t *held; /* c: the table; by cluster of 64 slots, bits: which have contents. They change with the
                               lock held; whoever uses a slot may look at its own without */
    uint8_t *layer_of;      /* c: the table; by slot that has contents, number of its layer. An entry belongs to whoever
                               uses the slot. While there was no layer but 0, nothing was written to it */
    struct ol_seals seals;  /* c: its tables are as `layer_of` is */
    uint8_t *bounce;        /* c: room for OL_IO_PAGES_MAX pages, used by freeze alone */
    uint8_t *sealed;        /* c: room for as many encrypted ones, used by who holds sealing; NULL: no encryption */
    struct ol_futex_mutex sealing; /* taken before lock */
    struct ol_ring ring;           /* has a lock of its own */
    pid_t process;                 /* c: whose descriptors the files are; changed after a fork */
    struct ol_futex_mutex lock; /* protects all below; a layer's file does not change while slots are in it or are being
                                   written to it, and is then used without */
    struct layer layers[LAYERS];
    unsigned current;             /* number of the current layer; NO_LAYER: every one is frozen */
    uint32_t slots_touched;       /* highest slot written + 1 */
    uint32_t slots_touched_above; /* … to a layer above 0 */
    uint64_t pages_read;
    uint64_t pages_written;
    uint64_t pages_read_together;
    uint64_t pages_damaged;
    struct failure failures[FAILURES];
    unsigned failures_next; /* whose place is used next */
};

static struct swapfile *swapfile_of(struct ol_pager *pager)
{
    return (struct swapfile *)pager;
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

/* The current layer is never unused, though it may have no file yet. */
static bool layer_is_unused(const struct swapfile *swapfile, unsigned number)
{
    return number != swapfile->current && swapfile->layers[number].file.fd < 0;
}

static bool layer_is_frozen(const struct swapfile *swapfile, unsigned number)
{
    return number != swapfile->current && swapfile->layers[number].file.fd >= 0;
}

static unsigned layer_find_unused(const struct swapfile *swapfile)
{
    for (unsigned number = 0; number < LAYERS; number++)
        if (layer_is_unused(swapfile, number)) return number;
    return NO_LAYER;
}

static void layer_give_up(struct swapfile *swapfile, unsigned number)
{
    struct layer *layer = &swapfile->layers[number];
    assert(layer->slots_here == 0);
    ol_swap_file_close(&layer->file);
    ol_seals_wipe_key(&swapfile->seals, number);
    layer->slots_touched = 0;
}

/* A file for a layer that has none, and its key. 0, or an errno. A vfork child, which has this memory but other
 * descriptors, opens none: its parent would not have it. */
static int layer_open(struct swapfile *swapfile, unsigned number)
{
    struct layer *layer = &swapfile->layers[number];
    if (layer->file.fd >= 0) return 0;
    if (swapfile->process != getpid()) return ENOSPC;
    if (ol_seals_new_key(&swapfile->seals, number) != OL_OK) return EIO;
    return ol_swap_file_open(swapfile->directory, &layer->file);
}

/* Sees to it that there is a current layer and that it has a file. */
static enum ol_status layer_start_locked(struct swapfile *swapfile)
{
    if (swapfile->current == NO_LAYER) swapfile->current = layer_find_unused(swapfile);
    if (swapfile->current == NO_LAYER) return OL_E_NO_SWAP;
    const enum ol_status status = ol_swap_status(layer_open(swapfile, swapfile->current));
    return status == OL_OK && ol_seals_used_up(&swapfile->seals, swapfile->current) ? OL_E_NO_SWAP : status;
}

static uint64_t bit_of(ol_slot slot)
{
    return UINT64_C(1) << slot % CLUSTER_SLOTS;
}

/* Where the slot's contents are; NO_LAYER: it has none. */
static unsigned slot_layer(const struct swapfile *swapfile, ol_slot slot)
{
    const uint64_t held = atomic_load_explicit(&swapfile->held[slot / CLUSTER_SLOTS], memory_order_relaxed);
    return held & bit_of(slot) ? swapfile->layer_of[slot] : NO_LAYER;
}

static void slot_leave_locked(struct swapfile *swapfile, ol_slot slot)
{
    const unsigned number = slot_layer(swapfile, slot);
    if (number == NO_LAYER) return;
    atomic_fetch_and_explicit(&swapfile->held[slot / CLUSTER_SLOTS], ~bit_of(slot), memory_order_relaxed);
    swapfile->layers[number].slots_here--;
    if (swapfile->layers[number].slots_here == 0 && layer_is_frozen(swapfile, number)) layer_give_up(swapfile, number);
}

/* The slot's contents were written to the layer. */
static void slot_enter_locked(struct swapfile *swapfile, ol_slot slot, unsigned number)
{
    struct layer *layer = &swapfile->layers[number];
    slot_leave_locked(swapfile, slot);
    atomic_fetch_or_explicit(&swapfile->held[slot / CLUSTER_SLOTS], bit_of(slot), memory_order_relaxed);
    if (swapfile->layer_of[slot] != number) swapfile->layer_of[slot] = (uint8_t)number;
    layer->slots_here++;
    if (slot >= layer->slots_touched) layer->slots_touched = slot + 1;
    if (slot >= swapfile->slots_touched) swapfile->slots_touched = slot + 1;
    if (number > 0 && slot >= swapfile->slots_touched_above) swapfile->slots_touched_above = slot + 1;
}

/* --- reading and writing ---------------------------------------------------------------------------------------- */

/* How many requests from i on are for consecutive slots. */
static uint32_t run_of_slots(const ol_slot *slots, uint32_t i, uint32_t count)
{
    uint32_t n = 1;
    while (i + n < count && slots[i + n] == slots[i] + n) n++;
    return n;
}

/* How many slots, at most n, from `slot` on are in the same layer. */
static uint32_t run_in_layer(const struct swapfile *swapfile, ol_slot slot, uint32_t n)
{
    const unsigned number = slot_layer(swapfile, slot);
    uint32_t same = 1;
    while (same < n && slot_layer(swapfile, slot + same) == number) same++;
    return same;
}

static void failure_note(struct swapfile *swapfile, ol_slot slot, int error, int fd)
{
    const struct ol_swapfile_failure why = {error, (uint64_t)slot * swapfile->pager.page_bytes, fd};
    ol_futex_lock(&swapfile->lock);
    swapfile->failures[swapfile->failures_next] = (struct failure){slot, why};
    swapfile->failures_next = (swapfile->failures_next + 1) % FAILURES;
    swapfile->pages_damaged += error == OL_SWAP_DAMAGED;
    ol_futex_unlock(&swapfile->lock);
}

/* The runs in which `count` pages are to be read; returns how many. What has no contents is in none. */
static uint32_t runs_find(struct swapfile *swapfile, const ol_slot *slots, uint32_t count, struct ol_swap_run *runs)
{
    uint32_t found = 0;
    for (uint32_t i = 0, n; i < count; i += n) {
        n = run_in_layer(swapfile, slots[i], run_of_slots(slots, i, count));
        const unsigned number = slot_layer(swapfile, slots[i]);
        if (number != NO_LAYER) runs[found++] = (struct ol_swap_run){&swapfile->layers[number].file, i, n};
    }
    return found;
}

/* The runs that could be read together are not read again, one by one. */
static uint64_t runs_read_together(struct swapfile *swapfile, const struct ol_swap_run *runs, uint32_t count,
                                   const ol_slot *slots, void *const *pages)
{
    uint64_t pages_read = 0;
    if (count < 2) return 0;
    for (uint32_t i = 0; i < count; i++)
        if ((i == 0 || runs[i].file != runs[i - 1].file) && !ol_swap_file_is_open(runs[i].file)) return 0;
    const uint64_t whole = ol_ring_read(&swapfile->ring, runs, count, slots, pages, swapfile->pager.page_bytes);
    for (uint32_t i = 0; i < count; i++)
        if (whole >> i & 1) pages_read += runs[i].count;
    ol_futex_lock(&swapfile->lock);
    swapfile->pages_read_together += pages_read;
    ol_futex_unlock(&swapfile->lock);
    return whole;
}

static void page_open(struct swapfile *swapfile, ol_slot slot, void *page, int error, enum ol_status *status)
{
    const unsigned number = slot_layer(swapfile, slot);
    if (error == 0 && !ol_seal_open(&swapfile->seals, number, slot, page)) error = OL_SWAP_DAMAGED;
    *status = error == 0 ? OL_OK : OL_E_IO;
    if (error != 0) failure_note(swapfile, slot, error, swapfile->layers[number].file.fd);
}

static void pages_read(struct swapfile *swapfile, const ol_slot *slots, void *const *pages, uint32_t count,
                       enum ol_status *status)
{
    struct ol_swap_run runs[OL_IO_PAGES_MAX];
    int errors[OL_IO_PAGES_MAX] = {0};
    const uint32_t found = runs_find(swapfile, slots, count, runs);
    const uint64_t together = runs_read_together(swapfile, runs, found, slots, pages);
    for (uint32_t i = 0; i < count; i++) status[i] = OL_E_IO; /* what has no contents */
    for (uint32_t i = 0; i < found; i++) {
        const uint32_t at = runs[i].at;
        assert(at + runs[i].count <= count);
        if ((together >> i & 1) == 0)
            ol_swap_file_transfer(runs[i].file, OL_IO_READ, slots[at], pages + at, runs[i].count,
                                  swapfile->pager.page_bytes, errors + at);
        for (uint32_t n = at; n < at + runs[i].count; n++)
            page_open(swapfile, slots[n], pages[n], errors[n], status + n);
    }
}

/* Writes to layer `number`; slots whose page was written are there afterwards, others stay where they are. */
static void run_write(struct swapfile *swapfile, unsigned number, ol_slot slot, void *const *pages, uint32_t n,
                      enum ol_status *status)
{
    struct ol_swap_file *file = &swapfile->layers[number].file;
    const uint32_t page_bytes = swapfile->pager.page_bytes;
    void *sealed[OL_IO_PAGES_MAX];
    int errors[OL_IO_PAGES_MAX];
    if (swapfile->sealed) ol_futex_lock(&swapfile->sealing);
    for (uint32_t i = 0; i < n; i++) {
        void *room = swapfile->sealed ? swapfile->sealed + (size_t)i * page_bytes : NULL;
        sealed[i] = ol_seal_close(&swapfile->seals, number, slot + i, pages[i], room);
    }
    ol_swap_file_transfer(file, OL_IO_WRITE, slot, sealed, n, page_bytes, errors);
    if (swapfile->sealed) ol_futex_unlock(&swapfile->sealing);
    ol_futex_lock(&swapfile->lock);
    for (uint32_t i = 0; i < n; i++) {
        status[i] = ol_swap_status(errors[i]);
        if (errors[i] == 0) slot_enter_locked(swapfile, slot + i, number);
    }
    ol_futex_unlock(&swapfile->lock);
}

static uint32_t io_count_ok(const struct ol_io *io)
{
    uint32_t ok = 0;
    for (uint32_t i = 0; i < io->count; i++) ok += io->status[i] == OL_OK;
    return ok;
}

static void io_read(struct swapfile *swapfile, struct ol_io *io)
{
    pages_read(swapfile, io->slots, io->pages, io->count, io->status);
    ol_futex_lock(&swapfile->lock);
    swapfile->pages_read += io_count_ok(io);
    ol_futex_unlock(&swapfile->lock);
}

static void io_write(struct swapfile *swapfile, struct ol_io *io)
{
    ol_futex_lock(&swapfile->lock);
    for (uint32_t i = 0; i < io->count; i++) slot_leave_locked(swapfile, io->slots[i]);
    const enum ol_status started = layer_start_locked(swapfile);
    const unsigned number = swapfile->current;
    ol_futex_unlock(&swapfile->lock);
    if (started != OL_OK) {
        for (uint32_t i = 0; i < io->count; i++) io->status[i] = started;
        return;
    }
    for (uint32_t i = 0, n; i < io->count; i += n) {
        n = run_of_slots(io->slots, i, io->count);
        run_write(swapfile, number, io->slots[i], io->pages + i, n, io->status + i);
    }
    ol_futex_lock(&swapfile->lock);
    swapfile->pages_written += io_count_ok(io);
    ol_futex_unlock(&swapfile->lock);
}

/* --- fork ------------------------------------------------------------------------------------------------------- */

/* The LAYERS_MERGED frozen layers with the fewest slots, as a set of bits. */
static uint64_t layers_choose(const struct swapfile *swapfile)
{
    uint64_t chosen = 0;
    for (unsigned i = 0; i < LAYERS_MERGED; i++) {
        unsigned best = NO_LAYER;
        for (unsigned number = 0; number < LAYERS; number++) {
            if (!layer_is_frozen(swapfile, number) || (chosen >> number & 1) != 0) continue;
            if (best == NO_LAYER || swapfile->layers[number].slots_here < swapfile->layers[best].slots_here)
                best = number;
        }
        if (best != NO_LAYER) chosen |= UINT64_C(1) << best;
    }
    return chosen;
}

/* Copies n consecutive slots of one layer to the current one. */
static enum ol_status run_copy(struct swapfile *swapfile, ol_slot slot, uint32_t n)
{
    void *pages[OL_IO_PAGES_MAX];
    ol_slot slots[OL_IO_PAGES_MAX];
    enum ol_status status[OL_IO_PAGES_MAX];
    uint8_t seals[OL_IO_PAGES_MAX * OL_SEAL_BYTES_MAX];
    assert(n > 0 && n <= OL_IO_PAGES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        pages[i] = swapfile->bounce + (size_t)i * swapfile->pager.page_bytes;
        slots[i] = slot + i;
    }
    pages_read(swapfile, slots, pages, n, status);
    for (uint32_t i = 0; i < n; i++)
        if (status[i] != OL_OK) return status[i];
    ol_seals_save(&swapfile->seals, slot, n, seals);
    run_write(swapfile, swapfile->current, slot, pages, n, status);
    enum ol_status worst = OL_OK;
    for (uint32_t i = 0; i < n; i++) {
        if (status[i] == OL_OK) continue;
        ol_seals_restore(&swapfile->seals, slot + i, 1, seals + (size_t)i * swapfile->seals.bytes_each);
        worst = status[i];
    }
    return worst;
}

/* Copies what is in some frozen layers to the current one, which gives them up. */
static enum ol_status layers_merge(struct swapfile *swapfile)
{
    const uint64_t chosen = layers_choose(swapfile);
    ol_futex_lock(&swapfile->lock);
    enum ol_status status = layer_start_locked(swapfile);
    ol_futex_unlock(&swapfile->lock);
    for (ol_slot slot = 0; slot < swapfile->slots_touched && status == OL_OK;) {
        const unsigned number = slot_layer(swapfile, slot);
        if (number == NO_LAYER || (chosen >> number & 1) == 0) {
            slot++;
            continue;
        }
        const uint32_t left = swapfile->slots_touched - slot;
        const uint32_t n = run_in_layer(swapfile, slot, left < OL_IO_PAGES_MAX ? left : OL_IO_PAGES_MAX);
        status = run_copy(swapfile, slot, n);
        slot += n;
    }
    return status;
}

enum ol_status ol_swapfile_freeze(struct ol_pager *pager)
{
    struct swapfile *swapfile = swapfile_of(pager);
    swapfile->process = getpid();
    ol_seals_forked(&swapfile->seals);
    ol_ring_forked(&swapfile->ring);
    if (swapfile->current != NO_LAYER) {
        struct layer *layer = &swapfile->layers[swapfile->current];
        if (layer->file.fd >= 0 && layer->slots_here == 0) layer_give_up(swapfile, swapfile->current);
        if (layer->file.fd >= 0) swapfile->current = NO_LAYER;
    }
    /* One layer besides the current one stays unused, so that the next freeze finds a place to merge to. */
    if (swapfile->current == NO_LAYER) swapfile->current = layer_find_unused(swapfile);
    if (swapfile->current == NO_LAYER) return OL_E_NO_SWAP;
    return layer_find_unused(swapfile) != NO_LAYER ? OL_OK : layers_merge(swapfile);
}

/* --- the pager -------------------------------------------------------------------------------------------------- */

static void swapfile_submit(struct ol_pager *pager, struct ol_io *io)
{
    assert(io->count > 0 && io->count <= OL_IO_PAGES_MAX);
    for (uint32_t i = 0; i < io->count; i++) assert(io->slots[i] < pager->capacity);
    if (io->op == OL_IO_READ) io_read(swapfile_of(pager), io);
    else io_write(swapfile_of(pager), io);
    io->complete(io);
}

static void swapfile_discard(struct ol_pager *pager, ol_slot slot)
{
    struct swapfile *swapfile = swapfile_of(pager);
    assert(slot < pager->capacity);
    ol_futex_lock(&swapfile->lock);
    slot_leave_locked(swapfile, slot);
    ol_futex_unlock(&swapfile->lock);
}

static bool swapfile_keep(struct ol_pager *pager, ol_slot slot)
{
    (void)pager;
    (void)slot;
    return true;
}

/* What is swapped out dies with the process: nothing has to reach the disk. */
static enum ol_status swapfile_flush(struct ol_pager *pager)
{
    (void)pager;
    return OL_OK;
}

static size_t buffer_bytes(const struct swapfile *swapfile)
{
    return (size_t)OL_IO_PAGES_MAX * swapfile->pager.page_bytes;
}

static size_t held_bytes(const struct swapfile *swapfile)
{
    return ((size_t)swapfile->pager.capacity / CLUSTER_SLOTS + 1) * sizeof *swapfile->held;
}

static void swapfile_close(struct ol_pager *pager)
{
    struct swapfile *swapfile = swapfile_of(pager);
    for (unsigned number = 0; number < LAYERS; number++) ol_swap_file_close(&swapfile->layers[number].file);
    if (swapfile->directory >= 0) (void)close(swapfile->directory);
    ol_ring_close(&swapfile->ring);
    ol_seals_destroy(&swapfile->seals);
    ol_release(swapfile->held, held_bytes(swapfile));
    ol_release(swapfile->layer_of, pager->capacity);
    ol_release(swapfile->bounce, buffer_bytes(swapfile));
    ol_release(swapfile->sealed, buffer_bytes(swapfile));
    ol_release(swapfile, sizeof *swapfile);
}

static const struct ol_pager_ops swapfile_ops = {
    .name = "file",
    .submit = swapfile_submit,
    .discard = swapfile_discard,
    .keep = swapfile_keep,
    .flush = swapfile_flush,
    .close = swapfile_close,
};

static const char *error_text(int error)
{
    switch (error) {
    case ENOENT: return "the directory for the swap file does not exist: make it or name another";
    case ENOTDIR: return "what is named for the swap file is not a directory: name a directory";
    case EACCES:
    case EPERM: return "files may not be made in the directory for the swap file: name one that is writable";
    case EROFS: return "the directory for the swap file is on a read-only file system: name another";
    case ENOSPC:
    case EDQUOT: return "there is no room for a swap file in its directory: make room or name another";
    case EMFILE:
    case ENFILE: return "too many files are open to open a swap file: raise the limit (ulimit -n)";
    default: return "no swap file can be made in its directory: name another";
    }
}

/* 0 or an errno. */
static int files_open(struct swapfile *swapfile, const char *directory)
{
    swapfile->directory = ol_swap_directory_open(directory);
    if (swapfile->directory < 0) return errno;
    return layer_open(swapfile, 0);
}

static enum ol_status swapfile_allocate(const struct ol_swapfile_options *options, struct swapfile **out,
                                        const char **error)
{
    *error = "there is no address space for the swap file's tables: raise the limit (ulimit -v)";
    struct swapfile *swapfile = ol_reserve(sizeof *swapfile);
    if (!swapfile) return OL_E_NO_META;
    swapfile->pager = (struct ol_pager){&swapfile_ops, options->page_bytes, options->capacity};
    swapfile->directory = -1;
    swapfile->process = getpid();
    for (unsigned number = 0; number < LAYERS; number++) swapfile->layers[number].file.fd = -1;
    swapfile->held = ol_reserve(held_bytes(swapfile));
    swapfile->layer_of = ol_reserve(options->capacity);
    swapfile->bounce = ol_reserve(buffer_bytes(swapfile));
    if (options->encrypted) swapfile->sealed = ol_reserve(buffer_bytes(swapfile));
    enum ol_status status = OL_E_NO_META;
    if (swapfile->held && swapfile->layer_of && swapfile->bounce && (swapfile->sealed || !options->encrypted))
        status = ol_seals_create(&swapfile->seals, options->capacity, options->page_bytes, options->encrypted, error);
    if (status == OL_OK) *out = swapfile;
    else swapfile_close(&swapfile->pager);
    return status;
}

enum ol_status ol_swapfile_create(const struct ol_swapfile_options *options, struct ol_pager **out, const char **error)
{
    const char *ignored;
    const uint32_t page_bytes = options->page_bytes;
    if (!error) error = &ignored;
    if (options->capacity == 0 || page_bytes < PAGE_BYTES_MIN || page_bytes > PAGE_BYTES_MAX ||
        (page_bytes & (page_bytes - 1)) != 0) {
        *error = "a swap file wants at least one page, of 512 bytes to 1 MiB: correct its size";
        return OL_E_INVALID;
    }
    struct swapfile *swapfile;
    const enum ol_status status = swapfile_allocate(options, &swapfile, error);
    if (status != OL_OK) return status;
    const int failure = files_open(swapfile, options->directory);
    if (failure != 0) {
        *error = error_text(failure);
        swapfile_close(&swapfile->pager);
        return ol_swap_status(failure);
    }
    *out = &swapfile->pager;
    return OL_OK;
}

bool ol_swapfile_failure(struct ol_pager *pager, ol_slot slot, struct ol_swapfile_failure *out)
{
    struct swapfile *swapfile = swapfile_of(pager);
    bool found = false;
    assert(pager->ops == &swapfile_ops);
    ol_futex_lock(&swapfile->lock);
    for (unsigned i = 0; i < FAILURES; i++) { /* from the oldest to the youngest, which counts */
        const struct failure *failure = &swapfile->failures[(swapfile->failures_next + i) % FAILURES];
        if (failure->slot != slot || failure->why.error == 0) continue;
        *out = failure->why;
        found = true;
    }
    ol_futex_unlock(&swapfile->lock);
    return found;
}

void ol_swapfile_statistics(struct ol_pager *pager, struct ol_swapfile_statistics *out)
{
    struct swapfile *swapfile = swapfile_of(pager);
    uint64_t pages = 0;
    assert(pager->ops == &swapfile_ops);
    ol_futex_lock(&swapfile->lock);
    for (unsigned number = 0; number < LAYERS; number++) pages += swapfile->layers[number].slots_touched;
    out->pages_read = swapfile->pages_read;
    out->pages_written = swapfile->pages_written;
    out->file_bytes = pages * pager->page_bytes;
    out->pages_read_together = swapfile->pages_read_together;
    out->buffered = false;
    for (unsigned number = 0; number < LAYERS; number++)
        if (swapfile->layers[number].file.fd >= 0 && !atomic_load(&swapfile->layers[number].file.direct))
            out->buffered = true;
    out->pages_damaged = swapfile->pages_damaged;
    out->metadata_bytes = sizeof *swapfile + swapfile->slots_touched / CLUSTER_SLOTS * sizeof *swapfile->held +
                          swapfile->slots_touched_above +
                          (uint64_t)swapfile->slots_touched * swapfile->seals.bytes_each;
    ol_futex_unlock(&swapfile->lock);
}
