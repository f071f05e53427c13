/* SPDX-License-Identifier: MIT */
/* Devices, pinned pages and buffers for devices in scripts. */
#include <string.h>

#include "cli/script.h"
#include "machine/sim/dma.h"

/* What devices, pins and maps have in common: the world owns them. */
struct owned {
    const struct ol_script_machine *machine; /* kept alive by the userdata's user value */
    void *object;                            /* NULL: given back */
};

/* Pushes an object of the machine of the object at `index`, whose user value the machine is, or which is the machine.
 */
static struct owned *push_owned(lua_State *lua, int index, const struct ol_script_machine *machine, const char *type)
{
    if (luaL_testudata(lua, index, OL_SCRIPT_MACHINE)) lua_pushvalue(lua, index);
    else lua_getiuservalue(lua, index, 1);
    struct owned *const owned = lua_newuserdatauv(lua, sizeof *owned, 1);
    *owned = (struct owned){.machine = machine};
    luaL_setmetatable(lua, type);
    lua_insert(lua, -2);
    lua_setiuservalue(lua, -2, 1);
    return owned;
}

static struct owned *to_owned(lua_State *lua, int argument, const char *type)
{
    struct owned *const owned = luaL_checkudata(lua, argument, type);
    if (!owned->object || !owned->machine->world.system) luaL_argerror(lua, argument, "it was given back");
    return owned;
}

static struct ol_device *to_device(lua_State *lua, int argument)
{
    return to_owned(lua, argument, OL_SCRIPT_DEVICE)->object;
}

/* --- devices --------------------------------------------------------------------------------------------------- */

int ol_script_device_new(lua_State *lua)
{
    static const char *const names[] = {"segments", "last", "iommu", NULL};
    struct ol_script_machine *const machine = ol_script_to_machine(lua, 1);
    lua_settop(lua, 2);
    if (lua_isnil(lua, 2)) {
        lua_newtable(lua);
        lua_replace(lua, 2);
    }
    ol_script_known_options(lua, 2, names);
    const struct ol_device_options options = {
        .last_address = ol_script_option_number(lua, 2, "last", 0, INT64_MAX, INT64_MAX),
        .segments_max = (uint32_t)ol_script_option_number(lua, 2, "segments", 1, UINT16_MAX, 1),
        .iommu = ol_script_option_bool(lua, 2, "iommu"),
    };
    struct owned *const owned = push_owned(lua, 1, machine, OL_SCRIPT_DEVICE);
    struct ol_device *device;
    const enum ol_status status = ol_device_create(&machine->world, &options, &device);
    if (status != OL_OK) luaL_error(lua, "device: %s", ol_status_text(status));
    owned->object = device;
    return 1;
}

/* The segments of the table {{address, bytes}, ...} at index 2, as a userdata on top. */
static struct ol_dma_segment *check_segments(lua_State *lua, uint32_t *count)
{
    luaL_checktype(lua, 2, LUA_TTABLE);
    *count = (uint32_t)luaL_len(lua, 2);
    if (*count > UINT16_MAX) luaL_argerror(lua, 2, "too many segments");
    struct ol_dma_segment *const segments = lua_newuserdatauv(lua, (*count + 1) * sizeof *segments, 0);
    for (uint32_t i = 0; i < *count; i++) {
        if (lua_geti(lua, 2, i + 1) != LUA_TTABLE) luaL_argerror(lua, 2, "expected {{ADDRESS, BYTES}, ...}");
        lua_geti(lua, -1, 1);
        lua_geti(lua, -2, 2);
        int is_address, is_count;
        segments[i].address = (uint64_t)lua_tointegerx(lua, -2, &is_address);
        segments[i].bytes = (uint64_t)lua_tointegerx(lua, -1, &is_count);
        if (!is_address || !is_count || segments[i].bytes > OL_SCRIPT_BYTES_MAX)
            luaL_argerror(lua, 2, "expected {{ADDRESS, BYTES}, ...} of whole numbers, none of them too large");
        lua_pop(lua, 3);
    }
    return segments;
}

/* Argument 2: the map of a buffer, or a list of segments. */
static const struct ol_dma_segment *to_segments(lua_State *lua, uint32_t *count)
{
    if (luaL_testudata(lua, 2, OL_SCRIPT_DMA)) return ol_dma_segments(to_owned(lua, 2, OL_SCRIPT_DMA)->object, count);
    return check_segments(lua, count);
}

static int start(lua_State *lua, enum ol_dma_direction direction)
{
    struct ol_device *const device = to_device(lua, 1);
    uint32_t count;
    const struct ol_dma_segment *const segments = to_segments(lua, &count);
    uint64_t wanted = 0;
    size_t bytes = 0;
    const char *const data = direction == OL_DMA_TO_MEMORY ? luaL_checklstring(lua, 3, &bytes) : NULL;
    for (uint32_t i = 0; i < count; i++) wanted += segments[i].bytes;
    if (wanted > OL_SCRIPT_BYTES_MAX) luaL_argerror(lua, 2, "too many bytes");
    if (data && bytes != wanted) luaL_argerror(lua, 3, "it is not as long as the segments together");
    const enum ol_status status = ol_device_start(device, direction, segments, count, data);
    if (status != OL_OK) luaL_error(lua, "the device refuses its program: %s", ol_status_text(status));
    return 0;
}

/* d:receive(segments, string): the device is to write the string to memory. */
static int device_receive(lua_State *lua)
{
    return start(lua, OL_DMA_TO_MEMORY);
}

/* d:send(segments): the device is to read memory. */
static int device_send(lua_State *lua)
{
    return start(lua, OL_DMA_FROM_MEMORY);
}

/* d:run([bytes]): lets it work; returns how many bytes are left. */
static int device_run(lua_State *lua)
{
    struct ol_device *const device = to_device(lua, 1);
    const uint64_t bytes = lua_isnoneornil(lua, 2) ? UINT64_MAX : ol_script_number(lua, 2, 1, INT64_MAX);
    uint64_t left;
    const enum ol_status status = ol_device_run(device, bytes, &left);
    if (status == OL_E_NO_REGION) luaL_error(lua, "the device met an address that leads nowhere");
    if (status != OL_OK) luaL_error(lua, "the IOMMU forbids the device's access");
    lua_pushinteger(lua, (lua_Integer)left);
    return 1;
}

/* d:data(): what the last transfer from memory has read. */
static int device_data(lua_State *lua)
{
    uint64_t bytes;
    const char *const data = ol_device_data(to_device(lua, 1), &bytes);
    lua_pushlstring(lua, data ? data : "", (size_t)bytes);
    return 1;
}

/* d:statistics() */
static int device_statistics(lua_State *lua)
{
    struct ol_device_counters counters;
    ol_device_get_counters(to_device(lua, 1), &counters);
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"transfers", counters.transfers},
                  {"bytes", counters.bytes},
                  {"faults", counters.faults},
                  {"bounced", counters.bounced},
                  {"translations", counters.translations}};
    lua_newtable(lua);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        lua_pushinteger(lua, (lua_Integer)fields[i].value);
        lua_setfield(lua, -2, fields[i].name);
    }
    return 1;
}

/* --- buffers --------------------------------------------------------------------------------------------------- */

/* d:map(space, address, bytes, "receive" | "send" [, {pinned = true}]): the buffer as the device sees it. */
static int device_map(lua_State *lua)
{
    static const char *const directions[] = {[OL_DMA_TO_MEMORY] = "receive", [OL_DMA_FROM_MEMORY] = "send", NULL};
    static const char *const names[] = {"pinned", NULL};
    struct ol_device *const device = to_device(lua, 1);
    const struct ol_script_space *const space = ol_script_to_space(lua, 2);
    const ol_va va = ol_script_address(lua, 3);
    const uint64_t bytes = ol_script_number(lua, 4, 1, OL_SCRIPT_BYTES_MAX);
    const enum ol_dma_direction direction = (enum ol_dma_direction)luaL_checkoption(lua, 5, NULL, directions);
    unsigned flags = 0;
    if (!lua_isnoneornil(lua, 6)) {
        ol_script_known_options(lua, 6, names);
        if (lua_getfield(lua, 6, "pinned") == LUA_TBOOLEAN && !lua_toboolean(lua, -1)) flags = OL_DMA_UNPINNED;
    }
    if (&space->machine->world != device->world) luaL_error(lua, "map: the space is of another machine");
    struct owned *const owned = push_owned(lua, 1, space->machine, OL_SCRIPT_DMA);
    struct ol_dma *dma;
    ol_script_expect(lua, ol_dma_map(device, space->space, va, bytes, direction, flags, &dma), "map", va);
    owned->object = dma;
    return 1;
}

/* dma:kind(): "iommu", "list" or "bounce". */
static int dma_kind(lua_State *lua)
{
    static const char *const names[] = {[OL_DMA_IOMMU] = "iommu", [OL_DMA_LIST] = "list", [OL_DMA_BOUNCE] = "bounce"};
    lua_pushstring(lua, names[ol_dma_kind(to_owned(lua, 1, OL_SCRIPT_DMA)->object)]);
    return 1;
}

/* dma:segments(): {{address, bytes}, ...}. */
static int dma_segments(lua_State *lua)
{
    uint32_t count;
    const struct ol_dma_segment *const segments = ol_dma_segments(to_owned(lua, 1, OL_SCRIPT_DMA)->object, &count);
    lua_createtable(lua, (int)count, 0);
    for (uint32_t i = 0; i < count; i++) {
        lua_createtable(lua, 2, 0);
        lua_pushinteger(lua, (lua_Integer)segments[i].address);
        lua_seti(lua, -2, 1);
        lua_pushinteger(lua, (lua_Integer)segments[i].bytes);
        lua_seti(lua, -2, 2);
        lua_seti(lua, -2, i + 1);
    }
    return 1;
}

/* dma:unmap() */
static int dma_unmap(lua_State *lua)
{
    struct owned *const owned = to_owned(lua, 1, OL_SCRIPT_DMA);
    const enum ol_status status = ol_dma_unmap(owned->object);
    if (status == OL_E_BUSY) luaL_error(lua, "unmap: the device is still at work");
    owned->object = NULL;
    if (status != OL_OK) luaL_error(lua, "unmap: the bounce buffer cannot be copied: %s", ol_status_text(status));
    return 0;
}

/* --- pins ------------------------------------------------------------------------------------------------------ */

int ol_script_pin_new(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    const ol_va va = ol_script_address(lua, 2);
    const uint64_t pages = ol_script_number(lua, 3, 1, INT64_MAX);
    const unsigned access = ol_script_access(lua, 4);
    struct owned *const owned = push_owned(lua, 1, space->machine, OL_SCRIPT_PIN);
    struct ol_pin *pin;
    ol_script_expect(lua, ol_pin_take(&space->machine->world, space->space, va, pages, access, &pin), "pin", va);
    owned->object = pin;
    return 1;
}

/* pin:release() */
static int pin_release(lua_State *lua)
{
    struct owned *const owned = to_owned(lua, 1, OL_SCRIPT_PIN);
    ol_pin_release(owned->object);
    owned->object = NULL;
    return 0;
}

/* --- blocks of frames ------------------------------------------------------------------------------------------ */

/* Neighbouring frames that the core gave away. */
struct block {
    struct owned head; /* its object: the system */
    ol_frame_no first;
    unsigned order;
};

/* m:block(order [, limit]): 2^order neighbouring frames, all below frame `limit`. */
int ol_script_block_new(lua_State *lua)
{
    const struct ol_script_machine *const machine = ol_script_to_machine(lua, 1);
    struct ol_system *const system = machine->world.system;
    const unsigned order = (unsigned)ol_script_number(lua, 2, 0, OL_BLOCK_ORDERS - 1);
    const ol_frame_no limit =
        lua_isnoneornil(lua, 3) ? OL_NO_FRAME : (ol_frame_no)ol_script_number(lua, 3, 0, machine->world.frames);
    struct block *const block = lua_newuserdatauv(lua, sizeof *block, 1);
    *block = (struct block){.head = {.machine = machine}, .order = order};
    luaL_setmetatable(lua, OL_SCRIPT_BLOCK);
    lua_pushvalue(lua, 1);
    lua_setiuservalue(lua, -2, 1);
    const enum ol_status status = ol_block_take(system, order, limit, &block->first);
    if (status == OL_E_UNSUPPORTED) luaL_error(lua, "block: all frames are alike; the machine wants buddies = true");
    if (status != OL_OK) luaL_error(lua, "block: no %d neighbouring frames can be had", 1 << order);
    block->head.object = system;
    return 1;
}

/* block:physical(): the address of the first byte. */
static int block_physical(lua_State *lua)
{
    const struct block *const block = (const struct block *)to_owned(lua, 1, OL_SCRIPT_BLOCK);
    lua_pushinteger(lua, (lua_Integer)block->first << block->head.machine->world.sim->format->is.page_shift);
    return 1;
}

/* block:give() */
static int block_give(lua_State *lua)
{
    struct block *const block = (struct block *)to_owned(lua, 1, OL_SCRIPT_BLOCK);
    ol_block_give(block->head.object, block->first, block->order);
    block->head.object = NULL;
    return 0;
}

void ol_script_open_device(lua_State *lua)
{
    static const luaL_Reg device_methods[] = {
        {"data", device_data}, {"map", device_map},   {"receive", device_receive},
        {"run", device_run},   {"send", device_send}, {"statistics", device_statistics},
        {NULL, NULL},
    };
    static const luaL_Reg dma_methods[] = {
        {"kind", dma_kind},
        {"segments", dma_segments},
        {"unmap", dma_unmap},
        {NULL, NULL},
    };
    static const luaL_Reg pin_methods[] = {
        {"release", pin_release},
        {NULL, NULL},
    };
    static const luaL_Reg block_methods[] = {
        {"give", block_give},
        {"physical", block_physical},
        {NULL, NULL},
    };
    ol_script_type(lua, OL_SCRIPT_BLOCK, block_methods, NULL);
    ol_script_type(lua, OL_SCRIPT_DEVICE, device_methods, NULL);
    ol_script_type(lua, OL_SCRIPT_DMA, dma_methods, NULL);
    ol_script_type(lua, OL_SCRIPT_PIN, pin_methods, NULL);
}
