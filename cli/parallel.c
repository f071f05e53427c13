/* SPDX-License-Identifier: MIT */
#include "cli/parallel.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

struct worker {
    pid_t process;
    int fd; /* where its result comes from */
    size_t index, bytes;
    char result[OL_PARALLEL_BYTES + 1]; /* one more: a result too long is noticed */
};

unsigned ol_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) return (unsigned)CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than a cpu_set_t has bits for */
    return online > 0 ? (unsigned)online : 1;
}

static _Noreturn void become_worker(const struct ol_parallel *parallel, size_t index, int fd, pid_t parent)
{
    char result[OL_PARALLEL_BYTES];
    size_t bytes = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* killed, the command leaves nothing behind */
    if (getppid() != parent) _exit(OL_EXIT_FAILURE);
    bool good = parallel->work(parallel->context, index, result, &bytes);
    for (size_t at = 0; good && at < bytes;) {
        const ssize_t written = write(fd, result + at, bytes - at);
        good = written > 0 || (written < 0 && errno == EINTR);
        if (written > 0) at += (size_t)written;
    }
    _exit(good ? OL_EXIT_OK : OL_EXIT_FAILURE);
}

static bool start(const struct ol_parallel *parallel, size_t index, struct worker *worker)
{
    int ends[2];
    const pid_t parent = getpid();
    *worker = (struct worker){.index = index};
    if (pipe(ends) != 0) {
        ol_error("pipe: %s", strerror(errno));
        return false;
    }
    (void)fflush(NULL); /* so that nobody prints it twice */
    worker->process = fork();
    if (worker->process == 0) become_worker(parallel, index, ends[1], parent);
    (void)close(ends[1]);
    worker->fd = ends[0];
    if (worker->process > 0) return true;
    ol_error("fork: %s", strerror(errno));
    (void)close(ends[0]);
    return false;
}

/* The worker has closed its pipe. */
static bool finish(const struct ol_parallel *parallel, struct worker *worker)
{
    int status;
    (void)close(worker->fd);
    while (waitpid(worker->process, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        ol_error("a process that worked was killed by signal %d (%s); if memory was short, try fewer --jobs",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != OL_EXIT_OK) return false;
    return parallel->done(parallel->context, worker->index, worker->result, worker->bytes);
}

/* Reads what a worker has written. *ended: it has written all. */
static void listen_to(struct worker *worker, bool *ended)
{
    const ssize_t got = read(worker->fd, worker->result + worker->bytes, sizeof(worker->result) - worker->bytes);
    if (got > 0) worker->bytes += (size_t)got;
    *ended = got == 0 || (got < 0 && errno != EINTR);
}

/* Waits until some worker has something to say, and hears them all. False: something failed. */
static bool hear(const struct ol_parallel *parallel, struct worker *workers, struct pollfd *polled, unsigned *busy)
{
    bool good = true;
    for (unsigned i = 0; i < *busy; i++) polled[i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
    if (poll(polled, *busy, -1) < 0) return true; /* interrupted */
    for (unsigned i = *busy; i--;) {
        bool ended = false;
        if (polled[i].revents) listen_to(&workers[i], &ended);
        if (!ended) continue;
        good = finish(parallel, &workers[i]) && good;
        workers[i] = workers[--*busy];
    }
    return good;
}

bool ol_parallel_run(const struct ol_parallel *parallel, size_t count, unsigned jobs)
{
    struct worker *const workers = calloc(jobs, sizeof(*workers));
    struct pollfd *const polled = calloc(jobs, sizeof(*polled));
    unsigned busy = 0;
    bool good = workers && polled;
    if (!good) ol_error("no memory for %u jobs", jobs);
    for (size_t next = 0; (good && next < count) || busy;) {
        while (good && next < count && busy < jobs) {
            good = start(parallel, next, &workers[busy]);
            if (good) next++, busy++;
        }
        if (busy) good = hear(parallel, workers, polled, &busy) && good;
    }
    free(workers);
    free(polled);
    return good;
}
