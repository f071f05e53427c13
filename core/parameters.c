/* SPDX-License-Identifier: MIT */
/* The parameters of policies. */
#include "core/policy.h"

/* Behind "key=" if text begins with it, else NULL. */
static const char *behind_key(const char *text, const char *key)
{
    while (*key && *text == *key) text++, key++;
    return !*key && *text == '=' ? text + 1 : NULL;
}

/* A whole number up to `max`; NULL if there is none, else behind it. */
static const char *parse_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    if (*text < '0' || *text > '9') return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        const uint64_t digit = (uint64_t)(*text - '0');
        if (number > max / 10 || number * 10 > max - digit) return NULL;
        number = number * 10 + digit;
    }
    *out = number;
    return text;
}

/* One "key=value"; NULL if it is wrong, else behind it. */
static const char *parse_one(const char *text, const struct ol_policy_parameter *known, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const char *const value = behind_key(text, known[i].key);
        if (!value) continue;
        uint64_t number;
        const char *const end = parse_number(value, known[i].max, &number);
        if (!end || number < known[i].min) return NULL;
        *known[i].value = number;
        return end;
    }
    return NULL;
}

enum ol_status ol_policy_parse(const char *text, const struct ol_policy_parameter *known, unsigned count)
{
    while (text) {
        text = parse_one(text, known, count);
        if (!text || (*text && *text != ',')) return OL_E_INVALID;
        text = *text ? text + 1 : NULL;
    }
    return OL_OK;
}
