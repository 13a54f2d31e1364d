"""Temperature scaling: the one number that scores are divided by to make probabilities honest."""

from typing import Any

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import softmax

from linprobe.core.backend import row_chunks
from linprobe.core.losses import NEVER

__all__ = ["fit_temperature"]

LOWEST, HIGHEST = 1e-3, 1e3  # of temperatures; beyond, there is nothing left of the scores, or nothing but the highest
CHUNK_SCORES = 2**20


@np.errstate(over="ignore")
def fit_temperature(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """The temperature with the lowest mean log-loss.

    The log-loss is convex in 1 / temperature, and the answer the root of its slope.

    Parameters
    ----------
    scores : float array (n, K)
        Logarithms of probabilities, but for a constant of each example, of examples that were not trained on.
    labels : int array (n,)
        In [0, K).

    Returns
    -------
    temperature : float or None
        Above 1 where the classifier is too sure. None where there is no lowest: every label has the highest score, or
        the scores tell nothing of the labels.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, section 4.2.
    """
    # An example whose class a classifier can't predict has no say in how sure it should be.
    own = np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    known = own > NEVER / 10
    if not known.all():  # else no copy is made
        scores, labels = scores[known], labels[known]
    if not len(scores):
        return None
    chunks = list(row_chunks(len(scores), max(1, CHUNK_SCORES // scores.shape[1])))

    def slope(inverse: float) -> float:
        total = 0.0
        for rows in chunks:
            each = scores[rows].astype(np.float64)
            each = np.maximum(each - each.max(axis=1, keepdims=True), NEVER)  # or 0 times infinity would be no number
            expected = np.einsum("nk,nk->n", softmax(inverse * each, axis=1), each)
            total += float((expected - np.take_along_axis(each, labels[rows, None], axis=1)[:, 0]).sum())
        return total

    low, high = 1 / HIGHEST, 1 / LOWEST
    if slope(low) >= 0 or slope(high) <= 0:
        return None
    found: Any = root_scalar(slope, bracket=(low, high), xtol=1e-12, rtol=1e-10)
    return 1 / float(found.root)
