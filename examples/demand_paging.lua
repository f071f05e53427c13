-- SPDX-License-Identifier: MIT
--
-- Demand paging. A page comes into memory when it is touched, not before; when memory is full, another one leaves for
-- the drum, and comes back when it is wanted. So a program larger than memory runs, and sees none of it.

local m = machine{format = "vax", frames = 4, policy = "fifo"}
local page = m:page_bytes()
local s = m:space()
local at = s:map{pages = 1000}

equal(m:statistics().pages, 0, "pages after map")
print(string.format("1000 pages of %d bytes are mapped on a VAX with 4 frames: not one is in memory.", page))

local first = m:count(s.touch, s, at)
equal(first.faults_zero, 1, "faults of the first touch")
equal(m:count(s.touch, s, at + page - 1).faults, 0, "faults of the second")
print("The first touch of a page is a fault, and brings a page of zeros; the second is none.")

local function text(n) return string.format("page %d", n) end
local writing = m:count(function()
    for n = 0, 9 do s:write(at + n * page, text(n)) end
end)
equal(writing.evictions, 6, "ten pages in four frames")
for n = 0, 9 do equal(s:where(at + n * page), n < 6 and "swapped" or "resident", text(n)) end
equal(s:where(at + 10 * page), "absent", "a page never touched")
print("Ten pages are written. First in, first out: pages 0 to 5 are on the drum, 6 to 9 in memory.")

local reading = m:count(function()
    for n = 0, 9 do equal(s:read(at + n * page, 6), text(n), "contents") end
end)
equal(reading.faults_major, 10, "pages that had to be read back")
print("All ten are read again: " .. reading.faults_major .. " come back from the drum, each with what was written.")

-- A page that was not changed since it was read need not be written again.
equal(reading.writebacks, 4, "changed pages that left: 6 to 9")
equal(reading.evictions_clean, 6, "unchanged pages that left")
print("On the way 4 changed pages were written to the drum; 6 unchanged ones just gave up their frames.")
m:check()
