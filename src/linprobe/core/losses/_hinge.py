"""The multiclass hinge loss of Weston and Watkins: the loss of a multiclass SVM."""

import numpy as np

from linprobe.core.backend import Array, cap_, namespace
from linprobe.core.losses._over_classes import over_classes


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def hinge(scores: Array, labels: Array) -> tuple[Array, Array]:
    """Sum over the wrong classes j of max(0, s_j - s_y + 1) for each example, and its slope in the scores.

    scores (n, K, H), overwritten; labels (n,) int in [0, K), unchecked -> losses (n, H), slope (n, K, H).
    Slope: 1 at a wrong class whose term is above 0, minus their number at the label; exactly at the kink, 0.
    Finite for any finite scores: a loss too large for its dtype is given as the largest number of the dtype. A NaN
    among an example's scores makes its loss NaN, silently: a diverged head is for the solver to find.
    Weston and Watkins (1999), Support Vector Machines for Multi-Class Pattern Recognition.
    """
    xp = namespace(scores)
    rows = xp.arange(scores.shape[0], device=scores.device)
    scores -= scores[rows, labels][:, None, :]
    scores += 1  # after the subtraction, not taken off s_y before it: large equal scores must keep their margin of 1
    # A row of zeros and not the number 0, for which NumPy has no vector loop: 0.03 ms against 0.07 on (200, 10, 100);
    # a device would fetch it from the host.
    zeros = xp.zeros(scores.shape[2], dtype=scores.dtype, device=scores.device)
    scores[rows, labels] = zeros
    xp.maximum(scores, zeros, out=scores)
    losses = over_classes(xp.add, scores)
    scores[...] = scores > 0
    scores[rows, labels] = -over_classes(xp.add, scores)
    largest = float(xp.finfo(scores.dtype).max)
    return cap_(losses, largest), scores
