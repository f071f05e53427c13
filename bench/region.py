#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Page accesses per second in a region larger than its memory: libonelevel beside the kernel, in one run.

Each measurement is a process of its own (bench/region.c); the back ends take turns, and medians are printed. As root,
the kernel runs in a memory cgroup, on a swap file and on zram; what cannot run here is skipped, with the reason.
What is set up for that (cgroup, swap, zram) is taken away again, also after an error or a signal.
"""
import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time

from kernel import MIB, Unavailable, can_limit, cgroup, inside, machine, stop_cleanly, swap_file, zram

LOOPS = ["seq read", "seq write", "cyclic", "random read", "random write", "hot"]
EXIT_WRONG_PAGE, EXIT_SKIPPED = 3, 77


# --- back ends ------------------------------------------------------------------------------------------------------


class Backend:
    """A line of the table. `kind` is what region.c calls it, `swap` what the kernel swaps to. `limit` gives the limit
    of its cgroup from region and budget: the budget, and what a process takes besides."""

    def __init__(self, name, kind, swap=None, limit=None):
        self.name, self.kind, self.swap, self.limit = name, kind, swap, limit

    @contextlib.contextmanager
    def surroundings(self, region_bytes, budget_bytes):
        """Gives the words to put before the command."""
        with contextlib.ExitStack() as stack:
            before = []
            if self.swap:
                stack.enter_context(self.swap(region_bytes + region_bytes // 4))
            if self.limit and (self.swap or can_limit()):
                group = stack.enter_context(cgroup(self.limit(region_bytes, budget_bytes)))
                before = inside(group)
            yield before


# Besides the budget: page tables (1/512 of the region), the version table (1/1024), the program.
def kernel_limit(region_bytes, budget_bytes):
    return budget_bytes + region_bytes // 256 + 2 * MIB


# … and a second set of page tables, those of the arena, and the swap file's pages in the page cache, under way.
def ram_limit(region_bytes, budget_bytes):
    return budget_bytes + region_bytes // 64 + 8 * MIB


# … and the library's tables, where its budget is for resident pages alone.
def resident_limit(region_bytes, budget_bytes):
    return budget_bytes + region_bytes // 32 + 8 * MIB


NO_LIMIT = Backend("no limit", "kernel")
ONELEVEL_RAM = Backend("onelevel, all in the budget", "ram", limit=ram_limit)
ONELEVEL_FILE = Backend("onelevel, swap file", "file", limit=resident_limit)
ONELEVEL_LZ4 = Backend("onelevel, compressed beside", "resident")
KERNEL_FILE = Backend("kernel, swap file", "kernel", swap=swap_file, limit=kernel_limit)
KERNEL_ZRAM = Backend("kernel, zram lz4", "kernel", swap=zram, limit=kernel_limit)
LIMITED = [ONELEVEL_RAM, KERNEL_FILE, ONELEVEL_FILE, KERNEL_ZRAM, ONELEVEL_LZ4]
PAIRS = [(ONELEVEL_RAM, KERNEL_FILE), (ONELEVEL_FILE, KERNEL_FILE), (ONELEVEL_LZ4, KERNEL_ZRAM),
         (ONELEVEL_LZ4, KERNEL_FILE)]
RANDOM_WORDS, ALL_RANDOM_WORDS = 2, 8  # of 8 in a line: data as most programs have; data that does not compress


class Failed(Exception):
    """A measurement that did not come to its end."""


def measure(arguments, backend, region_bytes, budget_bytes, seconds):
    """One process; what it measured."""
    with backend.surroundings(region_bytes, budget_bytes) as before:
        words = [*before, arguments.program, backend.kind, str(region_bytes), str(budget_bytes), str(seconds),
                 str(ALL_RANDOM_WORDS if arguments.incompressible else RANDOM_WORDS)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120 + 60 * seconds)
        except subprocess.TimeoutExpired as error:
            raise Failed("did not end") from error
    message = done.stderr.strip()
    if done.returncode == EXIT_WRONG_PAGE:
        sys.exit(f"{message}\nregion: {backend.name}: WRONG DATA")
    if done.returncode == EXIT_SKIPPED:
        raise Unavailable(message)
    if done.returncode < 0:
        raise Failed(f"killed by {signal.Signals(-done.returncode).name} {message}".rstrip())
    if done.returncode:
        raise Failed(message or f"exit status {done.returncode}")
    return json.loads(done.stdout)


def probe(arguments, backends):
    """Those that run here, and for the others why not. A small region tells."""
    usable, skipped = [], {}
    for backend in backends:
        try:
            if backend.swap and os.geteuid() != 0:
                raise Unavailable("only root can limit memory and set up swap")
            with contextlib.suppress(Failed):  # that is a result, and the run will show it
                measure(arguments, backend, 32 * MIB, 16 * MIB, 0.01)
            usable.append(backend)
        except Unavailable as error:
            skipped[backend.name] = str(error)
            print(f"skipped: {backend.name}: {error}")
    if not can_limit():
        print("note: no memory cgroup can be made, so the page cache may hold all of libonelevel's swap file")
    return usable, skipped


# --- runs -----------------------------------------------------------------------------------------------------------


def run_all(arguments, backends):
    """The plan, as (budget in percent, back end's name), and by that: measurements, and failures."""
    region_bytes = arguments.size * MIB
    plan = [(100, NO_LIMIT)] + [(budget, backend) for budget in arguments.budgets for backend in backends]
    results, failures = {}, {}
    for repetition in range(arguments.repetitions):
        for number, (budget, backend) in enumerate(plan):
            if sys.stderr.isatty():
                print(f"\r\033[K{repetition * len(plan) + number + 1}/{arguments.repetitions * len(plan)} "
                      f"{backend.name} {budget} %", end="", file=sys.stderr, flush=True)
            key = budget, backend.name
            try:
                result = measure(arguments, backend, region_bytes, region_bytes * budget // 100, arguments.seconds)
                results.setdefault(key, []).append(result)
            except (Failed, Unavailable) as error:
                failures.setdefault(key, []).append(str(error))
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return [(budget, backend.name) for budget, backend in plan], results, failures


def rates(results, loop):
    return [result["loops"][loop]["accesses"] * 1e9 / result["loops"][loop]["ns"] for result in results]


def summarize(plan, results, failures):
    """A row for each line of the plan."""
    rows = []
    for budget, name in plan:
        measured = results.get((budget, name), [])
        row = {"backend": name, "budget_percent": budget, "repetitions": len(measured),
               "failures": failures.get((budget, name), []), "loops": {}}
        if measured:
            row["resident_bytes"] = statistics.median(result["resident_bytes"] for result in measured)
            for loop in LOOPS:
                each = rates(measured, loop)
                counts = [result["loops"][loop] for result in measured]
                row["loops"][loop] = {
                    "accesses_per_second": statistics.median(each), "all": each,
                    "faults_per_access": statistics.median(count["faults"] / count["accesses"] for count in counts)}
        rows.append(row)
    return rows


def compare(rows):
    """Medians of libonelevel over those of the kernel."""
    by_key = {(row["budget_percent"], row["backend"]): row["loops"] for row in rows if row["loops"]}
    ratios = []
    for budget in sorted({row["budget_percent"] for row in rows} - {100}):
        for ours, theirs in PAIRS:
            mine, peer = by_key.get((budget, ours.name)), by_key.get((budget, theirs.name))
            if mine and peer:
                ratios.append({
                    "backend": ours.name, "to": theirs.name, "budget_percent": budget,
                    "loops": {loop: mine[loop]["accesses_per_second"] / peer[loop]["accesses_per_second"]
                              for loop in LOOPS}})
    return ratios


# --- output ---------------------------------------------------------------------------------------------------------


def short(rate):
    for unit, factor in (("M", 1e6), ("k", 1e3)):
        if rate >= factor:
            return f"{rate / factor:.3g}{unit}"
    return f"{rate:.3g}"


def print_table(title, rows):
    """Rows of (label, budget, texts by loop), as Markdown."""
    wide = max([len(title)] + [len(row[0]) for row in rows])
    print(f"| {title:{wide}} | budget | " + " | ".join(f"{loop:>12}" for loop in LOOPS) + " |")
    print(f"|{'-' * (wide + 2)}|-------:|" + "|".join("-" * 13 + ":" for _ in LOOPS) + "|")
    for label, budget, texts in rows:
        cells = " | ".join(f"{texts.get(loop, '-'):>12}" for loop in LOOPS)
        print(f"| {label:{wide}} | {budget:>4} % | {cells} |")
    print()


def print_report(report):
    rows, ratios = report["rows"], report["ratios"]
    print_table("accesses a second", [
        (row["backend"], row["budget_percent"],
         {loop: short(value["accesses_per_second"]) for loop, value in row["loops"].items()}) for row in rows])
    if ratios:
        print_table("onelevel over the kernel", [
            (f"{ratio['backend']} : {ratio['to']}", ratio["budget_percent"],
             {loop: f"{value:.2f}" for loop, value in ratio["loops"].items()}) for ratio in ratios])
    for row in rows:
        for failure in sorted(set(row["failures"])):
            count = row["failures"].count(failure)
            print(f"failed: {row['backend']} at {row['budget_percent']} %, {count} times: {failure}")
    spreads = [(max(loop["all"]) - min(loop["all"])) / loop["accesses_per_second"]
               for row in rows for loop in row["loops"].values()]
    print(f"spread of repetitions, (largest - smallest) / median: median {statistics.median(spreads):.0%}, "
          f"largest {max(spreads):.0%}")


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))


def parse_arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="128 MiB and short loops: about a minute")
    parser.add_argument("--size", type=int, metavar="MIB", help="size of the region (default 1024; at least 16)")
    parser.add_argument("--seconds", type=float, help="how long a loop is measured (default 1)")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--budgets", type=lambda text: [int(part) for part in text.split(",")], metavar="PERCENT,...",
                        default=[25, 50, 75], help="memory, of the region's size (default 25,50,75)")
    parser.add_argument("--incompressible", action="store_true", help="data that does not compress")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--program", default=os.path.join(here, "..", "build", "bench", "region"),
                        help="what bench/region.c was built to (default build/bench/region)")
    arguments = parser.parse_args()
    arguments.size = arguments.size or (128 if arguments.quick else 1024)
    arguments.seconds = arguments.seconds or (0.1 if arguments.quick else 1)
    if arguments.size < 16 or arguments.repetitions < 1 or not all(0 < budget < 100 for budget in arguments.budgets):
        parser.error("the size is 16 MiB or more, repetitions 1 or more, budgets between 0 and 100 %")
    if not os.access(arguments.program, os.X_OK):
        parser.error(f"{arguments.program} is not there: run make first, or name it with --program")
    if arguments.size * MIB * 2 > available_bytes():
        parser.error("less memory is available than twice the region: give a smaller --size")
    return arguments


def main():
    arguments = parse_arguments()
    stop_cleanly()
    started = time.time()
    backends, skipped = probe(arguments, LIMITED)
    plan, results, failures = run_all(arguments, backends)
    if not results:
        sys.exit(f"region: nothing could be measured: {failures}")
    rows = summarize(plan, results, failures)
    some = next(iter(results.values()))[0]
    report = {"date": time.strftime("%Y-%m-%d", time.localtime(started)), "machine": machine(),
              "region_mib": arguments.size, "seconds": arguments.seconds, "repetitions": arguments.repetitions,
              "compression_ratio": some["compression_ratio"], "skipped": skipped, "rows": rows, "ratios": compare(rows)}
    print(f"{report['date']}, {report['machine']}\nregion {arguments.size} MiB, {arguments.repetitions} repetitions of "
          f"{arguments.seconds:g} s a loop, LZ4 {some['compression_ratio']:.2f}:1\n")
    print_report(report)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    print(f"{time.time() - started:.0f} s")
    return 1 if any(row["failures"] for row in rows if row["backend"].startswith("onelevel")) else 0


if __name__ == "__main__":
    sys.exit(main())
