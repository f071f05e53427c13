/* SPDX-License-Identifier: MIT */
/* What the kernel writes on a stack for a signal, and takes back from there (arch/x86/kernel/signal_64.c). */
#ifndef OL_RUN_FRAME_H
#define OL_RUN_FRAME_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

/* struct sigaction as the kernel has it. */
struct ol_action {
    union {
        void (*handler)(int);
        void (*action)(int, siginfo_t *, void *);
    };
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

/* The beginning of ucontext_t, which is all that the kernel knows of it. */
struct ol_context {
    unsigned long flags;
    void *link;
    stack_t stack;
    mcontext_t machine;
    unsigned long mask;
};

_Static_assert(offsetof(struct ol_context, mask) == offsetof(ucontext_t, uc_sigmask), "the kernel's layout");

/* Where a handler's stack pointer points when it begins. The processor's state, to which the context points, lies
 * above. */
struct ol_frame {
    void (*restorer)(void);
    struct ol_context context;
    siginfo_t info;
};

#define OL_SA_RESTORER   0x04000000UL /* (asm/signal.h; the C library does not tell) */
#define OL_SS_AUTODISARM ((int)(1U << 31))
#define OL_MINSIGSTKSZ   2048U

enum {
    OL_STATE_BYTES = 512,        /* of the registers that every x86-64 processor has (FXSAVE) */
    OL_STATE_EXTENSION = 464,    /* where there the kernel tells of more: a magic number and the size of all */
    OL_STATE_MAGIC = 0x46505853, /* (asm/sigcontext.h) */
    OL_STATE_ALIGNMENT = 64
};

/* Bytes of the processor's state that begins with these OL_STATE_BYTES. */
static inline size_t ol_state_bytes(const void *state)
{
    uint32_t extension[2];
    memcpy(extension, (const char *)state + OL_STATE_EXTENSION, sizeof(extension));
    return extension[0] == OL_STATE_MAGIC ? extension[1] : (size_t)OL_STATE_BYTES;
}

#endif
