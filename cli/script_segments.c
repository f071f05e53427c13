/* SPDX-License-Identifier: MIT */
/* The 80286 in scripts: a system of segments, tasks, and their segments. */
#include <string.h>

#include "cli/script.h"
#include "machine/sim/segments.h"

#define SEGMENTS "segments"
#define TASK     "task"

enum { MEMORY_BYTES = 1 << 16, PRIVILEGE = 3 };

struct owner {
    struct ol_segments *system; /* NULL: none yet, or gone */
};

struct task {
    const struct owner *owner; /* kept alive by the userdata's user value */
    unsigned number;
};

static const struct owner *to_owner(lua_State *lua, int argument)
{
    const struct owner *const owner = luaL_checkudata(lua, argument, SEGMENTS);
    if (!owner->system) luaL_argerror(lua, argument, "it is gone"); /* in a finalizer */
    return owner;
}

static struct ol_segments *to_system(lua_State *lua, int argument)
{
    return to_owner(lua, argument)->system;
}

static const struct task *to_task(lua_State *lua, int argument)
{
    const struct task *const task = luaL_checkudata(lua, argument, TASK);
    if (!task->owner->system) luaL_argerror(lua, argument, "it is gone");
    return task;
}

/* Raises an error if the program got an exception, or something else went wrong. */
static void expect(lua_State *lua, enum ol_status status, enum ol_i286_exception exception, uint16_t code,
                   const char *check)
{
    static const char *const names[] = {[OL_I286_NP] = "NP", [OL_I286_SS] = "SS", [OL_I286_GP] = "GP"};
    if (status == OL_OK) return;
    if (status == OL_E_RIGHTS) luaL_error(lua, "#%s(%d): %s", names[exception], (int)code, check);
    if (status == OL_E_NO_FRAMES) luaL_error(lua, "the segment is larger than memory");
    luaL_error(lua, "%s", ol_status_text(status));
}

/* --- systems --------------------------------------------------------------------------------------------------- */

/* segments{memory =, placement =, compacts =} */
static int segments_new(lua_State *lua)
{
    static const char *const names[] = {"memory", "placement", "compacts", NULL};
    static const char *const placements[] = {
        [OL_FIRST_FIT] = "first", [OL_BEST_FIT] = "best", [OL_WORST_FIT] = "worst"};
    lua_settop(lua, 1);
    luaL_checktype(lua, 1, LUA_TTABLE);
    ol_script_known_options(lua, 1, names);
    struct ol_segments_options options = {
        .memory_bytes = (uint32_t)ol_script_option_number(lua, 1, "memory", 1, OL_SEGMENTS_BYTES_MAX, MEMORY_BYTES),
        .compacts = ol_script_option_bool(lua, 1, "compacts"),
    };
    const char *const placement = ol_script_option_string(lua, 1, "placement", placements[OL_FIRST_FIT]);
    unsigned which = 0;
    while (which <= OL_WORST_FIT && strcmp(placement, placements[which]) != 0) which++;
    if (which > OL_WORST_FIT) luaL_error(lua, "placement: expected \"first\", \"best\" or \"worst\"");
    options.placement = (enum ol_placement)which;
    struct owner *const owner = lua_newuserdatauv(lua, sizeof *owner, 0);
    owner->system = NULL;
    luaL_setmetatable(lua, SEGMENTS);
    expect(lua, ol_segments_create(&options, &owner->system), OL_I286_NONE, 0, NULL);
    return 1;
}

static int segments_collect(lua_State *lua)
{
    struct owner *const owner = lua_touserdata(lua, 1);
    if (owner->system) ol_segments_destroy(owner->system);
    owner->system = NULL;
    return 0;
}

static void set_fields(lua_State *lua, const char *const *names, const uint64_t *values, size_t count)
{
    lua_newtable(lua);
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(lua, (lua_Integer)values[i]);
        lua_setfield(lua, -2, names[i]);
    }
}

/* m:statistics() */
static int segments_statistics(lua_State *lua)
{
    static const char *const names[] = {"loads",   "reloads",  "faults",    "refused",   "swapped_in",  "swapped_out",
                                        "written", "bytes_in", "bytes_out", "scattered", "compactions", "bytes_moved"};
    struct ol_segments_counters now;
    ol_segments_get_counters(to_system(lua, 1), &now);
    const uint64_t values[] = {now.loads,      now.reloads,     now.faults,      now.refused,
                               now.swapped_in, now.swapped_out, now.written,     now.bytes_in,
                               now.bytes_out,  now.scattered,   now.compactions, now.bytes_moved};
    set_fields(lua, names, values, sizeof values / sizeof values[0]);
    return 1;
}

/* m:memory() */
static int segments_memory(lua_State *lua)
{
    static const char *const names[] = {"bytes", "free", "largest_hole", "holes", "present", "absent"};
    struct ol_segments_memory now;
    ol_segments_get_memory(to_system(lua, 1), &now);
    const uint64_t values[] = {now.bytes, now.free, now.largest_hole, now.holes, now.present, now.absent};
    set_fields(lua, names, values, sizeof values / sizeof values[0]);
    return 1;
}

/* m:compact() */
static int segments_compact(lua_State *lua)
{
    ol_segments_compact(to_system(lua, 1));
    return 0;
}

/* m:check() */
static int segments_check(lua_State *lua)
{
    const char *const broken = ol_segments_check(to_system(lua, 1));
    return broken ? luaL_error(lua, "%s", broken) : 0;
}

/* m:task([cpl]) */
static int segments_task(lua_State *lua)
{
    const struct owner *const owner = to_owner(lua, 1);
    const unsigned cpl = lua_isnoneornil(lua, 2) ? PRIVILEGE : (unsigned)ol_script_number(lua, 2, 0, OL_I286_RPL);
    struct task *const task = lua_newuserdatauv(lua, sizeof *task, 1);
    task->owner = owner;
    if (ol_segments_task(owner->system, cpl, &task->number) != OL_OK)
        luaL_error(lua, "there are %d tasks already", OL_SEGMENTS_TASKS_MAX);
    luaL_setmetatable(lua, TASK);
    lua_pushvalue(lua, 1);
    lua_setiuservalue(lua, -2, 1);
    return 1;
}

/* --- segments -------------------------------------------------------------------------------------------------- */

/* The access byte that the options at index 2 ask for. */
static uint8_t option_access(lua_State *lua)
{
    const unsigned rights = ol_script_rights(lua, 2, ol_script_option_string(lua, 2, "rights", "rw"));
    const unsigned privilege = (unsigned)ol_script_option_number(lua, 2, "privilege", 0, OL_I286_RPL, PRIVILEGE);
    unsigned access = OL_I286_SEGMENT | privilege << OL_I286_DPL_SHIFT;
    if (rights & OL_EXEC) {
        if (rights & OL_WRITE) luaL_error(lua, "rights: no segment is writable and executable on an 80286");
        access |= OL_I286_CODE | (rights & OL_READ ? (unsigned)OL_I286_READABLE : 0);
        if (ol_script_option_bool(lua, 2, "conforming")) access |= OL_I286_CONFORMING;
    } else {
        if (!(rights & OL_READ)) luaL_error(lua, "rights: data is readable on an 80286");
        if (rights & OL_WRITE) access |= OL_I286_WRITABLE;
        if (ol_script_option_bool(lua, 2, "down")) access |= OL_I286_EXPAND_DOWN;
    }
    return (uint8_t)access;
}

static int make(lua_State *lua, struct ol_segments *system, unsigned task)
{
    static const char *const names[] = {"bytes", "rights", "privilege", "conforming", "down", NULL};
    ol_script_known_options(lua, 2, names);
    const uint32_t bytes = (uint32_t)ol_script_option_number(lua, 2, "bytes", 1, OL_I286_SEGMENT_BYTES_MAX, 1);
    uint16_t selector;
    const enum ol_status status = ol_segments_make(system, task, bytes, option_access(lua), &selector);
    if (status == OL_E_NO_ROOM) luaL_error(lua, "the descriptor table is full");
    expect(lua, status, OL_I286_NONE, 0, NULL);
    lua_pushinteger(lua, selector);
    return 1;
}

/* m:segment{...}: in the GDT. */
static int segments_segment(lua_State *lua)
{
    return make(lua, to_system(lua, 1), OL_SEGMENTS_GLOBAL);
}

/* t:segment{...}: in the task's LDT. */
static int task_segment(lua_State *lua)
{
    const struct task *const task = to_task(lua, 1);
    return make(lua, task->owner->system, task->number);
}

static uint16_t to_selector(lua_State *lua, int argument)
{
    return (uint16_t)ol_script_number(lua, argument, 0, UINT16_MAX);
}

/* t:remove(selector) */
static int task_remove(lua_State *lua)
{
    const struct task *const task = to_task(lua, 1);
    if (ol_segments_remove(task->owner->system, task->number, to_selector(lua, 2)) != OL_OK)
        luaL_error(lua, "there is no such segment");
    return 0;
}

/* t:where(selector): the physical address, or nil. */
static int task_where(lua_State *lua)
{
    const struct task *const task = to_task(lua, 1);
    uint32_t physical;
    if (!ol_segments_where(task->owner->system, task->number, to_selector(lua, 2), &physical)) return 0;
    lua_pushinteger(lua, physical);
    return 1;
}

/* --- what a task does ------------------------------------------------------------------------------------------ */

static enum ol_i286_register to_register(lua_State *lua, int argument)
{
    static const char *const names[] = {[OL_I286_ES_REGISTER] = "ES",
                                        [OL_I286_CS_REGISTER] = "CS",
                                        [OL_I286_SS_REGISTER] = "SS",
                                        [OL_I286_DS_REGISTER] = "DS",
                                        NULL};
    return (enum ol_i286_register)luaL_checkoption(lua, argument, NULL, names);
}

/* t:load(register, selector) */
static int task_load(lua_State *lua)
{
    const struct task *const task = to_task(lua, 1);
    const enum ol_i286_register where = to_register(lua, 2);
    struct ol_i286_load load = {0};
    const enum ol_status status =
        ol_segments_load(task->owner->system, task->number, where, to_selector(lua, 3), &load);
    expect(lua, status, load.exception, load.error_code, load.check);
    return 0;
}

static void refer(lua_State *lua, uint32_t bytes, unsigned access, void *to, const void *from)
{
    const struct task *const task = to_task(lua, 1);
    const enum ol_i286_register where = to_register(lua, 2);
    const uint16_t offset = (uint16_t)ol_script_number(lua, 3, 0, UINT16_MAX);
    struct ol_i286_reference reference = {0};
    uint16_t code;
    if (access == OL_EXEC && where != OL_I286_CS_REGISTER) luaL_argerror(lua, 2, "code is fetched by CS");
    const enum ol_status status =
        ol_segments_refer(task->owner->system, task->number, where, offset, bytes, access, to, from, &reference, &code);
    expect(lua, status, reference.exception, code, reference.check);
}

/* t:read(register, offset, bytes) */
static int task_read(lua_State *lua)
{
    const uint32_t bytes = (uint32_t)ol_script_number(lua, 4, 1, OL_I286_SEGMENT_BYTES_MAX);
    luaL_Buffer buffer;
    refer(lua, bytes, OL_READ, luaL_buffinitsize(lua, &buffer, bytes), NULL);
    luaL_pushresultsize(&buffer, bytes);
    return 1;
}

/* t:write(register, offset, string) */
static int task_write(lua_State *lua)
{
    size_t bytes;
    const char *const from = luaL_checklstring(lua, 4, &bytes);
    if (bytes == 0 || bytes > OL_I286_SEGMENT_BYTES_MAX) luaL_argerror(lua, 4, "expected 1 to 65536 bytes");
    refer(lua, (uint32_t)bytes, OL_WRITE, NULL, from);
    return 0;
}

/* t:fetch(offset): an instruction by CS. */
static int task_fetch(lua_State *lua)
{
    lua_pushstring(lua, "CS");
    lua_insert(lua, 2);
    refer(lua, 1, OL_EXEC, NULL, NULL);
    return 0;
}

void ol_script_open_segments(lua_State *lua)
{
    static const luaL_Reg methods[] = {
        {"check", segments_check},
        {"compact", segments_compact},
        {"memory", segments_memory},
        {"segment", segments_segment},
        {"statistics", segments_statistics},
        {"task", segments_task},
        {NULL, NULL},
    };
    static const luaL_Reg task_methods[] = {
        {"fetch", task_fetch},     {"load", task_load},   {"read", task_read},   {"remove", task_remove},
        {"segment", task_segment}, {"where", task_where}, {"write", task_write}, {NULL, NULL},
    };
    ol_script_type(lua, SEGMENTS, methods, segments_collect);
    ol_script_type(lua, TASK, task_methods, NULL);
    lua_register(lua, "segments", segments_new);
}
