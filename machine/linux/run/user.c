/* SPDX-License-Identifier: MIT */
#include "machine/linux/run/user.h"

#include <stdint.h>

/* The one instruction at which the program's memory is touched for it, and where it goes on if that fails. */
bool ol_user_copy(void *to, const void *from, size_t bytes);
extern const char ol_user_copying[], ol_user_copy_failed[];
__asm__(".text\n"
        "\t.balign 16\n"
        "\t.hidden ol_user_copy, ol_user_copying, ol_user_copy_failed\n"
        "\t.globl ol_user_copy, ol_user_copying, ol_user_copy_failed\n"
        "\t.type ol_user_copy, @function\n"
        "ol_user_copy:\n"
        "\tmovq %rdx, %rcx\n"
        "ol_user_copying:\n"
        "\trep movsb\n"
        "\tmovl $1, %eax\n"
        "\tret\n"
        "ol_user_copy_failed:\n"
        "\txorl %eax, %eax\n"
        "\tret\n"
        "\t.size ol_user_copy, . - ol_user_copy\n");

bool ol_user_read(void *to, unsigned long from, size_t bytes)
{
    return ol_user_copy(to, (const void *)(uintptr_t)from, bytes);
}

bool ol_user_write(unsigned long to, const void *from, size_t bytes)
{
    return ol_user_copy((void *)(uintptr_t)to, from, bytes);
}

bool ol_user_refuse(ucontext_t *context)
{
    greg_t *ip = &context->uc_mcontext.gregs[REG_RIP];
    if (*ip != (greg_t)(uintptr_t)ol_user_copying) return false;
    *ip = (greg_t)(uintptr_t)ol_user_copy_failed;
    return true;
}
