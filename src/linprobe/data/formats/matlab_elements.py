"""A variable of a MATLAB 5 file, looked over before SciPy reads it.

SciPy follows the types and counts of elements without a check: one that is wrong ends the process. The layout:
MathWorks, MAT-File Format, https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from linprobe.data.formats.bounds import refuse_unfolding

__all__ = ["alone"]

HEAD, TAG = 128, 8  # bytes
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
NUMBERS = {*range(1, 8), 9, 12, 13}
LETTERS = NUMBERS | {16, 17, 18}  # UTF-8, UTF-16 and UTF-32
CELL, CHAR, SPARSE, NUMERIC = 1, 4, 5, range(6, 16)  # classes of matrices
COMPLEX = 0x0800
DEEPEST = 8


class _Element(NamedTuple):
    kind: int
    content: memoryview


def alone(path: Path, number: int, again: str) -> bytes:
    """A file of the same kind that holds nothing but the variable of this number, not packed.

    again: what errors advise. Raises ValueError where its elements are not as they must be, UnsafeFileError for one
    that unfolds further than any honest one.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        order = "<" if head.endswith(b"IM") else ">"
        for _ in range(number):
            file.seek(_size(file.read(TAG), order)[1], 1)
        tag = file.read(TAG)
        kind, size = _size(tag, order)
        if size > path.stat().st_size:
            raise ValueError("a variable goes beyond the end of the file")
        raw = file.read(size)
    if kind == COMPRESSED:
        packed, stream = raw, zlib.decompressobj()
        tag = stream.decompress(packed, TAG)
        kind, size = _size(tag, order)
        refuse_unfolding(str(path), len(packed), size, "arrays", again)
        raw = stream.decompress(stream.unconsumed_tail, max(1, size))
    if kind != MATRIX or len(raw) != size:
        raise ValueError("a variable is not a whole matrix")
    _check(memoryview(raw), order, DEEPEST)
    return head + tag + raw


def _size(tag: bytes, order: str) -> tuple[int, int]:
    if len(tag) < TAG:
        raise ValueError("ends within a variable")
    return struct.unpack(f"{order}II", tag)


def _elements(raw: memoryview, order: str) -> Iterator[_Element]:
    """The elements that these bytes are made of, to the last byte."""
    at = 0
    while at < len(raw):
        kind, size = _size(bytes(raw[at : at + TAG]), order)
        if kind >> 16:  # up to 4 bytes, within the tag
            kind, size, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + TAG
        else:
            start, end = at + TAG, at + TAG + size + -size % 8
        if start + size > min(end, len(raw)):
            raise ValueError("an element goes beyond the end of its matrix")
        yield _Element(kind, raw[start : start + size])
        at = end


def _check(raw: memoryview, order: str, deep: int) -> None:
    """Refuse a matrix that has not just the elements that its class, its sizes and its flags ask for."""
    flags, sizes, name, *rest = _elements(raw, order)
    if (flags.kind, sizes.kind, name.kind, len(flags.content)) != (UINT32, INT32, INT8, 8) or len(sizes.content) % 4:
        raise ValueError("a matrix does not begin as one")
    (what,) = struct.unpack_from(f"{order}I", flags.content)
    shape = struct.unpack(f"{order}{len(sizes.content) // 4}i", sizes.content)
    parts = 2 if what & COMPLEX else 1
    match what & 0xFF:
        case code if code in NUMERIC:
            count, kinds = parts, NUMBERS
        case code if code == CHAR:
            count, kinds = 1, LETTERS
        case code if code == SPARSE:
            count, kinds = parts + 2, NUMBERS
        case code if code == CELL and deep:
            count, kinds = math.prod(shape), {MATRIX}
            for cell in rest:
                _check(cell.content, order, deep - 1)
        case _:
            raise ValueError("a matrix is of another class")
    if min(shape, default=-1) < 0 or len(rest) != count or not all(element.kind in kinds for element in rest):
        raise ValueError("a matrix has other elements than its class and its size ask for")
