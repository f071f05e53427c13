/* SPDX-License-Identifier: MIT */
/*
 * The command `onelevel`: finds the subcommand and hands over.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    const char *summary; /* one line for people */
    int (*run)(int argc, char **argv);
};

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command commands[] = {
    {"run", "run a program in less memory than it needs", ol_cmd_run},
    {"doctor", "say what this system offers `onelevel run`", ol_cmd_doctor},
    {"limit", "show or change the budget of a running program", ol_cmd_limit},
    {"record", "record the pages that a program refers to", ol_cmd_record},
    {"sim", "replay a trace of memory references on a simulated machine", ol_cmd_sim},
    {"machines", "list the simulated machines and draw their geometry", ol_cmd_machines},
    {"explain", "show accesses on a simulated machine, step by step", ol_cmd_explain},
    {"script", "run a scenario in Lua on simulated machines", ol_cmd_script},
    {"mmu", "check the address translation of x86 against test vectors", ol_cmd_mmu},
    {"mrc", "miss-ratio curves of a trace, for all sizes of memory", ol_cmd_mrc},
    {"advise", "say how much memory a program needs, and what would help it", ol_cmd_advise},
    {"sweep", "a trace on machines x policies x sizes, on all processors", ol_cmd_sweep},
    {"policies", "list the policies of page replacement", ol_cmd_policies},
    {"trace", "say what a trace holds; convert, cut and merge traces", ol_cmd_trace},
    {"help", "explain a command", cmd_help},
    {"version", "print the version", cmd_version},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

void ol_error(const char *format, ...)
{
    va_list arguments;
    flockfile(stderr);
    fputs("onelevel: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    funlockfile(stderr);
}

static void print_commands(FILE *out)
{
    for (size_t i = 0; i < COMMANDS; i++) fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
}

static void print_overview(FILE *out)
{
    fputs("usage: onelevel COMMAND [OPTION...] [ARGUMENT...]\n"
          "\n"
          "Onelevel is a virtual memory system: one core that resolves the page faults of real\n"
          "programs and of simulated machines. Its commands:\n"
          "\n",
          out);
    print_commands(out);
    fputs("\n"
          "To sort a large file in 64 MiB, whatever sort would take:\n"
          "  onelevel run --ram 64M -- sort -S 1G words.txt\n"
          "\n"
          "To count the page faults of a recorded run on a machine of 100 frames:\n"
          "  onelevel record -o ls.trace ls\n"
          "  onelevel sim --machine amd64 --frames 100 --policy clock ls.trace\n"
          "\n"
          "Sizes are bytes, or have a unit: 64M, 1.5G, 2GiB.\n"
          "`onelevel help COMMAND` explains a command's options.\n",
          out);
}

/* NULL, after a message, if there is no command of that name. */
static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) return &commands[i];
    }
    ol_error("there is no command '%s'; the commands are:", name);
    print_commands(stderr);
    return NULL;
}

static bool asks_for_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int cmd_help(int argc, char **argv)
{
    if (argc < 2 || asks_for_help(argv[1])) {
        print_overview(stdout);
        return OL_EXIT_OK;
    }
    const struct command *const command = find_command(argv[1]);
    if (command == NULL) return OL_EXIT_USAGE;
    char option[] = "--help";
    char *arguments[] = {argv[1], option, NULL};
    return command->run(2, arguments);
}

static int cmd_version(int argc, char **argv)
{
    if (argc > 1 && asks_for_help(argv[1])) puts("usage: onelevel version\n\nPrints the version of Onelevel.");
    else puts("onelevel " OL_VERSION);
    return OL_EXIT_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return OL_EXIT_USAGE;
    }
    if (asks_for_help(argv[1])) return cmd_help(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0) return cmd_version(1, argv + 1);
    const struct command *const command = find_command(argv[1]);
    return command == NULL ? OL_EXIT_USAGE : command->run(argc - 1, argv + 1);
}
