/* SPDX-License-Identifier: MIT */
/*
 * The running process as a testbed: every access is a load or store at the window's address. The signal of an absent
 * page is given to the core; a refusal jumps out of the handler, back to who made the access.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/machine.h"
#include "machine/linux/memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/testbed.h"

/* ThreadSanitizer takes every handler for one that interrupts anything. This one runs only where a test touches a page,
 * so the pager may allocate in it. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "report_signal_unsafe=0";
}

/* The access that this thread is making. */
static _Thread_local struct probe {
    struct ol_space *volatile space; /* NULL: none */
    sigjmp_buf refused;
    volatile enum ol_status status;
} probe;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ol_va va;
    if (!probe.space || !ol_linux_va(ol_space_pmap(probe.space), info->si_addr, &va)) {
        const struct sigaction previous = {.sa_handler = SIG_DFL};
        ol_fault_chain(&previous, signal, info, context);
        return;
    }
    probe.status = ol_fault(probe.space, va, ol_fault_access(context));
    if (probe.status != OL_OK) siglongjmp(probe.refused, 1);
}

static void install(int signal)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(signal, &action, NULL)) abort();
}

static const char *missing(enum ol_faults faults)
{
    const struct ol_linux_options options = {.frames_max = 1, .faults = faults};
    struct ol_linux *machine;
    const char *error;
    if (ol_linux_create(&options, &machine, &error) != OL_OK) return error;
    ol_linux_destroy(machine);
    return NULL;
}

static const char *linux_copy_missing(void)
{
    return missing(OL_FAULTS_USERFAULTFD);
}

static const char *linux_protection_missing(void)
{
    if (OL_SANITIZED_THREADS) return "to ThreadSanitizer, mapping over memory that others touch is a race";
    return missing(OL_FAULTS_PROTECTION);
}

static const char *linux_move_missing(void)
{
    struct ol_uffd uffd;
    const char *error;
    if (ol_uffd_open(false, &uffd, &error) != OL_OK) return error;
    const bool can_move = uffd.can_move;
    ol_uffd_close(&uffd);
    return can_move ? NULL : "this kernel has no UFFDIO_MOVE (Linux 6.8)";
}

static enum ol_status create(const struct ol_linux_options *options, void **machine, struct ol_port *port)
{
    struct ol_linux *created;
    const char *error;
    const enum ol_status status = ol_linux_create(options, &created, &error);
    if (status != OL_OK) return status;
    install(ol_linux_signal(created));
    *machine = created;
    ol_linux_port(created, port);
    return OL_OK;
}

static enum ol_status linux_move_create(const struct ol_testbed *bed, uint32_t frames_max, void **machine,
                                        struct ol_port *port)
{
    (void)bed;
    const struct ol_linux_options options = {
        .frames_max = frames_max, .faults = OL_FAULTS_USERFAULTFD, .dont_fork = true};
    return create(&options, machine, port);
}

static enum ol_status linux_copy_create(const struct ol_testbed *bed, uint32_t frames_max, void **machine,
                                        struct ol_port *port)
{
    (void)bed;
    const struct ol_linux_options options = {
        .frames_max = frames_max, .faults = OL_FAULTS_USERFAULTFD, .no_move = true, .dont_fork = true};
    return create(&options, machine, port);
}

static const struct ol_linux_options protection_kind = {.faults = OL_FAULTS_PROTECTION, .dont_fork = true};
/* So few islands that mappings are forgotten all the time. */
static const struct ol_linux_options islands_kind = {
    .faults = OL_FAULTS_PROTECTION, .islands_max = 4, .dont_fork = true};

static enum ol_status linux_kind_create(const struct ol_testbed *bed, uint32_t frames_max, void **machine,
                                        struct ol_port *port)
{
    struct ol_linux_options options = *(const struct ol_linux_options *)bed->kind;
    options.frames_max = frames_max;
    return create(&options, machine, port);
}

static void linux_machine_destroy(void *machine)
{
    ol_linux_destroy(machine);
}

static bool linux_find_range(const struct ol_testbed *bed, uint64_t pages, ol_va *first_va, ol_va *last_va)
{
    (void)bed;
    *first_va = ol_linux_find_window(pages << ol_linux_capabilities.page_shift);
    *last_va = *first_va + (pages << ol_linux_capabilities.page_shift) - 1;
    return *first_va != 0;
}

static enum ol_status linux_access(void *machine, struct ol_space *space, ol_va va, unsigned access,
                                   unsigned char *value)
{
    (void)machine;
    if (access == OL_EXEC) return ol_fault(space, va, access); /* windows are not executable */
    unsigned char *byte = ol_linux_address(ol_space_pmap(space), va);
    probe.space = space;
    probe.status = OL_OK;
    if (sigsetjmp(probe.refused, 1) == 0) {
        /* Threads may race for a byte on purpose. */
        if (access == OL_WRITE) __atomic_store_n(byte, *value, __ATOMIC_RELAXED);
        else *value = __atomic_load_n(byte, __ATOMIC_RELAXED);
    }
    probe.space = NULL;
    return probe.status;
}

static const struct ol_testbed move = {
    .name = "linux",
    .is = &ol_linux_capabilities,
    .pmap = &ol_linux_pmap_ops,
    .missing = linux_move_missing,
    .machine_create = linux_move_create,
    .machine_destroy = linux_machine_destroy,
    .find_range = linux_find_range,
    .access = linux_access,
};

static const struct ol_testbed copy = {
    .name = "linux without UFFDIO_MOVE",
    .is = &ol_linux_capabilities,
    .pmap = &ol_linux_pmap_ops,
    .missing = linux_copy_missing,
    .machine_create = linux_copy_create,
    .machine_destroy = linux_machine_destroy,
    .find_range = linux_find_range,
    .access = linux_access,
};

static const struct ol_testbed protection = {
    .name = "linux with protection faults",
    .is = &ol_linux_capabilities,
    .pmap = &ol_linux_pmap_ops,
    .missing = linux_protection_missing,
    .kind = &protection_kind,
    .machine_create = linux_kind_create,
    .machine_destroy = linux_machine_destroy,
    .find_range = linux_find_range,
    .access = linux_access,
};

static const struct ol_testbed islands = {
    .name = "linux with protection faults and few mappings",
    .is = &ol_linux_capabilities,
    .pmap = &ol_linux_pmap_ops,
    .missing = linux_protection_missing,
    .kind = &islands_kind,
    .machine_create = linux_kind_create,
    .machine_destroy = linux_machine_destroy,
    .find_range = linux_find_range,
    .access = linux_access,
};

const struct ol_testbed *const ol_testbeds[] = {&move, &copy, &protection, &islands, NULL};
