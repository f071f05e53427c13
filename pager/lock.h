/* SPDX-License-Identifier: MIT */
/*
 * A mutex of one word on the Linux futex: free, held, or held with threads asleep that want it. Who wants it looks for
 * a while before going to sleep: it is held for short work, and being woken can cost ten times as much.
 *
 * Conditions that hold for all functions:
 * - Async-signal-safe: they call nothing but the futex system call, which may change errno.
 * - Zeroed memory is an unlocked mutex. It is not recursive: whoever holds one must not be interrupted by a signal
 *   handler that takes it. It is private to the process; a copy made by fork is as locked as the original was.
 */
#ifndef OL_PAGER_LOCK_H
#define OL_PAGER_LOCK_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OL_FUTEX_FREE, OL_FUTEX_HELD, OL_FUTEX_WANTED };

/* Some microseconds. Of 50 to 3000, 200 was best for three threads that fault on two processors (docs/benchmarks.md).
 */
enum { OL_FUTEX_LOOKS = 200 };

struct ol_futex_mutex {
    _Atomic uint32_t state;
};

static inline bool ol_futex_trylock(struct ol_futex_mutex *mutex)
{
    uint32_t expected = OL_FUTEX_FREE;
    return atomic_compare_exchange_strong_explicit(&mutex->state, &expected, OL_FUTEX_HELD, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* Tells the processor that this thread only looks at what another is to change. */
static inline void ol_relax(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

static inline void ol_futex_lock(struct ol_futex_mutex *mutex)
{
    if (ol_futex_trylock(mutex)) return;
    for (int i = 0; i < OL_FUTEX_LOOKS; i++) {
        if (atomic_load_explicit(&mutex->state, memory_order_relaxed) == OL_FUTEX_FREE && ol_futex_trylock(mutex))
            return;
        ol_relax();
    }
    /* Having slept, a thread cannot know whether others still do: it holds the mutex as wanted. */
    while (atomic_exchange_explicit(&mutex->state, OL_FUTEX_WANTED, memory_order_acquire) != OL_FUTEX_FREE)
        syscall(SYS_futex, &mutex->state, FUTEX_WAIT_PRIVATE, OL_FUTEX_WANTED, NULL, NULL, 0);
}

static inline void ol_futex_unlock(struct ol_futex_mutex *mutex)
{
    if (atomic_exchange_explicit(&mutex->state, OL_FUTEX_FREE, memory_order_release) == OL_FUTEX_WANTED)
        syscall(SYS_futex, &mutex->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
