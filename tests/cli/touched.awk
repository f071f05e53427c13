# SPDX-License-Identifier: MIT
#
# What the references of a trace by Valgrind's lackey touch, in pieces of `size` bytes. A line for each touch: kind (0:
# read, 1: write, 2: instruction), number of the piece in decimal, the same in hexadecimal.
function hex(digits,   i, value) {
    for (i = 1; i <= length(digits); i++) value = value * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
    return value
}
/^(I | [LSM]) / {
    split(substr($0, 4), part, ",")
    first = hex(part[1])
    last = first + part[2] - 1
    kind = /^I/ ? 2 : / L/ ? 0 : 1
    for (at = int(first / size); at <= int(last / size); at++) printf "%d %.0f %x\n", kind, at, at
}
