/* SPDX-License-Identifier: MIT */
#include "core/types.h"

const char *ol_status_text(enum ol_status status)
{
    static const char *const text[OL_STATUS_COUNT] = {
        [OL_OK] = "no error",
        [OL_E_INVALID] = "invalid argument",
        [OL_E_NO_REGION] = "no region at that address",
        [OL_E_RIGHTS] = "the region does not grant that access",
        [OL_E_OVERLAP] = "the range is already mapped",
        [OL_E_NO_ROOM] = "no gap in the address space is large enough",
        [OL_E_NO_META] = "no memory for metadata",
        [OL_E_NO_FRAMES] = "no frame can be freed",
        [OL_E_NO_SWAP] = "no room in swap",
        [OL_E_IO] = "the page could not be read or written",
        [OL_E_BUSY] = "the page is in use by the machine",
        [OL_E_UNSUPPORTED] = "not supported here",
    };
    return (unsigned)status < OL_STATUS_COUNT ? text[status] : "unknown status";
}
