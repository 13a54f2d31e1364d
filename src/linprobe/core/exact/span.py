"""Fewer rows than features: the same problem in as few coordinates as there are rows, exactly.

The optimum's weights lie in the span of the rows. In an orthonormal basis of it a pass costs n² instead of n D numbers,
and no rounding error can lie outside, where the penalty alone would hold it back, and a weak one hardly does. Along the
principal axes of the rows the metric is diagonal, too. These are found from the inner products of the rows, where their
squares tell them from rounding: in half the time that an orthonormal basis takes.
"""

from dataclasses import dataclass, replace

import numpy as np

from linprobe.core.backend import Array, add_gram, namespace, orthonormal, principal_axes, product, to_numpy
from linprobe.core.exact.metric import CHUNK_ROWS, Metric, fit_metric
from linprobe.core.exact.optimum import Optimum
from linprobe.core.exact.problem import Problem
from linprobe.data.moments import feature_mean
from linprobe.data.terms import Chunk

__all__ = ["Span", "turned"]

# Shares of the largest inner product: below the first one an axis is lost in rounding; between the two it is there, but
# too rough.
ROUNDING, SOUND = 1e-13, 1e-9


@dataclass(frozen=True, eq=False)
class Span:
    """centre (D,), basis (D, n) and axes (n, r): basis · axes has orthonormal columns, and a row of X is centre +
    basis · axes · (its coordinates).
    """

    centre: Array
    basis: Array
    axes: Array

    def back(self, found: Optimum, *, intercept: bool) -> Optimum:
        """An optimum in the coordinates of the basis (r, K, H) as one of the features (D, K, H)."""
        basis, axes, centre = to_numpy(self.basis), to_numpy(self.axes), to_numpy(self.centre)
        r, K, H = found.W.shape
        inner = np.ascontiguousarray(found.W.reshape(r, K * H), np.float64)
        inside = product(axes, inner, np.empty((len(axes), K * H)))
        W = product(basis, inside, np.empty((len(basis), K * H)))
        W = W.reshape(-1, K, H).astype(found.W.dtype, copy=False)
        # For the weights as they are handed over: what rounding changes of them, times the centre, may be much.
        b = found.b - np.tensordot(centre, W.astype(np.float64, copy=False), 1) if intercept else found.b
        return replace(found, W=W, b=b)


def turned(problem: Problem, weight: np.ndarray | None) -> tuple[Array, Span, Metric]:
    """The rows in at most n coordinates each, the way back, and the metric of rows of this weight (n,).

    All float64. Rows count alike unless weight is given.
    """
    n, D = problem.X.shape
    like = problem.array([])
    xp = namespace(like)
    centre = xp.zeros(D, dtype=xp.float64, device=like.device)
    if problem.intercept:
        centre = feature_mean(problem.X, np.full(n, 1 / n) if weight is None else weight / weight.sum(), like)
    (rows,) = problem.X.map(_About(centre), like, size=CHUNK_ROWS)
    columns = xp.asarray(rows[:].T, copy=True)
    del rows
    by_rows = _along_own_axes(columns, centre) if weight is None else None
    return by_rows or _along_features(columns, centre, weight, centred=problem.intercept)


def _along_own_axes(columns: Array, centre: Array) -> tuple[Array, Span, Metric] | None:
    """Coordinates (n, r) of rows less a centre, columns (D, n), all of one weight, along the axes of their products.

    None where these, squares of what the features are, do not tell the stillest axes from rounding.
    """
    xp, n = namespace(columns), columns.shape[1]
    inner = xp.zeros((n, n), dtype=xp.float64, device=columns.device)
    add_gram(inner, columns)
    if not bool(xp.all(xp.isfinite(xp.linalg.diagonal(inner)))):
        return None
    squares, axes = principal_axes(inner)
    highest = float(squares[-1])
    lost = int(xp.count_nonzero(squares <= ROUNDING * highest))
    if not highest > 0 or int(xp.count_nonzero(squares > SOUND * highest)) < n - lost:
        return None
    squares, axes = squares[lost:], axes[:, lost:]
    lengths = squares**0.5
    metric = Metric(squares * 0, None, squares[:0], squares / n)
    return axes * lengths, Span(centre, columns, axes / lengths), metric


def _along_features(
    columns: Array, centre: Array, weight: np.ndarray | None, *, centred: bool
) -> tuple[Array, Span, Metric]:
    """The same of any rows, of this weight, in an orthonormal basis."""
    xp = namespace(columns)
    basis, coordinates = orthonormal(columns)
    coordinates = xp.asarray(coordinates.T, copy=True)
    metric = fit_metric(coordinates, columns[:, :0], weight, centred=centred)
    axes = metric.basis
    if axes is None:  # where numbers are not finite, which is refused later
        axes = xp.eye(coordinates.shape[1], dtype=xp.float64, device=columns.device)
        return coordinates, Span(centre, basis, axes), metric
    turned = product(coordinates, axes, xp.empty(coordinates.shape, dtype=xp.float64, device=columns.device))
    return turned, Span(centre, basis, axes), metric.along_its_axes()


@dataclass(frozen=True, eq=False)
class _About:
    """Rows less a centre (D,)."""

    centre: Array

    def __call__(self, chunk: Chunk) -> tuple[Array]:
        return (chunk.dense - self.centre,)
