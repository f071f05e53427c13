#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Real programs at a half and an eighth of the memory that they would take, and at the least that --ram takes: the same
# output to the byte, the same exit status, and the budget holds, sampled from outside. A column of the matrix a run;
# the name of a program as last argument runs that one alone, and LONG=1 does everything with larger data.
set -eu
only=${5:-}
. "$(dirname "$0")/common.sh" "$@"
minimum=1048576
long=${LONG:-}

# size SHORT LONG: a size of data.
size()
{
    [ -n "$long" ] && echo "$2" || echo "$1"
}

wanted()
{
    [ -z "$only" ] || [ "$only" = "$1" ]
}

# What runs beside the program, such as its clients; its output counts as the program's.
beside=true

# Not empty for programs that take so little that budgets are not reached.
little=

# outcome FILE COMMAND...: what the command and its companion print, as FILE; the status as FILE.status.
outcome()
{
    file=$1
    shift
    $as $beside >"$folder/beside" 2>&1 &
    "$@" || true
    wait $!
    cat "$folder/out" "$folder/beside" >"$file"
    cat "$folder/status" >"$file.status"
}

natively()
{
    status=0
    $as "$@" >"$folder/out" 2>"$folder/native.err" || status=$?
    echo "$status" >"$folder/status"
}

# equal NAME HOW: the last outcome is the native one.
equal()
{
    cmp "$folder/native" "$folder/managed" || fail "$1 $2: another output: $(tail -n 20 "$folder/err")"
    [ "$(cat "$folder/native.status")" = "$(cat "$folder/managed.status")" ] ||
        fail "$1 $2: exit status $(cat "$folder/managed.status"), not $(cat "$folder/native.status"): $(tail -n 20 "$folder/err")"
}

# within NAME BUDGET: what was seen from outside, of all processes together, is no more than the budget and 2 % and 64
# pages of each process, and each may always have 1 MiB; and it was seen. `most` is how much it was.
within()
{
    budget=$2 inside=$1
    # shellcheck disable=SC2046
    set -- $(tail -n 1 "$folder/err")
    [ "${1:-}" = tree: ] && [ "$6" -gt 0 ] || fail "$inside in $budget: was not sampled"
    most=$2 processes=${5%,}
    [ "$limit" = --ram ] || most=$8
    base=$((budget > processes << 20 ? budget : processes << 20))
    [ -n "$little" ] || [ "$most" -gt $((budget / 2)) ] || fail "$inside in $budget: at most $most bytes: this shows nothing"
    [ "$most" -le $((base + base / 50 + processes * 262144)) ] ||
        fail "$inside in $budget: $most bytes of $processes processes: over the budget"
}

# same NAME PEAK COMMAND...: natively and in less; PEAK 0: as the account says that it is.
same()
{
    name=$1
    peak=$2
    shift 2
    sampler=
    outcome "$folder/native" natively "$@"
    if [ "$peak" = 0 ]; then
        outcome "$folder/managed" managed 2G "$@"
        equal "$name" 'with plenty of memory'
        peak=$(figure peak_without_limit_bytes)
        [ "$peak" -gt 5000000 ] || fail "$name: only $peak bytes were managed: this shows nothing"
    fi
    sampler="$python $here/tree.py"
    said="$name: $peak bytes"
    for budget in $((peak / 2)) $((peak / 8)) $minimum; do
        [ "$budget" -gt $((minimum * 4 / 3)) ] || [ "$budget" = $minimum ] || continue # as good as the minimum
        outcome "$folder/managed" managed "$budget" "$@"
        equal "$name" "in $budget"
        within "$name" "$budget"
        said="$said; in $budget: at most $most, $(figure faults_major) major faults"
    done
    echo "$said"
}

if wanted sort; then
    "$python" -c '
import random, sys
draw = random.Random(5)
for i in range(int(sys.argv[1])):
    n = draw.getrandbits(64)
    print(f"{n:016x} line {i} " + "word " * (n % 12))' "$(size 80000 800000)" >"$folder/text"
    same 'sort, two threads' 0 sort -S 400M --parallel=2 "$folder/text"
fi

wanted python3 && same 'python3, a dictionary' 0 "$python" -c '
import hashlib, sys
most = int(sys.argv[1])
book = {hashlib.md5(b"%d" % n).hexdigest(): [n, str(n)] for n in range(most)}
digest = hashlib.sha256()
for n in range(0, most, 2):
    digest.update(repr(book.get(hashlib.md5(b"%d" % n).hexdigest())).encode())
print(len(book), digest.hexdigest())
raise SystemExit(3)' "$(size 22000 400000)"

wanted perl && same 'perl, hashes and lists' 0 perl -e '
use strict;
my ($most) = @ARGV;
my (%of, @all);
for my $n (1 .. $most) {
    my $key = ($n * 7919) % 1000003;
    push @{$of{$key % 1009}}, "number $key";
    push @all, $key . "x" x ($n % 300);
}
my $sum = 0;
for my $key (sort { $a <=> $b } keys %of) { $sum = ($sum * 31 + length(join ",", sort @{$of{$key}})) % 1000000007 }
my $text = join " ", @all;
my $count = () = $text =~ /7x+ /g;
print "$sum ", length($text), " $count\n";
exit 4' "$(size 16000 300000)"

wanted sqlite3 && same 'sqlite3 in memory' 0 sqlite3 :memory: "
pragma temp_store = memory;
create table t(id integer primary key, a integer, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < $(size 45000 1000000))
    insert into t select i, (i * 7919) % 10007, printf('row %d %.120c', i % 1000, 'x') from n;
create index t_a on t(a);
select count(*), sum(a), min(b), max(b) from t;
select a, count(*) from t group by a having a % 1000 = 7 order by a;
select sum(id) from t where a between 100 and 200;"

# The compiler proper: the driver would run it as a child, without a budget.
if wanted gcc; then
    functions=$(size 30 1200)
    "$python" -c '
import sys
most = int(sys.argv[1])
for i in range(most):
    print(f"static double f{i}(double *v, int n)\n{{\n    double s = {i};\n    for (int i = 0; i < n; i++)"
          f" s += v[i] * (v[(i * {i + 1}) % n] - s) / (1 + i % {i % 17 + 2});\n    return s;\n}}")
print("double all(double *v, int n)\n{\n    return 0" + "".join(f" + f{i}(v, n)" for i in range(most)) + ";\n}")' \
        "$functions" >"$folder/large.c"
    same 'gcc -O2 (cc1)' 0 "$(gcc -print-prog-name=cc1)" -quiet -O2 "$folder/large.c" -o -
fi

# What BGSAVE wrote in little memory is loaded natively, and is what the server had.
if wanted redis; then
    mkdir "$folder/redis"
    chmod 777 "$folder/redis"
    redis="--port 0 --unixsocket $folder/redis/s --save '' --dir $folder/redis --logfile log --enable-debug-command yes"
    beside="$here/redis_session.sh $folder/redis/s"
    # shellcheck disable=SC2086
    eval same redis 0 redis-server $redis
    was=$(grep -xE '[0-9a-f]{40}' "$folder/managed" | tail -n 1)
    eval "$as redis-server $redis" &
    until is=$(redis-cli -s "$folder/redis/s" debug digest 2>/dev/null) && [ "${#is}" = 40 ]; do sleep 0.05; done
    redis-cli -s "$folder/redis/s" shutdown nosave
    wait $!
    [ "$is" = "$was" ] || fail "redis: what BGSAVE wrote is $is, not $was"
    beside=true
fi

wanted stamps && same 'stamps of threads' 0 "$programs/run_stamps" "$(size 2 20)" 7
if wanted stamps && [ "$features" = all ]; then # from outside, the arena is told by its registration for moves
    limit=--resident
    same 'stamps of threads, --resident' 0 "$programs/run_stamps" "$(size 2 20)" 7
    limit=--ram
fi
if wanted forks; then
    export TREE_EVERY=0.003 # a copy writes most at its beginning
    same 'forks while threads write' 0 "$programs/run_forks" threads
    unset TREE_EVERY
fi

# The stressors are children, which have no account: how much they take is said here.
if wanted stress-ng; then
    stress() # MEBIBYTES STRESSOR OPTION...
    {
        bytes=$(($1 << 20))
        stressor=$2
        shift 2
        same "stress-ng --$stressor" $bytes \
            stress-ng --quiet --verify --seed 7 --temp-path "$folder/theirs" "--$stressor" 1 "$@"
    }
    stress 16 vm --vm-bytes 16M --vm-ops "$(size 1200 20000)"
    stress 4 mmap --mmap-bytes 4M --mmap-ops "$(size 6 60)" # makes a mapping of each page
    stress 16 mremap --mremap-bytes 16M --mremap-ops "$(size 10 200)"
    stress 4 madvise --madvise-ops "$(size 6 100)"
    little=yes # their memory is shared, or they have next to none
    stress 2 fork --fork-ops "$(size 100 1000)"
    stress 2 memfd --memfd-bytes 16M --memfd-ops "$(size 6 100)"
    little=
fi
