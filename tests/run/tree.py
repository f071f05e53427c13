#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command and samples from outside what the managed processes of its tree hold together.

usage: [TREE_EVERY=SECONDS] tree.py COMMAND...      exit status: the command's, or 128 plus the signal that ended it

The last line on standard error: "tree: MOST bytes of PROCESSES, SAMPLES samples, PAGES bytes of pages": the most that
managed pages, compressed stores and tables of all processes ever took at a time, pages that several share counted once
(Pss), the most processes that were managed at a time, how often there was something to measure, and the most that
managed pages alone took (with UFFDIO_MOVE, which tells the arena). All are stopped while they are looked at, so that
nothing moves meanwhile. Memory that two processes have in common, as from vfork to execve, is counted once.
"""
import ctypes
import os
import signal
import subprocess
import sys
import time

WINDOW_FIRST, WINDOW_END = 0x600000000000, 0x700000000000
SYS_KCMP, KCMP_VM = 312, 1  # of x86-64
LIBC = ctypes.CDLL(None)
EVERY_S = float(os.environ.get("TREE_EVERY", 0.05))


def descendants(root):
    """Process ids of all that descends from root."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, rest = [], [root]
    while rest:
        own = children.get(rest.pop(), [])
        found += own
        rest += own
    return found


def is_managed(pid):
    try:
        with open(f"/proc/{pid}/maps") as maps:
            return any(line.startswith("6") and line.find("-") == 12 for line in maps)
    except OSError:
        return False


def held_if_any(pid):
    """Zeros for one that has ended."""
    try:
        return held(pid)
    except OSError:
        return 0, 0


def held(pid):
    """Bytes of the window and of what the runtime reserved (arena, store, tables): mapped without reserving swap and
    without huge pages. Of these, bytes of pages: the window and the arena, which is registered for moves."""
    total = pages = pss = 0
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            words = line.split()
            if not words[0].endswith(":"):
                first, is_file = int(words[0].split("-")[0], 16), words[4] != "0"
            elif words[0] == "Pss:":
                pss = int(words[1]) * 1024
            elif words[0] == "VmFlags:" and not is_file and {"nr", "nh"} <= set(words):
                total += pss
                if WINDOW_FIRST <= first < WINDOW_END or "uw" in words:
                    pages += pss
    return total, pages


def stop(pids):
    send(pids, signal.SIGSTOP)
    until = time.monotonic() + 0.2
    for pid in pids:
        try:
            while time.monotonic() < until:
                with open(f"/proc/{pid}/stat") as stat:
                    if stat.read().rpartition(")")[2].split()[0] in "TtZX":
                        break
                time.sleep(0.0005)
        except OSError:
            pass


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def of_their_own(pids):
    """Those whose memory is not that of one before."""
    kept = []
    for pid in pids:
        if all(LIBC.syscall(SYS_KCMP, pid, other, KCMP_VM, 0, 0) for other in kept):
            kept.append(pid)
    return kept


def sample(pids):
    try:
        stop(pids)
        return tuple(map(sum, zip(*(held_if_any(pid) for pid in of_their_own(pids))))) or (0, 0)
    finally:
        send(pids, signal.SIGCONT)


def main():
    most = most_pages = processes = samples = 0
    command = subprocess.Popen(sys.argv[1:])
    while command.poll() is None:
        pids = [pid for pid in descendants(command.pid) if is_managed(pid)]
        begin = time.monotonic()
        now, pages = sample(pids)
        took = time.monotonic() - begin
        most, most_pages = max(most, now), max(most_pages, pages)
        processes, samples = max(processes, len(pids)), samples + (now > 0)
        time.sleep(max(EVERY_S, 2 * took))  # where looking is slow, the programs still have two thirds of the time
    print(f"tree: {most} bytes of {processes}, {samples} samples, {most_pages} bytes of pages", file=sys.stderr)
    return command.returncode if command.returncode >= 0 else 128 - command.returncode


sys.exit(main())
