"""A process for code that is not trusted: started with next to nothing, given deadlines, and ended for good."""

import contextlib
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from linprobe.learn.checker.sandbox import scratch, wire

__all__ = ["FullError", "Process"]

LOOK_SECONDS = 0.1  # how often the scratch folder is looked at
PIECE, PIECES = 2**16, 16  # bytes of output taken at once, and how often in a row: as much as a pipe may hold

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from linprobe.learn.checker.sandbox.worker import main; "
    "sys.path.append(sys.path.pop(0)); main()"
)
# Nothing from the user's own packages or from the folder it starts in, no bytecode written, no output held back.
OPTIONS = ("-s", "-P", "-B", "-u")
# All that the process learns from outside: one thread, no screen, no GPU, and sets that have the same order each time.
ENVIRONMENT = {
    **{f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")},
    "CUDA_VISIBLE_DEVICES": "",
    "JAX_PLATFORMS": "cpu",
    "MPLBACKEND": "Agg",
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
}
INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # without which some installations do not find their libraries


class FullError(Exception):
    """The process has filled its scratch folder."""


class Process:
    """The worker in a process of its own, with pipes to it and an empty folder to work in; `end` takes all of it away.

    file, whose text is `source`: the process gets a copy, in a folder without anything else. printed, called with each
    piece of what it prints; cpu_seconds, how much processor time it may take in all.
    """

    def __init__(self, file: Path, source: bytes, printed: Callable[[bytes], None], cpu_seconds: float) -> None:
        self._printed = printed
        self._look = 0.0
        with contextlib.ExitStack() as undo:
            folder = undo.enter_context(scratch.new_folder())
            self._scratch, self.copy = folder / "scratch", folder / "file" / file.name
            self._scratch.mkdir()
            self.copy.parent.mkdir()
            self.copy.write_bytes(source)
            with contextlib.ExitStack() as theirs:
                requests, self._requests = _pipe(theirs, undo)
                self._replies, replies = _pipe(undo, theirs)
                self._output, output = _pipe(undo, theirs)
                for descriptor in (self._requests, self._replies, self._output):
                    os.set_blocking(descriptor, False)
                home = dict.fromkeys(("HOME", "TMPDIR"), str(self._scratch))
                inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
                told = (requests, replies, math.ceil(cpu_seconds), os.getpid(), self.copy.parent, file.parent)
                self._process = subprocess.Popen(  # noqa: S603 - this Python, and arguments of ours
                    [sys.executable, *OPTIONS, "-c", PROGRAM, *map(str, told)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self._scratch,
                    env=ENVIRONMENT | home | inherited,
                    pass_fds=(requests, replies),
                    start_new_session=True,
                )
                undo.callback(self._kill)
            self._undo = undo.pop_all()

    def ask(
        self, message: wire.Message | None, arrays: Sequence[np.ndarray], seconds: float
    ) -> tuple[wire.Message, list[np.ndarray]]:
        """Send a message, unless it is None, and receive the answer.

        Raises TimeoutError when that takes longer than `seconds`, EOFError or BrokenPipeError when the process has
        ended, WireError for an answer that is no message, FullError.
        """
        wait = partial(self._wait, deadline=time.monotonic() + seconds)
        if message is not None:
            wire.send(self._requests, message, arrays, wait)
        answer = wire.receive(self._replies, wait)
        self._drain()
        return answer

    def end(self) -> int:
        """Kill it and all that it has started, and forget its folder; the exit status, negative for a signal."""
        self._undo.close()
        return self._process.returncode

    def _wait(self, descriptor: int, event: int, *, deadline: float) -> None:
        """Return when a pipe is ready, and meanwhile take what is printed, so that printing never blocks."""
        poll = select.poll()
        poll.register(descriptor, event)
        poll.register(self._output, select.POLLIN)
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            if now >= self._look:
                self._look = now + LOOK_SECONDS
                if scratch.is_full(self._scratch):
                    raise FullError
            ready = {one for one, _ in poll.poll(1000 * min(deadline - now, LOOK_SECONDS))}
            if self._output in ready and not self._drain():
                poll.unregister(self._output)
            if descriptor in ready:
                return

    def _drain(self) -> bool:
        """Take what has been printed so far; False where nothing more can come."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(PIECES):
                piece = os.read(self._output, PIECE)
                if not piece:
                    return False
                self._printed(piece)
        return True

    def _kill(self) -> None:
        # A process that has ended already is still in its group until it is waited for: the number is nobody else's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._drain()


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """The two ends of a pipe, each closed by its owner."""
    ends = os.pipe()
    for owner, end in zip((reader, writer), ends, strict=True):
        owner.callback(os.close, end)
    return ends
