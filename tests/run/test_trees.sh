#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Programs that start programs, with --children: all are managed, do as natively, and hold the budget together; as this
# user and, for root, as an ordinary one.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"
sampler=$(cd "$(dirname "$0")" && pwd)/tree.py
cd "$folder"

# tree NAME RAM PROCESSES COMMAND...: natively and managed. At least so many processes are managed, all within RAM MiB
# as the kernel counts it: 2 %, and 64 pages of each, may be over, and 1 MiB of each if the budget is less than that.
tree()
{
    name=$1 ram=$2 wanted_processes=$3
    shift 3
    wanted=0
    "$@" >native 2>native.err || wanted=$?
    status=0
    $as "$python" "$sampler" "$command" run --children --ram "$ram"M --quiet --stats-json "$account" -- "$@" \
        >out 2>err || status=$?
    [ "$status" = "$wanted" ] || fail "$name: exit status $status, not $wanted: $(tail -n 20 out err)"
    cmp native out || fail "$name: another output: $(tail err)"
    cp "$account" account 2>/dev/null || true
    processes=$(figure processes)
    [ "$processes" -ge "$wanted_processes" ] || fail "$name: only $processes processes were managed"
    set -- $(tail -n 1 err)
    [ "$6" -gt 0 ] || fail "$name: nothing was measured"
    limit=$((ram * 1048576 * 102 / 100 + ${5%,} * 262144))
    [ "$2" -le $limit ] || fail "$name: $2 bytes were held at a time, and $limit allowed"
    echo "$name: $2 bytes of at most $limit, $processes processes, $(figure evictions) evictions: the same"
}
as='' command=$onelevel account=$folder/account

"$python" -c '
import random
draw = random.Random(5)
for i in range(100000): print(f"{draw.getrandbits(64):016x} line {i} " + "word " * (i % 12))' >text
cat >Makefile <<'MAKE'
all: $(foreach n,1 2 3 4 5 6,part$n)
	@cat $^ | cksum
part%:
	@sort -S 60M --parallel=1 -k $* text | cksum >$@
MAKE
cat >work.py <<'PYTHON'
import subprocess, sys
code = """
import hashlib, sys
seed = int(sys.argv[1])
book = {hashlib.md5(b"%d" % (n * seed)).hexdigest(): str(n) for n in range(40000)}
print(sum(int(value) for key, value in book.items() if key < "8"))"""
keep = [str(n) * 3 for n in range(200000)]
runs = [subprocess.Popen([sys.executable, "-c", code, str(seed)], stdout=subprocess.PIPE) for seed in (3, 5, 7)]
print([run.communicate()[0] for run in runs], all(text == str(n) * 3 for n, text in enumerate(keep)))
raise SystemExit(4)
PYTHON

tree 'make -j2, sh, sort' 16 14 make -s -B -j2
tree 'python3 subprocess' 20 4 "$python" work.py
tree 'xargs -P, perl' 20 4 sh -c 'seq 1 3 | xargs -n 1 -P 3 perl -e "
    my %book; \$book{\$_ * \$ARGV[0]} = \"text \$_\" for 1 .. 40000;
    my \$sum = 0; \$sum += length \$book{\$_} for keys %book; print \"\$sum\n\""'
tree 'without the environment' 16 2 env -i "$python" -c 'import os
book = {n: str(n) for n in range(100000)}
print(len(book), dict(os.environ))'
grep -q ONELEVEL out && fail 'the environment shows the runtime'

# Copies of a process write all that they have, at once and at the same time. What they share becomes their own with each
# write, so the budget is exceeded soon after the fork if it ever is: looked at every few milliseconds.
cat >forks.py <<'PYTHON'
import os, random
data = bytearray(random.Random(11).randbytes(32 << 20))

def work(name):
    for turn in range(3):
        for at in range(0, len(data), 4096): data[at] = (at >> 12) + name + turn & 255
    for at in range(0, len(data), 4096):
        if data[at] != (at >> 12) + name + 2 & 255: raise SystemExit(f"writer {name}: the page at {at} is wrong")

def divide(name, generations):
    children = []
    for child in range(generations):
        pid = os.fork()
        if pid == 0: os._exit(divide(name * 3 + child + 1, generations - 1 - child))
        children.append(pid)
    work(name)
    return any([os.waitpid(pid, 0)[1] for pid in children])

status = divide(0, 2)
print("writers ended with", status)
PYTHON
export TREE_EVERY=0.003
tree 'copies that write' 16 4 "$python" forks.py
unset TREE_EVERY

# What a process did before its children came is counted once.
cat >often.py <<'PYTHON'
import os, sys
data = bytearray(20 << 20)
for turn in range(3):
    for at in range(0, len(data), 4096): data[at] = turn
for child in range(int(sys.argv[1])):
    if os.fork() == 0: os._exit(0)
    os.wait()
PYTHON
counted()
{
    "$command" run --ram 6M --quiet --stats-json "$account" -- "$python" often.py "$1" || fail "often.py $1"
    [ "$(figure processes)" = $(($1 + 1)) ] || fail "often.py $1: $(figure processes) processes"
    echo $(($(figure faults_zero) + $(figure evictions)))
}
alone=$(counted 0) children=$(counted 10)
[ "$alone" -gt 10000 ] && [ "$children" -lt $((alone * 3 / 2)) ] ||
    fail "often.py: $alone first touches and evictions, and $children when ten children were forked and ended"
echo "counted once: $alone first touches and evictions, $children with ten children"

# What a program sees of how it was started.
cat >see <<'SH'
echo "$1 ${LD_PRELOAD-unset} $(ulimit -s) $(env | grep -c ONELEVEL)"
[ "$1" = 0 ] && exec sleep 0.5 # for the sampler
exec sh see $(($1 - 1))
SH
tree 'forty programs deep' 16 20 sh see 40
LD_PRELOAD=libm.so.6 tree "the user's own LD_PRELOAD" 16 3 sh see 3
tree 'stacks of threads' 16 2 sh -c "$python -c '
import threading
stacks = []
def run(): stacks.append([line.split()[0] for line in open(\"/proc/self/maps\")])
thread = threading.Thread(target=run); thread.start(); thread.join()
__import__(\"time\").sleep(0.5); print(threading.stack_size(), len(stacks), max(int(l.split()[1]) for l in open(\"/proc/self/status\") if \"VmSize\" in l) < 1 << 45)'"

# What cannot be managed runs all the same, and is counted.
echo 'int main(void) { return 6; }' >main.c
if gcc -static -o static main.c 2>gcc; then
    tree 'a static program' 16 1 sh -c 'sleep 0.5; ./static; echo $?'
    [ "$(figure uncovered_programs)" = 1 ] || fail "a static program: $(cat account)"
fi

# One that is killed gives back what it had: the other, which wants all, gets it.
tree 'killed' 24 2 "$python" -c '
import os, signal, subprocess, sys, time
hold = "a = bytearray(40 << 20); print(1, flush=True); import time; time.sleep(60)"
held = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
held.stdout.read(2)
held.kill(); held.wait()
a = bytearray(18 << 20)
time.sleep(1)
for i in range(0, len(a), 4096): a[i] = i >> 12 & 255
print(sum(a))'

[ "$(id -u)" = 0 ] || exit 0
mkdir copy
cp "$onelevel" "$2/libonelevel-run.so" copy
chmod 755 copy copy/*
command=$folder/copy/onelevel account=$folder/theirs/account as='setpriv --reuid=65534 --regid=65534 --clear-groups'
tree 'an ordinary user: pipes' 24 5 sh -c "sort -S 60M --parallel=1 $folder/text | sort -S 60M --parallel=1 -k 3 | cksum"
tree 'an ordinary user: python3 subprocess' 20 4 "$python" work.py
