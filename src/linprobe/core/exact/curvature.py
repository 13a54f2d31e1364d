"""The mean curvature of a loss in the scores, as heads stand, from a sample of their examples."""

from dataclasses import dataclass

import numpy as np

from linprobe.core.backend import Array, device_of, move, namespace, to_numpy
from linprobe.core.exact.problem import Problem
from linprobe.core.losses import SmoothLoss
from linprobe.core.losses.curvature import total_curvature
from linprobe.core.objective import default_chunk
from linprobe.data.terms import Chunk

__all__ = ["class_curvature"]


def class_curvature(problem: Problem, W: Array, b: Array, heads: np.ndarray) -> np.ndarray:
    """That of some heads (h,): W (D, K, h), b (K, h) -> (K, K, h) float64."""
    xp, device, (_, K, h) = namespace(W), device_of(W), W.shape
    found, weights = np.zeros((K, K, h)), problem.weights_of(heads)
    for places, rows in problem.curvature_samples(heads):
        chosen, total = move(places, device), np.array([len(rows)])
        if weights is not None:
            total = to_numpy(weights.take(places).of(rows)).sum(axis=0)
        term = _Curvatures(
            xp.asarray(W[..., chosen], copy=True).reshape(len(W), -1),
            b[..., chosen],
            problem.loss,
            problem.array(np.broadcast_to(total, len(places))),
        )
        (of_chosen,) = problem.X.reduce(
            term,
            W,
            size=default_chunk(K, len(places), device),
            labels=problem.y,
            weights=None if weights is None else weights.take(places),
            rows=rows,
        )
        found[..., places] = to_numpy(of_chosen)
    return found


@dataclass(frozen=True, eq=False)
class _Curvatures:
    """The sums over some rows, each weighted by its share of a total (h,), for heads W (D, K·h) and b (K, h)."""

    W: Array
    b: Array
    loss: SmoothLoss
    total: Array

    def __call__(self, chunk: Chunk) -> tuple[Array]:
        xp, (K, h), labels = namespace(self.W), self.b.shape, chunk.labels
        scores = chunk.scores(self.W, self.b, (K, h))
        weight = chunk.weights
        if weight is None:
            weight = xp.ones((len(labels), 1), dtype=xp.float64, device=self.W.device)
        share = xp.broadcast_to(xp.astype(weight / self.total, self.W.dtype), (len(labels), h))
        each = (self.loss.curvature(xp.asarray(scores[..., i], copy=True), labels) for i in range(h))
        return (xp.stack([total_curvature(one, share[:, i]) for i, one in enumerate(each)], axis=-1),)
