/* SPDX-License-Identifier: MIT */
/* The only functions the core expects from its environment without asking the port: a freestanding C implementation
 * may call them anyway (C11 4p6 and every compiler's own rule). */
#ifndef OL_CORE_MEM_H
#define OL_CORE_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);

#endif
