/* SPDX-License-Identifier: MIT */
#include "pager/swapfile_io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Descriptors from here on are rarely used by programs; FDS_FIRST is below the usual limit of 1024. */
enum { FDS_FIRST = 900, NAME_BYTES = 48, NAMES_TRIED = 1000 };

/* --- files ------------------------------------------------------------------------------------------------------ */

/* Moves a descriptor out of the program's way; where that is not allowed it stays. */
static int fd_move(int fd)
{
    const int moved = fcntl(fd, F_DUPFD_CLOEXEC, FDS_FIRST);
    if (moved < 0) return fd;
    (void)close(fd);
    return moved;
}

int ol_swap_directory_open(const char *path)
{
    const int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? fd : fd_move(fd);
}

static char *digits_append(char *end, unsigned number)
{
    if (number >= 10) end = digits_append(end, number / 10);
    *end = (char)('0' + number % 10);
    return end + 1;
}

/* For file systems that know no nameless files: makes one with a name, and takes the name away. */
static int named_open(int directory)
{
    for (unsigned i = 0; i < NAMES_TRIED; i++) {
        char name[NAME_BYTES] = ".onelevel-", *end = name + sizeof ".onelevel-" - 1;
        end = digits_append(end, (unsigned)getpid());
        *end++ = '-';
        *digits_append(end, i) = 0;
        const int fd = openat(directory, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (fd >= 0) (void)unlinkat(directory, name, 0);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

int ol_swap_file_adopt(int fd, struct ol_swap_file *out)
{
    struct stat stat;
    fd = fd_move(fd);
    if (fstat(fd, &stat) != 0) {
        const int error = errno;
        (void)close(fd);
        return error;
    }
    out->fd = fd;
    out->device = stat.st_dev;
    out->inode = stat.st_ino;
    return 0;
}

int ol_swap_file_open(int directory, struct ol_swap_file *out)
{
    int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) fd = named_open(directory);
    if (fd < 0) return errno;
    const int error = ol_swap_file_adopt(fd, out);
    if (error == 0) atomic_store(&out->direct, fcntl(out->fd, F_SETFL, O_DIRECT) == 0);
    return error;
}

bool ol_swap_file_is_open(const struct ol_swap_file *file)
{
    struct stat stat;
    return fstat(file->fd, &stat) == 0 && stat.st_dev == file->device && stat.st_ino == file->inode;
}

void ol_swap_file_close(struct ol_swap_file *file)
{
    if (file->fd >= 0 && ol_swap_file_is_open(file)) (void)close(file->fd);
    file->fd = -1;
}

/* --- transfers -------------------------------------------------------------------------------------------------- */

enum ol_status ol_swap_status(int error)
{
    if (error == 0) return OL_OK;
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? OL_E_NO_SWAP : OL_E_IO;
}

/* How many of `count` pages from `first` on the file size limit lets us write. */
static uint32_t pages_in_limit(ol_slot first, uint32_t count, uint32_t page_bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return count;
    const uint64_t pages = limit.rlim_cur / page_bytes;
    if (pages <= first) return 0;
    return pages - first < count ? (uint32_t)(pages - first) : count;
}

/* Passes over `bytes` bytes that were transferred. */
static void vector_advance(struct iovec **vector, int *parts, size_t bytes)
{
    while (bytes > 0 && bytes >= (*vector)->iov_len) {
        bytes -= (*vector)->iov_len;
        (*vector)++;
        (*parts)--;
    }
    if (bytes == 0) return;
    (*vector)->iov_base = (char *)(*vector)->iov_base + bytes;
    (*vector)->iov_len -= bytes;
}

/* After an error that may mean that direct transfers are not possible: from now on there are none. False if that was
 * tried for this transfer; other threads may try at the same time. */
static bool file_leave_direct(struct ol_swap_file *file, int error, bool *left)
{
    if (error != EINVAL || *left) return false;
    *left = true;
    atomic_store(&file->direct, false);
    return fcntl(file->fd, F_SETFL, 0) == 0;
}

/* Transfers all parts of the vector unless an error stops it. Returns 0 or an error, in *done the bytes transferred. */
static int vector_transfer(struct ol_swap_file *file, enum ol_io_op op, struct iovec *vector, int parts, off_t offset,
                           size_t *done)
{
    const int fd = file->fd;
    bool left = false;
    *done = 0;
    while (parts > 0) {
        const off_t at = offset + (off_t)*done;
        const ssize_t bytes = op == OL_IO_READ ? preadv(fd, vector, parts, at) : pwritev(fd, vector, parts, at);
        if (bytes < 0 && (errno == EINTR || file_leave_direct(file, errno, &left))) continue;
        if (bytes < 0) return errno;
        if (bytes == 0) return OL_SWAP_ENDED;
        *done += (size_t)bytes;
        vector_advance(&vector, &parts, (size_t)bytes);
    }
    return 0;
}

/* Returns how many leading pages were transferred, and if these are not all, in *error why. */
static uint32_t pages_transfer(struct ol_swap_file *file, enum ol_io_op op, ol_slot first, void *const *pages,
                               uint32_t count, uint32_t page_bytes, int *error)
{
    struct iovec vector[OL_IO_PAGES_MAX] = {{0}};
    size_t done;
    assert(count <= OL_IO_PAGES_MAX);
    *error = EBADF;
    if (!ol_swap_file_is_open(file)) return 0;
    *error = EFBIG;
    if (op == OL_IO_WRITE) count = pages_in_limit(first, count, page_bytes);
    for (uint32_t i = 0; i < count; i++) vector[i] = (struct iovec){.iov_base = pages[i], .iov_len = page_bytes};
    const int failure = vector_transfer(file, op, vector, (int)count, (off_t)first * page_bytes, &done);
    if (failure != 0) *error = failure;
    return (uint32_t)(done / page_bytes);
}

void ol_swap_file_transfer(struct ol_swap_file *file, enum ol_io_op op, ol_slot first, void *const *pages,
                           uint32_t count, uint32_t page_bytes, int *errors)
{
    int error;
    uint32_t done = pages_transfer(file, op, first, pages, count, page_bytes, &error);
    for (uint32_t i = 0; i < done; i++) errors[i] = 0;
    for (; done < count; done++)
        errors[done] = pages_transfer(file, op, first + done, pages + done, 1, page_bytes, &error) == 1 ? 0 : error;
}
