/* SPDX-License-Identifier: MIT */
#include "cli/host.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4096, NAME_BYTES = 64 };

/* The files of a group, by version of the hierarchy. */
struct names {
    const char *type;       /* of the file system */
    const char *controller; /* an option of the mount and of the line in /proc/self/cgroup, or NULL: the v2 hierarchy */
    const char *limits[2];
    const char *usage;
    const char *inactive; /* in memory.stat */
};

static const struct names versions[] = {
    {"cgroup", "memory", {"memory.limit_in_bytes", NULL}, "memory.usage_in_bytes", "total_inactive_file"},
    {"cgroup2", NULL, {"memory.max", "memory.high"}, "memory.current", "inactive_file"},
};

/* --- files ----------------------------------------------------------------------------------------------------------
 */

static FILE *open_file(const char *format, ...)
{
    char path[PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(path, sizeof(path), format, arguments); // NOLINT(clang-analyzer-valist.Uninitialized)
    va_end(arguments);
    return length < (int)sizeof(path) ? fopen(path, "re") : NULL;
}

/* The number that is all the file says; false for "max" and what cannot be read. Closes the file. */
static bool take_number(FILE *file, uint64_t *out)
{
    unsigned long long number;
    const bool found = file && fscanf(file, "%llu", &number) == 1;
    if (found) *out = number;
    if (file) (void)fclose(file);
    return found;
}

/* The number behind `name` in a file of such lines. Closes the file. */
static bool take_field(FILE *file, const char *name, uint64_t *out)
{
    char line[LINE_BYTES];
    const size_t length = strlen(name);
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, length) != 0 || (line[length] != ' ' && line[length] != ':')) continue;
        *out = strtoull(line + length + 1, NULL, 10);
        found = true;
    }
    if (file) (void)fclose(file);
    return found;
}

static void take_pressure(FILE *file, double *percent)
{
    double average = 0;
    if (file && fscanf(file, "some avg10=%lf", &average) == 1 && average > *percent) *percent = average;
    if (file) (void)fclose(file);
}

/* --- where the group is -------------------------------------------------------------------------------------------
 */

/* Is `word` one of the comma-separated words? */
static bool has_word(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (; list; list = strchr(list, ',')) {
        if (*list == ',') list++;
        if (strncmp(list, word, length) == 0 && (list[length] == ',' || list[length] == '\0')) return true;
    }
    return false;
}

/* Spaces and backslashes stand as octal numbers in mountinfo. */
static void decode(char *path)
{
    char *to = path;
    for (const char *from = path; *from; to++) {
        if (from[0] == '\\' && from[1] && from[2] && from[3]) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Where the hierarchy is mounted, and what part of it: field 5 and 4 of its line in mountinfo. */
static bool find_mount(const char *root, const struct names *names, char part[LINE_BYTES], char place[LINE_BYTES])
{
    char line[LINE_BYTES], type[NAME_BYTES], options[LINE_BYTES];
    bool found = false;
    FILE *file = open_file("%s/proc/self/mountinfo", root);
    while (file && !found && fgets(line, sizeof(line), file)) {
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", part, place) != 2) continue;
        if (sscanf(rest, " - %63s %*s %4095s", type, options) != 2 || strcmp(type, names->type) != 0) continue;
        found = !names->controller || has_word(options, names->controller);
    }
    if (file) (void)fclose(file);
    if (!found) return false;
    decode(part);
    decode(place);
    return true;
}

/* This process's place in the hierarchy. */
static bool find_group(const char *root, const struct names *names, char group[LINE_BYTES])
{
    char line[LINE_BYTES];
    bool found = false;
    FILE *file = open_file("%s/proc/self/cgroup", root);
    while (file && !found && fgets(line, sizeof(line), file)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        line[strcspn(line, "\n")] = '\0';
        *path = '\0';
        found = names->controller ? has_word(controllers + 1, names->controller) : controllers[1] == '\0';
        memcpy(group, path + 1, strlen(path + 1) + 1);
    }
    if (file) (void)fclose(file);
    return found;
}

/* --- limits --------------------------------------------------------------------------------------------------------
 */

static void apply_group(const char *root, const struct names *names, const char *folder, struct ol_host *out)
{
    uint64_t limit = UINT64_MAX, usage, inactive = 0, bytes;
    for (unsigned i = 0; i < 2 && names->limits[i]; i++)
        if (take_number(open_file("%s%s/%s", root, folder, names->limits[i]), &bytes) && bytes < limit) limit = bytes;
    if (limit < out->limit_bytes) out->limit_bytes = limit;
    if (limit == UINT64_MAX || !take_number(open_file("%s%s/%s", root, folder, names->usage), &usage)) return;
    (void)take_field(open_file("%s%s/memory.stat", root, folder), names->inactive, &inactive);
    usage -= inactive < usage ? inactive : usage;
    const uint64_t rest = limit > usage ? limit - usage : 0;
    if (rest < out->available_bytes) out->available_bytes = rest;
}

/* From the process's own group up to the top of what is mounted. */
static void apply_hierarchy(const char *root, const struct names *names, struct ol_host *out)
{
    char part[LINE_BYTES], place[LINE_BYTES], group[LINE_BYTES], folder[2 * LINE_BYTES];
    if (!find_mount(root, names, part, place) || !find_group(root, names, group)) return;
    /* In a container the mount may show a part of the tree only, and the group may be named from above it. */
    const size_t length = strcmp(part, "/") == 0 ? 0 : strlen(part);
    const char *below = strncmp(group, part, length) == 0 ? group + length : "";
    if (strstr(below, "..")) below = "";
    (void)snprintf(folder, sizeof(folder), "%s%s", place, below);
    take_pressure(open_file("%s%s/memory.pressure", root, folder), &out->pressure_percent);
    for (;;) {
        apply_group(root, names, folder, out);
        char *slash = strrchr(folder, '/');
        if (!slash || strlen(folder) <= strlen(place)) return;
        *slash = '\0';
    }
}

void ol_host_read(const char *root, struct ol_host *out)
{
    uint64_t kilobytes;
    *out = (struct ol_host){.limit_bytes = UINT64_MAX, .available_bytes = UINT64_MAX};
    if (take_field(open_file("%s/proc/meminfo", root), "MemTotal", &kilobytes)) out->limit_bytes = kilobytes * 1024;
    if (take_field(open_file("%s/proc/meminfo", root), "MemAvailable", &kilobytes))
        out->available_bytes = kilobytes * 1024;
    take_pressure(open_file("%s/proc/pressure/memory", root), &out->pressure_percent);
    for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) apply_hierarchy(root, &versions[i], out);
}
