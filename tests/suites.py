#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the tests of others natively and under `onelevel run`, and compares which pass and which do not.

usage: tests/suites.py [--onelevel build/onelevel] [--ram 16M] [--options OPTIONS] [SUITE...]

SUITE is the name of a module of CPython's own tests, such as test_mmap, or `stress-ng`, its stressors of memory, each
a few operations with --verify. Default: those of memory, threads, processes, input and output, and signals. Takes some
ten minutes, so it is no part of `make test`. Exit status 1 if a test does not end as it does natively, twice.

CPython's tests are those of the Debian package libpython3.11-testsuite, for /usr/bin/python3.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import unittest

PYTHON = "/usr/bin/python3"
PYTHON_SUITES = ("test_mmap test_threading test_thread test_threadsignals test_subprocess test_io test_signal test_os "
                 "test_posix test_fork1 test_popen test_shelve test_array test_memoryio test_fileio test_file "
                 "test_socket test_select test_selectors test_faulthandler test_gc").split()
STRESSORS = ("brk bigheap fork madvise malloc memfd memrate mincore mlock mmap mmapaddr mmapfixed mmapfork mmaphuge "
             "mmapmany mprotect mremap msync munmap pageswap physpage pkey pthread remap shm shm-sysv sigaltstack "
             "sigsegv sigbus stack stackmmap stream tmpfs userfaultfd vfork vm vm-rw vm-segv vm-splice bad-altstack "
             "clone daemon dup exec fault poll prctl seek sendfile sigpipe sigq splice switch vforkmany wait zero").split()
TIMEOUT_S = 400


class Result(unittest.TestResult):
    """Writes how each test ended at once: what follows may be the end of the process."""

    def __init__(self, path):
        super().__init__()
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def note(self, test, outcome):
        os.write(self.file, f"{test.id()}\t{outcome}\n".encode())

    def addSuccess(self, test):
        self.note(test, "ok")

    def addFailure(self, test, err):
        self.note(test, "failed")
        print(test.id(), self._exc_info_to_string(err, test), file=sys.stderr)

    addError = addFailure

    def addSkip(self, test, reason):
        self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        self.note(test, "failed as expected")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err:
            self.addFailure(subtest, err)


def run_module(module, path):
    """One module of CPython's tests in this process; a test a line of the file."""
    from test import support
    support.use_resources = []  # no network, nothing large, nothing that takes minutes
    suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{module}")
    suite.run(Result(path))
    with open(path, "a") as file:
        file.write("(the end)\treached\n")


def outcomes_of_module(prefix, module, folder):
    """{test: how it ended}"""
    path = os.path.join(folder, "results")
    open(path, "w").close()
    with open(os.path.join(folder, "log"), "a") as log:
        status = subprocess.call(prefix + [PYTHON, os.path.abspath(__file__), "--module", module, path],
                                 cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=TIMEOUT_S)
    with open(path) as file:
        outcomes = dict(line.rstrip("\n").split("\t") for line in file)
    outcomes["(exit status)"] = str(status)
    return outcomes


def outcomes_of_stressors(prefix, folder):
    outcomes = {}
    for name in STRESSORS:
        command = ["stress-ng", "--quiet", "--verify", "--temp-path", folder, "--vm-bytes", "16M", "--mmap-bytes", "16M",
                   "--mremap-bytes", "16M", "--memfd-bytes", "16M", "--timeout", "20", f"--{name}", "1",
                   f"--{name}-ops", "20"]
        with open(os.path.join(folder, "log"), "a") as log:
            log.write(f"=== {name}\n")
            log.flush()
            outcomes[name] = str(subprocess.call(prefix + command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=log, timeout=TIMEOUT_S))
    return outcomes


def outcomes_of(prefix, suite):
    """(outcomes, what was printed)"""
    with tempfile.TemporaryDirectory(prefix="ol-suites.", dir="/var/tmp") as folder:
        try:
            run = outcomes_of_stressors if suite == "stress-ng" else lambda p, f: outcomes_of_module(p, suite, f)
            outcomes = run(prefix, folder)
        except subprocess.TimeoutExpired:
            outcomes = {"(exit status)": f"none in {TIMEOUT_S} s"}
        with open(os.path.join(folder, "log"), errors="replace") as log:
            return outcomes, log.read()


def differences(native, managed):
    """{test: (natively, managed)} of those that did not end alike."""
    return {test: (native.get(test, "missing"), managed.get(test, "missing"))
            for test in sorted(native.keys() | managed.keys()) if native.get(test) != managed.get(test)}


def compare(suite, prefix):
    """Prints how the suite went; True if it went as natively. What differs gets a second chance: some tests race."""
    native, _ = outcomes_of([], suite)
    managed, log = outcomes_of(prefix, suite)
    different = differences(native, managed)
    if different:
        again_native, _ = outcomes_of([], suite)
        again, log = outcomes_of(prefix, suite)
        different = {test: pair for test, pair in differences(again_native, again).items()
                     if test in different and native.get(test) == again_native.get(test)}
    passed = sum(outcome in ("ok", "0") for outcome in native.values())
    print(f"{suite}: {len(native)} natively, {passed} passed; {len(different)} differ under onelevel run", flush=True)
    for test, (natively, under) in different.items():
        print(f"    {test}: {natively} natively, {under} under onelevel run")
    if different:
        print("    | " + "\n    | ".join(log.splitlines()[-60:]))
    return not different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onelevel", default="build/onelevel")
    parser.add_argument("--ram", default="16M")
    parser.add_argument("--options", default="", help="further options of onelevel run")
    parser.add_argument("--module", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("suites", nargs="*", default=PYTHON_SUITES + ["stress-ng"])
    arguments = parser.parse_args()
    if arguments.module:
        return run_module(*arguments.module)
    if not os.path.exists("/usr/lib/python3.11/test/test_mmap.py"):
        parser.error("CPython's tests are missing: apt-get install libpython3.11-testsuite")
    os.environ["LC_ALL"] = "C.UTF-8"
    prefix = [os.path.abspath(arguments.onelevel), "run", "--quiet", "--ram", arguments.ram, *arguments.options.split(),
              "--"]
    return 0 if all([compare(suite, prefix) for suite in arguments.suites]) else 1


sys.exit(main())
