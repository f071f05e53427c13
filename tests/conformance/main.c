/* SPDX-License-Identifier: MIT */
/* Runs every group of conformance tests for every testbed, policy and mode. 77: nothing could be run here. */
#include "tests/conformance/conformance.h"

#include <stdio.h>

#include "tests/support/sanitized.h"

enum { SKIPPED = 77 };

static const struct group *const groups[] = {&large_group,   &regions_group, &pages_group,   &prefetch_group,
                                             &wiring_group,  &spaces_group,  &sharing_group, &pressure_group,
                                             &threads_group, &soak_group};

static const char *const mode_names[MODES] = {"exact", "watermarks", "prefetch"};

/* For the first policies all groups are run in all modes; for the others, those in which it matters what the policy
 * does, in one mode, exact or with prefetching by turns. */
enum { POLICIES_ALL_GROUPS = 3, GROUPS_FOR_ALL_POLICIES = 7 };

static int run_variant(size_t first)
{
    int failed = 0;
    for (size_t i = first; i < sizeof(groups) / sizeof(groups[0]); i++) {
        char name[128];
        if (groups[i] == &large_group && !variant.bed->large_shift) continue;
        (void)snprintf(name, sizeof(name), "%s on %s, %s, %s", groups[i]->name, variant.bed->name, variant.policy->name,
                       mode_names[variant.mode]);
        failed += _cmocka_run_group_tests(name, groups[i]->tests, groups[i]->count, NULL, NULL);
    }
    return failed;
}

/* All policies and modes on the machines that differ most. What the others, and large pages, are is no matter of
 * policy: each mode once. Sanitizers have less time: each mode once on the former, the mode that does most on the
 * latter; and ThreadSanitizer that mode on the former alone. */
static bool is_wanted(const struct ol_testbed *const *bed, const struct ol_policy_ops *policy, enum mode mode)
{
    static const struct ol_policy_ops *const once[MODES] = {&ol_policy_fifo, &ol_policy_second_chance,
                                                            &ol_policy_clock};
    const bool differs = (bed == ol_testbeds && !(*bed)->large_shift) || (*bed)->kind == NULL;
    if (differs && !OL_SANITIZED) return true;
    if (policy != once[mode]) return false;
    if (OL_SANITIZED_THREADS) return differs && mode == MODE_PREFETCH;
    return differs || mode == MODE_PREFETCH || !OL_SANITIZED;
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
            const long index = policy - ol_policies;
            const bool all = index < POLICIES_ALL_GROUPS;
            const enum mode only = index % 2 ? MODE_EXACT : MODE_PREFETCH;
            for (enum mode mode = 0; mode < MODES; mode++) {
                if (!is_wanted(bed, *policy, mode) || (!all && (mode != only || OL_SANITIZED))) continue;
                run++;
                variant = (struct variant){*bed, *policy, mode, mode == MODE_EXACT, space_pages(*bed)};
                failed += run_variant(all ? 0 : GROUPS_FOR_ALL_POLICIES);
            }
        }
    }
    if (!run) return SKIPPED;
    return failed ? 1 : 0;
}
