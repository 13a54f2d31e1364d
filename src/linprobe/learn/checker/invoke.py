"""One call of f(W, X, y, reg): with copies, timed, and whatever it does told as an Outcome."""

import contextlib
import importlib
import linecache
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from linprobe.learn.checker.outcome import LARGEST, MOST_AXES, Crash, Outcome, plain_text

__all__ = ["LARGEST_PART", "invoke", "to_crash"]

LARGEST_PART = LARGEST // 2  # bytes; no gradient of the cases comes near it
NUMBERS = "biufc"  # the kinds of NumPy's types that are: bool, integers, floating, complex
PRINTING = ("arrayprint.py", "_tensor_str.py")  # the files of NumPy and PyTorch that print arrays, entry by entry
WIDEST = {"f": np.dtype(np.float64), "c": np.dtype(np.complex128)}  # wider ones have no size that all machines share


def invoke(
    f: Callable[..., Any],
    W: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    reg: float,
    *,
    library: str = "numpy",
    count: bool = False,
    file: str | None = None,
    repair: Callable[[BaseException], bool] | None = None,
) -> Outcome:
    """Call f(W, X, y, reg) with copies of the arrays and tell what it did; nothing that f raises is raised here.

    library, whose arrays f gets; count, how many lines of Python run; file, whose lines a crash may name, f's own where
    it is None; repair, given what f raised, says whether f is to be called again, with fresh copies. KeyboardInterrupt
    alone is passed on: it is the user's.
    """
    if file is None:
        file = getattr(getattr(f, "__code__", None), "co_filename", None)
    recorded = False  # whether torch is to record the gradient of W
    while True:
        given = [_to_library(array, library) for array in (W, X, y)]
        if recorded:
            given[0].requires_grad_(True)
        ended = _call(f, [*given, reg], count=count)
        if ended.error is None:
            break
        if not recorded and _wants_gradient(ended.error) and hasattr(given[0], "requires_grad_"):
            recorded = True
        elif repair is None or not repair(ended.error):
            break
    changed = tuple(
        name for name, now, before in zip("WXy", given, (W, X, y), strict=True) if not _unchanged(now, before)
    )
    if ended.error is not None:
        return Outcome(ended.seconds, changed=changed, lines=ended.lines, crash=to_crash(ended.error, file))
    loss, gradient, returned = _read(ended.value)
    return Outcome(ended.seconds, loss, gradient, returned, changed, ended.lines)


def to_crash(error: BaseException, file: str | None) -> Crash:
    """How an error ended a call or an import, and the last line of `file` that it came through."""
    line = text = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == file:
            line = number
    if isinstance(error, SyntaxError) and error.filename == file and isinstance(error.lineno, int):
        line, text = error.lineno, error.text
    if line is not None and file is not None:
        text = text or linecache.getline(file, line)
    message = _message(error)
    full = isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in message)
    kind = "SystemExit" if isinstance(error, SystemExit) else "memory" if full else plain_text(type(error).__name__)
    return Crash(kind, message, line, plain_text(text) if text else None)


def _message(error: BaseException) -> str:
    """What an error says, on one line; for SystemExit, the call that raises it."""
    try:
        if isinstance(error, SystemExit):
            return plain_text(f"sys.exit({'' if error.code is None else repr(error.code)})")
        return plain_text(str(error.msg if isinstance(error, SyntaxError) else error))
    except BaseException:  # noqa: BLE001 - an error's own text may raise whatever it likes
        return ""


class _Ended(NamedTuple):
    """How a call ended: with a value, or with an error."""

    seconds: float
    lines: int | None
    value: Any = None
    error: BaseException | None = None


def _call(f: Callable[..., Any], arguments: Sequence[Any], *, count: bool) -> _Ended:
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - the form that Python asks for
        nonlocal lines
        if frame.f_code.co_filename.endswith(PRINTING):
            return None
        lines += event in {"call", "line"}  # a call: each element of a map, or of a generator, is one
        return trace

    previous = sys.gettrace()
    value = error = None
    with np.errstate(all="ignore"), warnings.catch_warnings(), _precise():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        try:
            if count:
                sys.settrace(trace)
            value = f(*arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever it raises is what is to be told
            error = raised
        finally:
            if sys.gettrace() is not previous:  # ours, or one that f has left behind
                sys.settrace(previous)
            seconds = time.perf_counter() - start
    return _Ended(seconds, lines if count else None, value, error)


def _precise() -> contextlib.AbstractContextManager[Any]:
    """JAX, where it is loaded, makes float32 of float64 unless it is told otherwise."""
    jax: Any = sys.modules.get("jax")
    if jax is None:
        return contextlib.nullcontext()
    return (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64(True)


def _to_library(array: np.ndarray, library: str) -> Any:
    """A copy, in C order, as an array of that library."""
    copied = array.copy()
    if library == "numpy":
        return copied
    if library == "jax":
        with _precise():
            return importlib.import_module("jax.numpy").asarray(copied)
    from linprobe.core.backend import move  # what it imports takes twice as long as NumPy, and few files need it

    return move(copied, "cpu")


def _from_library(array: Any) -> np.ndarray:
    if hasattr(array, "detach"):
        from linprobe.core.backend import to_numpy

        return to_numpy(array)
    return np.asarray(array)


def _wants_gradient(error: BaseException) -> bool:
    """Whether it is torch's error about a gradient that nobody asked it to record."""
    return isinstance(error, RuntimeError) and "require grad" in str(error)


def _unchanged(now: Any, before: np.ndarray) -> bool:
    """Whether an argument still holds what it held, bit for bit, in the same type and shape."""
    try:
        held = _from_library(now)
        same_kind = held.dtype == before.dtype and held.shape == before.shape
        return same_kind and held.tobytes() == before.tobytes()
    except Exception:  # noqa: BLE001 - a tensor without a memory, say: it had one
        return False


def _read(value: Any) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    """Loss, gradient and, where they are not two arrays of numbers, what came back in words."""
    try:
        if not isinstance(value, tuple | list) or len(value) != 2:
            return None, None, _words(value)
        first, second = value
        loss, gradient = _numbers(first), _numbers(second)
        wrong = [
            f"whose {which} part is {_words(part)}"
            for which, part, numbers in (("first", first, loss), ("second", second, gradient))
            if numbers is None
        ]
        return loss, gradient, f"a pair {' and '.join(wrong)}" if wrong else ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - an object's own __len__ or __array__ may raise whatever it likes
        return None, None, f"something that raises {plain_text(type(error).__name__)} when it is looked at"


def _numbers(part: Any) -> np.ndarray | None:
    """A copy of an array, or of a number, in its own type; None for what is neither, and for what is far too large."""
    if not isinstance(part, bool | int | float | complex) and not hasattr(part, "__array__"):
        return None
    array = _from_library(part)
    if array.dtype.kind not in NUMBERS or array.nbytes > LARGEST_PART or array.ndim > MOST_AXES:
        return None
    widest = WIDEST.get(array.dtype.kind, array.dtype)
    dtype = widest if array.dtype.itemsize > widest.itemsize else array.dtype.newbyteorder("=")
    return np.array(array, dtype, order="C", subok=False)


def _words(value: Any) -> str:
    """What a value is, for a reader: "None", "a tuple of 3", "an array of shape (13, 7)"."""
    if value is None:
        return "None"
    name = plain_text(type(value).__name__)
    if isinstance(value, tuple | list):
        return f"a {name} of {len(value)}"
    if hasattr(value, "__array__") and hasattr(value, "shape"):
        if not tuple(value.shape):
            return "a number"
        dtype = getattr(value, "dtype", None)
        kind = "" if getattr(dtype, "kind", "f") in NUMBERS else f" of {plain_text(str(dtype))}"
        return f"an array{kind} of shape {tuple(value.shape)}"
    return f"{'an' if name[:1].lower() in set('aeiou') else 'a'} {name}"
