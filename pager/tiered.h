/* SPDX-License-Identifier: MIT */
/*
 * The pager that puts one pager before another: a page goes to the first, and if that has no room for it, to the
 * second. Each page is in one of them at a time.
 *
 * Conditions that hold for all functions, and for those of the pager:
 * - Those of core/pager.h. Both inner pagers are synchronous, they complete before submit returns; so does this one.
 * - Async-signal-safe but for create and close, if the inner pagers are.
 */
#ifndef OL_PAGER_TIERED_H
#define OL_PAGER_TIERED_H

#include "core/pager.h"

/* The tiered pager owns both from success on: its close closes them. Its capacity is the smaller of the two.
 * OL_OK; OL_E_INVALID (page sizes differ); OL_E_NO_META. */
enum ol_status ol_tiered_create(struct ol_pager *first, struct ol_pager *second, struct ol_pager **out);

#endif
