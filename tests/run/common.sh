# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# For the tests of `onelevel run`, which are given the command and the build folder, and perhaps a column of the test
# matrix: root or user (an ordinary one), and with which features (all, no-move, no-userfaultfd).

onelevel=$1
programs=$2/tests
who=${3:-root}
features=${4:-all}
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/ol-run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/theirs" # where an ordinary user may write
chmod 777 "$folder" "$folder/theirs"
export LC_ALL=C PYTHONHASHSEED=0
unset MALLOC_PERTURB_ # the test runner sets it: programs would touch all that they allocate
python=/usr/bin/python3

fail()
{
    echo "$*"
    exit 1
}

# Further options of `onelevel run`, and what comes before a command to run it as the user of this column.
options=
as=
case $features in
all) ;;
no-move) options=--no-move ;;
no-userfaultfd) ;; # it is denied, see below
*) fail "there is no column '$features'" ;;
esac
if [ $# -gt 2 ] && [ "$who" = root ] && [ "$(id -u)" != 0 ]; then
    echo 'this column is for root'
    exit 77
elif [ "$who" = user ] && [ "$(id -u)" = 0 ]; then
    as='setpriv --reuid=65534 --regid=65534 --clear-groups'
    # This user may not be able to reach the build, nor this folder.
    mkdir "$folder/copy"
    for file in "$onelevel" "$2/libonelevel-run.so" "$programs"/run_* "$here"/*.sh "$here"/*.py; do
        [ -d "$file" ] || cp "$file" "$folder/copy"
    done
    chmod 755 "$folder/copy" "$folder/copy"/*
    onelevel=$folder/copy/onelevel
    programs=$folder/copy
    here=$folder/copy
fi
where= # before the command: the surroundings
[ "$features" != no-userfaultfd ] || where="$programs/run_deny EPERM"
[ "$who" = root ] || echo "vm.unprivileged_userfaultfd is $(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null)"

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
    $as $where $sampler "$onelevel" run $limit "$ram" --stats-json "$folder/account" $options -- "$@" \
        >"$folder/out" 2>"$folder/err" || status=$?
    echo "$status" >"$folder/status"
}
sampler=    # a command before it
limit=--ram # what is limited
