"""Fewer rows than features: the same problem in as few coordinates as there are rows, exactly.

The optimum's weights lie in the span of the rows. In an orthonormal basis of it a pass costs n² instead of n D numbers,
and no rounding error can lie outside, where the penalty alone would hold it back, and a weak one hardly does. Along the
principal axes of the rows the metric is diagonal, too.
"""

from dataclasses import dataclass, replace

import numpy as np

from linprobe.core.backend import Array, namespace, orthonormal, product, to_numpy
from linprobe.core.exact.metric import CHUNK_ROWS, Metric, fit_metric
from linprobe.core.exact.optimum import Optimum
from linprobe.core.exact.problem import Problem
from linprobe.data.moments import feature_mean
from linprobe.data.rows import StoredRows
from linprobe.data.terms import Chunk

__all__ = ["Span", "turned"]


@dataclass(frozen=True, eq=False)
class Span:
    """centre (D,), basis (D, r) and axes (r, r), orthonormal columns: a row of X is centre + basis · axes · (its
    coordinates).
    """

    centre: Array
    basis: Array
    axes: Array

    def back(self, found: Optimum, *, intercept: bool) -> Optimum:
        """An optimum in the coordinates of the basis (r, K, H) as one of the features (D, K, H)."""
        basis, axes, centre = to_numpy(self.basis), to_numpy(self.axes), to_numpy(self.centre)
        r, K, H = found.W.shape
        inside = product(axes, np.ascontiguousarray(found.W.reshape(r, K * H), np.float64), np.empty((r, K * H)))
        W = product(basis, inside, np.empty((len(basis), K * H)))
        W = W.reshape(-1, K, H).astype(found.W.dtype, copy=False)
        # For the weights as they are handed over: what rounding changes of them, times the centre, may be much.
        b = found.b - np.tensordot(centre, W.astype(np.float64, copy=False), 1) if intercept else found.b
        return replace(found, W=W, b=b)


def turned(problem: Problem, dtype: str, weight: np.ndarray | None) -> tuple[Problem, Span, Metric]:
    """The problem with n coordinates a row, of this type, the way back, and the metric of rows of this weight (n,), all
    alike unless given; computed in float64.
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
    basis, coordinates = orthonormal(columns)
    coordinates = xp.asarray(coordinates.T, copy=True)
    metric = fit_metric(coordinates, like, weight, centred=problem.intercept)
    axes = metric.basis
    if axes is None:  # where numbers are not finite, which is refused later
        axes = xp.eye(coordinates.shape[1], dtype=xp.float64, device=like.device)
    else:
        coordinates = product(coordinates, axes, xp.empty(coordinates.shape, dtype=xp.float64, device=like.device))
        metric = metric.along_its_axes()
    kind = getattr(xp, dtype)
    rows = StoredRows(xp.astype(coordinates, kind, copy=False))
    return problem.on(rows), Span(centre, basis, axes), metric.like(xp.empty(0, dtype=kind, device=like.device))


@dataclass(frozen=True, eq=False)
class _About:
    """Rows less a centre (D,)."""

    centre: Array

    def __call__(self, chunk: Chunk) -> tuple[Array]:
        return (chunk.dense - self.centre,)
