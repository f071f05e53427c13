/* SPDX-License-Identifier: MIT */
/*
 * What the files of `onelevel script` share: machines and spaces as a script sees them. docs/scripts.md describes what
 * scripts can do; it says of each function what it takes and returns.
 *
 * Conditions that hold for all functions:
 * - What is wrong in a script is told by a Lua error, which names the script's file and line: these functions then do
 *   not return. Nothing that they hold leaks by that: what a script owns is in userdata.
 * - Arguments are numbered as Lua numbers them, from 1; a method's own object is argument 1.
 */
#ifndef OL_CLI_SCRIPT_H
#define OL_CLI_SCRIPT_H

#include <lauxlib.h>
#include <lua.h>

#include "machine/sim/world.h"

#define OL_SCRIPT_MACHINE "machine"
#define OL_SCRIPT_SPACE   "space"
#define OL_SCRIPT_DEVICE  "device"
#define OL_SCRIPT_BLOCK   "block"
#define OL_SCRIPT_DMA     "dma"
#define OL_SCRIPT_PIN     "pin"

enum {
    OL_SCRIPT_BYTES_MAX = 1 << 26, /* that one call may move */
    OL_SCRIPT_TEXT_BYTES = 32,
};

struct ol_script_machine {
    struct ol_world world;
};

struct ol_script_space {
    struct ol_script_machine *machine; /* kept alive by the userdata's user value */
    struct ol_space *space;            /* NULL: destroyed */
};

/* --- script.c -------------------------------------------------------------------------------------------------- */

/* Raises an error for whatever is not OL_OK: "WHAT at ADDRESS: TEXT". */
void ol_script_expect(lua_State *lua, enum ol_status status, const char *what, ol_va va);

/* A type with these methods; `collect` may be NULL. */
void ol_script_type(lua_State *lua, const char *name, const luaL_Reg *methods, lua_CFunction collect);

/* Raises an error if the table at `index` has a key that is none of `names`, which end with NULL. */
void ol_script_known_options(lua_State *lua, int index, const char *const *names);
/* Options of that table: a whole number from low to high, a string, true or false; the last argument if it is not
 * there. */
uint64_t ol_script_option_number(lua_State *lua, int index, const char *name, uint64_t low, uint64_t high,
                                 uint64_t otherwise);
const char *ol_script_option_string(lua_State *lua, int index, const char *name, const char *otherwise);
bool ol_script_option_bool(lua_State *lua, int index, const char *name);

/* An argument: a whole number from low to high. */
uint64_t ol_script_number(lua_State *lua, int argument, uint64_t low, uint64_t high);
/* An argument: any address. */
ol_va ol_script_address(lua_State *lua, int argument);
/* "rwx", each letter at most once and in any order; "" and "-": none. */
unsigned ol_script_rights(lua_State *lua, int argument, const char *text);
/* An argument: "r" (also if there is none), "w" or "x". */
unsigned ol_script_access(lua_State *lua, int argument);

/* --- script_machine.c, script_space.c, script_device.c, script_segments.c: open the types and their functions
 * -------------------------------------- */

void ol_script_open_machine(lua_State *lua);
void ol_script_open_space(lua_State *lua);
void ol_script_open_device(lua_State *lua);
void ol_script_open_segments(lua_State *lua);

struct ol_script_machine *ol_script_to_machine(lua_State *lua, int argument);
/* Raises an error if it was destroyed. */
struct ol_script_space *ol_script_to_space(lua_State *lua, int argument);
/* m:device{...}, m:block(...) and s:pin(...), which the types of their first arguments have. */
int ol_script_device_new(lua_State *lua);
int ol_script_block_new(lua_State *lua);
int ol_script_pin_new(lua_State *lua);
/* Pushes a space of the machine at `machine_index`. */
void ol_script_push_space(lua_State *lua, int machine_index, struct ol_space *space);

#endif
