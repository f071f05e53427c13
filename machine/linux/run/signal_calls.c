/* SPDX-License-Identifier: MIT */
/*
 * The program's signals: what it asks for. Its actions are kept here: the kernel's are ours (deliver.c) wherever it has
 * a handler, and always for OL_OURS_MASK. Those are never really blocked, whatever it asks for, nor in any mask that
 * the kernel gets; the program is told what it asked for.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/run/signals.h"
#include "machine/linux/run/trap.h"
#include "machine/linux/run/user.h"

enum { KERNEL_MASK_BYTES = 8 };

#define NEVER_MASK (1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1))
/* Flags that a kernel of today keeps, and those that it must see for our handler, too. */
#define KNOWN_FLAGS                                                                                                    \
    ((unsigned long)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER) | 0x80000000UL | \
     OL_SA_RESTORER | 0x800UL)
#define KERNEL_FLAGS ((unsigned long)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_RESTART))

static struct ol_action actions[OL_SIGNALS + 1]; /* l: the program's */

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
    return (read_mask(context) & ~OL_OURS_MASK) | atomic_load(&ol_thread_self()->blocked);
}

/* --- actions -------------------------------------------------------------------------------------------------------
 */

/* A vfork child has its own table of actions in the kernel, but this memory is its parent's. */
static bool is_vfork_child(void)
{
    return getpid() != ol_runtime.pid;
}

static long kernel_action(int signal, const struct ol_action *set, struct ol_action *old)
{
    return ol_raw(SYS_rt_sigaction, signal, address_of(set), address_of(old), KERNEL_MASK_BYTES, 0, 0);
}

static bool is_handler(const struct ol_action *action)
{
    return action->handler != SIG_DFL && action->handler != SIG_IGN;
}

/* What the kernel is to do where the program wants `action`. */
static void install(int signal, const struct ol_action *action)
{
    struct ol_action real = {.action = ol_on_signal,
                             .flags = SA_SIGINFO | SA_ONSTACK | OL_SA_RESTORER | (action->flags & KERNEL_FLAGS),
                             .restorer = ol_restorer,
                             .mask = OL_HANDLER_MASK};
    if (!is_handler(action) && !ol_signal_is_ours(signal)) {
        real.handler = action->handler;
        real.flags = action->flags & KERNEL_FLAGS;
        real.mask = 0;
    } else if (signal == ol_runtime.fault_signal) {
        real.action = ol_on_fault;
        real.mask = ~0UL; /* until it is out of the core */
    } else if (signal == SIGSYS) {
        real.action = ol_on_sigsys;
    } else if (signal == SIGSEGV) {
        real.flags |= SA_NODEFER; /* writing its frame may meet another */
    }
    (void)kernel_action(signal, &real, NULL);
}

struct ol_action ol_action_get(int signal)
{
    return actions[signal]; /* at worst an action that is being changed: a handler is one word */
}

struct ol_action ol_action_take(int signal)
{
    ol_futex_lock(&ol_runtime.lock);
    const struct ol_action action = actions[signal];
    if (action.flags & (unsigned)SA_RESETHAND && is_handler(&action)) {
        actions[signal].handler = SIG_DFL;
        install(signal, &actions[signal]);
    }
    ol_futex_unlock(&ol_runtime.lock);
    return action;
}

void ol_action_default(int signal)
{
    const struct ol_action action = {.handler = SIG_DFL};
    (void)kernel_action(signal, &action, NULL);
}

static void set_action(int signal, const struct ol_action *set, struct ol_action *was)
{
    const bool shared = is_vfork_child();
    ol_futex_lock(&ol_runtime.lock);
    *was = actions[signal];
    if (!shared) actions[signal] = *set;
    install(signal, set);
    ol_futex_unlock(&ol_runtime.lock);
    if (!shared && set->handler == SIG_IGN && ol_signal_is_ours(signal)) ol_signal_drop_pending(signal);
}

static long call_sigaction(const struct ol_call *call)
{
    const long signal = call->argument[0];
    const unsigned long set = (unsigned long)call->argument[1], old = (unsigned long)call->argument[2];
    struct ol_action action = {.flags = 0}, was;
    if (call->argument[3] != KERNEL_MASK_BYTES) return -EINVAL;
    if (set && !ol_user_read(&action, set, sizeof(action))) return -EFAULT;
    if (signal < 1 || signal > OL_SIGNALS || (set && NEVER_MASK & ol_signal_bit((int)signal))) return -EINVAL;
    action.flags &= KNOWN_FLAGS;
    action.mask &= ~NEVER_MASK;
    if (set) set_action((int)signal, &action, &was);
    else was = ol_action_get((int)signal);
    return old && !ol_user_write(old, &was, sizeof(was)) ? -EFAULT : 0;
}

void ol_actions_for_exec(bool begin)
{
    static const int signals[] = {SIGBUS, SIGSYS, SIGSEGV};
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        const struct ol_action ignore = {.handler = SIG_IGN};
        if (actions[signals[i]].handler != SIG_IGN) continue;
        if (begin) (void)kernel_action(signals[i], &ignore, NULL);
        else install(signals[i], &ignore);
    }
}

/* --- masks ---------------------------------------------------------------------------------------------------------
 */

/* Reads a mask of the program's. */
static bool take_mask(unsigned long from, unsigned long *mask)
{
    if (!ol_user_read(mask, from, sizeof(*mask))) return false;
    *mask &= ~NEVER_MASK;
    return true;
}

/* The mask belongs to the interrupted context: it is in force again once the handler returns. */
static long call_sigprocmask(const struct ol_call *call)
{
    const unsigned long set = (unsigned long)call->argument[1], old = (unsigned long)call->argument[2];
    const unsigned long was = ol_mask_of_program(call->context);
    unsigned long now = was, given;
    if (call->argument[3] != KERNEL_MASK_BYTES) return -EINVAL;
    if (set) {
        if (!take_mask(set, &given)) return -EFAULT;
        switch ((int)call->argument[0]) {
        case SIG_BLOCK: now |= given; break;
        case SIG_UNBLOCK: now &= ~given; break;
        case SIG_SETMASK: now = given; break;
        default: return -EINVAL;
        }
        const unsigned long real = now & ~OL_OURS_MASK;
        memcpy(&call->context->uc_sigmask, &real, sizeof(real));
        atomic_store(&ol_thread_self()->blocked, now & OL_OURS_MASK);
    }
    return old && !ol_user_write(old, &was, sizeof(was)) ? -EFAULT : 0;
}

/* Makes a call that waits under a mask of the program's; *real is where the kernel reads it. */
static long wait_under(struct ol_call *call, unsigned long mask, unsigned long *real)
{
    struct ol_thread *thread = ol_thread_self();
    siginfo_t info;
    const int pending = ol_signal_take_pending(OL_OURS_MASK & ~mask, &info);
    if (pending) {
        ol_signal_defer(pending, &info, mask);
        return -EINTR;
    }
    *real = mask & ~OL_OURS_MASK;
    thread->wait_mask = &mask;
    const long result = ol_wire_call(call);
    thread->wait_mask = NULL;
    return result;
}

/* A call that waits under a mask of its own, given in argument `at`, its size in the next. */
static long call_with_mask(struct ol_call *call, int at)
{
    unsigned long mask, real;
    if (!call->argument[at]) return ol_wire_call(call);
    if (call->argument[at + 1] != KERNEL_MASK_BYTES) return -EINVAL;
    if (!take_mask((unsigned long)call->argument[at], &mask)) return -EFAULT;
    call->argument[at] = address_of(&real);
    return wait_under(call, mask, &real);
}

/* pselect6 has its mask and the mask's size behind one pointer. */
static long call_pselect(struct ol_call *call)
{
    struct {
        unsigned long mask, bytes;
    } pair;
    unsigned long mask, real;
    if (!call->argument[5]) return ol_wire_call(call);
    if (!ol_user_read(&pair, (unsigned long)call->argument[5], sizeof(pair))) return -EFAULT;
    if (!pair.mask) return ol_wire_call(call);
    if (pair.bytes != KERNEL_MASK_BYTES) return -EINVAL;
    if (!take_mask(pair.mask, &mask)) return -EFAULT;
    pair.mask = (unsigned long)address_of(&real);
    call->argument[5] = address_of(&pair);
    return wait_under(call, mask, &real);
}

/* --- signals that wait ---------------------------------------------------------------------------------------------
 */

static long call_sigpending(const struct ol_call *call)
{
    unsigned long mask = 0;
    const unsigned long bytes = (unsigned long)call->argument[1];
    if (bytes > sizeof(mask)) return -EINVAL;
    const long result = ol_raw(SYS_rt_sigpending, address_of(&mask), sizeof(mask), 0, 0, 0, 0);
    if (result) return result;
    mask |= ol_signals_pending() & ol_mask_of_program(call->context);
    return ol_user_write((unsigned long)call->argument[0], &mask, bytes) ? 0 : -EFAULT;
}

static long call_sigtimedwait(struct ol_call *call)
{
    struct ol_thread *thread = ol_thread_self();
    const unsigned long to = (unsigned long)call->argument[1];
    unsigned long set;
    siginfo_t info;
    if (call->argument[3] != KERNEL_MASK_BYTES) return -EINVAL;
    if (!take_mask((unsigned long)call->argument[0], &set)) return -EFAULT;
    atomic_store(&thread->waits_for, set & OL_OURS_MASK); /* before looking: who sends meanwhile sends it here */
    long result = ol_signal_take_pending(set, &info);
    if (!result) {
        call->argument[0] = address_of(&set);
        call->argument[1] = address_of(&info);
        result = ol_wire_call(call);
        if (result > 0 && !ol_signal_unwrap(&info)) result = OL_RESTART;
    }
    atomic_store(&thread->waits_for, 0);
    return result > 0 && to && !ol_user_write(to, &info, sizeof(info)) ? -EFAULT : result;
}

/* --- alternate stack -----------------------------------------------------------------------------------------------
 */

bool ol_alternate_is_on(const stack_t *stack, unsigned long stack_pointer)
{
    const unsigned long first = (unsigned long)(uintptr_t)stack->ss_sp;
    if (stack->ss_flags & OL_SS_AUTODISARM) return false;
    return stack_pointer > first && stack_pointer - first <= stack->ss_size;
}

long ol_alternate_set(struct ol_thread *thread, const stack_t *stack, unsigned long stack_pointer)
{
    const int mode = stack->ss_flags & ~OL_SS_AUTODISARM;
    stack_t now = *stack;
    if (ol_alternate_is_on(&thread->alternate, stack_pointer)) return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) return -EINVAL;
    if (mode == SS_DISABLE) {
        now.ss_sp = NULL;
        now.ss_size = 0;
    } else if (now.ss_size < OL_MINSIGSTKSZ) {
        return -ENOMEM;
    }
    thread->alternate = now;
    return 0;
}

/* The kernel's is our own stack; this one it never knows. */
static long call_sigaltstack(const struct ol_call *call)
{
    struct ol_thread *thread = ol_thread_self();
    const unsigned long sp = (unsigned long)call->context->uc_mcontext.gregs[REG_RSP];
    stack_t set, was;
    memset(&was, 0, sizeof(was));
    was.ss_sp = thread->alternate.ss_sp;
    was.ss_size = thread->alternate.ss_size;
    was.ss_flags = thread->alternate.ss_flags & OL_SS_AUTODISARM;
    if (!was.ss_size) was.ss_flags |= SS_DISABLE;
    else if (ol_alternate_is_on(&thread->alternate, sp)) was.ss_flags |= SS_ONSTACK;
    if (call->argument[0]) {
        if (!ol_user_read(&set, (unsigned long)call->argument[0], sizeof(set))) return -EFAULT;
        const long result = ol_alternate_set(thread, &set, sp);
        if (result) return result;
    }
    return call->argument[1] && !ol_user_write((unsigned long)call->argument[1], &was, sizeof(was)) ? -EFAULT : 0;
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
    case SYS_rt_sigpending: *result = call_sigpending(call); return true;
    case SYS_rt_sigtimedwait: *result = call_sigtimedwait(call); return true;
    case SYS_sigaltstack: *result = call_sigaltstack(call); return true;
    default: return false;
    }
}

/* --- the beginning -------------------------------------------------------------------------------------------------
 */

/* What the program had inherited: signals of ours may be ignored, or blocked, which must not really be so; and another
 * library may have installed handlers already. */
void ol_signals_init(void)
{
    const unsigned long ours = OL_OURS_MASK;
    unsigned long mask = 0;
    (void)ol_raw(SYS_rt_sigprocmask, SIG_UNBLOCK, address_of(&ours), address_of(&mask), KERNEL_MASK_BYTES, 0, 0);
    /* This runs on the program's stack: its record is found from ours alone. */
    atomic_store(&ol_thread_first()->blocked, mask & OL_OURS_MASK);
    for (int signal = 1; signal <= OL_SIGNALS; signal++) {
        if (kernel_action(signal, NULL, &actions[signal])) continue;
        if (is_handler(&actions[signal]) || ol_signal_is_ours(signal)) install(signal, &actions[signal]);
    }
}
