#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel sim: a real trace counted exactly, in every form it can come; and what it says to bad input.
# usage: tests/cli/test_sim.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
here=$(cd "$(dirname "$0")" && pwd)
trace=$here/../data/true.lackey.zst
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# expect STATUS ARGUMENT...: runs the simulation, keeps what it prints in out and err.
expect()
{
    wanted=$1
    shift
    status=0
    "$onelevel" sim "$@" >out 2>err || status=$?
    printed="onelevel sim $*"
    if [ "$status" != "$wanted" ]; then
        echo "$printed: exit status $status, not $wanted"
        cat err
        exit 1
    fi
}

# says FILE TEXT: TEXT is in what the last simulation printed.
says()
{
    grep -qF -- "$2" "$1" || { echo "$printed: '$2' is not in its $1:"; cat "$1"; exit 1; }
}

# matches FILE EXPRESSION: as says, for an extended regular expression.
matches()
{
    grep -qE -- "$2" "$1" || { echo "$printed: '$2' is not in its $1:"; cat "$1"; exit 1; }
}

# counts KEY NUMBER: so the JSON says.
counts()
{
    grep -qE "\"$1\": $2,?\$" out || { echo "$printed: $1 is not $2:"; cat out; exit 1; }
}

# The references of the trace and the faults of FIFO, counted by awk. Pages are kept as text, so that their numbers may
# be of any size.
zstd -dc "$trace" >plain
awk -v size=4096 -f "$here/touched.awk" plain | cut -d " " -f 3 >pages
references=$(wc -l <pages)
distinct=$(sort -u pages | wc -l)
fifo_faults()
{
    awk -v frames="$1" '
        !($1 in resident) {
            faults++
            if (faults > frames) delete resident[queue[faults - frames]]
            queue[faults] = $1
            resident[$1] = 1
        }
        END { print faults }' pages
}

for frames in 1 10 40 1000; do
    expect 0 --machine amd64 --frames "$frames" --policy fifo --json "$trace"
    faults=$(fifo_faults "$frames")
    evictions=$((faults > frames ? faults - frames : 0))
    counts frames "$frames"
    counts references "$references"
    counts distinct_pages "$distinct"
    counts faults "$faults"
    counts evictions "$evictions"
done

# The same trace in every form, and the same memory under both its names.
expect 0 --frames 40 --json "$trace"
mv out whole
gzip -c plain >trace.gz
for form in plain trace.gz; do
    expect 0 --ram 160K --json "$form"
    cmp out whole
done
expect 0 --frames 40 --json - <plain
cmp out whole
expect 0 --frames 40 --json - <trace.gz
cmp out whole
expect 0 --frames 40 --format pages --json pages
counts references "$references"
counts writebacks 0

# The TLB and the policy change what they should and nothing else.
expect 0 --frames 40 --tlb none --json "$trace"
counts tlb_hits 0
counts tlb_misses "$references"
counts faults "$(sed -n 's/.*"faults": \([0-9]*\).*/\1/p' whole)"
for policy in fifo second-chance clock; do
    expect 0 --frames 40 --policy "$policy" "$trace"
    says out "policy $policy"
    grep -qE "^references +$references\$" out || { echo "$printed printed:"; cat out; exit 1; }
done

# Levels of TLBs, page-walk caches and processors change what they should and nothing else.
expect 0 --frames 40 --tlb l1=8,l2=64:4,walk=4 --json "$trace"
counts faults "$(sed -n 's/.*"faults": \([0-9]*\).*/\1/p' whole)"
matches out '"tlb_hits_level_2": [1-9]'
matches out '"table_references_saved": [1-9]'
expect 0 --frames 40 --tlb i486 --json "$trace"
says out '"tlb": "i486"'
expect 0 --frames 40 --processors 3 --slice 100 --json "$trace"
counts faults "$(sed -n 's/.*"faults": \([0-9]*\).*/\1/p' whole)"
counts references "$((references / 300 * 100 + (references % 300 < 100 ? references % 300 : 100)))"
matches out '"shootdowns": [1-9]'
expect 0 --frames 40 --processors 2 "$trace" # a trace of one thread: the other processor has nothing to do
says out "2 processors"
matches out '^1 +0 +0 +0 '

# Large pages: two stretches of 512 pages, touched by turns, twice. One entry of the TLB serves each of them the second
# time, and of the five tables the lowest two go.
awk 'BEGIN { for (round = 0; round < 2; round++) for (i = 0; i < 512; i++) printf "%x\n%x\n", 1024 + i, 2048 + i }' >two
expect 0 --json --frames 4096 two
counts tlb_hits 0
counts table_frames_peak 5
for machine in amd64 sv48; do
    expect 0 --json --frames 4096 --machine $machine --large-pages promote two
    counts distinct_pages 1024
    counts faults 1024
    counts tlb_hits 1024
    counts table_frames_peak 5
    counts table_frames 3
    counts large_mapped 2
    counts frames_free 3072
    counts frames_unusable 0
    expect 0 --json --frames 4096 --machine $machine --large-pages eager:1G two
    counts pages 1024
    counts pages_ahead 1022
    counts faults 2
    counts tlb_hits 2046
    counts frames_unusable 3072
done
# Small pages as if there were no large ones, where memory is short.
for large in promote:2M promote:1G; do
    expect 0 --json --policy fifo --frames 1000 --large-pages $large two
    counts faults 2048
    counts evictions 1048
    counts large_mapped 0
    counts reservations 1
    counts reservations_broken 1
done
expect 0 --frames 600 --large-pages eager two
matches out '^large pages mapped +1$'
matches out '^  split +1$'

# Threads of a trace (docs/trace-format.md) have processors of their own.
/usr/bin/python3 - >threads <<'END'
import struct, subprocess, sys, zlib

def part(name, raw, here):
    frame = subprocess.run(["zstd", "-qc"], input=raw, stdout=subprocess.PIPE, check=True).stdout
    rest = struct.pack("<IIQQ", len(frame), len(raw), here, 0) + frame
    return struct.pack("<4sI", name, zlib.crc32(rest)) + rest

# A: write page 5, thrice; B: read page 7, twice. Lengths, heads, counts, ranks, distances.
phrases = [bytes([1, 1]), bytes([1 | 4 | 2 << 3, 0 | 4 | 1 << 3]), b"", bytes([0, 0]), bytes([10, 4])]
events = bytes([0, 1, 0, 0])                                     # to thread 1; to thread 0
tokens = [0, 2, 1, 0, 2, 1, 3]                                   # A A, B A, B
raw = struct.pack("<8I", *map(len, phrases), len(events), len(tokens), 2) + b"".join(phrases) + events
raw += b"".join(struct.pack("<H", token) for token in tokens)
head = b"\x89OLT\r\n\x1a\n" + struct.pack("<III", 2, 12, 0)
data = head + struct.pack("<I", zlib.crc32(head))
index = struct.pack("<QQ", len(data), 0)
data += part(b"BLOK", raw, 13)
at = struct.pack("<Q", len(data))
data += part(b"INDX", index, 13) + at + struct.pack("<I", zlib.crc32(at)) + b"TNED"
sys.stdout.buffer.write(data)
END
expect 0 --frames 10 --processors 2 threads
matches out '^0 +8 +6 +2 +0$'
matches out '^1 +5 +3 +2 +0$'
expect 0 --frames 10 --processors 2 --slice 4 threads
matches out '^0 +8 '
expect 0 --frames 10 --processors 1 --json threads
counts references 13

# Nodes: each reference is local or remote. Time, modelled: nothing but what the constants say.
expect 0 --frames 40 --processors 2 --slice 100 --numa 2:interleave --json "$trace"
counts faults "$(sed -n 's/.*"faults": \([0-9]*\).*/\1/p' whole)"
local=$(sed -n 's/^  "local_references": \([0-9]*\).*/\1/p' out)
counts remote_references "$((references - local))"
expect 0 --frames 80 --numa 2:bind=1 --json "$trace" # half of the frames, and all of them far
counts remote_references "$references"
counts faults "$(sed -n 's/.*"faults": \([0-9]*\).*/\1/p' whole)"
expect 0 --frames 40 --cost fault=1000,disk=0,bandwidth=1000000,misses=0,table=0,switch=0,invalidate=0 --json "$trace"
counts page_faults_ns "$(sed -n 's/.*"faults": \([0-9]*\).*/\1000/p' whole)"
expect 0 --frames 40 --cost default "$trace"
says out "time, modelled"

# The ideal machine: every reference is seen. LRU and OPT as an independent count has them.
lru_faults()
{
    awk -v frames="$1" '
        { if (!($1 in last)) { faults++; if (resident == frames) {
              oldest = ""; for (page in last) if (oldest == "" || last[page] < last[oldest]) oldest = page
              delete last[oldest] } else resident++ }
          last[$1] = NR }
        END { print faults }' pages
}
for frames in 10 40; do
    expect 0 --machine ideal --frames "$frames" --policy lru --json "$trace"
    counts faults "$(lru_faults "$frames")"
    counts references "$references"
    expect 0 --machine ideal --frames "$frames" --policy fifo --json pages
    counts faults "$(fifo_faults "$frames")"
done
expect 0 --machine ideal --frames 1000 --policy opt --json "$trace"
counts faults "$distinct"
counts evictions 0
expect 0 --machine ideal --frames 40 --policy opt "$trace"
says out "machine ideal, policy opt"
expect 1 --machine ideal --frames 4 --policy lru:depth=3 "$trace"
says err "lru takes no parameters"
expect 1 --machine amd64 --frames 4 --policy lru "$trace"
says err "it needs every reference"
expect 1 --machine amd64 --frames 4 --policy opt "$trace"
says err "it needs the future"
: >bad
expect 1 --machine ideal --frames 4 bad
says err "the trace holds no references"
expect 1 --machine ideal --frames 4 missing
says err "missing: cannot be opened"

# Every machine counts the same pages, with and without a TLB. The words a walk reads are the levels, and a key.
awk 'BEGIN { for (at = 1; n < 20000; n++) { at = (at * 75) % 65537; printf "%x\n", int(at * at / 16777216) } }' >pages
references=20000
distinct=$(sort -u pages | wc -l)
for machine in atlas:1 ia32:2 pae:3 amd64:4 la57:5 sv39:3 sv48:4 vax:2 s370:3 s370-2k:3 s370-1m:3 s370-2k-1m:3; do
    for tlb in none 64:4; do
        expect 0 --machine "${machine%:*}" --frames 50 --policy fifo --tlb $tlb --json pages
        says out "\"machine\": \"${machine%:*}\""
        counts references "$references"
        counts distinct_pages "$distinct"
        counts faults "$(fifo_faults 50)"
    done
    expect 0 --machine "${machine%:*}" --frames 1000 --tlb none --json pages
    counts faults "$distinct"
    read=$(sed -n 's/.*"table_references": \([0-9]*\).*/\1/p' out)
    # (A page address register that does not answer is no word read.)
    [ "$read" -ge $((references * ${machine#*:})) ] || { echo "$printed: only $read words"; exit 1; }
    [ "$read" -le $(((references + distinct) * ${machine#*:})) ] || { echo "$printed: $read words"; exit 1; }
done

# Command lines that make no sense.
expect 2 "$trace"
says err "expected --frames N or --ram SIZE"
expect 2 --frames 4 --ram 4M "$trace"
says err "not both"
expect 2 --frames 4
says err "expected one TRACE"
expect 2 --frames 0 "$trace"
says err "the minimum"
expect 2 --frames 12x "$trace"
says err "--frames 12x"
expect 2 --ram 4095 "$trace"
says err "the minimum is 4096 bytes"
expect 2 --ram lots "$trace"
says err "--ram lots: expected a size"
expect 2 --ram 99T "$trace"
says err "amd64 has at most 3758096383 frames"
expect 2 --machine s370 --ram 4M --frames 1000 "$trace"
says err "not both"
expect 2 --machine s370 --ram 16M "$trace"
says err "s370 has at most 3584 frames for pages"
expect 2 --ram 511 --machine vax "$trace"
says err "the minimum is 512 bytes, one frame of vax"
expect 2 --frames 4 --policy lucky "$trace"
for policy in lucky fifo second-chance clock; do says err "$policy"; done
expect 1 --frames 4 --policy fifo:depth=3 "$trace"
says err "fifo takes no parameters"
expect 2 --frames 4 --machine pdp11 "$trace"
for machine in pdp11 amd64 vax s370-2k ideal; do says err "$machine"; done
for tlb in 0 48:5 12:4 64:0 many 64:4x; do
    expect 2 --frames 4 --tlb "$tlb" "$trace"
    says err "--tlb $tlb: expected none or ENTRIES[:WAYS]"
done
expect 2 --frames 4 --tlb l1=64:4,l2=48:5 "$trace"
says err '--tlb l1=64:4,l2=48:5: "l2=48:5": expected l1='
expect 1 --frames 4 --machine vax --tlb l1=4,walk=4 "$trace"
says err "vax has no page-walk caches"
expect 2 --frames 4 --machine vax --large-pages eager "$trace"
says err "vax has pages of one size"
expect 2 --frames 4 --large-pages promote --machine ideal "$trace"
says err "--large-pages is not for --machine ideal"
for large in always eager: promote:4M eager:1G:2M; do
    expect 2 --frames 4 --large-pages "$large" "$trace"
    says err "--large-pages $large: expected promote or eager, and perhaps :SIZE; amd64 has pages of 2 MiB and 1 GiB"
done
for number in 0 65 two; do
    expect 2 --frames 4 --processors "$number" "$trace"
    says err "--processors $number: expected a number from 1 to 64"
done
expect 2 --frames 4 --numa 2:bind=2 "$trace"
says err "--numa 2:bind=2: expected NODES"
expect 1 --frames 2 --numa 3 "$trace"
says err "3 nodes want as many frames at least"
expect 2 --frames 4 --cost disk=fast "$trace"
says err "--cost disk=fast: expected default, or NAME=NUMBER"
expect 2 --frames 4 --slice 0 "$trace"
says err "--slice 0: expected a number of references"
expect 2 --frames 4 --format text "$trace"
says err "expected native, lackey, pages, din, csv or oracleGeneral"
expect 2 --fast
says err "no option --fast"
expect 2 --frames
says err "--frames wants a value"

# What the policy would do if it saw every reference is told beside: that is the ideal machine.
for policy in fifo clock sieve s3-fifo; do
    expect 0 --machine ideal --frames 40 --policy $policy --json "$trace"
    ideal=$(sed -n 's/.*"faults": *\([0-9]*\).*/\1/p' out)
    expect 0 --machine amd64 --frames 40 --policy $policy --json "$trace"
    says out "\"faults_ideal\": $ideal"
done

# Traces that cannot be read.
expect 1 --frames 4 missing
says err "missing: cannot be opened: No such file"
printf '401\n402\nfour\n' >bad
expect 1 --frames 4 bad
says err 'bad:3: "four": expected one hexadecimal page number'
printf '==1== Lackey\nI  0400,4\n S 7fffffffffff,2\n' >bad
expect 1 --frames 4 bad
says err 'bad:3: " S 7fffffffffff,2": expected addresses up to 7fffffffffff'
head -c 5000 "$trace" >bad
expect 1 --frames 4 bad
says err "the zstd data ends too early"
: >bad
expect 1 --frames 4 bad
says err "the trace holds no references"
status=0
"$onelevel" sim --frames 40 "$trace" >/dev/full 2>err || status=$?
[ "$status" = 1 ]
says err "cannot be written: No space left on device"
