"""Second derivatives of the smooth losses in the scores, example by example, in parts that sum up cheaply."""

from collections.abc import Callable
from typing import NamedTuple

from linprobe.arrays import Array, add_product, namespace
from linprobe.losses.softmax import softmax


class Curvature(NamedTuple):
    """Of every example diag(d) + Σ ± u uᵀ (K, K): diagonal (n, K), at least 0, and pairs of a sign and outer (n, K)."""

    diagonal: Array
    outers: tuple[tuple[float, Array], ...]


def softmax_curvature(scores: Array, labels: Array) -> Curvature:
    """diag(p) − p pᵀ: scores (n, K), overwritten, labels (n,)."""
    xp = namespace(scores)
    _, slope = softmax(scores[:, :, None], labels)
    p = slope[:, :, 0]
    p[xp.arange(len(labels), device=scores.device), labels] += 1
    return Curvature(p, ((-1.0, p),))


def squared_hinge_curvature(scores: Array, labels: Array) -> Curvature:
    """Sum over wrong classes j with a loss of 2 (e_j − e_y)(e_j − e_y)ᵀ: scores (n, K), overwritten, labels (n,)."""
    xp = namespace(scores)
    rows = xp.arange(len(labels), device=scores.device)
    scores -= scores[rows, labels][:, None] - 1
    active = xp.astype(scores > 0, scores.dtype)
    active[rows, labels] = 0
    count = xp.sum(active, axis=1)
    diagonal = 2 * active
    diagonal[rows, labels] = 2 * count
    # The products of active and label, as the difference of two squares: of nothing where nothing is active, or the
    # rounding of many such examples would drown the few others.
    one = xp.astype(count > 0, scores.dtype)
    less, more = active, xp.asarray(active, copy=True)
    less[rows, labels] -= one
    more[rows, labels] += one
    return Curvature(diagonal, ((1.0, less), (-1.0, more)))


def total_curvature(curvature: Curvature, weight: Array) -> Array:
    """Weighted sum over the examples, weight (n,) -> (K, K)."""
    diagonal, outers = curvature
    xp, K = namespace(diagonal), diagonal.shape[1]
    total = xp.eye(K, dtype=diagonal.dtype, device=diagonal.device) * xp.sum(diagonal * weight[:, None], axis=0)
    for sign, outer in outers:
        add_product(total, outer, outer * weight[:, None], sign)
    # A shift of all classes changes no loss, so the rows add up to 0. On the diagonal that says more than p − p² does,
    # of which rounding leaves nothing where an example is sure of its label.
    others = total * (1 - xp.eye(K, dtype=diagonal.dtype, device=diagonal.device))
    return others - xp.eye(K, dtype=diagonal.dtype, device=diagonal.device) * xp.sum(others, axis=0)


# The losses for which a lowest objective can be proven; the hinge has no second derivative to speak of.
CURVATURES: dict[str, Callable[[Array, Array], Curvature]] = {
    "softmax": softmax_curvature,
    "squared_hinge": squared_hinge_curvature,
}
