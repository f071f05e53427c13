#!/bin/sh
# SPDX-License-Identifier: MIT
#
# libonelevel exports what the public headers declare, all of it and nothing else.
# usage: tests/exports.sh LIBRARY HEADER...
set -eu
library=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$(dirname "$0")"/../tools/exports.sh "$@" >"$folder/declared"
nm --dynamic --defined-only "$library" | awk '{ print $NF }' | LC_ALL=C sort >"$folder/exported"
grep -q . "$folder/declared" || { echo "no declaration found in: $*"; exit 1; }
if ! diff "$folder/declared" "$folder/exported"; then
    echo "< is declared in a public header, but not exported (is it defined?)"
    echo "> is exported, but declared in no public header"
    exit 1
fi
