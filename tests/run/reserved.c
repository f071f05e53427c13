/* SPDX-License-Identifier: MIT */
/*
 * SIGBUS, SIGSYS and SIGSEGV, which the runtime needs itself: sent, blocked, waited for, the program sees them as
 * natively. usage: reserved [GROUP]
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

enum { BLOCK = 8 << 20 };

static const int reserved[] = {SIGBUS, SIGSYS, SIGSEGV, SIGUSR1 /* to compare */};
enum { RESERVED = sizeof(reserved) / sizeof(reserved[0]) };

static volatile sig_atomic_t count, last_signal, last_code, last_value;
static sigset_t mask_inside, pending_inside;
static unsigned char *block;

static sigset_t only(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    last_signal = signal;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask_inside) == 0 && sigpending(&pending_inside) == 0, "in a handler");
}

static void install(int signal, int flags, const sigset_t *mask)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    if (mask) action.sa_mask = *mask;
    CHECK(sigaction(signal, &action, NULL) == 0, "sigaction");
}

static void block_only(const sigset_t *set)
{
    CHECK(sigprocmask(SIG_SETMASK, set, NULL) == 0, "sigprocmask");
}

static void use_memory(void)
{
    if (!block) fill(block = map_pages(BLOCK), BLOCK, 1);
    check_filled(block, BLOCK, 1, "memory");
}

static void test_pending(void)
{
    sigset_t none, set, now;
    sigemptyset(&none);
    for (int i = 0; i < RESERVED; i++) {
        const int signal = reserved[i];
        set = only(signal);
        install(signal, 0, NULL);
        count = 0;
        block_only(&set);
        use_memory();
        CHECK(raise(signal) == 0 && raise(signal) == 0 && kill(getpid(), signal) == 0 && count == 0, "%d blocked",
              signal);
        CHECK(sigpending(&now) == 0 && sigismember(&now, signal) && !sigismember(&now, SIGUSR2), "%d pending", signal);
        use_memory();
        block_only(&none);
        CHECK(count == 2, "%d: one to the thread, one to the process; %d came", signal, (int)count);
        CHECK(sigpending(&now) == 0 && !sigismember(&now, signal), "%d no longer", signal);
        block_only(&set);
        const union sigval value = {.sival_int = 4711};
        CHECK(sigqueue(getpid(), signal, value) == 0 && count == 2, "sigqueue");
        CHECK(sigsuspend(&none) == -1 && errno == EINTR && count == 3, "sigsuspend");
        CHECK(last_code == SI_QUEUE && last_value == 4711, "its code %d and value %d", (int)last_code, (int)last_value);
        CHECK(raise(signal) == 0 && count == 3, "blocked");
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        CHECK(sigaction(signal, &ignore, NULL) == 0 && sigpending(&now) == 0 && !sigismember(&now, signal), "dropped");
        install(signal, 0, NULL);
        block_only(&none);
        CHECK(count == 3, "what was dropped does not come");
        ignore.sa_handler = SIG_DFL;
        CHECK(sigaction(signal, &ignore, NULL) == 0, "sigaction");
    }
}

static void test_masks(void)
{
    sigset_t none, set, now;
    sigemptyset(&none);
    for (int i = 0; i < RESERVED; i++) {
        const int other = reserved[(i + 1) % RESERVED];
        struct sigaction action;
        set = only(other);
        install(reserved[i], 0, &set);
        install(other, 0, NULL);
        CHECK(sigaction(reserved[i], NULL, &action) == 0 && sigismember(&action.sa_mask, other), "sa_mask");
        CHECK(!sigismember(&action.sa_mask, SIGTERM) && !sigismember(&action.sa_mask, SIGHUP), "and nothing else");
        count = 0;
        CHECK(raise(reserved[i]) == 0 && count == 1, "raise");
        CHECK(sigismember(&mask_inside, reserved[i]) && sigismember(&mask_inside, other), "blocked in the handler");
        CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0, "sigprocmask");
        CHECK(!sigismember(&now, reserved[i]) && !sigismember(&now, other), "and not after it");
        install(reserved[i], (int)SA_NODEFER, NULL);
        CHECK(raise(reserved[i]) == 0 && !sigismember(&mask_inside, reserved[i]), "SA_NODEFER");
    }
    for (int i = 0; i < RESERVED; i++) CHECK(signal(reserved[i], SIG_DFL) != SIG_ERR, "signal");
}

static atomic_int ready;

static void *send_soon(void *argument)
{
    const struct timespec time = {0, 30000000};
    const pthread_t target = *(pthread_t *)argument;
    for (int i = 0; i < RESERVED; i++) {
        while (!atomic_load(&ready)) sched_yield();
        atomic_store(&ready, 0);
        (void)nanosleep(&time, NULL);
        CHECK(pthread_kill(target, reserved[i]) == 0, "pthread_kill");
    }
    return NULL;
}

static void test_waits(void)
{
    siginfo_t info;
    sigset_t all;
    pthread_t self = pthread_self(), thread;
    const struct timespec second = {5, 0}, none = {0, 0};
    int got;
    sigemptyset(&all);
    for (int i = 0; i < RESERVED; i++) sigaddset(&all, reserved[i]);
    block_only(&all);
    CHECK(sigtimedwait(&all, &info, &none) == -1 && errno == EAGAIN, "nothing waits");
    for (int i = 0; i < RESERVED; i++) {
        CHECK(raise(reserved[i]) == 0, "raise");
        use_memory();
        CHECK(sigtimedwait(&all, &info, &second) == reserved[i] && info.si_signo == reserved[i], "one waits");
        CHECK(info.si_code == SI_USER /* as the C library has it */ && info.si_pid == getpid(), "its code %d",
              info.si_code);
        CHECK(kill(getpid(), reserved[i]) == 0 && sigwait(&all, &got) == 0 && got == reserved[i], "sigwait");
    }
    CHECK(pthread_create(&thread, NULL, send_soon, &self) == 0, "thread");
    for (int i = 0; i < RESERVED; i++) {
        atomic_store(&ready, 1);
        CHECK(sigtimedwait(&all, &info, &second) == reserved[i], "one comes");
    }
    CHECK(pthread_join(thread, NULL) == 0, "join");
    sigemptyset(&all);
    block_only(&all);
}

static atomic_int seen_by;
static __thread int number;

static void note_thread(int signal)
{
    (void)signal;
    atomic_store(&seen_by, number);
}

static void *take_signals(void *argument)
{
    const sigset_t *none = argument;
    number = 2;
    CHECK(pthread_sigmask(SIG_SETMASK, none, NULL) == 0, "pthread_sigmask");
    atomic_store(&ready, 1);
    while (atomic_load(&ready)) sched_yield();
    return NULL;
}

/* Sent to the process, a signal comes to a thread that lets it through. */
static void test_threads(void)
{
    sigset_t none, all;
    pthread_t thread;
    sigemptyset(&none);
    sigemptyset(&all);
    for (int i = 0; i < RESERVED; i++) sigaddset(&all, reserved[i]);
    block_only(&all);
    number = 1;
    CHECK(pthread_create(&thread, NULL, take_signals, &none) == 0, "thread");
    while (!atomic_load(&ready)) sched_yield();
    for (int i = 0; i < RESERVED; i++) {
        CHECK(signal(reserved[i], note_thread) == SIG_DFL, "signal");
        atomic_store(&seen_by, 0);
        CHECK(kill(getpid(), reserved[i]) == 0, "kill");
        for (time_t begin = time(NULL); !atomic_load(&seen_by) && time(NULL) < begin + 5;) sched_yield();
        CHECK(atomic_load(&seen_by) == 2, "signal %d came to thread %d", reserved[i], atomic_load(&seen_by));
        CHECK(signal(reserved[i], SIG_DFL) == note_thread, "signal");
    }
    atomic_store(&ready, 0);
    CHECK(pthread_join(thread, NULL) == 0, "join");
    block_only(&none);
}

/* What a forked child and an executed program get of masks and actions. */
static void test_inherited(void)
{
    sigset_t none, set = only(SIGBUS), now;
    int status;
    sigemptyset(&none);
    block_only(&set);
    CHECK(signal(SIGSYS, SIG_IGN) == SIG_DFL, "signal");
    const pid_t child = fork();
    if (child == 0) {
        CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGBUS), "a child's mask");
        CHECK(sigpending(&now) == 0 && !sigismember(&now, SIGBUS), "nothing waits there");
        use_memory();
        execl("/bin/sh", "sh", "-c",
              "[ $((0x$(awk '/SigBlk/ { print $2 }' /proc/self/status) & 0x40)) != 0 ] &&"
              "[ $((0x$(awk '/SigIgn/ { print $2 }' /proc/self/status) & 0x40000000)) != 0 ]", /* others may be, too */
              NULL);
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0, "an executed program's mask: status %d", status);
    CHECK(kill(getpid(), SIGSYS) == 0, "ignored");
    CHECK(signal(SIGSYS, SIG_DFL) == SIG_IGN, "signal");
    block_only(&none);
}

static const struct group groups[] = {
    {"pending", test_pending}, {"masks", test_masks},         {"waits", test_waits},
    {"threads", test_threads}, {"inherited", test_inherited}, {NULL, NULL},
};

int main(int argc, char **argv)
{
    run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
