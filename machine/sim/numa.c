/* SPDX-License-Identifier: MIT */
#include "machine/sim/numa.h"

#include <stdio.h>
#include <string.h>

bool ol_numa_is_possible(const struct ol_numa *numa, uint32_t frames)
{
    if (numa->nodes <= 1) return true;
    return numa->nodes <= OL_NUMA_NODES_MAX && numa->nodes <= frames && numa->node < numa->nodes;
}

uint32_t ol_numa_zones(const struct ol_numa *numa, uint32_t frames, struct ol_zone zones[OL_ZONES_MAX])
{
    if (numa->nodes <= 1) return 0;
    const uint32_t each = frames / numa->nodes;
    for (uint32_t node = 0; node < numa->nodes; node++)
        zones[node] = (struct ol_zone){.first = node * each, .frames = each, .node = node};
    zones[numa->nodes - 1].frames = frames - zones[numa->nodes - 1].first;
    return numa->nodes;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static bool take_number(const char **at, uint32_t least, uint32_t most, uint32_t *out)
{
    uint32_t number = 0;
    const char *const start = *at;
    for (; **at >= '0' && **at <= '9' && number <= most; ++*at) number = number * 10 + (uint32_t)(**at - '0');
    *out = number;
    return *at != start && number >= least && number <= most;
}

static bool take_word(const char **at, const char *word)
{
    const size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) return false;
    *at += length;
    return true;
}

static bool take_policy(const char **at, struct ol_numa *numa)
{
    if (take_word(at, "first-touch")) numa->policy = OL_NUMA_FIRST_TOUCH;
    else if (take_word(at, "interleave")) numa->policy = OL_NUMA_INTERLEAVE;
    else if (take_word(at, "preferred=")) numa->policy = OL_NUMA_PREFERRED;
    else if (take_word(at, "bind=")) numa->policy = OL_NUMA_BIND;
    else return false;
    return numa->policy < OL_NUMA_PREFERRED || take_number(at, 0, numa->nodes - 1, &numa->node);
}

static void set_distances(struct ol_numa *numa, uint32_t far)
{
    for (uint32_t from = 0; from < numa->nodes; from++)
        for (uint32_t to = 0; to < numa->nodes; to++)
            numa->distance[from][to] = (uint8_t)(from == to ? (uint32_t)OL_NUMA_NEAR : far);
}

/* One number for all other nodes, or a whole matrix. */
static bool take_distances(const char **at, struct ol_numa *numa)
{
    uint32_t distance;
    const char *const first = *at;
    if (take_number(at, OL_NUMA_NEAR, OL_NUMA_DISTANCE_MAX, &distance) && **at == '\0') {
        set_distances(numa, distance);
        return true;
    }
    *at = first;
    for (uint32_t from = 0; from < numa->nodes; from++) {
        if (from > 0 && !take_word(at, "/")) return false;
        for (uint32_t to = 0; to < numa->nodes; to++) {
            if (to > 0 && !take_word(at, ",")) return false;
            if (!take_number(at, OL_NUMA_NEAR, OL_NUMA_DISTANCE_MAX, &distance)) return false;
            numa->distance[from][to] = (uint8_t)distance;
        }
    }
    return true;
}

bool ol_numa_parse(const char *text, struct ol_numa *out, char *message, size_t message_bytes)
{
    const char *at = text;
    *out = (struct ol_numa){0};
    bool good = take_number(&at, 1, OL_NUMA_NODES_MAX, &out->nodes);
    if (good) set_distances(out, OL_NUMA_FAR);
    if (good && at[0] == ':' && (at[1] < '0' || at[1] > '9')) {
        at++;
        good = take_policy(&at, out);
    }
    if (good && take_word(&at, ":")) good = take_distances(&at, out);
    if (good && *at == '\0') return true;
    snprintf(message, message_bytes,
             "expected NODES, at most %d, then if you like :first-touch, :interleave, :preferred=NODE or :bind=NODE, "
             "and :DISTANCE of other nodes, from %d to %d, or all distances, as in :10,21/21,10",
             OL_NUMA_NODES_MAX, OL_NUMA_NEAR, OL_NUMA_DISTANCE_MAX);
    return false;
}
