/* SPDX-License-Identifier: MIT */
/*
 * libCacheSim's oracleGeneral: records of 24 bytes, little-endian and without a header: u32 time in seconds, u64
 * object, u32 size, i64 index of the next record with that object, from 0, or -1. Nothing in it tells what it is, so it
 * is known by the file's name, as there. An object is a page; times and sizes are passed over, and every reference
 * reads.
 */
#include <string.h>

#include "trace/format.h"
#include "trace/native.h"

bool ol_oracle_general_named(const char *path)
{
    const char *const slash = strrchr(path, '/'), *const name = slash ? slash + 1 : path;
    return strcasestr(name, "oracleGeneral") && !strcasestr(name, "oracleGeneralOpNS");
}

size_t ol_oracle_general_parse(const char *records, size_t count, const struct ol_trace_options *options,
                               struct ol_reference *references)
{
    const uint64_t last_page = options->last_va >> options->page_shift;
    size_t i = 0;
    for (; i < count; i++) {
        const uint64_t page = ol_get64((const unsigned char *)records + i * OL_ORACLE_GENERAL_BYTES + 4);
        if (page > last_page) break;
        references[i] = (struct ol_reference){.va = page << options->page_shift, .access = OL_READ, .count = 1};
    }
    return i;
}
