#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole programs in half of the memory that they need: onelevel run beside the kernel, in one run.

Four programs (sort, a python3 dictionary, sqlite3, passes over a graph) run without limit, under `onelevel run`, and, as
root, in a memory cgroup with swap on zram (lz4) and on a file. Every output is compared with the unlimited
one's. With --policies instead: the same programs under each policy that `onelevel run` knows. With --fitting instead:
the same programs in a budget that they do not fill, beside running them natively.
"""
import argparse
import contextlib
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

from kernel import MIB, Unavailable, cgroup, inside, machine, stop_cleanly, swap_file, zram
from workloads import make_programs

PAGE_BYTES = 4096
ITEMS = 600_000


def timed(words):
    """(seconds, digest of the output or None if it failed)"""
    begin = time.monotonic()
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=600)
    except subprocess.TimeoutExpired:
        return time.monotonic() - begin, None
    seconds = time.monotonic() - begin
    return seconds, hashlib.sha256(done.stdout).hexdigest() if done.returncode == 0 else None


class Programs:
    def __init__(self, onelevel, folder):
        self.onelevel, self.account = onelevel, os.path.join(folder, "account")

    def run(self, options, words):
        """As timed(); and the account."""
        seconds, digest = timed([self.onelevel, "run", "--quiet", "--stats-json", self.account, *options, "--", *words])
        with open(self.account, encoding="ascii") as file:
            return seconds, digest, json.load(file)

    def peaks(self, words):
        """Bytes of managed memory, and of all other memory, that the program has at most."""
        _, _, account = self.run(["--ram", "8G", "--no-prefetch"], words)
        managed = account["peak_without_limit_bytes"]
        other = max(account["max_rss_bytes"] - account["resident_peak_bytes"] - account["metadata_bytes"], 2 * MIB)
        return managed, other


def backends(programs, managed, other, part):
    """{name: function from words to (seconds, digest)}; Unavailable is raised when called."""
    budget = int(managed * part) // PAGE_BYTES * PAGE_BYTES

    def kernel(swap):
        def run(words):
            with swap(2 * managed), cgroup(budget + other) as group:
                return timed(inside(group) + words)
        return run

    beside = ["--resident", str(budget), "--compressed", str(2 * managed), "--swap", "compressed"]
    return {"no limit": timed,
            "kernel, zram lz4": kernel(zram),
            "onelevel, compressed beside": lambda words: programs.run(beside, words)[:2],
            "kernel, swap file": kernel(swap_file),
            "onelevel, all in the budget": lambda words: programs.run(["--ram", str(budget)], words)[:2]}


def beside_the_kernel(arguments, programs, named):
    print(f"| seconds, at {arguments.part:.0%} | managed | no limit | kernel, zram lz4 | onelevel, compressed beside | ratio "
          "| kernel, swap file | onelevel, all in the budget | ratio |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    ratios, wrong = {"zram": [], "file": []}, 0
    for name, words in named:
        managed, other = programs.peaks(words)
        times, expected = {}, None
        for _ in range(arguments.repetitions):
            for backend, run in backends(programs, managed, other, arguments.part).items():
                try:
                    seconds, digest = run(words)
                except Unavailable as error:
                    times[backend] = str(error)
                    continue
                expected = expected or digest
                if digest == expected:
                    times.setdefault(backend, []).append(seconds)
                elif backend.startswith("onelevel"):
                    wrong += 1
                    print(f"programs: {backend}: {name}: failed or WRONG OUTPUT", file=sys.stderr)
        middle = {backend: statistics.median(each) for backend, each in times.items() if isinstance(each, list)}

        def text(backend):
            return f"{middle[backend]:.2f}" if backend in middle else "did not finish"

        def ratio(kind, kernel, ours):
            if kernel not in middle or ours not in middle:
                return "-"
            ratios[kind].append(middle[kernel] / middle[ours])
            return f"{ratios[kind][-1]:.2f}"

        print(f"| {name} | {managed / MIB:.0f} MiB | {text('no limit')} | {text('kernel, zram lz4')} "
              f"| {text('onelevel, compressed beside')} "
              f"| {ratio('zram', 'kernel, zram lz4', 'onelevel, compressed beside')} | {text('kernel, swap file')} "
              f"| {text('onelevel, all in the budget')} "
              f"| {ratio('file', 'kernel, swap file', 'onelevel, all in the budget')} |", flush=True)
    for kind, each in ratios.items():
        if each:
            print(f"onelevel over the kernel's {kind}, geometric mean: "
                  f"{math.exp(statistics.mean(math.log(one) for one in each)):.2f}")
    return 1 if wrong else 0


def under_each_policy(arguments, programs, named):
    listed = subprocess.run([programs.onelevel, "policies", "--json"], capture_output=True, text=True, check=True)
    policies = [policy["name"] for policy in json.loads(listed.stdout) if policy["run"]]
    print("| program | policy | seconds | in faults | faults, major | soft | rescued | written |\n"
          "|---|---|--:|--:|--:|--:|--:|--:|")
    for name, words in named:
        managed, _ = programs.peaks(words)
        for policy in policies:
            options = ["--ram", str(int(managed * arguments.part)), "--policy", policy]
            each = [programs.run(options, words) for _ in range(arguments.repetitions)]
            account = each[0][2]
            print(f"| {name} | {policy} | {statistics.median(one[0] for one in each):.2f} "
                  f"| {statistics.median(one[2]['fault_ns'] for one in each) / 1e9:.2f} | {account['faults_major']} "
                  f"| {account['faults_soft']} | {account['faults_rescued']} | {account['writebacks']} |", flush=True)
    return 0


def fitting(arguments, programs, named):
    print("| program | natively, s | in 8 GiB, s | ratio |\n|---|--:|--:|--:|")
    ratios = []
    for name, words in named:
        pairs = [(timed(words)[0], programs.run(["--ram", "8G"], words)[0]) for _ in range(arguments.repetitions)]
        natively, managed = (statistics.median(each) for each in zip(*pairs))
        ratios.append(managed / natively)
        print(f"| {name} | {natively:.3f} | {managed:.3f} | {ratios[-1]:.3f} |", flush=True)
    print(f"geometric mean: {math.exp(statistics.mean(math.log(one) for one in ratios)):.3f}")
    return 0


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    build = os.path.join(here, "..", "build")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=float, default=0.5, help="memory, of what the program needs (default 0.5)")
    parser.add_argument("--repetitions", type=int, default=1, metavar="N")
    parser.add_argument("--policies", action="store_true", help="compare policies, not the kernel")
    parser.add_argument("--fitting", action="store_true", help="what it costs where the memory is enough")
    parser.add_argument("--onelevel", default=os.path.join(build, "onelevel"))
    parser.add_argument("--graph", default=os.path.join(build, "bench", "graph"))
    arguments = parser.parse_args()
    stop_cleanly()
    print(f"{time.strftime('%Y-%m-%d')}, {machine()}\n")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="onelevel-bench-"))
        programs = Programs(arguments.onelevel, folder)
        compare = under_each_policy if arguments.policies else fitting if arguments.fitting else beside_the_kernel
        large = [one for one in make_programs(folder, arguments.graph, ITEMS) if one[0] != "awk table"] # 3 MiB
        return compare(arguments, programs, large)


if __name__ == "__main__":
    sys.exit(main())
