#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is simulated is what happens: FIFO faults that `onelevel sim` predicts from a recording of a sort, and those that
# `onelevel run` takes in as many frames, differ by less than 5 %; first touches hardly at all.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh" "$1" "$2"
[ -x "$2/record/onelevel-amd64-linux" ] || { echo 'the Valgrind tool was not built'; exit 77; }
cd "$folder"
seq 30000 | awk '{ print $1 * 7919 % 1000003 }' >lines
limit=--resident
options='--exact --policy fifo --swap compressed,file --compressed 64M'

# near WHAT PREDICTED TAKEN PERCENT
near()
{
    echo "$frames frames, $1: sim $2, run $3"
    if [ $((($2 - $3) * 100)) -gt $(($3 * $4)) ] || [ $((($3 - $2) * 100)) -gt $(($3 * $4)) ]; then
        fail "they differ by more than $4 %"
    fi
}

"$onelevel" record --kernel -o trace -- sort --parallel=1 lines >expected 2>/dev/null
for frames in 300 400; do
    "$onelevel" sim --machine ideal --managed --policy fifo --frames $frames --json trace >simulated
    managed "$((frames * 4))K" sort --parallel=1 lines
    cmp expected out
    near 'first touches' "$(sed -n 's/.*"faults_first": *\([0-9]*\).*/\1/p' simulated)" "$(figure faults_zero)" 1
    [ "$(figure faults_major)" -gt 100 ] || fail "hardly any page came back"
    near faults "$(sed -n 's/.*"faults": *\([0-9]*\).*/\1/p' simulated)" \
        $(($(figure faults_zero) + $(figure faults_major) + $(figure faults_rescued))) 5
done
