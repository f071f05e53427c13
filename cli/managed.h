/* SPDX-License-Identifier: MIT */
/*
 * The memory of a recorded program that `onelevel run` would manage: its heap but for the first 256 KiB, and anonymous
 * private memory of 64 KiB and more that the kernel placed. Each page of it has a number from its first reference until
 * it is unmapped or discarded; a page that moves keeps it. Numbers are given in order, 0, 1, 2, …, and never again.
 */
#ifndef OL_CLI_MANAGED_H
#define OL_CLI_MANAGED_H

#include "trace/reader.h"

struct ol_managed;

/* A page ceased to exist. */
typedef void ol_managed_drop(void *context, uint32_t number);

/* `drop` is called for each page that had a number. NULL without memory. */
struct ol_managed *ol_managed_create(ol_managed_drop *drop, void *context);
void ol_managed_destroy(struct ol_managed *managed);

/* Takes an event of the trace. False without memory. */
bool ol_managed_event(struct ol_managed *managed, const struct ol_reference *event);

/* The number of the page at that address; UINT32_MAX if it is not managed. */
uint32_t ol_managed_number(struct ol_managed *managed, ol_va va);

/* How many numbers were given. */
uint32_t ol_managed_numbers(const struct ol_managed *managed);

#endif
