#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Damaged swap files of a running program, devices that fail, what the file shows, and what is left after SIGKILL.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"
mkfifo "$folder/go"
mkdir "$folder/swap"

# start OPTION...: the program with 16 MiB in 4 MiB, until it waits; sets $program, its process.
start()
{
    : >"$folder/out"
    "$@" "$onelevel" run --ram 4M --swap "file:$folder/swap" $options -- "$programs/run_damage" 16 \
        <"$folder/go" >"$folder/out" 2>"$folder/err" &
    command=$!
    exec 3>"$folder/go"
    until grep -q . "$folder/out"; do
        kill -0 $command 2>/dev/null || fail "it did not start: $(cat "$folder/err")"
        sleep 0.1
    done
    program=$(head -1 "$folder/out")
}

# finish: lets it go on, and sets $right, $errors, $wrong.
finish()
{
    echo go >&3
    exec 3>&-
    status=0
    wait $command || status=$?
    [ $status = 0 ] || fail "status $status: $(cat "$folder/out" "$folder/err")"
    read -r right _ errors _ wrong _ <<END
$(tail -1 "$folder/out")
END
    [ "$wrong" = 0 ] || fail "$wrong pages were wrong"
    [ $((right + errors)) = 4096 ] || fail "$right right, $errors errors: pages are missing"
}

# The program's swap file, as /proc shows it.
swap_file()
{
    for link in /proc/"$program"/fd/*; do
        case $(readlink "$link") in "$folder/swap/"*" (deleted)") echo "$link" ;; esac
    done
}

for options in '' '--encrypt' '--no-move'; do
    start env
    file=$(swap_file)
    [ -n "$file" ] || fail "no swap file: $(ls -l /proc/"$program"/fd)"
    [ "$(stat -L -c %a:%h "$file")" = 600:0 ] || fail "mode and links: $(stat -L -c %a:%h "$file")"
    [ -z "$(ls -A "$folder/swap")" ] || fail "the swap file has a name: $(ls -A "$folder/swap")"
    dd if=/dev/urandom of="$file" bs=4096 seek=1000 count=100 conv=notrunc status=none
    finish
    # Not every slot is in use.
    [ "$errors" -gt 50 ] && [ "$errors" -le 100 ] || fail "$options: 100 slots were damaged, $errors pages ended in SIGBUS"
    lines=$(grep -cE '^onelevel: the page at 0x0000[0-9a-f]{12} is damaged: its checksum is wrong, at byte 4[0-9]{6} of the swap file' "$folder/err")
    [ "$lines" = "$errors" ] || fail "$options: $lines explanations: $(cat "$folder/err")"
    # Reading ahead tries them, too, without a word.
    reads=$(awk '/^onelevel: reads of damaged pages/ { print $6 }' "$folder/err")
    [ "${reads:-0}" -ge "$errors" ] || fail "the account: $(grep -v 'the page at' "$folder/err")"
    echo "damaged, $options: $right right, $errors errors"
done
options=

start env
truncate -s 8M "$(swap_file)"
finish
[ "$errors" -gt 500 ] || fail "the file was cut, but only $errors pages ended in SIGBUS"
# What is written later makes the file longer again, and what was cut zeros.
[ "$(grep -cE 'is (missing: the file ends|damaged: .*), at byte [0-9]+' "$folder/err")" = "$errors" ] ||
    fail "no explanation: $(head "$folder/err")"
echo "cut: $right right, $errors errors"

# A device on which one page of 64 cannot be read.
start "$python" "$(dirname "$0")/failing_device.py"
finish
[ "$errors" -gt 10 ] || fail "the device failed, but only $errors pages ended in SIGBUS"
grep -q 'cannot be read: Input/output error, at byte' "$folder/err" || fail "no explanation: $(head "$folder/err")"
echo "failing device: $right right, $errors errors"

# What was swapped is found in the plain file, and not in the encrypted one: the first word of page 100.
word=$("$python" -c '
x = (100 * 512 + 1) * 0x9e3779b97f4a7c15 % 2**64
x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 % 2**64
print((x ^ x >> 27).to_bytes(8, "little").hex())')
for options in '' '--encrypt'; do
    start env
    found=$("$python" -c '
import sys
print(int(bytes.fromhex(sys.argv[2]) in open(sys.argv[1], "rb").read()))' "$(swap_file)" "$word")
    case $options:$found in
    :1 | --encrypt:0) ;;
    *) fail "'$options': the page is in the file: $found" ;;
    esac
    kill -KILL "$program"
    exec 3>&-
    wait $command || true
    [ -z "$(ls -A "$folder/swap")" ] || fail "killed, it left: $(ls -A "$folder/swap")"
done
echo "encrypted: not in the file; killed: nothing is left"
