/* SPDX-License-Identifier: MIT */
/* The futex mutex: one holder at a time, and nobody sleeps for ever. */
#include "pager/lock.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 50000 };

static struct ol_futex_mutex mutex;
static unsigned long counter;
static _Atomic bool entered;

static void *count(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        ol_futex_lock(&mutex);
        const unsigned long before = counter;
        if (i % 64 == 0) sched_yield(); /* a chance for others to find it held, and to break in */
        counter = before + 1;
        ol_futex_unlock(&mutex);
    }
    return NULL;
}

static void *enter(void *argument)
{
    (void)argument;
    ol_futex_lock(&mutex);
    entered = true;
    ol_futex_unlock(&mutex);
    return NULL;
}

static void test_one_holder_at_a_time(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counter, THREADS * ROUNDS);
    assert_int_equal(mutex.state, OL_FUTEX_FREE);
}

static void test_sleepers_wait_and_are_woken(void **state)
{
    static const struct timespec moment = {.tv_nsec = 20000000};
    pthread_t threads[THREADS];
    (void)state;
    assert_true(ol_futex_trylock(&mutex));
    assert_false(ol_futex_trylock(&mutex));
    for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, enter, NULL), 0);
    while (mutex.state != OL_FUTEX_WANTED) sched_yield();
    nanosleep(&moment, NULL); /* all are asleep by now, in all likelihood */
    assert_false(entered);
    ol_futex_unlock(&mutex);
    for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(entered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_holder_at_a_time),
        cmocka_unit_test(test_sleepers_wait_and_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
