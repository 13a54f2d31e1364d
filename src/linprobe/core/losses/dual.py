"""What the certificate makes of margins: losses, slopes, and the cost of moving slopes. The proof: docs/certificate.md.

Like the certificate it shares nothing with what that judges: not the functions that solvers call.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["BIAS_TOLERANCE", "SOFTMAX", "SQUARED_HINGE", "Dual", "Points"]

# A bias is taken for the best one where no score is off by more than this: float32 rounds a bias of 1,000 by 3e-5.
BIAS_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Points:
    """What a loss makes of margins (m, K): its values (m,), its slopes in the scores (m, K), and how they can be moved.

    An example moves givers_k · takers_j · (v_j - v_k) of its slope from class k to class j: linear in v, the sum over
    the classes stays 0, and it is the slope's own change for small steps v of the bias. givers, takers (m, K), >= 0.
    """

    loss: np.ndarray
    slope: np.ndarray
    givers: np.ndarray
    takers: np.ndarray

    def ahead(self, v: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """A step v (K,) less its mean over an example's givers (m, K)."""
        # Steps against the label's own: an example that is all but certain of its label then keeps its digits.
        step = v - v[labels][:, None]
        return step - np.sum(self.givers * step, axis=1, keepdims=True)

    def moved(self, v: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The slopes (m, K) after a step v (K,); none but the label's is below 0, whatever rounding does."""
        step = v - v[labels][:, None]
        given = self.givers * (
            np.sum(self.takers * step, axis=1, keepdims=True) - step * np.sum(self.takers, axis=1, keepdims=True)
        )
        slope = self.slope + self.takers * self.ahead(v, labels) - given
        return _balanced(np.maximum(slope, 0), labels)


def _softmax(margins: np.ndarray, labels: np.ndarray) -> Points:
    """Cross-entropy; with givers p and takers p / 2, classes k and j exchange p_k p_j (v_j - v_k)."""
    each = np.arange(len(labels))
    highest = np.maximum(margins.max(axis=1), 0)
    p = np.exp(margins - highest[:, None])
    p[each, labels] = 0
    # Less 1, so that a loss near 0 keeps its digits: the sum of exp(margin - highest) with the label's own.
    beyond_one = np.expm1(-highest) + p.sum(axis=1)
    p /= 1 + beyond_one[:, None]
    slope = _balanced(p.copy(), labels)
    p[each, labels] = np.exp(-highest) / (1 + beyond_one)
    return Points(highest + np.log1p(beyond_one), slope, p, p / 2)


def _divergence(points: Points, v: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """KL(p + change ‖ p) for a step v: p (1 + z) log(1 + z) summed, z the relative change; less p z, whose sum is 0."""
    z = points.ahead(v, labels)
    return np.sum(points.givers * ((1 + z) * np.log1p(z) - z), axis=1)


def _squared_hinge(margins: np.ndarray, labels: np.ndarray) -> Points:
    """Squared hinge; the label gives, and a wrong class takes as the loss is curved, but never more than it has."""
    each = np.arange(len(labels))
    terms = np.maximum(1 + margins, 0)
    terms[each, labels] = 0
    label = np.zeros_like(terms)
    label[each, labels] = 1
    takers = np.minimum(2, terms / BIAS_TOLERANCE)
    return Points(np.sum(terms**2, axis=1), _balanced(2 * terms, labels), label, takers)


def _squares(points: Points, v: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum over the wrong classes of (change / 2)² for a step v."""
    return np.sum((points.takers * points.ahead(v, labels) / 2) ** 2, axis=1)


@dataclass(frozen=True)
class Dual:
    """A loss as the certificate sees it.

    points(margins (m, K), labels (m,)) -> Points; cost(points, v (K,), labels) -> (m,), what a step v of the bias costs
    the bound; longest, the longest step that surely leaves the slopes where the conjugate is finite.
    """

    points: Callable[[np.ndarray, np.ndarray], Points]
    cost: Callable[[Points, np.ndarray, np.ndarray], np.ndarray]
    longest: float


def _balanced(slope: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The slopes with the label's set, in place, to minus the sum of the others': there it has all its digits."""
    each = np.arange(len(labels))
    slope[each, labels] = 0
    slope[each, labels] = -slope.sum(axis=1)
    return slope


# A step of 0.25 takes at most half off a probability.
SOFTMAX = Dual(_softmax, _divergence, 0.25)
SQUARED_HINGE = Dual(_squared_hinge, _squares, BIAS_TOLERANCE)
