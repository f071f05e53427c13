-- SPDX-License-Identifier: MIT
--
-- DMA and virtual memory. A device that reads and writes memory itself does not go through the MMU: it sees physical
-- addresses, and nobody asks whose a frame is by now. A driver that forgets this writes into other people's memory, in
-- one of three ways; and there are the means by which none of them can happen.

local m = machine{format = "amd64", frames = 4, policy = "fifo", bus = 4}
local page = m:page_bytes()
local packet = string.rep("p", page) .. string.rep("q", page) -- two pages of data from outside

-- A process with a buffer of two pages; another one whose page lies between them in physical memory.
local driver, victim = m:space(), m:space()
local buffer, precious = driver:map{pages = 2}, victim:map{at = 0x400000, pages = 1}
driver:write(buffer, "-")
victim:write(precious, "precious data")
driver:write(buffer + page, "-")
local disk = m:device{segments = 4}

-- 1. The virtual address is taken for a physical one.
disk:receive({{precious, page}}, string.rep("!", page))
fails("leads nowhere", disk.run, disk) -- with luck: there is no memory
disk:receive({{buffer, 1}}, "!") -- without: page 0 of physical memory is somebody's
disk:run()
print("1. A virtual address on the bus: it leads nowhere, or to whatever has that physical address.")

-- 2. What is contiguous for the program need not be so for the device.
disk:receive({{driver:physical(buffer), 2 * page}}, packet)
disk:run()
equal(driver:read(buffer, 2), "pp", "the first half")
equal(driver:read(buffer + page, 1), "-", "the second half, which did not arrive")
equal(victim:read(precious, 13), "qqqqqqqqqqqqq", "what is left of the precious data")
print("2. Two pages written as one run: the second half is in another process's memory.")

-- 3. The right address, but the page is evicted while the device is at work, and the frame given to another process.
victim:write(precious, "precious data")
local target = driver:physical(buffer)
disk:receive({{target, page}}, string.rep("n", page))
disk:run(100) -- the device has begun
local hungry = victim:map{pages = 4}
for n = 0, 3 do victim:write(hungry + n * page, "mine") end
equal(driver:where(buffer), "swapped", "the buffer")
disk:run() -- and goes on
local ruined = 0
for n = 0, 3 do
    if victim:physical(hungry + n * page) == target and victim:read(hungry + n * page + 200, 1) == "n" then
        ruined = ruined + 1
    end
end
equal(ruined, 1, "pages of others that the device wrote into")
assert(driver:read(buffer + 200, 1) ~= "n", "what should have arrived")
print("3. The buffer was evicted meanwhile: the rest of the transfer is in the frame's next page.")

-- With a driver that does it right: pinned pages, a list of their frames. The same load cannot do any harm.
local function load()
    for n = 0, 3 do pcall(victim.write, victim, hungry + n * page, "mine") end
end
local function transfer(device, kind)
    local dma = device:map(driver, buffer, 2 * page, "receive")
    equal(dma:kind(), kind, "how the device reaches the buffer")
    local segments = #dma:segments()
    device:receive(dma, packet)
    repeat load() until device:run(1000) == 0
    fails("in use", driver.unmap, driver, buffer, 2) -- nor can the program take the pages away
    dma:unmap()
    load()
    equal(driver:read(buffer, 2 * page), packet, "the packet")
    for n = 0, 3 do equal(victim:read(hungry + n * page, page), "mine" .. string.rep("\0", page - 4), "the others") end
    driver:write(buffer, string.rep("-", 2 * page))
    return segments
end
victim:discard(hungry, 4)
print("\nPinned, with a list of " .. transfer(disk, "list") .. " segments: everything arrives, nobody is harmed.")
transfer(m:device{segments = 1}, "bounce")
print("A device without lists, by a contiguous bounce buffer: the same.")
local own = m:bus_take(2) -- a buffer of the driver's own, of neighbouring frames that no process ever has
disk:receive({{own, 2 * page}}, packet)
disk:run()
equal(m:peek(own, 2 * page), packet, "the packet in the driver's buffer")
m:bus_give(own, 2)
print("Into a contiguous buffer of the driver's own: the same.")
local guarded = m:device{segments = 1, iommu = true}
transfer(guarded, "iommu")
print("Behind an IOMMU the scattered frames are one run of addresses: the same.")

-- The IOMMU helps even against a driver that does it wrong: the page that is evicted disappears for the device, too.
local careless = guarded:map(driver, buffer, page, "receive", {pinned = false})
guarded:receive(careless, string.rep("n", page))
guarded:run(100)
load()
equal(driver:where(buffer), "swapped", "the buffer")
fails("leads nowhere", guarded.run, guarded)
for n = 0, 3 do equal(victim:read(hungry + n * page, page), "mine" .. string.rep("\0", page - 4), "the others") end
fails("leads nowhere", function()
    guarded:receive({{victim:physical(hungry), 1}}, "!") -- a physical address is nothing to it
    guarded:run()
end)
print("And a driver that pins nothing gets a fault of the device, not the destruction of others.")
careless:unmap()
m:check()
