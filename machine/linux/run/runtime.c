/* SPDX-License-Identifier: MIT */
/* The beginning: reads what the command left, opens the memory, and takes over faults and calls. */
#include "machine/linux/run/runtime.h"
#include "machine/linux/run/foreign.h"
#include "machine/linux/run/signals.h"
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

/* A page that the program cannot have: its own error, or (with a line on standard error) ours. */
static void refuse(enum ol_status status, siginfo_t *info, void *context)
{
    siginfo_t segv = {.si_signo = SIGSEGV, .si_code = status == OL_E_RIGHTS ? SEGV_ACCERR : SEGV_MAPERR};
    segv.si_addr = info->si_addr;
    if (status == OL_E_NO_REGION || status == OL_E_RIGHTS) {
        ol_on_signal(SIGSEGV, &segv, context);
    } else {
        ol_fault_explain(ol_runtime.memory, status, info->si_addr);
        ol_on_signal(SIGBUS, info, context);
    }
}

void ol_on_sigbus(int signal, siginfo_t *info, void *context)
{
    static atomic_uint faults;
    static const unsigned long handler_mask = OL_HANDLER_MASK;
    enum ol_status status = OL_OK;
    const bool is_fault = info->si_code > 0 && ol_in_window((unsigned long)(uintptr_t)info->si_addr);
    if (is_fault) {
        status = ol_memory_fault(ol_runtime.memory, info->si_addr, ol_fault_access(context));
        if (atomic_fetch_add(&faults, 1) % PUBLISH_EVERY == 0 || status != OL_OK) ol_publish();
        if (status == OL_OK) return;
    }
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&handler_mask, 0, sizeof(handler_mask), 0, 0);
    if (is_fault) refuse(status, info, context);
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
    if (!ol_threads_init()) give_up("there is no memory for the runtime's stacks");
    ol_signals_init();
    if (&__curbrk) __curbrk = (void *)(uintptr_t)OL_WINDOW_FIRST;
    const char *error = ol_filter_install();
    if (error) give_up(error);
    ol_runtime.shared->attached = 1;
    ol_publish();
}
