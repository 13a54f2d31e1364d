"""The whole second derivative of a head's objective, for problems that are small enough to have it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import linalg

from linprobe.core.backend import Array, add_gram, to_numpy
from linprobe.core.exact.state import class_axes
from linprobe.core.losses import SmoothLoss
from linprobe.core.losses.curvature import Curvature
from linprobe.data.terms import Addend, Chunk

if TYPE_CHECKING:  # which imports what remembers steps, and that takes Newton's from here
    from linprobe.core.exact.problem import Problem

__all__ = ["UNKNOWNS", "bias_step", "damped_step", "newton_bytes", "newton_passes", "whole_curvature"]

# Unknowns of a head, and multiplications for its second derivative: half a second at the most.
UNKNOWNS = 2500
MULTIPLICATIONS = 5e10

# What a pass costs, in multiplications of such a step. Its calls take the time of four times as many, whatever its
# size: a quarter counts, as there is more than one such step. Its own count so many times, as its products are narrow.
OF_CALLS, NARROW = 1e7, 4
EARLIEST = 30  # passes, after which most heads are where they should be

CHUNK_NUMBERS = 2**22

NEGLIGIBLE = 1e-4  # of the mean curvature of an example

# What rounding may take from the smallest eigenvalue, as a share of their sum: the first that leaves a factor is taken.
LIFTS = (1e-14, 1e-12, 1e-10, 1e-8)


def newton_bytes(shape: tuple[int, int], K: int) -> int:
    """Memory of a Newton's step on X (n, D): 0 where its second derivative would cost too much beside more passes."""
    n, D = shape
    unknowns = (D + 1) * K
    if unknowns > UNKNOWNS or n * unknowns**2 > MULTIPLICATIONS:
        return 0
    # The second derivative, its factor and their copy for LAPACK; a chunk of pairs and of features, centred and rooted.
    return 8 * (3 * unknowns**2 + min(n, max(1, CHUNK_NUMBERS // unknowns)) * (2 * unknowns + 4 * (D + 1)))


def newton_passes(n: int, unknowns: int, heads: int) -> float:
    """Passes of so many heads in step, on n rows, after which Newton's steps begin: as many as take the time of one."""
    step = n * unknowns**2 + unknowns**3 / 6
    return max(EARLIEST, step / (OF_CALLS / heads + 2 * NARROW * n * unknowns))


def whole_curvature(problem: "Problem", mean: Array, W: Array, b: Array, head: int) -> np.ndarray:
    """The second derivative of the mean loss in the weights, and in the bias of features about their mean, last.

    mean (D,), W (D, K), b (K,) of a head -> (D + 1, K, D + 1, K) float64, of the symmetric ((D + 1) K)² matrix that it
    is the lower triangle alone.
    """
    D, K = W.shape
    weight, bias, centre = (to_numpy(array).astype(np.float64) for array in (W, b, mean))
    (found,) = problem.X.reduce(
        _Bends(weight, bias, centre, problem.loss, len(problem.X)),
        np.zeros(0),
        size=max(1, CHUNK_NUMBERS // (K * (D + 1))),
        labels=problem.y,
        weights=problem.weights_of(np.array([head])),
    )
    return found


@dataclass(frozen=True, eq=False)
class _Bends:
    """What some of n rows bring to the second derivative of their mean loss: W (D, K), bias (K,), centre (D,)."""

    W: np.ndarray
    bias: np.ndarray
    centre: np.ndarray
    loss: SmoothLoss
    n: int

    def __call__(self, chunk: Chunk) -> "tuple[_Bent]":
        features, share = chunk.dense, np.full(len(chunk), 1 / self.n)
        if chunk.weights is not None:
            share = chunk.weights[:, 0] / self.n
        seen = share > 0
        features, of_each = features[seen], share[seen, None]
        # SciPy's product, as what follows is SciPy's: NumPy has a pool of threads of its own, and two that take turns
        # fight for the cores.
        (gemm,) = linalg.get_blas_funcs(("gemm",), (self.W,))
        scores = gemm(1.0, self.W.T, features.T).T + self.bias
        diagonal, outers = self.loss.curvature(scores, chunk.labels[seen].astype(np.int64))
        # Where λ is small, few examples have a curvature to speak of: the others would cost as much.
        trace = of_each[:, 0] * (diagonal.sum(axis=1) + sum(sign * (outer**2).sum(axis=1) for sign, outer in outers))
        bent = trace > NEGLIGIBLE * (trace.sum() / max(1, len(trace)))
        root, augmented = np.sqrt(of_each[bent]), np.column_stack([features[bent] - self.centre, np.ones(bent.sum())])
        outers = tuple((sign, outer[bent]) for sign, outer in outers)
        return (_Bent(augmented, root, Curvature(diagonal[bent], outers)),)


@dataclass(frozen=True, eq=False)
class _Bent(Addend):
    """What rows, with a column of ones (m, D + 1), bring to it: root (m, 1) of what each counts, and its curvature."""

    flushed: ClassVar[bool] = False

    rows: np.ndarray
    root: np.ndarray
    curvature: Curvature

    def zeros(self) -> np.ndarray:
        D, K = self.rows.shape[1], self.curvature.diagonal.shape[1]
        return np.zeros((D, K, D, K))

    def add_to(self, total: np.ndarray) -> None:
        D, K = total.shape[:2]
        diagonal, outers = self.curvature
        for k in range(K):
            block = np.zeros((D, D))
            total[:, k, :, k] += add_gram(block, self.rows * (self.root * np.sqrt(diagonal[:, k : k + 1])))
        square = total.reshape(D * K, D * K)
        for sign, outer in outers:
            pairs = self.rows[:, :, None] * (self.root * outer)[:, None, :]
            add_gram(square, pairs.reshape(-1, D * K), sign)


def bias_step(curvature: np.ndarray, slope: np.ndarray, device: str = "numpy") -> np.ndarray:
    """Newton's step of a head's bias (K,), its weights held: curvature (K, K) and slope (K,) where it stands.

    device: where the axes of many classes are found.
    """
    step, bent = np.zeros(len(slope)), np.diag(curvature) > 0
    if not bent.any():
        return step
    # A class without curvature, as one without examples, stays: its share would be rounding over nearly nothing.
    curvature = curvature[np.ix_(bent, bent)]
    mean = max(float(np.trace(curvature)) / len(curvature), 1e-100)
    # A shift of all classes changes nothing, nor does that of a class without any loss left.
    stiffness, axes = class_axes(curvature + mean / len(curvature), device)
    step[bent] = -axes @ (axes.T @ slope[bent] / np.maximum(stiffness, 1e-9 * mean))
    return step


def damped_step(hessian: np.ndarray, gradient: np.ndarray, damping: float, *, intercept: bool) -> np.ndarray | None:
    """Newton's step (D + 1, K), the bias last, held back in the weights by a damping of twice the penalty or more.

    hessian (D + 1, K, D + 1, K), the lower triangle alone, overwritten; gradient (D + 1, K). None where rounding leaves
    nothing of the smallest curvature, as beside a feature a million times as large as the others.
    """
    D, K = len(hessian) - 1, hessian.shape[1]
    diagonal = np.full((D + 1, K), damping)
    if intercept:
        # A shift of the bias of all classes changes nothing, nor does that of a class that no example can see.
        mean = max(float(np.trace(hessian[D, :, D])) / K, 1e-300)
        hessian[D, :, D] += mean / K
        diagonal[D] = 1e-9 * mean
    else:
        hessian[D], hessian[:, :, D], diagonal[D] = 0, 0, 1
    matrix = hessian.reshape((D + 1) * K, -1)
    trace, own = float(np.trace(matrix)), np.diag(matrix) + diagonal.ravel()
    for lift in LIFTS:
        np.fill_diagonal(matrix, own + lift * trace)
        try:
            factor = linalg.cho_factor(matrix, lower=True, check_finite=False)
        except linalg.LinAlgError:
            continue
        return -linalg.cho_solve(factor, gradient.ravel(), check_finite=False).reshape(D + 1, K)
    return None
