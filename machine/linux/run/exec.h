/* SPDX-License-Identifier: MIT */
/*
 * Programs that the program executes, with --children: the runtime is loaded into them, too.
 *
 * A filter outlives exec, and traps calls from where the C library was in the program that installed it. What lies
 * there in the next program must not be that one's loader, which would be killed, nor its runtime. So each generation
 * has a band of the address space of its own for its libraries. The kernel maps them from below the stack on, and
 * leaves room for as much stack as its limit allows (Linux, arch/x86/mm/mmap.c, mmap_base): for the moment of the exec
 * the limit is raised, and the runtime of the new program sets it back. The first generation has the legacy layout,
 * unmanaged programs the usual one.
 */
#ifndef OL_RUN_EXEC_H
#define OL_RUN_EXEC_H

#include "machine/linux/run/runtime.h"

/* What a runtime is told at its start, in OL_RUN_ENV: three numbers with blanks between. */
struct ol_run_start {
    int fd;              /* the memfd */
    unsigned generation; /* 1: the program that the command started */
    unsigned long stack; /* the stack's limit that the program is to have; 0: as it is */
};

struct ol_run_start ol_exec_parse(const char *text);

/* Puts the stack's limit back, and what the C library has made of it. Before the filter is installed. */
void ol_exec_restore_stack(unsigned long limit);

/* execve, execveat. Returns only if it failed. `generation` is this process's. */
long ol_exec(struct ol_call *call, unsigned generation);

#endif
