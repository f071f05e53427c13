/* SPDX-License-Identifier: MIT */
/* Two tiers: where pages go, that no old copy stays behind, and what errors of either tier do. */
#include "pager/tiered.h"

#include "pager/compressed.h"
#include "pager/swapfile.h"
#include "tests/support/pager_faulty.h"
#include "tests/support/pager_memory.h"
#include "tests/unit/test_pager_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 300, FIRST_PAGES = 80, SECOND_PAGES = 120 };

static struct ol_pager *memory_create(uint32_t capacity, uint32_t max_pages, bool keep)
{
    const struct ol_pager_memory_options options = {MODEL_PAGE_BYTES, capacity, max_pages, keep};
    struct ol_pager *pager = ol_pager_memory_create(&options);
    assert_non_null(pager);
    return pager;
}

/* The first is asked to shrink at every `often`th look; 0: never. */
static atomic_uint looks, often;

static bool is_over(void *context)
{
    assert_ptr_equal(context, &looks);
    const unsigned every = atomic_load(&often), look = atomic_fetch_add(&looks, 1);
    return every && look % every == 0;
}

static struct ol_pager *tiered_create(struct ol_pager *first, struct ol_pager *second)
{
    struct ol_pager *pager = NULL;
    assert_int_equal(ol_tiered_create(&(struct ol_tiered_options){first, second, is_over, &looks}, &pager), OL_OK);
    return pager;
}

/* The first is never asked to shrink. */
static struct ol_pager *tiered_create_still(struct ol_pager *first, struct ol_pager *second)
{
    struct ol_pager *pager = NULL;
    assert_int_equal(ol_tiered_create(&(struct ol_tiered_options){.first = first, .second = second}, &pager), OL_OK);
    return pager;
}

/* Writes text pages to slots [from, from + count) in one request. */
static void write_texts(struct ol_pager *pager, ol_slot from, uint32_t count, enum ol_status *status)
{
    static char bytes[OL_IO_PAGES_MAX][MODEL_PAGE_BYTES];
    ol_slot slots[OL_IO_PAGES_MAX];
    void *pages[OL_IO_PAGES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        slots[i] = from + i;
        pages[i] = bytes[i];
        page_make(bytes[i], PAGE_TEXT, slots[i]);
    }
    assert_true(pages_transfer(pager, OL_IO_WRITE, slots, pages, count, status));
}

/* A copy of a pager's functions with some replaced. */
static struct ol_pager_ops counted_ops;
static void (*counted_submit)(struct ol_pager *pager, struct ol_io *io);
static unsigned submits;

static void count_submit(struct ol_pager *pager, struct ol_io *io)
{
    submits++;
    counted_submit(pager, io);
}

static enum ol_status flush_fails(struct ol_pager *pager)
{
    (void)pager;
    return OL_E_IO;
}

static void test_what_the_first_refuses_goes_to_the_second(void **state)
{
    struct ol_pager *first = memory_create(SLOTS, 10, false), *second = memory_create(SLOTS + 5, 15, true);
    struct ol_pager *pager = tiered_create_still(first, second);
    enum ol_status status[OL_IO_PAGES_MAX];
    (void)state;
    counted_ops = *second->ops;
    counted_submit = second->ops->submit;
    counted_ops.submit = count_submit;
    second->ops = &counted_ops;
    submits = 0;
    assert_int_equal(pager->capacity, SLOTS);
    assert_int_equal(pager->page_bytes, MODEL_PAGE_BYTES);
    write_texts(pager, 20, 30, status);
    assert_int_equal(submits, 1); /* one cluster */
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(status[i], i < 25 ? OL_OK : OL_E_NO_SWAP);
        assert_int_equal(ol_pager_memory_holds(first, 20 + i), i < 10);
        assert_int_equal(ol_pager_memory_holds(second, 20 + i), i >= 10 && i < 25);
        assert_int_equal(pager->ops->keep(pager, 20 + i), i >= 10 && i < 25);
    }
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    for (uint32_t i = 0; i < 25; i++) {
        page_make(page, PAGE_TEXT, 20 + i);
        assert_int_equal(page_read(pager, 20 + i, got), OL_OK);
        assert_memory_equal(page, got, sizeof page);
    }
    assert_int_equal(page_read(pager, 45, got), OL_E_IO);
    pager->ops->close(pager);
}

static void test_no_old_copy_stays_behind(void **state)
{
    struct ol_pager *first = memory_create(SLOTS, 2, false), *second = memory_create(SLOTS, 2, true);
    struct ol_pager *pager = tiered_create_still(first, second);
    enum ol_status status[OL_IO_PAGES_MAX];
    (void)state;
    write_texts(pager, 0, 4, status);
    pager->ops->discard(pager, 0);
    assert_false(ol_pager_memory_holds(first, 0));
    write_texts(pager, 2, 1, status); /* second → first */
    assert_true(ol_pager_memory_holds(first, 2) && !ol_pager_memory_holds(second, 2));
    assert_true(pager->ops->keep(pager, 3) && !pager->ops->keep(pager, 2));
    write_texts(pager, 9, 1, status); /* first is full */
    assert_true(ol_pager_memory_holds(second, 9));
    pager->ops->discard(pager, 3);
    assert_false(ol_pager_memory_holds(second, 3));
    assert_false(pager->ops->keep(pager, 3));
    pager->ops->discard(pager, 3); /* nothing there any more */
    pager->ops->discard(pager, 200);
    assert_int_equal(ol_pager_memory_pages(first) + ol_pager_memory_pages(second), 3);
    pager->ops->close(pager);
}

static void test_pagers_that_do_not_fit(void **state)
{
    const struct ol_pager_memory_options options = {2 * MODEL_PAGE_BYTES, SLOTS, SLOTS, false};
    struct ol_pager *first = memory_create(SLOTS, SLOTS, false), *second = ol_pager_memory_create(&options), *pager;
    (void)state;
    assert_non_null(second);
    assert_int_equal(ol_tiered_create(&(struct ol_tiered_options){.first = first, .second = second}, &pager),
                     OL_E_INVALID);
    first->ops->close(first);
    second->ops->close(second);
}

static void test_flush_tells_either_error(void **state)
{
    (void)state;
    for (int failing = 0; failing < 3; failing++) {
        struct ol_pager *tiers[] = {memory_create(SLOTS, 1, false), memory_create(SLOTS, 1, false)};
        struct ol_pager *pager = tiered_create(tiers[0], tiers[1]);
        struct ol_pager_ops ops = *tiers[0]->ops;
        ops.flush = flush_fails;
        if (failing < 2) tiers[failing]->ops = &ops;
        assert_int_equal(pager->ops->flush(pager), failing < 2 ? OL_E_IO : OL_OK);
        pager->ops->close(pager);
    }
}

/* The memory pagers assert that no slot is read that has no contents. */
static void test_random_use_agrees_with_the_model(void **state)
{
    struct ol_pager *first = memory_create(SLOTS, FIRST_PAGES, false);
    struct ol_pager *second = memory_create(SLOTS, SECOND_PAGES, true);
    struct ol_pager *pager = tiered_create(first, second);
    struct pager_model model;
    (void)state;
    model_init(&model, pager, 0, SLOTS, 3);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(model_step(&model));
        assert_int_equal(ol_pager_memory_pages(first) + ol_pager_memory_pages(second), model_pages(&model));
    }
    assert_true(model_verify(&model));
    assert_true(model.no_swap > 0);
    model_discard_all(&model);
    assert_int_equal(ol_pager_memory_pages(first) + ol_pager_memory_pages(second), 0);
    model_free(&model);
    pager->ops->close(pager);
}

/* Lets the nth page of tier `failing` fail. False when there was no nth page. */
static bool fail_nth(unsigned failing, enum ol_io_op op, enum ol_status how, uint64_t nth)
{
    struct ol_pager *memories[] = {memory_create(SLOTS, FIRST_PAGES, false), memory_create(SLOTS, SECOND_PAGES, true)};
    struct ol_pager *tiers[2];
    struct pager_model model;
    for (unsigned i = 0; i < 2; i++) {
        tiers[i] = ol_pager_faulty_create(memories[i]);
        assert_non_null(tiers[i]);
    }
    struct ol_pager *pager = tiered_create(tiers[0], tiers[1]);
    model_init(&model, pager, 0, SLOTS, 3);
    model.errors_expected = true;
    ol_pager_faulty_fail(tiers[failing], op, nth, 1, how);
    const bool right = model_steps(&model, 30) && model_verify(&model);
    const bool failed = ol_pager_faulty_failures(tiers[failing]) > 0;
    if (!right) fail_msg("page %u: %s", (unsigned)nth, model.wrong);
    assert_int_equal(model.read_errors, failed && op == OL_IO_READ);
    assert_int_equal(model.write_errors, failed && op == OL_IO_WRITE && how == OL_E_IO);
    assert_int_equal(ol_pager_faulty_pages(tiers[failing], op) >= nth, failed);
    model.errors_expected = false; /* a read that failed may succeed the next time */
    ol_pager_faulty_fail(tiers[failing], op, 1, 0, OL_E_IO);
    assert_true(model_verify(&model));
    assert_int_equal(ol_pager_memory_pages(memories[0]) + ol_pager_memory_pages(memories[1]), model_pages(&model));
    model_free(&model);
    pager->ops->close(pager);
    return failed;
}

static void test_every_page_may_fail(void **state)
{
    static const struct {
        enum ol_io_op op;
        enum ol_status how;
    } faults[] = {{OL_IO_READ, OL_E_IO}, {OL_IO_WRITE, OL_E_IO}, {OL_IO_WRITE, OL_E_NO_SWAP}};
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t nth = 1;
        while (fail_nth(i % 2, faults[i / 2].op, faults[i / 2].how, nth)) nth += 1 + nth / 4;
        assert_true(nth > 50);
    }
}

/* The homes that programs get: compressed memory before a swap file. */
static struct ol_pager *homes_create(uint64_t store_bytes, struct ol_pager **file)
{
    const char *directory = getenv("TMPDIR");
    const struct ol_compressed_options compressed = {
        .page_bytes = MODEL_PAGE_BYTES, .capacity = SLOTS, .max_store_bytes = store_bytes};
    const struct ol_swapfile_options swapfile = {
        .page_bytes = MODEL_PAGE_BYTES, .capacity = SLOTS, .directory = directory ? directory : "/tmp"};
    struct ol_pager *first = NULL;
    assert_int_equal(ol_compressed_create(&compressed, &first), OL_OK);
    assert_int_equal(ol_swapfile_create(&swapfile, file, NULL), OL_OK);
    return tiered_create(first, *file);
}

static void test_compressed_memory_before_a_file(void **state)
{
    struct ol_swapfile_statistics statistics;
    struct pager_model model;
    struct ol_pager *file, *pager = homes_create(64 << 10, &file);
    (void)state;
    model_init(&model, pager, 0, SLOTS, 3);
    assert_true(model_steps(&model, 500) && model_verify(&model));
    assert_int_equal(model.no_swap, 0);
    ol_swapfile_statistics(file, &statistics);
    assert_true(statistics.pages_written > 1000 && statistics.pages_read > 500);
    model_free(&model);
    pager->ops->close(pager);
}

static void test_two_threads(void **state)
{
    struct ol_pager *file, *pager = homes_create(64 << 10, &file);
    (void)state;
    const char *wrong = model_threads(pager, SLOTS, 500);
    if (wrong) fail_msg("%s", wrong);
    pager->ops->close(pager);
}

static void test_a_forked_process(void **state)
{
    struct pager_model model;
    struct ol_pager *file, *pager = homes_create(64 << 10, &file);
    int status = -1;
    (void)state;
    model_init(&model, pager, 0, SLOTS, 3);
    assert_true(model_steps(&model, 50));
    const pid_t pid = fork();
    assert_int_equal(ol_swapfile_freeze(file), OL_OK);
    if (pid == 0) model.random = 4;
    const bool right = model_steps(&model, 200) && model_verify(&model);
    if (pid == 0) _exit(right ? 0 : 1);
    assert_true(right);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(model_verify(&model));
    model_free(&model);
    pager->ops->close(pager);
}

/* --- demotion ---------------------------------------------------------------------------------------------------- */

static void model_with_demotion(unsigned every)
{
    struct ol_pager *first = memory_create(SLOTS, FIRST_PAGES, false), *second = memory_create(SLOTS, SLOTS, true);
    struct ol_pager *pager = tiered_create(first, second);
    struct ol_tiered_statistics statistics;
    struct pager_model model;
    atomic_store(&often, every);
    model_init(&model, pager, 0, SLOTS, every);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(model_step(&model));
        assert_int_equal(ol_pager_memory_pages(first) + ol_pager_memory_pages(second), model_pages(&model));
    }
    assert_true(model_verify(&model));
    ol_tiered_statistics(pager, &statistics);
    assert_true(statistics.pages_demoted > 100);
    model_discard_all(&model);
    assert_int_equal(ol_pager_memory_pages(first) + ol_pager_memory_pages(second), 0);
    model_free(&model);
    pager->ops->close(pager);
}

static void test_demotion_agrees_with_the_model(void **state)
{
    (void)state;
    for (unsigned every = 1; every < 4; every++) model_with_demotion(every);
    atomic_store(&often, 0);
}

/* The oldest cluster goes, but for pages that are one word; neighbours go in few requests. */
static void test_the_oldest_cluster_is_demoted(void **state)
{
    struct ol_pager *first = memory_create(SLOTS, SLOTS, false), *second = memory_create(SLOTS, SLOTS, true);
    struct ol_pager *pager = tiered_create(first, second);
    char page[MODEL_PAGE_BYTES];
    enum ol_status status[OL_IO_PAGES_MAX];
    (void)state;
    write_texts(pager, 64, 63, status);
    page_make(page, PAGE_WORD, 7);
    assert_int_equal(page_write(pager, 127, page), OL_OK);
    write_texts(pager, 0, 64, status);
    atomic_store(&often, 1);
    atomic_store(&looks, 0);
    write_texts(pager, 128, 10, status);
    atomic_store(&often, 0);
    for (ol_slot slot = 0; slot < 138; slot++) {
        const bool demoted = slot >= 64 && slot < 127;
        assert_int_equal(ol_pager_memory_holds(second, slot), demoted);
        assert_int_equal(ol_pager_memory_holds(first, slot), !demoted);
    }
    pager->ops->close(pager);
}

/* Discards slots of the cluster that is being written to the second, as another thread would. */
static struct ol_pager *disturbed;

static void discard_and_submit(struct ol_pager *pager, struct ol_io *io)
{
    for (ol_slot slot = 0; slot < 64 && io->op == OL_IO_WRITE; slot += 3) disturbed->ops->discard(disturbed, slot);
    counted_submit(pager, io);
}

static void test_pages_discarded_on_the_way(void **state)
{
    struct ol_pager *first = memory_create(SLOTS, SLOTS, false), *second = memory_create(SLOTS, SLOTS, true);
    enum ol_status status[OL_IO_PAGES_MAX];
    char page[MODEL_PAGE_BYTES], got[MODEL_PAGE_BYTES];
    (void)state;
    counted_ops = *second->ops;
    counted_submit = second->ops->submit;
    counted_ops.submit = discard_and_submit;
    second->ops = &counted_ops;
    disturbed = tiered_create(first, second);
    write_texts(disturbed, 0, 64, status);
    atomic_store(&often, 1);
    write_texts(disturbed, 100, 5, status);
    atomic_store(&often, 0);
    for (ol_slot slot = 0; slot < 64; slot++) {
        assert_false(ol_pager_memory_holds(first, slot));
        assert_int_equal(ol_pager_memory_holds(second, slot), slot % 3 != 0);
        if (slot % 3 == 0) continue;
        page_make(page, PAGE_TEXT, slot);
        assert_int_equal(page_read(disturbed, slot, got), OL_OK);
        assert_memory_equal(page, got, sizeof(page));
    }
    write_texts(disturbed, 0, 64, status);
    assert_true(ol_pager_memory_holds(first, 0));
    disturbed->ops->close(disturbed);
}

/* A page that cannot be read or written on the way stays where it is. */
static bool demotion_fails(unsigned failing, uint64_t nth)
{
    struct ol_pager *tiers[] = {ol_pager_faulty_create(memory_create(SLOTS, SLOTS, false)),
                                ol_pager_faulty_create(memory_create(SLOTS, SLOTS, true))};
    struct ol_pager *pager = tiered_create(tiers[0], tiers[1]);
    struct pager_model model;
    model_init(&model, pager, 0, SLOTS, 5);
    for (uint32_t i = 0; i < SLOTS; i++) assert_true(model_write(&model, i, i + 1));
    ol_pager_faulty_fail(tiers[failing], failing ? OL_IO_WRITE : OL_IO_READ, nth, 3, OL_E_IO);
    atomic_store(&often, 1);
    for (uint32_t i = 290; i < SLOTS; i++) assert_true(model_write(&model, i, i + 1000));
    atomic_store(&often, 0);
    const bool failed = ol_pager_faulty_failures(tiers[failing]) > 0;
    ol_pager_faulty_fail(tiers[failing], OL_IO_READ, 1, 0, OL_E_IO);
    if (!model_verify(&model)) fail_msg("page %u: %s", (unsigned)nth, model.wrong);
    model_free(&model);
    pager->ops->close(pager);
    return failed;
}

static void test_demotion_that_fails(void **state)
{
    (void)state;
    for (unsigned failing = 0; failing < 2; failing++) {
        uint64_t nth = 1;
        while (demotion_fails(failing, nth)) nth += 1 + nth / 4;
        assert_true(nth > 50);
    }
}

static void test_two_threads_and_demotion(void **state)
{
    struct ol_pager *file, *pager = homes_create(64 << 10, &file);
    (void)state;
    atomic_store(&often, 2);
    const char *wrong = model_threads(pager, SLOTS, 500);
    atomic_store(&often, 0);
    if (wrong) fail_msg("%s", wrong);
    pager->ops->close(pager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_first_refuses_goes_to_the_second),
        cmocka_unit_test(test_no_old_copy_stays_behind),
        cmocka_unit_test(test_pagers_that_do_not_fit),
        cmocka_unit_test(test_flush_tells_either_error),
        cmocka_unit_test(test_random_use_agrees_with_the_model),
        cmocka_unit_test(test_every_page_may_fail),
        cmocka_unit_test(test_compressed_memory_before_a_file),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_a_forked_process),
        cmocka_unit_test(test_demotion_agrees_with_the_model),
        cmocka_unit_test(test_the_oldest_cluster_is_demoted),
        cmocka_unit_test(test_pages_discarded_on_the_way),
        cmocka_unit_test(test_demotion_that_fails),
        cmocka_unit_test(test_two_threads_and_demotion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
