-- SPDX-License-Identifier: MIT
--
-- The page stealer. Before memory is used up, a process of the system's own looks for pages to take, so that a fault
-- finds a free frame at once. It prefers pages that nobody used lately; among these, those that need not be written.
-- A page that it took by mistake is not lost at once: until its frame is used, a touch brings it back without the drum.

-- 1. Whom it takes. Four pages, in every combination of used lately and modified; a fifth frame is for a page that
-- comes after time has passed: by then all others count as not used, until they are used again.
local m = machine{format = "amd64", frames = 5, policy = "nru:interval=100"}
local page = m:page_bytes()
local s = m:space()
local at = s:map{pages = 100}
local modified, used = {[1] = true, [3] = true}, {[2] = true, [3] = true}
for n = 0, 3 do s:touch(at + n * page, modified[n] and "w" or "r") end
for _ = 1, 200 do s:touch(at) end
s:touch(at + 99 * page, "w")
for n = 0, 3 do
    if used[n] then s:touch(at + n * page) end
end
local stolen, written = {}, {}
for n = 4, 7 do -- four other pages are wanted, and each takes a frame from one
    local c = m:count(s.touch, s, at + n * page, "w")
    for old = 0, 3 do
        if not stolen[old] and not s:frame(at + old * page) then
            stolen[old] = n - 3
            written[old] = c.writebacks
            print(string.format("%d. stolen: page %d, %s, %s%s", n - 3, old, used[old] and "used lately" or "not used",
                modified[old] and "modified" or "unmodified", c.writebacks == 1 and ": it is written first" or ""))
        end
    end
    equal(c.evictions, 1, "evictions for a page")
end
for n = 0, 3 do -- first those not used, of these first the unmodified one
    equal(stolen[n], n + 1, "when page " .. n .. " was stolen")
    equal(written[n], modified[n] and 1 or 0, "writes for page " .. n)
end

-- 2. Ahead of time. Below `low` free frames the stealer works until there are `high`; no fault waits for it to begin.
m = machine{format = "amd64", frames = 32, low = 4, high = 8, policy = "clock"}
s = m:space()
at = s:map{pages = 1000}
local c = m:count(function()
    for n = 0, 199 do s:write(at + n * page, "data") end
end)
print(string.format("200 pages in 32 frames: the stealer woke %d times, took %d pages, wrote %d; no fault had to help.",
    c.reclaims_ahead, c.evictions, c.writebacks))
equal(c.reclaims_direct, 0, "faults that found no free frame")
assert(c.reclaims_ahead * 2 < c.evictions, "it takes several at a time")

-- 3. Taken by mistake: page 196 waits, clean and without a mapping, in a frame that nobody needed yet.
m:reclaim()
local waiting
for n = 150, 199 do
    if s:where(at + n * page) == "resident" and not s:frame(at + n * page) then waiting = at + n * page end
end
assert(waiting, "a page that was taken and is still in memory")
local rescue = m:count(function() equal(s:read(waiting, 4), "data", "its contents") end)
equal(rescue.faults_rescued, 1, "pages rescued")
equal(rescue.faults_major, 0, "pages read from the drum")
print("A page that was stolen and is touched before its frame is used comes back without the drum.")
m:check()
