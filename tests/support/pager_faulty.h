/* SPDX-License-Identifier: MIT */
/*
 * A pager for tests that wraps any other and fails when it is told to. Any number of threads may use it, if they may
 * use the wrapped one. It calls malloc: in a signal handler only where malloc was not interrupted.
 */
#ifndef OL_TESTS_PAGER_FAULTY_H
#define OL_TESTS_PAGER_FAULTY_H

#include "core/pager.h"

/* Passes everything on to `inner`, which it owns. NULL if there is no memory; inner is then still the caller's. */
struct ol_pager *ol_pager_faulty_create(struct ol_pager *inner);

/* From now on, of the pages read (written), fails the nth, counted from 1, and times - 1 ones after it, with `status`:
 * OL_E_IO, or for writes OL_E_NO_SWAP. times 0: none. A page whose write fails has no contents; the other pages of the
 * request are transferred. Replaces what was told before about reads (writes). */
void ol_pager_faulty_fail(struct ol_pager *pager, enum ol_io_op op, uint64_t nth, uint64_t times,
                          enum ol_status status);

/* Pages read (written) since creation, failed ones included. */
uint64_t ol_pager_faulty_pages(struct ol_pager *pager, enum ol_io_op op);

/* Pages failed since creation. */
uint64_t ol_pager_faulty_failures(struct ol_pager *pager);

#endif
