/* SPDX-License-Identifier: MIT */
#include "cli/size.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The unit that `text` is, to its end, as a power of two; -1 if it is none. */
static int unit_shift(const char *text)
{
    static const char letters[] = "KMGT";
    if (*text == '\0') return 0;
    const char upper = (char)(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
    const char *const letter = strchr(letters, upper);
    if (letter == NULL) return -1;
    if (text[1] != '\0' && strcmp(text + 1, "iB") != 0) return -1;
    return 10 * (int)(letter - letters + 1);
}

/* The digits [first, end) behind a decimal point, of a unit of 1 << shift bytes, rounded down. Working from the last
 * digit, each step's rounding is that of the whole, so that any number of digits is exact. */
static uint64_t fraction_bytes(const char *first, const char *end, int shift)
{
    uint64_t bytes = 0;
    while (end > first) {
        const uint64_t digit = (uint64_t)(*--end - '0');
        bytes = (bytes + (digit << shift)) / 10;
    }
    return bytes;
}

bool ol_parse_size(const char *text, uint64_t *bytes)
{
    uint64_t whole = 0;
    if (!is_digit(*text)) return false;
    for (; is_digit(*text); text++) {
        const uint64_t digit = (uint64_t)(*text - '0');
        if (whole > (UINT64_MAX - digit) / 10) return false;
        whole = whole * 10 + digit;
    }

    const char *const fraction = *text == '.' ? text + 1 : text;
    const char *unit = fraction;
    while (is_digit(*unit)) unit++;
    const bool has_point = fraction != text;
    if (has_point && unit == fraction) return false;

    const int shift = unit_shift(unit);
    if (shift < 0 || (shift == 0 && has_point) || whole > UINT64_MAX >> shift) return false;
    *bytes = (whole << shift) + fraction_bytes(fraction, unit, shift);
    return true;
}

const char *ol_format_size(uint64_t bytes, char text[OL_SIZE_TEXT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0, shift = 0;
    while (bytes >> shift >= 1024) {
        unit++;
        shift += 10;
    }

    const uint64_t unit_bytes = UINT64_C(1) << shift;
    uint64_t whole = bytes >> shift;
    /* The rest in tenths, rounded to the nearest; ten bits of it are enough and keep the product small. */
    const uint64_t rest = shift == 0 ? 0 : (bytes & (unit_bytes - 1)) >> (shift - 10);
    uint64_t tenths = (rest * 10 + 512) / 1024;
    if (tenths == 10) {
        whole++;
        tenths = 0;
    }
    if (whole == 1024) {
        whole = 1;
        unit++;
    }
    if (tenths == 0) snprintf(text, OL_SIZE_TEXT_BYTES, "%u %s", (unsigned)whole, units[unit]);
    else snprintf(text, OL_SIZE_TEXT_BYTES, "%u.%u %s", (unsigned)whole, (unsigned)tenths, units[unit]);
    return text;
}
