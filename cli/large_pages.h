/* SPDX-License-Identifier: MIT */
/* The option --large-pages, as text WHEN[:SIZE]. */
#ifndef OL_CLI_LARGE_PAGES_H
#define OL_CLI_LARGE_PAGES_H

#include "core/pmap.h"

struct ol_large_pages {
    uint8_t shift; /* log2 of the largest size to be used; 0: none */
    bool eager;    /* the first touch brings in a whole one; else they are made of pages that were all touched */
};

/* NULL is no option. False after a message, if it makes no sense or the machine has no such pages. */
bool ol_large_pages_parse(const char *text, const struct ol_capabilities *machine, struct ol_large_pages *out);

#endif
