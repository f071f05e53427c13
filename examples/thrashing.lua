-- SPDX-License-Identifier: MIT
--
-- Thrashing. Each process has a working set: the pages that it uses again and again. As long as all working sets fit
-- into memory, one more process is one more unit of work. When they do not, each fault takes a page that another
-- process is about to use, and all of them do little but wait for the drum.

local frames, working_set, references = 48, 10, 2000

-- `count` processes take turns, 50 references each, all within their working sets. Returns faults per 1000
-- references, and the modelled time of a reference, once the working sets are in memory for the first time.
local function run(count)
    local m = machine{format = "amd64", frames = frames, policy = "clock"}
    local page, process = m:page_bytes(), {}
    for i = 1, count do
        local s = m:space()
        process[i] = {space = s, at = s:map{pages = 1000}}
    end
    local seed = 1
    local function work(p, n)
        for _ = 1, n do
            seed = (seed * 1103515245 + 12345) % 2147483648
            p.space:touch(p.at + (seed // 65536) % working_set * page, seed % 4 == 0 and "w" or "r")
        end
    end
    for _, p in ipairs(process) do
        for n = 0, working_set - 1 do p.space:touch(p.at + n * page) end
    end
    local before = m:time()
    local c = m:count(function()
        for _ = 1, references // 50 do
            for _, p in ipairs(process) do work(p, 50) end
        end
    end)
    m:check()
    return 1000 * c.faults_major / c.references, (m:time() - before) / c.references / 1000
end

print(string.format("%d frames; each process uses %d pages.\n", frames, working_set))
print("processes  pages in use  faults per 1000 references   us a reference (modelled)")
local rate, time = {}, {}
for count = 1, 8 do
    rate[count], time[count] = run(count)
    print(string.format("%9d  %12d  %8.1f  %-16s  %8.2f", count, count * working_set, rate[count],
        string.rep("#", math.floor(rate[count] / 12)), time[count]))
end

for count = 1, frames // working_set do equal(rate[count], 0.0, "faults while the working sets fit") end
for count = frames // working_set + 1, 8 do assert(rate[count] > 20, "faults when they do not") end
assert(rate[8] > 2 * rate[5], "and it becomes worse with each")
assert(time[6] > 100 * time[4], "the work is done many times slower, not a little")

-- The useful remedy is not a better policy, but fewer processes at a time.
print("\nUp to 4 processes memory suffices. The fifth does not cost the fifth alone: all of them fault from then on.")
