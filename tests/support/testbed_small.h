/* SPDX-License-Identifier: MIT */
/* A machine of the tests' own, with large pages of 8 and of 64 pages. */
#ifndef OL_TESTS_TESTBED_SMALL_H
#define OL_TESTS_TESTBED_SMALL_H

#include "tests/support/testbed.h"

extern const struct ol_testbed ol_testbed_small;

#endif
