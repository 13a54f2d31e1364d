"""The squared multiclass hinge loss: Weston and Watkins' terms, squared, so that the loss is smooth."""

import numpy as np

from linprobe.core.backend import Array, cap_, laid_as, namespace, row_chunks
from linprobe.core.losses._over_classes import over_classes
from linprobe.core.losses.curvature import Curvature


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def squared_hinge(scores: Array, labels: Array) -> tuple[Array, Array]:
    """Sum over the wrong classes j of max(0, s_j - s_y + 1)² for each example, and its slope in the scores.

    scores (n, K, H), overwritten; labels (n,) int in [0, K), unchecked -> losses (n, H), slope (n, K, H).
    Slope: 2 max(0, s_j - s_y + 1) at a wrong class j, minus their sum at the label.
    Finite for any finite scores: a loss or slope too large for its dtype is given as the largest number of the dtype. A
    NaN among an example's scores makes its loss NaN, silently: a diverged head is for the solver to find.
    The terms are those of Weston and Watkins (1999), Support Vector Machines for Multi-Class Pattern Recognition.
    """
    xp = namespace(scores)
    rows = xp.arange(scores.shape[0], device=scores.device)
    largest = float(xp.finfo(scores.dtype).max)
    scores -= laid_as(scores[:, 0], scores[rows, labels])[:, None, :]
    scores += 1  # after the subtraction, not taken off s_y before it: large equal scores must keep their margin of 1
    # Rows of zeros and not the number 0, for the reasons in hinge.py.
    zeros = xp.zeros(scores.shape[2], dtype=scores.dtype, device=scores.device)
    scores[rows, labels] = zeros
    xp.maximum(scores, zeros, out=scores)
    losses = xp.empty((scores.shape[0], scores.shape[2]), dtype=scores.dtype, device=scores.device)
    # A quarter of the rows at a time: the squares of all would be as large as the scores themselves.
    for part in row_chunks(scores.shape[0], max(1, -(-scores.shape[0] // 4))):
        losses[part] = over_classes(xp.add, scores[part] * scores[part])
    scores *= 2
    cap_(scores, largest)
    scores[rows, labels] = -cap_(over_classes(xp.add, scores), largest)
    return cap_(losses, largest), scores


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
