# SPDX-License-Identifier: MIT
"""What the benchmarks need of the kernel: memory cgroups, swap on a file, swap on zram. What is set up is taken away
again, also after an error or a signal."""
import contextlib
import os
import platform
import signal
import subprocess
import sys
import time

MIB = 1 << 20
SWAP_PRIORITY = "32767"  # before any swap that the machine has


class Unavailable(Exception):
    """Why a back end cannot run here."""


def command(*words):
    """Runs a tool of the system, returns what it prints."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unavailable(f"{words[0]} is not installed") from error
    if done.returncode:
        raise Unavailable(f"{words[0]}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout.strip()


def write(path, text):
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error


def mounts(kind):
    """(where, options) of the file systems of a kind."""
    with open("/proc/mounts", encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return [(row[1], row[3].split(",")) for row in rows if row[2] == kind]


def own_cgroup(controller):
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(":", 2) for line in file]
    return next((row[2] for row in rows if controller in row[1].split(",")), "/")


def cgroup_parent():
    """Where a memory cgroup can be made, and the name of its limit. Version 1: below our own, so that its limits
    still hold; version 2 allows none below a cgroup that has processes."""
    for where, options in mounts("cgroup"):
        if "memory" in options:
            own = where + own_cgroup("memory")
            return (own if os.path.isdir(own) else where), "memory.limit_in_bytes"
    for where, _ in mounts("cgroup2"):
        with open(f"{where}/cgroup.subtree_control", encoding="ascii") as file:
            if "memory" in file.read().split():
                return where, "memory.max"
    raise Unavailable("there is no memory cgroup")


def can_limit():
    try:
        return os.access(cgroup_parent()[0], os.W_OK)
    except Unavailable:
        return False


@contextlib.contextmanager
def cgroup(limit_bytes):
    parent, limit = cgroup_parent()
    path = f"{parent.rstrip('/')}/onelevel-bench-{os.getpid()}"
    try:
        os.mkdir(path)
    except OSError as error:
        raise Unavailable(f"cgroup {path}: {error.strerror}") from error
    try:
        write(f"{path}/{limit}", str(limit_bytes))
        yield path
    finally:
        for _ in range(50):  # the kernel may take a moment to let go of its last process
            with contextlib.suppress(OSError):
                os.rmdir(path)
                break
            time.sleep(0.1)
        else:
            print(f"bench: {path} could not be removed", file=sys.stderr)


@contextlib.contextmanager
def swap_on(device):
    command("mkswap", device)
    command("swapon", "-p", SWAP_PRIORITY, device)
    try:
        yield
    finally:
        command("swapoff", device)


@contextlib.contextmanager
def loop_device(path):
    device = command("losetup", "--find", "--show", path)
    try:
        yield device
    finally:
        command("losetup", "--detach", device)


@contextlib.contextmanager
def swap_file(size_bytes):
    """Swap on a file; through a loop device where the file system does not allow that."""
    path = os.path.join(os.environ.get("TMPDIR", "/var/tmp"), f"onelevel-bench-{os.getpid()}.swap")
    with contextlib.ExitStack() as stack:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            stack.callback(os.unlink, path)
            stack.callback(os.close, file)
            os.posix_fallocate(file, 0, size_bytes)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from error
        try:
            stack.enter_context(swap_on(path))
        except Unavailable:
            stack.enter_context(swap_on(stack.enter_context(loop_device(path))))
        yield


@contextlib.contextmanager
def zram(size_bytes):
    control = "/sys/class/zram-control"
    if not os.path.isdir(control):
        command("modprobe", "zram")
    try:
        with open(f"{control}/hot_add", encoding="ascii") as file:
            number = file.read().strip()
    except OSError as error:
        raise Unavailable(f"zram: {error.strerror}") from error
    try:
        write(f"/sys/block/zram{number}/comp_algorithm", "lz4")
        write(f"/sys/block/zram{number}/disksize", str(size_bytes))
        with swap_on(f"/dev/zram{number}"):
            yield
    finally:
        write(f"/sys/block/zram{number}/reset", "1")
        write(f"{control}/hot_remove", number)


def inside(group):
    """The words to put before a command that is to run in that cgroup."""
    return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group]


# --- where it all ran -----------------------------------------------------------------------------------------------


def setting(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def machine():
    cpus, memory = os.cpu_count(), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (f"Linux {platform.release()}, {cpus} processors, {memory / (1 << 30):.0f} GiB, "
            f"page-cluster {setting('/proc/sys/vm/page-cluster')}, swappiness {setting('/proc/sys/vm/swappiness')}, "
            f"load {os.getloadavg()[0]:.1f}")


def stop_cleanly():
    """A signal ends the benchmark as an exception would: what was set up is taken away."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    os.environ["PATH"] += ":/usr/sbin:/sbin"
