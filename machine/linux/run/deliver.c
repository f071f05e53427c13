/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/run/share.h"
#include "machine/linux/run/signals.h"
#include "machine/linux/run/trap.h"
#include "machine/linux/run/user.h"
#include "machine/linux/say.h"

/* Flags of the processor that a handler does not inherit (arch/x86/kernel/signal.c): trap, direction, resume. */
enum { FLAGS_CLEARED = 0x100 | 0x400 | 0x10000, RED_ZONE_BYTES = 128 };

static const int ours[OL_OURS] = {SIGBUS, SIGSYS, SIGSEGV};

static void set_real_mask(unsigned long mask)
{
    (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&mask, 0, sizeof(mask), 0, 0);
}

static void write_mask(ucontext_t *context, unsigned long real)
{
    memcpy(&context->uc_sigmask, &real, sizeof(real));
}

/* What the program has blocked from the context on. */
static void set_mask_of_program(ucontext_t *context, unsigned long mask)
{
    write_mask(context, mask & ~OL_OURS_MASK);
    atomic_store(&ol_thread_self()->blocked, mask & OL_OURS_MASK);
}

static void queue_to(int tid, int signal, const siginfo_t *info)
{
    (void)ol_raw(SYS_rt_tgsigqueueinfo, getpid(), tid, signal, (long)(uintptr_t)info, 0, 0);
}

/* --- signals of ours that were sent while blocked ------------------------------------------------------------------
 */

enum { PENDING_NOT, PENDING_CHANGES, PENDING_IS };

static struct ol_pending of_process[OL_OURS];

/* One of a kind is kept, as the kernel does. No lock: this may interrupt whoever holds one. */
static void pending_put(struct ol_pending *pending, const siginfo_t *info)
{
    unsigned expected = PENDING_NOT;
    if (!atomic_compare_exchange_strong(&pending->state, &expected, PENDING_CHANGES)) return;
    pending->info = *info;
    atomic_store(&pending->state, PENDING_IS);
}

static bool pending_take(struct ol_pending *pending, siginfo_t *info)
{
    unsigned expected = PENDING_IS;
    if (!atomic_compare_exchange_strong(&pending->state, &expected, PENDING_CHANGES)) return false;
    *info = pending->info;
    atomic_store(&pending->state, PENDING_NOT);
    return true;
}

unsigned long ol_signals_pending(void)
{
    const struct ol_thread *thread = ol_thread_self();
    unsigned long mask = 0;
    for (int i = 0; i < OL_OURS; i++)
        if (atomic_load(&thread->pending[i].state) == PENDING_IS || atomic_load(&of_process[i].state) == PENDING_IS)
            mask |= ol_signal_bit(ours[i]);
    return mask;
}

int ol_signal_take_pending(unsigned long mask, siginfo_t *info)
{
    struct ol_thread *thread = ol_thread_self();
    for (int i = 0; i < OL_OURS; i++)
        if (mask & ol_signal_bit(ours[i]) &&
            (pending_take(&thread->pending[i], info) || pending_take(&of_process[i], info)))
            return ours[i];
    return 0;
}

void ol_signal_drop_pending(int signal)
{
    siginfo_t info;
    while (ol_signal_take_pending(ol_signal_bit(signal), &info))
        ;
}

static bool lets_through(struct ol_thread *thread, unsigned long bit)
{
    return atomic_load(&thread->tid) &&
           (!(atomic_load(&thread->blocked) & bit) || atomic_load(&thread->waits_for) & bit);
}

/* One thread may not send another what the kernel or a third sent: that waits in its record, and a signal that bears
 * the record's address tells it to look there. */
static void pass_on(struct ol_thread *other, int signal, struct ol_pending *pending, const siginfo_t *info)
{
    siginfo_t look = {.si_signo = signal, .si_code = SI_QUEUE};
    look.si_pid = ol_runtime.pid;
    look.si_value.sival_ptr = other;
    pending_put(pending, info);
    queue_to(atomic_load(&other->tid), signal, &look);
}

bool ol_signal_unwrap(siginfo_t *info)
{
    const struct ol_thread *thread = ol_thread_self();
    const bool look = ol_signal_is_ours(info->si_signo) && info->si_code == SI_QUEUE &&
                      info->si_pid == ol_runtime.pid && info->si_value.sival_ptr == thread;
    return !look || ol_signal_take_pending(ol_signal_bit(info->si_signo), info);
}

/* Sent while this thread has it blocked: another one may take it, else it waits. */
static void keep_blocked(int signal, const siginfo_t *info)
{
    struct ol_thread *thread = ol_thread_self();
    const bool to_process = info->si_code != SI_TKILL;
    struct ol_thread *other = to_process ? ol_thread_find(lets_through, ol_signal_bit(signal)) : NULL;
    for (int i = 0; i < OL_OURS; i++) {
        if (ours[i] != signal) continue;
        if (other) pass_on(other, signal, &other->pending[i], info);
        else pending_put(to_process ? &of_process[i] : &thread->pending[i], info);
    }
}

void ol_signal_defer(int signal, const siginfo_t *info, unsigned long mask)
{
    struct ol_thread *thread = ol_thread_self();
    thread->deferred = signal;
    thread->deferred_info = *info;
    thread->deferred_mask = mask;
}

void ol_signals_due(ucontext_t *context)
{
    struct ol_thread *thread = ol_thread_self();
    const int deferred = thread->deferred;
    if (deferred) {
        const siginfo_t info = thread->deferred_info;
        thread->deferred = 0;
        ol_signal_deliver(deferred, &info, context, thread->deferred_mask);
    }
    for (int i = 0; i < OL_OURS; i++) {
        const unsigned long bit = ol_signal_bit(ours[i]) & ~atomic_load(&thread->blocked);
        siginfo_t info;
        if (bit && ol_signal_take_pending(bit, &info))
            ol_signal_deliver(ours[i], &info, context, ol_mask_of_program(context));
    }
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

/* The process dies of the signal, where the context stands. */
static void die(int signal, const siginfo_t *info, ucontext_t *context)
{
    unsigned long real;
    ol_share_leave();
    ol_action_default(signal);
    memcpy(&real, &context->uc_sigmask, sizeof(real));
    write_mask(context, real & ~ol_signal_bit(signal));
    set_real_mask(~0UL); /* it is delivered when this handler returns */
    queue_to((int)ol_raw(SYS_gettid, 0, 0, 0, 0, 0, 0), signal, info);
}

/* A fault of the runtime itself: nobody can go on from there. */
static void die_of_ourselves(int signal, ucontext_t *context)
{
    unsigned long real;
    memcpy(&real, &context->uc_sigmask, sizeof(real));
    ol_say("internal error: the runtime itself faulted", NULL, NULL);
    ol_action_default(signal);
    write_mask(context, real & ~ol_signal_bit(signal)); /* the instruction is tried again */
}

/* --- calling handlers ----------------------------------------------------------------------------------------------
 */

static bool is_handler(const struct ol_action *action)
{
    return action->handler != SIG_DFL && action->handler != SIG_IGN;
}

static bool is_ignored(int signal)
{
    return ol_action_get(signal).handler == SIG_IGN;
}

static unsigned long mask_in_handler(const struct ol_action *action, int signal, unsigned long mask)
{
    return mask | action->mask | (action->flags & SA_NODEFER ? 0 : ol_signal_bit(signal));
}

/* Where the frame and, in *state, the processor's state go, as in the kernel's get_sigframe; 0: no room there. */
static unsigned long place_frame(const struct ol_action *action, const ucontext_t *context, size_t state_bytes,
                                 unsigned long *state)
{
    const stack_t *alternate = &ol_thread_self()->alternate;
    unsigned long sp = (unsigned long)context->uc_mcontext.gregs[REG_RSP];
    const bool on = ol_alternate_is_on(alternate, sp);
    bool enters = false;
    sp -= RED_ZONE_BYTES;
    if (action->flags & SA_ONSTACK && alternate->ss_size && !ol_alternate_is_on(alternate, sp)) {
        sp = (unsigned long)(uintptr_t)alternate->ss_sp + alternate->ss_size;
        enters = true;
    }
    *state = (sp - state_bytes) & ~(unsigned long)(OL_STATE_ALIGNMENT - 1);
    sp = ((*state - sizeof(struct ol_frame)) & ~15UL) - 8;
    const unsigned long first = (unsigned long)(uintptr_t)alternate->ss_sp;
    return (on || enters) && sp - first > alternate->ss_size ? 0 : sp;
}

/* Writes it, for a handler that returns to this context. */
static bool write_frame(unsigned long to, unsigned long state_to, size_t state_bytes, const siginfo_t *info,
                        const ucontext_t *context)
{
    struct ol_frame frame = {.restorer = ol_program_restorer, .info = *info};
    const void *state = context->uc_mcontext.fpregs;
    memcpy(&frame.context, context, sizeof(frame.context));
    frame.context.stack = ol_thread_self()->alternate;
    frame.context.mask = ol_mask_of_program(context);
    frame.context.machine.fpregs = state ? (fpregset_t)(uintptr_t)state_to : NULL;
    return (!state || ol_user_write(state_to, state, state_bytes)) && ol_user_write(to, &frame, sizeof(frame));
}

/* The context becomes that of the handler's first instruction. */
static void enter_handler(const struct ol_action *action, int signal, unsigned long frame, ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;
    registers[REG_RIP] = (greg_t)(uintptr_t)action->handler;
    registers[REG_RSP] = (greg_t)frame;
    registers[REG_RAX] = 0;
    registers[REG_RDI] = signal;
    registers[REG_RSI] = (greg_t)frame + (greg_t)offsetof(struct ol_frame, info);
    registers[REG_RDX] = (greg_t)frame + (greg_t)offsetof(struct ol_frame, context);
    registers[REG_EFL] &= ~(greg_t)FLAGS_CLEARED;
    context->uc_mcontext.fpregs = NULL; /* the processor's state at its beginning */
}

/* A thread without a stack of ours: it is on the stack already that the program wants, with the kernel's frame. */
static void call_in_place(const struct ol_action *action, int signal, const siginfo_t *info, ucontext_t *context,
                          unsigned long mask)
{
    struct ol_thread *thread = ol_thread_self();
    const unsigned long inside = mask_in_handler(action, signal, mask), blocked = atomic_load(&thread->blocked);
    siginfo_t copy = *info;
    unsigned long real;
    atomic_store(&thread->blocked, inside & OL_OURS_MASK);
    set_real_mask(inside & ~OL_OURS_MASK);
    action->action(signal, &copy, context);
    set_real_mask(OL_HANDLER_MASK);
    memcpy(&real, &context->uc_sigmask, sizeof(real));
    set_mask_of_program(context, real | blocked); /* the handler may have changed it */
}

static void call_handler(const struct ol_action *action, int signal, const siginfo_t *info, ucontext_t *context,
                         unsigned long mask)
{
    struct ol_thread *thread = ol_thread_self();
    const void *state = context->uc_mcontext.fpregs;
    const size_t state_bytes = state ? ol_state_bytes(state) : 0;
    unsigned long state_to;
    const unsigned long frame = place_frame(action, context, state_bytes, &state_to);
    if (!frame || !write_frame(frame, state_to, state_bytes, info, context)) {
        const siginfo_t none = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
        if (signal == SIGSEGV) die(SIGSEGV, &none, context);
        else ol_signal_fault(SIGSEGV, &none, context);
        return;
    }
    if (thread->alternate.ss_flags & OL_SS_AUTODISARM) thread->alternate = (stack_t){.ss_flags = SS_DISABLE};
    enter_handler(action, signal, frame, context);
    set_mask_of_program(context, mask_in_handler(action, signal, mask));
}

void ol_signal_deliver(int signal, const siginfo_t *info, ucontext_t *context, unsigned long mask)
{
    const struct ol_action action = ol_action_take(signal);
    if (action.handler == SIG_IGN) return;
    if (action.handler == SIG_DFL) die(signal, info, context);
    else if (ol_thread_has_stack()) call_handler(&action, signal, info, context, mask);
    else call_in_place(&action, signal, info, context, mask);
}

void ol_signal_fault(int signal, const siginfo_t *info, ucontext_t *context)
{
    const struct ol_action action = ol_action_get(signal);
    const unsigned long mask = ol_mask_of_program(context);
    if (!is_handler(&action) || mask & ol_signal_bit(signal)) die(signal, info, context);
    else ol_signal_deliver(signal, info, context, mask);
}

/* --- the kernel calls ----------------------------------------------------------------------------------------------
 */

/* Nothing of ours may be left behind while a handler runs: it waits until the trapped call is over. */
static void interrupted_call(int signal, const siginfo_t *info, ucontext_t *context, enum ol_interrupted where)
{
    struct ol_thread *thread = ol_thread_self();
    const bool waited = where == OL_INTERRUPTED_WAITING && thread->wait_mask;
    const unsigned long mask = waited ? *thread->wait_mask : ol_mask_of_program(context);
    const bool ignored = ol_signal_is_ours(signal) && is_ignored(signal);
    const bool kept = ol_signal_is_ours(signal) && !ignored &&
                      (where == OL_INTERRUPTED_NOT || thread->deferred || mask & ol_signal_bit(signal));
    if (kept) keep_blocked(signal, info); /* taken at the end of the call, if it is not blocked then */
    if (!ignored && !kept) ol_signal_defer(signal, info, mask);
    else if (where == OL_INTERRUPTED_WAITING) ol_interruptible_restart(context);
    if (where != OL_INTERRUPTED_NOT) write_mask(context, OL_HANDLER_MASK);
}

void ol_on_signal(int signal, siginfo_t *info, void *interrupted)
{
    ucontext_t *context = interrupted;
    const bool is_fault = ol_signal_is_ours(signal) && info->si_code > 0;
    if (is_fault && ol_user_refuse(context)) return;
    const enum ol_interrupted where = ol_interruptible_end(context);
    if (!ol_signal_unwrap(info)) { /* somebody took it already */
        if (where == OL_INTERRUPTED_WAITING) ol_interruptible_restart(context);
        return;
    }
    const bool inside =
        where != OL_INTERRUPTED_NOT || ol_thread_is_inside((unsigned long)context->uc_mcontext.gregs[REG_RSP]);
    if (is_fault && inside) die_of_ourselves(signal, context);
    else if (is_fault) ol_signal_fault(signal, info, context);
    else if (inside) interrupted_call(signal, info, context, where);
    else if (ol_signal_is_ours(signal) && atomic_load(&ol_thread_self()->blocked) & ol_signal_bit(signal))
        keep_blocked(signal, info);
    else ol_signal_deliver(signal, info, context, ol_mask_of_program(context));
}

/* --- and the handler returns ---------------------------------------------------------------------------------------
 */

/* The processor's state that the program's frame points to, into the room of our own frame. */
static bool take_state(ucontext_t *context, unsigned long from)
{
    char *room = (char *)context->uc_mcontext.fpregs, head[OL_STATE_BYTES];
    if (!room) return false;
    const size_t most = ol_state_bytes(room);
    if (!ol_user_read(head, from, sizeof(head))) return false;
    const size_t bytes = ol_state_bytes(head);
    /* More than this processor saves for us nobody can have; less has an end of its own. */
    return bytes <= most && bytes >= sizeof(head) && ol_user_read(room, from, bytes);
}

void ol_signal_return(ucontext_t *context)
{
    const unsigned long sp = (unsigned long)context->uc_mcontext.gregs[REG_RSP];
    const fpregset_t room = context->uc_mcontext.fpregs;
    struct ol_context theirs;
    if (!ol_user_read(&theirs, sp, sizeof(theirs)) ||
        (theirs.machine.fpregs && !take_state(context, (unsigned long)(uintptr_t)theirs.machine.fpregs))) {
        const siginfo_t none = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
        ol_signal_fault(SIGSEGV, &none, context);
        return;
    }
    memcpy(&context->uc_mcontext, &theirs.machine, sizeof(theirs.machine));
    context->uc_mcontext.fpregs = theirs.machine.fpregs ? room : NULL;
    set_mask_of_program(context, theirs.mask & ~(ol_signal_bit(SIGKILL) | ol_signal_bit(SIGSTOP)));
    (void)ol_alternate_set(ol_thread_self(), &theirs.stack, (unsigned long)theirs.machine.gregs[REG_RSP]);
}
