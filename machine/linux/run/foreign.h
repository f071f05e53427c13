/* SPDX-License-Identifier: MIT */
/* Parts of the window that are the kernel's for a time; see memory_calls.c. Async-signal-safe, thread-safe; where the
 * name says so, the runtime's lock is held. */
#ifndef OL_RUN_FOREIGN_H
#define OL_RUN_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

/* Addresses and sizes in bytes, page aligned. False if the table is full; then nothing was done. */
bool ol_foreign_take(unsigned long address, unsigned long bytes);
bool ol_foreign_take_locked(unsigned long address, unsigned long bytes);
/* What is foreign in the range becomes empty window again, registered for faults. False if the kernel refused. */
bool ol_foreign_return(unsigned long address, unsigned long bytes);
bool ol_foreign_return_locked(unsigned long address, unsigned long bytes);
bool ol_foreign_overlaps(unsigned long address, unsigned long bytes);
/* The first foreign part that ends above `from`, as far as it lies there; false if there is none. */
bool ol_foreign_next(uint64_t from, uint64_t *first, uint64_t *end);
bool ol_foreign_next_locked(uint64_t from, uint64_t *first, uint64_t *end);
/* In a forked child, where wires are gone: code stays resident there too. */
void ol_foreign_hold_locked(void);

#endif
