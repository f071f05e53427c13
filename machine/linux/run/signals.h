/* SPDX-License-Identifier: MIT */
/*
 * The program's signals: its actions and masks as it set them, and handlers called as the kernel would.
 *
 * Every handler of the program's is called by the runtime: the kernel calls ol_on_signal on the thread's stack of ours,
 * which writes the kernel's frame where the program expects it, and continues in the handler by returning there. So
 * frames are written by user code, which may meet a fault, and nothing stays on our stack while a handler runs. The
 * handler returns to ol_program_restorer, whose sigreturn is trapped, and takes the frame back likewise.
 *
 * A signal that comes while a trapped call waits ends that call, as in the kernel: the call gives up what it holds, its
 * result (or that it is to be made again) is put into the program's context, and then the handler is called.
 *
 * In the names: a mask `of the program` has the signals of ours (OL_OURS_MASK) as the program set them; a `real` one is
 * the kernel's, and never has them.
 */
#ifndef OL_RUN_SIGNALS_H
#define OL_RUN_SIGNALS_H

#include "machine/linux/run/frame.h"
#include "machine/linux/run/runtime.h"
#include "machine/linux/run/thread.h"

enum { OL_SIGNALS = 64 };

static inline unsigned long ol_signal_bit(int signal)
{
    return 1UL << (signal - 1);
}

static inline bool ol_signal_is_ours(int signal)
{
    return OL_OURS_MASK & ol_signal_bit(signal);
}

/* --- signal_calls.c ------------------------------------------------------------------------------------------------
 */

/* The program's action, to be called for now: SA_RESETHAND takes effect. */
struct ol_action ol_action_take(int signal);
/* Its action as it is. */
struct ol_action ol_action_get(int signal);
/* The kernel's action becomes the default one. */
void ol_action_default(int signal);
/* Around an exec: what the program ignores is ignored in what it executes, too. */
void ol_actions_for_exec(bool begin);
/* As sigaltstack(2) does with a stack pointer of the program's: 0 or a negative errno. */
long ol_alternate_set(struct ol_thread *thread, const stack_t *stack, unsigned long stack_pointer);
/* True if the stack pointer is on the program's alternate stack. */
bool ol_alternate_is_on(const stack_t *stack, unsigned long stack_pointer);

/* --- deliver.c -----------------------------------------------------------------------------------------------------
 */

void ol_on_signal(int signal, siginfo_t *info, void *context);
/* Makes the program's context one in which the signal's handler begins; or the process ends. `mask`: the program's,
 * where the signal came. The caller holds nothing and returns from its own handler next. */
void ol_signal_deliver(int signal, const siginfo_t *info, ucontext_t *context, unsigned long mask);
/* A fault of the instruction at which the context stands: cannot be blocked or ignored. */
void ol_signal_fault(int signal, const siginfo_t *info, ucontext_t *context);
/* At the end of a trapped call: delivers what came meanwhile, or is no longer blocked. */
void ol_signals_due(ucontext_t *context);
/* rt_sigreturn at the program's stack pointer: its frame's context becomes this one. */
void ol_signal_return(ucontext_t *context);
/* Of ours: what waits to be delivered to this thread. */
unsigned long ol_signals_pending(void);
/* Takes one of these that waits: its number, or 0. */
int ol_signal_take_pending(unsigned long mask, siginfo_t *info);
/* Of ours, sent by a thread of this process for another that had it blocked: becomes what was sent first. False: that
 * is taken already. */
bool ol_signal_unwrap(siginfo_t *info);
/* The program ignores this signal of ours from now on: what waits is dropped. */
void ol_signal_drop_pending(int signal);
/* It is delivered when the trapped call under way has ended. */
void ol_signal_defer(int signal, const siginfo_t *info, unsigned long mask);

#endif
