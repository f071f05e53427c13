/* SPDX-License-Identifier: MIT */
/*
 * Memory for pagers' tables: a range of addresses, zeroed, that takes memory page by page as it is touched.
 * Both functions are async-signal-safe.
 */
#ifndef OL_PAGER_RESERVE_H
#define OL_PAGER_RESERVE_H

#include <stddef.h>
#include <sys/mman.h>

/* NULL if there is no room for it. bytes > 0. */
static inline void *ol_reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    /* Huge pages would take memory that nobody touched. A kernel without them refuses, which is as good. */
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

/* NULL is passed over. */
static inline void ol_release(void *memory, size_t bytes)
{
    if (memory) (void)munmap(memory, bytes);
}

#endif
