/* SPDX-License-Identifier: MIT */
/*
 * Makes a managed process look at its budget that waits in a system call, and has no thread of the runtime's to do it:
 * the command stops it as a debugger would, lets it start that thread, and has it go on where it was. No signal is
 * sent, so no call of the program's is interrupted: what the kernel stopped it begins again.
 */
#ifndef OL_CLI_POKE_H
#define OL_CLI_POKE_H

#include "machine/linux/run/shared.h"

/* `pid` in this process's namespace. False if it cannot be now: somebody debugs it already, the system does not allow
 * it, it is stopped, or does not stop within a tenth of a second. It then looks with its next page faults. */
bool ol_poke(pid_t pid, const struct ol_run_process *process);

/* Lets processes go on that stopped too late for ol_poke, with the signal they stopped for, and passes on to their
 * parents the end of those that ended meanwhile; until then they could not be waited for. To be called now and then,
 * and on SIGCHLD. The end of `except`, this process's own child, is left to be waited for. */
void ol_poke_let_go(pid_t except);

#endif
