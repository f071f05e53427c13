-- SPDX-License-Identifier: MIT
--
-- Isolation. Each process has addresses of its own. The same address means one thing in one process and another thing
-- in another, and no address that a process can form leads to memory of another's: what is not in its own tables does
-- not exist for it. "User's programs don't see real memory, they see their own virtual memory."

local m = machine{format = "amd64", frames = 16}
local page = m:page_bytes()
local alice, bob = m:space(), m:space()
local address = 0x400000

alice:map{at = address, pages = 1}
bob:map{at = address, pages = 1}
alice:write(address, "a letter of Alice's")
bob:write(address, "Bob's shopping list")

print(string.format("Both processes write to address %x.", address))
local function look(name, who)
    print(string.format("  %-5s reads %s (physical address %x)", name, who:read(address, 19), who:physical(address)))
end
look("Alice", alice)
look("Bob", bob)
equal(alice:read(address, 19), "a letter of Alice's", "what Alice wrote")
equal(bob:read(address, 19), "Bob's shopping list", "what Bob wrote")
assert(alice:physical(address) ~= bob:physical(address), "one address, two places")

-- The physical address of Alice's letter is no address of Bob's.
local secret = alice:physical(address)
fails("no region", bob.read, bob, secret, 1)
fails("no region", bob.write, bob, secret, "x")
print(string.format("Bob tries address %x, where the letter is in physical memory: there is nothing for him.", secret))

-- Nor is any other: every page around is refused, and what Bob is given next is empty.
local refused = 0
for n = -100, 100 do
    if n ~= 0 and not pcall(bob.touch, bob, address + n * page) then refused = refused + 1 end
end
equal(refused, 200, "pages around Bob's that he cannot reach")
equal(bob:read(bob:map{pages = 1}, page), string.rep("\0", page), "a new page")
print("Of 200 pages around his own he reaches none, and new memory comes as zeros.")

-- A page can be kept even from its own process.
alice:protect(address, 1, "r")
fails("does not grant", alice.write, alice, address, "x")
equal(alice:read(address, 19), "a letter of Alice's", "the letter")
print("Alice makes her page read-only: her own write is refused as well.")
m:check()
