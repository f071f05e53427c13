/* SPDX-License-Identifier: MIT */
/* Several threads in one system. Assertions are made in the main thread only: cmocka's do not work in others. */
#include "tests/conformance/conformance.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 3, PAGES = 60, ROUNDS = 1500 };

static struct world world; /* of the running test */
static atomic_uint wrong;  /* accesses that were refused or found a wrong stamp */

static void check(bool right)
{
    if (!right) atomic_fetch_add(&wrong, 1);
}

/* Writes and reads pages of its own, and reads pages that all share; maps and unmaps a region of its own. */
static void *work(void *argument)
{
    const uint64_t thread = *(const uint64_t *)argument, first = 100 + thread * 100;
    unsigned stamps[PAGES] = {0}, found = 0;
    uint64_t seed = thread + 1;
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t page = ol_random_below(&seed, PAGES);
        const ol_va va = at(&world, first + page);
        check(page_get(&world, world.space, va, &found) == OL_OK && found == stamps[page]);
        if (ol_random_below(&seed, 2)) {
            stamps[page] = stamp_of(ol_random_below(&seed, 251));
            check(page_put(&world, world.space, va, stamps[page]) == OL_OK);
        }
        check(page_get(&world, world.space, at(&world, page), &found) == OL_OK && found == stamp_of(page));
        if (round % 50 == 0) {
            check(ol_space_discard(world.space, va, 1) == OL_OK);
            stamps[page] = 0;
            const ol_va own = at(&world, 1000 + thread * 100);
            check(ol_region_map(world.space, own, 10, RW, OL_MAP_FIXED, NULL) == OL_OK);
            check(page_put(&world, world.space, own, 5) == OL_OK);
            check(ol_space_wire(world.space, own, 2, OL_WRITE) == OL_OK);
            ol_space_unwire(world.space, own, 2);
            check(ol_region_unmap(world.space, own, 10) == OL_OK);
        }
        if (round % 100 == 0) check(!ol_check(world.bed.system));
    }
    return NULL;
}

static void run_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];
    uint64_t numbers[THREADS];
    atomic_store(&wrong, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, body, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    CHECKED(&world, (void)0);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void test_threads_in_one_space(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, 100 + THREADS * 100, RW));
    put_all(&world, 0, PAGES);
    run_threads(work);
    all_are(&world, 0, PAGES);
    world_destroy(&world);
}

/* Each forks the common space again and again, writes in its copy, and finds the original untouched. */
static void *work_forking(void *argument)
{
    const uint64_t thread = *(const uint64_t *)argument;
    uint64_t seed = thread + 11;
    unsigned found = 0;
    for (int round = 0; round < 20; round++) {
        struct ol_space *child;
        if (ol_space_fork(world.space, &child) != OL_OK) {
            check(false);
            break;
        }
        for (int step = 0; step < 30; step++) {
            const uint64_t page = ol_random_below(&seed, PAGES);
            check(page_put(&world, child, at(&world, page), 253) == OL_OK);
            check(page_get(&world, child, at(&world, page), &found) == OL_OK && found == 253);
            check(page_get(&world, world.space, at(&world, page), &found) == OL_OK && found == stamp_of(page));
        }
        ol_space_destroy(child);
    }
    return NULL;
}

static void test_threads_that_fork(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){0});
    OK(&world, map_at(&world, 0, PAGES, RW));
    put_all(&world, 0, PAGES);
    run_threads(work_forking);
    all_are(&world, 0, PAGES);
    assert_int_equal(world_statistics(&world).pages, PAGES);
    world_destroy(&world);
}

/* One wires and unwires, discards and protects what others use; nobody may see anything but the stamp or zeros. */
static void *work_disturbing(void *argument)
{
    const uint64_t thread = *(const uint64_t *)argument;
    uint64_t seed = thread + 31;
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t page = ol_random_below(&seed, 2 * PAGES);
        unsigned found = 0;
        if (thread == 0 && round % 4 == 0) {
            check(ol_space_discard(world.space, at(&world, page), 3) == OL_OK);
        } else if (thread == 0 && round % 4 == 1) {
            check(ol_region_protect(world.space, at(&world, page), 3, OL_READ | OL_EXEC) == OL_OK);
            check(ol_region_protect(world.space, at(&world, page), 3, RW | OL_EXEC) == OL_OK);
        } else if (round % 2) {
            const enum ol_status status = page_put(&world, world.space, at(&world, page), stamp_of(page));
            check(status == OL_OK || status == OL_E_RIGHTS);
        } else {
            check(page_get(&world, world.space, at(&world, page), &found) == OL_OK);
        }
    }
    return NULL;
}

static void test_threads_that_disturb(void **state)
{
    (void)state;
    WANTS_WRITE_PROTECTION();
    world_create(&world, &(struct world_options){.drop_copies = true});
    OK(&world, map_at(&world, 0, 2 * PAGES + 3, RW | OL_EXEC));
    run_threads(work_disturbing);
    OK(&world, ol_space_discard(world.space, at(&world, 0), 2 * PAGES + 3));
    assert_int_equal(world_statistics(&world).pages, 0);
    assert_int_equal(world_statistics(&world).frames_in_use, 0);
    world_destroy(&world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_threads_in_one_space),
    cmocka_unit_test(test_threads_that_fork),
    cmocka_unit_test(test_threads_that_disturb),
};
const struct group threads_group = {"threads", tests, sizeof(tests) / sizeof(tests[0])};
