/* SPDX-License-Identifier: MIT */
/*
 * What the subcommands of `onelevel` share.
 *
 * Conditions that hold for all functions:
 * - A command gets its own name as argv[0] and its arguments behind it. What it returns is the exit status of the
 *   process. Asked for `--help`, it prints its help on standard output and returns OL_EXIT_OK: `onelevel help COMMAND`
 *   does just that.
 * - Messages for people go to standard error, one line each, behind "onelevel: ".
 */
#ifndef OL_CLI_CLI_H
#define OL_CLI_CLI_H

#include "cli/size.h"

enum ol_exit {
    OL_EXIT_OK = 0,
    OL_EXIT_FAILURE = 1,
    OL_EXIT_USAGE = 2, /* the command line makes no sense */
};

int ol_cmd_advise(int argc, char **argv);
int ol_cmd_doctor(int argc, char **argv);
int ol_cmd_explain(int argc, char **argv);
int ol_cmd_limit(int argc, char **argv);
int ol_cmd_machines(int argc, char **argv);
int ol_cmd_mmu(int argc, char **argv);
int ol_cmd_record(int argc, char **argv);
int ol_cmd_run(int argc, char **argv);
int ol_cmd_mrc(int argc, char **argv);
int ol_cmd_policies(int argc, char **argv);
int ol_cmd_script(int argc, char **argv);
int ol_cmd_sim(int argc, char **argv);
int ol_cmd_sweep(int argc, char **argv);
int ol_cmd_trace(int argc, char **argv);

/* limit.c: does this process itself run under `onelevel run`? */
bool ol_is_managed(void);

/* Prints "onelevel: ", the message and a newline. */
void ol_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
