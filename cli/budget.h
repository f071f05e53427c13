/* SPDX-License-Identifier: MIT */
/* Budgets as people ask for them: a size, a part of what there is, or as much as others leave. */
#ifndef OL_CLI_BUDGET_H
#define OL_CLI_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/host.h"

/* "64M", or "50%" of host->limit_bytes. False for anything else. */
bool ol_budget_parse(const char *text, const struct ol_host *host, uint64_t *bytes);

/*
 * The rule of `auto`: the budget, in bytes, that follows from `budget` where `usage` bytes of it are used. To be asked
 * once a second; 0 as the budget asks for the first. With the reserve R = 1/16 of host->limit_bytes, but from 64 MiB to
 * 1/4 of it:
 *
 *      available < R                           usage - (R - available): others lack memory, give that back
 *      pressure of 10 % or more                15/16 of usage
 *      available > 2 R, pressure below 1 %     usage + available - 2 R, if that is more
 *      else                                    as it is
 *
 * Never less than ol_memory_minimum_bytes(), never more than the limit less R.
 */
uint64_t ol_budget_follow(const struct ol_host *host, uint64_t budget, uint64_t usage);

#endif
