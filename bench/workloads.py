# SPDX-License-Identifier: MIT
"""The programs that are measured: real, of one thread, with output that depends on every page."""
import os
import random

DICTIONARY = """
table = {{i * 7919 % 1000003: str(i) for i in range({items})}}
keys = sorted(table, key=lambda key: key * 31 % 1000003)
print(sum(len(table[key]) for key in keys[:{items} * 2 // 3]))
"""
DATABASE = """
create table t(a integer primary key, b text, c integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < {items})
  insert into t select i, printf('row %d %d', i, i * 7919 % 1000003), i * 7919 % 1000003 from n;
create index k on t(c);
select count(*), sum(a) from t where c between 1000 and 400000;
update t set b = b || 'x' where c % 3 = 0;
select sum(length(b)), max(b) from t where c > 500000;
"""


def make_programs(folder, graph, items):
    """[(name, command)]. Their memory grows with `items`; graph is the program bench/graph."""
    random.seed(3)
    lines, nodes = os.path.join(folder, "lines"), items * 5 // 2
    with open(lines, "w", encoding="ascii") as file:
        for _ in range(nodes):
            file.write(f"{random.randrange(10**9)} {'x' * random.randrange(40)}\n")
    return [("sort", ["sort", "--parallel=1", "-S", "1G", lines]),
            ("python3 dictionary", ["/usr/bin/python3", "-c", DICTIONARY.format(items=items)]),
            ("sqlite3", ["sqlite3", ":memory:", DATABASE.format(items=items)]),
            ("awk table", ["awk", "{ n[$1 % 30011] += length($2) } END { for (i in n) s += i * n[i]; print s }", lines]),
            ("graph passes", [graph, str(nodes), "10", "3"])]
