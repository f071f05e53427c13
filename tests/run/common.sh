# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# For the tests of `onelevel run`, which are given the command and the build folder.

onelevel=$1
programs=$2/tests
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/ol-run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
export LC_ALL=C PYTHONHASHSEED=0
unset MALLOC_PERTURB_ # the test runner sets it: programs would touch all that they allocate
python=/usr/bin/python3

fail()
{
    echo "$*"
    exit 1
}

# figure NAME: a number of the last account.
figure()
{
    "$python" -c 'import json, sys; print(int(json.load(open(sys.argv[1]))[sys.argv[2]]))' "$folder/account" "$1"
}

# managed RAM COMMAND...: under `onelevel run`; its output, messages and status as $folder/out, err, status.
managed()
{
    ram=$1
    shift
    status=0
    "$onelevel" run --ram "$ram" --stats-json "$folder/account" $options -- "$@" >"$folder/out" 2>"$folder/err" || status=$?
    echo "$status" >"$folder/status"
}
options=
