#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel machines and onelevel explain: every machine is drawn and explained, one of them to the last character.
# usage: tests/cli/test_explain.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
. "$(dirname "$0")/expect.sh"
cd "$folder"

expect 0 machines
silent err
mv out list
expect 0 machines --json
/usr/bin/python3 - out list <<'END'
import json, sys
machines = json.load(open(sys.argv[1]))
drawn = open(sys.argv[2]).read()
assert len(machines) == 13, len(machines)
for machine in machines:
    assert drawn.count("\n" + machine["name"] + " ") + drawn.startswith(machine["name"] + " ") == 1, machine["name"]
    assert machine["summary"] in drawn, machine["name"]
    if machine["name"] == "80286":
        assert machine["segment_bytes_max"] == 65536 and not machine["modified"]
        continue
    bits = sum(level["index_bits"] for level in machine["levels"])
    assert machine["last_address"] < machine["page_bytes"] << bits, machine["name"]
END
expect 0 machines pae
[ "$(grep -c '^[a-z]' out)" = 1 ]
says out "| directory pointer | directory | table  | offset |"
expect 2 machines pdp11
says err "there is no machine 'pdp11'"
expect 2 machines --fast
says err "no option --fast"

expect 0 explain --tlb l1=1,l2=4 w:1000 w:2000 1000 1000
says out "page 1 is in frame 0 (a lower level)"
says out "page 1 is in frame 0 (level 1)"
expect 2 explain --tlb 48:5 1000
says err "--tlb 48:5: expected none or ENTRIES[:WAYS]"
expect 0 explain --machine ia32 --frames 1 w:1234 1238 w:abcd000
cat >wanted <<'END'
machine ia32, 1 frame, TLB 16:4, policy clock

1. write 1234
   +-----------+--------+--------+
   |  31..22   | 21..12 | 11..0  |
   | directory | table  | offset |
   |     0     |   1    |  234   |
   +-----------+--------+--------+
   TLB    no entry for page 1
   walk   PDE at 1000: 00000000  all zeros
          page fault: the entry is not present (code 6)
   core   the page is new: a page of zeros
   walk   PDE at 1000: 00002007  address=2 U/S R/W P
          PTE at 2004: 00000067  D A U/S R/W P
          physical address 234, in frame 0
   sets   word at 1000: 0000000000002007 becomes 0000000000002027
   TLB    notes the page

2. read 1238
   +-----------+--------+--------+
   |  31..22   | 21..12 | 11..0  |
   | directory | table  | offset |
   |     0     |   1    |  238   |
   +-----------+--------+--------+
   TLB    page 1 is in frame 0

3. write abcd000
   +-----------+--------+--------+
   |  31..22   | 21..12 | 11..0  |
   | directory | table  | offset |
   |    2a     |  3cd   |   0    |
   +-----------+--------+--------+
   TLB    no entry for page abcd
   walk   PDE at 10a8: 00000000  all zeros
          page fault: the entry is not present (code 6)
   core   the page is new: a page of zeros
          page 1 lost frame 0 to it and was written to the drum, by clock: second chance as a circle with a hand
   walk   PDE at 10a8: 00002007  address=2 U/S R/W P
          PTE at 2f34: 00000067  D A U/S R/W P
          physical address 0, in frame 0
   sets   word at 10a8: 0000000000002007 becomes 0000000000002027
   TLB    notes the page

END
diff wanted out

for machine in $(sed -n 's/^\([a-z][a-z0-9-]*\) .*/\1/p' list); do
    expect 0 explain --machine "$machine" --frames 1 w:1000 1004 w:3000 x:1000
    [ "$(grep -c "core   the page is new" out)" = 2 ] || { cat out; exit 1; }
    [ "$(grep -c "core   the page is read back from the drum" out)" = 1 ] || { cat out; exit 1; }
    [ "$(grep -c "lost frame 0" out)" = 2 ] || { cat out; exit 1; }
    [ "$(grep -c "is in frame 0\$" out)" = 1 ] || { cat out; exit 1; }
done
expect 0 explain 8000000000000000
says out "general protection: the address is not canonical"
expect 0 explain --machine s370 1000000
says out "no address of 24 bits"
expect 0 explain --policy fifo 1000 w:1000
says out "a first write must walk"

expect 0 machines 80286
says out "| index |  TI  | RPL  | offset |"
expect 0 explain --machine 80286 --memory 9000 w:f:10 17:3e8 x:7:0 f:176f
cat >wanted <<'END'
machine 80286, 8.8 KiB for segments, a program of privilege 3; all are absent at first

   8    the system's data   4096 bytes, DPL 0, data, writable
   10   a library           8192 bytes, DPL 0, code, readable, conforming
   7    the program         8192 bytes, DPL 3, code
   f    its data            6000 bytes, DPL 3, data, writable
   17   its constants       1000 bytes, DPL 3, data
   1f   its stack           2048 bytes, DPL 3, data, writable, expand-down

1. write f:10 by DS
   +-------+------+------+--------+
   | 15..3 | 2..2 | 1..0 | 15..0  |
   | index |  TI  | RPL  | offset |
   |   1   |  1   |  3   |   10   |
   +-------+------+------+--------+
   table  LDT at 800, limit 7ff
   entry  at 808: 000072000000176f  base=0 limit=176f DPL 3, data, writable
   DS     #NP(c): not present
   system its data comes to 8000
   DS     is loaded anew: base=8000; the entry is marked as accessed
   offset 10 of 0 to 176f
          physical address 8000 + 10 = 8010

2. read 17:3e8 by DS
   +-------+------+------+--------+
   | 15..3 | 2..2 | 1..0 | 15..0  |
   | index |  TI  | RPL  | offset |
   |   2   |  1   |  3   |  3e8   |
   +-------+------+------+--------+
   table  LDT at 800, limit 7ff
   entry  at 810: 00007000000003e7  base=0 limit=3e7 DPL 3, data
   DS     #NP(14): not present
   system its constants comes to 9770
   DS     is loaded anew: base=9770; the entry is marked as accessed
   offset 3e8 of 0 to 3e7
          #GP(0): outside of the segment

3. execute 7:0 by CS
   +-------+------+------+--------+
   | 15..3 | 2..2 | 1..0 | 15..0  |
   | index |  TI  | RPL  | offset |
   |   0   |  1   |  3   |   0    |
   +-------+------+------+--------+
   table  LDT at 800, limit 7ff
   entry  at 800: 0000780000001fff  base=0 limit=1fff DPL 3, code
   CS     #NP(4): not present
   system the program comes to 8000
   system its data is swapped out
   system its constants is swapped out, unwritten: it cannot have changed
   CS     is loaded anew: base=8000; the entry is marked as accessed
   offset 0 of 0 to 1fff
          physical address 8000 + 0 = 8000

4. read f:176f by DS
   +-------+------+------+--------+
   | 15..3 | 2..2 | 1..0 | 15..0  |
   | index |  TI  | RPL  | offset |
   |   1   |  1   |  3   |  176f  |
   +-------+------+------+--------+
   table  LDT at 800, limit 7ff
   entry  at 808: 000072008000176f  base=8000 limit=176f DPL 3, data, writable
   DS     #NP(c): not present
   system the program is swapped out, unwritten: it cannot have changed
   system its data comes to 8000
   DS     is loaded anew: base=8000; the entry is marked as accessed
   offset 176f of 0 to 176f
          physical address 8000 + 176f = 976f

END
diff wanted out
expect 0 explain --machine 80286 p:17:0 x:f:0 8:0 3:0 ff:0 p:1f:f7ff p:1f:f800 17:0 w:17:0
for text in "SS     #GP(14): no writable data segment" "CS     #GP(c): no code segment" \
    "DS     #GP(8): RPL or CPL is above DPL" "#GP(0): a null selector" "DS     #GP(fc): no readable segment" \
    "#SS(0): outside of the segment" "physical address ff8800 + f800 = 8000" "#GP(0): not writable"; do
    says out "$text"
done
expect 0 explain --machine 80286 --memory 100 f:0
says out "it does not fit into memory"
for access in f f: f:10000 :1 q:f:1 f:1:1 w:f; do
    expect 2 explain --machine 80286 "$access"
    says err "explain: $access: expected SELECTOR:OFFSET"
done
expect 2 explain --machine 80286 --memory 17M f:0
says err "--memory 17M: expected a size from 1 to"

# A large page is one entry, and is split when a page of it goes.
expect 0 explain --frames 512 --policy fifo --large-pages eager w:40001234 40100000 40200000
says out "the page is new: a page of zeros; one entry maps it and its neighbours"
says out "PDE at 202000: 0000000000000087  PS/PAT U/S R/W P"
says out "physical address 1234, in frame 1"
says out "TLB    page 40100 is in frame 256"
says out "page 40001 lost frame 1 to it"
expect 2 explain --machine atlas --large-pages eager 10
says err "atlas has pages of one size"

expect 2 explain
says err "expected at least one ACCESS"
for access in q:10 w: 10g -- 11111111111111111; do
    expect 2 explain -- "$access"
    says err "explain: $access: expected a hexadecimal address"
done
expect 2 explain --machine pdp11 10
says err "there is no machine 'pdp11'"
expect 2 explain --policy lucky 10
says err "there is no policy 'lucky'"
expect 1 explain --policy lru 10
says err "it needs every reference"
for frames in 0 x 1048577 -1; do
    expect 2 explain --frames "$frames" 10
    says err "--frames $frames: expected a number from 1 to 1048576"
done
expect 2 explain --machine s370 --frames 5000 10
says err "s370 has at most 3584 frames"
expect 2 explain --fast 10
says err "no option --fast"
status=0
"$onelevel" explain 10 >/dev/full 2>err || status=$?
[ "$status" = 1 ]
says err "cannot be written: No space left on device"
