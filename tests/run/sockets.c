/* SPDX-License-Identifier: MIT */
/* Sockets, and calls that wait, with all they name evicted. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "check.h"

enum { STREAM_BYTES = 6 << 20, MESSAGE_BYTES = 150000 };

static void make_pair(int type, int pair[2])
{
    const int room = 4 << 20;
    CHECK(socketpair(AF_UNIX, type, 0, pair) == 0, "socketpair");
    for (int i = 0; i < 2; i++) {
        (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        (void)setsockopt(pair[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    }
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

struct transfer {
    int fd;
    unsigned char *buffer;
    size_t bytes;
};

static void *send_all(void *argument)
{
    const struct transfer *it = argument;
    force_out(it->buffer, it->bytes);
    CHECK(send(it->fd, it->buffer, it->bytes, 0) == (ssize_t)it->bytes, "a blocking send sends all");
    return NULL;
}

static void *sendmsg_all(void *argument)
{
    const struct transfer *it = argument;
    struct iovec *part = map_pages(64 << 10);
    struct msghdr *message = (struct msghdr *)(void *)((char *)part + 8 * PAGE);
    for (int i = 0; i < 3; i++) part[i] = (struct iovec){it->buffer + it->bytes / 3 * (size_t)i, it->bytes / 3};
    message->msg_iov = part;
    message->msg_iovlen = 3;
    touch_other_memory();
    CHECK(sendmsg(it->fd, message, 0) == (ssize_t)it->bytes, "a blocking sendmsg sends all");
    return NULL;
}

static void test_stream(void *(*sender)(void *), int flags)
{
    int pair[2];
    pthread_t thread;
    unsigned char *out = map_pages(STREAM_BYTES), *in = map_pages(STREAM_BYTES);
    size_t got = 0;
    make_pair(SOCK_STREAM, pair);
    fill(out, STREAM_BYTES, 1);
    struct transfer transfer = {pair[0], out, STREAM_BYTES};
    CHECK(pthread_create(&thread, NULL, sender, &transfer) == 0, "thread");
    while (got < STREAM_BYTES) {
        const ssize_t result = recv(pair[1], in + got, STREAM_BYTES - got, flags);
        CHECK(result > 0, "recv after %zu", got);
        CHECK(!(flags & MSG_WAITALL) || result == STREAM_BYTES, "MSG_WAITALL gave %zd", result);
        got += (size_t)result;
    }
    CHECK(pthread_join(thread, NULL) == 0, "join");
    check_filled(in, STREAM_BYTES, 1, "stream");
    munmap(out, STREAM_BYTES);
    munmap(in, STREAM_BYTES);
    close_pair(pair);
}

/* Messages stay whole, however large. */
static void test_messages(int type)
{
    int pair[2];
    unsigned char *out = map_pages(1 << 20), *in = map_pages(1 << 20);
    make_pair(type, pair);
    fill(out, MESSAGE_BYTES, 2);
    force_out(out, MESSAGE_BYTES);
    CHECK(send(pair[0], out, MESSAGE_BYTES, 0) == MESSAGE_BYTES, "send");
    force_out(in, 1 << 20);
    CHECK(recv(pair[1], in, 1 << 20, 0) == MESSAGE_BYTES, "recv gives one whole message");
    check_filled(in, MESSAGE_BYTES, 2, "message");
    CHECK(write(pair[0], out, MESSAGE_BYTES) == MESSAGE_BYTES, "write");
    memset(in, 0, 1 << 20);
    force_out(in, 1 << 20);
    CHECK(recv(pair[1], in, 1 << 20, MSG_PEEK) == MESSAGE_BYTES, "MSG_PEEK gives one whole message");
    CHECK(read(pair[1], in, 1 << 20) == MESSAGE_BYTES, "read gives one whole message");
    check_filled(in, MESSAGE_BYTES, 2, "message");
    struct iovec vector[300];
    for (int i = 0; i < 300; i++) vector[i] = (struct iovec){out + i * 500, 500};
    force_out(out, MESSAGE_BYTES);
    CHECK(writev(pair[0], vector, 300) == MESSAGE_BYTES, "writev sends one message");
    for (int i = 0; i < 300; i++) vector[i] = (struct iovec){in + i * 500, 500};
    memset(in, 0, 1 << 20);
    force_out(in, 1 << 20);
    CHECK(readv(pair[1], vector, 300) == MESSAGE_BYTES, "readv gives one whole message");
    check_filled(in, MESSAGE_BYTES, 2, "message");
    for (int i = 0; i < 300; i++) vector[i].iov_base = out + i * 500;
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 300};
    force_out(out, MESSAGE_BYTES);
    CHECK(sendmsg(pair[0], &message, 0) == MESSAGE_BYTES, "sendmsg sends one message");
    for (int i = 0; i < 300; i++) vector[i].iov_base = in + i * 500;
    memset(in, 0, 1 << 20);
    force_out(in, 1 << 20);
    CHECK(recvmsg(pair[1], &message, 0) == MESSAGE_BYTES, "recvmsg gives one whole message");
    CHECK(!(message.msg_flags & MSG_TRUNC), "nothing was cut off");
    check_filled(in, MESSAGE_BYTES, 2, "message");
    munmap(out, 1 << 20);
    munmap(in, 1 << 20);
    close_pair(pair);
}

/* A descriptor passed along, everything in evicted memory. */
static void test_control(void)
{
    int pair[2], ends[2];
    char *p = map_pages(256 << 10);
    struct msghdr *message = (struct msghdr *)(void *)p;
    struct iovec *part = (struct iovec *)(void *)(p + 4 * PAGE);
    char *control = p + 8 * PAGE, *data = p + 12 * PAGE;
    make_pair(SOCK_STREAM, pair);
    CHECK(pipe(ends) == 0, "pipe");
    *part = (struct iovec){data, 1};
    *message =
        (struct msghdr){.msg_iov = part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(4)};
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &ends[1], 4);
    *data = 'x';
    force_out(p, 16 * PAGE);
    CHECK(sendmsg(pair[0], message, 0) == 1, "sendmsg");
    memset(control, 0, PAGE);
    *data = 0;
    force_out(p, 16 * PAGE);
    CHECK(recvmsg(pair[1], message, 0) == 1 && *data == 'x', "recvmsg");
    header = CMSG_FIRSTHDR(message);
    CHECK(header && header->cmsg_type == SCM_RIGHTS, "the descriptor arrived");
    int passed;
    memcpy(&passed, CMSG_DATA(header), 4);
    CHECK(write(passed, "y", 1) == 1 && read(ends[0], data, 1) == 1 && *data == 'y', "the descriptor works");
    munmap(p, 256 << 10);
    close_pair(pair);
}

static void test_many_messages(void)
{
    int pair[2];
    char *p = map_pages(256 << 10);
    struct mmsghdr *messages = (struct mmsghdr *)(void *)p;
    struct iovec *parts = (struct iovec *)(void *)(p + 4 * PAGE);
    int sent = 0, received = 0;
    make_pair(SOCK_DGRAM, pair);
    for (int i = 0; i < 8; i++) {
        parts[i] = (struct iovec){p + (16 + i) * PAGE, 100};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
        memset(parts[i].iov_base, 'a' + i, 100);
    }
    while (sent < 8) {
        force_out(p, 32 * PAGE);
        const int result = sendmmsg(pair[0], messages + sent, (unsigned)(8 - sent), 0);
        CHECK(result > 0, "sendmmsg");
        sent += result;
    }
    memset(p + 16 * PAGE, 0, 8 * PAGE);
    while (received < 8) {
        force_out(p, 32 * PAGE);
        const int result = recvmmsg(pair[1], messages + received, (unsigned)(8 - received), 0, NULL);
        CHECK(result > 0, "recvmmsg");
        for (int i = received; i < received + result; i++)
            CHECK(messages[i].msg_len == 100 && p[(16 + i) * PAGE + 99] == 'a' + i, "message %d", i);
        received += result;
    }
    munmap(p, 256 << 10);
    close_pair(pair);
}

/* Addresses: bind, getsockname, accept, with a length that the kernel writes. */
static void test_addresses(void)
{
    char *p = map_pages(128 << 10);
    struct sockaddr_un *address = (struct sockaddr_un *)(void *)(p + PAGE - 20), *peer = (void *)(p + 8 * PAGE - 30);
    socklen_t *length = (socklen_t *)(void *)(p + 12 * PAGE);
    const int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    address->sun_family = AF_UNIX; /* an abstract name of the kernel's choice */
    force_out(p, 16 * PAGE);
    CHECK(bind(server, (struct sockaddr *)address, sizeof(sa_family_t)) == 0 && listen(server, 3) == 0, "bind");
    *length = sizeof(*address);
    force_out(p, 16 * PAGE);
    CHECK(getsockname(server, (struct sockaddr *)address, length) == 0 && *length > 2, "getsockname");
    force_out(p, 16 * PAGE);
    CHECK(connect(client, (struct sockaddr *)address, *length) == 0, "connect");
    *length = sizeof(*peer);
    peer->sun_family = 77;
    force_out(p, 16 * PAGE);
    const int accepted = accept(server, (struct sockaddr *)peer, length);
    CHECK(accepted >= 0 && peer->sun_family == AF_UNIX, "accept");
    int *value = (int *)(void *)(p + 14 * PAGE);
    *length = sizeof(*value);
    force_out(p, 16 * PAGE);
    CHECK(getsockopt(accepted, SOL_SOCKET, SO_TYPE, value, length) == 0 && *value == SOCK_STREAM, "getsockopt");
    close(accepted);
    close(client);
    close(server);
    munmap(p, 128 << 10);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void *write_later(void *argument)
{
    const struct timespec soon = {0, 50000000};
    (void)nanosleep(&soon, NULL);
    touch_other_memory(); /* while the other thread waits */
    CHECK(write(*(int *)argument, "z", 1) == 1, "write");
    return NULL;
}

static void test_waits(void)
{
    int ends[2];
    char *p = map_pages(256 << 10), byte;
    pthread_t thread;
    for (int kind = 0; kind < 6; kind++) {
        struct pollfd *polled = (struct pollfd *)(void *)(p + PAGE - 4);
        fd_set *set = (fd_set *)(void *)(p + 4 * PAGE - 64);
        struct timeval *wait_for = (struct timeval *)(void *)(p + 8 * PAGE - 8);
        struct timespec *wait_exactly = (struct timespec *)(void *)(p + 20 * PAGE - 8);
        sigset_t *mask = (sigset_t *)(void *)(p + 24 * PAGE - 64);
        struct epoll_event *event = (struct epoll_event *)(void *)(p + 12 * PAGE - 4), *got = event + 100;
        CHECK(pipe(ends) == 0, "pipe");
        const int poller = epoll_create1(0);
        *event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 0x123456789abcdef};
        *polled = (struct pollfd){.fd = ends[0], .events = POLLIN};
        FD_ZERO(set);
        FD_SET(ends[0], set);
        *wait_for = (struct timeval){10, 0};
        *wait_exactly = (struct timespec){10, 0};
        sigfillset(mask);
        force_out(p, 32 * PAGE);
        CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], event) == 0, "epoll_ctl");
        CHECK(pthread_create(&thread, NULL, write_later, &ends[1]) == 0, "thread");
        force_out(p, 32 * PAGE);
        switch (kind) {
        case 0: CHECK(poll(polled, 1, 10000) == 1 && polled->revents == POLLIN, "poll"); break;
        case 1: CHECK(select(ends[0] + 1, set, NULL, NULL, wait_for) == 1 && FD_ISSET(ends[0], set), "select"); break;
        case 2: CHECK(epoll_wait(poller, got, 30, 10000) == 1 && got->data.u64 == 0x123456789abcdef, "epoll"); break;
        case 3: CHECK(ppoll(polled, 1, wait_exactly, mask) == 1 && polled->revents == POLLIN, "ppoll"); break;
        case 4: CHECK(pselect(ends[0] + 1, set, NULL, NULL, wait_exactly, mask) == 1, "pselect"); break;
        default: CHECK(epoll_pwait(poller, got, 30, 10000, mask) == 1 && got->events == EPOLLIN, "epoll_pwait");
        }
        CHECK(pthread_join(thread, NULL) == 0, "join");
        CHECK(read(ends[0], &byte, 1) == 1 && byte == 'z', "read");
        close_pair(ends);
        close(poller);
    }
    munmap(p, 256 << 10);
}

/* Everything that threads wait on lies in managed memory. */
struct meeting {
    pthread_mutex_t mutex;
    char apart1[PAGE];
    pthread_cond_t changed;
    char apart2[PAGE];
    sem_t done;
    char apart3[PAGE];
    pthread_rwlock_t either;
    long turn, count;
};

enum { MEETERS = 4, TURNS = 300 };

struct meeter {
    struct meeting *meeting;
    long number;
};

static void *meet(void *argument)
{
    const struct meeter *me = argument;
    struct meeting *meeting = me->meeting;
    for (int i = 0; i < TURNS; i++) {
        pthread_mutex_lock(&meeting->mutex);
        while (meeting->turn % MEETERS != me->number) pthread_cond_wait(&meeting->changed, &meeting->mutex);
        meeting->turn++;
        pthread_cond_broadcast(&meeting->changed);
        pthread_mutex_unlock(&meeting->mutex);
        pthread_rwlock_wrlock(&meeting->either);
        meeting->count++;
        pthread_rwlock_unlock(&meeting->either);
        if (i % 50 == me->number) touch_other_memory();
    }
    sem_post(&meeting->done);
    return NULL;
}

static void test_futexes(void)
{
    struct meeting *meeting = map_pages(128 << 10);
    struct meeter meeters[MEETERS];
    pthread_t threads[MEETERS];
    struct timespec until;
    pthread_mutex_init(&meeting->mutex, NULL);
    pthread_cond_init(&meeting->changed, NULL);
    pthread_rwlock_init(&meeting->either, NULL);
    sem_init(&meeting->done, 0, 0);
    for (long i = 0; i < MEETERS; i++) {
        meeters[i] = (struct meeter){meeting, i};
        CHECK(pthread_create(&threads[i], NULL, meet, &meeters[i]) == 0, "thread");
    }
    for (int i = 0; i < MEETERS; i++) CHECK(sem_wait(&meeting->done) == 0, "sem_wait");
    for (int i = 0; i < MEETERS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "join");
    CHECK(meeting->turn == MEETERS * TURNS && meeting->count == MEETERS * TURNS, "%ld turns", meeting->turn);
    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0, "clock");
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) until = (struct timespec){until.tv_sec + 1, until.tv_nsec - 1000000000};
    force_out(meeting, sizeof(*meeting));
    CHECK(sem_timedwait(&meeting->done, &until) == -1 && errno == ETIMEDOUT, "sem_timedwait");
    munmap(meeting, 128 << 10);
}

/* More buffers wait in calls at a time than the budget has room for. */
enum { WAITERS = 48, WAIT_BYTES = 1 << 20 };

static atomic_int readers_done;

static void *read_one(void *argument)
{
    const int fd = *(int *)argument;
    unsigned char *buffer = map_pages(WAIT_BYTES);
    buffer[WAIT_BYTES - 1] = 7;
    const ssize_t got = read(fd, buffer, WAIT_BYTES);
    CHECK(got == 1 && buffer[0] == 'w' && buffer[WAIT_BYTES - 1] == 7, "a waiting read gave %zd", got);
    munmap(buffer, WAIT_BYTES);
    atomic_fetch_add(&readers_done, 1);
    return NULL;
}

static void test_many_waiting(void)
{
    int ends[2];
    pthread_t threads[WAITERS];
    const struct timespec soon = {0, 200000000};
    CHECK(pipe(ends) == 0, "pipe");
    for (int i = 0; i < WAITERS; i++) CHECK(pthread_create(&threads[i], NULL, read_one, &ends[0]) == 0, "thread");
    (void)nanosleep(&soon, NULL);
    touch_other_memory();
    for (int i = 0; i < WAITERS; i++) {
        CHECK(write(ends[1], "w", 1) == 1, "write");
        while (atomic_load(&readers_done) == i) sched_yield();
    }
    for (int i = 0; i < WAITERS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "join");
    close_pair(ends);
}

static void test_send(void)
{
    test_stream(send_all, 0);
}

static void test_wait_all(void)
{
    test_stream(send_all, MSG_WAITALL);
}

static void test_sendmsg(void)
{
    test_stream(sendmsg_all, 0);
}

static void test_datagrams(void)
{
    test_messages(SOCK_DGRAM);
}

static void test_packets(void)
{
    test_messages(SOCK_SEQPACKET);
}

static const struct group groups[] = {
    {"send", test_send},
    {"wait-all", test_wait_all},
    {"sendmsg", test_sendmsg},
    {"datagrams", test_datagrams},
    {"packets", test_packets},
    {"control", test_control},
    {"many-messages", test_many_messages},
    {"addresses", test_addresses},
    {"waits", test_waits},
    {"futexes", test_futexes},
    {"many-waiting", test_many_waiting},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
