/* SPDX-License-Identifier: MIT */
/* The beginning: reads what the command left, opens the memory, and takes over faults and calls. */
#include "machine/linux/run/runtime.h"
#include "machine/linux/run/foreign.h"
#include "machine/linux/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ol_runtime ol_runtime;

/* The C library's idea of the break (exported, GLIBC_2.2.5): sbrk() goes on from it. */
extern void *__curbrk __attribute__((weak));

enum { PIN_LIMIT_MAX = 1 << 20, PIN_LIMIT_MIN = 64 << 10, PUBLISH_EVERY = 64 };

static _Noreturn void give_up(const char *why)
{
    ol_say(why, NULL, NULL);
    for (;;) (void)ol_raw(SYS_exit_group, 125, 0, 0, 0, 0, 0);
}

void ol_publish(void)
{
    /* A vfork child has its parent's memory, but is not the process that is counted. */
    if (getpid() == ol_runtime.pid) ol_memory_count(ol_runtime.memory, &ol_runtime.shared->statistics);
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
    static atomic_uint faults;
    const int saved = errno;
    void *address = info->si_addr;
    if (info->si_code <= 0 || !ol_in_window((unsigned long)(uintptr_t)address)) {
        ol_signal_deliver(signal, info, context);
        errno = saved;
        return;
    }
    const enum ol_status status = ol_memory_fault(ol_runtime.memory, address, ol_fault_access(context));
    if (atomic_fetch_add(&faults, 1) % PUBLISH_EVERY == 0 || status != OL_OK) ol_publish();
    if (status == OL_E_NO_REGION || status == OL_E_RIGHTS) {
        const struct sigaction none = {.sa_handler = SIG_DFL};
        ol_fault_refuse(ol_runtime.memory, status, &none, info, context);
    } else if (status != OL_OK) {
        ol_fault_explain(ol_runtime.memory, status, address);
        ol_signal_deliver(signal, info, context);
    }
    errno = saved;
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
    remove_variable(find_variable(OL_RUN_ENV_FD));
}

/* The options come through a memfd that nobody else sees. */
static struct ol_run_shared *read_options(const char *descriptor)
{
    const int fd = (int)strtol(descriptor, NULL, 10);
    void *shared = mmap(NULL, sizeof(struct ol_run_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    restore_environment();
    return shared == MAP_FAILED ? NULL : shared;
}

static void open_memory(struct ol_run_shared *shared)
{
    const char *error = "";
    struct ol_memory_options options = shared->options;
    options.policy = shared->policy[0] ? shared->policy : NULL;
    options.swap = shared->swap[0] ? shared->swap : NULL;
    if (ol_memory_open_at(&options, OL_WINDOW_FIRST, OL_WINDOW_BYTES, true, &ol_runtime.memory, &error) != OL_OK)
        give_up(error);
    if (!ol_memory_contains(ol_runtime.memory, (void *)(uintptr_t)OL_WINDOW_FIRST) ||
        (uintptr_t)ol_linux_address(ol_space_pmap(ol_runtime.memory->space), OL_WINDOW_FIRST) != OL_WINDOW_FIRST)
        give_up("the address space from 0x600000000000 on is not free in this program");
    ol_runtime.memory->machine->next_hole = ol_foreign_next_locked;
    const uint64_t budget = options.ram_bytes ? options.ram_bytes : options.resident_bytes;
    const uint64_t limit = budget / 16 / OL_RUN_PAGE_BYTES * OL_RUN_PAGE_BYTES; /* direct I/O wants whole sectors */
    ol_runtime.pin_limit_bytes = limit > PIN_LIMIT_MAX   ? PIN_LIMIT_MAX
                                 : limit < PIN_LIMIT_MIN ? PIN_LIMIT_MIN
                                                         : (uint32_t)limit;
}

static void take_signal(int signal, void (*handler)(int, siginfo_t *, void *), bool except_faults)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    if (except_faults) sigdelset(&action.sa_mask, SIGBUS);
    if (sigaction(signal, &action, NULL)) give_up("signal handlers cannot be installed");
}

__attribute__((constructor)) static void begin(void)
{
    char **descriptor = find_variable(OL_RUN_ENV_FD);
    if (!descriptor) return; /* loaded by hand, or by a child: nothing to do */
    ol_runtime.pid = getpid();
    ol_runtime.shared = read_options(value_of(descriptor));
    if (!ol_runtime.shared) give_up("the runtime was started without its options; use `onelevel run`");
    (void)ol_raw(SYS_personality, (long)ol_runtime.shared->personality, 0, 0, 0, 0, 0);
    open_memory(ol_runtime.shared);
    ol_heap_init();
    ol_signals_init();
    take_signal(SIGBUS, on_sigbus, false);
    take_signal(SIGSYS, ol_on_sigsys, true);
    if (&__curbrk) __curbrk = (void *)(uintptr_t)OL_WINDOW_FIRST;
    const char *error = ol_filter_install();
    if (error) give_up(error);
    ol_runtime.shared->attached = 1;
    ol_publish();
}
