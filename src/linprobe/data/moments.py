"""Mean and variance of features, read in parts."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from linprobe.core.backend import row_chunks

__all__ = ["chunks", "moments"]

CHUNK_ELEMENTS = 2**16


def moments(X: Any, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and variance (D,) of every feature of X (n, D), under weights (n,) >= 0, the same for all unless given.

    X: an array, Rows, or a sparse CSR matrix, read in chunks, each in float64. Deviations are taken from the heaviest
    row: a constant feature has a variance of exactly 0, and no offset, however large, costs more than n roundings.
    """
    n, D = X.shape
    share = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    heaviest = int(np.argmax(share))
    sparse = sp.issparse(X)
    origin = (X[[heaviest]].toarray()[0] if sparse else X[heaviest]).astype(np.float64)
    first, second, held, count = np.zeros(D), np.zeros(D), np.zeros(D), np.zeros(D, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows in chunks(X):
            part = X[rows]
            if sparse:
                of_value = np.repeat(share[rows], np.diff(part.indptr))
                deviation = part.data.astype(np.float64) - origin[part.indices]
                first += np.bincount(part.indices, of_value * deviation, D)
                second += np.bincount(part.indices, of_value * deviation**2, D)
                held += np.bincount(part.indices, of_value, D)
                count += np.bincount(part.indices, minlength=D)
            else:
                deviation = part.astype(np.float64)
                deviation -= origin
                first += share[rows] @ deviation
                deviation *= deviation
                second += share[rows] @ deviation
        if sparse:
            rest = np.where(count == n, 0.0, 1 - held)  # the share of the rows whose value is not stored
            first -= rest * origin
            second += rest * origin**2
        return origin + first, np.maximum(second - first**2, 0.0)


def chunks(X: Any) -> Iterator[slice]:
    """The rows of X (n, D), so many at a time that their values, or those that are stored, are CHUNK_ELEMENTS."""
    n = X.shape[0]
    values = X.nnz if sp.issparse(X) else math.prod(X.shape)
    return row_chunks(n, max(1, int(CHUNK_ELEMENTS * n / max(1, values))))
