"""NumPy's .npy: one array, read where it lies.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html describes the layout.
"""

import contextlib
import math
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from tokenize import TokenError
from typing import IO, NamedTuple

import numpy as np

from linprobe.data.formats.entries import Entry
from linprobe.data.formats.objects import object_columns
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError

__all__ = ["Header", "broken", "entries", "entries_of", "read_header"]

AGAIN = "save it again, with numpy.save"
LARGEST_FILE = 2**44
# What NumPy raises on damaged or absurd headers, which it reads as Python's literals.
_BROKEN = (*(ValueError, TypeError, SyntaxError, TokenError, EOFError, OverflowError, MemoryError, RecursionError),)


class Header(NamedTuple):
    """What an array is, and where its bytes begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


def entries(path: Path) -> list[Entry]:
    """The array of a .npy file."""
    size = require_file(path, LARGEST_FILE, AGAIN)
    place = str(path)
    with broken(place), readable(path), path.open("rb") as file:
        header = read_header(file)
        objects = file.read() if header.dtype.hasobject else b""

    def load() -> np.ndarray:
        order = "F" if header.fortran else "C"
        with broken(place), readable(path):
            return np.memmap(path, header.dtype, "r", header.offset, header.shape, order)

    return entries_of(place, path.stem, header, size - header.offset, load, lambda: objects)


def entries_of(
    place: str, name: str, header: Header, size: int, load: Callable[[], np.ndarray], pickled: Callable[[], bytes]
) -> list[Entry]:
    """An array by its header: whole, or the fields of records; objects are read without running what they ask for.

    size: bytes that there are behind the header, pickled: those of objects.
    """
    if header.dtype.hasobject:
        if header.dtype != object:
            raise DataError(f"{place}: {show(name)} has records of Python objects; {AGAIN} as columns")
        return object_columns(place, name, header.shape, header.fortran, pickled)
    if header.size != size:
        raise DataError(
            f"{place}: {show(name)} announces {header.dtype} {header.shape}, {header.size:,} bytes, and has {size:,}; "
            f"{AGAIN}"
        )
    if header.dtype.names:
        return [
            Entry(field, place, (*header.shape, *kind.shape), _numbers(kind.base), lambda field=field: load()[field])
            for field in header.dtype.names
            for kind in [header.dtype[field]]
        ]
    return [Entry(name, place, header.shape, _numbers(header.dtype), load)]


def read_header(file: IO[bytes]) -> Header:
    """The header of an array; the file then stands at its first byte."""
    major, _ = version = np.lib.format.read_magic(file)
    if major not in (1, 2):
        raise ValueError(f"version {version} of the format is not read")
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of files that Python 2 wrote, which are read all the same
        shape, fortran, dtype = read(file)
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return Header(shape, fortran, dtype, file.tell())


@contextlib.contextmanager
def broken(place: str, again: str = AGAIN) -> Generator[None]:
    """Turn what NumPy raises about a damaged file into a DataError."""
    try:
        yield
    except _BROKEN as error:
        raise DataError(f"{place}: is not an intact NumPy file: {show(str(error), 120)}; {again}") from error


def _numbers(dtype: np.dtype) -> np.dtype | None:
    return dtype if dtype.kind in "biufc" else None
