/* SPDX-License-Identifier: MIT */
/* The pages that one trapped call names, wired while it runs. Addresses outside the window are passed
 * over, and so is what is foreign in it (foreign.h). */
#ifndef OL_RUN_WIRES_H
#define OL_RUN_WIRES_H

#include "core/types.h"

enum { OL_WIRES_MAX = 96 };

struct ol_wires {
    unsigned count;
    struct {
        uint64_t va;
        uint32_t pages;
    } range[OL_WIRES_MAX];
};

/* Wires all of [address, address + bytes) for access, or nothing: 0, or -EFAULT as the kernel would say, or -ENOMEM. */
long ol_wires_add(struct ol_wires *wires, unsigned long address, unsigned long bytes, unsigned access);
/* As much of it as there is, for writing where that is allowed: a struct whose exact size is not known. */
void ol_wires_add_object(struct ol_wires *wires, unsigned long address, unsigned long bytes);
void ol_wires_release(struct ol_wires *wires);

#endif
