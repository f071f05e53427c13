#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The budget of a running program, shown and changed: it follows within a second, also while the program waits.
set -eu
onelevel=$1
. "$(dirname "$0")/expect.sh"
python=/usr/bin/python3

expect 2 limit
says err 'usage: onelevel limit'
expect 2 limit many
expect 2 limit 1 2 3
expect 0 limit --help
says out 'usage: onelevel limit PID'
expect 1 limit 999999999
says err 'there is no process 999999999'
expect 1 limit $$
says err "process $$ is neither"

cat >"$folder/hold.py" <<'PYTHON'
import os, sys, time
size, folder = 60 << 20, sys.argv[1]
stamp = lambda at: (at * 2654435761 & 0xffffffffffffffff).to_bytes(8, "little")
memory = bytearray(size)
for at in range(0, size, 4096): memory[at:at + 8] = stamp(at)
def call(go): # waits in a system call, without a fault
    with open(go) as file: file.read()
def vfork(go): # waits where a signal stops nobody, until its child, which opens a pipe first, executes something
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, go, os.O_RDONLY, 0)]), 0)
for turn, wait in enumerate([globals()[name] for name in sys.argv[2:]]):
    open(folder + f"/ready{turn}", "w").close()
    wait(folder + f"/go{turn}")
    for at in range(0, size, 4096):
        if memory[at:at + 8] != stamp(at): raise SystemExit(f"the page at {at} is wrong")
print("all pages are right")
PYTHON

# held PID: KiB of private memory that it has.
held()
{
    awk '/RssAnon/ { print $2 }' "/proc/$1/status"
}

# becomes PID COMPARISON KIB: within two seconds, twice what is promised, because the machine may be busy.
becomes()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.2
        [ "$(held "$1")" "$2" "$3" ] && return
    done
    echo "process $1 holds $(held "$1") KiB, which is not $2 $3"
    "$onelevel" limit "$1"
    exit 1
}

# hold OPTION...: the program, started, and past its first turn. What it takes beside 64 MiB of budget is in $beside.
waits='call call' # in what, each turn
hold()
{
    rm -f "$folder"/ready* "$folder"/go*
    mkfifo "$folder/go0" "$folder/go1"
    # shellcheck disable=SC2086
    "$onelevel" run --quiet --ram 128M "$@" -- "$python" "$folder/hold.py" "$folder" $waits >"$folder/held" 2>&1 &
    command=$!
    until [ -e "$folder/ready0" ]; do sleep 0.05; done
    program=$(pgrep -P $command)
    beside=$(($(held "$program") - 60 * 1024))
}

ends_well()
{
    : >"$folder/go1"
    wait $command || { echo 'it failed:'; cat "$folder/held"; exit 1; }
    grep -q 'all pages are right' "$folder/held"
}

hold
expect 0 limit $command
says out 'budget 128 MiB, used '
grep -qE 'used (5[5-9]|6[0-9])[.0-9]* MiB by 1 process$' "$folder/out" || { cat "$folder/out"; exit 1; }
expect 2 limit $command much
says err 'much: not a size'
expect 2 limit $command 100K
says err 'the minimum is 1 MiB'
expect 2 limit $command 0%
expect 0 limit "$program" 16M
expect 0 limit $command
says out 'budget 16 MiB'
becomes "$program" -le $((16 * 1024 + beside + 656))
: >"$folder/go0"
until [ -e "$folder/ready1" ]; do sleep 0.05; done
[ "$(held "$program")" -le $((16 * 1024 + beside + 656)) ] || { echo "over 16 MiB: $(held "$program")"; exit 1; }
expect 0 limit $command 1M # and again, when it has watched before
becomes "$program" -le $((1024 + beside + 656))
expect 0 limit $command 128M
ends_well

# What waits goes on waiting: no call of the program's is interrupted.
"$onelevel" run --quiet --ram 128M -- perl -e '
    my $text = "x" x (40 << 20); my $begun = time; $| = 1; print "ready\n";
    my $count = select undef, undef, undef, 2;
    print "select $count, ", time - $begun >= 2 ? "in time" : "too early", ", ", $text =~ tr/x//, "\n"' >"$folder/out" &
command=$!
until grep -q ready "$folder/out"; do sleep 0.05; done
"$onelevel" limit $command 4M
becomes "$(pgrep -P $command)" -le 24000
wait $command
printed='a program in select'
says out 'select 0, in time, 41943040'

# Looked at while it cannot be stopped, it stops once it can, long after the command gave up. It is let go then: it ends
# its wait, and does what was wanted of it.
waits='vfork call'
hold
"$onelevel" limit $command 16M
for _ in $(seq 50); do
    tracer=$(awk '/^TracerPid:/ { print $2 }' "/proc/$program/status")
    [ "$tracer" = 0 ] || break
    sleep 0.1
done
[ "$tracer" = $command ] || { echo "in vfork: looked at by $tracer, not by $command"; exit 1; }
sleep 0.5 # the command waits a tenth of a second
grep -q '^State:.D' "/proc/$program/status" || { echo 'in vfork: it could be stopped'; exit 1; }
: >"$folder/go0"
for _ in $(seq 50); do
    [ ! -e "$folder/ready1" ] || break
    sleep 0.1
done
if [ ! -e "$folder/ready1" ]; then
    grep -E '^(State|TracerPid):' "/proc/$program/status" || true
    kill -KILL $command "$program"
    echo 'in vfork: it was not let go'
    exit 1
fi
becomes "$program" -le $((16 * 1024 + beside + 656))
ends_well
waits='call call'

hold --swap compressed # without a file the store stays, and the program keeps its data
expect 0 limit $command 2M
: >"$folder/go0"
until [ -e "$folder/ready1" ]; do sleep 0.05; done
ends_well

# --ram auto in a control group: gives back what another program in the group needs, and takes it again.
group=/sys/fs/cgroup/memory/ol-limit-$$ limit=memory.limit_in_bytes
[ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ] || group=/sys/fs/cgroup/ol-limit-$$ limit=memory.max
budget()
{
    expect 0 limit $command
    grep -q '(auto)' "$folder/out" || { cat "$folder/out"; exit 1; }
    awk '{ print int($2 * ($3 ~ /GiB/ ? 1024 : 1)) }' "$folder/out"
}

# until_budget COMPARISON MIB: within ten seconds
until_budget()
{
    for _ in $(seq 50); do
        [ "$(budget)" "$1" "$2" ] && return
        sleep 0.2
    done
    echo "--ram auto: $(cat "$folder/out"), not $1 $2"
    exit 1
}

if [ "$(id -u)" = 0 ] && mkdir "$group" 2>/dev/null && echo 268435456 2>/dev/null >"$group/$limit"; then
    trap 'rm -rf "$folder"; rmdir "$group"' EXIT
    rm -f "$folder"/ready* "$folder"/go*
    mkfifo "$folder/go0" "$folder/go1"
    # shellcheck disable=SC2016,SC2086
    sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$group/cgroup.procs" \
        "$onelevel" run --quiet --ram auto -- "$python" "$folder/hold.py" "$folder" $waits >"$folder/held" 2>&1 &
    command=$!
    until [ -e "$folder/ready0" ]; do sleep 0.05; done
    until_budget -ge 100
    # shellcheck disable=SC2016
    sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$group/cgroup.procs" \
        "$python" -c 'import time; a = b"x" * (150 << 20); time.sleep(60)' &
    hog=$!
    until_budget -le 45 # 256 less its 150 and the reserve of 64, which leaves 42, less what is no managed memory
    kill $hog
    wait $hog 2>/dev/null || true
    until_budget -ge 100
    : >"$folder/go0"
    until [ -e "$folder/ready1" ]; do sleep 0.05; done
    ends_well
    sleep 0.2
    rmdir "$group"
    trap 'rm -rf "$folder"' EXIT
    echo '--ram auto follows'
else
    rmdir "$group" 2>/dev/null || true
    echo '--ram auto was not tested: it wants root and a control group'
fi

expect 125 run --ram 16M --quiet --children -- "$onelevel" run --ram 8M -- true
says err 'already runs under'
expect 7 run --ram 16M --quiet -- sh -c "'$onelevel' run --ram 8M -- sh -c 'exit 7'"

# Somebody else's.
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups true; then
    hold
    cp "$onelevel" "$folder/copy"
    chmod 755 "$folder" "$folder/copy"
    status=0
    setpriv --reuid=65534 --regid=65534 --clear-groups "$folder/copy" limit $command 16M 2>"$folder/err" || status=$?
    printed='limit of somebody else'
    [ $status = 1 ] || { echo "$printed: status $status"; exit 1; }
    says err "process $command is not yours"
    expect 0 limit $command
    says out 'budget 128 MiB'
    : >"$folder/go0"
    until [ -e "$folder/ready1" ]; do sleep 0.05; done
    ends_well
fi
