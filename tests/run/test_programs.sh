#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Real programs in a quarter of the memory that they would take: the same output to the byte, the same exit status.
set -eu
. "$(dirname "$0")/common.sh" "$1" "$2"

# same NAME COMMAND...: natively, with plenty (which tells the peak), and in a quarter of the peak.
same()
{
    name=$1
    shift
    wanted=0
    "$@" >"$folder/native" 2>"$folder/native.err" || wanted=$?
    managed 2G "$@"
    cmp "$folder/native" "$folder/out" || fail "$name: another output with plenty of memory"
    peak=$(figure peak_without_limit_bytes)
    [ "$peak" -gt 16000000 ] || fail "$name: only $peak bytes were managed: this shows nothing"
    managed $((peak / 4)) "$@"
    cmp "$folder/native" "$folder/out" || fail "$name: another output in a quarter"
    [ "$(cat "$folder/status")" = "$wanted" ] || fail "$name: exit status $(cat "$folder/status"), not $wanted"
    [ "$(figure evictions)" -gt 1000 ] || fail "$name: hardly anything was evicted"
    [ "$(figure resident_peak_bytes)" -le $((peak / 4)) ] || fail "$name: over the budget"
    echo "$name: $peak bytes in a quarter, $(figure faults_major) major faults: the same"
}

"$python" -c '
import random
draw = random.Random(5)
for i in range(500000):
    n = draw.getrandbits(64)
    print(f"{n:016x} line {i} " + "word " * (n % 12))' >"$folder/text"
same sort sort -S 400M --parallel=1 "$folder/text"
same 'sort, two threads' sort -S 400M --parallel=2 "$folder/text"

same 'python3, a dictionary' "$python" -c '
import hashlib
book = {hashlib.md5(b"%d" % n).hexdigest(): [n, str(n)] for n in range(150000)}
digest = hashlib.sha256()
for n in range(0, 200000, 2):
    digest.update(repr(book.get(hashlib.md5(b"%d" % n).hexdigest())).encode())
print(len(book), digest.hexdigest())
raise SystemExit(3)'

same 'sqlite3 in memory' sqlite3 :memory: "
pragma temp_store = memory;
create table t(id integer primary key, a integer, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)
    insert into t select i, (i * 7919) % 10007, 'row ' || (i % 1000) from n;
create index t_a on t(a);
select count(*), sum(a), min(b), max(b) from t;
select a, count(*) from t group by a having a % 1000 = 7 order by a;
select sum(id) from t where a between 100 and 200;"

# The compiler proper: the driver would run it as a child, without a budget.
"$python" -c '
for i in range(1200):
    print(f"static double f{i}(double *v, int n)\n{{\n    double s = {i};\n    for (int i = 0; i < n; i++)"
          f" s += v[i] * (v[(i * {i + 1}) % n] - s) / (1 + i % {i % 17 + 2});\n    return s;\n}}")
print("double all(double *v, int n)\n{\n    return 0" + "".join(f" + f{i}(v, n)" for i in range(1200)) + ";\n}")' \
    >"$folder/large.c"
compiler=$(gcc -print-prog-name=cc1)
same 'gcc -O2 (cc1)' "$compiler" -quiet -O2 "$folder/large.c" -o -
