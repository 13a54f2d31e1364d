"""Rows taken piece by piece."""

from collections.abc import Iterator

from linprobe.core.backend.operations import device_of
from linprobe.core.backend.protocol import Array

__all__ = ["SWEEP_ELEMENTS", "row_chunks", "sweep_rows"]

SWEEP_ELEMENTS = 2**18


def row_chunks(rows: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows that cover range(rows), in order."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def sweep_rows(array: Array) -> Iterator[slice]:
    """The rows of a matrix in pieces, for several elementwise operations on each: small enough for a processor's cache,
    all at once on a device, where every call costs more than it computes.
    """
    rows = len(array)
    if device_of(array) != "cuda":
        return row_chunks(rows, max(1, SWEEP_ELEMENTS // max(1, array.shape[1])))
    return row_chunks(rows, max(1, rows))
