/* SPDX-License-Identifier: MIT */
/* Pools: numbers that lead to objects which never move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/pool.h"
#include "tests/support/port_faulty.h"
#include "tests/support/random.h"

enum { OBJECTS = 3000, STEPS = 40000, BYTES_MAX = 300 };

static struct ol_port_faulty faulty;
static struct ol_port port;

static void create(struct ol_pool *pool, uint32_t object_bytes)
{
    const struct ol_port nothing = {0};
    ol_port_faulty_init(&faulty, &nothing, &port);
    ol_pool_init(pool, &port, object_bytes);
}

static void destroy(struct ol_pool *pool)
{
    ol_pool_destroy(pool);
    assert_int_equal(faulty.bytes, 0);
}

static void fill(unsigned char *object, uint32_t bytes, uint32_t number)
{
    for (uint32_t i = 0; i < bytes; i++) object[i] = (unsigned char)(number * 31 + i);
}

static bool is_filled(const unsigned char *object, uint32_t bytes, uint32_t number)
{
    unsigned char expected[BYTES_MAX];
    fill(expected, bytes, number);
    return memcmp(object, expected, bytes) == 0;
}

static void random_objects(uint32_t bytes)
{
    static const unsigned char zeros[BYTES_MAX];
    static uint32_t numbers[OBJECTS];
    static void *places[OBJECTS];
    struct ol_pool pool;
    uint64_t seed = bytes;
    uint32_t live = 0, most = 0;
    memset(numbers, 0, sizeof(numbers));
    create(&pool, bytes);
    for (int step = 0; step < STEPS; step++) {
        const uint64_t i = ol_random_below(&seed, OBJECTS);
        if (numbers[i] == OL_NIL) {
            numbers[i] = ol_pool_new(&pool);
            assert_int_not_equal(numbers[i], OL_NIL);
            places[i] = ol_pool_at(&pool, numbers[i]);
            assert_memory_equal(places[i], zeros, bytes);
            fill(places[i], bytes, numbers[i]);
            if (++live > most) most = live;
        } else {
            assert_ptr_equal(ol_pool_at(&pool, numbers[i]), places[i]);
            assert_true(is_filled(places[i], bytes, numbers[i]));
            ol_pool_delete(&pool, numbers[i]);
            numbers[i] = OL_NIL;
            live--;
        }
        assert_int_equal(pool.live, live);
        assert_int_equal(ol_pool_bytes(&pool), (uint64_t)most * bytes); /* what was freed is used again */
    }
    for (uint32_t i = 0; i < OBJECTS; i++)
        if (numbers[i]) assert_true(is_filled(places[i], bytes, numbers[i]));
    destroy(&pool);
}

static void test_objects_of_all_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {4, 8, 24, 80, 264, BYTES_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) random_objects(sizes[i]);
}

static void test_without_memory(void **state)
{
    (void)state;
    struct ol_pool pool;
    create(&pool, 64);
    ol_port_faulty_fail(&faulty, 1, 1);
    assert_int_equal(ol_pool_new(&pool), OL_NIL);
    assert_int_equal(pool.live, 0);
    const uint32_t first = ol_pool_new(&pool);
    assert_int_not_equal(first, OL_NIL);
    ol_port_faulty_fail(&faulty, 1, UINT64_MAX);
    uint32_t count = 1, last = first, number;
    while ((number = ol_pool_new(&pool)) != OL_NIL) {
        last = number;
        count++;
    }
    assert_int_equal(pool.live, count);
    assert_in_range(faulty.bytes, 1024, UINT32_MAX); /* at least 1 KiB a call, says the port */
    ol_pool_delete(&pool, last);
    assert_int_equal(ol_pool_new(&pool), last); /* no new memory wanted */
    assert_int_equal(ol_pool_new(&pool), OL_NIL);
    ol_port_faulty_fail(&faulty, 1, 0);
    assert_int_not_equal(ol_pool_new(&pool), OL_NIL);
    destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_of_all_sizes),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests_name("core pool", tests, NULL, NULL);
}
