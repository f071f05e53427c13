/* SPDX-License-Identifier: MIT */
#include "pager/ring.h"

#ifdef OL_HAVE_URING

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* liburing makes its system calls itself, in none of the C library's code, so that the runtime of `onelevel run` does
 * not trap them. */
static bool ring_open(struct ol_ring *ring)
{
    ring->state = OL_RING_REFUSED;
    if (io_uring_queue_init(OL_IO_PAGES_MAX, &ring->uring, 0) != 0) return false;
    if (ol_swap_file_adopt(ring->uring.ring_fd, &ring->file) != 0) ring->file.fd = -1; /* every read will fail */
    ring->uring.ring_fd = ring->uring.enter_ring_fd = ring->file.fd;
    ring->state = OL_RING_OPEN;
    ring->process = getpid();
    return true;
}

/* The descriptor is closed by ourselves, if it is still ours: the runtime of `onelevel run` knows its own by that. */
void ol_ring_close(struct ol_ring *ring)
{
    if (ring->state != OL_RING_OPEN) return;
    ring->uring.ring_fd = -1;
    io_uring_queue_exit(&ring->uring);
    ol_swap_file_close(&ring->file);
    ring->state = OL_RING_REFUSED;
}

/* Unmapping the parent's ring leaves it to the parent. */
void ol_ring_forked(struct ol_ring *ring)
{
    if (ring->state != OL_RING_OPEN || ring->process == getpid()) return;
    ol_ring_close(ring);
    ring->state = OL_RING_UNUSED;
}

static bool is_passing(int error)
{
    return error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

/* Hands the prepared reads to the kernel. Returns how many it took; fewer than count: the ring is no good any more. */
static uint32_t reads_submit(struct ol_ring *ring, uint32_t count)
{
    uint32_t taken = 0;
    while (taken < count) {
        const int result = io_uring_submit_and_wait(&ring->uring, count - taken);
        if (result > 0) taken += (uint32_t)result;
        else if (!is_passing(result)) break;
    }
    return taken;
}

/* Waits for one read, whatever happens: the kernel writes to its pages until then. */
static struct io_uring_cqe read_wait(struct ol_ring *ring)
{
    struct io_uring_cqe *completion;
    while (io_uring_wait_cqe(&ring->uring, &completion) != 0) (void)syscall(SYS_sched_yield);
    const struct io_uring_cqe copy = {.user_data = completion->user_data, .res = completion->res};
    io_uring_cqe_seen(&ring->uring, completion);
    return copy;
}

static void reads_prepare(struct ol_ring *ring, const struct ol_swap_run *runs, uint32_t count, const ol_slot *slots,
                          struct iovec *vector, uint32_t page_bytes)
{
    for (uint32_t i = 0; i < count; i++) {
        struct io_uring_sqe *read = io_uring_get_sqe(&ring->uring);
        assert(read); /* there is room for as many runs as pages */
        io_uring_prep_readv(read, runs[i].file->fd, vector + runs[i].at, runs[i].count,
                            (uint64_t)slots[runs[i].at] * page_bytes);
        io_uring_sqe_set_data64(read, i);
    }
}

static uint64_t ring_read_locked(struct ol_ring *ring, const struct ol_swap_run *runs, uint32_t count,
                                 const ol_slot *slots, void *const *pages, uint32_t page_bytes)
{
    struct iovec vector[OL_IO_PAGES_MAX];
    uint64_t whole = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t at = runs[i].at; at < runs[i].at + runs[i].count; at++)
            vector[at] = (struct iovec){.iov_base = pages[at], .iov_len = page_bytes};
    reads_prepare(ring, runs, count, slots, vector, page_bytes);
    const uint32_t taken = reads_submit(ring, count);
    for (uint32_t i = 0; i < taken; i++) {
        const struct io_uring_cqe read = read_wait(ring);
        const uint64_t wanted = (uint64_t)runs[read.user_data].count * page_bytes;
        if (read.res > 0 && (uint64_t)read.res == wanted) whole |= UINT64_C(1) << read.user_data;
    }
    if (taken < count) ol_ring_close(ring);
    return whole;
}

uint64_t ol_ring_read(struct ol_ring *ring, const struct ol_swap_run *runs, uint32_t count, const ol_slot *slots,
                      void *const *pages, uint32_t page_bytes)
{
    uint64_t whole = 0;
    assert(count <= OL_IO_PAGES_MAX);
    if (!ol_futex_trylock(&ring->lock)) return 0;
    if (ring->state == OL_RING_OPEN || (ring->state == OL_RING_UNUSED && ring_open(ring)))
        whole = ring_read_locked(ring, runs, count, slots, pages, page_bytes);
    ol_futex_unlock(&ring->lock);
    return whole;
}

#else

uint64_t ol_ring_read(struct ol_ring *ring, const struct ol_swap_run *runs, uint32_t count, const ol_slot *slots,
                      void *const *pages, uint32_t page_bytes)
{
    (void)ring, (void)runs, (void)count, (void)slots, (void)pages, (void)page_bytes;
    return 0;
}

void ol_ring_forked(struct ol_ring *ring)
{
    (void)ring;
}

void ol_ring_close(struct ol_ring *ring)
{
    (void)ring;
}

#endif
