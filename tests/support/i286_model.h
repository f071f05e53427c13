/* SPDX-License-Identifier: MIT */
/*
 * A second reading of the 80286's manual: slow and obvious, by bytes and numbered steps, sharing nothing with
 * machine/sim/i286.c but the words for its answers.
 */
#ifndef OL_TESTS_I286_MODEL_H
#define OL_TESTS_I286_MODEL_H

#include <stdint.h>

struct model_answer {
    int exception; /* 0: none; 11 #NP, 12 #SS, 13 #GP */
    int error_code;
    int null;      /* loaded, not usable */
    uint32_t base; /* of what was loaded */
    int limit, access;
    int set_accessed_at; /* address of the access byte that gets its A bit; -1: none */
};

/* memory: 16 MiB. where: "CS", "DS", "ES" or "SS". A table of limit 0 is none. */
struct model_answer model_load(const uint8_t *memory, uint32_t gdt, int gdt_limit, uint32_t ldt, int ldt_limit, int cpl,
                               const char *where, int selector);

/* kind: 'r', 'w' or 'x'. Returns the exception, and the physical address of the first byte. */
int model_refer(const struct model_answer *loaded, const char *where, int offset, int bytes, char kind,
                uint32_t *physical);

#endif
