"""What a file may not do, tried from inside the sandbox: each attempt prints how it ended."""

import os
import socket
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from linprobe.learn.checker.sandbox import process
from linprobe.learn.checker.sandbox.confine import (
    ALL,
    LITTLE_MEMORY,
    NO_NETWORK,
    NO_PROCESSES,
    NO_READING,
    NO_WRITING,
    SMALL_FILES,
    readable,
)

ARGUMENTS = (np.ones((3, 2)), np.ones((4, 3)), np.zeros(4, int), 0.5)

PRELUDE = """
import contextlib, ctypes, fcntl, mmap, os, pathlib, resource, shutil, signal, socket, subprocess, sys, tempfile
import threading
libc = ctypes.CDLL(None, use_errno=True)

def system(number, *arguments):
    ended = libc.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *arguments)))
    if ended < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def f(W, X, y, reg):
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
        except BaseException as error:
            print(name, type(error).__name__)
        else:
            print(name, "DONE")
    return 1.0, W
"""


@pytest.fixture
def attempted(sandboxed):
    """How each of some attempts, Python expressions by name, ended."""

    def attempt(attempts):
        table = ", ".join(f"{name!r}: lambda: {text}" for name, text in attempts.items())
        sandbox = sandboxed(f"{PRELUDE}\nATTEMPTS = {{{table}}}\n")
        assert sandbox.load() is not None, sandbox.crash
        outcome = sandbox.function("f")(*ARGUMENTS)
        assert outcome.crash is None, outcome.crash
        return dict(line.split() for line in sandbox.output.splitlines())

    return attempt


def test_linux_has_all_of_it(in_force):
    assert set(in_force) <= set(ALL)
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has all of it")
    if NO_WRITING not in in_force or NO_NETWORK not in in_force:
        pytest.skip("this kernel, or what it runs in, does not offer Landlock and seccomp")
    assert set(in_force) == set(ALL)


def test_nothing_is_changed_outside_the_scratch_folder(needs, attempted, tmp_path):
    needs(NO_WRITING)
    own = tmp_path / "hw" / "softmax.py"
    neighbour = tmp_path / "hw" / "neighbour.txt"
    neighbour.parent.mkdir()
    neighbour.write_text("kept")
    (tmp_path / "empty").mkdir()
    places = {"home": Path.home(), "own": own.parent, "tmp": Path("/tmp"), "shm": Path("/dev/shm"), "root": Path("/")}
    new = {name: place / f"linprobe-was-here-{os.getpid()}" for name, place in places.items() if place.is_dir()}
    attempts = {f"write-{name}": f"open({str(path)!r}, 'w')" for name, path in new.items()}
    attempts |= {
        "overwrite": f"open({str(neighbour)!r}, 'w')",
        "append": f"open({str(neighbour)!r}, 'a')",
        "truncate": f"os.truncate({str(neighbour)!r}, 0)",
        "unlink-itself": f"os.unlink({str(own)!r})",
        "rename": f"os.rename({str(neighbour)!r}, {str(neighbour)!r} + '2')",
        "steal": f"os.rename({str(neighbour)!r}, 'mine')",
        "link": f"os.link({str(neighbour)!r}, 'mine')",
        "through-link": f"(os.symlink({str(neighbour)!r}, 'link'), open('link', 'w'))",
        "mkdir": f"os.mkdir({str(tmp_path / 'made')!r})",
        "rmdir": f"os.rmdir({str(tmp_path / 'empty')!r})",
        "tree": f"shutil.rmtree({str(tmp_path)!r})",
        "symlink": f"os.symlink('x', {str(tmp_path / 'made')!r})",
        "fifo": f"os.mkfifo({str(tmp_path / 'made')!r})",
        "chmod": f"os.chmod({str(neighbour)!r}, 0)",
        "utime": f"os.utime({str(neighbour)!r}, (0, 0))",
        "setxattr": f"os.setxattr({str(neighbour)!r}, 'user.x', b'x')",
        "immutable": f"__import__('fcntl').ioctl(open({str(neighbour)!r}), 0x40086602, bytes(8))",
        "up": "open('../up', 'w')",
        "proc": "open('/proc/self/oom_score_adj', 'w')",
        "parents-memory": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    }
    before = neighbour.stat()
    try:
        ended = attempted(attempts)
    finally:
        harm = [path for path in new.values() if path.exists()]
        for path in harm:
            path.unlink()
    assert not harm
    assert set(ended.values()) <= {"PermissionError", "OSError"}, ended
    assert neighbour.read_text() == "kept"
    assert (neighbour.stat().st_mode, neighbour.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert own.is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "hw", "temporary"]


def test_nothing_of_others_is_read(needs, attempted, tmp_path, monkeypatch):
    needs(NO_READING, NO_PROCESSES)
    monkeypatch.setenv("SECRET_TOKEN", "x")
    folder = tmp_path / "hw"
    folder.mkdir()
    neighbour, table = folder / "neighbour.py", folder / "grades.csv"
    neighbour.write_text("kept = 1\n")
    table.write_text("1,2\n")
    others, held = process.scratch.make()  # as of another submission that is judged at the same time
    (others / "first.py").write_text("kept = 1\n")
    parent = "/proc/{os.getppid()}"
    attempts = {
        "neighbour": f"open({str(neighbour)!r}).read()",
        "the-original": f"open({str(folder / 'softmax.py')!r}).read()",
        "of-another-run": f"open({str(others / 'first.py')!r}).read()",
        "folder": f"os.listdir({str(folder)!r})",
        "temporary": f"os.listdir({str(others.parent)!r})",
        "above": "os.listdir(pathlib.Path(__file__).parents[2])",
        "link": f"(os.symlink({str(neighbour)!r}, 'link'), open('link'))",
        "hard-link": f"os.link({str(neighbour)!r}, 'hard')",
        "through-root": f"open('/proc/self/root' + {str(neighbour)!r})",
        "through-a-path": f"open('/proc/self/fd/%d' % os.open({str(neighbour)!r}, os.O_PATH))",
        "c": f"1 / (1 + ctypes.CDLL(None).open({str(neighbour).encode()!r}, 0))",
        "numpy": f"__import__('numpy').loadtxt({str(table)!r})",
        "import": f"(sys.path.append({str(folder)!r}), __import__('neighbour'))",
        "attributes": f"os.getxattr({str(neighbour)!r}, 'user.x')",
        "watch": "1 / (1 + libc.inotify_init())",
        "passwords": "open('/etc/passwd').read()",
        "home": f"os.listdir({str(Path.home())!r})",
        "root": "os.listdir('/')",
        "processes": "os.listdir('/proc')",
        "own-environment": "open('/proc/self/environ').read()",
        **{name: f"open(f'{parent}/{name}', 'rb').read(1)" for name in ("environ", "cmdline", "maps", "mem", "status")},
        "parents-folder": f"os.readlink(f'{parent}/cwd')",
        "parents-files": f"os.listdir(f'{parent}/fd')",
    }
    try:
        ended = attempted(attempts)
    finally:
        process.scratch.remove(others)
        os.close(held)
    assert (ended.pop("c"), ended.pop("watch"), ended.pop("import")) == (
        *["ZeroDivisionError"] * 2,
        "ModuleNotFoundError",
    )
    assert ended.pop("through-root") in {"PermissionError", "FileNotFoundError"}
    assert ended.pop("hard-link") in {"PermissionError", "OSError"}
    assert set(ended.values()) == {"PermissionError"}, ended


def test_libraries_can_be_read_and_no_folder_that_the_original_lies_in(monkeypatch):
    site = str(Path(np.__file__).parents[1])
    monkeypatch.setattr(sys, "path", [*sys.path, "/course", "relative", ""])
    monkeypatch.setenv("LD_LIBRARY_PATH", "/lib-of-mine:/course/ada")
    found = readable("/copy", "/course/ada")
    assert {site, "/lib-of-mine", "/copy", "/usr/lib"} <= set(found)
    assert not {"/course", "/course/ada", "relative", ""} & set(found)
    assert site not in readable("/copy", f"{site}/numpy/mine")


def test_the_scratch_folder_is_there_to_write_in(attempted):
    attempts = {
        "write": "pathlib.Path('a').write_text('x')",
        "temporary": "tempfile.TemporaryFile().write(b'x')",
        "home": "(pathlib.Path.home() / 'b').write_text('x')",
        "folder": "(os.mkdir('c'), os.rename('a', 'c/a'), shutil.rmtree('c'))",
        "null": "open(os.devnull, 'w').write('x')",
        "read": "open(os.__file__).read(1)",
        "here": "1 / (os.getcwd() == str(pathlib.Path.home()) == tempfile.gettempdir())",
    }
    assert set(attempted(attempts).values()) == {"DONE"}


def test_files_stay_small(needs, attempted):
    needs(SMALL_FILES)
    write = "pathlib.Path('a').write_bytes(bytes(2**24 + {}))"
    assert attempted({"full": write.format(0), "over": write.format(1)}) == {"full": "DONE", "over": "OSError"}


def test_there_is_no_network(needs, attempted):
    needs(NO_NETWORK)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        attempts = {
            "connect": f"socket.create_connection(('127.0.0.1', {port}))",
            "url": f"__import__('urllib.request').request.urlopen('http://127.0.0.1:{port}')",
            "datagram": f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
            "six": "socket.socket(socket.AF_INET6)",
            "unix": "socket.socket(socket.AF_UNIX)",
            "name": "socket.getaddrinfo('localhost', 80)",
            "uring": "system(425, 8, bytes(120))",
        }
        ended = attempted(attempts)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "DONE" not in {ended[name] for name in attempts if name != "name"}, ended  # a name may be in /etc/hosts


def test_there_are_no_other_processes(needs, attempted):
    needs(NO_PROCESSES)
    attempts = {
        "fork": "os.fork()",
        "forkpty": "os.forkpty()",
        "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
        "exec": "os.execv('/bin/true', ['true'])",
        "system": "1 / (os.system('true') == 0)",
        "subprocess": "subprocess.run(['true'])",
        "multiprocessing": "__import__('multiprocessing').Pool(2)",
        # Nothing here does harm where it succeeds: 0 is no signal, but whether it may be sent is looked at.
        "kill-parent": "os.kill(os.getppid(), 0)",
        "kill-group": "os.killpg(os.getpgid(os.getppid()), 0)",
        "kill-all": "os.kill(-1, 0)",
        "renice": "os.setpriority(os.PRIO_PROCESS, os.getppid(), os.getpriority(os.PRIO_PROCESS, os.getppid()))",
        "limit-parent": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
        "queue": "1 / (libc.sigqueue(os.getppid(), 0, 0) == 0)",
        # Signals that the kernel sends for a file that is ready. Nobody is the owner here: 0 is no process.
        "owner": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, 0)",
        "owner-ex": "fcntl.fcntl(os.pipe()[0], 15, bytes(8))",
        "which-signal": "fcntl.fcntl(os.pipe()[0], 10, 0)",
        "owner-ioctl": "fcntl.ioctl(os.pipe()[0], 0x8901, bytes(4))",
        "group-ioctl": "fcntl.ioctl(os.pipe()[0], 0x8902, bytes(4))",
        "another-user": "os.setresuid(*os.getresuid())",
    }
    ended = attempted(attempts)
    assert {ended.pop("system"), ended.pop("queue")} == {"ZeroDivisionError"}
    assert set(ended.values()) == {"PermissionError"}, ended
    assert attempted({"thread": "threading.Thread(target=len, args=('',)).start()"}) == {"thread": "DONE"}


def test_limits_cannot_be_lifted(needs, attempted):
    needs(LITTLE_MEMORY, NO_PROCESSES)
    attempts = {
        "limit": "resource.setrlimit(resource.RLIMIT_DATA, (2**40, 2**40))",
        "prlimit": "resource.prlimit(0, resource.RLIMIT_AS, (2**40, 2**40))",
        "shared": "mmap.mmap(-1, 2**20)",
        "memfd": "os.memfd_create('x')",
        "much": "bytearray(3 * 2**30)",
        "unshare": "system(272, 0x10000000)",
        "chroot": "os.chroot('.')",
    }
    ended = attempted(attempts)
    assert (ended.pop("much"), ended.pop("limit")) == ("MemoryError", "ValueError")
    assert set(ended.values()) == {"PermissionError"}, ended
    assert attempted({"read": "1 / (resource.getrlimit(resource.RLIMIT_DATA)[1] == 2**31)"}) == {"read": "DONE"}


def test_only_what_it_needs_is_known_to_it(attempted, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("PYTHONPATH", "/secret")
    known = {"LANG", "LC_CTYPE", "HOME", "TMPDIR", "MPLBACKEND", "PYTHONHASHSEED"}
    known |= {"CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"}
    attempts = {
        "environment": f"1 / ({{n for n in os.environ if not n.endswith('_NUM_THREADS')}} <= {known!r})",
        "path": "1 / (not {'', '/secret', os.getcwd()} & set(sys.path))",
        "arguments": "1 / (sys.argv == [''])",
        "input": "input()",
        "stdin": "1 / (sys.stdin.read() == '')",
        "terminal": "open('/dev/tty')",
        # Standard streams, two pipes, and the folder that lists them.
        "files": "1 / (len(os.listdir('/dev/fd')) == 6)",
    }
    ended = attempted(attempts)
    assert ended.pop("input") == "EOFError"
    assert ended.pop("terminal") in {"OSError", "PermissionError"}
    assert set(ended.values()) == {"DONE"}, ended


@pytest.fixture
def no_filter(monkeypatch):
    """A system without seccomp."""
    started = process.PROGRAM.removesuffix("main()")
    ours = "from linprobe.learn.checker.sandbox import seccomp; seccomp.install = lambda: False; main()"
    monkeypatch.setattr(process, "PROGRAM", started + ours)


def test_without_the_filter_there_is_still_no_network(no_filter, attempted, sandboxed):
    sandbox = sandboxed("")
    sandbox.load()
    if NO_NETWORK not in sandbox.in_force:
        pytest.skip("this system does not let a process have a network of its own")
    # By datagram, for Landlock alone stops connections; there is no network that it could go out on.
    send = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        assert ours.sendto(b"x", ("127.0.0.1", 9)) == 1
    assert attempted({"send": send}) == {"send": "OSError"}


def test_without_the_filter_what_was_started_is_ended_with_it(no_filter, sandboxed, working_in_scratch):
    source = """
    import os, time

    def f(W, X, y, reg):
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(1000)
        print("forked")
        while True:
            pass
    """
    others = set(psutil.Process().children())  # of other tests, such as a cluster's
    sandbox = sandboxed(source)
    sandbox.load()
    assert (NO_PROCESSES in sandbox.in_force) == (os.geteuid() != 0)
    sandbox.seconds = 0.3
    crash = sandbox.function("f")(*ARGUMENTS).crash
    assert crash is not None
    assert crash.kind == ("BlockingIOError" if NO_PROCESSES in sandbox.in_force else "timeout")
    ours = [one.pid for one in psutil.Process().children() if one not in others]
    deadline = time.monotonic() + 60  # what has been killed may take its time to go
    while working_in_scratch() != ours and time.monotonic() < deadline:
        time.sleep(0.01)
    assert working_in_scratch() == ours
