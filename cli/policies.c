/* SPDX-License-Identifier: MIT */
/* onelevel policies: lists the policies, what each needs of the machine, and where it can be used. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <onelevel/core.h>

#include "cli/cli.h"
#include "machine/linux/machine.h"
#include "machine/sim/machine.h"

static const struct {
    unsigned need;
    const char *key;
    const char *text;
} needs[] = {
    {OL_NEEDS_REFERENCED, "referenced", "a referenced bit"},
    {OL_NEEDS_EXACT, "exact", "every reference"},
    {OL_NEEDS_MODIFIED, "modified", "a modified bit"},
    {OL_NEEDS_TIME, "time", "time"},
    {OL_NEEDS_GHOSTS, "ghosts", "ghosts"},
    {OL_NEEDS_FUTURE, "future", "the future"},
    {OL_NEEDS_AGES, "ages", "when pages left"},
};
enum { NEEDS = sizeof(needs) / sizeof(needs[0]) };

static void print_help(void)
{
    puts("usage: onelevel policies [--json]\n"
         "\n"
         "Lists the policies of page replacement: the name for --policy, what the policy needs of the\n"
         "machine, where it can be used (ideal: `onelevel sim --machine ideal`; bits: machines that have a\n"
         "referenced bit, such as amd64; run: `onelevel run`), and its parameters, given as\n"
         "NAME:KEY=VALUE,KEY=VALUE.\n"
         "\n"
         "Ghosts are pages remembered after they lost their frame. Where there is no referenced bit, as\n"
         "under `onelevel run`, it is emulated: a page looked at is unmapped, and faults if it is used.");
}

static void print_text(const struct ol_policy_ops *policy)
{
    printf("%-15s %s\n%-15s needs", policy->name, policy->summary, "");
    const char *separator = " ";
    for (unsigned i = 0; i < NEEDS; i++) {
        if (!(policy->needs & needs[i].need)) continue;
        printf("%s%s", separator, needs[i].text);
        separator = ", ";
    }
    printf("%s; for ideal%s%s; %u bytes a page\n", policy->needs ? "" : " nothing",
           ol_policy_suits(policy, &ol_sim_amd64.is) ? ", bits" : "",
           ol_policy_suits(policy, &ol_linux_capabilities) ? ", run" : "",
           (unsigned)(sizeof(struct ol_policy_words) + policy->words * sizeof(uint32_t)));
    if (policy->parameters) printf("%-15s %s\n", "", policy->parameters);
}

static json_t *as_json(const struct ol_policy_ops *policy)
{
    json_t *const list = json_array();
    for (unsigned i = 0; list && i < NEEDS; i++)
        if (policy->needs & needs[i].need && json_array_append_new(list, json_string(needs[i].key)) != 0) return NULL;
    return json_pack("{s:s, s:s, s:s?, s:o, s:b, s:b, s:i}", "name", policy->name, "summary", policy->summary,
                     "parameters", policy->parameters, "needs", list, "bits", ol_policy_suits(policy, &ol_sim_amd64.is),
                     "run", ol_policy_suits(policy, &ol_linux_capabilities), "bytes_per_page",
                     (int)(sizeof(struct ol_policy_words) + policy->words * sizeof(uint32_t)));
}

static bool print_json(void)
{
    json_t *const list = json_array();
    bool good = list != NULL;
    for (const struct ol_policy_ops *const *policy = ol_policies; good && *policy; policy++)
        good = json_array_append_new(list, as_json(*policy)) == 0;
    good = good && json_dumpf(list, stdout, JSON_INDENT(2)) == 0;
    json_decref(list);
    putchar('\n');
    return good;
}

int ol_cmd_policies(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false, good = true;
    int option;
    opterr = 0; /* messages are given here */
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            print_help();
            return OL_EXIT_OK;
        }
        if (option == 'j') {
            json = true;
            continue;
        }
        ol_error("policies: there is no option %s; there is --json", argv[optind - 1]);
        return OL_EXIT_USAGE;
    }
    if (optind != argc) {
        ol_error("policies: takes no arguments, not %s", argv[optind]);
        return OL_EXIT_USAGE;
    }
    if (json) good = print_json();
    else
        for (const struct ol_policy_ops *const *policy = ol_policies; *policy; policy++) print_text(*policy);
    if (fflush(stdout) == 0 && good) return OL_EXIT_OK;
    ol_error("the list cannot be written: %s", strerror(errno));
    return OL_EXIT_FAILURE;
}
