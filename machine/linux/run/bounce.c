/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/bounce.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/run/held.h"
#include "machine/linux/run/runtime.h"

/* Copies between our memory and the program's, a page at a time. False where the program may not do that itself. */
static bool copy(char *ours, char *theirs, unsigned long bytes, bool to_program)
{
    const unsigned long page_mask = OL_RUN_PAGE_BYTES - 1;
    while (bytes) {
        const unsigned long address = (unsigned long)(uintptr_t)theirs;
        unsigned long piece = OL_RUN_PAGE_BYTES - (address & page_mask);
        if (piece > bytes) piece = bytes;
        if (ol_in_window(address) &&
            ol_fault(ol_runtime.memory->space, address & ~page_mask, to_program ? OL_WRITE : OL_READ) != OL_OK)
            return false;
        /* If the page is gone again by now, the access faults and brings it back. */
        if (to_program) memcpy(theirs, ours, piece);
        else memcpy(ours, theirs, piece);
        ours += piece;
        theirs += piece;
        bytes -= piece;
    }
    return true;
}

/* Copies the first `bytes` of all buffers. */
static bool copy_all(const struct ol_bounce *bounce, unsigned long bytes, bool to_program)
{
    char *ours = bounce->part.iov_base;
    for (unsigned long i = 0; i < bounce->count && bytes; i++) {
        const unsigned long piece = bounce->vector[i].iov_len < bytes ? bounce->vector[i].iov_len : bytes;
        if (!copy(ours, bounce->vector[i].iov_base, piece, to_program)) return false;
        ours += piece;
        bytes -= piece;
    }
    return true;
}

static void give_back(const struct ol_bounce *bounce)
{
    if (!bounce->part.iov_len) return;
    ol_held_remove((unsigned long)(uintptr_t)bounce->part.iov_base);
    (void)munmap(bounce->part.iov_base, bounce->part.iov_len);
}

long ol_bounce_begin(struct ol_bounce *bounce, const struct iovec *vector, unsigned long count, bool kernel_reads)
{
    *bounce = (struct ol_bounce){.vector = vector, .count = count};
    for (unsigned long i = 0; i < count; i++) bounce->part.iov_len += vector[i].iov_len;
    if (!bounce->part.iov_len) return 0;
    bounce->part.iov_base =
        mmap(NULL, bounce->part.iov_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bounce->part.iov_base == MAP_FAILED) return -ENOMEM;
    ol_held_add((unsigned long)(uintptr_t)bounce->part.iov_base, bounce->part.iov_len);
    if (!kernel_reads || copy_all(bounce, bounce->part.iov_len, false)) return 0;
    give_back(bounce);
    return -EFAULT;
}

long ol_bounce_end(struct ol_bounce *bounce, unsigned long written)
{
    const bool good = copy_all(bounce, written, true);
    give_back(bounce);
    return good ? 0 : -EFAULT;
}
