/* SPDX-License-Identifier: MIT */
/*
 * A second reading of the x86 manuals: one slow, plain function per paging mode, which shares nothing with the walk of
 * machine/sim/x86.c but the form of its arguments.
 */
#ifndef OL_TESTS_X86_MODEL_H
#define OL_TESTS_X86_MODEL_H

#include "machine/sim/x86.h"

enum { OL_MODEL_PATH_MAX = 5 };

struct ol_model_answer {
    char outcome; /* 'o' ok, 'p' page fault, 'g' general protection */
    uint32_t error_code;
    uint64_t physical;
    /* Entries whose new values are known, each of `entry_bytes`; several may be the same one. */
    unsigned entries, entry_bytes;
    struct {
        uint64_t address, set; /* bits that the access sets */
    } entry[OL_MODEL_PATH_MAX];
};

void ol_x86_model(const struct ol_words *words, const struct ol_x86_control *control, ol_va va, unsigned access,
                  struct ol_model_answer *out);

#endif
