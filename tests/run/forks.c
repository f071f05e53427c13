/* SPDX-License-Identifier: MIT */
/* Copies of the process, and programs that it executes. usage: forks [GROUP] */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

extern char **environ;

enum { DATA_BYTES = 5 << 20, DATA_PAGES = DATA_BYTES / PAGE, SAMPLE = 64 };

static unsigned char *data; /* several times the budget */

/* A stamp at both ends of every page: cheap to check, and every page counts. */
static void stamp_page(size_t page, unsigned version)
{
    memset(data + page * PAGE, pattern(page * PAGE, version), SAMPLE);
    memset(data + (page + 1) * PAGE - SAMPLE, pattern(page * PAGE + 1, version), SAMPLE);
}

static void check_page(size_t page, unsigned version, const char *who)
{
    for (size_t i = 0; i < SAMPLE; i++) {
        const unsigned char first = data[page * PAGE + i], last = data[(page + 1) * PAGE - SAMPLE + i];
        CHECK(first == pattern(page * PAGE, version), "%s: page %zu, byte %zu is %u", who, page, i, first);
        CHECK(last == pattern(page * PAGE + 1, version), "%s: page %zu, late byte %zu is %u", who, page, i, last);
    }
}

static void stamp_all(unsigned version)
{
    for (size_t page = 0; page < DATA_PAGES; page++) stamp_page(page, version);
}

static void check_all(unsigned version, const char *who)
{
    for (size_t page = 0; page < DATA_PAGES; page++) check_page(page, version, who);
}

static pid_t fork_checked(void)
{
    (void)fflush(NULL);
    const pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    return pid;
}

static void expect_status(pid_t pid, int status)
{
    int is = -1;
    CHECK(waitpid(pid, &is, 0) == pid, "waitpid");
    CHECK(is == status, "the child ended with %#x, not %#x", (unsigned)is, (unsigned)status);
}

static void allocate(void)
{
    if (!data) data = map_pages(DATA_BYTES);
}

/* Both sides find all pages, those that were evicted and those that were resident, and go on with their own. */
static void test_both_sides(void)
{
    allocate();
    stamp_all(1);
    const pid_t pid = fork_checked();
    if (pid == 0) {
        check_all(1, "child, before it writes");
        for (size_t page = 0; page < DATA_PAGES; page += 2) stamp_page(page, 2);
        for (size_t page = 0; page < DATA_PAGES; page++) check_page(page, page % 2 ? 1 : 2, "child");
        _exit(42);
    }
    for (size_t page = 0; page < DATA_PAGES; page += 3) stamp_page(page, 3);
    for (size_t page = 0; page < DATA_PAGES; page++) check_page(page, page % 3 ? 1 : 3, "parent, beside its child");
    expect_status(pid, 42 << 8);
    for (size_t page = 0; page < DATA_PAGES; page++) check_page(page, page % 3 ? 1 : 3, "parent, after its child");
}

/* The parent is gone before its child looks: data that only the parent had in its swap is still there. */
static void test_orphan(void)
{
    int ends[2];
    char byte = 0;
    allocate();
    stamp_all(4);
    CHECK(pipe(ends) == 0, "pipe");
    const pid_t pid = fork_checked();
    if (pid == 0) {
        if (fork_checked() != 0) _exit(0);
        (void)nanosleep(&(struct timespec){0, 100000000}, NULL);
        check_all(4, "orphan");
        stamp_all(5);
        check_all(5, "orphan");
        CHECK(write(ends[1], "k", 1) == 1, "write");
        _exit(0);
    }
    close(ends[1]);
    stamp_all(6);
    expect_status(pid, 0);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'k', "the orphan failed");
    check_all(6, "grandparent");
    close(ends[0]);
}

/* A child's child's child …: everyone finds what its parent had, and keeps its own. */
static void nest(void)
{
    for (int depth = 0; depth < 4; depth++) {
        const unsigned version = 10 + (unsigned)depth;
        check_all(version, "nested");
        stamp_all(version + 1);
        const pid_t pid = fork_checked();
        if (pid == 0) continue;
        for (size_t page = 0; page < DATA_PAGES; page += 7) stamp_page(page, 99);
        expect_status(pid, (depth + 1) << 8);
        for (size_t page = 0; page < DATA_PAGES; page++) check_page(page, page % 7 ? version + 1 : 99, "nested parent");
        _exit(depth);
    }
    check_all(14, "innermost");
    _exit(4);
}

static void test_nested(void)
{
    allocate();
    stamp_all(10);
    const pid_t pid = fork_checked();
    if (pid == 0) nest();
    expect_status(pid, 0);
    check_all(10, "parent of all");
}

static void test_many_children(void)
{
    enum { CHILDREN = 8 };
    pid_t children[CHILDREN];
    allocate();
    for (unsigned i = 0; i < CHILDREN; i++) {
        for (size_t page = i; page < DATA_PAGES; page += CHILDREN) stamp_page(page, 20 + i);
        children[i] = fork_checked();
        if (children[i] != 0) continue;
        for (size_t page = 0; page < DATA_PAGES; page++)
            if (page % CHILDREN <= i) check_page(page, 20 + (unsigned)(page % CHILDREN), "one of many");
        for (size_t page = i; page < DATA_PAGES; page += CHILDREN) stamp_page(page, 50 + i);
        touch_other_memory();
        for (size_t page = i; page < DATA_PAGES; page += CHILDREN) check_page(page, 50 + i, "one of many, late");
        _exit((int)i);
    }
    for (unsigned i = 0; i < CHILDREN; i++) expect_status(children[i], (int)i << 8);
    for (size_t page = 0; page < DATA_PAGES; page++)
        check_page(page, 20 + (unsigned)(page % CHILDREN), "parent of many");
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

enum { WRITERS = 3 };

static atomic_bool stop, halt; /* halt: no round is begun. The locks alone are not fair to who waits for them. */
static atomic_uint progress[WRITERS];
static pthread_mutex_t part_lock[WRITERS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                             PTHREAD_MUTEX_INITIALIZER};

/* Writer w owns every third page; a round writes them all. A page is of this round or of the last. */
static void *write_on(void *argument)
{
    const size_t writer = (size_t)(uintptr_t)argument;
    for (unsigned round = 1; !atomic_load(&stop); round++) {
        while (atomic_load(&halt)) (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
        pthread_mutex_lock(&part_lock[writer]);
        for (size_t page = writer; page < DATA_PAGES; page += WRITERS) stamp_page(page, round);
        atomic_store(&progress[writer], round);
        pthread_mutex_unlock(&part_lock[writer]);
    }
    return NULL;
}

static void check_parts(const char *who)
{
    for (size_t page = 0; page < DATA_PAGES; page++) check_page(page, atomic_load(&progress[page % WRITERS]), who);
}

static void lock_parts(bool lock)
{
    atomic_store(&halt, lock);
    for (int i = 0; i < WRITERS; i++) (lock ? pthread_mutex_lock : pthread_mutex_unlock)(&part_lock[i]);
}

/* The child has one thread; what the others wrote last is all there. */
static void test_threads(void)
{
    pthread_t threads[WRITERS];
    allocate();
    stamp_all(0);
    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_on, (void *)i) == 0, "thread"); // NOLINT
    for (int i = 0; i < 3; i++) {
        (void)nanosleep(&(struct timespec){0, 30000000}, NULL);
        lock_parts(true); /* the rounds are whole */
        const pid_t pid = fork_checked();
        if (pid == 0) {
            check_parts("child of threads");
            stamp_all(77);
            check_all(77, "child of threads, its own");
            _exit(i);
        }
        lock_parts(false);
        expect_status(pid, i << 8);
    }
    /* Without care for the writers: a child works, whatever they were doing. */
    for (int i = 0; i < 3; i++) {
        const pid_t pid = fork_checked();
        if (pid == 0) {
            stamp_all(78);
            check_all(78, "child of busy threads");
            _exit(i);
        }
        expect_status(pid, i << 8);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < WRITERS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "join");
    check_parts("parent with threads");
}

static void *wait_in_read(void *argument)
{
    char *buffer = map_pages(256 << 10);
    fill(buffer, 256 << 10, 8);
    CHECK(read(*(int *)argument, buffer, 256 << 10) == 3 && memcmp(buffer, "end", 3) == 0, "read");
    CHECK((unsigned char)buffer[200000] == pattern(200000, 8), "the rest of the buffer");
    return NULL;
}

/* A fork while a thread waits in a call with its buffer wired. */
static void test_while_reading(void)
{
    int ends[2];
    pthread_t thread;
    allocate();
    stamp_all(30);
    CHECK(pipe(ends) == 0 && pthread_create(&thread, NULL, wait_in_read, &ends[0]) == 0, "thread");
    (void)nanosleep(&(struct timespec){0, 50000000}, NULL);
    for (int i = 0; i < 5; i++) {
        const pid_t pid = fork_checked();
        if (pid == 0) {
            check_all(30, "child");
            stamp_all(31);
            check_all(31, "child, late");
            _exit(3);
        }
        expect_status(pid, 3 << 8);
    }
    CHECK(write(ends[1], "end", 3) == 3, "write");
    CHECK(pthread_join(thread, NULL) == 0, "join");
    check_all(30, "parent");
}

/* --- programs ----------------------------------------------------------------------------------------------------- */

static void test_spawn(void)
{
    pid_t pid;
    char *heap = map_pages(256 << 10);
    char **arguments = (char **)(void *)heap, *script = heap + 5 * PAGE - 3;
    allocate();
    stamp_all(40);
    strcpy(script, "test \"$1\" = argument && test \"$SPAWNED\" = yes && exit 9");
    arguments[0] = strcpy(heap + 3 * PAGE, "sh");
    arguments[1] = strcpy(heap + 4 * PAGE, "-c");
    arguments[2] = script;
    arguments[3] = strcpy(heap + 7 * PAGE, "name");
    arguments[4] = strcpy(heap + 9 * PAGE - 4, "argument");
    arguments[5] = NULL;
    CHECK(setenv("SPAWNED", "yes", 1) == 0, "setenv");
    force_out(heap, 16 * PAGE);
    CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ) == 0, "posix_spawn");
    expect_status(pid, 9 << 8);
    force_out(heap, 16 * PAGE);
    pid = vfork();
    if (pid == 0) {
        execv("/bin/sh", arguments);
        _exit(1);
    }
    expect_status(pid, 9 << 8);
    force_out(heap, 16 * PAGE);
    pid = fork_checked();
    if (pid == 0) {
        execve("/bin/sh", arguments, environ);
        _exit(1);
    }
    expect_status(pid, 9 << 8);
    pid = vfork();
    if (pid == 0) {
        execv("/nowhere/at-all", arguments);
        _exit(errno == ENOENT ? 33 : 34);
    }
    expect_status(pid, 33 << 8);
    check_all(40, "after programs");
    munmap(heap, 256 << 10);
}

/* A vfork child that is to be traced, as debuggers start programs: nothing stops it before it executes something. */
static void test_traced(void)
{
    int status = 0;
    (void)alarm(60);
    const pid_t pid = vfork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(3);
        execl("/nowhere/at-all", "none", NULL);
        execl("/bin/true", "true", NULL);
        _exit(4);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "%#x",
          (unsigned)status);
    CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0, "PTRACE_DETACH");
    expect_status(pid, 0);
    const pid_t other = vfork(); /* what was wanted of the one is not wanted of the next */
    if (other == 0) {
        execl("/bin/true", "true", NULL);
        _exit(4);
    }
    expect_status(other, 0);
    (void)alarm(0);
}

/* Whatever a child of the process' memory held must not stay with the process. */
static void test_spawn_releases(void)
{
    pid_t pid;
    enum { ARGUMENTS = 60 };
    char *heap = map_pages(1 << 20);
    char **arguments = (char **)(void *)heap;
    arguments[0] = strcpy(heap + PAGE, "true");
    for (int i = 1; i < ARGUMENTS; i++) arguments[i] = strcpy(heap + (i + 1) * PAGE, "an argument");
    arguments[ARGUMENTS] = NULL;
    for (int i = 0; i < 3; i++) {
        CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) == 0, "posix_spawn");
        expect_status(pid, 0);
    }
    force_out(heap, (ARGUMENTS + 2) * PAGE);
    munmap(heap, 1 << 20);
}

static void test_shell(void)
{
    char line[100] = "";
    allocate();
    stamp_all(41);
    CHECK(system("exit 5") == 5 << 8, "system");
    const int killed = system("kill -TERM $$");
    CHECK(killed == SIGTERM, "a killed shell gave %#x", (unsigned)killed);
    FILE *pipe_in = popen("echo out of the shell", "r");
    CHECK(pipe_in && fgets(line, sizeof(line), pipe_in) && strcmp(line, "out of the shell\n") == 0, "popen: %s", line);
    CHECK(pclose(pipe_in) == 0, "pclose");
    FILE *pipe_out = popen("test $(wc -c) = 1048576", "w");
    touch_other_memory();
    CHECK(pipe_out && fwrite(data, 1, 1 << 20, pipe_out) == 1 << 20, "popen for writing");
    CHECK(pclose(pipe_out) == 0, "pclose");
    check_all(41, "after shells");
}

static void ignore(int signal)
{
    (void)signal;
}

/* How children end, and that they see the program's signals as without Onelevel. */
static void test_statuses(void)
{
    allocate();
    for (int status = 0; status < 256; status += 51) {
        const pid_t pid = fork_checked();
        if (pid == 0) exit(status);
        expect_status(pid, status << 8);
    }
    static const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGBUS, SIGSYS, SIGUSR1};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        const pid_t pid = fork_checked();
        if (pid == 0) {
            raise(signals[i]);
            _exit(0);
        }
        int status;
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == signals[i],
              "signal %d gave %#x", signals[i], (unsigned)status);
    }
    /* An executed program starts with default actions and an empty mask. */
    CHECK(signal(SIGBUS, ignore) != SIG_ERR && signal(SIGUSR1, ignore) != SIG_ERR, "signal");
    CHECK(system("status=0; for s in BUS USR1 SYS; do sh -c \"kill -$s \\$\\$\" 2>/dev/null && status=1; done;"
                 "exit $status") == 0,
          "a child's signals");
    CHECK(system("grep -q '^SigBlk:.*0000000000000000' /proc/self/status") == 0, "a child's mask");
    CHECK(signal(SIGBUS, SIG_DFL) != SIG_ERR, "signal");
}

/* The environment is the user's: so are LD_PRELOAD and the limits of children. */
static void test_environment(void)
{
    for (char **entry = environ; *entry; entry++)
        CHECK(strncmp(*entry, "ONELEVEL_RUN", 12) != 0, "the environment has %s", *entry);
    const char *wanted = getenv("WANTED_PRELOAD"), *is = getenv("LD_PRELOAD");
    CHECK((!wanted && !is) || (wanted && is && strcmp(wanted, is) == 0), "LD_PRELOAD is %s, not %s", is, wanted);
    CHECK(system("test \"$LD_PRELOAD\" = \"$WANTED_PRELOAD\"") == 0, "a child's LD_PRELOAD");
    CHECK(system("! grep -q onelevel /proc/self/maps") == 0, "a child's maps");
    CHECK(system("! ls -l /proc/self/fd | grep -qE 'userfaultfd|onelevel|deleted'") == 0, "a child's descriptors");
}

/* Programs that close what they do not know, as daemons and Python's subprocess do. */
static void test_closing(void)
{
    allocate();
    stamp_all(60);
    pid_t pid = fork_checked();
    if (pid == 0) {
        for (int fd = 3; fd < 4096; fd++) close(fd);
        check_all(60, "after close");
        stamp_all(61);
        check_all(61, "after close");
        _exit(0);
    }
    expect_status(pid, 0);
    pid = fork_checked();
    if (pid == 0) {
        CHECK(syscall(SYS_close_range, 3U, ~0U, 0U) == 0, "close_range");
        check_all(60, "after close_range");
        stamp_all(61);
        check_all(61, "after close_range");
        const pid_t grandchild = fork_checked();
        if (grandchild == 0) {
            check_all(61, "grandchild after close_range");
            _exit(0);
        }
        expect_status(grandchild, 0);
        _exit(0);
    }
    expect_status(pid, 0);
    pid = vfork();
    if (pid == 0) {
        syscall(SYS_close_range, 3U, ~0U, 0U);
        for (size_t at = 0; at < DATA_BYTES; at += 64 * PAGE)
            if (data[at] != pattern(at, 60)) _exit(1);
        execl("/bin/true", "true", NULL);
        _exit(2);
    }
    expect_status(pid, 0);
    check_all(60, "after a closing vfork child");
    pid = fork_checked();
    if (pid == 0) {
        const int null = open("/dev/null", O_RDWR);
        unsigned refused = 0; /* what the runtime itself has open, a few from 900 on */
        for (int fd = 800; fd < 1000; fd++) {
            if (dup2(null, fd) == fd) continue;
            CHECK(errno == EBADF && fd >= 900, "dup2 to %d", fd);
            refused++;
        }
        CHECK(refused <= 8, "%u descriptors refused", refused);
        check_all(60, "after dup2");
        _exit(0);
    }
    expect_status(pid, 0);
}

/* A file mapped over a part of managed memory goes along. */
static void test_foreign(void)
{
    char name[] = "/tmp/onelevel-forks-XXXXXX";
    const int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 4 * PAGE) == 0 && pwrite(fd, "file", 4, PAGE) == 4, "file");
    unsigned char *p = map_pages(1 << 20);
    fill(p, 1 << 20, 70);
    CHECK(mmap(p + 16 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == p + 16 * PAGE,
          "mmap");
    for (int i = 0; i < 2; i++) {
        const pid_t pid = fork_checked();
        if (pid == 0) {
            CHECK(memcmp(p + 17 * PAGE, "file", 4) == 0, "the file in the child");
            touch_other_memory();
            check_filled(p, 16 * PAGE, 70, "before the file");
            p[16 * PAGE] = 'c';
            CHECK(munmap(p + 16 * PAGE, 4 * PAGE) == 0, "munmap");
            _exit(0);
        }
        expect_status(pid, 0);
        CHECK(memcmp(p + 17 * PAGE, "file", 4) == 0 && p[16 * PAGE] == 0, "the file in the parent");
    }
    munmap(p, 1 << 20);
    close(fd);
}

static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
    (void)signal;
    handled++;
}

/* What must stay resident does so in the child: code, and the stack that signals come in on. */
static void test_held(void)
{
    const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    unsigned char *p = map_pages(1 << 20);
    const stack_t stack = {.ss_sp = map_pages(64 << 10), .ss_size = 64 << 10};
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_ONSTACK};
    int (*function)(void);
    for (size_t at = 0; at < 1 << 20; at += PAGE) memcpy(p + at, code, sizeof(code));
    CHECK(mprotect(p + 64 * PAGE, 16 * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0, "sigaltstack");
    for (int depth = 0; depth < 3; depth++) {
        const pid_t pid = fork_checked();
        if (pid != 0) {
            expect_status(pid, 0);
            if (depth) _exit(0);
            break;
        }
        touch_other_memory();
        for (size_t page = 64; page < 80; page++) {
            void *at = p + page * PAGE;
            memcpy(&function, &at, sizeof(function));
            CHECK(function() == 42, "code in a child");
        }
        handled = 0;
        CHECK(raise(SIGUSR1) == 0 && handled == 1, "a signal in a child");
        for (size_t at = 0; at < 1 << 20; at += PAGE) CHECK(memcmp(p + at, code, sizeof(code)) == 0, "at %zu", at);
        if (depth == 2) _exit(0);
    }
    CHECK(munmap(p, 1 << 20) == 0, "munmap");
}

static const struct group groups[] = {
    {"environment", test_environment},
    {"both-sides", test_both_sides},
    {"orphan", test_orphan},
    {"nested", test_nested},
    {"many-children", test_many_children},
    {"threads", test_threads},
    {"while-reading", test_while_reading},
    {"spawn", test_spawn},
    {"spawn-releases", test_spawn_releases},
    {"traced", test_traced},
    {"shell", test_shell},
    {"statuses", test_statuses},
    {"closing", test_closing},
    {"foreign", test_foreign},
    {"held", test_held},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    run_groups(groups, argc > 1 ? argv[1] : NULL);
    return 0;
}
