/* SPDX-License-Identifier: MIT */
#include "machine/sim/segments.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES = OL_SEGMENTS_TASKS_MAX + 1, SEGMENTS = TABLES * OL_SEGMENTS_TABLE };

struct segment {
    uint32_t bytes; /* 0: there is none */
    uint32_t where; /* physical address, if present */
    bool present;
    bool kept;           /* the drum has its contents; else, while absent, they are zeros */
    uint8_t access;      /* c: S, type and DPL */
    unsigned char *drum; /* its place there, once it has one */
};

struct task {
    struct ol_i286_control control;
    struct ol_i286_segment registers[OL_I286_REGISTERS];
    uint64_t loaded_at[OL_I286_REGISTERS]; /* system->changes then */
};

struct ol_segments {
    struct ol_words words; /* itself, as the processor reads it */
    struct ol_segments_options options;
    struct ol_segments_counters counters;
    unsigned char *memory;   /* tables and segments */
    struct ol_ranges ranges; /* of what lies behind the tables */
    struct task tasks[OL_SEGMENTS_TASKS_MAX];
    unsigned task_count;
    uint64_t changes;                 /* counts moves and swaps: registers loaded before may be stale */
    uint32_t hand;                    /* of the clock: a segment */
    struct segment segment[SEGMENTS]; /* by table, then index */
};

/* --- memory and tables ------------------------------------------------------------------------------------------- */

static uint64_t read_word(const struct ol_words *words, uint64_t address)
{
    const struct ol_segments *const system = (const struct ol_segments *)words;
    uint64_t word = 0;
    if (address + sizeof word <= OL_SEGMENTS_TABLES_BYTES + (uint64_t)system->options.memory_bytes)
        memcpy(&word, system->memory + address, sizeof word);
    return word;
}

static unsigned char *descriptor_at(const struct ol_segments *system, uint32_t number)
{
    return system->memory + (size_t)number * OL_I286_DESCRIPTOR_BYTES;
}

/* The number of the segment that a selector names for a task; SEGMENTS if there cannot be one. */
static uint32_t number_of(unsigned task, uint16_t selector)
{
    const unsigned table = selector & OL_I286_TI ? task + 1 : 0, index = selector >> OL_I286_INDEX_SHIFT;
    if (ol_i286_is_null(selector) || index >= OL_SEGMENTS_TABLE || table >= TABLES) return SEGMENTS;
    return table * OL_SEGMENTS_TABLE + index;
}

/* Writes the descriptor as the segment is now. `accessed`: the bit. */
static void write_descriptor(struct ol_segments *system, uint32_t number, bool accessed)
{
    const struct segment *const segment = &system->segment[number];
    const bool down = !(segment->access & OL_I286_CODE) && segment->access & OL_I286_EXPAND_DOWN;
    const uint32_t limit = down ? OL_I286_SEGMENT_BYTES_MAX - 1 - segment->bytes : segment->bytes - 1;
    const uint32_t base = segment->where - (down ? limit + 1 : 0);
    const unsigned bits = (segment->present ? OL_I286_PRESENT : 0U) | (accessed ? OL_I286_ACCESSED : 0U);
    const uint64_t descriptor = segment->bytes == 0
                                    ? 0
                                    : ol_i286_descriptor(base & ((1U << OL_I286_ADDRESS_BITS) - 1), (uint16_t)limit,
                                                         (uint8_t)(segment->access | bits));
    memcpy(descriptor_at(system, number), &descriptor, sizeof descriptor);
}

static bool is_accessed(const struct ol_segments *system, uint32_t number)
{
    uint64_t descriptor;
    memcpy(&descriptor, descriptor_at(system, number), sizeof descriptor);
    return ol_i286_access(descriptor) & OL_I286_ACCESSED;
}

enum ol_status ol_segments_create(const struct ol_segments_options *options, struct ol_segments **out)
{
    if (options->memory_bytes == 0 || options->memory_bytes > OL_SEGMENTS_BYTES_MAX) return OL_E_INVALID;
    struct ol_segments *const system = calloc(1, sizeof *system);
    if (!system) return OL_E_NO_META;
    system->words.read = read_word;
    system->options = *options;
    system->memory = calloc(1, OL_SEGMENTS_TABLES_BYTES + (size_t)options->memory_bytes);
    if (system->memory && ol_ranges_create(&system->ranges, options->memory_bytes) == OL_OK) {
        *out = system;
        return OL_OK;
    }
    free(system->memory);
    free(system);
    return OL_E_NO_META;
}

void ol_segments_destroy(struct ol_segments *system)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) free(system->segment[i].drum);
    ol_ranges_destroy(&system->ranges);
    free(system->memory);
    free(system);
}

/* --- tasks and segments ------------------------------------------------------------------------------------------ */

enum ol_status ol_segments_task(struct ol_segments *system, unsigned cpl, unsigned *task)
{
    enum { LIMIT = OL_SEGMENTS_TABLE * OL_I286_DESCRIPTOR_BYTES };
    if (system->task_count == OL_SEGMENTS_TASKS_MAX) return OL_E_NO_ROOM;
    assert(cpl <= OL_I286_RPL);
    *task = system->task_count++;
    system->tasks[*task].control =
        (struct ol_i286_control){.gdt = {0, LIMIT - 1}, .ldt = {(*task + 1) * LIMIT, LIMIT - 1}, .cpl = (uint8_t)cpl};
    return OL_OK;
}

const struct ol_i286_control *ol_segments_control(const struct ol_segments *system, unsigned task)
{
    return &system->tasks[task].control;
}

const struct ol_words *ol_segments_words(const struct ol_segments *system)
{
    return &system->words;
}

enum ol_status ol_segments_make(struct ol_segments *system, unsigned task, uint32_t bytes, uint8_t access,
                                uint16_t *selector)
{
    const bool global = task == OL_SEGMENTS_GLOBAL;
    const bool down = !(access & OL_I286_CODE) && access & OL_I286_EXPAND_DOWN;
    if (bytes == 0 || bytes > OL_I286_SEGMENT_BYTES_MAX - (down ? 1U : 0U) || !(access & OL_I286_SEGMENT))
        return OL_E_INVALID;
    const uint32_t table = global ? 0 : (task + 1) * OL_SEGMENTS_TABLE;
    uint32_t index = global ? 1 : 0;
    while (index < OL_SEGMENTS_TABLE && system->segment[table + index].bytes > 0) index++;
    if (index == OL_SEGMENTS_TABLE) return OL_E_NO_ROOM;
    unsigned char *const drum = malloc(bytes);
    if (!drum) return OL_E_NO_META;
    system->segment[table + index] = (struct segment){
        .bytes = bytes, .access = access & (uint8_t) ~(OL_I286_PRESENT | OL_I286_ACCESSED), .drum = drum};
    write_descriptor(system, table + index, false);
    *selector = (uint16_t)(index << OL_I286_INDEX_SHIFT | (global ? 0U : OL_I286_TI) |
                           (access >> OL_I286_DPL_SHIFT & OL_I286_RPL));
    return OL_OK;
}

static void give_place(struct ol_segments *system, struct segment *segment)
{
    const enum ol_status status =
        ol_ranges_give(&system->ranges, segment->where - OL_SEGMENTS_TABLES_BYTES, segment->bytes);
    assert(status !=
           OL_E_OVERLAP); /* without memory for the hole, its bytes are out of use until the next compaction */
    (void)status;
    segment->present = false;
    system->changes++;
}

enum ol_status ol_segments_remove(struct ol_segments *system, unsigned task, uint16_t selector)
{
    const uint32_t number = number_of(task, selector);
    if (number == SEGMENTS || system->segment[number].bytes == 0) return OL_E_NO_REGION;
    struct segment *const segment = &system->segment[number];
    if (segment->present) give_place(system, segment);
    free(segment->drum);
    *segment = (struct segment){0};
    write_descriptor(system, number, false);
    system->changes++;
    return OL_OK;
}

bool ol_segments_where(const struct ol_segments *system, unsigned task, uint16_t selector, uint32_t *physical)
{
    const uint32_t number = number_of(task, selector);
    if (number == SEGMENTS || !system->segment[number].present) return false;
    *physical = system->segment[number].where;
    return true;
}

/* --- swapping ------------------------------------------------------------------------------------------------------
 */

static void swap_out(struct ol_segments *system, uint32_t number)
{
    struct segment *const segment = &system->segment[number];
    const bool writable = !(segment->access & OL_I286_CODE) && segment->access & OL_I286_WRITABLE;
    if (writable) {
        memcpy(segment->drum, system->memory + segment->where, segment->bytes);
        segment->kept = true;
        system->counters.written++;
        system->counters.bytes_out += segment->bytes;
    }
    give_place(system, segment);
    write_descriptor(system, number, false);
    system->counters.swapped_out++;
}

/* The clock: the next segment that was not accessed since the hand passed it; SEGMENTS if none is present. */
static uint32_t victim(struct ol_segments *system)
{
    for (uint32_t looked = 0; looked < 2 * SEGMENTS; looked++) {
        const uint32_t number = system->hand;
        system->hand = (number + 1) % SEGMENTS;
        if (!system->segment[number].present) continue;
        if (!is_accessed(system, number)) return number;
        write_descriptor(system, number, false);
    }
    return SEGMENTS;
}

/* The lowest segment in memory at `from` or above; SEGMENTS if there is none. */
static uint32_t lowest(const struct ol_segments *system, uint32_t from)
{
    uint32_t best = SEGMENTS;
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        const struct segment *const segment = &system->segment[i];
        if (!segment->present || segment->where < from) continue;
        if (best == SEGMENTS || segment->where < system->segment[best].where) best = i;
    }
    return best;
}

void ol_segments_compact(struct ol_segments *system)
{
    uint32_t end = OL_SEGMENTS_TABLES_BYTES, number;
    while ((number = lowest(system, end)) != SEGMENTS) {
        struct segment *const segment = &system->segment[number];
        if (segment->where > end) {
            memmove(system->memory + end, system->memory + segment->where, segment->bytes);
            segment->where = end;
            system->counters.bytes_moved += segment->bytes;
            write_descriptor(system, number, is_accessed(system, number));
        }
        end += segment->bytes;
    }
    const uint64_t used = end - OL_SEGMENTS_TABLES_BYTES, left = system->options.memory_bytes - used;
    system->ranges.count = left > 0 ? 1 : 0;
    system->ranges.holes[0] = (struct ol_range){.at = used, .count = left}; /* there always is room for one */
    system->counters.compactions++;
    system->changes++;
}

/* Finds a place for a segment, by whatever it takes. */
static enum ol_status place(struct ol_segments *system, struct segment *segment)
{
    if (segment->bytes > system->options.memory_bytes) return OL_E_NO_FRAMES;
    for (;;) {
        uint64_t at;
        const enum ol_status status =
            ol_ranges_take(&system->ranges, segment->bytes, 1, UINT64_MAX, system->options.placement, &at);
        if (status == OL_OK) segment->where = (uint32_t)at + OL_SEGMENTS_TABLES_BYTES;
        if (status != OL_E_NO_ROOM) return status;
        const bool scattered = ol_ranges_free(&system->ranges) >= segment->bytes;
        if (scattered) system->counters.scattered++;
        if (scattered && system->options.compacts) {
            ol_segments_compact(system);
            continue;
        }
        const uint32_t number = victim(system);
        if (number == SEGMENTS) return OL_E_NO_FRAMES;
        swap_out(system, number);
    }
}

static enum ol_status bring_in(struct ol_segments *system, uint32_t number)
{
    struct segment *const segment = &system->segment[number];
    const enum ol_status status = place(system, segment);
    if (status != OL_OK) return status;
    segment->present = true;
    if (segment->kept) {
        memcpy(system->memory + segment->where, segment->drum, segment->bytes);
        system->counters.swapped_in++;
        system->counters.bytes_in += segment->bytes;
    } else {
        memset(system->memory + segment->where, 0, segment->bytes);
    }
    write_descriptor(system, number, false);
    return OL_OK;
}

/* --- what programs do ----------------------------------------------------------------------------------------------
 */

/* Loads a register; if the segment is absent, brings it in and loads again. */
static enum ol_status load(struct ol_segments *system, unsigned task_number, enum ol_i286_register where,
                           uint16_t selector, struct ol_i286_load *out)
{
    struct task *const task = &system->tasks[task_number];
    ol_i286_load(&system->words, &task->control, where, selector, out);
    if (out->exception == OL_I286_NP || out->exception == OL_I286_SS) {
        const uint32_t number = number_of(task_number, selector);
        assert(number != SEGMENTS && system->segment[number].bytes > 0 && !system->segment[number].present);
        system->counters.faults++;
        const enum ol_status status = bring_in(system, number);
        if (status != OL_OK) return status;
        ol_i286_load(&system->words, &task->control, where, selector, out);
    }
    if (out->exception) {
        system->counters.refused++;
        return OL_E_RIGHTS;
    }
    if (out->sets_accessed) system->memory[out->address + 5] |= OL_I286_ACCESSED;
    task->registers[where] = out->segment;
    task->loaded_at[where] = system->changes;
    return OL_OK;
}

enum ol_status ol_segments_load(struct ol_segments *system, unsigned task, enum ol_i286_register where,
                                uint16_t selector, struct ol_i286_load *out)
{
    assert(task < system->task_count);
    system->counters.loads++;
    return load(system, task, where, selector, out);
}

/* What is in the register may have moved. */
static enum ol_status refresh(struct ol_segments *system, unsigned task_number, enum ol_i286_register where,
                              struct ol_i286_reference *out, uint16_t *code)
{
    const struct task *const task = &system->tasks[task_number];
    struct ol_i286_load again;
    *code = 0;
    if (!task->registers[where].usable || task->loaded_at[where] == system->changes) return OL_OK;
    system->counters.reloads++;
    const enum ol_status status = load(system, task_number, where, task->registers[where].selector, &again);
    if (status != OL_E_RIGHTS) return status;
    *out = (struct ol_i286_reference){.exception = again.exception, .check = again.check};
    *code = again.error_code;
    return status;
}

enum ol_status ol_segments_refer(struct ol_segments *system, unsigned task, enum ol_i286_register where,
                                 uint16_t offset, uint32_t bytes, unsigned access, void *to, const void *from,
                                 struct ol_i286_reference *out, uint16_t *code)
{
    assert(task < system->task_count);
    const enum ol_status status = refresh(system, task, where, out, code);
    if (status != OL_OK) return status;
    ol_i286_refer(&system->tasks[task].registers[where], where, offset, bytes, access, out);
    if (out->exception) {
        system->counters.refused++;
        return OL_E_RIGHTS;
    }
    unsigned char *const place = system->memory + out->physical;
    if (to) memcpy(to, place, bytes);
    if (from) memcpy(place, from, bytes);
    return OL_OK;
}

/* --- what is to be seen --------------------------------------------------------------------------------------------
 */

void ol_segments_get_counters(const struct ol_segments *system, struct ol_segments_counters *out)
{
    *out = system->counters;
}

void ol_segments_get_memory(const struct ol_segments *system, struct ol_segments_memory *out)
{
    *out = (struct ol_segments_memory){.bytes = system->options.memory_bytes,
                                       .free = ol_ranges_free(&system->ranges),
                                       .largest_hole = ol_ranges_largest(&system->ranges),
                                       .holes = system->ranges.count};
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        if (system->segment[i].bytes == 0) continue;
        if (system->segment[i].present) out->present++;
        else out->absent++;
    }
}

const char *ol_segments_check(const struct ol_segments *system)
{
    const uint32_t top = OL_SEGMENTS_TABLES_BYTES + system->options.memory_bytes;
    uint32_t end = OL_SEGMENTS_TABLES_BYTES, number;
    uint64_t used = 0;
    while ((number = lowest(system, end)) != SEGMENTS) {
        end = system->segment[number].where + system->segment[number].bytes;
        if (end > top) return "a segment reaches beyond memory";
        used += system->segment[number].bytes;
    }
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        uint64_t descriptor;
        const struct segment *const segment = &system->segment[i];
        memcpy(&descriptor, descriptor_at(system, i), sizeof descriptor);
        const bool present = ol_i286_access(descriptor) & OL_I286_PRESENT;
        if (present != segment->present) return "a descriptor disagrees on its segment's presence";
        if (present) used -= segment->bytes;
    }
    if (used != 0) return "segments overlap";
    for (uint32_t i = 0; i < SEGMENTS; i++) used += system->segment[i].present ? system->segment[i].bytes : 0;
    return used + ol_ranges_free(&system->ranges) == system->options.memory_bytes ? NULL : "holes are not what is left";
}
