/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/tree.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, GRAIN_BYTES = 64 << 10, ROUNDS_MAX = 64 };

static const uint64_t spare_least = 128U << 10, spare_most = 16U << 20, more_least = 512U << 10,
                      lacking_ns = 1000000000U, wake_ns = 2000000U;

uint64_t ol_tree_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* --- who lives ------------------------------------------------------------------------------------------------------
 */

static long lock_byte(int fd, int command, unsigned at, short type, pid_t *holder)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    const long result = syscall(SYS_fcntl, fd, command, &lock);
    if (holder) *holder = result == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
    return result;
}

/* Adds figures. Up to `faults` the struct is numbers of 64 bits, but for a block of 32-bit ones in the core's part. */
static void add(struct ol_memory_statistics *to, const struct ol_memory_statistics *from)
{
    enum {
        SMALL = offsetof(struct ol_memory_statistics, core.frames_budget),
        LARGE = offsetof(struct ol_memory_statistics, core.pages),
        END = offsetof(struct ol_memory_statistics, faults)
    };
    _Static_assert(SMALL % sizeof(uint64_t) == 0 && LARGE % sizeof(uint64_t) == 0, "numbers of one size each");
    _Static_assert(END + sizeof(uint64_t) == sizeof(struct ol_memory_statistics), "nothing else is no number");
    char *sum = (char *)to;
    const char *other = (const char *)from;
    for (size_t at = 0; at < END; at += at < SMALL || at >= LARGE ? sizeof(uint64_t) : sizeof(uint32_t)) {
        if (at < SMALL || at >= LARGE) *(uint64_t *)(void *)(sum + at) += *(const uint64_t *)(const void *)(other + at);
        else *(uint32_t *)(void *)(sum + at) += *(const uint32_t *)(const void *)(other + at);
    }
    if (from->faults) to->faults = from->faults; /* one way for all: what the first process found is told the others */
    to->file_buffered |= from->file_buffered;
}

/* The process has ended; the lock of its place is held. */
static void bury(struct ol_run_shared *shared, int fd, struct ol_run_process *dead)
{
    (void)lock_byte(fd, F_SETLKW, OL_RUN_PROCESSES_MAX, F_WRLCK, NULL);
    add(&shared->finished, &dead->statistics);
    memset(&dead->statistics, 0, sizeof(dead->statistics));
    (void)lock_byte(fd, F_SETLK, OL_RUN_PROCESSES_MAX, F_UNLCK, NULL);
    atomic_fetch_sub(&shared->granted_bytes, atomic_exchange(&dead->granted_bytes, 0));
    atomic_fetch_sub(&shared->used_bytes, atomic_exchange(&dead->used_bytes, 0));
    atomic_fetch_sub(&shared->pages_bytes, atomic_exchange(&dead->pages_bytes, 0));
    atomic_store(&dead->need_bytes, 0);
    atomic_store(&dead->warm_bytes, 0);
    atomic_store(&dead->enter_address, 0);
    atomic_store(&dead->is_watching, false);
    atomic_store(&dead->pid, 0);
}

struct ol_run_process *ol_tree_join(struct ol_run_shared *shared, int fd, pid_t pid)
{
    for (unsigned i = 0; i < OL_RUN_PROCESSES_MAX; i++) {
        struct ol_run_process *place = &shared->process[i];
        if (lock_byte(fd, F_SETLK, i, F_WRLCK, NULL)) continue;
        if (atomic_load(&place->pid)) bury(shared, fd, place); /* also what this process was before it executed this */
        atomic_store(&place->pid, pid);
        unsigned places = atomic_load(&shared->places);
        while (places <= i && !atomic_compare_exchange_weak(&shared->places, &places, i + 1)) continue;
        atomic_fetch_add(&shared->attached, 1);
        return place;
    }
    return NULL;
}

unsigned ol_tree_reap(struct ol_run_shared *shared, int fd, const struct ol_run_process *self,
                      struct ol_run_living living[OL_RUN_PROCESSES_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < atomic_load(&shared->places); i++) {
        struct ol_run_process *process = &shared->process[i];
        pid_t pid = atomic_load(&process->pid);
        if (!pid) continue;
        if (process != self) (void)lock_byte(fd, F_GETLK, i, F_WRLCK, &pid);
        if (pid) {
            if (living) living[count] = (struct ol_run_living){pid, i};
            count++;
        } else if (lock_byte(fd, F_SETLK, i, F_WRLCK, NULL) == 0) {
            if (atomic_load(&process->pid)) bury(shared, fd, process);
            (void)lock_byte(fd, F_SETLK, i, F_UNLCK, NULL);
        }
    }
    return count;
}

/* --- figures --------------------------------------------------------------------------------------------------------
 */

void ol_tree_peak(atomic_ullong *peak, uint64_t bytes)
{
    unsigned long long was = atomic_load(peak);
    while (was < bytes && !atomic_compare_exchange_weak(peak, &was, bytes)) continue;
}

/* The process's number becomes `bytes`; the sum over all follows, and its peak. */
static void change(atomic_ullong *own, atomic_ullong *sum, atomic_ullong *peak, uint64_t bytes)
{
    const uint64_t more = bytes - atomic_exchange(own, bytes);
    ol_tree_peak(peak, atomic_fetch_add(sum, more) + more);
}

void ol_tree_note(struct ol_run_shared *shared, struct ol_run_process *self,
                  const struct ol_memory_statistics *statistics, bool counts_pages)
{
    const struct ol_statistics *core = &statistics->core;
    const bool whole = shared->options.ram_bytes != 0; /* the budget covers all, else resident pages alone */
    const uint64_t tables = whole ? statistics->metadata_bytes : 0, lent = whole ? core->frames_lent : 0;
    self->statistics = *statistics;
    atomic_store(&self->warm_bytes, (uint64_t)core->frames_warm * PAGE_BYTES);
    atomic_store(&self->need_bytes, core->pages * PAGE_BYTES + tables);
    if (counts_pages)
        change(&self->pages_bytes, &shared->pages_bytes, &shared->peak.pages_bytes, core->pages * PAGE_BYTES);
    change(&self->used_bytes, &shared->used_bytes, &shared->peak.used_bytes,
           (core->frames_in_use + lent) * PAGE_BYTES + tables);
}

void ol_tree_statistics(struct ol_run_shared *shared, struct ol_memory_statistics *out)
{
    *out = shared->finished;
    for (unsigned i = 0; i < atomic_load(&shared->places); i++) add(out, &shared->process[i].statistics);
}

static uint64_t field(const char *text, const char *name)
{
    uint64_t kilobytes = 0;
    const char *at = strstr(text, name);
    if (!at) return 0;
    for (at += strlen(name); *at == ' ' || *at == '\t'; at++) continue;
    for (; *at >= '0' && *at <= '9'; at++) kilobytes = kilobytes * 10 + (uint64_t)(*at - '0');
    return kilobytes * 1024;
}

static char *put(char *to, const char *text)
{
    while ((*to = *text)) to++, text++;
    return to;
}

static void write_path(pid_t pid, char path[32])
{
    char digits[12], *digit = digits + sizeof(digits) - 1;
    *digit = '\0';
    for (; pid > 0; pid /= 10) *--digit = (char)('0' + pid % 10);
    (void)put(put(put(path, "/proc/"), *digit ? digit : "self"), "/status");
}

bool ol_tree_memory(pid_t pid, struct ol_run_memory *out)
{
    char path[32], text[2048];
    write_path(pid, path);
    const long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return false;
    const long length = syscall(SYS_read, fd, text, sizeof(text) - 1);
    (void)syscall(SYS_close, fd);
    text[length > 0 ? length : 0] = '\0';
    *out = (struct ol_run_memory){field(text, "RssAnon:"), field(text, "RssFile:"), field(text, "RssShmem:")};
    return length > 0;
}

/* --- the budget -----------------------------------------------------------------------------------------------------
 */

/* What a process wants: what it needs, and some more to grow until it looks again. */
static uint64_t want(const struct ol_run_process *process, uint64_t spare)
{
    const uint64_t need = atomic_load(&process->need_bytes), more = need / 4 > more_least ? need / 4 : more_least;
    const uint64_t bytes = need + (more < spare ? more : spare);
    return (bytes + GRAIN_BYTES - 1) / GRAIN_BYTES * GRAIN_BYTES;
}

uint64_t ol_tree_due(struct ol_run_shared *shared, const struct ol_run_process *self, unsigned alike)
{
    const uint64_t budget = atomic_load(&shared->budget_bytes);
    const unsigned places = atomic_load(&shared->places);
    unsigned count = alike - 1;
    for (unsigned i = 0; i < places; i++) count += atomic_load(&shared->process[i].pid) != 0;
    if (count <= 1 && !atomic_load(&shared->watched)) return budget; /* nobody to divide with */
    if (!count) return budget;
    uint64_t spare = budget / 8 / count, level = budget / count;
    spare = spare < spare_least ? spare_least : spare > spare_most ? spare_most : spare;
    const uint64_t own = want(self, spare);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        uint64_t satisfied = own <= level ? own * (alike - 1) : 0;
        unsigned others = own <= level ? 0 : alike - 1;
        for (unsigned i = 0; i < places; i++) {
            if (!atomic_load(&shared->process[i].pid)) continue;
            const uint64_t wants = want(&shared->process[i], spare);
            if (wants <= level) satisfied += wants;
            else others++;
        }
        if (!others) return own;
        const uint64_t next = satisfied < budget ? (budget - satisfied) / others : 0;
        if (next <= level) break;
        level = next;
    }
    return own < level ? own : level;
}

uint64_t ol_tree_take(struct ol_run_shared *shared, struct ol_run_process *self, uint64_t bytes)
{
    unsigned long long granted = atomic_load(&shared->granted_bytes);
    uint64_t taken;
    do {
        const uint64_t budget = atomic_load(&shared->budget_bytes), left = budget > granted ? budget - granted : 0;
        taken = bytes < left ? bytes : left;
    } while (taken && !atomic_compare_exchange_weak(&shared->granted_bytes, &granted, granted + taken));
    atomic_fetch_add(&self->granted_bytes, taken);
    return taken;
}

void ol_tree_give(struct ol_run_shared *shared, struct ol_run_process *self, uint64_t bytes)
{
    atomic_fetch_sub(&self->granted_bytes, bytes);
    atomic_fetch_sub(&shared->granted_bytes, bytes);
}

void ol_tree_wake(struct ol_run_shared *shared)
{
    atomic_fetch_add(&shared->change, 1);
    (void)syscall(SYS_futex, &shared->change, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

bool ol_tree_lacks(struct ol_run_shared *shared)
{
    const uint64_t when = atomic_load(&shared->lacking_ns);
    return when && ol_tree_now_ns() - when < lacking_ns;
}

void ol_tree_lack(struct ol_run_shared *shared)
{
    const uint64_t now = ol_tree_now_ns();
    unsigned long long woken = atomic_load(&shared->woken_ns);
    atomic_store(&shared->lacking_ns, now);
    if (now - woken < wake_ns || !atomic_compare_exchange_strong(&shared->woken_ns, &woken, now)) return;
    ol_tree_wake(shared);
}
