/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/events.h"

#include "pub_tool_basics.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_threadstate.h"
#include "pub_tool_tooliface.h"
#include "pub_tool_vki.h"
#include "pub_tool_vkiscnums.h"

#include "record/channel.h"

/* The system call that is being made, as far as the events in it need to know. */
static UInt call_number;
static UWord call_flags; /* of mmap */

/* Anonymous private memory that the program lets the kernel place: its data, but for stacks and code. */
static Bool is_plain(Bool executable)
{
    enum { MAP_GROWSDOWN = 0x100, MAP_LOCKED = 0x2000, MAP_STACK = 0x20000, MAP_HUGETLB = 0x40000 };
    enum { ALL = 0xff | MAP_GROWSDOWN | MAP_LOCKED | MAP_STACK | MAP_HUGETLB }; /* 0xff: kinds, fixed places, 32 bits */
    return call_number == __NR_mmap && (call_flags & ALL) == (VKI_MAP_PRIVATE | VKI_MAP_ANONYMOUS) && !executable;
}

static void on_map(Addr address, SizeT bytes, Bool readable, Bool writable, Bool executable, ULong handle)
{
    (void)readable, (void)writable, (void)handle;
    if (call_number == __NR_mremap) return;
    ol_channel_put_range(is_plain(executable) ? OL_WIRE_MAP_PLAIN : OL_WIRE_MAP, address, bytes);
}

static void on_unmap(Addr address, SizeT bytes)
{
    if (call_number != __NR_mremap) ol_channel_put_range(OL_WIRE_UNMAP, address, bytes);
}

/* Tells the whole of an mremap at once, which Valgrind tells in pieces. */
static void after_remap(const UWord *arguments, Addr to)
{
    ol_channel_put_range(OL_WIRE_MOVE, arguments[0], arguments[1]);
    ol_channel_put_range(OL_WIRE_MAP, to, arguments[2]);
}

/* Before the first growth, where the heap begins. */
static void on_break_up(Addr address, SizeT bytes, ThreadId thread)
{
    static Bool told = False;
    (void)thread;
    if (!told) ol_channel_put_range(OL_WIRE_BREAK, address, 0);
    told = True;
    ol_channel_put_range(OL_WIRE_BREAK, address + bytes, 0);
}

static void on_break_down(Addr address, SizeT bytes)
{
    (void)bytes;
    ol_channel_put_range(OL_WIRE_BREAK, address, 0);
}

static void on_thread(ThreadId thread, ULong executed)
{
    static ThreadId running = 1;
    (void)executed;
    if (thread == running) return;
    running = thread;
    ol_channel_need_room(1);
    put(word(OL_WIRE_THREAD, thread - 1));
}

static void on_kernel_read(CorePart part, ThreadId thread, const HChar *what, Addr address, SizeT bytes)
{
    (void)thread, (void)what;
    if (part == Vg_CoreSysCall && bytes > 0) ol_channel_put_range(OL_WIRE_READ, address, bytes);
}

static void on_kernel_read_text(CorePart part, ThreadId thread, const HChar *what, Addr address)
{
    on_kernel_read(part, thread, what, address, 1);
}

static void on_kernel_wrote(CorePart part, ThreadId thread, Addr address, SizeT bytes)
{
    (void)thread;
    if (part == Vg_CoreSysCall && bytes > 0) ol_channel_put_range(OL_WIRE_WRITE, address, bytes);
}

/* A program that is executed leaves no time for it later. */
static void before_call(ThreadId thread, UInt number, UWord *arguments, UInt count)
{
    (void)thread, (void)count;
    if (number == __NR_execve || number == __NR_execveat) ol_channel_flush();
    call_number = number;
    call_flags = number == __NR_mmap ? arguments[3] : 0;
}

static void after_call(ThreadId thread, UInt number, UWord *arguments, UInt count, SysRes result)
{
    enum { MADV_DONTNEED = 4 };
    (void)thread, (void)count;
    call_number = 0;
    if (sr_isError(result)) return;
    if (number == __NR_mremap) after_remap(arguments, sr_Res(result));
    if (number == __NR_madvise && arguments[2] == MADV_DONTNEED)
        ol_channel_put_range(OL_WIRE_DISCARD, arguments[0], arguments[1]);
}

void ol_events_track(void)
{
    VG_(track_new_mem_mmap)(on_map);
    VG_(track_die_mem_munmap)(on_unmap);
    VG_(track_new_mem_brk)(on_break_up);
    VG_(track_die_mem_brk)(on_break_down);
    VG_(track_start_client_code)(on_thread);
    VG_(needs_syscall_wrapper)(before_call, after_call);
}

void ol_events_track_kernel(void)
{
    VG_(track_pre_mem_read)(on_kernel_read);
    VG_(track_pre_mem_read_asciiz)(on_kernel_read_text);
    VG_(track_post_mem_write)(on_kernel_wrote);
}
