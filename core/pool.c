/* SPDX-License-Identifier: MIT */
#include "core/pool.h"

#include "core/mem.h"

void ol_pool_init(struct ol_pool *pool, const struct ol_port *port, uint32_t object_bytes)
{
    memset(pool, 0, sizeof(*pool));
    pool->port = port;
    pool->object_bytes = object_bytes;
    while ((object_bytes << (pool->first_block_shift + 1)) <= OL_POOL_FIRST_BLOCK_BYTES) pool->first_block_shift++;
    pool->used = 1; /* number 0 is OL_NIL */
}

static size_t block_bytes(const struct ol_pool *pool, uint32_t k)
{
    return ((size_t)pool->object_bytes << pool->first_block_shift) << k;
}

void ol_pool_destroy(struct ol_pool *pool)
{
    for (uint32_t k = 0; k < OL_POOL_BLOCKS; k++)
        if (pool->block[k]) pool->port->metadata_free(pool->port->context, pool->block[k], block_bytes(pool, k));
}

/* The block of the first number never used; false if the port has no memory or numbers run out. */
static bool grow(struct ol_pool *pool)
{
    const uint32_t place = pool->used + (1U << pool->first_block_shift);
    const uint32_t k = 31U - (uint32_t)__builtin_clz(place) - pool->first_block_shift;
    if (k >= OL_POOL_BLOCKS) return false;
    if (!pool->block[k]) pool->block[k] = pool->port->metadata_alloc(pool->port->context, block_bytes(pool, k));
    return pool->block[k] != NULL;
}

uint32_t ol_pool_new(struct ol_pool *pool)
{
    uint32_t number = pool->free_head;
    if (number != OL_NIL) {
        memcpy(&pool->free_head, ol_pool_at(pool, number), sizeof(uint32_t));
        memset(ol_pool_at(pool, number), 0, pool->object_bytes);
    } else {
        if (!grow(pool)) return OL_NIL;
        number = pool->used++;
    }
    pool->live++;
    return number;
}

void ol_pool_delete(struct ol_pool *pool, uint32_t number)
{
    memcpy(ol_pool_at(pool, number), &pool->free_head, sizeof(uint32_t));
    pool->free_head = number;
    pool->live--;
}

uint64_t ol_pool_bytes(const struct ol_pool *pool)
{
    return (uint64_t)(pool->used - 1) * pool->object_bytes;
}
