"""What a CIFAR-10 pickle may name, and what is done in place of calling it.

numpy writes an array into a pickle as calls: of `_reconstruct` (protocols 2 to 4) or `_frombuffer` (protocol 5), and of
`dtype`. Here these names are marks without any power. The array is made by us, after its shape has been compared with
the bytes that the file really has.
"""

import enum
import math
from dataclasses import dataclass

import numpy as np

__all__ = ["NAMES", "Array", "Global", "NotAllowedError", "Type", "UnfitError", "call", "set_state"]


class Global(enum.Enum):
    """The only names that a file may mention; none of them is ever imported or called."""

    ENCODE = "_codecs.encode"
    RECONSTRUCT = "numpy.core.multiarray._reconstruct"
    FROMBUFFER = "numpy.core.numeric._frombuffer"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"


NAMES = {
    ("_codecs", "encode"): Global.ENCODE,
    ("numpy.core.multiarray", "_reconstruct"): Global.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): Global.RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): Global.FROMBUFFER,
    ("numpy._core.numeric", "_frombuffer"): Global.FROMBUFFER,
    ("numpy", "ndarray"): Global.NDARRAY,
    ("numpy", "dtype"): Global.DTYPE,
}
NUMBER_TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")


@dataclass(eq=False)
class Type:
    """A number type, as a file describes it."""

    code: str
    order: str = "="


@dataclass(eq=False)
class Array:
    """An array that is announced first and filled later."""

    value: np.ndarray | None = None


class NotAllowedError(Exception):
    """A call, or a state, that no array of numbers needs; the message is what the file does, as a verb."""


class UnfitError(Exception):
    """An array or a text whose parts do not fit together; the message says which."""


def call(function: object, arguments: object) -> Array | Type | bytes:
    """What a call in the file stands for; raises NotAllowedError or UnfitError. Nothing is called."""
    if not isinstance(function, Global):
        raise NotAllowedError("calls something that is not a function")
    match function, arguments:
        case Global.ENCODE, (str() as text, "latin1" | "latin-1"):
            # Protocol 2 has no bytes: Python 3 writes them as text and a call of this codec.
            return _latin1(text)
        case Global.RECONSTRUCT, (Global.NDARRAY, (0,), "b" | b"b"):
            return Array()
        case Global.DTYPE, (str() | bytes() as code, 0, 0 | 1):
            return _number_type(code)
        case Global.FROMBUFFER, (bytes() as raw, Type() as kind, tuple() as shape, "C" | "F" as order):
            return Array(_filled(raw, kind, shape, order == "F"))
        case _:
            raise NotAllowedError(f"calls {function.value} in a way")


def set_state(target: object, state: object) -> None:
    """Complete a number type or an array that was announced; raises NotAllowedError or UnfitError."""
    match target, state:
        case Type(), (3, "|" | "<" | ">" | b"|" | b"<" | b">" as order, None, None, None, -1, -1, 0):
            target.order = order.decode() if isinstance(order, bytes) else order
        case Array(value=None), (1, tuple() as shape, Type() as kind, 0 | 1 as fortran, bytes() as raw):
            target.value = _filled(raw, kind, shape, bool(fortran))
        case _:
            raise NotAllowedError("sets the state of something that is not a new array of numbers")


def _latin1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise UnfitError("text that is not latin-1") from error


def _number_type(code: str | bytes) -> Type:
    for known in NUMBER_TYPES:
        if code in (known, known.encode()):
            return Type(known)
    raise NotAllowedError("has an array of something other than integers")


def _filled(raw: bytes, kind: Type, shape: tuple[object, ...], fortran: bool) -> np.ndarray:
    """A read-only array that shares the memory of its bytes, so that its size is never more than theirs."""
    # A size beside a 0 may be anything; below this limit NumPy can still multiply two of them.
    sizes = [size for size in shape if type(size) is int and 0 <= size < 2**31]
    if len(sizes) < len(shape) or len(sizes) not in (1, 2) or math.prod(sizes) * int(kind.code[1]) != len(raw):
        raise UnfitError(f"an array whose shape does not fit its {len(raw):,} bytes")
    order = "=" if kind.order == "|" else kind.order
    return np.frombuffer(raw, f"{order}{kind.code}").reshape(sizes, order="F" if fortran else "C")
