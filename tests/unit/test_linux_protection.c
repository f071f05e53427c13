/* SPDX-License-Identifier: MIT */
/*
 * Protection faults: how many mappings of the kernel's they take, that nothing is lost when there are no more, that
 * what is wired is never forgotten, and that both sides of a fork keep their pages. Every test runs in a process of its
 * own.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/memory.h"
#include "tests/support/process.h"
#include "tests/support/random.h"
#include "tests/support/sanitized.h"

enum { PAGE_BYTES = 4096, MIB = 1 << 20, PAGES = 4096, ISLANDS = 100 };

static struct ol_linux *machine;
static struct ol_system *core;
static struct ol_space *space;
static volatile uint64_t *words; /* the range: PAGES pages */
static ol_va first_va;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ol_va va;
    (void)signal;
    MUST(ol_linux_va(ol_space_pmap(space), info->si_addr, &va));
    MUST(ol_fault(space, va, ol_fault_access(context)) == OL_OK);
}

/* A machine with a space of PAGES pages, all of which fit. islands: how many may be shown; 0: as the kernel allows. */
static void begin(uint32_t islands)
{
    const struct ol_linux_options options = {
        .frames_max = 2 * PAGES, .faults = OL_FAULTS_PROTECTION, .islands_max = islands};
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    const char *error = "", *parameters;
    struct ol_port port;
    MUST(ol_linux_create(&options, &machine, &error) == OL_OK);
    MUST(ol_linux_signal(machine) == SIGSEGV && sigaction(SIGSEGV, &action, NULL) == 0);
    ol_linux_port(machine, &port);
    const struct ol_config config = {.port = &port,
                                     .pmap = &ol_linux_pmap_ops,
                                     .machine = machine,
                                     .machine_is = &ol_linux_capabilities,
                                     .policy = ol_policy_find("fifo", &parameters),
                                     .frames = 2 * PAGES,
                                     .frames_max = 2 * PAGES};
    MUST(ol_system_create(&config, &core) == OL_OK);
    const ol_va va = ol_linux_find_window((uint64_t)3 * PAGES * PAGE_BYTES);
    MUST(ol_space_create(core, va, va + (uint64_t)3 * PAGES * PAGE_BYTES - 1, &space) == OL_OK);
    MUST(ol_region_map(space, va + (ol_va)PAGES * PAGE_BYTES, PAGES, OL_READ | OL_WRITE, 0, &first_va) == OL_OK);
    words = ol_linux_address(ol_space_pmap(space), first_va);
}

static volatile uint64_t *word_of(uint32_t page)
{
    return words + (size_t)page * (PAGE_BYTES / sizeof(*words)) + page % 500;
}

static uint64_t faults(void)
{
    struct ol_statistics statistics;
    ol_system_statistics(core, &statistics);
    return statistics.faults;
}

/* Mappings that this process has. */
static unsigned mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned count = 0;
    MUST(maps);
    for (int c; (c = getc(maps)) != EOF;) count += c == '\n';
    (void)fclose(maps);
    return count;
}

/* Every page once, in a random order; step must have no divisor in common with PAGES. */
static void stamp_all(uint32_t step, uint64_t seed)
{
    for (uint32_t i = 0; i < PAGES; i++) *word_of(i * step % PAGES) = seed + i * step % PAGES;
}

static void must_be_stamped(uint64_t seed)
{
    for (uint32_t page = 0; page < PAGES; page++) MUST(*word_of(page) == seed + page);
}

/* Takes the mappings away, as eviction does. */
static void hide_all(void)
{
    MUST(ol_region_protect(space, first_va, PAGES, OL_NONE) == OL_OK);
    MUST(ol_region_protect(space, first_va, PAGES, OL_READ | OL_WRITE) == OL_OK);
}

/* --- mappings --------------------------------------------------------------------------------------------------------
 */

static void places_merge(void)
{
    begin(0);
    const unsigned before = mappings();
    stamp_all(1, 7);
    MUST(mappings() <= before + 4 && machine->protection.islands <= 2);
    hide_all();
    MUST(mappings() <= before + 4 && machine->protection.islands == 0);
    must_be_stamped(7);
    hide_all();
    MUST(ol_space_discard(space, first_va, PAGES) == OL_OK);
    stamp_all(1237, 8); /* in a random order, too, once all are there */
    MUST(mappings() <= before + 4 && machine->protection.islands == 1);
    must_be_stamped(8);
    MUST(!ol_check(core));
}

/* Every second page, so that nothing merges. */
static void few_islands_are_enough(void)
{
    begin(ISLANDS);
    const unsigned before = mappings();
    unsigned most = 0;
    for (uint32_t page = 0; page < PAGES; page += 2) {
        *word_of(page) = page + 1;
        MUST(machine->protection.islands <= ISLANDS);
        if (page % 256 == 0 && mappings() > most) most = mappings();
    }
    MUST(most > before + ISLANDS && most <= before + 2 * ISLANDS + 8);
    const uint64_t now = faults();
    for (uint32_t page = 0; page < PAGES; page += 2) MUST(*word_of(page) == page + 1);
    MUST(faults() > now + PAGES / 4); /* they were forgotten */
    MUST(!ol_check(core));
}

static void what_is_wired_stays(void)
{
    uint64_t state = 5;
    begin(ISLANDS);
    for (uint32_t page = 0; page < ISLANDS; page += 2) {
        *word_of(page) = page + 1;
        MUST(ol_space_wire(space, first_va + (ol_va)page * PAGE_BYTES, 1, OL_WRITE) == OL_OK);
    }
    for (int i = 0; i < 5000; i++) *word_of(ISLANDS + (uint32_t)ol_random_below(&state, PAGES - ISLANDS)) = 1;
    const uint64_t now = faults();
    for (uint32_t page = 0; page < ISLANDS; page += 2) MUST(*word_of(page) == page + 1);
    MUST(faults() == now);
    ol_space_unwire(space, first_va, ISLANDS);
    for (int i = 0; i < 5000; i++) *word_of(ISLANDS + (uint32_t)ol_random_below(&state, PAGES - ISLANDS)) = 1;
    for (uint32_t page = 0; page < ISLANDS; page += 2) MUST(*word_of(page) == page + 1);
    MUST(faults() > now);
    MUST(!ol_check(core));
}

/* The program takes every mapping that the kernel gives, and lets a few go now and then. */
static void no_mapping_is_left(void)
{
    static char *taken[1 << 20];
    const unsigned rights[] = {PROT_NONE, PROT_READ};
    unsigned count = 0;
    begin(0);
    for (uint32_t page = 0; page < PAGES; page += 2) *word_of(page) = page + 1;
    while (count < sizeof(taken) / sizeof(taken[0])) { /* neighbours with other rights do not merge */
        void *one = mmap(NULL, PAGE_BYTES, (int)rights[count % 2], MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (one == MAP_FAILED) break;
        taken[count++] = one;
    }
    if (count == sizeof(taken) / sizeof(taken[0])) _exit(SKIPPED);
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t page = 0; page < PAGES; page += 2) MUST((*word_of(page))++ == page + 1 + round);
        hide_all();
    }
    MUST(!ol_check(core));
    while (count) MUST(munmap(taken[--count], PAGE_BYTES) == 0);
    for (uint32_t page = 0; page < PAGES; page++) MUST(*word_of(page) == (page % 2 ? 0 : page + 5));
    MUST(!ol_check(core));
}

/* --- read-only pages -------------------------------------------------------------------------------------------------
 */

static void rights_are_kept(void)
{
    begin(0);
    stamp_all(1, 3);
    MUST(ol_region_protect(space, first_va, PAGES, OL_READ) == OL_OK);
    must_be_stamped(3);
    MUST(machine->protection.islands > PAGES / 2); /* one by one, over the stage */
    MUST(ol_region_protect(space, first_va, PAGES, OL_READ | OL_WRITE) == OL_OK);
    const uint64_t now = faults();
    must_be_stamped(3);
    stamp_all(1237, 4); /* a change of rights, page by page */
    MUST(faults() >= now + PAGES);
    must_be_stamped(4);
    MUST(!ol_check(core));
}

/* --- forks -----------------------------------------------------------------------------------------------------------
 */

static int end_of(pid_t child)
{
    int status = 0;
    MUST(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A child of a child; each changes what it has, and goes on until all its mappings are its own. */
static void descend(unsigned generation)
{
    const uint64_t seed = 1000 * generation;
    ol_system_fork_prepare(core);
    const pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        const char *why;
        MUST(ol_linux_forked(machine, &why) == OL_OK);
        ol_system_fork_done(core, true);
        must_be_stamped(seed);
        const unsigned before = mappings();
        for (uint32_t round = 0; round < 3; round++) {
            stamp_all(1237, seed + 1000);
            hide_all();
        }
        MUST(mappings() <= before + 4); /* nothing is left over */
        must_be_stamped(seed + 1000);
        if (generation < 3) descend(generation + 1);
        MUST(!ol_check(core));
        _exit(0);
    }
    ol_system_fork_done(core, false);
    stamp_all(1, 77);
    MUST(end_of(child) == 0);
    must_be_stamped(77);
}

static void forks_keep_pages(void)
{
    begin(0);
    stamp_all(1237, 0);
    hide_all();
    for (uint32_t page = 0; page < PAGES; page += 3) *word_of(page) += 0; /* some shown, some not */
    descend(0);
    MUST(!ol_check(core));
}

static void test_places_merge(void **state)
{
    (void)state;
    expect_success(places_merge);
}

static void test_few_islands_are_enough(void **state)
{
    (void)state;
    expect_success(few_islands_are_enough);
}

static void test_what_is_wired_stays(void **state)
{
    (void)state;
    expect_success(what_is_wired_stays);
}

static void test_no_mapping_is_left(void **state)
{
    (void)state;
    if (OL_SANITIZED) skip(); /* they need mappings of their own */
    expect_success(no_mapping_is_left);
}

static void test_rights_are_kept(void **state)
{
    (void)state;
    expect_success(rights_are_kept);
}

static void test_forks_keep_pages(void **state)
{
    (void)state;
    expect_success(forks_keep_pages);
}

int main(void)
{
    const struct ol_linux_options options = {.frames_max = 1, .faults = OL_FAULTS_PROTECTION};
    const char *error = "";
    if (ol_linux_create(&options, &machine, &error) != OL_OK) {
        print_message("skipped: %s\n", error);
        return SKIPPED;
    }
    ol_linux_destroy(machine);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_merge),        cmocka_unit_test(test_few_islands_are_enough),
        cmocka_unit_test(test_what_is_wired_stays), cmocka_unit_test(test_no_mapping_is_left),
        cmocka_unit_test(test_rights_are_kept),     cmocka_unit_test(test_forks_keep_pages),
    };
    return cmocka_run_group_tests_name("linux protection", tests, NULL, NULL);
}
