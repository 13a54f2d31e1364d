"""What is known of a loss, in one record. Engines, certificate and pages ask it, and never a loss by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from linprobe.core.backend import Array
from linprobe.core.losses.curvature import Curvature
from linprobe.core.losses.dual import Dual

__all__ = ["NEVER", "Loss", "SmoothLoss"]

NEVER = -1e30  # the bias of a class that a head has no example of: it is never predicted, whatever the scores


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A function of the scores and the labels; it knows nothing of features, weights or the penalty.

    Adding one number to all scores of an example changes nothing, so the slope sums to 0 over the classes: the engines
    rely on it.

    Attributes
    ----------
    name : str
        As users write it.
    classifier : str
        What a classifier that is trained with it is called.
    value_and_slope : callable
        Of scores (n, K, H), which it overwrites, and labels (n,), integers in [0, K): the losses (n, H) and their slope
        in the scores (n, K, H), which is the memory of the scores. NumPy arrays and torch tensors alike. Finite for
        finite scores.
    at_equal_scores : callable
        The loss where all K scores are equal.
    steepest : callable
        The most that the slope changes per change of an example's K scores: the largest eigenvalue of the second
        derivative; of the hinge, which has none, what its slope changes by over a margin of 1.
    probabilities : bool
        Whether scores are logarithms of probabilities, but for a constant.
    workspace : float
        Memory that `value_and_slope` takes besides the scores and numbers per example and head, as a share of the
        scores'.
    dual : Dual or None
        What the certificate proves with. None: it refuses the loss.
    """

    name: str
    classifier: str
    value_and_slope: Callable[[Array, Array], tuple[Array, Array]]
    at_equal_scores: Callable[[int], float]
    steepest: Callable[[int], float]
    probabilities: bool = False
    workspace: float = 0.25
    dual: Dual | None = None

    smooth: ClassVar[bool] = False  # whether it has a second derivative


@dataclass(frozen=True, kw_only=True)
class SmoothLoss(Loss):
    """A loss with a second derivative, which is what the exact solver needs.

    Attributes
    ----------
    curvature : callable
        Of scores (n, K), which it overwrites, and labels (n,): the second derivative.
    curvature_jumps : bool
        Whether it does where a margin is met, so that it tells little of what lies further off.
    start : callable or None
        Of the classes' shares (K, H), by weight: the best bias (K, H) without weights, and its mean loss (H,). None
        where there is no formula.
    """

    smooth: ClassVar[bool] = True

    curvature: Callable[[Array, Array], Curvature]
    curvature_jumps: bool = False
    start: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
