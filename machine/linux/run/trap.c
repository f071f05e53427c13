/* SPDX-License-Identifier: MIT */
/* The handler of SIGSYS: trapped calls are made here, and their results put where the program expects them. */
#include "machine/linux/run/trap.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/run/signals.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of SIGSYS from a filter */
#endif

/* --- calls that signals may end ------------------------------------------------------------------------------------
 */

/*
 * Makes a call under this mask, and blocks all again but what handlers of ours may meet. When a signal comes, the
 * kernel's rewinding of the instruction pointer tells whether the call was made:
 *
 *      begin ... call      not yet, or it is to be made again: then it ends with OL_RESTART instead
 *      end ...             it has a result: in rax at first, in r12 from then on
 */
long ol_interruptible(const long argument[6], long number, const unsigned long *mask);
extern const char ol_interruptible_begin[], ol_interruptible_call[], ol_interruptible_after[], ol_interruptible_done[];
static const unsigned long handler_mask __asm__("ol_handler_mask") __attribute__((used)) = OL_HANDLER_MASK;
__asm__(".text\n"
        "\t.balign 16\n"
        "\t.hidden ol_interruptible, ol_interruptible_begin, ol_interruptible_call, ol_interruptible_after\n"
        "\t.hidden ol_interruptible_done\n"
        "\t.globl ol_interruptible, ol_interruptible_begin, ol_interruptible_call, ol_interruptible_after\n"
        "\t.globl ol_interruptible_done\n"
        "\t.type ol_interruptible, @function\n"
        "ol_interruptible:\n"
        "\tpushq %rbx\n"
        "\tpushq %rbp\n"
        "\tpushq %r12\n"
        "\tmovq %rdi, %rbx\n"
        "\tmovq %rsi, %rbp\n"
        "\tmovl $2, %edi\n" /* SIG_SETMASK */
        "\tmovq %rdx, %rsi\n"
        "\txorl %edx, %edx\n"
        "\tmovl $8, %r10d\n"
        "\tmovl $14, %eax\n" /* SYS_rt_sigprocmask */
        "\tsyscall\n"
        "ol_interruptible_begin:\n"
        "\tmovq 0(%rbx), %rdi\n"
        "\tmovq 8(%rbx), %rsi\n"
        "\tmovq 16(%rbx), %rdx\n"
        "\tmovq 24(%rbx), %r10\n"
        "\tmovq 32(%rbx), %r8\n"
        "\tmovq 40(%rbx), %r9\n"
        "\tmovq %rbp, %rax\n"
        "ol_interruptible_call:\n"
        "\tsyscall\n"
        "ol_interruptible_after:\n"
        "\tmovq %rax, %r12\n"
        "\tmovl $2, %edi\n"
        "\tleaq ol_handler_mask(%rip), %rsi\n"
        "\txorl %edx, %edx\n"
        "\tmovl $8, %r10d\n"
        "\tmovl $14, %eax\n"
        "\tsyscall\n"
        "ol_interruptible_done:\n"
        "\tmovq %r12, %rax\n"
        "\tpopq %r12\n"
        "\tpopq %rbp\n"
        "\tpopq %rbx\n"
        "\tret\n"
        "\t.size ol_interruptible, . - ol_interruptible\n");

/* Unwinders know it by these bytes; see ol_restorer in raw.c. The call in it is trapped: the frame may be evicted. */
__asm__(".text\n"
        "\tnop\n"
        "\t.balign 16\n"
        "\t.hidden ol_program_restorer, ol_program_restorer_end\n"
        "\t.globl ol_program_restorer, ol_program_restorer_end\n"
        "\t.type ol_program_restorer, @function\n"
        "ol_program_restorer:\n"
        "\tmovq $15, %rax\n" /* SYS_rt_sigreturn */
        "\tsyscall\n"
        "ol_program_restorer_end:\n"
        "\tud2\n"
        "\t.size ol_program_restorer, . - ol_program_restorer\n");

/* Where the result is, or NULL: there is none yet. */
static greg_t *result_in(ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;
    const greg_t ip = registers[REG_RIP], after = (greg_t)(uintptr_t)ol_interruptible_after;
    if (ip < after) return NULL;
    return ip == after ? &registers[REG_RAX] : &registers[REG_R12];
}

enum ol_interrupted ol_interruptible_end(ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;
    const greg_t ip = registers[REG_RIP];
    if (ip < (greg_t)(uintptr_t)ol_interruptible_begin || ip >= (greg_t)(uintptr_t)ol_interruptible_done)
        return OL_INTERRUPTED_NOT;
    const greg_t *result = result_in(context);
    if (result) return *result == -EINTR ? OL_INTERRUPTED_WAITING : OL_INTERRUPTED_AFTER;
    registers[REG_RIP] = (greg_t)(uintptr_t)ol_interruptible_after;
    registers[REG_RAX] = OL_RESTART;
    return OL_INTERRUPTED_BEFORE;
}

void ol_interruptible_restart(ucontext_t *context)
{
    *result_in(context) = OL_RESTART;
}

static unsigned long real_mask(const ucontext_t *context)
{
    unsigned long mask;
    memcpy(&mask, &context->uc_sigmask, sizeof(mask));
    return mask & ~OL_OURS_MASK;
}

long ol_call_interruptible(const struct ol_call *call)
{
    const unsigned long mask = real_mask(call->context);
    if (call->uninterruptible) return ol_call_raw(call);
    if (ol_thread_self()->deferred) return OL_RESTART; /* one came already, between the parts of this call */
    return ol_interruptible(call->argument, call->number, &mask);
}

/* A child that is to be traced from here on (call_trace_me in process_calls.c) is, unless its exec is going to fail. */
static void begin_trace(const struct ol_call *call)
{
    struct ol_thread *self = ol_thread_self();
    if (!self->traced || self->traced != getpid()) return;
    if (call->number == SYS_execve && ol_raw(SYS_access, call->argument[0], X_OK, 0, 0, 0, 0)) return;
    self->traced = 0;
    (void)ol_raw(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0, 0, 0);
}

long ol_call_exec(const struct ol_call *call)
{
    const unsigned long mask = ol_mask_of_program(call->context);
    if (ol_thread_self()->deferred) return OL_RESTART;
    begin_trace(call);
    ol_actions_for_exec(true);
    const long result = ol_interruptible(call->argument, call->number, &mask);
    ol_actions_for_exec(false);
    return result;
}

/* --- the handler ---------------------------------------------------------------------------------------------------
 */

static long dispatch(struct ol_call *call)
{
    long result;
    if (ol_memory_call(call, &result)) return result;
    if (ol_signal_call(call, &result)) return result;
    if (ol_process_call(call, &result)) return result;
    if (ol_descriptor_call(call, &result)) return result;
    return ol_wire_call(call);
}

static void make_call(ucontext_t *context)
{
    enum { CALL_INSTRUCTION_BYTES = 2 };
    greg_t *registers = context->uc_mcontext.gregs;
    struct ol_call call = {
        .number = (long)registers[REG_RAX],
        .argument = {(long)registers[REG_RDI], (long)registers[REG_RSI], (long)registers[REG_RDX],
                     (long)registers[REG_R10], (long)registers[REG_R8], (long)registers[REG_R9]},
        .context = context,
    };
    const long result = dispatch(&call);
    if (result == OL_RESTART) registers[REG_RIP] -= CALL_INSTRUCTION_BYTES;
    else registers[REG_RAX] = (greg_t)result;
}

void ol_on_sigsys(int signal, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    if (info->si_code != SYS_SECCOMP || info->si_errno != OL_FILTER_MARK) {
        ol_on_signal(signal, info, context);
        return;
    }
    if (interrupted->uc_mcontext.gregs[REG_RAX] == SYS_rt_sigreturn) ol_signal_return(interrupted);
    else make_call(interrupted);
    ol_signals_due(interrupted);
}
