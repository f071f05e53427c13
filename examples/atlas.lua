-- SPDX-License-Identifier: MIT
--
-- Atlas, Manchester 1962: the first machine on which core store and drum were one level. There are no page tables:
-- each of the 32 pages of core has a register with the number of the block that it holds, and all 32 are compared
-- with the address at once. If none agrees there is a "non-equivalence interruption", and the supervisor fetches the
-- block. Which page goes is decided by its learning program, which expects a block to be used again after as long as
-- last time.

local core_pages, block = 32, 4096 -- 512 words of 48 bits: 4096 characters

-- A program of 12 blocks that works through 28 blocks of data, 30 times: for each of these it runs through all its own,
-- with 64 references to each. The learning program looks at the use digits every 1024 instructions.
local function run(policy)
    local m = machine{format = "atlas", frames = core_pages, policy = policy}
    equal(m:page_bytes(), block, "a block")
    local s = m:space()
    local at = s:map{pages = 40}
    for n = 0, 39 do s:write(at + n * block, string.format("block %2d", n)) end
    local c = m:count(function()
        for _ = 1, 30 do
            for data = 12, 39 do
                s:touch(at + data * block)
                for own = 0, 11 do
                    for word = 0, 63 do s:touch(at + own * block + 8 * word) end
                end
            end
        end
    end)
    for n = 0, 39 do equal(s:read(at + n * block, 8), string.format("block %2d", n), "contents") end
    m:check()
    return c, s, at, m
end

local learning, s, at, m = run("atlas:interval=1024")
print(string.format("A program of 40 blocks in 32 pages of core makes %d references.", learning.references))
print(string.format("%4d non-equivalence interruptions: as many blocks come from the drum", learning.page_faults))
equal(learning.page_faults, learning.faults_major, "each interruption is a block from the drum")

-- Nothing tells whether a page was changed: each that leaves is written, though none was changed since it was read.
equal(learning.writebacks, learning.evictions, "pages written of those that left")
equal(learning.evictions_clean, 0, "pages that left without")
print(string.format("%4d pages are written back, although the program only reads: Atlas cannot tell",
    learning.writebacks))

-- The learning program against what is simplest.
local fifo = run("fifo")
print(string.format("%4d interruptions with first in, first out instead of the learning program", fifo.page_faults))
assert(learning.page_faults < fifo.page_faults, "it learns")

-- There are no rights: a program's pages are all its own to write, and no two programs can have the same one.
fails("not supported", s.protect, s, at, 1, "r")
fails("not supported", s.fork, s)
fails("no region", s.touch, s, 1 << 23) -- beyond the main store
print("There are no read-only pages and no copies on write: a register has a block number and nothing of rights.")
