/* SPDX-License-Identifier: MIT */
/*
 * The pager that puts one pager before another: a page goes to the first, and if that has no room for it, to the
 * second. Each page is in one of them at a time. When the first should shrink, the clusters of slots that were first
 * written longest ago move on to the second, where the neighbours of a cluster are written together.
 *
 * Conditions that hold for all functions, and for those of the pager:
 * - Those of core/pager.h. Both inner pagers are synchronous, they complete before submit returns; so does this one.
 * - Async-signal-safe but for create and close, if the inner pagers are.
 */
#ifndef OL_PAGER_TIERED_H
#define OL_PAGER_TIERED_H

#include "core/pager.h"

struct ol_tiered_options {
    struct ol_pager *first, *second;
    bool (*is_over)(void *context); /* asked before a write: should the first shrink? NULL: never */
    void *context;
};

/* The tiered pager owns both from success on: its close closes them. Its capacity is the smaller of the two.
 * OL_OK; OL_E_INVALID (page sizes differ); OL_E_NO_META. */
enum ol_status ol_tiered_create(const struct ol_tiered_options *options, struct ol_pager **out);

struct ol_tiered_statistics {
    uint64_t pages_demoted;  /* moved on from the first to the second */
    uint64_t metadata_bytes; /* now: tables, up to the highest slot that was written */
};
void ol_tiered_statistics(struct ol_pager *pager, struct ol_tiered_statistics *out);

#endif
