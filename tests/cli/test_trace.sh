#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel trace: what a real trace holds, counted by awk; there and back through every form; parts and sums of traces.
# usage: tests/cli/test_trace.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.sh"
here=$(cd "$(dirname "$0")" && pwd)
trace=$here/../data/true.lackey.zst
cd "$folder"

expect 0 trace info --json "$trace"
mv out whole
count()
{
    grep -qE "\"$1\": $2,?\$" whole || { echo "$1 is not $2:"; cat whole; exit 1; }
}
zstd -dc "$trace" | awk -v size=4096 -f "$here/touched.awk" | cut -d " " -f 1,2 >touched
count references "$(wc -l <touched)"
count reads "$(grep -c '^0' touched)"
count writes "$(grep -c '^1' touched)"
count instruction_fetches "$(grep -c '^2' touched)"
count distinct_pages "$(cut -d ' ' -f 2 touched | sort -u | wc -l)"

# There and back: each form keeps the pages, all but pages the access.
for form in native lackey din csv pages oracleGeneral; do
    expect 0 trace convert --to $form -o there.$form "$trace"
    expect 0 trace convert --to native -o back there.$form
    for policy in fifo lru; do
        "$onelevel" sim --machine ideal --policy $policy --frames 30 "$trace" >expected
        "$onelevel" sim --machine ideal --policy $policy --frames 30 back >found
        case $form in pages | oracleGeneral) sed -i '/of modified pages/d' expected found ;; esac
        cmp expected found || { echo "$form, $policy:"; diff expected found; exit 1; }
    done
done
expect 0 trace convert --to csv -o there.csv "$trace"
tail -n +2 there.csv | awk -F , '{ print $4 == "read" ? 0 : $4 == "write" ? 1 : 2, $2 }' | cmp - touched

# oracleGeneral: little-endian records of time, page, size and next reference; by name, told, or compressed.
cut -d ' ' -f 2 touched >pages
od -A n -v -t u4 -w24 there.oracleGeneral | awk '{ print $2 + $3 * 4294967296 }' | cmp - pages
tac pages | awk '{ print ($1 in next_at) ? next_at[$1] : -1; next_at[$1] = '"$(wc -l <touched)"' - NR }' |
    tac >next
od -A n -v -t d8 -w24 there.oracleGeneral | awk '{ print $3 }' | cmp - next
expect 0 trace convert --format oracleGeneral --to pages -o there.again - <there.oracleGeneral
cmp there.again there.pages
gzip -c there.oracleGeneral >there.oracleGeneral.gz
expect 0 trace convert --to pages -o there.again there.oracleGeneral.gz
cmp there.again there.pages
head -c 1000 there.oracleGeneral >cut.oracleGeneral
expect 1 trace info cut.oracleGeneral
says err 'cut.oracleGeneral: offset 984: the trace ends within a record'
(head -c 100 /dev/zero && head -c 20 /dev/zero | tr '\0' '\377') >large.oracleGeneral
expect 1 trace info large.oracleGeneral
says err "large.oracleGeneral: offset 96: the object's number is larger than that of the last page"
expect 1 sim --machine ideal --frames 3 --format oracleGeneral cut.oracleGeneral
expect 2 trace info --format oracle there.csv
says err 'expected native, lackey, pages, din, csv or oracleGeneral'

# Three parts are the whole.
third=$(($(wc -l <touched) / 3))
expect 0 trace cut --from 0 --count $third -o a "$trace"
expect 0 trace cut --from $third --count $third -o b "$trace"
expect 0 trace cut --from $((2 * third)) --count 99999999 -o c "$trace"
expect 0 trace merge -o sum a b c
expect 0 trace convert --to csv -o sum.csv sum
cmp sum.csv there.csv
expect 0 trace convert --to csv -o - sum
cmp out there.csv

# Bad input and command lines.
printf '0 1000\n3 1000\n' >bad
expect 1 trace info bad
says err 'bad:2: "3 1000": expected 0, 1 or 2'
printf 'time,page,size\n1,2,1\n1,2\n' >bad
expect 1 trace info bad
says err 'bad:3: "1,2": expected time,page,size'
printf 'time,page,size\n1,99999999999999999999999,1\n' >bad
expect 1 trace info bad
says err 'bad:2:'
expect 1 trace convert -o missing/x "$trace"
says err "missing/x: cannot be written"
expect 1 trace convert --to csv -o /dev/full "$trace"
says err "/dev/full: cannot be written: No space left"
expect 2 trace
expect 2 trace convert "$trace"
says err "-o FILE"
expect 2 trace convert --to xml -o x "$trace"
says err "no such format"
expect 2 trace cut -o x "$trace"
says err "--count N"
