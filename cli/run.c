/* SPDX-License-Identifier: MIT */
/*
 * onelevel run: starts a program with the runtime loaded into it, waits, and prints the account.
 *
 * The exit status is the program's; killed by a signal, this process kills itself by the same one. Statuses of our own
 * are env(1)'s: 125 if run itself fails, 126 if the program cannot be run, 127 if it cannot be found.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/budget.h"
#include "cli/cli.h"
#include "cli/run_account.h"
#include "cli/watch.h"
#include "machine/linux/machine.h"
#include "machine/linux/run/program.h"
#include "machine/linux/run/tree.h"

enum { EXIT_OURS = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static const char usage_text[] =
    "usage: onelevel run --ram SIZE [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
    "\n"
    "Runs an unchanged, dynamically linked program with its anonymous memory (heap and large\n"
    "mappings) in SIZE bytes: what does not fit is compressed, then goes to a swap file.\n"
    "\n"
    "  --ram SIZE          bounds resident pages, compressed store and tables together;\n"
    "                      at least 1M, e.g. 256M, 1.5G; or a part of the memory there is,\n"
    "                      the machine's or the control group's limit if less, e.g. 50%\n"
    "  --ram auto          as much as others leave: looks once a second at what is available\n"
    "                      (MemAvailable, or less if a control group's limit leaves less) and at\n"
    "                      memory pressure (PSI, some avg10). With a reserve of 1/16 of the memory\n"
    "                      there is, from 64M to a quarter of it: gives back what the available\n"
    "                      memory lacks to the reserve, and 1/16 of what is used at a pressure of\n"
    "                      10% or more; takes what is available beyond twice the reserve while the\n"
    "                      pressure is below 1%\n"
    "  --resident SIZE     instead: bounds resident pages alone\n"
    "  --compressed SIZE   with --resident: bounds the compressed store (default: none)\n"
    "  --swap HOMES        none, compressed, file, file:DIRECTORY or\n"
    "                      compressed,file[:DIRECTORY] (default: compressed,file in\n"
    "                      $TMPDIR or /var/tmp); compressed=zstd:LEVEL compresses better\n"
    "                      and slower than compressed=lz4, the default; levels 1 to 19\n"
    "  --swap-size SIZE    bounds the swapped pages (default: as the disk allows)\n"
    "  --encrypt           encrypts the swap file; the key is random and dies with the program\n"
    "  --policy NAME       which page goes: fifo (default), or another that does without exact\n"
    "                      references; `onelevel policies` lists them\n"
    "  --no-prefetch       bring in a page only when it is touched\n"
    "  --children          manages the programs that the program executes, too\n"
    "  --stats-json FILE   writes the account as JSON (- for standard output)\n"
    "  --quiet             prints no account\n"
    "\n"
    "How it works is chosen by what this system offers, which `onelevel doctor` shows. For\n"
    "experiments:\n"
    "  --faults WAY        how faults come: userfaultfd, protection (slower, works in every\n"
    "                      container), or auto, the better one that is allowed here (default)\n"
    "  --exact             with --resident: one page leaves at a fault, when none is free, and\n"
    "                      nothing is brought in ahead: counts as simulators count\n"
    "  --no-move           with userfaultfd: copy pages as on kernels before 6.8\n"
    "\n"
    "Processes that the program forks share the budget with it; `onelevel limit` changes it while\n"
    "they run. With --children the programs that they execute share it, too; without, these run\n"
    "without a budget. Who needs less than an equal part has what it needs, the others divide the\n"
    "rest; each may always have 1 MiB. Executed programs that nothing can be loaded into (statically\n"
    "linked, set-user-ID, for other processors) run without a budget, and the account counts them.\n";

struct run_command {
    struct ol_run_shared *shared; /* the options among it, as the runtime gets them */
    int fd;                       /* its memfd */
    const char *json;             /* file, or NULL */
    FILE *account;                /* that file, opened, or NULL */
    bool quiet;
    char **program; /* NULL-terminated */
};

enum option_key {
    OPT_RAM = 256,
    OPT_RESIDENT,
    OPT_COMPRESSED,
    OPT_SWAP,
    OPT_SWAP_SIZE,
    OPT_ENCRYPT,
    OPT_POLICY,
    OPT_NO_PREFETCH,
    OPT_FAULTS,
    OPT_NO_MOVE,
    OPT_EXACT,
    OPT_CHILDREN,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP
};

static const struct option long_options[] = {{"ram", required_argument, NULL, OPT_RAM},
                                             {"resident", required_argument, NULL, OPT_RESIDENT},
                                             {"compressed", required_argument, NULL, OPT_COMPRESSED},
                                             {"swap", required_argument, NULL, OPT_SWAP},
                                             {"swap-size", required_argument, NULL, OPT_SWAP_SIZE},
                                             {"encrypt", no_argument, NULL, OPT_ENCRYPT},
                                             {"policy", required_argument, NULL, OPT_POLICY},
                                             {"no-prefetch", no_argument, NULL, OPT_NO_PREFETCH},
                                             {"faults", required_argument, NULL, OPT_FAULTS},
                                             {"no-move", no_argument, NULL, OPT_NO_MOVE},
                                             {"exact", no_argument, NULL, OPT_EXACT},
                                             {"children", no_argument, NULL, OPT_CHILDREN},
                                             {"stats-json", required_argument, NULL, OPT_JSON},
                                             {"quiet", no_argument, NULL, OPT_QUIET},
                                             {"help", no_argument, NULL, OPT_HELP},
                                             {NULL, 0, NULL, 0}};

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool take_size(const char *option, const char *text, uint64_t *bytes)
{
    if (ol_parse_size(text, bytes)) return true;
    ol_error("%s %s: not a size; expected a number with K, M, G or T, such as 256M", option, text);
    return false;
}

/* As much as others leave, now and from then on. */
static bool take_auto(struct ol_run_shared *shared)
{
    struct ol_host host;
    ol_host_read("", &host);
    shared->options.ram_bytes = ol_budget_follow(&host, 0, 0);
    atomic_store(&shared->follows_pressure, true);
    atomic_store(&shared->watched, true);
    return true;
}

/* Of the memory that there is for this process. */
static bool take_budget(const char *option, const char *text, uint64_t *bytes)
{
    struct ol_host host;
    ol_host_read("", &host);
    if (ol_budget_parse(text, &host, bytes)) return true;
    ol_error("%s %s: not a size; expected a number with K, M, G or T, such as 256M, or a percentage, such as 50%%",
             option, text);
    return false;
}

static bool take_text(const char *option, const char *text, char out[OL_RUN_TEXT_BYTES])
{
    if (strlen(text) < OL_RUN_TEXT_BYTES) {
        strncpy(out, text, OL_RUN_TEXT_BYTES - 1);
        return true;
    }
    ol_error("%s: longer than %d characters", option, OL_RUN_TEXT_BYTES - 1);
    return false;
}

static bool take_policy(const char *text, char out[OL_RUN_TEXT_BYTES])
{
    const char *parameters;
    if (ol_policy_find(text, &parameters)) return take_text("--policy", text, out);
    fprintf(stderr, "onelevel: --policy %s: unknown policy; known are:", text);
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
        if (ol_policy_suits(*policy, &ol_linux_capabilities)) fprintf(stderr, " %s", (*policy)->name);
    fputs("\n", stderr);
    return false;
}

static bool take_faults(const char *text, enum ol_faults *faults)
{
    static const char *const names[] = {
        [OL_FAULTS_AUTO] = "auto", [OL_FAULTS_USERFAULTFD] = "userfaultfd", [OL_FAULTS_PROTECTION] = "protection"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *faults = (enum ol_faults)i;
        return true;
    }
    ol_error("--faults %s: expected auto, userfaultfd or protection", text);
    return false;
}

static bool take_option(struct run_command *command, int key)
{
    struct ol_memory_options *options = &command->shared->options;
    switch (key) {
    case OPT_RAM:
        atomic_store(&command->shared->follows_pressure, false);
        if (strcmp(optarg, "auto") == 0) return take_auto(command->shared);
        return take_budget("--ram", optarg, &options->ram_bytes);
    case OPT_RESIDENT: return take_budget("--resident", optarg, &options->resident_bytes);
    case OPT_COMPRESSED: return take_budget("--compressed", optarg, &options->compressed_bytes);
    case OPT_SWAP: return take_text("--swap", optarg, command->shared->swap);
    case OPT_SWAP_SIZE: return take_size("--swap-size", optarg, &options->swap_bytes);
    case OPT_EXACT: options->exact = options->no_prefetch = true; return true;
    case OPT_ENCRYPT: options->encrypt = true; return true;
    case OPT_POLICY: return take_policy(optarg, command->shared->policy);
    case OPT_NO_PREFETCH: options->no_prefetch = true; return true;
    case OPT_FAULTS: return take_faults(optarg, &options->faults);
    case OPT_NO_MOVE: options->no_move = true; return true;
    case OPT_CHILDREN:
        command->shared->children = true;
        atomic_store(&command->shared->watched, true);
        return true;
    case OPT_JSON: command->json = optarg; return true;
    case OPT_QUIET: command->quiet = true; return true;
    default: fputs("Try 'onelevel run --help'.\n", stderr); return false;
    }
}

/* Opens and closes a memory with these options, so that what is wrong with them is said before the program starts. */
static bool try_options(struct run_command *command)
{
    struct ol_memory_options options = command->shared->options;
    struct ol_memory *memory;
    const char *error;
    options.policy = command->shared->policy[0] ? command->shared->policy : NULL;
    options.swap = command->shared->swap[0] ? command->shared->swap : NULL;
    struct sigaction sigbus, sigsegv; /* the program is to inherit what this command did; the memory leaves handlers */
    (void)sigaction(SIGBUS, NULL, &sigbus);
    (void)sigaction(SIGSEGV, NULL, &sigsegv);
    const enum ol_status status = ol_memory_open(&options, &memory, &error);
    if (status == OL_OK) {
        struct ol_memory_statistics statistics;
        ol_memory_get_statistics(memory, &statistics);
        command->shared->options.faults = statistics.faults; /* what was chosen here is not said again */
        ol_memory_close(memory);
        (void)sigaction(SIGBUS, &sigbus, NULL);
        (void)sigaction(SIGSEGV, &sigsegv, NULL);
        return true;
    }
    ol_error("%s", error);
    return false;
}

/* 0, or the exit status. */
static int parse(struct run_command *command, int argc, char **argv)
{
    int key;
    optind = 1;
    while ((key = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
        if (key == OPT_HELP) {
            (void)fputs(usage_text, stdout);
            exit(OL_EXIT_OK);
        }
        if (!take_option(command, key)) return EXIT_OURS;
    }
    command->program = argv + optind;
    const struct ol_memory_options *options = &command->shared->options;
    if (!options->ram_bytes && !options->resident_bytes) {
        ol_error("how much memory? Give --ram SIZE, e.g. --ram 256M");
        return EXIT_OURS;
    }
    atomic_store(&command->shared->budget_bytes, options->ram_bytes ? options->ram_bytes : options->resident_bytes);
    if (!*command->program) {
        ol_error("which program? Try 'onelevel run --help'.");
        return EXIT_OURS;
    }
    return try_options(command) ? 0 : EXIT_OURS;
}

/* What the command and the runtime share. */
static bool share(struct run_command *command)
{
    command->fd = memfd_create(OL_RUN_MEMFD, 0);
    if (command->fd < 0 || ftruncate(command->fd, sizeof(*command->shared))) return false;
    void *shared = mmap(NULL, sizeof(*command->shared), PROT_READ | PROT_WRITE, MAP_SHARED, command->fd, 0);
    if (shared == MAP_FAILED) return false;
    command->shared = shared;
    command->shared->command = getpid();
    return true;
}

/* --- the program -------------------------------------------------------------------------------------------------- */

/* The file that execvp would take, in path; false if there is none. */
static bool find_program(const char *name, char path[PATH_MAX])
{
    const char *directories = strchr(name, '/') ? NULL : getenv("PATH");
    if (!directories) return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && access(path, F_OK) == 0;
    while (*directories) {
        const size_t length = strcspn(directories, ":");
        const int written =
            snprintf(path, PATH_MAX, "%.*s/%s", length ? (int)length : 1, length ? directories : ".", name);
        if (written < PATH_MAX && access(path, X_OK) == 0) return true;
        directories += length + (directories[length] == ':');
    }
    return false;
}

/* The runtime: beside this command (the build tree), or where it is installed. */
static bool find_runtime(char path[OL_RUN_TEXT_BYTES])
{
    static const char name[] = "libonelevel-run.so";
    const ssize_t length = readlink("/proc/self/exe", path, OL_RUN_TEXT_BYTES - sizeof(name) - 1);
    if (length > 0) {
        path[length] = '\0';
        char *slash = strrchr(path, '/');
        if (slash) memcpy(slash + 1, name, sizeof(name));
        if (access(path, R_OK) == 0) return true;
    }
    return snprintf(path, OL_RUN_TEXT_BYTES, "%s/%s", OL_RUN_LIBRARY_DIR, name) < OL_RUN_TEXT_BYTES &&
           access(path, R_OK) == 0;
}

/* In the child: does not return. */
static _Noreturn void become(const struct run_command *command)
{
    struct ol_run_shared *shared = command->shared;
    char numbers[32], *preload = NULL;
    const char *before = getenv("LD_PRELOAD");
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* killed, this command leaves nothing behind */
    (void)snprintf(numbers, sizeof(numbers), "%d 1 0", command->fd);
    if (before && asprintf(&preload, "%s:%s", shared->runtime, before) < 0) _exit(EXIT_OURS);
    if (setenv(OL_RUN_ENV, numbers, 1) || (before && setenv(OL_RUN_ENV_PRELOAD, before, 1)) ||
        setenv("LD_PRELOAD", preload ? preload : shared->runtime, 1))
        _exit(EXIT_OURS);
    /* The program's libraries lie where its children's do not; why, says machine/linux/run/filter.c. */
    const int now = personality(0xffffffff);
    shared->personality = now < 0 ? 0 : (unsigned long)now;
    if (now >= 0) (void)personality((unsigned long)now | ADDR_COMPAT_LAYOUT);
    execvp(command->program[0], command->program);
    const int error = errno;
    ol_error("%s: %s", command->program[0], strerror(error));
    _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

static pid_t child_pid;

/* Signals meant for the program reach it. Those from the terminal do anyway. */
static void forward(int signal, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code <= 0 && info->si_pid != child_pid) (void)kill(child_pid, signal);
}

static void forward_signals(void)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH};
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = forward;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) (void)sigaction(signals[i], &action, NULL);
}

static double seconds_between(const struct timespec *a, const struct timespec *b)
{
    return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

/* Ends as the program did. */
static int end_like(int status)
{
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    const struct rlimit no_core = {0, 0}; /* the program's own is enough */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(WTERMSIG(status), SIG_DFL);
    (void)raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

static int run(const struct run_command *command)
{
    struct ol_run_shared *shared = command->shared;
    struct ol_memory_statistics total;
    struct timespec begin, end;
    struct rusage usage;
    sigset_t block, before;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    sigfillset(&block);
    (void)sigprocmask(SIG_BLOCK, &block, &before);
    child_pid = fork();
    if (child_pid < 0) {
        ol_error("fork: %s", strerror(errno));
        return EXIT_OURS;
    }
    if (child_pid == 0) {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        become(command);
    }
    forward_signals();
    (void)signal(SIGCHLD, SIG_DFL);
    sigaddset(&before, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    const int status = ol_watch(shared, command->fd, child_pid, &usage);
    if (status < 0) return EXIT_OURS;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    const bool started = shared->attached;
    if (!started && !(WIFEXITED(status) && WEXITSTATUS(status) >= EXIT_OURS))
        ol_error(
            "%s did not load the runtime (it is set-user-ID, or a script of such a program): it ran without a budget",
            command->program[0]);
    ol_tree_statistics(shared, &total);
    const struct ol_run_result result = {.shared = shared,
                                         .total = &total,
                                         .status = status,
                                         .wall_seconds = seconds_between(&begin, &end),
                                         .usage = &usage};
    if (started && !command->quiet) ol_account_print(stderr, &result);
    if (command->json && !ol_account_write_json(command->account, command->json, &result)) return EXIT_OURS;
    return end_like(status);
}

int ol_cmd_run(int argc, char **argv)
{
    static struct run_command command;
    char path[PATH_MAX];
    if (ol_is_managed()) {
        ol_error("this already runs under `onelevel run --children`, whose budget holds for all that it starts");
        return EXIT_OURS;
    }
    if (!share(&command)) {
        ol_error("no shared memory: %s", strerror(errno));
        return EXIT_OURS;
    }
    const int status = parse(&command, argc, argv);
    if (status) return status;
    if (!find_program(command.program[0], path)) {
        ol_error("%s: no such program", command.program[0]);
        return EXIT_NOT_FOUND;
    }
    static struct ol_program_scratch scratch;
    const char *file = path, *why = ol_program_unsuitable(AT_FDCWD, path, &scratch, &file);
    if (why) {
        ol_error("%s %s", file, why);
        return EXIT_CANNOT_RUN;
    }
    if (command.json && !ol_account_open(command.json, &command.account)) return EXIT_OURS;
    if (!find_runtime(command.shared->runtime)) {
        ol_error("libonelevel-run.so is neither beside this command nor installed");
        return EXIT_OURS;
    }
    return run(&command);
}
