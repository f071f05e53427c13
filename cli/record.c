/* SPDX-License-Identifier: MIT */
/*
 * onelevel record: runs a program under the Valgrind tool of record/, and writes what it tells (record/wire.h) as a
 * trace.
 *
 * The exit status is the program's; killed by a signal, this process kills itself by the same one. Statuses of our own
 * are env(1)'s: 125 if record itself fails, 126 if the program cannot be run, 127 if it cannot be found.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/record_stream.h"
#include "record/wire.h"

enum { EXIT_OURS = 125, EXIT_NOT_FOUND = 127 };

enum {
    PIPE_BYTES = 1 << 20,  /* asked for; the kernel may grant less */
    WORTH_BYTES = 1 << 17, /* fewer are waited for, so that the tool is not stopped to wake us for little */
    PAUSE_NS = 500000,
    PAUSES_MAX = 4 /* … so often */
};

struct record_command {
    const char *file;
    bool addresses, kernel, children;
    char **program; /* NULL-terminated */
};

static void usage(FILE *to)
{
    fputs("usage: onelevel record -o FILE [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
          "\n"
          "Runs an unchanged program under Valgrind and records which pages it refers to: instruction\n"
          "fetches, reads and writes, in order, with threads, mmap, munmap and brk. FILE is for\n"
          "`onelevel sim` and `onelevel trace`.\n"
          "\n"
          "  -o, --output FILE   the trace (docs/trace-format.md)\n"
          "  --addresses         keep every address, not only its page of 4 KiB: for TLBs and smaller\n"
          "                      pages; slower, and a larger file\n"
          "  --kernel            also what system calls read and write in the program's memory\n"
          "  --children          record forked and executed processes, too, in FILE.PID\n"
          "\n"
          "Output and exit status are the program's own. Expect it to take 10 to 40 times as long.\n",
          to);
}

/* 0, or the exit status. */
static int parse(struct record_command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"addresses", no_argument, NULL, 'a'},
        {"kernel", no_argument, NULL, 'k'},       {"children", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int key;
    optind = 1;
    while ((key = getopt_long(argc, argv, "+o:h", options, NULL)) != -1) {
        switch (key) {
        case 'o': command->file = optarg; break;
        case 'a': command->addresses = true; break;
        case 'k': command->kernel = true; break;
        case 'c': command->children = true; break;
        case 'h': usage(stdout); exit(OL_EXIT_OK);
        default: fputs("Try 'onelevel record --help'.\n", stderr); return EXIT_OURS;
        }
    }
    command->program = argv + optind;
    if (command->file && *command->program) return 0;
    ol_error(command->file ? "record: which program? Try 'onelevel record --help'." : "record: where to? Give -o FILE");
    return EXIT_OURS;
}

/* --- Valgrind ----------------------------------------------------------------------------------------------------- */

/* The folder of the tool: record/ beside this command (the build tree), or where it is installed. */
static bool find_tool(char folder[PATH_MAX])
{
    static const char name[] = "record", tool[] = "onelevel-amd64-linux";
    char path[PATH_MAX + sizeof tool + 1];
    const ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - sizeof name - 1);
    if (length > 0) {
        folder[length] = '\0';
        char *const slash = strrchr(folder, '/');
        if (slash) memcpy(slash + 1, name, sizeof name);
        (void)snprintf(path, sizeof path, "%s/%s", folder, tool);
        if (access(path, X_OK) == 0) return true;
    }
    (void)snprintf(folder, PATH_MAX, "%s", OL_RECORD_DIR);
    (void)snprintf(path, sizeof path, "%s/%s", folder, tool);
    return access(path, X_OK) == 0;
}

/* In the child: does not return. The tool opens the pipe by its name under /proc, so that the program inherits nothing.
 */
static _Noreturn void become(const struct record_command *command, const char *folder, pid_t parent, int fd)
{
    char pipe_option[64];
    size_t count = 0, arguments = 0;
    while (command->program[arguments]) arguments++;
    const char **const argv = calloc(arguments + 16, sizeof *argv);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* killed, this command leaves nothing behind */
    if (!argv || setenv("VALGRIND_LIB", folder, 1)) _exit(EXIT_OURS);
    (void)snprintf(pipe_option, sizeof pipe_option, "--pipe=/proc/%d/fd/%d", (int)parent, fd);
    argv[count++] = OL_VALGRIND;
    argv[count++] = "--tool=onelevel";
    argv[count++] = "--quiet";
    argv[count++] = "--vgdb=no";
    argv[count++] = command->children ? "--trace-children=yes" : "--trace-children=no";
    argv[count++] = command->children ? "--children=yes" : "--children=no";
    argv[count++] = command->addresses ? "--addresses=yes" : "--addresses=no";
    argv[count++] = command->kernel ? "--kernel=yes" : "--kernel=no";
    argv[count++] = pipe_option;
    argv[count++] = "--";
    memcpy(argv + count, command->program, arguments * sizeof *argv);
    execv(argv[0], (char *const *)argv);
    ol_error("%s: %s", argv[0], strerror(errno));
    _exit(EXIT_OURS);
}

/* --- listening ---------------------------------------------------------------------------------------------------- */

/* Waits until it is worth reading. */
static void wait_for_more(int fd)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int bytes = 0;
    for (int i = 0; i < PAUSES_MAX && ioctl(fd, FIONREAD, &bytes) == 0 && bytes < WORTH_BYTES; i++)
        (void)nanosleep(&pause, NULL);
    if (bytes == 0) (void)poll(&one, 1, 20);
}

/* Hands whole messages over, and moves what is left to the front. False: it is nothing that the tool writes. */
static bool hand_over(struct ol_record *record, char *buffer, size_t *used)
{
    size_t at = 0;
    struct ol_wire_header header;
    while (*used - at >= sizeof header) {
        memcpy(&header, buffer + at, sizeof header);
        if (header.bytes < sizeof header || header.bytes > OL_WIRE_MESSAGE_BYTES) return false;
        if (*used - at < header.bytes) break;
        if (!ol_record_message(record, header.process, buffer + at + sizeof header, header.bytes - sizeof header))
            return false;
        at += header.bytes;
    }
    *used -= at;
    memmove(buffer, buffer + at, *used);
    return true;
}

/* Reads until all that may write are gone. `own` is our own end for writing, which keeps the pipe open until the
 * program has ended; *status is the program's. */
static bool listen_to(struct ol_record *record, pid_t child, int fd, int own, int *status)
{
    static char buffer[PIPE_BYTES];
    size_t used = 0;
    bool good = true, running = true;
    for (;;) {
        if (running && waitpid(child, status, WNOHANG) == child) {
            running = false;
            (void)close(own);
        }
        if (running) wait_for_more(fd);
        const ssize_t count = read(fd, buffer + used, sizeof buffer - used);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!running) wait_for_more(fd);
            continue;
        }
        if (count <= 0) break;
        used += (size_t)count;
        /* After a failure the rest is read all the same: the program is not to stop for it. */
        if (good) good = hand_over(record, buffer, &used);
        if (!good) used = 0;
    }
    return good && used == 0;
}

/* Ends as the program did. */
static int end_like(int status)
{
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    (void)signal(WTERMSIG(status), SIG_DFL);
    (void)raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

static int record_program(const struct record_command *command, const char *folder)
{
    int ends[2], status = 0;
    struct ol_record *const record = ol_record_open(command->file, command->addresses);
    if (!record) {
        ol_error("%s: cannot be written: %s", command->file, strerror(errno));
        return EXIT_OURS;
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        ol_error("pipe: %s", strerror(errno));
        return EXIT_OURS;
    }
    (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) become(command, folder, parent, ends[0]);
    /* What the terminal sends, the program gets as well; this process ends when it does. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    bool good = child > 0 && listen_to(record, child, ends[0], ends[1], &status);
    good = ol_record_close(record) && good;
    if (child < 0) ol_error("fork: %s", strerror(errno));
    return good ? end_like(status) : EXIT_OURS;
}

int ol_cmd_record(int argc, char **argv)
{
    struct record_command command = {0};
    char folder[PATH_MAX];
    const int status = parse(&command, argc, argv);
    if (status) return status;
    if (!find_tool(folder)) {
        ol_error("record: the Valgrind tool is missing; install the package valgrind before Onelevel is built");
        return EXIT_OURS;
    }
    return record_program(&command, folder);
}
