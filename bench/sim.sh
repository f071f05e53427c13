#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Millions of references a second that `onelevel sim` replays from a list of pages, by policy; and what only reading the
# list costs, with the same reader (bench/read_trace.c). Processor time, medians of three; all take turns.
# usage: bench/sim.sh [ONELEVEL [READ_TRACE [REFERENCES]]]
# References follow Zipf's law (exponent 1) over a million pages; a tenth of the distinct pages have frames.
set -eu -o pipefail
export LC_ALL=C
build=$(dirname "$0")/../build
onelevel=${1:-$build/onelevel}
read_trace=${2:-$build/bench/read_trace}
references=${3:-5000000}
repetitions=3
policies=(fifo second-chance clock)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP

# The page of rank r, with probability 1/r, at a place of its own in 20 bits.
awk -v references="$references" 'BEGIN {
    srand(1)
    pages = 2 ^ 20
    for (i = 0; i < references; i++) printf "%x\n", int(exp(rand() * log(pages))) * 421399 % pages
}' >"$folder/trace"
distinct=$(sort -u "$folder/trace" | wc -l)
frames=$((distinct / 10))

# timed NAME COMMAND...: appends the processor time in seconds to the times of that name.
timed()
{
    local name=$1
    shift
    TIMEFORMAT='%U %S'
    { time "$@" >"$folder/out-$name"; } 2>"$folder/time" || { cat "$folder/time" >&2; exit 1; }
    awk '{ print $1 + $2 }' "$folder/time" >>"$folder/times-$name"
}

median()
{
    sort -n "$folder/times-$1" | sed -n "$((repetitions / 2 + 1))p"
}

for ((i = 0; i < repetitions; i++)); do
    timed reading "$read_trace" "$folder/trace"
    for policy in "${policies[@]}"; do
        timed "$policy" "$onelevel" sim --frames "$frames" --policy "$policy" --json "$folder/trace"
    done
done

# row NAME FAULTS: its speed, and its time over that of reading.
row()
{
    awk -v name="$1" -v n="$references" -v took="$(median "$1")" -v reading="$(median reading)" -v faults="$2" \
        'BEGIN { printf "| %-13s | %6.2f | %9.2f | %9s |\n", name, n / took / 1e6, took / reading, faults }'
}

echo "$references references to $distinct pages, $frames frames"
printf '| %-13s | Mref/s | / reading |    faults |\n|---------------|-------:|----------:|----------:|\n' policy
row reading -
for policy in "${policies[@]}"; do
    row "$policy" "$(grep -oE '"faults": *[0-9]+' "$folder/out-$policy" | grep -oE '[0-9]+')"
done
