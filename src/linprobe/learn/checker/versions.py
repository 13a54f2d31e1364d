"""A function in this process, and other versions of it, or of one in a file, for the second witness to try."""

import ast
import contextlib
import importlib.util
import inspect
import io
import os
import sys
import textwrap
import tokenize
import types
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.learn.checker.edits import Edit
from linprobe.learn.checker.invoke import invoke
from linprobe.learn.checker.outcome import Caller, Outcome
from linprobe.learn.checker.repair import Source
from linprobe.learn.checker.sandbox.scratch import new_folder
from linprobe.learn.checker.sandbox.supervisor import Sandbox

__all__ = ["Here", "source_here", "source_in_file"]

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what `ast.parse` raises


class Here:
    """Calls a function in this process."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self._f = f
        try:
            self._file = inspect.getsourcefile(inspect.unwrap(f))
        except (TypeError, ValueError):  # a callable object, or one from C; one that wraps itself
            self._file = None

    @property
    def libraries(self) -> tuple[str, ...]:
        """Those of NumPy, PyTorch and JAX that are imported."""
        from linprobe.core.backend import LIBRARIES

        return tuple(name for name in LIBRARIES if name in sys.modules)

    def __call__(
        self, W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float, *, library: str = "numpy", count: bool = False
    ) -> Outcome:
        """What a call did; what it prints is not shown."""
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            return invoke(self._f, W, X, y, reg, library=library, count=count, file=self._file)


def source_here(f: Callable[..., Any]) -> Source | None:
    """The source of a function of this process; None where it has none, or where a version might never end."""
    if not isinstance(f, types.FunctionType):
        return None
    try:
        lines, first = inspect.getsourcelines(f)
        text = textwrap.dedent("".join(lines))
        nodes = ast.parse(text).body
    except (OSError, TypeError, *UNREADABLE):
        return None
    node = nodes[0] if len(nodes) == 1 else None
    if not isinstance(node, ast.FunctionDef) or any(isinstance(one, ast.While) for one in ast.walk(node)):
        return None
    names = {**f.__globals__, **inspect.getclosurevars(f).nonlocals}

    @contextlib.contextmanager
    def versions(edits: Sequence[Edit]) -> Generator[Iterable[Caller]]:
        def made() -> Iterator[Caller]:
            for one in edits:
                namespace = dict(names)
                exec(one.compiled or one.text, namespace)  # noqa: S102 - f, edited
                yield Here(namespace[node.name])

        yield made()

    return Source("".join(text.splitlines(keepends=True)[node.lineno - 1 :]), max(first, 1) + node.lineno - 1, versions)


def source_in_file(path: Path, name: str, seconds: float) -> Source | None:
    """The source of a function of a file, whose versions run in a process of their own; None where it is not found."""
    data = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = importlib.util.decode_source(data)
        nodes = [one for one in ast.parse(data).body if isinstance(one, ast.FunctionDef) and one.name == name]
    except UNREADABLE:
        return None
    if not nodes:
        return None
    node = nodes[-1]
    lines = text.splitlines(keepends=True)
    decorators = "".join(lines[min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1 : node.lineno - 1])

    @contextlib.contextmanager
    def versions(edits: Sequence[Edit]) -> Generator[Iterable[Caller]]:
        names = [f"{name}__{k}" for k in range(len(edits))]
        made = [decorators + one.text.replace(name, new, 1) for one, new in zip(edits, names, strict=True)]
        with new_folder() as folder:
            copy = folder / path.name
            copy.write_bytes("\n\n".join([text, *made]).encode(encoding))
            with Sandbox(copy, seconds=seconds) as sandbox:
                yield map(sandbox.function, names if sandbox.load() is not None else [])

    return Source("".join(lines[node.lineno - 1 : node.end_lineno]), node.lineno, versions)
