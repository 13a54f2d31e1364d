import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from linprobe.errors import DataError, LinprobeError
from linprobe.learn.checker.outcome import Crash
from linprobe.learn.checker.sandbox.confine import END_WITH_US
from linprobe.learn.checker.sandbox.supervisor import LARGEST_FILE, LONGEST_OUTPUT, MOST_STARTS, Sandbox

ARGUMENTS = (np.arange(6.0).reshape(3, 2), np.ones((4, 3)), np.array([0, 1, 0, 1]), 0.5)
GOOD = "def f(W, X, y, reg):\n    return reg * (W * W).sum(), 2 * reg * W\n"


def test_a_function_is_called_in_another_process(sandboxed):
    sandbox = sandboxed("import os\n" + GOOD + "def pid(W, X, y, reg): return os.getpid(), os.getppid() * W[:1, 1]\n")
    assert sandbox.load() == ["f", "pid"]
    f = sandbox.function("f")
    assert f.libraries == ("numpy",)
    outcome = f(*ARGUMENTS)
    assert outcome.loss == 27.5
    assert np.array_equal(outcome.gradient, ARGUMENTS[0])
    assert (outcome.crash, outcome.changed, outcome.returned, outcome.lines) == (None, (), "", None)
    assert f(*ARGUMENTS, count=True).lines
    there = sandbox.function("pid")(*ARGUMENTS)
    assert there.gradient is not None
    assert there.loss != there.gradient[0] == os.getpid()


def test_the_exercises_own_size_goes_through(sandboxed):
    rng = np.random.default_rng(0)
    W, X, y = rng.standard_normal((3073, 10)), rng.standard_normal((500, 3073)), rng.integers(0, 10, 500)
    sandbox = sandboxed("def f(W, X, y, reg):\n    X -= 1\n    return float(X.sum()), W[::-1]\n")
    sandbox.load()
    outcome = sandbox.function("f")(W, X, y, 0.0)
    assert outcome.loss == pytest.approx((X - 1).sum(), rel=1e-12)
    assert np.array_equal(outcome.gradient, W[::-1])
    assert outcome.changed == ("X",)


def test_float32_stays_float32(sandboxed):
    W, X, y, reg = ARGUMENTS
    sandbox = sandboxed("def f(W, X, y, reg):\n    return W.sum(), W + X.sum()\n")
    sandbox.load()
    outcome = sandbox.function("f")(np.float32(W), np.float32(X), y, reg)
    assert outcome.loss is not None
    assert outcome.gradient is not None
    assert outcome.loss.dtype == outcome.gradient.dtype == np.float32


def test_a_function_that_raises_has_its_line(sandboxed):
    sandbox = sandboxed("def f(W, X, y, reg):\n    a = 1\n    return W @ X\n")
    sandbox.load()
    crash = sandbox.function("f")(*ARGUMENTS).crash
    assert crash is not None
    assert (crash.kind, crash.line, crash.text) == ("ValueError", 3, "return W @ X")


@pytest.mark.slow
def test_torch_is_offered_where_the_file_uses_it(sandboxed):
    pytest.importorskip("torch", reason="a file with PyTorch needs it")
    source = """
    import torch

    def f(W, X, y, reg):
        scores = X @ W
        loss = torch.nn.functional.cross_entropy(scores, y) + reg * torch.sum(W * W)
        loss.backward()
        return loss, W.grad
    """
    sandbox = sandboxed(source)
    assert sandbox.load() == ["f"]
    f = sandbox.function("f")
    assert f.libraries == ("numpy", "torch")
    W, X, y, reg = ARGUMENTS
    outcome = f(W, X, y, reg, library="torch")
    scores = X @ W
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert outcome.crash is None
    assert outcome.loss == pytest.approx(-np.log(p[np.arange(4), y]).mean() + reg * (W * W).sum(), rel=1e-12)
    p[np.arange(4), y] -= 1
    assert np.allclose(outcome.gradient, X.T @ p / 4 + 2 * reg * W, rtol=1e-12)
    assert f(*ARGUMENTS).crash is not None


def test_a_function_without_a_name_in_the_file_is_a_crash(sandboxed):
    sandbox = sandboxed(GOOD)
    sandbox.load()
    crash = sandbox.function("g")(*ARGUMENTS).crash
    assert crash == Crash("TypeError", "'NoneType' object is not callable")
    assert sandbox.function("f")(*ARGUMENTS).loss == 27.5


def test_a_file_that_cannot_be_imported_says_so_at_each_call(sandboxed):
    sandbox = sandboxed("a = 1\nb = a / 0\n")
    assert sandbox.load() is None
    crash = Crash("ZeroDivisionError", "division by zero", 2, "b = a / 0")
    assert sandbox.crash == crash
    assert sandbox.function("f")(*ARGUMENTS).crash == crash


def test_an_empty_file_has_no_functions(sandboxed):
    sandbox = sandboxed("")
    assert sandbox.load() == []
    assert sandbox.crash is None


def test_the_beginning_of_what_is_printed_is_kept(sandboxed):
    source = """
    import sys
    print("importing\\x1b[2J", file=sys.stderr)

    def f(W, X, y, reg):
        print("λ" * 100_000)
        return 1.0, W
    """
    sandbox = sandboxed(source)
    sandbox.load()
    assert sandbox.output == "importing\N{REPLACEMENT CHARACTER}[2J\n"
    assert sandbox.function("f")(*ARGUMENTS).loss == 1
    kept = LONGEST_OUTPUT - len("importing\x1b[2J\n")
    assert sandbox.output.splitlines()[1:] == ["λ" * kept, f"… and {2 * (100_000 - kept) + 1:,} bytes more"]


def test_after_an_end_the_next_call_is_made_in_a_fresh_process_a_few_times(sandboxed, tmp_path):
    source = """
    import os
    calls = []

    def f(W, X, y, reg):
        calls.append(1)
        if reg == 0:
            os._exit(7)
        return len(calls), W
    """
    sandbox = sandboxed(source)
    sandbox.load()
    W, X, y, _ = ARGUMENTS
    f = sandbox.function("f")
    assert f(W, X, y, 1.0).loss == 1
    assert f(W, X, y, 1.0).loss == 2
    for _ in range(MOST_STARTS - 1):
        assert f(W, X, y, 0.0).crash == Crash("exit", "os._exit(7)")
        assert f(W, X, y, 1.0).loss == 1
    assert f(W, X, y, 0.0).crash == Crash("exit", "os._exit(7)")
    assert f(W, X, y, 1.0).crash == Crash("exit", "os._exit(7)")  # enough


def test_sandboxes_run_side_by_side(tmp_path):
    def ask(number):
        path = tmp_path / f"{number}.py"
        path.write_text(f"def f(W, X, y, reg):\n    return {number}, W\n")
        with Sandbox(path, seconds=60) as sandbox:
            sandbox.load()
            return [sandbox.function("f")(*ARGUMENTS).loss for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(8))) == [[number] * 3 for number in range(8)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.py", "cannot be opened (No such file or directory); give a Python file"),
        ("folder", "is a folder, and a Python file is expected; give one"),
        ("fifo", "is no ordinary file, and a Python file is expected; give one"),
        ("socket", "is no ordinary file, and a Python file is expected; give one"),
        (
            "large.py",
            f"has {LARGEST_FILE + 1:,} bytes, and a Python file of the exercise has some thousands; give that one",
        ),
        ("file.py/inside", "cannot be opened (Not a directory); give a Python file"),
        ("nul\0.py", "cannot be opened (embedded null byte); give a Python file"),
        ("svm.ipynb", "is a notebook, and a Python file is expected; save its functions as one: jupyter nbconvert"),
    ],
)
def test_what_is_no_python_file_is_refused(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file.py").write_text("")
    Path("svm.ipynb").write_text("{}")
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as listening, Path("large.py").open("wb") as large:
        listening.bind("socket")
        large.truncate(LARGEST_FILE + 1)
        with pytest.raises(DataError) as error:
            Sandbox(name)
    assert str(error.value).startswith(f"{name}: {message}")


def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = tmp_path / "softmax.py"
    path.write_text(GOOD)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(DataError, match="may not be read; change its permissions"):
        Sandbox(path)


def test_a_process_that_does_not_start_is_an_error(sandboxed, monkeypatch):
    monkeypatch.setattr("linprobe.learn.checker.sandbox.process.PROGRAM", "raise ImportError('no numpy here')")
    sandbox = sandboxed(GOOD)
    with pytest.raises(LinprobeError, match=r"did not start \(ImportError: no numpy here\); try: .* 'import numpy'$"):
        sandbox.load()


def test_nothing_is_left_when_the_start_itself_fails(sandboxed, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(FileNotFoundError):
        sandboxed(GOOD).load()


def test_an_interrupt_of_the_parent_ends_the_process(tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("reads the children of a process as Linux tells them")
    path = tmp_path / "softmax.py"
    path.write_text("def f(W, X, y, reg):\n    print('running')\n    while True: pass\n")
    program = f"""
    import numpy as np
    from linprobe.learn.checker.sandbox.supervisor import Sandbox
    with Sandbox({str(path)!r}, seconds=100) as sandbox:
        sandbox.load()
        print("loaded", flush=True)
        sandbox.function("f")(np.ones((3, 2)), np.ones((4, 3)), np.zeros(4, int), 0.5)
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "loaded\n"
    (worker,) = psutil.Process(parent.pid).children()
    parent.send_signal(signal.SIGINT)
    _, said = parent.communicate(timeout=60)
    assert parent.returncode != 0
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not worker.is_running()
    assert [entry.name for entry in tmp_path.iterdir()] == ["softmax.py"]


@pytest.mark.slow
def test_a_parent_that_is_killed_leaves_no_process_that_waits(tmp_path):
    path = tmp_path / "softmax.py"
    path.write_text("import threading, time, atexit\natexit.register(time.sleep, 1000)\n" + GOOD)
    program = f"""
    import time
    from linprobe.learn.checker.sandbox.supervisor import Sandbox
    sandbox = Sandbox({str(path)!r})
    sandbox.load()
    print("loaded", flush=True)
    time.sleep(1000)
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "loaded\n"
    (worker,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.communicate()
    worker.wait(60)


HANG = """
import ctypes, os, signal, time

libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
for number in signal.valid_signals() - {9, 19}:
    signal.signal(number, signal.SIG_IGN)
libc.prctl(1, 0, 0, 0, 0)
libc.setfsuid(12345)
libc.setfsuid(0)
print("hangs", flush=True)
time.sleep(10**6)
"""


@pytest.mark.sampled(6)
@pytest.mark.parametrize("end", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("in_a_thread", [False, True])
def test_a_process_ends_with_its_parent_and_the_next_run_sweeps(needs, tmp_path, monkeypatch, end, in_a_thread):
    needs(END_WITH_US)
    (tmp_path / "hangs.py").write_text(HANG)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = f"""
    import signal, threading
    from linprobe.learn.checker.sandbox.supervisor import Sandbox

    for ignored in (signal.SIGHUP, signal.SIGTERM):  # by whoever started the tests
        signal.signal(ignored, signal.SIG_DFL)

    class Shown(Sandbox):
        def _print(self, piece):
            print(piece.decode(), flush=True)

    def load():
        Shown({str(tmp_path / "hangs.py")!r}, seconds=1000).load()

    if {in_a_thread}:
        thread = threading.Thread(target=load)
        thread.start()
        thread.join()
    else:
        load()
    """
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        worker = None
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "hangs\n"
            (worker,) = psutil.Process(parent.pid).children()
            parent.send_signal(end)
            assert parent.wait(30) == -end
            worker.wait(10)
        finally:
            parent.kill()
            if worker is not None and worker.is_running():
                worker.kill()
    assert len(list(temporary.iterdir())) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (tmp_path / "good.py").write_text(GOOD)
    with Sandbox(tmp_path / "good.py") as sandbox:
        assert sandbox.load() == ["f"]
        assert len(list(temporary.iterdir())) == 1
    assert not list(temporary.iterdir())


def test_a_deadline_holds_for_a_message_that_never_gets_through(sandboxed):
    """Neither a request that is not read nor an answer that stops halfway is waited for longer than a call may take."""
    source = """
    import os, time

    def half(W, X, y, reg):
        for fd in range(3, 16):
            try:
                os.write(fd, b"\\x10\\0\\0\\0{")
            except OSError:
                pass
        time.sleep(1000)
    """
    sandbox = sandboxed(source)
    sandbox.load()
    sandbox.seconds = 0.3
    assert sandbox.function("half")(*ARGUMENTS).crash == Crash("timeout", "0.3")
    sandbox.seconds = 30.0
    sandbox.load()
    process = sandbox._process
    assert process is not None
    os.kill(process._process.pid, signal.SIGSTOP)
    sandbox.seconds = 0.3
    large = np.ones((1000, 1000))
    assert sandbox.function("f")(large, large, ARGUMENTS[2], 0.5).crash == Crash("timeout", "0.3")
