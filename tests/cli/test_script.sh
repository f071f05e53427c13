#!/bin/sh
# SPDX-License-Identifier: MIT
#
# onelevel script: what scripts can do, how they fail, and that each example shows what it says: it passes, does the same
# twice, and fails once that is changed which it is about.
# usage: tests/cli/test_script.sh COMMAND BUILD-FOLDER
set -eu
onelevel=$1
here=$(cd "$(dirname "$0")" && pwd)
examples=$(cd "$here/../../examples" && pwd)
. "$(dirname "$0")/expect.sh"
cd "$folder"

echo 'print("here")' >empty.lua
if ! "$onelevel" script empty.lua >/dev/null 2>err && grep -q "built without Lua" err; then
    cat err
    exit 77
fi

# --- the examples ---

# breaks EXAMPLE LINE-PATTERN: with this change (of sed), the example fails, and says where.
breaks()
{
    sed "$2" "$examples/$1.lua" >changed.lua
    cmp -s changed.lua "$examples/$1.lua" && { echo "$1: '$2' changes nothing"; exit 1; }
    expect 1 script changed.lua
    grep -q '^onelevel: changed.lua:[0-9]*: ' err || { echo "$1, $2: no line in:"; cat err; exit 1; }
    broken="$broken $1"
}

broken=
breaks isolation 's/bob:read(address, 19), "Bob/alice:read(address, 19), "Bob/'
breaks isolation 's/alice:protect(address, 1, "r")/alice:protect(address, 1, "rw")/'
breaks demand_paging 's/frames = 4/frames = 5/'
breaks demand_paging 's/"fifo"/"random"/'
breaks copy_on_write 's/child = parent:fork()/child = parent/'
breaks shared_library 's/shared = true/shared = false/'
breaks shared_library 's/rights = "rx"/rights = "rwx"/'
breaks page_stealer 's/nru:interval=100/random/'
breaks page_stealer 's/low = 4, high = 8/low = 0, high = 0/'
breaks thrashing 's/frames, working_set, references = 48/frames, working_set, references = 200/'
breaks thrashing 's/for count = 1, frames/for count = 1, 1 + frames/'
breaks dma_corruption 's/local function load()/local function load() end local function idle()/'
breaks dma_corruption 's/disk:run(100) -- .*/disk:run()/'
breaks dma_corruption 's/, {pinned = false}//'
breaks fragmentation 's/for n = 0, 62, 2 do/for n = 0, 31 do/'
breaks fragmentation 's/pages = piece + 1}/pages = piece}/'
breaks numa 's/"2:" .. policy .. ":20"/"2:" .. policy .. ":10"/'
breaks numa 's/try("bind=1", 0, 2)/try("bind=0", 0, 2)/'
breaks segments 's/rights = "x"/rights = "rx"/'
breaks segments 's/privilege = 0/privilege = 3/'
breaks segments 's/memory = 100000/memory = 1000000/'
breaks segments 's/local none, moved = fragmented(true)/local none, moved = fragmented(false)/'
breaks atlas 's/run("fifo")/run("atlas:interval=1024")/'
breaks atlas 's/format = "atlas"/format = "vax"/'

for example in "$examples"/*.lua; do
    name=$(basename "$example" .lua)
    expect 0 script "$example"
    silent err
    [ "$(wc -l <out)" -ge 3 ] || { echo "$name tells nothing"; exit 1; }
    mv out once
    expect 0 script "$example"
    cmp out once
    case " $broken " in
    *" $name "*) ;;
    *) echo "$name: nothing here makes it fail"; exit 1 ;;
    esac
done

# --- scripts ---

# script STATUS TEXT: runs it.
script()
{
    printf "%s\n" "$2" >script.lua
    expect "$1" script script.lua
}

script 0 'local m = machine{frames = 2048, large = 1 << 21, tlb = "none"}
local s = m:space()
local at = s:map{at = 1 << 21, pages = 512, large = true}
local c = m:count(function() s:write(at + 5000, "x") end)
equal(c.large_entered, 1)
equal(c.faults, 1)
equal(m:statistics().pages, 512)
equal(m:count(function() s:protect(at, 1, "r") end).large_splits, 1)
equal(s:read(at + 5000, 1), "x")
m:check()'
silent err

# refuses LINE TEXT: this one line, behind one that makes a machine and a space, fails there with that text.
refuses()
{
    script 1 "local m = machine{frames = 4}; local s = m:space()
$1"
    says err "onelevel: script.lua:2: $2"
}

cat >arguments.lua <<'END'
print(select("#", ...), ...)
assert(not io and not os and not require and not debug and not load and not loadfile and not dofile)
print(math.random(1000), math.random(1000))
END
expect 0 script arguments.lua one "two words"
says out "2	one	two words"
mv out once
expect 0 script arguments.lua one "two words"
cmp out once

script 0 'local m = machine{format = "sv39", frames = 8, tlb = "none", processors = 2, policy = "fifo", drum = 100}
local s = m:space()
local page = m:page_bytes()
local at = s:map{pages = 3, rights = "rw"}
s:write(at + page - 3, "across")
equal(s:read(at + page - 3, 6), "across")
m:processor(1)
equal(m:peek(s:physical(at + page - 3), 3), "acr")
local other = s:share(s, s:map{pages = 2, shared = true}, 2)
s:touch(other, "w")
s:discard(at, 3)
equal(s:where(at), "absent")
s:unmap(at, 1)
equal(s:mapped_pages(), 6)
fails("no region", s.touch, s, at)
local c = m:count(function() s:touch(at + page) end)
equal(c.faults, 1); equal(c.references, 1); equal(c.pages, nil)
local d = m:device{segments = 2}
local dma = d:map(s, at + page, 3, "send")
d:send(dma)
equal(d:run(2), 1)
equal(d:run(), 0)
equal(d:data(), "\0\0\0")
equal(dma:kind(), "list")
equal(dma:segments()[1][2], 3)
dma:unmap()
equal(d:statistics().bytes, 3)
m:poke(s:physical(at + page), "new")
equal(s:read(at + page, 3), "new")
local pin = s:pin(at + page, 1)
pin:release()
m:budget(4)
equal(m:statistics().frames_budget, 4)
s:destroy()
equal(m:statistics().pages, 0)
m:check()'
silent err

refuses 'equal(1 + 1, 3, "the sum")' "the sum: found 2, expected 3"
refuses 'equal(1, 2)' "not equal: found 1, expected 2"
refuses 'assert(false)' "what was asserted is not so"
refuses 'assert(nil, "so it was")' "so it was"
refuses 'fails("x", print)' "this was to fail with 'x', and did not"
refuses 'fails("x", error, "y", 0)' "this was to fail with 'x', not with: y"
refuses 's:touch(0x1000, "w")' "touch at 0x1000: no region at that address"
refuses 's:write(s:map{rights = "r"}, "x")' "write at 0x0: the region does not grant that access"
refuses 's:map{pages = 0}' "pages: expected a whole number from 1 to"
refuses 's:map{pages = 1.5}' "pages: expected a whole number from 1 to 9223372036854775807, not 1.5"
refuses 's:map{page = 1}' "there is no option 'page' here"
refuses 's:map{rights = "rwz"}' "bad argument #1 to 'map' (expected rights"
refuses 's:map{at = 1}' "map at 0x1: invalid argument"
refuses 's:map{at = 0}; s:map{at = 0}' "map at 0x0: the range is already mapped"
refuses 's:map{1}' "options are written NAME = VALUE"
refuses 's:touch(0, "rw")' "bad argument #2 to 'touch' (expected \"r\", \"w\" or \"x\")"
refuses 's:read(0, 0)' "bad argument #2 to 'read' (expected a whole number from 1 to"
refuses 's:share(s, s:map{}, 1)' "share at 0x0: invalid argument"
refuses 's:share(machine{}:space(), 0, 1)' "share: the two spaces are of different machines"
refuses 's:destroy(); s:touch(0)' "calling 'touch' on bad self (the space was destroyed)"
refuses 'm:budget(5)' "bad argument #1 to 'budget' (expected a whole number from 1 to 4, not 5)"
refuses 'm:peek(4 * 4096, 1)' "bad argument #2 to 'peek' (expected a whole number from 0 to 0, not 1)"
refuses 'm:peek(0, 1); m:poke(4 * 4096 - 1, "xy")' "bad argument #2 to 'poke' (it goes beyond memory)"
refuses 'm:bus_take(1)' "bus_take: no 1 neighbouring frames of the bus are free there"
refuses 'local b = machine{bus = 4}; b:bus_give(b:bus_take(2) + 4096, 2)' "bus_give: these frames were not taken"
refuses 'm:device{segment = 2}' "there is no option 'segment' here"
refuses 'machine{format = "s370"}:device{iommu = true}' "device: "
refuses 'm:device():receive({{0, 5}}, "four")' "bad argument #2 to 'receive' (it is not as long as"
refuses 'm:device():receive({0, 4}, "four")' "bad argument #1 to 'receive' (expected {{ADDRESS, BYTES}, ...})"
refuses 'm:device():send({{0, 4}, {8, 4}})' "the device refuses its program: invalid argument"
refuses 'm:device():send({{0, "much"}})' "bad argument #1 to 'send' (expected {{ADDRESS, BYTES}, ...} of whole numbers"
refuses 'm:device():send({})' "the device refuses its program: invalid argument"
refuses 'local d = m:device(); d:send({{1 << 40, 4}}); d:run()' "the device met an address that leads nowhere"
refuses 'm:device():map(s, 0, 4, "send")' "map at 0x0: no region at that address"
refuses 'm:device():map(s, s:map{}, 4, "take")' "bad argument #4 to 'map' (invalid option 'take')"
refuses 'm:device():map(machine{}:space(), 0, 4, "send")' "map: the space is of another machine"
refuses 'local d = m:device():map(s, s:map{}, 4, "send"); d:unmap(); d:kind()' "calling 'kind' on bad self (it was given back)"
refuses 's:pin(s:map{}, 1); s:fork()' "fork at 0x0: the page is in use by the machine"
refuses 's:pin(s:map{}, 1); s:destroy()' "destroy at 0x0: the page is in use"
refuses 's:pin(s:map{}, 1); s:discard(0, 1)' "discard at 0x0: the page is in use"
refuses 's:pin(s:map{}, 1); s:map{at = 0, replace = true}' "map at 0x0: the page is in use"
refuses 's:pin(s:map{}, 5)' "pin at 0x0: no frame can be freed"
refuses 'machine{large = 3}' "large: expected a power of two"
refuses 'machine{large = 1 << 22}' "the machine has no large pages of that size"
refuses 'machine{numa = "2:middle"}' "numa '2:middle': "
refuses 'machine{numa = "2", bus = 4}' "a machine with nodes has no frames of the bus"
refuses 'machine{frames = 1, numa = "2"}' "each node wants a frame at least"
refuses 'machine{tlb = "16,walk=4", format = "atlas"}' "tlb '16,walk=4': "
refuses 'machine{tlb = "l1=16,walk=4", format = "atlas"}' "this machine cannot have these TLBs"
refuses 'm:block(0)' "block: all frames are alike"
refuses 'm:free_memory()' "free_memory: all frames are alike"
refuses 'machine{frames = 4, buddies = true}:block(3)' "block: no 8 neighbouring frames can be had"
refuses 'local b = machine{buddies = true}:block(3); b:give(); b:give()' "calling 'give' on bad self (it was given back)"
refuses 'm:time("luck=3")' "time 'luck=3': "
refuses 'segments{memory = 0}' "memory: expected a whole number from 1 to"
refuses 'segments{placement = "any"}' "placement: expected"
refuses 'segments{}:task(4)' "bad argument #1 to 'task' (expected a whole number from 0 to 3"
refuses 'local g = segments{}; for _ = 1, 16 do g:task() end' "there are 15 tasks already"
refuses 'segments{}:segment{bytes = 65537}' "bytes: expected a whole number from 1 to 65536"
refuses 'segments{}:segment{bytes = 65536, down = true}' "invalid argument"
refuses 'segments{}:segment{rights = "wx"}' "rights: no segment is writable and executable"
refuses 'segments{}:segment{rights = "w"}' "rights: data is readable"
refuses 'local g = segments{}; for _ = 1, 256 do g:segment{} end' "the descriptor table is full"
refuses 'segments{}:task():load("FS", 0)' "bad argument #1 to 'load' (invalid option 'FS')"
refuses 'segments{}:task():load("SS", 0)' "#GP(0): a null selector"
refuses 'segments{}:task():load("DS", 0x2000)' "#GP(8192): beyond the table's limit"
refuses 'local t = segments{memory = 9}:task(); t:load("DS", t:segment{bytes = 10})' "the segment is larger than memory"
refuses 'local t = segments{}:task(); t:write("CS", 0, "x")' "#GP(0): a null selector"
refuses 'local t = segments{}:task(); t:write("DS", 0, "")' "bad argument #3 to 'write' (expected 1 to 65536 bytes)"
refuses 'segments{}:task():remove(8)' "there is no such segment"
refuses 'm.touch(s)' "attempt to call a nil value"
refuses 'm:space().x.y = 1' "attempt to index a nil value"
refuses 'machine{format = "pdp11"}' "there is no machine 'pdp11'"
refuses 'machine{policy = "lucky"}' "there is no policy 'lucky'"
refuses 'machine{policy = "lru"}' "the policy wants what this machine does not have"
refuses 'machine{policy = "clock:x=1"}' "the policy does not take these parameters"
refuses 'machine{frames = 8, high = 8}' "the watermarks leave no frame"
refuses 'machine{tlb = "7:2"}' "tlb '7:2': "
refuses 'machine{tlb = "l1=7:2"}' "tlb 'l1=7:2': "
refuses 'm:processor(1)' "bad argument #1 to 'processor' (expected a whole number from 0 to 0, not 1)"
refuses 'machine{format = "s370", frames = 5000}' "the machine cannot address so many frames"
script 1 'error({})'
says err "onelevel: table: "

# A finalizer runs when its machine may be gone already.
script 0 'local m = machine{}
local s = m:space()
setmetatable({}, {__gc = function() pcall(s.touch, s, 0); pcall(m.space, m) end})
local keep = m:space()
m, s = nil, nil'

for seed in 1 2 3; do expect 0 script "$here/random.lua" $seed; done

printf 'local x = \n' >broken.lua
expect 1 script broken.lua
says err "onelevel: broken.lua:"
expect 1 script nowhere.lua
says err "cannot open nowhere.lua"
printf '\033Lua' >binary.lua
expect 1 script binary.lua
says err "attempt to load a binary chunk"
expect 2 script
says err "expected a script"
expect 2 script --fast
says err "no option --fast"
expect 0 help script
says out "usage: onelevel script FILE.lua"
status=0
"$onelevel" script empty.lua >/dev/full 2>err || status=$?
[ "$status" = 1 ]
says err "what it prints cannot be written"
