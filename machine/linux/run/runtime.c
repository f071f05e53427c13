/* SPDX-License-Identifier: MIT */
/* The beginning: reads what the command left, opens the memory, and takes over faults and calls. */
#include "machine/linux/run/runtime.h"
#include "machine/linux/run/exec.h"
#include "machine/linux/run/foreign.h"
#include "machine/linux/run/share.h"
#include "machine/linux/run/signals.h"
#include "machine/linux/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ol_runtime ol_runtime;

/* The C library's idea of the break (exported, GLIBC_2.2.5): sbrk() goes on from it. */
extern void *__curbrk __attribute__((weak));

enum { LOOK_EVERY = 16 /* faults */, HIGH_DESCRIPTOR = 900 };

static _Noreturn void give_up(const char *why)
{
    ol_say(why, NULL, NULL);
    for (;;) (void)ol_raw(SYS_exit_group, 125, 0, 0, 0, 0, 0);
}

/* A page that the program cannot have: its own error, or (with a line on standard error) ours. */
static void refuse(enum ol_status status, const siginfo_t *info, void *context)
{
    const bool of_program = status == OL_E_NO_REGION || status == OL_E_RIGHTS;
    siginfo_t refusal = {.si_signo = of_program ? SIGSEGV : SIGBUS};
    refusal.si_code = status == OL_E_NO_REGION ? SEGV_MAPERR : of_program ? SEGV_ACCERR : BUS_ADRERR;
    refusal.si_addr = info->si_addr;
    if (!of_program) ol_fault_explain(ol_runtime.memory, status, info->si_addr);
    ol_on_signal(refusal.si_signo, &refusal, context);
}

/* Is it a fault on managed memory? What is foreign in the window has the kernel's own protection. */
static bool is_managed(int signal, const siginfo_t *info)
{
    const unsigned long address = (unsigned long)(uintptr_t)info->si_addr;
    return signal == ol_runtime.fault_signal && info->si_code > 0 && ol_in_window(address) &&
           !(signal == SIGSEGV && ol_foreign_overlaps(address, 1));
}

void ol_on_fault(int signal, siginfo_t *info, void *context)
{
    static atomic_uint faults;
    static const unsigned long handler_mask = OL_HANDLER_MASK;
    enum ol_status status = OL_OK;
    const bool managed = is_managed(signal, info);
    if (managed) {
        status = ol_memory_fault(ol_runtime.memory, info->si_addr, ol_fault_access(context));
        if (atomic_fetch_add(&faults, 1) % LOOK_EVERY == 0 || status != OL_OK) ol_share_look();
        if (status == OL_OK) return;
    }
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&handler_mask, 0, sizeof(handler_mask), 0, 0);
    if (managed) refuse(status, info, context);
    else ol_on_signal(signal, info, context);
}

/* --- the environment: by hand, because programs (bash) have a setenv of their own, which wants them to be set up ---
 */

/* Where environ has the variable, or NULL. */
static char **find_variable(const char *name)
{
    const size_t length = strlen(name);
    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return entry;
    return NULL;
}

static const char *value_of(char **entry)
{
    return strchr(*entry, '=') + 1;
}

static void remove_variable(char **entry)
{
    if (!entry) return;
    do *entry = entry[1];
    while (*entry++);
}

/* It becomes what the user gave. The user's own LD_PRELOAD is the end of what ours was made of, so there is room. */
static void restore_environment(void)
{
    char **preload = find_variable("LD_PRELOAD"), **user = find_variable(OL_RUN_ENV_PRELOAD);
    if (preload && user) {
        const char *value = value_of(user);
        memmove(strchr(*preload, '=') + 1, value, strlen(value) + 1);
    } else {
        remove_variable(preload);
    }
    remove_variable(find_variable(OL_RUN_ENV_PRELOAD));
    remove_variable(find_variable(OL_RUN_ENV));
}

/* The options come through a memfd, which stays open out of the program's way: its locks tell who lives. */
static struct ol_run_shared *read_options(int fd)
{
    void *shared = mmap(NULL, sizeof(struct ol_run_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    restore_environment();
    return shared == MAP_FAILED ? NULL : shared;
}

static int move_descriptor(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (moved < 0) moved = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* few are allowed */
    (void)close(fd);
    return moved;
}

static const char *open_memory(struct ol_run_shared *shared)
{
    const char *error = "";
    struct ol_memory_options options = shared->options;
    options.policy = shared->policy[0] ? shared->policy : NULL;
    options.swap = shared->swap[0] ? shared->swap : NULL;
    if (ol_memory_open_at(&options, OL_WINDOW_FIRST, OL_WINDOW_BYTES, true, &ol_runtime.memory, &error) != OL_OK)
        return error;
    if (!ol_memory_contains(ol_runtime.memory, (void *)(uintptr_t)OL_WINDOW_FIRST) ||
        (uintptr_t)ol_linux_address(ol_space_pmap(ol_runtime.memory->space), OL_WINDOW_FIRST) != OL_WINDOW_FIRST)
        return "the address space from 0x600000000000 on is not free in this program";
    ol_runtime.memory->machine->next_hole = ol_foreign_next_locked;
    ol_runtime.fault_signal = ol_linux_signal(ol_runtime.memory->machine);
    return NULL;
}

/* Joins the tree, and takes over. */
static const char *take_over(int fd)
{
    if (fd < 0) return "there is no descriptor left";
    ol_share_join(fd);
    ol_heap_init();
    if (!ol_threads_init()) return "there is no memory for the runtime's stacks";
    ol_signals_init();
    void *const before = &__curbrk ? __curbrk : NULL;
    if (&__curbrk) __curbrk = (void *)(uintptr_t)OL_WINDOW_FIRST;
    const char *error = ol_filter_install();
    if (error && &__curbrk) __curbrk = before;
    return error;
}

/* A program that was executed by a managed one can do without: it runs unmanaged, and the account says so. */
static void do_without(struct ol_run_shared *shared, int fd)
{
    atomic_fetch_add(&shared->unmanaged, 1);
    (void)close(fd);
    if (ol_runtime.memory) ol_memory_close_at(ol_runtime.memory);
}

__attribute__((constructor)) static void begin(void)
{
    char **descriptor = find_variable(OL_RUN_ENV);
    if (!descriptor) return; /* loaded by hand, or by a child: nothing to do */
    const struct ol_run_start start = ol_exec_parse(value_of(descriptor));
    ol_runtime.pid = getpid();
    ol_runtime.is_first = start.generation == 1;
    ol_runtime.generation = start.generation;
    ol_runtime.shared = read_options(start.fd);
    if (!ol_runtime.shared) give_up("the runtime was started without its options; use `onelevel run`");
    if (ol_runtime.is_first) (void)ol_raw(SYS_personality, (long)ol_runtime.shared->personality, 0, 0, 0, 0, 0);
    ol_exec_restore_stack(start.stack);
    const char *error = open_memory(ol_runtime.shared);
    const int fd = move_descriptor(start.fd);
    if (!error) error = take_over(fd);
    if (error && ol_runtime.is_first) give_up(error);
    if (error) do_without(ol_runtime.shared, fd);
    else ol_share_begin();
}
