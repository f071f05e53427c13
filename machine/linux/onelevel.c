/* SPDX-License-Identifier: MIT */
/* libonelevel: the functions of onelevel.h over memory.h. */
#include "onelevel/onelevel.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "machine/linux/internal.h"
#include "machine/linux/memory.h"

enum { MEMORIES_MAX = 64 };

/* The first memory's window is of 64 TiB, half of what a process has. Each further one has a quarter of the one before,
 * down to 256 GiB: so there are addresses left for all of them, and for the program. */
static const uint64_t window_bytes_first = 1ULL << 46, window_bytes_least = 1ULL << 38;

/* The memories of this process, for the signal handlers. Process-wide by nature: so is a signal's handler. */
static _Atomic(struct ol_memory *) memories[MEMORIES_MAX];
static struct sigaction previous_sigbus, previous_sigsegv; /* c: once installed */
static pthread_once_t install_sigbus_once = PTHREAD_ONCE_INIT, install_sigsegv_once = PTHREAD_ONCE_INIT;

/* Does this fault belong to the memory? A protection fault in a forked child does not: the memory stayed behind. */
static bool is_fault_of(const struct ol_memory *memory, int signal, const siginfo_t *info)
{
    return info->si_code > 0 && ol_linux_signal(memory->machine) == signal &&
           ol_memory_contains(memory, info->si_addr) && (signal == SIGBUS || ol_linux_is_here(memory->machine));
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const int saved = errno;
    const struct sigaction *previous = signal == SIGBUS ? &previous_sigbus : &previous_sigsegv;
    for (int i = 0; i < MEMORIES_MAX; i++) {
        struct ol_memory *memory = atomic_load_explicit(&memories[i], memory_order_acquire);
        if (!memory || !is_fault_of(memory, signal, info)) continue;
        const enum ol_status status = ol_memory_fault(memory, info->si_addr, ol_fault_access(context));
        if (status != OL_OK) ol_fault_refuse(memory, status, previous, info, context);
        errno = saved;
        return;
    }
    ol_fault_chain(previous, signal, info, context);
    errno = saved;
}

static void install(int signal, struct sigaction *previous)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    (void)sigaction(signal, &action, previous);
}

static void install_sigbus(void)
{
    install(SIGBUS, &previous_sigbus);
}

static void install_sigsegv(void)
{
    install(SIGSEGV, &previous_sigsegv);
}

static void install_for(const struct ol_memory *memory)
{
    if (ol_linux_signal(memory->machine) == SIGBUS) (void)pthread_once(&install_sigbus_once, install_sigbus);
    else (void)pthread_once(&install_sigsegv_once, install_sigsegv);
}

/* While a thread is in the core no signal handler of the program may run in it: it might fault. */
static void enter(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, old);
}

static void leave(const sigset_t *old)
{
    (void)pthread_sigmask(SIG_SETMASK, old, NULL);
}

static uint64_t next_window_bytes(void)
{
    uint64_t bytes = window_bytes_first;
    for (int i = 0; i < MEMORIES_MAX && bytes > window_bytes_least; i++)
        if (atomic_load(&memories[i])) bytes /= 4;
    return bytes;
}

enum ol_status ol_memory_open(const struct ol_memory_options *options, struct ol_memory **out, const char **error)
{
    const char *ignored;
    sigset_t old;
    enter(&old);
    enum ol_status status = ol_memory_open_at(options, 0, next_window_bytes(), false, out, error ? error : &ignored);
    if (status == OL_OK) {
        install_for(*out);
        int i = 0;
        struct ol_memory *none = NULL;
        while (i < MEMORIES_MAX && !atomic_compare_exchange_strong(&memories[i], &none, *out)) none = NULL, i++;
        if (i == MEMORIES_MAX) {
            ol_memory_close_at(*out);
            if (error) *error = "a process can have 64 memories open at a time";
            status = OL_E_NO_META;
        }
    }
    leave(&old);
    return status;
}

void ol_memory_close(struct ol_memory *memory)
{
    sigset_t old;
    enter(&old);
    for (int i = 0; i < MEMORIES_MAX; i++) {
        struct ol_memory *this = memory;
        if (atomic_compare_exchange_strong(&memories[i], &this, NULL)) break;
    }
    ol_memory_close_at(memory);
    leave(&old);
}

/* Whole pages around [address, address + bytes). */
struct span {
    ol_va va;
    uint64_t pages;
};

static bool span_of(const struct ol_memory *memory, const void *address, size_t bytes, struct span *out)
{
    const ol_va mask = OL_LINUX_PAGE_BYTES - 1;
    ol_va va;
    if (bytes == 0 || !ol_linux_va(ol_space_pmap(memory->space), address, &va) || va + bytes < va) return false;
    out->va = va & ~mask;
    out->pages = (((va + bytes - 1) & ~mask) - out->va) / OL_LINUX_PAGE_BYTES + 1;
    return true;
}

void *ol_memory_map(struct ol_memory *memory, size_t bytes)
{
    const uint64_t pages = bytes / OL_LINUX_PAGE_BYTES + (bytes % OL_LINUX_PAGE_BYTES != 0);
    sigset_t old;
    ol_va va;
    enter(&old);
    const enum ol_status status = ol_region_map(memory->space, 0, pages, OL_READ | OL_WRITE, 0, &va);
    leave(&old);
    return status == OL_OK ? ol_linux_address(ol_space_pmap(memory->space), va) : NULL;
}

enum ol_status ol_memory_unmap(struct ol_memory *memory, void *address, size_t bytes)
{
    struct span span;
    sigset_t old;
    if (!span_of(memory, address, bytes, &span)) return OL_E_INVALID;
    enter(&old);
    const enum ol_status status = ol_region_unmap(memory->space, span.va, span.pages);
    leave(&old);
    return status;
}

enum ol_status ol_memory_protect(struct ol_memory *memory, void *address, size_t bytes, unsigned rights)
{
    struct span span;
    sigset_t old;
    if (!span_of(memory, address, bytes, &span) || rights & ~(unsigned)(OL_READ | OL_WRITE)) return OL_E_INVALID;
    enter(&old);
    const enum ol_status status = ol_region_protect(memory->space, span.va, span.pages, rights);
    leave(&old);
    return status;
}

enum ol_status ol_memory_discard(struct ol_memory *memory, void *address, size_t bytes)
{
    struct span span;
    sigset_t old;
    if (!span_of(memory, address, bytes, &span)) return OL_E_INVALID;
    enter(&old);
    const enum ol_status status = ol_space_discard(memory->space, span.va, span.pages);
    leave(&old);
    return status;
}

enum ol_status ol_memory_pin(struct ol_memory *memory, const void *address, size_t bytes, bool write)
{
    struct span span;
    sigset_t old;
    if (!span_of(memory, address, bytes, &span)) return OL_E_INVALID;
    enter(&old);
    const enum ol_status status = ol_space_wire(memory->space, span.va, span.pages, write ? OL_WRITE : OL_READ);
    leave(&old);
    return status;
}

void ol_memory_unpin(struct ol_memory *memory, const void *address, size_t bytes)
{
    struct span span;
    sigset_t old;
    if (!span_of(memory, address, bytes, &span)) return;
    enter(&old);
    ol_space_unwire(memory->space, span.va, span.pages);
    leave(&old);
}

void ol_memory_get_statistics(struct ol_memory *memory, struct ol_memory_statistics *out)
{
    sigset_t old;
    enter(&old);
    ol_memory_count(memory, out);
    leave(&old);
}
