#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Traces stream in constant memory: what onelevel sim has resident at most does not depend on how long the trace is.
# usage: tests/cli/test_stream.sh COMMAND BUILD-FOLDER
# LONG=1: gigabytes of text, which takes minutes.
set -eu
onelevel=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# 64 pages, a thousand lines.
awk 'BEGIN { for (i = 0; i < 1000; i++) printf "%x\n", 4096 + i * 7 % 64 }' >pages
awk 'BEGIN { for (i = 0; i < 500; i++) printf "I  0400%03x0,3\n L 04%03x000,8\n", i % 100, i * 7 % 60 }' >lackey

# peak FORMAT BLOCKS [FILTER]: prints the largest resident size, in KiB, of a simulation that reads so many blocks.
peak()
{
    yes "$(cat "$1")" | head -n $(($2 * 1000)) | ${3:-cat} | /usr/bin/python3 -c '
import resource, subprocess, sys
out = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, check=True).stdout.decode()
assert "\"references\": %d," % (int(sys.argv[1]) * 1000) in out, out
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
' "$2" "$onelevel" sim --frames 200 --tlb skylake --json --format "$1" -
}

blocks=${LONG:+800000}
for trace in "pages cat" "lackey cat" "pages gzip"; do
    form=${trace% *}
    short=$(peak "$form" 10 "${trace#* }")
    long=$(peak "$form" "${blocks:-8000}" "${trace#* }")
    echo "$trace: at most $short KiB resident with a short trace, $long KiB with a long one"
    [ "$long" -le $((short + 4096)) ] || exit 1 # the long one has ten times as much text; allocators differ
done
