/* SPDX-License-Identifier: MIT */
/*
 * What a trapped call holds while it waits, remembered per thread: a signal handler may leave the call by siglongjmp,
 * or the thread be cancelled in it, and then nobody comes back to give it up. Async-signal-safe: all with signals
 * blocked.
 */
#ifndef OL_RUN_HELD_H
#define OL_RUN_HELD_H

#include <stdbool.h>
#include <ucontext.h>

/* A call was trapped in this context. Gives up what calls hold that were left. Returns what ol_held_leave wants. */
unsigned long ol_held_enter(const ucontext_t *context);
void ol_held_leave(unsigned long outer);

/* The current call holds this: wired pages of the window, or memory of the runtime's that is to be unmapped. */
void ol_held_add(unsigned long address, unsigned long bytes);
/* It gave this up itself. In the reverse order of ol_held_add. */
void ol_held_remove(unsigned long address);
/* In a forked child, whose wires are gone. */
void ol_held_forget(void);

/* Whether the stack pointer is on this alternate stack. */
bool ol_is_on_stack(const stack_t *stack, unsigned long pointer);

#endif
