"""The losses: one record each. A new one is a private file with its function, and a record here."""

import math

from linprobe.core.losses import dual
from linprobe.core.losses._hinge import hinge
from linprobe.core.losses._softmax import softmax, softmax_curvature, softmax_start
from linprobe.core.losses._squared_hinge import squared_hinge, squared_hinge_curvature
from linprobe.core.losses.curvature import Curvature
from linprobe.core.losses.record import NEVER, Loss, SmoothLoss
from linprobe.errors import IncompatibleError, UsageError

__all__ = [
    "LOSSES",
    "NEVER",
    "Curvature",
    "Loss",
    "SmoothLoss",
    "find_loss",
    "hinge",
    "smooth_loss",
    "softmax",
    "squared_hinge",
]


# Functions with names, so that a loss can be sent to where the rows are.


def _always_half(classes: int) -> float:
    del classes
    return 0.5


def _one_for_each_wrong(classes: int) -> float:
    """With all scores equal, each of the K - 1 wrong classes misses the margin by exactly one."""
    return classes - 1.0


def _two_for_each(classes: int) -> float:
    return 2.0 * classes


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        SmoothLoss(
            name="softmax",
            classifier="Softmax classifier",
            value_and_slope=softmax,
            at_equal_scores=math.log,
            steepest=_always_half,
            probabilities=True,
            workspace=0.0,
            curvature=softmax_curvature,
            start=softmax_start,
            dual=dual.SOFTMAX,
        ),
        Loss(
            name="hinge",
            classifier="Linear SVM",
            value_and_slope=hinge,
            at_equal_scores=_one_for_each_wrong,
            steepest=float,
        ),
        SmoothLoss(
            name="squared_hinge",
            classifier="Linear SVM, squared hinge",
            value_and_slope=squared_hinge,
            at_equal_scores=_one_for_each_wrong,
            steepest=_two_for_each,
            curvature=squared_hinge_curvature,
            curvature_jumps=True,
            dual=dual.SQUARED_HINGE,
        ),
    )
}


def find_loss(loss: str | Loss) -> Loss:
    """The record of a name; a record is handed back as it is.

    Raises UsageError for a name that LOSSES does not have.
    """
    if isinstance(loss, Loss):
        return loss
    if loss not in LOSSES:
        raise UsageError(f"loss {loss!r} is unknown; use one of: {', '.join(LOSSES)}")
    return LOSSES[loss]


def smooth_loss(loss: str | Loss) -> SmoothLoss:
    """The record of a loss that the exact solver can take; raises IncompatibleError for one that it can't."""
    found = find_loss(loss)
    if not isinstance(found, SmoothLoss):
        raise IncompatibleError(
            f"the exact solver needs a smooth loss, and {found.name} is not; use the loss squared_hinge, or the "
            "solver sgd"
        )
    return found
