/* SPDX-License-Identifier: MIT */
#include "cli/budget.h"

#include <string.h>

#include "cli/size.h"
#include "onelevel/onelevel.h"

/* Percentages are read as sizes are, in the unit K. */
static const uint64_t percent = 1024;

enum { DIGITS_MAX = 20 };

static const double pressure_high_percent = 10, pressure_low_percent = 1;

bool ol_budget_parse(const char *text, const struct ol_host *host, uint64_t *bytes)
{
    char number[DIGITS_MAX + 2];
    uint64_t part;
    const size_t length = strlen(text);
    if (length == 0 || text[length - 1] != '%') return ol_parse_size(text, bytes);
    if (length < 2 || length > DIGITS_MAX || strspn(text, "0123456789.") != length - 1) return false;
    memcpy(number, text, length - 1);
    memcpy(number + length - 1, "K", 2);
    if (!ol_parse_size(number, &part) || part == 0 || part > 100 * percent) return false;
    const uint64_t whole = 100 * percent, limit = host->limit_bytes;
    *bytes = limit / whole * part + limit % whole * part / whole;
    return true;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value > most ? most : value < least ? least : value;
}

uint64_t ol_budget_follow(const struct ol_host *host, uint64_t budget, uint64_t usage)
{
    const uint64_t limit = host->limit_bytes, available = host->available_bytes;
    const uint64_t reserve = clamp(limit / 16, (uint64_t)64 << 20, limit / 4);
    if (available < reserve) {
        budget = less(usage, reserve - available);
    } else if (host->pressure_percent >= pressure_high_percent) {
        budget = usage - usage / 16;
    } else if (available > 2 * reserve && host->pressure_percent < pressure_low_percent) {
        const uint64_t more = usage + (available - 2 * reserve);
        if (more > budget) budget = more;
    }
    return clamp(budget, ol_memory_minimum_bytes(), limit - reserve);
}
