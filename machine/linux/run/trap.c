/* SPDX-License-Identifier: MIT */
/* The handler of SIGSYS: trapped calls are made here, and their results put where the program expects them. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "machine/linux/run/held.h"
#include "machine/linux/run/runtime.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of SIGSYS from a filter */
#endif

static long set_mask(unsigned long mask)
{
    return ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&mask, 0, sizeof(mask), 0, 0);
}

/* Everything but what must get through: a fault of this handler on the program's memory. */
static const unsigned long mask_in_handler = ~(1UL << (SIGBUS - 1));

long ol_call_interruptible(const struct ol_call *call)
{
    unsigned long mask;
    memcpy(&mask, &call->context->uc_sigmask, sizeof(mask));
    (void)set_mask(ol_mask_without_ours(mask));
    const long result = ol_call_raw(call);
    (void)set_mask(mask_in_handler);
    return result;
}

long ol_call_exec(const struct ol_call *call)
{
    unsigned long mask;
    memcpy(&mask, &call->context->uc_sigmask, sizeof(mask));
    (void)set_mask(ol_mask_without_ours(mask)); /* pending signals, whose handlers may fault, come now */
    (void)set_mask(ol_mask_of_program(call->context));
    const long result = ol_call_raw(call);
    (void)set_mask(mask_in_handler);
    return result;
}

static long dispatch(struct ol_call *call)
{
    long result;
    if (ol_memory_call(call, &result)) return result;
    if (ol_signal_call(call, &result)) return result;
    if (ol_process_call(call, &result)) return result;
    if (ol_descriptor_call(call, &result)) return result;
    return ol_wire_call(call);
}

void ol_on_sigsys(int signal, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    greg_t *registers = interrupted->uc_mcontext.gregs;
    const int saved = errno;
    if (info->si_code != SYS_SECCOMP) {
        ol_signal_deliver(signal, info, context);
        errno = saved;
        return;
    }
    struct ol_call call = {
        .number = (long)registers[REG_RAX],
        .argument = {(long)registers[REG_RDI], (long)registers[REG_RSI], (long)registers[REG_RDX],
                     (long)registers[REG_R10], (long)registers[REG_R8], (long)registers[REG_R9]},
        .context = interrupted,
    };
    const unsigned long outer = ol_held_enter(interrupted);
    registers[REG_RAX] = (greg_t)dispatch(&call);
    ol_held_leave(outer);
    errno = saved;
}
