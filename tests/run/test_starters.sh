#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Programs that start other programs, and the surroundings that a program may be started in: the same as natively.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"
cd "$folder"

# same NAME COMMAND...
same()
{
    name=$1
    shift
    wanted=0
    "$@" >native 2>native.err || wanted=$?
    managed 4M "$@"
    cmp native out || fail "$name: another output: $(cat out err)"
    [ "$(cat status)" = "$wanted" ] || fail "$name: exit status $(cat status), not $wanted: $(cat err)"
    sed -i '/^onelevel: /d' err
    cmp native.err err || fail "$name: other messages"
    echo "$name: the same"
}

cat >script <<'BASH'
exec 3>third; echo three >&3; exec 3>&-; cat third
for i in {1..30000}; do a[i]=$((i * 7)); done
echo ${#a[@]} ${a[29999]}
echo "$(echo through a pipe | tr a-z A-Z)" "$(env | grep -cE 'ONELEVEL|LD_PRELOAD')"
(exit 9); echo $?
for i in {1..20}; do (echo $((a[i * 1000]))); done
cat <(seq 3) <<<"here"
trap 'echo trapped' USR1; kill -USR1 $$
sh -c 'kill -TERM $$'; echo $?
kill -INT $$
BASH
same bash bash script
same python3 "$python" -c '
import multiprocessing, subprocess, sys
def square(n): return n * n
book = {i: str(i) * 3 for i in range(60000)}
for i in range(4):
    run = subprocess.run(["sh", "-c", "cat; echo $1; exit 3", "sh", "x" * 5000], input=b"z" * 300000,
                         capture_output=True)
    print(len(run.stdout), run.returncode)
with multiprocessing.Pool(3) as pool: print(sum(pool.map(square, range(2000))))
print(all(book[k] == str(k) * 3 for k in book))'
same 'dd of large blocks' dd if=/dev/zero bs=10M count=2 status=none of=/dev/stdout
same 'dd through a pipe' sh -c 'dd if=/dev/zero bs=3M count=2 status=none | dd bs=1M iflag=fullblock status=none | cksum'

# What was blocked, ignored, closed or limited where the command was started.
book='print(len({i: str(i) for i in range(60000)}))'
"$python" - "$onelevel" "$python" "$book" >out <<'PYTHON' || fail 'signals of ours blocked: it died'
import os, signal, sys
onelevel, python, book = sys.argv[1:]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGBUS, signal.SIGSYS])
signal.signal(signal.SIGBUS, signal.SIG_IGN)
os.execv(onelevel, ["onelevel", "run", "--quiet", "--ram", "4M", "--", python, "-c", book + """
import signal
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), signal.getsignal(signal.SIGBUS) == signal.SIG_IGN)"""])
PYTHON
[ "$(sed -n 1p out)" = 60000 ] || fail "signals of ours blocked: $(cat out)"
sed -n 2p out | grep -q 'SIGBUS.*SIGSYS.*True' || fail "what was blocked and ignored is so no longer: $(cat out)"
"$onelevel" run --quiet --ram 4M -- "$python" -c "$book" <&- >out || fail 'without standard input'
[ "$(cat out)" = 60000 ] || fail "without standard input: $(cat out)"
(ulimit -n 64 && "$onelevel" run --quiet --ram 4M -- "$python" -c "$book") >out || fail 'with few descriptors'
[ "$(cat out)" = 60000 ] || fail "with few descriptors: $(cat out)"
if setarch -R true 2>/dev/null; then # no random addresses: children lie where the filter could mistake them
    (ulimit -s unlimited; setarch -R "$onelevel" run --quiet --ram 4M -- sh -c "$python -c '$book'; ls -d /") >out ||
        fail 'without random addresses'
    [ "$(tail -n 1 out)" = / ] || fail "without random addresses: $(cat out)"
fi
echo 'surroundings: the same'
