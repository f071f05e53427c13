/* SPDX-License-Identifier: MIT */
/* What both kinds of sampled curves (shards.h, shards_size.h) share: groups of pages, and the bound. */
#ifndef OL_ANALYSIS_SAMPLE_H
#define OL_ANALYSIS_SAMPLE_H

#include <math.h>
#include <stdint.h>

#include "analysis/shards.h"

/* The group of a page, from bits of its hash that do not decide whether it is in the sample. */
static inline unsigned ol_sample_group(uint64_t hash)
{
    return hash >> 40 & (OL_SHARDS_GROUPS - 1);
}

/* The mean of what the groups say, and its standard error. */
static inline double ol_sample_mean(const double groups[OL_SHARDS_GROUPS], double *error)
{
    double sum = 0, squares = 0;
    for (int g = 0; g < OL_SHARDS_GROUPS; g++) {
        sum += groups[g];
        squares += groups[g] * groups[g];
    }
    const double mean = sum / OL_SHARDS_GROUPS, spread = squares / OL_SHARDS_GROUPS - mean * mean;
    *error = spread > 0 ? sqrt(spread / (OL_SHARDS_GROUPS - 1)) : 0;
    return mean;
}

/* How many pages of the sample the d-th of them may be off. */
static inline double ol_sample_reach(double d)
{
    return 3 * sqrt(d) + 1;
}

static inline double ol_sample_within_one(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* The bound, from the curve at the near and far ends of the reach, with the standard errors there and in between. */
static inline void ol_sample_bound(struct ol_shards_point *point, double error, double near, double near_error,
                                   double far, double far_error)
{
    const double t = 2.95; /* 99 % of Student's distribution with 15 degrees of freedom */
    point->most = ol_sample_within_one(near + t * (near_error > error ? near_error : error));
    point->least = ol_sample_within_one(far - t * (far_error > error ? far_error : error));
    point->ratio = ol_sample_within_one(point->ratio);
}

#endif
