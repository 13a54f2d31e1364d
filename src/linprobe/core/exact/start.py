"""Where the next penalty of a path begins: the lowest objective in the span of the last solutions of the same heads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from linprobe.core.backend import Array, add_product, device_of, move, product, to_numpy
from linprobe.core.exact.optimum import Optimum
from linprobe.core.exact.problem import Problem
from linprobe.core.losses import SmoothLoss
from linprobe.core.losses.curvature import Curvature
from linprobe.core.objective import CHUNK_ROWS
from linprobe.data.terms import Chunk

__all__ = ["lowest_in_span"]

ROWS, NUMBERS = 4096, 2**19  # the most rows that it is sought on, and numbers of their scores
STEPS, HALVINGS = 20, 30
ENOUGH = 1e-5  # of the objective: a step that gains less is not taken, which the descent from there does as well
RIDGE = 1e-9  # of the trace: the solutions may be nearly the same


def lowest_in_span(problem: Problem, past: Sequence[Optimum], start: Optimum) -> Optimum:
    """Heads at Σ cᵢ · (their i-th last solution), and all else as in start: past, the last solution first.

    c is the same for all heads, and found by Newton's method on some of the rows of the first one: what one fold gains
    by going further along its path, the others do.
    """
    heads = np.array([0])
    weights = problem.weights_of(heads)
    seen = np.flatnonzero(np.ones(len(problem.X), bool) if weights is None else weights.seen())
    s, K = len(past), past[0].W.shape[1]
    count = min(len(seen), ROWS, max(1, NUMBERS // (s * K)))
    rows = seen[np.arange(count) * len(seen) // count]
    W, b = (np.stack([getattr(one, name)[..., 0] for one in past], axis=-1) for name in ("W", "b"))
    device = device_of(problem.y)
    like = move(np.ascontiguousarray(W.reshape(len(W), -1)), device)
    (scores,) = problem.X.map(_ScoresOfPast(like, move(b, device)), like, size=CHUNK_ROWS, rows=rows)
    share = np.ones(count) if weights is None else to_numpy(weights.of(rows))[:, 0].astype(np.float64)
    square = np.einsum("dki,dkj->ij", W, W, dtype=np.float64)
    c = _lowest(
        to_numpy(scores[:]).astype(np.float64),
        to_numpy(problem.y)[rows],
        share / share.sum(),
        problem.loss,
        float(problem.heads.reg[0]),
        square,
    )
    W, b = c[0] * past[0].W, c[0] * past[0].b
    for share_of, one in zip(c[1:], past[1:], strict=True):
        W += share_of * one.W
        b += share_of * one.b
    return replace(start, W=W.astype(past[0].W.dtype, copy=False), b=b)


def _lowest(
    scores: np.ndarray, labels: np.ndarray, share: np.ndarray, loss: SmoothLoss, reg: float, square: np.ndarray
) -> np.ndarray:
    """Return c (s,) of the lowest Σ share · loss(Σ cᵢ scoresᵢ) + λ cᵀ square c: scores (m, K, s), share (m,), and
    square (s, s).

    From the last solution alone, c = (1, 0, ...), so it is never above that on these rows.
    """
    m, K, s = scores.shape
    # Less the label's, which changes no loss: where all classes have large scores, their differences keep their digits.
    apart = scores - scores[np.arange(m), labels][:, None]

    def at(c: np.ndarray) -> np.ndarray:
        return product(apart.reshape(-1, s), c[:, None], np.empty((m * K, 1))).reshape(m, K)

    def look(c: np.ndarray) -> tuple[float, np.ndarray]:
        losses, slope = loss.value_and_slope(at(c)[:, :, None], labels)
        gradient = add_product(
            np.zeros((s, 1)), apart.reshape(-1, s), (slope[:, :, 0] * share[:, None]).reshape(-1, 1), 1.0
        )
        along = (square * c).sum(axis=1)
        return float((share * losses[:, 0]).sum() + reg * (c * along).sum()), gradient[:, 0] + 2 * reg * along

    c = np.zeros(s)
    c[0] = 1
    objective, gradient = look(c)
    for _ in range(STEPS):
        H = _bent(apart, share, loss.curvature(at(c), labels)) + 2 * reg * square
        trace = float(np.trace(H))
        if not np.isfinite(trace) or trace <= 0:
            return c
        step = -linalg.solve(H + RIDGE * trace * np.eye(s), gradient, assume_a="sym")
        if not -(step * gradient).sum() > ENOUGH * abs(objective):
            return c
        for length in 0.5 ** np.arange(HALVINGS):
            lower, its_gradient = look(c + length * step)
            if lower < objective:
                break
        else:
            return c
        c, objective, gradient = c + length * step, lower, its_gradient
    return c


def _bent(apart: np.ndarray, share: np.ndarray, curvature: Curvature) -> np.ndarray:
    """The second derivative of Σ share · loss in c (s, s): apart (m, K, s), share (m,)."""
    s, root = apart.shape[2], np.sqrt(share)[:, None]
    own = (apart * (np.sqrt(curvature.diagonal) * root)[:, :, None]).reshape(-1, s)
    H = add_product(np.zeros((s, s)), own, own, 1.0)
    for sign, outer in curvature.outers:
        along = np.einsum("nk,nki->ni", outer * root, apart)
        add_product(H, along, along, sign)
    return H


@dataclass(frozen=True, eq=False)
class _ScoresOfPast:
    """The scores (m, K, s) of s solutions: W (D, K·s), b (K, s)."""

    W: Array
    b: Array

    def __call__(self, chunk: Chunk) -> tuple[Array]:
        return (chunk.scores(self.W, self.b, self.b.shape),)
