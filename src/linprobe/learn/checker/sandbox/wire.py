"""Messages between the checker and the process of the code under test: plain values and arrays, never objects.

A message is a JSON header, its length in front, and the bytes of the arrays that the header announces. What comes back
was written by a process that runs somebody else's code: every length, type and shape is looked at before it is used,
nothing is unpickled, and text loses whatever could move a terminal's cursor.
"""

import json
import math
import os
import select
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from linprobe.learn.checker.outcome import LARGEST, MOST_AXES, Crash, Outcome, plain_text

__all__ = ["WireError", "field", "from_crash", "from_outcome", "receive", "send", "texts", "to_crash", "to_outcome"]

LARGEST_HEADER = 2**20
MOST_ARRAYS = 8
MOST_TEXTS = 2_000
LONGEST_CALL, MOST_LINES = 1e6, 10**12  # seconds, and lines of Python that one may run
TYPES = {
    "|b1",
    "|i1",
    "|u1",
    *(f"<{kind}" for kind in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")),
}

# How the process of the code under test ends where it is not that code that ends it.
BROKEN, FULL = 70, 71  # something in it has been changed so that it cannot go on; its memory is full

Message = Mapping[str, Any]
Wait = Callable[[int, int], None]  # returns when a file descriptor is ready for a poll event, or raises
T = TypeVar("T")


class WireError(Exception):
    """What came is no message."""


def send(descriptor: int, message: Message, arrays: Sequence[np.ndarray] = (), wait: Wait | None = None) -> None:
    """Write a message; `wait` is called where a descriptor that does not block would.

    Raises WireError for what `receive` would not take, BrokenPipeError where nobody reads any more.
    """
    arrays = [np.ascontiguousarray(array).reshape(array.shape) for array in arrays]
    announced = [[array.dtype.str, array.shape] for array in arrays]
    header = json.dumps({"message": message, "arrays": announced}).encode()
    _sizes(announced)
    if len(header) > LARGEST_HEADER:
        raise WireError(f"a header of {len(header):,} bytes")
    _write(descriptor, struct.pack("<I", len(header)) + header, wait)
    for array in arrays:
        _write(descriptor, array.reshape(-1).view(np.uint8).data, wait)


def receive(descriptor: int, wait: Wait | None = None) -> tuple[Message, list[np.ndarray]]:
    """Read a message and its arrays, which can be written to.

    Raises WireError for anything that is no message, EOFError at the end of the stream.
    """
    (length,) = struct.unpack("<I", _read(descriptor, 4, wait))
    if length > LARGEST_HEADER:
        raise WireError(f"a header of {length:,} bytes")
    try:
        header = json.loads(_read(descriptor, length, wait))
        message, announced = header["message"], header["arrays"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WireError("no header") from error
    if not isinstance(message, dict):
        raise WireError("a header without a message")
    arrays = []
    for dtype, shape, size in _sizes(announced):
        arrays.append(np.frombuffer(_read(descriptor, size, wait), dtype).reshape(shape))
    return message, arrays


def field(message: Message, name: str, kind: type[T]) -> T:
    """An entry of a message. Raises WireError where it is absent or of another type."""
    value = message.get(name)
    if type(value) is not kind:
        raise WireError(f"{name} is {type(value).__name__}, not {kind.__name__}")
    return value


def texts(message: Message, name: str) -> tuple[str, ...]:
    """An entry that is a list of texts, each as `plain` makes it."""
    values = field(message, name, list)
    if len(values) > MOST_TEXTS or not all(type(value) is str for value in values):
        raise WireError(f"{name} is no list of texts")
    return tuple(plain_text(value) for value in values)


def from_crash(crash: Crash | None) -> Message | None:
    """A crash as an entry of a message."""
    return None if crash is None else vars(crash).copy()


def to_crash(message: Message, name: str = "crash") -> Crash | None:
    """The crash in an entry of a message."""
    if message.get(name) is None:
        return None
    crash = field(message, name, dict)
    line, text = crash.get("line"), crash.get("text")
    return Crash(
        plain_text(field(crash, "kind", str)),
        plain_text(field(crash, "message", str)),
        None if line is None else field(crash, "line", int),
        None if text is None else plain_text(field(crash, "text", str)),
    )


def from_outcome(outcome: Outcome) -> tuple[Message, list[np.ndarray]]:
    """An outcome as a message with arrays."""
    parts = {"loss": outcome.loss, "gradient": outcome.gradient}
    arrays = {name: part for name, part in parts.items() if part is not None}
    message = {
        "seconds": outcome.seconds,
        "arrays": list(arrays),
        "returned": outcome.returned,
        "changed": outcome.changed,
        "lines": outcome.lines,
        "crash": from_crash(outcome.crash),
        "supplied": outcome.supplied,
    }
    return message, list(arrays.values())


def to_outcome(message: Message, arrays: Sequence[np.ndarray]) -> Outcome:
    """The outcome that a message with arrays tells of. Raises WireError where it tells of none."""
    names = texts(message, "arrays")
    changed = texts(message, "changed")
    seconds = field(message, "seconds", float)
    known = names in {(), ("loss",), ("gradient",), ("loss", "gradient")}
    lines = None if message.get("lines") is None else field(message, "lines", int)
    bounded = 0 <= seconds <= LONGEST_CALL and 0 <= (lines or 0) <= MOST_LINES
    if not known or len(names) != len(arrays) or not set(changed) <= {"W", "X", "y"} or not bounded:
        raise WireError("no outcome")
    parts = dict(zip(names, arrays, strict=True))
    return Outcome(
        seconds,
        parts.get("loss"),
        parts.get("gradient"),
        plain_text(field(message, "returned", str)),
        changed,
        lines,
        to_crash(message),
        texts(message, "supplied"),
    )


def _sizes(announced: Any) -> list[tuple[np.dtype, list[int], int]]:
    """Type, shape and bytes of each array that a header announces."""
    if not isinstance(announced, list) or len(announced) > MOST_ARRAYS:
        raise WireError("no list of arrays")
    found = []
    for entry in announced:
        try:
            name, shape = entry
        except (TypeError, ValueError) as error:
            raise WireError("an array without type and shape") from error
        if type(name) is not str or name not in TYPES:
            raise WireError(f"an array of type {name!r}")
        if not isinstance(shape, list | tuple) or len(shape) > MOST_AXES or not all(_is_length(n) for n in shape):
            raise WireError("an array of no shape")
        dtype = np.dtype(name)
        found.append((dtype, list(shape), math.prod(shape) * dtype.itemsize))
    if sum(size for _, _, size in found) > LARGEST:
        raise WireError(f"arrays of more than {LARGEST:,} bytes")
    return found


def _is_length(n: Any) -> bool:
    # An array without elements may still announce axes that are too long to be made.
    return type(n) is int and 0 <= n <= LARGEST


def _write(descriptor: int, data: bytes | memoryview, wait: Wait | None) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            if wait is None:
                raise
            wait(descriptor, select.POLLOUT)


def _read(descriptor: int, count: int, wait: Wait | None) -> bytearray:
    data = bytearray(count)
    rest = memoryview(data)
    while rest:
        try:
            got = os.readv(descriptor, [rest])
        except BlockingIOError:
            if wait is None:
                raise
            wait(descriptor, select.POLLIN)
            continue
        if not got:
            raise EOFError
        rest = rest[got:]
    return data
