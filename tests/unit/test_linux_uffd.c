/* SPDX-License-Identifier: MIT */
/* Moving pages with userfaultfd: no page may be lost, whatever the kernel says and whatever it does meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/linux/uffd.h"

enum { PAGE_BYTES = 4096, PAGES = 512, SKIPPED = 77 };

/* Two ranges to move pages between, as a window and an arena are. */
static struct ol_uffd uffd;
static char *window, *arena;

static char *make_range(void)
{
    char *range =
        mmap(NULL, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(range, MAP_FAILED);
    (void)madvise(range, PAGES * PAGE_BYTES, MADV_NOHUGEPAGE);
    return range;
}

static int create(void **state)
{
    (void)state;
    const char *error;
    assert_int_equal(ol_uffd_open(false, &uffd, &error), OL_OK);
    window = make_range();
    arena = make_range();
    assert_true(ol_uffd_register(&uffd, window, PAGES * PAGE_BYTES));
    assert_true(ol_uffd_register_wp(&uffd, arena, PAGES * PAGE_BYTES));
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    (void)munmap(window, PAGES * PAGE_BYTES);
    (void)munmap(arena, PAGES * PAGE_BYTES);
    ol_uffd_close(&uffd);
    return 0;
}

static void stamp(char *page, unsigned number)
{
    memset(page, (int)(number % 251) + 1, PAGE_BYTES);
}

static bool is_stamped(const char *page, unsigned number)
{
    for (unsigned i = 0; i < PAGE_BYTES; i++)
        if ((unsigned char)page[i] != number % 251 + 1) return false;
    return true;
}

static void test_pages_move_both_ways(void **state)
{
    (void)state;
    size_t moved;
    for (unsigned i = 0; i < PAGES; i++) stamp(arena + i * PAGE_BYTES, i);
    assert_int_equal(ol_uffd_move(&uffd, window, arena, PAGES * PAGE_BYTES, &moved), 0);
    assert_int_equal(moved, PAGES * PAGE_BYTES);
    for (unsigned i = 0; i < PAGES; i++) assert_true(is_stamped(window + i * PAGE_BYTES, i));
    assert_int_equal(ol_uffd_move(&uffd, arena, window, PAGES * PAGE_BYTES, &moved), 0);
    for (unsigned i = 0; i < PAGES; i++) assert_true(is_stamped(arena + i * PAGE_BYTES, i));
}

static void test_what_cannot_move(void **state)
{
    (void)state;
    size_t moved = 1;
    assert_int_equal(ol_uffd_move(&uffd, window, arena, PAGE_BYTES, &moved), ENOENT); /* nothing is there */
    assert_int_equal(moved, 0);
    stamp(arena, 1);
    assert_int_equal(ol_uffd_copy(&uffd, window, arena, PAGE_BYTES, false, &moved), 0);
    stamp(window, 2);
    assert_int_equal(ol_uffd_move(&uffd, window, arena, PAGE_BYTES, &moved), EEXIST); /* something else is */
    assert_int_equal(moved, 0);
    assert_true(is_stamped(arena, 1));
    assert_true(is_stamped(window, 2));
    /* The third of four pages is missing: two have moved. */
    for (unsigned i = 4; i < 8; i++) stamp(arena + i * PAGE_BYTES, i);
    (void)madvise(arena + 6 * PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED);
    assert_int_equal(ol_uffd_move(&uffd, window + 4 * PAGE_BYTES, arena + 4 * PAGE_BYTES, 4 * PAGE_BYTES, &moved),
                     ENOENT);
    assert_int_equal(moved, 2 * PAGE_BYTES);
    assert_true(is_stamped(window + 5 * PAGE_BYTES, 5));
    assert_true(is_stamped(arena + 7 * PAGE_BYTES, 7));
}

/* What the kernel reports as EEXIST after it has moved the page itself: the target is there, the source is not. */
static void test_moved_already(void **state)
{
    (void)state;
    size_t moved;
    for (unsigned i = 0; i < 3; i++) stamp(arena + i * PAGE_BYTES, i);
    assert_int_equal(ol_uffd_move(&uffd, window + PAGE_BYTES, arena + PAGE_BYTES, PAGE_BYTES, &moved), 0);
    assert_int_equal(ol_uffd_move(&uffd, window, arena, 3 * PAGE_BYTES, &moved), 0);
    assert_int_equal(moved, 3 * PAGE_BYTES);
    for (unsigned i = 0; i < 3; i++) assert_true(is_stamped(window + i * PAGE_BYTES, i));
    assert_int_equal(ol_uffd_move(&uffd, window + 2 * PAGE_BYTES, arena + 2 * PAGE_BYTES, PAGE_BYTES, &moved), 0);
    assert_true(is_stamped(window + 2 * PAGE_BYTES, 2));
}

static atomic_bool compacting;

static void *compact(void *argument)
{
    const int *file = argument;
    while (atomic_load(&compacting))
        if (pwrite(*file, "1", 1, 0) != 1) break;
    return NULL;
}

/* The kernel moves pages of its own accord, too. */
static void test_moving_while_memory_is_compacted(void **state)
{
    (void)state;
    int file = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        print_message("only root can have memory compacted\n");
        skip();
    }
    pthread_t thread;
    atomic_store(&compacting, true);
    assert_int_equal(pthread_create(&thread, NULL, compact, &file), 0);
    unsigned lost = 0, failed = 0;
    for (unsigned i = 0; i < PAGES; i++) stamp(arena + i * PAGE_BYTES, i);
    for (unsigned round = 0; round < 60; round++) {
        size_t moved;
        for (unsigned i = 0; i < PAGES; i++) {
            const size_t at = i * PAGE_BYTES;
            const int error = ol_uffd_move(&uffd, window + at, arena + at, PAGE_BYTES, &moved);
            if (error) failed++;
            if (error && error != EBUSY) lost++;
        }
        for (unsigned i = 0; i < PAGES && !failed; i++) lost += !is_stamped(window + i * PAGE_BYTES, i);
        if (failed || ol_uffd_move(&uffd, arena, window, PAGES * PAGE_BYTES, &moved)) break;
        for (unsigned i = 0; i < PAGES; i++) lost += !is_stamped(arena + i * PAGE_BYTES, i);
    }
    atomic_store(&compacting, false);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(file);
    assert_int_equal(lost, 0);
    if (failed) print_message("%u pages were busy and did not move\n", failed);
}

int main(void)
{
    const char *error = "this kernel has no UFFDIO_MOVE (Linux 6.8)";
    struct ol_uffd probe;
    const bool opened = ol_uffd_open(false, &probe, &error) == OL_OK;
    if (opened) ol_uffd_close(&probe);
    if (!opened || !probe.can_move) {
        print_message("skipped: %s\n", error);
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages_move_both_ways, create, destroy),
        cmocka_unit_test_setup_teardown(test_what_cannot_move, create, destroy),
        cmocka_unit_test_setup_teardown(test_moved_already, create, destroy),
        cmocka_unit_test_setup_teardown(test_moving_while_memory_is_compacted, create, destroy),
    };
    return cmocka_run_group_tests_name("linux uffd", tests, NULL, NULL);
}
