"""A state as JSON and a list of arrays, and back: nothing is believed of what comes back but what it may be."""

import json
import math
import re
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["CheckpointHeader", "Identity", "NonsenseError", "Packed", "array_kind", "decode", "encode", "read_header"]

Packed = dict[str, Any]  # a state as a checkpoint holds it: whoever packed it knows its names
Identity = Mapping[str, object]  # what the work is: names with JSON values, NumPy's too


class NonsenseError(TypeError):
    """What has no place in a checkpoint: to be written, or read from one with the right sums that somebody made up."""


class CheckpointHeader(NamedTuple):
    """The identity, the state as `encode` made it, and type and shape of every array."""

    identity: Identity
    state: Any
    kinds: list[tuple[np.dtype, tuple[int, ...]]]


def read_header(header: bytes) -> CheckpointHeader:
    """What it says. Raises NonsenseError."""
    try:
        content = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise NonsenseError from error
    match content:
        case {"identity": dict() as identity, "arrays": list() as arrays, "state": {"dict": dict()} as state}:
            return CheckpointHeader(identity, state, [array_kind(*_named_shape(array)) for array in arrays])
        case _:
            raise NonsenseError


def _named_shape(array: Any) -> tuple[str, list[int]]:
    match array:
        case [str() as name, list() as shape] if all(type(size) is int for size in shape):
            return name, shape
        case _:
            raise NonsenseError


def array_kind(name: str, shape: Any) -> tuple[np.dtype, tuple[int, ...]]:
    """The type and the shape of an array that may be kept. Raises NonsenseError for others."""
    # Whatever else there is holds pointers, or is no plain row of equal cells.
    if not re.fullmatch(r"[<>|][biufcSU][1-9][0-9]*", name) or any(size < 0 for size in shape):
        raise NonsenseError(f"a checkpoint holds no arrays of {name}")
    try:
        return np.dtype(name), tuple(shape)
    except (TypeError, ValueError) as error:  # a float of three bytes
        raise NonsenseError(f"a checkpoint holds no arrays of {name}") from error


def encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """The value as JSON that comes back exactly; its arrays are appended to `arrays` and go by their number."""
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        array_kind(value.dtype.str, value.shape)
        return {"array" if isinstance(value, np.ndarray) else "scalar": len(arrays) - 1}
    kind = type(value)
    if value is None or kind in (bool, str):
        return value
    if kind is int:  # of any size; JSON's readers, Python's too, have a limit to the digits that they take
        return value if abs(value) < 2**53 else {"int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": struct.pack("<d", value).hex()}
    if kind is list:
        return [encode(item, arrays) for item in value]
    if kind is dict and all(type(name) is str for name in value):
        return {"dict": {name: encode(item, arrays) for name, item in value.items()}}
    raise TypeError(f"a checkpoint holds no {kind.__name__}, nor dicts with other keys than texts")


def decode(value: Any, arrays: list[np.ndarray]) -> Any:
    """What `encode` was given; raises NonsenseError for what it has not made."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [decode(item, arrays) for item in value]
        case {"dict": dict() as held} if len(value) == 1:
            return {name: decode(item, arrays) for name, item in held.items()}
        case {"int": str() as held} if len(value) == 1 and re.fullmatch(r"-?0x[0-9a-f]+", held):
            return int(held, 16)
        case {"float": str() as held} if len(value) == 1 and re.fullmatch(r"[0-9a-f]{16}", held):
            return struct.unpack("<d", bytes.fromhex(held))[0]
        case {"array": int() as number} if len(value) == 1 and 0 <= number < len(arrays):
            return arrays[number]
        case {"scalar": int() as number} if len(value) == 1 and 0 <= number < len(arrays):
            return arrays[number][()]
        case _:
            raise NonsenseError
