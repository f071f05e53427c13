/* SPDX-License-Identifier: MIT */
/*
 * Pointers that are no good: whoever looks behind them, the answer is EFAULT. usage: pointers [GROUP]
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "check.h"

/* Nowhere; without rights and unmapped, the kernel's and managed; not an address at all. */
enum { BAD_MAX = 8 };
static long bad[BAD_MAX];
static unsigned bad_count;

static void collect(void)
{
    if (bad_count) return;
    char *small = map_pages((size_t)4 * PAGE), *large = map_pages(1 << 20);
    large[300 << 10] = 1; /* the runtime's tables for it would take the hole */
    CHECK(mprotect(small, PAGE, PROT_NONE) == 0 && munmap(small + 2 * PAGE, PAGE) == 0, "small");
    CHECK(mprotect(large, PAGE, PROT_NONE) == 0 && mprotect(large + (512 << 10), 512 << 10, PROT_NONE) == 0, "large");
    CHECK(munmap(large + (600 << 10), PAGE) == 0, "a hole");
    const long all[] = {8,
                        (long)(uintptr_t)small + 16,
                        (long)(uintptr_t)small + 2 * PAGE,
                        (long)(uintptr_t)large + 16,
                        (long)(uintptr_t)large + (600 << 10),
                        (long)(uintptr_t)large + (512 << 10) - 4, /* begins well */
                        (long)0x8000000000000000UL};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) bad[bad_count++] = all[i];
}

/* The call fails with EFAULT whichever bad pointer is argument `at`. */
static void refuses(const char *what, int at, long number, long a, long b, long c, long d, long e, long f)
{
    for (unsigned i = 0; i < bad_count; i++) {
        long argument[] = {a, b, c, d, e, f};
        argument[at] = bad[i];
        errno = 0;
        const long result =
            syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
        CHECK(result == -1 && errno == EFAULT, "%s, argument %d, pointer %u: %ld", what, at, i, result);
    }
}

static long address_of(const void *p)
{
    return (long)(uintptr_t)p;
}

static void test_signals(void)
{
    unsigned long set = 0;
    const struct timespec time = {0, 1000};
    const struct {
        void (*handler)(int);
        unsigned long rest[3];
    } action = {.handler = SIG_DFL};
    collect();
    refuses("sigaction", 1, SYS_rt_sigaction, SIGUSR1, 0, 0, 8, 0, 0);
    refuses("sigaction", 2, SYS_rt_sigaction, SIGUSR1, address_of(&action), 0, 8, 0, 0);
    refuses("sigaction of SIGBUS", 1, SYS_rt_sigaction, SIGBUS, 0, 0, 8, 0, 0);
    refuses("sigprocmask", 1, SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 8, 0, 0);
    refuses("sigprocmask", 2, SYS_rt_sigprocmask, SIG_BLOCK, address_of(&set), 0, 8, 0, 0);
    refuses("sigsuspend", 0, SYS_rt_sigsuspend, 0, 8, 0, 0, 0, 0);
    refuses("sigpending", 0, SYS_rt_sigpending, 0, 8, 0, 0, 0, 0);
    refuses("sigtimedwait", 0, SYS_rt_sigtimedwait, 0, 0, address_of(&time), 8, 0, 0);
    refuses("sigtimedwait", 2, SYS_rt_sigtimedwait, address_of(&set), 0, 0, 8, 0, 0);
    refuses("sigaltstack", 0, SYS_sigaltstack, 0, 0, 0, 0, 0, 0);
    refuses("sigaltstack", 1, SYS_sigaltstack, 0, 0, 0, 0, 0, 0);
    CHECK(syscall(SYS_rt_sigprocmask, 99, &set, NULL, 8) == -1 && errno == EINVAL, "an unknown way");
    CHECK(syscall(SYS_rt_sigprocmask, 99, NULL, NULL, 8) == 0, "that nobody asks for");
    CHECK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4) == -1 && errno == EINVAL, "an odd size");
    CHECK(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8) == -1 && errno == EINVAL, "an odd signal");
}

static void test_waits(void)
{
    int ends[2];
    unsigned long set = 0;
    const struct timespec time = {0, 1000};
    struct epoll_event event;
    CHECK(pipe(ends) == 0, "pipe");
    struct pollfd one = {.fd = ends[0], .events = POLLIN};
    const int epoll = epoll_create1(0);
    CHECK(epoll >= 0, "epoll_create1");
    collect();
    refuses("ppoll", 0, SYS_ppoll, 0, 1, address_of(&time), address_of(&set), 8, 0);
    refuses("ppoll", 2, SYS_ppoll, address_of(&one), 1, 0, address_of(&set), 8, 0);
    refuses("ppoll", 3, SYS_ppoll, address_of(&one), 1, address_of(&time), 0, 8, 0);
    refuses("pselect6", 4, SYS_pselect6, 0, 0, 0, 0, 0, 0);
    refuses("pselect6", 5, SYS_pselect6, 0, 0, 0, 0, address_of(&time), 0);
    refuses("epoll_pwait", 4, SYS_epoll_pwait, epoll, address_of(&event), 1, 1, 0, 8);
    refuses("nanosleep", 0, SYS_nanosleep, 0, 0, 0, 0, 0, 0);
    for (unsigned i = 0; i < bad_count; i++) {
        const unsigned long pair[2] = {(unsigned long)bad[i], 8};
        CHECK(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, pair) == -1 && errno == EFAULT, "pselect's mask %u", i);
    }
    close(epoll);
    close(ends[0]);
    close(ends[1]);
}

static void test_vectors(void)
{
    int ends[2];
    char byte[16] = "0123456789abcde";
    struct iovec good = {byte, 4};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    collect();
    refuses("writev", 1, SYS_writev, ends[0], 0, 1, 0, 0, 0);
    refuses("readv", 1, SYS_readv, ends[0], 0, 1, 0, 0, 0);
    refuses("sendmsg", 1, SYS_sendmsg, ends[0], 0, 0, 0, 0, 0);
    refuses("sendmmsg", 1, SYS_sendmmsg, ends[0], 0, 1, 0, 0, 0);
    refuses("vmsplice", 1, SYS_vmsplice, ends[0], 0, 1, 0, 0, 0);
    refuses("process_vm_readv", 1, SYS_process_vm_readv, getpid(), 0, 1, address_of(&good), 1, 0);
    CHECK(write(ends[1], byte, 4) == 4, "write");
    refuses("recvmsg", 1, SYS_recvmsg, ends[0], 0, 0, 0, 0, 0);
    for (unsigned i = 0; i < bad_count; i++) {
        struct iovec part = {(void *)(uintptr_t)(bad[i] < 0 ? 8 : bad[i]), 64}; // NOLINT
        struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)bad[i], .msg_iovlen = 1};
        CHECK(sendmsg(ends[0], &message, 0) == -1 && errno == EFAULT, "a message's vector %u", i);
        CHECK(recvmsg(ends[0], &message, MSG_PEEK) == -1 && errno == EFAULT, "a message's vector %u", i);
        if (i == 5) continue; /* its beginning is there */
        CHECK(writev(ends[0], &part, 1) == -1 && errno == EFAULT, "a part %u", i);
        CHECK(readv(ends[0], &part, 1) == -1 && errno == EFAULT, "a part %u", i);
    }
    CHECK(read(ends[0], byte, sizeof(byte)) == 4, "nothing was taken away");
    good.iov_len = (size_t)-1;
    CHECK(writev(ends[0], &good, 1) == -1 && errno == EINVAL, "an odd length");
    close(ends[0]);
    close(ends[1]);
}

static void test_others(void)
{
    int word = 0;
    char *const arguments[] = {(char *)(uintptr_t) "true", NULL};
    collect();
    refuses("execve", 1, SYS_execve, address_of("/bin/true"), 0, address_of(arguments), 0, 0, 0);
    refuses("stat", 1, SYS_stat, address_of("/"), 0, 0, 0, 0, 0);
    refuses("mincore", 2, SYS_mincore, address_of(map_pages(1 << 20)), 1 << 20, 0, 0, 0, 0);
    refuses("futex", 3, SYS_futex, address_of(&word), FUTEX_WAIT, 0, 0, 0, 0);
}

static const struct group groups[] = {
    {"signals", test_signals}, {"waits", test_waits}, {"vectors", test_vectors}, {"others", test_others}, {NULL, NULL},
};

int main(int argc, char **argv)
{
    run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
