/* SPDX-License-Identifier: MIT */
/* The results file of a sweep: reading, appending, replacing. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sweep_journal.h"

static bool read_whole(const char *path, int fd, char **text, size_t *bytes)
{
    struct stat is;
    size_t at = 0;
    *text = NULL;
    if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode)) {
        ol_error("%s: is no file that results could be in", path);
        return false;
    }
    *bytes = (size_t)is.st_size;
    *text = malloc(*bytes + 1);
    while (*text && at < *bytes) {
        const ssize_t got = read(fd, *text + at, *bytes - at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        at += (size_t)got;
    }
    if (*text && at == *bytes) return true;
    ol_error("%s: cannot be read: %s", path, *text ? strerror(errno) : "no memory");
    return false;
}

static bool parse_file(const char *path, int fd, struct ol_journal *journal)
{
    char message[OL_JOURNAL_MESSAGE_BYTES], *text;
    size_t bytes;
    *journal = (struct ol_journal){0};
    bool good = read_whole(path, fd, &text, &bytes);
    if (good) {
        good = ol_journal_parse(text, bytes, journal, message);
        if (!good) ol_error("%s: %s", path, message);
    }
    free(text);
    return good;
}

bool ol_journal_read(const char *path, struct ol_journal *journal)
{
    *journal = (struct ol_journal){0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        ol_error("%s: cannot be opened: %s", path, strerror(errno));
        return false;
    }
    bool good = parse_file(path, fd, journal);
    (void)close(fd);
    if (good && !journal->header) {
        ol_error("%s: there are no results in it", path);
        good = false;
    }
    return good;
}

bool ol_journal_open(const char *path, struct ol_journal *journal, int *fd)
{
    *journal = (struct ol_journal){0};
    *fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (*fd < 0) {
        ol_error("%s: cannot be written: %s", path, strerror(errno));
        return false;
    }
    /* The process's own: those that it forks do not hold it, should they outlive it by a moment. */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool good = fcntl(*fd, F_SETLK, &lock) == 0;
    if (!good) ol_error("%s: another sweep is writing it (%s)", path, strerror(errno));
    good = good && parse_file(path, *fd, journal);
    if (good && ftruncate(*fd, (off_t)journal->good_bytes) != 0) {
        ol_error("%s: cannot be written: %s", path, strerror(errno));
        good = false;
    }
    if (!good) (void)close(*fd);
    return good;
}

bool ol_journal_append(const char *path, int fd, const struct json_t *line)
{
    char *const text = json_dumps(line, JSON_COMPACT);
    const size_t length = text ? strlen(text) : 0;
    if (text) text[length] = '\n'; /* in place of its end */
    const ssize_t written = text ? write(fd, text, length + 1) : 0;
    const bool good = text && written == (ssize_t)(length + 1);
    if (!good)
        ol_error("%s: cannot be written: %s", path,
                 !text         ? "no memory"
                 : written < 0 ? strerror(errno)
                               : "the disk is full");
    free(text);
    return good;
}

/* Header and rows into a file that is only ours. */
static bool write_lines(const char *path, int fd, const json_t *header, struct json_t *const *rows, uint32_t count)
{
    bool good = ol_journal_append(path, fd, header);
    for (uint32_t i = 0; good && i < count; i++) good = !rows[i] || ol_journal_append(path, fd, rows[i]);
    if (good && fsync(fd) != 0) {
        ol_error("%s: cannot be written: %s", path, strerror(errno));
        good = false;
    }
    return good;
}

bool ol_journal_write(const char *path, const struct json_t *header, struct json_t *const *rows, uint32_t count)
{
    static const char suffix[] = ".new-XXXXXX";
    const mode_t mask = umask(0);
    (void)umask(mask);
    char *const other = malloc(strlen(path) + sizeof(suffix));
    if (!other) {
        ol_error("%s: no memory to write it", path);
        return false;
    }
    (void)sprintf(other, "%s%s", path, suffix);
    const int fd = mkostemp(other, O_CLOEXEC);
    bool good = fd >= 0;
    if (!good) ol_error("%s: cannot be written: %s", other, strerror(errno));
    else good = write_lines(other, fd, header, rows, count);
    if (good && (fchmod(fd, 0666 & ~mask) != 0 || rename(other, path) != 0)) {
        ol_error("%s: cannot be written: %s", path, strerror(errno));
        good = false;
    }
    if (fd >= 0) (void)close(fd);
    if (!good && fd >= 0) (void)unlink(other);
    free(other);
    return good;
}
