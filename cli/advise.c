/* SPDX-License-Identifier: MIT */
/* onelevel advise: how much memory a program needs, in one sentence, with what it rests on. */
#include "cli/advise.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <onelevel/core.h>

#include "cli/cli.h"
#include "cli/parallel.h"

#define POLICIES "fifo,segmented-fifo,sieve,s3-fifo,clock-pro,car,mglru"

enum { REFERENCE_PS = 100, REFERENCE_PS_MAX = 1000000, JOBS_MAX = 1024 };

static void print_help(void)
{
    puts("usage: onelevel advise [OPTION...] TRACE\n"
         "       onelevel advise [OPTION...] -- PROGRAM [ARGUMENT...]\n"
         "\n"
         "Says how much memory a program needs, from its recording; PROGRAM is recorded first (`onelevel help\n"
         "record`), and the advice comes when it has ended, on standard error.\n"
         "\n"
         "The exact LRU curve tells how many pages come back for every size of memory; a model makes it time:\n"
         "    references x 0.1 ns + walks x 16 ns + first touches x 1.5 us + pages read back x 84.5 us\n"
         "  needs             the least memory with which that is at most 5 % more than with all memory\n"
         "  thrashes below    the least memory with which it is at most twice that: with less, the program waits\n"
         "                    for pages longer than it works\n"
         "Both are given with a range: what they would be if a page read back cost a quarter or four times as\n"
         "many references. Pages of 2 MiB: walks of a TLB of that many entries, fully associative; the range is\n"
         "that of half and twice as many. Policies are simulated where the program begins to thrash.\n"
         "\n"
         "  --slack PERCENT          of time, in the first definition (default: 5)\n"
         "  --thrash FACTOR          in the second one (default: 2)\n"
         "  --ram SIZE               compare policies in this much memory\n"
         "  --policy NAME[:PARAMS]   with this one (default: clock)\n"
         "  --policies NAMES         others to compare with it, all (that hardware with referenced bits can\n"
         "                           have), or none; it takes the longest (default:\n"
         "                           " POLICIES ")\n"
         "  --reference PS           picoseconds that a reference takes (default: 100)\n"
         "  --cost NAME=NUMBER,...   constants, as for `onelevel sim`: clock, table, fault, disk, bandwidth; such\n"
         "                           as disk=8500 for compressed memory\n"
         "  --tlb SPEC               as for `onelevel sim` (default: skylake)\n"
         "  --jobs N                 processes at a time (default: the processors that there are)\n"
         "  --format NAME            the form of TRACE, as for `onelevel sim`\n"
         "  --keep FILE              keep the recording of PROGRAM\n"
         "  -o, --output FILE        write the advice there\n"
         "  --json                   as one JSON object\n"
         "  --quiet                  show no progress");
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

/* A decimal number between two. False after a message. */
static bool parse_number(const char *option, const char *text, double least, double most, double *out)
{
    char *end;
    const double number = strtod(text, &end);
    if (*text >= '0' && *text <= '9' && !*end && number >= least && number <= most) {
        *out = number;
        return true;
    }
    ol_error("%s %s: expected a number from %g to %g", option, text, least, most);
    return false;
}

static bool parse_ram(const char *text, struct ol_advise *advise)
{
    if (ol_parse_size(text, &advise->ram_bytes) && advise->ram_bytes >> OL_ADVISE_SHIFT) return true;
    ol_error("--ram %s: expected a size of a page of 4 KiB or more, such as 64M", text);
    return false;
}

static bool parse_cost(const char *text, struct ol_advise *advise)
{
    char message[512];
    if (ol_cost_parse(text, &advise->cost, message, sizeof(message))) return true;
    ol_error("--cost %s: %s", text, message);
    return false;
}

static bool parse_tlb(const char *text, struct ol_advise *advise)
{
    char message[512];
    advise->tlb_text = text;
    if (ol_tlb_spec_parse(text, &advise->tlb, message, sizeof(message))) return true;
    ol_error("--tlb %s: %s", text, message);
    return false;
}

/* `argument` is the one that getopt_long looked at last. */
static bool parse_option(int option, const char *argument, struct ol_advise *advise)
{
    double number = 0;
    bool good = true;
    switch (option) {
    case 's':
        good = parse_number("--slack", optarg, 0.1, 1000, &number);
        advise->slack = 1 + number / 100;
        return good;
    case 't': return parse_number("--thrash", optarg, 1.01, 1000, &advise->thrash);
    case 'r': return parse_ram(optarg, advise);
    case 'p': advise->policy = optarg; return true;
    case 'n': advise->policies = optarg; return true;
    case 'R':
        good = parse_number("--reference", optarg, 1, REFERENCE_PS_MAX, &number);
        advise->reference_ps = (uint64_t)number;
        return good;
    case 'c': return parse_cost(optarg, advise);
    case 'T': return parse_tlb(optarg, advise);
    case 'J':
        good = parse_number("--jobs", optarg, 1, JOBS_MAX, &number);
        advise->jobs = (unsigned)number;
        return good;
    case 'F': return ol_parse_trace_format(optarg, &advise->format);
    case 'k': advise->keep = optarg; return true;
    case 'o': advise->output = optarg; return true;
    case 'j': advise->json = true; return true;
    case 'q': advise->quiet = true; return true;
    case 'h': advise->help = true; return true;
    case ':': ol_error("advise: %s wants a value; `onelevel help advise` explains it", argument); return false;
    default: ol_error("advise: there is no option %s; `onelevel help advise` lists them", argument); return false;
    }
}

/* Is what is left of the command line a trace or a program? `dashes`: "--" stood before it. False after a message. */
static bool take_subject(int count, char **arguments, bool dashes, struct ol_advise *advise)
{
    if (count < 1 || (count > 1 && !dashes) || (!dashes && strcmp(arguments[0], "-") == 0)) {
        ol_error("advise: expected one TRACE, a file that can be read again, or -- PROGRAM, after the options");
        return false;
    }
    advise->name = arguments[0];
    if (dashes) advise->program = arguments;
    else advise->trace = arguments[0];
    if (!dashes && advise->keep) ol_error("advise: --keep is for a PROGRAM that is recorded");
    return dashes || !advise->keep;
}

/* False after a message. */
static bool choose_policies(struct ol_advise *advise)
{
    struct ol_sweep *const sweep = advise->sweep;
    if (!ol_sweep_parse_policies(advise->policy, sweep)) return false;
    if (sweep->policies_count != 1 || sweep->policies[0].policy == &ol_policy_opt) {
        ol_error("--policy %s: expected one policy that does not know the future; --policies names others",
                 advise->policy);
        return false;
    }
    if (strcmp(advise->policies, "none") != 0 && !ol_sweep_parse_policies(advise->policies, sweep)) return false;
    return ol_sweep_check_policies(sweep);
}

static bool parse_arguments(int argc, char **argv, struct ol_advise *advise)
{
    static const struct option options[] = {
        {"slack", required_argument, NULL, 's'},    {"thrash", required_argument, NULL, 't'},
        {"ram", required_argument, NULL, 'r'},      {"policy", required_argument, NULL, 'p'},
        {"policies", required_argument, NULL, 'n'}, {"reference", required_argument, NULL, 'R'},
        {"cost", required_argument, NULL, 'c'},     {"tlb", required_argument, NULL, 'T'},
        {"jobs", required_argument, NULL, 'J'},     {"format", required_argument, NULL, 'F'},
        {"keep", required_argument, NULL, 'k'},     {"output", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},           {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    if (!parse_cost("default", advise) || !parse_tlb("skylake", advise)) return false;
    bool dashes = false; /* what stands behind a program's name is the program's */
    for (int i = 1; i < argc; i++) dashes = dashes || strcmp(argv[i], "--") == 0;
    const char *const letters = dashes ? "+:o:h" : ":o:h";
    opterr = 0; /* messages are given here */
    for (int option; !advise->help && (option = getopt_long(argc, argv, letters, options, NULL)) != -1;)
        if (!parse_option(option, argv[optind - 1], advise)) return false;
    if (advise->help) return true;
    dashes = strcmp(argv[optind - 1], "--") == 0;
    return take_subject(argc - optind, argv + optind, dashes, advise) && choose_policies(advise);
}

/* --- recording ---------------------------------------------------------------------------------------------------- */

/* Records the program into a file. False after a message. */
static bool record(const struct ol_advise *advise, char *file)
{
    static char name[] = "record", output[] = "-o", dashes[] = "--";
    size_t count = 0;
    int status = 0;
    while (advise->program[count]) count++;
    char **const arguments = calloc(count + 5, sizeof(char *));
    if (!arguments) return false;
    arguments[0] = name;
    arguments[1] = output;
    arguments[2] = file;
    arguments[3] = dashes;
    memcpy(arguments + 4, advise->program, count * sizeof(char *));
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) status = ol_cmd_record((int)count + 4, arguments);
    free(arguments);
    if (child == 0) exit(status);
    if (child < 0) {
        ol_error("fork: %s", strerror(errno));
        return false;
    }
    void (*const interrupted)(int) = signal(SIGINT, SIG_IGN); /* what the terminal sends is for the program */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    (void)signal(SIGINT, interrupted);
    if (WIFEXITED(status) && WEXITSTATUS(status) >= 125) { /* record's own */
        ol_error("%s could not be recorded, or ended with status %d", advise->name, WEXITSTATUS(status));
        return false;
    }
    if (WIFSIGNALED(status))
        ol_error("%s was killed by signal %d; this is about what it did before", advise->name, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        ol_error("%s ended with status %d; this is about that run", advise->name, WEXITSTATUS(status));
    return true;
}

/* A file for a recording that nobody keeps: it has a name only as long as it is open here. -1 after a message. */
static int make_file(char path[PATH_MAX])
{
    const char *const folder = getenv("TMPDIR");
    int fd = -1;
    if (snprintf(path, PATH_MAX, "%s/onelevel-XXXXXX", folder && *folder ? folder : "/tmp") < PATH_MAX)
        fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || unlink(path) != 0) {
        ol_error("%s: cannot be made: %s", path, strerror(errno));
        return -1;
    }
    (void)snprintf(path, PATH_MAX, "/proc/self/fd/%d", fd);
    return fd;
}

static bool give_advice(const struct ol_advise *advise)
{
    struct ol_advice *const advice = calloc(1, sizeof(*advice));
    FILE *out = advise->program ? stderr : stdout;
    bool good = advice != NULL;
    if (!good) ol_error("no memory for advice");
    if (good && advise->output) {
        out = fopen(advise->output, "we");
        good = out != NULL;
        if (!good) ol_error("%s: cannot be written: %s", advise->output, strerror(errno));
    }
    if (good) {
        good = ol_advice_find(advise, advice) && ol_advice_print(advise, advice, out);
        ol_advice_release(advice);
    }
    if (advise->output && out) (void)fclose(out);
    free(advice);
    return good;
}

/* Records the program, and gives advice. False after a message. */
static bool advise_program(const struct ol_advise *asked)
{
    struct ol_advise advise = *asked;
    char path[PATH_MAX];
    int fd = -1;
    bool good;
    if (advise.keep) good = snprintf(path, PATH_MAX, "%s", advise.keep) < PATH_MAX;
    else good = (fd = make_file(path)) >= 0;
    advise.trace = path;
    good = good && record(&advise, path) && give_advice(&advise);
    if (fd >= 0) (void)close(fd);
    return good;
}

int ol_cmd_advise(int argc, char **argv)
{
    struct ol_advise advise = {.slack = 1.05,
                               .thrash = 2,
                               .reference_ps = REFERENCE_PS,
                               .jobs = ol_processors(),
                               .policy = ol_policy_clock.name,
                               .policies = POLICIES};
    int status = OL_EXIT_FAILURE;
    advise.sweep = calloc(1, sizeof(*advise.sweep));
    if (!advise.sweep) ol_error("no memory for advice");
    else if (!parse_arguments(argc, argv, &advise)) status = OL_EXIT_USAGE;
    else if (advise.help) print_help(), status = OL_EXIT_OK;
    else if (advise.program ? advise_program(&advise) : give_advice(&advise)) status = OL_EXIT_OK;
    free(advise.sweep);
    return status;
}
