#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `onelevel run` says of what it cannot do, and its account.
set -eu
onelevel=$1
. "$(dirname "$0")/expect.sh"

expect 125 run -- true
says err '--ram SIZE'
expect 125 run --ram 64M
says err 'which program'
expect 125 run --ram many -- true
says err '--ram many: not a size'
expect 125 run --ram 100K -- true
says err 'the minimum is 1 MiB'
expect 125 run --ram 64M --policy lucky -- true
says err 'unknown policy; known are: fifo second-chance clock'
expect 125 run --ram 64M --policy lru -- true
says err 'needs to see every reference'
expect 125 run --ram 64M --policy fifo:x=1 -- true
says err 'does not know that parameter'
expect 125 run --ram 64M --swap drum -- true
says err 'swap is "none", "compressed", "file"'
for homes in compressed= compressed=gzip compressed=zstd: compressed=zstd:0 compressed=zstd:20 compressed=zstd:3x \
    compressed=zstd:3,drum compressed:3 compressed, file: ,file; do
    expect 125 run --ram 64M --swap "$homes" -- true
    says err '"compressed=zstd:LEVEL" with a level of 1 to 19'
done
expect 125 run --ram 64M --swap file:/nowhere/at/all -- true
says err 'onelevel: '
expect 125 run --ram 64M --resident 64M -- true
says err 'either the whole budget, or its resident and compressed parts'
expect 127 run --ram 64M -- no-such-program-anywhere
says err 'no-such-program-anywhere: no such program'
expect 126 run --ram 64M -- "$folder"
touch "$folder/plain"
expect 126 run --ram 64M -- "$folder/plain"
says err 'Permission denied'
expect 0 run --help
says out 'usage: onelevel run'

echo 'int main(void) { return 0; }' >"$folder/main.c"
if gcc -static -o "$folder/static" "$folder/main.c" 2>"$folder/gcc"; then
    expect 126 run --ram 64M -- "$folder/static"
    says err 'is statically linked'
fi

printf '#!/bin/sh\necho from a script\nexit 4\n' >"$folder/script"
chmod +x "$folder/script"
expect 4 run --ram 64M -- "$folder/script"
says out 'from a script'
says err 'peak without limit'
expect 0 run --ram 64M -- sh -c 'exec true'
says err 'executed another program'
expect 0 run --ram 64M --quiet -- true
silent err
expect 125 run --ram 64M --quiet --stats-json /nowhere/account -- touch "$folder/ran"
says err '--stats-json /nowhere/account: No such file'
[ ! -e "$folder/ran" ] || { echo 'the program ran, and its account has nowhere to go'; exit 1; }
expect 125 run --ram 0% -- true
says err '--ram 0%: not a size'
expect 125 run --ram 101% -- true
expect 0 run --ram 5% --stats-json "$folder/account" -- true
/usr/bin/python3 - "$folder/account" <<'PYTHON'
import json, sys
budget = json.load(open(sys.argv[1]))["budget_bytes"]
total = next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith("MemTotal"))
assert 0 < budget <= total / 20, (budget, total) # a control group may allow less
PYTHON
# In a control group: of its limit, which a group above it may set.
group=/sys/fs/cgroup/memory/ol-test-$$
if [ "$(id -u)" = 0 ] && mkdir -p "$group/inner" 2>/dev/null && [ -e "$group/memory.limit_in_bytes" ]; then
    echo 268435456 >"$group/memory.limit_in_bytes"
    sh -c 'echo $$ >"$1/inner/cgroup.procs"; exec "$2" run --quiet --ram 25% --stats-json "$3" -- true' sh \
        "$group" "$onelevel" "$folder/account"
    rmdir "$group/inner" "$group"
    grep -q '"budget_bytes": 67108864,' "$folder/account" || { echo 'not a quarter of the group:'; cat "$folder/account"; exit 1; }
fi

expect 5 run --ram 8M --stats-json "$folder/account" -- sh -c 'exit 5'
/usr/bin/python3 - "$folder/account" <<'PYTHON'
import json, sys
account = json.load(open(sys.argv[1]))
for name in ("peak_without_limit_bytes resident_peak_bytes faults_minor faults_major evictions swapped_out_pages "
             "swapped_in_pages compression_ratio fault_ns wall_seconds").split():
    assert name in account, name
assert account["exit_status"] == 5 and account["budget_bytes"] == 8 << 20, account
PYTHON

# A swap file on a full file system: the program ends well, and the account says what that took.
[ "$(id -u)" = 0 ] && mkdir "$folder/small" && mount -t tmpfs -o size=1M none "$folder/small" 2>/dev/null || exit 0
trap 'umount "$folder/small"; rm -rf "$folder"' EXIT
expect 0 run --ram 8M --swap "file:$folder/small" --stats-json "$folder/account" -- \
    /usr/bin/python3 -c 'import random
a = [random.Random(1).randbytes(4096) for _ in range(8000)]
print(len(set(a)) == 1 and sum(map(len, a)))'
says out 32768000
says err 'they stay in memory beyond the budget'
says err 'over the budget, peak'
[ "$(grep -c 'warning' "$folder/err")" = 1 ] || { echo 'more than one warning:'; cat "$folder/err"; exit 1; }
