/* SPDX-License-Identifier: MIT */
/*
 * The program's signals. SIGBUS and SIGSYS are ours: their actions are kept here, and they are never really blocked,
 * whatever the program asks for. Everything else goes to the kernel, its masks without our two.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "machine/linux/run/held.h"
#include "machine/linux/run/runtime.h"

/* The kernel's form of an action (include/linux/signal_types.h). */
struct kernel_action {
    union {
        void (*handler)(int);
        void (*action)(int, siginfo_t *, void *);
    };
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

enum { KERNEL_MASK_BYTES = 8 };

static const unsigned long ours = 1UL << (SIGBUS - 1) | 1UL << (SIGSYS - 1);

static struct kernel_action actions[2]; /* l: the program's for SIGBUS and SIGSYS */

/* Which of ours this thread believes to have blocked. */
static __thread unsigned long blocked_of_ours;

unsigned long ol_mask_without_ours(unsigned long mask)
{
    return mask & ~ours;
}

static struct kernel_action *action_of(long signal)
{
    return signal == SIGBUS ? &actions[0] : signal == SIGSYS ? &actions[1] : NULL;
}

static long address_of(const void *p)
{
    return (long)(uintptr_t)p;
}

static unsigned long read_mask(const ucontext_t *context)
{
    unsigned long mask;
    memcpy(&mask, &context->uc_sigmask, sizeof(mask));
    return mask;
}

unsigned long ol_mask_of_program(const ucontext_t *context)
{
    return read_mask(context) | blocked_of_ours;
}

static void write_mask(ucontext_t *context, unsigned long mask)
{
    memcpy(&context->uc_sigmask, &mask, sizeof(mask));
}

/* --- sigaction -------------------------------------------------------------------------------------------------------
 */

static long action_of_ours(long signal, const struct kernel_action *set, struct kernel_action *old)
{
    struct kernel_action was, now;
    if (set) now = *set;
    ol_futex_lock(&ol_runtime.lock);
    was = *action_of(signal);
    /* A vfork child resets its own table of actions, but shares this one with its parent. */
    if (set && ol_raw(SYS_getpid, 0, 0, 0, 0, 0, 0) == ol_runtime.pid) *action_of(signal) = now;
    ol_futex_unlock(&ol_runtime.lock);
    if (old) *old = was;
    return 0;
}

static long call_sigaction(const struct ol_call *call)
{
    const long signal = call->argument[0];
    const struct kernel_action *set = (const struct kernel_action *)(uintptr_t)call->argument[1];
    struct kernel_action *old = (struct kernel_action *)(uintptr_t)call->argument[2];
    struct kernel_action copy = {0}, was = {0};
    if (call->argument[3] != KERNEL_MASK_BYTES) return -EINVAL;
    if (action_of(signal)) return action_of_ours(signal, set, old);
    if (set) {
        copy = *set;
        copy.mask = ol_mask_without_ours(copy.mask);
    }
    const long result = ol_raw(SYS_rt_sigaction, signal, set ? address_of(&copy) : 0, old ? address_of(&was) : 0,
                               KERNEL_MASK_BYTES, 0, 0);
    if (result == 0 && old) *old = was;
    return result;
}

/* --- masks
 * -------------------------------------------------------------------------------------------------------------- */

/* The mask belongs to the interrupted context: it is in force again once the handler returns. */
static long call_sigprocmask(const struct ol_call *call)
{
    const unsigned long *set = (const unsigned long *)(uintptr_t)call->argument[1];
    unsigned long *old = (unsigned long *)(uintptr_t)call->argument[2];
    const unsigned long never = 1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1);
    const unsigned long was = ol_mask_of_program(call->context);
    unsigned long now = was;
    if (call->argument[3] != KERNEL_MASK_BYTES) return -EINVAL;
    if (set) {
        switch (call->argument[0]) {
        case SIG_BLOCK: now |= *set; break;
        case SIG_UNBLOCK: now &= ~*set; break;
        case SIG_SETMASK: now = *set; break;
        default: return -EINVAL;
        }
    }
    if (old) *old = was;
    blocked_of_ours = now & ours;
    write_mask(call->context, ol_mask_without_ours(now) & ~never);
    return 0;
}

/* A call that waits under a mask of its own, given in argument `at`. */
static long call_with_mask(struct ol_call *call, int at)
{
    unsigned long mask;
    if (!call->argument[at]) return ol_wire_call(call);
    mask = ol_mask_without_ours(*(const unsigned long *)(uintptr_t)call->argument[at]);
    call->argument[at] = address_of(&mask);
    return ol_wire_call(call);
}

/* pselect6 has its mask and the mask's size behind one pointer. */
static long call_pselect(struct ol_call *call)
{
    struct {
        unsigned long mask, bytes;
    } pair;
    unsigned long mask;
    if (!call->argument[5]) return ol_wire_call(call);
    memcpy(&pair, (const void *)(uintptr_t)call->argument[5], sizeof(pair));
    if (pair.mask) {
        mask = ol_mask_without_ours(*(const unsigned long *)(uintptr_t)pair.mask);
        pair.mask = (unsigned long)address_of(&mask);
    }
    call->argument[5] = address_of(&pair);
    return ol_wire_call(call);
}

/* --- alternate stack
 * ------------------------------------------------------------------------------------------------------ */

/* The pages of a stack in the window; 0: it is off, or elsewhere. */
static uint64_t stack_pages(const stack_t *stack, ol_va *first)
{
    const unsigned long page_mask = OL_RUN_PAGE_BYTES - 1, address = (unsigned long)(uintptr_t)stack->ss_sp;
    *first = address & ~page_mask;
    if (stack->ss_flags & SS_DISABLE || !ol_in_window(address)) return 0;
    return (address + stack->ss_size - *first + page_mask) / OL_RUN_PAGE_BYTES;
}

bool ol_alternate_stack_hold(const stack_t *stack)
{
    ol_va first;
    const uint64_t pages = stack_pages(stack, &first);
    return !pages || ol_space_wire(ol_runtime.memory->space, first, pages, OL_WRITE) == OL_OK;
}

static void release_stack(const stack_t *stack)
{
    ol_va first;
    const uint64_t pages = stack_pages(stack, &first);
    if (pages) ol_space_unwire(ol_runtime.memory->space, first, pages);
}

/* The kernel writes signal frames there at any time: it stays resident. Returning from this handler restores what the
 * context says, so the change is made in the context, once the kernel has checked it. */
static long call_sigaltstack(const struct ol_call *call)
{
    const stack_t *set = (const stack_t *)(uintptr_t)call->argument[0];
    stack_t *old = (stack_t *)(uintptr_t)call->argument[1];
    const stack_t was = call->context->uc_stack;
    if (set) {
        const stack_t copy = *set;
        if (!ol_alternate_stack_hold(&copy)) return -ENOMEM;
        const long result = ol_raw(SYS_sigaltstack, address_of(&copy), 0, 0, 0, 0, 0);
        release_stack(result ? &copy : &was);
        if (result) return result;
        call->context->uc_stack = copy;
    }
    if (old) {
        *old = was;
        if (ol_is_on_stack(&was, (unsigned long)call->context->uc_mcontext.gregs[REG_RSP])) old->ss_flags |= SS_ONSTACK;
    }
    return 0;
}

bool ol_signal_call(struct ol_call *call, long *result)
{
    switch (call->number) {
    case SYS_rt_sigaction: *result = call_sigaction(call); return true;
    case SYS_rt_sigprocmask: *result = call_sigprocmask(call); return true;
    case SYS_rt_sigsuspend: *result = call_with_mask(call, 0); return true;
    case SYS_ppoll: *result = call_with_mask(call, 3); return true;
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: *result = call_with_mask(call, 4); return true;
    case SYS_pselect6: *result = call_pselect(call); return true;
    case SYS_sigaltstack: *result = call_sigaltstack(call); return true;
    default: return false;
    }
}

/* --- delivery
 * --------------------------------------------------------------------------------------------------------------- */

static void call_handler(const struct kernel_action *action, int signal, siginfo_t *info, void *context)
{
    const unsigned long handler_mask = ~(1UL << (SIGBUS - 1));
    const unsigned long mask = ol_mask_without_ours(read_mask(context) | action->mask);
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, address_of(&mask), 0, sizeof(mask), 0, 0);
    if (action->flags & SA_SIGINFO) action->action(signal, info, context);
    else action->handler(signal);
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, address_of(&handler_mask), 0, sizeof(handler_mask), 0, 0);
}

void ol_signal_deliver(int signal, siginfo_t *info, void *context)
{
    struct kernel_action action;
    ol_futex_lock(&ol_runtime.lock);
    action = *action_of(signal);
    if (action.flags & SA_RESETHAND) action_of(signal)->handler = SIG_DFL;
    ol_futex_unlock(&ol_runtime.lock);
    if (action.handler == SIG_IGN && info->si_code <= 0) return;
    if (action.handler == SIG_DFL || action.handler == SIG_IGN) {
        const struct sigaction none = {.sa_handler = SIG_DFL};
        ol_publish();
        ol_fault_chain(&none, signal, info, context);
    } else {
        call_handler(&action, signal, info, context);
    }
}

/* What the program had inherited: SIGBUS and SIGSYS may be ignored, or blocked, which must not really be so. */
void ol_signals_init(void)
{
    unsigned long mask = 0;
    (void)ol_raw(SYS_rt_sigprocmask, SIG_UNBLOCK, address_of(&ours), address_of(&mask), KERNEL_MASK_BYTES, 0, 0);
    blocked_of_ours = mask & ours;
    (void)ol_raw(SYS_rt_sigaction, SIGBUS, 0, address_of(&actions[0]), KERNEL_MASK_BYTES, 0, 0);
    (void)ol_raw(SYS_rt_sigaction, SIGSYS, 0, address_of(&actions[1]), KERNEL_MASK_BYTES, 0, 0);
}
