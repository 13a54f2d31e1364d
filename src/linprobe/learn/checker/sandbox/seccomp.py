"""A filter of system calls for this process and all its threads, for good: no other process, no network, no settings.

Linux only, on x86-64 and 64-bit ARM. What is refused fails with EPERM, as if the user were not allowed to. Reading and
writing files is not in here but in `confine`, where Landlock knows which folder a path lies in; here is what can be
done with files that Landlock does not see. Numbers: asm/unistd_64.h and asm-generic/unistd.h; the filter:
linux/seccomp.h, linux/bpf.h.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Mapping

__all__ = ["give_up_privileges", "install", "program"]

# fmt: off
# What is refused whatever the arguments, with the numbers on x86-64 and on 64-bit ARM (None: not there).
REFUSED: Mapping[str, tuple[int | None, int | None]] = {
    # Other programs and processes. Threads start by clone and clone3, see below.
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    # Reaching into other processes.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "setpriority": (141, 140), "sched_setaffinity": (203, 122), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    # The network, and the one way around it: io_uring makes sockets of its own.
    "socket": (41, 198), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Memory that no limit counts, or that outlives the process.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190),
    "msgget": (68, 186), "mq_open": (240, 180), "userfaultfd": (323, 282),
    # What others keep in memory of that kind, or attach to files, and what they do with files.
    "shmat": (30, 196), "shmctl": (31, 195), "msgrcv": (70, 188), "msgsnd": (69, 189), "msgctl": (71, 187),
    "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "getxattr": (191, 8), "lgetxattr": (192, 9), "fgetxattr": (193, 10), "getxattrat": (464, 464),
    "listxattr": (194, 11), "llistxattr": (195, 12), "flistxattr": (196, 13), "listxattrat": (465, 465),
    "inotify_init": (253, None), "inotify_init1": (294, 26),
    # Another user's rights; to take them on also cancels the signal that is sent when the parent ends.
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setgroups": (116, 159), "setresuid": (117, 147), "setresgid": (119, 149), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91),
    # The process's own limits.
    "setrlimit": (160, 164),
    # Files' owners, permissions, times and attributes, everywhere; Landlock knows truncate since version 3 only.
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466), "file_setattr": (469, 469), "truncate": (76, 45),
    # The file system's tree.
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "open_tree_attr": (467, 467), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "acct": (163, 89), "swapon": (167, 224), "swapoff": (168, 225),
    # The machine, where this is run as root.
    "setns": (308, 268), "unshare": (272, 97), "reboot": (169, 142), "bpf": (321, 280),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "perf_event_open": (298, 241),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "vhangup": (153, 58),
    "iopl": (172, None), "ioperm": (173, None), "syslog": (103, 116),
}

# What is refused for some arguments.
LOOKED_AT: Mapping[str, tuple[int, int]] = {
    "clone": (56, 220), "clone3": (435, 435), "kill": (62, 129), "tgkill": (234, 131),
    "prlimit64": (302, 261), "mmap": (9, 222), "ioctl": (16, 29),
    "fcntl": (72, 25), "prctl": (157, 167),
}
# fmt: on
SECCOMP = (317, 277)
NEWEST = 469  # of the calls that were looked at; later ones answer as on a system that does not have them

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE_THREAD = 0x10000
SHARED_ANONYMOUS = 0x21
SET_FLAGS, SET_XFLAGS = 0x40086602, 0x401C5820  # FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902
TIOCSCTTY, TIOCSTI = 0x540E, 0x5412  # to take over a terminal, and to type into it
F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE = 8, 10, 15, 1024
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, SET_MODE_FILTER, FILTER_FLAG_TSYNC = 1, 38, 1, 1

LOAD, JUMP_EQUAL, JUMP_ABOVE, JUMP_BITS, AND, RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, KILL_PROCESS, ERROR = 0x7FFF0000, 0x80000000, 0x00050000

Step = tuple[int, int, int, int]  # code, how far to jump when true, when false, operand
REFUSE: Step = (RETURN, 0, 0, ERROR | errno.EPERM)
PERMIT: Step = (RETURN, 0, 0, ALLOW)


def install() -> bool:
    """Put the filter in force; False where this system has none."""
    machine = os.uname().machine
    if not sys.platform.startswith("linux") or machine not in AUDIT_ARCH or sys.maxsize < 2**32:
        return False
    code = b"".join(struct.pack("<HBBI", *step) for step in program(machine, os.getpid()))
    kept = ctypes.create_string_buffer(code, len(code))
    described = struct.pack("@HP", len(code) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None)
    libc.syscall.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_char_p]
    libc.syscall.restype = ctypes.c_long
    number = SECCOMP[_column(machine)]
    return give_up_privileges() and libc.syscall(number, SET_MODE_FILTER, FILTER_FLAG_TSYNC, described) == 0


def give_up_privileges() -> bool:
    """Never gain rights by running a program, which both seccomp and Landlock ask for."""
    return ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0


def program(machine: str, pid: int) -> list[Step]:
    """The filter for a machine, "x86_64" or "aarch64", and the process that it is for."""
    column = _column(machine)
    refuse, allow = REFUSE, PERMIT
    absent: Step = (RETURN, 0, 0, ERROR | errno.ENOSYS)
    itself = [_argument(0), (JUMP_EQUAL, 0, 1, pid), allow, refuse]
    special = {
        # Threads, but no processes; those who try clone3 first are told that there is only clone.
        "clone3": [absent],
        "clone": [_argument(0), (JUMP_BITS, 0, 1, CLONE_THREAD), allow, refuse],
        # Signals to itself, as abort() sends one.
        "kill": itself,
        "tgkill": itself,
        # Limits may be read, its own.
        "prlimit64": [
            *[_argument(0), (JUMP_EQUAL, 0, 5, 0), _argument(2), (JUMP_EQUAL, 0, 3, 0)],
            *[_argument(2, high=True), (JUMP_EQUAL, 0, 1, 0), allow, refuse],
        ],
        # Memory that is shared with nobody is none that RLIMIT_DATA counts.
        "mmap": [_argument(3), (AND, 0, 0, SHARED_ANONYMOUS), (JUMP_EQUAL, 0, 1, SHARED_ANONYMOUS), refuse, allow],
        # To make a file immutable, an open descriptor is enough; so it is to have a signal sent to whomever one names.
        "ioctl": _unless(1, SET_FLAGS, SET_XFLAGS, FIOSETOWN, SIOCSPGRP, TIOCSCTTY, TIOCSTI),
        "fcntl": _unless(1, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE),
        # It was asked for before any code of others ran, and stays.
        "prctl": _unless(0, PR_SET_PDEATHSIG),
    }
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER),
        (JUMP_ABOVE, 0, 1, NEWEST),
        absent,
    ]
    for name, end in special.items():
        steps += [(JUMP_EQUAL, 0, len(end), LOOKED_AT[name][column]), *end]
    for numbers in REFUSED.values():
        number = numbers[column]
        steps += [] if number is None else [(JUMP_EQUAL, 0, 1, number), refuse]
    return [*steps, allow]


def _column(machine: str) -> int:
    return list(AUDIT_ARCH).index(machine)


def _argument(index: int, *, high: bool = False) -> Step:
    """Load half of an argument."""
    return (LOAD, 0, 0, ARGUMENTS + 8 * index + 4 * high)


def _unless(index: int, *values: int) -> list[Step]:
    """Allow a call unless an argument is one of these."""
    last = len(values) - 1
    compared: list[Step] = [(JUMP_EQUAL, last - k, int(k == last), value) for k, value in enumerate(values)]
    return [_argument(index), *compared, REFUSE, PERMIT]
