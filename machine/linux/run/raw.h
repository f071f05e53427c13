/* SPDX-License-Identifier: MIT */
/*
 * System calls made from the runtime's own text, which its filter does not trap. The runtime, and the parts of Onelevel
 * that are linked into it, make every system call this way: raw.c defines, for this library only, the C library's
 * names for those that they use.
 */
#ifndef OL_RUN_RAW_H
#define OL_RUN_RAW_H

/* The kernel's answer: a value, or a negative errno from -4095 to -1. */
static inline long ol_raw(long number, long a, long b, long c, long d, long e, long f)
{
    long result = number;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* The lowest descriptor from `fd` on that the runtime has opened for itself, or -1. */
int ol_raw_next_owned(int fd);

/* Where handlers of ours return to. */
void ol_restorer(void);

#endif
