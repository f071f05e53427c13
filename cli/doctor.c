/* SPDX-License-Identifier: MIT */
/*
 * onelevel doctor: what this system offers, what `onelevel run` will use of it, and the one command that would help.
 *
 * Nothing is concluded from versions: every call is tried, in this process or in a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "machine/linux/machine.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* Linux 6.7 and 6.8 (include/uapi/linux/userfaultfd.h, include/uapi/linux/fs.h). */
enum { FEATURE_SIGBUS = 1 << 7, FEATURE_WP_ASYNC = 1 << 15, FEATURE_MOVE = 1 << 16 };

struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

enum { TEXT_BYTES = 256, FINDINGS_MAX = 32, PAGE = 4096, MAPPINGS_ENOUGH = 1 << 18 };

struct finding {
    const char *key;   /* of JSON */
    const char *label; /* for people */
    char text[TEXT_BYTES];
};

struct doctor {
    struct finding finding[FINDINGS_MAX];
    unsigned count;
    bool userfaultfd, protection, filters, swap; /* what run depends on */
    bool move;
    long mappings; /* vm.max_map_count */
    const char *directory;
};

static void usage(FILE *to)
{
    fputs("usage: onelevel doctor [--json]\n"
          "\n"
          "Says what this system offers `onelevel run`, what of it will be used, and the one command\n"
          "that would improve it, if there is one. Every call is tried; nothing is changed.\n"
          "\n"
          "  --json   the same as JSON, on standard output\n"
          "\n"
          "Exit status 0: run will work here. 1: it will not.\n",
          to);
}

static void note(struct doctor *doctor, const char *key, const char *label, const char *text)
{
    struct finding *finding = &doctor->finding[doctor->count++];
    finding->key = key;
    finding->label = label;
    (void)snprintf(finding->text, sizeof(finding->text), "%s", text);
}

/* "yes", or why not. */
static void note_call(struct doctor *doctor, const char *key, const char *label, int error)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "no: %s", strerror(error));
    note(doctor, key, label, error ? text : "yes");
}

/* The first line of a file, without its newline; false if it cannot be read. */
static bool read_line(const char *path, char text[TEXT_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool good = fgets(text, TEXT_BYTES, file) != NULL;
    (void)fclose(file);
    if (good) text[strcspn(text, "\n")] = '\0';
    return good;
}

static void note_file(struct doctor *doctor, const char *key, const char *label, const char *path)
{
    char text[TEXT_BYTES] = "unknown";
    if (!read_line(path, text)) (void)snprintf(text, sizeof(text), "unknown: %s: %s", path, strerror(errno));
    note(doctor, key, label, text);
}

/* --- faults ----------------------------------------------------------------------------------------------------------
 */

/* 0 or the errno of opening with these flags; *features is what the kernel offers. */
static int try_userfaultfd(int flags, uint64_t *features)
{
    struct uffdio_api api = {.api = UFFD_API};
    const int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);
    if (fd < 0) return errno;
    const int error = ioctl(fd, UFFDIO_API, &api) ? errno : 0;
    *features = api.features;
    (void)close(fd);
    return error;
}

static int try_page_scan(void)
{
    char page[2 * PAGE]; /* some range that is there */
    struct scan scan = {.size = sizeof(scan), .return_mask = 1};
    scan.start = ((uint64_t)(uintptr_t)page + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    scan.end = scan.start + PAGE;
    const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    const int error = ioctl(fd, _IOWR('f', 16, struct scan), &scan) < 0 ? errno : 0;
    (void)close(fd);
    return error;
}

static bool try_machine(enum ol_faults faults)
{
    const struct ol_linux_options options = {.frames_max = 1, .faults = faults};
    struct ol_linux *machine;
    const char *error;
    if (ol_linux_create(&options, &machine, &error) != OL_OK) return false;
    ol_linux_destroy(machine);
    return true;
}

static void look_at_faults(struct doctor *doctor)
{
    uint64_t features = 0, ignored;
    note_call(doctor, "userfaultfd", "userfaultfd, of user code", try_userfaultfd(UFFD_USER_MODE_ONLY, &features));
    note_call(doctor, "userfaultfd_kernel", "userfaultfd, of the kernel too", try_userfaultfd(0, &ignored));
    const int fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    note_call(doctor, "dev_userfaultfd", "/dev/userfaultfd", fd < 0 ? errno : 0);
    if (fd >= 0) (void)close(fd);
    note_file(doctor, "unprivileged_userfaultfd", "vm.unprivileged_userfaultfd",
              "/proc/sys/vm/unprivileged_userfaultfd");
    note(doctor, "feature_sigbus", "userfaultfd: SIGBUS", features & FEATURE_SIGBUS ? "yes" : "no");
    note(doctor, "feature_move", "userfaultfd: MOVE", features & FEATURE_MOVE ? "yes" : "no");
    note(doctor, "feature_wp_async", "userfaultfd: WP_ASYNC", features & FEATURE_WP_ASYNC ? "yes" : "no");
    note_call(doctor, "pagemap_scan", "PAGEMAP_SCAN", try_page_scan());
    doctor->move = features & FEATURE_MOVE;
    doctor->userfaultfd = try_machine(OL_FAULTS_USERFAULTFD);
    doctor->protection = try_machine(OL_FAULTS_PROTECTION);
    note(doctor, "protection", "protection faults", doctor->protection ? "yes" : "no: mremap cannot MREMAP_DONTUNMAP");
}

/* --- calls -----------------------------------------------------------------------------------------------------------
 */

/* In a child: a filter stays for ever. Returns 0 or an errno. */
static int try_filter(void)
{
    int status = 0;
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) {
        struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        const struct sock_fprog program = {.len = 1, .filter = &allow};
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? errno : 0);
    }
    if (waitpid(child, &status, 0) != child) return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

static int try_io_uring(void)
{
    unsigned char parameters[120] = {0}; /* struct io_uring_params */
    const int fd = (int)syscall(SYS_io_uring_setup, 1, parameters);
    if (fd < 0) return errno;
    (void)close(fd);
    return 0;
}

static void look_at_calls(struct doctor *doctor)
{
    const int error = try_filter();
    note_call(doctor, "seccomp_filter", "seccomp filters", error);
    doctor->filters = error == 0;
    note_call(doctor, "io_uring", "io_uring", try_io_uring());
}

/* --- memory and swap -------------------------------------------------------------------------------------------------
 */

static void note_size(struct doctor *doctor, const char *key, const char *label, uint64_t bytes)
{
    char text[OL_SIZE_TEXT_BYTES];
    note(doctor, key, label, bytes == UINT64_MAX ? "unknown" : ol_format_size(bytes, text));
}

static void look_at_memory(struct doctor *doctor)
{
    char text[TEXT_BYTES];
    struct ol_host host;
    ol_host_read("", &host);
    const uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    note_size(doctor, "memory", "memory of the machine", machine);
    note_size(doctor, "memory_limit", "limit of its control groups", host.limit_bytes);
    note_size(doctor, "memory_available", "memory available", host.available_bytes);
    note_file(doctor, "overcommit", "vm.overcommit_memory", "/proc/sys/vm/overcommit_memory");
    note_file(doctor, "max_map_count", "vm.max_map_count", "/proc/sys/vm/max_map_count");
    note_file(doctor, "huge_pages", "transparent huge pages", "/sys/kernel/mm/transparent_hugepage/enabled");
    if (read_line("/proc/sys/vm/max_map_count", text)) doctor->mappings = strtol(text, NULL, 10);
}

/* A nameless file in the directory, written once. 0 or an errno. */
static int try_write(const char *directory, int flags)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return errno;
    int error = 0, fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* a file system without nameless files */
        char path[PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s/onelevel-XXXXXX", directory);
        fd = mkostemp(path, O_CLOEXEC | flags);
        if (fd >= 0) (void)unlink(path);
    }
    if (fd < 0 || pwrite(fd, page, PAGE, 0) != PAGE) error = errno;
    if (fd >= 0) (void)close(fd);
    (void)munmap(page, PAGE);
    return error;
}

static void look_at_swap(struct doctor *doctor)
{
    struct statvfs file_system;
    const char *directory = getenv("TMPDIR");
    doctor->directory = directory && *directory ? directory : "/var/tmp";
    const int error = try_write(doctor->directory, 0);
    doctor->swap = error == 0;
    note(doctor, "swap_directory", "directory of the swap file", doctor->directory);
    note_call(doctor, "swap_file", "a swap file there", error);
    const bool known = statvfs(doctor->directory, &file_system) == 0;
    note_size(doctor, "swap_space", "room there",
              known ? (uint64_t)file_system.f_bavail * file_system.f_frsize : UINT64_MAX);
    note_call(doctor, "swap_direct", "direct I/O there", try_write(doctor->directory, O_DIRECT));
}

/* --- the verdict -----------------------------------------------------------------------------------------------------
 */

static bool will_work(const struct doctor *doctor)
{
    return doctor->filters && doctor->swap && (doctor->userfaultfd || doctor->protection);
}

static const char *used(const struct doctor *doctor)
{
    if (!will_work(doctor)) return "nothing: it will not work here";
    if (doctor->userfaultfd)
        return doctor->move ? "userfaultfd, pages are moved" : "userfaultfd, pages are copied (no UFFDIO_MOVE)";
    return "protection faults: the same results, slower";
}

/* The one command that would help most, or "". */
static const char *advice(const struct doctor *doctor)
{
    if (!doctor->filters || !(doctor->userfaultfd || doctor->protection))
        return "docker run --security-opt seccomp=unconfined ... (of another container manager, its like)";
    if (!doctor->swap) return "export TMPDIR=DIRECTORY (one that you may write)";
    if (!doctor->userfaultfd && doctor->mappings && doctor->mappings < MAPPINGS_ENOUGH)
        return "sysctl vm.max_map_count=1048576 (as root on the host; allowing userfaultfd would be better still)";
    if (!doctor->userfaultfd) return "docker run --security-opt seccomp=PROFILE ... (one that allows userfaultfd)";
    return "";
}

static void print(const struct doctor *doctor)
{
    for (unsigned i = 0; i < doctor->count; i++)
        printf("%-32s %s\n", doctor->finding[i].label, doctor->finding[i].text);
    printf("\n`onelevel run` will use          %s\n", used(doctor));
    if (*advice(doctor)) printf("what would improve it            %s\n", advice(doctor));
}

static bool print_json(const struct doctor *doctor)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < doctor->count; i++)
        (void)json_object_set_new(object, doctor->finding[i].key, json_string(doctor->finding[i].text));
    (void)json_object_set_new(object, "works", json_boolean(will_work(doctor)));
    (void)json_object_set_new(object, "uses", json_string(used(doctor)));
    (void)json_object_set_new(object, "advice", json_string(advice(doctor)));
    const bool good = json_dumpf(object, stdout, JSON_INDENT(2)) == 0;
    json_decref(object);
    return putchar('\n') != EOF && good;
}

int ol_cmd_doctor(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    static struct doctor doctor;
    bool json = false;
    int key;
    optind = 1;
    while ((key = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (key == 'h') {
            usage(stdout);
            return OL_EXIT_OK;
        }
        if (key != 'j') return OL_EXIT_USAGE;
        json = true;
    }
    if (optind < argc) {
        ol_error("doctor takes no arguments; '%s' is one", argv[optind]);
        return OL_EXIT_USAGE;
    }
    look_at_faults(&doctor);
    look_at_calls(&doctor);
    look_at_memory(&doctor);
    look_at_swap(&doctor);
    bool good = true;
    if (json) good = print_json(&doctor);
    else print(&doctor);
    if (fflush(stdout) || !good) {
        ol_error("standard output: %s", strerror(errno));
        return OL_EXIT_FAILURE;
    }
    return will_work(&doctor) ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
