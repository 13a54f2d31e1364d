"""Mean and variance of features, each the sums of one term over the rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.core.backend import Array, add_product, is_sparse, namespace, widened
from linprobe.data.rows import Rows, rows_of
from linprobe.data.terms import Chunk

__all__ = ["feature_mean", "feature_variance", "moments", "rows_at_once"]

CHUNK_ELEMENTS = 2**16
CHUNK_ROWS = 2048


def moments(X: Any, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and variance (D,) of every feature of X (n, *shape), under weights (n,) >= 0, else all alike.

    X: Rows, or what they can be made of; all arithmetic is in float64. Deviations are taken from the heaviest row: a
    constant feature has a variance of exactly 0, and no offset, however large, costs more than n roundings.
    """
    rows = rows_of(X)
    n = len(rows)
    share = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    heaviest = rows.read(np.array([np.argmax(share)]), np.zeros(0))
    origin = np.ravel(heaviest.toarray() if is_sparse(heaviest) else heaviest)
    with np.errstate(over="ignore", invalid="ignore"):
        first, second, *of_stored = rows.reduce(_Deviations(origin), None, size=rows_at_once(rows), weights=share)
        if of_stored:
            held, count = of_stored
            rest = np.where(count == n, 0.0, 1 - held)  # the share of the rows whose value is not stored
            first -= rest * origin
            second += rest * origin**2
        return origin + first, np.maximum(second - first**2, 0.0)


def rows_at_once(rows: Rows) -> int:
    """So many rows that their values, or those that are stored, are CHUNK_ELEMENTS: they stay in a core's cache."""
    return max(1, int(CHUNK_ELEMENTS * len(rows) / max(1, rows.values)))


@dataclass(frozen=True, eq=False)
class _Deviations:
    """Weighted sums of what features deviate by from a row, origin (D,), and of the squares; of sparse rows from zero
    where nothing is stored, which is another two sums: the weights, and the number, of what is.
    """

    origin: np.ndarray

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, ...]:
        X, share, D = chunk.X, chunk.weights, len(self.origin)
        if not is_sparse(X):
            deviation = (widened(X) if X.dtype == np.float16 else X).reshape(-1, D).astype(np.float64)
            deviation -= self.origin
            first = share @ deviation
            deviation *= deviation
            return first, share @ deviation
        of_value = np.repeat(share, np.diff(X.indptr))
        deviation = X.data.astype(np.float64) - self.origin[X.indices]
        sums = of_value * deviation, of_value * deviation**2, of_value, None
        return tuple(np.bincount(X.indices, sum_of, D) for sum_of in sums)


def feature_mean(rows: Rows, shares: np.ndarray, like: Array) -> Array:
    """Weighted mean of every feature: rows (n, D), shares (n,), of sum 1 -> (D,), as `like`."""
    (total,) = rows.reduce(_mean, like, size=CHUNK_ROWS, weights=shares)
    return namespace(like).astype(total[:, 0], like.dtype)


def _mean(chunk: Chunk) -> tuple[Array]:
    xp, X = namespace(chunk.weights), chunk.X
    zeros = xp.zeros((X.shape[1], 1), dtype=X.dtype, device=chunk.weights.device)
    return (add_product(zeros, X, xp.astype(chunk.weights[:, None], X.dtype), 1.0),)


def feature_variance(rows: Rows, shares: np.ndarray, mean: Array) -> Array:
    """Weighted variance of every feature about a mean (D,): rows (n, D), shares (n,), of sum 1 -> (D,), as `mean`."""
    total, about_zero = rows.reduce(_Squares(mean), mean, size=CHUNK_ROWS, weights=shares)
    xp = namespace(mean)
    total = xp.astype(total, mean.dtype)
    if bool(about_zero):
        total = total - mean * mean
        return total * (total > 0)  # which rounding may have made negative
    return total


@dataclass(frozen=True, eq=False)
class _Squares:
    """Weighted sums of squares about a mean; of sparse rows about zero, as the second sum then says."""

    mean: Array

    def __call__(self, chunk: Chunk) -> tuple[Array, Array]:
        xp, X = namespace(self.mean), chunk.X
        share = xp.astype(chunk.weights, self.mean.dtype)
        if is_sparse(X):
            return share @ X.multiply(X), np.ones(())
        X = X - self.mean
        return share @ (X * X), xp.zeros((), dtype=self.mean.dtype, device=self.mean.device)
