/* SPDX-License-Identifier: MIT */
/*
 * onelevel script: a scenario in Lua on simulated machines. Scripts have Lua's basic functions and its libraries
 * string, table, math, utf8 and coroutine, and what script_*.c give them; nothing that reads files, the clock or
 * chance, so that a script does the same everywhere.
 */
#include "cli/script.h"

#include <inttypes.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* --- what all types use ---------------------------------------------------------------------------------------- */

void ol_script_expect(lua_State *lua, enum ol_status status, const char *what, ol_va va)
{
    char address[OL_SCRIPT_TEXT_BYTES];
    if (status == OL_OK) return;
    (void)snprintf(address, sizeof address, "0x%" PRIx64, va);
    luaL_error(lua, "%s at %s: %s", what, address, ol_status_text(status));
}

void ol_script_type(lua_State *lua, const char *name, const luaL_Reg *methods, lua_CFunction collect)
{
    luaL_newmetatable(lua, name);
    lua_newtable(lua);
    luaL_setfuncs(lua, methods, 0);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable"); /* scripts do not change it */
    if (collect) {
        lua_pushcfunction(lua, collect);
        lua_setfield(lua, -2, "__gc");
    }
    lua_pop(lua, 1);
}

void ol_script_known_options(lua_State *lua, int index, const char *const *names)
{
    luaL_checktype(lua, index, LUA_TTABLE);
    lua_pushnil(lua);
    while (lua_next(lua, index)) {
        lua_pop(lua, 1); /* the value */
        if (lua_type(lua, -1) != LUA_TSTRING) luaL_error(lua, "options are written NAME = VALUE");
        const char *const name = lua_tostring(lua, -1);
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0) i++;
        if (!names[i]) luaL_error(lua, "there is no option '%s' here; docs/scripts.md lists them", name);
    }
}

/* The value at `index` as a whole number from low to high; else pushes what is wrong with it, and returns false. */
static bool to_number(lua_State *lua, int index, uint64_t low, uint64_t high, uint64_t *out)
{
    char range[2 * OL_SCRIPT_TEXT_BYTES];
    int is_whole;
    const lua_Integer number = lua_tointegerx(lua, index, &is_whole);
    *out = (uint64_t)number;
    if (is_whole && number >= 0 && *out >= low && *out <= high) return true;
    (void)snprintf(range, sizeof range, "%" PRIu64 " to %" PRIu64, low, high);
    lua_pushfstring(lua, "expected a whole number from %s, not %s", range, luaL_tolstring(lua, index, NULL));
    return false;
}

uint64_t ol_script_option_number(lua_State *lua, int index, const char *name, uint64_t low, uint64_t high,
                                 uint64_t otherwise)
{
    uint64_t number = otherwise;
    if (lua_getfield(lua, index, name) != LUA_TNIL && !to_number(lua, lua_gettop(lua), low, high, &number))
        luaL_error(lua, "%s: %s", name, lua_tostring(lua, -1));
    lua_pop(lua, 1);
    return number;
}

const char *ol_script_option_string(lua_State *lua, int index, const char *name, const char *otherwise)
{
    const int type = lua_getfield(lua, index, name);
    if (type != LUA_TNIL && type != LUA_TSTRING) luaL_error(lua, "%s: expected a string", name);
    const char *const text = type == LUA_TNIL ? otherwise : lua_tostring(lua, -1);
    lua_pop(lua, 1); /* the table keeps it */
    return text;
}

bool ol_script_option_bool(lua_State *lua, int index, const char *name)
{
    const int type = lua_getfield(lua, index, name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN) luaL_error(lua, "%s: expected true or false", name);
    const bool value = lua_toboolean(lua, -1);
    lua_pop(lua, 1);
    return value;
}

uint64_t ol_script_number(lua_State *lua, int argument, uint64_t low, uint64_t high)
{
    uint64_t number;
    luaL_checkany(lua, argument);
    if (!to_number(lua, argument, low, high, &number)) luaL_argerror(lua, argument, lua_tostring(lua, -1));
    return number;
}

ol_va ol_script_address(lua_State *lua, int argument)
{
    return (ol_va)luaL_checkinteger(lua, argument);
}

unsigned ol_script_rights(lua_State *lua, int argument, const char *text)
{
    unsigned rights = OL_NONE;
    for (const char *at = strcmp(text, "-") == 0 ? "" : text; *at; at++) {
        const unsigned right = *at == 'r' ? OL_READ : *at == 'w' ? OL_WRITE : *at == 'x' ? OL_EXEC : OL_NONE;
        if (right == OL_NONE || rights & right)
            luaL_argerror(lua, argument, "expected rights as \"rw\", of the letters r, w and x");
        rights |= right;
    }
    return rights;
}

unsigned ol_script_access(lua_State *lua, int argument)
{
    const char *const text = luaL_optstring(lua, argument, "r");
    const unsigned access = ol_script_rights(lua, argument, text);
    if (access != OL_READ && access != OL_WRITE && access != OL_EXEC)
        luaL_argerror(lua, argument, "expected \"r\", \"w\" or \"x\"");
    return access;
}

/* --- assertions ------------------------------------------------------------------------------------------------ */

/* assert(value [, message]): Lua's own, but that the message names the line. */
static int script_assert(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (lua_toboolean(lua, 1)) return lua_gettop(lua);
    return luaL_error(lua, "%s", luaL_optstring(lua, 2, "what was asserted is not so"));
}

/* equal(found, expected [, what]) */
static int script_equal(lua_State *lua)
{
    luaL_checkany(lua, 2);
    if (lua_compare(lua, 1, 2, LUA_OPEQ)) return 0;
    const char *const what = luaL_optstring(lua, 3, "not equal");
    return luaL_error(lua, "%s: found %s, expected %s", what, luaL_tolstring(lua, 1, NULL),
                      luaL_tolstring(lua, 2, NULL));
}

/* fails(text, f, ...): f(...) raises an error in which text is; returns the error's message. */
static int script_fails(lua_State *lua)
{
    const char *const text = luaL_checkstring(lua, 1);
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    if (lua_pcall(lua, lua_gettop(lua) - 2, 0, 0) == LUA_OK)
        return luaL_error(lua, "this was to fail with '%s', and did not", text);
    const char *const message = luaL_tolstring(lua, -1, NULL);
    if (!strstr(message, text)) return luaL_error(lua, "this was to fail with '%s', not with: %s", text, message);
    return 1;
}

/* --- the interpreter ------------------------------------------------------------------------------------------- */

static void open_libraries(lua_State *lua)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},        {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8},  {LUA_COLIBNAME, luaopen_coroutine}};
    static const char *const refused[] = {"dofile", "load", "loadfile"}; /* files, and code that could be binary */
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
        lua_pop(lua, 1);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        lua_pushnil(lua);
        lua_setglobal(lua, refused[i]);
    }
    lua_getglobal(lua, "math");
    lua_getfield(lua, -1, "randomseed"); /* the same numbers every time */
    lua_pushinteger(lua, 1);
    lua_call(lua, 1, 0);
    lua_pop(lua, 1);
    lua_register(lua, "assert", script_assert);
    lua_register(lua, "equal", script_equal);
    lua_register(lua, "fails", script_fails);
    ol_script_open_machine(lua);
    ol_script_open_space(lua);
    ol_script_open_device(lua);
    ol_script_open_segments(lua);
}

/* Whatever was raised, as a string. */
static int to_message(lua_State *lua)
{
    luaL_tolstring(lua, 1, NULL);
    return 1;
}

/* Protected: opens everything, loads the script, calls it with its arguments. */
static int run_protected(lua_State *lua)
{
    const int count = (int)lua_tointeger(lua, 1);
    char **const arguments = lua_touserdata(lua, 2);
    lua_settop(lua, 0);
    luaL_checkstack(lua, count + LUA_MINSTACK, "too many arguments");
    open_libraries(lua);
    if (luaL_loadfilex(lua, arguments[0], "t") != LUA_OK) return lua_error(lua);
    for (int i = 1; i < count; i++) lua_pushstring(lua, arguments[i]);
    lua_call(lua, count - 1, 0);
    return 0;
}

/* arguments[0] is the script. */
static bool run(char **arguments, int count)
{
    lua_State *const lua = luaL_newstate();
    if (!lua) {
        ol_error("script: no memory for Lua");
        return false;
    }
    lua_pushcfunction(lua, to_message);
    lua_pushcfunction(lua, run_protected);
    lua_pushinteger(lua, count);
    lua_pushlightuserdata(lua, (void *)arguments);
    const bool good = lua_pcall(lua, 2, 0, 1) == LUA_OK;
    const bool printed = fflush(stdout) == 0 && !ferror(stdout); /* Lua flushes each line, and looks at no error */
    if (!printed) ol_error("script: what it prints cannot be written");
    if (!good) ol_error("%s", lua_tostring(lua, -1));
    lua_close(lua);
    return good && printed;
}

static void print_help(void)
{
    puts("usage: onelevel script FILE.lua [ARGUMENT...]\n"
         "\n"
         "Runs a scenario: a Lua script that makes simulated machines and address spaces, maps, reads,\n"
         "writes, forks, shares and protects memory, lets devices at it, and asserts what must come of it.\n"
         "The arguments are the script's `...`. The exit status is 0 if it ran to its end; if something was\n"
         "not as asserted, a message names the line, and the exit status is 1.\n"
         "\n"
         "  local m = machine{format = \"amd64\", frames = 4}\n"
         "  local s = m:space()\n"
         "  local at = s:map{pages = 8}\n"
         "  s:write(at, \"hello\")\n"
         "  equal(s:read(at, 5), \"hello\")\n"
         "\n"
         "docs/scripts.md describes all functions; examples/*.lua show them at work.");
}

int ol_cmd_script(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help();
        return OL_EXIT_OK;
    }
    if (argc < 2) {
        ol_error("script: expected a script; `onelevel help script` shows one");
        return OL_EXIT_USAGE;
    }
    if (argv[1][0] == '-') {
        ol_error("script: there is no option %s", argv[1]);
        return OL_EXIT_USAGE;
    }
    return run(argv + 1, argc - 1) ? OL_EXIT_OK : OL_EXIT_FAILURE;
}
