/* SPDX-License-Identifier: MIT */
/* What the ideal machine takes for a distinct page: numbers, what is known of pages, and each policy's own state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/ideal/ideal.h"
#include "onelevel/core.h"
#include "tests/support/random.h"
#include "tests/support/sanitized.h"
#include "trace/numbering.h"

/* A little more than the hash of numbers has room for before it doubles, which is when it takes most. */
enum { PAGES = 3 * (1 << 16) + 100, REFERENCES = PAGES + PAGES / 4, FRAMES = 1000, PAGE_SHIFT = 12 };
enum { LRU_BYTES_MOST = 32, BYTES_MOST = 64 };

static uint64_t resident_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *const file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* References to all pages, then to some of them again and again. */
static void run(struct ol_ideal *ideal, struct ol_numbering *numbering)
{
    static struct ol_reference references[OL_NUMBERING_BATCH_MAX];
    uint64_t random = 1;
    for (uint32_t i = 0; i < REFERENCES;) {
        struct ol_batch batch;
        size_t count = 0;
        for (; count < OL_NUMBERING_BATCH_MAX && i < REFERENCES; i++, count++) {
            const uint64_t page = i < PAGES ? i : ol_random_below(&random, i % 2 ? PAGES : FRAMES);
            references[count] = (struct ol_reference){.va = page << PAGE_SHIFT, .access = OL_READ, .count = 1};
        }
        assert_true(ol_numbering_add(numbering, references, count, PAGE_SHIFT, &batch));
        assert_int_equal(ol_ideal_run(ideal, &batch), OL_OK);
    }
}

static double bytes_a_page(const struct ol_policy_ops *policy)
{
    const uint64_t before = resident_bytes();
    struct ol_numbering *const numbering = ol_numbering_create();
    struct ol_ideal *ideal;
    assert_non_null(numbering);
    assert_int_equal(ol_ideal_create(policy, NULL, FRAMES, &ideal), OL_OK);
    run(ideal, numbering);
    const double taken = (double)(resident_bytes() - before) / PAGES;
    ol_ideal_destroy(ideal);
    ol_numbering_destroy(numbering);
    return taken;
}

/* OPT is given the future, which takes memory for each reference, not for each page. */
static void test_bytes_a_page(void **state)
{
    (void)state;
    if (OL_SANITIZED) skip();                    /* shadow memory is resident, too */
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* whole large pages for a part of an array are not meant */
    (void)bytes_a_page(&ol_policy_lru);          /* what is taken once for all */
    for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) {
        if ((*policy)->needs & OL_NEEDS_FUTURE) continue;
        const double bytes = bytes_a_page(*policy);
        print_message("%-20s %5.1f bytes a page\n", (*policy)->name, bytes);
        assert_true(bytes > 8); /* or they are not measured */
        assert_true(bytes <= (strcmp((*policy)->name, "lru") == 0 ? LRU_BYTES_MOST : BYTES_MOST));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes_a_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
