/* SPDX-License-Identifier: MIT */
/* onelevel script, where Lua was not there at build time. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int ol_cmd_script(int argc, char **argv)
{
    static const char missing[] = "this onelevel was built without Lua; install liblua5.4-dev and build it anew";
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        printf("usage: onelevel script FILE.lua [ARGUMENT...]\n\nWould run a scenario in Lua, but %s.\n", missing);
        return OL_EXIT_OK;
    }
    ol_error("script: %s", missing);
    return OL_EXIT_FAILURE;
}
