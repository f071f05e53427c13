-- SPDX-License-Identifier: MIT
--
-- A shared library. Its code is in memory once, however many programs use it, each at an address of its own; its data
-- each program has for itself. "A library integrated in several programs is physically loaded only once."

local m = machine{format = "amd64", frames = 256}
local page = m:page_bytes()
local code_pages, data_pages, programs = 30, 2, 10

-- The loader reads the library into memory, once.
local loader = m:space()
local code = loader:map{pages = code_pages, shared = true}
local data = loader:map{pages = data_pages}
for n = 0, code_pages - 1 do loader:write(code + n * page, string.format("instruction %2d", n)) end
for n = 0, data_pages - 1 do loader:write(data + n * page, "initial value") end
equal(m:statistics().pages, code_pages + data_pages, "pages of the library")

-- Programs: the code is shared, with the right to execute it and not to write it; the data is copied on write.
local program, code_at = {}, {}
for i = 1, programs do
    program[i] = loader:fork() -- the data
    program[i]:unmap(code, code_pages)
    code_at[i] = program[i]:share(loader, code, code_pages, {at = 0x10000000 * i, rights = "rx"})
end
print(string.format("%d programs use a library with %d pages of code, each at another address.", programs, code_pages))

for i = 1, programs do
    for n = 0, code_pages - 1 do
        program[i]:touch(code_at[i] + n * page, "x")
        equal(program[i]:read(code_at[i] + n * page, 14), string.format("instruction %2d", n), "code")
        equal(program[i]:frame(code_at[i] + n * page), loader:frame(code + n * page), "frame of code")
    end
end
equal(m:statistics().pages, code_pages + data_pages, "pages when all have run all code")
print(string.format("All have run all of it, and there are %d pages: one copy. Without sharing it were %d.",
    code_pages + data_pages, (code_pages + data_pages) * programs))

-- Nobody changes the code under the others.
for i = 1, programs do fails("does not grant", program[i].write, program[i], code_at[i], "virus") end
print("A program that writes into the code is refused.")

-- Each has variables of its own.
for i = 1, programs do program[i]:write(data, string.format("value of %4d", i)) end
for i = 1, programs do equal(program[i]:read(data, 13), string.format("value of %4d", i), "variable") end
equal(loader:read(data, 13), "initial value", "the library's own copy")
equal(m:statistics().pages, code_pages + data_pages + programs, "pages now")
print(string.format("Each writes one variable: %d pages more, one a program.", programs))
m:check()
