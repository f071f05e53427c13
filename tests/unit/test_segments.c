/* SPDX-License-Identifier: MIT */
/* Segments that come and go: their contents against arrays, whatever is moved and swapped; rights; fragmentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/sim/segments.h"
#include "tests/support/random.h"

enum { DATA = OL_I286_SEGMENT | OL_I286_WRITABLE, USER = 3 << OL_I286_DPL_SHIFT };

static struct ol_segments *system_; /* of the running test */

static void create(uint32_t bytes, enum ol_placement placement, bool compacts)
{
    const struct ol_segments_options options = {bytes, placement, compacts};
    assert_int_equal(ol_segments_create(&options, &system_), OL_OK);
}

static void check(void)
{
    const char *const broken = ol_segments_check(system_);
    if (broken) fail_msg("%s", broken);
}

static unsigned new_task(unsigned cpl)
{
    unsigned task;
    assert_int_equal(ol_segments_task(system_, cpl, &task), OL_OK);
    return task;
}

static uint16_t make(unsigned task, uint32_t bytes, unsigned access)
{
    uint16_t selector;
    assert_int_equal(ol_segments_make(system_, task, bytes, (uint8_t)access, &selector), OL_OK);
    return selector;
}

static enum ol_status load(unsigned task, enum ol_i286_register where, uint16_t selector)
{
    struct ol_i286_load out;
    return ol_segments_load(system_, task, where, selector, &out);
}

static enum ol_status refer(unsigned task, enum ol_i286_register where, uint32_t offset, uint32_t bytes, void *to,
                            const void *from)
{
    struct ol_i286_reference out;
    uint16_t code;
    return ol_segments_refer(system_, task, where, (uint16_t)offset, bytes, from ? OL_WRITE : OL_READ, to, from, &out,
                             &code);
}

static struct ol_segments_counters counters(void)
{
    struct ol_segments_counters now;
    ol_segments_get_counters(system_, &now);
    return now;
}

/* --- a random run ------------------------------------------------------------------------------------------------ */

enum { TASKS = 3, EACH = 12, BYTES_MOST = 3000, STEPS = 20000 };

static struct model {
    uint16_t selector;
    uint32_t bytes; /* 0: there is none */
    bool down;
    unsigned char contents[BYTES_MOST];
} models[TASKS][EACH];

/* A segment is made or removed. */
static void change(unsigned task, struct model *model, uint64_t *seed)
{
    if (model->bytes > 0) {
        assert_int_equal(ol_segments_remove(system_, task, model->selector), OL_OK);
        model->bytes = 0;
        return;
    }
    memset(model, 0, sizeof *model);
    model->bytes = 1 + (uint32_t)ol_random_below(seed, BYTES_MOST);
    model->down = ol_random_below(seed, 3) == 0;
    model->selector = make(task, model->bytes, DATA | USER | (model->down ? OL_I286_EXPAND_DOWN : 0U));
}

/* A few references to a segment, at its edges or inside. */
static void use(unsigned task, struct model *model, uint64_t *seed)
{
    static const enum ol_i286_register registers[] = {OL_I286_DS_REGISTER, OL_I286_ES_REGISTER, OL_I286_SS_REGISTER};
    const enum ol_i286_register where = registers[ol_random_below(seed, 3)];
    const uint32_t first = model->down ? OL_I286_SEGMENT_BYTES_MAX - model->bytes : 0;
    if (ol_random_below(seed, 4)) assert_int_equal(load(task, where, model->selector), OL_OK);
    else return;
    for (unsigned i = 0; i < 4; i++) {
        const uint32_t at = (uint32_t)ol_random_below(seed, model->bytes);
        unsigned char byte = (unsigned char)ol_random(seed), found;
        assert_int_equal(refer(task, where, first + at, 1, &found, NULL), OL_OK);
        assert_int_equal(found, model->contents[at]);
        assert_int_equal(refer(task, where, first + at, 1, NULL, &byte), OL_OK);
        model->contents[at] = byte;
    }
    const uint32_t beyond = model->down ? first - 1 : model->bytes;
    assert_int_equal(refer(task, where, beyond, 1, NULL, "x"), OL_E_RIGHTS);
}

/* Registers that were loaded long ago are used again, whatever was moved meanwhile. */
static void use_register(unsigned task, const uint16_t *held, uint64_t *seed)
{
    unsigned char found;
    for (unsigned i = 0; i < EACH; i++) {
        const struct model *const model = &models[task][i];
        if (model->bytes == 0 || model->selector != *held) continue;
        const uint32_t at = (uint32_t)ol_random_below(seed, model->bytes);
        const uint32_t first = model->down ? OL_I286_SEGMENT_BYTES_MAX - model->bytes : 0;
        assert_int_equal(refer(task, OL_I286_DS_REGISTER, first + at, 1, &found, NULL), OL_OK);
        assert_int_equal(found, model->contents[at]);
    }
}

static void random_run(enum ol_placement placement, bool compacts, uint64_t seed)
{
    uint16_t held[TASKS] = {0}; /* in DS */
    create(20000, placement, compacts);
    memset(models, 0, sizeof models);
    for (unsigned i = 0; i < TASKS; i++) assert_int_equal(new_task(3), i);
    for (unsigned step = 0; step < STEPS; step++) {
        const unsigned task = (unsigned)ol_random_below(&seed, TASKS);
        struct model *const model = &models[task][ol_random_below(&seed, EACH)];
        if (model->bytes == 0 || ol_random_below(&seed, 50) == 0) {
            if (model->selector == held[task]) held[task] = 0;
            change(task, model, &seed);
        } else if (ol_random_below(&seed, 3) == 0) {
            use_register(task, &held[task], &seed);
        } else {
            use(task, model, &seed);
            held[task] = 0; /* whatever DS has now */
        }
        if (model->bytes > 0 && ol_random_below(&seed, 8) == 0) {
            assert_int_equal(load(task, OL_I286_DS_REGISTER, model->selector), OL_OK);
            held[task] = model->selector;
        }
        if (step % 16 == 0) check();
    }
    const struct ol_segments_counters now = counters();
    assert_true(now.swapped_in > 100 && now.reloads > 100 && now.scattered > 100);
    assert_int_equal(now.compactions > 0, compacts);
    assert_int_equal(now.written, now.swapped_out); /* all are writable */
    ol_segments_destroy(system_);
}

static void test_contents_survive_moving_and_swapping(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        random_run((enum ol_placement)i, false, 1 + i);
        random_run((enum ol_placement)i, true, 10 + i);
    }
}

/* --- one thing each ------------------------------------------------------------------------------------------------
 */

static void test_rights(void **state)
{
    (void)state;
    create(1 << 20, OL_FIRST_FIT, true);
    const unsigned program = new_task(3), kernel = new_task(0), other = new_task(3);
    const uint16_t own = make(program, 100, DATA | USER),
                   shared = make(OL_SEGMENTS_GLOBAL, 100, OL_I286_SEGMENT | USER),
                   secret = make(OL_SEGMENTS_GLOBAL, 100, DATA),
                   code = make(program, 100, OL_I286_SEGMENT | OL_I286_CODE | USER);
    unsigned char byte;
    assert_int_equal(load(program, OL_I286_DS_REGISTER, own), OL_OK);
    assert_int_equal(load(other, OL_I286_DS_REGISTER, own), OL_E_RIGHTS); /* its table has no such segment */
    assert_int_equal(load(program, OL_I286_DS_REGISTER, secret), OL_E_RIGHTS);
    assert_int_equal(load(kernel, OL_I286_DS_REGISTER, secret), OL_OK);
    assert_int_equal(load(program, OL_I286_ES_REGISTER, shared), OL_OK);
    assert_int_equal(load(other, OL_I286_ES_REGISTER, shared), OL_OK);
    assert_int_equal(refer(program, OL_I286_ES_REGISTER, 0, 1, &byte, NULL), OL_OK);
    assert_int_equal(refer(program, OL_I286_ES_REGISTER, 0, 1, NULL, "x"), OL_E_RIGHTS); /* read-only */
    assert_int_equal(load(program, OL_I286_DS_REGISTER, code), OL_E_RIGHTS);             /* to be executed only */
    assert_int_equal(load(program, OL_I286_CS_REGISTER, code), OL_OK);
    assert_int_equal(ol_segments_remove(system_, program, own), OL_OK);
    assert_int_equal(refer(program, OL_I286_DS_REGISTER, 0, 1, &byte, NULL), OL_E_RIGHTS);
    assert_int_equal(ol_segments_remove(system_, program, own), OL_E_NO_REGION);
    assert_int_equal(ol_segments_remove(system_, program, 0), OL_E_NO_REGION);
    check();
    ol_segments_destroy(system_);
}

/* What nobody can have changed is not written, and comes back all the same. */
static void test_code_is_not_written(void **state)
{
    (void)state;
    create(100, OL_FIRST_FIT, false);
    const unsigned task = new_task(3);
    const uint16_t constant = make(task, 80, OL_I286_SEGMENT | USER), data = make(task, 80, DATA | USER);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(load(task, OL_I286_DS_REGISTER, constant), OL_OK);
        assert_int_equal(load(task, OL_I286_DS_REGISTER, data), OL_OK);
    }
    const struct ol_segments_counters now = counters();
    assert_int_equal(now.faults, 6);
    assert_int_equal(now.swapped_out, 5);
    assert_int_equal(now.written, 2);
    assert_int_equal(now.bytes_out, 160);
    assert_int_equal(now.swapped_in, 2); /* the other four were zeros */
    ol_segments_destroy(system_);
}

/* Every second of ten segments goes: half of memory is free, and nothing of more than a tenth fits. */
static void test_external_fragmentation(void **state)
{
    (void)state;
    for (unsigned compacts = 0; compacts < 2; compacts++) {
        struct ol_segments_memory memory;
        uint16_t selectors[10];
        create(1000, OL_FIRST_FIT, compacts);
        const unsigned task = new_task(3);
        for (unsigned i = 0; i < 10; i++) {
            selectors[i] = make(task, 100, DATA | USER);
            assert_int_equal(load(task, OL_I286_DS_REGISTER, selectors[i]), OL_OK);
        }
        for (unsigned i = 0; i < 10; i += 2) assert_int_equal(ol_segments_remove(system_, task, selectors[i]), OL_OK);
        ol_segments_get_memory(system_, &memory);
        assert_int_equal(memory.free, 500);
        assert_int_equal(memory.largest_hole, 100);
        assert_int_equal(memory.holes, 5);
        const uint16_t large = make(task, 500, DATA | USER);
        assert_int_equal(load(task, OL_I286_DS_REGISTER, large), OL_OK);
        const struct ol_segments_counters now = counters();
        assert_true(now.scattered > 0);
        assert_int_equal(now.compactions, compacts);
        assert_int_equal(now.bytes_moved, compacts ? 500 : 0);
        if (compacts) assert_int_equal(now.swapped_out, 0);
        else assert_true(now.swapped_out > 0);
        check();
        ol_segments_destroy(system_);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct ol_segments_options options = {0, OL_FIRST_FIT, false};
    uint16_t selector;
    unsigned task;
    assert_int_equal(ol_segments_create(&options, &system_), OL_E_INVALID);
    options.memory_bytes = OL_SEGMENTS_BYTES_MAX + 1;
    assert_int_equal(ol_segments_create(&options, &system_), OL_E_INVALID);
    create(1000, OL_FIRST_FIT, true);
    for (unsigned i = 0; i < OL_SEGMENTS_TASKS_MAX; i++) (void)new_task(3);
    assert_int_equal(ol_segments_task(system_, 3, &task), OL_E_NO_ROOM);
    assert_int_equal(ol_segments_make(system_, 0, 0, DATA, &selector), OL_E_INVALID);
    assert_int_equal(ol_segments_make(system_, 0, 65537, DATA, &selector), OL_E_INVALID);
    assert_int_equal(ol_segments_make(system_, 0, 65536, DATA | OL_I286_EXPAND_DOWN, &selector), OL_E_INVALID);
    assert_int_equal(ol_segments_make(system_, 0, 10, OL_I286_WRITABLE, &selector), OL_E_INVALID);
    selector = make(0, 1001, DATA | USER);
    assert_int_equal(load(0, OL_I286_DS_REGISTER, selector), OL_E_NO_FRAMES); /* larger than memory */
    for (unsigned i = 0; i < OL_SEGMENTS_TABLE - 1; i++) (void)make(0, 1, DATA | USER);
    assert_int_equal(ol_segments_make(system_, 0, 1, DATA, &selector), OL_E_NO_ROOM);
    for (unsigned i = 0; i < OL_SEGMENTS_TABLE - 1; i++) (void)make(OL_SEGMENTS_GLOBAL, 1, DATA | USER);
    assert_int_equal(ol_segments_make(system_, OL_SEGMENTS_GLOBAL, 1, DATA, &selector), OL_E_NO_ROOM);
    check();
    ol_segments_destroy(system_);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents_survive_moving_and_swapping),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_code_is_not_written),
        cmocka_unit_test(test_external_fragmentation),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
