/* SPDX-License-Identifier: MIT */
#include "pager/compressed.h"

#include "pager/lock.h"
#include "pager/reserve.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

enum { WORKERS = 4 };

/* See refuses_unseen. */
enum { REFUSALS_BEFORE = 32, REFUSALS_PER_TRY = 16 };

/* What a slot holds. A compressed page stands in its object behind its size. */
enum { HOLDS_NOTHING, HOLDS_WORD, HOLDS_COMPRESSED, HOLDS_RAW };

typedef uint16_t size_ahead;

/* A slot is described by one byte and 32 bits: what it holds, and which word or object of the store. */
enum { HOLDS_BITS = 2, HOLDS_MASK = (1 << HOLDS_BITS) - 1, SLAB_LOW_BITS = 24, OBJECT_BITS = 8 };

static_assert(OL_STORE_SLABS_MAX <= 1U << (SLAB_LOW_BITS + 8 - HOLDS_BITS) && OL_STORE_OBJECTS_MAX < 1 << OBJECT_BITS,
              "the description of a slot names every object");
static_assert(OL_STORE_PAGE_BYTES_MAX <= UINT16_MAX, "a size stands before each compressed page");

/* Working memory of one transfer at a time. It is followed by room for a compressed page, room_bytes, and by what the
 * codec wants, workspace_bytes. */
struct worker {
    struct ol_futex_mutex lock; /* held while in use */
    struct ol_codec codec;
};

/* The slot tables need no lock: nobody else uses a slot while a call for it is under way. Locks are taken in the order
 * worker, lock, and then whatever the budget takes. */
struct compressed {
    struct ol_pager pager;
    bool keep_incompressible; /* c: */
    struct ol_codec reader;   /* c: decompresses for all at a time, if codecs of its kind can */
    char *workers;            /* c: WORKERS of them; see worker_at */
    size_t workspace_bytes;   /* c: of each one's codec */
    uint8_t *holds;           /* c: the table; by slot, what it holds, and above that the slab's high bits */
    uint32_t *where;          /* c: the table; by slot, the slab's low bits above the object's number; or the word */
    uint64_t *words; /* c: the table; by number: a word that a slot holds, or the next free number; words[0] is 0 */
    struct ol_futex_mutex lock; /* protects all below */
    struct ol_store store;
    struct ol_compressed_statistics statistics; /* but for store_bytes and metadata_bytes */
    uint32_t slots_touched;                     /* highest slot written + 1 */
    uint32_t words_touched;                     /* numbers of words from here on were never used */
    uint32_t words_free;                        /* the first free one below; 0: none */
    atomic_uint refused_in_a_row;               /* a: page writes refused since one was taken */
    atomic_uint workers_used;                   /* a: so many were ever used; more threads than WORKERS wait */
};

static struct compressed *compressed_of(struct ol_pager *pager)
{
    return (struct compressed *)pager;
}

/* --- slots ------------------------------------------------------------------------------------------------------ */

static uint8_t slot_holds(const struct compressed *compressed, ol_slot slot)
{
    return compressed->holds[slot] & HOLDS_MASK;
}

/* Of one that holds a page, compressed or raw. */
static struct ol_store_place slot_place(const struct compressed *compressed, ol_slot slot)
{
    const uint32_t high = compressed->holds[slot] >> HOLDS_BITS, low = compressed->where[slot];
    return (struct ol_store_place){.slab = high << SLAB_LOW_BITS | low >> OBJECT_BITS, .object = (uint8_t)low};
}

/* Of a page in the store, and how large it is. */
static const char *slot_data(const struct compressed *compressed, ol_slot slot, uint32_t *bytes)
{
    const char *object = ol_store_address(&compressed->store, slot_place(compressed, slot));
    size_ahead size;
    *bytes = compressed->pager.page_bytes;
    if (slot_holds(compressed, slot) == HOLDS_RAW) return object;
    memcpy(&size, object, sizeof size);
    *bytes = size;
    return object + sizeof size;
}

/* Zero has a number of its own. There are as many others as slots. */
static uint32_t word_number_locked(struct compressed *compressed, uint64_t word)
{
    if (word == 0) return 0;
    const uint32_t number = compressed->words_free ? compressed->words_free : ++compressed->words_touched;
    compressed->words_free = (uint32_t)compressed->words[number];
    compressed->words[number] = word;
    return number;
}

static void word_drop_locked(struct compressed *compressed, uint32_t number)
{
    if (number == 0) return;
    compressed->words[number] = compressed->words_free;
    compressed->words_free = number;
}

static void slot_drop_locked(struct compressed *compressed, ol_slot slot)
{
    struct ol_compressed_statistics *statistics = &compressed->statistics;
    const uint8_t holds = slot_holds(compressed, slot);
    uint32_t bytes;
    if (holds == HOLDS_NOTHING) return; /* the table may have no memory there */
    if (holds == HOLDS_WORD) {
        word_drop_locked(compressed, compressed->where[slot]);
        statistics->same_pages--;
    } else {
        (void)slot_data(compressed, slot, &bytes);
        ol_store_free(&compressed->store, slot_place(compressed, slot));
        statistics->pages--;
        statistics->bytes -= bytes;
    }
    compressed->holds[slot] = HOLDS_NOTHING;
}

static void slot_set_locked(struct compressed *compressed, ol_slot slot, unsigned holds, uint32_t where)
{
    compressed->holds[slot] = (uint8_t)holds;
    compressed->where[slot] = where;
    if (slot >= compressed->slots_touched) compressed->slots_touched = slot + 1;
}

static void slot_set_word(struct compressed *compressed, ol_slot slot, uint64_t word)
{
    ol_futex_lock(&compressed->lock);
    slot_drop_locked(compressed, slot);
    slot_set_locked(compressed, slot, HOLDS_WORD, word_number_locked(compressed, word));
    compressed->statistics.same_pages++;
    ol_futex_unlock(&compressed->lock);
}

static bool slot_store_locked(struct compressed *compressed, ol_slot slot, uint8_t holds, const void *data,
                              uint32_t bytes)
{
    struct ol_compressed_statistics *statistics = &compressed->statistics;
    const size_ahead size = (size_ahead)bytes;
    const uint32_t ahead = holds == HOLDS_RAW ? 0 : sizeof size;
    struct ol_store_place place;
    if (bytes == 0 || !ol_store_allocate(&compressed->store, ahead + bytes, &place)) {
        statistics->refused++;
        return false;
    }
    char *object = ol_store_address(&compressed->store, place);
    memcpy(object, &size, ahead);
    memcpy(object + ahead, data, bytes);
    slot_set_locked(compressed, slot, holds | place.slab >> SLAB_LOW_BITS << HOLDS_BITS,
                    place.slab << OBJECT_BITS | place.object);
    statistics->pages++;
    statistics->bytes += bytes;
    statistics->in_pages++;
    statistics->in_bytes += bytes;
    return true;
}

/* Replaces what the slot holds by `bytes` bytes; 0 bytes: a page that is not to be kept. */
static enum ol_status slot_store(struct compressed *compressed, ol_slot slot, uint8_t holds, const void *data,
                                 uint32_t bytes)
{
    ol_futex_lock(&compressed->lock);
    slot_drop_locked(compressed, slot);
    const bool stored = slot_store_locked(compressed, slot, holds, data, bytes);
    ol_futex_unlock(&compressed->lock);
    return stored ? OL_OK : OL_E_NO_SWAP;
}

/* --- pages ------------------------------------------------------------------------------------------------------ */

/* Are all 64-bit words of the page the same? Then it equals itself moved by one word. */
static bool page_is_word(const char *page, uint32_t page_bytes, uint64_t *word)
{
    if (memcmp(page, page + sizeof *word, page_bytes - sizeof *word) != 0) return false;
    memcpy(word, page, sizeof *word);
    return true;
}

static void page_fill(char *page, uint32_t page_bytes, uint64_t word)
{
    memcpy(page, &word, sizeof word);
    for (uint32_t done = sizeof word; done < page_bytes; done *= 2) memcpy(page + done, page, done);
}

/* What a page may take compressed. */
static uint32_t room_bytes(const struct compressed *compressed)
{
    return compressed->pager.page_bytes / 4 * 3;
}

static size_t worker_bytes(const struct compressed *compressed)
{
    return ((sizeof(struct worker) + room_bytes(compressed) + 63) & ~(size_t)63) + compressed->workspace_bytes;
}

static struct worker *worker_at(const struct compressed *compressed, unsigned number)
{
    return (struct worker *)(void *)(compressed->workers + number * worker_bytes(compressed));
}

/* Its codec is made when it is first used: an untouched worker costs nothing. */
static struct worker *worker_use(struct compressed *compressed, unsigned number)
{
    struct worker *worker = worker_at(compressed, number);
    if (worker->codec.compressor) return worker;
    char *workspace = (char *)worker + worker_bytes(compressed) - compressed->workspace_bytes;
    const bool good = ol_codec_init(&worker->codec, compressed->reader.level, compressed->pager.page_bytes, workspace);
    assert(good); /* create tried it */
    (void)good;
    atomic_fetch_add(&compressed->workers_used, 1);
    return worker;
}

static struct worker *worker_lock(struct compressed *compressed)
{
    for (unsigned i = 0; i < WORKERS; i++)
        if (ol_futex_trylock(&worker_at(compressed, i)->lock)) return worker_use(compressed, i);
    ol_futex_lock(&worker_at(compressed, 0)->lock);
    return worker_use(compressed, 0);
}

/* After many refusals in a row the store is full or the data does not compress; most pages are then refused without
 * being compressed first, which would cost more than all else, until one is taken again. */
static bool refuses_unseen(struct compressed *compressed)
{
    if (compressed->keep_incompressible || atomic_load(&compressed->refused_in_a_row) < REFUSALS_BEFORE) return false;
    return atomic_fetch_add(&compressed->refused_in_a_row, 1) % REFUSALS_PER_TRY != 0;
}

static enum ol_status page_write(struct compressed *compressed, struct worker *worker, ol_slot slot, const void *page)
{
    const uint32_t page_bytes = compressed->pager.page_bytes;
    enum ol_status status;
    uint64_t word;
    if (page_is_word(page, page_bytes, &word)) {
        slot_set_word(compressed, slot, word);
        return OL_OK;
    }
    if (refuses_unseen(compressed)) return slot_store(compressed, slot, HOLDS_NOTHING, NULL, 0);
    char *out = (char *)(worker + 1);
    const uint32_t bytes = ol_codec_compress(&worker->codec, page, out, room_bytes(compressed));
    if (bytes == 0 && compressed->keep_incompressible)
        status = slot_store(compressed, slot, HOLDS_RAW, page, page_bytes);
    else status = slot_store(compressed, slot, HOLDS_COMPRESSED, out, bytes);
    if (status == OL_OK) atomic_store(&compressed->refused_in_a_row, 0);
    else atomic_fetch_add(&compressed->refused_in_a_row, 1);
    return status;
}

static enum ol_status page_read(const struct compressed *compressed, const struct ol_codec *codec, ol_slot slot,
                                void *page)
{
    const uint8_t holds = slot_holds(compressed, slot);
    uint32_t bytes;
    if (holds == HOLDS_NOTHING) return OL_E_IO;
    if (holds == HOLDS_WORD) {
        page_fill(page, compressed->pager.page_bytes, compressed->words[compressed->where[slot]]);
        return OL_OK;
    }
    const char *data = slot_data(compressed, slot, &bytes);
    if (holds == HOLDS_COMPRESSED) return ol_codec_decompress(codec, data, bytes, page) ? OL_OK : OL_E_IO;
    memcpy(page, data, bytes);
    return OL_OK;
}

/* --- the pager -------------------------------------------------------------------------------------------------- */

/* One worker for the whole transfer; or none, where a codec that is never written serves all readers. */
static void compressed_submit(struct ol_pager *pager, struct ol_io *io)
{
    struct compressed *compressed = compressed_of(pager);
    struct worker *worker = NULL;
    const struct ol_codec *codec = &compressed->reader;
    assert(io->count > 0 && io->count <= OL_IO_PAGES_MAX);
    const bool writes = io->op == OL_IO_WRITE;
    if (writes || !ol_codec_shares_decompress(codec)) {
        worker = worker_lock(compressed);
        codec = &worker->codec;
    }
    for (uint32_t i = 0; i < io->count; i++) {
        assert(io->slots[i] < pager->capacity);
        if (writes) io->status[i] = page_write(compressed, worker, io->slots[i], io->pages[i]);
        else io->status[i] = page_read(compressed, codec, io->slots[i], io->pages[i]);
    }
    if (worker) ol_futex_unlock(&worker->lock);
    io->complete(io);
}

static void compressed_discard(struct ol_pager *pager, ol_slot slot)
{
    struct compressed *compressed = compressed_of(pager);
    assert(slot < pager->capacity);
    ol_futex_lock(&compressed->lock);
    slot_drop_locked(compressed, slot);
    ol_futex_unlock(&compressed->lock);
}

static bool compressed_keep(struct ol_pager *pager, ol_slot slot)
{
    (void)pager;
    (void)slot;
    return false;
}

static enum ol_status compressed_flush(struct ol_pager *pager)
{
    (void)pager;
    return OL_OK;
}

static void tables_release(struct compressed *compressed)
{
    const size_t capacity = compressed->pager.capacity;
    ol_release(compressed->holds, capacity * sizeof *compressed->holds);
    ol_release(compressed->where, capacity * sizeof *compressed->where);
    ol_release(compressed->words, (capacity + 1) * sizeof *compressed->words);
    ol_release(compressed->workers, WORKERS * worker_bytes(compressed));
    ol_release(compressed, sizeof *compressed);
}

static void compressed_close(struct ol_pager *pager)
{
    struct compressed *compressed = compressed_of(pager);
    ol_store_destroy(&compressed->store);
    tables_release(compressed);
}

static const struct ol_pager_ops compressed_ops = {
    .name = "compressed",
    .submit = compressed_submit,
    .discard = compressed_discard,
    .keep = compressed_keep,
    .flush = compressed_flush,
    .close = compressed_close,
};

/* Would the library take the memory that a worker gives it? */
static bool codec_is_good(const struct compressed *compressed)
{
    struct ol_codec codec;
    const struct ol_codec *wanted = &compressed->reader;
    char *workspace = ol_reserve(compressed->workspace_bytes);
    const bool good = workspace && ol_codec_init(&codec, wanted->level, wanted->page_bytes, workspace);
    ol_release(workspace, compressed->workspace_bytes);
    return good;
}

enum ol_status ol_compressed_create(const struct ol_compressed_options *options, struct ol_pager **out)
{
    const size_t capacity = options->capacity;
    if (capacity == 0 || options->level > OL_CODEC_LEVEL_MAX) return OL_E_INVALID;
    struct compressed *compressed = ol_reserve(sizeof *compressed);
    if (!compressed) return OL_E_NO_META;
    enum ol_status status = OL_E_NO_META;
    compressed->pager = (struct ol_pager){&compressed_ops, options->page_bytes, options->capacity};
    compressed->keep_incompressible = options->keep_incompressible;
    compressed->holds = ol_reserve(capacity * sizeof *compressed->holds);
    compressed->where = ol_reserve(capacity * sizeof *compressed->where);
    compressed->words = ol_reserve((capacity + 1) * sizeof *compressed->words);
    compressed->reader = (struct ol_codec){.level = (uint8_t)options->level, .page_bytes = options->page_bytes};
    compressed->workspace_bytes = ol_codec_workspace_bytes(options->level, options->page_bytes);
    compressed->workers = ol_reserve(WORKERS * worker_bytes(compressed));
    if (compressed->holds && compressed->where && compressed->words && compressed->workers && codec_is_good(compressed))
        status = ol_store_create(&compressed->store, options->page_bytes, options->max_store_bytes, &options->budget);
    if (status != OL_OK) {
        tables_release(compressed);
        return status;
    }
    *out = &compressed->pager;
    return OL_OK;
}

void ol_compressed_statistics(struct ol_pager *pager, struct ol_compressed_statistics *out)
{
    struct compressed *compressed = compressed_of(pager);
    const uint64_t slot_bytes = sizeof *compressed->holds + sizeof *compressed->where;
    assert(pager->ops == &compressed_ops);
    ol_futex_lock(&compressed->lock);
    *out = compressed->statistics;
    out->store_bytes = (uint64_t)compressed->store.slabs_taken * compressed->store.slab_bytes;
    out->metadata_bytes = sizeof *compressed + compressed->slots_touched * slot_bytes +
                          compressed->words_touched * sizeof *compressed->words +
                          atomic_load(&compressed->workers_used) * worker_bytes(compressed) +
                          ol_store_metadata_bytes(&compressed->store);
    ol_futex_unlock(&compressed->lock);
}
