#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Exit statuses, deaths by signals, signals that are passed on, and the budget as the kernel counts it.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"

for status in 0 1 3 77 125 255; do
    managed 2M "$programs/run_signals" exit $status
    [ "$(cat "$folder/status")" = $status ] || fail "exit status $(cat "$folder/status"), not $status"
done

for way in $("$programs/run_signals" die list 2>/dev/null || true); do
    wanted=0
    (ulimit -c 0; exec "$programs/run_signals" die "$way") >/dev/null 2>&1 || wanted=$?
    managed 2M "$programs/run_signals" die "$way"
    [ "$(cat "$folder/status")" = $wanted ] || fail "die $way: status $(cat "$folder/status"), natively $wanted"
    options='--faults protection'
    managed 2M "$programs/run_signals" die "$way"
    [ "$(cat "$folder/status")" = $wanted ] ||
        fail "die $way $options: status $(cat "$folder/status"), natively $wanted"
    options=
    echo "die $way: $wanted"
done

"$onelevel" run --ram 2M --quiet -- "$programs/run_signals" wait >"$folder/out" &
command=$!
until grep -q ready "$folder/out"; do sleep 0.1; done
kill -USR1 $command
sleep 0.3
kill -TERM $command
status=0
wait $command || status=$?
[ $status = 7 ] || fail "signals to the command: status $status: $(cat "$folder/out")"

# RssAnon while a program works on four times its budget, less what it takes with a region of nothing.
resident()
{
    "$onelevel" run --ram 32M --quiet -- "$programs/run_stamps" 4 "$1" >"$folder/out" 2>&1 &
    command=$!
    most=0
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        sleep 0.25
        child=$(pgrep -P $command || true)
        now=$(awk '/RssAnon/ { print $2 }' "/proc/$child/status" 2>/dev/null || echo 0)
        [ "${now:-0}" -le $most ] || most=$now
    done
    wait $command || fail "stamps: $(cat "$folder/out")"
}
resident 1
little=$most
resident 128
[ $most -gt 16384 ] || fail "only $most KiB resident: nothing was measured"
# What a region of 1 MiB takes is unmanaged memory and 3 MiB of managed memory at most.
limit=$((32 * 1024 + little + 656))
[ $most -le $limit ] || fail "$most KiB resident, $limit KiB allowed"
echo "32 MiB: $most KiB resident, $little KiB with next to nothing"
