/* SPDX-License-Identifier: MIT */
/* Prints a page list of references that follow Zipf's law with exponent 1: the page of rank r, from 1, is referenced
 * with a probability in proportion to 1/r. Each page has a place of its own; the same arguments give the same list.
 * usage: zipf PAGES REFERENCES */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014) */
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The first rank, from 0, up to which the sum of all weights is more than that. */
static uint64_t rank_of(const double *sums, uint64_t pages, double than)
{
    uint64_t low = 0, high = pages - 1;
    while (low < high) {
        const uint64_t middle = (low + high) / 2;
        if (sums[middle] > than) high = middle;
        else low = middle + 1;
    }
    return low;
}

int main(int argc, char **argv)
{
    const uint64_t pages = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    const uint64_t references = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    if (pages == 0 || pages > UINT64_C(1) << 28 || references == 0) {
        fprintf(stderr, "usage: zipf PAGES REFERENCES\n");
        return 2;
    }
    double *const sums = malloc(pages * sizeof(*sums));
    if (!sums) {
        fprintf(stderr, "zipf: no memory for %llu pages\n", (unsigned long long)pages);
        return 1;
    }
    for (uint64_t rank = 0; rank < pages; rank++) sums[rank] = (rank ? sums[rank - 1] : 0) + 1 / (double)(rank + 1);
    uint64_t state = 1, mask = 1;
    while (mask + 1 < pages) mask = 2 * mask + 1;
    for (uint64_t i = 0; i < references; i++) {
        const double uniform = (double)(next_random(&state) >> 11) * 0x1p-53;
        const uint64_t rank = rank_of(sums, pages, uniform * sums[pages - 1]);
        printf("%llx\n", (unsigned long long)(rank * 421399 & mask));
    }
    free(sums);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
