/* SPDX-License-Identifier: MIT */
/* Arrays that grow without being copied: new elements are zero, untouched ones take no memory. */
#ifndef OL_TRACE_GROW_H
#define OL_TRACE_GROW_H

#include <stddef.h>
#include <sys/mman.h>

/* From here on arrays ask for large pages: they are filled from the start or all over, and the kernel then takes fewer
 * faults, the processor fewer walks. */
#define OL_GROW_LARGE_FROM ((size_t)4 << 20)

/* Makes an array of `old` elements (0: there is none yet, array is NULL) one of `new` >= old. NULL without memory; the
 * array is then as it was. */
static inline void *ol_grow(void *array, size_t old, size_t new, size_t element_bytes)
{
    void *grown = old ? mremap(array, old * element_bytes, new *element_bytes, MREMAP_MAYMOVE)
                      : mmap(NULL, new *element_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (grown == MAP_FAILED) return NULL;
    if (new *element_bytes >= OL_GROW_LARGE_FROM) (void)madvise(grown, new *element_bytes, MADV_HUGEPAGE);
    return grown;
}

static inline void ol_grow_free(void *array, size_t count, size_t element_bytes)
{
    if (array && count) (void)munmap(array, count * element_bytes);
}

#endif
