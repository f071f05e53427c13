-- SPDX-License-Identifier: MIT
--
-- Segments. On an 80286 there are no pages: a program's code, data and stack are segments, each with a length, rights
-- and a privilege of its own; a reference beyond the end is caught at the very byte. What is absent is brought in as
-- a whole, and must lie in one piece. Pages were invented to be rid of that.

local m = segments{memory = 100000, placement = "first", compacts = false}
local editor, game = m:task(), m:task()

-- Rights are the segment's.
local text = editor:segment{bytes = 1000}
local code = editor:segment{bytes = 5000, rights = "x"}
local stack = editor:segment{bytes = 500, down = true}
local kernel = m:segment{bytes = 2000, privilege = 0}
editor:load("DS", text); editor:load("CS", code); editor:load("SS", stack)
editor:write("DS", 999, "!")
fails("#GP(0)", editor.write, editor, "DS", 1000, "!")
editor:write("SS", 0xffff, "!")
editor:write("SS", 0x10000 - 500, "!")
fails("#SS(0)", editor.write, editor, "SS", 0x10000 - 501, "!")
editor:fetch(0)
fails("#GP(0)", editor.read, editor, "CS", 0, 1)
fails("#GP(0)", editor.write, editor, "CS", 0, "virus")
fails("#GP(" .. kernel .. ")", editor.load, editor, "DS", kernel)
fails("#GP(" .. (text & ~3) .. ")", game.load, game, "DS", text) -- in the game's table there is nothing
print("A text of 1000 bytes ends after 1000 bytes; a stack grows down to its limit; code is executed, and no more.")
print("The system's segments are out of reach, and another task's have no name at all.")

-- What is absent is brought in when it is loaded, wherever there is room; what was in its place goes to the drum.
editor:write("DS", 0, "chapter one")
local before = editor:where(text)
local level = {}
for n = 1, 3 do
    level[n] = game:segment{bytes = 40000}
    game:load("DS", level[n])
    game:write("DS", 0, "level " .. n)
end
equal(editor:where(text), nil, "place of the text")
equal(editor:read("DS", 0, 11), "chapter one", "the text")
assert(editor:where(text) ~= before, "it lies elsewhere")
assert(m:statistics().swapped_out >= 3, "segments swapped out")
print(string.format("Three levels of 40000 bytes push the text out. It comes back at %x, was at %x; nobody noticed.",
    editor:where(text), before))
m:check()

-- External fragmentation: enough memory is free, but nowhere in one piece.
local function fragmented(compacts)
    local m = segments{memory = 64000, compacts = compacts}
    local t, piece = m:task(), {}
    for n = 1, 16 do
        piece[n] = t:segment{bytes = 4000}
        t:load("DS", piece[n])
    end
    for n = 1, 16, 2 do t:remove(piece[n]) end
    local memory = m:memory()
    equal(memory.free, 32000, "free bytes")
    equal(memory.largest_hole, 4000, "bytes in one piece")
    local before = m:statistics()
    t:load("DS", t:segment{bytes = 30000})
    local after = m:statistics()
    assert(after.scattered > before.scattered, "it did not fit although there was room")
    m:check()
    return after.swapped_out - before.swapped_out, after.bytes_moved - before.bytes_moved, memory
end
local swapped, _, memory = fragmented(false)
print(string.format("\nOf 64000 bytes %d are free, in %d holes of at most %d. A segment of 30000 bytes is wanted:",
    memory.free, memory.holes, memory.largest_hole))
assert(swapped > 0, "segments that had to go")
print(string.format("  %d other segments must be swapped out,", swapped))
local none, moved = fragmented(true)
equal(none, 0, "segments that had to go")
assert(moved > 0, "bytes that had to be moved")
print(string.format("  or %d bytes be moved, to make one hole of the %d.", moved, memory.holes))
