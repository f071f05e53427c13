/* SPDX-License-Identifier: MIT */
#include "cli/watch.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/budget.h"
#include "cli/poke.h"
#include "machine/linux/run/tree.h"

enum { TICK_MS = 100, TICKS_PER_LOOK = 10, DEPTH_MAX = 64 };

struct sample {
    struct ol_run_memory outside; /* of managed processes, what the budget does not cover */
    uint64_t unmanaged_bytes;
    const struct ol_run_living *living;
    unsigned count;
};

static void sample_managed(struct sample *sample, const struct ol_run_shared *shared)
{
    for (unsigned i = 0; i < sample->count; i++) {
        struct ol_run_memory memory;
        const struct ol_run_process *process = &shared->process[sample->living[i].place];
        const uint64_t used = atomic_load(&process->used_bytes) + atomic_load(&process->warm_bytes);
        if (!ol_tree_memory(sample->living[i].pid, &memory)) continue;
        if (used && memory.anonymous_bytes > used) /* 0: it has just begun */
            sample->outside.anonymous_bytes += memory.anonymous_bytes - used;
        sample->outside.file_bytes += memory.file_bytes;
        sample->outside.shared_bytes += memory.shared_bytes;
    }
}

static bool is_managed(const struct sample *sample, pid_t pid)
{
    for (unsigned i = 0; i < sample->count; i++)
        if (sample->living[i].pid == pid) return true;
    return false;
}

/* The process and all below it. */
static void sample_unmanaged(struct sample *sample, pid_t pid, int depth) /* NOLINT(misc-no-recursion) */
{
    char path[300];
    struct ol_run_memory memory;
    const struct dirent *task;
    if (!is_managed(sample, pid) && ol_tree_memory(pid, &memory))
        sample->unmanaged_bytes += memory.anonymous_bytes + memory.file_bytes + memory.shared_bytes;
    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *tasks = depth < DEPTH_MAX ? opendir(path) : NULL;
    while (tasks && (task = readdir(tasks))) { /* NOLINT(concurrency-mt-unsafe): one thread */
        int child;
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, task->d_name);
        FILE *children = task->d_name[0] == '.' ? NULL : fopen(path, "re");
        while (children && fscanf(children, "%d", &child) == 1) sample_unmanaged(sample, child, depth + 1);
        if (children) (void)fclose(children);
    }
    if (tasks) (void)closedir(tasks);
}

/* Processes with something to give that have no thread of the runtime's, though the budget may change: they wait. */
static void poke_waiting(struct ol_run_shared *shared, const struct sample *sample)
{
    if (!atomic_load(&shared->watched)) return;
    for (unsigned i = 0; i < sample->count; i++) {
        struct ol_run_process *process = &shared->process[sample->living[i].place];
        if (atomic_load(&process->is_watching) || atomic_load(&process->used_bytes) <= 2 * ol_memory_minimum_bytes())
            continue;
        (void)ol_poke(sample->living[i].pid, process);
    }
}

static void take_sample(struct ol_run_shared *shared, int fd, pid_t child)
{
    static struct ol_run_living living[OL_RUN_PROCESSES_MAX];
    struct sample sample = {.living = living, .count = ol_tree_reap(shared, fd, NULL, living)};
    poke_waiting(shared, &sample);
    sample_managed(&sample, shared);
    if (atomic_load(&shared->unmanaged)) sample_unmanaged(&sample, child, 0);
    ol_tree_peak(&shared->peak.anonymous_bytes, sample.outside.anonymous_bytes);
    ol_tree_peak(&shared->peak.file_bytes, sample.outside.file_bytes);
    ol_tree_peak(&shared->peak.shared_bytes, sample.outside.shared_bytes);
    ol_tree_peak(&shared->peak.unmanaged_bytes, sample.unmanaged_bytes);
}

static void follow_pressure(struct ol_run_shared *shared)
{
    struct ol_host host;
    if (!atomic_load(&shared->follows_pressure)) return;
    ol_host_read("", &host);
    const uint64_t budget = atomic_load(&shared->budget_bytes);
    const uint64_t now = ol_budget_follow(&host, budget, atomic_load(&shared->used_bytes));
    if (now == budget) return;
    atomic_store(&shared->budget_bytes, now);
    ol_tree_wake(shared);
}

/* 1, or 0, or -1: there is no such child. To who traces it waitid also tells that it stopped, asked for or not. */
static int has_ended(pid_t child)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT)) return errno == EINTR ? 0 : -1;
    return info.si_pid == child && info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED;
}

int ol_watch(struct ol_run_shared *shared, int fd, pid_t child, struct rusage *usage)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    sigset_t ended;
    int status = 0;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    for (unsigned ticks = 1;; ticks++) {
        ol_poke_let_go(child);
        const int end = has_ended(child);
        if (end < 0) return -1;
        if (end) break;
        if (sigtimedwait(&ended, NULL, &tick) == SIGCHLD) continue;
        take_sample(shared, fd, child);
        if (ticks % TICKS_PER_LOOK == 0) follow_pressure(shared);
    }
    if (wait4(child, &status, 0, usage) != child) return -1;
    (void)ol_tree_reap(shared, fd, NULL, NULL);
    return status;
}
