#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Millions of references a second that `onelevel sim --machine ideal` and `onelevel mrc` take in.

Two traces in the native format, one thread each: a million pages by Zipf's law, and the pages of a sort that is recorded
here, consecutive references to a page made one. A tenth of the distinct pages have frames. Processor time of the whole
command, reading included; medians, all take turns. With --cachesim, libCacheSim's program does the same in the same run, on
the same references in its oracleGeneral format, timed as it times its own loop. Without it, the figures beside are those
that libCacheSim (develop, 2024-10, -O3) reached on a machine like the one that docs/benchmarks.md names.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

POLICIES = {"fifo": "fifo", "lru": "lru", "clock": "clock", "sieve": "sieve", "arc": "arc", "s3-fifo": "s3fifo",
            "lfu": "lfu", "opt": "belady"}
# What libCacheSim reached, in millions of references a second; the curve by its profilerLRU.
REACHED = {
    "zipf": {"fifo": 7.5, "lru": 6.7, "clock": 7.2, "arc": 5.5, "s3-fifo": 3.5, "sieve": 9.2, "lfu": 3.4, "opt": 3.8,
             "curve lru": 1.0},
    "sort": {"fifo": 69, "lru": 63, "clock": 65, "arc": 60, "s3-fifo": 44, "sieve": 65, "lfu": 7.4, "opt": 46,
             "curve lru": 15.8},
}
EXACT = ["fifo", "lru", "clock", "sieve", "lfu", "opt"]  # defined exactly: the counts must be the same


def run(words, **options):
    """(processor seconds, output)"""
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **options) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)}: exit {process.returncode}")
    return usage.ru_utime + usage.ru_stime, output


class Trace:
    def __init__(self, onelevel, name, path):
        self.onelevel, self.name, self.path = onelevel, name, path
        info = json.loads(run([onelevel, "trace", "info", "--json", path])[1])
        self.references, self.pages = info["references"], info["distinct_pages"]
        self.frames = self.pages // 10

    def simulate(self, policy):
        seconds, output = run([self.onelevel, "sim", "--machine", "ideal", "--policy", policy, "--frames",
                                     str(self.frames), "--json", self.path])
        return seconds, json.loads(output)["faults"]

    def curve(self, options):
        return run([self.onelevel, "mrc", *options, self.path])[0]


def make_traces(options, folder):
    def path(name):
        return os.path.join(folder, name)

    def pipe(*commands):
        before, processes = None, []
        for words in commands:
            processes.append(subprocess.Popen(words, stdin=before, stdout=subprocess.PIPE))
            before = processes[-1].stdout
        output = processes[-1].communicate()[0]
        for process in processes:
            if process.wait():
                sys.exit(f"{' '.join(process.args)}: exit {process.returncode}")
        return output

    convert = [options.onelevel, "trace", "convert", "-o"]
    pipe([options.zipf, str(options.pages), str(options.references)], [*convert, path("zipf"), "-"])
    if not options.sort:
        with open(path("lines"), "w", encoding="ascii") as file:
            for i in range(options.lines):
                file.write(f"{i * 7919 % 1000003} {'x' * (i * 31 % 40)}\n")
        run([options.onelevel, "record", "-o", path("recorded"), "--", "sort", "--parallel=1", path("lines")],
            stderr=subprocess.DEVNULL)
        pipe([options.onelevel, "trace", "convert", "--to", "pages", "-o", "-", path("recorded")], ["uniq"],
             [*convert, path("sort"), "-"])
    else:
        pipe([*convert, path("sort"), options.sort])
    return [Trace(options.onelevel, name, path(name)) for name in ("zipf", "sort")]


def cachesim(options, trace, algorithm):
    """(millions of references a second in its loop, misses per reference)"""
    _, output = run([options.cachesim, trace.path + ".oracleGeneral", "oracleGeneral", algorithm, str(trace.frames),
                        "--ignore-obj-size", "1", "--num-thread", "1"], stderr=subprocess.DEVNULL,
                       cwd=os.path.dirname(trace.path))
    found = re.search(r"miss ratio ([0-9.]+), throughput ([0-9.]+) MQPS", output)
    if not found:
        sys.exit(f"{options.cachesim}: no throughput in: {output}")
    return float(found[2]), float(found[1])


def measure(options, trace):
    """Processor times by name, libCacheSim's speeds by name, faults, and libCacheSim's miss ratios."""
    ours = {name: [] for name in [*POLICIES, "curve lru", "curve 1 %"]}
    theirs, faults, ratios = {name: [] for name in ours}, {}, {}
    for _ in range(options.repetitions):
        for name, algorithm in POLICIES.items():
            seconds, faults[name] = trace.simulate(name)
            ours[name].append(seconds)
            if options.cachesim:
                speed, ratios[name] = cachesim(options, trace, algorithm)
                theirs[name].append(speed)
        for name, what in (("curve lru", []), ("curve 1 %", ["--sample", "0.01"])):
            ours[name].append(trace.curve(what))
    return ours, theirs, faults, ratios


def report(trace, ours, theirs, faults, reached):
    print(f"\n{trace.name}: {trace.references} references to {trace.pages} pages, {trace.frames} frames\n")
    print("| | Mref/s | libCacheSim | ratio | faults |\n|---|--:|--:|--:|--:|")
    for name, seconds in ours.items():
        speed = trace.references / statistics.median(seconds) / 1e6
        peer = statistics.median(theirs[name]) if theirs[name] else reached.get(name)
        beside = f"{peer:.1f} | {speed / peer:.1f}" if peer else "|"
        print(f"| {name} | {speed:.1f} | {beside} | {faults.get(name, '')} |")


def compare(trace, faults, ratios):
    """What libCacheSim counts otherwise, of policies that are defined exactly."""
    return [f"{trace.name}, {name}: {faults[name] / trace.references:.6f} faults per reference, libCacheSim {ratio}"
            for name, ratio in ratios.items()
            if name in EXACT and abs(ratio - faults[name] / trace.references) > 0.0001]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onelevel", default=os.path.join(here, "../build/onelevel"))
    parser.add_argument("--zipf", default=os.path.join(here, "../build/bench/zipf"), help="bench/zipf.c")
    parser.add_argument("--cachesim", help="libCacheSim's program of that name, to be measured in the same run")
    parser.add_argument("--sort", help="a list of pages instead of the recorded sort")
    parser.add_argument("--pages", type=int, default=1000000, help="of the Zipf trace")
    parser.add_argument("--references", type=int, default=20000000, help="of the Zipf trace")
    parser.add_argument("--lines", type=int, default=60000, help="that are sorted")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    options.as_measured = all(getattr(options, name) == parser.get_default(name)
                              for name in ("pages", "references", "lines"))
    for name in ("onelevel", "zipf", "cachesim", "sort"):
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
    with tempfile.TemporaryDirectory() as folder:
        traces = make_traces(options, folder)
        wrong = []
        for trace in traces:
            if options.cachesim:
                run([options.onelevel, "trace", "convert", "--to", "oracleGeneral", "-o", trace.path + ".oracleGeneral",
                     trace.path])
            ours, theirs, faults, ratios = measure(options, trace)
            report(trace, ours, theirs, faults, REACHED[trace.name] if options.as_measured else {})
            wrong += compare(trace, faults, ratios)
    for word in wrong:
        print(word)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
