#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel doctor: what it says is what `onelevel run` then does, also where userfaultfd is denied.
# usage: tests/cli/test_doctor.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
deny=$2/tests/run_deny
. "$(dirname "$0")/expect.sh"

expect 2 doctor now
says err "takes no arguments"
status=0
"$onelevel" doctor >/dev/full 2>"$folder/err" || status=$?
[ "$status" = 1 ] || { echo "on a full disk: status $status"; exit 1; }

# field NAME: of the JSON in $folder/out.
field()
{
    /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$folder/out" "$1"
}

# agrees COMMAND...: the doctor, run by it, tells how faults will come to a program run by it.
agrees()
{
    "$@" "$onelevel" doctor --json >"$folder/out"
    [ "$(field works)" = True ] || { cat "$folder/out"; exit 1; }
    told=$(field uses)
    "$@" "$onelevel" run --ram 8M --quiet --stats-json "$folder/account" -- true 2>"$folder/err"
    used=$(sed -n 's/.*"faults_by": "\(.*\)".*/\1/p' "$folder/account")
    case $told in "$used"*) ;; *) echo "$*: told '$told', used '$used'"; exit 1 ;; esac
}
agrees env
agrees "$deny" EPERM
[ "$used" = protection ] || { echo "userfaultfd was denied, and used"; exit 1; }
[ "$(field userfaultfd)" = 'no: Operation not permitted' ] || { cat "$folder/out"; exit 1; }
[ -n "$(field advice)" ] || { echo 'no advice'; exit 1; }

TMPDIR=/nowhere/at/all expect 1 doctor
says out 'it will not work here'
says out 'export TMPDIR='
