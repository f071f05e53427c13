#!/bin/sh
# SPDX-License-Identifier: MIT
#
# System calls on evicted buffers, forks, signals, and the calls that manage memory: small programs that check
# themselves, natively and under `onelevel run`. A column of the matrix a run.
set -eu
. "$(dirname "$0")/common.sh" "$@"

# checked COMMAND...: ends well, natively and managed, with the same output.
checked()
{
    $as "$@" >"$folder/native" 2>"$folder/native.err" || fail "$* (natively): $(cat "$folder/native.err")"
    managed 2M "$@"
    [ "$(cat "$folder/status")" = 0 ] || fail "$*: status $(cat "$folder/status"): $(tail -n 30 "$folder/out" "$folder/err")"
    cmp "$folder/native" "$folder/out" || fail "$*: another output"
    echo "$*: $(wc -l <"$folder/out") groups"
}

cd "$folder/theirs"
checked "$programs/run_files" .
checked "$programs/run_sockets"
checked "$programs/run_forks"
checked "$programs/run_memory"
checked "$programs/run_standard"
checked "$programs/run_pointers"
checked "$programs/run_reserved"
checked "$programs/run_signals"
checked "$programs/run_stacks"
