"""The process of the code under test gives up what it does not need, for good, before it loads that code.

Limits hold on Linux and, memory apart, on macOS. No other process and no network: the filter of `seccomp`. No writing
outside the scratch folder: Landlock, of Linux 5.13 and later (linux/landlock.h). None of it needs privileges, none of
it can be taken back. Where something is not to be had, the process runs without it, and `confine` does not name it.
"""

import contextlib
import ctypes
import os
import resource
import struct
import sys
from typing import Any

from linprobe.checker.sandbox import seccomp

MEMORY = 2 * 2**30  # bytes that can be written to
ADDRESSES = 64 * 2**30  # bytes of address space; PyTorch's and CUDA's libraries are mapped, not filled
FILE_SIZE = 16 * 2**20
OPEN_FILES = 256

LITTLE_MEMORY = "limited memory"
SMALL_FILES = "limited file sizes"
NO_NETWORK = "no network"
NO_PROCESSES = "no other processes"
NO_WRITING = "no writing outside the scratch folder"
ALL = (LITTLE_MEMORY, SMALL_FILES, NO_NETWORK, NO_PROCESSES, NO_WRITING)

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all machines
ASK_VERSION, PATH_BENEATH = 1, 1
WRITE_FILE, REFER, TRUNCATE, DEVICE_IOCTL = 1 << 1, 1 << 13, 1 << 14, 1 << 15
CHANGE = WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # and remove and make files and folders of every kind
SINCE = ((2, REFER), (3, TRUNCATE), (5, DEVICE_IOCTL))  # the versions of Landlock that brought more
TCP = 0b11  # to bind and to connect; since version 4
SCOPES = 0b11  # other processes' abstract sockets, signals to them; since version 6
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def confine(scratch: str, cpu_seconds: int) -> list[str]:
    """Confine this process to a scratch folder and to so much processor time; returns which of ALL are now in force."""
    in_force = _limit(cpu_seconds)
    if _restrict_writing(scratch):
        in_force.append(NO_WRITING)
    if seccomp.install():
        return [*in_force, NO_NETWORK, NO_PROCESSES]
    # Without the filter: a network of its own, with nobody on it, and no process or thread more, save for root.
    is_root = os.geteuid() == 0
    if sys.platform == "linux" and ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
        in_force.append(NO_NETWORK)
    if _set(resource.RLIMIT_NPROC, 0) and not is_root:
        in_force.append(NO_PROCESSES)
    return in_force


def _limit(cpu_seconds: int) -> list[str]:
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
    _, hard = resource.getrlimit(which)
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (lowest, lowest))
        return True
    return False


def _restrict_writing(scratch: str) -> bool:
    """Let this thread, and what it starts, change files below `scratch` and nowhere else, save for /dev/null."""
    if sys.platform != "linux":
        return False
    version = _system_call(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    handled = CHANGE | sum(bits for since, bits in SINCE if version >= since)
    asked = struct.pack("=QQQ", handled, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    ruleset = _system_call(CREATE_RULESET, asked, len(asked), 0)
    if ruleset < 0:
        return False
    try:
        of_device = handled & (WRITE_FILE | TRUNCATE | DEVICE_IOCTL)
        return (
            _allow(ruleset, scratch, handled)
            and _allow(ruleset, os.devnull, of_device)
            and seccomp.give_up_privileges()
            and _system_call(RESTRICT_SELF, ruleset, 0) == 0
        )
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> bool:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
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
