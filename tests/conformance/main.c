/* SPDX-License-Identifier: MIT */
/* Runs every group of conformance tests for every testbed, policy and mode. 77: nothing could be run here. */
#include "tests/conformance/conformance.h"

#include <stdio.h>

#include "tests/support/sanitized.h"

enum { SKIPPED = 77 };

static const struct group *const groups[] = {&regions_group,  &pages_group,   &wiring_group, &spaces_group,
                                             &pressure_group, &threads_group, &soak_group};

/* The groups in which it matters what the policy does; all groups are run for the first policies. */
enum { POLICIES_ALL_GROUPS = 3, GROUPS_FOR_ALL_POLICIES = 4 };

static int run_variant(size_t first)
{
    int failed = 0;
    for (size_t i = first; i < sizeof(groups) / sizeof(groups[0]); i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s on %s, %s, %s", groups[i]->name, variant.bed->name, variant.policy->name,
                       variant.exact ? "exact" : "watermarks");
        failed += _cmocka_run_group_tests(name, groups[i]->tests, groups[i]->count, NULL, NULL);
    }
    return failed;
}

/* All policies and modes on the first machine. What the others differ in is no matter of policy: each mode once, and
 * under a sanitizer only the one that does more. */
static bool is_wanted(const struct ol_testbed *const *bed, const struct ol_policy_ops *policy, bool exact)
{
    if (bed == ol_testbeds || (*bed)->kind == NULL) return true;
    if (exact) return policy == &ol_policy_fifo && !OL_SANITIZED;
    return policy == &ol_policy_clock;
}

static uint64_t space_pages(const struct ol_testbed *bed)
{
    const uint64_t pages = ((bed->is->last_va - bed->is->first_va) >> bed->is->page_shift) + 1;
    return pages < SPACE_PAGES_MOST ? pages : SPACE_PAGES_MOST;
}

int main(void)
{
    int failed = 0, run = 0;
    for (const struct ol_testbed *const *bed = ol_testbeds; *bed; bed++) {
        const char *missing = (*bed)->missing();
        if (missing) {
            print_message("skipped on %s: %s\n", (*bed)->name, missing);
            continue;
        }
        for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) {
            if (!ol_policy_suits(*policy, (*bed)->is)) continue;
            const bool all = policy - ol_policies < POLICIES_ALL_GROUPS;
            for (int exact = 0; exact < 2; exact++) {
                if (!is_wanted(bed, *policy, exact != 0)) continue;
                run++;
                variant = (struct variant){
                    .bed = *bed, .policy = *policy, .exact = exact != 0, .space_pages = space_pages(*bed)};
                failed += run_variant(all ? 0 : GROUPS_FOR_ALL_POLICIES);
            }
        }
    }
    if (!run) return SKIPPED;
    return failed ? 1 : 0;
}
