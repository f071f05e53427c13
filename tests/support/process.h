/* SPDX-License-Identifier: MIT */
/*
 * Tests that run in a process of their own, because signal handlers, limits and mappings are a process's. That process
 * says by its exit status whether all was right; its MUSTs end it.
 */
#ifndef OL_TESTS_PROCESS_H
#define OL_TESTS_PROCESS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The exit status of what cannot be tested on this machine; it has said why. */
enum { SKIPPED = 77, PROCESS_SECONDS = 100 /* then it hangs */ };

/* Ends this process, which the test that started it notices. */
#define MUST(condition)                                                       \
    do {                                                                      \
        if (condition) break;                                                 \
        print_error("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
        _exit(1);                                                             \
    } while (0)

/* The wait status of a child process that runs body. */
static inline int status_of(void (*body)(void))
{
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        for (int number = 1; number < 32; number++) (void)signal(number, SIG_DFL); /* not cmocka's */
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)alarm(PROCESS_SECONDS);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static inline void expect_success(void (*body)(void))
{
    const int status = status_of(body);
    if (WIFSIGNALED(status)) fail_msg("ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == SKIPPED) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void expect_signal(void (*body)(void), int signal)
{
    const int status = status_of(body);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal);
}

#endif
