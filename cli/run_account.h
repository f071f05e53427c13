/* SPDX-License-Identifier: MIT */
/* The account of a run, for people and as JSON. */
#ifndef OL_CLI_RUN_ACCOUNT_H
#define OL_CLI_RUN_ACCOUNT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "machine/linux/run/shared.h"

struct ol_run_result {
    const struct ol_run_shared *shared;
    const struct ol_memory_statistics *total; /* of all processes */
    int status;                               /* of wait(2) */
    double wall_seconds;
    const struct rusage *usage; /* of the program */
};

void ol_account_print(FILE *to, const struct ol_run_result *result);

/* Before the program starts, so that it need not run for nothing. "-": standard output. False, with a message, if the
 * file cannot be written. The program does not inherit it. */
bool ol_account_open(const char *name, FILE **file);

/* Writes and closes. False, with a message, if that fails. */
bool ol_account_write_json(FILE *file, const char *name, const struct ol_run_result *result);

#endif
