/* SPDX-License-Identifier: MIT */
#include "cli/large_pages.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/size.h"

/* The sizes that the machine has, after each other. */
static void list_sizes(const struct ol_capabilities *machine, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < OL_LARGE_SIZES_MAX && machine->large_shifts[i]; i++) {
        char size[OL_SIZE_TEXT_BYTES];
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? " and " : "",
                                 ol_format_size(1ULL << machine->large_shifts[i], size));
    }
}

/* The shift of a size of the machine's; 0 if it has no such pages. */
static uint8_t find_shift(const char *text, const struct ol_capabilities *machine)
{
    uint64_t bytes;
    if (!ol_parse_size(text, &bytes)) return 0;
    for (unsigned i = 0; i < OL_LARGE_SIZES_MAX && machine->large_shifts[i]; i++)
        if (bytes == 1ULL << machine->large_shifts[i]) return machine->large_shifts[i];
    return 0;
}

bool ol_large_pages_parse(const char *text, const struct ol_capabilities *machine, struct ol_large_pages *out)
{
    char sizes[2 * OL_SIZE_TEXT_BYTES + 8];
    *out = (struct ol_large_pages){0};
    if (!text) return true;
    const char *const colon = strchr(text, ':');
    const size_t length = colon ? (size_t)(colon - text) : strlen(text);
    if (!machine->large_shifts[0]) {
        ol_error("--large-pages: %s has pages of one size", machine->name);
        return false;
    }
    out->eager = length == 5 && strncmp(text, "eager", length) == 0;
    out->shift = colon ? find_shift(colon + 1, machine) : machine->large_shifts[0];
    if (out->shift && (out->eager || (length == 7 && strncmp(text, "promote", length) == 0))) return true;
    list_sizes(machine, sizes, sizeof sizes);
    ol_error("--large-pages %s: expected promote or eager, and perhaps :SIZE; %s has pages of %s", text, machine->name,
             sizes);
    return false;
}
