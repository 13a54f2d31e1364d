"""Rows taken piece by piece."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from linprobe.core.backend.operations import device_of
from linprobe.core.backend.protocol import Array

__all__ = ["SWEEP_ELEMENTS", "row_chunks", "sweep_rows"]

SWEEP_ELEMENTS = 2**18


def row_chunks(rows: int, size: int, borders: Sequence[int] = ()) -> Iterator[slice]:
    """Slices of at most `size` rows that cover range(rows), in order; none is on both sides of a border."""
    for first, stop in pairwise((0, *borders, rows)):
        for start in range(first, stop, size):
            yield slice(start, min(start + size, stop))


def sweep_rows(array: Array) -> Iterator[slice]:
    """The rows of a matrix in pieces, for several elementwise operations on each: small enough for a processor's cache,
    all at once on a device, where every call costs more than it computes.
    """
    rows = len(array)
    if device_of(array) != "cuda":
        return row_chunks(rows, max(1, SWEEP_ELEMENTS // max(1, array.shape[1])))
    return row_chunks(rows, max(1, rows))
