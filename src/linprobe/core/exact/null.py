"""The null model: no weights, and the best bias. Every head begins there, and what it gains is counted from there."""

import numpy as np

from linprobe.core.losses import NEVER, SmoothLoss
from linprobe.core.losses.curvature import total_curvature

__all__ = ["null_curvature", "null_model"]

STEPS = 50  # of Newton, and halvings of each, at the most; three of them were seen


def null_model(loss: SmoothLoss, shares: np.ndarray, *, intercept: bool) -> tuple[np.ndarray, np.ndarray]:
    """The bias of the null model and its objective: shares (K, H) of the classes, by weight -> b (K, H), (H,)."""
    if not intercept:
        b = np.zeros_like(shares)
        return b, np.full(b.shape[1], loss.at_equal_scores(len(b)))
    if loss.start is not None:
        return loss.start(shares)
    # Heads that share their examples, as those of a path do, share this too.
    different, which = np.unique(shares, axis=1, return_inverse=True)
    found = [_newton(loss, of_head) for of_head in different.T]
    b, objective = (np.stack(parts, axis=-1) for parts in zip(*found, strict=True))
    return b[:, which], objective[which]


def null_curvature(loss: SmoothLoss, shares: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The curvature of the mean loss in a shift of all scores, without weights: (K, H), (K, H) -> (K, K, H)."""
    # There, all examples of a class have the same scores: one of each, with the weight of all, says the same.
    labels, curvature = np.arange(len(b)), np.empty((len(b), *b.shape))
    for head in range(b.shape[1]):
        scores = np.tile(b[:, head], (len(b), 1))
        curvature[..., head] = total_curvature(loss.curvature(scores, labels), shares[:, head])
    return curvature


def _newton(loss: SmoothLoss, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best bias of one head: shares (K,) -> b (K,), objective ()."""
    seen, labels = shares > 0, np.arange(len(shares))
    b = np.where(seen, 0.0, NEVER)

    def look(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        losses, slope = loss.value_and_slope(np.tile(b, (len(b), 1))[:, :, None], labels)
        return shares @ losses[:, 0], shares @ slope[:, :, 0]

    objective, slope = look(b)
    for _ in range(STEPS):
        curvature = null_curvature(loss, shares[:, None], b[:, None])[..., 0][np.ix_(seen, seen)]
        step = np.zeros(len(b))
        # A shift of all classes changes nothing: the pseudo-inverse leaves it out.
        step[seen] = -np.linalg.pinv(curvature, hermitian=True) @ slope[seen]
        for length in 0.5 ** np.arange(STEPS):
            lower, its_slope = look(b + length * step)
            if lower < objective:
                break
        else:
            break
        b, objective, slope = b + length * step, lower, its_slope
    return b, objective
