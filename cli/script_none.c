/* SPDX-License-Identifier: MIT */
/* onelevel script, where Lua was not there at build time. */
#include "cli/cli.h"

int ol_cmd_script(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    ol_error("script: this onelevel was built without Lua; install liblua5.4-dev and build it anew");
    return OL_EXIT_FAILURE;
}
