"""The first value of a matrix that is not a number."""

import numpy as np

from linprobe.core.backend import SWEEP_ELEMENTS, Array, is_sparse, row_chunks, to_numpy

__all__ = ["first_not_finite"]


def first_not_finite(X: Array, *, below: float = np.inf) -> tuple[int, int] | None:
    """Row and column of the first NaN or infinity of a matrix (n, D), dense or sparse CSR; None where there is none.

    below: of a dense one, a value of this size counts as one too.
    """
    if is_sparse(X):
        for part in row_chunks(X.nnz, SWEEP_ELEMENTS):
            wrong = np.flatnonzero(~np.isfinite(X.data[part]))
            if len(wrong):
                at = part.start + int(wrong[0])
                return int(np.searchsorted(X.indptr, at, side="right")) - 1, int(X.indices[at])
        return None
    for rows in row_chunks(X.shape[0], max(1, SWEEP_ELEMENTS // max(1, X.shape[1]))):
        finite = np.abs(to_numpy(X[rows])) < below
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            return rows.start + int(row), int(column)
    return None
