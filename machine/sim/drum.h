/* SPDX-License-Identifier: MIT */
/*
 * A simulated paging drum: a pager that keeps pages in host memory, sparse, synchronous, without errors.
 */
#ifndef OL_SIM_DRUM_H
#define OL_SIM_DRUM_H

#include "core/pager.h"

/* A drum of `capacity` slots, none of which costs the host anything until it is written. Closed by its ops->close.
 * OL_OK; OL_E_INVALID (no slots, or no page); OL_E_NO_META (the host has no room for so many addresses). */
enum ol_status ol_drum_create(uint32_t capacity, uint32_t page_bytes, struct ol_pager **out);

#endif
