#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel mmu: vectors that agree and that do not, in every form they come; and what it says to bad ones.
# usage: tests/cli/test_mmu.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
. "$(dirname "$0")/expect.sh"
cd "$folder"

cat >good <<'END'
# A page directory at 1000, whose entry is of a large page with PSE-36; the access is the first.
case 1 mode ia32
cr0 80010031 cr3 1000 cr4 10 efer 800 eflags_ac 0 maxphyaddr 40
mem 1008 1fe08700000000
access w cpl 3 c00004
expect ok ff00000004
after 1008 1fe0e700000000
end

case 2 mode pae
cr0 80010031 cr3 1020 cr4 20 efer 800 eflags_ac 0 maxphyaddr 40
mem 1038 2001
mem 2ff8 3067
mem 3ff8 8000000000005067
access x cpl 3 ffffffff
expect pf 15 ffffffff
end
case 3 mode amd64
cr0 80010031 cr3 1000 cr4 20 efer 500 eflags_ac 0 maxphyaddr 40
mem 1000 8000000000002007
access r cpl 0 10
expect pf 9 10
end
case 4 mode amd64
cr0 80010031 cr3 1000 cr4 20 efer 500 eflags_ac 0 maxphyaddr 40
access r cpl 0 800000000000
expect gp 0
end
case 5 mode la57
cr0 80010031 cr3 1000 cr4 1020 efer 500 eflags_ac 0 maxphyaddr 40
mem 1000 1007
access w cpl 0 4
expect ok 1004
after 1000 1067
end
case 6 mode la57
cr0 80010031 cr3 1000 cr4 1020 efer 500 eflags_ac 0 maxphyaddr 40
mem 1000 2007
access w cpl 0 4
expect pf 2 4
may 1000 20
end
END
expect 0 mmu check good
[ "$(cat out)" = "6 cases, 0 disagree" ] || { echo "$printed printed:"; cat out; exit 1; }
silent err

gzip -k good
zstd -q good
tr '\n' '\r' <good | sed 's/\r/\r\n/g' >good.dos
expect 0 mmu check good.gz good.zst good.dos good
says out "24 cases, 0 disagree"
expect 0 mmu check - <good
says out "6 cases, 0 disagree"

# wrong SED-SCRIPT TEXT: the vectors so changed disagree in one case, which TEXT describes.
wrong()
{
    sed "$1" good >changed
    ! cmp -s good changed || { echo "'$1' changes nothing"; exit 1; }
    expect 1 mmu check good changed
    silent err
    says out "changed: case $2"
    says out "12 cases, 1 disagree"
}
wrong 's/ok ff00000004/ok 4/' '1: expected ok 4, found ok ff00000004'
wrong 's/after 1008 .*/after 1008 1fe0a700000000/' '1: expected word 1008 to be 1fe0a700000000 after it, found 1fe0e700000000'
wrong '/after 1008/d' '1: expected word 1008 to be 1fe08700000000 after it, found 1fe0e700000000'
wrong 's/pf 15 f/pf 5 f/' '2: expected pf 5 ffffffff, found pf 15 ffffffff'
wrong 's/pf 9 10/pf 9 11/' '3: expected pf 9 11, found pf 9 10'
wrong 's/expect gp 0/expect ok 0/' '4: expected ok 0, found gp 0'
wrong 's/^after 1000 .*/&\nafter 3000 1/' '5: expected word 3000 to be 1 after it, found 0'
wrong 's/^may 1000 20/after 1000 2027/' '6: expected word 1000 to be 2027 after it, found 2007'

# bad LINE TEXT: the vectors so changed are refused there.
bad()
{
    sed "$1" good >changed
    expect 1 mmu check changed
    says err "onelevel: changed:$2"
}
bad '2s/ia32/ia64/' '2: ia64: expected ia32, pae, amd64 or la57'
bad '2s/1/x/' '2: x: expected a decimal number'
bad '2s/case/Case/' '2: expected case N mode'
bad '3s/efer 800//' '3: expected cr0 X cr3 X'
bad '3s/80010031/0x80010031/' '3: 0x80010031: expected a hexadecimal number'
bad '3s/40$/64/' '3: 64: expected a decimal number up to 52'
bad '3s/40$/31/' '3: maxphyaddr: expected 32 to 52'
bad '3s/eflags_ac 0/eflags_ac 2/' '3: 2: expected a decimal number up to 1'
bad '3s/cr4 10/cr4 20/' '3: the registers select pae, but the case is of mode ia32'
bad '3s/cr0 80010031/cr0 10031/' '3: the registers select no translation'
bad '4s/1008/1004/' '4: 1004: expected a multiple of 8'
bad '4s/1fe/11111111fe/' '4: 11111111fe08700000000: expected a hexadecimal number'
bad '4s/1008/10000000000000/' '4: 10000000000000: expected a hexadecimal number up to fffffffffffff'
bad '4p' '5: mem 1008 is given twice'
bad '5s/w/rw/' '5: expected access r|w|x cpl 0|3 VA'
bad '5s/cpl 3/cpl 1/' '5: expected access r|w|x cpl 0|3 VA'
bad '5s/c00004/100c00004/' '5: 100c00004: expected a hexadecimal number up to ffffffff'
bad '5d' '5: expected mem ADDRESS VALUE, or access'
bad '6s/ok/okay/' '6: expected expect ok ADDRESS'
bad '8s/end/fine/' '8: expected after ADDRESS VALUE, may ADDRESS MASK, or end'
bad '8d' '8: expected after ADDRESS VALUE, may ADDRESS MASK, or end'
bad '4s/$/ 1 2 3 4 5 6 7 8 9 10/' '4: the line has more than 12 fields'
bad "4s/\$/$(printf '%300s' '')/" '4: the line is longer than 255 characters'
bad '4s/mem/m\xc3m/' '4: the line holds a byte c3'
bad '40,$d' '40: the file ends inside case 6'
bad '1,$d' '1: the file holds no case'

expect 1 mmu check missing good
says err "onelevel: missing: No such file"
says out "6 cases, 0 disagree"
head -c 100 good.gz >cut.gz
expect 1 mmu check cut.gz
says err "the compressed data ends too early"
expect 1 mmu check .
says err "onelevel: .: Is a directory"

for arguments in "" check "chek good"; do
    # shellcheck disable=SC2086 # words on purpose
    expect 2 mmu $arguments
    says err "onelevel: mmu: expected check FILE..."
done
