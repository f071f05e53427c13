/* SPDX-License-Identifier: MIT */
/*
 * How far long work has come, on standard error: a bar on a terminal, elsewhere a line at each tenth of the work.
 */
#ifndef OL_CLI_PROGRESS_H
#define OL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct ol_progress {
    const char *what; /* is counted: "simulations" */
    uint64_t total, done;
    uint64_t begun; /* of them, what was done before this began: it says nothing of the speed */
    uint64_t started_ns;
    unsigned told; /* tenths */
    bool bar, quiet;
};

void ol_progress_begin(struct ol_progress *progress, const char *what, uint64_t total, uint64_t done, bool quiet);
void ol_progress_add(struct ol_progress *progress, uint64_t done);

/* Leaves the cursor on a line of its own. */
void ol_progress_end(const struct ol_progress *progress);

#endif
