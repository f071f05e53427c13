/* SPDX-License-Identifier: MIT */
/* The part of `onelevel sim` that replays a trace on the ideal machine. */
#ifndef OL_CLI_SIM_IDEAL_H
#define OL_CLI_SIM_IDEAL_H

#include "core/policy.h"
#include "trace/reader.h"

struct ol_sim_ideal {
    const struct ol_policy_ops *policy;
    const char *policy_parameters;
    const char *policy_text; /* as given */
    const char *trace;
    enum ol_trace_format format;
    unsigned page_shift;
    uint32_t frames;
    bool managed; /* only what onelevel run would manage */
    bool json;
};

/* False after a message. */
bool ol_sim_ideal(const struct ol_sim_ideal *options);

#endif
