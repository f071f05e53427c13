/* SPDX-License-Identifier: MIT */
/*
 * The calls that manage memory, case by case as POSIX.1-2017 and the Linux manual pages have them, and beyond what
 * memory.c looks at: errors, corner cases, and what happens at the border of managed memory. Debian packages neither
 * LTP nor the sources of the Open POSIX suite; these are the equivalent cases. usage: standard [GROUP]
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGES = 64, BLOCK = PAGES * PAGE };

#define EXPECT_ERROR(call, error)  CHECK((call) == -1 && errno == (error), "should be %s", #error)
#define EXPECT_NO_MAP(call, error) CHECK((call) == MAP_FAILED && errno == (error), "should be %s", #error)

static const int ANYWHERE = MAP_PRIVATE | MAP_ANONYMOUS;

static int temporary_file(size_t bytes)
{
    char name[] = "/tmp/onelevel-standard-XXXXXX";
    const int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, (off_t)bytes) == 0, "%s", name);
    return fd;
}

/* The signal that an access raises in a child, or 0. */
static int signal_of(volatile unsigned char *p, bool write)
{
    int status = 0;
    const pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        if (write) *p = 1;
        else (void)*p;
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* mmap(3p), mmap(2): errors; a private file mapping keeps its changes to itself; a partial last page reads as zeros. */
static void test_mmap(void)
{
    const int fd = temporary_file(PAGE + 100), unreadable = open("/dev/null", O_WRONLY);
    EXPECT_NO_MAP(mmap(NULL, BLOCK, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    EXPECT_NO_MAP(mmap(NULL, BLOCK, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
    EXPECT_NO_MAP(mmap(NULL, BLOCK, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL); /* neither private nor shared */
    EXPECT_NO_MAP(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, unreadable, 0), EACCES);
    EXPECT_NO_MAP(mmap(NULL, SIZE_MAX - PAGE, PROT_READ, ANYWHERE, -1, 0), ENOMEM);
    CHECK(pwrite(fd, "file", 4, PAGE + 96) == 4, "pwrite");
    unsigned char *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED, "a private file mapping");
    CHECK(memcmp(p + PAGE + 96, "file", 4) == 0, "the file");
    for (int i = 100; i < PAGE; i++) CHECK(p[PAGE + i] == 0, "behind the file's end: byte %d", i);
    p[5] = 7;
    char byte = 1;
    CHECK(pread(fd, &byte, 1, 5) == 1 && byte == 0, "a private change reached the file");
    CHECK(signal_of(p + 2 * PAGE, false) == SIGBUS, "behind the file's last page");
    munmap(p, BLOCK);
    unsigned char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED, "a shared file mapping");
    shared[9] = 9;
    CHECK(pread(fd, &byte, 1, 9) == 1 && byte == 9, "a shared change did not reach the file");
    CHECK(close(fd) == 0 && shared[9] == 9, "the mapping outlives the descriptor");
    munmap(shared, PAGE);
    close(unreadable);
}

/* mmap(2): memory of all kinds and sizes around what is managed; the whole of it is zeros and can be changed. */
static void test_sizes(void)
{
    static const int kinds[] = {0, MAP_NORESERVE, MAP_POPULATE, MAP_STACK, MAP_LOCKED, MAP_32BIT};
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
        for (size_t pages = 1; pages <= 33; pages += kind ? 16 : 1) {
            unsigned char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, ANYWHERE | kinds[kind], -1, 0);
            if (p == MAP_FAILED && kinds[kind] == MAP_LOCKED) continue; /* more than this user may lock */
            CHECK(p != MAP_FAILED, "%zu pages, flags %#x", pages, (unsigned)kinds[kind]);
            for (size_t i = 0; i < pages * PAGE; i++) CHECK(p[i] == 0, "byte %zu", i);
            memset(p, 1, pages * PAGE);
            CHECK(munmap(p, pages * PAGE) == 0, "munmap");
        }
}

/* munmap(3p): "if there are no mappings in the range, no effect"; private modifications are discarded. */
static void test_munmap(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 1);
    EXPECT_ERROR(munmap(p + 1, PAGE), EINVAL);
    EXPECT_ERROR(munmap(p, 0), EINVAL);
    EXPECT_ERROR(munmap((void *)((uintptr_t)1 << 62), PAGE), EINVAL);
    for (int i = 1; i < PAGES; i += 2) CHECK(munmap(p + i * PAGE, 1) == 0, "every second page: %d", i);
    for (int i = 0; i < PAGES; i += 2) CHECK(p[i * PAGE + 9] == pattern((size_t)i * PAGE + 9, 1), "page %d", i);
    CHECK(munmap(p, BLOCK) == 0 && munmap(p, BLOCK) == 0, "munmap of holes, and of nothing");
    unsigned char *again = mmap(p, BLOCK, PROT_READ | PROT_WRITE, ANYWHERE | MAP_FIXED, -1, 0);
    CHECK(again == p, "the same place");
    for (size_t i = 0; i < BLOCK; i++) CHECK(again[i] == 0, "byte %zu came back", i);
    munmap(again, BLOCK);
}

/* mprotect(3p), mprotect(2) */
static void test_mprotect(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 2);
    EXPECT_ERROR(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
    EXPECT_ERROR(mprotect(p, PAGE, 0x7f0), EINVAL);
    CHECK(mprotect(p, 0, PROT_NONE) == 0 && p[0] == pattern(0, 2), "mprotect of no bytes");
    CHECK(mprotect(p, 1, PROT_NONE) == 0, "mprotect rounds up");
    CHECK(signal_of(p + PAGE - 1, false) == SIGSEGV && signal_of(p + PAGE, true) == 0, "one page it was");
    CHECK(mprotect(p, PAGE, PROT_READ) == 0 && signal_of(p, true) == SIGSEGV && signal_of(p, false) == 0, "reading");
    CHECK(mprotect(p, PAGE, PROT_WRITE) == 0 && signal_of(p, true) == 0, "writing");
    CHECK(munmap(p + 8 * PAGE, PAGE) == 0, "a hole");
    EXPECT_ERROR(mprotect(p + 7 * PAGE, 4 * PAGE, PROT_READ), ENOMEM);
    EXPECT_ERROR(mprotect(p + 8 * PAGE, PAGE, PROT_READ), ENOMEM);
    CHECK(mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE) == 0, "before the hole");
    check_filled(p, 8 * PAGE, 2, "after all that");
    munmap(p, BLOCK);
}

/* mremap(2): errors, which leave everything as it was. */
static void test_mremap_errors(void)
{
    unsigned char *p = map_pages(BLOCK), *q = map_pages(BLOCK);
    fill(p, BLOCK, 3);
    EXPECT_NO_MAP(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
    EXPECT_NO_MAP(mremap(p, BLOCK, 0, MREMAP_MAYMOVE), EINVAL);
    EXPECT_NO_MAP(mremap(p, BLOCK, BLOCK / 2, 0x100), EINVAL);
    EXPECT_NO_MAP(mremap(p, BLOCK, BLOCK / 2, MREMAP_FIXED, q), EINVAL); /* without MREMAP_MAYMOVE */
    EXPECT_NO_MAP(mremap(p, BLOCK, BLOCK / 2, MREMAP_MAYMOVE | MREMAP_FIXED, q + 1), EINVAL);
    EXPECT_NO_MAP(mremap(p, BLOCK, BLOCK / 2, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL); /* overlaps */
    EXPECT_NO_MAP(mremap(p, BLOCK, BLOCK / 2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, q), EINVAL);    /* another size */
    check_filled(p, BLOCK, 3, "after errors");
    CHECK(munmap(q, BLOCK) == 0, "munmap");
    EXPECT_NO_MAP(mremap(q, BLOCK, 2 * BLOCK, MREMAP_MAYMOVE), EFAULT);
    CHECK(mremap(p, BLOCK, BLOCK, 0) == p, "to the same size");
    CHECK(mremap(p, BLOCK, BLOCK - 5, 0) == p, "to the same number of pages");
    check_filled(p, BLOCK, 3, "at the end");
    munmap(p, BLOCK);
}

/* mremap(2), MREMAP_DONTUNMAP: zeros are left where the memory was. */
static void test_mremap_stay(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 4);
    touch_other_memory();
    unsigned char *moved = mremap(p, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
    CHECK(moved != MAP_FAILED && moved != p, "MREMAP_DONTUNMAP");
    for (size_t i = 0; i < BLOCK; i++) CHECK(p[i] == 0, "byte %zu", i);
    check_filled(moved, BLOCK, 4, "moved");
    fill(p, BLOCK, 5);
    CHECK(mremap(p, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, moved) == moved, "to a place");
    check_filled(moved, BLOCK, 5, "moved to a place");
    munmap(p, BLOCK);
    munmap(moved, BLOCK);
}

/* Memory that is moved across the border of what is managed, both ways: little memory is the kernel's. */
static void test_mremap_border(void)
{
    unsigned char *large = map_pages(BLOCK), *little = map_pages(PAGE), *file_place = map_pages(BLOCK);
    const int fd = temporary_file(BLOCK);
    fill(large, BLOCK, 6);
    touch_other_memory();
    CHECK(mremap(large, BLOCK, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, little) == little, "large to little");
    check_filled(little, PAGE, 6, "what was large");
    CHECK(signal_of(large, false) == SIGSEGV && signal_of(large + PAGE, false) == SIGSEGV, "where it was");
    little[0] = 8;
    large = map_pages(BLOCK);
    fill(large, BLOCK, 7);
    CHECK(mremap(little, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, large + 5 * PAGE) == large + 5 * PAGE, "little");
    CHECK(signal_of(little, false) == SIGSEGV, "where little was");
    touch_other_memory();
    check_filled(large, 5 * PAGE, 7, "before it");
    CHECK(large[5 * PAGE] == 8 && large[5 * PAGE + 1] == pattern(1, 6), "what was little");
    for (size_t i = 6 * PAGE; i < BLOCK; i++) CHECK(large[i] == pattern(i, 7), "after it: byte %zu", i);
    unsigned char *file = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(file != MAP_FAILED, "a file");
    file[3 * PAGE] = 33;
    CHECK(mremap(file, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, file_place) == file_place, "a file");
    CHECK(file_place[3 * PAGE] == 33, "the file's contents");
    file_place[4 * PAGE] = 44;
    char byte = 0;
    CHECK(pread(fd, &byte, 1, 4 * PAGE) == 1 && byte == 44, "it is the file still");
    CHECK(mremap(file_place, BLOCK, BLOCK / 2, 0) == file_place, "the file shrinks");
    CHECK(signal_of(file_place + BLOCK / 2, false) == SIGSEGV, "what was cut off");
    file = mremap(file_place, BLOCK / 2, 2 * BLOCK, MREMAP_MAYMOVE);
    CHECK(file != MAP_FAILED && file[3 * PAGE] == 33 && file[4 * PAGE] == 44, "the file grows");
    unsigned char *wide = map_pages(2 * BLOCK), *middle = wide + BLOCK / 2;
    fill(wide, 2 * BLOCK, 17);
    CHECK(mremap(file, 2 * BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, middle) == middle, "amid managed memory");
    CHECK(middle[3 * PAGE] == 33, "the file amid managed memory");
    file_place = map_pages(BLOCK);
    CHECK(mremap(middle, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, file_place) == file_place, "from place to place");
    CHECK(file_place[3 * PAGE] == 33, "the file at its last place");
    CHECK(signal_of(middle, true) == SIGSEGV && signal_of(middle + BLOCK - 1, true) == SIGSEGV, "a hole is left");
    touch_other_memory();
    check_filled(wide, BLOCK / 2, 17, "before the hole");
    for (size_t i = BLOCK / 2 + BLOCK; i < 2 * BLOCK; i++) CHECK(wide[i] == pattern(i, 17), "behind it: byte %zu", i);
    munmap(wide, 2 * BLOCK);
    CHECK(munmap(file_place, BLOCK) == 0 && munmap(large, BLOCK) == 0, "munmap");
    large = map_pages(BLOCK);
    fill(large, BLOCK, 9);
    force_out(large, BLOCK);
    check_filled(large, BLOCK, 9, "memory where all that was");
    munmap(large, BLOCK);
    close(fd);
}

/* madvise(2), posix_madvise(3p) */
static void test_madvise(void)
{
    unsigned char *p = map_pages(BLOCK), state[PAGES];
    fill(p, BLOCK, 10);
    EXPECT_ERROR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_ERROR(madvise(p, PAGE, 77), EINVAL);
    EXPECT_ERROR(madvise(p, PAGE, MADV_REMOVE), EINVAL); /* neither shared nor of a file system in memory */
    CHECK(madvise(p, 0, MADV_DONTNEED) == 0 && p[0] == pattern(0, 10), "no bytes");
    CHECK(posix_madvise(p, BLOCK, POSIX_MADV_DONTNEED) == 0, "posix_madvise");
    check_filled(p, BLOCK, 10, "POSIX_MADV_DONTNEED changes nothing");
    CHECK(munmap(p + 8 * PAGE, PAGE) == 0, "a hole");
    EXPECT_ERROR(madvise(p, 16 * PAGE, MADV_DONTNEED), ENOMEM);
    for (size_t i = 0; i < 16 * PAGE; i++)
        if (i / PAGE != 8) CHECK(p[i] == 0, "what is there is advised: byte %zu", i);
    EXPECT_ERROR(madvise(p + 8 * PAGE, PAGE, MADV_WILLNEED), ENOMEM);
    unsigned char *fresh = map_pages(BLOCK);
    if (madvise(fresh, 8 * PAGE, MADV_POPULATE_WRITE) == 0) {
        CHECK(mincore(fresh, BLOCK, state) == 0, "mincore");
        for (int i = 0; i < 8; i++) CHECK(state[i] & 1, "MADV_POPULATE_WRITE: page %d", i); /* and maybe more */
        CHECK(mprotect(fresh, PAGE, PROT_NONE) == 0, "mprotect");
        EXPECT_ERROR(madvise(fresh, PAGE, MADV_POPULATE_READ), EINVAL); /* it may not be read */
    }
    munmap(fresh, BLOCK);
    munmap(p, BLOCK);
}

/* mlock(3p), mlockall(3p), mlock2(2) */
static void test_mlock(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 11);
    CHECK(mlock(p + 7, 100) == 0 && munlock(p + 7, 100) == 0, "an address within a page");
    CHECK(mlock2(p, 2 * PAGE, MLOCK_ONFAULT) == 0 && munlock(p, 2 * PAGE) == 0, "mlock2");
    EXPECT_ERROR(mlock2(p, PAGE, 0x40), EINVAL);
    CHECK(munmap(p + 4 * PAGE, PAGE) == 0, "a hole");
    EXPECT_ERROR(mlock(p + 3 * PAGE, 2 * PAGE), ENOMEM);
    EXPECT_ERROR(munlock(p + 4 * PAGE, PAGE), ENOMEM);
    EXPECT_ERROR(mlockall(0), EINVAL);
    EXPECT_ERROR(mlockall(0x100), EINVAL);
    CHECK(munlockall() == 0 && munlock(p, PAGE) == 0, "what is not locked is unlocked");
    check_filled(p, 4 * PAGE, 11, "locked");
    munmap(p, BLOCK);
}

/* mincore(2) */
static void test_mincore(void)
{
    unsigned char *p = map_pages(BLOCK), state[PAGES] = {0}, *managed_state = map_pages(BLOCK);
    fill(p, BLOCK, 12);
    EXPECT_ERROR(mincore(p + 1, PAGE, state), EINVAL);
    EXPECT_ERROR(mincore(p, BLOCK, NULL), EFAULT);
    EXPECT_ERROR(mincore(p, BLOCK, (unsigned char *)(uintptr_t)16), EFAULT);
    CHECK(mincore(p, 2 * PAGE + 1, state) == 0 && (state[2] & 1) == 1 && state[3] == 0, "rounds up to three pages");
    force_out(managed_state, BLOCK);
    fill(p, PAGE, 12);
    CHECK(mincore(p, PAGE, managed_state + 3 * PAGE) == 0 && managed_state[3 * PAGE] & 1, "into evicted memory");
    munmap(managed_state, BLOCK);
    EXPECT_ERROR(mincore(p, PAGE, managed_state), EFAULT);
    munmap(p + 2 * PAGE, PAGE);
    EXPECT_ERROR(mincore(p, BLOCK, state), ENOMEM);
    munmap(p, BLOCK);
}

/* msync(3p) */
static void test_msync(void)
{
    const int fd = temporary_file(BLOCK);
    unsigned char *p = map_pages(BLOCK), *file = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(file != MAP_FAILED, "a file");
    for (int i = 0; i < 2; i++) {
        unsigned char *q = i ? file : p;
        CHECK(msync(q, BLOCK, MS_SYNC) == 0 && msync(q, BLOCK, MS_ASYNC | MS_INVALIDATE) == 0, "msync");
        EXPECT_ERROR(msync(q, BLOCK, MS_SYNC | MS_ASYNC), EINVAL);
        EXPECT_ERROR(msync(q, BLOCK, 0x100), EINVAL);
        EXPECT_ERROR(msync(q + 1, PAGE, MS_SYNC), EINVAL);
        CHECK(munmap(q + PAGE, PAGE) == 0, "a hole");
        EXPECT_ERROR(msync(q, BLOCK, MS_SYNC), ENOMEM);
        munmap(q, BLOCK);
    }
    close(fd);
}

/* brk(2) */
static void test_break(void)
{
    char *start = sbrk(0);
    CHECK(brk(start + 3 * PAGE + 1) == 0 && sbrk(0) == start + 3 * PAGE + 1, "brk need not be aligned");
    memset(start, 0x55, 3 * PAGE + 1);
    CHECK(brk(start + PAGE) == 0 && brk(start + 3 * PAGE) == 0, "down and up");
    CHECK(start[PAGE - 1] == 0x55 && start[2 * PAGE + PAGE / 2] == 0, "what was given back is zeros");
    EXPECT_ERROR(brk((void *)((uintptr_t)1 << 62)), ENOMEM);
    CHECK(sbrk(0) == start + 3 * PAGE, "a refused break leaves the old one");
    CHECK(brk(start) == 0, "back");
}

/* shmget(3p), shmat(3p), shmdt(3p), shmctl(3p); shm_open(3p): shared memory is nobody's private page, also over a fork.
 */
static void test_shared(void)
{
    const int id = shmget(IPC_PRIVATE, BLOCK, IPC_CREAT | 0600);
    unsigned char *q = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(id >= 0 && q != MAP_FAILED, "shmget");
    unsigned char *p = shmat(id, NULL, 0), *twice = shmat(id, NULL, SHM_RDONLY);
    CHECK(p != (void *)-1 && twice != (void *)-1 && p != twice, "shmat"); // NOLINT
    CHECK(shmctl(id, IPC_RMID, NULL) == 0, "shmctl");
    fill(p, BLOCK, 13);
    check_filled(twice, BLOCK, 13, "the other mapping");
    CHECK(signal_of(twice, true) == SIGSEGV, "a write to what was attached for reading");
    const pid_t pid = fork();
    if (pid == 0) {
        check_filled(p, BLOCK, 13, "the child");
        fill(p, BLOCK, 14);
        q[PAGE] = 15;
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid, "waitpid");
    check_filled(twice, BLOCK, 14, "what the child wrote");
    CHECK(q[PAGE] == 15, "what the child wrote to memory without a name");
    EXPECT_ERROR(shmdt(p + PAGE), EINVAL);
    CHECK(shmdt(p) == 0 && shmdt(twice) == 0, "shmdt");
    EXPECT_ERROR(shmdt(p), EINVAL);
    const int fd = shm_open("/onelevel-standard", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && shm_unlink("/onelevel-standard") == 0 && ftruncate(fd, BLOCK) == 0, "shm_open");
    unsigned char *r = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(r != MAP_FAILED, "mmap");
    fill(r, BLOCK, 16);
    CHECK(munmap(r, BLOCK) == 0, "munmap");
    r = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(r != MAP_FAILED, "mmap");
    check_filled(r, BLOCK, 16, "mapped again");
    munmap(r, BLOCK);
    munmap(q, BLOCK);
    close(fd);
}

static volatile sig_atomic_t ran_on_stack;
static unsigned char *stack;
static sigjmp_buf landing;

static void on_signal(int signal)
{
    const unsigned char here = 0;
    stack_t now;
    (void)signal;
    ran_on_stack =
        &here >= stack && &here < stack + BLOCK && sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK;
    const stack_t none = {.ss_flags = SS_DISABLE};
    if (sigaltstack(&none, NULL) != -1 || errno != EPERM) ran_on_stack = 2; /* not while it is in use */
}

/* sigaltstack(3p): errors, and a handler that runs there, though it is managed memory. */
static void test_sigaltstack(void)
{
    stack = map_pages(BLOCK);
    const stack_t here = {.ss_sp = stack, .ss_size = BLOCK}, little = {.ss_sp = stack, .ss_size = 100},
                  wrong = {.ss_sp = stack, .ss_size = BLOCK, .ss_flags = 0x77}, off = {.ss_flags = SS_DISABLE};
    stack_t old;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    EXPECT_ERROR(sigaltstack(&little, NULL), ENOMEM);
    EXPECT_ERROR(sigaltstack(&wrong, NULL), EINVAL);
    CHECK(sigaltstack(&here, NULL) == 0 && sigaltstack(NULL, &old) == 0, "sigaltstack");
    CHECK(old.ss_sp == stack && old.ss_size == BLOCK && old.ss_flags == 0, "what was set");
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    for (int i = 0; i < 3; i++) {
        ran_on_stack = 0;
        touch_other_memory();
        CHECK(raise(SIGUSR1) == 0 && ran_on_stack == 1, "the handler ran elsewhere: %d", (int)ran_on_stack);
    }
    CHECK(sigaltstack(&off, &old) == 0 && old.ss_sp == stack, "off");
    CHECK(raise(SIGUSR1) == 0 && ran_on_stack != 1, "off, the handler runs on the ordinary stack");
    munmap(stack, BLOCK);
}

static void overflowed(int signal)
{
    (void)signal;
    siglongjmp(landing, 1);
}

static unsigned deepen(unsigned depth)
{
    volatile unsigned char local[4096];
    local[0] = (unsigned char)depth;
    return depth == UINT32_MAX ? 0 : deepen(depth + 1) + local[0];
}

/* A stack that overflows is noticed on the other one: the way in which languages report it. */
static void *overflow(void *argument)
{
    unsigned char *other = map_pages(BLOCK);
    const stack_t here = {.ss_sp = other, .ss_size = BLOCK}, off = {.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&here, NULL) == 0, "sigaltstack");
    if (sigsetjmp(landing, 1) == 0) (void)deepen(0);
    else *(bool *)argument = true;
    CHECK(sigaltstack(&off, NULL) == 0 && munmap(other, BLOCK) == 0, "off");
    return NULL;
}

static void test_overflow(void)
{
    struct sigaction action = {.sa_handler = overflowed, .sa_flags = SA_ONSTACK}, old;
    pthread_t thread;
    bool noticed = false;
    CHECK(sigaction(SIGSEGV, &action, &old) == 0, "sigaction");
    CHECK(pthread_create(&thread, NULL, overflow, &noticed) == 0 && pthread_join(thread, NULL) == 0, "thread");
    CHECK(noticed && sigaction(SIGSEGV, &old, NULL) == 0, "the overflow was not noticed");
}

static void *use_stack(void *argument)
{
    volatile unsigned char local[BLOCK / 2];
    for (size_t i = 0; i < sizeof(local); i += 64) local[i] = (unsigned char)(i / 64);
    touch_other_memory();
    for (size_t i = 0; i < sizeof(local); i += 64) CHECK(local[i] == (unsigned char)(i / 64), "byte %zu", i);
    return argument;
}

/* pthread_attr_setstacksize(3p), pthread_attr_setguardsize(3p) */
static void test_thread_stacks(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *result = &attributes;
    size_t bytes;
    CHECK(pthread_attr_init(&attributes) == 0, "attributes");
    CHECK(pthread_attr_setstacksize(&attributes, 1) == EINVAL, "a size too small");
    CHECK(pthread_attr_setguardsize(&attributes, 16 * PAGE) == 0, "guard");
    CHECK(pthread_attr_getguardsize(&attributes, &bytes) == 0 && bytes == 16 * PAGE, "guard");
    CHECK(pthread_attr_setstacksize(&attributes, 1 << 20) == 0, "size");
    CHECK(pthread_create(&thread, &attributes, use_stack, NULL) == 0, "thread");
    CHECK(pthread_join(thread, &result) == 0 && !result, "join");
}

static const struct group groups[] = {
    {"mmap", test_mmap},
    {"sizes", test_sizes},
    {"munmap", test_munmap},
    {"mprotect", test_mprotect},
    {"mremap-errors", test_mremap_errors},
    {"mremap-stay", test_mremap_stay},
    {"mremap-border", test_mremap_border},
    {"madvise", test_madvise},
    {"mlock", test_mlock},
    {"mincore", test_mincore},
    {"msync", test_msync},
    {"brk", test_break},
    {"shared", test_shared},
    {"sigaltstack", test_sigaltstack},
    {"overflow", test_overflow},
    {"thread-stacks", test_thread_stacks},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
