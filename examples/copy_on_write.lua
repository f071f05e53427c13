-- SPDX-License-Identifier: MIT
--
-- Copy-on-write. A fork copies nothing: parent and child have the same frames, which neither may write. The first write
-- to a page faults, and whoever wrote gets a copy of that one page.

local m = machine{format = "ia32", frames = 64}
local page = m:page_bytes()
local parent = m:space()
local at = parent:map{pages = 20}
for n = 0, 19 do parent:write(at + n * page, "from the parent") end
equal(m:statistics().pages, 20, "pages of the parent")

local child
local forking = m:count(function() child = parent:fork() end)
equal(m:statistics().pages, 20, "pages of both")
equal(forking.faults, 0, "faults of the fork itself")
print("A process with 20 pages forks. There are still 20 pages, and nothing was copied.")

for n = 0, 19 do equal(child:read(at + n * page, 15), "from the parent", "what the child inherits") end
equal(child:frame(at), parent:frame(at), "the frame of page 0")
print("The child reads them all, in the parent's frames: page 0 of both is in frame " .. child:frame(at) .. ".")

local writes = m:count(function()
    child:write(at, "from the child ")
    child:write(at + page, "from the child ")
    child:write(at, "once more by it")
end)
equal(writes.faults_copied, 2, "pages that were copied")
equal(m:statistics().pages, 22, "pages of both")
assert(child:frame(at) ~= parent:frame(at), "page 0 is in two frames")
equal(parent:read(at, 15), "from the parent", "page 0 of the parent")
equal(child:read(at, 15), "once more by it", "page 0 of the child")
print("The child writes three times to two pages: 2 are copied, 22 exist, and the parent notices nothing.")

-- The other way round, too: the parent's write does not reach the child.
parent:write(at + 5 * page, "changed by it")
equal(child:read(at + 5 * page, 15), "from the parent", "page 5 of the child")
equal(m:statistics().pages, 23, "pages of both")

-- Without the child the pages are the parent's alone, and are written where they are.
child:destroy()
equal(m:statistics().pages, 20, "pages of the parent")
local alone = m:count(function()
    for n = 0, 19 do parent:write(at + n * page, "the parent again") end
end)
equal(alone.faults_copied, 0, "pages that were copied")
print("The child ends. 20 pages are left, and the parent writes them in place, without a copy.")
m:check()
