/* SPDX-License-Identifier: MIT */
#include "machine/linux/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
#endif
#ifndef UFFDIO_MOVE
#define _UFFDIO_MOVE 0x05
struct uffdio_move {
    __u64 dst;
    __u64 src;
    __u64 len;
    __u64 mode;
    __s64 move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, _UFFDIO_MOVE, struct uffdio_move)
#endif

enum { PAGE_BYTES = 4096 };

/* Out of the way of the program's own descriptors, some of which it may expect to be small and dense. */
enum { HIGH_DESCRIPTOR = 900 };

static bool api_handshake(int fd, uint64_t features)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    return ioctl(fd, UFFDIO_API, &api) == 0;
}

static int open_with(uint64_t features)
{
    const int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0) return -1;
    if (api_handshake(fd, features)) return fd;
    const int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

enum ol_status ol_uffd_open(bool no_move, struct ol_uffd *out, const char **error)
{
    const uint64_t needed = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP;
    int fd = no_move ? -1 : open_with(needed | UFFD_FEATURE_MOVE);
    out->can_move = fd >= 0;
    if (fd < 0) fd = open_with(needed);
    if (fd < 0) {
        *error = errno == EPERM || errno == EACCES || errno == ENOSYS
                     ? "userfaultfd is forbidden or missing here; a container's seccomp profile must allow it"
                     : "userfaultfd lacks SIGBUS faults or write protection; Linux 5.11 or newer is needed";
        return OL_E_UNSUPPORTED;
    }
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (high >= 0) (void)close(fd);
    out->fd = high >= 0 ? high : fd;
    return OL_OK;
}

void ol_uffd_close(struct ol_uffd *uffd)
{
    (void)close(uffd->fd);
    uffd->fd = -1;
}

static uint64_t number_of(const void *address)
{
    return (uint64_t)(uintptr_t)address;
}

static bool register_mode(const struct ol_uffd *uffd, void *address, size_t bytes, uint64_t mode)
{
    struct uffdio_register request = {.range = {.start = number_of(address), .len = bytes}, .mode = mode};
    return ioctl(uffd->fd, UFFDIO_REGISTER, &request) == 0;
}

bool ol_uffd_register(const struct ol_uffd *uffd, void *address, size_t bytes)
{
    return register_mode(uffd, address, bytes, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
}

bool ol_uffd_register_wp(const struct ol_uffd *uffd, void *address, size_t bytes)
{
    return register_mode(uffd, address, bytes, UFFDIO_REGISTER_MODE_WP);
}

bool ol_uffd_is_present(void *address)
{
    unsigned char present = 0;
    return mincore(address, PAGE_BYTES, &present) == 0 && present & 1;
}

/* Is this page at `to` and no longer at `from`? */
static bool is_moved(void *to, void *from)
{
    return ol_uffd_is_present(to) && !ol_uffd_is_present(from);
}

/* While it compacts memory, Linux 6.18 moves a page now and then and reports EEXIST: it seems to try again what it has
 * done. Whoever believes that takes the page for lost. */
int ol_uffd_move(const struct ol_uffd *uffd, void *to, const void *from, size_t bytes, size_t *moved)
{
    *moved = 0;
    for (;;) {
        struct uffdio_move request = {
            .dst = number_of(to) + *moved, .src = number_of(from) + *moved, .len = bytes - *moved};
        if (ioctl(uffd->fd, UFFDIO_MOVE, &request) == 0) {
            *moved = bytes;
            return 0;
        }
        const int error = errno;
        if (request.move > 0) *moved += (size_t)request.move;
        if (error == EEXIST && is_moved((char *)to + *moved, (char *)(uintptr_t)from + *moved)) *moved += PAGE_BYTES;
        else if (error != EAGAIN && error != EINTR) return error;
        if (*moved == bytes) return 0;
    }
}

int ol_uffd_copy(const struct ol_uffd *uffd, void *to, const void *from, size_t bytes, bool protect, size_t *copied)
{
    for (*copied = 0; *copied < bytes;) {
        struct uffdio_copy request = {.dst = number_of(to) + *copied,
                                      .src = number_of(from) + *copied,
                                      .len = bytes - *copied,
                                      .mode = protect ? UFFDIO_COPY_MODE_WP : 0};
        const int error = ioctl(uffd->fd, UFFDIO_COPY, &request) ? errno : 0;
        if (request.copy > 0) *copied += (size_t)request.copy;
        if (error && error != EAGAIN && error != EINTR) return error;
    }
    return 0;
}

int ol_uffd_zero(const struct ol_uffd *uffd, void *to, size_t bytes, size_t *mapped)
{
    for (*mapped = 0; *mapped < bytes;) {
        struct uffdio_zeropage request = {.range = {.start = number_of(to) + *mapped, .len = bytes - *mapped}};
        const int error = ioctl(uffd->fd, UFFDIO_ZEROPAGE, &request) ? errno : 0;
        if (request.zeropage > 0) *mapped += (size_t)request.zeropage;
        if (error && error != EAGAIN && error != EINTR) return error;
    }
    return 0;
}

int ol_uffd_protect(const struct ol_uffd *uffd, void *address, size_t bytes, bool protect)
{
    for (;;) {
        struct uffdio_writeprotect request = {.range = {.start = number_of(address), .len = bytes},
                                              .mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0};
        if (ioctl(uffd->fd, UFFDIO_WRITEPROTECT, &request) == 0) return 0;
        if (errno != EAGAIN && errno != EINTR) return errno;
    }
}
