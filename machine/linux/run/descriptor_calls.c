/* SPDX-License-Identifier: MIT */
/*
 * Programs close descriptors that they do not know: daemons, and whoever starts a child. Without ours, memory would be
 * lost; so to the program they do not exist.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "machine/linux/run/runtime.h"

/* Closes first..last but ours, a stretch between two of ours at a time. */
static long close_range_around_ours(const struct ol_call *call)
{
    const unsigned last = (unsigned)call->argument[1];
    unsigned first = (unsigned)call->argument[0];
    struct ol_call part = *call;
    if (first > last) return ol_call_raw(call);
    for (;;) {
        const int next = ol_raw_next_owned((int)(first < INT32_MAX ? first : INT32_MAX));
        const unsigned ours = next < 0 ? UINT32_MAX : (unsigned)next;
        part.argument[0] = first;
        part.argument[1] = ours <= last ? (long)ours - 1 : (long)last;
        const long result = ours > first ? ol_call_raw(&part) : 0;
        if (result < 0 || ours >= last) return result;
        first = ours + 1;
    }
}

static bool is_ours(long fd)
{
    return fd >= 0 && fd <= INT32_MAX && ol_raw_next_owned((int)fd) == (int)fd;
}

bool ol_descriptor_call(const struct ol_call *call, long *result)
{
    switch (call->number) {
    case SYS_close: *result = is_ours((int)call->argument[0]) ? -EBADF : ol_call_raw(call); return true;
    case SYS_dup2:
    case SYS_dup3:
        *result = is_ours((int)call->argument[0]) || is_ours((int)call->argument[1]) ? -EBADF : ol_call_raw(call);
        return true;
    case SYS_close_range: *result = close_range_around_ours(call); return true;
    default: return false;
    }
}
