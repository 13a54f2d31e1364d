"""Second derivatives of the smooth losses in the scores: their mean over examples, and example by example."""

from collections.abc import Callable

from linprobe.arrays import Array, add_product, namespace
from linprobe.losses.softmax import softmax


def softmax_curvature(scores: Array, labels: Array, weight: Array) -> Array:
    """Weighted sum over examples of diag(p) − p pᵀ: scores (n, K), overwritten, labels (n,), weight (n,) -> (K, K)."""
    xp = namespace(scores)
    _, slope = softmax(scores[:, :, None], labels)
    p = slope[:, :, 0]
    p[xp.arange(len(labels), device=scores.device), labels] += 1
    weighted = p * weight[:, None]
    return _diagonal(xp.sum(weighted, axis=0)) - _products(p, weighted)


def squared_hinge_curvature(scores: Array, labels: Array, weight: Array) -> Array:
    """Weighted sum over examples and wrong classes j with a loss of 2 (e_j − e_y)(e_j − e_y)ᵀ.

    scores (n, K), overwritten, labels (n,), weight (n,) -> (K, K).
    """
    xp = namespace(scores)
    rows = xp.arange(len(labels), device=scores.device)
    scores -= scores[rows, labels][:, None] - 1
    active = 2 * weight[:, None] * (scores > 0)
    active[rows, labels] = 0
    at_label = xp.zeros_like(scores)
    at_label[rows, labels] = 1
    pairs = _products(at_label, active)  # (label, wrong class)
    return _diagonal(xp.sum(pairs, axis=0) + xp.sum(pairs, axis=1)) - pairs - pairs.T


def softmax_curvatures(scores: Array, labels: Array) -> Array:
    """diag(p) − p pᵀ of every example: scores (n, K), overwritten, labels (n,) -> (n, K, K)."""
    xp = namespace(scores)
    _, slope = softmax(scores[:, :, None], labels)
    p = slope[:, :, 0]
    p[xp.arange(len(labels), device=scores.device), labels] += 1
    return _diagonal(p) - p[:, :, None] * p[:, None, :]


def squared_hinge_curvatures(scores: Array, labels: Array) -> Array:
    """Sum over wrong classes j with a loss of 2 (e_j − e_y)(e_j − e_y)ᵀ, of every example.

    scores (n, K), overwritten, labels (n,) -> (n, K, K).
    """
    xp = namespace(scores)
    rows = xp.arange(len(labels), device=scores.device)
    scores -= scores[rows, labels][:, None] - 1
    active = xp.astype(scores > 0, scores.dtype) * 2
    active[rows, labels] = 0
    found = _diagonal(active)
    found[rows, labels] -= active
    found[rows, :, labels] -= active
    found[rows, labels, labels] = xp.sum(active, axis=1)
    return found


def _products(A: Array, B: Array) -> Array:
    """Aᵀ B: (n, K), (n, K) -> (K, K)."""
    found = namespace(A).zeros((A.shape[1], B.shape[1]), dtype=A.dtype, device=A.device)
    return add_product(found, A, B, 1.0)


def _diagonal(values: Array) -> Array:
    """Values (..., K) on the diagonals of (..., K, K)."""
    xp = namespace(values)
    return xp.eye(values.shape[-1], dtype=values.dtype, device=values.device) * values[..., None, :]


# The losses for which a lowest objective can be proven; the hinge has no second derivative to speak of.
CURVATURES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "softmax": softmax_curvature,
    "squared_hinge": squared_hinge_curvature,
}

# The same for each example, for problems so small that Newton's method can have all of it.
ALL_CURVATURES: dict[str, Callable[[Array, Array], Array]] = {
    "softmax": softmax_curvatures,
    "squared_hinge": squared_hinge_curvatures,
}
