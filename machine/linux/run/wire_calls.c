/* SPDX-License-Identifier: MIT */
/*
 * Calls that name managed memory. What a call reads or writes is wired while it runs:
 *
 *      buffers whose size an argument tells       whole, in pieces if it is more than may be wired at a time
 *      vectors of buffers, messages               likewise; the vector itself is copied
 *      those that are too large to be wired but
 *      must be transferred at once                not at all: their contents are copied (bounce.h)
 *      futexes, exec's strings                    not at all: they may sleep for ever, or never return; they fail
 *                                                 without any effect, and are made again
 *      anything else                              the kilobyte from the address on, which holds every struct of the
 *                                                 kernel's but a few; more if the kernel then says EFAULT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "machine/linux/run/bounce.h"
#include "machine/linux/run/foreign.h"
#include "machine/linux/run/runtime.h"
#include "machine/linux/run/user.h"
#include "machine/linux/run/wires.h"

enum { OBJECT_BYTES = 1024, OBJECT_BYTES_MAX = 64 << 10, ABSENT_TRIES = 64, VECTOR_MAX = 64 };

static long address_of(const void *p)
{
    return (long)(uintptr_t)p;
}

static unsigned long unsigned_of(const void *p)
{
    return (unsigned long)(uintptr_t)p;
}

/* --- structs and strings: sizes that are not known
 * --------------------------------------------------------------------- */

static void add_objects(struct ol_wires *wires, const struct ol_call *call, int except, unsigned long bytes)
{
    for (int i = 0; i < 6; i++)
        if (i != except) ol_wires_add_object(wires, (unsigned long)call->argument[i], bytes);
}

static long object_call(const struct ol_call *call)
{
    struct ol_wires wires = {.count = 0};
    long result = -EFAULT;
    for (unsigned long bytes = OBJECT_BYTES; result == -EFAULT && bytes <= OBJECT_BYTES_MAX; bytes *= 8) {
        add_objects(&wires, call, -1, bytes);
        result = ol_call_interruptible(call);
        ol_wires_release(&wires);
    }
    return result;
}

static long futex_call(const struct ol_call *call)
{
    long result = ol_call_interruptible(call);
    for (int tries = 0; result == -EFAULT && tries < ABSENT_TRIES; tries++) {
        bool present = false;
        for (int i = 0; i < 6; i++) {
            const unsigned long address = (unsigned long)call->argument[i];
            if (!ol_in_window(address)) continue;
            const ol_va page = address & ~(unsigned long)(OL_RUN_PAGE_BYTES - 1);
            if (ol_fault(ol_runtime.memory->space, page, OL_WRITE) == OL_OK ||
                ol_fault(ol_runtime.memory->space, page, OL_READ) == OL_OK)
                present = true;
        }
        if (!present) break;
        result = ol_call_interruptible(call);
    }
    return result;
}

/* --- buffers
 * ---------------------------------------------------------------------------------------------------------- */

enum direction { KERNEL_READS, KERNEL_WRITES };

static unsigned access_of(enum direction direction)
{
    return direction == KERNEL_READS ? OL_READ : OL_WRITE;
}

/* What may be done about a size that is too large to be wired: nothing; offer less room; transfer piece by piece. */
enum amount { WHOLE, LESS, PIECES };

/* A call with one large buffer. Arguments that are not used are -1. */
struct buffer_rule {
    short number;
    signed char buffer, size; /* which arguments */
    unsigned char unit;       /* bytes per unit of `size` */
    unsigned char direction;  /* enum direction */
    unsigned char amount;     /* enum amount */
    signed char offset;       /* which argument is a position in a file that advances */
};

static const struct buffer_rule buffer_rules[] = {
    {SYS_read, 1, 2, 1, KERNEL_WRITES, PIECES, -1},       {SYS_write, 1, 2, 1, KERNEL_READS, PIECES, -1},
    {SYS_pread64, 1, 2, 1, KERNEL_WRITES, PIECES, 3},     {SYS_pwrite64, 1, 2, 1, KERNEL_READS, PIECES, 3},
    {SYS_recvfrom, 1, 2, 1, KERNEL_WRITES, PIECES, -1},   {SYS_sendto, 1, 2, 1, KERNEL_READS, PIECES, -1},
    {SYS_getrandom, 0, 1, 1, KERNEL_WRITES, PIECES, -1},  {SYS_getdents, 1, 2, 1, KERNEL_WRITES, LESS, -1},
    {SYS_getdents64, 1, 2, 1, KERNEL_WRITES, LESS, -1},   {SYS_getcwd, 0, 1, 1, KERNEL_WRITES, LESS, -1},
    {SYS_readlink, 1, 2, 1, KERNEL_WRITES, LESS, -1},     {SYS_readlinkat, 2, 3, 1, KERNEL_WRITES, LESS, -1},
    {SYS_getxattr, 2, 3, 1, KERNEL_WRITES, LESS, -1},     {SYS_lgetxattr, 2, 3, 1, KERNEL_WRITES, LESS, -1},
    {SYS_fgetxattr, 2, 3, 1, KERNEL_WRITES, LESS, -1},    {SYS_setxattr, 2, 3, 1, KERNEL_READS, WHOLE, -1},
    {SYS_lsetxattr, 2, 3, 1, KERNEL_READS, WHOLE, -1},    {SYS_fsetxattr, 2, 3, 1, KERNEL_READS, WHOLE, -1},
    {SYS_listxattr, 1, 2, 1, KERNEL_WRITES, LESS, -1},    {SYS_llistxattr, 1, 2, 1, KERNEL_WRITES, LESS, -1},
    {SYS_flistxattr, 1, 2, 1, KERNEL_WRITES, LESS, -1},   {SYS_poll, 0, 1, 8, KERNEL_WRITES, WHOLE, -1},
    {SYS_ppoll, 0, 1, 8, KERNEL_WRITES, WHOLE, -1},       {SYS_epoll_wait, 1, 2, 12, KERNEL_WRITES, LESS, -1},
    {SYS_epoll_pwait, 1, 2, 12, KERNEL_WRITES, LESS, -1}, {SYS_epoll_pwait2, 1, 2, 12, KERNEL_WRITES, LESS, -1},
    {SYS_msgsnd, 1, 2, 1, KERNEL_READS, WHOLE, -1},       {SYS_msgrcv, 1, 2, 1, KERNEL_WRITES, LESS, -1},
    {SYS_mq_timedsend, 1, 2, 1, KERNEL_READS, WHOLE, -1}, {SYS_mq_timedreceive, 1, 2, 1, KERNEL_WRITES, LESS, -1},
    {SYS_getgroups, 1, 0, 4, KERNEL_WRITES, LESS, -1},    {SYS_setgroups, 1, 0, 4, KERNEL_READS, WHOLE, -1},
    {SYS_semop, 1, 2, 6, KERNEL_READS, WHOLE, -1},        {SYS_semtimedop, 1, 2, 6, KERNEL_READS, WHOLE, -1},
};

static const struct buffer_rule *buffer_rule_of(long number)
{
    for (unsigned i = 0; i < sizeof(buffer_rules) / sizeof(buffer_rules[0]); i++)
        if (buffer_rules[i].number == number) return &buffer_rules[i];
    return NULL;
}

static long flags_of(const struct ol_call *call)
{
    switch (call->number) {
    case SYS_recvfrom:
    case SYS_sendto: return call->argument[3];
    case SYS_recvmsg:
    case SYS_sendmsg: return call->argument[2];
    default: return 0;
    }
}

/* Devices that give and take any number of bytes: /dev/zero, /dev/urandom and their kin. */
static bool is_memory_device(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && major(status->st_rdev) == 1;
}

/* May a transfer that filled its piece go on with the next? Reading from anything but a file, what is there already
 * was all that the program would have been given at once. */
static bool may_continue(const struct ol_call *call, enum direction direction)
{
    struct stat status = {0};
    if (call->number == SYS_getrandom || direction == KERNEL_READS || flags_of(call) & MSG_WAITALL) return true;
    if (ol_raw(SYS_fstat, call->argument[0], address_of(&status), 0, 0, 0, 0)) return false;
    return S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) || is_memory_device(&status);
}

/* A transfer of a file is not ended by signals. */
static bool is_file(const struct ol_call *call)
{
    struct stat status = {0};
    return call->number != SYS_getrandom &&
           ol_raw(SYS_fstat, call->argument[0], address_of(&status), 0, 0, 0, 0) == 0 && S_ISREG(status.st_mode);
}

/* Must a transfer not be made in pieces? Messages keep their bounds, and so do the requests of some devices. */
static bool must_be_whole(const struct ol_call *call)
{
    struct stat status = {0};
    int type = SOCK_STREAM, length = sizeof(type);
    if (call->number == SYS_getrandom || ol_raw(SYS_fstat, call->argument[0], address_of(&status), 0, 0, 0, 0))
        return false;
    if (S_ISCHR(status.st_mode)) return !is_memory_device(&status);
    if (!S_ISSOCK(status.st_mode)) return false;
    (void)ol_raw(SYS_getsockopt, call->argument[0], SOL_SOCKET, SO_TYPE, address_of(&type), address_of(&length), 0);
    return type != SOCK_STREAM || flags_of(call) & MSG_PEEK;
}

/* Ends a bounce after a call that gave `result`. */
static long end_bounce(struct ol_bounce *bounce, enum direction direction, long result)
{
    const unsigned long all = bounce->part.iov_len;
    unsigned long written = result > 0 && direction == KERNEL_WRITES ? (unsigned long)result : 0;
    if (written > all) written = all; /* MSG_TRUNC tells how long the message was */
    const long error = ol_bounce_end(bounce, written);
    return error ? error : result;
}

/* The buffer's contents go through memory that is not managed. */
static long buffer_bounced(const struct ol_call *call, const struct buffer_rule *rule)
{
    const struct iovec buffer = {(void *)(uintptr_t)call->argument[rule->buffer],
                                 (unsigned long)call->argument[rule->size]};
    struct ol_call inner = *call;
    struct ol_wires wires = {.count = 0};
    struct ol_bounce bounce;
    const long error = ol_bounce_begin(&bounce, &buffer, 1, rule->direction == KERNEL_READS);
    if (error) return error;
    inner.argument[rule->buffer] = address_of(bounce.part.iov_base);
    add_objects(&wires, &inner, rule->buffer, OBJECT_BYTES);
    const long result = ol_call_interruptible(&inner);
    ol_wires_release(&wires);
    return end_bounce(&bounce, rule->direction, result);
}

/* One piece: the buffer and everything else the call names. */
static long buffer_piece(const struct ol_call *call, const struct buffer_rule *rule)
{
    struct ol_wires wires = {.count = 0};
    const unsigned long bytes = (unsigned long)call->argument[rule->size] * rule->unit +
                                sizeof(long) * (rule->number == SYS_msgsnd || rule->number == SYS_msgrcv);
    long result = ol_wires_add(&wires, (unsigned long)call->argument[rule->buffer], bytes, access_of(rule->direction));
    if (result == -ENOMEM && rule->amount == PIECES) return buffer_bounced(call, rule);
    if (result == -EFAULT) { /* a part is not there: the kernel says how far it came */
        add_objects(&wires, call, -1, bytes);
        result = 0;
    }
    if (result == 0) {
        add_objects(&wires, call, rule->buffer, OBJECT_BYTES);
        result = ol_call_interruptible(call);
    }
    ol_wires_release(&wires);
    return result;
}

static long buffer_call(struct ol_call *call, const struct buffer_rule *rule)
{
    const unsigned long limit = ol_runtime.pin_limit_bytes;
    unsigned long rest = (unsigned long)call->argument[rule->size];
    long total = 0;
    if (rule->amount == LESS && rest > limit / rule->unit) call->argument[rule->size] = (long)(limit / rule->unit);
    if (rule->amount != PIECES || rest <= limit || !ol_in_window((unsigned long)call->argument[rule->buffer]))
        return buffer_piece(call, rule);
    if (must_be_whole(call)) return buffer_bounced(call, rule);
    call->uninterruptible = is_file(call);
    for (;;) {
        const unsigned long piece = rest < limit ? rest : limit;
        call->argument[rule->size] = (long)piece;
        const long result = buffer_piece(call, rule);
        if (result < 0) return total ? total : result;
        total += result;
        rest -= (unsigned long)result;
        if ((unsigned long)result < piece || !rest || !may_continue(call, rule->direction)) return total;
        call->argument[rule->buffer] += result;
        if (rule->offset >= 0) call->argument[rule->offset] += result;
    }
}

/* --- vectors
 * ----------------------------------------------------------------------------------------------------------- */

/* A piece of a program's vector: copied, its buffers wired. */
struct vector_piece {
    struct iovec part[VECTOR_MAX];
    unsigned count;
    unsigned long bytes;
};

/* Copies and wires as much of vector[0..count) as may be, beginning `skip` bytes into it. */
static long take_piece(struct vector_piece *piece, struct ol_wires *wires, const struct iovec *vector,
                       unsigned long count, unsigned long skip, enum direction direction)
{
    const unsigned long limit = ol_runtime.pin_limit_bytes;
    piece->count = 0;
    piece->bytes = 0;
    for (unsigned long i = 0; i < count && piece->count < VECTOR_MAX && piece->bytes < limit; i++) {
        struct iovec part;
        if (!ol_user_read(&part, unsigned_of(&vector[i]), sizeof(part))) return -EFAULT;
        if (skip >= part.iov_len) {
            skip -= part.iov_len;
            continue;
        }
        part.iov_base = (char *)part.iov_base + skip;
        part.iov_len -= skip;
        skip = 0;
        if (part.iov_len > limit - piece->bytes) part.iov_len = limit - piece->bytes;
        const long result = ol_wires_add(wires, unsigned_of(part.iov_base), part.iov_len, access_of(direction));
        if (result == -EFAULT) ol_wires_add_object(wires, unsigned_of(part.iov_base), part.iov_len);
        else if (result) return piece->count ? 0 : result;
        piece->part[piece->count++] = part;
        piece->bytes += part.iov_len;
    }
    return 0;
}

/* How much all of a program's vector asks for: 0, -EFAULT, or -EINVAL. */
static long vector_bytes(const struct iovec *vector, unsigned long count, unsigned long *bytes)
{
    *bytes = 0;
    for (unsigned long i = 0; i < count; i++) {
        struct iovec part;
        if (!ol_user_read(&part, unsigned_of(&vector[i]), sizeof(part))) return -EFAULT;
        if (part.iov_len > LONG_MAX) return -EINVAL;
        *bytes += part.iov_len;
    }
    return 0;
}

/* One piece of a vector in argument 1 and its count in 2; *bytes is what it asked for. */
static long vector_piece_call(const struct ol_call *call, unsigned long skip, enum direction direction,
                              unsigned long *bytes)
{
    struct ol_call copy = *call;
    struct ol_wires wires = {.count = 0};
    struct vector_piece piece;
    long result = take_piece(&piece, &wires, (const struct iovec *)(uintptr_t)call->argument[1],
                             (unsigned long)call->argument[2], skip, direction);
    copy.argument[1] = address_of(piece.part);
    copy.argument[2] = piece.count;
    *bytes = piece.bytes;
    if (result == 0) result = ol_call_interruptible(&copy);
    ol_wires_release(&wires);
    return result;
}

static long vector_bounced(const struct ol_call *call, const struct iovec *vector, unsigned long count,
                           enum direction direction)
{
    struct ol_call inner = *call;
    struct ol_bounce bounce;
    const long error = ol_bounce_begin(&bounce, vector, count, direction == KERNEL_READS);
    if (error) return error;
    inner.argument[1] = address_of(&bounce.part);
    inner.argument[2] = 1;
    return end_bounce(&bounce, direction, ol_call_interruptible(&inner));
}

/* offset: the argument that is a position in a file, or -1. */
static long vector_call(struct ol_call *call, enum direction direction, int offset)
{
    const struct iovec *vector = (const struct iovec *)(uintptr_t)call->argument[1];
    const unsigned long count = (unsigned long)call->argument[2];
    unsigned long total = 0, asked, all;
    if (count > IOV_MAX) return ol_call_raw(call);
    const long error = vector_bytes(vector, count, &all);
    if (error) return error;
    const bool large = all > ol_runtime.pin_limit_bytes || count > VECTOR_MAX;
    if (large && must_be_whole(call)) return vector_bounced(call, vector, count, direction);
    call->uninterruptible = large && is_file(call);
    for (;;) {
        const long result = vector_piece_call(call, total, direction, &asked);
        if (result == -ENOMEM && !total) return vector_bounced(call, vector, count, direction);
        if (result < 0) return total ? (long)total : result;
        total += (unsigned long)result;
        if (offset >= 0 && call->argument[offset] != -1) call->argument[offset] += result;
        if ((unsigned long)result < asked || total >= all || !may_continue(call, direction)) return (long)total;
    }
}

/* --- messages
 * ---------------------------------------------------------------------------------------------------------- */

/* Makes the call with this vector, which can be used as it is. Name, control data and flags are the program's. */
static long message_with(const struct ol_call *call, struct msghdr *message, struct iovec *vector, unsigned long count)
{
    struct ol_call inner = *call;
    struct ol_wires wires = {.count = 0};
    struct msghdr copy = *message;
    copy.msg_iov = vector;
    copy.msg_iovlen = count;
    ol_wires_add_object(&wires, unsigned_of(copy.msg_name), copy.msg_namelen);
    ol_wires_add_object(&wires, unsigned_of(copy.msg_control), copy.msg_controllen);
    inner.argument[1] = address_of(&copy);
    const long result = ol_call_interruptible(&inner);
    ol_wires_release(&wires);
    if (result >= 0 && call->number == SYS_recvmsg) {
        message->msg_namelen = copy.msg_namelen;
        message->msg_controllen = copy.msg_controllen;
        message->msg_flags = copy.msg_flags;
    }
    return result;
}

/* What was done already of a stream is not done again, and its control data went with the first piece. */
static long message_piece(const struct ol_call *call, struct msghdr *message, unsigned long skip,
                          enum direction direction, unsigned long *asked)
{
    struct ol_wires wires = {.count = 0};
    struct vector_piece piece;
    struct msghdr rest = {.msg_iov = message->msg_iov, .msg_iovlen = message->msg_iovlen};
    long result = take_piece(&piece, &wires, message->msg_iov, message->msg_iovlen, skip, direction);
    *asked = piece.bytes;
    if (result == 0) result = message_with(call, skip ? &rest : message, piece.part, piece.count);
    ol_wires_release(&wires);
    return result;
}

static long message_bounced(const struct ol_call *call, struct msghdr *message, enum direction direction)
{
    struct ol_bounce bounce;
    const long error = ol_bounce_begin(&bounce, message->msg_iov, message->msg_iovlen, direction == KERNEL_READS);
    if (error) return error;
    return end_bounce(&bounce, direction, message_with(call, message, &bounce.part, 1));
}

static long message_pieces(const struct ol_call *call, struct msghdr *message, enum direction direction)
{
    unsigned long total = 0, asked, all;
    const long error = vector_bytes(message->msg_iov, message->msg_iovlen, &all);
    if (error) return error;
    const bool large = all > ol_runtime.pin_limit_bytes || message->msg_iovlen > VECTOR_MAX;
    if (large && must_be_whole(call)) return message_bounced(call, message, direction);
    for (;;) {
        const long result = message_piece(call, message, total, direction, &asked);
        if (result == -ENOMEM && !total) return message_bounced(call, message, direction);
        if (result < 0) return total ? (long)total : result;
        total += (unsigned long)result;
        if ((unsigned long)result < asked || total >= all || !may_continue(call, direction)) return (long)total;
    }
}

/* The program's struct msghdr is at this address. */
static long message_call(const struct ol_call *call, unsigned long address, enum direction direction)
{
    struct msghdr message;
    if (!ol_user_read(&message, address, sizeof(message))) return -EFAULT;
    if (message.msg_iovlen > IOV_MAX) return ol_call_raw(call);
    const long result = message_pieces(call, &message, direction);
    if (result < 0 || call->number != SYS_recvmsg) return result;
    const bool good =
        ol_user_write(address + offsetof(struct msghdr, msg_namelen), &message.msg_namelen,
                      sizeof(message.msg_namelen)) &&
        ol_user_write(address + offsetof(struct msghdr, msg_controllen), &message.msg_controllen,
                      sizeof(message.msg_controllen)) &&
        ol_user_write(address + offsetof(struct msghdr, msg_flags), &message.msg_flags, sizeof(message.msg_flags));
    return good ? result : -EFAULT;
}

/* Of several messages the first: the program asks again for the rest. */
static long messages_call(struct ol_call *call, long single, enum direction direction)
{
    const unsigned long first = (unsigned long)call->argument[1], message = first + offsetof(struct mmsghdr, msg_hdr);
    const struct ol_call one = {
        .number = single, .argument = {call->argument[0], (long)message, call->argument[3]}, .context = call->context};
    if (!call->argument[2]) return 0;
    const long result = message_call(&one, message, direction);
    if (result < 0) return result;
    const unsigned bytes = (unsigned)result;
    return ol_user_write(first + offsetof(struct mmsghdr, msg_len), &bytes, sizeof(bytes)) ? 1 : -EFAULT;
}

/* Pages given to a pipe could be evicted before they are read: a copy goes instead. */
static long splice_call(struct ol_call *call)
{
    const long flags = ol_raw(SYS_fcntl, call->argument[0], F_GETFL, 0, 0, 0, 0);
    if (flags < 0) return flags;
    const bool gives = (flags & O_ACCMODE) != O_RDONLY;
    call->number = gives ? SYS_writev : SYS_readv;
    return vector_call(call, gives ? KERNEL_READS : KERNEL_WRITES, -1);
}

/* --- exec
 * -------------------------------------------------------------------------------------------------------------- */

/* Makes sure that the page of an address in the window is there. */
static bool bring_page(unsigned long address)
{
    const ol_va page = address & ~(unsigned long)(OL_RUN_PAGE_BYTES - 1);
    return ol_foreign_overlaps(page, 1) || ol_fault(ol_runtime.memory->space, page, OL_READ) == OL_OK;
}

/* Touches a string, so that its pages come in. What is outside the window the kernel can read itself. */
static void bring_string(const char *string)
{
    const unsigned long page_mask = OL_RUN_PAGE_BYTES - 1;
    for (unsigned long address = unsigned_of(string); ol_in_window(address);) {
        const unsigned long rest = OL_RUN_PAGE_BYTES - (address & page_mask);
        if (!bring_page(address)) return;
        if (memchr((const void *)(uintptr_t)address, 0, rest)) return;
        address += rest;
    }
}

static void bring_strings(const char *const *array)
{
    const char *string;
    for (; array; array++) {
        const unsigned long address = unsigned_of(array);
        if (ol_in_window(address) && !bring_page(address)) return;
        if (!ol_user_read(&string, address, sizeof(string)) || !string) return;
        bring_string(string);
    }
}

/* Nothing is wired: where it succeeds in a vfork child, nobody could take the wires back. It fails without any effect
 * if a page is missing, and is made again. */
static long exec_call(const struct ol_call *call, int first)
{
    const char *const *arguments = (const char *const *)(uintptr_t)call->argument[first + 1];
    const char *const *environment = (const char *const *)(uintptr_t)call->argument[first + 2];
    long result = ol_call_exec(call);
    for (int tries = 0; result == -EFAULT && tries < ABSENT_TRIES; tries++) {
        bring_string((const char *)(uintptr_t)call->argument[first]);
        bring_strings(arguments);
        bring_strings(environment);
        result = ol_call_exec(call);
    }
    return result;
}

long ol_wire_call(struct ol_call *call)
{
    const struct buffer_rule *rule = buffer_rule_of(call->number);
    unsigned long asked;
    if (rule) return buffer_call(call, rule);
    switch (call->number) {
    case SYS_futex: return futex_call(call);
    case SYS_readv: return vector_call(call, KERNEL_WRITES, -1);
    case SYS_writev: return vector_call(call, KERNEL_READS, -1);
    case SYS_process_vm_readv: return vector_piece_call(call, 0, KERNEL_WRITES, &asked); /* part of it is allowed */
    case SYS_process_vm_writev: return vector_piece_call(call, 0, KERNEL_READS, &asked);
    case SYS_preadv:
    case SYS_preadv2: return vector_call(call, KERNEL_WRITES, 3);
    case SYS_pwritev:
    case SYS_pwritev2: return vector_call(call, KERNEL_READS, 3);
    case SYS_sendmsg: return message_call(call, (unsigned long)call->argument[1], KERNEL_READS);
    case SYS_recvmsg: return message_call(call, (unsigned long)call->argument[1], KERNEL_WRITES);
    case SYS_sendmmsg: return messages_call(call, SYS_sendmsg, KERNEL_READS);
    case SYS_recvmmsg: return messages_call(call, SYS_recvmsg, KERNEL_WRITES);
    case SYS_vmsplice: return splice_call(call);
    case SYS_execve: return exec_call(call, 0);
    case SYS_execveat: return exec_call(call, 1);
    default: return object_call(call);
    }
}
