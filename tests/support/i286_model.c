/* SPDX-License-Identifier: MIT */
#include "tests/support/i286_model.h"

#include <stdbool.h>
#include <string.h>

enum { MEMORY = 1 << 24 };

static struct model_answer fail(int exception, int selector)
{
    return (struct model_answer){.exception = exception, .error_code = selector / 4 * 4, .set_accessed_at = -1};
}

/* The five bits below DPL, as the manual's table of types has them. */
static bool data(int type)
{
    return type >= 16 && type <= 23;
}

static bool writable_data(int type)
{
    return type == 18 || type == 19 || type == 22 || type == 23;
}

static bool code(int type)
{
    return type >= 24;
}

static bool readable_code(int type)
{
    return type == 26 || type == 27 || type == 30 || type == 31;
}

static bool conforming_code(int type)
{
    return type >= 28;
}

struct model_answer model_load(const uint8_t *memory, uint32_t gdt, int gdt_limit, uint32_t ldt, int ldt_limit, int cpl,
                               const char *where, int selector)
{
    const int index = selector / 8, local = selector / 4 % 2, rpl = selector % 4;
    const bool ss = strcmp(where, "SS") == 0, cs = strcmp(where, "CS") == 0;
    struct model_answer answer = {.set_accessed_at = -1};
    if (index == 0 && !local) {
        if (ss || cs) return fail(13, 0);
        answer.null = 1;
        return answer;
    }
    /* Does the whole descriptor lie within its table? */
    if (index * 8 + 7 > (local ? ldt_limit : gdt_limit)) return fail(13, selector);
    uint8_t bytes[8];
    const uint32_t at = (local ? ldt : gdt) + (uint32_t)index * 8;
    for (uint32_t i = 0; i < 8; i++) bytes[i] = memory[(at + i) % MEMORY];
    const int access = bytes[5], type = access % 32, dpl = access / 32 % 4;
    const bool present = access >= 128;
    if (ss) {
        if (rpl != cpl || !writable_data(type) || dpl != cpl) return fail(13, selector);
        if (!present) return fail(12, selector);
    } else if (cs) {
        if (!code(type)) return fail(13, selector);
        if (conforming_code(type) && dpl > cpl) return fail(13, selector);
        if (!conforming_code(type) && (rpl > cpl || dpl != cpl)) return fail(13, selector);
        if (!present) return fail(11, selector);
    } else {
        if (!data(type) && !readable_code(type)) return fail(13, selector);
        if (!conforming_code(type) && (dpl < rpl || dpl < cpl)) return fail(13, selector);
        if (!present) return fail(11, selector);
    }
    answer.limit = bytes[0] + 256 * bytes[1];
    answer.base = bytes[2] + 256U * bytes[3] + 65536U * bytes[4];
    answer.access = access % 2 ? access : access + 1;
    if (access % 2 == 0) answer.set_accessed_at = (int)((at + 5) % MEMORY);
    return answer;
}

int model_refer(const struct model_answer *loaded, const char *where, int offset, int bytes, char kind,
                uint32_t *physical)
{
    const int type = loaded->access % 32;
    if (loaded->null) return 13;
    if (kind == 'w' && !writable_data(type)) return 13;
    if (kind == 'x' && !code(type)) return 13;
    if (kind == 'r' && code(type) && !readable_code(type)) return 13;
    for (int i = 0; i < bytes; i++) { /* every byte must be in it */
        const bool down = type >= 20 && type <= 23,
                   in = offset + i <= 65535 && (down ? offset + i > loaded->limit : offset + i <= loaded->limit);
        if (!in) return strcmp(where, "SS") == 0 ? 12 : 13;
    }
    *physical = (loaded->base + (uint32_t)offset) % MEMORY;
    return 0;
}
