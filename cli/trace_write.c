/* SPDX-License-Identifier: MIT */
#include "cli/trace_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/future.h"
#include "trace/native.h"

enum { PAGE_SHIFT = 12 };

/* --- native ------------------------------------------------------------------------------------------------------- */

static void *native_create(const char *path, unsigned shift)
{
    return ol_native_create(path, shift);
}

static void native_append(void *writer, const struct ol_reference *reference)
{
    ol_native_thread(writer, reference->thread);
    ol_native_append(writer, reference);
}

static bool native_finish(void *writer)
{
    return ol_native_finish(writer);
}

static const struct ol_trace_writer_ops native = {"native", "docs/trace-format.md", native_create, native_append,
                                                  native_finish};

/* --- text --------------------------------------------------------------------------------------------------------- */

struct text {
    FILE *file;
    uint64_t time; /* references written */
};

static void *text_create(const char *path, unsigned shift)
{
    struct text *const text = calloc(1, sizeof *text);
    (void)shift;
    if (!text) return NULL;
    text->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (text->file) return text;
    const int cause = errno;
    free(text);
    errno = cause;
    return NULL;
}

static bool text_finish(void *writer)
{
    struct text *const text = writer;
    const bool failed = ferror(text->file) != 0;
    const bool good = (text->file == stdout ? fflush(text->file) : fclose(text->file)) == 0 && !failed;
    free(text);
    return good;
}

static void pages_append(void *writer, const struct ol_reference *reference)
{
    struct text *const text = writer;
    if (reference->event != OL_TRACE_REFERENCE) return;
    for (uint32_t i = 0; i < reference->count; i++) fprintf(text->file, "%" PRIx64 "\n", reference->va >> PAGE_SHIFT);
}

static void lackey_append(void *writer, const struct ol_reference *reference)
{
    struct text *const text = writer;
    if (reference->event != OL_TRACE_REFERENCE) return;
    const char *const kind = reference->access == OL_READ ? " L" : reference->access == OL_WRITE ? " S" : "I ";
    for (uint32_t i = 0; i < reference->count; i++) fprintf(text->file, "%s %08" PRIx64 ",1\n", kind, reference->va);
}

/* Dinero's labels: 0 read, 1 write, 2 instruction fetch. */
static void din_append(void *writer, const struct ol_reference *reference)
{
    struct text *const text = writer;
    if (reference->event != OL_TRACE_REFERENCE) return;
    const int label = reference->access == OL_READ ? 0 : reference->access == OL_WRITE ? 1 : 2;
    for (uint32_t i = 0; i < reference->count; i++) fprintf(text->file, "%d %" PRIx64 "\n", label, reference->va);
}

static void csv_append(void *writer, const struct ol_reference *reference)
{
    static const char *const names[] = {[OL_READ] = "read", [OL_WRITE] = "write", [OL_EXEC] = "fetch"};
    struct text *const text = writer;
    if (reference->event != OL_TRACE_REFERENCE) return;
    if (text->time == 0) fputs("time,page,size,access\n", text->file);
    for (uint32_t i = 0; i < reference->count; i++)
        fprintf(text->file, "%" PRIu64 ",%" PRIu64 ",1,%s\n", text->time++, reference->va >> PAGE_SHIFT,
                names[reference->access]);
}

/* --- oracleGeneral ------------------------------------------------------------------------------------------------ */

/* Its records tell the future, so all of them are kept until the trace ends. */
struct oracle {
    FILE *file;
    struct ol_numbering *numbering;
    struct ol_future *future;
    size_t count; /* of references not yet in the future */
    struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    int error; /* the first one */
};

static void oracle_destroy(struct oracle *oracle)
{
    if (oracle->numbering) ol_numbering_destroy(oracle->numbering);
    if (oracle->future) ol_future_destroy(oracle->future);
    free(oracle);
}

static void *oracle_create(const char *path, unsigned shift)
{
    struct oracle *const oracle = calloc(1, sizeof *oracle);
    (void)shift;
    errno = ENOMEM;
    if (!oracle) return NULL;
    oracle->numbering = ol_numbering_create();
    oracle->future = ol_future_create(0);
    if (oracle->numbering && oracle->future) oracle->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (oracle->file) return oracle;
    const int cause = errno;
    oracle_destroy(oracle);
    errno = cause;
    return NULL;
}

static void oracle_flush(struct oracle *oracle)
{
    struct ol_batch batch;
    if (!ol_numbering_add(oracle->numbering, oracle->references, oracle->count, PAGE_SHIFT, &batch) ||
        !ol_future_add(oracle->future, &batch))
        oracle->error = ENOMEM;
    oracle->count = 0;
}

static void oracle_append(void *writer, const struct ol_reference *reference)
{
    struct oracle *const oracle = writer;
    if (reference->event != OL_TRACE_REFERENCE) return;
    for (uint32_t i = 0; i < reference->count && !oracle->error; i++) {
        struct ol_reference *const one = &oracle->references[oracle->count++];
        *one = *reference;
        one->count = 1;
        if (oracle->count == OL_NUMBERING_BATCH_MAX) oracle_flush(oracle);
    }
}

/* A second for a million references, every page of size 1. */
static void oracle_put(const struct oracle *oracle, const struct ol_batch *batch, size_t at)
{
    for (size_t i = 0; i < batch->count; i++) {
        unsigned char record[24];
        ol_put32(record, (uint32_t)((at + i) / 1000000));
        ol_put64(record + 4, ol_numbering_page(oracle->numbering, batch->pages[i]));
        ol_put32(record + 12, 1);
        ol_put64(record + 16, batch->future[i] == UINT32_MAX ? UINT64_MAX : batch->future[i]);
        fwrite(record, sizeof record, 1, oracle->file);
    }
}

static bool oracle_finish(void *writer)
{
    struct oracle *const oracle = writer;
    struct ol_batch batch = {.count = 1};
    if (!oracle->error) oracle_flush(oracle);
    for (size_t at = 0; !oracle->error && batch.count; at += batch.count) {
        ol_future_batch(oracle->future, at, OL_NUMBERING_BATCH_MAX, &batch);
        oracle_put(oracle, &batch, at);
    }
    if (ferror(oracle->file)) oracle->error = EIO;
    if ((oracle->file == stdout ? fflush(oracle->file) : fclose(oracle->file)) != 0 && !oracle->error)
        oracle->error = errno;
    const int cause = oracle->error;
    oracle_destroy(oracle);
    errno = cause;
    return cause == 0;
}

static const struct ol_trace_writer_ops pages = {"pages", "one hexadecimal page number a line", text_create,
                                                 pages_append, text_finish};
static const struct ol_trace_writer_ops lackey = {"lackey", "as valgrind --tool=lackey --trace-mem=yes, every size 1",
                                                  text_create, lackey_append, text_finish};
static const struct ol_trace_writer_ops din = {"din", "Dinero's: 0, 1 or 2 (read, write, fetch) and the address",
                                               text_create, din_append, text_finish};
static const struct ol_trace_writer_ops csv = {"csv", "time,page,size,access: columns 1, 2, 3 for libCacheSim",
                                               text_create, csv_append, text_finish};
static const struct ol_trace_writer_ops oracle_general = {
    "oracleGeneral", "libCacheSim's: time, page, size 1, next reference; takes 8 bytes of memory a reference",
    oracle_create, oracle_append, oracle_finish};

const struct ol_trace_writer_ops *const ol_trace_writers[] = {&native, &pages,          &lackey, &din,
                                                              &csv,    &oracle_general, NULL};
