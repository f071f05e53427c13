#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Names the functions and variables that headers declare, one a line, sorted.
# usage: tools/exports.sh HEADER...
# With --map, as a linker version script that exports them and hides all else.
set -eu
LC_ALL=C
export LC_ALL

declared()
{
    # A declaration starts at the left margin, its name in its first line; the format check sees to that.
    awk '
        /^extern "C"/ || /^static / { next }
        /^extern / {
            gsub(/(struct|enum) +ol_[a-z_]+/, "")
            while (match($0, /ol_[a-z0-9_]+/)) {
                print substr($0, RSTART, RLENGTH)
                $0 = substr($0, RSTART + RLENGTH)
            }
        }
        /^[a-z]/ && match($0, /ol_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1) }
    ' "$@" | sort
}

if [ "$1" = --map ]; then
    shift
    printf '{\nglobal:\n'
    declared "$@" | sed 's/.*/    &;/'
    printf 'local:\n    *;\n};\n'
else
    declared "$@"
fi
