/* SPDX-License-Identifier: MIT */
#include "analysis/page_sizes.h"

enum { ADDRESS_BITS = 48, INDEX_BITS = 9, TABLE_BYTES = 4096 };

/* Different numbers that the granules have without their lowest bits. */
static uint64_t distinct(const uint64_t *granules, size_t count, unsigned shift)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total += i == 0 || granules[i] >> shift != granules[i - 1] >> shift;
    return total;
}

void ol_page_size_of(const uint64_t *granules, size_t count, unsigned granule_shift, unsigned page_shift,
                     struct ol_page_size *out)
{
    uint64_t tables = count > 0; /* the root */
    out->pages = distinct(granules, count, page_shift - granule_shift);
    out->waste_bytes = (out->pages << page_shift) - ((uint64_t)count << granule_shift);
    for (unsigned covered = page_shift + INDEX_BITS; covered < ADDRESS_BITS; covered += INDEX_BITS)
        tables += distinct(granules, count, covered - granule_shift);
    out->table_bytes = tables * TABLE_BYTES;
}
