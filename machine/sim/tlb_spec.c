/* SPDX-License-Identifier: MIT */
/*
 * The presets, and where their figures come from. Where a manual does not tell the replacement, it is LRU here; none
 * tells the sizes of Intel's page-walk caches, so those presets have none.
 */
#include "machine/sim/tlb_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_FORM_WAYS = 4, PART_BYTES_MAX = 64, SIZE_SHIFT_MOST = 48 };

const struct ol_tlb_preset ol_tlb_presets[] = {
    /* DEC, EK-MM780-TD, Translation Buffer, Cache and SBI Control Technical Description, 1978: 128 entries, two-way,
     * one half for the system, one for the process. Random: Clark and Emer, ACM TOCS 3(1), 1985. */
    {"vax780", "l1=64:2:random,tags=0", "VAX-11/780: the half for programs"},
    /* Intel, 80386 Programmer's Reference Manual, 1986, chapter 11: 32 entries, four-way; emptied with CR3. */
    {"80386", "l1=32:4,tags=0", "80386"},
    /* Intel, Embedded Intel486 Processor Hardware Reference Manual, figure 3-7: 8 sets of 4, pseudo-LRU. */
    {"i486", "l1=32:4:plru,tags=0", "i486"},
    /* AMD, 52128, Software Optimization Guide for Family 16h Processors, 2.6; the page directory cache has 16 entries.
     * Processors of that family have no PCIDs. */
    {"jaguar", "l1d=40@4K,l1d=8@2M,l1i=32@4K,l1i=8@2M,l2d=512:4@4K,l2d=256:2@2M,l2i=512:4@4K,walk1=16,tags=0",
     "AMD Jaguar"},
    /* Intel, 248966, Optimization Reference Manual, table "TLB Parameters of the Skylake Microarchitecture"; PCIDs:
     * SDM volume 3A, 4.10.1. */
    {"skylake", "l1d=64:4@4K,l1d=32:4@2M+4M,l1d=4:4@1G,l1i=128:8@4K,l1i=8@2M+4M,l2=1536:12@4K+2M+4M,l2=16:4@1G,tags=12",
     "Intel Skylake"},
    {NULL, NULL, NULL}};

struct ol_tlb_spec ol_tlb_spec_simple(uint32_t entries, uint32_t ways)
{
    struct ol_tlb_spec spec = {.tag_bits = OL_TLB_TAGS_OF_FORMAT};
    if (entries > 0)
        spec.array[spec.arrays++] = (struct ol_tlb_array_spec){
            .entries = entries, .ways = ways, .level = 1, .holds = OL_TLB_DATA | OL_TLB_CODE};
    return spec;
}

static bool is_possible(const struct ol_tlb_array_spec *array)
{
    return ol_tlb_is_possible(array->entries, array->ways, (enum ol_tlb_replacement)array->replacement);
}

bool ol_tlb_spec_is_possible(const struct ol_tlb_spec *spec)
{
    bool good = spec->arrays <= OL_TLB_ARRAYS_MAX && spec->walk_caches <= OL_WALK_CACHES_MAX &&
                (spec->tag_bits <= OL_TLB_TAG_BITS || spec->tag_bits == OL_TLB_TAGS_OF_FORMAT);
    for (unsigned i = 0; good && i < spec->arrays; i++) {
        const struct ol_tlb_array_spec *const array = &spec->array[i];
        good = is_possible(array) && array->level >= 1 && array->level <= OL_TLB_LEVELS_MAX && array->holds != 0;
    }
    for (unsigned i = 0; good && i < spec->walk_caches; i++)
        good = is_possible(&spec->walk[i]) && spec->walk[i].entries > 0;
    return good;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

/* A decimal number up to max at *at, which moves behind it. */
static bool take_number(const char **at, uint32_t max, uint32_t *out)
{
    uint64_t number = 0;
    const char *const start = *at;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        number = number * 10 + (uint64_t)(**at - '0');
        if (number > max) return false;
    }
    *out = (uint32_t)number;
    return *at != start;
}

static bool take_word(const char **at, const char *word)
{
    const size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) return false;
    *at += length;
    return true;
}

static bool take_replacement(const char **at, uint8_t *out)
{
    static const char *const names[] = {
        [OL_TLB_LRU] = "lru", [OL_TLB_PLRU] = "plru", [OL_TLB_FIFO] = "fifo", [OL_TLB_RANDOM] = "random"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!take_word(at, names[i])) continue;
        *out = (uint8_t)i;
        return true;
    }
    return false;
}

/* SIZE+SIZE+…, each a power of two. */
static bool take_sizes(const char **at, uint64_t *sizes)
{
    do {
        uint32_t number;
        unsigned shift = 0;
        if (!take_number(at, 1U << 20, &number) || number == 0 || (number & (number - 1)) != 0) return false;
        while (number >> shift > 1) shift++;
        shift += take_word(at, "K") ? 10U : take_word(at, "M") ? 20U : take_word(at, "G") ? 30U : 0;
        if (shift > SIZE_SHIFT_MOST) return false;
        *sizes |= 1ULL << shift;
    } while (take_word(at, "+"));
    return true;
}

/* ENTRIES[:WAYS][:REPLACEMENT][@SIZES]; all of the text. */
static bool parse_array(const char *at, struct ol_tlb_array_spec *array)
{
    if (!take_number(&at, OL_TLB_ENTRIES_MAX, &array->entries) || array->entries == 0) return false;
    array->ways = array->entries;
    if (at[0] == ':' && at[1] >= '0' && at[1] <= '9') {
        at++;
        if (!take_number(&at, array->entries, &array->ways)) return false;
    }
    if (take_word(&at, ":") && !take_replacement(&at, &array->replacement)) return false;
    if (take_word(&at, "@") && !take_sizes(&at, &array->sizes)) return false;
    return *at == '\0' && is_possible(array);
}

static bool parse_level(const char *at, struct ol_tlb_spec *spec)
{
    uint32_t level;
    if (spec->arrays == OL_TLB_ARRAYS_MAX || !take_number(&at, OL_TLB_LEVELS_MAX, &level) || level == 0) return false;
    struct ol_tlb_array_spec array = {.level = (uint8_t)level};
    array.holds = take_word(&at, "d") ? OL_TLB_DATA : take_word(&at, "i") ? OL_TLB_CODE : OL_TLB_DATA | OL_TLB_CODE;
    if (!take_word(&at, "=") || !parse_array(at, &array)) return false;
    spec->array[spec->arrays++] = array;
    return true;
}

static bool parse_walk(const char *at, struct ol_tlb_spec *spec)
{
    struct ol_tlb_array_spec array = {0};
    if (spec->walk_caches == OL_WALK_CACHES_MAX) return false;
    if (*at >= '1' && *at <= '4') array.level = (uint8_t)(*at++ - '0');
    if (!take_word(&at, "=") || !parse_array(at, &array) || array.sizes != 0) return false;
    spec->walk[spec->walk_caches++] = array;
    return true;
}

static bool parse_tags(const char *at, struct ol_tlb_spec *spec)
{
    uint32_t bits;
    if (!take_number(&at, OL_TLB_TAG_BITS, &bits) || *at != '\0') return false;
    spec->tag_bits = (uint8_t)bits;
    return true;
}

static bool parse_part(const char *part, struct ol_tlb_spec *spec)
{
    if (take_word(&part, "l")) return parse_level(part, spec);
    if (take_word(&part, "walk")) return parse_walk(part, spec);
    return take_word(&part, "tags=") && parse_tags(part, spec);
}

/* PART,PART,…; a part that makes no sense is left in `part`. */
static bool parse_parts(const char *text, struct ol_tlb_spec *spec, char part[PART_BYTES_MAX])
{
    for (const char *at = text;; at++) {
        const size_t length = strcspn(at, ",");
        snprintf(part, PART_BYTES_MAX, "%.*s", (int)(length < PART_BYTES_MAX ? length : PART_BYTES_MAX), at);
        if (length >= PART_BYTES_MAX || !parse_part(part, spec)) return false;
        at += length;
        if (*at == '\0') return true;
    }
}

/* ENTRIES[:WAYS]; or not, and then *out is as it was. */
static bool parse_short(const char *text, struct ol_tlb_spec *out)
{
    uint32_t entries, ways;
    if (!take_number(&text, OL_TLB_ENTRIES_MAX, &entries) || entries == 0) return false;
    ways = entries < SHORT_FORM_WAYS ? entries : SHORT_FORM_WAYS;
    if (take_word(&text, ":") && !take_number(&text, entries, &ways)) return false;
    if (*text != '\0' || !ol_tlb_is_possible(entries, ways, OL_TLB_LRU)) return false;
    *out = ol_tlb_spec_simple(entries, ways);
    return true;
}

bool ol_tlb_spec_parse(const char *text, struct ol_tlb_spec *out, char *message, size_t message_bytes)
{
    char part[PART_BYTES_MAX];
    *out = ol_tlb_spec_simple(0, 0);
    if (strcmp(text, "none") == 0) return true;
    for (const struct ol_tlb_preset *preset = ol_tlb_presets; preset->name; preset++)
        if (strcmp(text, preset->name) == 0) text = preset->text;
    if (parse_short(text, out) || parse_parts(text, out, part)) return true;
    if (strchr(text, '='))
        snprintf(message, message_bytes,
                 "\"%s\": expected l1=, l1d=, l1i=, l2= … ENTRIES[:WAYS][:lru|plru|fifo|random][@SIZE+…], "
                 "walk=ENTRIES[:WAYS] or tags=BITS, where ENTRIES/WAYS is a power of two",
                 part);
    else
        snprintf(message, message_bytes,
                 "expected none or ENTRIES[:WAYS], at most %d entries, where ENTRIES/WAYS is a power of two (such as "
                 "64:4), the name of a processor, or parts such as l1=64:4,l2=1024:8",
                 OL_TLB_ENTRIES_MAX);
    return false;
}
