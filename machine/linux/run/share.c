/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/share.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "machine/linux/run/runtime.h"
#include "machine/linux/run/tree.h"

enum {
    WATCH_MS = 250,          /* between two looks of the thread */
    STACK_BYTES = 128 << 10, /* of the thread: the core and the pagers take less than a tenth */
    ENTER_BYTES = 16 << 10,  /* the lowest part of it: the stack of ol_share_enter */
    TLS_BYTES = 16 << 10,    /* what thread-local variables may take beside those that were measured */
    SMALL_PAGES = 256,       /* a process with no more than this has nothing to give */
    BEGIN_MS = 10            /* between two looks of a new process that waits for its part */
};

/* A new process waits so long for its whole part, and so long for what it takes in any case: that others have to give
 * back, or the budget is exceeded. */
static const uint64_t part_ns = 40000000U, least_ns = 1000000000U;

/* So long a forked child's pages are counted as its parent's: most execute something. */
#define FORKED_NS 100000000U

static struct {
    struct ol_run_process *process; /* c: in the table, or `homeless` */
    int fd;                         /* c: the memfd */
    struct ol_futex_mutex looking;  /* k: */
    uint64_t forked_ns;             /* c: when this process was forked; 0: it was not */
    uint64_t for_child_bytes;       /* k: between ol_share_fork and ol_share_forked: the child's part */
    /* The thread. */
    struct ol_futex_mutex starting; /* w: */
    char *stack;                    /* w: kept */
    size_t stack_bytes;
    _Atomic uint32_t thread; /* its id; 0, by the kernel, once it has ended */
    atomic_bool stop;
} own;

/* Of a process for which the table had no room: it has the minimum. */
static struct ol_run_process homeless;

int ol_share_descriptor(void)
{
    return own.fd;
}

static void offer_entry(void);

void ol_share_join(int fd)
{
    own.fd = fd;
    own.process = ol_tree_join(ol_runtime.shared, fd, ol_runtime.pid);
    if (!own.process) {
        memset(&homeless, 0, sizeof(homeless));
        own.process = &homeless;
    }
    offer_entry();
}

/* --- looking --------------------------------------------------------------------------------------------------------
 */

static void note(void)
{
    struct ol_memory_statistics statistics;
    ol_memory_count(ol_runtime.memory, &statistics);
    const bool is_new = own.forked_ns && ol_tree_now_ns() - own.forked_ns < FORKED_NS;
    ol_tree_note(ol_runtime.shared, own.process, &statistics, !is_new);
}

/* One call may have a sixteenth of the budget wired; direct I/O wants whole sectors. */
static void follow_pin_limit(uint64_t budget)
{
    const uint64_t least = 64 << 10, most = 1 << 20, limit = budget / 16 / OL_RUN_PAGE_BYTES * OL_RUN_PAGE_BYTES;
    atomic_store(&ol_runtime.pin_limit_bytes, (uint32_t)(limit > most ? most : limit < least ? least : limit));
}

static void set_budget(uint64_t bytes)
{
    ol_memory_set_budget(ol_runtime.memory, bytes);
    follow_pin_limit(bytes);
}

/* Has more than it is due, and somebody wants it: what cannot be written out it keeps. */
static void give_back(uint64_t granted, uint64_t due)
{
    set_budget(due);
    note();
    const uint64_t used = atomic_load(&own.process->used_bytes), keep = used > due ? used : due;
    if (keep >= granted) return;
    ol_tree_give(ol_runtime.shared, own.process, granted - keep);
    if (ol_tree_lacks(ol_runtime.shared)) ol_tree_wake(ol_runtime.shared); /* there is something to take now */
}

static void take_more(uint64_t lack)
{
    struct ol_run_shared *shared = ol_runtime.shared;
    if (own.process == &homeless) return; /* nobody would find it when this process has ended */
    lack -= ol_tree_take(shared, own.process, lack);
    if (!lack) return;
    (void)ol_tree_reap(shared, own.fd, own.process, NULL);
    if (ol_tree_take(shared, own.process, lack) < lack) ol_tree_lack(shared);
}

static void look(void)
{
    struct ol_run_shared *shared = ol_runtime.shared;
    if (!ol_futex_trylock(&own.looking)) return;
    note();
    const uint64_t due = ol_tree_due(shared, own.process, 1);
    const uint64_t granted = atomic_load(&own.process->granted_bytes);
    if (due > granted) {
        take_more(due - granted);
        set_budget(atomic_load(&own.process->granted_bytes));
    } else if (granted > due &&
               (ol_tree_lacks(shared) || atomic_load(&shared->granted_bytes) > atomic_load(&shared->budget_bytes))) {
        give_back(granted, due);
    }
    ol_futex_unlock(&own.looking);
}

void ol_share_look(void)
{
    if (getpid() != ol_runtime.pid) return; /* a vfork child has its parent's memory */
    look();
    if (atomic_load(&ol_runtime.shared->watched)) ol_share_watch();
}

static void sleep_until_changed(uint32_t seen, long milliseconds)
{
    const struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    (void)ol_raw(SYS_futex, (long)(uintptr_t)&ol_runtime.shared->change, FUTEX_WAIT, (long)seen, (long)(uintptr_t)&time,
                 0, 0);
}

void ol_share_begin(void)
{
    struct ol_run_shared *shared = ol_runtime.shared;
    const uint64_t begun_ns = ol_tree_now_ns();
    for (;;) {
        const uint32_t seen = atomic_load(&shared->change);
        ol_share_look();
        const uint64_t granted = atomic_load(&own.process->granted_bytes);
        if (own.process == &homeless || granted >= ol_tree_due(shared, own.process, 1)) break;
        const uint64_t waits_ns = granted < ol_memory_minimum_bytes() ? least_ns : part_ns;
        if (ol_tree_now_ns() - begun_ns >= waits_ns) break;
        sleep_until_changed(seen, BEGIN_MS);
    }
}

void ol_share_leave(void)
{
    struct ol_run_peaks *peak = &ol_runtime.shared->peak;
    struct ol_run_memory memory;
    if (getpid() != ol_runtime.pid) return;
    note();
    if (!ol_tree_memory(0, &memory)) return;
    const uint64_t used = atomic_load(&own.process->used_bytes) + atomic_load(&own.process->warm_bytes);
    if (memory.anonymous_bytes > used) ol_tree_peak(&peak->anonymous_bytes, memory.anonymous_bytes - used);
    ol_tree_peak(&peak->file_bytes, memory.file_bytes);
    ol_tree_peak(&peak->shared_bytes, memory.shared_bytes);
}

/* --- the thread -----------------------------------------------------------------------------------------------------
 */

/* What the thread does; never returns. */
__attribute__((used, noreturn)) static void watch(void);

/* clone(2): the child calls watch() on the new stack. */
long ol_share_clone(unsigned long flags, void *stack, void *parent_tid, void *child_tid, void *tls);
__asm__(".text\n"
        "\t.hidden ol_share_clone\n"
        "\t.globl ol_share_clone\n"
        "\t.type ol_share_clone, @function\n"
        "ol_share_clone:\n"
        "\tmovq %rcx, %r10\n"
        "\tmovl $56, %eax\n" /* SYS_clone */
        "\tsyscall\n"
        "\ttestq %rax, %rax\n"
        "\tjz 1f\n"
        "\tret\n"
        "1:\txorl %ebp, %ebp\n"
        "\tcall watch\n"
        "\thlt\n"
        "\t.size ol_share_clone, . - ol_share_clone\n");

/* Where the command lets a waiting process begin (cli/poke.h), on a stack of its own. */
void ol_share_enter(void);
__asm__(".text\n"
        "\t.hidden ol_share_enter\n"
        "\t.globl ol_share_enter\n"
        "\t.type ol_share_enter, @function\n"
        "ol_share_enter:\n"
        "\tcall enter\n"
        "\tint3\n"
        "\t.size ol_share_enter, . - ol_share_enter\n");

static void watch(void)
{
    atomic_store(&own.process->is_watching, true);
    while (!atomic_load(&own.stop)) {
        const uint32_t seen = atomic_load(&ol_runtime.shared->change);
        look();
        if (!atomic_load(&own.stop)) sleep_until_changed(seen, WATCH_MS);
    }
    atomic_store(&own.process->is_watching, false);
    for (;;) (void)ol_raw(SYS_exit, 0, 0, 0, 0, 0, 0);
}

/* The thread pointer: its first word points to itself (the x86-64 ABI for thread-local storage). */
static char *thread_pointer(void)
{
    char *pointer;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* How far below the thread pointer the runtime's own thread-local variables may lie. */
static size_t tls_bytes(void)
{
    static __thread char ours;
    const size_t far = (size_t)(thread_pointer() - &ours);
    return (far + TLS_BYTES + OL_RUN_PAGE_BYTES - 1) / OL_RUN_PAGE_BYTES * OL_RUN_PAGE_BYTES;
}

/* The thread's own thread-local storage: zeros below the pointer, and what the C library has above it: the pointer
 * itself at 0 and 16, the guards of stacks and of pointers at 40 and 48. */
static char *make_storage(void)
{
    static const int kept[] = {40, 48};
    if (!own.stack) {
        own.stack_bytes = STACK_BYTES + tls_bytes() + OL_RUN_PAGE_BYTES;
        char *stack =
            mmap(NULL, own.stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stack == MAP_FAILED) return NULL;
        own.stack = stack;
    }
    char *pointer = own.stack + own.stack_bytes - OL_RUN_PAGE_BYTES;
    const char *current = thread_pointer();
    *(char **)(void *)pointer = *(char **)(void *)(pointer + 16) = pointer;
    for (int i = 0; i < 2; i++) memcpy(pointer + kept[i], current + kept[i], sizeof(long));
    return pointer;
}

/* No lock is waited for, and no allocation of the program's touched: this may run anywhere in the program. */
static void start(void)
{
    const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    const unsigned long all = ~0UL;
    unsigned long mask = 0;
    char *pointer = make_storage();
    if (!pointer) return;
    atomic_store(&own.stop, false);
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&all, (long)(uintptr_t)&mask, sizeof(mask), 0, 0);
    if (ol_share_clone(flags, own.stack + STACK_BYTES, &own.thread, &own.thread, pointer) < 0)
        atomic_store(&own.thread, 0); /* the next look tries again */
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&mask, 0, sizeof(mask), 0, 0);
}

static bool is_small(void)
{
    struct ol_statistics core;
    ol_system_statistics(ol_runtime.memory->system, &core);
    return core.frames_in_use + core.frames_lent <= SMALL_PAGES;
}

/* The thread was interrupted anywhere, perhaps with the core's lock. */
__attribute__((used)) static void enter(void)
{
    if (getpid() != ol_runtime.pid || !ol_futex_trylock(&own.starting)) return;
    if (!atomic_load(&own.thread)) start();
    ol_futex_unlock(&own.starting);
}

/* Tells the command where a thread can be started from outside. */
static void offer_entry(void)
{
    if (own.process == &homeless || !make_storage()) return;
    atomic_store(&own.process->enter_stack, (uintptr_t)own.stack + ENTER_BYTES);
    atomic_store(&own.process->enter_address, (uintptr_t)ol_share_enter);
}

void ol_share_watch(void)
{
    if (atomic_load(&own.thread) || is_small() || !ol_futex_trylock(&own.starting)) return;
    if (!atomic_load(&own.thread)) start();
    ol_futex_unlock(&own.starting);
}

bool ol_share_unwatch(void)
{
    const uint32_t thread = atomic_load(&own.thread);
    if (!thread || getpid() != ol_runtime.pid) return false;
    ol_futex_lock(&own.starting);
    atomic_store(&own.stop, true);
    ol_tree_wake(ol_runtime.shared);
    for (uint32_t id; (id = atomic_load(&own.thread)) != 0;)
        (void)ol_raw(SYS_futex, (long)(uintptr_t)&own.thread, FUTEX_WAIT, (long)id, 0, 0, 0);
    ol_futex_unlock(&own.starting);
    return true;
}

/* --- forks -------------------------------------------------------------------------------------------------------- */

void ol_share_fork(void)
{
    struct ol_run_shared *shared = ol_runtime.shared;
    atomic_store(&shared->watched, true); /* from now on there is somebody to divide with, also while this one waits */
    ol_futex_lock(&own.looking);
    note();
    const uint64_t due = ol_tree_due(shared, own.process, 2);
    uint64_t granted = atomic_load(&own.process->granted_bytes);
    if (granted < 2 * due) take_more(2 * due - granted);
    granted = atomic_load(&own.process->granted_bytes);
    own.for_child_bytes = due < granted / 2 ? due : granted / 2;
    set_budget(own.for_child_bytes);
    atomic_fetch_sub(&own.process->granted_bytes, own.for_child_bytes);
}

/* Its budget is what its parent's was last. */
static void begin_child(bool works)
{
    atomic_store(&own.thread, 0);
    own.looking = own.starting = (struct ol_futex_mutex){0};
    own.forked_ns = ol_tree_now_ns();
    ol_share_join(own.fd);
    atomic_store(&own.process->granted_bytes, own.for_child_bytes); /* if it ends now, others find it there */
    if (own.process == &homeless) ol_tree_give(ol_runtime.shared, own.process, own.for_child_bytes);
    if (!works) return;
    note();
    ol_share_watch();
}

/* What this process is not due is there for others, who could not ask it: a small one has no thread. */
static void keep_due(void)
{
    const uint64_t due = ol_tree_due(ol_runtime.shared, own.process, 1);
    const uint64_t granted = atomic_load(&own.process->granted_bytes);
    if (granted > due) give_back(granted, due);
    else set_budget(granted);
}

void ol_share_forked(pid_t pid, bool works)
{
    if (pid == 0) {
        begin_child(works);
        return;
    }
    if (pid < 0) atomic_fetch_add(&own.process->granted_bytes, own.for_child_bytes);
    keep_due();
    ol_futex_unlock(&own.looking);
    ol_share_watch();
}
