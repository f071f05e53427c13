/* SPDX-License-Identifier: MIT */
/*
 * Stacks in managed memory, that is, evicted at any time: coroutines, threads on stacks of the program's, alternate
 * stacks; and signals that find such a stack. usage: stacks [GROUP]
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#include "check.h"

enum { STACK_BYTES = 256 << 10, COROUTINES = 24, ROUNDS = 6, DEEP_BYTES = 9000 };

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static sigjmp_buf landing;
static atomic_int arrived;
static volatile sig_atomic_t count;
static volatile unsigned char *volatile stack_seen;

static void install(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signal, &action, NULL) == 0, "sigaction of %d", signal);
}

static void uninstall(int signal_number)
{
    CHECK(signal(signal_number, SIG_DFL) != SIG_ERR, "signal");
}

static bool is_in(const volatile void *p, const void *first, size_t bytes)
{
    return (uintptr_t)p - (uintptr_t)first < bytes;
}

static void timer_every_us(int us)
{
    const struct itimerval timer = {{0, us}, {0, us}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
}

/* Some kilobytes of the stack, filled, kept while `inside` runs, and checked. */
static __attribute__((noinline)) void with_deep_stack(unsigned version, void (*inside)(void))
{
    unsigned char mine[DEEP_BYTES];
    fill(mine, sizeof(mine), version);
    inside();
    check_filled(mine, sizeof(mine), version, "on a stack");
}

static void note_arrival(int signal, siginfo_t *info, void *context)
{
    unsigned char here[2000];
    (void)signal, (void)info, (void)context;
    memset(here, signal, sizeof(here));
    stack_seen = here;
    CHECK(here[1999] == signal, "a handler's stack");
    count++;
    atomic_fetch_add(&arrived, 1);
}

static void note_and_jump(int signal, siginfo_t *info, void *context)
{
    note_arrival(signal, info, context);
    siglongjmp(landing, 1);
}

/* --- coroutines ----------------------------------------------------------------------------------------------------
 */

static ucontext_t scheduler, coroutines[COROUTINES];
static char *stacks[COROUTINES];
static int current, done;
static void (*work)(void);

static void yield_to_all(void)
{
    CHECK(swapcontext(&coroutines[current], &scheduler) == 0, "swapcontext");
}

static void coroutine(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) with_deep_stack(round * 100 + (unsigned)current, work);
    done++;
}

/* Lets COROUTINES of them, on stacks that together are more than the budget, do some work, all other memory between. */
static void run_coroutines(void (*what)(void))
{
    work = what;
    done = 0;
    for (int i = 0; i < COROUTINES; i++) {
        CHECK((stacks[i] = malloc(STACK_BYTES)) && getcontext(&coroutines[i]) == 0, "a coroutine");
        coroutines[i].uc_stack = (stack_t){.ss_sp = stacks[i], .ss_size = STACK_BYTES};
        coroutines[i].uc_link = &scheduler;
        makecontext(&coroutines[i], coroutine, 0);
    }
    for (unsigned turn = 0; done < COROUTINES; turn++) {
        current = (int)(turn % COROUTINES);
        if (current == 0) touch_other_memory();
        if (turn / COROUTINES <= ROUNDS) CHECK(swapcontext(&scheduler, &coroutines[current]) == 0, "swapcontext");
    }
    for (int i = 0; i < COROUTINES; i++) free(stacks[i]);
}

static void test_coroutines(void)
{
    run_coroutines(yield_to_all);
}

/* System calls whose buffers lie on such a stack. */
static void call_and_yield(void)
{
    int ends[2];
    char out[5000], in[5000];
    CHECK(pipe(ends) == 0, "pipe");
    fill(out, sizeof(out), (unsigned)current);
    CHECK(write(ends[1], out, sizeof(out)) == sizeof(out), "write");
    close(ends[1]);
    yield_to_all();
    for (size_t got = 0; got < sizeof(in);) {
        const ssize_t part = read(ends[0], in + got, sizeof(in) - got);
        CHECK(part > 0, "read");
        got += (size_t)part;
    }
    close(ends[0]);
    CHECK(memcmp(in, out, sizeof(in)) == 0, "what went through a pipe");
}

static void test_coroutine_calls(void)
{
    run_coroutines(call_and_yield);
}

static void raise_and_yield(void)
{
    int before = atomic_load(&arrived);
    CHECK(raise(SIGUSR1) == 0 && atomic_load(&arrived) == before + 1, "raise");
    CHECK(is_in(stack_seen, stacks[current], STACK_BYTES), "the handler ran on the coroutine's stack");
    yield_to_all();
    before = atomic_load(&arrived);
    CHECK(raise(SIGUSR2) == 0 && atomic_load(&arrived) == before + 1, "raise");
}

/* Handlers on the stack that was interrupted, and on an alternate one, both of them evicted. */
static void test_coroutine_signals(void)
{
    stack_t alternate = {.ss_sp = map_pages(STACK_BYTES), .ss_size = STACK_BYTES}, off = {.ss_flags = SS_DISABLE};
    install(SIGUSR1, note_arrival, 0);
    install(SIGUSR2, note_arrival, SA_ONSTACK);
    CHECK(sigaltstack(&alternate, NULL) == 0, "sigaltstack");
    run_coroutines(raise_and_yield);
    CHECK(is_in(stack_seen, alternate.ss_sp, STACK_BYTES), "the handler ran on the alternate stack");
    CHECK(sigaltstack(&off, NULL) == 0, "off");
    run_coroutines(yield_to_all);
    munmap(alternate.ss_sp, STACK_BYTES);
    uninstall(SIGUSR1);
    uninstall(SIGUSR2);
}

static void test_coroutine_storm(void)
{
    install(SIGALRM, note_arrival, SA_RESTART);
    atomic_store(&arrived, 0);
    timer_every_us(500);
    for (int i = 0; i < 2 || atomic_load(&arrived) < 50; i++) run_coroutines(call_and_yield);
    timer_every_us(0);
    uninstall(SIGALRM);
}

static void fork_and_yield(void)
{
    int status;
    if (current % 8) {
        yield_to_all();
        return;
    }
    const pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        touch_other_memory();
        install(SIGUSR1, note_arrival, 0);
        _exit(raise(SIGUSR1) == 0 ? 40 + current : 1);
    }
    yield_to_all();
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 40 + current % 256,
          "a child forked on a coroutine's stack: status %d", status);
}

static void test_coroutine_forks(void)
{
    run_coroutines(fork_and_yield);
}

/* --- threads on stacks of the program's -----------------------------------------------------------------------------
 */

enum { THREADS = 6 };

static __thread unsigned own_data[100];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int running;

static void touch_and_check_data(void)
{
    for (unsigned i = 0; i < 100; i++) own_data[i] = i * (unsigned)(uintptr_t)&own_data;
    CHECK(pthread_mutex_lock(&mutex) == 0, "lock");
    touch_other_memory();
    CHECK(pthread_mutex_unlock(&mutex) == 0, "unlock");
    errno = EXDEV;
    free(malloc(300000));
    sched_yield();
    for (unsigned i = 0; i < 100; i++) CHECK(own_data[i] == i * (unsigned)(uintptr_t)&own_data, "a thread's own data");
}

static void *thread_work(void *argument)
{
    CHECK(is_in(&argument, argument, STACK_BYTES), "the thread runs elsewhere");
    for (unsigned round = 0; round < 3; round++) with_deep_stack(round, touch_and_check_data);
    atomic_fetch_sub(&running, 1);
    return argument;
}

static pthread_t start_on(void *stack, void *(*run)(void *), int state)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstack(&attributes, stack, STACK_BYTES) == 0,
          "setstack");
    CHECK(pthread_attr_setdetachstate(&attributes, state) == 0, "setdetachstate");
    atomic_fetch_add(&running, 1);
    CHECK(pthread_create(&thread, &attributes, run, stack) == 0, "pthread_create");
    CHECK(pthread_attr_destroy(&attributes) == 0, "attributes");
    return thread;
}

static void *aligned_stack(void)
{
    void *stack;
    CHECK(posix_memalign(&stack, PAGE, STACK_BYTES) == 0, "posix_memalign");
    return stack;
}

static void test_thread_stacks(void)
{
    pthread_t threads[THREADS];
    void *places[THREADS], *result;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < THREADS; i++) {
            places[i] = i % 2 ? aligned_stack() : map_pages(STACK_BYTES);
            threads[i] = start_on(places[i], thread_work, PTHREAD_CREATE_JOINABLE);
        }
        for (int i = 0; i < THREADS; i++) {
            CHECK(pthread_join(threads[i], &result) == 0 && result == places[i], "join");
            memset(places[i], 0, STACK_BYTES); /* nobody is there any more */
            if (i % 2) free(places[i]);
            else munmap(places[i], STACK_BYTES);
        }
    }
    void *stack = map_pages(STACK_BYTES);
    for (int i = 0; i < 3; i++) {
        (void)start_on(stack, thread_work, PTHREAD_CREATE_DETACHED);
        while (atomic_load(&running)) sched_yield();
        usleep(50000);
    }
    force_out(stack, STACK_BYTES); /* nothing of it stays wired */
}

static void *wait_for_ever(void *argument)
{
    char buffer[100];
    atomic_fetch_sub(&running, 1);
    CHECK(read(*(int *)argument, buffer, sizeof(buffer)) == 0, "never");
    return NULL;
}

static void test_thread_cancel(void)
{
    int ends[2];
    void *result;
    CHECK(pipe(ends) == 0, "pipe");
    int *stack = map_pages(STACK_BYTES);
    for (int i = 0; i < 4; i++) {
        *stack = ends[0];
        const pthread_t thread = start_on(stack, wait_for_ever, PTHREAD_CREATE_JOINABLE);
        while (atomic_load(&running)) sched_yield();
        touch_other_memory();
        CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED,
              "cancel");
    }
    munmap(stack, STACK_BYTES);
    close(ends[0]);
    close(ends[1]);
}

static void *exit_at_once(void *argument)
{
    return argument;
}

/* Many threads in a row: what each has of the runtime's goes with it. */
static void test_many_threads(void)
{
    for (int i = 0; i < 1500; i++) {
        pthread_t threads[4];
        for (int j = 0; j < 4; j++) CHECK(pthread_create(&threads[j], NULL, exit_at_once, NULL) == 0, "thread %d", i);
        for (int j = 0; j < 4; j++) CHECK(pthread_join(threads[j], NULL) == 0, "join");
    }
}

/* --- the alternate stack -------------------------------------------------------------------------------------------
 */

static volatile int inner_flags, inner_result, inner_errno, context_flags;
static void *volatile inner_stack, *volatile context_stack;

static void look_at_stack(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *interrupted = context;
    stack_t set = {.ss_flags = SS_DISABLE}, inner;
    note_arrival(signal, info, context);
    CHECK(sigaltstack(NULL, &inner) == 0, "sigaltstack");
    inner_flags = inner.ss_flags;
    inner_stack = inner.ss_sp;
    inner_result = sigaltstack(&set, NULL);
    inner_errno = errno;
    context_stack = interrupted->uc_stack.ss_sp;
    context_flags = interrupted->uc_stack.ss_flags;
    if (count == 1) CHECK(raise(SIGUSR2) == 0, "raise");
}

static void *look_in_thread(void *argument)
{
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == SS_DISABLE, "a new thread has none");
    return argument;
}

static void test_alternate_rules(void)
{
    char *place = map_pages(STACK_BYTES);
    stack_t set = {.ss_sp = place, .ss_size = STACK_BYTES}, old;
    pthread_t thread;
    int status;
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE && !old.ss_size && !old.ss_sp, "none at first");
    set.ss_size = 2047;
    CHECK(sigaltstack(&set, NULL) == -1 && errno == ENOMEM, "too small");
    set.ss_size = STACK_BYTES;
    set.ss_flags = 4;
    CHECK(sigaltstack(&set, NULL) == -1 && errno == EINVAL, "unknown flag");
    set.ss_flags = SS_ONSTACK; /* as some programs do */
    CHECK(sigaltstack(&set, &old) == 0 && old.ss_flags == SS_DISABLE, "set");
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == place && old.ss_size == STACK_BYTES && old.ss_flags == 0, "get");
    install(SIGUSR1, look_at_stack, SA_ONSTACK);
    install(SIGUSR2, look_at_stack, SA_ONSTACK);
    touch_other_memory();
    count = 0;
    CHECK(raise(SIGUSR1) == 0 && count == 2, "nested handlers: %d", (int)count);
    CHECK(is_in(stack_seen, place, STACK_BYTES), "both on the alternate stack");
    CHECK(inner_result == -1 && inner_errno == EPERM, "not while it is in use");
    CHECK(inner_flags == SS_ONSTACK && inner_stack == place && context_stack == place, "what is told there");
    CHECK(pthread_create(&thread, NULL, look_in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0, "thread");
    const pid_t child = fork();
    if (child == 0) {
        count = 1;
        CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == place && raise(SIGUSR2) == 0, "in a child");
        _exit(is_in(stack_seen, place, STACK_BYTES) ? 0 : 1);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0, "a forked child has it: %d", status);
    set.ss_flags = (int)SS_AUTODISARM;
    CHECK(sigaltstack(&set, NULL) == 0 && sigaltstack(NULL, &old) == 0 && old.ss_flags == (int)SS_AUTODISARM,
          "disarms");
    count = 1;
    CHECK(raise(SIGUSR1) == 0 && is_in(stack_seen, place, STACK_BYTES), "SS_AUTODISARM");
    CHECK(inner_result == 0 && inner_flags == SS_DISABLE && context_flags == (int)SS_AUTODISARM, "off in the handler");
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == place && old.ss_flags == (int)SS_AUTODISARM, "and on again");
    set.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&set, NULL) == 0 && sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE, "off");
    CHECK(raise(SIGUSR1) == 0 && !is_in(stack_seen, place, STACK_BYTES), "on the usual stack");
    CHECK(sigaltstack((stack_t *)8, NULL) == -1 && errno == EFAULT, "EFAULT"); // NOLINT
    uninstall(SIGUSR1);
    uninstall(SIGUSR2);
    munmap(place, STACK_BYTES);
}

static void overflow(void)
{
    for (volatile int i = 0; i < 5; i = i + 1) {
        touch_other_memory();
        count = 0;
        if (sigsetjmp(landing, 1) == 0) overflow_stack();
        CHECK(count == 1, "overflow %d", i);
    }
}

static void *overflow_in_thread(void *argument)
{
    stack_t set = {.ss_sp = argument, .ss_size = STACK_BYTES}, off = {.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&set, NULL) == 0, "sigaltstack");
    overflow();
    CHECK(is_in(stack_seen, argument, STACK_BYTES), "handled on the alternate stack");
    CHECK(sigaltstack(&off, NULL) == 0, "off");
    return NULL;
}

/* A handler of SIGSEGV on an evicted alternate stack saves who has no stack left: a thread, and a thread whose stack
 * and guard page are managed memory. */
static void test_overflow(void)
{
    char *place = map_pages(STACK_BYTES), *guarded = map_pages(STACK_BYTES + PAGE);
    pthread_t thread;
    install(SIGSEGV, note_and_jump, SA_ONSTACK);
    CHECK(pthread_create(&thread, NULL, overflow_in_thread, place) == 0 && pthread_join(thread, NULL) == 0, "thread");
    CHECK(mprotect(guarded, PAGE, PROT_NONE) == 0, "mprotect");
    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstack(&attributes, guarded + PAGE, STACK_BYTES) == 0,
          "setstack");
    CHECK(pthread_create(&thread, &attributes, overflow_in_thread, place) == 0 && pthread_join(thread, NULL) == 0,
          "thread on a stack of its own");
    pthread_attr_destroy(&attributes);
    uninstall(SIGSEGV);
    munmap(place, STACK_BYTES);
    munmap(guarded, STACK_BYTES + PAGE);
}

/* --- what a handler sees and leaves --------------------------------------------------------------------------------
 */

static void change_context(int signal, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    volatile double sum = 0;
    note_arrival(signal, info, context);
    for (int i = 1; i < 100; i++) sum += 1.0 / i; /* other contents of the vector registers */
    CHECK(sum > 5 && sum < 6, "%f", sum);
    interrupted->uc_mcontext.gregs[REG_RBX] += 1000;
    sigaddset(&interrupted->uc_sigmask, SIGTERM);
    sigaddset(&interrupted->uc_sigmask, SIGBUS);
}

/* Registers, vector registers, the red zone and the flags survive a handler; what it changes is so afterwards. */
static void test_context(void)
{
    sigset_t mask, before;
    install(SIGUSR1, change_context, 0);
    const long pid = getpid();
    CHECK(sigprocmask(SIG_SETMASK, NULL, &before) == 0, "sigprocmask");
    for (long i = 0; i < 50; i++) {
        long rbx = i, result = SYS_kill, red = 0;
        double low = 1.5 * (double)i, high = 0;
        if (i % 10 == 0) touch_other_memory();
        __asm__ volatile("movq %[low], %%xmm9\n\t"
                         "movq %[low], %%xmm15\n\t"
                         "movq $0x1234, -64(%%rsp)\n\t"
                         "syscall\n\t"
                         "movq -64(%%rsp), %[red]\n\t"
                         "movq %%xmm9, %[high]\n\t"
                         : "+b"(rbx), "+a"(result), [red] "=&r"(red), [high] "=&x"(high)
                         : [low] "x"(low), "D"(pid), "S"((long)SIGUSR1)
                         : "rcx", "r11", "xmm9", "xmm15", "memory");
        CHECK(result == 0 && rbx == i + 1000, "registers: %ld", rbx);
        CHECK(red == 0x1234, "the red zone: %ld", red);
        CHECK(high == low, "vector registers");
        CHECK(sigprocmask(SIG_SETMASK, &before, &mask) == 0, "sigprocmask");
        CHECK(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGBUS) && !sigismember(&mask, SIGUSR2), "the mask");
    }
    uninstall(SIGUSR1);
}

static void nest(int signal, siginfo_t *info, void *context)
{
    note_arrival(signal, info, context);
    if (count < 30) {
        CHECK(raise(count % 2 ? SIGUSR1 : SIGUSR2) == 0, "raise");
    }
}

/* Handlers in handlers, by siglongjmp out of all of them. */
static void nest_and_jump(void)
{
    for (volatile int i = 0; i < 3; i = i + 1) {
        count = 0;
        CHECK(raise(SIGUSR1) == 0 && count == 30, "nested handlers");
        count = 0;
        if (sigsetjmp(landing, 1) == 0) CHECK(raise(SIGALRM) == 0, "raise");
        CHECK(count == 1, "out of a handler");
    }
    yield_to_all();
}

static void test_nested(void)
{
    install(SIGUSR1, nest, SA_NODEFER);
    install(SIGUSR2, nest, SA_NODEFER);
    install(SIGALRM, note_and_jump, 0);
    run_coroutines(nest_and_jump);
    uninstall(SIGUSR1);
    uninstall(SIGUSR2);
    uninstall(SIGALRM);
}

/* --- threads, signals and faults together ---------------------------------------------------------------------------
 */

static atomic_int stop;
static unsigned char *block;

enum { BLOCK = 6 << 20 };

static void check_some(int signal, siginfo_t *info, void *context)
{
    unsigned char here[3000];
    fill(here, sizeof(here), (unsigned)signal);
    for (size_t i = 0; i < 16; i++) {
        const size_t at = ((uintptr_t)info * 31 + i * 401 * PAGE + (uintptr_t)context) % BLOCK;
        CHECK(block[at] == pattern(at, 5), "in a handler: byte %zu", at);
    }
    check_filled(here, sizeof(here), (unsigned)signal, "a handler's stack");
    atomic_fetch_add(&arrived, 1);
}

static void check_block_and_call(void)
{
    int ends[2];
    unsigned char buffer[6000];
    for (size_t at = 0; at < BLOCK; at += 5 * PAGE + 7) CHECK(block[at] == pattern(at, 5), "byte %zu", at);
    CHECK(pipe(ends) == 0, "pipe");
    CHECK(write(ends[1], block + PAGE, sizeof(buffer)) == sizeof(buffer), "write");
    CHECK(read(ends[0], buffer, sizeof(buffer)) == sizeof(buffer), "read");
    CHECK(memcmp(buffer, block + PAGE, sizeof(buffer)) == 0, "what went through a pipe");
    close(ends[0]);
    close(ends[1]);
}

static void *stress(void *argument)
{
    stack_t set = {.ss_sp = map_pages(STACK_BYTES), .ss_size = STACK_BYTES};
    if ((uintptr_t)argument / PAGE % 2) CHECK(sigaltstack(&set, NULL) == 0, "sigaltstack");
    for (unsigned round = 0; !atomic_load(&stop); round++) with_deep_stack(round, check_block_and_call);
    set.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&set, NULL) == 0, "off");
    return NULL;
}

static void test_stress(void)
{
    pthread_t threads[THREADS];
    block = map_pages(BLOCK);
    fill(block, BLOCK, 5);
    install(SIGUSR1, check_some, SA_RESTART | SA_ONSTACK);
    install(SIGUSR2, check_some, SA_RESTART);
    atomic_store(&arrived, 0);
    for (int i = 0; i < THREADS; i++) threads[i] = start_on(map_pages(STACK_BYTES), stress, PTHREAD_CREATE_JOINABLE);
    for (int i = 0; i < 300; i++) {
        CHECK(pthread_kill(threads[i % THREADS], i % 2 ? SIGUSR1 : SIGUSR2) == 0, "pthread_kill");
        if (i % 10 == 0) usleep(1000);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "join");
    CHECK(atomic_load(&arrived) > THREADS, "%d signals", atomic_load(&arrived));
    atomic_store(&running, 0);
    uninstall(SIGUSR1);
    uninstall(SIGUSR2);
}

static const struct group groups[] = {
    {"coroutines", test_coroutines},
    {"coroutine-calls", test_coroutine_calls},
    {"coroutine-signals", test_coroutine_signals},
    {"coroutine-storm", test_coroutine_storm},
    {"coroutine-forks", test_coroutine_forks},
    {"thread-stacks", test_thread_stacks},
    {"thread-cancel", test_thread_cancel},
    {"many-threads", test_many_threads},
    {"alternate-rules", test_alternate_rules},
    {"overflow", test_overflow},
    {"context", test_context},
    {"nested", test_nested},
    {"stress", test_stress},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
