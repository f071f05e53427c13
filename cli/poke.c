/* SPDX-License-Identifier: MIT */
#include "cli/poke.h"

#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

enum { STATE_BYTES = 32 << 10, WAIT_MS = 100, STEP_US = 500 };

/* What the thread had, to be given back. */
struct context {
    struct user_regs_struct registers;
    uint64_t mask;
    struct iovec vectors; /* the extended state: x87, SSE, AVX and what else there is */
};

static void *number(uint64_t value)
{
    return (void *)(uintptr_t)value;
}

/* Waits for the process to stop: the signal, and above it the event, as in waitid(2); 0 if it does not. Its end is left
 * to be waited for. */
static int wait_stopped(pid_t pid)
{
    const struct timespec step = {.tv_nsec = STEP_US * 1000L};
    for (int i = 0; i < WAIT_MS * 1000 / STEP_US; i++) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_PID, (id_t)pid, &info, __WALL | WNOHANG | WSTOPPED)) return 0;
        if (info.si_pid == pid) return info.si_status;
        (void)nanosleep(&step, NULL);
    }
    return 0;
}

static bool save(pid_t pid, struct context *context)
{
    return ptrace(PTRACE_GETREGS, pid, NULL, &context->registers) == 0 &&
           ptrace(PTRACE_GETSIGMASK, pid, number(sizeof(context->mask)), &context->mask) == 0 &&
           ptrace(PTRACE_GETREGSET, pid, number(NT_X86_XSTATE), &context->vectors) == 0;
}

/* The system call that was stopped, if there was one, is begun again by the kernel, as its registers say. */
static void restore(pid_t pid, struct context *context)
{
    (void)ptrace(PTRACE_SETREGSET, pid, number(NT_X86_XSTATE), &context->vectors);
    (void)ptrace(PTRACE_SETREGS, pid, NULL, &context->registers);
    (void)ptrace(PTRACE_SETSIGMASK, pid, number(sizeof(context->mask)), &context->mask);
}

/* Calls the runtime's function on a stack of the runtime's, with all signals blocked; it ends in a trap. */
static bool call(pid_t pid, const struct ol_run_process *process, const struct context *context)
{
    struct user_regs_struct registers = context->registers;
    const uint64_t all = ~(uint64_t)0;
    registers.rip = atomic_load(&process->enter_address);
    registers.rsp = atomic_load(&process->enter_stack);
    registers.orig_rax = ~0ULL;    /* it is in no system call now: there is nothing to begin again yet */
    registers.eflags &= ~0x400ULL; /* the direction flag, as functions expect it */
    if (ptrace(PTRACE_SETSIGMASK, pid, number(sizeof(all)), &all) || ptrace(PTRACE_SETREGS, pid, NULL, &registers))
        return false;
    for (long deliver = 0;;) {
        if (ptrace(PTRACE_CONT, pid, NULL, number((uint64_t)deliver))) return false;
        const int status = wait_stopped(pid);
        if (!status) return false;
        if (status == SIGTRAP) return true;
        deliver = status >> 8 ? 0 : status;
    }
}

bool ol_poke(pid_t pid, const struct ol_run_process *process)
{
    static char state[STATE_BYTES];
    struct context context = {.vectors = {state, sizeof(state)}};
    bool good = false;
    if (!atomic_load(&process->enter_address) || ptrace(PTRACE_SEIZE, pid, NULL, NULL)) return false;
    if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0) {
        if (wait_stopped(pid) == (SIGTRAP | PTRACE_EVENT_STOP << 8) && save(pid, &context)) {
            good = call(pid, process, &context);
            restore(pid, &context);
        }
    }
    (void)ptrace(PTRACE_DETACH, pid, NULL, NULL); /* fails unless it is stopped: ol_poke_let_go comes later */
    return good;
}

void ol_poke_let_go(pid_t except)
{
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, __WALL | WNOHANG | WNOWAIT | WEXITED | WSTOPPED) || !info.si_pid) return;
        const bool stopped = info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED;
        if (info.si_pid == except && !stopped) return;
        const pid_t pid = info.si_pid;
        if (waitid(P_PID, (id_t)pid, &info, __WALL | WNOHANG | (stopped ? WSTOPPED : WEXITED))) return;
        if (info.si_code == CLD_TRAPPED)
            (void)ptrace(PTRACE_DETACH, pid, NULL, number(info.si_status >> 8 ? 0 : (uint64_t)info.si_status));
    }
}
