/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/held.h"

#include <sys/mman.h>

#include "machine/linux/run/runtime.h"

/* More than calls hold but for long vectors: what is beyond is not remembered. Few, because small stacks hold it. */
enum { HELD_MAX = 16 };

struct held {
    unsigned long stack; /* stack pointer where the call was made */
    unsigned long address, bytes;
};

static __thread struct {
    unsigned long stack; /* of the current call */
    unsigned count;
    struct held held[HELD_MAX]; /* by age */
} mine;

static void give_up(const struct held *held)
{
    if (ol_in_window(held->address))
        ol_space_unwire(ol_runtime.memory->space, held->address, held->bytes / OL_RUN_PAGE_BYTES);
    else (void)munmap((void *)(uintptr_t)held->address, held->bytes);
}

bool ol_is_on_stack(const stack_t *stack, unsigned long pointer)
{
    return !(stack->ss_flags & SS_DISABLE) && pointer - (unsigned long)(uintptr_t)stack->ss_sp < stack->ss_size;
}

/*
 * Only a signal handler can run while a call waits, and it runs deeper on the same stack, or on the alternate one. So
 * a call that is made on the ordinary stack, and not deeper, is made after that one was left.
 */
unsigned long ol_held_enter(const ucontext_t *context)
{
    const unsigned long outer = mine.stack;
    mine.stack = (unsigned long)context->uc_mcontext.gregs[REG_RSP];
    if (!ol_is_on_stack(&context->uc_stack, mine.stack))
        while (mine.count && mine.held[mine.count - 1].stack <= mine.stack) give_up(&mine.held[--mine.count]);
    return outer;
}

void ol_held_leave(unsigned long outer)
{
    mine.stack = outer;
}

void ol_held_add(unsigned long address, unsigned long bytes)
{
    if (mine.count < HELD_MAX) mine.held[mine.count++] = (struct held){mine.stack, address, bytes};
}

void ol_held_remove(unsigned long address)
{
    if (mine.count && mine.held[mine.count - 1].address == address) mine.count--;
}

void ol_held_forget(void)
{
    mine.count = 0;
}
