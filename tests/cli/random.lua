-- SPDX-License-Identifier: MIT
--
-- Random calls of everything that machines, spaces and devices have, on every machine, many of them nonsense: nothing
-- may crash, every invariant must hold, and what is refused must be refused by a message that names what was wrong.
-- usage: onelevel script tests/cli/random.lua [SEED [STEPS]]

local seed, steps = tonumber((...)) or 1, tonumber((select(2, ...))) or 500
local formats = {"amd64", "ia32", "pae", "la57", "sv39", "sv48", "vax", "atlas", "s370", "s370-2k", "s370-1m"}
local random = math.random
math.randomseed(seed)

local function pick(list) return list[random(#list)] end
local function maybe(chance, value)
    if random(chance) == 1 then return value end
end

local good, refused = 0, 0
local function try(f, ...)
    local fine, result = pcall(f, ...)
    if fine then
        good = good + 1
        return result
    end
    assert(not result:find("invariant") and not result:find("attempt to"), result)
    refused = refused + 1
end

local function new_machine(format)
    return machine{format = format, frames = random(2, 40), tlb = pick{"none", "16:4", "l1=4,l2=16:4"},
        processors = random(3), policy = pick{"fifo", "clock", "sieve"}, ahead = random(0, 8), bus = random(0, 8),
        buddies = random(3) == 1, drum = maybe(4, random(0, 60))}
end

-- One machine, with everything on it, and what can be done to it: each a chance in a hundred, and the deed.
local function new_world(format)
    local m = new_machine(format)
    local page = m:page_bytes()
    local spaces, devices, dmas, pins, blocks = {m:space()}, {}, {}, {}, {}
    devices[1] = m:device{segments = random(4), last = maybe(3, random(0, 40 * page))}
    devices[2] = try(m.device, m, {iommu = true})
    local function at() return random(0, 60) * page end
    local function anywhere() return at() + random(0, 1) * random(0, page - 1) end
    local function remove(list, method)
        local n = #list > 0 and random(#list)
        if n and try(function() list[n][method](list[n]) return true end) then table.remove(list, n) end
    end
    local function start(dma)
        if dma.kind == "send" then return try(dma.device.send, dma.device, dma.object) end
        return try(dma.device.receive, dma.device, dma.object, string.rep("d", dma.bytes))
    end
    local deeds = {
        {12, function(s) try(s.map, s, {pages = random(12), at = at(), rights = pick{"rw", "rw", "r", "rwx"},
            shared = random(3) == 1, replace = random(4) == 1}) end},
        {4, function(s) try(s.unmap, s, at(), random(10)) end},
        {2, function(s) try(s.discard, s, at(), random(10)) end},
        {3, function(s) try(s.protect, s, at(), random(6), pick{"rw", "r", "rx", "-"}) end},
        {4, function(s) try(s.share, s, pick(spaces), at(), random(4), {at = at(), replace = random(3) == 1}) end},
        {2, function(s) if #spaces < 6 then spaces[#spaces + 1] = try(s.fork, s) end end},
        {1, function() if #spaces < 6 then spaces[#spaces + 1] = try(m.space, m) end end},
        {1, function() if #spaces > 1 then remove(spaces, "destroy") end end},
        {16, function(s) try(s.write, s, anywhere(), string.rep("w", random(3 * page))) end},
        {10, function(s) try(s.read, s, anywhere(), random(3 * page)) end},
        {7, function(s) try(s.touch, s, anywhere(), pick{"r", "w", "x"}) end},
        {4, function(s) pins[#pins + 1] = try(s.pin, s, at(), random(4), pick{"r", "w"}) end},
        {4, function() remove(pins, "release") end},
        {6, function(s)
            local dma = {device = pick(devices), kind = pick{"receive", "send"}, bytes = random(3 * page)}
            local pinned = random(5) > 1
            dma.object = try(dma.device.map, dma.device, s, anywhere(), dma.bytes, dma.kind, {pinned = pinned})
            dma.unmap = function() dma.object:unmap() end
            if dma.object then dmas[#dmas + 1] = dma end
        end},
        {8, function() if #dmas > 0 then start(pick(dmas)) end end},
        {6, function() local d = pick(devices) try(d.run, d, maybe(2, random(page))) end},
        {5, function() remove(dmas, "unmap") end},
        {1, function() try(m.budget, m, random(40)) end},
        {1, function() blocks[#blocks + 1] = try(m.block, m, random(0, 4)) end},
        {1, function() remove(blocks, "give") end},
        {1, function() local d = pick(devices) try(d.receive, d, {{random(0, 40) * page, 1}}, "x") end},
        {1, function() try(m.processor, m, random(0, 2)) end},
    }
    return function()
        local chance = random(100)
        for _, deed in ipairs(deeds) do
            chance = chance - deed[1]
            if chance <= 0 then return deed[2](pick(spaces)) end
        end
    end, m
end

for _, format in ipairs(formats) do
    local step, m = new_world(format)
    for n = 1, steps do
        step()
        if n % 10 == 0 then m:check() end
    end
    collectgarbage()
end
assert(good > #formats * steps / 5 and refused > #formats * steps / 5, "enough of both")
print(string.format("%d calls were carried out, %d refused", good, refused))
