#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel advise: what it says follows from the curves that `onelevel mrc` prints and the policies that `onelevel sim`
# counts, by the definitions in its help; and what it says to bad input.
# usage: tests/cli/test_advise.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
data=$(cd "$(dirname "$0")/../data" && pwd)
trace=$data/perl.trace
. "$(dirname "$0")/expect.sh"

# check OPTION...: with these constants and factors, all that JSON says is found again.
"$onelevel" mrc "$trace" >"$folder/small"
"$onelevel" mrc --page-size 2M "$trace" >"$folder/large"
"$onelevel" trace info --json "$trace" >"$folder/info"
check()
{
    expect 0 advise --json --quiet "$@" "$trace"
    /usr/bin/python3 - "$folder" "$@" <<'PYTHON'
import csv, json, sys
folder, options = sys.argv[1], sys.argv[2:]
advice = json.load(open(folder + "/out"))
def curve(name):
    rows = [(int(r["frames"]), int(r["faults"])) for r in csv.DictReader(open(folder + "/" + name))]
    def faults(size):
        return max([references] if size < 1 else [f for n, f in rows if n <= size][-1:])
    return rows, faults
references = json.load(open(folder + "/info"))["references"]
rows, faults = curve("small")
large_rows, large_faults = curve("large")
pages = rows[-1][1]
assert advice["references"] == references and advice["distinct_pages"] == pages
ps = int(options[options.index("--reference") + 1]) if "--reference" in options else 100
disk = 8500 if "--cost" in options else 80000
reference, walk, first, back = ps / 1000, 16.0, 1500, 1500 + disk + 4096 / (1380 * 2**20) * 1e9
model = advice["model"]
assert all(abs(a - b) < 1e-6 * b for a, b in ((model["reference_ns"], reference), (model["walk_ns"], walk),
           (model["first_touch_ns"], first), (model["read_back_ns"], back))), model
def size(factor, cheaper):
    base = references * reference * cheaper + faults(1536) * walk + pages * first
    return next(n for n in range(1, pages + 1) if base + (faults(n) - pages) * back / cheaper <= factor * base) * 4096
slack = 1.2 if "--slack" in options else 1.05
thrash = 10 if "--thrash" in options else 2
for key, factor in ("needs", slack), ("thrashes_below", thrash):
    got = advice[key]
    assert (got["bytes"], got["least_bytes"], got["most_bytes"]) == (size(factor, 1), size(factor, 2), size(factor, .5)), \
        (key, got, size(factor, 1), size(factor, 2), size(factor, .5))
entries = 64 if "--tlb" in options else 1536
if entries == 1536:
    big = advice["large_pages"]
    assert big["small"]["walks"] == faults(entries) and big["large"]["walks"] == large_faults(entries)
    assert abs(big["walks_saved"] - (1 - large_faults(entries) / faults(entries))) < 1e-9
    assert big["waste_bytes"] == (large_rows[-1][1] << 21) - (pages << 12)
base = references * reference + faults(1536) * walk + pages * first
for point in advice["curve"]:
    read_back = faults(point["bytes"] // 4096) - pages
    assert point["read_back"] == read_back and abs(point["slowdown"] - (base + read_back * back) / base) < 1e-6
PYTHON
}
check --policies none
check --policies none --slack 20 --thrash 10 --reference 400
check --policies none --cost disk=8500

# Policies: each what sim counts, the best first, none better than OPT.
expect 0 advise --json --quiet --ram 400K --policy fifo --policies all "$trace"
cp "$folder/out" "$folder/advice"
/usr/bin/python3 - "$folder/advice" >"$folder/policies" <<'PYTHON'
import json, sys
policies = json.load(open(sys.argv[1]))["policies"]
assert policies["at_bytes"] == 409600 and policies["compared_with"] == "fifo"
faults = [one["faults"] for one in policies["others"]]
assert faults == sorted(faults) and len(faults) > 10 and min(faults) >= policies["opt"]["faults"]
assert policies["best"] == policies["others"][0]["policy"]
print("fifo", policies["faults"])
for one in policies["others"][:3] + [policies["opt"]]:
    print(one["policy"], one["faults"])
    assert one["time_saved_least"] <= one["time_saved"] <= one["time_saved_most"]
PYTHON
while read -r policy faults; do
    expect 0 sim --machine ideal --policy "$policy" --frames 100 --json "$trace"
    says out "\"faults\": $faults,"
done <"$folder/policies"

# In words; of a list of pages; of a program, whose output stays its own.
expect 0 advise "$trace"
says out 'perl.trace needs 2.9 MiB (2.8 MiB to 2.9 MiB);'
says out 'it thrashes;'
says out '2 MiB pages would save 98.9 %'
says out 'OPT knows the future'
says err 'simulations done'
expect 0 advise --quiet --policies none -o "$folder/there" "$trace"
silent out
grep -q 'perl.trace needs' "$folder/there"
expect 0 advise "$trace" --json --policies none
printf '1\n2\n1\n3\n' >"$folder/list"
expect 0 advise --quiet --policies none "$folder/list"
says out 'list needs'
says out 'the trace is a list of pages'
if [ -e "$2/record/onelevel-amd64-linux" ]; then
    expect 0 advise --quiet --policies none --keep "$folder/kept" -- /bin/sh -c 'echo hello'
    [ "$(cat "$folder/out")" = hello ] || { echo "the program's output is not its own:"; cat "$folder/out"; exit 1; }
    says err '/bin/sh needs '
    cp "$folder/err" "$folder/said"
    expect 0 advise --quiet --policies none "$folder/kept"
    sed 's/^.* needs /needs /' "$folder/out" >"$folder/again"
    sed 's/^.* needs /needs /' "$folder/said" | diff - "$folder/again" || { echo 'the kept recording says otherwise'; exit 1; }
    mkdir "$folder/tmp"
    TMPDIR=$folder/tmp expect 0 advise --quiet --policies none -- /bin/sh -c 'exit 3'
    says err '/bin/sh ended with status 3; this is about that run'
    [ -z "$(ls "$folder/tmp")" ] || { echo 'the recording was left behind'; exit 1; }
    expect 1 advise --quiet -- "$folder/missing"
    says err 'missing could not be recorded, or ended with status 127'
    expect 0 advise --policies none -- /bin/echo --json -- hello
    [ "$(cat "$folder/out")" = '--json -- hello' ] || { cat "$folder/out"; exit 1; }
    TMPDIR=$folder/none expect 1 advise --quiet -- /bin/true
    says err 'none/onelevel-'
fi

expect 2 advise
says err 'expected one TRACE'
expect 2 advise -
says err 'can be read again'
expect 2 advise one two
expect 2 advise "$trace" -- true
says err 'expected one TRACE'
expect 2 advise --keep x "$trace"
says err '--keep is for a PROGRAM'
for option in 'slack 0' 'slack -5' 'slack x' 'slack 1e99' 'thrash 1' 'thrash nan' 'reference 0' 'jobs 0' 'jobs 5000'; do
    expect 2 advise "--${option% *}" "${option#* }" "$trace"
    says err "--$option: expected a number from"
done
expect 2 advise --ram 1 "$trace"
says err '--ram 1: expected'
expect 2 advise --policy lucky "$trace"
says err "there is no policy 'lucky'"
expect 2 advise --policy fifo:x=1 --quiet "$trace"
says err 'fifo takes no parameters'
expect 2 advise --policies lucky "$trace"
says err "there is no policy 'lucky'"
expect 2 advise --policy lru,fifo "$trace"
says err '--policy lru,fifo: expected one policy'
expect 2 advise --policy opt "$trace"
says err '--policy opt: expected one policy'
expect 0 advise --quiet --policy 2q:in=25,out=50 --policies arc,lru --ram 256K "$trace"
says out 'over 2q:in=25,out=50.'
expect 2 advise --cost disk=no "$trace"
says err '--cost disk=no: expected'
expect 2 advise --tlb 3:2 "$trace"
says err '--tlb 3:2: '
expect 1 advise missing
says err 'missing: cannot be opened'
: >"$folder/empty"
expect 1 advise "$folder/empty"
says err 'the trace holds no references'
expect 1 advise --policies none -o "$folder/none/advice" "$trace"
says err 'none/advice: cannot be written'
expect 1 advise --policies none -o /dev/full "$trace"
says err 'cannot be written'
