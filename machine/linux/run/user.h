/* SPDX-License-Identifier: MIT */
/*
 * The program's memory, as a system call sees it: what a pointer of the program's names may not be there, and then the
 * answer is EFAULT, not a signal. Evicted pages are brought in. For handlers in which SIGBUS and SIGSEGV get through.
 */
#ifndef OL_RUN_USER_H
#define OL_RUN_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

/* Copies between our memory and the program's. False: not all of it is there, or has the right; a part may be copied.
 */
bool ol_user_read(void *to, unsigned long from, size_t bytes);
bool ol_user_write(unsigned long to, const void *from, size_t bytes);

/* A fault that cannot be resolved was met in this context. If a copy was, it returns false, and true is returned. */
bool ol_user_refuse(ucontext_t *context);

#endif
