#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the packages that packages.txt lists in the sections named and that are missing.
# usage: tools/setup.sh SECTION...
# As root or with sudo; otherwise it says what to install, and fails. Where there is no dpkg it only says what it wants.
set -eu
list=$(dirname "$0")/../packages.txt

wanted=$(awk -v sections=" $* " '
    { sub(/#.*/, "") }
    /^\[/ { gsub(/[][ ]/, ""); here = index(sections, " " $0 " "); next }
    here && NF { print $1 }' "$list" | sort -u)
if [ -z "$wanted" ]; then
    echo "setup: packages.txt has no section of: $*" >&2
    exit 2
fi

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not Debian; if the build fails, install what your system has in place of:" $wanted >&2
    exit 0
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p')
lacking=$(echo "$wanted" | grep -vxF "$installed") || exit 0

if [ "$(id -u)" = 0 ]; then as_root='env'
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root='sudo -n env'
elif command -v sudo >/dev/null && [ -t 0 ]; then as_root='sudo env'
else
    echo "setup: packages are missing, and neither root nor sudo is here to install them. Please run, as root:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends" $lacking >&2
    exit 1
fi

echo "setup: installing" $lacking >&2
if ! $as_root apt-get update -qq || ! $as_root DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $lacking; then
    echo "setup: could not install:" $lacking >&2
    exit 1
fi
