/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filter: which system calls trap.
 *
 *      made by the kernel's own text in the process (vdso)             as the last two lines
 *      made from elsewhere than the C library's or the loader's text   pass   (so do all of ours, but where the
 *                                                                             program's handlers return to)
 *      reads or writes a buffer in the heap's beginning, which is
 *      not managed: what most programs do most                         pass
 *      clone3                                                          ENOSYS (the library falls back to clone)
 *      vfork, also as clone                                            pass   (the child goes on on this stack)
 *      ptrace(PTRACE_TRACEME)                                          trap
 *      closes or replaces a descriptor as high as ours                 trap
 *      in `always`: manages memory, signals, processes, or names
 *      addresses indirectly                                            trap
 *      some argument is an address of the window                       trap
 *      else                                                            pass
 *
 * A filter outlives exec, and there the same addresses mean something else. So the command starts the program with the
 * legacy address-space layout and this runtime gives its children the usual one: no library of theirs lies where the
 * program's did. The vdso does not move with them, but there only addresses of the window trap, and programs without
 * this runtime hardly have any.
 */
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "machine/linux/run/runtime.h"
#include "machine/linux/run/trap.h"

#define TRAP (SECCOMP_RET_TRAP | OL_FILTER_MARK)

enum { RANGES_MAX = 8, CODE_MAX = 400, WINDOW_LINES = 25 };

static const int always[] = {
    /* memory */
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_brk, SYS_madvise, SYS_mlockall, SYS_munlockall,
    /* signals */
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigsuspend, SYS_sigaltstack, SYS_pselect6, SYS_ppoll, SYS_epoll_pwait,
    SYS_epoll_pwait2, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigtimedwait,
    /* processes */
    SYS_fork, SYS_clone, SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group,
    /* the runtime's own thread is in their way, or they would pass it over */
    SYS_unshare, SYS_setns, SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid,
    SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_capset,
    /* addresses inside what they point to */
    SYS_readv, SYS_writev, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg,
    SYS_recvmmsg, SYS_process_vm_readv, SYS_process_vm_writev, SYS_vmsplice,
    /* descriptors */
    SYS_close_range,
    /* the kernel would use buffers after the call returned */
    SYS_io_uring_setup, SYS_io_setup};

enum { ALWAYS_COUNT = sizeof(always) / sizeof(always[0]) };

/* Calls with a buffer in argument 1 and its size in 2, and no other address. */
static const int transfers[] = {SYS_read, SYS_write, SYS_pread64, SYS_pwrite64};

struct range {
    uint64_t first, end;
};

struct ranges {
    struct range range[RANGES_MAX];
    unsigned count;
};

/* Text whose calls are trapped: all that the filter names, and those that name the window. */
struct origins {
    struct ranges library, vdso;
};

/* --- whose calls are trapped ---------------------------------------------------------------------------------------
 */

/* Where the text of this object belongs, or NULL. */
static struct ranges *ranges_for(struct origins *origins, const char *path)
{
    static const char *const names[] = {"libc.so.", "ld-linux-x86-64.so.", "libpthread.so.", "librt.so."};
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0) return &origins->library;
    return strncmp(name, "linux-vdso.so.", 14) == 0 ? &origins->vdso : NULL;
}

/* A range that crosses a multiple of 4 GiB becomes two: a filter compares 32 bits at a time. */
static void add_range(struct ranges *ranges, uint64_t first, uint64_t end)
{
    const uint64_t next = ((first >> 32) + 1) << 32;
    if (ranges->count == RANGES_MAX) return;
    ranges->range[ranges->count++] = (struct range){first, end < next ? end : next};
    if (end > next) add_range(ranges, next, end);
}

static int find_text(struct dl_phdr_info *object, size_t bytes, void *context)
{
    (void)bytes;
    struct ranges *ranges = object->dlpi_name ? ranges_for(context, object->dlpi_name) : NULL;
    if (!ranges) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        const uint64_t first = object->dlpi_addr + segment->p_vaddr;
        add_range(ranges, first, first + segment->p_memsz);
    }
    return 0;
}

/* --- the filter's code
 * ------------------------------------------------------------------------------------------------ */

struct code {
    struct sock_filter line[CODE_MAX];
    unsigned count;
};

static void emit(struct code *code, struct sock_filter line)
{
    if (code->count < CODE_MAX) code->line[code->count++] = line;
}

static void load(struct code *code, size_t offset)
{
    emit(code, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void jump(struct code *code, uint16_t test, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    emit(code, (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test | BPF_K), value, if_true, if_false));
}

static void answer(struct code *code, uint32_t value)
{
    emit(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
}

static size_t low_of(size_t offset)
{
    return offset; /* x86-64 is little endian */
}

static size_t high_of(size_t offset)
{
    return offset + sizeof(uint32_t);
}

/* Goes on if the call comes from none of the ranges; otherwise `lines` of code are left out. */
static void emit_origin(struct code *code, const struct ranges *ranges, unsigned lines)
{
    const size_t origin = offsetof(struct seccomp_data, instruction_pointer);
    for (unsigned i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->range[i];
        /* The address of a call is that of the next instruction, which may be the range's end. */
        const uint32_t last = (uint32_t)range->end ? (uint32_t)range->end : UINT32_MAX;
        const unsigned rest = (ranges->count - i - 1) * 5;
        load(code, high_of(origin));
        jump(code, BPF_JEQ, (uint32_t)(range->first >> 32), 0, 3);
        load(code, low_of(origin));
        jump(code, BPF_JGE, (uint32_t)range->first, 0, 1);
        jump(code, BPF_JGT, last, 0, (uint8_t)(rest + lines));
    }
}

/* Passes calls of read and write whose buffer lies below OL_HEAP_MANAGED. */
static void emit_heap(struct code *code)
{
    enum { NUMBERS = sizeof(transfers) / sizeof(transfers[0]), LINES = 12 /* after the numbers */ };
    const size_t buffer = offsetof(struct seccomp_data, args) + sizeof(uint64_t), size = buffer + sizeof(uint64_t);
    _Static_assert(!(OL_WINDOW_FIRST & UINT32_MAX), "the lower half of an address in the heap is its distance");
    load(code, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < NUMBERS; i++)
        jump(code, BPF_JEQ, (uint32_t)transfers[i], (uint8_t)(NUMBERS - 1 - i), i + 1 < NUMBERS ? 0 : LINES);
    load(code, high_of(buffer));
    jump(code, BPF_JEQ, (uint32_t)(OL_WINDOW_FIRST >> 32), 0, 10);
    load(code, high_of(size));
    jump(code, BPF_JEQ, 0, 0, 8);
    load(code, low_of(size));
    jump(code, BPF_JGT, OL_RUN_HEAP_FOREIGN_BYTES, 6, 0);
    emit(code, (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0));
    load(code, low_of(buffer));
    jump(code, BPF_JGT, OL_RUN_HEAP_FOREIGN_BYTES, 3, 0);
    emit(code, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0));
    jump(code, BPF_JGT, OL_RUN_HEAP_FOREIGN_BYTES, 1, 0);
    answer(code, SECCOMP_RET_ALLOW);
}

/* A vfork child shares the stack that a handler would make the call on. */
static void emit_vfork(struct code *code)
{
    load(code, offsetof(struct seccomp_data, nr));
    jump(code, BPF_JEQ, SYS_vfork, 0, 1);
    answer(code, SECCOMP_RET_ALLOW);
    jump(code, BPF_JEQ, SYS_clone3, 0, 1);
    answer(code, SECCOMP_RET_ERRNO | ENOSYS);
    jump(code, BPF_JEQ, SYS_clone, 0, 5);
    load(code, low_of(offsetof(struct seccomp_data, args)));
    jump(code, BPF_JSET, CLONE_VFORK, 0, 2);
    jump(code, BPF_JSET, CLONE_VM, 0, 1);
    answer(code, SECCOMP_RET_ALLOW);
    load(code, offsetof(struct seccomp_data, nr));
}

static void emit_trace_me(struct code *code)
{
    jump(code, BPF_JEQ, SYS_ptrace, 0, 4);
    load(code, low_of(offsetof(struct seccomp_data, args)));
    jump(code, BPF_JEQ, PTRACE_TRACEME, 0, 1);
    answer(code, TRAP);
    load(code, offsetof(struct seccomp_data, nr));
}

static void emit_always(struct code *code)
{
    for (unsigned i = 0; i < ALWAYS_COUNT; i++) {
        jump(code, BPF_JEQ, (uint32_t)always[i], 0, 1);
        answer(code, TRAP);
    }
}

/* Traps a call whose argument `at` is as high as a descriptor of ours. */
static void emit_high_descriptor(struct code *code, uint32_t number, unsigned at, uint32_t lowest)
{
    jump(code, BPF_JEQ, number, 0, 4);
    load(code, low_of(offsetof(struct seccomp_data, args) + at * sizeof(uint64_t)));
    jump(code, BPF_JGE, lowest, 0, 1);
    answer(code, TRAP);
    load(code, offsetof(struct seccomp_data, nr));
}

static void emit_descriptors(struct code *code)
{
    const uint32_t lowest = (uint32_t)ol_raw_next_owned(0);
    emit_high_descriptor(code, SYS_close, 0, lowest);
    emit_high_descriptor(code, SYS_dup2, 1, lowest);
    emit_high_descriptor(code, SYS_dup3, 1, lowest);
}

/* WINDOW_LINES of code. */
static void emit_window(struct code *code)
{
    const uint32_t first = (uint32_t)(OL_WINDOW_FIRST >> 32),
                   end = (uint32_t)((OL_WINDOW_FIRST + OL_WINDOW_BYTES) >> 32);
    for (unsigned i = 0; i < 6; i++) {
        load(code, high_of(offsetof(struct seccomp_data, args) + i * sizeof(uint64_t)));
        jump(code, BPF_JGE, first, 0, 2);
        jump(code, BPF_JGE, end, 1, 0);
        answer(code, TRAP);
    }
    answer(code, SECCOMP_RET_ALLOW);
}

static void emit_all(struct code *code, const struct origins *origins)
{
    load(code, offsetof(struct seccomp_data, arch));
    jump(code, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
    answer(code, SECCOMP_RET_ALLOW);
    emit_origin(code, &origins->library, origins->vdso.count * 5 + 1 + WINDOW_LINES);
    emit_origin(code, &origins->vdso, 1);
    answer(code, SECCOMP_RET_ALLOW);
    emit_window(code);
    emit_heap(code);
    emit_vfork(code);
    emit_trace_me(code);
    emit_descriptors(code);
    emit_always(code);
    emit_window(code);
}

const char *ol_filter_install(void)
{
    struct origins origins = {.library.count = 0};
    static struct code code;
    (void)dl_iterate_phdr(find_text, &origins);
    if (!origins.library.count) return "the C library's text was not found";
    add_range(&origins.library, (uintptr_t)ol_program_restorer, (uintptr_t)ol_program_restorer_end);
    emit_all(&code, &origins);
    const struct sock_fprog program = {.len = (unsigned short)code.count, .filter = code.line};
    if (code.count == CODE_MAX) return "the system-call filter is too long";
    /* Root may do without giving up set-user-ID programs; others must not. */
    if (ol_raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)(uintptr_t)&program, 0, 0, 0) == 0) return NULL;
    (void)ol_raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    if (ol_raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)(uintptr_t)&program, 0, 0, 0) == 0) return NULL;
    return "the kernel refuses a seccomp filter";
}
