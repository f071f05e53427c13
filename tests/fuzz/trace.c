/* SPDX-License-Identifier: MIT */
/*
 * Whatever bytes a trace consists of, the reader ends, with a message if it fails, and gives nothing that it should
 * not. To search for input that breaks it, with clang:
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. -Iinclude tests/fuzz/trace.c trace/[a-z]*.c \
 *         -lz -lzstd -o fuzz-trace && ./fuzz-trace -max_len=4096 tests/fuzz/trace
 * The files in tests/fuzz/trace/ are what the tests replay (replay.c).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/numbering.h"
#include "trace/page_sample.h"
#include "trace/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void require(bool condition)
{
    if (!condition) abort();
}

static void read_all(const char *path, enum ol_trace_format format)
{
    static struct ol_reference references[1000];
    const struct ol_trace_options options = {
        .format = format, .page_shift = 12, .last_va = 0x7fffffffffff, .events = true};
    char message[512] = "";
    struct ol_trace *trace;
    enum ol_trace_status status = ol_trace_open(path, &options, &trace, message, sizeof message);
    require((status == OL_TRACE_OK) == (message[0] == '\0'));
    if (status != OL_TRACE_OK) return;
    /* A few bytes may stand for very many references. */
    for (int batches = 0; batches < 10000; batches++) {
        size_t stored;
        status = ol_trace_read(trace, references, 1000, &stored);
        require(stored <= 1000);
        for (size_t i = 0; i < stored; i++) {
            const struct ol_reference *const one = &references[i];
            require(one->event < OL_TRACE_EVENTS);
            if (one->event != OL_TRACE_REFERENCE) continue;
            require(one->va <= options.last_va && one->count > 0);
            require(one->access == OL_READ || one->access == OL_WRITE || one->access == OL_EXEC);
        }
        require((status == OL_TRACE_OK) == (ol_trace_message(trace)[0] == '\0'));
        if (status != OL_TRACE_OK || stored == 0) break;
    }
    ol_trace_close(trace);
}

/* The sample that it carries. */
static void read_sample(const char *path)
{
    static struct ol_reference references[1000];
    const struct ol_trace_options options = {.page_shift = 12, .last_va = 0x7fffffffffff};
    char message[256] = "";
    struct ol_trace *trace;
    uint64_t all, sampled = 0;
    size_t stored = 0;
    if (ol_trace_open(path, &options, &trace, message, sizeof message) != OL_TRACE_OK) return;
    if (ol_trace_sample(trace, &all)) {
        do {
            const enum ol_trace_status status = ol_trace_read(trace, references, 1000, &stored);
            require((status == OL_TRACE_OK) == (ol_trace_message(trace)[0] == '\0'));
            for (size_t i = 0; i < stored; i++)
                require(references[i].va <= options.last_va && references[i].count > 0 &&
                        ol_page_sampled(references[i].va >> 12, OL_PAGE_SAMPLE_NATIVE));
            sampled += stored;
        } while (stored > 0 && sampled < 1 << 22);
    }
    ol_trace_close(trace);
}

/* What is not passed over on the way to a reference; pages may be larger than the trace's. */
static void read_from(const char *path, uint64_t wanted)
{
    static struct ol_reference references[1000];
    const struct ol_trace_options options = {.page_shift = 14, .last_va = UINT64_MAX};
    char message[256] = "";
    struct ol_trace *trace;
    uint64_t before;
    size_t stored = 1;
    if (ol_trace_open(path, &options, &trace, message, sizeof message) != OL_TRACE_OK) return;
    enum ol_trace_status status = ol_trace_seek(trace, wanted, &before);
    for (int batches = 0; status == OL_TRACE_OK && stored > 0 && batches < 1000; batches++)
        status = ol_trace_read(trace, references, 1000, &stored);
    require((status == OL_TRACE_OK) == (ol_trace_message(trace)[0] == '\0'));
    ol_trace_close(trace);
}

/* The same as batches. */
static void read_batches(const char *path, enum ol_trace_format format)
{
    const struct ol_trace_options options = {.format = format, .page_shift = 12, .last_va = UINT64_MAX};
    char message[256] = "";
    struct ol_trace *trace;
    struct ol_numbering *const numbering = ol_numbering_create();
    require(numbering);
    if (ol_trace_open(path, &options, &trace, message, sizeof message) == OL_TRACE_OK) {
        for (int batches = 0; batches < 10000; batches++) {
            struct ol_batch batch;
            const enum ol_trace_status status = ol_trace_read_batch(trace, numbering, &batch);
            require((status == OL_TRACE_OK) == (ol_trace_message(trace)[0] == '\0'));
            if (status != OL_TRACE_OK || batch.count == 0) break;
            for (size_t i = 0; i < batch.count; i++)
                require(batch.pages[i] < batch.pages_total && (!batch.counts || batch.counts[i] > 0));
        }
        ol_trace_close(trace);
    }
    ol_numbering_destroy(numbering);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char path[64];
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, bytes, count) == (ssize_t)count);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int format = OL_TRACE_DETECT; format < OL_TRACE_FORMATS; format++)
        read_all(path, (enum ol_trace_format)format);
    read_batches(path, OL_TRACE_DETECT);
    read_sample(path);
    read_from(path, 0);
    read_from(path, UINT64_MAX);
    (void)close(fd);
    return 0;
}
