#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The stamp checker for 20 s in a quarter of its memory, and shortly in other ways.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"

stamps()
{
    managed "$@"
    [ "$(cat "$folder/status")" = 0 ] || fail "$* $options: $(cat "$folder/out" "$folder/err")"
    [ "$(figure evictions)" -gt 1000 ] || fail "$* $options: hardly anything was evicted"
    echo "$* $options: $(figure faults_major) major faults, $(grep accesses "$folder/err")"
}

stamps 32M "$programs/run_stamps" 20 128
for options in --no-move '--faults protection' '--policy second-chance' '--policy clock' '--swap file' '--swap compressed' '--swap compressed=zstd:3,file --encrypt'; do
    stamps 32M "$programs/run_stamps" 4 64
done
