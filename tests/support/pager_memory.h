/* SPDX-License-Identifier: MIT */
/*
 * The simplest pager, for tests: pages as they are, in allocated memory. It asserts that its caller keeps the contract
 * of core/pager.h. Any number of threads may use it. It calls malloc: in a signal handler only where malloc was not
 * interrupted.
 */
#ifndef OL_TESTS_PAGER_MEMORY_H
#define OL_TESTS_PAGER_MEMORY_H

#include "core/pager.h"

struct ol_pager_memory_options {
    uint32_t page_bytes;
    uint32_t capacity;  /* slots */
    uint32_t max_pages; /* pages held at once; further ones are refused with OL_E_NO_SWAP */
    bool keep;          /* what keep() answers */
};

/* NULL if there is no memory. */
struct ol_pager *ol_pager_memory_create(const struct ol_pager_memory_options *options);

/* Pages held now. */
uint32_t ol_pager_memory_pages(struct ol_pager *pager);

bool ol_pager_memory_holds(struct ol_pager *pager, ol_slot slot);

#endif
