#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel record: the same references as Valgrind's lackey tells, in far fewer bytes; the program's output and exit
# status; other processes; and what it says when it cannot record.
# usage: tests/cli/test_record.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
build=$2
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.sh"
[ -x "$build/record/onelevel-amd64-linux" ] || { echo "the Valgrind tool was not built"; exit 77; }
valgrind=$(command -v valgrind.bin valgrind | head -n 1)
libexec=$(dirname "$(readlink "$build/record/default.supp")")
cd "$folder"
export LC_ALL=C
seq 1 7 2000 | sort -R --random-source=/bin/true >words

# The loader reads the names of the tool's folder: lackey gets one of the same length.
lackey=$build/lackey
mkdir -p "$lackey"
trap 'rm -rf "$folder" "$lackey"' EXIT
ln -sf "$libexec/lackey-amd64-linux" "$libexec/vgpreload_core-amd64-linux.so" "$libexec/default.supp" "$lackey"

# counts TRACE FRAMES: what a machine of so many frames makes of it.
counts()
{
    "$onelevel" sim --machine ideal --policy fifo --frames "$2" "$1" >counted || exit 1
    grep -E '^(references|distinct pages|faults|evictions|  of modified pages) ' counted
}

# same PROGRAM ARGUMENT...: lackey and record agree.
same()
{
    env -i LC_ALL=C VALGRIND_LIB="$lackey" "$valgrind" --quiet --vgdb=no --tool=lackey --trace-mem=yes \
        --log-file=lackey.trace -- "$@" >lackey.out
    for form in "" --addresses; do
        env -i LC_ALL=C "$onelevel" record -o record.olt ${form:+"$form"} -- "$@" >record.out
        cmp lackey.out record.out
        for frames in 3 60; do
            counts lackey.trace $frames >expected
            counts record.olt $frames >found
            cmp expected found || { echo "$* $form, $frames frames:"; diff expected found; exit 1; }
        done
        [ "$form" ] || cp record.olt pages.olt
    done
    zstd -q -3 -f lackey.trace
    text=$(stat -c %s lackey.trace.zst)
    ours=$(stat -c %s pages.olt)
    echo "$*: lackey $text bytes by zstd -3, record $ours"
}

same /bin/true
same /usr/bin/od -x words
same /usr/bin/sha256sum words

# Of the memory that onelevel run would manage, a part; a trace that does not know is refused.
"$onelevel" record -o large.olt /usr/bin/perl -e '$text = "x" x 3000000'
expect 0 sim --machine ideal --managed --policy lru --frames 8 large.olt
[ "$(sed -n 's/^distinct pages *//p' out)" -gt 700 ] || { cat out; exit 1; }
expect 1 sim --machine ideal --managed --frames 8 lackey.trace.zst
says err "does not tell which memory was mapped"
expect 1 sim --machine ideal --managed --policy opt --frames 8 pages.olt
says err "opt wants to know the future"
expect 2 sim --managed --frames 8 pages.olt
says err "--managed is for --machine ideal"

# Damage is named.
head -c 10000 record.olt >bad.olt
expect 1 sim --machine ideal --frames 4 bad.olt
says err "bad.olt: offset"
says err "truncated"

# Output, input and status are the program's.
echo hello >in
"$onelevel" record -o cat.olt cat <in >out
cmp in out
expect 3 record -o x.olt sh -c 'echo told; exit 3'
says out told
silent err
status=0
"$onelevel" record -o x.olt sh -c 'kill -TERM $$' 2>err || status=$?
[ $status = 143 ] || { echo "killed: status $status"; exit 1; }
counts x.olt 10 >/dev/null

# Other processes: not unless they are asked for.
expect 0 record -o one.olt sh -c '/bin/true; (exit 0); wait'
[ "$(echo one.olt*)" = one.olt ] || { echo "files: $(echo one.olt*)"; exit 1; }
expect 0 record --children -o many.olt sh -c '/bin/true; (sort words | tail -n 1); wait'
says out 995
[ "$(echo many.olt.* | wc -w)" -ge 3 ] || { echo "files: $(echo many.olt*)"; exit 1; }
for trace in many.olt*; do counts "$trace" 10 >/dev/null; done

# What cannot be done.
expect 125 record /bin/true
says err "-o FILE"
expect 125 record -o x.olt
says err "which program"
expect 125 record -o missing/x.olt /bin/true
says err "missing/x.olt: cannot be written: No such file"
expect 127 record -o x.olt no-such-program
says err no-such-program
expect 125 record -o /dev/full /usr/bin/sort words
says err "/dev/full: cannot be written: No space left"
