"""What solves on the same rows share: the coordinates that these are turned to, and the metric of their features."""

import numpy as np

from linprobe.core.backend import Array, namespace, quiet
from linprobe.core.exact.metric import Metric, fit_metric
from linprobe.core.exact.problem import Problem
from linprobe.core.exact.span import Span, turned
from linprobe.data.rows import StoredRows

__all__ = ["Ground"]


class Ground:
    """Found by the first solve that needs it, and stood on by the next, which must be of the same rows.

    A search and the refit of its best setting are such. weight (n,) of the examples, None for all alike: that of the
    refit, which so ends where it would without the search. What other weights would have found differs only in the
    first guess of a curvature; the coordinates are exact whatever they are.
    """

    def __init__(self, weight: np.ndarray | None) -> None:
        self.weight = weight
        self._turned: tuple[Array, Span, Metric] | None = None
        self._rows: dict[str, StoredRows] = {}
        self._metrics: dict[str, Metric] = {}

    def turned(self, problem: Problem, dtype: str) -> tuple[Problem, Span]:
        """The problem in the coordinates of the span of its rows, of this type, and the way back."""
        # Numbers that are not finite are refused later, and too large a variance is for double precision.
        with quiet(problem.array([])):
            if self._turned is None:
                self._turned = turned(problem, self.weight)
            coordinates, span, metric = self._turned
            if dtype not in self._rows:
                rows = namespace(coordinates).astype(coordinates, getattr(namespace(coordinates), dtype), copy=False)
                self._rows[dtype], self._metrics[dtype] = StoredRows(rows), metric.like(rows)
        return problem.on(self._rows[dtype]), span

    def metric(self, problem: Problem, like: Array) -> Metric:
        """That of the problem's rows, of the type and on the device of `like`."""
        kind = str(like.dtype)
        if kind not in self._metrics:
            columns = len(problem.heads) * len(problem.heads.shares)
            with quiet(like):
                found = fit_metric(problem.X, like, self.weight, centred=problem.intercept, columns=columns)
            self._metrics[kind] = found
        return self._metrics[kind]
