#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# How much longer programs take under `onelevel record`, under `valgrind --tool=none` and under lackey, in processor time
# of all processes over that of the program alone; and how large the traces are. Medians; all take turns.
# usage: bench/record.sh [--quick] [ONELEVEL]
# Lackey takes minutes, so it gets a small input, and so do the others when they are compared with it. --quick: only
# that, once.
set -eu -o pipefail
export LC_ALL=C
repetitions=${REPETITIONS:-3} quick=
if [ "${1-}" = --quick ]; then
    repetitions=1 quick=1
    shift
fi
onelevel=$(realpath "${1:-$(dirname "$0")/../build/onelevel}")
valgrind=$(command -v valgrind.bin || command -v valgrind)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
cd "$folder"

# Real programs that run for about a second; behind each its small input.
seq 1500000 | awk '{ print $1 * 7919 % 1500007 }' >large
head -n 3000 large >small
cat >words.py <<'EOF'
import sys
words = {}
for i in range(int(sys.argv[1])):
    words[str(i * 7 % 1000003)] = i
print(len(words))
EOF
programs=(
    "sort --parallel=1 -S 512M large|sort --parallel=1 -S 512M small"
    "gzip -6 -c large|gzip -6 -c small"
    "/usr/bin/python3 words.py 2000000|/usr/bin/python3 words.py 100"
    "awk {n[\$1%1000]+=\$1}END{print(length(n))} large|awk {n[\$1%1000]+=\$1}END{print(length(n))} small"
)

# timed NAME COMMAND...: appends the processor time in seconds to the times of that name.
timed()
{
    local name=$1
    shift
    TIMEFORMAT='%U %S'
    { time "$@" >out 2>err; } 2>took || { cat err took >&2; exit 1; }
    awk '{ print $1 + $2 }' took >>"times-$name"
}

median()
{
    sort -n "times-$1" | sed -n "$((repetitions / 2 + 1))p"
}

# measure COMMAND...: native, none and record in turns.
measure()
{
    rm -f times-*
    for ((i = 0; i < repetitions; i++)); do
        timed native "$@"
        timed none "$valgrind" --quiet --vgdb=no --tool=none "$@"
        timed record "$onelevel" record -o trace "$@"
    done
}

echo "processor time over that of the program alone; bytes of the trace for a thousand references"
if [ -z "$quick" ]; then
    printf '| %-36s | native s | none | record | bytes |\n|---|--:|--:|--:|--:|\n' program
    for both in "${programs[@]}"; do
        read -ra command <<<"${both%|*}"
        measure "${command[@]}"
        references=$("$onelevel" trace info --json trace | grep -oE '"references": [0-9]+' | grep -oE '[0-9]+')
        awk -v p="${both%|*}" -v n="$(median native)" -v e="$(median none)" -v r="$(median record)" \
            -v b="$(stat -c %s trace)" -v k="$references" 'BEGIN {
            printf "| %-36s | %8.2f | %4.1f | %6.1f | %5.2f |\n", p, n, e / n, r / n, b / k * 1000 }'
    done
fi

echo "small inputs: seconds, and bytes of the trace (lackey's compressed by zstd -3)"
printf '| %-36s | lackey s | record s | lackey bytes | record bytes | ratio |\n|---|--:|--:|--:|--:|--:|\n' program
for both in "${programs[@]}"; do
    read -ra command <<<"${both#*|}"
    repetitions=1 measure "${command[@]}"
    timed lackey "$valgrind" --quiet --vgdb=no --tool=lackey --trace-mem=yes --log-file=text "${command[@]}"
    text=$(zstd -q -3 -c text | wc -c)
    rm -f text
    awk -v p="${both#*|}" -v l="$(cat times-lackey)" -v r="$(cat times-record)" -v t="$text" -v b="$(stat -c %s trace)" \
        'BEGIN { printf "| %-36s | %8.2f | %8.2f | %12d | %12d | %5.1f |\n", p, l, r, t, b, t / b }'
done
