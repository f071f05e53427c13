/* SPDX-License-Identifier: MIT */
/* Address spaces in scripts. */
#include "cli/script.h"

#include "machine/sim/dma.h"

struct ol_script_space *ol_script_to_space(lua_State *lua, int argument)
{
    struct ol_script_space *const space = luaL_checkudata(lua, argument, OL_SCRIPT_SPACE);
    if (!space->space || !space->machine->world.system) luaL_argerror(lua, argument, "the space was destroyed");
    return space;
}

void ol_script_push_space(lua_State *lua, int machine_index, struct ol_space *space)
{
    struct ol_script_machine *const machine = ol_script_to_machine(lua, machine_index);
    lua_pushvalue(lua, machine_index);
    struct ol_script_space *const object = lua_newuserdatauv(lua, sizeof *object, 1);
    *object = (struct ol_script_space){.machine = machine, .space = space};
    luaL_setmetatable(lua, OL_SCRIPT_SPACE);
    lua_insert(lua, -2);
    lua_setiuservalue(lua, -2, 1); /* the machine lives as long as the space is known */
}

/* Raises an error if a device may have pages of the range. */
static void refuse_pinned(lua_State *lua, const struct ol_script_space *space, ol_va va, uint64_t pages,
                          const char *what)
{
    if (ol_pin_overlaps(&space->machine->world, space->space, va, pages)) ol_script_expect(lua, OL_E_BUSY, what, va);
}

/* The same for all of the space. */
static void refuse_any_pinned(lua_State *lua, const struct ol_script_space *space, const char *what)
{
    const struct ol_capabilities *const is = &space->machine->world.sim->format->is;
    refuse_pinned(lua, space, is->first_va, ((is->last_va - is->first_va) >> is->page_shift) + 1, what);
}

/* --- regions --------------------------------------------------------------------------------------------------- */

/* Where and how a region is to be: the options of map and share. */
struct place {
    ol_va at;
    unsigned rights, flags;
};

static struct place option_place(lua_State *lua, int index)
{
    struct place place = {.flags = ol_script_option_bool(lua, index, "shared") ? OL_MAP_SHARED : 0};
    if (lua_getfield(lua, index, "at") != LUA_TNIL) {
        place.at = ol_script_address(lua, -1);
        place.flags |= OL_MAP_FIXED;
        if (ol_script_option_bool(lua, index, "replace")) place.flags |= OL_MAP_REPLACE;
    }
    lua_pop(lua, 1);
    place.rights = ol_script_rights(lua, index, ol_script_option_string(lua, index, "rights", "rw"));
    return place;
}

/* s:map{pages = N [, at = ADDRESS [, replace = true]] [, rights = "rw"] [, shared = true] [, large = true]}: the
 * address. */
static int space_map(lua_State *lua)
{
    static const char *const names[] = {"pages", "at", "replace", "rights", "shared", "large", NULL};
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    ol_script_known_options(lua, 2, names);
    const uint64_t pages = ol_script_option_number(lua, 2, "pages", 1, INT64_MAX, 1);
    struct place place = option_place(lua, 2);
    if (ol_script_option_bool(lua, 2, "large")) place.flags |= OL_MAP_LARGE;
    if (place.flags & OL_MAP_REPLACE) refuse_pinned(lua, space, place.at, pages, "map");
    ol_va at;
    const enum ol_status status = ol_region_map(space->space, place.at, pages, place.rights, place.flags, &at);
    ol_script_expect(lua, status, "map", place.at);
    lua_pushinteger(lua, (lua_Integer)at);
    return 1;
}

/* s:share(from, address, pages [, {at =, replace =, rights =}]): the address in s. */
static int space_share(lua_State *lua)
{
    static const char *const names[] = {"at", "replace", "rights", NULL};
    const struct ol_script_space *const space = ol_script_to_space(lua, 1), *const from = ol_script_to_space(lua, 2);
    const ol_va va = ol_script_address(lua, 3);
    const uint64_t pages = ol_script_number(lua, 4, 1, INT64_MAX);
    if (lua_gettop(lua) < 5) lua_newtable(lua);
    ol_script_known_options(lua, 5, names);
    const struct place place = option_place(lua, 5);
    if (from->machine != space->machine) luaL_error(lua, "share: the two spaces are of different machines");
    if (place.flags & OL_MAP_REPLACE) refuse_pinned(lua, space, place.at, pages, "share");
    ol_va at;
    const enum ol_status status =
        ol_region_share(from->space, va, pages, space->space, place.at, place.rights, place.flags, &at);
    ol_script_expect(lua, status, "share", va);
    lua_pushinteger(lua, (lua_Integer)at);
    return 1;
}

/* A function of the core for a range of pages. */
static int on_range(lua_State *lua, const char *what,
                    enum ol_status (*function)(struct ol_space *space, ol_va va, uint64_t pages))
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    const ol_va va = ol_script_address(lua, 2);
    const uint64_t pages = ol_script_number(lua, 3, 1, INT64_MAX);
    refuse_pinned(lua, space, va, pages, what);
    ol_script_expect(lua, function(space->space, va, pages), what, va);
    return 0;
}

/* s:unmap(address, pages) */
static int space_unmap(lua_State *lua)
{
    return on_range(lua, "unmap", ol_region_unmap);
}

/* s:discard(address, pages) */
static int space_discard(lua_State *lua)
{
    return on_range(lua, "discard", ol_space_discard);
}

/* s:protect(address, pages, rights) */
static int space_protect(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    const ol_va va = ol_script_address(lua, 2);
    const uint64_t pages = ol_script_number(lua, 3, 1, INT64_MAX);
    const unsigned rights = ol_script_rights(lua, 4, luaL_checkstring(lua, 4));
    ol_script_expect(lua, ol_region_protect(space->space, va, pages, rights), "protect", va);
    return 0;
}

/* s:fork(): a copy, the pages shared until one of the two writes. */
static int space_fork(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    struct ol_space *child;
    refuse_any_pinned(lua, space, "fork");
    const enum ol_status status = ol_space_fork(space->space, &child);
    if (status != OL_OK) luaL_error(lua, "fork: %s", ol_status_text(status));
    lua_getiuservalue(lua, 1, 1);
    ol_script_push_space(lua, lua_gettop(lua), child);
    return 1;
}

/* s:destroy() */
static int space_destroy(lua_State *lua)
{
    struct ol_script_space *const space = ol_script_to_space(lua, 1);
    refuse_any_pinned(lua, space, "destroy");
    ol_space_destroy(space->space);
    space->space = NULL;
    return 0;
}

/* --- references ------------------------------------------------------------------------------------------------ */

/* s:read(address, bytes): a string. */
static int space_read(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    const ol_va va = ol_script_address(lua, 2);
    const size_t bytes = (size_t)ol_script_number(lua, 3, 1, OL_SCRIPT_BYTES_MAX);
    luaL_Buffer buffer;
    char *const to = luaL_buffinitsize(lua, &buffer, bytes);
    ol_script_expect(lua, ol_sim_read(space->machine->world.sim, space->space, va, to, bytes), "read", va);
    luaL_pushresultsize(&buffer, bytes);
    return 1;
}

/* s:write(address, string) */
static int space_write(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    const ol_va va = ol_script_address(lua, 2);
    size_t bytes;
    const char *const from = luaL_checklstring(lua, 3, &bytes);
    ol_script_expect(lua, ol_sim_write(space->machine->world.sim, space->space, va, from, bytes), "write", va);
    return 0;
}

/* s:touch(address [, "r" | "w" | "x"]): one reference. */
static int space_touch(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    const ol_va va = ol_script_address(lua, 2);
    const unsigned access = ol_script_access(lua, 3);
    ol_script_expect(lua, ol_sim_access(space->machine->world.sim, space->space, va, access), "touch", va);
    return 0;
}

/* --- where pages are ------------------------------------------------------------------------------------------- */

/* s:where(address): "absent", "resident" or "swapped". */
static int space_where(lua_State *lua)
{
    static const char *const names[] = {[OL_ABSENT] = "absent", [OL_RESIDENT] = "resident", [OL_SWAPPED] = "swapped"};
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    lua_pushstring(lua, names[ol_page_residence(space->space, ol_script_address(lua, 2))]);
    return 1;
}

/* s:physical(address): the physical address, or nil if the page is not mapped now. */
static int space_physical(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    uint64_t physical;
    if (!ol_world_physical(&space->machine->world, space->space, ol_script_address(lua, 2), &physical)) return 0;
    lua_pushinteger(lua, (lua_Integer)physical);
    return 1;
}

/* s:frame(address): the frame, or nil if the page is not mapped now. */
static int space_frame(lua_State *lua)
{
    const struct ol_script_space *const space = ol_script_to_space(lua, 1);
    if (space_physical(lua) == 0) return 0;
    lua_pushinteger(lua, lua_tointeger(lua, -1) >> space->machine->world.sim->format->is.page_shift);
    return 1;
}

/* s:mapped_pages() */
static int space_mapped_pages(lua_State *lua)
{
    lua_pushinteger(lua, (lua_Integer)ol_space_mapped_pages(ol_script_to_space(lua, 1)->space));
    return 1;
}

void ol_script_open_space(lua_State *lua)
{
    static const luaL_Reg methods[] = {
        {"destroy", space_destroy},   {"discard", space_discard},
        {"fork", space_fork},         {"frame", space_frame},
        {"map", space_map},           {"mapped_pages", space_mapped_pages},
        {"physical", space_physical}, {"pin", ol_script_pin_new},
        {"protect", space_protect},   {"read", space_read},
        {"share", space_share},       {"touch", space_touch},
        {"unmap", space_unmap},       {"where", space_where},
        {"write", space_write},       {NULL, NULL},
    };
    ol_script_type(lua, OL_SCRIPT_SPACE, methods, NULL);
}
