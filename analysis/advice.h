/* SPDX-License-Identifier: MIT */
/*
 * How much memory a program needs, from the exact curve of LRU and a model of time:
 *
 *     time(m) = base + refaults(m) x refault        base = references x reference + walks x walk + pages x first
 *
 * `refaults` are faults beyond the first touch of each page, which no memory spares. A size needs m pages if m is the
 * smallest with time(m) <= factor x base: what a program "needs" is that for a factor a little above 1, and below that
 * for a factor of 2 it "thrashes", as it waits for pages longer than it works. Because LRU obeys inclusion, time(m)
 * never rises with m.
 *
 * Constants are uncertain, so each answer is given three times: with the constants as they are, and with the price of
 * a refault, measured in references, OL_ADVICE_DOUBT times smaller and larger.
 */
#ifndef OL_ANALYSIS_ADVICE_H
#define OL_ANALYSIS_ADVICE_H

#include <stdint.h>

#define OL_ADVICE_DOUBT 4.0

/* In ns; modelled. */
struct ol_advice_costs {
    double reference; /* the program's own work, with caches as they usually are */
    double walk;      /* of page tables */
    double first;     /* first touch of a page */
    double refault;   /* a page that was there comes back */
};

/* A trace, as far as it matters here. */
struct ol_advice_trace {
    uint64_t references;
    uint64_t walks;
    uint32_t pages;
    const uint64_t *distances; /* [d]: references with LRU stack distance d, up to `pages`; [0]: first touches */
};

/* An answer, and what it would be with other constants. */
struct ol_advice_range {
    double value, least, most;
};

/* Faults in a memory of that size under LRU. */
uint64_t ol_advice_faults(const struct ol_advice_trace *trace, uint64_t size);

/* Time if `refaults` pages come back; with the price of one, in references, `doubt` times as large. */
double ol_advice_time(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs, uint64_t refaults,
                      double doubt);

/* The smallest size with time <= factor x base; factor > 1. Sizes are whole pages, at least 1. */
struct ol_advice_range ol_advice_size(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs,
                                      double factor);

/* What part of the time is saved if there are `after` refaults instead of `before`; negative: lost. */
struct ol_advice_range ol_advice_saving(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs,
                                        uint64_t before, uint64_t after);

#endif
