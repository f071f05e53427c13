/* SPDX-License-Identifier: MIT */
/*
 * Devices: what they do to memory without care, that none of it happens with pins, lists, bounce buffers and an IOMMU,
 * and what is refused. The same random run, of programs and a device at once, is made with a driver that takes care and
 * with one that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/sim/dma.h"
#include "tests/support/random.h"

enum { RW = OL_READ | OL_WRITE, FRAMES = 12, BUS_FRAMES = 8 };

static struct ol_world world; /* of the running test */
static uint64_t page_bytes;

static void create(const struct ol_sim_format *format, uint32_t frames)
{
    const struct ol_world_options options = {
        .machine = {.format = format, .frames = frames, .tlb = ol_tlb_spec_simple(16, 4)},
        .bus_frames = BUS_FRAMES,
        .drum_slots = 4096,
        .policy = &ol_policy_fifo,
    };
    const char *error;
    assert_int_equal(ol_world_create(&options, &world, &error), OL_OK);
    page_bytes = 1ULL << format->is.page_shift;
}

static struct ol_space *space_with(uint64_t pages)
{
    struct ol_space *space;
    assert_int_equal(ol_world_space(&world, &space), OL_OK);
    assert_int_equal(ol_region_map(space, world.sim->format->is.first_va, pages, RW, OL_MAP_FIXED, NULL), OL_OK);
    return space;
}

static void destroy(void)
{
    const char *const broken = ol_check(world.system);
    if (broken) fail_msg("%s", broken);
    ol_world_destroy(&world);
}

static struct ol_device *device_with(uint32_t segments_max, uint64_t last_address, bool iommu)
{
    const struct ol_device_options options = {last_address, segments_max, iommu};
    struct ol_device *device;
    assert_int_equal(ol_device_create(&world, &options, &device), OL_OK);
    return device;
}

static void check_bytes(struct ol_space *space, ol_va va, const char *expected)
{
    char found[64];
    assert_int_equal(ol_sim_read(world.sim, space, va, found, strlen(expected)), OL_OK);
    assert_memory_equal(found, expected, strlen(expected));
}

/* --- the random run ---------------------------------------------------------------------------------------------- */

enum { SPACES = 3, PAGES = 10, STEPS = 400, TRANSFER_MOST = 4000, PAGE_MOST = 4096 };

static unsigned char model[SPACES][PAGES * PAGE_MOST];

/* A program writes or reads somewhere, but not in the buffer that the device has. Returns how many bytes were wrong. */
static uint64_t program_step(struct ol_space *const *spaces, unsigned busy, uint64_t first, uint64_t bytes,
                             uint64_t *seed)
{
    const unsigned who = (unsigned)ol_random_below(seed, SPACES);
    const uint64_t at = ol_random_below(seed, PAGES * page_bytes);
    const ol_va va = world.sim->format->is.first_va + at;
    unsigned char byte = (unsigned char)ol_random(seed);
    uint64_t wrong = 0;
    if (who == busy && at >= first && at < first + bytes) return 0;
    if (byte % 2) {
        model[who][at] = byte;
        assert_int_equal(ol_sim_write(world.sim, spaces[who], va, &byte, 1), OL_OK);
    } else {
        assert_int_equal(ol_sim_read(world.sim, spaces[who], va, &byte, 1), OL_OK);
        wrong = byte != model[who][at];
    }
    return wrong;
}

static uint64_t compare_all(struct ol_space *const *spaces)
{
    static unsigned char found[PAGES * PAGE_MOST];
    uint64_t wrong = 0;
    for (unsigned i = 0; i < SPACES; i++) {
        assert_int_equal(ol_sim_read(world.sim, spaces[i], world.sim->format->is.first_va, found, PAGES * page_bytes),
                         OL_OK);
        for (uint64_t at = 0; at < PAGES * page_bytes; at++) wrong += found[at] != model[i][at];
    }
    return wrong;
}

/* What a driver does that knows physical addresses and no more: takes those that the pages have now. */
static uint32_t careless_list(struct ol_space *space, ol_va va, uint64_t bytes, struct ol_dma_segment *segments)
{
    uint32_t count = 0;
    for (uint64_t done = 0; done < bytes;) {
        const uint64_t in_page = page_bytes - ((va + done) & (page_bytes - 1));
        const uint64_t part = bytes - done < in_page ? bytes - done : in_page;
        assert_int_equal(ol_sim_access(world.sim, space, va + done, OL_WRITE), OL_OK);
        assert_true(ol_world_physical(&world, space, va + done, &segments[count].address));
        segments[count++].bytes = part;
        done += part;
    }
    return count;
}

/* One transfer with programs at work meanwhile. Returns the bytes that were found wrong. */
static uint64_t transfer(struct ol_device *device, struct ol_space *const *spaces, bool careful, uint64_t *seed)
{
    struct ol_dma_segment own[TRANSFER_MOST];
    unsigned char data[TRANSFER_MOST];
    const unsigned who = (unsigned)ol_random_below(seed, SPACES);
    const uint64_t bytes = 1 + ol_random_below(seed, TRANSFER_MOST < 4 * page_bytes ? TRANSFER_MOST : 4 * page_bytes);
    const uint64_t first = ol_random_below(seed, PAGES * page_bytes - bytes);
    const enum ol_dma_direction direction = ol_random(seed) & 1 ? OL_DMA_TO_MEMORY : OL_DMA_FROM_MEMORY;
    const ol_va va = world.sim->format->is.first_va + first;
    const struct ol_dma_segment *segments = own;
    struct ol_dma *dma = NULL;
    uint32_t count;
    uint64_t left, wrong = 0, length;
    for (uint64_t i = 0; i < bytes; i++) data[i] = (unsigned char)ol_random(seed);
    if (careful) {
        assert_int_equal(ol_dma_map(device, spaces[who], va, bytes, direction, 0, &dma), OL_OK);
        segments = ol_dma_segments(dma, &count);
    } else {
        count = careless_list(spaces[who], va, bytes, own);
    }
    assert_int_equal(ol_device_start(device, direction, segments, count, data), OL_OK);
    do {
        for (int i = 0; i < 10; i++) wrong += program_step(spaces, who, first, bytes, seed);
        assert_int_equal(ol_device_run(device, 1 + ol_random_below(seed, 300), &left), OL_OK);
    } while (left > 0);
    if (dma) assert_int_equal(ol_dma_unmap(dma), OL_OK);
    if (direction == OL_DMA_TO_MEMORY) {
        memcpy(model[who] + first, data, bytes);
    } else {
        const unsigned char *const read = ol_device_data(device, &length);
        assert_int_equal(length, bytes);
        for (uint64_t i = 0; i < bytes; i++) wrong += read[i] != model[who][first + i];
    }
    return wrong;
}

/* Returns the bytes that were ever found wrong. */
static uint64_t random_run(struct ol_device *device, bool careful, uint64_t seed)
{
    struct ol_space *spaces[SPACES];
    struct ol_device_counters counters;
    uint64_t wrong = 0;
    memset(model, 0, sizeof model);
    for (unsigned i = 0; i < SPACES; i++) spaces[i] = space_with(PAGES);
    for (int step = 0; step < STEPS; step++) wrong += transfer(device, spaces, careful, &seed);
    wrong += compare_all(spaces);
    ol_device_get_counters(device, &counters);
    assert_int_equal(counters.transfers, STEPS);
    assert_int_equal(counters.faults, 0);
    struct ol_statistics core;
    ol_system_statistics(world.system, &core);
    assert_int_equal(core.frames_wired, 0);
    assert_true(core.evictions > STEPS);
    return wrong;
}

static const struct ol_sim_format *const formats[] = {&ol_sim_amd64, &ol_sim_ia32, &ol_sim_sv39,
                                                      &ol_sim_vax,   &ol_sim_s370, &ol_sim_atlas};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static void test_lists_harm_nobody(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORMATS; i++) {
        create(formats[i], FRAMES);
        assert_int_equal(random_run(device_with(64, UINT64_MAX, false), true, 1 + i), 0);
        destroy();
    }
}

static void test_bounce_buffers_harm_nobody(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORMATS; i++) {
        create(formats[i], FRAMES);
        struct ol_device *const device = device_with(1, UINT64_MAX, false);
        struct ol_device_counters counters;
        assert_int_equal(random_run(device, true, 1 + i), 0);
        ol_device_get_counters(device, &counters);
        assert_true(counters.bounced > 0 && counters.bounced <= counters.bytes);
        assert_int_equal(ol_ranges_free(&world.bus), BUS_FRAMES);
        destroy();
    }
}

static void test_an_iommu_harms_nobody(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORMATS; i++) {
        if (!formats[i]->is.can_alias) continue;
        create(formats[i], FRAMES);
        struct ol_device *const device = device_with(1, UINT64_MAX, true);
        const uint64_t room = ol_ranges_free(&device->addresses);
        assert_int_equal(random_run(device, true, 1 + i), 0);
        assert_int_equal(ol_ranges_free(&device->addresses), room);
        destroy();
    }
}

/* So the three above can fail: without pins, the very same load corrupts memory. */
static void test_without_pins_memory_is_corrupted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORMATS; i++) {
        create(formats[i], FRAMES);
        assert_true(random_run(device_with(TRANSFER_MOST, UINT64_MAX, false), false, 1 + i) > 1000);
        destroy();
    }
}

/* --- one thing each ------------------------------------------------------------------------------------------------
 */

/* What the device wrote to a page that the processor did not change must not be lost as unmodified. */
static void test_what_a_device_writes_is_modified(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FORMATS; i++) {
        create(formats[i], 4);
        struct ol_space *const space = space_with(20);
        const ol_va first = world.sim->format->is.first_va;
        struct ol_device *const device = device_with(8, UINT64_MAX, false);
        struct ol_dma *dma;
        uint32_t count;
        uint64_t left;
        assert_int_equal(ol_sim_write(world.sim, space, first, "before", 6), OL_OK);
        for (uint64_t page = 1; page < 20; page++)
            assert_int_equal(ol_sim_access(world.sim, space, first + page * page_bytes, OL_READ), OL_OK);
        check_bytes(space, first, "before"); /* read back, and unmodified since */
        assert_int_equal(ol_dma_map(device, space, first, 5, OL_DMA_TO_MEMORY, 0, &dma), OL_OK);
        const struct ol_dma_segment *const segments = ol_dma_segments(dma, &count);
        assert_int_equal(ol_device_start(device, OL_DMA_TO_MEMORY, segments, count, "after"), OL_OK);
        assert_int_equal(ol_device_run(device, UINT64_MAX, &left), OL_OK);
        assert_int_equal(ol_dma_unmap(dma), OL_OK);
        for (uint64_t page = 1; page < 20; page++)
            assert_int_equal(ol_sim_access(world.sim, space, first + page * page_bytes, OL_READ), OL_OK);
        assert_int_equal(ol_page_residence(space, first), OL_SWAPPED);
        check_bytes(space, first, "aftere");
        destroy();
    }
}

static void test_lists_join_neighbours(void **state)
{
    (void)state;
    create(&ol_sim_amd64, 16);
    struct ol_space *const space = space_with(8), *const other = space_with(8);
    struct ol_device *const device = device_with(4, UINT64_MAX, false);
    struct ol_dma *dma;
    uint32_t count;
    const unsigned order[] = {0, 1, 2}; /* frames 0, 1, 2; then one of the other's; then pages 3 and 4 */
    for (unsigned i = 0; i < 3; i++) (void)ol_sim_access(world.sim, space, order[i] * page_bytes, OL_WRITE);
    (void)ol_sim_access(world.sim, other, 0, OL_WRITE);
    (void)ol_sim_access(world.sim, space, 3 * page_bytes, OL_WRITE);
    (void)ol_sim_access(world.sim, space, 4 * page_bytes, OL_WRITE);
    assert_int_equal(ol_dma_map(device, space, 100, 5 * page_bytes - 200, OL_DMA_FROM_MEMORY, 0, &dma), OL_OK);
    assert_int_equal(ol_dma_kind(dma), OL_DMA_LIST);
    const struct ol_dma_segment *const segments = ol_dma_segments(dma, &count);
    assert_int_equal(count, 2);
    assert_int_equal(segments[0].address, 100);
    assert_int_equal(segments[0].bytes, 3 * page_bytes - 100);
    assert_int_equal(segments[1].address, 4 * page_bytes);
    assert_int_equal(segments[1].bytes, 2 * page_bytes - 100);
    assert_true(ol_pin_overlaps(&world, space, 4 * page_bytes, 1));
    assert_true(ol_pin_overlaps(&world, space, 0, 1));
    assert_false(ol_pin_overlaps(&world, space, 5 * page_bytes, 100));
    assert_false(ol_pin_overlaps(&world, other, 0, 8));
    assert_int_equal(ol_dma_unmap(dma), OL_OK);
    assert_false(ol_pin_overlaps(&world, space, 0, 8));
    destroy();
}

/* Frames 0 … 15 are the core's, those of the bus follow: a device with few address lines reaches no buffer. */
static void test_few_address_lines(void **state)
{
    (void)state;
    create(&ol_sim_amd64, 16);
    struct ol_space *const space = space_with(16);
    struct ol_dma *dma;
    uint64_t physical;
    for (unsigned page = 0; page < 16; page++) (void)ol_sim_access(world.sim, space, page * page_bytes, OL_WRITE);
    struct ol_device *const low = device_with(4, 4 * page_bytes - 1, false), *const middle = device_with(
                                                                                 4, 18 * page_bytes - 1, false);
    assert_int_equal(ol_dma_map(low, space, 0, 4 * page_bytes, OL_DMA_TO_MEMORY, 0, &dma), OL_OK);
    assert_int_equal(ol_dma_kind(dma), OL_DMA_LIST);
    assert_int_equal(ol_dma_unmap(dma), OL_OK);
    assert_int_equal(ol_dma_map(low, space, 1, 4 * page_bytes, OL_DMA_TO_MEMORY, 0, &dma), OL_E_NO_ROOM);
    assert_int_equal(ol_bus_take(&world, 1, UINT64_MAX, &physical), OL_OK);
    assert_int_equal(physical, 16 * page_bytes);
    assert_int_equal(ol_bus_take(&world, 2, 18 * page_bytes, &physical), OL_E_NO_ROOM);
    assert_int_equal(ol_bus_take(&world, BUS_FRAMES, UINT64_MAX, &physical), OL_E_NO_ROOM);
    assert_int_equal(ol_bus_give(&world, 16 * page_bytes, 1), OL_OK);
    const struct ol_dma_segment high = {18 * page_bytes - 1, 2};
    assert_int_equal(ol_device_start(middle, OL_DMA_FROM_MEMORY, &high, 1, NULL), OL_E_INVALID);
    destroy();
}

static void test_the_iommu_guards(void **state)
{
    (void)state;
    create(&ol_sim_amd64, 4);
    struct ol_space *const space = space_with(8);
    struct ol_device *const device = device_with(1, UINT64_MAX, true);
    struct ol_dma *dma;
    struct ol_device_counters counters;
    uint32_t count;
    uint64_t left;
    assert_int_equal(ol_sim_write(world.sim, space, page_bytes, "mine", 4), OL_OK);
    assert_int_equal(ol_dma_map(device, space, page_bytes, 4, OL_DMA_FROM_MEMORY, 0, &dma), OL_OK);
    const struct ol_dma_segment there = *ol_dma_segments(dma, &count);
    const struct ol_dma_segment beyond = {there.address + page_bytes - 2, 4};
    /* It was mapped to be read. */
    assert_int_equal(ol_device_start(device, OL_DMA_TO_MEMORY, &there, 1, "your"), OL_OK);
    assert_int_equal(ol_dma_unmap(dma), OL_E_BUSY);
    assert_int_equal(ol_device_start(device, OL_DMA_TO_MEMORY, &there, 1, "your"), OL_E_BUSY);
    assert_int_equal(ol_device_run(device, 1, &left), OL_E_RIGHTS);
    assert_int_equal(left, 4);
    check_bytes(space, page_bytes, "mine");
    /* The second half is on no page of its. */
    assert_int_equal(ol_device_start(device, OL_DMA_FROM_MEMORY, &beyond, 1, NULL), OL_OK);
    assert_int_equal(ol_device_run(device, UINT64_MAX, &left), OL_E_NO_REGION);
    assert_int_equal(left, 2);
    assert_int_equal(ol_dma_unmap(dma), OL_OK);
    assert_int_equal(ol_device_start(device, OL_DMA_FROM_MEMORY, &there, 1, NULL), OL_OK);
    assert_int_equal(ol_device_run(device, UINT64_MAX, &left), OL_E_NO_REGION);
    ol_device_get_counters(device, &counters);
    assert_int_equal(counters.faults, 3);
    assert_int_equal(counters.bytes, 2);
    destroy();
}

static void test_unpinned_pages_disappear_for_the_device(void **state)
{
    (void)state;
    create(&ol_sim_amd64, 4);
    struct ol_space *const space = space_with(8);
    struct ol_device *const device = device_with(1, UINT64_MAX, true), *const plain = device_with(1, UINT64_MAX, false);
    struct ol_dma *dma;
    uint32_t count;
    uint64_t left;
    assert_int_equal(ol_dma_map(plain, space, 0, 4, OL_DMA_TO_MEMORY, OL_DMA_UNPINNED, &dma), OL_E_INVALID);
    assert_int_equal(ol_dma_map(device, space, 0, 100, OL_DMA_TO_MEMORY, OL_DMA_UNPINNED, &dma), OL_OK);
    const struct ol_dma_segment *const segment = ol_dma_segments(dma, &count);
    static const char data[100] = "data";
    assert_int_equal(ol_device_start(device, OL_DMA_TO_MEMORY, segment, 1, data), OL_OK);
    assert_int_equal(ol_device_run(device, 50, &left), OL_OK);
    for (unsigned page = 1; page < 5; page++)
        assert_int_equal(ol_sim_write(world.sim, space, page * page_bytes, "zero", 4), OL_OK);
    assert_int_equal(ol_page_residence(space, 0), OL_SWAPPED); /* by what the IOMMU noted: it was written */
    assert_int_equal(ol_device_run(device, 50, &left), OL_E_NO_REGION);
    assert_int_equal(ol_dma_unmap(dma), OL_OK);
    check_bytes(space, 0, "data");
    destroy();
}

static void test_refusals(void **state)
{
    (void)state;
    create(&ol_sim_amd64, 4);
    struct ol_space *const space = space_with(8);
    struct ol_device *const device = device_with(0, 0x10000, false);
    struct ol_pin *pin;
    struct ol_dma *dma;
    const struct ol_dma_segment two[] = {{0, 1}, {4, 1}}, none = {0, 0}, around = {UINT64_MAX, 2};
    assert_int_equal(ol_device_start(device, OL_DMA_FROM_MEMORY, two, 2, NULL), OL_E_INVALID);
    assert_int_equal(ol_device_start(device, OL_DMA_FROM_MEMORY, two, 0, NULL), OL_E_INVALID);
    assert_int_equal(ol_device_start(device, OL_DMA_FROM_MEMORY, &none, 1, NULL), OL_E_INVALID);
    assert_int_equal(ol_device_start(device, OL_DMA_FROM_MEMORY, &around, 1, NULL), OL_E_INVALID);
    assert_int_equal(ol_pin_take(&world, space, 1, 1, OL_READ, &pin), OL_E_INVALID);
    assert_int_equal(ol_pin_take(&world, space, 0, 0, OL_READ, &pin), OL_E_INVALID);
    assert_int_equal(ol_pin_take(&world, space, 0, UINT64_MAX, OL_READ, &pin), OL_E_INVALID);
    assert_int_equal(ol_pin_take(&world, space, 0, 5, OL_READ, &pin), OL_E_NO_FRAMES);
    assert_int_equal(ol_pin_take(&world, space, 7 * page_bytes, 2, OL_READ, &pin), OL_E_NO_REGION);
    assert_int_equal(ol_dma_map(device, space, 0, 0, OL_DMA_TO_MEMORY, 0, &dma), OL_E_INVALID);
    assert_int_equal(ol_dma_map(device, space, UINT64_MAX, 2, OL_DMA_TO_MEMORY, 0, &dma), OL_E_INVALID);
    assert_int_equal(ol_pin_take(&world, space, 0, 2, OL_WRITE, &pin), OL_OK); /* ends with the world */
    destroy();
    create(&ol_sim_s370, 4);
    struct ol_device *guarded;
    const struct ol_device_options options = {.last_address = UINT64_MAX, .iommu = true};
    assert_int_equal(ol_device_create(&world, &options, &guarded), OL_E_UNSUPPORTED);
    destroy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_harm_nobody),
        cmocka_unit_test(test_bounce_buffers_harm_nobody),
        cmocka_unit_test(test_an_iommu_harms_nobody),
        cmocka_unit_test(test_without_pins_memory_is_corrupted),
        cmocka_unit_test(test_what_a_device_writes_is_modified),
        cmocka_unit_test(test_lists_join_neighbours),
        cmocka_unit_test(test_few_address_lines),
        cmocka_unit_test(test_the_iommu_guards),
        cmocka_unit_test(test_unpinned_pages_disappear_for_the_device),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
