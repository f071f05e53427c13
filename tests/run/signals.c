/* SPDX-License-Identifier: MIT */
/*
 * Signals: the program sees its own, as without Onelevel.
 *
 *      signals GROUP          one group of checks; all of them without GROUP
 *      signals exit N         ends with status N
 *      signals die HOW        ends by a signal: a name of the table `deaths`, which `signals die list` prints
 *      signals wait           prints a line when SIGTERM, SIGUSR1 or SIGINT arrives; SIGTERM ends it with status 7
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

enum { BLOCK = 4 << 20 };

static sigjmp_buf landing;
static volatile sig_atomic_t count, last_signal, last_code;
static void *volatile last_address;
static char *volatile nowhere = (char *)8; // NOLINT
static unsigned char *block;               /* several times the budget, filled with version 1 */

static void allocate(void)
{
    if (block) return;
    block = map_pages(BLOCK);
    fill(block, BLOCK, 1);
}

static void install(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signal, &action, NULL) == 0, "sigaction of %d", signal);
}

static void uninstall(int signal_number)
{
    CHECK(signal(signal_number, SIG_DFL) != SIG_ERR, "signal");
}

static void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    last_signal = signal;
    last_code = info->si_code;
    last_address = info->si_addr;
}

static void note_and_jump(int signal, siginfo_t *info, void *context)
{
    note(signal, info, context);
    siglongjmp(landing, 1);
}

/* A handler that touches evicted memory. */
static void check_block(int signal, siginfo_t *info, void *context)
{
    note(signal, info, context);
    for (size_t i = 0; i < BLOCK; i += 1009) CHECK(block[i] == pattern(i, 1), "in a handler: byte %zu", i);
}

static void sleep_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static void alarm_in_ms(int ms)
{
    const struct itimerval timer = {.it_value = {0, ms * 1000}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

static void test_blocked(void)
{
    sigset_t all, before, now;
    allocate();
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, &before) == 0, "sigprocmask");
    touch_other_memory();
    check_filled(block, BLOCK, 1, "with all signals blocked");
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0, "sigprocmask");
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP) CHECK(sigismember(&now, signal), "signal %d", signal);
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0, "sigprocmask");
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0, "sigprocmask");
    CHECK(!sigismember(&now, SIGBUS) && !sigismember(&now, SIGTERM), "the mask before");
    struct sigaction action = {.sa_sigaction = check_block, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    count = 0;
    CHECK(raise(SIGUSR1) == 0 && count == 1, "raise");
    /* What is blocked comes when it no longer is. */
    CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0 && raise(SIGUSR1) == 0 && count == 1, "blocked");
    CHECK(sigpending(&now) == 0 && sigismember(&now, SIGUSR1), "sigpending");
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0 && count == 2, "no longer blocked");
    uninstall(SIGUSR1);
}

/* The actions that sigaction tells are those that were set. */
static void test_actions(void)
{
    static const int signals[] = {SIGBUS, SIGSYS, SIGSEGV, SIGUSR1};
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        CHECK(sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL, "the default of %d", signals[i]);
        sigemptyset(&action.sa_mask);
        sigaddset(&action.sa_mask, SIGUSR2);
        sigaddset(&action.sa_mask, SIGBUS);
        CHECK(sigaction(signals[i], &action, &old) == 0 && old.sa_handler == SIG_DFL, "set %d", signals[i]);
        CHECK(sigaction(signals[i], NULL, &old) == 0 && old.sa_sigaction == note, "get %d", signals[i]);
        CHECK((old.sa_flags & (SA_SIGINFO | SA_RESTART)) == (SA_SIGINFO | SA_RESTART), "flags of %d", signals[i]);
        CHECK(sigismember(&old.sa_mask, SIGUSR2), "mask of %d", signals[i]);
        count = 0;
        CHECK(raise(signals[i]) == 0 && count == 1 && last_signal == signals[i], "raise %d", signals[i]);
        action.sa_flags = SA_SIGINFO | (int)SA_RESETHAND;
        CHECK(sigaction(signals[i], &action, NULL) == 0 && raise(signals[i]) == 0 && count == 2, "SA_RESETHAND");
        CHECK(sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL, "SA_RESETHAND of %d", signals[i]);
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        CHECK(signal(signals[i], SIG_IGN) == SIG_DFL && raise(signals[i]) == 0 && count == 2, "ignored");
        uninstall(signals[i]);
    }
    CHECK(sigaction(SIGKILL, &action, NULL) == -1 && errno == EINVAL, "SIGKILL has no action");
}

static void test_own_faults(void)
{
    char name[] = "/tmp/onelevel-signals-XXXXXX";
    const int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 2 * PAGE) == 0, "file");
    volatile char *file = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(file != MAP_FAILED && ftruncate(fd, PAGE) == 0, "mmap");
    install(SIGBUS, note_and_jump, 0);
    install(SIGSEGV, note_and_jump, 0);
    allocate();
    for (int i = 0; i < 40; i++) {
        touch_other_memory();
        if (sigsetjmp(landing, 1) == 0) (void)file[PAGE + 10];
        CHECK(last_signal == SIGBUS && last_code == BUS_ADRERR && last_address == (char *)(uintptr_t)file + PAGE + 10,
              "a truncated file: signal %d, code %d, address %p", last_signal, last_code, last_address);
        last_signal = 0;
        if (sigsetjmp(landing, 1) == 0) *nowhere = 1;
        CHECK(last_signal == SIGSEGV && last_code == SEGV_MAPERR && last_address == nowhere,
              "a null pointer: signal %d, code %d, address %p", last_signal, last_code, last_address);
        last_signal = 0;
        if (i < 10) check_filled(block, BLOCK, 1, "between faults");
    }
    uninstall(SIGBUS);
    uninstall(SIGSEGV);
    munmap((void *)(uintptr_t)file, 2 * PAGE);
    close(fd);
}

/* A garbage collector's write barrier: the handler gives the right, and the access goes on. */
static void give_rights(int signal, siginfo_t *info, void *context)
{
    note(signal, info, context);
    unsigned char *page = (unsigned char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect in a handler");
}

static void test_write_barrier(void)
{
    unsigned char *p = map_pages(BLOCK);
    fill(p, BLOCK, 2);
    install(SIGSEGV, give_rights, 0);
    for (int i = 0; i < 3; i++) {
        CHECK(mprotect(p, BLOCK, PROT_READ) == 0, "mprotect");
        count = 0;
        for (size_t at = 0; at < BLOCK; at += 8 * PAGE) ((volatile unsigned char *)p)[at] = p[at];
        CHECK(count == BLOCK / PAGE / 8, "%d barriers", (int)count);
    }
    check_filled(p, BLOCK, 2, "behind a barrier");
    uninstall(SIGSEGV);
    munmap(p, BLOCK);
}

static void test_alternate_stack(void)
{
    const size_t bytes = 64 << 10;
    char *stack = map_pages(256 << 10);
    stack_t set = {.ss_sp = stack + PAGE, .ss_size = bytes}, old;
    allocate();
    memset(stack, 1, 256 << 10);
    touch_other_memory();
    CHECK(sigaltstack(&set, NULL) == 0, "sigaltstack");
    touch_other_memory();
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == set.ss_sp && old.ss_size == bytes, "what was set");
    install(SIGUSR1, check_block, SA_ONSTACK);
    install(SIGSEGV, note_and_jump, SA_ONSTACK);
    for (int i = 0; i < 5; i++) {
        touch_other_memory();
        count = 0;
        CHECK(raise(SIGUSR1) == 0 && count == 1, "raise");
        last_signal = 0;
        if (sigsetjmp(landing, 1) == 0) *nowhere = 1;
        CHECK(last_signal == SIGSEGV, "SIGSEGV on the stack");
    }
    set.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&set, NULL) == 0, "sigaltstack off");
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE, "off");
    force_out(stack, 256 << 10);
    /* The usual small one, not in managed memory. */
    static char small[16384];
    set = (stack_t){.ss_sp = small, .ss_size = sizeof(small)};
    CHECK(sigaltstack(&set, NULL) == 0, "sigaltstack");
    touch_other_memory();
    count = 0;
    CHECK(raise(SIGUSR1) == 0 && count == 1, "raise");
    set.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&set, NULL) == 0, "sigaltstack off");
    uninstall(SIGUSR1);
    uninstall(SIGSEGV);
    munmap(stack, 256 << 10);
}

static void test_interrupted(void)
{
    int ends[2];
    char *buffer = map_pages(256 << 10);
    CHECK(pipe(ends) == 0, "pipe");
    install(SIGALRM, note, 0);
    force_out(buffer, 256 << 10);
    count = 0;
    alarm_in_ms(50);
    CHECK(read(ends[0], buffer, 256 << 10) == -1 && errno == EINTR && count == 1, "read is interrupted");
    install(SIGALRM, note, SA_RESTART);
    force_out(buffer, 256 << 10);
    const pid_t child = fork();
    if (child == 0) {
        sleep_ms(300);
        _exit(write(ends[1], "on", 2) != 2);
    }
    count = 0;
    alarm_in_ms(50);
    const ssize_t got = read(ends[0], buffer, 256 << 10);
    CHECK(got == 2 && count == 1, "a restarted read gave %zd after %d signals", got, (int)count);
    CHECK(memcmp(buffer, "on", 2) == 0, "what was read");
    CHECK(waitpid(child, NULL, 0) == child, "waitpid");
    sigset_t none;
    sigemptyset(&none);
    install(SIGALRM, note, 0);
    alarm_in_ms(50);
    CHECK(sigsuspend(&none) == -1 && errno == EINTR && count == 2, "sigsuspend");
    struct timespec *time = (struct timespec *)(void *)buffer;
    *time = (struct timespec){10, 0};
    alarm_in_ms(50);
    CHECK(nanosleep(time, time) == -1 && errno == EINTR && time->tv_sec == 9 && count == 3, "nanosleep");
    /* A signal that waits behind a mask ends a wait that lets it through. */
    sigset_t alarm_set, before;
    sigemptyset(&alarm_set);
    sigaddset(&alarm_set, SIGALRM);
    CHECK(sigprocmask(SIG_BLOCK, &alarm_set, &before) == 0 && raise(SIGALRM) == 0 && count == 3, "blocked");
    CHECK(sigsuspend(&before) == -1 && errno == EINTR && count == 4, "sigsuspend with a pending signal");
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0, "sigprocmask");
    uninstall(SIGALRM);
    close(ends[0]);
    close(ends[1]);
    munmap(buffer, 256 << 10);
}

/* Out of a call that waits, by siglongjmp: nothing stays behind. */
static void test_jump_from_call(void)
{
    enum { JUMPS = 40, ROOM = 256 << 10 };
    int ends[2];
    char *buffers[JUMPS];
    allocate();
    CHECK(pipe(ends) == 0, "pipe");
    install(SIGALRM, note_and_jump, 0);
    for (volatile int i = 0; i < JUMPS; i = i + 1) {
        buffers[i] = map_pages(ROOM);
        memset(buffers[i], i, ROOM);
        if (sigsetjmp(landing, 1) == 0) {
            alarm_in_ms(3);
            CHECK(read(ends[0], buffers[i], ROOM) == 0, "never");
        }
    }
    for (int i = 0; i < JUMPS; i++) {
        force_out(buffers[i], ROOM);
        CHECK(buffers[i][ROOM - 1] == i, "buffer %d", i);
        munmap(buffers[i], ROOM);
    }
    check_filled(block, BLOCK, 1, "after jumps");
    uninstall(SIGALRM);
    close(ends[0]);
    close(ends[1]);
}

/* Signals at any time, while memory is evicted and calls are made. */
static atomic_int arrived;

static void touch_some(int signal, siginfo_t *info, void *context)
{
    static size_t at;
    note(signal, info, context);
    atomic_fetch_add(&arrived, 1);
    for (int i = 0; i < 20; i++) {
        at = (at + 37 * PAGE + 11) % BLOCK;
        CHECK(block[at] == pattern(at, 1), "in a handler: byte %zu", at);
    }
}

static void test_storm(void)
{
    allocate();
    const int zero = open("/dev/zero", O_RDONLY);
    unsigned char *buffer = map_pages(1 << 20);
    const struct itimerval timer = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    install(SIGALRM, touch_some, SA_RESTART);
    atomic_store(&arrived, 0);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
    while (atomic_load(&arrived) < 200) {
        touch_other_memory();
        memset(buffer, 1, 1 << 20);
        size_t got = 0;
        while (got < 1 << 20) {
            const ssize_t result = read(zero, buffer + got, (1 << 20) - got);
            CHECK(result > 0 || (result < 0 && errno == EINTR), "read");
            if (result > 0) got += (size_t)result;
        }
        for (size_t at = 0; at < 1 << 20; at += 111) CHECK(buffer[at] == 0, "byte %zu", at);
        free(malloc(200000));
    }
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0, "setitimer");
    check_filled(block, BLOCK, 1, "after the storm");
    uninstall(SIGALRM);
    close(zero);
    munmap(buffer, 1 << 20);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

static void *read_for_ever(void *argument)
{
    char *buffer = map_pages(256 << 10);
    CHECK(read(*(int *)argument, buffer, 256 << 10) == 0, "never");
    return NULL;
}

static void test_cancel(void)
{
    int ends[2];
    void *result;
    pthread_t thread;
    CHECK(pipe(ends) == 0, "pipe");
    for (int i = 0; i < 5; i++) {
        CHECK(pthread_create(&thread, NULL, read_for_ever, &ends[0]) == 0, "thread");
        sleep_ms(20);
        CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0, "pthread_cancel");
        CHECK(result == PTHREAD_CANCELED, "the thread was not cancelled");
    }
    close(ends[0]);
    close(ends[1]);
}

static void *send_signals(void *argument)
{
    for (int i = 0; atomic_load(&arrived) < 25; i++) {
        CHECK(pthread_kill(*(pthread_t *)argument, SIGUSR2) == 0, "pthread_kill");
        if (i % 20 == 0) touch_other_memory();
        sched_yield();
    }
    return NULL;
}

static void test_between_threads(void)
{
    pthread_t self = pthread_self(), thread;
    allocate();
    install(SIGUSR2, touch_some, SA_RESTART);
    atomic_store(&arrived, 0);
    CHECK(pthread_create(&thread, NULL, send_signals, &self) == 0, "thread");
    while (atomic_load(&arrived) < 25) check_filled(block, 64 * PAGE, 1, "while signals arrive");
    CHECK(pthread_join(thread, NULL) == 0, "join");
    uninstall(SIGUSR2);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void die_null(void)
{
    *nowhere = 1;
}

static void die_unmapped(void)
{
    volatile char *p = map_pages(BLOCK);
    p[PAGE] = 1;
    munmap((void *)(uintptr_t)p, BLOCK);
    p[PAGE] = 2;
}

static void die_without_rights(void)
{
    volatile char *p = map_pages(BLOCK);
    p[PAGE] = 1;
    mprotect((void *)(uintptr_t)p, BLOCK, PROT_NONE);
    (void)p[PAGE];
}

static void die_blocked(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    die_unmapped();
}

static void die_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    die_unmapped();
}

/* No room for a frame on the stack: the handler cannot be called. */
static void die_overflow(void)
{
    install(SIGSEGV, note, 0);
    overflow_stack();
}

/* Nor on an alternate stack that is too small for one. */
static void die_alternate(void)
{
    static char small[2048];
    const stack_t set = {.ss_sp = small, .ss_size = sizeof(small)};
    CHECK(sigaltstack(&set, NULL) == 0, "sigaltstack");
    install(SIGSEGV, note, SA_ONSTACK);
    char deep[1500]; /* two handlers deep at the latest, whatever the processor's state takes */
    memset(deep, 1, sizeof(deep));
    for (volatile char *end = deep + 7; *end;) *nowhere = 1;
}

/* The end of a mapped file is a SIGBUS of the program's own. */
static void die_truncated(void)
{
    char name[] = "/tmp/onelevel-signals-XXXXXX";
    const int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0, "file");
    volatile char *file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)*file;
}

static void die_bus_blocked(void)
{
    sigset_t bus;
    sigemptyset(&bus);
    sigaddset(&bus, SIGBUS);
    install(SIGBUS, note, 0);
    sigprocmask(SIG_BLOCK, &bus, NULL);
    die_truncated();
}

static void die_raise(int number)
{
    allocate();
    raise(number);
}

static void die_kill(void)
{
    die_raise(SIGKILL);
}

static void die_terminate(void)
{
    die_raise(SIGTERM);
}

static void die_bus(void)
{
    die_raise(SIGBUS);
}

static void die_sys(void)
{
    die_raise(SIGSYS);
}

static void die_pipe(void)
{
    int ends[2];
    char *p = map_pages(256 << 10);
    if (pipe(ends) == 0) close(ends[0]);
    (void)!write(ends[1], p, 256 << 10);
}

static void die_arithmetic(void)
{
    die_raise(SIGFPE);
}

static const struct group deaths[] = {
    {"null", die_null},
    {"unmapped", die_unmapped},
    {"rights", die_without_rights},
    {"blocked", die_blocked},
    {"ignored", die_ignored},
    {"overflow", die_overflow},
    {"alternate", die_alternate},
    {"truncated", die_truncated},
    {"bus-blocked", die_bus_blocked},
    {"abort", abort},
    {"kill", die_kill},
    {"term", die_terminate},
    {"bus", die_bus},
    {"sys", die_sys},
    {"pipe", die_pipe},
    {"arithmetic", die_arithmetic},
    {NULL, NULL},
};

static void print_signal(int signal, siginfo_t *info, void *context)
{
    note(signal, info, context);
    const char line[] = {(char)('0' + signal / 10), (char)('0' + signal % 10), '\n'};
    (void)!write(STDOUT_FILENO, line, sizeof(line));
}

static void wait_for_signals(void)
{
    install(SIGTERM, print_signal, 0);
    install(SIGUSR1, print_signal, 0);
    install(SIGINT, print_signal, 0);
    (void)!write(STDOUT_FILENO, "ready\n", 6);
    while (last_signal != SIGTERM) pause();
    exit(7);
}

static const struct group groups[] = {
    {"blocked", test_blocked},
    {"actions", test_actions},
    {"own-faults", test_own_faults},
    {"write-barrier", test_write_barrier},
    {"alternate-stack", test_alternate_stack},
    {"interrupted", test_interrupted},
    {"jump-from-call", test_jump_from_call},
    {"storm", test_storm},
    {"cancel", test_cancel},
    {"between-threads", test_between_threads},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "exit") == 0) return (int)strtol(argv[2], NULL, 10);
    if (argc == 3 && strcmp(argv[1], "die") == 0 && strcmp(argv[2], "list") == 0)
        for (const struct group *death = deaths; death->name; death++) puts(death->name);
    else if (argc == 3 && strcmp(argv[1], "die") == 0) run_groups(deaths, argv[2]);
    else if (argc == 2 && strcmp(argv[1], "wait") == 0) wait_for_signals();
    else run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
