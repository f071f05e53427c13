/* SPDX-License-Identifier: MIT */
/*
 * Work for all processors: each piece is done by a process of its own, forked for it, which hands back a few bytes. So
 * pieces share nothing, and one that runs out of memory takes no other with it.
 */
#ifndef OL_CLI_PARALLEL_H
#define OL_CLI_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>

enum { OL_PARALLEL_BYTES = 2048 }; /* that a piece may hand back */

struct ol_parallel {
    void *context;
    /* In a process of its own: does the index-th piece, and writes what there is to hand back. False after a message.
     */
    bool (*work)(void *context, size_t index, void *result, size_t *bytes);
    /* In this process, in the order in which pieces are done. False, after a message, ends everything. */
    bool (*done)(void *context, size_t index, const void *result, size_t bytes);
};

/* How many processors this process may use. */
unsigned ol_processors(void);

/* Does pieces 0 .. count-1, `jobs` at a time. False after a message, once those under way have ended: not all were
 * done. What others hand back after a failure is still taken. */
bool ol_parallel_run(const struct ol_parallel *parallel, size_t count, unsigned jobs);

#endif
