"""The filter on a small machine of our own: tried for every call and on both processors, and harming nobody."""

import errno
import re
from pathlib import Path

import pytest

from linprobe.learn.checker.sandbox import seccomp

MACHINES = ("x86_64", "aarch64")
PID = 4711
ALLOWED, REFUSED, ABSENT = "allowed", errno.EPERM, errno.ENOSYS


def answer(machine, number, *arguments, architecture=None):
    """What the kernel does with a system call, by linux/filter.h: allow, an error number, or kill."""
    words = [number, architecture or {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine], 0, 0]
    for value in (*arguments, *[0] * (6 - len(arguments))):
        words += [value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF]
    program = seccomp.program(machine, PID)
    assert len(program) < 4096
    at = held = 0
    while True:
        code, when_true, when_false, operand = program[at]
        at += 1
        match code:
            case 0x20:
                held = words[operand // 4]
            case 0x54:
                held &= operand
            case 0x15 | 0x25 | 0x45:
                true = {0x15: held == operand, 0x25: held > operand, 0x45: held & operand != 0}[code]
                at += when_true if true else when_false
            case 0x06:
                if operand & 0xFFFF0000 == 0x00050000:
                    return operand & 0xFFFF
                return {0x7FFF0000: ALLOWED, 0x80000000: "killed"}[operand]
            case _:
                raise AssertionError(code)


def numbers(name, machine):
    column = MACHINES.index(machine)
    return {**seccomp.REFUSED, **seccomp.LOOKED_AT}[name][column]


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_refused_is_refused_and_nothing_else(machine):
    refused = {row[MACHINES.index(machine)] for row in seccomp.REFUSED.values()} - {None}
    looked_at = {row[MACHINES.index(machine)] for row in seccomp.LOOKED_AT.values()}
    for number in range(seccomp.NEWEST + 1):
        if number not in looked_at:
            assert answer(machine, number) == (REFUSED if number in refused else ALLOWED), number
    assert answer(machine, seccomp.NEWEST + 1) == ABSENT
    assert answer(machine, 0x40000000) == ABSENT  # the calls of x32
    assert answer(machine, 0, architecture=0x40000003) == "killed"  # of 32 bits


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("clone", (0x3D0F00, 1), ALLOWED),  # as glibc starts a thread
        ("clone", (0x01200011,), REFUSED),  # as it forks
        ("clone", (17,), REFUSED),
        ("clone3", (1, 88), ABSENT),
        ("kill", (PID, 6), ALLOWED),
        ("kill", (1, 0), REFUSED),
        ("kill", (0, 9), REFUSED),
        ("kill", (2**32 - 1, 9), REFUSED),
        ("tgkill", (PID, PID, 6), ALLOWED),
        ("tgkill", (PID - 1, PID, 6), REFUSED),
        ("prlimit64", (0, 7, 0, 0x7FFF00000000), ALLOWED),
        ("prlimit64", (0, 7, 0x7FFF00001000, 0), REFUSED),
        ("prlimit64", (0, 7, 0x7FFF00000000, 0), REFUSED),
        ("prlimit64", (1, 7, 0, 0), REFUSED),
        ("mmap", (0, 4096, 3, 0x22), ALLOWED),  # private, anonymous
        ("mmap", (0, 4096, 1, 0x01, 3), ALLOWED),  # a shared file
        ("mmap", (0, 4096, 3, 0x21), REFUSED),
        ("mmap", (0, 4096, 3, 0x4023), REFUSED),
        ("ioctl", (1, 0x5401), ALLOWED),  # is it a terminal?
        ("ioctl", (3, 0x40086602), REFUSED),
        ("ioctl", (3, 0x401C5820), REFUSED),
        ("ioctl", (3, 0x8901), REFUSED),  # FIOSETOWN
        ("ioctl", (3, 0x8902), REFUSED),  # SIOCSPGRP
        ("ioctl", (3, 0x540E), REFUSED),
        ("ioctl", (0, 0x5412), REFUSED),
        ("ioctl", (3, 0xFFFF_0000_8901), REFUSED),  # the kernel looks at 32 bits of it
        ("ioctl", (3, 0x5421), ALLOWED),  # FIONBIO
        ("fcntl", (3, 8, 1), REFUSED),  # F_SETOWN
        ("fcntl", (3, 10, 9), REFUSED),  # F_SETSIG
        ("fcntl", (3, 15, 0x7FFF00000000), REFUSED),  # F_SETOWN_EX
        ("fcntl", (3, 1024, 0), REFUSED),
        ("fcntl", (3, 4, 0o4000), ALLOWED),  # F_SETFL
        ("fcntl", (3, 1030), ALLOWED),  # F_DUPFD_CLOEXEC
        ("prctl", (1, 0), REFUSED),  # PR_SET_PDEATHSIG
        ("prctl", (2, 0x7FFF00000000), ALLOWED),
        ("prctl", (15, 0x7FFF00000000), ALLOWED),  # PR_SET_NAME
    ],
)
def test_arguments_decide(machine, name, arguments, expected):
    assert answer(machine, numbers(name, machine), *arguments) == expected


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_numbers_are_the_kernels(machine, header):
    path = Path("/usr/include") / header
    if not path.is_file():
        pytest.skip(f"needs {path}, of the package linux-libc-dev")
    defined = {
        name: int(number)
        for name, number in re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", path.read_text(), re.MULTILINE)
    }
    column = MACHINES.index(machine)
    known = {**seccomp.REFUSED, **seccomp.LOOKED_AT, "seccomp": seccomp.SECCOMP}
    wrong = {name: row[column] for name, row in known.items() if name in defined and defined[name] != row[column]}
    assert not wrong
    # What the header does not have is either newer than it or not there on this processor.
    absent = {name for name, row in known.items() if name not in defined and row[column] is not None}
    assert absent <= {"fchmodat2", "setxattrat", "removexattrat", "open_tree_attr", "file_setattr"} | {
        "getxattrat",
        "listxattrat",
    }
