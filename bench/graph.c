/* SPDX-License-Identifier: MIT */
/*
 * Passes over a random graph, for programs.py: each sums, for every node, the values of its neighbours (as a step of
 * PageRank does). Its memory: the neighbours in order, the values at random.
 *
 * usage: graph NODES DEGREE PASSES
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

int main(int argc, char **argv)
{
    const size_t nodes = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
    const size_t degree = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    const long passes = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    uint64_t state = 88172645463325252U, sum = 0;
    if (!nodes || !degree || passes < 1) {
        fputs("usage: graph NODES DEGREE PASSES\n", stderr);
        return 2;
    }
    uint32_t *neighbour = calloc(nodes * degree, sizeof(*neighbour));
    uint64_t *value = calloc(nodes, sizeof(*value)), *next = calloc(nodes, sizeof(*next));
    if (!neighbour || !value || !next) {
        fputs("graph: not enough memory\n", stderr);
        exit(1);
    }
    for (size_t i = 0; i < nodes * degree; i++) neighbour[i] = (uint32_t)(random_next(&state) % nodes);
    for (size_t i = 0; i < nodes; i++) value[i] = i;
    for (long pass = 0; pass < passes; pass++) {
        for (size_t node = 0; node < nodes; node++) {
            next[node] = node;
            for (size_t i = 0; i < degree; i++) next[node] += value[neighbour[node * degree + i]] >> 1;
        }
        uint64_t *const before = value;
        value = next;
        next = before;
    }
    for (size_t i = 0; i < nodes; i++) sum = sum * 31 + value[i];
    printf("%llu\n", (unsigned long long)sum);
    free(neighbour);
    free(value);
    free(next);
    return 0;
}
