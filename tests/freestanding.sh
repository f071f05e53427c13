#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The core and the policies stand on their own: they include only core/, the core's public header and the headers that
# come with the compiler, and linked together they want nothing but four functions on memory.
# usage: tests/freestanding.sh COMPILER...
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

allowed='"core/[a-z_]+\.h"|[<"]onelevel/core\.h[>"]|<(stdint|stddef|stdbool|stdalign|stdatomic|limits)\.h>'
if grep -nE '^[[:space:]]*#[[:space:]]*include' core/*.[ch] policy/*.c include/onelevel/core.h |
    grep -vE "include[[:space:]]+($allowed)"; then
    echo "these includes reach outside the core; allowed are: $allowed"
    failed=1
fi

# Of the headers in <>, only the compiler's own are within reach, none of a C library.
# No position-independent code and no stack protector: both bring symbols of the system's, not of the core's.
own_headers=$("$@" -print-file-name=include)
for source in core/*.c policy/*.c; do
    "$@" -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -ffreestanding -fno-pic -fno-stack-protector -nostdinc \
        -isystem "$own_headers" -I. -Iinclude -c "$source" -o "$folder/$(echo "$source" | tr / -).o" || failed=1
done
[ "$failed" = 0 ] || exit 1

"$@" -nostdlib -no-pie -Wl,-r -o "$folder/core.o" "$folder"/*.o
wanted=$(nm --undefined-only "$folder/core.o" | awk '{ print $NF }' | grep -vxE 'memcpy|memmove|memset|memcmp' || true)
if [ -n "$wanted" ]; then
    echo "the core wants symbols from outside:"
    echo "$wanted"
    exit 1
fi
