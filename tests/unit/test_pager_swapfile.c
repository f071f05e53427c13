/* SPDX-License-Identifier: MIT */
/* The swap file: contents, transfers that break off, full disks, a program that plays with our descriptors, forks. */
#include "pager/swapfile.h"

#include "tests/unit/test_pager_model.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 600, LAYERS = 64, SKIPPED = 77 };

/* --- stand-ins for system calls --------------------------------------------------------------------------------- */

static bool no_nameless_files; /* openat knows no O_TMPFILE */
static bool transfers_break;   /* preadv and pwritev are interrupted, or stop anywhere */
static unsigned transfers;     /* calls of preadv and pwritev */
static uint64_t break_random;  /* used by one thread alone */

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const unsigned mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    if (no_nameless_files && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

static ssize_t transfer(long call, int fd, const struct iovec *vector, int parts, off_t offset)
{
    struct iovec some[OL_IO_PAGES_MAX];
    int n = 0;
    __atomic_add_fetch(&transfers, 1, __ATOMIC_RELAXED);
    if (!transfers_break) return syscall(call, fd, vector, parts, (long)offset, 0L);
    if (random_next(&break_random) % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    size_t room = 1 + random_next(&break_random) % 20000;
    for (; n < parts && room > 0; n++) {
        some[n] = vector[n];
        if (some[n].iov_len > room) some[n].iov_len = room;
        room -= some[n].iov_len;
    }
    return syscall(call, fd, some, n, (long)offset, 0L);
}

ssize_t preadv(int fd, const struct iovec *vector, int parts, off_t offset)
{
    return transfer(SYS_preadv, fd, vector, parts, offset);
}

ssize_t pwritev(int fd, const struct iovec *vector, int parts, off_t offset)
{
    return transfer(SYS_pwritev, fd, vector, parts, offset);
}

/* --- helpers ---------------------------------------------------------------------------------------------------- */

static char directory[PATH_MAX];
static bool encrypted; /* what differs with it is tested with and without */

static int make_directory(void **state)
{
    const char *parent = getenv("TMPDIR");
    (void)state;
    snprintf(directory, sizeof directory, "%s/onelevel-test-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(directory) ? 0 : -1;
}

/* Fails if a file was left behind. */
static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static struct ol_pager *create_in(const char *path)
{
    const struct ol_swapfile_options options = {
        .page_bytes = MODEL_PAGE_BYTES, .capacity = SLOTS, .directory = path, .encrypted = encrypted};
    struct ol_pager *pager = NULL;
    return ol_swapfile_create(&options, &pager, NULL) == OL_OK ? pager : NULL;
}

static struct ol_pager *create(void)
{
    struct ol_pager *pager = create_in(directory);
    assert_non_null(pager);
    return pager;
}

static unsigned open_files(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < MODEL_FDS; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Sets a soft limit; returns the one before. */
static rlim_t limit_set(__rlimit_resource_t resource, rlim_t soft)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) abort();
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = soft;
    if (setrlimit(resource, &limit) != 0) abort();
    return before;
}

/* Consecutive slots from `first` on, each with a page of its own. */
struct cluster {
    ol_slot slots[OL_IO_PAGES_MAX];
    void *pages[OL_IO_PAGES_MAX];
    enum ol_status status[OL_IO_PAGES_MAX];
    alignas(MODEL_PAGE_BYTES) char bytes[OL_IO_PAGES_MAX][MODEL_PAGE_BYTES];
};

static bool cluster_transfer(struct cluster *cluster, struct ol_pager *pager, enum ol_io_op op, ol_slot first,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cluster->slots[i] = first + i;
        cluster->pages[i] = cluster->bytes[i];
        if (op == OL_IO_WRITE) page_make(cluster->bytes[i], PAGE_RANDOM, first + i);
        else memset(cluster->bytes[i], 0, MODEL_PAGE_BYTES);
    }
    return pages_transfer(pager, op, cluster->slots, cluster->pages, count, cluster->status);
}

static bool cluster_page_is_right(const struct cluster *cluster, uint32_t i)
{
    char page[MODEL_PAGE_BYTES];
    page_make(page, PAGE_RANDOM, cluster->slots[i]);
    return cluster->status[i] == OL_OK && memcmp(page, cluster->bytes[i], sizeof page) == 0;
}

/* Waits for a child; its exit status, or -1. */
static int child_status(pid_t pid)
{
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

/* In a child: leaves it where something is not as it must be. */
#define CHECK(condition) check(condition, #condition, __LINE__)

static void check(bool condition, const char *text, int line)
{
    if (condition) return;
    fprintf(stderr, "line %d: not so: %s\n", line, text);
    _exit(1);
}

/* --- one process ------------------------------------------------------------------------------------------------ */

static void test_places_where_no_file_can_be(void **state)
{
    static const struct {
        const char *directory, *text;
    } bad[] = {
        {"/nonexistent/place", "does not exist"},
        {"/dev/null", "not a directory"},
        {"/proc", "name another"},
    };
    (void)state;
    const unsigned before = open_files();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct ol_swapfile_options options = {
            .page_bytes = MODEL_PAGE_BYTES, .capacity = SLOTS, .directory = bad[i].directory};
        struct ol_pager *pager;
        const char *error = NULL;
        assert_int_equal(ol_swapfile_create(&options, &pager, &error), OL_E_IO);
        assert_non_null(error);
        assert_non_null(strstr(error, bad[i].text));
        assert_int_equal(ol_swapfile_create(&options, &pager, NULL), OL_E_IO);
    }
    assert_int_equal(open_files(), before);
}

static void test_bad_sizes_are_refused(void **state)
{
    static const struct ol_swapfile_options bad[] = {{MODEL_PAGE_BYTES, 0, directory, false},
                                                     {0, SLOTS, directory, false},
                                                     {1000, SLOTS, directory, false},
                                                     {2 << 20, SLOTS, directory, false}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ol_pager *pager;
        const char *error = NULL;
        assert_int_equal(ol_swapfile_create(&bad[i], &pager, &error), OL_E_INVALID);
        assert_non_null(error);
    }
}

static void test_the_file_is_nameless_and_private(void **state)
{
    struct stat stat;
    int fd = -1;
    (void)state;
    const unsigned before = open_files();
    for (int named = 0; named < 2; named++) {
        no_nameless_files = named;
        struct ol_pager *pager = create();
        no_nameless_files = false;
        assert_int_equal(nameless_files(&fd), 1);
        assert_int_equal(fstat(fd, &stat), 0);
        assert_int_equal(stat.st_mode & 07777, 0600);
        assert_true(fd >= 900);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(rmdir(directory), 0); /* nothing is in it */
        assert_int_equal(mkdir(directory, 0700), 0);
        pager->ops->close(pager);
        assert_int_equal(open_files(), before);
    }
    const rlim_t limit = limit_set(RLIMIT_NOFILE, 64);
    struct ol_pager *pager = create();
    limit_set(RLIMIT_NOFILE, limit);
    assert_int_equal(nameless_files(&fd), 1);
    assert_true(fd < 64);
    pager->ops->close(pager);
}

static void test_a_name_that_is_taken(void **state)
{
    char name[PATH_MAX + 64];
    (void)state;
    snprintf(name, sizeof name, "%s/.onelevel-%d-0", directory, (int)getpid());
    const int taken = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    assert_true(taken >= 0);
    no_nameless_files = true;
    struct ol_pager *pager = create();
    no_nameless_files = false;
    assert_int_equal(unlink(name), 0); /* still there: it was not ours */
    close(taken);
    pager->ops->close(pager);
}

static void test_neighbours_are_one_transfer(void **state)
{
    struct ol_pager *pager = create();
    static struct cluster cluster;
    struct ol_swapfile_statistics statistics;
    struct stat stat;
    int fd = -1;
    (void)state;
    for (unsigned op = OL_IO_WRITE;; op = OL_IO_READ) {
        transfers = 0;
        assert_true(cluster_transfer(&cluster, pager, (enum ol_io_op)op, 500, OL_IO_PAGES_MAX));
        assert_int_equal(transfers, 1);
        for (uint32_t i = 0; i < OL_IO_PAGES_MAX; i++) assert_true(cluster_page_is_right(&cluster, i));
        if (op == OL_IO_READ) break;
    }
    ol_swapfile_statistics(pager, &statistics);
    assert_int_equal(statistics.pages_written, 64);
    assert_int_equal(statistics.pages_read, 64);
    assert_int_equal(statistics.file_bytes, 564 * MODEL_PAGE_BYTES);
    assert_int_equal(nameless_files(&fd), 1);
    assert_int_equal(fstat(fd, &stat), 0);
    assert_int_equal(stat.st_size, statistics.file_bytes);
    assert_true(stat.st_blocks * 512 / MODEL_PAGE_BYTES < 100); /* sparse */
    assert_true(pager->ops->keep(pager, 500));
    assert_int_equal(pager->ops->flush(pager), OL_OK);
    pager->ops->close(pager);
}

static void test_random_use_agrees_with_the_model(void **state)
{
    (void)state;
    for (int breaks = 0; breaks < 2; breaks++) {
        struct ol_pager *pager = create();
        struct pager_model model;
        model_init(&model, pager, 0, SLOTS, 5);
        transfers_break = breaks;
        const bool right = model_steps(&model, 400) && model_verify(&model);
        transfers_break = false;
        assert_true(right);
        assert_true(model_pages(&model) > 0 && model.no_swap == 0);
        model_free(&model);
        pager->ops->close(pager);
    }
}

static void test_two_threads(void **state)
{
    struct ol_pager *pager = create();
    (void)state;
    const char *wrong = model_threads(pager, SLOTS, 500);
    if (wrong) fail_msg("%s", wrong);
    pager->ops->close(pager);
}

static void test_the_end_of_the_file(void **state)
{
    struct ol_pager *pager = create();
    static struct cluster cluster;
    int fd = -1;
    (void)state;
    assert_true(cluster_transfer(&cluster, pager, OL_IO_WRITE, 0, 5));
    assert_int_equal(nameless_files(&fd), 1);
    assert_int_equal(ftruncate(fd, 2 * MODEL_PAGE_BYTES + 100), 0);
    assert_true(cluster_transfer(&cluster, pager, OL_IO_READ, 0, 5));
    for (uint32_t i = 0; i < 5; i++)
        if (i < 2) assert_true(cluster_page_is_right(&cluster, i));
        else assert_int_equal(cluster.status[i], OL_E_IO);
    pager->ops->close(pager);
}

static void test_the_file_size_limit(void **state)
{
    struct ol_pager *pager = create();
    static struct cluster cluster;
    (void)state;
    const rlim_t limit = limit_set(RLIMIT_FSIZE, 20 * MODEL_PAGE_BYTES + 1); /* SIGXFSZ would end the test */
    const bool complete = cluster_transfer(&cluster, pager, OL_IO_WRITE, 10, 30);
    limit_set(RLIMIT_FSIZE, limit);
    assert_true(complete);
    for (uint32_t i = 0; i < 30; i++) assert_int_equal(cluster.status[i], i < 10 ? OL_OK : OL_E_NO_SWAP);
    assert_true(cluster_transfer(&cluster, pager, OL_IO_READ, 10, 30));
    for (uint32_t i = 0; i < 30; i++)
        if (i < 10) assert_true(cluster_page_is_right(&cluster, i));
        else assert_int_equal(cluster.status[i], OL_E_IO);
    assert_true(cluster_transfer(&cluster, pager, OL_IO_WRITE, 10, 30));
    for (uint32_t i = 0; i < 30; i++) assert_int_equal(cluster.status[i], OL_OK);
    pager->ops->close(pager);
}

/* In a mount namespace of its own, that a test that dies leaves nothing mounted. */
static int full_disk(void)
{
    enum { DISK_PAGES = 64 };
    static struct cluster cluster;
    uint32_t written = 0;
    if (unshare(CLONE_NEWNS) != 0) return SKIPPED;
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0) return SKIPPED;
    if (mount("none", directory, "tmpfs", 0, "size=256k") != 0) return SKIPPED;
    struct ol_pager *pager = create_in(directory);
    CHECK(pager != NULL);
    for (ol_slot first = 0; first < 144; first += 48) {
        CHECK(cluster_transfer(&cluster, pager, OL_IO_WRITE, first, 48));
        for (uint32_t i = 0; i < 48; i++) {
            CHECK(cluster.status[i] == (written < DISK_PAGES ? OL_OK : OL_E_NO_SWAP));
            written += cluster.status[i] == OL_OK;
        }
    }
    CHECK(written == DISK_PAGES);
    CHECK(cluster_transfer(&cluster, pager, OL_IO_WRITE, 0, 48)); /* their place is there already */
    for (uint32_t i = 0; i < 48; i++) CHECK(cluster.status[i] == OL_OK);
    CHECK(cluster_transfer(&cluster, pager, OL_IO_READ, 0, DISK_PAGES));
    for (uint32_t i = 0; i < DISK_PAGES; i++) CHECK(cluster_page_is_right(&cluster, i));
    pager->ops->close(pager);
    return 0;
}

static void test_a_full_disk(void **state)
{
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) _exit(full_disk());
    const int status = child_status(pid);
    if (status == SKIPPED) {
        print_message("skipped: a small tmpfs can be mounted by root alone\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* A program that closes or replaces our descriptors gets errors, and never our pages in its files. */
static void test_a_program_that_takes_our_descriptor(void **state)
{
    (void)state;
    for (int replaced = 0; replaced < 2; replaced++) {
        struct ol_pager *pager = create();
        char page[MODEL_PAGE_BYTES];
        struct stat stat;
        int fd = -1;
        page_make(page, PAGE_TEXT, 1);
        assert_int_equal(page_write(pager, 0, page), OL_OK);
        assert_int_equal(nameless_files(&fd), 1);
        const int theirs = memfd_create("theirs", 0);
        assert_true(theirs >= 0);
        if (replaced) assert_int_equal(dup2(theirs, fd), fd);
        else close(fd);
        assert_int_equal(page_read(pager, 0, page), OL_E_IO);
        assert_int_equal(page_write(pager, 0, page), OL_E_IO);
        assert_int_equal(fstat(theirs, &stat), 0);
        assert_int_equal(stat.st_size, 0);
        pager->ops->close(pager);
        assert_int_equal(fcntl(fd, F_GETFD) >= 0, replaced); /* what is theirs stays open */
        if (replaced) close(fd);
        close(theirs);
    }
}

/* --- forks ------------------------------------------------------------------------------------------------------ */

/* Forks `depth` times; all processes go on using their pages at random at the same time. */
static bool generations(struct pager_model *model, unsigned depth)
{
    if (!model_steps(model, 60)) return false;
    if (depth == 0) return model_verify(model);
    const pid_t pid = fork();
    if (pid < 0 || ol_swapfile_freeze(model->pager) != OL_OK) return false;
    if (pid == 0) {
        model->random ^= depth;
        _exit(generations(model, depth - 1) && model_verify(model) ? 0 : 1);
    }
    const bool right = generations(model, depth - 1);
    return child_status(pid) == 0 && right && model_verify(model);
}

static void test_forked_processes_have_pages_of_their_own(void **state)
{
    struct pager_model model;
    (void)state;
    for (int from_nothing = 0; from_nothing < 2; from_nothing++) {
        const unsigned before = open_files();
        struct ol_pager *pager = create();
        model_init(&model, pager, 0, SLOTS, 77);
        if (!from_nothing) assert_true(model_steps(&model, 50));
        assert_true(generations(&model, 4));
        model_free(&model);
        pager->ops->close(pager);
        assert_int_equal(open_files(), before);
    }
}

/* The file made at creation has no pages yet: it is shared all the same. */
static void test_a_fork_before_the_first_write(void **state)
{
    struct ol_pager *pager = create();
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    (void)state;
    const pid_t pid = fork();
    assert_int_equal(ol_swapfile_freeze(pager), OL_OK);
    assert_int_equal(nameless_files(NULL), 0);
    page_make(page, PAGE_TEXT, pid == 0);
    assert_int_equal(page_write(pager, 0, page), OL_OK);
    if (pid == 0) _exit(0);
    assert_int_equal(child_status(pid), 0);
    assert_int_equal(page_read(pager, 0, got), OL_OK);
    assert_memory_equal(page, got, sizeof page);
    pager->ops->close(pager);
}

static void test_a_frozen_file_without_pages_is_given_up(void **state)
{
    struct ol_pager *pager = create();
    struct pager_model model;
    (void)state;
    model_init(&model, pager, 0, SLOTS, 1);
    for (uint32_t i = 0; i < 3; i++) assert_true(model_write(&model, i, i + 1));
    assert_int_equal(ol_swapfile_freeze(pager), OL_OK);
    assert_int_equal(ol_swapfile_freeze(pager), OL_OK); /* nothing new: no further file */
    assert_int_equal(nameless_files(NULL), 1);
    assert_true(model_write(&model, 0, 9)); /* rewritten elsewhere */
    assert_int_equal(nameless_files(NULL), 2);
    pager->ops->discard(pager, 1);
    assert_int_equal(nameless_files(NULL), 2);
    pager->ops->discard(pager, 2);
    assert_int_equal(nameless_files(NULL), 1);
    model.seeds[1] = model.seeds[2] = 0;
    assert_true(model_verify(&model));
    model_free(&model);
    pager->ops->close(pager);
}

static void test_files_of_many_forks_are_merged(void **state)
{
    struct ol_pager *pager = create();
    struct pager_model model;
    unsigned files_most = 0;
    (void)state;
    model_init(&model, pager, 0, SLOTS, 1);
    for (uint32_t i = 0; i < 300; i++) {
        assert_true(model_write(&model, i * 7 % SLOTS, i + 1));
        assert_true(model_write(&model, (i * 7 + 1) % SLOTS, i + 2));
        const pid_t pid = i % 60 == 30 ? fork() : -1;
        assert_int_equal(ol_swapfile_freeze(pager), OL_OK);
        if (pid == 0) _exit(model_verify(&model) && model_steps(&model, 50) && model_verify(&model) ? 0 : 1);
        if (pid > 0) assert_int_equal(child_status(pid), 0);
        if (nameless_files(NULL) > files_most) files_most = nameless_files(NULL);
        if (i % 20 == 0) assert_true(model_verify(&model));
    }
    assert_true(files_most > 32 && files_most < LAYERS);
    assert_true(model_verify(&model));
    model_free(&model);
    pager->ops->close(pager);
}

static void test_files_that_cannot_be_merged(void **state)
{
    struct ol_pager *pager = create();
    struct pager_model model;
    uint32_t failures = 0;
    (void)state;
    model_init(&model, pager, 0, SLOTS, 1);
    for (uint32_t i = 0; model.no_swap == 0; i++) {
        assert_true(i <= LAYERS);
        assert_true(model_write(&model, i, i + 1));
        const rlim_t limit = limit_set(RLIMIT_FSIZE, 0);
        const enum ol_status status = ol_swapfile_freeze(pager);
        limit_set(RLIMIT_FSIZE, limit);
        assert_true(status == OL_OK || status == OL_E_NO_SWAP);
        failures += status != OL_OK;
    }
    assert_true(failures >= 2);
    assert_int_equal(model_pages(&model), LAYERS); /* one in each file, none lost */
    assert_int_equal(nameless_files(NULL), LAYERS);
    assert_true(model_verify(&model));
    for (uint32_t i = 0; i < 2; i++) { /* room for a file to write to, and one to merge to */
        pager->ops->discard(pager, i);
        model.seeds[i] = 0;
    }
    assert_true(model_write(&model, 100, 100));
    assert_int_equal(model.no_swap, 1);
    assert_int_equal(ol_swapfile_freeze(pager), OL_OK);
    assert_true(nameless_files(NULL) < LAYERS - 10);
    assert_true(model_verify(&model));
    model_free(&model);
    pager->ops->close(pager);
}

static void test_no_file_can_be_made_after_a_fork(void **state)
{
    struct ol_pager *pager = create();
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    (void)state;
    page_make(page, PAGE_TEXT, 1);
    assert_int_equal(page_write(pager, 0, page), OL_OK);
    assert_int_equal(ol_swapfile_freeze(pager), OL_OK);
    const rlim_t limit = limit_set(RLIMIT_NOFILE, 0);
    const enum ol_status refused = page_write(pager, 1, page), read = page_read(pager, 0, got);
    limit_set(RLIMIT_NOFILE, limit);
    assert_int_equal(refused, OL_E_IO);
    assert_int_equal(read, OL_OK);
    assert_memory_equal(page, got, sizeof page);
    assert_int_equal(page_write(pager, 1, page), OL_OK);
    assert_int_equal(page_read(pager, 1, got), OL_OK);
    assert_memory_equal(page, got, sizeof page);
    pager->ops->close(pager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_where_no_file_can_be),
        cmocka_unit_test(test_bad_sizes_are_refused),
        cmocka_unit_test(test_the_file_is_nameless_and_private),
        cmocka_unit_test(test_a_name_that_is_taken),
        cmocka_unit_test(test_neighbours_are_one_transfer),
        cmocka_unit_test(test_random_use_agrees_with_the_model),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_the_end_of_the_file),
        cmocka_unit_test(test_the_file_size_limit),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_a_program_that_takes_our_descriptor),
        cmocka_unit_test(test_forked_processes_have_pages_of_their_own),
        cmocka_unit_test(test_a_fork_before_the_first_write),
        cmocka_unit_test(test_a_frozen_file_without_pages_is_given_up),
        cmocka_unit_test(test_files_of_many_forks_are_merged),
        cmocka_unit_test(test_files_that_cannot_be_merged),
        cmocka_unit_test(test_no_file_can_be_made_after_a_fork),
    };
    const struct CMUnitTest with_keys[] = {
        cmocka_unit_test(test_random_use_agrees_with_the_model),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_forked_processes_have_pages_of_their_own),
        cmocka_unit_test(test_a_fork_before_the_first_write),
        cmocka_unit_test(test_files_that_cannot_be_merged),
    };
    const int plain = cmocka_run_group_tests_name("plain", tests, make_directory, remove_directory);
    encrypted = true;
    return plain + cmocka_run_group_tests_name("encrypted", with_keys, make_directory, remove_directory);
}
