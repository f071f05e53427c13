#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel mrc: its curves are what `onelevel sim --machine ideal` counts, size by size; and what it says to bad input.
# usage: tests/cli/test_mrc.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
trace=$(cd "$(dirname "$0")/../data" && pwd)/true.lackey.zst
. "$(dirname "$0")/expect.sh"

faults()
{
    "$onelevel" sim --machine ideal --policy "$1" --frames "$2" --json "$trace" |
        sed -n 's/.*"faults": \([0-9]*\).*/\1/p'
}

for policy in lru opt s3-fifo; do
    expect 0 mrc --policy "$policy" --sizes 100,7,40 "$trace"
    silent err
    [ "$(sed -n '2,$s/,[0-9.]*$//p' "$folder/out" | tr '\n' ' ')" = \
        "7,$(faults "$policy" 7) 40,$(faults "$policy" 40) 100,$(faults "$policy" 100) " ] ||
        { echo "$printed differs from sim:"; cat "$folder/out"; exit 1; }
done

expect 0 mrc --json "$trace"
/usr/bin/python3 - "$folder/out" <<'PYTHON'
import json, sys
curve = json.load(open(sys.argv[1]))
points = curve["curve"]
assert curve["policy"] == "lru" and points[0]["frames"] == 1
assert all(a["faults"] > b["faults"] for a, b in zip(points, points[1:]))
assert points[-1]["faults"] == curve["distinct_pages"] >= points[-1]["frames"]
PYTHON

# The whole as a sample is exact.
expect 0 mrc "$trace"
awk -F, 'NR > 1 { print $1, $3 }' "$folder/out" >"$folder/exact"
expect 0 mrc --sample 1 "$trace"
awk -F, 'NR == FNR { split($0, part, " "); exact[part[1]] = part[2]; next }
    FNR > 1 && $1 in exact && exact[$1] != $2 { print "differs at " $1; bad = 1 } END { exit bad }' \
    "$folder/exact" "$folder/out"
expect 0 mrc --sample 0.3 --json "$trace"
says out '"sampled_pages"'

expect 2 mrc
says err 'expected one TRACE'
expect 2 mrc --sizes 3,x "$trace"
says err '--sizes 3,x: expected'
expect 2 mrc --sample 2 "$trace"
says err 'expected a rate'
expect 2 mrc --sample 0.1 --policy opt "$trace"
says err '--sample is for LRU'
expect 2 mrc --policy lucky "$trace"
says err "there is no policy 'lucky'"
expect 1 mrc --policy fifo:depth=3 "$trace"
says err 'fifo takes no parameters'
expect 1 mrc missing
says err 'missing: cannot be opened'
: >"$folder/empty"
expect 1 mrc "$folder/empty"
says err 'the trace holds no references'
