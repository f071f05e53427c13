/* SPDX-License-Identifier: MIT */
/* Fault signals: what they tell, and how one is passed on. Everything here is async-signal-safe. */
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "machine/linux/homes.h"
#include "machine/linux/memory.h"
#include "machine/linux/say.h"

#if !defined(__x86_64__)
#error \
    "the kind of an access is read from the signal context of x86-64; other processors want their own ol_fault_access"
#endif

/* Bits of the page-fault error code (Intel SDM vol. 3A, 4.7). */
enum { FAULT_WRITE = 1 << 1, FAULT_FETCH = 1 << 4 };

unsigned ol_fault_access(const void *context)
{
    const ucontext_t *interrupted = context;
    const greg_t code = interrupted->uc_mcontext.gregs[REG_ERR];
    if (code & FAULT_FETCH) return OL_EXEC;
    return code & FAULT_WRITE ? OL_WRITE : OL_READ;
}

static void set_default(int signal)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    (void)sigaction(signal, &action, NULL);
}

void ol_fault_raise(void *context, int signal, int code, void *address)
{
    ucontext_t *interrupted = context;
    struct sigaction action;
    siginfo_t info;
    /* A fault cannot be blocked or ignored: it ends the process instead. */
    const bool blocked = sigismember(&interrupted->uc_sigmask, signal);
    if (blocked || (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN)) set_default(signal);
    sigdelset(&interrupted->uc_sigmask, signal);
    memset(&info, 0, sizeof(info));
    info.si_signo = signal;
    info.si_code = code;
    info.si_addr = address;
    /* Blocked until the handler returns, it is delivered before the instruction is tried again. */
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, &info);
}

void ol_fault_chain(const struct sigaction *previous, int signal, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(signal, info, context);
    } else if (previous->sa_handler == SIG_DFL || (previous->sa_handler == SIG_IGN && info->si_code > 0)) {
        /* Without a handler the instruction is tried again and faults for good; a sent signal is sent again. */
        set_default(signal);
        sigdelset(&interrupted->uc_sigmask, signal);
        (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info);
    } else if (previous->sa_handler != SIG_IGN) {
        previous->sa_handler(signal);
    }
}

void ol_fault_explain(const struct ol_memory *memory, enum ol_status status, const void *address)
{
    char page[] = "the page at 0x0000000000000000 ", why[OL_HOMES_TEXT_BYTES];
    char *digit = strchr(page, 'x') + 16;
    ol_va va;
    for (uint64_t number = (uint64_t)(uintptr_t)address; number; number >>= 4)
        *digit-- = "0123456789abcdef"[number & 15];
    const bool known = status == OL_E_IO && ol_linux_va(ol_space_pmap(memory->space), address, &va) &&
                       ol_homes_explain(memory->file, ol_page_slot(memory->space, va), why);
    if (known) ol_say(page, why, NULL);
    else ol_say(page, "cannot be had: ", ol_status_text(status));
}

void ol_fault_say_slow(void)
{
    static atomic_bool said;
    if (!atomic_exchange(&said, true))
        ol_say("userfaultfd is forbidden here: faults come as protection faults, with the same results, slower",
               " (`onelevel doctor` says more)", NULL);
}

void ol_fault_refuse(const struct ol_memory *memory, enum ol_status status, const struct sigaction *previous,
                     siginfo_t *info, void *context)
{
    const bool of_program = status == OL_E_NO_REGION || status == OL_E_RIGHTS;
    const int wanted = of_program ? SIGSEGV : SIGBUS;
    const int code = status == OL_E_NO_REGION ? SEGV_MAPERR : of_program ? SEGV_ACCERR : BUS_ADRERR;
    if (!of_program) ol_fault_explain(memory, status, info->si_addr);
    if (info->si_signo == wanted) {
        info->si_code = code;
        ol_fault_chain(previous, wanted, info, context);
    } else {
        ol_fault_raise(context, wanted, code, info->si_addr);
    }
}
