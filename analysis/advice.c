/* SPDX-License-Identifier: MIT */
#include "analysis/advice.h"

#include <math.h>

uint64_t ol_advice_faults(const struct ol_advice_trace *trace, uint64_t size)
{
    uint64_t faults = trace->distances[0];
    for (uint32_t d = trace->pages; d > size; d--) faults += trace->distances[d];
    return faults;
}

/* A refault's price in references is uncertain as a whole: half of the doubt is its own, half that of a reference. */
static double base_of(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs, double doubt)
{
    return (double)trace->references * costs->reference / sqrt(doubt) + (double)trace->walks * costs->walk +
           (double)trace->pages * costs->first;
}

double ol_advice_time(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs, uint64_t refaults,
                      double doubt)
{
    return base_of(trace, costs, doubt) + (double)refaults * costs->refault * sqrt(doubt);
}

static double size_with(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs, double factor,
                        double doubt)
{
    const double most = factor * base_of(trace, costs, doubt);
    uint64_t refaults = 0;
    uint32_t size = trace->pages;
    for (; size > 1; size--) {
        refaults += trace->distances[size];
        if (ol_advice_time(trace, costs, refaults, doubt) > most) break;
    }
    return size;
}

struct ol_advice_range ol_advice_size(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs,
                                      double factor)
{
    return (struct ol_advice_range){.value = size_with(trace, costs, factor, 1),
                                    .least = size_with(trace, costs, factor, 1 / OL_ADVICE_DOUBT),
                                    .most = size_with(trace, costs, factor, OL_ADVICE_DOUBT)};
}

static double saving_with(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs, uint64_t before,
                          uint64_t after, double doubt)
{
    return 1 - ol_advice_time(trace, costs, after, doubt) / ol_advice_time(trace, costs, before, doubt);
}

struct ol_advice_range ol_advice_saving(const struct ol_advice_trace *trace, const struct ol_advice_costs *costs,
                                        uint64_t before, uint64_t after)
{
    const double small = saving_with(trace, costs, before, after, 1 / OL_ADVICE_DOUBT);
    const double large = saving_with(trace, costs, before, after, OL_ADVICE_DOUBT);
    return (struct ol_advice_range){
        .value = saving_with(trace, costs, before, after, 1), .least = fmin(small, large), .most = fmax(small, large)};
}
