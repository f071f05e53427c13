#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Lets a fuzz target of tests/fuzz run under libFuzzer, AddressSanitizer and UBSan, from its corpus on. New inputs go to
# build/fuzz/TARGET; what is worth keeping, `tools/fuzz.sh --merge TARGET` adds to the corpus in the repository.
# usage: tools/fuzz.sh [--merge] TARGET [SECONDS]
set -eu -o pipefail
cd "$(dirname "$0")/.."
merge=
[ "${1-}" != --merge ] || { merge=1; shift; }
target=${1?"usage: tools/fuzz.sh [--merge] TARGET [SECONDS]; the targets: i286 journal trace vectors walk"}
seconds=${2:-600}
corpus=tests/fuzz/$target
[ -d "$corpus" ] || { echo "fuzz: there is no target '$target'; the targets: i286 journal trace vectors walk" >&2; exit 2; }

sources=(machine/sim/{vectors,x86,x86_format,x86_tlb,tlb,tlb_spec,tlbs,atlas,riscv,vax,s370,formats,i286}.c tests/support/{x86,i286}_model.c cli/sweep_journal.c trace/*.c)
mkdir -p "build/fuzz/$target"
clang -std=c11 -O1 -g -D_GNU_SOURCE -I. -Iinclude -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    "tests/fuzz/$target.c" "${sources[@]}" -ljansson -lzstd -lz -o "build/fuzz/fuzz_$target"
if [ -n "$merge" ]; then
    exec "build/fuzz/fuzz_$target" -merge=1 "$corpus" "build/fuzz/$target"
fi
exec "build/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$target-" "build/fuzz/$target" "$corpus"
