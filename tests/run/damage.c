/* SPDX-License-Identifier: MIT */
/*
 * What a program sees of damaged swap: fills MIB MiB with pages that do not compress, prints its process number, waits
 * for a line on standard input, then looks at every page once, going on after each SIGBUS. Prints how many pages were
 * right, how many ended in SIGBUS, how many were wrong. It does without the C library's heap, which is managed memory,
 * too.
 * usage: run_damage MIB
 */
#include "check.h"

#include <setjmp.h>
#include <signal.h>

enum { WORDS = PAGE / sizeof(uint64_t) };

static sigjmp_buf back;
static void *volatile touched;

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    const uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1);
    if (page != (uintptr_t)touched) _exit(3); /* another one's error */
    siglongjmp(back, 1);
}

static uint64_t word_of(size_t page, size_t word)
{
    uint64_t x = (page * WORDS + word + 1) * 0x9e3779b97f4a7c15U;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    return x ^ x >> 27;
}

static void say(const char *line, int length)
{
    if (write(STDOUT_FILENO, line, (size_t)length) != length) _exit(4);
}

static bool is_right(const uint64_t *words, size_t page)
{
    for (size_t word = 0; word < WORDS; word++)
        if (words[word] != word_of(page, word)) return false;
    return true;
}

int main(int argc, char **argv)
{
    CHECK(argc == 2, "usage: run_damage MIB");
    const size_t pages = strtoul(argv[1], NULL, 10) << 20 >> 12;
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGBUS, &action, NULL) == 0, "sigaction");
    uint64_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED, "mmap");
    for (size_t page = 0; page < pages; page++)
        for (size_t word = 0; word < WORDS; word++) memory[page * WORDS + word] = word_of(page, word);
    char line[128], go;
    say(line, snprintf(line, sizeof line, "%ld\n", (long)getpid()));
    if (read(STDIN_FILENO, &go, 1) != 1) _exit(5);
    volatile size_t right = 0, errors = 0, wrong = 0;
    for (volatile size_t page = 0; page < pages; page++) {
        touched = memory + page * WORDS;
        if (sigsetjmp(back, 1)) errors++;
        else if (is_right(memory + page * WORDS, page)) right++;
        else wrong++;
    }
    say(line, snprintf(line, sizeof line, "%zu right, %zu errors, %zu wrong\n", right, errors, wrong));
    _exit(0);
}
