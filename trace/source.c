/* SPDX-License-Identifier: MIT */
#include "trace/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { INPUT_BYTES = 1 << 17, GZIP_WINDOW = 16 + 15 /* zlib: a gzip header, the largest window */ };

enum compression { PLAIN, GZIP, ZSTD };

struct ol_source {
    int fd;
    bool whole;  /* it was opened at the beginning of the file, which is no pipe */
    bool at_end; /* of the file */
    enum compression compression;
    bool inside; /* of a compressed frame: the file must not end here */
    z_stream gzip;
    ZSTD_DStream *zstd;
    size_t input_at, input_end; /* bytes of `input` not yet used */
    unsigned char input[INPUT_BYTES];
};

/* Appends to the input what the file has, once. */
static enum ol_source_status fill(struct ol_source *source)
{
    ssize_t got;
    do got = read(source->fd, source->input + source->input_end, INPUT_BYTES - source->input_end);
    while (got < 0 && errno == EINTR);
    if (got < 0) return OL_SOURCE_E_READ;
    if (got == 0) source->at_end = true;
    source->input_end += (size_t)got;
    return OL_SOURCE_OK;
}

/* Makes sure that there is input, unless the file is at its end. */
static enum ol_source_status need_input(struct ol_source *source)
{
    if (source->input_at < source->input_end || source->at_end) return OL_SOURCE_OK;
    source->input_at = source->input_end = 0;
    return fill(source);
}

static bool input_starts_with(const struct ol_source *source, const char *magic, size_t bytes)
{
    return source->input_end >= bytes && memcmp(source->input, magic, bytes) == 0;
}

static enum ol_source_status detect(struct ol_source *source)
{
    while (source->input_end < 4 && !source->at_end) {
        const enum ol_source_status status = fill(source);
        if (status != OL_SOURCE_OK) return status;
    }
    if (input_starts_with(source, "\x1f\x8b", 2)) {
        source->compression = GZIP;
        return inflateInit2(&source->gzip, GZIP_WINDOW) == Z_OK ? OL_SOURCE_OK : OL_SOURCE_E_MEMORY;
    }
    if (input_starts_with(source, "\x28\xb5\x2f\xfd", 4)) {
        source->compression = ZSTD;
        source->zstd = ZSTD_createDStream();
        return source->zstd ? OL_SOURCE_OK : OL_SOURCE_E_MEMORY;
    }
    return OL_SOURCE_OK;
}

enum ol_source_status ol_source_open(const char *path, struct ol_source **out)
{
    *out = NULL;
    struct ol_source *const source = calloc(1, sizeof *source);
    if (!source) return OL_SOURCE_E_MEMORY;
    source->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0) {
        free(source);
        return OL_SOURCE_E_OPEN;
    }
    source->whole = lseek(source->fd, 0, SEEK_CUR) == 0;
    const enum ol_source_status status = detect(source);
    if (status != OL_SOURCE_OK) {
        const int cause = errno;
        ol_source_close(source);
        errno = cause;
        return status;
    }
    *out = source;
    return OL_SOURCE_OK;
}

uint64_t ol_source_bytes(const struct ol_source *source)
{
    struct stat file;
    if (!source->whole || source->compression != PLAIN || fstat(source->fd, &file) != 0 || !S_ISREG(file.st_mode))
        return 0;
    return (uint64_t)file.st_size;
}

bool ol_source_seek(struct ol_source *source, uint64_t offset)
{
    source->input_at = source->input_end = 0;
    source->at_end = false;
    return lseek(source->fd, (off_t)offset, SEEK_SET) >= 0;
}

void ol_source_close(struct ol_source *source)
{
    if (source->compression == GZIP) inflateEnd(&source->gzip);
    ZSTD_freeDStream(source->zstd);
    close(source->fd);
    free(source);
}

static enum ol_source_status read_plain(struct ol_source *source, char *to, size_t max, size_t *count)
{
    const size_t left = source->input_end - source->input_at;
    *count = left < max ? left : max;
    memcpy(to, source->input + source->input_at, *count);
    source->input_at += *count;
    return OL_SOURCE_OK;
}

/* One step of decompression, as far as the input at hand goes. A file may hold several members one after the other. */
static enum ol_source_status read_gzip(struct ol_source *source, char *to, size_t max, size_t *count)
{
    z_stream *const gzip = &source->gzip;
    const size_t left = source->input_end - source->input_at;
    gzip->next_in = source->input + source->input_at;
    gzip->avail_in = (uInt)left;
    gzip->next_out = (Bytef *)to;
    gzip->avail_out = max < UINT_MAX ? (uInt)max : UINT_MAX;
    const uInt room = gzip->avail_out;
    source->inside = true;
    const int result = inflate(gzip, Z_NO_FLUSH);
    *count = room - gzip->avail_out;
    source->input_at += left - gzip->avail_in;
    if (result == Z_MEM_ERROR) return OL_SOURCE_E_MEMORY;
    if (result != Z_OK && result != Z_STREAM_END) return OL_SOURCE_E_CORRUPT;
    if (result == Z_STREAM_END) {
        source->inside = false;
        inflateReset(gzip);
    }
    return OL_SOURCE_OK;
}

static enum ol_source_status read_zstd(struct ol_source *source, char *to, size_t max, size_t *count)
{
    ZSTD_inBuffer input = {.src = source->input, .size = source->input_end, .pos = source->input_at};
    ZSTD_outBuffer output = {.dst = to, .size = max, .pos = 0};
    const size_t result = ZSTD_decompressStream(source->zstd, &output, &input);
    *count = output.pos;
    source->input_at = input.pos;
    source->inside = result != 0;
    return ZSTD_isError(result) ? OL_SOURCE_E_CORRUPT : OL_SOURCE_OK;
}

enum ol_source_status ol_source_read(struct ol_source *source, char *to, size_t max, size_t *count)
{
    *count = 0;
    while (*count == 0) {
        enum ol_source_status status = need_input(source);
        if (status != OL_SOURCE_OK) return status;
        /* Both decompressors leave input unused as long as they hold output of a whole frame. */
        if (source->input_at == source->input_end) return source->inside ? OL_SOURCE_E_TRUNCATED : OL_SOURCE_OK;
        switch (source->compression) {
        case PLAIN: status = read_plain(source, to, max, count); break;
        case GZIP: status = read_gzip(source, to, max, count); break;
        case ZSTD: status = read_zstd(source, to, max, count); break;
        }
        if (status != OL_SOURCE_OK) return status;
    }
    return OL_SOURCE_OK;
}

const char *ol_source_compression(const struct ol_source *source)
{
    switch (source->compression) {
    case GZIP: return "gzip";
    case ZSTD: return "zstd";
    case PLAIN: break;
    }
    return NULL;
}
