/* SPDX-License-Identifier: MIT */
/*
 * Times between references to a page, and what follows from them, for windows of any number of references:
 *
 * - Reuse times: how many references came so long after the last one to their page. Time is the number of references.
 * - The working set (P. J. Denning, CACM 11(5), 1968): the pages of the last w references. Its average size over all
 *   times of the trace, and how many references found their page outside it. At the trace's beginning the window
 *   reaches as far back as there is something. (P. J. Denning, D. R. Slutz, CACM 21(9), 1978, for segments.)
 * - The footprint (X. Xiang, C. Ding, H. Luo, B. Bao, "HOTL", ASPLOS 2013): the different pages in a window of w
 *   references, averaged over all windows that lie within the trace; and its growth from w to w + 1, which their theory
 *   takes for the miss ratio of LRU in a memory as large as the footprint.
 *
 * All exact, in one pass, for windows chosen before: 8 bytes a page, constant work a reference. A page referenced at
 * times a and b and not in between is in the working sets of min(w, b - a) of these times, and missing in b - a - w
 * windows; so numbers and sums of times up to each window are all that is needed.
 */
#ifndef OL_ANALYSIS_REUSE_H
#define OL_ANALYSIS_REUSE_H

#include <stdbool.h>

#include "trace/batch.h"

enum { OL_REUSE_WINDOWS_MAX = 512 };

struct ol_reuse;

struct ol_reuse_point {
    uint64_t window;
    uint64_t reuses;       /* references whose reuse time is above the window before, and not above this one */
    uint64_t misses;       /* references whose page was outside the working set; first references are */
    double working_set;    /* mean pages */
    double footprint;      /* mean pages */
    double growth;         /* footprint of w + 1, less that of w; 0 for the longest window of all */
    bool within_the_trace; /* else no window of that length fits, and footprint and growth mean nothing */
};

/* Windows: ascending, all different, from 1 on. NULL without memory. */
struct ol_reuse *ol_reuse_create(const uint64_t *windows, unsigned count);
void ol_reuse_destroy(struct ol_reuse *reuse);

/* The next references. False without memory. */
bool ol_reuse_count(struct ol_reuse *reuse, const struct ol_batch *batch);

/* After the last reference, once: what comes after the last reference to each page. */
void ol_reuse_finish(struct ol_reuse *reuse);

/* For the window of that index; there was a reference. */
void ol_reuse_point(const struct ol_reuse *reuse, unsigned index, struct ol_reuse_point *out);

uint64_t ol_reuse_references(const struct ol_reuse *reuse);
uint32_t ol_reuse_pages(const struct ol_reuse *reuse);
uint64_t ol_reuse_longest(const struct ol_reuse *reuse); /* the longest reuse time; 0: there was none */

/* Writes windows for people: 1, 2, 3, … 8, then eight to each doubling, up to 2^40. Returns how many. */
unsigned ol_reuse_windows(uint64_t windows[OL_REUSE_WINDOWS_MAX]);

#endif
