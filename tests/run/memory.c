/* SPDX-License-Identifier: MIT */
/* The calls that manage memory, as the kernel would answer them. usage: memory [GROUP] */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"

enum { BLOCK = 2 << 20 };

static sigjmp_buf landing;
static volatile sig_atomic_t caught_signal, caught_code;
static void *volatile caught_address;

static void catch (int signal, siginfo_t *info, void *context)
{
    (void)context;
    caught_signal = signal;
    caught_code = info->si_code;
    caught_address = info->si_addr;
    siglongjmp(landing, 1);
}

/* The signal of an access, or 0. */
static int fault_of(volatile unsigned char *p, bool write)
{
    struct sigaction action = {.sa_sigaction = catch, .sa_flags = SA_SIGINFO}, segv, bus;
    sigaction(SIGSEGV, &action, &segv);
    sigaction(SIGBUS, &action, &bus);
    caught_signal = 0;
    if (sigsetjmp(landing, 1) == 0) {
        if (write) *p = 1;
        else (void)*p;
    }
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return caught_signal;
}

static void expect_fault(unsigned char *p, bool write, int code, const char *what)
{
    CHECK(fault_of(p, write) == SIGSEGV, "%s: signal %d", what, caught_signal);
    CHECK(caught_address == p, "%s: si_addr is %p, not %p", what, caught_address, (void *)p);
    CHECK(caught_code == code, "%s: si_code is %d, not %d", what, caught_code, code);
}

static void check_zeros(const unsigned char *p, size_t bytes, const char *what)
{
    for (size_t i = 0; i < bytes; i++) CHECK(p[i] == 0, "%s: byte %zu is %u", what, i, p[i]);
}

static void test_mmap(void)
{
    unsigned char *p = map_pages(BLOCK);
    check_zeros(p, BLOCK, "new memory");
    CHECK(munmap(p, BLOCK) == 0, "munmap");
    expect_fault(p, false, SEGV_MAPERR, "unmapped memory");
    unsigned char *hinted = mmap(p, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(hinted == p, "a hint at free memory is followed: %p", (void *)hinted);
    unsigned char *other = mmap(p, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(other != MAP_FAILED && (other >= p + BLOCK || other + BLOCK <= p), "a hint at memory in use is not followed");
    CHECK(mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
              errno == EEXIST,
          "MAP_FIXED_NOREPLACE");
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL, "no bytes");
    CHECK(mmap(p + 1, BLOCK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
              errno == EINVAL,
          "not aligned");
    fill(p, BLOCK, 1);
    CHECK(mmap(p + 64 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
              p + 64 * PAGE,
          "MAP_FIXED");
    touch_other_memory();
    check_filled(p, 64 * PAGE, 1, "before MAP_FIXED");
    check_zeros(p + 64 * PAGE, 8 * PAGE, "MAP_FIXED");
    for (size_t i = 72 * PAGE; i < BLOCK; i++) CHECK(p[i] == pattern(i, 1), "after MAP_FIXED: byte %zu", i);
    CHECK(munmap(other, BLOCK) == 0, "munmap");
    munmap(p, BLOCK);
}

static void test_partial_unmap(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 2);
    CHECK(munmap(p + 10 * PAGE, 5 * PAGE - 100) == 0, "munmap rounds up");
    touch_other_memory();
    check_filled(p, 10 * PAGE, 2, "before the hole");
    for (size_t i = 15 * PAGE; i < BLOCK; i++) CHECK(p[i] == pattern(i, 2), "after the hole: byte %zu", i);
    expect_fault(p + 15 * PAGE - 1, true, SEGV_MAPERR, "the hole");
    CHECK(munmap(p + 10 * PAGE, 5 * PAGE) == 0, "munmap of nothing");
    CHECK(munmap(p + 1, PAGE) == -1 && errno == EINVAL, "munmap, not aligned");
    CHECK(munmap(p, 0) == -1 && errno == EINVAL, "munmap of no bytes");
    CHECK(munmap(p, BLOCK) == 0, "munmap of all");
}

static void test_mprotect(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 3);
    CHECK(mprotect(p + 8 * PAGE, 8 * PAGE, PROT_READ) == 0, "mprotect");
    expect_fault(p + 8 * PAGE + 5, true, SEGV_ACCERR, "a write to memory that can be read");
    CHECK(fault_of(p + 8 * PAGE, false) == 0, "a read");
    touch_other_memory();
    expect_fault(p + 9 * PAGE + 5, true, SEGV_ACCERR, "a write to evicted memory that can be read");
    CHECK(mprotect(p + 8 * PAGE, 4 * PAGE, PROT_NONE) == 0, "mprotect");
    expect_fault(p + 8 * PAGE + 9, false, SEGV_ACCERR, "a read of memory without rights");
    CHECK(mprotect(p, 32 * PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
    check_filled(p, BLOCK, 3, "after mprotect");
    p[8 * PAGE + 5] = p[9 * PAGE] = 1;
    CHECK(mprotect(p + 1, PAGE, PROT_READ) == -1 && errno == EINVAL, "mprotect, not aligned");
    munmap(p, BLOCK);
    CHECK(mprotect(p, PAGE, PROT_READ) == -1 && errno == ENOMEM, "mprotect of nothing");
    p = mmap(NULL, BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect_fault(p, false, SEGV_ACCERR, "memory mapped without rights");
    CHECK(mprotect(p, 64 * PAGE, PROT_READ | PROT_WRITE) == 0, "an arena grows");
    fill(p, 64 * PAGE, 4);
    touch_other_memory();
    check_filled(p, 64 * PAGE, 4, "an arena");
    munmap(p, BLOCK);
}

typedef int (*function)(void);

static int call_code(const void *code)
{
    function f;
    memcpy(&f, &code, sizeof(f));
    return f();
}

static void put_code(unsigned char *at, int number)
{
    const unsigned char code[] = {0xb8, (unsigned char)number, 0, 0, 0, 0xc3}; /* mov $number, %eax; ret */
    memcpy(at, code, sizeof(code));
}

/* A program that translates code, one page at a time or whole. */
static void test_code(void)
{
    unsigned char *p = map_pages(BLOCK);
    for (int i = 0; i < 32; i++) put_code(p + i * PAGE + 16 * i, i);
    fill(p + 64 * PAGE, BLOCK - 64 * PAGE, 5);
    touch_other_memory();
    CHECK(mprotect(p, 32 * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    for (int i = 0; i < 32; i++) CHECK(call_code(p + i * PAGE + 16 * i) == i, "code %d", i);
    touch_other_memory();
    for (int i = 0; i < 32; i++) CHECK(call_code(p + i * PAGE + 16 * i) == i, "code %d", i);
    expect_fault(p + 3 * PAGE, true, SEGV_ACCERR, "a write to code");
    CHECK(mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect back");
    put_code(p + 2 * PAGE + 32, 77);
    CHECK(mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect again");
    CHECK(call_code(p + 2 * PAGE + 32) == 77 && call_code(p + 31 * PAGE + 16 * 31) == 31, "changed code");
    CHECK(mprotect(p, BLOCK, PROT_READ) == 0, "code and data together");
    expect_fault(p + 100 * PAGE, true, SEGV_ACCERR, "a write to data beside code");
    CHECK(mprotect(p, BLOCK, PROT_READ | PROT_WRITE) == 0, "code and data together");
    touch_other_memory();
    CHECK(p[2 * PAGE + 33] == 77, "code that became data");
    for (size_t i = 0; i < BLOCK - 64 * PAGE; i++) CHECK(p[64 * PAGE + i] == pattern(i, 5), "data beside code: %zu", i);
    CHECK(mprotect(p, BLOCK, PROT_NONE) == 0, "mprotect all");
    CHECK(munmap(p, BLOCK) == 0, "munmap of code");
    unsigned char *again = mmap(p, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(again == p, "the place is free again");
    check_zeros(again, BLOCK, "where code was");
    fill(again, BLOCK, 6);
    force_out(again, BLOCK);
    check_filled(again, BLOCK, 6, "where code was");
    munmap(again, BLOCK);
    p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    put_code(p, 5);
    CHECK(call_code(p) == 5, "memory with all rights");
    munmap(p, BLOCK);
    /* Many places for code come and go. */
    for (int i = 0; i < 3000; i++) {
        p = map_pages(BLOCK / 8);
        put_code(p + PAGE, i & 0x7f);
        CHECK(mprotect(p + PAGE, PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect %d", i);
        CHECK(call_code(p + PAGE) == (i & 0x7f), "code %d", i);
        CHECK(munmap(p, BLOCK / 8) == 0, "munmap %d", i);
    }
}

static void test_file_inside(void)
{
    char name[] = "/tmp/onelevel-memory-XXXXXX";
    const int fd = mkstemp(name);
    unsigned char *p = map_pages(BLOCK), *middle = p + 32 * PAGE;
    CHECK(fd >= 0 && unlink(name) == 0 && write(fd, "contents", 8) == 8 && ftruncate(fd, 5 * PAGE) == 0, "file");
    fill(p, BLOCK, 7);
    CHECK(mmap(middle, 4 * PAGE + 100, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == middle, "mmap");
    CHECK(memcmp(middle, "contents", 8) == 0, "the file is there");
    middle[PAGE] = 9;
    touch_other_memory();
    CHECK(middle[PAGE] == 9 && memcmp(middle, "contents", 8) == 0, "the file stays");
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, middle + 2 * PAGE, 8) == 8, "a call on it");
    CHECK(memcmp(middle + 2 * PAGE, "contents", 8) == 0, "what was read");
    CHECK(mprotect(middle, PAGE, PROT_READ) == 0, "mprotect of the file");
    expect_fault(middle, true, SEGV_ACCERR, "a write to it");
    check_filled(p, 32 * PAGE, 7, "before the file");
    for (size_t i = 37 * PAGE; i < BLOCK; i++) CHECK(p[i] == pattern(i, 7), "after the file: byte %zu", i);
    CHECK(munmap(middle + PAGE, 4 * PAGE) == 0, "munmap of a part");
    expect_fault(middle + PAGE, false, SEGV_MAPERR, "where the file was");
    CHECK(mmap(middle, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == middle,
          "memory over the file");
    check_zeros(middle, 5 * PAGE, "memory over the file");
    fill(p, BLOCK, 8);
    force_out(p, BLOCK);
    check_filled(p, BLOCK, 8, "all managed again");
    CHECK(mmap(middle, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == middle, "a shared file");
    CHECK(madvise(p, BLOCK, MADV_DONTNEED) == 0, "advice for both");
    CHECK(memcmp(middle, "contents", 8) == 0, "the shared file");
    check_zeros(p, 32 * PAGE, "after the advice");
    CHECK(munmap(p, BLOCK) == 0, "munmap of both");
    p = map_pages(BLOCK);
    fill(p, BLOCK, 9);
    force_out(p, BLOCK);
    check_filled(p, BLOCK, 9, "managed again");
    munmap(p, BLOCK);
    close(fd);
}

static void test_mremap(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 10);
    touch_other_memory();
    p = mremap(p, BLOCK, 4 * BLOCK, MREMAP_MAYMOVE);
    CHECK(p != MAP_FAILED, "grow");
    check_filled(p, BLOCK, 10, "grown");
    check_zeros(p + BLOCK, 3 * BLOCK, "what it grew by");
    fill(p, 4 * BLOCK, 11);
    CHECK(mremap(p, 4 * BLOCK, BLOCK, 0) == p, "shrink");
    expect_fault(p + BLOCK, false, SEGV_MAPERR, "what was cut off");
    unsigned char *wall =
        mmap(p + BLOCK, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(wall == p + BLOCK, "a neighbour");
    fill(wall, BLOCK, 12);
    CHECK(mremap(p, BLOCK, 2 * BLOCK, 0) == MAP_FAILED && errno == ENOMEM, "no room to grow");
    unsigned char *moved = mremap(p, BLOCK, 2 * BLOCK, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved != p, "grow elsewhere");
    expect_fault(p, false, SEGV_MAPERR, "where it was");
    touch_other_memory();
    check_filled(moved, BLOCK, 11, "moved");
    check_filled(wall, BLOCK, 12, "the neighbour");
    unsigned char *target = map_pages(4 * BLOCK);
    fill(target, 4 * BLOCK, 13);
    CHECK(mremap(moved, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, target + BLOCK) == target + BLOCK, "MREMAP_FIXED");
    touch_other_memory();
    check_filled(target, BLOCK, 13, "before the target");
    check_filled(target + BLOCK, BLOCK, 11, "moved again");
    for (size_t i = 2 * BLOCK; i < 4 * BLOCK; i++) CHECK(target[i] == pattern(i, 13), "after the target: byte %zu", i);
    check_zeros(moved + BLOCK, BLOCK, "the half that stayed");
    CHECK(mremap(target, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE) == MAP_FAILED && errno == EINVAL,
          "an overlapping move");
    CHECK(mremap(target + 1, PAGE, PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL, "not aligned");
    munmap(target, 4 * BLOCK);
    CHECK(mremap(target, BLOCK, 2 * BLOCK, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT, "mremap of nothing");
    munmap(wall, BLOCK);
    munmap(moved + BLOCK, BLOCK);
    /* As realloc does. */
    char *growing = malloc(1 << 20);
    for (size_t size = 1 << 20; size <= 16 << 20; size += 1 << 20) {
        /* cppcheck-suppress pointerOutOfBounds ; it takes the first size for all */
        memset(growing + size - (1 << 20), (int)(size >> 20), 1 << 20);
        char *larger = realloc(growing, size + (1 << 20));
        CHECK(larger, "realloc");
        growing = larger;
    }
    for (size_t i = 0; i < 16 << 20; i += 1000) CHECK(growing[i] == (char)((i >> 20) + 1), "realloc: byte %zu", i);
    free(growing);
}

/* --- the heap's beginning, which is not managed, and what follows: one piece to the program --- */

enum { HEAP_BYTES = 512 << 10 };

/* So much of the heap, from before to behind the bound, if this is the first group. */
static unsigned char *take_heap(void)
{
    unsigned char *heap = sbrk(HEAP_BYTES);
    CHECK((uintptr_t)heap % PAGE == 0, "sbrk: %p", (void *)heap);
    if (is_managed(heap)) CHECK(((uintptr_t)heap & UINT32_MAX) < 192 << 10, "%p: the heap began before", (void *)heap);
    return heap;
}

static void transfer_heap(unsigned char *heap, size_t bytes)
{
    const int file = memfd_create("heap", 0);
    struct iovec parts[2] = {{heap, bytes - 5 * PAGE / 2}, {heap + bytes - 5 * PAGE / 2, 5 * PAGE / 2}};
    fill(heap, bytes, 20);
    touch_other_memory();
    CHECK(file >= 0 && write(file, heap, bytes) == (ssize_t)bytes, "write");
    memset(heap, 0, bytes);
    touch_other_memory();
    CHECK(pread(file, heap, bytes, 0) == (ssize_t)bytes, "pread");
    check_filled(heap, bytes, 20, "what was read");
    fill(heap, bytes, 21);
    touch_other_memory();
    CHECK(pwritev(file, parts, 2, 0) == (ssize_t)bytes, "pwritev");
    memset(heap, 0, bytes);
    touch_other_memory();
    CHECK(preadv(file, parts, 2, 0) == (ssize_t)bytes, "preadv");
    check_filled(heap, bytes, 21, "what was read into parts");
    close(file);
}

/* Its arguments lie at both ends. */
static void execute_from_heap(unsigned char *heap)
{
    int status;
    char **arguments = (char **)(void *)heap, *script = (char *)heap + HEAP_BYTES - PAGE - 3;
    arguments[0] = strcpy((char *)heap + PAGE, "sh");
    arguments[1] = strcpy(script + 100, "-c");
    arguments[2] = strcpy(script, "exit 9");
    arguments[3] = NULL;
    const pid_t pid = fork();
    if (pid == 0) {
        touch_other_memory();
        execv("/bin/sh", arguments);
        _exit(errno);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 9 << 8, "status %x", (unsigned)status);
}

static void test_heap_beginning(void)
{
    int status;
    unsigned char *heap = take_heap();
    transfer_heap(heap, HEAP_BYTES);
    transfer_heap(heap, 200 << 10); /* less than the part that is not managed, but not inside it */
    execute_from_heap(heap);
    fill(heap, HEAP_BYTES, 22);
    CHECK(resident_pages(heap, HEAP_BYTES) == HEAP_BYTES / PAGE, "mincore");
    const pid_t pid = fork();
    if (pid == 0) {
        check_filled(heap, HEAP_BYTES, 22, "the child's");
        fill(heap, HEAP_BYTES, 23);
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "status %x", (unsigned)status);
    CHECK(mprotect(heap, HEAP_BYTES, PROT_READ) == 0, "mprotect");
    check_filled(heap, HEAP_BYTES, 22, "the parent's");
    expect_fault(heap, true, SEGV_ACCERR, "the first page");
    expect_fault(heap + HEAP_BYTES - 1, true, SEGV_ACCERR, "the last page");
    CHECK(mprotect(heap, HEAP_BYTES, PROT_READ | PROT_WRITE) == 0, "mprotect back");
    CHECK(madvise(heap, HEAP_BYTES, MADV_DONTNEED) == 0, "madvise");
    check_zeros(heap, HEAP_BYTES, "what was discarded");
    fill(heap, HEAP_BYTES, 24);
    CHECK(sbrk(-HEAP_BYTES) == heap + HEAP_BYTES, "sbrk down");
    expect_fault(heap, true, SEGV_MAPERR, "the first page");
    expect_fault(heap + HEAP_BYTES - 1, true, SEGV_MAPERR, "the last page");
    CHECK(sbrk(HEAP_BYTES) == heap, "sbrk up again");
    check_zeros(heap, HEAP_BYTES, "the heap that came back");
    CHECK(munmap(heap + PAGE, HEAP_BYTES - 2 * PAGE) == 0, "munmap");
    expect_fault(heap + PAGE, false, SEGV_MAPERR, "the first page unmapped");
    expect_fault(heap + HEAP_BYTES - PAGE - 1, false, SEGV_MAPERR, "the last page unmapped");
    CHECK(brk(heap) == 0 && sbrk(HEAP_BYTES) == heap && brk(heap) == 0, "and back");
}

static void test_break(void)
{
    unsigned char *start = sbrk(0);
    CHECK(sbrk(3 * BLOCK) == start, "sbrk up");
    check_zeros(start, 3 * BLOCK, "the new heap");
    fill(start, 3 * BLOCK, 14);
    touch_other_memory();
    check_filled(start, 3 * BLOCK, 14, "the heap");
    CHECK(sbrk(-2 * BLOCK) == start + 3 * BLOCK, "sbrk down");
    CHECK(sbrk(0) == start + BLOCK, "the break");
    expect_fault(start + BLOCK + PAGE, true, SEGV_MAPERR, "above the break");
    CHECK(sbrk(100) == start + BLOCK && sbrk(-100) == start + BLOCK + 100, "a few bytes");
    CHECK(sbrk(2 * BLOCK) == start + BLOCK, "sbrk up again");
    const size_t page_end = (size_t)(-(uintptr_t)(start + BLOCK) % PAGE);
    check_zeros(start + BLOCK + page_end, 2 * BLOCK - page_end, "the heap that came back");
    check_filled(start, BLOCK, 14, "the heap that stayed");
    CHECK(brk(start) == 0 && sbrk(0) == start, "brk");
    void *blocks[200];
    for (int i = 0; i < 200; i++) {
        blocks[i] = malloc(60000);
        memset(blocks[i], i, 60000);
    }
    touch_other_memory();
    for (int i = 0; i < 200; i++) {
        const unsigned char *block = blocks[i];
        for (int at = 0; at < 60000; at += 997) CHECK(block[at] == i, "block %d", i);
        free(blocks[i]);
    }
    for (int i = 0; i < 50; i++) {
        unsigned char *zeros = calloc(1, 300000);
        check_zeros(zeros, 300000, "calloc");
        memset(zeros, 0xff, 300000);
        free(zeros);
    }
}

static void test_advice(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 15);
    touch_other_memory();
    fill(p, 64 * PAGE, 15);
    CHECK(madvise(p + 32 * PAGE, 64 * PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
    check_zeros(p + 32 * PAGE, 64 * PAGE, "MADV_DONTNEED");
    check_filled(p, 32 * PAGE, 15, "before it");
    fill(p, BLOCK, 16);
    static const int harmless[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_NOHUGEPAGE};
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        CHECK(madvise(p, BLOCK, harmless[i]) == 0, "advice %d", harmless[i]);
    touch_other_memory();
    check_filled(p, BLOCK, 16, "after advice");
    CHECK(madvise(p, BLOCK, MADV_FREE) == 0, "MADV_FREE");
    for (size_t i = 0; i < BLOCK; i++) CHECK(p[i] == 0 || p[i] == pattern(i, 16), "MADV_FREE: byte %zu", i);
    fill(p, BLOCK, 17);
    check_filled(p, BLOCK, 17, "written after MADV_FREE");
    CHECK(madvise(p + 1, PAGE, MADV_DONTNEED) == -1 && errno == EINVAL, "advice, not aligned");
    munmap(p, BLOCK);
    CHECK(madvise(p, PAGE, MADV_DONTNEED) == -1 && errno == ENOMEM, "advice about nothing");
}

static void test_mincore(void)
{
    unsigned char *p = map_pages(BLOCK), state[BLOCK / PAGE];
    memset(state, 9, sizeof(state));
    p[3 * PAGE] = 1;
    CHECK(mincore(p, BLOCK, state) == 0, "mincore");
    for (size_t i = 0; i < BLOCK / PAGE; i++) CHECK((state[i] & 1) == (i == 3), "page %zu", i);
    CHECK(mincore(p + 1, PAGE, state) == -1 && errno == EINVAL, "mincore, not aligned");
    munmap(p, BLOCK);
    CHECK(mincore(p, BLOCK, state) == -1 && errno == ENOMEM, "mincore of nothing");
}

/* Address space alone costs nothing. */
static void test_reservation(void)
{
    const size_t huge = (size_t)1 << 40;
    unsigned char *p = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED, "1 TiB");
    for (size_t i = 0; i < 1000; i++) p[i * (huge / 1000)] = (unsigned char)(i % 251 + 1);
    touch_other_memory();
    for (size_t i = 0; i < 1000; i++) CHECK(p[i * (huge / 1000)] == i % 251 + 1, "page %zu", i);
    CHECK(munmap(p, huge) == 0, "munmap");
    p = mmap(NULL, huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED && mprotect(p + huge / 2, BLOCK, PROT_READ | PROT_WRITE) == 0, "a part of 1 TiB");
    fill(p + huge / 2, BLOCK, 18);
    check_filled(p + huge / 2, BLOCK, 18, "a part of 1 TiB");
    CHECK(munmap(p, huge) == 0, "munmap");
    CHECK(mmap(NULL, (size_t)1 << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED &&
              errno == ENOMEM,
          "more than there is");
}

static void *use_stack(void *argument)
{
    volatile unsigned char local[200 << 10];
    for (size_t i = 0; i < sizeof(local); i += 512) local[i] = (unsigned char)(uintptr_t)argument;
    touch_other_memory();
    for (size_t i = 0; i < sizeof(local); i += 512) CHECK(local[i] == (unsigned char)(uintptr_t)argument, "stack");
    return NULL;
}

/* The smallest stack that threads may have is enough for faults and for calls. */
static void *use_little_stack(void *argument)
{
    unsigned char *p = argument;
    const int null = open("/dev/zero", O_RDONLY);
    for (size_t i = 0; i < BLOCK; i += PAGE) p[i]++;
    CHECK(read(null, p, 100000) == 100000, "read");
    check_zeros(p, 100000, "read");
    free(memset(malloc(200000), 1, 200000));
    close(null);
    return NULL;
}

static void test_stacks(void)
{
    pthread_t thread[4];
    pthread_attr_t attributes;
    unsigned char *p = map_pages(BLOCK);
    void *stack = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    CHECK(stack != MAP_FAILED && munmap(stack, BLOCK) == 0, "MAP_STACK");
    for (uintptr_t i = 0; i < 4; i++)
        CHECK(pthread_create(&thread[i], NULL, use_stack, (void *)(i + 1)) == 0, "thread"); // NOLINT
    for (int i = 0; i < 4; i++) CHECK(pthread_join(thread[i], NULL) == 0, "join");
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, 16384) == 0, "stack size");
    touch_other_memory();
    CHECK(pthread_create(&thread[0], &attributes, use_little_stack, p) == 0, "thread");
    CHECK(pthread_join(thread[0], NULL) == 0, "join");
    munmap(p, BLOCK);
}

static void test_locking(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 19);
    CHECK(mlock(p, PAGE) == 0 && munlock(p, PAGE) == 0, "mlock");
    CHECK(mlockall(MCL_CURRENT) == 0 || errno == ENOMEM, "mlockall"); /* it may be more than this user may lock */
    CHECK(munlockall() == 0, "munlockall");
    CHECK(msync(p, BLOCK, MS_SYNC) == 0, "msync");
    check_filled(p, BLOCK, 19, "locked");
    munmap(p, BLOCK);
}

static const struct group groups[] = {
    {"heap-beginning", test_heap_beginning}, /* before the heap has grown */
    {"mmap", test_mmap},
    {"partial-unmap", test_partial_unmap},
    {"mprotect", test_mprotect},
    {"code", test_code},
    {"file-inside", test_file_inside},
    {"mremap", test_mremap},
    {"break", test_break},
    {"advice", test_advice},
    {"mincore", test_mincore},
    {"reservation", test_reservation},
    {"stacks", test_stacks},
    {"locking", test_locking},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
