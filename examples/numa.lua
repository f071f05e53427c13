-- SPDX-License-Identifier: MIT
--
-- NUMA. On a machine of several nodes all memory can be reached from everywhere, but it is nearer to some processors.
-- Which node a page lies on is decided when it is touched for the first time, and felt for ever after.

local pages, rounds = 64, 50

-- Two nodes, of two processors each (0 and 1; 2 and 3); memory of the other node takes twice as long. Processor
-- `loader` writes all pages of a table, then processor `reader` reads them again and again.
local function run(policy, loader, reader)
    local m = machine{format = "amd64", frames = 256, processors = 4, numa = "2:" .. policy .. ":20", tlb = "64:4"}
    local page, s = m:page_bytes(), m:space()
    local at = s:map{pages = pages}
    m:processor(loader)
    for n = 0, pages - 1 do s:write(at + n * page, "row " .. n) end
    m:processor(reader)
    local before = m:time("misses=1000") -- as if nothing were in the processors' caches
    local c = m:count(function()
        for _ = 1, rounds do
            for n = 0, pages - 1 do s:touch(at + n * page) end
        end
    end)
    m:check()
    return c.local_references, c.remote_references, (m:time("misses=1000") - before) / c.references
end

print("Four processors on two nodes. One writes a table of 64 pages, another one reads it 50 times.\n")
print("placement    writer  reader    local   remote  ns a reference (modelled)")
local function try(policy, loader, reader)
    local near, far, ns = run(policy, loader, reader)
    print(string.format("%-12s %6d  %6d  %7d  %7d  %.0f", policy, loader, reader, near, far, ns))
    equal(near + far, pages * rounds, "references")
    return near, far, ns
end

local near, far, fast = try("first-touch", 0, 1)
equal(far, 0, "the same node's: remote references")
local _, remote, slow = try("first-touch", 0, 2)
equal(remote, pages * rounds, "the other node's: remote references")
assert(slow > 1.5 * fast, "far memory is felt")
local half, other_half, mixed = try("interleave", 0, 2)
equal(half, other_half, "interleaved: as many near as far")
assert(fast < mixed and mixed < slow, "and in between")
local _, bound_far = try("bind=1", 0, 2)
equal(bound_far, 0, "bound to the reader's node")

print("\nMemory is where it was first touched, so who fills a table should sit where it will be read. Who does")
print("not know can interleave: never the best, never the worst. Who knows can bind, and pays with memory unused.")
