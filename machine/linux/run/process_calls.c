/* SPDX-License-Identifier: MIT */
/* fork, exec, exit, and interfaces that would use buffers behind our back. */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/run/exec.h"
#include "machine/linux/run/foreign.h"
#include "machine/linux/run/runtime.h"
#include "machine/linux/run/share.h"
#include "machine/linux/run/signals.h"
#include "machine/linux/run/wires.h"
#include "machine/linux/say.h"

/* A copy of the process: both sides see the same pages, and each goes on with its own. */
static long call_fork(const struct ol_call *call)
{
    const char *why = "";
    ol_share_fork();
    ol_futex_lock(&ol_runtime.lock);
    ol_memory_fork_prepare(ol_runtime.memory);
    struct ol_call copy = *call;
    if (call->number == SYS_clone) copy.argument[1] = 0; /* the child, too, goes on on our stack first */
    const long pid = ol_call_raw(&copy);
    if (pid == 0) {
        ol_runtime.pid = getpid();
        ol_runtime.is_first = false;
    }
    const enum ol_status status = pid < 0 ? OL_OK : ol_memory_fork_done(ol_runtime.memory, pid == 0, &why);
    if (pid == 0 && status == OL_OK) {
        ol_foreign_hold_locked();
        ol_threads_forked();
        if (call->number == SYS_clone && call->argument[1])
            call->context->uc_mcontext.gregs[REG_RSP] = call->argument[1];
    }
    if (pid < 0) ol_system_fork_done(ol_runtime.memory->system, false);
    ol_share_forked((pid_t)pid, status == OL_OK);
    ol_futex_unlock(&ol_runtime.lock);
    if (status != OL_OK && pid == 0) {
        ol_say("a forked process cannot be given its memory: ", why, NULL);
        (void)ol_raw(SYS_exit_group, 125, 0, 0, 0, 0, 0);
    }
    return pid;
}

/* A thread, or another process in the same memory. */
static long call_thread(const struct ol_call *call)
{
    struct ol_wires wires = {.count = 0};
    if (call->argument[0] & CLONE_PARENT_SETTID)
        ol_wires_add_object(&wires, (unsigned long)call->argument[2], sizeof(pid_t));
    const long result = ol_thread_clone(call->argument, call->context);
    ol_wires_release(&wires);
    return result;
}

static long call_exit(const struct ol_call *call)
{
    ol_share_leave();
    /* What shares the memory but is not the process that this is of leaves its stack of ours to others. */
    if (getpid() != ol_runtime.pid) ol_thread_end(call->number, call->argument[0]);
    return ol_call_raw(call);
}

/* Debuggers start programs so. Each trapped call stops one that is traced, for the signal; a vfork child could not go
 * on then, because its parent waits for its exec. Nothing is seen of it before that, so that is when it is traced. */
static long call_trace_me(struct ol_call *call)
{
    if (call->argument[0] != PTRACE_TRACEME || getpid() == ol_runtime.pid) return ol_wire_call(call);
    ol_thread_self()->traced = getpid();
    return 0;
}

/* Those for whom the process must have one thread, and those that would leave the runtime's as it is. */
static long call_unwatched(struct ol_call *call)
{
    const bool watched = ol_share_unwatch();
    const long result = ol_wire_call(call);
    if (watched) ol_share_watch();
    return result;
}

/* Asynchronous interfaces keep using buffers after the call that named them; programs do without where they are
 * missing. */
static long refuse_async(void)
{
    atomic_fetch_add(&ol_runtime.shared->refused_io, 1);
    return -ENOSYS;
}

bool ol_process_call(struct ol_call *call, long *result)
{
    switch (call->number) {
    case SYS_fork: *result = call_fork(call); return true;
    case SYS_clone: *result = call->argument[0] & CLONE_VM ? call_thread(call) : call_fork(call); return true;
    case SYS_exit: ol_thread_end(call->number, call->argument[0]);
    case SYS_execve:
    case SYS_execveat: *result = ol_exec(call, ol_runtime.generation); return true;
    case SYS_exit_group: *result = call_exit(call); return true;
    case SYS_ptrace: *result = call_trace_me(call); return true;
    case SYS_unshare:
    case SYS_setns:
    case SYS_setuid:
    case SYS_setgid:
    case SYS_setreuid:
    case SYS_setregid:
    case SYS_setresuid:
    case SYS_setresgid:
    case SYS_setfsuid:
    case SYS_setfsgid:
    case SYS_setgroups:
    case SYS_capset: *result = call_unwatched(call); return true;
    case SYS_io_setup:
    case SYS_io_uring_setup: *result = refuse_async(); return true;
    default: return false;
    }
}
