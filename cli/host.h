/* SPDX-License-Identifier: MIT */
/* How much memory there is for this process: of the machine, and of the control groups (v1 and v2) that hold it. */
#ifndef OL_CLI_HOST_H
#define OL_CLI_HOST_H

#include <stdint.h>

struct ol_host {
    uint64_t limit_bytes;     /* the smaller of the machine's memory and of the limits of all groups above */
    uint64_t available_bytes; /* what can be had now without taking it from others: MemAvailable, or what the limit of
                                 some group leaves, its inactive files counted as free */
    double pressure_percent;  /* of the last ten seconds some task waited for memory (PSI, some avg10): the larger of
                                 the machine's and the group's own; 0 where the kernel does not tell */
};

/* `root` stands before every path that is read, "" for the real ones. What cannot be read bounds nothing; if not even
 * /proc/meminfo can, all is UINT64_MAX and 0. Source: Linux, Documentation/admin-guide/cgroup-v1/memory.rst,
 * cgroup-v2.rst, accounting/psi.rst; proc(5). */
void ol_host_read(const char *root, struct ol_host *out);

#endif
