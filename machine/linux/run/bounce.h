/* SPDX-License-Identifier: MIT */
/*
 * The data of one call, in memory that is not managed: for calls that must be made whole, however large their buffers,
 * and for buffers that cannot be wired. Thread-safe; runs in the handler of SIGSYS.
 */
#ifndef OL_RUN_BOUNCE_H
#define OL_RUN_BOUNCE_H

#include <stdbool.h>
#include <sys/uio.h>

struct ol_bounce {
    const struct iovec *vector; /* the program's buffers */
    unsigned long count;
    struct iovec part; /* what the call is given instead */
};

/* Makes room for all of vector[0..count); if the kernel reads it, the data is there. 0, -ENOMEM, or -EFAULT. After an
 * error there is nothing to end. */
long ol_bounce_begin(struct ol_bounce *bounce, const struct iovec *vector, unsigned long count, bool kernel_reads);
/* Gives the program the first `written` bytes of it, and gives the memory back. 0, or -EFAULT. */
long ol_bounce_end(struct ol_bounce *bounce, unsigned long written);

#endif
