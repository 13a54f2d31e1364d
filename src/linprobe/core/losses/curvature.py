"""The second derivative of a smooth loss in the scores, example by example, in parts that sum up cheaply."""

from typing import NamedTuple

from linprobe.core.backend import Array, add_product, namespace

__all__ = ["Curvature", "total_curvature"]


class Curvature(NamedTuple):
    """Of every example diag(d) + Σ ± u uᵀ (K, K): diagonal (n, K), at least 0, and pairs of a sign and outer (n, K)."""

    diagonal: Array
    outers: tuple[tuple[float, Array], ...]


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
