/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/bounce.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/linux/run/runtime.h"
#include "machine/linux/run/user.h"

/* Copies the first `bytes` of all buffers. */
static bool copy_all(const struct ol_bounce *bounce, unsigned long bytes, bool to_program)
{
    char *ours = bounce->part.iov_base;
    for (unsigned long i = 0; i < bounce->count && bytes; i++) {
        struct iovec part;
        if (!ol_user_read(&part, (unsigned long)(uintptr_t)&bounce->vector[i], sizeof(part))) return false;
        const unsigned long piece = part.iov_len < bytes ? part.iov_len : bytes;
        const unsigned long theirs = (unsigned long)(uintptr_t)part.iov_base;
        if (to_program ? !ol_user_write(theirs, ours, piece) : !ol_user_read(ours, theirs, piece)) return false;
        ours += piece;
        bytes -= piece;
    }
    return true;
}

static void give_back(const struct ol_bounce *bounce)
{
    if (!bounce->part.iov_len) return;
    (void)munmap(bounce->part.iov_base, bounce->part.iov_len);
}

long ol_bounce_begin(struct ol_bounce *bounce, const struct iovec *vector, unsigned long count, bool kernel_reads)
{
    *bounce = (struct ol_bounce){.vector = vector, .count = count};
    for (unsigned long i = 0; i < count; i++) {
        struct iovec part;
        if (!ol_user_read(&part, (unsigned long)(uintptr_t)&vector[i], sizeof(part))) return -EFAULT;
        bounce->part.iov_len += part.iov_len;
    }
    if (!bounce->part.iov_len) return 0;
    bounce->part.iov_base =
        mmap(NULL, bounce->part.iov_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bounce->part.iov_base == MAP_FAILED) return -ENOMEM;
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
