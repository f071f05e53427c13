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

# Sizes that nobody gave end at the pages of the trace; each is what the simulation counts.
expect 0 mrc --policy sieve "$trace"
pages=$(tail -n 1 "$folder/out" | cut -d , -f 1)
[ "$(tail -n 1 "$folder/out")" = "$pages,$pages,$(tail -n 1 "$folder/out" | cut -d , -f 3)" ] ||
    { echo "the last size is not all pages:"; cat "$folder/out"; exit 1; }
for size in 6 24 96; do
    grep -q "^$size,$(faults sieve "$size")," "$folder/out" || { echo "sieve differs from sim at $size"; exit 1; }
done

# Other curves, against what awk counts on the list of pages.
"$onelevel" trace convert --to pages -o "$folder/pages" "$trace"
expect 0 mrc --curve working-set --windows 1,50,3000 "$folder/pages"
cp "$folder/out" "$folder/working-set"
expect 0 mrc --curve reuse --windows 1,50,3000 "$folder/pages"
cp "$folder/out" "$folder/reuse"
awk -F, 'FILENAME ~ /pages$/ {
        page = "p" $1 # else awk takes 5e2 for 500
        time = NR - last[page]
        if (!first[page]++) all++
        else for (i = 1; i <= 3; i++) {
            if (time <= window[i]) { reuses[i]++; break }
            if (i == 3) above++
        }
        last[page] = NR
    }
    BEGIN { window[1] = 1; window[2] = 50; window[3] = 3000 }
    FILENAME ~ /reuse$/ && FNR > 1 && $2 != reuses[FNR - 1] { print "reuse times differ: " $0; bad = 1 }
    FILENAME ~ /working-set$/ && FNR > 1 {
        misses = all + above
        for (i = FNR; i <= 3; i++) misses += reuses[i]
        if ($3 != misses) { print "working-set misses differ: " $0, misses; bad = 1 }
    }
    END { exit bad }' "$folder/pages" "$folder/reuse" "$folder/working-set"
expect 0 mrc --curve footprint --json "$folder/pages"
/usr/bin/python3 - "$folder/out" <<'PYTHON'
import json, sys
curve = json.load(open(sys.argv[1]))
points = curve["curve"]
assert points[0]["window"] == 1 and points[0]["mean_pages"] == 1.0
assert all(a["mean_pages"] < b["mean_pages"] for a, b in zip(points, points[1:]))
assert points[-1]["mean_pages"] <= curve["distinct_pages"] and points[-1]["window"] <= curve["references"]
PYTHON
expect 0 mrc --text "$trace"
says out distinct_pages
[ "$(wc -l <"$folder/out")" -le 60 ] || { echo "the text is long:"; cat "$folder/out"; exit 1; }

# A sample of as many pages as there are is exact, too.
expect 0 mrc --sizes 5,9,33,120 "$trace"
awk -F, 'NR > 1 { print $1, $3 }' "$folder/out" >"$folder/exact"
expect 0 mrc --sample-pages 5000 "$trace"
awk -F, 'NR == FNR { split($0, part, " "); exact[part[1]] = part[2]; next }
    FNR > 1 && $1 in exact && (exact[$1] != $2 || $3 != $2 || $4 != $2) { print "differs at " $1; bad = 1 }
    END { exit bad }' "$folder/exact" "$folder/out"

# A native trace's own sample tells what all of its references do, as they come through a pipe or as a list of pages.
"$onelevel" trace convert -o "$folder/native" "$(dirname "$trace")/perl.trace"
"$onelevel" trace convert --to pages -o "$folder/pages" "$folder/native"
for rate in 0.015625 0.015 0.01; do
    expect 0 mrc --sample $rate "$folder/native"
    cp "$folder/out" "$folder/own"
    "$onelevel" trace convert -o - "$folder/pages" | "$onelevel" mrc --sample $rate - >"$folder/all"
    cmp "$folder/own" "$folder/all" || { echo "the sample of a file differs from that of a pipe at $rate"; exit 1; }
    "$onelevel" mrc --sample $rate "$folder/pages" | cmp - "$folder/own" ||
        { echo "the sample of a trace that carries none differs at $rate"; exit 1; }
done

# Of standard input something may have been read before: then the index tells other offsets than the file's.
{ echo title && cat "$folder/native"; } >"$folder/titled"
{ read -r _ && "$onelevel" mrc --sample 0.01 - >"$folder/all"; } <"$folder/titled"
cmp "$folder/own" "$folder/all" ||
    { echo 'the sample of a trace that begins within standard input differs'; exit 1; }

# The whole as a sample is exact.
expect 0 mrc "$trace"
awk -F, 'NR > 1 { print $1, $3 }' "$folder/out" >"$folder/exact"
expect 0 mrc --sample 1 "$trace"
awk -F, 'NR == FNR { split($0, part, " "); exact[part[1]] = part[2]; next }
    FNR > 1 && $1 in exact && exact[$1] != $2 { print "differs at " $1; bad = 1 } END { exit bad }' \
    "$folder/exact" "$folder/out"
expect 0 mrc --sample 0.3 --json "$trace"
says out '"sampled_pages"'

expect 2 mrc --format tea "$trace"
says err '--format tea: expected native'
"$onelevel" trace convert --to oracleGeneral -o "$folder/oracle" "$trace"
expect 0 mrc --format oracleGeneral --sizes 50 "$folder/oracle"
says out "50,$(faults lru 50),"
expect 2 mrc
says err 'expected one TRACE'
expect 2 mrc --sizes 3,x "$trace"
says err '--sizes 3,x: expected'
expect 2 mrc --sample 2 "$trace"
says err 'expected a rate'
expect 2 mrc --sample 0.1 --policy opt "$trace"
says err '--sample is for the miss-ratio curve of LRU'
expect 2 mrc --sample 0.1 --sizes 5 "$trace"
says err 'leave --sizes out'
expect 2 mrc --sample 0.1 --sample-pages 100 "$trace"
says err 'not both'
expect 2 mrc --sample-pages 63 "$trace"
says err 'expected a number from 64'
expect 2 mrc --sample-pages 99999999999999999999 "$trace"
says err 'expected a number from 64'
expect 2 mrc --curve round "$trace"
says err 'expected miss-ratio, working-set, reuse or footprint'
expect 2 mrc --curve reuse --sizes 4 "$trace"
says err 'there is --windows'
expect 2 mrc --windows 4 "$trace"
says err '--windows is for'
expect 2 mrc --curve reuse --windows 4,0 "$trace"
says err '--windows 4,0: expected'
expect 2 mrc --sizes 99999999999999999999 "$trace"
says err 'expected up to 256 numbers'
expect 2 mrc --page-size 3000 "$trace"
says err 'expected a power of two'
expect 1 mrc --page-size 512 "$(dirname "$trace")/perl.trace"
says err 'record it with --addresses'
expect 1 mrc --policy fifo - <"$trace"
says err 'give --sizes'
expect 2 mrc --policy lucky "$trace"
says err "there is no policy 'lucky'"
expect 1 mrc --policy fifo:depth=3 "$trace"
says err 'fifo takes no parameters'
expect 1 mrc missing
says err 'missing: cannot be opened'
: >"$folder/empty"
expect 1 mrc "$folder/empty"
says err 'the trace holds no references'
