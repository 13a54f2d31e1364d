"""The softmax loss, also called cross-entropy or multinomial logistic loss."""

import numpy as np

from linprobe.core.backend import Array, cap_, exp_, laid_as, namespace
from linprobe.core.losses._over_classes import over_classes
from linprobe.core.losses.curvature import Curvature
from linprobe.core.losses.record import NEVER


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def softmax(scores: Array, labels: Array) -> tuple[Array, Array]:
    """Cross-entropy of each example, in nats, and its slope in the scores.

    scores (n, K, H), overwritten; labels (n,) int in [0, K), unchecked -> losses (n, H), slope (n, K, H).
    Finite for any finite scores: a loss too large for its dtype is given as the largest number of the dtype. A NaN or
    +inf among an example's scores makes its loss NaN, silently: a diverged head is for the solver to find.
    Bishop (2006), Pattern Recognition and Machine Learning, eq. 4.108 and 4.109.
    """
    xp = namespace(scores)
    rows = xp.arange(scores.shape[0], device=scores.device)
    scores -= over_classes(xp.maximum, scores)[:, None, :]  # now <= 0, so exp cannot overflow; of -inf it is 0
    at_label = scores[rows, labels]
    exp_(scores)
    # The label is left out of the sum. Where it has nearly all the probability, 1 + others would round the others away:
    # the loss would be 0 from 1e-8 on in float32, and the slope p - 1 would have no correct digit.
    # Zeros and not the number 0, which a device would fetch from the host.
    scores[rows, labels] = xp.zeros(scores.shape[2], dtype=scores.dtype, device=scores.device)
    others = over_classes(xp.add, scores)
    beyond_one = xp.exp(at_label)
    beyond_one -= 1
    beyond_one += others  # the sum of all exp, less 1; at least 0, because the largest score gives exp(0)
    total = laid_as(others, beyond_one + 1)
    scores /= total[:, None, :]
    others /= total
    scores[rows, labels] = -others
    losses = xp.log1p(beyond_one, out=beyond_one)
    losses -= at_label
    largest = float(xp.finfo(scores.dtype).max)
    return cap_(losses, largest), scores


def softmax_curvature(scores: Array, labels: Array) -> Curvature:
    """diag(p) − p pᵀ: scores (n, K), overwritten, labels (n,)."""
    xp = namespace(scores)
    _, slope = softmax(scores[:, :, None], labels)
    p = slope[:, :, 0]
    p[xp.arange(len(labels), device=scores.device), labels] += 1
    return Curvature(p, ((-1.0, p),))


def softmax_start(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best bias without weights, and its loss: shares (K, H) of the classes -> (K, H), (H,), their entropy."""
    logarithms = np.log(np.where(shares > 0, shares, 1.0))
    return np.where(shares > 0, logarithms, NEVER), -(shares * logarithms).sum(axis=0)
