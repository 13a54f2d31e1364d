"""The values of a matrix that are not finite: the first, and how many."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from linprobe.core.backend import SWEEP_ELEMENTS, Array, is_sparse, row_chunks, to_numpy, widened
from linprobe.data.rows import Rows

__all__ = ["count_not_finite", "first_not_finite"]


def first_not_finite(X: Array | Rows, *, below: float = np.inf) -> tuple[int, int] | None:
    """Row and column of the first NaN or infinity of Rows, of a matrix (n, D) or of a sparse CSR one, or None.

    below: of a dense one, a value of this size counts as one too.
    """
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
    return sum(int(wrong.sum()) for _, wrong in _wrong(X, below))


def _wrong(X: Array | Rows, below: float) -> Iterator[tuple[int, np.ndarray]]:
    """Which values are wrong, part by part: of rows from a number on (m, D), of a sparse matrix's own values (m,)."""
    if not isinstance(X, Rows) and is_sparse(X):
        for part in row_chunks(X.nnz, SWEEP_ELEMENTS):
            yield part.start, ~np.isfinite(X.data[part])
        return
    for rows in row_chunks(X.shape[0], max(1, SWEEP_ELEMENTS // max(1, X.shape[1]))):
        part = X.read(rows) if isinstance(X, Rows) else X[rows]
        values = part.toarray() if is_sparse(part) else to_numpy(part)
        yield rows.start, ~(np.abs(widened(values) if values.dtype == np.float16 else values) < below)
