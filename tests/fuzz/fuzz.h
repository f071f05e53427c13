/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target is a file with this function. tools/fuzz.sh builds it with libFuzzer and lets it run; the tests build
 * it with replay.c, which gives it every file of its corpus.
 */
#ifndef OL_TESTS_FUZZ_H
#define OL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Returns 0; aborts if something is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define FUZZ_CHECK(condition)                                                       \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

#endif
