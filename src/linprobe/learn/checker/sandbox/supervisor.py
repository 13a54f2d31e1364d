"""Somebody else's file in a process of its own, which is ended when it is late and whose word is never trusted.

What the process may do is limited from inside, see `confine`; from outside each request has its deadline, after which
the process and whatever it has started are killed. docs/check.md says what this protects from and what not.
"""

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from linprobe.core.backend import LIBRARIES
from linprobe.errors import DataError, IncompatibleError, LinprobeError
from linprobe.learn.checker.outcome import Caller, Crash, Outcome
from linprobe.learn.checker.sandbox import wire
from linprobe.learn.checker.sandbox.believed import Believed
from linprobe.learn.checker.sandbox.process import FullError, Process

__all__ = ["LARGEST_FILE", "LONGEST_OUTPUT", "MOST_STARTS", "Sandbox"]

LARGEST_FILE = 4 * 2**20  # bytes; the exercise's files have some thousands
LONGEST_OUTPUT = 2_000  # characters
MOST_STARTS = 4
START_SECONDS = 60.0  # until a process is ready that has run nothing of the file yet
BURN = 12  # how many times the seconds of a request a process may compute in all

T = TypeVar("T")


class Sandbox:
    """A file in a process of its own; a context manager, which leaves nothing behind.

    crash, how the import ended, None where it went well; notes, what the file needed and did not have; missing, the
    names that it uses without importing them, with their lines; libraries, whose arrays its functions may take;
    in_force, which of `confine.ALL` this system let us do. seconds, how long the import, and each call, may take.
    Raises DataError for what is no Python file. For one thread; several may each have their own.
    """

    def __init__(self, path: str | os.PathLike[str], *, seconds: float = 10.0) -> None:
        if os.name != "posix":
            raise IncompatibleError(
                f"{os.fspath(path)}: other people's code runs in a process of its own, for which this needs Linux or "
                "macOS; for a function of your own, use linprobe.check_loss(f)"
            )
        self.path, self._source = _python_file(Path(path))
        self._believed = Believed(self._source)
        self.seconds = seconds
        self.crash: Crash | None = None
        self.notes: list[str] = []
        self.missing: list[tuple[str, int]] = []
        self.libraries: tuple[str, ...] = ("numpy",)
        self.in_force: tuple[str, ...] = ()
        self._beginning = b""
        self._printed = 0
        self._process: Process | None = None
        self._starts = 0
        self._last: Crash | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def output(self) -> str:
        """The first 2,000 characters of what the file has printed, and how much more there was."""
        text = self._beginning.decode(errors="replace")[:LONGEST_OUTPUT]
        more = self._printed - len(text.encode())
        shown = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
        return f"{shown}\n… and {more:,} bytes more" if more > 0 else shown

    def load(self) -> list[str] | None:
        """Import the file in a fresh process: the names of the functions it defines, None where the import fails."""
        self._end()
        process = self._start()
        request = {"path": str(process.copy), "libraries": LIBRARIES[1:]}
        try:
            names, self.crash = self._ask(process, request, (), self._loaded)
        except _StoppedError as stopped:
            self.crash = stopped.crash
        return None if self.crash else names

    def function(self, name: str) -> Caller:
        """A function of the file, called in its process."""
        return _RemoteFunction(self, name)

    def call(self, request: wire.Message, arrays: Sequence[np.ndarray]) -> Outcome:
        """Call a function of the file; where the process has ended, in a fresh one, a few times."""
        if self._process is None and self.crash is None:
            if self._starts >= MOST_STARTS:
                return Outcome(0.0, crash=self._last)
            self.load()
        if self._process is None or self.crash is not None:
            return Outcome(0.0, crash=self.crash)
        start = time.monotonic()
        try:
            return self._ask(self._process, request, arrays, self._outcome)
        except _StoppedError as stopped:
            return Outcome(time.monotonic() - start, crash=stopped.crash)

    def _start(self) -> Process:
        self._starts += 1
        self._process = process = Process(self.path, self._source, self._print, BURN * self.seconds)
        try:
            greeting, _ = process.ask(None, (), START_SECONDS)
        except (EOFError, TimeoutError) as error:
            self._end()
            said = self.output.strip().splitlines()[-1:] or ["without a word"]
            raise LinprobeError(
                f"{self.path}: the process to run it in did not start ({said[0]}); try: "
                f"{sys.executable} -s -P -c 'import numpy'"
            ) from error
        self.in_force = wire.texts(greeting, "in_force")
        return process

    def _ask(
        self,
        process: Process,
        request: wire.Message,
        arrays: Sequence[np.ndarray],
        read: Callable[[wire.Message, list[np.ndarray]], T],
    ) -> T:
        """What `read` makes of the answer. Raises _StoppedError where there is none; the process has then ended."""
        try:
            reply, parts = process.ask(request, arrays, self.seconds)
            self._note(reply)
            return read(reply, parts)
        except TimeoutError:
            crash = Crash("timeout", f"{self.seconds:g}")
        except wire.WireError:
            crash = Crash("signal", "what it answers cannot be read")
        except FullError:
            crash = Crash("signal", "it filled its scratch folder")
        except (EOFError, BrokenPipeError):
            crash = None
        status = self._end()
        self._last = crash or self._how_it_ended(status)
        raise _StoppedError(self._last)

    def _note(self, reply: wire.Message) -> None:
        """Keep what an answer tells of the file as a whole."""
        missing = [(name, line) for name, line in wire.field(reply, "missing", dict).items() if type(line) is int]
        loaded = wire.texts(reply, "libraries")
        self.libraries = tuple(name for name in LIBRARIES if name == LIBRARIES[0] or name in loaded)
        self.notes += [note for note in self._believed.notes(wire.texts(reply, "notes")) if note not in self.notes]
        self.missing += [one for one in self._believed.missing(missing, LIBRARIES) if one not in self.missing]

    def _loaded(self, reply: wire.Message, _: object) -> tuple[list[str], Crash | None]:
        return self._believed.names(wire.texts(reply, "names")), self._believed.crash(wire.to_crash(reply))

    def _outcome(self, reply: wire.Message, arrays: list[np.ndarray]) -> Outcome:
        return self._believed.outcome(wire.to_outcome(reply, arrays))

    def _print(self, piece: bytes) -> None:
        # A character has at most four bytes.
        self._beginning += piece[: max(0, 4 * LONGEST_OUTPUT - len(self._beginning))]
        self._printed += len(piece)

    def _end(self) -> int:
        process, self._process = self._process, None
        return 0 if process is None else process.end()

    def _how_it_ended(self, status: int) -> Crash:
        """The crash that an exit status tells of."""
        if status == -signal.SIGXCPU:
            return Crash("timeout", f"{self.seconds:g}")
        if status == wire.FULL:
            return Crash("memory", "")
        if status == wire.BROKEN:
            return Crash("signal", "it breaks the Python that it runs in")
        if status >= 0:
            return Crash("exit", f"os._exit({status})")
        names = {one.value: one.name for one in signal.Signals}
        return Crash("signal", names.get(-status, f"signal {-status}"))


@dataclass(frozen=True)
class _RemoteFunction:
    sandbox: Sandbox
    name: str

    @property
    def libraries(self) -> tuple[str, ...]:
        return self.sandbox.libraries

    def __call__(
        self, W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float, *, library: str = "numpy", count: bool = False
    ) -> Outcome:
        request = {"name": self.name, "reg": float(reg), "library": library, "count": count}
        return self.sandbox.call(request, (W, X, y))


class _StoppedError(Exception):
    def __init__(self, crash: Crash) -> None:
        super().__init__(crash)
        self.crash = crash


def _python_file(path: Path) -> tuple[Path, bytes]:
    """The absolute path of a file that may be given to Python, and its bytes; DataError for what is none."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path}: cannot be opened ({why}); give a Python file") from error
    if path.suffix == ".ipynb":
        raise DataError(
            f"{path}: is a notebook, and a Python file is expected; save its functions as one: "
            f"jupyter nbconvert --to script {path}"
        )
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no ordinary file"
        raise DataError(f"{path}: is {what}, and a Python file is expected; give one")
    if found.st_size > LARGEST_FILE:
        raise DataError(
            f"{path}: has {found.st_size:,} bytes, and a Python file of the exercise has some thousands; give that one"
        )
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: may not be read; change its permissions: chmod u+r {path}")
    return path.resolve(), path.read_bytes()
