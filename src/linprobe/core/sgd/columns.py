"""The columns in which a stack's weights are trained: of two classes, one.

Slopes of a loss add up to zero over the classes, so weights move only where their sum over the classes stays as it is,
and that sum decays: it needs no products. W_k = common + U_k − (the mean of U over the classes), where U_k = W_k − W_K,
of which the last is zero.
"""

from linprobe.core.backend import Array, namespace, sweep_rows

__all__ = ["columns_of", "join", "part"]


def columns_of(classes: int) -> int:
    """How many columns of a product the weights of so many classes take.

    With more than two, what a column less saves in the products is lost again where scores are copied to their places.
    """
    return 1 if classes == 2 else classes


def part(W: Array) -> tuple[Array, Array]:
    """U (r, K − 1, H) and common (r, H) of weights W (r, K, H)."""
    return W[:, :-1] - W[:, -1:], namespace(W).mean(W, axis=1)


def join(U: Array, common: Array, share: Array) -> Array:
    """W (r, K, H), of U (r, K − 1, H) and common (r, H), of which share (H,) is left: a new array."""
    xp, (size, columns, heads) = namespace(U), U.shape
    W = xp.empty((size, columns + 1, heads), dtype=U.dtype, device=U.device)
    for rows in sweep_rows(common):
        last = common[rows] * share
        last -= xp.sum(U[rows], axis=1) / (columns + 1)
        W[rows, :-1] = U[rows] + last[:, None]
        W[rows, -1] = last
    return W
