/* SPDX-License-Identifier: MIT */
/*
 * The ideal machine: the one of the papers. It has a number of frames, sees every reference, and moves no contents; the
 * policy is the same file that the core uses. A reference to a page that is in memory is a hit, any other a fault.
 *
 * Pages are numbered as trace/numbering.h numbers them; each number is an entry of the policy, as frame and as ghost.
 * Time is the number of references made; for the future, that of elements of batches.
 */
#ifndef OL_MACHINE_IDEAL_H
#define OL_MACHINE_IDEAL_H

#include "core/policy.h"
#include "trace/batch.h"

struct ol_ideal;

struct ol_ideal_counters {
    uint64_t references;
    uint64_t faults;
    uint64_t faults_first; /* … by a page's first reference */
    uint64_t evictions;    /* pages that lost their frame */
    uint64_t writebacks;   /* … and were modified since they came in */
    uint64_t resident_sum; /* pages in memory, added up over all references */
    uint32_t resident_peak;
};

/* OL_OK, OL_E_INVALID (the policy does not know the parameters), OL_E_NO_META. */
enum ol_status ol_ideal_create(const struct ol_policy_ops *policy, const char *parameters, uint32_t frames,
                               struct ol_ideal **out);
void ol_ideal_destroy(struct ol_ideal *ideal);

uint32_t ol_ideal_frames(const struct ol_ideal *ideal);

/* Makes references; batch->future must be there if the policy needs it. OL_E_NO_META: nothing was done. */
enum ol_status ol_ideal_run(struct ol_ideal *ideal, const struct ol_batch *batch);

/* A page ceases to exist, and gives its frame back without a write. Its next reference faults. */
void ol_ideal_drop(struct ol_ideal *ideal, uint32_t page);

void ol_ideal_get_counters(const struct ol_ideal *ideal, struct ol_ideal_counters *out);

#endif
