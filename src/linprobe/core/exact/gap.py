"""How far heads are from the optimum at the most, while they descend, and what that is measured against."""

import numpy as np

from linprobe.core.backend import Array, device_of, move, namespace, product, to_numpy
from linprobe.core.exact.state import ClassMetric, HeadProblem, Position
from linprobe.core.heads import inner, total

__all__ = ["bounds", "scale", "shift_of"]

NOTHING = 1e-13  # of the objective: where there is less to gain, rounding hides it


def bounds(at: Position, classes: ClassMetric, reg: np.ndarray, highest: float) -> tuple[np.ndarray, np.ndarray]:
    """The gap (h,), and what of it the gradient in the weights alone makes up (h,).

    reg (h,); highest: the largest variance of features in any direction.
    """
    xp = namespace(at.gradient)
    small = to_numpy(total(xp.astype(at.gradient, xp.float64) ** 2)) / (4 * reg)
    # The bound supposes the best bias. Its last step s gains rᵀs and changes the gradient by the mixed curvature times
    # s, the square of which is at most the highest curvature in the weights times rᵀs, because the curvature as a whole
    # is not negative.
    turned = np.einsum("kjh,kh->jh", classes.axes, to_numpy(at.bias_gradient))
    gain = (turned**2 / classes.stiffness).sum(axis=0)
    drift = gain * highest * classes.stiffness.max(axis=0) / (4 * reg)
    return (small**0.5 + drift**0.5) ** 2 + gain, small


def scale(at: Position, given: HeadProblem, gap: np.ndarray, noise: float, mean: Array | None) -> np.ndarray:
    """What the gaps (h,) are measured against: the objective, or what there is to gain over no weights, if less.

    A strong penalty leaves so little to gain that no weights at all are near the lowest objective. noise: rounding of
    the objective, as a share of it; mean (D,) of the features, None without an intercept.
    """
    # Gained so far, by the objectives, and at least what strong convexity says, which cancels nothing.
    gained = given.null_objective - at.objective - noise * np.abs(at.objective)
    slope, square = inner(at.W, at.gradient), inner(at.W, at.W)
    if mean is not None:
        null_bias = move(np.ascontiguousarray(given.null_bias), device_of(at.b))
        slope += total((shift_of(at.W, mean) + at.b - null_bias) * at.bias_gradient)
    convex = given.reg * to_numpy(square) - to_numpy(slope)
    lead = gap + np.maximum(np.maximum(gained, convex), 0)
    return np.minimum(np.abs(at.objective), np.maximum(lead, NOTHING * np.abs(at.objective)))


def shift_of(W: Array, mean: Array) -> Array:
    """What weights (D, K, h) do to the scores of the mean example (D,): (K, h)."""
    moved = namespace(W).empty((1, W.shape[1] * W.shape[2]), dtype=W.dtype, device=W.device)
    product(mean[None, :], W.reshape(len(W), -1), moved)
    return moved.reshape(W.shape[1:])
