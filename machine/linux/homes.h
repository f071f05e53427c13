/* SPDX-License-Identifier: MIT */
/* The homes of pages, built from a description such as "compressed,file:/var/tmp". */
#ifndef OL_LINUX_HOMES_H
#define OL_LINUX_HOMES_H

#include "pager/compressed.h"
#include "pager/swapfile.h"
#include "pager/tiered.h"

struct ol_homes_options {
    const char *swap; /* as in ol_memory_options, not NULL */
    uint32_t page_bytes;
    uint64_t swap_bytes;                         /* bound of the file; 0: none */
    bool encrypted;                              /* the file */
    uint64_t store_bytes;                        /* the most that the compressed store ever takes */
    struct ol_store_budget budget;               /* asked before the store grows */
    bool (*store_is_over)(void *budget_context); /* asked where a file takes what the store should give up; or NULL */
};

struct ol_homes_statistics {
    struct ol_compressed_statistics compressed;
    struct ol_swapfile_statistics file;
    struct ol_tiered_statistics tiers;
    uint64_t metadata_bytes;
};

/* *top is what the core is given, *compressed and *file are its parts; NULL where there is none.
 * OL_OK; OL_E_INVALID, OL_E_IO, OL_E_NO_SWAP, OL_E_NO_META, OL_E_UNSUPPORTED with a sentence in *error and all three
 * NULL. */
enum ol_status ol_homes_create(const struct ol_homes_options *options, struct ol_pager **top,
                               struct ol_pager **compressed, struct ol_pager **file, const char **error);

/* As ol_homes_create made them. */
void ol_homes_statistics(struct ol_pager *top, struct ol_pager *compressed, struct ol_pager *file,
                         struct ol_homes_statistics *out);

enum { OL_HOMES_TEXT_BYTES = 256 };

/* Why the page in slot could last not be read, as the end of a sentence that begins with "the page …". False if that is
 * not known; file may be NULL. Async-signal-safe. */
bool ol_homes_explain(struct ol_pager *file, ol_slot slot, char text[OL_HOMES_TEXT_BYTES]);

#endif
