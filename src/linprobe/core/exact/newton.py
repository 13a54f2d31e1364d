"""The whole second derivative of a head's objective, for problems that are small enough to have it."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from linprobe.core.backend import Array, add_gram, is_sparse, product, row_chunks, to_numpy
from linprobe.core.objective import chunk_of

if TYPE_CHECKING:  # which imports what remembers steps, and that takes Newton's from here
    from linprobe.core.exact.problem import Problem

# Unknowns of a head, and multiplications for its second derivative: half a second at the most.
UNKNOWNS = 2500
MULTIPLICATIONS = 5e10

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


def whole_curvature(problem: "Problem", mean: Array, W: Array, b: Array, head: int) -> np.ndarray:
    """The second derivative of the mean loss in the weights, and in the bias of features about their mean, last.

    mean (D,), W (D, K), b (K,) of a head -> (D + 1, K, D + 1, K) float64, of the symmetric ((D + 1) K)² matrix that it
    is the lower triangle alone.
    """
    n, (D, K) = problem.X.shape[0], W.shape
    weights = problem.weights_of(np.array([head]))
    share = np.full(n, 1 / n) if weights is None else weights.mean() / n
    weight, bias, centre, labels = (to_numpy(array).astype(np.float64) for array in (W, b, mean, problem.y))
    found = np.zeros((D + 1, K, D + 1, K))
    square = found.reshape((D + 1) * K, (D + 1) * K)
    for rows in row_chunks(n, max(1, CHUNK_NUMBERS // (K * (D + 1)))):
        part = chunk_of(problem.X, rows, np.zeros(0)) if is_sparse(problem.X) else problem.X[rows]
        features = part.toarray() if is_sparse(part) else to_numpy(part).astype(np.float64)
        seen = share[rows] > 0
        features, of_each = features[seen], share[rows][seen, None]
        # SciPy's products, as everywhere: NumPy has a pool of threads of its own.
        scores = np.empty((len(features), K))
        product(features, weight, scores)
        diagonal, outers = problem.loss.curvature(scores + bias, labels[rows][seen].astype(np.int64))
        # Where λ is small, few examples have a curvature to speak of: the others would cost as much.
        trace = of_each[:, 0] * (diagonal.sum(axis=1) + sum(sign * (outer**2).sum(axis=1) for sign, outer in outers))
        bent = trace > NEGLIGIBLE * trace.mean()
        root, augmented = np.sqrt(of_each[bent]), np.column_stack([features[bent] - centre, np.ones(bent.sum())])
        for k in range(K):
            block = np.zeros((D + 1, D + 1))
            found[:, k, :, k] += add_gram(block, augmented * (root * np.sqrt(diagonal[bent, k : k + 1])))
        for sign, outer in outers:
            pairs = augmented[:, :, None] * (root * outer[bent])[:, None, :]
            add_gram(square, pairs.reshape(-1, (D + 1) * K), sign)
    return found


def bias_step(curvature: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Newton's step of a head's bias (K,), its weights held: curvature (K, K) and slope (K,) where it stands."""
    step, bent = np.zeros(len(slope)), np.diag(curvature) > 0
    if not bent.any():
        return step
    # A class without curvature, as one without examples, stays: its share would be rounding over nearly nothing.
    curvature = curvature[np.ix_(bent, bent)]
    mean = max(float(np.trace(curvature)) / len(curvature), 1e-100)
    # A shift of all classes changes nothing, nor does that of a class without any loss left.
    stiffness, axes = linalg.eigh(curvature + mean / len(curvature), driver="evd")
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
