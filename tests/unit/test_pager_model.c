/* SPDX-License-Identifier: MIT */
#include "tests/unit/test_pager_model.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- pages ------------------------------------------------------------------------------------------------------ */

uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = *state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static void fill_random(char *bytes, size_t count, uint64_t seed)
{
    for (size_t done = 0; done < count; done += sizeof seed) {
        const uint64_t word = random_next(&seed);
        memcpy(bytes + done, &word, count - done < sizeof word ? count - done : sizeof word);
    }
}

static void fill_text(char *bytes, size_t count, uint64_t seed)
{
    static const char *const words[] = {"page ",  "frame ",    "slot ",   "pager ",  "memory ",  "the ",
                                        "of ",    "reclaims ", "writes ", "reads ",  "working ", "set ",
                                        "fault ", "clock ",    "a ",      "overlay "};
    size_t done = 0;
    while (done < count) {
        const char *word = words[random_next(&seed) % (sizeof words / sizeof *words)];
        for (; *word && done < count; word++) bytes[done++] = *word;
    }
}

void page_make_mixed(void *page, uint32_t random_bytes, uint64_t seed)
{
    memset(page, 0, MODEL_PAGE_BYTES);
    fill_random(page, random_bytes, seed);
}

void page_make(void *page, enum page_kind kind, uint64_t seed)
{
    const uint64_t word = seed | 1;
    memset(page, 0, MODEL_PAGE_BYTES);
    switch (kind) {
    case PAGE_WORD:
        for (size_t i = 0; i < MODEL_PAGE_BYTES; i += sizeof word) memcpy((char *)page + i, &word, sizeof word);
        break;
    case PAGE_TEXT: fill_text(page, MODEL_PAGE_BYTES, seed); break;
    case PAGE_HALF: fill_random(page, MODEL_PAGE_BYTES / 2, seed); break;
    case PAGE_RANDOM: fill_random(page, MODEL_PAGE_BYTES, seed); break;
    default: break;
    }
}

static void page_of_seed(void *page, uint64_t seed)
{
    page_make(page, (enum page_kind)(seed % PAGE_KINDS), seed);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

/* A request, and how often it was completed. */
struct counted_io {
    struct ol_io io;
    unsigned completions;
};

static void count_completion(struct ol_io *io)
{
    ((struct counted_io *)io)->completions++;
}

bool pages_transfer(struct ol_pager *pager, enum ol_io_op op, const ol_slot *slots, void *const *pages, uint32_t count,
                    enum ol_status *status)
{
    struct counted_io counted = {
        .io = {.op = op, .count = count, .slots = slots, .pages = pages, .complete = count_completion}};
    for (uint32_t i = 0; i < OL_IO_PAGES_MAX; i++) counted.io.status[i] = OL_STATUS_COUNT;
    pager->ops->submit(pager, &counted.io);
    for (uint32_t i = 0; i < count; i++) status[i] = counted.io.status[i];
    return counted.completions == 1;
}

enum ol_status page_write(struct ol_pager *pager, ol_slot slot, const void *page)
{
    alignas(MODEL_PAGE_BYTES) char copy[MODEL_PAGE_BYTES];
    void *pages[] = {copy};
    enum ol_status status;
    memcpy(copy, page, sizeof copy);
    return pages_transfer(pager, OL_IO_WRITE, &slot, pages, 1, &status) ? status : OL_E_UNSUPPORTED;
}

enum ol_status page_read(struct ol_pager *pager, ol_slot slot, void *page)
{
    alignas(MODEL_PAGE_BYTES) char copy[MODEL_PAGE_BYTES];
    void *pages[] = {copy};
    enum ol_status status;
    memcpy(copy, page, sizeof copy);
    if (!pages_transfer(pager, OL_IO_READ, &slot, pages, 1, &status)) return OL_E_UNSUPPORTED;
    memcpy(page, copy, sizeof copy);
    return status;
}

/* --- the model -------------------------------------------------------------------------------------------------- */

/* Room for the pages of one request. */
struct batch {
    uint32_t count;
    uint32_t index[OL_IO_PAGES_MAX]; /* slot - first */
    ol_slot slots[OL_IO_PAGES_MAX];
    void *pages[OL_IO_PAGES_MAX];
    enum ol_status status[OL_IO_PAGES_MAX];
    alignas(MODEL_PAGE_BYTES) char bytes[OL_IO_PAGES_MAX][MODEL_PAGE_BYTES];
};

unsigned nameless_files(int *first)
{
    unsigned count = 0;
    struct stat stat;
    for (int fd = MODEL_FDS - 1; fd >= 0; fd--) {
        if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_nlink != 0) continue;
        count++;
        if (first) *first = fd;
    }
    return count;
}

int file_reopen(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

void model_init(struct pager_model *model, struct ol_pager *pager, ol_slot first, uint32_t slots, uint64_t seed)
{
    *model = (struct pager_model){.pager = pager, .first = first, .slots = slots, .random = seed};
    model->seeds = calloc(slots, sizeof *model->seeds);
    if (!model->seeds) abort();
}

void model_free(struct pager_model *model)
{
    free(model->seeds);
}

static bool model_fail(struct pager_model *model, const char *wrong)
{
    if (!model->wrong) model->wrong = wrong;
    return false;
}

static void batch_add(const struct pager_model *model, struct batch *batch, uint32_t index)
{
    batch->index[batch->count] = index;
    batch->slots[batch->count] = model->first + index;
    batch->pages[batch->count] = batch->bytes[batch->count];
    batch->status[batch->count] = OL_STATUS_COUNT;
    batch->count++;
}

static bool batch_write(struct pager_model *model, struct batch *batch, const uint64_t *seeds)
{
    char before[MODEL_PAGE_BYTES];
    if (batch->count == 0) return true;
    for (uint32_t i = 0; i < batch->count; i++) page_of_seed(batch->bytes[i], seeds[i]);
    if (!pages_transfer(model->pager, OL_IO_WRITE, batch->slots, batch->pages, batch->count, batch->status))
        return model_fail(model, "a write was not completed once");
    for (uint32_t i = 0; i < batch->count; i++) {
        const enum ol_status status = batch->status[i];
        model->seeds[batch->index[i]] = status == OL_OK ? seeds[i] : 0;
        model->no_swap += status == OL_E_NO_SWAP;
        model->write_errors += status == OL_E_IO;
        if (status == OL_E_IO ? !model->errors_expected : status != OL_OK && status != OL_E_NO_SWAP)
            return model_fail(model, "a write has a wrong status");
        page_of_seed(before, seeds[i]);
        if (memcmp(before, batch->bytes[i], sizeof before) != 0)
            return model_fail(model, "a write changed the page it was given");
    }
    return true;
}

static bool batch_read(struct pager_model *model, struct batch *batch)
{
    char expected[MODEL_PAGE_BYTES];
    if (batch->count == 0) return true;
    memset(batch->bytes, 0xa5, sizeof batch->bytes);
    if (!pages_transfer(model->pager, OL_IO_READ, batch->slots, batch->pages, batch->count, batch->status))
        return model_fail(model, "a read was not completed once");
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->status[i] == OL_E_IO && model->errors_expected) {
            model->read_errors++;
            continue;
        }
        if (batch->status[i] != OL_OK) return model_fail(model, "a page could not be read");
        page_of_seed(expected, model->seeds[batch->index[i]]);
        if (memcmp(expected, batch->bytes[i], sizeof expected) != 0) return model_fail(model, "a page is wrong");
    }
    return true;
}

/* An ascending cluster with gaps now and then. */
static bool step_write(struct pager_model *model, struct batch *batch)
{
    uint64_t seeds[OL_IO_PAGES_MAX] = {0};
    const uint64_t count = 1 + random_next(&model->random) % OL_IO_PAGES_MAX;
    uint64_t index = random_next(&model->random) % model->slots;
    batch->count = 0;
    for (; batch->count < count && index < model->slots; index += random_next(&model->random) % 8 == 0 ? 2 : 1) {
        seeds[batch->count] = random_next(&model->random) | UINT64_C(1) << 63;
        batch_add(model, batch, (uint32_t)index);
    }
    return batch_write(model, batch, seeds);
}

/* Slots with contents, in any order but mostly neighbours. */
static bool step_read(struct pager_model *model, struct batch *batch)
{
    uint64_t index = random_next(&model->random) % model->slots;
    batch->count = 0;
    for (unsigned tries = 0; tries < OL_IO_PAGES_MAX; tries++) {
        if (model->seeds[index] != 0) batch_add(model, batch, (uint32_t)index);
        if (random_next(&model->random) % 8 == 0) index = random_next(&model->random) % model->slots;
        else index = (index + 1) % model->slots;
    }
    return batch_read(model, batch);
}

static void model_discard(struct pager_model *model, uint32_t index)
{
    model->pager->ops->discard(model->pager, model->first + index);
    model->seeds[index] = 0;
}

bool model_step(struct pager_model *model)
{
    struct batch batch;
    if (model->wrong) return false;
    switch (random_next(&model->random) % 5) {
    case 0:
    case 1: return step_write(model, &batch);
    case 2:
        for (unsigned i = 0; i < OL_IO_PAGES_MAX / 2; i++)
            model_discard(model, (uint32_t)(random_next(&model->random) % model->slots));
        return true;
    default: return step_read(model, &batch);
    }
}

bool model_steps(struct pager_model *model, unsigned steps)
{
    while (steps > 0 && model_step(model)) steps--;
    return steps == 0 && !model->wrong;
}

bool model_write(struct pager_model *model, uint32_t index, uint64_t seed)
{
    struct batch batch;
    batch.count = 0;
    batch_add(model, &batch, index);
    return batch_write(model, &batch, &seed);
}

bool model_verify(struct pager_model *model)
{
    struct batch batch;
    batch.count = 0;
    for (uint32_t index = 0; index < model->slots; index++) {
        if (model->seeds[index] != 0) batch_add(model, &batch, index);
        if (batch.count < OL_IO_PAGES_MAX && index + 1 < model->slots) continue;
        if (!batch_read(model, &batch)) return false;
        batch.count = 0;
    }
    return !model->wrong;
}

void model_discard_all(struct pager_model *model)
{
    for (uint32_t index = 0; index < model->slots; index++) model_discard(model, index);
}

uint32_t model_pages(const struct pager_model *model)
{
    uint32_t pages = 0;
    for (uint32_t index = 0; index < model->slots; index++) pages += model->seeds[index] != 0;
    return pages;
}

/* --- threads ---------------------------------------------------------------------------------------------------- */

struct soaker {
    struct pager_model model;
    unsigned steps;
};

static void *soak(void *argument)
{
    struct soaker *soaker = argument;
    (void)(model_steps(&soaker->model, soaker->steps) && model_verify(&soaker->model));
    return NULL;
}

const char *model_threads(struct ol_pager *pager, uint32_t slots, unsigned steps)
{
    struct soaker soakers[2];
    pthread_t threads[2];
    const char *wrong = NULL;
    for (uint32_t i = 0; i < 2; i++) {
        model_init(&soakers[i].model, pager, i * (slots / 2), slots / 2, 1000 + i);
        soakers[i].steps = steps;
        if (pthread_create(&threads[i], NULL, soak, &soakers[i]) != 0) abort();
    }
    for (uint32_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        if (!wrong) wrong = soakers[i].model.wrong;
        model_free(&soakers[i].model);
    }
    return wrong;
}
