/* SPDX-License-Identifier: MIT */
/*
 * Words that every part of Onelevel shares. Freestanding: no libc header is included here.
 */
#ifndef OL_CORE_TYPES_H
#define OL_CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t ol_va;       /* a virtual address, bytes */
typedef uint32_t ol_frame_no; /* a page-sized piece of physical memory */
typedef uint32_t ol_slot;     /* a page-sized place in a pager's swap space */

#define OL_NO_FRAME UINT32_MAX
#define OL_ANY_NODE UINT32_MAX
#define OL_NO_SLOT  UINT32_MAX

/* Rights of a region and of a mapping, and the kind of an access. */
enum ol_rights { OL_NONE = 0, OL_READ = 1, OL_WRITE = 2, OL_EXEC = 4 };

enum ol_status {
    OL_OK,
    OL_E_INVALID,   /* an argument is not page aligned, out of range, or contradicts another */
    OL_E_NO_REGION, /* no region at that address */
    OL_E_RIGHTS,    /* the region does not grant that access */
    OL_E_OVERLAP,   /* the range is already mapped */
    OL_E_NO_ROOM,   /* no gap of the address space is large enough */
    OL_E_NO_META,   /* the port gave no memory for metadata */
    OL_E_NO_FRAMES, /* every frame is wired, or none could be cleaned */
    OL_E_NO_SWAP,   /* the pager has no room for the page */
    OL_E_IO,        /* the pager could not read or write the page */
    OL_E_BUSY,      /* a mapping is in use by the machine and cannot be removed now */
    OL_E_UNSUPPORTED,
    OL_STATUS_COUNT
};

/* A short English text, never NULL; for a status that is no ol_status, "unknown status". */
const char *ol_status_text(enum ol_status status);

#endif
