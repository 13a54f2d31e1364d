"""The values of a matrix that are not finite: the first, and how many."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.core.backend import SWEEP_ELEMENTS, Array, is_sparse, row_chunks, to_numpy, widened
from linprobe.data.rows import Rows
from linprobe.data.terms import Chunk

__all__ = ["count_not_finite", "first_not_finite"]


def first_not_finite(X: Array | Rows, *, below: float = np.inf) -> tuple[int, int] | None:
    """Row and column of the first NaN or infinity of Rows, of a matrix (n, D) or of a sparse CSR one, or None.

    below: of a dense one, a value of this size counts as one too.
    """
    if isinstance(X, Rows):
        if not count_not_finite(X, below=below):
            return None
        (columns,) = X.map(_FirstColumn(below), None, size=_rows_at_once(X))
        row = int(np.argmax((found := columns[:]) >= 0))
        return row, int(found[row])
    sparse: Any = X
    for start, wrong in _wrong(X, below):
        if not wrong.any():
            continue
        if wrong.ndim == 1:
            at = start + int(wrong.argmax())
            return int(np.searchsorted(sparse.indptr, at, side="right")) - 1, int(sparse.indices[at])
        row, column = np.argwhere(wrong)[0]
        return start + int(row), int(column)
    return None


def count_not_finite(X: Array | Rows, *, below: float = np.inf) -> int:
    """How many values are NaN or infinite, or of the size `below`, as `first_not_finite` finds them."""
    if isinstance(X, Rows):
        return int(X.reduce(_Count(below), None, size=_rows_at_once(X))[0][0])
    return sum(int(wrong.sum()) for _, wrong in _wrong(X, below))


def _wrong(X: Array, below: float) -> Iterator[tuple[int, np.ndarray]]:
    """Which values are wrong, part by part: of rows from a number on (m, D), of a sparse matrix's own values (m,)."""
    if is_sparse(X):
        for part in row_chunks(X.nnz, SWEEP_ELEMENTS):
            yield part.start, ~np.isfinite(X.data[part])
        return
    for rows in row_chunks(X.shape[0], _rows_at_once(X)):
        yield rows.start, _of_values(to_numpy(X[rows]), below)


def _rows_at_once(X: Array | Rows) -> int:
    return max(1, SWEEP_ELEMENTS // max(1, X.shape[1]))


def _of_values(values: np.ndarray, below: float) -> np.ndarray:
    return ~(np.abs(widened(values) if values.dtype == np.float16 else values) < below)


def _of_chunk(chunk: Chunk, below: float) -> np.ndarray:
    return _of_values(chunk.dense if is_sparse(chunk.X) else to_numpy(chunk.X), below)


@dataclass(frozen=True)
class _Count:
    """How many values of a chunk are wrong (1,)."""

    below: float

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray]:
        return (np.array([_of_chunk(chunk, self.below).sum()]),)


@dataclass(frozen=True)
class _FirstColumn:
    """The column of the first wrong value of each row (m,), -1 where none is."""

    below: float

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray]:
        wrong = _of_chunk(chunk, self.below)
        return (np.where(wrong.any(axis=1), wrong.argmax(axis=1), -1),)
