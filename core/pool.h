/* SPDX-License-Identifier: MIT */
/*
 * A pool: objects of one size, named by 32-bit numbers that never move. Number 0 is no object.
 * Memory comes from the port in blocks of doubling size, so that a number leads to its object in a few instructions
 * and nothing is ever copied. All functions: the system's lock is held.
 */
#ifndef OL_CORE_POOL_H
#define OL_CORE_POOL_H

#include "core/port.h"

#define OL_NIL 0U

enum { OL_POOL_BLOCKS = 26, OL_POOL_FIRST_BLOCK_BYTES = 4096 };

struct ol_pool {
    const struct ol_port *port;  /* c: */
    uint32_t object_bytes;       /* c: at least 4 */
    uint32_t first_block_shift;  /* c: log2 of the number of objects in block 0 */
    uint32_t used;               /* s: numbers below were given out at least once */
    uint32_t live;               /* s: objects given out now */
    uint32_t free_head;          /* s: freed objects, linked through their first word */
    void *block[OL_POOL_BLOCKS]; /* s: block k holds (1 << first_block_shift) << k objects */
};

void ol_pool_init(struct ol_pool *pool, const struct ol_port *port, uint32_t object_bytes);
void ol_pool_destroy(struct ol_pool *pool);

/* A zeroed object, or OL_NIL if the port has no memory. */
uint32_t ol_pool_new(struct ol_pool *pool);
void ol_pool_delete(struct ol_pool *pool, uint32_t number);

/* Bytes of the objects that were ever given out. */
uint64_t ol_pool_bytes(const struct ol_pool *pool);

/* The object of a number that ol_pool_new returned. */
static inline void *ol_pool_at(const struct ol_pool *pool, uint32_t number)
{
    const uint32_t place = number + (1U << pool->first_block_shift);
    const uint32_t top = 31U - (uint32_t)__builtin_clz(place);
    char *block = pool->block[top - pool->first_block_shift];
    return block + (size_t)(place - (1U << top)) * pool->object_bytes;
}

#endif
