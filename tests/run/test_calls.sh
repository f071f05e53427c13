#!/bin/sh
# SPDX-License-Identifier: MIT
#
# System calls on evicted buffers, forks, signals, and the calls that manage memory: small programs that check
# themselves, natively and under `onelevel run`; as this user and, for root, as one who may not have kernel faults.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"
mkdir "$folder/files" "$folder/theirs"
chmod 777 "$folder" "$folder/files" "$folder/theirs"

# checked COMMAND...: ends well, natively and managed, with the same output.
checked()
{
    "$@" >"$folder/native" 2>"$folder/native.err" || fail "$* (natively): $(cat "$folder/native.err")"
    managed 4M "$@"
    [ "$(cat "$folder/status")" = 0 ] || fail "$* $options: status $(cat "$folder/status"): $(tail -n 30 "$folder/out" "$folder/err")"
    cmp "$folder/native" "$folder/out" || fail "$* $options: another output"
    echo "$* $options: $(wc -l <"$folder/out") groups"
}

all()
{
    checked "$programs/run_files" "$folder/files"
    checked "$programs/run_sockets"
    checked "$programs/run_forks"
    checked "$programs/run_memory"
    checked "$programs/run_signals"
}

all
options=--no-move
all
options=

[ "$(id -u)" = 0 ] || exit 0
echo 'as an ordinary user:'
copy=$folder/copy # an ordinary user may not be able to reach the build
mkdir "$copy"
cp "$onelevel" "$2/libonelevel-run.so" "$copy"
for name in files sockets forks memory signals; do cp "$programs/run_$name" "$copy"; done
chmod 755 "$copy" "$copy"/*
for name in 'files .' sockets forks memory signals; do
    # shellcheck disable=SC2086
    (cd "$folder/theirs" && setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$copy/onelevel" run --ram 4M --quiet -- "$copy"/run_$name) >"$folder/out" 2>"$folder/err" ||
        fail "$name: $(tail -n 30 "$folder/out" "$folder/err")"
    echo "$name: $(wc -l <"$folder/out") groups"
done
