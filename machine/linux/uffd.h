/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd as this machine uses it: faults of absent or write-protected pages raise SIGBUS in the thread that
 * touches them; pages are moved, copied, and write-protected by ioctl.
 *
 * Facts: Linux's Documentation/admin-guide/mm/userfaultfd.rst and include/uapi/linux/userfaultfd.h (6.8). Numbers that
 * the installed header may lack are defined here.
 *
 * All functions are async-signal-safe; addresses and sizes are bytes and page aligned.
 */
#ifndef OL_LINUX_UFFD_H
#define OL_LINUX_UFFD_H

#include "core/types.h"

struct ol_uffd {
    int fd;
    bool can_move; /* UFFDIO_MOVE: Linux 6.8 */
};

/* Opens a descriptor for faults of user code only, which every user may have. no_move: do without UFFDIO_MOVE.
 * OL_OK; OL_E_UNSUPPORTED, *error then names what is missing and the mend. */
enum ol_status ol_uffd_open(bool no_move, struct ol_uffd *out, const char **error);
void ol_uffd_close(struct ol_uffd *uffd);

/* Faults of absent and of write-protected pages in the range raise SIGBUS. */
bool ol_uffd_register(const struct ol_uffd *uffd, void *address, size_t bytes);
/* Write-protection only: absent pages are zero-filled by the kernel. What UFFDIO_MOVE wants of its target. */
bool ol_uffd_register_wp(const struct ol_uffd *uffd, void *address, size_t bytes);

/* The following return 0, or the error as a positive errno. Interruptions are retried. */

/* Moves present pages to an absent place; *moved is how many bytes were moved before an error. */
int ol_uffd_move(const struct ol_uffd *uffd, void *to, const void *from, size_t bytes, size_t *moved);
/* Fills absent pages with copies; they are write-protected if `protect`; *copied as above. */
int ol_uffd_copy(const struct ol_uffd *uffd, void *to, const void *from, size_t bytes, bool protect, size_t *copied);
/* Maps the kernel's page of zeros at absent pages; *mapped as above. */
int ol_uffd_zero(const struct ol_uffd *uffd, void *to, size_t bytes, size_t *mapped);
/* Writes to present pages raise SIGBUS, or no longer do. */
int ol_uffd_protect(const struct ol_uffd *uffd, void *address, size_t bytes, bool protect);

/* Is there memory at this page now? Does not touch it. */
bool ol_uffd_is_present(void *address);

#endif
