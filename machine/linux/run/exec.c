/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "machine/linux/run/program.h"
#include "machine/linux/run/share.h"
#include "machine/linux/run/thread.h"
#include "machine/linux/run/user.h"

enum { TEXT_BYTES = 4096, NUMBERS_BYTES = 64, NAME_BYTES = 24, STRINGS_MAX = 4096, ADDED = 4 };

/* All that an exec needs; on the stack, because in a vfork child nobody could give it back. */
struct room {
    struct ol_program_scratch scratch;
    char path[TEXT_BYTES];
    char user_preload[sizeof(OL_RUN_ENV_PRELOAD) + TEXT_BYTES];
    char preload[sizeof("LD_PRELOAD=") + OL_RUN_TEXT_BYTES + TEXT_BYTES];
    char numbers[sizeof(OL_RUN_ENV) + NUMBERS_BYTES];
    const char *environment[STRINGS_MAX + ADDED];
};

_Static_assert(sizeof(struct room) < OL_STACK_BYTES / 2, "three nested handlers want the rest");

/* --- reading what the program names, which may be nowhere ---------------------------------------------------------
 */

/* Copies up to `bytes`, as far as one page goes. Returns how many. */
static size_t peek(char *to, const char *from, size_t bytes)
{
    const unsigned long address = (unsigned long)(uintptr_t)from;
    const size_t rest = OL_RUN_PAGE_BYTES - address % OL_RUN_PAGE_BYTES;
    if (bytes > rest) bytes = rest;
    return ol_user_read(to, address, bytes) ? bytes : 0;
}

/* Copies a string, or its first bytes; false if it cannot be read. */
static bool copy_string(char *to, const char *from, size_t room, bool *is_whole)
{
    size_t done = 0;
    *is_whole = true;
    while (done < room) {
        const size_t count = peek(to + done, from + done, room - done);
        if (!count) return false;
        if (memchr(to + done, 0, count)) return true;
        done += count;
    }
    to[room - 1] = '\0';
    *is_whole = false;
    return true;
}

static bool read_pointer(const char *const *from, const char **out)
{
    return ol_user_read(out, (unsigned long)(uintptr_t)from, sizeof(const char *));
}

/* How many strings the array has; -1: it cannot be read, or has too many. */
static long count_strings(const char *const *array)
{
    const char *string;
    for (long count = 0; array && count < STRINGS_MAX; count++) {
        if (!read_pointer(array + count, &string)) return -1;
        if (!string) return count;
    }
    return array ? -1 : 0;
}

/* --- the environment -----------------------------------------------------------------------------------------------
 */

static char *append(char *to, const char *text)
{
    const size_t length = strlen(text);
    memcpy(to, text, length + 1);
    return to + length;
}

static char *append_number(char *to, unsigned long number)
{
    char digits[24], *digit = digits + sizeof(digits) - 1;
    *digit = '\0';
    do *--digit = (char)('0' + number % 10);
    while (number /= 10);
    return append(to, digit);
}

static bool begins_with(const char *text, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && text[length] == '=';
}

/* The program's own strings but for LD_PRELOAD, and ours. False: they cannot be read. */
static bool fill_environment(struct room *room, const char *const *given, long count, const struct ol_run_start *start)
{
    char name[NAME_BYTES];
    const char **to = room->environment, *user = NULL;
    bool is_whole = true;
    for (long i = 0; i < count; i++) {
        const char *string;
        if (!read_pointer(given + i, &string) || !copy_string(name, string, sizeof(name), &is_whole)) return false;
        if (begins_with(name, "LD_PRELOAD")) user = string + sizeof("LD_PRELOAD");
        else if (!begins_with(name, OL_RUN_ENV) && !begins_with(name, OL_RUN_ENV_PRELOAD)) *to++ = string;
    }
    char *end = append(append(room->preload, "LD_PRELOAD="), ol_runtime.shared->runtime);
    if (user) {
        char *value = append(room->user_preload, OL_RUN_ENV_PRELOAD "=");
        if (!copy_string(value, user, TEXT_BYTES, &is_whole) || !is_whole) return false;
        (void)append(append(end, ":"), value);
        *to++ = room->user_preload;
    }
    end = append(room->numbers, OL_RUN_ENV "=");
    end = append(append_number(end, (unsigned long)start->fd), " ");
    end = append(append_number(end, start->generation), " ");
    (void)append_number(end, start->stack);
    *to++ = room->preload;
    *to++ = room->numbers;
    *to = NULL;
    return true;
}

/* --- where its libraries will lie ----------------------------------------------------------------------------------
 */

/*
 * The room below the stack for a generation's band, in TiB; 0: there are no more. A band is 2 TiB: the kernel's random
 * offset is up to 1 TiB (vm.mmap_rnd_bits=28; where it is larger bands overlap, and chance keeps what lies in them
 * apart as well). Left out are the window (96 to 112 TiB), programs and what grows behind them (from 85 1/3), the
 * legacy layout (from 42 2/3), and what is more than five sixths of the 128 TiB.
 */
static unsigned long band_tib(unsigned generation)
{
    unsigned band = generation - 2;
    if (band < 7) return 2 + 2 * band; /* from 126 down to 112 */
    band -= 7;
    if (band < 4) return 33 + 2 * band; /* 95 to 87 */
    band -= 4;
    return band < 19 ? 44 + 2 * band : 0; /* 84 to 46 */
}

/* What the limit is to be for the exec, in *limit; false if that cannot be: this generation cannot be managed. */
static bool find_band(unsigned generation, const struct rlimit *now, unsigned long *limit)
{
    *limit = band_tib(generation) << 40;
    if (*limit && *limit <= now->rlim_max) return true;
    *limit = 0;
    return generation == 2; /* nobody but its parent has a filter, and that has the legacy layout */
}

static long set_stack(const struct rlimit *limit)
{
    return ol_raw(SYS_prlimit64, 0, RLIMIT_STACK, (long)(uintptr_t)limit, 0, 0, 0);
}

void ol_exec_restore_stack(unsigned long limit)
{
    struct rlimit stack = {0, 0};
    pthread_attr_t attributes;
    const unsigned long least = 16384, unlimited = 2UL << 20, page_mask = OL_RUN_PAGE_BYTES - 1;
    if (!limit || ol_raw(SYS_prlimit64, 0, RLIMIT_STACK, 0, (long)(uintptr_t)&stack, 0, 0)) return;
    stack.rlim_cur = limit;
    (void)set_stack(&stack);
    /* glibc, nptl/nptl-stack.c: new threads have stacks of the limit's size, of 2 MiB if there is none. */
    unsigned long bytes = limit == RLIM_INFINITY ? unlimited : (limit + page_mask) & ~page_mask;
    if (bytes < least) bytes = least;
    if (pthread_attr_init(&attributes)) return;
    if (pthread_attr_setstacksize(&attributes, bytes) == 0) (void)pthread_setattr_default_np(&attributes);
    (void)pthread_attr_destroy(&attributes);
}

/* --- exec ----------------------------------------------------------------------------------------------------------
 */

struct ol_run_start ol_exec_parse(const char *text)
{
    char *next;
    struct ol_run_start start = {.fd = (int)strtol(text, &next, 10)};
    start.generation = (unsigned)strtoul(next, &next, 10);
    start.stack = strtoul(next, &next, 10);
    return start;
}

/* Can the program that the call names be managed? */
static bool is_suitable(const struct ol_call *call, struct room *room)
{
    const bool at = call->number == SYS_execveat;
    bool is_whole;
    if (!copy_string(room->path, (const char *)(uintptr_t)call->argument[at], sizeof(room->path), &is_whole) ||
        !is_whole)
        return false;
    if (at && !room->path[0] && call->argument[4] & AT_EMPTY_PATH)
        (void)append_number(append(room->path, "/proc/self/fd/"), (unsigned long)call->argument[0]);
    return !ol_program_unsuitable(at ? (int)call->argument[0] : AT_FDCWD, room->path, &room->scratch, NULL);
}

/* Executes with the environment in the room. */
static long exec_with(struct ol_call *call, struct room *room, const struct rlimit *stack, unsigned long limit)
{
    const struct rlimit raised = {limit, stack->rlim_max};
    const int fd = ol_share_descriptor();
    call->argument[call->number == SYS_execveat ? 3 : 2] = (long)(uintptr_t)room->environment;
    (void)fcntl(fd, F_SETFD, 0);
    if (limit) (void)set_stack(&raised);
    const long result = ol_wire_call(call);
    if (limit) (void)set_stack(stack);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return result;
}

static long exec_unmanaged(struct ol_call *call)
{
    struct ol_run_shared *shared = ol_runtime.shared;
    const bool replaced = ol_runtime.is_first && getpid() == ol_runtime.pid; /* a vfork child leaves its parent */
    if (replaced) atomic_store(&shared->replaced, 1);
    atomic_fetch_add(&shared->unmanaged, 1); /* whether it succeeded, only a return tells */
    const long result = ol_wire_call(call);
    atomic_fetch_sub(&shared->unmanaged, 1);
    if (replaced) atomic_store(&shared->replaced, 0);
    return result;
}

static long exec_managed(struct ol_call *call, unsigned generation)
{
    const char *const *given = (const char *const *)(uintptr_t)call->argument[call->number == SYS_execveat ? 3 : 2];
    struct rlimit stack = {0, 0};
    unsigned long limit;
    const long count = count_strings(given);
    if (count < 0 || !ol_thread_has_stack() || ol_raw(SYS_prlimit64, 0, RLIMIT_STACK, 0, (long)(uintptr_t)&stack, 0, 0))
        return exec_unmanaged(call); /* the kernel says what is wrong */
    struct room room;
    const bool good = find_band(generation, &stack, &limit) && is_suitable(call, &room);
    const struct ol_run_start start = {ol_share_descriptor(), generation, limit ? stack.rlim_cur : 0};
    const bool managed = good && fill_environment(&room, given, count, &start);
    return managed ? exec_with(call, &room, &stack, limit) : exec_unmanaged(call);
}

long ol_exec(struct ol_call *call, unsigned generation)
{
    ol_share_leave();
    const bool watched = ol_share_unwatch(); /* a process of two threads would lose its record locks */
    const long result = ol_runtime.shared->children ? exec_managed(call, generation + 1) : exec_unmanaged(call);
    if (watched) ol_share_watch();
    return result;
}
