#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel sweep: rows are what `onelevel sim` counts, in the same order however they came about: at once, in shards, after
# an interruption, from a damaged file.
# usage: tests/cli/test_sweep.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
data=$(cd "$(dirname "$0")/../data" && pwd)
trace=$data/true.lackey.zst
. "$(dirname "$0")/expect.sh"
results=$folder/results

same()
{
    cmp -s "$1" "$2" || { echo "$printed: $1 and $2 differ:"; diff "$1" "$2" | head; exit 1; }
}

# Each row against sim.
expect 0 sweep --machine ideal,amd64 --policy fifo,second-chance,s3-fifo --frames 8,40..90/2 --quiet "$trace"
silent err
cp "$folder/out" "$folder/rows"
[ "$(wc -l <"$folder/rows")" = 19 ]
sed 1d "$folder/rows" | while IFS=, read -r machine policy page frames memory references pages faults rest; do
    [ "$page" = 4096 ] && [ "$memory" = $((4096 * frames)) ] || { echo "memory of $frames frames: $memory"; exit 1; }
    expect 0 sim --machine "$machine" --policy "$policy" --frames "$frames" --json "$trace"
    says out "\"faults\": $faults,"
    says out "\"references\": $references,"
    says out "\"distinct_pages\": $pages,"
    evictions=${rest#*,}
    says out "\"evictions\": ${evictions%%,*},"
done

expect 0 sweep --machine amd64 --frames 40 --tlb 16 --quiet "$trace"
misses=$(sed 1d "$folder/out" | cut -d , -f 12)
expect 0 sim --machine amd64 --frames 40 --tlb 16 --json "$trace"
says out "\"tlb_misses\": $misses,"

# The same order and bytes from one process, and with names and sizes in shorter words.
set -- --machine ideal --policy lru,2q:in=25,out=50,opt,sieve --frames 8..64
expect 0 sweep "$@" --jobs 1 --quiet "$trace"
cp "$folder/out" "$folder/whole"
grep -q '^ideal,"2q:in=25,out=50",4096,8,32768,' "$folder/whole"
expect 0 sweep "$@" --jobs 7 --quiet "$trace"
same "$folder/out" "$folder/whole"
expect 0 sweep --ram 32K,64K,128K..256K --policy lru --policy 2q:in=25,out=50,opt,sieve --quiet "$trace"
same "$folder/out" "$folder/whole"

# In shards, joined; and in a file, whose rows are in order in the end.
for shard in 1 2 3; do expect 0 sweep "$@" --shard $shard/3 -o "$results.$shard" --quiet "$trace"; done
expect 0 sweep merge "$results.2" "$results.1" "$results.3"
same "$folder/out" "$folder/whole"
expect 0 sweep merge -o "$results.all" "$results.1" "$results.2" "$results.3"
expect 0 sweep "$@" -o "$results" "$trace"
says err '16 of 16 simulations done'
same "$results" "$results.all"
expect 1 sweep merge "$results.1" "$results.3"
says err '5 of 16 rows are missing, the first of them number 1'
expect 0 sweep merge --partial --json "$results.1" "$results.3"
/usr/bin/python3 - "$folder/out" "$folder/whole" <<'PYTHON'
import csv, json, sys
rows = json.load(open(sys.argv[1]))["rows"]
wanted = [row for i, row in enumerate(csv.DictReader(open(sys.argv[2]))) if i % 3 != 1]
assert len(rows) == len(wanted) == 11
for row, want in zip(rows, wanted):
    assert all(str(row[key]) == want[key] for key in row if key != "miss_ratio"), (row, want)
PYTHON

# Goes on where it was interrupted: after any byte of the file.
bytes=$(wc -c <"$results")
for cut in 1 30 $((bytes / 3)) $((bytes / 2)) $((bytes - 1)); do
    head -c "$cut" "$results" >"$folder/torn"
    kept=$(tail -n +2 "$folder/torn" | grep -c '}$' || true)
    [ "$(tail -c 1 "$folder/torn" | od -An -c | tr -d ' ')" = '\n' ] || [ "$kept" = 0 ] || kept=$((kept - 1))
    expect 0 sweep "$@" -o "$folder/torn" "$trace"
    same "$folder/out" "$folder/whole"
    same "$folder/torn" "$results"
done
expect 0 sweep "$@" -o "$results" "$trace" # nothing is left to do
silent err
same "$folder/out" "$folder/whole"

# Killed at some moment, it loses nothing that it had.
rm -f "$folder/killed"
"$onelevel" sweep "$@" --jobs 1 -o "$folder/killed" "$trace" 2>/dev/null >/dev/null &
victim=$!
while [ "$(grep -c row "$folder/killed" 2>/dev/null || true)" -lt 3 ] 2>/dev/null; do kill -0 $victim 2>/dev/null || break; done
kill -9 $victim 2>/dev/null || true
wait $victim 2>/dev/null || true
expect 0 sweep "$@" -o "$folder/killed" "$trace"
same "$folder/killed" "$results"

# Damage is told by line; other sweeps and other files are not touched.
sed '4s/"faults":[0-9]*/"faults":-1/' "$results" >"$folder/bad"
expect 1 sweep "$@" -o "$folder/bad" "$trace"
says err 'bad: line 4: a count is no number; take the line out'
sed '5s/^{/[/' "$results" >"$folder/bad"
expect 1 sweep merge "$folder/bad"
says err 'bad: line 5: it is no JSON'
sed '6s/"frames":[0-9]*/"frames":9/' "$results" >"$folder/bad"
expect 1 sweep "$@" -o "$folder/bad" "$trace"
says err 'row 4 is not what this sweep has there'
{ cat "$results"; sed -n '3s/"writebacks":[0-9]*/"writebacks":1/p' "$results"; } >"$folder/bad"
expect 1 sweep merge "$folder/bad"
says err 'line 18: it contradicts an earlier one'
sed '3s/"writebacks":[0-9]*/"writebacks":1/' "$results" >"$folder/bad"
expect 1 sweep merge "$results" "$folder/bad"
says err 'row 1 contradicts that of another file'
echo 'my diary' >"$folder/bad"
expect 1 sweep "$@" -o "$folder/bad" "$trace"
says err 'it is no results file'
[ "$(cat "$folder/bad")" = 'my diary' ]
expect 1 sweep --frames 9 -o "$results" "$trace"
says err 'holds results of another sweep'
expect 1 sweep "$@" -o "$results" "$data/perl.trace"
says err 'its trace_bytes differs'
expect 0 sweep --frames 9 --quiet -o "$folder/other" "$trace"
expect 1 sweep merge "$results" "$folder/other"
says err 'is of another sweep'
expect 1 sweep merge "$folder/none"
says err 'none: cannot be opened'
: >"$folder/empty"
expect 1 sweep merge "$folder/empty"
says err 'there are no results in it'
expect 1 sweep --frames 9 --quiet -o /dev/full "$trace"
says err '/dev/full: is no file'
expect 1 sweep --frames 9 --quiet -o "$folder/none/results" "$trace"
says err 'none/results: cannot be written'

# Page sizes: fewer and larger pages, more waste, smaller tables; against what awk counts.
expect 0 sweep --ram 2M --page-size 512..32K --policy lru --quiet "$trace"
zstd -dc "$trace" | awk -v size=512 -f "$data/../cli/touched.awk" | awk '
    { granule[$2] }
    END {
        for (at in granule) count++
        for (size = 512; size <= 32768; size *= 2) {
            pages = tables = 0
            split("", page)
            split("", table)
            for (at in granule) page[int(at * 512 / size)]
            for (at in page) pages++
            for (bits = size * 512; bits < 2 ^ 48; bits *= 512)
                for (at in granule) table[bits "/" int(at * 512 / bits)]
            for (at in table) tables++
            printf "%d,%d,%d,%d\n", size, pages, pages * size - count * 512, 4096 * (tables + 1)
        }
    }' >"$folder/wanted"
sed 1d "$folder/out" | cut -d , -f 3,7,15,16 >"$folder/got"
same "$folder/got" "$folder/wanted"
expect 1 sweep --ram 2M --page-size 512 --quiet "$data/perl.trace"
says err 'record it with --addresses'
printf '1\n2\n' >"$folder/list"
expect 1 sweep --ram 2M --page-size 4K,8K --quiet "$folder/list"
says err 'wants addresses'

"$onelevel" trace convert --to oracleGeneral -o "$folder/oracle" "$trace"
expect 0 sweep --format oracleGeneral --frames 40 --machine ideal,vax --policy fifo --quiet "$folder/oracle"
grep '^ideal,fifo,4096,40,' "$folder/rows" | cut -d , -f 6-9 >"$folder/wanted"
grep '^ideal' "$folder/out" | cut -d , -f 6-9 >"$folder/got"
same "$folder/got" "$folder/wanted"
expect 2 sweep "$trace"
says err 'expected --frames LIST or --ram LIST'
expect 2 sweep --frames 1 --ram 1M "$trace"
says err 'expected --frames LIST or --ram LIST'
expect 2 sweep --frames 1 -
says err 'read again and again'
for list in 0 '' 5..1 1..2..3 1..5/1 1..5/x 1,,2 -1 1..99999999999999999999 99999999999; do
    expect 2 sweep --frames "$list" "$trace"
    says err "--frames $list: expected"
done
expect 2 sweep --frames 1 --policy lru,lucky "$trace"
says err "there is no policy 'lucky'"
expect 2 sweep --frames 1 --policy fifo:depth=3 "$trace"
says err 'fifo takes no parameters'
expect 2 sweep --frames 1 --policy lru, "$trace"
says err "there is no policy ''"
expect 2 sweep --frames 1 --machine abacus "$trace"
says err "there is no machine 'abacus'"
expect 2 sweep --frames 1 --machine amd64 --policy opt "$trace"
says err 'left out: policy opt on machines that do not show what it needs: amd64'
says err 'nothing to simulate'
expect 2 sweep --frames 1 --machine vax "$trace"
says err 'left out: machine vax, whose addresses end at 3fffffff'
expect 2 sweep --ram 1K "$trace"
says err 'left out: machine ideal'
expect 2 sweep --ram 1M --page-size 4K --machine amd64 "$trace"
says err '--page-size is for machine ideal'
expect 2 sweep --ram 1M --page-size 3000 "$trace"
says err 'expected powers of two'
for shard in 0/2 3/2 1/0 1 x 1/2x; do
    expect 2 sweep --frames 1 --shard $shard "$trace"
    says err "--shard $shard: expected I/N"
done
expect 2 sweep --frames 1 --tlb 3:2 "$trace"
says err '--tlb 3:2: '
expect 2 sweep --frames 1 --jobs 0 "$trace"
says err '--jobs 0: expected'
expect 1 sweep --frames 1 missing
says err 'missing: cannot be read'
printf 'zz\n' >"$folder/broken"
expect 1 sweep --frames 1,2 --quiet "$folder/broken"
says err 'broken:1: "zz"'
expect 2 sweep merge
says err 'expected results files'
