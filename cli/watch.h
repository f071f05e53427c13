/* SPDX-License-Identifier: MIT */
/* What `onelevel run` does while the program runs. */
#ifndef OL_CLI_WATCH_H
#define OL_CLI_WATCH_H

#include <sys/resource.h>

#include "machine/linux/run/shared.h"

/* Waits for the process `child` with SIGCHLD blocked; its status as of wait(2), or -1. Meanwhile, ten times a second,
 * counts out who ended and samples what the tree of processes has; once a second follows memory pressure if that was
 * asked for. `fd` is the memfd. */
int ol_watch(struct ol_run_shared *shared, int fd, pid_t child, struct rusage *usage);

#endif
