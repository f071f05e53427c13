/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the program's memory beside its references, and which thread runs: told to `onelevel record` when
 * Valgrind tells it.
 */
#ifndef OL_RECORD_EVENTS_H
#define OL_RECORD_EVENTS_H

/* Mappings, the heap, threads; before the options are known. */
void ol_events_track(void);

/* The references that system calls make; after that. */
void ol_events_track_kernel(void);

#endif
