/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/thread.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/run/foreign.h"
#include "machine/linux/run/frame.h"
#include "machine/linux/run/runtime.h"

/* A place for a stack: never used; ready, without memory; somebody's. */
enum { PLACE_NEW, PLACE_FREE, PLACE_USED };

char *ol_stacks;
static atomic_uchar places[OL_STACKS_MAX];
static __thread struct ol_thread spare;

/* The C library's restartable sequences: where each thread has them (exported, GLIBC_2.35). */
extern const ptrdiff_t __rseq_offset __attribute__((weak));

/* How much of a thread's own data, from its thread pointer on, the kernel may write at any time: the thread's number,
 * the list of robust mutexes, restartable sequences. What the C library 2.36 has there takes less. */
enum { THREAD_DATA_BYTES = 2560, ROBUST_BYTES = 24, RSEQ_SIGNATURE = 0x53053053 };

static unsigned long stack_pointer(void)
{
    return (unsigned long)(uintptr_t)__builtin_frame_address(0);
}

static char *place_of(unsigned index)
{
    return ol_stacks + (size_t)index * OL_STACK_BYTES;
}

static struct ol_thread *record_of(unsigned index)
{
    const size_t room = (sizeof(struct ol_thread) + OL_STATE_ALIGNMENT - 1) / OL_STATE_ALIGNMENT * OL_STATE_ALIGNMENT;
    return (struct ol_thread *)(void *)(place_of(index) + OL_STACK_BYTES - room);
}

/* What of the place is the stack: all but its guard page and the record. */
static stack_t stack_of(unsigned index)
{
    assert(ol_stacks);
    char *first = place_of(index) + OL_RUN_PAGE_BYTES;
    return (stack_t){.ss_sp = first, .ss_size = (size_t)((char *)record_of(index) - first)};
}

/* The place that this address lies in, or OL_STACKS_MAX. */
static unsigned index_of(unsigned long address)
{
    const unsigned long offset = address - (unsigned long)(uintptr_t)ol_stacks;
    return ol_stacks && offset < (unsigned long)OL_STACKS_MAX * OL_STACK_BYTES ? (unsigned)(offset / OL_STACK_BYTES)
                                                                               : OL_STACKS_MAX;
}

struct ol_thread *ol_thread_self(void)
{
    const unsigned index = index_of(stack_pointer());
    return index < OL_STACKS_MAX ? record_of(index) : &spare;
}

struct ol_thread *ol_thread_first(void)
{
    return record_of(0);
}

bool ol_thread_has_stack(void)
{
    return index_of(stack_pointer()) < OL_STACKS_MAX;
}

bool ol_thread_is_inside(unsigned long address)
{
    const unsigned index = index_of(stack_pointer());
    return index < OL_STACKS_MAX && index_of(address) == index;
}

/* --- places --------------------------------------------------------------------------------------------------------
 */

/* A place for a new thread, its record zero; OL_STACKS_MAX if there is none. */
static unsigned take_place(void)
{
    for (unsigned i = 0; i < OL_STACKS_MAX; i++) {
        unsigned char was = atomic_load_explicit(&places[i], memory_order_relaxed);
        if (was == PLACE_USED || !atomic_compare_exchange_strong(&places[i], &was, PLACE_USED)) continue;
        if (was == PLACE_FREE) return i;
        if (ol_raw(SYS_mprotect, (long)(uintptr_t)place_of(i) + OL_RUN_PAGE_BYTES, OL_STACK_BYTES - OL_RUN_PAGE_BYTES,
                   PROT_READ | PROT_WRITE, 0, 0, 0) == 0)
            return i;
        atomic_store(&places[i], PLACE_NEW);
        return OL_STACKS_MAX;
    }
    return OL_STACKS_MAX;
}

static void give_place(unsigned index)
{
    (void)madvise(place_of(index), OL_STACK_BYTES, MADV_DONTNEED);
    atomic_store(&places[index], PLACE_FREE);
}

bool ol_threads_init(void)
{
    const size_t bytes = (size_t)OL_STACKS_MAX * OL_STACK_BYTES;
    void *place = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) return false;
    (void)madvise(place, bytes, MADV_NOHUGEPAGE);
    ol_stacks = place;
    const unsigned first = take_place();
    if (first == OL_STACKS_MAX) return false;
    const stack_t stack = stack_of(first);
    record_of(first)->alternate.ss_flags = SS_DISABLE;
    atomic_store(&record_of(first)->tid, getpid());
    return ol_raw(SYS_sigaltstack, (long)(uintptr_t)&stack, 0, 0, 0, 0, 0) == 0;
}

struct ol_thread *ol_thread_find(bool (*visit)(struct ol_thread *thread, unsigned long wanted), unsigned long wanted)
{
    const struct ol_thread *self = ol_thread_self();
    for (unsigned i = 0; i < OL_STACKS_MAX; i++) {
        const unsigned char state = atomic_load(&places[i]);
        if (state == PLACE_NEW) return NULL; /* they are taken in order */
        if (state == PLACE_USED && record_of(i) != self && visit(record_of(i), wanted)) return record_of(i);
    }
    return NULL;
}

/* --- a thread's own data in managed memory -------------------------------------------------------------------------
 */

/* The kernel writes there by itself: these pages stay. False: no frames. */
static bool hold_data(struct ol_thread *thread)
{
    return !thread->tls_pages ||
           ol_space_wire(ol_runtime.memory->space, thread->tls, thread->tls_pages, OL_WRITE) == OL_OK;
}

static bool take_data(struct ol_thread *thread, unsigned long tls, unsigned long clear_tid)
{
    const unsigned long page_mask = OL_RUN_PAGE_BYTES - 1, first = tls & ~page_mask;
    if (!ol_in_window(tls) || ol_foreign_overlaps(tls, 1)) return true;
    thread->tls = first;
    thread->tls_pages = (uint32_t)((tls + THREAD_DATA_BYTES - first + page_mask) / OL_RUN_PAGE_BYTES);
    thread->clear_tid = clear_tid;
    if (hold_data(thread)) return true;
    thread->tls_pages = 1; /* the end of the mapping may be nearer */
    if (hold_data(thread)) return true;
    thread->tls_pages = 0;
    return false;
}

static void drop_data(struct ol_thread *thread)
{
    if (thread->tls_pages) ol_space_unwire(ol_runtime.memory->space, thread->tls, thread->tls_pages);
    thread->tls_pages = 0;
}

/* What the kernel would do with that data when the thread ends is done now, so that the pages can be let go before. */
static void end_data(struct ol_thread *thread)
{
    unsigned long thread_pointer;
    struct {
        void *next;
        long offset;
        void *pending;
    } *robust = NULL;
    size_t bytes = 0;
    if (!thread->tls_pages) return;
    __asm__("movq %%fs:0, %0" : "=r"(thread_pointer));
    if (&__rseq_offset)
        (void)ol_raw(SYS_rseq, (long)thread_pointer + __rseq_offset, sizeof(struct rseq), RSEQ_FLAG_UNREGISTER,
                     RSEQ_SIGNATURE, 0, 0);
    (void)ol_raw(SYS_get_robust_list, 0, (long)(uintptr_t)&robust, (long)(uintptr_t)&bytes, 0, 0, 0);
    if (robust && robust->next != robust) return; /* it dies with mutexes held: the kernel finds them there */
    (void)ol_raw(SYS_set_robust_list, 0, ROBUST_BYTES, 0, 0, 0, 0);
    (void)ol_raw(SYS_set_tid_address, 0, 0, 0, 0, 0, 0);
    const unsigned long word = thread->clear_tid;
    drop_data(thread);
    if (!word) return;
    *(volatile int *)(uintptr_t)word = 0; /* from here on the memory may be another's */
    (void)ol_raw(SYS_futex, (long)word, FUTEX_WAKE, 1, 0, 0, 0);
}

/* --- beginning and end ---------------------------------------------------------------------------------------------
 */

/* clone(); the child finds a struct ol_context at its stack pointer, tells its number and goes on there. */
long ol_thread_spawn(long flags, long stack, long parent_tid, long child_tid, long tls);
void ol_thread_started(void);
__asm__(".text\n"
        "\t.balign 16\n"
        "\t.hidden ol_thread_spawn\n"
        "\t.globl ol_thread_spawn\n"
        "\t.type ol_thread_spawn, @function\n"
        "ol_thread_spawn:\n"
        "\tmovq %rcx, %r10\n"
        "\tmovl $56, %eax\n" /* SYS_clone */
        "\tsyscall\n"
        "\ttestq %rax, %rax\n"
        "\tjz 1f\n"
        "\tret\n"
        "1:\tmovq %rsp, %rbx\n"
        "\tandq $-16, %rsp\n"
        "\tcall ol_thread_started\n"
        "\tmovq %rbx, %rsp\n"
        "\tmovl $15, %eax\n" /* SYS_rt_sigreturn */
        "\tsyscall\n"
        "\tud2\n"
        "\t.size ol_thread_spawn, . - ol_thread_spawn\n");

__attribute__((used, visibility("hidden"))) void ol_thread_started(void)
{
    atomic_store(&ol_thread_self()->tid, (int)ol_raw(SYS_gettid, 0, 0, 0, 0, 0, 0));
}

/* Frees the memory of a stack while it runs on it, notes that it is free, and makes the call that does not return. */
_Noreturn void ol_thread_leave(void *place, size_t bytes, atomic_uchar *state, long number, long status);
__asm__(".text\n"
        "\t.balign 16\n"
        "\t.hidden ol_thread_leave\n"
        "\t.globl ol_thread_leave\n"
        "\t.type ol_thread_leave, @function\n"
        "ol_thread_leave:\n"
        "\tmovq %rdx, %rbx\n"
        "\tmovq %rcx, %r12\n"
        "\tmovq %r8, %r13\n"
        "\tmovl $4, %edx\n"  /* MADV_DONTNEED */
        "\tmovl $28, %eax\n" /* SYS_madvise */
        "\tsyscall\n"
        "\tmovb $1, (%rbx)\n" /* PLACE_FREE */
        "\tmovq %r12, %rax\n"
        "\tmovq %r13, %rdi\n"
        "\tsyscall\n"
        "\tud2\n"
        "\t.size ol_thread_leave, . - ol_thread_leave\n");

/* Where the new thread begins: as its parent was interrupted, but for the stack and the result. Lies on the new
 * thread's stack of ours, below the processor's state. */
static struct ol_context *first_context(unsigned index, const ucontext_t *parent, unsigned long stack)
{
    const stack_t ours = stack_of(index);
    const void *state = parent->uc_mcontext.fpregs;
    const size_t bytes = state ? ol_state_bytes(state) : 0;
    /* A stack of ours begins with a page. */
    char *copy = (char *)ours.ss_sp + ((ours.ss_size - bytes) & ~(size_t)(OL_STATE_ALIGNMENT - 1));
    struct ol_context *context = (struct ol_context *)(void *)copy - 1;
    memcpy(context, parent, sizeof(*context));
    if (state) {
        memcpy(copy, state, bytes);
        context->machine.fpregs = (fpregset_t)(void *)copy;
    }
    context->stack = ours;
    context->machine.gregs[REG_RAX] = 0;
    if (stack) context->machine.gregs[REG_RSP] = (greg_t)stack;
    return context;
}

long ol_thread_clone(const long argument[6], const ucontext_t *context)
{
    const unsigned long flags = (unsigned long)argument[0], tls = flags & CLONE_SETTLS ? (unsigned long)argument[4] : 0;
    const unsigned index = take_place();
    if (index == OL_STACKS_MAX) return -EAGAIN;
    struct ol_thread *thread = record_of(index);
    thread->alternate.ss_flags = SS_DISABLE;
    atomic_store(&thread->blocked, atomic_load(&ol_thread_self()->blocked));
    long result = -EAGAIN;
    if (take_data(thread, tls, flags & CLONE_CHILD_CLEARTID ? (unsigned long)argument[3] : 0)) {
        const struct ol_context *first = first_context(index, context, (unsigned long)argument[1]);
        result = ol_thread_spawn(argument[0], (long)(uintptr_t)first, argument[2], argument[3], argument[4]);
    }
    if (result < 0) {
        drop_data(thread);
        give_place(index);
    }
    return result;
}

_Noreturn void ol_thread_end(long number, long status)
{
    const unsigned long all = ~0UL;
    const unsigned index = index_of(stack_pointer());
    const int tid = (int)ol_raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
    if (index < OL_STACKS_MAX && atomic_load(&record_of(index)->tid) == tid) { /* a vfork child has its parent's */
        end_data(record_of(index));
        (void)ol_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&all, 0, sizeof(all), 0, 0);
        ol_thread_leave(place_of(index), OL_STACK_BYTES, &places[index], number, status);
    }
    for (;;) (void)ol_raw(number, status, 0, 0, 0, 0, 0);
}

void ol_threads_forked(void)
{
    const unsigned self = index_of(stack_pointer());
    for (unsigned i = 0; i < OL_STACKS_MAX && atomic_load(&places[i]) != PLACE_NEW; i++)
        if (i != self && atomic_load(&places[i]) == PLACE_USED) give_place(i);
    if (self == OL_STACKS_MAX) return;
    atomic_store(&record_of(self)->tid, (int)ol_raw(SYS_gettid, 0, 0, 0, 0, 0, 0));
    (void)hold_data(record_of(self));
}
