"""The doors: a function in this process, the functions of a file in a process of their own."""

import ast
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from linprobe.errors import UsageError
from linprobe.learn.checker.calling import of_crash
from linprobe.learn.checker.codes import fault
from linprobe.learn.checker.judge import judge
from linprobe.learn.checker.outcome import Crash
from linprobe.learn.checker.sandbox.confine import ALL
from linprobe.learn.checker.sandbox.shims import EMPTY_COURSE
from linprobe.learn.checker.sandbox.supervisor import Sandbox
from linprobe.learn.checker.verdict import NOT_ENFORCED, FileVerdict, Loss, Verdict
from linprobe.learn.checker.versions import Here, source_here, source_in_file

__all__ = ["EXERCISE", "check_file", "check_loss"]

EXERCISE: Mapping[str, Loss] = {
    "softmax_loss_naive": "softmax",
    "softmax_loss_vectorized": "softmax",
    "svm_loss_naive": "hinge",
    "svm_loss_vectorized": "hinge",
}


def check_loss(f: Callable[..., Any], loss: Loss | None = None) -> Verdict:
    """Judge a loss function f(W, X, y, reg) -> (loss, dW) in this process, without protection from what it does.

    W (D, C) with X (N, D), or W (C, D) with X (D, N), float64 or float32; y (N,) int64 in [0, C); reg, λ >= 0. loss,
    "softmax" or "hinge"; None finds out by the name or the answers. f may be one of NumPy, or of PyTorch or JAX where
    these are imported. What it prints is not shown. For code that is not your own: `check_file`. Raises UsageError for
    anything but a function and those losses.
    """
    if not callable(f):
        raise UsageError(f"f is {type(f).__name__}; check_loss takes a function f(W, X, y, reg) -> (loss, dW)")
    _check(loss)
    name = getattr(f, "__name__", None)
    return judge(Here(f), name if isinstance(name, str) else type(f).__name__, loss, source_here(f))


def check_file(
    path: str | os.PathLike[str],
    function: str | None = None,
    loss: Loss | None = None,
    *,
    seconds: float = 10.0,
    renamed: Mapping[str, str] | None = None,
) -> FileVerdict:
    """Judge the exercise's four functions that a Python file has, or one by its name, in a process of its own.

    function, the name of any f(W, X, y, reg) -> (loss, dW) in the file; loss, what that one should be, "softmax" or
    "hinge", None to find out; seconds, how long a call, and the import, may take; renamed, what some of the exercise's
    functions are called where the file does not have them by their own names. What the process may do is limited
    (`sandbox/`). A file that cannot even be imported has a verdict, too. Raises DataError for a path that cannot be
    read as a Python file, UsageError for a function that the file does not have.
    """
    _check(loss)
    with Sandbox(Path(path), seconds=seconds) as sandbox:
        defined = sandbox.load() or []
        lacking = [one for one in ALL if one not in sandbox.in_force]
        unprotected = [NOT_ENFORCED + ", ".join(lacking)] if lacking else []
        if sandbox.crash is not None:
            called = {function: function} if function else _named_in(Path(path), renamed or {})
            one = _of_import(sandbox.crash)
            verdicts = [
                Verdict(name, "crashes", EXERCISE.get(of) or loss, faults=(one,)) for of, name in called.items()
            ]
            reason = [] if called else [f"{one.message} It has none of the exercise's functions."]
            notes = [note for note in sandbox.notes if note != EMPTY_COURSE]
            return FileVerdict(os.fspath(path), tuple(verdicts), (*notes, *reason, *unprotected))
        if function is not None and function not in defined:
            raise UsageError(f"{path}: has no function {function!r}; its functions: {_some(defined)}")
        called = {function: function} if function else _called(defined, renamed or {})
        verdicts = []
        for meant, name in called.items():
            before = len(sandbox.missing)
            source = source_in_file(Path(path), name, seconds)
            verdict = judge(sandbox.function(name), name, loss or EXERCISE.get(meant), source)
            missed = [one for k, one in enumerate(sandbox.missing) if k >= before or _uses(Path(path), name, one[0])]
            verdicts.append(_with_missing(verdict, missed, Path(path)))
        if function is None:
            verdicts += [Verdict(name, "absent", EXERCISE[name]) for name in _absent(list(called))]
            order = {called.get(name, name): k for k, name in enumerate(EXERCISE)}
            verdicts.sort(key=lambda one: order[one.name])
        # That the course's own package is not beside the file is true of most, and tells nobody anything.
        verdicts = [replace(one, notes=tuple(note for note in one.notes if note != EMPTY_COURSE)) for one in verdicts]
        said = {EMPTY_COURSE, *(note for one in verdicts for note in one.notes)}
        notes = [note for note in sandbox.notes if note not in said]
        if not called:
            notes.append(
                f"Of the exercise's functions it has none. It has: {_some(defined)}; name one: --function NAME."
            )
        return FileVerdict(os.fspath(path), tuple(verdicts), (*notes, *unprotected, *_disagreements(verdicts)))


def _called(defined: list[str], renamed: Mapping[str, str]) -> dict[str, str]:
    """What each of the exercise's functions is called, of those that are there."""
    named = {name: renamed[name] if renamed.get(name) in defined else name for name in EXERCISE}
    return {meant: name for meant, name in named.items() if name in defined}


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "none"


def _uses(path: Path, function: str, name: str) -> bool:
    """Whether the text of a function names this: what was supplied to another is missing for it as well."""
    tree = ast.parse(path.read_bytes())
    bodies = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function]
    return any(isinstance(node, ast.Name) and node.id == name for body in bodies for node in ast.walk(body))


def _with_missing(verdict: Verdict, missed: list[tuple[str, int]], path: Path) -> Verdict:
    """A verdict on a function that ran only because names were supplied that its file never imports."""
    lines = ["", *path.read_bytes().decode("utf-8", "replace").splitlines()]
    faults = tuple(
        fault("missing_import", {"line": line, "text": lines[min(line, len(lines) - 1)].strip()}, name=name)
        for name, line in missed
    )
    return replace(verdict, verdict="crashes", faults=(*faults, *verdict.faults)) if faults else verdict


def _check(loss: str | None) -> None:
    if loss is not None and loss not in get_args(Loss):
        raise UsageError(f"loss is {loss!r}; it is 'softmax' or 'hinge', or None to find out")


def _absent(names: list[str]) -> list[str]:
    """What the file lacks: the other one of a pair, or all four where it has none."""
    losses = {EXERCISE[name] for name in names}
    return [name for name, loss in EXERCISE.items() if name not in names and (loss in losses or not losses)]


def _named_in(path: Path, renamed: Mapping[str, str]) -> dict[str, str]:
    """The exercise's functions that a file would define if it could be imported, by its text, and their names there."""
    text = path.read_bytes().decode("latin-1")
    return _called(re.findall(r"^\s*def\s+(\w+)\b", text, re.MULTILINE), renamed)


def _of_import(crash: Crash) -> Any:
    """The fault of a file that cannot be imported."""
    where = {} if crash.line is None else {"line": crash.line, "text": crash.text or ""}
    place = "" if crash.line is None else f" in line {crash.line}"
    if crash.kind == "TabError":
        return fault("mixed_indentation", where)
    if crash.kind in {"SyntaxError", "IndentationError"}:
        if "call to 'print'" in crash.message:
            return fault("python2_print", where)
        return fault("syntax_error", where, error=f"“{crash.message}”{place}")
    if crash.kind == "timeout":
        return fault("import_fails", where, error=f"it has not ended after {float(crash.message or 0):g} s")
    if crash.kind in {"memory", "exit", "SystemExit", "signal"}:
        return fault("import_fails", where, error=of_crash(crash).message.rstrip("."))
    beside = "; what lies beside the file is not there when it runs" if crash.kind == "ModuleNotFoundError" else ""
    return fault("import_fails", where, error=f"{crash.words}{place}{beside}")


def _disagreements(verdicts: list[Verdict]) -> list[str]:
    """What the two functions of a pair do differently, though each may be right."""
    notes = []
    for loss in get_args(Loss):
        pair = [one for one in verdicts if one.loss == loss and one.convention is not None]
        if len({one.convention for one in pair}) == 2:
            full, half = sorted(pair, key=lambda one: one.convention or "")
            notes.append(
                f"{full.name} adds reg * sum(W * W), {half.name} half of that: each is right, their numbers differ."
            )
    return notes
