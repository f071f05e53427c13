/* SPDX-License-Identifier: MIT */
/* Numbers of the native format: seven bits a byte, the lowest first, bit 7 set in all bytes but the last. */
#ifndef OL_TRACE_VARINT_H
#define OL_TRACE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

enum { OL_VARINT_BYTES_MAX = 10 };

/* Returns what is behind it. */
static inline unsigned char *ol_varint_put(unsigned char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) *at++ = (unsigned char)(value | 0x80);
    *at++ = (unsigned char)value;
    return at;
}

/* Moves *at behind it. False: it ends too early, or is larger than 64 bits. */
static inline bool ol_varint_get(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        const uint64_t byte = *(*at)++;
        if (shift == 63 && byte > 1) return false;
        *value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

/* A signed distance as a number that is small if the distance is: 2d, or -2d - 1 if negative; and back. */
static inline uint64_t ol_zigzag(uint64_t distance)
{
    return distance << 1 ^ (0 - (distance >> 63));
}

static inline uint64_t ol_unzigzag(uint64_t number)
{
    return number >> 1 ^ (0 - (number & 1));
}

#endif
