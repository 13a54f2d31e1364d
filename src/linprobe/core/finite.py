"""The first value of a matrix that is not a number."""

import numpy as np

from linprobe.core.backend import SWEEP_ELEMENTS, Array, is_sparse, row_chunks, to_numpy
from linprobe.data.rows import Rows

__all__ = ["first_not_finite"]


def first_not_finite(X: Array | Rows, *, below: float = np.inf) -> tuple[int, int] | None:
    """Row and column of the first NaN or infinity of Rows, of a matrix (n, D) or of a sparse CSR one, or None.

    below: of a dense one, a value of this size counts as one too.
    """
    if not isinstance(X, Rows) and is_sparse(X):
        for part in row_chunks(X.nnz, SWEEP_ELEMENTS):
            wrong = np.flatnonzero(~np.isfinite(X.data[part]))
            if len(wrong):
                at = part.start + int(wrong[0])
                return int(np.searchsorted(X.indptr, at, side="right")) - 1, int(X.indices[at])
        return None
    for rows in row_chunks(X.shape[0], max(1, SWEEP_ELEMENTS // max(1, X.shape[1]))):
        part = X.read(rows) if isinstance(X, Rows) else X[rows]
        finite = np.abs(part.toarray() if is_sparse(part) else to_numpy(part)) < below
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            return rows.start + int(row), int(column)
    return None
