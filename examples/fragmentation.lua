-- SPDX-License-Identifier: MIT
--
-- Fragmentation. Memory that is taken and given back in pieces ends up free in pieces: enough of it, but nowhere
-- enough in one place. To a process that does not matter, because its pages may lie anywhere. To a device that wants
-- one contiguous buffer it does; and the process's own addresses can be fragmented just the same.

-- 1. Physical memory: 64 frames, given out as buddies. Every second page of a process goes.
local m = machine{format = "amd64", frames = 64, drum = 0, buddies = true}
local page = m:page_bytes()
local s = m:space()
local at = s:map{pages = 64}
for n = 0, 63 do s:write(at + n * page, "page " .. n) end
for n = 0, 62, 2 do s:unmap(at + n * page, 1) end
local order = 2 -- blocks of 4
local free = m:free_memory(order)
equal(free.free, 32, "free frames")
equal(free[0], 32, "single free frames, none beside another")
equal(free.unusable, 32, "of no use to who wants four at a time")
fails("no 4 neighbouring frames", m.block, m, order)
print(string.format("%d of 64 frames are free, and a device gets no buffer of 4: none of them has a free neighbour.",
    free.free))

-- 2. For a process the same 32 frames are one array.
local array = s:map{pages = 32}
for n = 0, 31 do s:write(array + n * page, string.format("element %2d", n)) end
local frames = {}
for n = 0, 31 do
    equal(s:read(array + n * page, 10), string.format("element %2d", n), "an element")
    frames[n] = s:frame(array + n * page)
end
for n = 1, 31 do assert(math.abs(frames[n] - frames[n - 1]) > 1, "neighbours in the array are none in memory") end
fails("no frame", s.touch, s, s:map{pages = 1}) -- it has the last one
print("A process maps all 32 as one array, page beside page: virtual memory does not fragment that way.")

-- 3. What is given back together becomes one again.
s:unmap(array, 32)
for n = 1, 31, 2 do s:unmap(at + n * page, 1) end -- the lower half of the first process's pages
local block = m:block(order)
print(string.format("Half of the other pages go: now there are four neighbours, at physical address %x.",
    block:physical()))
block:give()
equal(m:free_memory(order).unusable, 16, "still of no use: those of the upper half")
m:check()

-- 4. Addresses fragment, too: a space that maps and unmaps in pieces has room for many small things and no large one.
local small = machine{format = "s370", frames = 16}
local v, bytes = small:space(), small:page_bytes()
local all = (1 << 24) // bytes -- addresses of 24 bits
local piece = all // 16
local region = {}
for n = 1, 16 do region[n] = v:map{pages = piece} end
for n = 1, 16, 2 do v:unmap(region[n], piece) end
equal(v:mapped_pages(), all // 2, "half of the addresses are free")
fails("no gap", v.map, v, {pages = piece + 1})
v:map{pages = piece}
print("A program that unmaps every second sixteenth of its addresses has half of them free, no gap beyond a sixteenth.")
