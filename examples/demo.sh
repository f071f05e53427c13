#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Shows Onelevel at work, in less than two minutes: real programs in a quarter of the memory that they take, with the
# same output, and a real trace on a simulated machine under each policy.
# usage: examples/demo.sh BUILD-FOLDER   (make demo)
# Fails if a program's output is not the same to the byte. Wants 700 MiB of disk under BUILD-FOLDER while it runs.
set -euo pipefail
export LC_ALL=C PYTHONHASHSEED=0
onelevel=$(cd "$1" && pwd)/onelevel
work=$(mktemp -d "$1/demo.XXXXXX")
trap 'rm -rf "$work"' EXIT

text_mib=128
second_program_by=50 # seconds into the demo; later than that, it is left out
python=$(python3 -c 'import sys; print(sys.executable)')

say() { printf '\n%s\n' "$*"; }
fail() { printf '\ndemo: %s\n' "$*" >&2; exit 1; }

# Lines of a server's log, as it were: a random number, then words. The same on every machine.
make_text()
{
    "$python" - "$1" <<'PYTHON'
import random, sys
words = """accept address answer block build cache call change clean close commit copy count daemon device direct drop
    entry error event fault fetch file flush frame free guard header index insert kernel key link list load lock map
    memory merge message node offset open page parse path pool port process queue read record region reject release
    request reset result retry route scan send signal sleep socket start stop store swap table task thread timer token
    trace unlock update user value wait wake write zero""".split()
draw = random.Random(1)
phrase = [" ".join(draw.choices(words, k=4)) for _ in range(4096)]
left = int(sys.argv[1]) << 20
while left > 0:
    lines = []
    for _ in range(10000):
        n = draw.getrandbits(64)
        lines.append(f"{n:016x} {phrase[n & 4095]} {phrase[n >> 12 & 4095]} {phrase[n >> 24 & 4095]}\n")
    left -= sys.stdout.write("".join(lines))
PYTHON
}

# measured NAME COMMAND...: its standard output goes to $work/NAME.out, its messages to $work/NAME.err. Sets `seconds`
# and `peak_kib`, the most memory that the kernel saw it hold.
measured()
{
    local name=$1 status=0
    shift
    /usr/bin/time -o "$work/time" -f '%e %M' "$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?
    [ "$status" = 0 ] || { cat "$work/$name.err" >&2; fail "exit status $status of: $*"; }
    read -r seconds peak_kib <"$work/time"
}

# in_a_part N COMMAND...: runs it alone and in the N-th part of the memory that it then took, and compares.
in_a_part()
{
    local part=$1
    shift
    measured alone "$@"
    printf '  %-32s %7s s   peak %4d MiB\n' 'alone' "$seconds" $((peak_kib / 1024))
    local ram=$((peak_kib / 1024 / part))M
    measured managed "$onelevel" run --ram "$ram" -- "$@"
    printf '  %-32s %7s s   peak %4d MiB\n' "onelevel run --ram $ram" "$seconds" $((peak_kib / 1024))
    cmp "$work/alone.out" "$work/managed.out" || fail "the outputs differ: $*"
    printf '  the outputs are identical: %s bytes\n' "$(wc -c <"$work/managed.out")"
    say '  its account:'
    sed 's/^/  | /' "$work/managed.err"
}

# field NAME: the number of that name in a JSON object on standard input.
field() { "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

simulate() { "$onelevel" sim --machine amd64 --json "$@" "$work/ls.trace.zst"; }

replay()
{
    valgrind --tool=lackey --trace-mem=yes --log-file="$work/ls.trace" ls -l /usr/include/linux >/dev/null
    zstd -q --rm "$work/ls.trace"
    simulate --frames 100000 --policy fifo >"$work/ample.json"
    local pages frames policy
    pages=$(field distinct_pages <"$work/ample.json")
    frames=$((pages / 4))
    printf '  %s references to %s pages; the machine has %s frames\n\n' \
        "$(field references <"$work/ample.json")" "$pages" "$frames"
    printf '  %-16s %10s %10s %10s\n' policy faults evictions writebacks
    for policy in fifo second-chance clock; do
        simulate --frames "$frames" --policy "$policy" >"$work/sim.json"
        printf '  %-16s %10s %10s %10s\n' "$policy" "$(field faults <"$work/sim.json")" \
            "$(field evictions <"$work/sim.json")" "$(field writebacks <"$work/sim.json")"
    done
}

say '1. python3 builds a dictionary of 600000 words and searches it, in a quarter of the memory it takes'
in_a_part 4 "$python" -c '
import hashlib
book = {hashlib.md5(b"%d" % n).hexdigest(): n for n in range(600000)}
print(len(book), sum(book[hashlib.md5(b"%d" % n).hexdigest()] for n in range(0, 600000, 3)))'

say '2. A real trace (ls -l, recorded by Valgrind) on a simulated machine, under each policy'
replay

if [ "$SECONDS" -lt "$second_program_by" ]; then
    say "3. sort, $text_mib MiB of text, in half of the memory it takes"
    make_text "$text_mib" >"$work/text"
    in_a_part 2 sort -S 1G --parallel=1 "$work/text"
else
    say "3. sort is left out: $SECONDS seconds are over already"
fi

say "All outputs were identical. $SECONDS seconds."
