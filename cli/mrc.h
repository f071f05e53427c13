/* SPDX-License-Identifier: MIT */
/* What the parts of `onelevel mrc` share. */
#ifndef OL_CLI_MRC_H
#define OL_CLI_MRC_H

#include "analysis/reuse.h"
#include "cli/stream.h"
#include "cli/table.h"
#include "core/policy.h"

enum { OL_MRC_SIZES_MAX = 256 };

enum ol_mrc_curve { OL_MRC_MISS_RATIO, OL_MRC_WORKING_SET, OL_MRC_REUSE, OL_MRC_FOOTPRINT };

struct ol_mrc {
    const char *trace;
    enum ol_trace_format format;
    const char *policy_text, *policy_parameters;
    const struct ol_policy_ops *policy;
    enum ol_mrc_curve curve;
    uint32_t sizes[OL_MRC_SIZES_MAX]; /* ascending */
    unsigned sizes_count;             /* 0: not given */
    uint64_t windows[OL_REUSE_WINDOWS_MAX];
    unsigned windows_count; /* 0: not given */
    uint32_t rate;          /* of the sample; 0: all pages */
    uint32_t sample_pages;  /* of a sample of fixed size; 0: none */
    unsigned page_shift;
    enum ol_table_form form;
    bool help;
};

/* Each reads the stream to its end and prints a curve. False after a message. */
bool ol_mrc_lru(const struct ol_mrc *mrc, struct ol_stream *stream);
bool ol_mrc_opt(const struct ol_mrc *mrc, struct ol_stream *stream);
bool ol_mrc_policy(struct ol_mrc *mrc, struct ol_stream *stream);
bool ol_mrc_sampled(const struct ol_mrc *mrc, struct ol_stream *stream);
bool ol_mrc_windows(struct ol_mrc *mrc, struct ol_stream *stream);

/* Says so, and returns false. */
bool ol_mrc_out_of_memory(void);

#endif
