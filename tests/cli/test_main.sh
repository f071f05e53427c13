#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The command as a whole: its help, its version, and what it says to a command line that makes no sense.
# usage: tests/cli/test_main.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
. "$(dirname "$0")/expect.sh"

for asked in --help -h help; do
    expect 0 "$asked"
    silent err
    for command in run doctor sim machines explain script mmu mrc policies help version; do says out "  $command "; done
done

for command in run doctor sim machines explain script mmu mrc policies help version; do
    expect 0 help "$command"
    silent err
    says out "usage: onelevel"
    mv "$folder/out" "$folder/help"
    expect 0 "$command" --help
    cmp "$folder/out" "$folder/help"
done

for asked in --version version; do
    expect 0 "$asked"
    grep -qxE 'onelevel [0-9]+\.[0-9]+\.[0-9]+' "$folder/out" ||
        { echo "$printed printed:"; cat "$folder/out"; exit 1; }
done

expect 2
silent out
says err "usage: onelevel"

expect 2 rum
silent out
says err "onelevel: there is no command 'rum'"
for command in run doctor sim machines explain mmu mrc policies help version; do says err "  $command "; done

expect 2 help rum
says err "onelevel: there is no command 'rum'"

expect 0 policies
silent err
for policy in fifo clock lru opt; do says out "$policy "; done
expect 0 policies --json
/usr/bin/python3 - "$folder/out" <<'PYTHON'
import json, sys
policies = {policy["name"]: policy for policy in json.load(open(sys.argv[1]))}
assert policies["fifo"]["run"] and policies["fifo"]["needs"] == []
assert not policies["lru"]["run"] and policies["lru"]["needs"] == ["exact"]
assert "future" in policies["opt"]["needs"]
PYTHON
expect 2 policies --lon
says err "there is no option --lon"
expect 2 policies fifo
says err "takes no arguments"
