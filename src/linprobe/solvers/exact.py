"""The certified optimum of a stack of heads: every head comes with a proven bound of how far it is from the best."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from linprobe.arrays import Array, device_of, move, namespace, product, quiet, row_chunks, to_numpy
from linprobe.errors import UsageError
from linprobe.losses.curvature import CURVATURES, total_curvature
from linprobe.objective import chunk_of, default_chunk, objective_and_gradient
from linprobe.solvers.lbfgs import Descent
from linprobe.solvers.metric import Metric, fit_metric
from linprobe.solvers.newton import newton_fits, whole_curvature
from linprobe.solvers.optimum import Optimum
from linprobe.solvers.problem import Problem, groups, pose, refuse_what_is_not_finite

__all__ = ["Optimum", "Precision", "solve"]

Precision = Literal["auto", "single", "double"]

# In float32 smaller relative gaps cost more passes than float64 does, or cannot be had at all.
SINGLE_TOL = 1e-7

SINGLE_RANGE = 1e-12, 1e24  # of the highest variance of features


def solve(
    X: Array,
    y: np.ndarray,
    reg: np.ndarray,
    *,
    loss: str = "softmax",
    classes: int | None = None,
    sample_weight: np.ndarray | None = None,
    intercept: bool = True,
    tol: float = 1e-6,
    max_iter: int = 1000,
    precision: Precision = "auto",
    device: str = "numpy",
    memory: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Optimum:
    """Minimise weighted mean loss + λ ΣW² of every head, the bias free of penalty, to a proven relative gap.

    X (n, D) of any numeric type, in memory, mapped from a file, a SciPy CSR matrix or a torch tensor; y (n,) int in
    [0, classes); reg (H,) > 0; loss "softmax" or "squared_hinge"; sample_weight (n,) or (n, H), >= 0, one per example
    unless given; tol, of gap / objective; max_iter, passes over the data for each head; precision of the products:
    "single", "double", or "auto": that of X, of half precision and integers single, and double where single cannot
    reach tol; device as `choose_device` names it; memory, bytes that the work may take besides X; progress(heads done,
    heads). L-BFGS (Liu and Nocedal, 1989) for all heads at once.

    The gaps are computed in the precision of the products and with a bias that is all but the best; the proof in
    float64, of any weights, is solvers/certificate.py.

    Raises IncompatibleError for a loss that is not smooth and for too little memory, UsageError for reg, labels,
    weights and shapes that make no sense, DataError for NaN, infinite or far too large features.
    """
    if not (tol >= 0 and max_iter >= 1):
        raise UsageError(f"tol is {tol} and max_iter is {max_iter}; tol must be 0 or more, max_iter at least 1")
    problem = pose(X, y, reg, loss, classes, sample_weight, intercept, device)
    double = "float64" in str(X.dtype) and precision != "single"
    phases = ["float64"] if double else ["float32"] if precision == "single" else ["float32", "float64"]
    result, metric, H = problem.start(phases[0]), None, len(problem.reg)
    for phase in phases:
        heads = np.flatnonzero(~(result.gap <= tol * result.objective) & (result.iterations < max_iter))
        if not len(heads):
            break
        like = problem.array([], phase)
        if metric is None:
            with quiet(like):
                metric = fit_metric(problem.X, like, problem.mean_weight(), centred=intercept)
            if phase == "float32" and len(phases) > 1 and not SINGLE_RANGE[0] < metric.highest() < SINGLE_RANGE[1]:
                # Squares of such features, or of the gradient, leave the range of float32.
                metric = None
                continue
            refuse_what_is_not_finite(problem.X, metric)
        metric = metric.like(like)
        # Where float64 will follow, single precision is for the first digits only.
        goal = max(tol, SINGLE_TOL) if phase == "float32" and len(phases) > 1 else tol
        done = H - len(heads)
        for group in np.array_split(heads, groups(problem, len(heads), like, memory)):
            tell = None if progress is None else _counting_from(done, H, progress)
            found = _descend(problem.take(group), metric, result.take(group), like, goal, max_iter, tell)
            result = result.replaced(group, found)
            done += len(group)
    # Those that float32 had brought to its own goal, and for which no passes were left.
    short = (result.stopped == "gap") & ~(result.gap <= tol * result.objective)
    return replace(result, stopped=np.where(short, "max_iter", result.stopped))


def _descend(
    problem: Problem,
    metric: Metric,
    start: Optimum,
    like: Array,
    tol: float,
    max_iter: int,
    progress: Callable[[int, int], None] | None,
) -> Optimum:
    """One stack, in one precision, from where it stands."""
    xp, device = namespace(like), device_of(like)

    def evaluate(W: Array, b: Array, heads: np.ndarray) -> tuple[np.ndarray, Array, Array]:
        bias, reg = b if problem.intercept else None, problem.array(problem.reg[heads])
        f, dW, db = objective_and_gradient(
            problem.X, problem.y, W, bias, problem.loss, reg, sample_weight=problem.weight_of(heads)
        )
        return to_numpy(f), dW, xp.zeros_like(b) if db is None else db

    def curvature(W: Array, b: Array, heads: np.ndarray) -> np.ndarray:
        found = np.zeros((W.shape[1], *W.shape[1:]))
        for places, rows, weight in problem.curvature_samples(heads):
            chosen = move(places, device)
            flat, bias = xp.asarray(W[..., chosen], copy=True).reshape(len(W), -1), b[..., chosen]
            for part in row_chunks(len(rows), default_chunk(len(b), len(places), device)):
                features, labels = chunk_of(problem.X, rows[part], like), problem.y[move(rows[part], device)]
                scores = xp.empty((len(labels), *bias.shape), dtype=W.dtype, device=W.device)
                product(features, flat, scores.reshape(len(labels), -1))
                scores += bias
                for i, place in enumerate(places):
                    of_each = CURVATURES[problem.loss](xp.asarray(scores[..., i], copy=True), labels)
                    found[..., place] += to_numpy(total_curvature(of_each, xp.astype(weight[part, i], W.dtype)))
        return found

    def hessian(W: Array, b: Array, head: int) -> np.ndarray:
        return whole_curvature(problem, metric.mean, W, b, head)

    W, b = (move(np.ascontiguousarray(array), device) for array in (start.W, start.b))
    descent = Descent(
        evaluate,
        curvature,
        metric,
        reg=problem.reg,
        start=_curvature_at_zero(problem, start.b),
        hessian=hessian if newton_fits(problem) else None,
        W=xp.astype(W, like.dtype),
        b=b if problem.intercept else None,
        tol=tol,
        max_iter=max_iter,
        passes=start.iterations,
        progress=progress,
    )
    with quiet(like):
        return descent.run()


def _curvature_at_zero(problem: Problem, b: np.ndarray) -> np.ndarray:
    """The mean curvature of the loss in a shift of all scores at W = 0: bias (K, H) -> (K, K, H)."""
    # There, all examples of a class have the same scores: one of each, with the weight of all, says the same.
    labels = np.arange(len(b))
    curvature = np.empty((len(b), *b.shape))
    for head in range(b.shape[1]):
        scores = np.tile(b[:, head], (len(b), 1))
        curvature[..., head] = total_curvature(CURVATURES[problem.loss](scores, labels), problem.shares[:, head])
    return curvature


def _counting_from(done: int, of: int, progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
    return lambda more, _: progress(done + more, of)
