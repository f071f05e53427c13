/* SPDX-License-Identifier: MIT */
/* The policies that come with Onelevel, by name. */
#include "onelevel/core.h"

const struct ol_policy_ops *const ol_policies[] = {
    &ol_policy_fifo,    &ol_policy_second_chance,
    &ol_policy_clock,   &ol_policy_two_handed_clock,
    &ol_policy_nru,     &ol_policy_aging,
    &ol_policy_atlas,   &ol_policy_segmented_fifo,
    &ol_policy_wsclock, &ol_policy_sieve,
    &ol_policy_s3_fifo, &ol_policy_clock_pro,
    &ol_policy_car,     &ol_policy_mglru,
    &ol_policy_refault, &ol_policy_random,
    &ol_policy_lru,     &ol_policy_mru,
    &ol_policy_lfu,     &ol_policy_working_set,
    &ol_policy_two_q,   &ol_policy_arc,
    &ol_policy_lirs,    &ol_policy_w_tinylfu,
    &ol_policy_opt,     NULL,
};

/* True if text is `name`, or `name` and a colon. */
static bool names(const char *text, const char *name, const char **parameters)
{
    while (*name && *text == *name) text++, name++;
    *parameters = *text == ':' ? text + 1 : NULL;
    return !*name && (!*text || *text == ':');
}

const struct ol_policy_ops *ol_policy_find(const char *name, const char **parameters)
{
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++)
        if (names(name, (*policy)->name, parameters)) return *policy;
    return NULL;
}
