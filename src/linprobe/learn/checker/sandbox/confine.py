"""The process of the code under test gives up what it does not need, for good, before it loads that code.

Limits hold on Linux and, memory apart, on macOS. No other process and no network: the filter of `seccomp`. No writing
outside the scratch folder, and no reading but of what Python itself needs: Landlock, of Linux 5.13 and later
(linux/landlock.h). None of it needs privileges, none of it can be taken back. Where something is not to be had, the
process runs without it, and `confine` does not name it.
"""

import contextlib
import ctypes
import os
import signal
import stat
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linprobe.learn.checker.sandbox import seccomp

__all__ = [
    "ALL",
    "END_WITH_US",
    "LITTLE_MEMORY",
    "NO_NETWORK",
    "NO_PROCESSES",
    "NO_READING",
    "NO_WRITING",
    "SMALL_FILES",
    "confine",
    "readable",
]

MEMORY = 2 * 2**30  # bytes that can be written to
ADDRESSES = 64 * 2**30  # bytes of address space; PyTorch's and CUDA's libraries are mapped, not filled
FILE_SIZE = 16 * 2**20
OPEN_FILES = 256

LITTLE_MEMORY = "limited memory"
SMALL_FILES = "limited file sizes"
NO_NETWORK = "no network"
NO_PROCESSES = "no other processes"
NO_READING = "no reading of other files"
NO_WRITING = "no writing outside the scratch folder"
END_WITH_US = "an end as soon as linprobe ends"
ALL = (LITTLE_MEMORY, SMALL_FILES, NO_NETWORK, NO_PROCESSES, NO_READING, NO_WRITING, END_WITH_US)

# Where systems keep their shared libraries, what the loader, the clock and the counting of processors read, and what
# this process may know of itself: its own environment and memory are not among it.
SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/nix/store", "/gnu/store"),
    *("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/dev/urandom", "/dev/random", "/dev/zero"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu", "/sys/devices/system/node"),
    *(f"/proc/self/{name}" for name in ("fd", "maps", "stat", "statm", "status")),
)

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all machines
ASK_VERSION, PATH_BENEATH = 1, 1
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, DEVICE_IOCTL = 1 << 13, 1 << 14, 1 << 15
CHANGE = WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # and remove and make files and folders of every kind
SINCE = ((2, REFER), (3, TRUNCATE), (5, DEVICE_IOCTL))  # the versions of Landlock that brought more
TCP = 0b11  # to bind and to connect; since version 4
SCOPES = 0b11  # other processes' abstract sockets, signals to them; since version 6
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def readable(file: str, original: str) -> list[str]:
    """What may be read: Python, its libraries and the folder `file`, but no folder that has `original` below it.

    For where that lies there may be more of its kind.
    """
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    ours = [sys.prefix + "/lib", sys.base_prefix + "/lib", *filter(os.path.isabs, [*sys.path, *libraries])]
    wide = (one for one in (*SYSTEM, *ours) if not Path(original).is_relative_to(Path(one).resolve()))
    return [*wide, str(Path(__file__).parents[3]), file]


def confine(scratch: str, readable: Sequence[str], cpu_seconds: int, parent: int) -> list[str]:
    """Confine this process for good; returns which of ALL are now in force.

    scratch, where it may write; readable, what else it may read; parent, the process with which it ends.
    """
    import resource  # not there on Windows, where no sandbox is

    in_force = _limit(cpu_seconds)
    ends = _end_with(parent)
    if _restrict_files(scratch, readable):
        in_force += [NO_READING, NO_WRITING]
    if seccomp.install():
        return [*in_force, NO_NETWORK, NO_PROCESSES, *([END_WITH_US] if ends else [])]
    # Without the filter: a network of its own, with nobody on it, and no process or thread more, save for root.
    is_root = os.geteuid() == 0
    if sys.platform == "linux" and ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
        in_force.append(NO_NETWORK)
    if _set(resource.RLIMIT_NPROC, 0) and not is_root:
        in_force.append(NO_PROCESSES)
    return in_force


def _limit(cpu_seconds: int) -> list[str]:
    import resource  # not there on Windows, where no sandbox is

    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, OPEN_FILES)
    _set(resource.RLIMIT_CPU, cpu_seconds)  # for the day when nobody is left to end it
    _set(resource.RLIMIT_AS, ADDRESSES)
    in_force = []
    if _set(resource.RLIMIT_DATA, MEMORY) and sys.platform == "linux":  # macOS takes the limit, and heeds it not
        in_force.append(LITTLE_MEMORY)
    if _set(resource.RLIMIT_FSIZE, FILE_SIZE):
        in_force.append(SMALL_FILES)
    return in_force


def _set(which: int, value: int) -> bool:
    """Lower a limit to a value, unless it is there or below."""
    import resource

    _, hard = resource.getrlimit(which)
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (lowest, lowest))
        return True
    return False


def _end_with(parent: int) -> bool:
    """Have this process killed when its parent ends, however that ends; `seccomp` sees to it that it stays so."""
    if sys.platform != "linux" or ctypes.CDLL(None).prctl(seccomp.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return False
    if os.getppid() != parent:  # it has ended already
        os._exit(0)
    return True


def _restrict_files(scratch: str, readable: Sequence[str]) -> bool:
    """Let this thread, and what it starts, use files below `scratch`, and read those below `readable` and no others."""
    if sys.platform != "linux":
        return False
    version = _system_call(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    handled = READ_FILE | READ_DIR | CHANGE | sum(bits for since, bits in SINCE if version >= since)
    asked = struct.pack("=QQQ", handled, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    ruleset = _system_call(CREATE_RULESET, asked, len(asked), 0)
    if ruleset < 0:
        return False
    try:
        of_device = handled & (READ_FILE | WRITE_FILE | TRUNCATE | DEVICE_IOCTL)
        return (
            all(_allow(ruleset, path, READ_FILE | READ_DIR) for path in readable if Path(path).exists())
            and _allow(ruleset, scratch, handled)
            and _allow(ruleset, os.devnull, of_device)
            and seccomp.give_up_privileges()
            and _system_call(RESTRICT_SELF, ruleset, 0) == 0
        )
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> bool:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= ~READ_DIR
        return _system_call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, opened), 0) == 0
    finally:
        os.close(opened)


def _system_call(number: int, *arguments: Any) -> int:
    """A system call that the C library has no function for; -1 where it fails."""
    libc = ctypes.CDLL(None)
    libc.syscall.restype = ctypes.c_long
    return libc.syscall(
        ctypes.c_long(number), *(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    )
