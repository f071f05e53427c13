/* SPDX-License-Identifier: MIT */
/* Trapped calls that wait: signals may end them, in the few instructions of ol_interruptible (trap.c) and nowhere else.
 */
#ifndef OL_RUN_TRAP_H
#define OL_RUN_TRAP_H

#include <ucontext.h>

/* In place of a result: the call was not made, or is to be made again from the beginning (the kernel's ERESTARTSYS,
 * which no program ever sees). */
enum { OL_RESTART = -512 };

/* Where a signal came. */
enum ol_interrupted {
    OL_INTERRUPTED_NOT,     /* not while such a call was made */
    OL_INTERRUPTED_BEFORE,  /* before it was made, or the kernel would make it again */
    OL_INTERRUPTED_WAITING, /* it waited: EINTR */
    OL_INTERRUPTED_AFTER    /* it has a result */
};

/* Tells where the context stands; the call it stands in ends at once, with its result or OL_RESTART. */
enum ol_interrupted ol_interruptible_end(ucontext_t *context);
/* The call is made again after all. */
void ol_interruptible_restart(ucontext_t *context);

/* Where the program's handlers return to: as ol_restorer of raw.c, but trapped. */
void ol_program_restorer(void);
extern const char ol_program_restorer_end[];

#endif
