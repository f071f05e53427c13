/* SPDX-License-Identifier: MIT */
/* The C library's names for the system calls that the runtime uses, seen by this library only; see raw.h. */
#include "machine/linux/run/raw.h"
#include "machine/linux/run/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

#define HIDDEN __attribute__((visibility("hidden")))

static long answer(long result)
{
    if (result >= 0 || result < -4095) return result;
    errno = (int)-result;
    return -1;
}

static long pointer(const void *p)
{
    return (long)(uintptr_t)p;
}

/* --- descriptors: which are ours ------------------------------------------------------------------------------------
 */

enum { DESCRIPTORS_MAX = 4096 }; /* ours are made at 900 or above, and are few */

static atomic_uchar owned[DESCRIPTORS_MAX];

/* An opened descriptor, or an error, on its way to the caller. */
static int note_opened(long fd)
{
    if (fd >= 0 && fd < DESCRIPTORS_MAX) atomic_store(&owned[fd], 1);
    return (int)fd;
}

int ol_raw_next_owned(int fd)
{
    for (; fd < DESCRIPTORS_MAX; fd++)
        if (atomic_load(&owned[fd])) return fd;
    return -1;
}

/* --- errno ----------------------------------------------------------------------------------------------------------
 */

/* The runtime's own: it is not seen by the program, and not in its memory, which may be evicted. */
HIDDEN int *__errno_location(void) // NOLINT(bugprone-reserved-identifier,cert-dcl37-c): the C library's name for it
{
    return &ol_thread_self()->error;
}

/* --- the calls
 * --------------------------------------------------------------------------------------------------------- */

HIDDEN long syscall(long number, ...)
{
    va_list list;
    va_start(list, number);
    const long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    const long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    const long result = answer(ol_raw(number, a, b, c, d, e, f));
    return number == SYS_userfaultfd ? note_opened(result) : result;
}

HIDDEN void *mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    return (void *)(uintptr_t)answer(ol_raw(SYS_mmap, pointer(address), (long)bytes, prot, flags, fd, offset));
}

HIDDEN int munmap(void *address, size_t bytes)
{
    return (int)answer(ol_raw(SYS_munmap, pointer(address), (long)bytes, 0, 0, 0, 0));
}

HIDDEN int mprotect(void *address, size_t bytes, int prot)
{
    return (int)answer(ol_raw(SYS_mprotect, pointer(address), (long)bytes, prot, 0, 0, 0));
}

HIDDEN void *mremap(void *address, size_t old_bytes, size_t new_bytes, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    const long to = va_arg(list, long);
    va_end(list);
    return (void *)(uintptr_t)answer(
        ol_raw(SYS_mremap, pointer(address), (long)old_bytes, (long)new_bytes, flags, to, 0));
}

HIDDEN int madvise(void *address, size_t bytes, int advice)
{
    return (int)answer(ol_raw(SYS_madvise, pointer(address), (long)bytes, advice, 0, 0, 0));
}

HIDDEN int mincore(void *address, size_t bytes, unsigned char *vector)
{
    return (int)answer(ol_raw(SYS_mincore, pointer(address), (long)bytes, pointer(vector), 0, 0, 0));
}

HIDDEN int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    const long argument = va_arg(list, long);
    va_end(list);
    return (int)answer(ol_raw(SYS_ioctl, fd, (long)request, argument, 0, 0, 0));
}

HIDDEN int fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    const long argument = va_arg(list, long);
    va_end(list);
    const long result = answer(ol_raw(SYS_fcntl, fd, command, argument, 0, 0, 0));
    return command == F_DUPFD_CLOEXEC ? note_opened(result) : (int)result;
}

HIDDEN int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    const int mode = va_arg(list, int);
    va_end(list);
    return note_opened(answer(ol_raw(SYS_open, pointer(path), flags, mode, 0, 0, 0)));
}

HIDDEN int openat(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    const int mode = va_arg(list, int);
    va_end(list);
    return note_opened(answer(ol_raw(SYS_openat, directory, pointer(path), flags, mode, 0, 0)));
}

HIDDEN int unlinkat(int directory, const char *path, int flags)
{
    return (int)answer(ol_raw(SYS_unlinkat, directory, pointer(path), flags, 0, 0, 0));
}

HIDDEN int fstat(int fd, struct stat *out)
{
    return (int)answer(ol_raw(SYS_fstat, fd, pointer(out), 0, 0, 0, 0));
}

HIDDEN int getrlimit(__rlimit_resource_t resource, struct rlimit *out)
{
    return (int)answer(ol_raw(SYS_getrlimit, (long)resource, pointer(out), 0, 0, 0, 0));
}

HIDDEN int close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS_MAX) atomic_store(&owned[fd], 0);
    return (int)answer(ol_raw(SYS_close, fd, 0, 0, 0, 0, 0));
}

HIDDEN ssize_t write(int fd, const void *buffer, size_t bytes)
{
    return answer(ol_raw(SYS_write, fd, pointer(buffer), (long)bytes, 0, 0, 0));
}

HIDDEN ssize_t pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    return answer(ol_raw(SYS_pread64, fd, pointer(buffer), (long)bytes, offset, 0, 0));
}

HIDDEN ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
    return answer(ol_raw(SYS_pwrite64, fd, pointer(buffer), (long)bytes, offset, 0, 0));
}

HIDDEN ssize_t preadv(int fd, const struct iovec *vector, int count, off_t offset)
{
    return answer(ol_raw(SYS_preadv, fd, pointer(vector), count, offset, 0, 0));
}

HIDDEN ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    return answer(ol_raw(SYS_pwritev, fd, pointer(vector), count, offset, 0, 0));
}

HIDDEN ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long local_count,
                                const struct iovec *remote, unsigned long remote_count, unsigned long flags)
{
    return answer(ol_raw(SYS_process_vm_readv, pid, pointer(local), (long)local_count, pointer(remote),
                         (long)remote_count, (long)flags));
}

HIDDEN pid_t getpid(void)
{
    return (pid_t)ol_raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

/* Where a handler returns to. Unwinders, which must get past our handlers when a thread is cancelled, know it by just
 * these bytes, having found that it belongs to no function: hence no C, and the byte before it. */
__asm__(".text\n"
        "\tnop\n"
        "\t.balign 16\n"
        "\t.hidden ol_restorer\n"
        "\t.globl ol_restorer\n"
        "\t.type ol_restorer, @function\n"
        "ol_restorer:\n"
        "\tmovq $15, %rax\n" /* SYS_rt_sigreturn */
        "\tsyscall\n"
        "\t.size ol_restorer, . - ol_restorer\n");

HIDDEN int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } set = {0}, was = {0};
    if (action) {
        set.handler = action->sa_handler; /* shares its place with sa_sigaction */
        set.flags = (unsigned long)action->sa_flags | SA_RESTORER;
        set.restorer = ol_restorer;
        memcpy(&set.mask, &action->sa_mask, sizeof(set.mask));
    }
    const long result =
        ol_raw(SYS_rt_sigaction, signal, action ? pointer(&set) : 0, pointer(&was), sizeof(set.mask), 0, 0);
    if (old) {
        memset(old, 0, sizeof(*old));
        old->sa_handler = was.handler;
        old->sa_flags = (int)was.flags;
    }
    return (int)answer(result);
}

HIDDEN _Noreturn void abort(void)
{
    const struct sigaction action = {.sa_handler = SIG_DFL};
    const unsigned long mask = 0;
    (void)sigaction(SIGABRT, &action, NULL);
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, pointer(&mask), 0, sizeof(mask), 0, 0);
    (void)ol_raw(SYS_tgkill, getpid(), ol_raw(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGABRT, 0, 0, 0);
    for (;;) (void)ol_raw(SYS_exit_group, 127, 0, 0, 0, 0, 0);
}
