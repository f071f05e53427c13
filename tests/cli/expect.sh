# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# For the tests of the command, which set $onelevel first: a scratch folder, and words for what is expected.

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# expect STATUS ARGUMENT...: runs the command, keeps what it prints in $folder/out and $folder/err.
expect()
{
    wanted=$1
    shift
    status=0
    "$onelevel" "$@" >"$folder/out" 2>"$folder/err" || status=$?
    if [ "$status" != "$wanted" ]; then
        echo "onelevel $*: exit status $status, not $wanted"
        cat "$folder/err"
        exit 1
    fi
    printed="onelevel $*"
}

# says FILE TEXT: TEXT is in what the last command printed.
says()
{
    grep -qF -- "$2" "$folder/$1" || { echo "$printed: '$2' is not in its $1:"; cat "$folder/$1"; exit 1; }
}

silent()
{
    [ ! -s "$folder/$1" ] || { echo "$printed: its $1 should be empty:"; cat "$folder/$1"; exit 1; }
}
