/* SPDX-License-Identifier: MIT */
/* Traces on ideal machines, several at once. Messages are given here. */
#ifndef OL_CLI_IDEAL_REPLAY_H
#define OL_CLI_IDEAL_REPLAY_H

#include "cli/stream.h"
#include "machine/ideal/ideal.h"

/* A policy as the command line has it. */
struct ol_policy_choice {
    const struct ol_policy_ops *policy;
    const char *parameters; /* NULL: none */
    const char *text;       /* as given */
};

/* Finds a policy by its name, with parameters. False after a message. */
bool ol_policy_choose(const char *text, struct ol_policy_choice *choice);

/* NULL after a message. */
struct ol_ideal *ol_ideal_make(const struct ol_policy_choice *choice, uint32_t frames);

/* Makes all references of a stream on each of `count` machines with the same policy. One that needs the future makes
 * the whole trace be kept in memory, 8 bytes a run of references. False after a message. */
bool ol_ideal_replay(struct ol_stream *stream, const struct ol_policy_ops *policy, struct ol_ideal **machines,
                     unsigned count);

#endif
