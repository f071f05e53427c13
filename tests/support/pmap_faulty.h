/* SPDX-License-Identifier: MIT */
/*
 * A pmap for tests that wraps any machine's: entering mappings fails when it is told to (a machine without room for a
 * table), and with chaos it forgets mappings of random frames while others are entered, as core/pmap.h allows any
 * machine to do. Wired mappings may not be forgotten, so chaos is for systems that wire nothing.
 *
 * A system is given ol_pmap_faulty_ops with the address of the wrapper as its machine. All fields: the core's lock.
 */
#ifndef OL_TESTS_PMAP_FAULTY_H
#define OL_TESTS_PMAP_FAULTY_H

#include "core/pmap.h"

struct ol_pmap_faulty {
    const struct ol_pmap_ops *inner; /* c: */
    void *machine;                   /* c: the inner one's */
    uint32_t frames_max;             /* c: frames that chaos chooses from */
    uint64_t chaos;                  /* state of its random sequence; 0: no chaos */
    uint64_t enters;                 /* calls of enter and enter_large */
    uint64_t first, times;           /* which of them fail: first .. first + times - 1; first 0: none */
    uint64_t failed;                 /* how many calls of enter did */
    uint64_t failed_large;           /* … of enter_large */
    uint64_t forgotten;              /* frames that lost their mappings to chaos */
    uint32_t (*node_for)(ol_va va);  /* as in core/pmap.h; NULL: any node */
};

extern const struct ol_pmap_ops ol_pmap_faulty_ops;

/* From now on the nth call of enter, counted from 1, and times - 1 ones after it give OL_E_NO_META. times 0: none. */
void ol_pmap_faulty_fail(struct ol_pmap_faulty *faulty, uint64_t nth, uint64_t times);

#endif
