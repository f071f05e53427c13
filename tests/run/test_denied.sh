#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Where userfaultfd is forbidden: programs run all the same, with the same results, and that it is slower is said once.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"
mkdir "$folder/files"
slower='userfaultfd is forbidden here: faults come as protection faults'

# denied COMMAND...: natively, and managed where userfaultfd is denied.
denied()
{
    "$@" >"$folder/native" 2>"$folder/native.err" || fail "$* (natively): $(cat "$folder/native.err")"
    "$programs/run_deny" $error "$onelevel" run --ram 2M --stats-json "$folder/account" -- "$@" >"$folder/out" \
        2>"$folder/err" || fail "$*: status $?: $(tail -n 30 "$folder/out" "$folder/err")"
    cmp "$folder/native" "$folder/out" || fail "$*: another output"
    [ "$(grep -c "$slower" "$folder/err")" = 1 ] || fail "$*: not said once: $(cat "$folder/err")"
    grep -q '"faults_by": "protection"' "$folder/account" || fail "$*: $(cat "$folder/account")"
    [ "$(figure evictions)" -gt 1000 ] || fail "$*: hardly anything was evicted"
    echo "$* ($error): $(figure faults_soft) soft and $(figure faults_major) major faults: the same"
}

error=EPERM
denied "$programs/run_forks"
error=ENOSYS
denied "$programs/run_files" "$folder/files"
denied "$python" -c '
import subprocess, threading
book = {i: str(i) * 3 for i in range(60000)}
def check(k): assert all(book[i] == str(i) * 3 for i in range(k, 60000, 4))
threads = [threading.Thread(target=check, args=(k,)) for k in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"z" * 300000, capture_output=True).returncode)'

# What was chosen by hand is not said; what is forbidden and wanted by hand is refused.
"$programs/run_deny" EPERM "$onelevel" run --ram 4M --quiet --faults protection -- true 2>"$folder/err" || fail "chosen by hand"
[ ! -s "$folder/err" ] || fail "chosen by hand: $(cat "$folder/err")"
status=0
"$programs/run_deny" EPERM "$onelevel" run --ram 4M --faults userfaultfd -- true 2>"$folder/err" || status=$?
[ $status = 125 ] || fail "userfaultfd by hand: status $status"
grep -q 'userfaultfd is forbidden' "$folder/err" || fail "userfaultfd by hand: $(cat "$folder/err")"
