/* SPDX-License-Identifier: MIT */
/* How a swap file's pages travel: past the page cache or through it, one after another or many at a time. */
#include "pager/swapfile.h"

#include "tests/unit/test_pager_model.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 400, PAGE = MODEL_PAGE_BYTES };

/* --- stand-ins for system calls --------------------------------------------------------------------------------- */

static bool no_direct;         /* O_DIRECT is refused when it is asked for */
static bool no_direct_reading; /* … or when it is used */
static bool no_ring;           /* io_uring is forbidden */
static unsigned reads;         /* calls of preadv */

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    const long argument = va_arg(arguments, long);
    va_end(arguments);
    if (no_direct && command == F_SETFL && argument & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

ssize_t preadv(int fd, const struct iovec *vector, int parts, off_t offset)
{
    reads++;
    if (no_direct_reading && fcntl(fd, F_GETFL) & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_preadv, fd, vector, parts, (long)offset, 0L);
}

struct io_uring;

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    int (*real)(unsigned, struct io_uring *, unsigned);
    void *symbol = dlsym(RTLD_NEXT, "io_uring_queue_init");
    if (no_ring || !symbol) return -EPERM;
    memcpy(&real, &symbol, sizeof real);
    return real(entries, ring, flags);
}

/* --- helpers ---------------------------------------------------------------------------------------------------- */

static struct ol_pager *create(void)
{
    const char *directory = getenv("TMPDIR"), *error = "";
    const struct ol_swapfile_options options = {
        .page_bytes = PAGE, .capacity = SLOTS, .directory = directory ? directory : "/var/tmp"};
    struct ol_pager *pager = NULL;
    if (ol_swapfile_create(&options, &pager, &error) != OL_OK) fail_msg("%s", error);
    return pager;
}

static struct ol_swapfile_statistics statistics_of(struct ol_pager *pager)
{
    struct ol_swapfile_statistics statistics;
    ol_swapfile_statistics(pager, &statistics);
    return statistics;
}

/* Pages of a request, for every step-th slot from 0 on. */
static struct {
    ol_slot slots[OL_IO_PAGES_MAX];
    void *pages[OL_IO_PAGES_MAX];
    enum ol_status status[OL_IO_PAGES_MAX];
    alignas(PAGE) char bytes[OL_IO_PAGES_MAX][PAGE];
} batch;

static bool transfer(struct ol_pager *pager, enum ol_io_op op, uint32_t count, uint32_t step)
{
    for (uint32_t i = 0; i < count; i++) {
        batch.slots[i] = i * step;
        batch.pages[i] = batch.bytes[i];
        if (op == OL_IO_WRITE) page_make(batch.bytes[i], PAGE_RANDOM, batch.slots[i]);
        else memset(batch.bytes[i], 0, PAGE);
    }
    return pages_transfer(pager, op, batch.slots, batch.pages, count, batch.status);
}

/* How many of the pages just read are right. */
static uint32_t pages_right(uint32_t count)
{
    char page[PAGE];
    uint32_t right = 0;
    for (uint32_t i = 0; i < count; i++) {
        page_make(page, PAGE_RANDOM, batch.slots[i]);
        right += batch.status[i] == OL_OK && memcmp(page, batch.bytes[i], PAGE) == 0;
    }
    return right;
}

static bool writes_and_reads(struct ol_pager *pager, uint32_t count, uint32_t step)
{
    return transfer(pager, OL_IO_WRITE, count, step) && transfer(pager, OL_IO_READ, count, step) &&
           pages_right(count) == count;
}

static bool ring_is_there(void)
{
#ifdef OL_HAVE_URING
    const long fd = syscall(SYS_io_uring_setup, 1, (char[256]){0});
    if (fd >= 0) close((int)fd);
    return fd >= 0;
#else
    return false;
#endif
}

/* --- the page cache --------------------------------------------------------------------------------------------- */

static void test_direct_transfers(void **state)
{
    struct ol_pager *pager = create();
    int fd = -1;
    (void)state;
    assert_int_equal(nameless_files(&fd), 1);
    if (statistics_of(pager).buffered) {
        pager->ops->close(pager);
        skip(); /* this file system knows no direct transfers */
    }
    assert_true(fcntl(fd, F_GETFL) & O_DIRECT);
    assert_true(writes_and_reads(pager, 64, 1));
    assert_true(writes_and_reads(pager, 64, 3));
    assert_false(statistics_of(pager).buffered);
    pager->ops->close(pager);
}

static void test_file_systems_that_refuse_them(void **state)
{
    (void)state;
    for (int when = 0; when < 2; when++) {
        bool *refused = when == 0 ? &no_direct : &no_direct_reading;
        *refused = no_ring = true;
        struct ol_pager *pager = create();
        assert_true(writes_and_reads(pager, 64, 2));
        assert_true(statistics_of(pager).buffered);
        pager->ops->close(pager);
        *refused = no_ring = false;
    }
}

static void test_pages_that_are_not_aligned(void **state)
{
    struct ol_pager *pager = create();
    static char room[PAGE + 1];
    void *page = room + 1;
    char wanted[PAGE];
    const ol_slot slot = 7;
    enum ol_status status;
    (void)state;
    page_make(wanted, PAGE_RANDOM, 1);
    memcpy(page, wanted, PAGE);
    assert_true(pages_transfer(pager, OL_IO_WRITE, &slot, &page, 1, &status));
    assert_int_equal(status, OL_OK);
    memset(page, 0, PAGE);
    assert_true(pages_transfer(pager, OL_IO_READ, &slot, &page, 1, &status));
    assert_int_equal(status, OL_OK);
    assert_memory_equal(page, wanted, PAGE);
    assert_true(statistics_of(pager).buffered);
    pager->ops->close(pager);
}

/* --- many at a time --------------------------------------------------------------------------------------------- */

static void test_scattered_reads_are_under_way_together(void **state)
{
    (void)state;
    for (int forbidden = 0; forbidden < 2; forbidden++) {
        no_ring = forbidden;
        struct ol_pager *pager = create();
        assert_true(transfer(pager, OL_IO_WRITE, 64, 5));
        for (int again = 0; again < 3; again++) {
            reads = 0;
            assert_true(transfer(pager, OL_IO_READ, 64, 5));
            assert_int_equal(pages_right(64), 64);
            assert_int_equal(reads, forbidden || !ring_is_there() ? 64 : 0);
        }
        assert_int_equal(statistics_of(pager).pages_read_together, reads == 0 ? 3 * 64 : 0);
        assert_int_equal(statistics_of(pager).pages_read, 3 * 64);
        pager->ops->close(pager);
        no_ring = false;
    }
}

static void test_errors_among_them(void **state)
{
    struct ol_pager *pager = create();
    int fd = -1;
    (void)state;
    assert_true(transfer(pager, OL_IO_WRITE, 60, 4));
    assert_int_equal(nameless_files(&fd), 1);
    const int file = file_reopen(fd);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, "damage", 6, 8 * 4 * PAGE + 100), 6);
    assert_int_equal(ftruncate(file, 50 * 4 * PAGE + 10), 0);
    close(file);
    assert_true(transfer(pager, OL_IO_READ, 60, 4));
    for (uint32_t i = 0; i < 60; i++) assert_int_equal(batch.status[i], i == 8 || i >= 50 ? OL_E_IO : OL_OK);
    assert_int_equal(pages_right(60), 49);
    pager->ops->close(pager);
}

/* The program closes the ring's descriptor, or puts a file of its own there. */
static void test_a_program_that_takes_the_ring(void **state)
{
    (void)state;
    if (!ring_is_there()) skip();
    for (int replaced = 0; replaced < 2; replaced++) {
        int fd = -1;
        struct ol_pager *pager = create();
        assert_true(writes_and_reads(pager, 64, 5));
        assert_int_equal(statistics_of(pager).pages_read_together, 64);
        assert_int_equal(nameless_files(&fd), 1);
        fd++; /* the descriptor after the file's */
        const int theirs = memfd_create("theirs", 0);
        if (replaced) assert_int_equal(dup2(theirs, fd), fd);
        else assert_int_equal(close(fd), 0);
        for (int again = 0; again < 2; again++) assert_true(writes_and_reads(pager, 64, 5));
        assert_int_equal(statistics_of(pager).pages_read_together, 64);
        close(theirs);
        pager->ops->close(pager);
        assert_int_equal(fcntl(fd, F_GETFD) >= 0, replaced); /* what is theirs stays open */
        if (replaced) close(fd);
    }
}

static void test_forked_processes_have_rings_of_their_own(void **state)
{
    struct ol_pager *pager = create();
    int status;
    (void)state;
    if (!ring_is_there()) {
        pager->ops->close(pager);
        skip();
    }
    assert_true(writes_and_reads(pager, 64, 5));
    const pid_t pid = fork();
    if (ol_swapfile_freeze(pager) != OL_OK) _exit(1);
    bool right = true;
    for (int i = 0; i < 100 && right; i++) { /* both at the same time */
        if (i % 10 == 0) right = transfer(pager, OL_IO_WRITE, 64 - (uint32_t)i / 4, 5);
        right = right && transfer(pager, OL_IO_READ, 64, 5) && pages_right(64) == 64;
    }
    right = right && statistics_of(pager).pages_read_together == (1 + 100) * 64;
    if (pid == 0) _exit(right ? 0 : 1);
    assert_true(right);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pager->ops->close(pager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_direct_transfers),
        cmocka_unit_test(test_file_systems_that_refuse_them),
        cmocka_unit_test(test_pages_that_are_not_aligned),
        cmocka_unit_test(test_scattered_reads_are_under_way_together),
        cmocka_unit_test(test_errors_among_them),
        cmocka_unit_test(test_a_program_that_takes_the_ring),
        cmocka_unit_test(test_forked_processes_have_rings_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
