"""The process that runs somebody else's code: it confines itself, loads the file, and calls its functions as asked.

Started by `sandbox`, never imported by it. Whatever the file does in here can only spoil its own answers: the other
process trusts none of them, and ends this one when it is late.
"""

import functools
import io
import os
import sys
import tokenize
import traceback
import types
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.learn.checker.invoke import invoke, to_crash
from linprobe.learn.checker.outcome import Crash, Outcome
from linprobe.learn.checker.sandbox import wire
from linprobe.learn.checker.sandbox.confine import confine, readable
from linprobe.learn.checker.sandbox.shims import COURSE, PACKAGE, Shims

__all__ = ["defined", "load", "main"]


def main() -> None:
    """Serve requests until there are no more: `load` first, then `call`, any number of times."""
    requests, replies, cpu_seconds, parent = (int(argument) for argument in sys.argv[1:5])
    file, original = sys.argv[5:]
    sys.argv = [""]
    wire.send(replies, {"in_force": confine(str(Path.cwd()), readable(file, original), cpu_seconds, parent)})
    try:
        _serve(requests, replies)
    except MemoryError:  # of which the file has kept all
        os._exit(wire.FULL)
    except BaseException:  # noqa: BLE001 - a thread or a signal handler of the file may raise anything in here
        traceback.print_exc()
        os._exit(wire.BROKEN)


def _serve(requests: int, replies: int) -> None:
    served: _Served | None = None
    while True:
        try:
            message, arrays = wire.receive(requests)
        except EOFError:
            os._exit(0)  # nobody asks any more; the file's own threads and exit handlers are not waited for
        if served is None:
            served = _Served(Path(message["path"]), message["libraries"])
            wire.send(replies, served.loaded())
        else:
            wire.send(replies, *served.call(message, arrays))


class _Served:
    """The file under test, imported."""

    def __init__(self, path: Path, libraries: Sequence[str]) -> None:
        self.path = path
        self.libraries = libraries
        self.shims = Shims(path.parent, libraries)
        self.module = load(path, self.shims)

    def loaded(self) -> wire.Message:
        """The answer to `load`."""
        if isinstance(self.module, Crash):
            return {"names": [], "crash": wire.from_crash(self.module), **self.state()}
        return {"names": defined(self.module), "crash": None, **self.state()}

    def call(self, message: wire.Message, arrays: Sequence[np.ndarray]) -> tuple[wire.Message, list[np.ndarray]]:
        """The answer to `call`."""
        before = len(self.shims.notes)
        W, X, y = arrays
        f: Any = getattr(self.module, message["name"], None)
        try:
            outcome = invoke(
                *(f, W, X, y, message["reg"]),
                library=message["library"],
                count=message["count"],
                file=str(self.path),
                repair=self.shims.repair,
            )
        except KeyboardInterrupt as error:  # its own: this process has no terminal
            outcome = Outcome(0.0, crash=to_crash(error, str(self.path)))
        outcome = replace(outcome, supplied=tuple(self.shims.notes[before:]))
        answer, parts = wire.from_outcome(outcome)
        return {**answer, **self.state()}, parts

    def state(self) -> wire.Message:
        """What the file has needed so far, and whose arrays its functions may take."""
        libraries = [name for name in self.libraries if name in sys.modules]
        return {"notes": self.shims.notes, "missing": dict(self.shims.missing), "libraries": libraries}


def load(path: Path, shims: Shims) -> types.ModuleType | Crash:
    """The module that a Python file defines, with what it needs supplied, or how its import ended.

    It is the only file of the course's package that is there. path, absolute.
    """
    _make_package(COURSE, [])
    _make_package(PACKAGE, [path.parent])
    name = f"{PACKAGE}.{path.stem}"
    try:
        with warnings.catch_warnings(action="ignore"):
            code = compile(_source(path), str(path), "exec", dont_inherit=True)
    except Exception as error:  # noqa: BLE001 - also ValueError for a NUL byte, MemoryError for brackets in brackets
        return to_crash(error, str(path))
    module = types.ModuleType(name)
    module.__file__, module.__package__ = str(path), PACKAGE
    sys.modules[name] = module
    while True:
        try:
            exec(code, vars(module))  # noqa: S102 - what this process is for
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are the file's as well
            if not shims.repair(error):
                return to_crash(error, str(path))
        else:
            return module


def defined(module: types.ModuleType) -> list[str]:
    """The names of what can be called in a module: first what was defined there, then functions that it imported.

    No classes, and no stand-ins for what was not there to be imported.
    """
    values = {name: value for name, value in vars(module).items() if callable(value) and not isinstance(value, type)}
    own = {name: None for name, value in values.items() if getattr(value, "__module__", None) == module.__name__}
    functions = types.FunctionType | functools.partial
    imported = [name for name, value in values.items() if isinstance(value, functions) and name not in own]
    return [*own, *imported][: wire.MOST_TEXTS]


def _make_package(name: str, places: Sequence[Path]) -> None:
    package = types.ModuleType(name)
    package.__path__ = [str(place) for place in places]
    sys.modules[name] = package


def _source(path: Path) -> str:
    """The text of a file, decoded as Python does; SyntaxError, with the line, for what cannot be."""
    data = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        _decode(data, "utf-8", path)  # knows the line
        raise
    return _decode(data, encoding, path)


def _decode(data: bytes, encoding: str, path: Path) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} is no {encoding}; save the file as UTF-8"
        raise SyntaxError(message, (str(path), line, None, None)) from error
