/* SPDX-License-Identifier: MIT */
/* Machines in scripts. */
#include <stddef.h>
#include <string.h>

#include "cli/script.h"
#include "machine/sim/cost.h"
#include "machine/sim/dma.h"
#include "machine/sim/format.h"

#define TLB "16:4" /* unless told otherwise */
enum { FRAMES = 64, DRUM_SLOTS = 1 << 20 };

struct ol_script_machine *ol_script_to_machine(lua_State *lua, int argument)
{
    struct ol_script_machine *const machine = luaL_checkudata(lua, argument, OL_SCRIPT_MACHINE);
    if (!machine->world.system) luaL_argerror(lua, argument, "the machine is gone"); /* in a finalizer */
    return machine;
}

static int machine_collect(lua_State *lua)
{
    struct ol_script_machine *const machine = lua_touserdata(lua, 1);
    ol_world_destroy(&machine->world);
    return 0;
}

/* --- machine{...} ---------------------------------------------------------------------------------------------- */

static const struct ol_sim_format *option_format(lua_State *lua)
{
    const char *const name = ol_script_option_string(lua, 1, "format", ol_sim_amd64.is.name);
    const struct ol_sim_format *const format = ol_sim_format_find(name);
    if (!format) luaL_error(lua, "there is no machine '%s'; `onelevel machines` lists them", name);
    return format;
}

static struct ol_tlb_spec option_tlb(lua_State *lua)
{
    char message[128];
    struct ol_tlb_spec spec;
    const char *const text = ol_script_option_string(lua, 1, "tlb", TLB);
    if (!ol_tlb_spec_parse(text, &spec, message, sizeof message)) luaL_error(lua, "tlb '%s': %s", text, message);
    return spec;
}

/* The size of large pages as a shift; 0: none. */
static uint8_t option_large(lua_State *lua)
{
    const uint64_t bytes = ol_script_option_number(lua, 1, "large", 1, 1ULL << 62, 1);
    if ((bytes & (bytes - 1)) != 0) luaL_error(lua, "large: expected a power of two");
    return (uint8_t)__builtin_ctzll(bytes);
}

static struct ol_numa option_numa(lua_State *lua)
{
    char message[128];
    struct ol_numa numa = {0};
    const char *const text = ol_script_option_string(lua, 1, "numa", NULL);
    if (text && !ol_numa_parse(text, &numa, message, sizeof message)) luaL_error(lua, "numa '%s': %s", text, message);
    return numa;
}

static struct ol_world_options machine_options(lua_State *lua)
{
    static const char *const names[] = {"format", "frames", "bus",        "buddies", "large", "drum",  "policy",
                                        "numa",   "tlb",    "processors", "low",     "high",  "ahead", NULL};
    ol_script_known_options(lua, 1, names);
    const char *const policy = ol_script_option_string(lua, 1, "policy", ol_policy_clock.name);
    struct ol_world_options options = {
        .machine = {.format = option_format(lua),
                    .frames = (uint32_t)ol_script_option_number(lua, 1, "frames", 1, OL_SIM_FRAMES_MAX, FRAMES),
                    .processors = (uint32_t)ol_script_option_number(lua, 1, "processors", 1, OL_SIM_PROCESSORS_MAX, 1),
                    .tlb = option_tlb(lua),
                    .numa = option_numa(lua)},
        .large_shift = option_large(lua),
        .buddies = ol_script_option_bool(lua, 1, "buddies"),
        .bus_frames = (uint32_t)ol_script_option_number(lua, 1, "bus", 0, OL_SIM_FRAMES_MAX, 0),
        .drum_slots = (uint32_t)ol_script_option_number(lua, 1, "drum", 0, UINT32_MAX - 1, DRUM_SLOTS),
        .low = (uint32_t)ol_script_option_number(lua, 1, "low", 0, UINT32_MAX, 0),
        .high = (uint32_t)ol_script_option_number(lua, 1, "high", 0, UINT32_MAX, 0),
        .prefetch_max = (uint32_t)ol_script_option_number(lua, 1, "ahead", 0, OL_IO_PAGES_MAX - 1, 0),
    };
    options.policy = ol_policy_find(policy, &options.policy_parameters);
    if (!options.policy) luaL_error(lua, "there is no policy '%s'; `onelevel policies` lists them", policy);
    return options;
}

static int machine_new(lua_State *lua)
{
    const char *error;
    if (lua_gettop(lua) == 0) lua_newtable(lua);
    const struct ol_world_options options = machine_options(lua);
    struct ol_script_machine *const machine = lua_newuserdatauv(lua, sizeof *machine, 0);
    memset(machine, 0, sizeof *machine);
    luaL_setmetatable(lua, OL_SCRIPT_MACHINE);
    if (ol_world_create(&options, &machine->world, &error) != OL_OK) luaL_error(lua, "%s", error);
    return 1;
}

/* --- counts ---------------------------------------------------------------------------------------------------- */

/* One count, by its name in C and in Lua. */
struct count {
    const char *name;
    size_t offset;
    uint8_t bytes;
    bool level; /* a value of now or a peak, no count that only grows */
};

#define COUNT(type, name)                                                              \
    {                                                                                  \
#name, offsetof(struct type, name), sizeof(((struct type *)NULL)->name), false \
    }
#define LEVEL(type, name)                                                             \
    {                                                                                 \
#name, offsetof(struct type, name), sizeof(((struct type *)NULL)->name), true \
    }

static const struct count core_counts[] = {
    COUNT(ol_statistics, faults),         COUNT(ol_statistics, faults_zero),
    COUNT(ol_statistics, faults_major),   COUNT(ol_statistics, faults_rescued),
    COUNT(ol_statistics, faults_soft),    COUNT(ol_statistics, faults_copied),
    COUNT(ol_statistics, faults_refused), COUNT(ol_statistics, prefetched),
    COUNT(ol_statistics, evictions),      COUNT(ol_statistics, evictions_clean),
    COUNT(ol_statistics, writebacks),     COUNT(ol_statistics, reclaims_direct),
    COUNT(ol_statistics, reclaims_ahead), LEVEL(ol_statistics, frames_budget),
    LEVEL(ol_statistics, frames_in_use),  LEVEL(ol_statistics, frames_in_use_peak),
    LEVEL(ol_statistics, frames_free),    LEVEL(ol_statistics, frames_standby),
    LEVEL(ol_statistics, frames_wired),   LEVEL(ol_statistics, pages),
    LEVEL(ol_statistics, pages_swapped),
};

static const struct count machine_counts[] = {
    COUNT(ol_sim_counters, references),
    COUNT(ol_sim_counters, tlb_hits),
    COUNT(ol_sim_counters, tlb_misses),
    COUNT(ol_sim_counters, walks),
    COUNT(ol_sim_counters, table_references),
    COUNT(ol_sim_counters, table_references_saved),
    COUNT(ol_sim_counters, table_updates),
    COUNT(ol_sim_counters, page_faults),
    COUNT(ol_sim_counters, switches),
    COUNT(ol_sim_counters, tlb_invalidations),
    COUNT(ol_sim_counters, shootdowns),
    {"local_references", offsetof(struct ol_sim_counters, local), sizeof(uint64_t), false}, /* `local` is Lua's */
    {"remote_references", offsetof(struct ol_sim_counters, remote), sizeof(uint64_t), false},
    COUNT(ol_sim_counters, large_entered),
    COUNT(ol_sim_counters, large_splits),
    LEVEL(ol_sim_counters, tables_peak),
};

enum {
    CORE_COUNTS = sizeof core_counts / sizeof core_counts[0],
    MACHINE_COUNTS = sizeof machine_counts / sizeof machine_counts[0]
};

static uint64_t value_of(const struct count *count, const void *from)
{
    const unsigned char *const at = (const unsigned char *)from + count->offset;
    uint64_t wide;
    uint32_t narrow;
    if (count->bytes == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

/* Sets fields of the table on top: the values, or what grew since `before`. */
static void set_counts(lua_State *lua, const struct count *counts, size_t n, const void *now, const void *before)
{
    for (size_t i = 0; i < n; i++) {
        if (before && counts[i].level) continue;
        lua_pushinteger(lua, (lua_Integer)(value_of(&counts[i], now) - (before ? value_of(&counts[i], before) : 0)));
        lua_setfield(lua, -2, counts[i].name);
    }
}

static void take(const struct ol_world *world, struct ol_statistics *core, struct ol_sim_counters *machine)
{
    ol_system_statistics(world->system, core);
    ol_sim_get_counters(world->sim, machine);
}

/* m:statistics() */
static int machine_statistics(lua_State *lua)
{
    struct ol_statistics core;
    struct ol_sim_counters machine;
    take(&ol_script_to_machine(lua, 1)->world, &core, &machine);
    lua_newtable(lua);
    set_counts(lua, core_counts, CORE_COUNTS, &core, NULL);
    set_counts(lua, machine_counts, MACHINE_COUNTS, &machine, NULL);
    return 1;
}

/* m:count(f, ...): calls f(...), returns what was counted meanwhile. */
static int machine_count(lua_State *lua)
{
    const struct ol_world *const world = &ol_script_to_machine(lua, 1)->world;
    struct ol_statistics core, core_before;
    struct ol_sim_counters machine, machine_before;
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    take(world, &core_before, &machine_before);
    lua_call(lua, lua_gettop(lua) - 2, 0);
    take(world, &core, &machine);
    lua_newtable(lua);
    set_counts(lua, core_counts, CORE_COUNTS, &core, &core_before);
    set_counts(lua, machine_counts, MACHINE_COUNTS, &machine, &machine_before);
    return 1;
}

/* --- the other methods ----------------------------------------------------------------------------------------- */

/* m:space() */
static int machine_space(lua_State *lua)
{
    struct ol_space *space;
    const enum ol_status status = ol_world_space(&ol_script_to_machine(lua, 1)->world, &space);
    if (status != OL_OK) luaL_error(lua, "space: %s", ol_status_text(status));
    ol_script_push_space(lua, 1, space);
    return 1;
}

/* m:processor(number): the one that makes the references from now on; the first is 0. */
static int machine_processor(lua_State *lua)
{
    struct ol_sim *const sim = ol_script_to_machine(lua, 1)->world.sim;
    ol_sim_select(sim, (uint32_t)ol_script_number(lua, 2, 0, sim->processor_count - 1));
    return 0;
}

/* m:page_bytes() */
static int machine_page_bytes(lua_State *lua)
{
    lua_pushinteger(lua, 1 << ol_script_to_machine(lua, 1)->world.sim->format->is.page_shift);
    return 1;
}

/* m:check(): every invariant of the core. */
static int machine_check(lua_State *lua)
{
    const char *const broken = ol_check(ol_script_to_machine(lua, 1)->world.system);
    return broken ? luaL_error(lua, "broken invariant %s", broken) : 0;
}

/* m:reclaim() */
static int machine_reclaim(lua_State *lua)
{
    ol_system_reclaim(ol_script_to_machine(lua, 1)->world.system);
    return 0;
}

/* m:budget(frames) */
static int machine_budget(lua_State *lua)
{
    const struct ol_world *const world = &ol_script_to_machine(lua, 1)->world;
    const uint32_t frames = (uint32_t)ol_script_number(lua, 2, 1, world->frames);
    const enum ol_status status = ol_system_set_budget(world->system, frames);
    return status == OL_OK ? 0 : luaL_error(lua, "budget: not above the high watermark");
}

/* m:peek(physical, bytes): what is in physical memory. */
static int machine_peek(lua_State *lua)
{
    const struct ol_sim_memory *const memory = &ol_script_to_machine(lua, 1)->world.sim->memory;
    const uint64_t room = (uint64_t)memory->page_frames << memory->page_shift;
    const uint64_t address = ol_script_number(lua, 2, 0, room);
    const uint64_t left = room - address;
    const uint64_t bytes = ol_script_number(lua, 3, 0, left < OL_SCRIPT_BYTES_MAX ? left : OL_SCRIPT_BYTES_MAX);
    lua_pushlstring(lua, (const char *)memory->bytes + address, bytes);
    return 1;
}

/* m:poke(physical, string): the other way round, past all protection. */
static int machine_poke(lua_State *lua)
{
    const struct ol_sim_memory *const memory = &ol_script_to_machine(lua, 1)->world.sim->memory;
    const uint64_t room = (uint64_t)memory->page_frames << memory->page_shift;
    const uint64_t address = ol_script_number(lua, 2, 0, room);
    size_t bytes;
    const char *const from = luaL_checklstring(lua, 3, &bytes);
    if (bytes > room - address) luaL_argerror(lua, 3, "it goes beyond memory");
    memcpy(memory->bytes + address, from, bytes);
    return 0;
}

/* m:free_memory([order]): a table {free =, unusable =, [0] =, [1] =, …}: free frames, how many of them are of no use to
 * who wants 2^order at a time, and the free blocks of 2^index frames. */
static int machine_free_memory(lua_State *lua)
{
    const struct ol_world *const world = &ol_script_to_machine(lua, 1)->world;
    const unsigned wanted = lua_isnoneornil(lua, 2) ? 0 : (unsigned)ol_script_number(lua, 2, 0, OL_BLOCK_ORDERS - 1);
    struct ol_physical_info info;
    if (!ol_system_physical(world->system, &info))
        luaL_error(lua, "free_memory: all frames are alike; the machine wants buddies = true");
    lua_newtable(lua);
    lua_pushinteger(lua, info.free);
    lua_setfield(lua, -2, "free");
    lua_pushinteger(lua, ol_physical_unusable(&info, wanted));
    lua_setfield(lua, -2, "unusable");
    for (unsigned order = 0; order < OL_BLOCK_ORDERS; order++) {
        lua_pushinteger(lua, info.blocks[order]);
        lua_seti(lua, -2, order);
    }
    return 1;
}

/* m:time([constants]): the modelled time of all that was done, in ns, and its parts. */
static int machine_time(lua_State *lua)
{
    const struct ol_world *const world = &ol_script_to_machine(lua, 1)->world;
    const char *const text = luaL_optstring(lua, 2, "default");
    char message[128];
    struct ol_cost cost;
    struct ol_statistics core;
    uint64_t parts[OL_COST_PARTS], total = 0;
    if (!ol_cost_parse(text, &cost, message, sizeof message)) luaL_error(lua, "time '%s': %s", text, message);
    ol_system_statistics(world->system, &core);
    ol_cost_model(&cost, world->sim, &core, parts);
    for (unsigned i = 0; i < OL_COST_PARTS; i++) total += parts[i];
    lua_pushinteger(lua, (lua_Integer)total);
    lua_newtable(lua);
    for (unsigned i = 0; i < OL_COST_PARTS; i++) {
        lua_pushinteger(lua, (lua_Integer)parts[i]);
        lua_setfield(lua, -2, ol_cost_part_names[i]);
    }
    return 2;
}

/* m:bus_take(frames [, end]): the physical address of neighbouring frames of the bus, all below `end`. */
static int machine_bus_take(lua_State *lua)
{
    struct ol_world *const world = &ol_script_to_machine(lua, 1)->world;
    const uint64_t frames = ol_script_number(lua, 2, 1, UINT32_MAX);
    const uint64_t end = lua_isnoneornil(lua, 3) ? UINT64_MAX : ol_script_number(lua, 3, 0, INT64_MAX);
    uint64_t physical;
    if (ol_bus_take(world, frames, end, &physical) != OL_OK)
        luaL_error(lua, "bus_take: no %I neighbouring frames of the bus are free there", (lua_Integer)frames);
    lua_pushinteger(lua, (lua_Integer)physical);
    return 1;
}

/* m:bus_give(physical, frames): what bus_take gave. */
static int machine_bus_give(lua_State *lua)
{
    struct ol_world *const world = &ol_script_to_machine(lua, 1)->world;
    const uint8_t shift = world->sim->format->is.page_shift;
    const uint64_t first = (uint64_t)world->frames << shift, end = first + ((uint64_t)world->bus_frames << shift);
    const uint64_t physical = ol_script_number(lua, 2, first, end), frames = ol_script_number(lua, 3, 1, UINT32_MAX);
    if (physical % (1ULL << shift) != 0 || frames > (end - physical) >> shift ||
        ol_bus_give(world, physical, frames) != OL_OK)
        luaL_error(lua, "bus_give: these frames were not taken");
    return 0;
}

void ol_script_open_machine(lua_State *lua)
{
    static const luaL_Reg methods[] = {
        {"block", ol_script_block_new},
        {"budget", machine_budget},
        {"bus_give", machine_bus_give},
        {"bus_take", machine_bus_take},
        {"check", machine_check},
        {"count", machine_count},
        {"page_bytes", machine_page_bytes},
        {"device", ol_script_device_new},
        {"free_memory", machine_free_memory},
        {"peek", machine_peek},
        {"poke", machine_poke},
        {"processor", machine_processor},
        {"reclaim", machine_reclaim},
        {"space", machine_space},
        {"statistics", machine_statistics},
        {"time", machine_time},
        {NULL, NULL},
    };
    ol_script_type(lua, OL_SCRIPT_MACHINE, methods, machine_collect);
    lua_register(lua, "machine", machine_new);
}
