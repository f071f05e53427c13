/* SPDX-License-Identifier: MIT */
/*
 * What a program sees of libonelevel besides its data: signals, threads, forks. Every test runs in a process of its
 * own, because signal handlers are a process's; that process says by its exit status whether all was right.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "machine/linux/memory.h"
#include "tests/support/process.h"
#include "tests/support/random.h"
#include "tests/support/sanitized.h"
#include "tests/unit/test_pager_model.h"

enum { PAGE_BYTES = 4096, MIB = 1 << 20 };

static enum ol_faults faults; /* how they come in this run of the tests */

static struct ol_memory *open_memory(void)
{
    struct ol_memory *memory = NULL;
    const char *error = "";
    if (ol_memory_open(&(struct ol_memory_options){.ram_bytes = 2 * MIB, .faults = faults}, &memory, &error) != OL_OK)
        print_error("%s\n", error);
    MUST(memory);
    return memory;
}

/* --- violations ------------------------------------------------------------------------------------------------------
 */

static struct caught {
    volatile sig_atomic_t count;
    volatile int code;
    void *volatile address;
    sigjmp_buf back;
} caught;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    caught.count = caught.count + 1;
    caught.code = info->si_code;
    caught.address = info->si_addr;
    siglongjmp(caught.back, 1);
}

static void catch_signal(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO;
    MUST(sigaction(number, &action, NULL) == 0);
}

/* Touches a byte, which must raise the signal that is caught, with this code. */
static void violates(volatile unsigned char *byte, bool write, int code)
{
    const int before = caught.count;
    if (sigsetjmp(caught.back, 1) == 0) {
        if (write) *byte = 1;
        else (void)*byte;
        MUST(false);
    }
    MUST(caught.count == before + 1);
    MUST(caught.code == code);
    MUST((uintptr_t)caught.address / PAGE_BYTES == (uintptr_t)byte / PAGE_BYTES);
}

static void violations_with_handler(void)
{
    catch_signal(SIGSEGV); /* before the library's, where that is for protection faults */
    struct ol_memory *memory = open_memory();
    unsigned char *range = ol_memory_map(memory, 4 * MIB);
    for (size_t i = 0; i < 4 * MIB; i += PAGE_BYTES) range[i] = 7;
    MUST(ol_memory_protect(memory, range, PAGE_BYTES, OL_READ) == OL_OK);                        /* evicted */
    MUST(ol_memory_protect(memory, range + 4 * MIB - PAGE_BYTES, PAGE_BYTES, OL_READ) == OL_OK); /* resident */
    MUST(ol_memory_protect(memory, range + MIB, PAGE_BYTES, OL_NONE) == OL_OK);
    MUST(ol_memory_unmap(memory, range + 2 * MIB, PAGE_BYTES) == OL_OK);
    for (int i = 0; i < 2; i++) { /* and again: all is as before */
        violates(range + 5, true, SEGV_ACCERR);
        MUST(range[0] == 7);
        violates(range + 4 * MIB - 1, true, SEGV_ACCERR);
        violates(range + MIB, false, SEGV_ACCERR);
        violates(range + 2 * MIB, false, SEGV_MAPERR);
        violates(range + 2 * MIB, true, SEGV_MAPERR);
    }
    MUST(ol_memory_protect(memory, range, 2 * MIB, OL_READ | OL_WRITE) == OL_OK);
    for (size_t i = 0; i < 2 * MIB; i += PAGE_BYTES) MUST(range[i] == 7);
    range[0] = 8;
    ol_memory_close(memory);
}

/* --- damaged swap ---------------------------------------------------------------------------------------------------
 */

/* Every page but the damaged ones goes on being right; the damaged ones are SIGBUS, each time. */
static void reads_damaged_swap(bool encrypt)
{
    enum { PAGES = 1024, EACH = 10 };
    struct ol_memory *memory = NULL;
    const struct ol_memory_options options = {
        .resident_bytes = MIB, .swap = "file", .encrypt = encrypt, .faults = faults};
    struct ol_memory_statistics statistics;
    volatile unsigned errors = 0;
    char byte;
    int fd = -1;
    catch_signal(SIGBUS); /* before the library, which hands it on */
    MUST(ol_memory_open(&options, &memory, NULL) == OL_OK);
    volatile unsigned *range = ol_memory_map(memory, PAGES * PAGE_BYTES);
    for (unsigned i = 0; i < PAGES; i++) range[i * PAGE_BYTES / sizeof(*range)] = i;
    MUST(nameless_files(&fd) == 1);
    const int file = file_reopen(fd);
    for (off_t slot = 0; slot < PAGES / 2; slot += EACH) { /* some of them are not in use */
        MUST(pread(file, &byte, 1, slot * PAGE_BYTES + 99) == 1);
        byte ^= 16;
        MUST(pwrite(file, &byte, 1, slot * PAGE_BYTES + 99) == 1);
    }
    for (volatile int round = 0; round < 2; round++) {
        for (volatile unsigned i = 0; i < PAGES; i++) {
            volatile unsigned *page = range + (size_t)i * PAGE_BYTES / sizeof(*range);
            if (sigsetjmp(caught.back, 1) == 0) MUST(*page == i);
            else errors++;
        }
    }
    ol_memory_get_statistics(memory, &statistics);
    MUST(errors > PAGES / 2 / EACH && errors % 2 == 0 && statistics.file_pages_damaged >= errors);
    ol_memory_close(memory);
}

static void reads_damaged_plain_swap(void)
{
    reads_damaged_swap(false);
}

static void reads_damaged_encrypted_swap(void)
{
    reads_damaged_swap(true);
}

static void test_damaged_swap(void **state)
{
    (void)state;
    expect_success(reads_damaged_plain_swap);
    expect_success(reads_damaged_encrypted_swap);
}

static void test_violations_with_a_handler(void **state)
{
    (void)state;
    expect_success(violations_with_handler);
}

static void unmapped_without_handler(void)
{
    struct ol_memory *memory = open_memory();
    volatile unsigned char *range = ol_memory_map(memory, PAGE_BYTES);
    MUST(ol_memory_unmap(memory, (void *)(uintptr_t)range, PAGE_BYTES) == OL_OK);
    *range = 1;
}

static void read_only_while_ignored(void)
{
    (void)signal(SIGSEGV, SIG_IGN); /* a fault cannot be ignored */
    struct ol_memory *memory = open_memory();
    volatile unsigned char *range = ol_memory_map(memory, PAGE_BYTES);
    (void)*range;
    MUST(ol_memory_protect(memory, (void *)(uintptr_t)range, PAGE_BYTES, OL_READ) == OL_OK);
    *range = 1;
}

static void read_only_while_blocked(void)
{
    catch_signal(SIGSEGV);
    struct ol_memory *memory = open_memory();
    volatile unsigned char *range = ol_memory_map(memory, PAGE_BYTES);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    (void)*range;
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* then the handler does not run either */
    MUST(ol_memory_protect(memory, (void *)(uintptr_t)range, PAGE_BYTES, OL_READ) == OL_OK);
    *range = 1;
}

static void test_violations_without_a_handler(void **state)
{
    (void)state;
    expect_signal(unmapped_without_handler, SIGSEGV);
    expect_signal(read_only_while_ignored, SIGSEGV);
    expect_signal(read_only_while_blocked, SIGSEGV);
}

/* --- SIGBUS that is the program's own
 * ------------------------------------------------------------------------------------ */

/* A page beyond the end of its file. */
static volatile unsigned char *beyond_the_end(void)
{
    FILE *file = tmpfile();
    MUST(file);
    volatile unsigned char *page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fileno(file), 0);
    MUST(page != MAP_FAILED);
    return page;
}

static void own_sigbus_with_handler(void)
{
    catch_signal(SIGBUS); /* before the library's: it hands on what is not its own */
    struct ol_memory *memory = open_memory();
    unsigned char *range = ol_memory_map(memory, 4 * MIB);
    for (size_t i = 0; i < 4 * MIB; i += PAGE_BYTES) range[i] = 3;
    MUST(caught.count == 0);
    violates(beyond_the_end(), false, BUS_ADRERR);
    for (size_t i = 0; i < 4 * MIB; i += PAGE_BYTES) MUST(range[i] == 3);
    if (sigsetjmp(caught.back, 1) == 0) (void)raise(SIGBUS);
    MUST(caught.count == 2);
}

static void own_sigbus_without_handler(void)
{
    (void)open_memory();
    (void)*beyond_the_end();
}

static void sent_sigbus_without_handler(void)
{
    (void)open_memory();
    (void)raise(SIGBUS);
}

static void sent_sigbus_ignored(void)
{
    (void)signal(SIGBUS, SIG_IGN);
    (void)open_memory();
    (void)raise(SIGBUS);
}

static void test_other_sigbus_is_passed_on(void **state)
{
    (void)state;
    expect_success(own_sigbus_with_handler);
    expect_signal(own_sigbus_without_handler, SIGBUS);
    expect_signal(sent_sigbus_without_handler, SIGBUS);
    expect_success(sent_sigbus_ignored);
}

static void errno_is_kept(void)
{
    struct ol_memory *memory = open_memory();
    volatile unsigned char *range = ol_memory_map(memory, 4 * MIB);
    for (size_t i = 0; i < 4 * MIB; i += PAGE_BYTES) {
        errno = 77;
        range[i] = 3;
        MUST(errno == 77);
    }
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    expect_success(errno_is_kept);
}

/* --- a signal handler that touches managed memory while the program is in the library
 * --------------------------------- */

enum { ALARMS = 300 };

static volatile unsigned char *touched;
static timer_t alarm_timer;
static atomic_uint alarms;

/* Stops the timer itself: on a slow machine the next alarm is due whenever this returns, and nothing else runs. */
static void on_alarm(int number)
{
    const struct itimerspec never = {0};
    (void)number;
    for (size_t i = 0; i < 64; i++) touched[i * 37 % 1024 * PAGE_BYTES + 1]++;
    if (atomic_fetch_add(&alarms, 1) == ALARMS) (void)timer_settime(alarm_timer, 0, &never, NULL);
}

static void faults_in_a_handler(void)
{
    struct ol_memory *memory = open_memory();
    struct ol_memory_statistics statistics;
    const struct timespec every = {.tv_nsec = 300000};
    const struct itimerspec interval = {every, every};
    touched = ol_memory_map(memory, 4 * MIB);
    (void)signal(SIGALRM, on_alarm);
    MUST(timer_create(CLOCK_MONOTONIC, NULL, &alarm_timer) == 0);
    MUST(timer_settime(alarm_timer, 0, &interval, NULL) == 0);
    for (unsigned round = 0; atomic_load(&alarms) < ALARMS; round++) {
        touched[round % 1024 * PAGE_BYTES]++;
        void *range = ol_memory_map(memory, 10 * PAGE_BYTES);
        MUST(ol_memory_pin(memory, range, PAGE_BYTES, true) == OL_OK);
        ol_memory_unpin(memory, range, PAGE_BYTES);
        ol_memory_get_statistics(memory, &statistics);
        MUST(ol_memory_unmap(memory, range, 10 * PAGE_BYTES) == OL_OK);
    }
    (void)timer_delete(alarm_timer);
    MUST(!ol_check(ol_memory_system(memory)));
}

static void test_faults_in_a_handler(void **state)
{
    (void)state;
    if (OL_SANITIZED_THREADS) {
        print_message("ThreadSanitizer runs such handlers with SIGBUS blocked\n");
        skip();
    }
    expect_success(faults_in_a_handler);
}

/* --- threads
 * ---------------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, THREAD_PAGES = 512, STEPS = 6000 };

struct worker {
    pthread_t thread;
    struct ol_memory *memory;
    uint64_t *range; /* its own */
    uint64_t number;
    unsigned wrong;
};

/* Stamps the pages of its own range in a random order, and reads what it stamped. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    static _Thread_local uint64_t stamps[THREAD_PAGES];
    uint64_t seed = worker->number + 1;
    for (unsigned step = 0; step < STEPS; step++) {
        const uint64_t page = ol_random_below(&seed, THREAD_PAGES);
        uint64_t *words = worker->range + page * (PAGE_BYTES / 8);
        worker->wrong += words[0] != stamps[page] || words[PAGE_BYTES / 8 - 1] != (stamps[page] ? ~stamps[page] : 0);
        if (step % 64 == 63) {
            worker->wrong += ol_memory_discard(worker->memory, words, PAGE_BYTES) != OL_OK;
            stamps[page] = 0;
        } else {
            stamps[page] = words[0] = ol_random(&seed) | 1;
            words[PAGE_BYTES / 8 - 1] = ~stamps[page];
        }
        if (step % 128 == 0) {
            worker->wrong += ol_memory_pin(worker->memory, words, PAGE_BYTES, false) != OL_OK;
            ol_memory_unpin(worker->memory, words, PAGE_BYTES);
        }
    }
    return NULL;
}

static void threads_with(const char *swap, bool no_move)
{
    struct ol_memory *memory = NULL;
    struct worker workers[THREADS];
    MUST(ol_memory_open(
             &(struct ol_memory_options){.ram_bytes = 3 * MIB, .swap = swap, .faults = faults, .no_move = no_move},
             &memory, NULL) == OL_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] =
            (struct worker){.memory = memory, .number = i, .range = ol_memory_map(memory, THREAD_PAGES * PAGE_BYTES)};
        MUST(workers[i].range);
        MUST(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) MUST(pthread_join(workers[i].thread, NULL) == 0);
    for (unsigned i = 0; i < THREADS; i++) MUST(workers[i].wrong == 0);
    MUST(!ol_check(ol_memory_system(memory)));
    ol_memory_close(memory);
}

static void threads_of_all_kinds(void)
{
    threads_with("compressed,file", false);
    threads_with("compressed,file", true);
    threads_with("file", false);
}

static void test_threads(void **state)
{
    (void)state;
    expect_success(threads_of_all_kinds);
}

/* --- forks
 * ------------------------------------------------------------------------------------------------------------ */

static void ranges_are_not_the_childs(void)
{
    struct ol_memory *memory = open_memory();
    volatile unsigned char *range = ol_memory_map(memory, PAGE_BYTES);
    *range = 5;
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        (void)*range; /* an error rather than wrong data */
        _exit(0);
    }
    MUST(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    MUST(*range == 5);
}

static void test_a_forked_child_has_no_ranges(void **state)
{
    (void)state;
    expect_success(ranges_are_not_the_childs);
}

/* A test program of its own for each way that faults come and that there is here. Returns how many failed. */
static int run_with(enum ol_faults way, const char *name)
{
    const struct ol_memory_options options = {.ram_bytes = 2 * MIB, .faults = way};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_swap),
        cmocka_unit_test(test_violations_with_a_handler),
        cmocka_unit_test(test_violations_without_a_handler),
        cmocka_unit_test(test_other_sigbus_is_passed_on),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_faults_in_a_handler),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_a_forked_child_has_no_ranges),
    };
    struct ol_memory *memory;
    const char *error = "";
    int status = 0;
    const pid_t child = fork(); /* what the library installs stays there */
    if (child == 0) _exit(ol_memory_open(&options, &memory, &error) == OL_OK ? 0 : (print_message("%s\n", error), 1));
    if (waitpid(child, &status, 0) != child || status) return 0;
    faults = way;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    const int failed = run_with(OL_FAULTS_USERFAULTFD, "linux signals") +
                       run_with(OL_FAULTS_PROTECTION, "linux signals with protection faults");
    if (faults == OL_FAULTS_AUTO) {
        print_message("skipped\n");
        return SKIPPED;
    }
    return failed;
}
