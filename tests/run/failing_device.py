# SPDX-License-Identifier: MIT
"""Runs a command for which some pages of a file cannot be read: preadv from offsets whose bits 12 to 17 are all zero
fails with EIO, by a seccomp filter. usage: failing_device.py COMMAND [ARGUMENT]..."""

import ctypes
import os
import struct
import sys

LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
SYS_PREADV, SYS_IO_URING_SETUP, EIO, EPERM = 295, 425, 5, 1
NUMBER, OFFSET = 0, 16 + 3 * 8  # in struct seccomp_data: nr, the lower half of args[3]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2

code = [
    (LOAD, 0, 0, NUMBER),
    (JUMP_EQUAL, 5, 0, SYS_IO_URING_SETUP),  # it would read unseen
    (JUMP_EQUAL, 0, 2, SYS_PREADV),
    (LOAD, 0, 0, OFFSET),
    (JUMP_ANY_BIT, 0, 1, 0x3F000),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, ERRNO | EIO),
    (RETURN, 0, 0, ERRNO | EPERM),
]

program = b"".join(struct.pack("HBBI", *line) for line in code)
buffer = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None, use_errno=True)
header = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, header, 0, 0):
    sys.exit("no seccomp filter: " + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
