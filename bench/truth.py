#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does simulation tell the truth? FIFO faults that `onelevel sim` predicts from a recording, beside those that `onelevel
run` really takes, and the kernel's own.

Each program is recorded once, with what the kernel touches for it, and replayed by `onelevel sim --machine ideal
--managed --policy fifo`, which makes only the references to memory that `onelevel run` manages. Then it runs under
`onelevel run --exact --policy fifo` in as many frames: no page is brought in ahead, and one leaves at a time. Faults are
first touches and pages that come back. As root, it runs in a memory cgroup too, in as much memory and what it has
besides, with a swap file that is read page by page; told is how many faults more than without limit it takes. The
kernel's policy is its own, so nothing is expected of them. The script fails if sim and run differ by more than 5 %.
"""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile

from kernel import MIB, Unavailable, cgroup, inside, machine, stop_cleanly, swap_file
from workloads import make_programs

PAGE_BYTES = 4096
MOST = 0.05  # part by which sim and run may differ
ITEMS = 24_000


class Program:
    def __init__(self, onelevel, folder, name, words):
        self.onelevel, self.name, self.words = onelevel, name, words
        self.trace, self.account = os.path.join(folder, "trace"), os.path.join(folder, "account")
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONHASHSEED": "0"}
        self.options = {"stdout": subprocess.DEVNULL, "env": environment, "check": True}

    def record(self):
        subprocess.run([self.onelevel, "record", "--kernel", "-o", self.trace, "--", *self.words],
                       stderr=subprocess.DEVNULL, **self.options)

    def simulate(self, frames):
        done = subprocess.run([self.onelevel, "sim", "--machine", "ideal", "--managed", "--policy", "fifo", "--frames",
                               str(frames), "--json", self.trace], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def run(self, frames):
        subprocess.run([self.onelevel, "run", "--exact", "--policy", "fifo", "--resident", str(frames * PAGE_BYTES),
                        "--swap", "compressed,file", "--compressed", "1G", "--quiet", "--stats-json", self.account, "--",
                        *self.words], **self.options)
        with open(self.account, encoding="ascii") as file:
            return json.load(file)

    def kernel(self, limit):
        """Faults and peak bytes in a memory cgroup."""
        with swap_file(256 * MIB), cgroup(limit) as group:
            with subprocess.Popen(inside(group) + self.words, stdout=subprocess.DEVNULL,
                                  env=self.options["env"]) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            peak = next((int(open_text(f"{group}/{name}")) for name in ("memory.max_usage_in_bytes", "memory.peak")
                         if os.path.exists(f"{group}/{name}")), None)
        if process.returncode or peak is None:
            raise Unavailable("killed" if process.returncode else "the cgroup tells no peak")
        return usage.ru_minflt + usage.ru_majflt, peak


def open_text(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class Kernel:
    """How many faults more a program takes with less memory. What it has besides is what it has at most, less `pages`."""

    def __init__(self, program, pages):
        self.program, self.reason = program, None
        try:
            self.faults, peak = program.kernel(1024 * MIB)
            self.besides = max(peak - pages * PAGE_BYTES, 0)
        except Unavailable as error:
            self.reason = str(error)

    def come_back(self, frames):
        if self.reason:
            return self.reason
        try:
            return self.program.kernel(frames * PAGE_BYTES + self.besides)[0] - self.faults
        except Unavailable as error:
            return str(error)


@contextlib.contextmanager
def page_by_page():
    """The kernel's swap read-ahead, switched off."""
    path = "/proc/sys/vm/page-cluster"
    try:
        with open(path, encoding="ascii") as file:
            before = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write("0\n")
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(before)


def compare(program, parts):
    """Prints a row for each budget; returns the differences."""
    program.record()
    pages = program.simulate(1 << 20)["resident_peak"]
    kernel = Kernel(program, pages)
    differences = []
    for part in parts:
        frames = max(int(pages * part), 256)  # the least that run takes
        predicted = program.simulate(frames)
        account = program.run(frames)
        taken = account["faults_zero"] + account["faults_major"] + account["faults_rescued"]
        differences.append(predicted["faults"] / taken - 1)
        print(f"| {program.name} | {pages} | {frames} | {predicted['faults']} | {taken} | {differences[-1]:+.1%} | "
              f"{predicted['faults_first']} | {account['faults_zero']} | {account['faults_major']} | "
              f"{kernel.come_back(frames)} |", flush=True)
    return differences


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    build = os.path.join(here, "..", "build")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onelevel", default=os.path.join(build, "onelevel"))
    parser.add_argument("--graph", default=os.path.join(build, "bench", "graph"))
    parser.add_argument("--parts", default="0.5,0.7,0.9", help="budgets, of the pages that the program has at most")
    parser.add_argument("--only", help="the program of this name")
    arguments = parser.parse_args()
    parts = [float(part) for part in arguments.parts.split(",")]
    stop_cleanly()
    print(f"{machine()}\n\n| | pages | frames | sim | run | difference | first touches: sim | run | come back: run | "
          "kernel |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    differences = []
    with tempfile.TemporaryDirectory(prefix="onelevel-bench-") as folder, page_by_page():
        for name, words in make_programs(folder, arguments.graph, ITEMS):
            if arguments.only in (None, name):
                program = Program(os.path.abspath(arguments.onelevel), folder, name, words)
                differences += compare(program, parts)
    worst = max(differences, key=abs)
    print(f"\nlargest difference between sim and run: {worst:+.1%}")
    return 0 if abs(worst) <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
