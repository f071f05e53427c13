/* SPDX-License-Identifier: MIT */
/* onelevel limit: shows or changes the budget of a running `onelevel run`. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/budget.h"
#include "cli/cli.h"
#include "machine/linux/run/tree.h"

static void usage(FILE *to)
{
    fputs("usage: onelevel limit PID [SIZE | PERCENT% | auto]\n"
          "\n"
          "Shows the budget of a running `onelevel run`, or changes it. PID is the process of `onelevel run`\n"
          "or any process that it manages; the budget is that of all of them together. Of one's own\n"
          "processes, or as root of anybody's.\n"
          "\n"
          "  SIZE      e.g. 256M; at least 1M. Each process keeps 1 MiB, whatever the budget is\n"
          "  PERCENT%  of the machine's memory, or of this command's control group's limit if less\n"
          "  auto      as much as others leave: see `onelevel run --help`\n"
          "\n"
          "It takes effect within a second. A smaller budget moves pages to swap; what has nowhere to go\n"
          "(the swap is full, or compressed memory is all there is) stays, and the usage shows it.\n",
          to);
}

/* The memfd among the descriptors in the folder, opened; -1: there is none. */
static int find_shared(DIR *folder)
{
    static const char wanted[] = "/memfd:" OL_RUN_MEMFD " ";
    char target[PATH_MAX];
    const struct dirent *entry;
    while ((entry = readdir(folder))) { /* NOLINT(concurrency-mt-unsafe): one thread */
        const ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target));
        if (length >= (ssize_t)sizeof(wanted) && memcmp(target, wanted, sizeof(wanted) - 1) == 0)
            return openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC);
    }
    return -1;
}

bool ol_is_managed(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const int fd = folder ? find_shared(folder) : -1;
    if (folder) (void)closedir(folder);
    if (fd >= 0) (void)close(fd);
    return fd >= 0;
}

/* That of the process; -1 with a message. */
static int open_shared(int pid)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    if (!folder) {
        ol_error(errno == ENOENT ? "there is no process %d" : "process %d is not yours", pid);
        return -1;
    }
    const int fd = find_shared(folder);
    (void)closedir(folder);
    if (fd < 0) ol_error("process %d is neither `onelevel run` nor managed by one", pid);
    return fd;
}

static struct ol_run_shared *map_shared(int pid, int *fd)
{
    struct stat status;
    *fd = open_shared(pid);
    if (*fd < 0) return NULL;
    void *shared = MAP_FAILED;
    if (fstat(*fd, &status) == 0 && status.st_size == (off_t)sizeof(struct ol_run_shared))
        shared = mmap(NULL, sizeof(struct ol_run_shared), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (shared != MAP_FAILED) return shared;
    ol_error("process %d belongs to another version of onelevel", pid);
    return NULL;
}

static void show(struct ol_run_shared *shared, int fd)
{
    char budget[OL_SIZE_TEXT_BYTES], used[OL_SIZE_TEXT_BYTES];
    const unsigned processes = ol_tree_reap(shared, fd, NULL, NULL);
    printf("budget %s%s, used %s by %u process%s\n", ol_format_size(atomic_load(&shared->budget_bytes), budget),
           atomic_load(&shared->follows_pressure) ? " (auto)" : "",
           ol_format_size(atomic_load(&shared->used_bytes), used), processes, processes == 1 ? "" : "es");
}

static bool change(struct ol_run_shared *shared, const char *text)
{
    struct ol_host host;
    uint64_t bytes;
    const bool follows = strcmp(text, "auto") == 0;
    ol_host_read("", &host);
    if (follows) {
        bytes = atomic_load(&shared->budget_bytes);
    } else if (!ol_budget_parse(text, &host, &bytes)) {
        ol_error("%s: not a size; expected a number with K, M, G or T, such as 256M, a percentage, or auto", text);
        return false;
    } else if (bytes < ol_memory_minimum_bytes()) {
        ol_error("%s: too small: the minimum is 1 MiB", text);
        return false;
    }
    if (follows && kill(shared->command, 0) < 0 && errno == ESRCH) {
        ol_error("auto: the process of `onelevel run`, which would follow memory pressure, has ended");
        return false;
    }
    atomic_store(&shared->budget_bytes, bytes);
    atomic_store(&shared->follows_pressure, follows);
    atomic_store(&shared->watched, true);
    ol_tree_wake(shared);
    return true;
}

int ol_cmd_limit(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int key, fd;
    optind = 1;
    while ((key = getopt_long(argc, argv, "+h", options, NULL)) != -1) { /* NOLINT(concurrency-mt-unsafe) */
        usage(key == 'h' ? stdout : stderr);
        return key == 'h' ? OL_EXIT_OK : OL_EXIT_USAGE;
    }
    char *end = NULL;
    const long pid = optind < argc ? strtol(argv[optind], &end, 10) : 0;
    if (pid <= 0 || pid > INT_MAX || *end || optind + 2 < argc) {
        usage(stderr);
        return OL_EXIT_USAGE;
    }
    struct ol_run_shared *shared = map_shared((int)pid, &fd);
    if (!shared) return OL_EXIT_FAILURE;
    if (optind + 1 == argc) show(shared, fd);
    else if (!change(shared, argv[optind + 1])) return OL_EXIT_USAGE;
    return OL_EXIT_OK;
}
